"""`morello profile`: hot functions and blocks, and where the time of a run went, as tables and as data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emulator.engine.translate.profiled import (
    DISPATCH,
    ENDS,
    KERNEL,
    LINKS,
    PAGES,
    REFUSED,
    REGISTER_BRANCHES,
    SAMPLING,
    SINGLES,
    TRANSLATED,
    TRANSLATION,
    Tally,
    Timing,
)
from morello_isa.disassemble import disassemble

if TYPE_CHECKING:
    from emulator.engine.translate.observed import BlockRecord, Census
    from emulator.insight.owners import Owner, Owners

START = "start-up"
_NAME_WIDTH = 46
_ORDER = (
    START, TRANSLATED, PAGES, TRANSLATION, LINKS, REGISTER_BRANCHES, SINGLES, REFUSED, ENDS, DISPATCH, KERNEL,
    SAMPLING,
)  # fmt: skip


@dataclass(slots=True)
class FunctionRow:
    """A function: guest instructions executed, seconds (estimated), and of what."""

    name: str
    restricted: bool
    instructions: int = 0
    seconds: float = 0.0
    blocks: int = 0


@dataclass(slots=True)
class BlockRow:
    """Guest code that is translated as one piece; versions of it for different facts are added up."""

    place: str
    pc: int
    entries: int = 0
    instructions: int = 0
    seconds: float = 0.0
    length: int = 0
    versions: int = 0


@dataclass(slots=True)
class ExitRow:
    """A reason for leaving translated code, in detail."""

    reason: str
    detail: str
    count: int
    seconds: float


@dataclass
class Profile:
    """A run. `seconds` are of wall time, `times` by activity."""

    instructions: int
    seconds: float
    times: dict[str, float]
    functions: list[FunctionRow] = field(default_factory=list)
    blocks: list[BlockRow] = field(default_factory=list)
    exits: list[ExitRow] = field(default_factory=list)

    # --- text ----------------------------------------------------------------------------------------------

    def text(self, top: int) -> Iterator[str]:
        """Tables with the first `top` rows."""
        rate = self.instructions / self.seconds / 1e6 if self.seconds > 0 else 0.0
        yield f"{self.instructions:,} instructions in {self.seconds:.2f} s ({rate:.1f} MIPS)"
        yield ""
        yield "where the time went                    seconds      %"
        for name in (*_ORDER, *sorted(self.times.keys() - set(_ORDER))):
            if name in self.times:
                yield f"  {name:<36} {self.times[name]:7.3f}  {self._share(self.times[name])}"
        if self.exits:
            yield ""
            yield "ways out of translated code                                        times    seconds"
            for exit_ in self.exits[:top]:
                yield f"  {exit_.reason:<36}  {exit_.detail:<20}  {exit_.count:>9,}    {exit_.seconds:7.3f}"
            yield from self._more(len(self.exits), top)
        yield ""
        yield f"{'functions':<{_NAME_WIDTH}}    instructions      %  est. s  blocks"
        for row in self.functions[:top]:
            share = 100 * row.instructions / max(self.instructions, 1)
            name = row.name + (" (Restricted)" if row.restricted else "")
            yield f"  {_named(name, row)}  {share:5.1f}  {row.seconds:6.3f}  {row.blocks:>6,}"
        yield from self._more(len(self.functions), top)
        yield ""
        yield f"{'blocks':<{_NAME_WIDTH}}    instructions      %  est. s       times  length"
        for block in self.blocks[:top]:
            share = 100 * block.instructions / max(self.instructions, 1)
            name = _named(f"{block.pc:#x} {block.place}", block)
            yield f"  {name}  {share:5.1f}  {block.seconds:6.3f}  {block.entries:>10,}  {block.length:>6}"
        yield from self._more(len(self.blocks), top)

    def _share(self, seconds: float) -> str:
        return f"{100 * seconds / self.seconds:5.1f}" if self.seconds > 0 else ""

    @staticmethod
    def _more(count: int, top: int) -> Iterator[str]:
        if count > top:
            yield f"  … {count - top:,} more"

    # --- JSON ----------------------------------------------------------------------------------------------

    def json(self) -> dict[str, object]:
        """All rows."""
        return {
            "instructions": self.instructions,
            "seconds": round(self.seconds, 6),
            "time": {name: round(seconds, 6) for name, seconds in self.times.items()},
            "exits": [_fields(row) for row in self.exits],
            "functions": [_fields(row) for row in self.functions],
            "blocks": [_fields(row) for row in self.blocks],
        }


def _named(name: str, row: FunctionRow | BlockRow) -> str:
    if len(name) > _NAME_WIDTH:
        name = f"{name[: _NAME_WIDTH - 1]}…"
    return f"{name:<{_NAME_WIDTH}}  {row.instructions:>12,}"


def _fields(row: ExitRow | FunctionRow | BlockRow) -> dict[str, object]:
    values = {name: getattr(row, name) for name in row.__slots__}
    values["seconds"] = round(row.seconds, 6)
    return values


class ProfileMaker:
    """Adds up what a census and a timing have."""

    def __init__(self, census: Census, timing: Timing, owners: Owners) -> None:
        self._records = census.settle()
        self._timing = timing
        self._owners = owners
        self._functions: dict[tuple[str, bool], FunctionRow] = {}
        self._blocks: dict[tuple[int, int], BlockRow] = {}

    def make(self, instructions: int, seconds: float, startup: float) -> Profile:
        """The profile of a run that took `seconds`, of which `startup` before the first instruction."""
        times = {START: startup, **self._timing.clock.seconds}
        weights = [self._weight(record) for record in self._records]
        # Time of translated code is shared out by host instructions executed.
        unit = times.get(TRANSLATED, 0.0) / max(sum(weights), 1)
        for record, weight in zip(self._records, weights, strict=True):
            self._add(record, weight * unit)
        self._add_python()
        other = seconds - sum(times.values())
        if other > 0.0005:
            times["everything else"] = other
        profile = Profile(instructions, seconds, times)
        profile.functions = sorted(
            self._functions.values(), key=lambda row: (-row.instructions, -row.seconds, row.name)
        )
        profile.blocks = sorted(self._blocks.values(), key=lambda row: (-row.instructions, row.pc))
        profile.exits = sorted(self._exits(), key=lambda row: (-row.count, row.reason, row.detail))
        return profile

    @staticmethod
    def _weight(record: BlockRecord) -> float:
        return record.executed * len(record.hot) / max(len(record.guest), 1)

    def _function(self, owner: Owner | None, pc: int, restricted: bool) -> FunctionRow:
        name = self._owners.place(owner, pc).function
        return self._functions.setdefault((name, restricted), FunctionRow(name, restricted))

    def _add(self, record: BlockRecord, seconds: float) -> None:
        owner = self._owners.settled(record.owner)
        row = self._function(owner, record.pc, record.restricted)
        row.instructions += record.executed
        row.seconds += seconds
        row.blocks += 1
        key = id(owner.images) if owner is not None else 0, record.pc
        block = self._blocks.get(key)
        if block is None:
            block = self._blocks[key] = BlockRow(str(self._owners.place(owner, record.pc)), record.pc)
        block.entries += record.entries
        block.instructions += record.executed
        block.seconds += seconds
        block.length = max(block.length, len(record.guest))
        block.versions += 1

    def _add_python(self) -> None:
        """What was done for a function outside translated code."""
        restricted = {pc: record.restricted for record in self._records for pc, _ in record.guest}
        owner = self._owners.settled(None)
        timing = self._timing
        for tallies in (timing.singles, timing.branches, timing.refused):
            for key, tally in tallies.items():
                row = self._function(owner, key[0], restricted.get(key[0], False))
                row.instructions += tally.count
                row.seconds += tally.seconds
        for pc, tally in timing.translations.items():
            self._function(owner, pc, restricted.get(pc, False)).seconds += tally.seconds

    def _exits(self) -> Iterator[ExitRow]:
        found: dict[tuple[str, str], Tally] = {}

        def add(reason: str, detail: str, tally: Tally) -> None:
            total = found.setdefault((reason, detail), Tally())
            total.count += tally.count
            total.seconds += tally.seconds

        for (_, word, c64), tally in self._timing.singles.items():
            add(SINGLES, _mnemonic(word, c64), tally)
        for (_, word, c64), tally in self._timing.branches.items():
            add(REGISTER_BRANCHES, _mnemonic(word, c64), tally)
        for (_, word, c64, fault), tally in self._timing.refused.items():
            add(REFUSED, fault or f"nothing wrong: {_mnemonic(word, c64)}", tally)
        if self._timing.ends.count:
            add(ENDS, "", self._timing.ends)
        for (reason, detail), tally in found.items():
            yield ExitRow(reason, detail, tally.count, tally.seconds)


def _mnemonic(word: int, c64: bool) -> str:
    return disassemble(word, None, c64).split()[0]

"""`--trace blocks`: guest code, the A64 made of it, and how often it ran, side by side, hottest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from emulator.engine.translate.exits import ExitKind
from emulator.engine.translate.layout import CSP
from emulator.insight.host_code import HostLine, host_lines
from morello_isa.disassemble import disassemble
from morello_isa.permissions import permission_names

if TYPE_CHECKING:
    from emulator.engine.translate.facts import Facts
    from emulator.engine.translate.observed import BlockRecord, Census, Way
    from emulator.insight.owners import Owner, Owners

_GUEST_WIDTH = 46
_WAYS_OUT = {
    ExitKind.SINGLE: "left to the reference engine",
    ExitKind.BUDGET: "no instructions left",
    ExitKind.INDIRECT: "by register",
}


class BlockListing:
    """Text and JSON of blocks. `total` is what percentages are of (guest instructions)."""

    def __init__(self, census: Census, owners: Owners, total: int) -> None:
        self._records = records = census.settle()
        self._frame = census.frame
        self._owners = owners
        self._total = max(total, 1)
        self._by_host = {at: record for record in records for at in (record.checked, record.host)}

    # --- text ----------------------------------------------------------------------------------------------

    def text(self, most: int | None = None) -> Iterator[str]:
        """Lines of the first `most` blocks."""
        executed = sum(record.executed for record in self._records)
        yield (
            f"{len(self._records):,} blocks, {executed:,} of {self._total:,} guest instructions in "
            "translated code; hottest first. What counts them is left out."
        )
        for record in self._records[:most]:
            yield ""
            yield from self.block(record)
        if most is not None and most < len(self._records):
            yield ""
            yield f"… {len(self._records) - most:,} more blocks: --trace blocks=FILE has all"

    def block(self, record: BlockRecord) -> Iterator[str]:
        """Lines of one block."""
        owner = self._owners.settled(record.owner)
        place = self._owners.place(owner, record.pc)
        share = 100 * record.executed / self._total
        yield f"── #{record.number}  {place}  {record.pc:#x}  {_state(record)}"
        yield (
            f"   {record.entries:,} times, {record.executed:,} instructions ({share:.1f} %)"
            f" · {len(record.guest)} instructions, {len(record.hot)} + {len(record.cold)} words"
            + (f" · translated {record.translations} times" if record.translations > 1 else "")
        )
        if record.facts:
            yield f"   known at entry: {'; '.join(_facts(record.facts))}"
        yield from self._columns(record, owner)
        for line in self._ways(record, owner):
            yield f"   {line}"

    def _columns(self, record: BlockRecord, owner: Owner | None) -> Iterator[str]:
        hot = host_lines(record.hot, record.host, record.plain, self._target(record))
        for index, (pc, word) in enumerate(record.guest):
            limit = record.starts[index + 1] if index + 1 < len(record.starts) else len(record.hot)
            host = [line for line in hot if record.starts[index] <= line.index < limit]
            guest = f"{pc:#x}  {self._guest(record, owner, pc, word)}"
            yield from _beside(guest, host)
            left = record.singles.get(index)
            if left:
                yield f"   {'':>{_GUEST_WIDTH}}  ^ {left:,} times executed by the reference engine"
        cold = host_lines(record.cold, record.cold_at, record.plain, self._target(record))
        if cold:
            yield from _beside("aside:", cold)

    def _guest(self, record: BlockRecord, owner: Owner | None, pc: int, word: int) -> str:
        return disassemble(word, pc, record.c64, lambda address: self._owners.short(owner, address))

    def _target(self, record: BlockRecord) -> _TargetNames:
        return _TargetNames(record, self._by_host, self._frame)

    def _ways(self, record: BlockRecord, owner: Owner | None) -> Iterator[str]:
        for way in record.ways:
            if way.kind is ExitKind.INDIRECT:
                targets = ", ".join(self._named(owner, value & ~1) for value in way.targets)
                yield f"→ by register: {targets or 'not yet'}"
                continue
            count = f"{way.count:,} times " if way.count >= 0 else ""
            where = f"#{way.number}" if way.number >= 0 else "not linked"
            yield f"→ {count}after {way.after}: {self._named(owner, way.pc)}, {where}"

    def _named(self, owner: Owner | None, address: int) -> str:
        name = self._owners.short(owner, address)
        return f"{address:#x} <{name}>" if name else f"{address:#x}"

    # --- JSON ----------------------------------------------------------------------------------------------

    def json(self) -> dict[str, object]:
        """Everything for machines."""
        return {"instructions": self._total, "blocks": [self._json(record) for record in self._records]}

    def _json(self, record: BlockRecord) -> dict[str, object]:
        owner = self._owners.settled(record.owner)
        place = self._owners.place(owner, record.pc)
        target = self._target(record)
        return {
            "number": record.number, "pid": owner.pid if owner is not None else None, "pc": record.pc,
            "function": place.name, "offset": place.offset, "image": place.image, "c64": record.c64,
            "restricted": record.restricted, "plain": record.plain, "exact": record.exact,
            "tested": record.tested,
            "entries": record.entries, "executed": record.executed, "translations": record.translations,
            "facts": {_register(n): fact._asdict() for n, fact in record.facts.items()},
            "guest": [
                {"pc": pc, "word": word, "text": self._guest(record, owner, pc, word), "host": start,
                 "singles": record.singles.get(i, 0)}
                for i, ((pc, word), start) in enumerate(zip(record.guest, record.starts, strict=True))
            ],
            "hot": _host_json(host_lines(record.hot, record.host, record.plain, target)),
            "cold": _host_json(host_lines(record.cold, record.cold_at, record.plain, target)),
            "ways": [_way_json(way) for way in record.ways],
        }  # fmt: skip


class _TargetNames:
    """Names for host addresses in one block's code."""

    def __init__(self, record: BlockRecord, by_host: dict[int, BlockRecord], frame: dict[int, str]) -> None:
        self._record = record
        self._by_host = by_host
        self._frame = frame

    def __call__(self, address: int) -> str | None:
        record = self._record
        other = self._by_host.get(address)
        if other is not None:
            return f"#{other.number}" if address == other.host else f"#{other.number} if not at the limit"
        if record.host <= address < record.host + 4 * len(record.hot):
            return f"word {(address - record.host) // 4}"
        if record.cold_at <= address < record.cold_at + 4 * len(record.cold):
            return f"aside {(address - record.cold_at) // 4}"
        return self._frame.get(address)


def _state(record: BlockRecord) -> str:
    parts = ["C64" if record.c64 else "A64", "Restricted" if record.restricted else "Executive"]
    if record.plain:
        parts = ["A64 without capabilities"]
    if record.exact:
        parts.append("near a limit")
    elif record.tested:
        parts.append("tests the limit")
    return ", ".join(parts)


def _register(n: int) -> str:
    return "csp" if n == CSP else f"c{n}"


def _facts(facts: Facts) -> Iterator[str]:
    for n, fact in sorted(facts.items()):
        parts = ["tagged"] if fact.tagged else []
        if fact.slot is not None and n != CSP:
            parts.append(f"window {fact.slot}" if fact.slot >= 0 else "the window of csp")
        names = permission_names(fact.permissions)
        parts += [" ".join(names)] if names else []
        parts += [f"multiple of {fact.alignment}"] if fact.alignment > 1 else []
        yield f"{_register(n)} {', '.join(parts)}"


def _beside(guest: str, host: Sequence[HostLine]) -> Iterator[str]:
    rows: Sequence[HostLine | None] = host or [None]
    for number, line in enumerate(rows):
        left = guest if number == 0 else ""
        if line is None:
            yield f"   {left}"
            continue
        comment = f"  ; {line.comment}" if line.comment else ""
        # A guest line that is too long has a line for itself.
        if len(left) > _GUEST_WIDTH:
            yield f"   {left}"
            left = ""
        yield f"   {left:<{_GUEST_WIDTH}}  {line.index:>3}  {line.text}{comment}"


def _host_json(lines: Sequence[HostLine]) -> list[dict[str, object]]:
    return [
        {"index": line.index, "word": line.word, "text": line.text, "comment": line.comment} for line in lines
    ]


def _way_json(way: Way) -> dict[str, object]:
    return {
        "kind": way.kind.name.lower(), "pc": way.pc, "after": way.after,
        "count": way.count if way.count >= 0 else None, "block": way.number if way.number >= 0 else None,
        "targets": [value & ~1 for value in way.targets],
    }  # fmt: skip

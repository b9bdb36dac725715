"""The fast engine with its translations counted and kept for looking at: `--trace blocks`, `morello profile`.

Each translation increments a counter when it is entered and another on each conditional way out; what is left
over reached its end. So the number of executed guest instructions is exact, without counting each. Only this
engine emits counters: the ordinary one knows nothing of them.
"""

from __future__ import annotations

import mmap
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from emulator.engine.translate import encode as a64
from emulator.engine.translate.block import BlockCode
from emulator.engine.translate.engine import FastEngine
from emulator.engine.translate.exits import Exit, ExitKind
from emulator.engine.translate.layout import CODE, COUNTS, EXIT, META, TEMP
from emulator.engine.translate.stretch import COLD

if TYPE_CHECKING:
    from emulator.engine.api import ExceptionHandler
    from emulator.engine.translate.draft import Draft
    from emulator.engine.translate.facts import Facts
    from emulator.engine.translate.host import CodeHost
    from emulator.engine.translate.versions import Domain, Translation
    from emulator.memory.direct import DirectMemory
    from emulator.memory.interface import Memory
    from emulator.state.pe import Pe

SLOTS = 1 << 19
"""Counters of one engine between two starts from an empty cache; translations beyond that aren't counted."""
_UNCOUNTED = SLOTS - 1


@dataclass(slots=True)
class Way:
    """One way out of a block: why, to which guest address, `after` instructions, how often, linked to what.

    `number` is the block that it is linked to, -1 while it asks or leaves; `count` is -1 if it isn't counted.
    """

    kind: ExitKind
    pc: int
    after: int
    site: int
    count: int = 0
    number: int = -1
    targets: tuple[int, ...] = ()


@dataclass(slots=True, eq=False)
class BlockRecord:
    """One translation, or several equal ones: made anew after the cache was emptied.

    `guest` are (PC, word) in the order of execution (a loop's body may be there several times); `starts` the
    index in `hot` of each instruction's first word. `executed` counts guest instructions, `entries` the times
    that the block was entered.
    """

    number: int
    owner: object
    pc: int
    c64: bool
    restricted: bool
    plain: bool
    exact: bool
    tested: bool
    facts: Facts
    guest: tuple[tuple[int, int], ...]
    starts: tuple[int, ...]
    host: int
    checked: int
    """Host addresses of the code: of its beginning, and of the test for the limit before it."""
    cold_at: int
    hot: list[int] = field(default_factory=list)
    cold: list[int] = field(default_factory=list)
    ways: list[Way] = field(default_factory=list)
    entries: int = 0
    executed: int = 0
    translations: int = 1
    singles: dict[int, int] = field(default_factory=dict)
    """Index of an instruction -> how often the block was left there for the reference engine."""


@dataclass(slots=True, eq=False)
class _Live:
    """A translation that is in the code cache now."""

    record: BlockRecord
    made: Translation
    exits: list[tuple[Exit, int, int]]
    """Its EDGE and INDIRECT exits, with the instructions executed and the number of their counter or -1."""
    slot: int
    hot_words: int
    cold_words: int
    early: int = 0
    partial: int = 0
    """Exits to Python before the end, instructions executed on them."""


class Census:
    """What all observed engines of a run have translated and counted. `owner_of` tells whose engine one is.

    `longest`: instructions of a block at most; then even the last few before a limit are translated.
    """

    def __init__(self, owner_of: Callable[[FastEngine], object], longest: int | None = None) -> None:
        self.owner_of = owner_of
        self.longest = longest
        self.records: dict[tuple[object, ...], BlockRecord] = {}
        self.engines: list[ObservedEngine] = []
        self.frame: dict[int, str] = {}
        """Host addresses of the code that every block leaves by, and what it does."""
        self.uncounted = 0
        """Translations for which there was no counter."""

    def make(self, pe: Pe, memory: Memory, on_exception: ExceptionHandler) -> ObservedEngine:
        """An engine whose translations are counted here; memory is one that engines can map."""
        engine = ObservedEngine(pe, cast("DirectMemory", memory), on_exception)
        engine.observe(self)
        return engine

    def settle(self) -> list[BlockRecord]:
        """All blocks with what has been counted up to now, hottest first."""
        for engine in self.engines:
            engine.settle()
        return sorted(
            self.records.values(), key=lambda record: (-record.executed, -record.entries, record.number)
        )


class CountedBlock(BlockCode):
    """A block that counts. Flags are kept: only loads, adds and stores of scratch registers."""

    new_slot: Callable[[], int]

    def start_counting(self, new_slot: Callable[[], int]) -> None:
        """Before the first instruction."""
        self.new_slot = new_slot
        self.slot = new_slot()
        self.edge_slots: dict[int, int] = {}
        """id of an exit -> its counter."""
        self.executed_at: dict[int, int] = {}
        """id of an exit -> instructions executed on it."""
        self.emit(*_increment(self.slot))

    def leave(self, word: int, exit_: Exit) -> None:
        """As the base; a conditional way on goes through the cold part, where it is counted."""
        self.executed_at[id(exit_)] = self.done + 1
        if exit_.kind is ExitKind.EDGE and word >> 26 != _B:
            self._late.append((len(self.words), 0, exit_))
            self.words.append(word)
        else:
            super().leave(word, exit_)

    def leave_cold(self, word: int, exit_: Exit) -> None:
        """As the base; ways on are counted."""
        if exit_.kind is ExitKind.EDGE:
            slot = self.edge_slots[id(exit_)] = self.new_slot()
            self.cold += _increment(slot)
        super().leave_cold(word, exit_)

    def _edge(self, word: int, pc: int, count: int, call: bool = False) -> None:
        late = len(self._late)
        super()._edge(word, pc, count, call)
        exit_ = self._late[late][2] if len(self._late) > late else self.exits[-1][1]
        self.executed_at[id(exit_)] = count


_B = 0b000101


def _increment(slot: int) -> list[int]:
    return [
        *a64.mov_imm(META, COUNTS + 8 * slot),
        a64.ldr(TEMP, META),
        a64.add_imm(TEMP, TEMP, 1),
        a64.str_(TEMP, META),
    ]


class ObservedEngine(FastEngine):
    """See the module. `observe` comes before it runs."""

    _census: Census

    def observe(self, census: Census) -> None:
        """Count there."""
        self._census = census
        census.engines.append(self)
        if census.longest is not None:
            self._short = 0
        self._buffer = mmap.mmap(-1, 8 * SLOTS)
        self._counts = memoryview(self._buffer).cast("Q")
        self._next_slot = 0
        self._live: dict[int, _Live] = {}
        """id of a translation -> what is known about it."""
        self._is_refused = False

    # --- translations --------------------------------------------------------------------------------------

    def _open(self) -> CodeHost:
        code = super()._open()
        code.map_counts(self._buffer)
        self._census.frame = {code.ask: "ask", **dict.fromkeys(code.leave, "leave")}
        return code

    def _new_slot(self) -> int:
        if self._next_slot == _UNCOUNTED:
            self._census.uncounted += 1
            return _UNCOUNTED
        self._next_slot += 1
        return self._next_slot - 1

    def _block(self, domain: Domain, empty: Translation) -> BlockCode:
        plain = super()._block(domain, empty)
        block = self._latest = CountedBlock(
            self.pe, self.memory, domain.frame, plain.ways, empty.pc, empty.facts, empty.tested, empty.path
        )
        if self._census.longest is not None:
            block.longest = self._census.longest
        block.start_counting(self._new_slot)
        return block

    def _place(self, draft: Draft, made: Translation, near: Exit | None) -> bool:
        if not super()._place(draft, made, near):
            return False
        block = self._latest
        length = len(draft.starts)
        exits = [
            (exit_, block.executed_at.get(id(exit_), length), block.edge_slots.get(id(exit_), -1))
            for _, exit_ in draft.exits
            if exit_.kind in (ExitKind.EDGE, ExitKind.INDIRECT)
        ]
        record = self._record(draft, made)
        record.host, record.checked = made.host, made.checked
        record.cold_at = self._cold_at(draft, made)
        self._live[id(made)] = _Live(record, made, exits, block.slot, len(draft.words), len(draft.cold))
        return True

    @staticmethod
    def _cold_at(draft: Draft, made: Translation) -> int:
        """Where the cold part is: exits know their addresses."""
        for at, exit_ in draft.exits:
            if at >= COLD:
                return exit_.site - 4 * (at - COLD)
        # Without branches in the cold part, it begins with the first stub.
        return next((exit_.stub for _, exit_ in draft.exits if exit_.stub), made.host)

    def _record(self, draft: Draft, made: Translation) -> BlockRecord:
        owner = self._census.owner_of(self)
        context = made.domain.context
        guest = tuple((pc, word) for (_, pc, _), word in zip(draft.starts, draft.guest, strict=True))
        key = (
            id(owner), made.pc, guest, context.c64, context.restricted, made.domain.plain,
            made.domain.frame.exact, made.tested, tuple(sorted(made.facts.items())),
        )  # fmt: skip
        records = self._census.records
        record = records.get(key)
        if record is not None:
            record.translations += 1
            return record
        record = records[key] = BlockRecord(
            len(records) + 1, owner, made.pc, context.c64, context.restricted, made.domain.plain,
            made.domain.frame.exact, made.tested, dict(made.facts), guest,
            tuple(at for at, _, _ in draft.starts), made.host, made.checked, made.host,
        )  # fmt: skip
        return record

    # --- ways out ------------------------------------------------------------------------------------------

    def _come_back(self, domain: Domain, left: int, pc: int, ahead: int) -> None:
        entry = None if self._is_refused else self._exits[self._q[EXIT >> 3]]
        if entry is not None:
            made, exit_ = entry
            hot = made.host <= exit_.site < made.host + 4 * self._live[id(made)].hot_words
            if exit_.kind is not ExitKind.EDGE and (hot or exit_.kind is not ExitKind.BUDGET):
                self._left_early(made, exit_.pc, exit_.ahead, exit_.kind)
        super()._come_back(domain, left, pc, ahead)

    def _refused(self, where: int, left: int) -> None:
        made = self._translations[bisect_right(self._order, where) - 1]
        pc, ahead = made.places[bisect_right(made.starts, where) - 1]
        self._left_early(made, pc, ahead, ExitKind.SINGLE if self._page.left >= 0 else ExitKind.BUDGET)
        self._is_refused = True
        super()._refused(where, left)
        self._is_refused = False

    def _left_early(self, made: Translation, pc: int, ahead: int, kind: ExitKind) -> None:
        """A block was left before its end; the instruction at `pc` is yet to be executed."""
        live = self._live[id(made)]
        places = made.places
        if kind is ExitKind.INDIRECT:
            index = len(places) - 1
        else:
            index = places.index((pc, ahead)) if (pc, ahead) in places else len(places)
        live.early += 1
        live.partial += index
        if kind is ExitKind.SINGLE:
            singles = live.record.singles
            singles[index] = singles.get(index, 0) + 1

    # --- adding up -----------------------------------------------------------------------------------------

    def _flush(self) -> None:
        self.settle()
        self._live.clear()
        self._next_slot = 0
        super()._flush()

    def settle(self) -> None:
        """Move what was counted to the records, and take down the code as it is now."""
        code = self._code
        if code is None:
            return
        for live in self._live.values():
            self._settle(code, live)

    def _settle(self, code: CodeHost, live: _Live) -> None:
        record, counts = live.record, self._counts
        entries, counts[live.slot] = counts[live.slot], 0
        if live.slot == _UNCOUNTED:
            entries = 0
        aside = executed = 0
        ways = []
        for exit_, after, slot in live.exits:
            count = -1
            if slot >= 0:
                count, counts[slot] = counts[slot], 0
                aside += count
                executed += count * after
            ways.append(self._way(code, exit_, after, count))
        ended = max(entries - aside - live.early, 0)
        executed += live.partial + ended * len(record.guest)
        live.early = live.partial = 0
        for way in ways:
            if way.count < 0 and way.kind is ExitKind.EDGE:
                way.count = ended
        if record.ways and len(record.ways) == len(ways):
            for way, old in zip(ways, record.ways, strict=True):
                way.count = way.count + old.count if way.count >= 0 else way.count
        record.ways = ways
        record.entries += entries
        record.executed += executed
        record.hot = _words(code, live.made.host, live.hot_words)
        record.cold = (
            _words(code, record.cold_at, live.cold_words) if record.host == live.made.host else record.cold
        )

    def _way(self, code: CodeHost, exit_: Exit, after: int, count: int) -> Way:
        """Where an exit goes now: the branch word, or its stub's, may have been aimed at a translation."""
        number = -1
        for at in (exit_.site, exit_.stub):
            target = _branch_target(code, at)
            live = self._live_at(target)
            if live is not None and exit_.kind is ExitKind.EDGE:
                number = live.record.number
                break
        return Way(exit_.kind, exit_.pc, after, exit_.site, count, number, exit_.targets)

    def _live_at(self, host: int) -> _Live | None:
        index = bisect_right(self._order, host) - 1
        if index < 0:
            return None
        live = self._live.get(id(self._translations[index]))
        if live is not None and live.made.host <= host < live.made.host + 4 * live.hot_words:
            return live
        return next((other for other in self._live.values() if other.made.checked == host), None)


def _words(code: CodeHost, host: int, count: int) -> list[int]:
    at = host - CODE >> 2
    return list(code.words[at : at + count])


def _branch_target(code: CodeHost, at: int) -> int:
    """The target of the direct branch there, 0 if there is none."""
    if at < CODE:
        return 0
    word = code.words[at - CODE >> 2]
    if word >> 26 in (_B, 0b100101):
        distance, bits = word & 0x3FFFFFF, 26
    elif word & 0x7E000000 == 0x36000000:
        distance, bits = word >> 5 & 0x3FFF, 14
    elif word & 0x7E000000 == 0x34000000 or word & 0xFF000010 == 0x54000000:
        distance, bits = word >> 5 & 0x7FFFF, 19
    else:
        return 0
    if distance >> bits - 1:
        distance -= 1 << bits
    return at + 4 * distance

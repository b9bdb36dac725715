"""One stretch of guest code on its way to host code: words, counting, ways on, exits; the state of all parts.

`BlockCode` (block.py) is the whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from emulator.engine.context import Context
from emulator.engine.translate import encode as a64
from emulator.engine.translate.contexts import demands_alignment, plain_permissions
from emulator.engine.translate.draft import Draft
from emulator.engine.translate.exits import Exit, ExitKind
from emulator.engine.translate.facts import (
    Facts,
    carried,
    covers,
)
from emulator.engine.translate.layout import (
    BAD,
    CSP,
    FIRST_LANE,
    FIRST_LANE_PLAIN,
    LEFT_LANE,
    TEMP,
    TEMP2,
)
from emulator.memory.interface import Memory
from emulator.semantics.site import Site
from emulator.state.pe import Pe
from morello_isa.capability import MASK64, Capability
from morello_isa.permissions import Perm

LOAD, STORE = int(Perm.LOAD), int(Perm.STORE)
LOAD_CAPABILITY = int(Perm.LOAD | Perm.LOAD_CAP | Perm.MUTABLE_LOAD)
STORE_CAPABILITY = int(Perm.STORE | Perm.STORE_CAP | Perm.STORE_LOCAL_CAP)
REACH = 4095
"""Offsets that a shared check can cover, in bytes on either side."""
_LENGTH = 64
"""Instructions of a stretch, about."""
COLD = 1 << 20
"""Added to the indices of words of the cold part."""
_COPIES = 4
"""How often the body of a loop is written down at most."""


@dataclass(slots=True, eq=False)
class Origin:
    """A value of a base register that was checked once for accesses relative to it.

    [low, high] are the offsets covered; the words at `low_at` and `high_at` hold them and are rewritten
    when a later access extends them. `wide`: also one behind a conditional branch, which may not be executed.
    """

    low: int
    high: int
    low_at: int
    high_at: int
    wide: bool

    def cover(self, low: int, high: int) -> bool:
        """Extend the range, if it may become so large."""
        low, high = min(low, self.low), max(high, self.high)
        if low < -REACH or high > REACH:
            return False
        self.low, self.high = low, high
        return True

    def words(self) -> tuple[int, int]:
        """What is at `low_at` and at `high_at`."""
        low = a64.add_imm(TEMP, TEMP, self.low) if self.low else a64.NOP
        return low, a64.add_imm(TEMP2, TEMP2, -self.high) if self.high else a64.NOP


@dataclass(frozen=True, slots=True)
class Frame:
    """What a stretch is translated for: context, PC values that may be fetched, number of the branch table,
    plain code or not, every stretch tests the budget for its whole length or not; PCs of instructions whose
    checks must not include what may not be executed, PCs of those that need their general form."""

    context: Context
    window: tuple[int, int]
    table: int
    plain: bool
    exact: bool
    narrow: set[int]
    general: set[int]


class Ways(Protocol):
    """What a stretch asks about the code that it might go on with."""

    def is_translated(self, pc: int) -> bool:
        """There is a translation that starts there."""

    def is_leaf(self, pc: int) -> bool:
        """A short function without branches but its return."""

    def table(self, facts: Facts) -> tuple[int, Facts]:
        """The number of a table for jumps that carry facts, and those of them that its targets may need."""


def _take(count: int) -> tuple[int, int, int]:
    """Take from the count of instructions left. Changes BAD."""
    return a64.get_d(BAD, *LEFT_LANE), a64.add_imm(BAD, BAD, -count), a64.set_d(*LEFT_LANE, BAD)


class Stretch:
    """The code of one stretch in the making, starting at guest address `pc` where `facts` hold.

    `tested`: it leaves if no instructions are left. `path`: instructions since the last such test, at most.
    """

    longest = _LENGTH
    """Instructions after which it ends."""

    def __init__(
        self, pe: Pe, memory: Memory, frame: Frame, ways: Ways, pc: int, facts: Facts, tested: bool, path: int
    ) -> None:  # fmt: skip
        self._pe = pe
        self._memory = memory
        self.frame = frame
        self.ways = ways
        self.context = context = frame.context
        self.fetch_window = frame.window
        self.plain = frame.plain
        self.table = frame.table
        self.facts = facts
        self.start = self.pc = pc
        self.tested = tested
        self.path = path
        self.word = 0
        self.words: list[int] = []
        self.cold: list[int] = []
        """Words that are rarely executed, put elsewhere."""
        self.to_cold: list[tuple[int, int]] = []
        """(index of a branch word, index of the cold word that it goes to)."""
        self.starts: list[tuple[int, int, int]] = []
        """For each instruction: index of its first word, its PC, `ahead` of an exit there."""
        self._guest: list[int] = []
        self.exits: list[tuple[int, Exit]] = []
        """(index of the branch word to aim at the exit's stub, `COLD` added if it is cold, and the exit)."""
        self.swaps: dict[int, tuple[int, ...]] = {}
        """Word index -> host V registers lent to the guest while that word executes."""
        self.done = 0
        self.ended = False
        self.followed = False
        """The instruction being translated was a branch whose target comes next (`pc`)."""
        self.shared_vectors = FIRST_LANE_PLAIN if frame.plain else FIRST_LANE
        self.link_pc: int | None = None
        """C30 is known to be the return address of a call inside this stretch, to this PC."""
        self._charged = 0
        self._late: list[tuple[int, int, Exit]] = []
        """(index of a branch word, instructions to charge on its way, its exit)."""
        self._pending = tested and not frame.exact
        self._copies = 1
        self._copy_length = 0
        self._seen: set[int] = set()
        self._integers: set[int] = set(range(32)) if frame.plain else set()
        self._origins: dict[int, tuple[Origin, int]] = {}
        self._all_origins: list[Origin] = []
        self._known: Facts = dict(facts)
        self._constants: dict[int, Capability] = {}
        self._next_slot = 0
        self._known_alignment = 1
        self._fixed_permissions = plain_permissions(context)
        self.aligned = demands_alignment(context)

    @property
    def site(self) -> Site:
        """The instruction being translated, for the reference semantics."""
        return Site(self._pe, self._memory, self.context, self.pc, self.word)

    @property
    def is_general(self) -> bool:
        """The quick form of the instruction being translated has failed before."""
        return self.pc in self.frame.general

    # --- words -------------------------------------------------------------------------------------------

    def emit(self, *words: int) -> None:
        """Append host words."""
        self.words.extend(words)

    def begin(self, word: int) -> None:
        """The next guest instruction."""
        self.word = word
        self.starts.append((len(self.words), self.pc, self.done - self._charged))
        self._guest.append(word)
        self._seen.add(self.pc)

    def advance(self) -> None:
        """The instruction is complete; the next one follows it."""
        self.done += 1
        self.pc = self.pc + 4 & MASK64

    def leave(self, word: int, exit_: Exit) -> None:
        """Append a branch word that leaves by `exit_` (linked later)."""
        self.exits.append((len(self.words), exit_))
        self.words.append(word)

    def leave_cold(self, word: int, exit_: Exit) -> None:
        """Append a cold branch word that leaves by `exit_`."""
        self.exits.append((COLD + len(self.cold), exit_))
        self.cold.append(word)

    def _exit_here(self, kind: ExitKind) -> Exit:
        return Exit(kind, self.pc, self.done - self._charged)

    # --- counting ----------------------------------------------------------------------------------------

    def charge(self, more: int = 0) -> None:
        """Take from the count what was executed, and `more`. Changes BAD."""
        self._charge(self.done + more - self._charged)
        self._charged = self.done + more

    def _charge(self, count: int) -> None:
        if count:
            self.emit(*_take(count))

    def charge_for_branch(self) -> None:
        """As `charge(1)`; bit 63 of BAD tells whether to leave, so the stretch needs no budget test."""
        count = self.done + 1 - self._charged
        self.emit(*_take(count))
        self._charged = self.done + 1
        self._pending = False

    def test_budget(self) -> None:
        """Before a branch: the test, unless a check did it in passing."""
        if self._pending:
            self._pending = False
            self.emit(a64.get_d(BAD, *LEFT_LANE))
            self.leave(a64.tbnz63(BAD, 0), self._exit_here(ExitKind.BUDGET))

    # --- ways on -----------------------------------------------------------------------------------------

    def _edge(self, word: int, pc: int, count: int, call: bool = False) -> None:
        """A branch word that goes on at `pc`, `count` instructions of the stretch having been executed.

        What isn't charged yet is charged on the way, out of line.
        """
        exit_ = Exit(
            ExitKind.EDGE, pc, 0, call=call, path=self.path + count,
            tested=call or self._pending or pc <= self.pc,
            facts={n: f for n, f in carried(self._known).items() if not call or n == CSP},
        )  # fmt: skip
        late = count - self._charged
        if late:
            self._late.append((len(self.words), late, exit_))
            self.words.append(word)
        else:
            self.leave(word, exit_)

    def branch_to(self, target: int, call: bool = False) -> None:
        """An unconditional direct branch: followed, or the end of the stretch."""
        if self._may_follow(target, call):
            self.link_pc = self.pc + 4 if call else self.link_pc
            self.done += 1
            self.pc = target
            self.followed = True
            return
        self.test_budget()
        self.charge(1)
        self._edge(a64.b(0), target, self.done + 1, call)
        self.ended = True

    def branch_if(self, word: int, inverse: int, target: int) -> None:
        """A conditional direct branch: its host word and that of the opposite condition."""
        if target <= self.pc:
            self.test_budget()
        if target == self.start and self._repeats():
            self._edge(inverse, self.pc + 4 & MASK64, self.done + 1)
            self.done += 1
            self.pc = target
            self.followed = True
            self._leave_narrow_origins()
            return
        last = target <= self.pc or self.done + 1 >= _LENGTH
        if last:
            self.test_budget()
        self.charge(1)
        self._edge(word, target, self.done + 1)
        self._leave_narrow_origins()
        if last:
            self._edge(a64.b(0), self.pc + 4 & MASK64, self.done + 1)
            self.ended = True

    def _leave_narrow_origins(self) -> None:
        """What follows may not be executed."""
        self._origins = {n: known for n, known in self._origins.items() if known[0].wide}

    def fall_through(self) -> None:
        """End of the stretch without a branch."""
        self.test_budget()
        self.charge()
        self._edge(a64.b(0), self.pc, self.done)
        self.ended = True

    def return_inside(self) -> bool:
        """RET of a call that was followed: go on after it. False if that isn't known."""
        if self.link_pc is None or self.done + 1 >= _LENGTH:
            return False
        self.done += 1
        self.pc = self.link_pc
        self.followed = True
        return True

    def single(self) -> None:
        """The instruction is the reference engine's; the stretch ends with it."""
        self.leave(a64.b(0), self._exit_here(ExitKind.SINGLE))
        self.ended = True

    def single_if_bad(self) -> None:
        """The instruction is the reference engine's where bit 63 of BAD is set. Changes TEMP."""
        if self._pending:
            self._pending = False
            self.emit(a64.get_d(TEMP, *LEFT_LANE), a64.orr(BAD, BAD, TEMP))
        self.leave(a64.tbnz63(BAD, 0), self._exit_here(ExitKind.SINGLE))

    def _may_follow(self, target: int, call: bool) -> bool:
        if self.done + 1 >= _LENGTH:
            return False
        if target == self.start and not call:
            return self._repeats()
        if target in self._seen:
            return False
        return self.ways.is_leaf(target) if call else target > self.pc and not self.ways.is_translated(target)

    def _repeats(self) -> bool:
        """Write the body of the loop down once more: what is known at its end is what its start needs."""
        length = self.done + 1
        if self._copies == 1:
            self._copy_length = length
        if (
            not self.tested
            or self._copies >= _COPIES
            or length + self._copy_length > _LENGTH
            or not covers(self._known, self.facts)
        ):
            return False
        self._copies += 1
        self._seen.clear()
        return True

    def finish(self) -> Draft:
        """After the last instruction: the out-of-line parts, the final ranges of shared checks."""
        for origin in self._all_origins:
            self.words[origin.low_at], self.words[origin.high_at] = origin.words()
        for at, count, exit_ in self._late:
            self.to_cold.append((at, len(self.cold)))
            self.cold += _take(count)
            self.leave_cold(a64.b(0), exit_)
        return Draft(self.words, self.cold, self.starts, self._guest, self.to_cold, self.exits, self.swaps)

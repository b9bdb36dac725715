"""One stretch of guest code on its way to host code: words, register homes, known facts, checks, exits.

The emitters (`emit_*.py`) write with it. What they must keep: an instruction does everything that can fail
(poisoned accesses, exits) before it changes any state, so that the reference engine can execute it anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from math import gcd
from typing import Protocol

from emulator.engine.context import Context
from emulator.engine.translate import encode as a64
from emulator.engine.translate.checks import decode_window
from emulator.engine.translate.contexts import clean_address, demands_alignment, plain_permissions
from emulator.engine.translate.facts import (
    LONG_LIVED,
    UNKNOWN,
    Fact,
    Facts,
    carried,
    covers,
    kept_by_jump,
)
from emulator.engine.translate.layout import (
    BAD,
    CSP,
    CSP_SLOT,
    EVICTED,
    FIRST_LANE,
    FIRST_LANE_PLAIN,
    HIGH,
    LEFT_LANE,
    LOW,
    META,
    SHADOW,
    SLOTS,
    TEMP,
    TEMP2,
    UNUSABLE,
    VALUE,
    copy_meta,
    copy_tag,
    get_meta,
    get_tag,
    get_value,
    set_meta,
    set_tag,
    set_value,
    window_register,
)
from emulator.memory.interface import Memory
from emulator.semantics.site import Site
from emulator.state.pe import Pe
from morello_isa.capability import MASK64, Capability
from morello_isa.permissions import Perm

LOAD, STORE = int(Perm.LOAD), int(Perm.STORE)
LOAD_CAPABILITY = int(Perm.LOAD | Perm.LOAD_CAP | Perm.MUTABLE_LOAD)
STORE_CAPABILITY = int(Perm.STORE | Perm.STORE_CAP | Perm.STORE_LOCAL_CAP)
_REACH = 4095
"""Offsets that a shared check can cover, in bytes on either side."""
_LENGTH = 64
"""Instructions of a stretch, about."""
COLD = 1 << 20
"""Added to the indices of words of the cold part."""
_COPIES = 4
"""How often the body of a loop is written down at most."""


class ExitKind(IntEnum):
    """Why translated code leaves: see `Exit`."""

    EDGE = 0
    """A direct branch or the end of the stretch: go on at `pc`, and link `site` to it."""
    SINGLE = 1
    """The instruction at `pc` is for the reference engine."""
    BUDGET = 2
    """No instructions are left, or soon none will be."""
    INDIRECT = 3
    """A branch to a register's value that isn't in the tables: the reference engine's, then entered there."""


@dataclass(slots=True)
class Exit:
    """`ahead`: instructions executed and not yet taken from the count (-1: taken, but not executed).

    `site` is the word (an index, then an address) that brought us here, `stub` where the exit's code is.
    EDGE: `facts` hold, the target needs a budget test (`tested`) or not, and `path` is the length of the way
    since the last one; `call`: it goes to a function. INDIRECT: `register`, `capability` (Cn or only Xn),
    `predictions` (addresses of prediction code) and the `targets` in them, all with metadata `hi` (whose
    constant is at `hi_at`), `gate` (the word before the code that looks into `table`); `facts` hold, too.
    """

    kind: ExitKind
    pc: int
    ahead: int
    site: int = -1
    stub: int = 0
    call: bool = False
    register: int = -1
    capability: bool = False
    predictions: tuple[int, ...] = ()
    hi_at: int = -1
    hi: int = 0
    gate: int = -1
    targets: tuple[int, ...] = ()
    facts: Facts = field(default_factory=dict)
    tested: bool = False
    path: int = 0
    table: int = 0

    @property
    def improves(self) -> bool:
        """A version for more facts is worth making: loops and jumps."""
        return self.tested or self.kind is ExitKind.INDIRECT


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


class BlockCode:
    """The code of one stretch in the making, starting at guest address `pc` where `facts` hold.

    `tested`: it leaves if no instructions are left. `path`: instructions since the last such test, at most.
    """

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
            self.emit(a64.get_d(BAD, *LEFT_LANE), a64.add_imm(BAD, BAD, -count), a64.set_d(*LEFT_LANE, BAD))

    def charge_for_branch(self) -> None:
        """As `charge(1)`; bit 63 of BAD tells whether to leave, so the stretch needs no budget test."""
        count = self.done + 1 - self._charged
        self.emit(a64.get_d(BAD, *LEFT_LANE), a64.add_imm(BAD, BAD, -count), a64.set_d(*LEFT_LANE, BAD))
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

    def finish(self) -> None:
        """After the last instruction: the out-of-line parts, the final ranges of shared checks."""
        for origin in self._all_origins:
            self.words[origin.low_at] = self._low_word(origin)
            self.words[origin.high_at] = self._high_word(origin)
        for at, count, exit_ in self._late:
            self.to_cold.append((at, len(self.cold)))
            self.cold += a64.get_d(BAD, *LEFT_LANE), a64.add_imm(BAD, BAD, -count)
            self.cold.append(a64.set_d(*LEFT_LANE, BAD))
            self.leave_cold(a64.b(0), exit_)

    # --- registers ---------------------------------------------------------------------------------------

    def read(self, n: int, scratch: int) -> int:
        """The host register with the value of Xn: its own, or `scratch`, loaded."""
        if n in EVICTED:
            self.emit(get_value(scratch, n))
            return scratch
        return n

    def target(self, n: int, scratch: int) -> int:
        """The host register to compute Xn in; `written` completes it."""
        return scratch if n in EVICTED else n

    def written(self, n: int, scratch: int) -> None:
        """The integer Xn is complete in its `target`: the capability is gone."""
        if n in EVICTED:
            self.emit(set_value(n, scratch))
        self.kill(n)

    def written_value(self, n: int, scratch: int) -> None:
        """The value of Cn is complete in its `target`; its other parts are the emitter's business."""
        if n in EVICTED:
            self.emit(set_value(n, scratch))

    def _forget(self, n: int) -> None:
        self._origins.pop(n, None)
        self._known.pop(n, None)
        self._constants.pop(n, None)
        if n == 30:
            self.link_pc = None

    def kill(self, n: int) -> None:
        """Cn (31: CSP) is only an integer from now on."""
        self._forget(n)
        if n not in self._integers:
            self.emit(set_meta(n, a64.XZR), set_tag(n, a64.XZR))
            self._integers.add(n)
            if n == CSP:
                window = window_register(CSP_SLOT)
                self.emit(*a64.mov_imm(TEMP, UNUSABLE))
                self.emit(a64.set_d(window, 0, TEMP), a64.set_d(window, 1, TEMP))
                self._forget_slot(CSP_SLOT)

    def holds_capability(self, n: int, fact: Fact = UNKNOWN) -> None:
        """Cn was given a value with other metadata; that is known about it."""
        self._integers.discard(n)
        self._forget(n)
        if fact is not UNKNOWN:
            self._known[n] = fact

    def holds_constant(self, n: int, capability: Capability) -> None:
        """Cn was given a capability known when translating."""
        self.holds_capability(n)
        self._constants[n] = capability

    def constant(self, n: int) -> Capability | None:
        """The capability in Cn, if it is known."""
        return self._constants.get(n)

    def is_integer(self, n: int) -> bool:
        """Cn is known to be without tag and metadata."""
        return n in self._integers

    def stack_moved(self, amount: int | None) -> None:
        """SP as an integer changed by `amount` bytes (None: unknown)."""
        before = self._known.get(CSP)
        self.kill(CSP)
        if before is not None and amount is not None:
            self._known[CSP] = Fact(None, 0, before.moved(amount).alignment, False)

    def copy_capability(self, d: int, n: int) -> None:
        """Metadata, tag and what is known: Cd := Cn's. (The values are equal, or become so.)"""
        if d == n:
            return
        if n in self._integers:
            self.kill(d)
            return
        self.emit(copy_meta(d, n), copy_tag(d, n))
        self._copy_known(d, n)

    def _copy_known(self, d: int, n: int) -> None:
        fact, origin = self._known.get(n), self._origins.get(n)
        if n == CSP:
            fact = (fact or UNKNOWN)._replace(slot=CSP_SLOT, tagged=True)
        self.holds_capability(d)
        if d == CSP:
            if fact is not None:
                self._known[CSP] = Fact(None, 0, fact.alignment, False)
            return
        if fact is not None:
            self._known[d] = fact
        if origin is not None:
            self._origins[d] = origin

    def move_known(self, d: int, n: int, delta: int) -> bool:
        """Cd's value is about to become Cn's + delta: True if a shared check covers it (the tag is kept).

        The caller then adds; the capability is copied here.
        """
        known = self._origins.get(n)
        if known is None or not self._cover(known[0], known[1] + delta, known[1] + delta):
            return False
        origin, at = known
        self.copy_capability(d, n)
        fact = self._known.get(d)
        if fact is not None:
            self._known[d] = fact.moved(delta)
        if d != CSP or n == CSP:
            self._origins[d] = origin, at + delta
        return True

    def moved_exactly(self, d: int, n: int) -> None:
        """Cd := Cn moved by CapAdd, metadata and exact tag being set: Cn's bounds, the tag may be gone."""
        fact = self._known.get(n)
        if n == CSP:
            fact = None
        self.holds_capability(d)
        if fact is not None and d != CSP:
            self._known[d] = Fact(fact.slot, fact.permissions, 1, False)

    def prefers_window(self, n: int) -> bool:
        """An add to Cn is better checked against Cn's window: it is at hand, or will be used again."""
        if n == CSP:
            return True
        fact = self._known.get(n)
        return self.tested or (fact is not None and fact.slot is not None and fact.tagged)

    # --- windows -----------------------------------------------------------------------------------------

    def _forget_slot(self, slot: int) -> None:
        for n in [n for n, fact in self._known.items() if fact.slot == slot]:
            del self._known[n]
            self._origins.pop(n, None)

    def _take_slot(self, n: int) -> int:
        """A slot for the window of Cn; what was known by it is forgotten. Registers that hold what lives long
        have a slot of their own, so that different ways through a program agree."""
        if n in LONG_LIVED:
            slot = n % SLOTS
            self._forget_slot(slot)
            return slot
        used = {fact.slot for fact in self._known.values()}
        kept = {fact.slot for n, fact in self._known.items() if n in LONG_LIVED}
        for taken in (used, kept):
            for slot in range(SLOTS):
                if slot not in taken:
                    self._forget_slot(slot)
                    return slot
        slot = self._next_slot
        self._next_slot = (slot + 1) % SLOTS
        self._forget_slot(slot)
        return slot

    def jump_facts(self) -> tuple[int, Facts]:
        """For a jump here: the number of its table, and the facts that it carries."""
        return self.ways.table(kept_by_jump(self._known))

    def window(self, n: int) -> tuple[int, bool]:
        """LOW, HIGH := window of Cn (31: CSP). The results are the host register with Cn's value, and whether
        BAD is in use: then its bit 63 is set if Cn has no window or no tag, which the caller must look at.

        Changes META, TEMP, TEMP2, BAD.
        """
        if n == CSP:
            window = window_register(CSP_SLOT)
            self.emit(a64.mov_from_sp(VALUE), a64.get_d(LOW, window, 0), a64.get_d(HIGH, window, 1))
            return VALUE, False
        value = self.read(n, VALUE)
        fact = self._known.get(n, UNKNOWN)
        if fact.slot is not None:
            window = window_register(fact.slot)
            self.emit(a64.get_d(LOW, window, 0), a64.get_d(HIGH, window, 1))
            if fact.tagged:
                return value, False
            self.emit(get_tag(BAD, n), a64.add_imm(BAD, BAD, -1))
            self._known[n] = fact._replace(tagged=True)
            return value, True
        self.emit(get_meta(META, n), *decode_window(value, self.is_general))
        slot = self._take_slot(n)
        window = window_register(slot)
        self.emit(a64.set_d(window, 0, LOW), a64.set_d(window, 1, HIGH))
        self.emit(get_tag(TEMP, n), a64.add_imm(TEMP, TEMP, -1), a64.orr(BAD, BAD, TEMP))
        self._known[n] = Fact(slot, LOAD, fact.alignment, True)
        return value, True

    def refresh_stack_window(self) -> None:
        """CSP got other metadata: decode its window into the lane."""
        self._forget_slot(CSP_SLOT)
        self.emit(a64.mov_from_sp(VALUE), get_meta(META, CSP), *decode_window(VALUE, False))
        self.emit(get_tag(TEMP, CSP), a64.add_imm(TEMP, TEMP, -1), a64.orr(BAD, BAD, TEMP))
        self.emit(*a64.mov_imm(TEMP, UNUSABLE), a64.asr_imm(BAD, BAD, 63))
        self.emit(a64.bic(LOW, LOW, BAD), a64.bic(HIGH, HIGH, BAD), a64.and_(TEMP, TEMP, BAD))
        self.emit(a64.orr(LOW, LOW, TEMP), a64.orr(HIGH, HIGH, TEMP))
        window = window_register(CSP_SLOT)
        self.emit(a64.set_d(window, 0, LOW), a64.set_d(window, 1, HIGH))

    # --- address checks ----------------------------------------------------------------------------------

    def may_access(self, permissions: int) -> bool:
        """Accesses with these permissions can be translated in this context."""
        return self.context.c64 or self._fixed_permissions & permissions == permissions

    @staticmethod
    def _cover(origin: Origin, low: int, high: int) -> bool:
        low, high = min(low, origin.low), max(high, origin.high)
        if low < -_REACH or high > _REACH:
            return False
        origin.low, origin.high = low, high
        return True

    @staticmethod
    def _low_word(origin: Origin) -> int:
        return a64.add_imm(TEMP, TEMP, origin.low) if origin.low else a64.NOP

    @staticmethod
    def _high_word(origin: Origin) -> int:
        return a64.add_imm(TEMP2, TEMP2, -origin.high) if origin.high else a64.NOP

    def _check(self, n: int, low: int, high: int) -> int:
        """Emit the shared check of Cn's value for offsets [low, high]; bit 63 of BAD tells."""
        value, poisoned = self.window(n)
        self.emit(a64.sub(TEMP, value, LOW), a64.sub(TEMP2, HIGH, value))
        origin = Origin(low, high, len(self.words), len(self.words) + 1, self.pc not in self.frame.narrow)
        self.emit(self._low_word(origin), self._high_word(origin))
        if poisoned:
            self.emit(a64.orr(BAD, BAD, TEMP), a64.orr(BAD, BAD, TEMP2))
        else:
            self.emit(a64.orr(BAD, TEMP, TEMP2))
        self._origins[n] = origin, 0
        self._all_origins.append(origin)
        return value

    def ensure_range(self, n: int, low: int, high: int) -> None:
        """Make sure that [low, high] around Cn's value is in its window and Cn tagged; where it isn't, the
        instruction is the reference engine's.
        """
        known = self._origins.get(n)
        if known is not None and self._cover(known[0], known[1] + low, known[1] + high):
            return
        self._check(n, low, high)
        self.single_if_bad()

    def _permissions(self, n: int, needed: int, poisoned: bool) -> bool:
        """OR into BAD what isn't known to be there; True if BAD is in use."""
        fact = self._known.get(n, UNKNOWN)
        missing = needed & ~fact.permissions & ~LOAD
        if not missing:
            return poisoned
        self.emit(get_meta(TEMP, n))
        for bit in range(18):
            if missing >> bit & 1:
                self.emit(a64.orn(BAD, BAD if poisoned else a64.XZR, TEMP, 17 - bit))
                poisoned = True
        self._known[n] = fact._replace(permissions=fact.permissions | needed)
        return poisoned

    def _alignment(self, n: int) -> int:
        fact = self._known.get(n)
        return 1 if fact is None else fact.alignment

    def _align(self, n: int, alignment: int) -> None:
        """Cn's value has been found to be a multiple."""
        fact = self._known.get(n, UNKNOWN)
        if fact.alignment < alignment:
            self._known[n] = fact._replace(alignment=alignment)

    def _base_alignment(self, n: int, value: int, poisoned: bool) -> bool:
        """The check of SP's alignment."""
        if n != CSP or not self.context.check_sp or self._alignment(CSP) == 16:
            return poisoned
        poisoned = self._misaligned(value, 16, poisoned)
        self._align(CSP, 16)
        return poisoned

    def _place_alignment(self, n: int, at: int, offset: int, align: int, poisoned: bool) -> bool:
        """Demand that `at`, which is Cn's value + offset, is a multiple of `align`."""
        if gcd(self._alignment(n), offset) % align == 0:
            return poisoned
        poisoned = self._misaligned(at, align, poisoned)
        if offset % align == 0:
            self._align(n, align)
        return poisoned

    def address(
        self, n: int, offset: int, size: int, permissions: int, *,
        align: int = 1, one_page: bool = False, result: int = 0,
    ) -> int | None:  # fmt: skip
        """The host register with the poisoned address of [base n + offset, + size), ready to access.

        `align`: demanded alignment (power of 2, up to 16). `one_page`: poison if it crosses a 4 KiB page.
        `result`: offset of the base after writeback, which the check covers too. None (and nothing
        emitted) if this can't be translated. Uses all scratch registers; afterwards META or VALUE may be the
        address, the others are free.
        """
        if abs(offset) > 1 << 20 or abs(result) > _REACH:
            return None
        if not self.context.c64:
            return self._plain_address(n, offset, size, align, one_page)
        low, high = min(offset, result), max(offset + size, result)
        known = self._origins.get(n)
        if not result and self._constant_allows(n, low, high, permissions):
            value = self.read(n, VALUE)
            at = self._offset(value, offset)
            return self._place(n, at, offset, size, align, one_page, False)
        if known is not None and self._cover(known[0], known[1] + low, known[1] + high):
            poisoned = False
            value = VALUE if n == CSP else self.read(n, VALUE)
            if n == CSP:
                self.emit(a64.mov_from_sp(VALUE))
        else:
            if low < -_REACH or high > _REACH:
                return None
            value, poisoned = self._check(n, low, high), True
        poisoned = self._permissions(n, permissions, poisoned)
        poisoned = self._base_alignment(n, value, poisoned)
        at = self._offset(value, offset)
        return self._place(n, at, offset, size, align, one_page, poisoned)

    def _constant_allows(self, n: int, low: int, high: int, permissions: int) -> bool:
        """Cn is known to have the permissions, and bounds that include [low, high) around its value."""
        constant = self._constants.get(n)
        if constant is None or not constant.tag or constant.is_sealed or not constant.has(permissions):
            return False
        bounds = constant.bounds
        first, limit = constant.value + low, constant.value + high
        return bounds.window_low <= first and limit <= bounds.limit and limit < bounds.window_high

    def _place(
        self, n: int, at: int, offset: int, size: int, align: int, one_page: bool, poisoned: bool
    ) -> int:  # fmt: skip
        if align > 1:
            poisoned = self._place_alignment(n, at, offset, align, poisoned)
        alignment = gcd(self._alignment(n), offset)
        if one_page and not (alignment == 16 and size <= 16):
            poisoned = self._crossing(at, size, poisoned)
        self._known_alignment = alignment
        return self._poison(at, poisoned)

    def _plain_address(self, n: int, offset: int, size: int, align: int, one_page: bool) -> int:
        """A64 code whose DDC allows everything that is mapped; the top byte is ignored."""
        poisoned = False
        if n == CSP:
            self.emit(a64.mov_from_sp(VALUE))
            value = VALUE
        else:
            value = self.read(n, VALUE)
        poisoned = self._base_alignment(n, value, poisoned)
        at = self._offset(value, offset)
        if align > 1:
            poisoned = self._place_alignment(n, at, offset, align, poisoned)
        alignment = gcd(self._alignment(n), offset)
        if one_page and not (alignment == 16 and size <= 16):
            poisoned = self._crossing(at, size, poisoned)
        self._known_alignment = alignment
        self.emit(*clean_address(self.context, META, at, TEMP))
        return self._poison(META, poisoned)

    def indexed_address(
        self, n: int, m: int, option: int, shift: int, size: int, permissions: int, *,
        align: int = 1, one_page: bool = False,
    ) -> int:  # fmt: skip
        """As `address`, of base n + (extended Xm << shift)."""
        self._known_alignment = 1
        if not self.context.c64:
            value = VALUE if n == CSP else self.read(n, VALUE)
            if n == CSP:
                self.emit(a64.mov_from_sp(VALUE))
            poisoned = self._base_alignment(n, value, False)
            index = self.read(m, TEMP2)
            self.emit(a64.add_extended(META, value, index, option, shift))
            if align > 1:
                poisoned = self._misaligned(META, align, poisoned)
            if one_page:
                poisoned = self._crossing(META, size, poisoned)
            self._known_alignment = align
            self.emit(*clean_address(self.context, META, META, TEMP))
            return self._poison(META, poisoned)
        value, poisoned = self.window(n)
        poisoned = self._base_alignment(n, value, poisoned)
        index = self.read(m, TEMP2)
        self.emit(a64.add_extended(META, value, index, option, shift))
        self.emit(a64.sub(TEMP, META, LOW), a64.sub(TEMP2, HIGH, META), a64.add_imm(TEMP2, TEMP2, -size))
        if poisoned:
            self.emit(a64.orr(BAD, BAD, TEMP), a64.orr(BAD, BAD, TEMP2))
        else:
            self.emit(a64.orr(BAD, TEMP, TEMP2))
        self._permissions(n, permissions, True)
        if align > 1:
            self._misaligned(META, align, True)
        if one_page:
            self._crossing(META, size, True)
        self._known_alignment = align
        return self._poison(META, True)

    def _offset(self, value: int, offset: int) -> int:
        """The host register with value + offset: `value` itself or META."""
        if offset == 0:
            return value
        if abs(offset) <= _REACH:
            self.emit(a64.add_imm(META, value, offset))
        else:
            self.emit(*a64.mov_imm(META, offset), a64.add(META, META, value))
        return META

    def _misaligned(self, at: int, align: int, poisoned: bool) -> bool:
        self.emit(a64.and_imm(TEMP, at, align - 1), a64.sub(BAD if not poisoned else TEMP, a64.XZR, TEMP))
        if poisoned:
            self.emit(a64.orr(BAD, BAD, TEMP))
        return True

    def _crossing(self, at: int, size: int, poisoned: bool) -> bool:
        self.emit(a64.and_imm(TEMP, at, 0xFFF), a64.add_imm(TEMP, TEMP, size - 1))
        self.emit(a64.orr(BAD, BAD if poisoned else a64.XZR, TEMP, 51))
        return True

    def _poison(self, at: int, poisoned: bool) -> int:
        """The host register with the address, all ones if bit 63 of BAD is set or the budget is used up."""
        if self._pending:
            self._pending = False
            if poisoned:
                self.emit(a64.get_d(TEMP, *LEFT_LANE), a64.orr(BAD, BAD, TEMP))
            else:
                self.emit(a64.get_d(BAD, *LEFT_LANE))
                poisoned = True
        if poisoned:
            self.emit(a64.orr_asr(META, at, BAD, 63))
            return META
        return at

    def writeback(self, n: int, offset: int) -> None:
        """Base n += offset after an access whose check covered the result."""
        if n == CSP:
            self.emit(a64.add_imm(CSP, CSP, offset))
            if not self.context.c64:
                self.stack_moved(offset)
        else:
            value = self.read(n, VALUE)
            self.emit(a64.add_imm(value, value, offset))
            self.written_value(n, VALUE)
            if not self.context.c64:
                self.kill(n)
        if self.context.c64:
            origin, delta = self._origins[n]
            self._origins[n] = origin, delta + offset
            fact = self._known.get(n)
            if fact is not None:
                self._known[n] = fact.moved(offset)

    # --- tags in memory ----------------------------------------------------------------------------------

    def shadow(self, at: int, out: int) -> None:
        """`out` := where the tag of the granule that contains `at` is."""
        self.emit(*a64.mov_imm(out, SHADOW), a64.add_lsr(out, out, at, 4))

    def clear_tags(self, at: int, size: int) -> None:
        """A store of `size` (<= 32) bytes at `at` happened: the tags of its granules go."""
        if self.plain:
            return
        known = self._known_alignment
        self.shadow(at, TEMP)
        self.emit(a64.strh(a64.XZR, TEMP) if size > 16 else a64.strb(a64.XZR, TEMP))
        if size > known and size > 1 and not (size == 32 and known == 16):
            self.emit(a64.add_imm(TEMP2, at, size - 1))
            self.shadow(TEMP2, TEMP)
            self.emit(a64.strb(a64.XZR, TEMP))

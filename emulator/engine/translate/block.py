"""One guest block on its way to host code: words, register homes, known facts, address checks, exits.

The emitters (`emit_*.py`) write with it. What they must keep: an instruction does everything that can fail
(poisoned accesses, exits) before it changes any state, so that the reference engine can execute it anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from emulator.engine.context import Context
from emulator.engine.translate import encode as a64
from emulator.engine.translate.checks import decode_window
from emulator.engine.translate.contexts import clean_address, demands_alignment, plain_permissions
from emulator.engine.translate.layout import (
    BAD,
    CSP,
    EVICTED,
    HIGH,
    LOW,
    META,
    SHADOW,
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
)
from emulator.memory.interface import Memory
from emulator.semantics.site import Site
from emulator.state.pe import Pe
from morello_isa.permissions import Perm

LOAD, STORE = int(Perm.LOAD), int(Perm.STORE)
LOAD_CAPABILITY = int(Perm.LOAD | Perm.LOAD_CAP | Perm.MUTABLE_LOAD)
STORE_CAPABILITY = int(Perm.STORE | Perm.STORE_CAP | Perm.STORE_LOCAL_CAP)
_REACH = 4095
"""Offsets that a shared check can cover, in bytes on either side."""


class ExitKind(IntEnum):
    """Why translated code leaves: see `Exit`."""

    EDGE = 0
    """A direct branch or the end of the block: go on at `pc`, and link `site` to it."""
    SINGLE = 1
    """The instruction at `pc` is for the reference engine."""
    BUDGET = 2
    """The block doesn't fit in the instructions left; nothing of it was executed."""
    INDIRECT = 3
    """A branch to a register's value that isn't in the tables: the reference engine's, then entered there."""


@dataclass(slots=True)
class Exit:
    """`done` instructions of the block were executed before; `site` is the word (an index, then an address)
    that brought us here; `register`, `capability` (Cn or only Xn) and
    `predictions` (addresses of prediction code) belong to INDIRECT."""

    kind: ExitKind
    pc: int
    done: int
    site: int = -1
    register: int = -1
    capability: bool = False
    predictions: tuple[int, ...] = ()
    uses: int = 0


@dataclass(slots=True, eq=False)
class Origin:
    """A value of a base register that was checked once for all accesses of the block relative to it.

    [low, high] are the offsets covered; the words at `low_at` and `high_at` hold them and are rewritten
    when a later access extends them. `permissions` are those the check has found.
    """

    low: int
    high: int
    low_at: int
    high_at: int
    permissions: int = LOAD
    aligned: bool = False
    """The value is known to be a multiple of 16."""


class BlockCode:
    """The code of one block in the making, under one context, starting at guest address `pc`."""

    def __init__(
        self, pe: Pe, memory: Memory, context: Context, pc: int, window: tuple[int, int], table: int
    ) -> None:  # fmt: skip
        self._pe = pe
        self._memory = memory
        self.context = context
        self.fetch_window = window
        self.table = table
        self.start = self.pc = pc
        self.word = 0
        self.words: list[int] = []
        self.starts: list[int] = []
        self.exits: list[tuple[int, Exit]] = []
        """(index of the branch word to aim at the exit's stub, or -1, and the exit)."""
        self.swaps: dict[int, tuple[int, ...]] = {}
        """Word index -> host V registers lent to the guest while that word executes."""
        self.done = 0
        self.ended = False
        self._integers: set[int] = set()
        self.origins: list[Origin] = []
        """All shared checks of the block."""
        self._origins: dict[int, tuple[Origin, int]] = {}
        self._known_alignment = 1
        self._aligned_sp = False
        self._fixed_permissions = plain_permissions(context)
        self.aligned = demands_alignment(context)

    @property
    def site(self) -> Site:
        """The instruction being translated, for the reference semantics."""
        return Site(self._pe, self._memory, self.context, self.pc, self.word)

    # --- words -------------------------------------------------------------------------------------------

    def emit(self, *words: int) -> None:
        """Append host words."""
        self.words.extend(words)

    def leave(self, word: int, exit_: Exit) -> None:
        """Append a branch word that leaves by `exit_` (linked later)."""
        self.exits.append((len(self.words), exit_))
        self.words.append(word)

    def edge(self, word: int, pc: int) -> None:
        """Append a branch word that goes on at guest address `pc`."""
        self.leave(word, Exit(ExitKind.EDGE, pc, self.done + 1))

    def fall_through(self) -> None:
        """End of the block without a branch."""
        self.leave(a64.b(0), Exit(ExitKind.EDGE, self.pc, self.done))

    def single(self) -> None:
        """The instruction is the reference engine's; the block ends with it."""
        self.leave(a64.b(0), Exit(ExitKind.SINGLE, self.pc, self.done))
        self.ended = True

    def single_if_negative(self, register: int) -> None:
        """The instruction is the reference engine's where bit 63 of a host register is set."""
        self.leave(a64.tbnz63(register, 0), Exit(ExitKind.SINGLE, self.pc, self.done))

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

    def kill(self, n: int) -> None:
        """Cn (31: CSP) is only an integer from now on."""
        self._origins.pop(n, None)
        if n == CSP:
            self._aligned_sp = False
        if n not in self._integers:
            self.emit(set_meta(n, a64.XZR), set_tag(n, a64.XZR))
            self._integers.add(n)

    def holds_capability(self, n: int) -> None:
        """Cn was given a value with other metadata; nothing is known about it."""
        self._integers.discard(n)
        self._origins.pop(n, None)
        if n == CSP:
            self._aligned_sp = False

    def is_integer(self, n: int) -> bool:
        """Cn is known to be without tag and metadata."""
        return n in self._integers

    def stack_moved(self, amount: int | None) -> None:
        """SP as an integer changed by `amount` bytes (None: unknown)."""
        keeps = self._aligned_sp and amount is not None and amount % 16 == 0
        self.kill(CSP)
        self._aligned_sp = keeps

    def copy_capability(self, d: int, n: int) -> None:
        """Metadata, tag and what is known: Cd := Cn's. (The values are equal, or become so.)"""
        if d == n:
            return
        if n in self._integers:
            self.kill(d)
            return
        self.emit(copy_meta(d, n), copy_tag(d, n))
        self._integers.discard(d)
        known = self._origins.get(n)
        self._origins.pop(d, None)
        if known is not None and CSP not in (d, n):
            self._origins[d] = known

    def move_known(self, d: int, n: int, delta: int) -> bool:
        """Cd's value is about to become Cn's + delta: True if a shared check covers it (the tag is kept).

        The caller then copies the capability; the shared knowledge is transferred here.
        """
        known = self._origins.get(n)
        if known is None or not self._cover(known[0], known[1] + delta, known[1] + delta):
            return False
        self.copy_capability(d, n)
        if CSP in (d, n) and d != n:
            self._origins.pop(d, None)
        else:
            self._origins[d] = known[0], known[1] + delta
        return True

    def moved(self, d: int, n: int) -> None:
        """Cd := Cn moved by CapAdd with an exact tag: what was known no longer holds."""
        self._integers.discard(d)
        self._origins.pop(d, None)
        if d == CSP:
            self._aligned_sp = False
        del n

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

    def finish_checks(self) -> None:
        """Write the final ranges into the shared checks."""
        for origin in self.origins:
            self.words[origin.low_at] = self._low_word(origin)
            self.words[origin.high_at] = self._high_word(origin)

    @staticmethod
    def _low_word(origin: Origin) -> int:
        return a64.add_imm(TEMP, TEMP, origin.low)

    @staticmethod
    def _high_word(origin: Origin) -> int:
        return a64.add_imm(TEMP2, TEMP2, -origin.high)

    def window(self, n: int) -> int:
        """LOW, HIGH := window of Cn (31: CSP), bit 63 of BAD set if it has none or no tag.

        The result is the host register with its value. Changes META, TEMP, TEMP2.
        """
        if n == CSP:
            self.emit(a64.mov_from_sp(VALUE), a64.get_d(LOW, 30, 0), a64.get_d(HIGH, 30, 1))
            self.emit(get_tag(BAD, n), a64.add_imm(BAD, BAD, -1))
            return VALUE
        value = self.read(n, VALUE)
        self.emit(get_meta(META, n), *decode_window(value))
        self.emit(get_tag(TEMP, n), a64.add_imm(TEMP, TEMP, -1), a64.orr(BAD, BAD, TEMP))
        return value

    def _check(self, n: int, low: int, high: int) -> tuple[int, Origin]:
        """Emit the shared check of Cn's value for offsets [low, high]; bit 63 of BAD tells."""
        value = self.window(n)
        self.emit(a64.sub(TEMP, value, LOW), a64.sub(TEMP2, HIGH, value))
        origin = Origin(low, high, len(self.words), len(self.words) + 1)
        self.emit(self._low_word(origin), self._high_word(origin))
        self.emit(a64.orr(BAD, BAD, TEMP), a64.orr(BAD, BAD, TEMP2))
        self._origins[n] = origin, 0
        self.origins.append(origin)
        return value, origin

    def ensure_range(self, n: int, low: int, high: int) -> bool:
        """Make sure that [low, high] around Cn's value is in its window and Cn tagged; where it isn't, the
        instruction is the reference engine's. True if a check had to be emitted.
        """
        known = self._origins.get(n)
        if known is not None and self._cover(known[0], known[1] + low, known[1] + high):
            return False
        self._check(n, low, high)
        self.single_if_negative(BAD)
        return True

    def _permissions(self, n: int, needed: int, fresh: bool) -> bool:
        """OR into BAD what is missing; True if BAD is in use."""
        bits = [bit for bit in range(18) if needed >> bit & 1]
        if bits:
            self.emit(get_meta(TEMP, n))
        for bit in bits:
            shift = 17 - bit
            self.emit(a64.orn(BAD, BAD if fresh else a64.XZR, TEMP, shift))
            fresh = True
        return fresh

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
        poisoned = False
        known = self._origins.get(n)
        if known is not None and self._cover(known[0], known[1] + low, known[1] + high):
            origin, delta = known
            value = VALUE if n == CSP else self.read(n, VALUE)
            if n == CSP:
                self.emit(a64.mov_from_sp(VALUE))
        else:
            if low < -_REACH or high > _REACH:
                return None
            value, origin = self._check(n, low, high)
            delta = 0
            poisoned = True
        poisoned = self._permissions(n, permissions & ~origin.permissions, poisoned)
        origin.permissions |= permissions
        if n == CSP and self.context.check_sp and not (origin.aligned and delta % 16 == 0):
            poisoned = self._misaligned(value, 16, poisoned)
            origin.aligned = delta % 16 == 0
        at = self._offset(value, offset)
        if align > 1 and not (origin.aligned and (delta + offset) % align == 0):
            poisoned = self._misaligned(at, align, poisoned)
            if align == 16 and (delta + offset) % 16 == 0:
                origin.aligned = True
        if one_page and not (origin.aligned and (delta + offset) % 16 == 0 and size <= 16):
            poisoned = self._crossing(at, size, poisoned)
        self._known_alignment = 16 if origin.aligned and (delta + offset) % 16 == 0 else 1
        if origin.aligned and self._known_alignment == 1:
            self._known_alignment = ((delta + offset) & 15) & -((delta + offset) & 15)
        return self._poison(at, poisoned)

    def _plain_address(self, n: int, offset: int, size: int, align: int, one_page: bool) -> int:
        """A64 code whose DDC allows everything that is mapped; the top byte is ignored."""
        poisoned = False
        if n == CSP:
            self.emit(a64.mov_from_sp(VALUE))
            value = VALUE
            if self.context.check_sp and not self._aligned_sp:
                poisoned = self._misaligned(value, 16, False)
                self._aligned_sp = True
            known = self._aligned_sp
        else:
            value, known = self.read(n, VALUE), False
        at = self._offset(value, offset)
        if align > 1 and not (known and offset % align == 0):
            poisoned = self._misaligned(at, align, poisoned)
        if one_page and not (known and offset % 16 == 0 and size <= 16):
            poisoned = self._crossing(at, size, poisoned)
        self._known_alignment = (offset & 15) & -(offset & 15) or 16 if known else 1
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
            poisoned = False
            if n == CSP:
                self.emit(a64.mov_from_sp(VALUE))
                if self.context.check_sp and not self._aligned_sp:
                    poisoned = self._misaligned(value, 16, False)
                    self._aligned_sp = True
            index = self.read(m, TEMP2)
            self.emit(a64.add_extended(META, value, index, option, shift))
            if align > 1:
                poisoned = self._misaligned(META, align, poisoned)
            if one_page:
                poisoned = self._crossing(META, size, poisoned)
            self.emit(*clean_address(self.context, META, META, TEMP))
            return self._poison(META, poisoned)
        value = self.window(n)
        if n == CSP and self.context.check_sp:
            self._misaligned(value, 16, True)
        index = self.read(m, TEMP2)
        self.emit(a64.add_extended(META, value, index, option, shift))
        self.emit(a64.sub(TEMP, META, LOW), a64.sub(TEMP2, HIGH, META), a64.add_imm(TEMP2, TEMP2, -size))
        self.emit(a64.orr(BAD, BAD, TEMP), a64.orr(BAD, BAD, TEMP2))
        self._permissions(n, permissions & ~LOAD, True)
        if align > 1:
            self._misaligned(META, align, True)
        if one_page:
            self._crossing(META, size, True)
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
        if poisoned:
            self.emit(a64.orr_asr(META, at, BAD, 63))
            return META
        return at

    def writeback(self, n: int, offset: int) -> None:
        """Base n += offset after an access whose check covered the result."""
        if not self.context.c64:
            if n == CSP:
                self.emit(a64.add_imm(CSP, CSP, offset))
                self.stack_moved(offset)
            else:
                self._add(n, offset)
                self.kill(n)
            return
        if n == CSP:
            self.emit(a64.add_imm(CSP, CSP, offset))
        else:
            self._add(n, offset)
        origin, delta = self._origins[n]
        self._origins[n] = origin, delta + offset

    def _add(self, n: int, offset: int) -> None:
        value = self.read(n, VALUE)
        self.emit(a64.add_imm(value, value, offset))
        self.written_value(n, VALUE)

    # --- tags in memory ----------------------------------------------------------------------------------

    def shadow(self, at: int, out: int) -> None:
        """`out` := where the tag of the granule that contains `at` is."""
        self.emit(*a64.mov_imm(out, SHADOW), a64.add(out, out, at), a64.and_imm(out, out, -16 & a64.MASK64))

    def clear_tags(self, at: int, size: int) -> None:
        """A store of `size` (<= 32) bytes at `at` happened: the tags of its granules go."""
        known = self._known_alignment
        self.shadow(at, TEMP)
        self.emit(a64.strb(a64.XZR, TEMP))
        if size > 16:
            self.emit(a64.strb(a64.XZR, TEMP, 16))
        if size > known and size > 1:
            self.emit(a64.add_imm(TEMP2, at, size - 1))
            self.shadow(TEMP2, TEMP)
            self.emit(a64.strb(a64.XZR, TEMP))

    def refresh_stack_window(self) -> None:
        """CSP got other metadata: decode its window into the lane."""
        self.emit(a64.mov_from_sp(VALUE), get_meta(META, CSP), *decode_window(VALUE))
        self.emit(*a64.mov_imm(TEMP, UNUSABLE), 0x9340FC00 | 63 << 16 | BAD << 5 | BAD)
        self.emit(a64.bic(LOW, LOW, BAD), a64.bic(HIGH, HIGH, BAD), a64.and_(TEMP, TEMP, BAD))
        self.emit(a64.orr(LOW, LOW, TEMP), a64.orr(HIGH, HIGH, TEMP))
        self.emit(a64.set_d(30, 0, LOW), a64.set_d(30, 1, HIGH))

"""One stretch of guest code on its way to host code: words, register homes, known facts, checks, exits.

The emitters (`emit_*.py`) write with it. What they must keep: an instruction does everything that can fail
(poisoned accesses, exits) before it changes any state, so that the reference engine can execute it anew.
"""

from __future__ import annotations

from math import gcd

from emulator.engine.translate import encode as a64
from emulator.engine.translate.contexts import clean_address
from emulator.engine.translate.facts import (
    UNKNOWN,
)
from emulator.engine.translate.homes import RegisterHomes
from emulator.engine.translate.layout import (
    BAD,
    CSP,
    HIGH,
    LEFT_LANE,
    LOW,
    META,
    SHADOW,
    TEMP,
    TEMP2,
    VALUE,
    get_meta,
)
from emulator.engine.translate.stretch import LOAD, REACH, Origin


class BlockCode(RegisterHomes):
    """The code of one stretch in the making: see `Stretch`. This part is about addresses."""

    # --- address checks ----------------------------------------------------------------------------------

    def may_access(self, permissions: int) -> bool:
        """Accesses with these permissions can be translated in this context."""
        return self.context.c64 or self._fixed_permissions & permissions == permissions

    def _check(self, n: int, low: int, high: int) -> int:
        """Emit the shared check of Cn's value for offsets [low, high]; bit 63 of BAD tells."""
        value, poisoned = self.window(n)
        self.emit(a64.sub(TEMP, value, LOW), a64.sub(TEMP2, HIGH, value))
        origin = Origin(low, high, len(self.words), len(self.words) + 1, self.pc not in self.frame.narrow)
        self.emit(*origin.words())
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
        if known is not None and known[0].cover(known[1] + low, known[1] + high):
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
        if abs(offset) > 1 << 20 or abs(result) > REACH:
            return None
        if not self.context.c64:
            return self._plain_address(n, offset, size, align, one_page)
        low, high = min(offset, result), max(offset + size, result)
        known = self._origins.get(n)
        if not result and self._constant_allows(n, low, high, permissions):
            value = self.read(n, VALUE)
            at = self._offset(value, offset)
            return self._poison(at, self._placed(n, at, offset, size, align, one_page, False))
        if known is not None and known[0].cover(known[1] + low, known[1] + high):
            poisoned = False
            value = self.base_value(n, VALUE)
        else:
            if low < -REACH or high > REACH:
                return None
            value, poisoned = self._check(n, low, high), True
        poisoned = self._permissions(n, permissions, poisoned)
        poisoned = self._base_alignment(n, value, poisoned)
        at = self._offset(value, offset)
        return self._poison(at, self._placed(n, at, offset, size, align, one_page, poisoned))

    def _constant_allows(self, n: int, low: int, high: int, permissions: int) -> bool:
        """Cn is known to have the permissions, and bounds that include [low, high) around its value."""
        constant = self._constants.get(n)
        if constant is None or not constant.tag or constant.is_sealed or not constant.has(permissions):
            return False
        bounds = constant.bounds
        first, limit = constant.value + low, constant.value + high
        return bounds.window_low <= first and limit <= bounds.limit and limit < bounds.window_high

    def _placed(
        self, n: int, at: int, offset: int, size: int, align: int, one_page: bool, poisoned: bool
    ) -> bool:  # fmt: skip
        """Demand the alignment, and one page, of `at`, which is Cn's value + offset."""
        if align > 1:
            poisoned = self._place_alignment(n, at, offset, align, poisoned)
        alignment = gcd(self._alignment(n), offset)
        if one_page and not (alignment == 16 and size <= 16):
            poisoned = self._crossing(at, size, poisoned)
        self._known_alignment = alignment
        return poisoned

    def _plain_address(self, n: int, offset: int, size: int, align: int, one_page: bool) -> int:
        """A64 code whose DDC allows everything that is mapped; the top byte is ignored."""
        value = self.base_value(n, VALUE)
        poisoned = self._base_alignment(n, value, False)
        clean = self._known.get(n, UNKNOWN).clean
        if not clean and self.tested and abs(offset) <= REACH and not self.is_general:
            # In a loop: found out once, and known from then on.
            self.emit(*clean_address(self.context, META, value, TEMP), a64.eor(TEMP, META, value))
            self.emit(a64.sub(TEMP2, a64.XZR, TEMP), a64.orr(TEMP, TEMP, TEMP2))
            self.emit(a64.orr(BAD, BAD if poisoned else a64.XZR, TEMP))
            poisoned = clean = True
            self._known[n] = self._known.get(n, UNKNOWN)._replace(clean=True)
        at = self._offset(value, offset)
        poisoned = self._placed(n, at, offset, size, align, one_page, poisoned)
        if not clean or abs(offset) > REACH:
            self.emit(*clean_address(self.context, META, at, TEMP))
            at = META
        return self._poison(at, poisoned)

    def indexed_address(
        self, n: int, m: int, option: int, shift: int, size: int, permissions: int, *,
        align: int = 1, one_page: bool = False,
    ) -> int:  # fmt: skip
        """As `address`, of base n + (extended Xm << shift)."""
        self._known_alignment = 1
        if not self.context.c64:
            value = self.base_value(n, VALUE)
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
        if 1 << shift >= align:
            self._place_alignment(n, value, 0, align, True)
        else:
            self._misaligned(META, align, True)
        if one_page:
            self._crossing(META, size, True)
        self._known_alignment = align
        return self._poison(META, True)

    def _offset(self, value: int, offset: int) -> int:
        """The host register with value + offset: `value` itself or META."""
        if offset == 0:
            return value
        if abs(offset) <= REACH:
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
                self.moved_integer(n, n, offset)
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

"""Where guest registers are while a stretch is translated, what is known about them, and their windows."""

from __future__ import annotations

from emulator.engine.translate import encode as a64
from emulator.engine.translate.checks import decode_window
from emulator.engine.translate.facts import (
    LONG_LIVED,
    UNKNOWN,
    Fact,
    Facts,
    kept_by_jump,
)
from emulator.engine.translate.layout import (
    BAD,
    CSP,
    CSP_SLOT,
    EVICTED,
    HIGH,
    LOW,
    META,
    SLOTS,
    TEMP,
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
from emulator.engine.translate.stretch import LOAD, REACH, Stretch
from morello_isa.capability import Capability


class RegisterHomes(Stretch):
    """The part of `BlockCode` about registers."""

    # --- registers ---------------------------------------------------------------------------------------

    def read(self, n: int, scratch: int) -> int:
        """The host register with the value of Xn: its own, or `scratch`, loaded."""
        if n in EVICTED:
            self.emit(get_value(scratch, n))
            return scratch
        return n

    def base_value(self, n: int, scratch: int) -> int:
        """As `read`, of a base register: 31 is SP, always copied to `scratch`."""
        if n == CSP:
            self.emit(a64.mov_from_sp(scratch))
            return scratch
        return self.read(n, scratch)

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

    def holds_capability(self, n: int) -> None:
        """Cn was given a value with other metadata; nothing is known about it."""
        self._integers.discard(n)
        self._forget(n)

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
        self.moved_integer(CSP, CSP, amount)

    def moved_integer(self, d: int, n: int, amount: int | None) -> None:
        """Xd := Xn + a small constant (None: an unknown one) is complete: what was known of Xn as an address
        of A64 code is known of Xd."""
        before = self._known.get(n)
        self.kill(d)
        if before is not None and amount is not None and (d == CSP or not self.context.c64):
            clean = before.clean and abs(amount) <= REACH
            self._known[d] = Fact(None, 0, before.moved(amount).alignment, False, clean)

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
        if known is None or not known[0].cover(known[1] + delta, known[1] + delta):
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

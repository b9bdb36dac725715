"""The PE's registers in the state page, as translated code finds and leaves them."""

from __future__ import annotations

from array import array

from emulator.engine.translate.layout import (
    EVICTED,
    EXCLUSIVE_ADDRESS,
    EXCLUSIVE_SIZE,
    NO_RESERVATION,
    SPILL_EVICTED,
    SPILL_LEFT,
    SPILL_META,
    SPILL_TAGS,
    SPILL_WINDOW,
    THREAD_POINTER,
    UNUSABLE,
)
from emulator.state.pe import Pe
from emulator.state.registers import SP_SLOT
from morello_isa.capability import OTYPE_FIELD, Capability
from morello_isa.permissions import Perm

_EXCLUSIVE, _EXCLUSIVE_SIZE = EXCLUSIVE_ADDRESS >> 3, EXCLUSIVE_SIZE >> 3
_THREAD = THREAD_POINTER >> 3
_LOAD_BIT = int(Perm.LOAD) << 46
_META, _LEFT, _EVICTED, _WINDOW = SPILL_META >> 3, SPILL_LEFT >> 3, SPILL_EVICTED >> 3, SPILL_WINDOW >> 3


class StatePage:
    """Moves registers between a PE and its state page (`layout.py`)."""

    def __init__(self, pe: Pe) -> None:
        self._pe = pe
        whole = pe.file.whole
        self.q = whole.cast("Q")
        self._tags = whole[SPILL_TAGS : SPILL_TAGS + 32]
        self._metas = self.q[_META : _META + 32]

    def spill(self, left: int, plain: bool, restricted: bool) -> None:
        """PE -> state page, `left` instructions being left. `plain`: all registers are integers."""
        pe, q = self._pe, self.q
        x = pe.x
        csp = pe.stack[pe.bank]
        q[SP_SLOT] = csp.value
        q[_LEFT] = left
        at = _EVICTED
        for n in EVICTED:
            q[at] = x[n]
            at += 1
        thread = pe.sysregs.capabilities["RCTPIDR_EL0" if restricted else "CTPIDR_EL0"]
        q[_THREAD], q[_THREAD + 1], q[_THREAD + 2] = thread.value, thread.hi, thread.tag
        q[_EXCLUSIVE], q[_EXCLUSIVE_SIZE] = pe.exclusive or (NO_RESERVATION, 0)
        if plain:
            return
        metas = [0 if c is None else c.hi for c in pe.c]
        tags = bytearray(c is not None and c.tag for c in pe.c)
        metas[31], tags[31] = csp.hi, csp.tag
        self._metas[:] = memoryview(array("Q", metas))
        self._tags[:] = tags
        q[_WINDOW], q[_WINDOW + 1] = stack_window(csp)

    @property
    def left(self) -> int:
        """Instructions left, 64 bits, signed."""
        left = self.q[_LEFT]
        return left - (left >> 63 << 64)

    def reload(self, plain: bool) -> None:
        """State page -> PE."""
        pe, q = self._pe, self.q
        c, x = pe.c, pe.x
        at = _EVICTED
        for n in EVICTED:
            x[n] = q[at]
            at += 1
        reserved = q[_EXCLUSIVE]
        pe.exclusive = None if reserved == NO_RESERVATION else (reserved, q[_EXCLUSIVE_SIZE])
        bank = pe.bank
        csp, sp = pe.stack[bank], q[SP_SLOT]
        if plain:
            if csp.value != sp:
                pe.stack[bank] = Capability(csp.tag, csp.hi, sp)
            return
        metas = self._metas.tolist()
        tags = self._tags.tobytes()
        for n in range(31):
            meta = metas[n]
            if meta or tags[n]:
                old = c[n]
                if old is None or old.value != x[n] or old.hi != meta or old.tag != tags[n]:
                    c[n] = Capability(bool(tags[n]), meta, x[n])
            else:
                c[n] = None
        if csp.value != sp or csp.hi != metas[31] or csp.tag != tags[31]:
            pe.stack[bank] = Capability(bool(tags[31]), metas[31], sp)


def stack_window(csp: Capability) -> tuple[int, int]:
    """The window lanes of CSP: its bounds, if its capability is one that `decode_window` accepts."""
    bounds = csp.bounds
    if not csp.tag or csp.hi & OTYPE_FIELD or not csp.hi & _LOAD_BIT or not bounds.valid:
        return UNUSABLE, UNUSABLE
    if bounds.base == 0 and bounds.limit == 1 << 64:
        half = (csp.value >> 55 & 1) * -1 & 0x1FF
        return (
            (half << 55, half + 1 << 55 & (1 << 64) - 1) if csp.value >> 55 == half else (UNUSABLE, UNUSABLE)
        )
    if bounds.window_low >= bounds.window_high or bounds.exponent >= 48 or bounds.limit >= 1 << 55:
        return UNUSABLE, UNUSABLE
    return bounds.base, bounds.limit

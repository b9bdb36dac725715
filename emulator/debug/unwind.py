"""Call frames from frame records, across the boundary between Executive and Restricted code.

C29 points to a record {C29, C30} of the caller (16-byte slots in purecap code, 8-byte ones otherwise). A
function that hasn't made its record yet, or never makes one, is found by looking for the instruction that
sets C29. A compartment's first function has a null C29; beyond it lies the switch frame of the manager
that entered it (layout: guest/capmgr/switch.S).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.debug.names import Names
from emulator.faults import MemoryAbort
from morello_isa.capability import Capability
from morello_isa.permissions import Perm

if TYPE_CHECKING:
    from emulator.debug.target import Thread

MAX_FRAMES = 128
SWITCH_RECORD = 64
"""Offset of the frame record in the switch frame."""
SWITCH_FRAME = 96
_MAX_SCAN = 64
_EXECUTIVE = int(Perm.EXECUTIVE)
_MOV_C29_CSP = 0xC2C1D3FD
_ADD_C29_CSP = 0x020003FD, 0xFF8003FF
_ADD_X29_SP = 0x910003FD, 0xFF8003FF


@dataclass(frozen=True, slots=True)
class Frame:
    """`pc` is where the frame goes on; `fp` its C29 value; `csp` is known for the innermost frame only."""

    number: int
    pc: int
    fp: int
    restricted: bool
    crossed: bool = False
    """The next inner frame is on the other side of a compartment boundary."""


def frames(task: Thread, names: Names) -> Iterator[Frame]:
    """From the innermost frame outwards; ends where memory makes no sense."""
    return _Unwinder(task, names).frames()


class _Unwinder:
    def __init__(self, task: Thread, names: Names) -> None:
        self._task = task
        self._names = names
        self._purecap = task.process.abi.is_purecap
        self._slot = 16 if self._purecap else 8
        self._executive_csp = task.pe.stack[0].value

    def frames(self) -> Iterator[Frame]:
        pe = self._task.pe
        restricted = self._purecap and pe.is_restricted
        fp, lr = pe.read_x(29), pe.read_c(30)
        frame = Frame(0, pe.pc, fp, restricted)
        yield frame
        if not self._has_record(pe.pc) and lr.value:
            frame = self._outer(frame, fp, lr)
            yield frame
        while frame.number < MAX_FRAMES:
            record = self._next_record(frame)
            if record is None:
                return
            frame = self._outer(frame, *record)
            yield frame

    def _outer(self, inner: Frame, fp: int, lr: Capability) -> Frame:
        restricted = self._purecap and not lr.has(_EXECUTIVE)
        return Frame(inner.number + 1, lr.value & ~1, fp, restricted, restricted != inner.restricted)

    def _next_record(self, frame: Frame) -> tuple[int, Capability] | None:
        """(C29, C30) of the caller of `frame`."""
        place = frame.fp
        if place == 0 and frame.restricted:
            place = self._executive_csp + SWITCH_RECORD
        if place == 0:
            return None
        record = self._read(place)
        if record is None or record[1].value == 0:
            return None
        called = record[1].value & ~1
        if not self._task.process.space.is_mapped(called, called + 4):
            return None
        if not frame.restricted and self._purecap and not record[1].has(_EXECUTIVE):
            # The gate's own frame: what lies above it is the stack as the compartment's entry left it.
            self._executive_csp = place + SWITCH_FRAME - SWITCH_RECORD
        same_side = frame.restricted != record[1].has(_EXECUTIVE) or not self._purecap
        stuck = same_side and 0 < record[0] <= frame.fp
        return None if stuck else record

    def _read(self, place: int) -> tuple[int, Capability] | None:
        space = self._task.process.space
        try:
            if self._purecap:
                hi, lo, tag = space.peek_cap(place + 16)
                return space.peek_cap(place)[1], Capability(tag, hi, lo)
            data = space.peek(place, 16)
        except (MemoryAbort, ValueError, KeyError):
            return None
        return int.from_bytes(data[:8], "little"), Capability.from_int(int.from_bytes(data[8:], "little"))

    def _has_record(self, pc: int) -> bool:
        """The function has set C29 before `pc`."""
        function = self._names.function(self._task.process, pc)
        if function is None:
            return True
        start = function[0]
        try:
            code = self._task.process.space.peek(start, min(pc - start, 4 * _MAX_SCAN))
        except MemoryAbort:
            return True
        words = [int.from_bytes(code[i : i + 4], "little") for i in range(0, len(code), 4)]
        return any(_sets_frame(word) for word in words)


def _sets_frame(word: int) -> bool:
    if word == _MOV_C29_CSP:
        return True
    return any(word & mask == value for value, mask in (_ADD_C29_CSP, _ADD_X29_SP))

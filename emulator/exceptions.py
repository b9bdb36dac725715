"""Exception entry and return (Sail: AArch64_TakeException, AArch64_ExceptionReturn)."""

from __future__ import annotations

from emulator.faults import FaultKind, MemoryAbort, PeFault
from emulator.state.pe import Pe

__all__ = ["FaultKind", "MemoryAbort", "PeFault", "take_exception"]


def take_exception(pe: Pe, fault: PeFault) -> None:
    """Architectural entry: ESR, FAR, CELR, SPSR, vector."""
    raise NotImplementedError(f"{fault.kind} at {pe.pc:#x}")

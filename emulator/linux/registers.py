"""The PE's registers as Linux leaves them for user space, and their copy for a forked thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.state.pe import Pe
from morello_isa.capability import CAP_NULL

if TYPE_CHECKING:
    from emulator.linux.kernel import Kernel

RETURN_OFFSET = 8
"""Place in the trampoline page of the code that ends a call made by the host (`linking.py`)."""


def new_pe(kernel: Kernel) -> Pe:
    """A PE as Linux leaves it for user space: EL0, capabilities and SIMD enabled, everything else zero."""
    pe = Pe()
    pe.pstate.el, pe.pstate.sp, pe.pstate.daif = 0, 0, 0
    pe.stack[:] = [CAP_NULL] * 5
    pe.data[:] = [CAP_NULL] * 5
    for name, value in USER_SPACE_CONTROLS.items():
        pe.sysregs.values[name] = value
    pe.sysregs.read_hooks["CNTVCT_EL0"] = lambda: kernel.clock.monotonic() // 20
    pe.context_stale = pe.translation_stale = True
    return pe


USER_SPACE_CONTROLS = {
    "SCTLR_EL1": 0x34D5_D99D,
    "TCR_EL1": 1 << 37 | 16,
    "CPACR_EL1": 0x3C_0000,
    "CPTR_EL3": 1 << 9,
    "CPTR_EL2": 0,
    "SCR_EL3": 0,
    "CNTKCTL_EL1": 3,
    "CNTFRQ_EL0": 50_000_000,
}


def copy_pe(source: Pe) -> Pe:
    """The registers of a forked thread."""
    pe = Pe()
    pe.x[:] = source.x[:]
    pe.v[:] = source.v[:]
    pe.c[:] = source.c
    pe.stack[:] = source.stack
    pe.data[:] = source.data
    pe.pcc = source.pcc
    state = source.pstate
    pe.pstate = type(state)(**{name: getattr(state, name) for name in type(state).__slots__})
    pe.sysregs.values.update(source.sysregs.values)
    pe.sysregs.capabilities.update(source.sysregs.capabilities)
    pe.sysregs.read_hooks.update(source.sysregs.read_hooks)
    pe.context_stale = pe.translation_stale = True
    return pe

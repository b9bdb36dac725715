"""Exception entry and return (Sail: AArch64_TakeException, AArch64_ExceptionReturnToCapability)."""

from __future__ import annotations

from emulator.faults import CAPABILITY_FAULTS, FaultKind, MemoryAbort, PeFault, fault_status
from emulator.semantics.jump import branch_to_capability
from emulator.state import levels
from emulator.state.pe import Pe
from emulator.state.pstate import SPSR_C64, SPSR_IL, SPSR_PAN, SPSR_SSBS, SPSR_UAO
from morello_isa.capability import Capability

__all__ = ["FaultKind", "MemoryAbort", "PeFault", "exception_return", "pending_interrupt", "take_exception"]

_IL = 1 << 25
_ABORTS = CAPABILITY_FAULTS | {
    FaultKind.CAP_PAGE,
    FaultKind.ALIGNMENT,
    FaultKind.TRANSLATION,
    FaultKind.ACCESS_FLAG,
    FaultKind.PERMISSION,
    FaultKind.ADDRESS_SIZE,
    FaultKind.EXTERNAL,
    FaultKind.EXTERNAL_ON_WALK,
    FaultKind.DOMAIN,
}
_CLASS = {
    FaultKind.UNDEFINED: 0x00,
    FaultKind.WFX_TRAP: 0x01,
    FaultKind.FP_TRAP: 0x07,
    FaultKind.ILLEGAL_STATE: 0x0E,
    FaultKind.SVC: 0x15,
    FaultKind.HVC: 0x16,
    FaultKind.SMC: 0x17,
    FaultKind.TRAP: 0x18,
    FaultKind.PC_ALIGNMENT: 0x22,
    FaultKind.SP_ALIGNMENT: 0x26,
    FaultKind.CAP_TRAP: 0x29,
    FaultKind.CAP_SYSREG_TRAP: 0x2A,
    FaultKind.FP_EXCEPTION: 0x2C,
    FaultKind.SERROR: 0x2F,
    FaultKind.BRK: 0x3C,
    FaultKind.HLT: 0x00,
}
_CALLS = (FaultKind.SVC, FaultKind.HVC, FaultKind.SMC)
_CONDITION_AL = 0x1E << 20
_VECTOR = {FaultKind.IRQ: 0x80, FaultKind.FIQ: 0x100, FaultKind.SERROR: 0x180}


def abort_syndrome(fault: PeFault) -> int:
    """ISS of a data or instruction abort (AArch64_FaultSyndrome)."""
    iss = fault_status(fault.kind, fault.level)
    if fault.s1ptw:
        iss |= 1 << 7
    if not fault.is_fetch:
        if fault.cache_maintenance:
            iss |= 1 << 8 | 1 << 6
        elif fault.is_write:
            iss |= 1 << 6
    return iss


def syndrome_of(pe: Pe, fault: PeFault, target_el: int) -> int:
    """ESR for that fault taken to that level from the current one."""
    kind = fault.kind
    if kind in _ABORTS:
        ec = 0x20 if fault.is_fetch else 0x24
        if target_el == pe.pstate.el:
            ec += 1
        iss = abort_syndrome(fault)
    elif kind is FaultKind.FP_TRAP and fault.syndrome == 0 and _fp_becomes_undefined(pe, fault):
        ec = iss = 0
    else:
        ec = _CLASS[kind]
        iss = fault.syndrome
        if kind in _CALLS or kind is FaultKind.BRK:
            iss |= fault.immediate
        elif kind in (FaultKind.FP_TRAP, FaultKind.WFX_TRAP):
            iss |= _CONDITION_AL
    return ec << 26 | _IL | iss


def _tge(pe: Pe) -> bool:
    return levels.el2_enabled(pe) and bool(pe.sysregs.values.get("HCR_EL2", 0) & levels.HCR_TGE)


def _fp_becomes_undefined(pe: Pe, fault: PeFault) -> bool:
    """A trap for EL1 with TGE goes to EL2 as an uncategorized exception."""
    return fault.target_el == 1 and _tge(pe)


def target_level(pe: Pe, fault: PeFault) -> int:
    """The level that takes it (routing of the AArch64_*Abort, *Fault and *Trap functions)."""
    el, kind = pe.pstate.el, fault.kind
    values = pe.sysregs.values
    hcr = values.get("HCR_EL2", 0)
    if kind in (FaultKind.IRQ, FaultKind.FIQ, FaultKind.SERROR):
        return fault.target_el if fault.target_el is not None else max(el, 1)
    if fault.target_el is not None:
        if kind in (FaultKind.FP_TRAP, FaultKind.WFX_TRAP) and fault.target_el == 1 and _tge(pe):
            return 2
        return max(fault.target_el, el)
    if kind in _ABORTS:
        external = kind in (FaultKind.EXTERNAL, FaultKind.EXTERNAL_ON_WALK)
        capability_el = 0
        if kind in CAPABILITY_FAULTS:
            capability_el = levels.target_el_for_capability_exceptions(pe)
        if el == 3 or capability_el == 3 or (external and values.get("SCR_EL3", 0) & 8):
            return 3
        to_el2 = (
            el <= 1
            and levels.el2_enabled(pe)
            and (
                bool(hcr & levels.HCR_TGE)
                or fault.stage2
                or capability_el == 2
                or (external and bool(hcr >> 37 & 1))
            )
        )
        return 2 if el == 2 or to_el2 else 1
    if el >= 2:
        return el
    if kind is FaultKind.BRK:
        debug = bool(values.get("MDCR_EL2", 0) >> 8 & 1)
        return 2 if levels.el2_enabled(pe) and (hcr & levels.HCR_TGE or debug) else 1
    only_el0 = kind in (FaultKind.SVC, FaultKind.UNDEFINED, FaultKind.HLT, FaultKind.ILLEGAL_STATE)
    return 2 if _tge(pe) and (el == 0 or not only_el0) else 1


def take_exception(pe: Pe, fault: PeFault) -> None:
    """Architectural entry: ESR, FAR, HPFAR, SPSR, CELR, PSTATE and the vector."""
    target = target_level(pe, fault)
    state = pe.pstate
    values = pe.sysregs.values
    enter(pe, fault, target, syndrome_of(pe, fault, target) if fault.kind not in _VECTOR else None)
    if fault.kind is FaultKind.SERROR:
        values[f"ESR_EL{target}"] = _CLASS[fault.kind] << 26 | _IL | fault.syndrome
    if state.el == 2 and fault.stage2 and fault.kind is not FaultKind.CAP_PAGE:
        values["HPFAR_EL2"] = fault.ipa >> 12 << 4 & 0xFFFFFFFFFF0


def enter(pe: Pe, fault: PeFault, target: int, esr: int | None) -> None:
    """AArch64_TakeException with the target level and syndrome decided; None leaves ESR and FAR alone."""
    state, values = pe.pstate, pe.sysregs.values
    offset = _VECTOR.get(fault.kind, 0)
    if target > state.el:
        offset += 0x400
    elif state.sp and not pe.is_restricted:
        offset += 0x200
    spsr = state.to_spsr(pe.nzcv)
    if esr is not None:
        values[f"ESR_EL{target}"] = esr
        if fault.kind in _ABORTS or fault.kind is FaultKind.PC_ALIGNMENT:
            values[f"FAR_EL{target}"] = fault.address
    return_address = fault.pc + 4 if fault.kind in _CALLS else fault.pc
    old = pe.pcc_at(fault.pc)
    state.el, state.sp = target, 1
    values[f"SPSR_EL{target}"] = spsr
    enabled = levels.capabilities_enabled_at(pe, target)
    saved = old.set_value(return_address) if enabled else Capability.from_int(return_address)
    pe.sysregs.capabilities[f"CELR_EL{target}"] = saved
    sctlr = levels.sctlr(pe)
    state.ss = state.il = state.uao = False
    state.daif = 0xF
    if (target == 1 or (target == 2 and levels.el_is_in_host(pe, 0))) and not sctlr >> 23 & 1:
        state.pan = True
    state.ssbs = bool(sctlr >> 44 & 1)
    vector = pe.sysregs.capabilities[f"CVBAR_EL{target}"]
    address = vector.value & ~0x7FF | offset
    pe.context_stale = pe.translation_stale = True
    if enabled:
        state.c64 = bool(values.get(f"CCTLR_EL{target}", 0) >> 5 & 1)
        branch_to_capability(pe, vector.set_value(address))
    else:
        state.c64 = False
        pe.pcc = old.set_value(levels.branch_address(pe, address, target))


# --- return --------------------------------------------------------------------------------------------


def _return_level(pe: Pe, spsr: int) -> int | None:
    """The destination level, or None for an illegal return (IllegalExceptionReturn)."""
    if spsr & 1 << 4 or spsr & 2:
        return None
    level = spsr >> 2 & 3
    if level > pe.pstate.el or (level == 0 and spsr & 1):
        return None
    scr = pe.sysregs.values.get("SCR_EL3", 0)
    if level == 2 and not scr & levels.SCR_NS:
        return None
    if level == 1 and scr & levels.SCR_NS and pe.sysregs.values.get("HCR_EL2", 0) & levels.HCR_TGE:
        return None
    return level


def _restore_pstate(pe: Pe, spsr: int) -> None:
    """SetPSTATEFromPSR."""
    state = pe.pstate
    level = _return_level(pe, spsr)
    state.ss = False
    if level is None:
        state.il = True
        if not levels.capabilities_enabled_at(pe, state.el):
            state.c64 = False
    else:
        state.il = bool(spsr & SPSR_IL)
        state.el, state.sp = level, spsr & 1
        state.ssbs = bool(spsr & SPSR_SSBS)
        state.c64 = bool(spsr & SPSR_C64) and levels.capabilities_enabled_at(pe, level)
    pe.nzcv = spsr >> 28 & 15
    state.pan = bool(spsr & SPSR_PAN)
    state.uao = bool(spsr & SPSR_UAO)
    state.daif = spsr >> 6 & 15


def exception_return(pe: Pe, pc: int) -> None:
    """ERET of the instruction at `pc`. The caller has checked that this isn't EL0."""
    state = pe.pstate
    el = state.el
    current = pe.pcc_at(pc)
    saved = pe.sysregs.capabilities[f"CELR_EL{el}"]
    if levels.capabilities_enabled_at(pe, el):
        target = saved
    else:
        target = current.set_value(saved.value)
    system_access = pe.has_system_access
    spsr = pe.sysregs.values.get(f"SPSR_EL{el}", 0)
    _restore_pstate(pe, spsr)
    pe.exclusive = None
    pe.event = True
    if not system_access or 51 <= target.exponent <= 62:
        target = target.with_tag(False)
    pe.context_stale = pe.translation_stale = True
    branch_to_capability(pe, target)


# --- interrupts ----------------------------------------------------------------------------------------


def _interrupt_level(pe: Pe, scr_bit: int, hcr_bit: int) -> int:
    """The level that an asynchronous exception is routed to."""
    values = pe.sysregs.values
    if values.get("SCR_EL3", 0) >> scr_bit & 1:
        return 3
    hcr = values.get("HCR_EL2", 0)
    if levels.el2_enabled(pe) and (hcr >> hcr_bit & 1 or hcr & levels.HCR_TGE):
        return 2
    return 1


def pending_interrupt(pe: Pe) -> PeFault | None:
    """The interrupt to take now, if one is pending and not masked. Order: FIQ, IRQ, SError."""
    state = pe.pstate
    lines = (
        (FaultKind.FIQ, pe.fiq_line, 1, 2, 3),
        (FaultKind.IRQ, pe.irq_line, 2, 1, 4),
        (FaultKind.SERROR, pe.serror_line, 4, 3, 5),
    )
    for kind, pending, mask, scr_bit, hcr_bit in lines:
        if not pending:
            continue
        target = _interrupt_level(pe, scr_bit, hcr_bit)
        if target < state.el or (target == state.el and state.daif & mask):
            continue
        if target > state.el and target == 1 and state.daif & mask:
            continue
        if kind is FaultKind.SERROR:
            pe.serror_line = False
        return PeFault(kind, target_el=target, pc=pe.pc, pcc=pe.pcc, c64=state.c64, el=state.el)
    return None

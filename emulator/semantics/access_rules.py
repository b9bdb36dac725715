"""Who may access which system register: UNDEFINED, System permission, CEN, classic traps, in that order."""

from __future__ import annotations

from emulator.faults import FaultKind, PeFault
from emulator.semantics.register_traps import Outcome, trap_of
from emulator.semantics.site import Site
from emulator.state import levels
from morello_isa import base
from morello_isa.sysregs import SystemRegister

# op1 -> lowest level (AArch64_CheckSystemAccess). 7 is Secure EL1, except RSP_EL0.
_MINIMUM_LEVEL = (1, 1, 1, 0, 2, 2, 3, 1)
# Accessible by their own name only from Executive.
_HIDDEN_IN_RESTRICTED = frozenset(
    (
        "CSP_EL0", "CSP_EL1", "CSP_EL2", "RCSP_EL0", "DDC_EL0", "DDC_EL1", "DDC_EL2", "RDDC_EL0",
        "RCTPIDR_EL0", "SP_EL0", "SP_EL1", "SP_EL2", "RSP_EL0", "RTPIDR_EL0",
    )
)  # fmt: skip
_HIDDEN_WITHOUT_SPSEL = frozenset(("CSP_EL0", "DDC_EL0", "SP_EL0"))
_DEBUG_STATE_ONLY = frozenset(("CDBGDTR_EL0", "CDLR_EL0", "DLR_EL0", "DSPSR_EL0"))
# 64-bit registers that the capability-enable controls trap too.
_CEN_TRAPPED = frozenset(
    (
        "CCTLR_EL0", "CCTLR_EL1", "CCTLR_EL12", "CCTLR_EL2", "CCTLR_EL3", "CHCR_EL2", "CSCR_EL3",
        "RSP_EL0", "RTPIDR_EL0",
    )
)  # fmt: skip
# With HCR_EL2.E2H the EL1 name of these means the EL2 register at EL2.
_REDIRECTED_BY_E2H = frozenset(
    (
        "SCTLR", "CPACR", "TTBR0", "TTBR1", "TCR", "AFSR0", "AFSR1", "ESR", "FAR", "MAIR", "AMAIR", "VBAR",
        "CVBAR", "CONTEXTIDR", "CNTKCTL", "SPSR", "ELR", "CELR", "CCTLR", "SCXTNUM", "PMSCR", "MPAM1",
    )
)  # fmt: skip
_RENAMED = {"CPACR": "CPTR", "CNTKCTL": "CNTHCTL", "MPAM1": "MPAM2"}
_TIMER = {"CNTP_": "CNTHP_", "CNTV_": "CNTHV_"}


def trap_syndrome(word: int, is_capability: bool) -> int:
    """ISS of EC 0x18 and 0x2A (AArch64_SystemAccessTrapSyndrome)."""
    op0 = 2 | word >> 19 & 1 if is_capability else word >> 19 & 3
    direction = word >> 20 & 1 if is_capability else word >> 21 & 1
    return (
        op0 << 20
        | (word >> 5 & 7) << 17
        | (word >> 16 & 7) << 14
        | (word >> 12 & 15) << 10
        | (word & 31) << 5
        | (word >> 8 & 15) << 1
        | direction
    )


def _trap(site: Site, target_el: int, is_capability: bool) -> PeFault:
    kind = FaultKind.CAP_SYSREG_TRAP if is_capability else FaultKind.TRAP
    return site.fault(kind, target_el=target_el, syndrome=trap_syndrome(site.word, is_capability))


def _level_allowed(site: Site, name: str, op1: int) -> bool:
    el = site.context.el
    if name in ("RSP_EL0", "RCSP_EL0"):
        return True
    if op1 == 7 and not levels.is_secure(site.pe):
        return False
    return el >= _MINIMUM_LEVEL[op1]


def unallocated(site: Site, op0: int, crn: int) -> PeFault:
    """An encoding that names nothing: UNDEFINED, unless HCR_EL2.TIDCP traps its space."""
    pe = site.pe
    tidcp = pe.sysregs.values.get("HCR_EL2", 0) >> 20 & 1
    if site.context.el == 1 and levels.el2_enabled(pe) and tidcp and op0 & 1 and crn in (11, 15):
        return _trap(site, 2, False)
    return site.undefined()


def check_integer(site: Site, insn: base.SystemRegisterMove, register: SystemRegister | None) -> str:
    """The effective name of a 64-bit register that this access may reach; raises what forbids it."""
    if register is None:
        raise unallocated(site, insn.op0, insn.crn)
    return check(site, register, insn.is_read)


def check(site: Site, register: SystemRegister, is_read: bool) -> str:
    """As `check_integer` for any row of the register table."""
    name, pe, context = register.name, site.pe, site.context
    is_capability = register.kind == "capability"
    rule = register.read if is_read else register.write
    if rule == "-" or not _level_allowed(site, name, register.op1) or _hidden(site, name):
        raise site.undefined()
    if rule != "free" and not context.system_access and not _permvct(site, rule):
        target = levels.target_el_for_capability_exceptions(pe)
        raise _trap(site, target, is_capability)
    if (is_capability or name in _CEN_TRAPPED) and context.cap_trap is not None:
        raise site.fault(FaultKind.CAP_TRAP, target_el=context.cap_trap)
    if name in ("FPCR", "FPSR") and context.fp_trap is not None:
        raise site.fault(FaultKind.FP_TRAP, target_el=context.fp_trap)
    outcome = trap_of(pe, name, register.kind, is_read, context.el)
    if outcome is Outcome.UNDEFINED:
        raise site.undefined()
    if outcome is not None:
        raise _trap(site, int(outcome), is_capability)
    return _effective_name(site, name)


def _permvct(site: Site, rule: str) -> bool:
    return "PERMVCT" in rule and bool(site.context.cctlr & 64)


def _hidden(site: Site, name: str) -> bool:
    context, pe = site.context, site.pe
    if name in _DEBUG_STATE_ONLY:
        return True
    if name == "CTPIDRRO_EL0" or name == "TPIDRRO_EL0":
        return context.el == 0 and _is_write(site)
    if name in _HIDDEN_WITHOUT_SPSEL and not pe.pstate.sp:
        return True
    if context.restricted and name in _HIDDEN_IN_RESTRICTED:
        return True
    if name.endswith(("_EL12", "_EL02")):
        return not pe.sysregs.values.get("HCR_EL2", 0) & levels.HCR_E2H
    return False


def _is_write(site: Site) -> bool:
    word = site.word
    return not word >> 20 & 1 if word >> 24 == 0xC2 else not word >> 21 & 1


def _effective_name(site: Site, name: str) -> str:
    pe = site.pe
    stem, _, level = name.rpartition("_")
    if level == "EL12":
        return f"{stem}_EL1"
    if level == "EL02":
        return f"{stem}_EL0"
    if site.context.el != 2 or not pe.sysregs.values.get("HCR_EL2", 0) & levels.HCR_E2H:
        return name
    if level == "EL1" and stem in _REDIRECTED_BY_E2H:
        return f"{_RENAMED.get(stem, stem)}_EL2"
    if level == "EL0" and stem[:5] in _TIMER:
        return f"{_TIMER[stem[:5]]}{stem[5:]}_EL2"
    return name


def check_daif_at_el0(site: Site) -> None:
    """DAIFSet and DAIFClr at EL0 trap unless SCTLR_EL1.UMA."""
    pe = site.pe
    values = pe.sysregs.values
    hcr = values.get("HCR_EL2", 0)
    el2 = levels.el2_enabled(pe)
    host = el2 and bool(hcr & levels.HCR_E2H) and bool(hcr & levels.HCR_TGE)
    if host or not values.get("SCTLR_EL1", 0) >> 9 & 1:
        target = 2 if el2 and hcr & levels.HCR_TGE else 1
        raise _trap(site, target, False)

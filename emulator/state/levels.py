"""Predicates over control registers: which level controls what (Sail names in the docstrings)."""

from __future__ import annotations

from emulator.state.pe import Pe
from morello_isa.capability import MASK64

HCR_DC = 1 << 12
HCR_TGE = 1 << 27
HCR_E2H = 1 << 34
SCR_NS = 1


def _values(pe: Pe) -> dict[str, int]:
    return pe.sysregs.values


def el2_enabled(pe: Pe) -> bool:
    """EL2Enabled: EL2 exists in the current security state."""
    return bool(_values(pe).get("SCR_EL3", 0) & SCR_NS)


def is_secure(pe: Pe) -> bool:
    """IsSecure: at EL3, or below it with SCR_EL3.NS = 0."""
    return pe.pstate.el == 3 or not el2_enabled(pe)


def el_is_in_host(pe: Pe, el: int) -> bool:
    """ELIsInHost: the level runs under a VHE hypervisor's regime."""
    hcr = _values(pe).get("HCR_EL2", 0)
    return el2_enabled(pe) and bool(hcr & HCR_E2H) and (el == 2 or (el == 0 and bool(hcr & HCR_TGE)))


def translation_regime(pe: Pe, el: int) -> int:
    """S1TranslationRegime: the level whose SCTLR, TCR and TTBR are in force."""
    if el != 0:
        return el
    return 2 if el_is_in_host(pe, el) else 1


def sctlr(pe: Pe) -> int:
    """SCTLR of the current regime (SCTLR_read__1)."""
    return _values(pe).get(f"SCTLR_EL{translation_regime(pe, pe.pstate.el)}", 0)


def _vhe_host(pe: Pe, hcr: int) -> bool:
    return not is_secure(pe) and bool(hcr & HCR_E2H) and bool(hcr & HCR_TGE)


def capabilities_enabled_at(pe: Pe, el: int) -> bool:
    """IsAccessToCapabilitiesEnabledAtEL."""
    values = _values(pe)
    if not values.get("CPTR_EL3", 0) & 1 << 9:
        return False
    if el == 3:
        return True
    hcr, cptr2 = values.get("HCR_EL2", 0), values.get("CPTR_EL2", 0)
    if not is_secure(pe):
        if hcr & HCR_E2H:
            if not cptr2 & 1 << 18:
                return False
        elif cptr2 & 1 << 9:
            return False
    if el == 2:
        return True
    host = _vhe_host(pe, hcr)
    cen = values.get("CPACR_EL1", 0) >> 18 & 3
    if not host and not cen & 1:
        return False
    if el == 1:
        return True
    if host:
        return cptr2 >> 18 & 3 != 1
    return cen != 1


def target_el_for_capability_exceptions(pe: Pe) -> int:
    """TargetELForCapabilityExceptions."""
    el2 = el2_enabled(pe)
    if capabilities_enabled_at(pe, 1):
        lowest = 2 if el2 and _values(pe).get("HCR_EL2", 0) & HCR_TGE else 1
    elif capabilities_enabled_at(pe, 2) and el2:
        lowest = 2
    else:
        lowest = 3
    return max(lowest, pe.pstate.el)


def capability_trap_target(pe: Pe) -> int | None:
    """CheckCapabilitiesEnabled: the level a Morello instruction traps to now, or None."""
    values = _values(pe)
    el = pe.pstate.el
    hcr, cptr2 = values.get("HCR_EL2", 0), values.get("CPTR_EL2", 0)
    if el <= 1 and not _vhe_host(pe, hcr):
        cen = values.get("CPACR_EL1", 0) >> 18 & 3
        if not cen & 1 or (cen == 1 and el == 0):
            return 2 if hcr & HCR_TGE else 1
    if not is_secure(pe):
        if hcr & HCR_E2H:
            cen = cptr2 >> 18 & 3
            if (not cen & 1 and el <= 2) or (cen == 1 and el == 0 and hcr & HCR_TGE):
                return 2
        elif cptr2 & 1 << 9:
            return 2
    return None if values.get("CPTR_EL3", 0) & 1 << 9 else 3


def fp_trap_target(pe: Pe) -> int | None:
    """AArch64_CheckFPAdvSIMDEnabled: the level a SIMD&FP instruction traps to now, or None."""
    values = _values(pe)
    el = pe.pstate.el
    hcr, cptr2 = values.get("HCR_EL2", 0), values.get("CPTR_EL2", 0)
    if el <= 1 and not el_is_in_host(pe, el):
        fpen = values.get("CPACR_EL1", 0) >> 20 & 3
        if not fpen & 1 or (fpen == 1 and el == 0):
            return 1
    if el <= 2 and el2_enabled(pe):
        if hcr & HCR_E2H:
            fpen = cptr2 >> 20 & 3
            host = bool(hcr & HCR_TGE)
            if (not fpen & 1 and not (el == 1 and host)) or (fpen == 1 and el == 0 and host):
                return 2
        elif cptr2 & 1 << 10:
            return 2
    return 3 if values.get("CPTR_EL3", 0) & 1 << 10 else None


def top_byte_ignored(pe: Pe, el: int, upper_half: bool) -> bool:
    """AddrTop = 55 for addresses of that half (VA bit 55) at that level."""
    values = _values(pe)
    regime = translation_regime(pe, el)
    if regime == 1:
        return bool(values.get("TCR_EL1", 0) >> (38 if upper_half else 37) & 1)
    if regime == 2:
        tcr = values.get("TCR_EL2", 0)
        if el_is_in_host(pe, el):
            return bool(tcr >> (38 if upper_half else 37) & 1)
        return bool(tcr >> 20 & 1)
    return bool(values.get("TCR_EL3", 0) >> 20 & 1)


def stage1_enabled(pe: Pe) -> bool:
    """AArch64_IsStageOneEnabled for the current level."""
    if pe.pstate.el <= 1 and el2_enabled(pe) and not el_is_in_host(pe, pe.pstate.el):
        values = _values(pe)
        hcr = values.get("HCR_EL2", 0)
        return not hcr & (HCR_TGE | HCR_DC) and bool(values.get("SCTLR_EL1", 0) & 1)
    return bool(sctlr(pe) & 1)


def data_is_device(pe: Pe) -> bool:
    """Stage 1 is off for the current level, and HCR_EL2.DC doesn't make its memory Normal."""
    if stage1_enabled(pe):
        return False
    below = pe.pstate.el <= 1 and el2_enabled(pe) and not el_is_in_host(pe, pe.pstate.el)
    return not (below and _values(pe).get("HCR_EL2", 0) & HCR_DC)


def branch_address(pe: Pe, value: int, el: int) -> int:
    """AArch64_BranchAddr: a target with its top byte replaced where TBI says so."""
    upper = value >> 55 & 1
    if not top_byte_ignored(pe, el, bool(upper)):
        return value
    if upper and (el <= 1 or el_is_in_host(pe, pe.pstate.el)):
        return (value | 0xFF << 56) & MASK64
    return value & (1 << 56) - 1


def bounds_address(pe: Pe, address: int, el: int) -> int:
    """The address that CheckCapability compares with the bounds."""
    upper = address >> 55 & 1
    if not top_byte_ignored(pe, el, bool(upper)):
        return address
    if upper and stage1_enabled(pe) and (el <= 1 or el_is_in_host(pe, el)):
        return (address | 0xFF << 56) & MASK64
    return address & (1 << 56) - 1

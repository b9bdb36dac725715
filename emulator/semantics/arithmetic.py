"""ADD, SUB, ALIGND/U and the value group: SCVALUE, SCOFF, SCTAG."""

from __future__ import annotations

from collections.abc import Callable

from emulator.semantics.site import Action, Site, Undefined
from emulator.state import levels
from morello_isa.capability import MASK64, OTYPE_FIELD, Capability
from morello_isa.decode import Instruction


def modify(site: Site, insn: Instruction, change: Callable[[Capability], Capability]) -> Action:
    """Cd|CSP := change(Cn|CSP), untagged if Cn was sealed: the shape of every modifying instruction."""
    read, write = site.read_c_or_csp(insn.Cn), site.write_c_or_csp(insn.Cd)

    def action() -> None:
        source = read()
        result = change(source)
        if source.hi & OTYPE_FIELD:
            result = result.with_tag(False)
        write(result)

    return action


def _add_constant(site: Site, insn: Instruction, increment: int) -> Action:
    """CapAdd of a constant. The common case (unsealed register to register) is written out for speed."""
    general = modify(site, insn, lambda source: source.add(increment))
    if insn.Cn == 31 or insn.Cd == 31:
        return general
    n, d, c, x = insn.Cn, insn.Cd, site.c, site.x

    def action() -> None:
        source = c[n]
        if source is None or source.hi & OTYPE_FIELD:
            general()
        else:
            result = source.add(increment)
            c[d] = result
            x[d] = result.value

    return action


def ADD_C_CIS_C(site: Site, insn: Instruction) -> Action:
    """Cd = CapAdd(Cn, imm)."""
    return _add_constant(site, insn, insn.imm)


def SUB_C_CIS_C(site: Site, insn: Instruction) -> Action:
    """Cd = CapAdd(Cn, -imm)."""
    return _add_constant(site, insn, -insn.imm)


def ADD_C_CRI_C(site: Site, insn: Instruction) -> Action:
    """Cd = CapAdd(Cn, ExtendReg(Rm)); shifts above 4 are UNDEFINED."""
    if insn.imm3 > 4:
        raise Undefined
    increment = site.extended_register(insn.Rm, insn.option_name, insn.imm3)
    return modify(site, insn, lambda source: source.add(increment()))


def ALIGND_C_CI_C(site: Site, insn: Instruction) -> Action:
    """Clear the low imm6 bits of the value."""
    mask = MASK64 << insn.imm6 & MASK64
    return modify(site, insn, lambda source: source.set_value(source.value & mask))


def ALIGNU_C_CI_C(site: Site, insn: Instruction) -> Action:
    """Round the value up to a multiple of 2^imm6, modulo 2^64."""
    mask = MASK64 << insn.imm6 & MASK64
    low = ~mask & MASK64
    return modify(site, insn, lambda source: source.set_value(source.value + low & mask))


def SCVALUE_C_CR_C(site: Site, insn: Instruction) -> Action:
    """Cd = CapSetValue(Cn, Xm)."""
    x, m = site.x, insn.Rm
    return modify(site, insn, lambda source: source.set_value(x[m]))


def SCOFF_C_CR_C(site: Site, insn: Instruction) -> Action:
    """Cd = CapSetOffset(Cn, Xm)."""
    x, m = site.x, insn.Rm
    return modify(site, insn, lambda source: source.set_offset(x[m]))


def tag_setting_enabled(site: Site) -> bool:
    """System access is enabled and not IsTagSettingDisabled."""
    if not site.context.system_access:
        return False
    values, el = site.pe.sysregs.values, site.context.el
    if el == 3:
        return True
    if el <= 1 and levels.el2_enabled(site.pe) and values.get("CHCR_EL2", 0) & 1:
        return False
    return not values.get("CSCR_EL3", 0) & 1


def SCTAG_C_CR_C(site: Site, insn: Instruction) -> Action:
    """Cd = Cn with tag Xm[0] where tag setting is allowed, else 0. UNDEFINED at EL0."""
    if site.context.el == 0:
        raise Undefined
    read, write = site.read_c_or_csp(insn.Cn), site.write_c_or_csp(insn.Cd)
    x, m = site.x, insn.Rm

    def action() -> None:
        write(read().with_tag(bool(x[m] & 1) and tag_setting_enabled(site)))

    return action

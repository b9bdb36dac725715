"""Copying capabilities or parts of them: CPY, CLRTAG, CSEL, CTHI, CPYTYPE, CPYVALUE."""

from __future__ import annotations

from emulator.semantics.conditions import CONDITIONS
from emulator.semantics.site import Action, Site
from emulator.state.registers import NZCV_SLOT
from morello_isa.capability import MASK64, Capability
from morello_isa.decode import Instruction


def CPY_C_C_C(site: Site, insn: Instruction) -> Action:
    """Cd|CSP = Cn|CSP."""
    n, d = insn.Cn, insn.Cd
    if n != 31 and d != 31:
        c, x = site.c, site.x

        def action() -> None:
            c[d] = c[n]
            x[d] = x[n]

        return action
    read, write = site.read_c_or_csp(n), site.write_c_or_csp(d)
    return lambda: write(read())


def CLRTAG_C_C_C(site: Site, insn: Instruction) -> Action:
    """Cd|CSP = Cn|CSP without its tag."""
    read, write = site.read_c_or_csp(insn.Cn), site.write_c_or_csp(insn.Cd)
    return lambda: write(read().with_tag(False))


def CSEL_C_CI_C(site: Site, insn: Instruction) -> Action:
    """Cd = cond ? Cn : Cm."""
    first, second, write = site.read_c(insn.Cn), site.read_c(insn.Cm), site.write_c(insn.Cd)
    table, x = CONDITIONS[insn.cond], site.x
    return lambda: write(first() if table[x[NZCV_SLOT] >> 28] else second())


def CTHI_C_CR_C(site: Site, insn: Instruction) -> Action:
    """Cd|CSP = {tag 0, Xm, Cn.value}."""
    read, write = site.read_c(insn.Cn), site.write_c_or_csp(insn.Cd)
    x, m = site.x, insn.Rm
    return lambda: write(Capability(False, x[m], read().value))


def CPYTYPE_C_C_C(site: Site, insn: Instruction) -> Action:
    """Cd = Cn with value Cm.otype if Cm is sealed, else 2^64-1; untagged if Cn is sealed."""
    base, typed, write = site.read_c(insn.Cn), site.read_c(insn.Cm), site.write_c(insn.Cd)

    def action() -> None:
        source, other = base(), typed()
        result = source.set_value(other.otype if other.is_sealed else MASK64)
        write(result.with_tag(False) if source.is_sealed else result)

    return action


def CPYVALUE_C_C_C(site: Site, insn: Instruction) -> Action:
    """Cd = Cn with Cm's value; untagged if Cn is sealed."""
    base, valued, write = site.read_c(insn.Cn), site.read_c(insn.Cm), site.write_c(insn.Cd)

    def action() -> None:
        source = base()
        result = source.set_value(valued().value)
        write(result.with_tag(False) if source.is_sealed else result)

    return action

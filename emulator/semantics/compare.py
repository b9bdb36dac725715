"""Comparing and testing: SUBS, CHKEQ, CHKSS, CHKSLD, CHKTGD."""

from __future__ import annotations

from emulator.semantics.conditions import C, N, V, Z, subtract_flags
from emulator.semantics.seal import is_subset
from emulator.semantics.site import Action, Site
from morello_isa.decode import Instruction


def SUBS_R_CC_C(site: Site, insn: Instruction) -> Action:
    """Xd, NZCV = difference of the values if the tags are equal, else of the 2-bit tags."""
    first, second = site.read_c(insn.Cn), site.read_c(insn.Cm)
    write, pe = site.write_x(insn.Rd), site.pe

    def action() -> None:
        left, right = first(), second()
        if left.tag == right.tag:
            result, flags = subtract_flags(left.value, right.value, 64)
        else:
            result, flags = subtract_flags(int(left.tag), int(right.tag), 2)
        write(result)
        pe.nzcv = flags

    return action


def CHKEQ___CC_C(site: Site, insn: Instruction) -> Action:
    """Z if all 129 bits are equal."""
    first, second, pe = site.read_c_or_csp(insn.Cn), site.read_c(insn.Cm), site.pe

    def action() -> None:
        pe.nzcv = Z if first() == second() else 0

    return action


def CHKSS___CC_C(site: Site, insn: Instruction) -> Action:
    """N if Cn's bounds and permissions are a subset of Cm's and the tags are equal."""
    first, second, pe = site.read_c_or_csp(insn.Cn), site.read_c_or_csp(insn.Cm), site.pe

    def action() -> None:
        inner, outer = first(), second()
        pe.nzcv = N if inner.tag == outer.tag and is_subset(inner, outer) else 0

    return action


def CHKSLD_C_C(site: Site, insn: Instruction) -> Action:
    """V if sealed."""
    read, pe = site.read_c_or_csp(insn.Cn), site.pe

    def action() -> None:
        pe.nzcv = V if read().is_sealed else 0

    return action


def CHKTGD_C_C(site: Site, insn: Instruction) -> Action:
    """C if tagged."""
    read, pe = site.read_c_or_csp(insn.Cn), site.pe

    def action() -> None:
        pe.nzcv = C if read().tag else 0

    return action

"""Sealing, unsealing and rebuilding: SEAL, CSEAL, UNSEAL, BUILD, CHKSSU."""

from __future__ import annotations

from emulator.semantics.conditions import N, V
from emulator.semantics.site import Action, Site, Undefined
from morello_isa.capability import MASK64, Capability
from morello_isa.decode import Instruction
from morello_isa.permissions import OTYPE_MAX, Perm

_SEAL, _UNSEAL, _GLOBAL = int(Perm.SEAL), int(Perm.UNSEAL), int(Perm.GLOBAL)


def is_subset(inner: Capability, outer: Capability) -> bool:
    """Bounds and permissions of `inner` lie within `outer`'s; tags are not looked at (CapIsSubSetOf)."""
    a, b = inner.bounds, outer.bounds
    return (
        a.valid
        and b.valid
        and b.base <= a.base
        and a.limit <= b.limit
        and not inner.permissions & ~outer.permissions
    )


def _may_seal(source: Capability, authority: Capability) -> bool:
    return (
        source.tag
        and authority.tag
        and not source.is_sealed
        and not authority.is_sealed
        and authority.has(_SEAL)
        and authority.value_in_bounds()
        and authority.value <= OTYPE_MAX
    )


def SEAL_C_CI_C(site: Site, insn: Instruction) -> Action:
    """Cd = Cn sealed RB, LPB or LB; untagged unless Cn is tagged and unsealed."""
    if insn.form == 0:
        raise Undefined
    read, write, form = site.read_c(insn.Cn), site.write_c(insn.Cd), insn.form

    def action() -> None:
        source = read()
        result = source.with_object_type(form)
        write(result.with_tag(False) if source.is_sealed else result)

    return action


def SEAL_C_CC_C(site: Site, insn: Instruction) -> Action:
    """Cd = Cn with object type Cm.value, untagged unless Cm authorises it."""
    read, authority, write = site.read_c(insn.Cn), site.read_c(insn.Cm), site.write_c(insn.Cd)

    def action() -> None:
        source, key = read(), authority()
        result = source.with_object_type(key.value)
        write(result if _may_seal(source, key) else result.with_tag(False))

    return action


def CSEAL_C_C_C(site: Site, insn: Instruction) -> Action:
    """Conditional seal; V tells whether Cm was the "don't seal" value or the seal was made."""
    read, authority = site.read_c_or_csp(insn.Cn), site.read_c_or_csp(insn.Cm)
    write, pe = site.write_c_or_csp(insn.Cd), site.pe

    def action() -> None:
        source, key = read(), authority()
        if key.value == MASK64:
            write(source)
            pe.nzcv = V
        elif _may_seal(source, key):
            write(source.with_object_type(key.value))
            pe.nzcv = V
        else:
            write(source)
            pe.nzcv = 0

    return action


def UNSEAL_C_CC_C(site: Site, insn: Instruction) -> Action:
    """Cd = Cn unsealed, untagged unless Cm authorises it; Global needs Cm's Global."""
    read, authority, write = site.read_c(insn.Cn), site.read_c(insn.Cm), site.write_c(insn.Cd)

    def action() -> None:
        source, key = read(), authority()
        result = source.unsealed()
        if not key.has(_GLOBAL):
            result = result.clear_permissions(_GLOBAL)
        allowed = (
            source.tag
            and key.tag
            and source.is_sealed
            and not key.is_sealed
            and key.has(_UNSEAL)
            and key.value_in_bounds()
            and source.otype == key.value
        )
        write(result if allowed else result.with_tag(False))

    return action


def BUILD_C_C_C(site: Site, insn: Instruction) -> Action:
    """Cd = Cn unsealed and tagged, where Cm covers it; else tagged only if Cn was, unsealed."""
    read, authority = site.read_c_or_csp(insn.Cn), site.read_c_or_csp(insn.Cm)
    write = site.write_c_or_csp(insn.Cd)

    def action() -> None:
        source, key = read(), authority()
        result = source.unsealed()
        if key.tag and not key.is_sealed and is_subset(result, key) and result.base <= result.limit:
            result = result.with_tag(True)
        elif source.is_sealed:
            result = result.with_tag(False)
        write(result)

    return action


def CHKSSU_C_CC_C(site: Site, insn: Instruction) -> Action:
    """N if Cn is a subset of Cm with an equal tag; then Cd is Cn unsealed where Cm may do that."""
    read, authority = site.read_c_or_csp(insn.Cn), site.read_c_or_csp(insn.Cm)
    write, pe = site.write_c(insn.Cd), site.pe

    def action() -> None:
        source, key = read(), authority()
        if source.tag == key.tag and is_subset(source, key):
            unseal = source.tag and not key.is_sealed and source.is_sealed
            write(source.unsealed() if unseal else source)
            pe.nzcv = N
        else:
            write(source)
            pe.nzcv = 0

    return action

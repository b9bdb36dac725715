"""Morello's branches to capabilities (groups branch and branch-load)."""

from __future__ import annotations

from collections.abc import Callable

from emulator.memory.interface import Access
from emulator.semantics.access import LOAD, Base, alignment_fault, authorise, capability_base, squash
from emulator.semantics.jump import (
    capability_jump,
    link_capability,
    unseal_sentry,
    write_link,
)
from emulator.semantics.site import Action, Site, Undefined
from morello_isa.capability import MASK64, OTYPE_FIELD, Capability
from morello_isa.decode import Instruction
from morello_isa.permissions import ObjectType, Perm

_EXECUTIVE = int(Perm.EXECUTIVE)
_EXECUTE = int(Perm.EXECUTE)
_PAIR = int(Perm.BRANCH_SEALED_PAIR)
_LAST_FIXED_TYPE = int(ObjectType.LB)


def _checked(site: Site) -> Callable[[Capability], Capability]:
    """The Executive rule (a target without Executive loses its tag) followed by sentry unsealing."""
    if site.context.restricted:
        return unseal_sentry

    def check(target: Capability) -> Capability:
        if not target.has(_EXECUTIVE):
            target = target.with_tag(False)
        return unseal_sentry(target)

    return check


def _sentry_only(site: Site) -> Callable[[Capability], Capability]:
    """Unseal a sentry; with CCTLR.SBL anything else loses its tag."""
    demanded = site.context.seal_links

    def check(target: Capability) -> Capability:
        opened = unseal_sentry(target)
        return target.with_tag(False) if opened is target and demanded else opened

    return check


def _executive_sentry_only(site: Site) -> Callable[[Capability], Capability]:
    restricted, sentry = site.context.restricted, _sentry_only(site)

    def check(target: Capability) -> Capability:
        if not restricted and not target.has(_EXECUTIVE):
            target = target.with_tag(False)
        return sentry(target)

    return check


def _branch(site: Site, insn: Instruction, check: Callable[[Capability], Capability], link: bool) -> Action:
    """Cn, checked, becomes PCC; C30 := link after Cn was read."""
    read, jump = site.read_c(insn.Cn), capability_jump(site)
    if not link:
        return lambda: jump(check(read()))
    set_link = write_link(site, capability_branch=True)

    def action() -> None:
        target = check(read())
        set_link()
        jump(target)

    return action


def BR_C_C(site: Site, insn: Instruction) -> Action:
    """PCC := Cn."""
    return _branch(site, insn, _checked(site), False)


def BLR_C_C(site: Site, insn: Instruction) -> Action:
    """PCC := Cn, C30 := link."""
    return _branch(site, insn, _checked(site), True)


def RET_C_C(site: Site, insn: Instruction) -> Action:
    """PCC := Cn."""
    return _branch(site, insn, _checked(site), False)


def _from_executive(site: Site, insn: Instruction, link: bool) -> Action:
    if site.context.restricted:
        raise Undefined
    return _branch(site, insn, _sentry_only(site), link)


def BRR_C_C(site: Site, insn: Instruction) -> Action:
    """PCC := Cn, which may lack Executive. UNDEFINED in Restricted."""
    return _from_executive(site, insn, False)


def BLRR_C_C(site: Site, insn: Instruction) -> Action:
    """As BRR, with link."""
    return _from_executive(site, insn, True)


def RETR_C_C(site: Site, insn: Instruction) -> Action:
    """As BRR."""
    return _from_executive(site, insn, False)


def BRS_C_C(site: Site, insn: Instruction) -> Action:
    """PCC := Cn, a sentry with SBL."""
    return _branch(site, insn, _executive_sentry_only(site), False)


def BLRS_C_C(site: Site, insn: Instruction) -> Action:
    """As BRS, with link."""
    return _branch(site, insn, _executive_sentry_only(site), True)


def RETS_C_C(site: Site, insn: Instruction) -> Action:
    """As BRS."""
    return _branch(site, insn, _executive_sentry_only(site), False)


def _may_open_pair(target: Capability, data: Capability) -> bool:
    return (
        target.tag
        and data.tag
        and target.is_sealed
        and data.is_sealed
        and target.otype > _LAST_FIXED_TYPE
        and target.otype == data.otype
        and target.has(_PAIR | _EXECUTE)
        and data.has(_PAIR)
        and not data.has(_EXECUTE)
    )


def _pair_branch(site: Site, insn: Instruction, link: bool) -> Action:
    code, data, jump = site.read_c(insn.Cn), site.read_c(insn.Cm), capability_jump(site)
    write_data = site.write_c(29)
    set_link = write_link(site, capability_branch=True) if link else None
    restricted = site.context.restricted

    def action() -> None:
        target, argument = code(), data()
        if not restricted and not target.has(_EXECUTIVE):
            target = target.with_tag(False)
        if _may_open_pair(target, argument):
            target, argument = target.unsealed(), argument.unsealed()
        else:
            target = target.with_tag(False)
        write_data(argument)
        if set_link:
            set_link()
        jump(target)

    return action


def BRS_C_C_C(site: Site, insn: Instruction) -> Action:
    """Sealed pair: PCC := unsealed Cn, C29 := unsealed Cm."""
    return _pair_branch(site, insn, False)


def BLRS_C_C_C(site: Site, insn: Instruction) -> Action:
    """As BRS (pair), with link."""
    return _pair_branch(site, insn, True)


def RETS_C_C_C(site: Site, insn: Instruction) -> Action:
    """As BRS (pair)."""
    return _pair_branch(site, insn, False)


def BX___C(site: Site, _insn: Instruction) -> Action:
    """Go on at the next instruction in the other state."""
    jump = capability_jump(site)
    offset = 4 if site.context.c64 else 5
    return lambda: jump(site.pcc().add(offset))


# --- branches that load their target -------------------------------------------------------------------


def _open(base: Capability, otype: ObjectType) -> Capability:
    """The base as authority: a tagged sentry of that type is unsealed for the access."""
    if base.tag and base.hi & OTYPE_FIELD and base.otype == otype:
        return base.unsealed()
    return base


def _indirect(site: Site, insn: Instruction, link: bool) -> Action:
    """Target capability from [Cn, #imm]; through C29 an LB sentry opens."""
    base: Base = capability_base(site, insn.Cn)
    read, opens, offset = site.memory.read_cap, insn.Cn == 29, insn.imm
    check, jump = _checked(site), capability_jump(site)
    set_link = write_link(site, capability_branch=True) if link else None
    write_base = site.write_c(29)

    def action() -> None:
        authority, _ = base.read()
        if opens:
            authority = _open(authority, ObjectType.LB)
        address = authority.value + offset & MASK64
        authorise(site, authority, base.register, address, 16, LOAD)
        if address & 15:
            raise alignment_fault(site, address, 16, False)
        target = squash(authority, *read(address, Access.NORMAL))
        if opens:
            write_base(authority)
        if set_link:
            set_link()
        jump(check(target))

    return action


def BR_CI_C(site: Site, insn: Instruction) -> Action:
    """PCC := capability at [Cn|CSP, #imm]."""
    return _indirect(site, insn, False)


def BLR_CI_C(site: Site, insn: Instruction) -> Action:
    """As BR [Cn], with link."""
    return _indirect(site, insn, True)


def _pair_indirect(site: Site, insn: Instruction, link: bool) -> Action:
    """Ct := [Cn], PCC := [Cn, #16]; into C29 an LPB sentry opens."""
    base: Base = capability_base(site, insn.Cn)
    read, opens = site.memory.read_cap, insn.Ct == 29
    check, jump = _checked(site), capability_jump(site)
    write_data, write_c30 = site.write_c(insn.Ct), site.write_c(30)
    link_value = link_capability(site) if link else None

    def action() -> None:
        authority, address = base.read()
        if opens:
            authority = _open(authority, ObjectType.LPB)
        authorise(site, authority, base.register, address, 32, LOAD)
        if address & 15:
            raise alignment_fault(site, address, 16, False)
        data = squash(authority, *read(address, Access.NORMAL))
        target = squash(authority, *read(address + 16 & MASK64, Access.NORMAL))
        if link_value is not None:
            write_c30(link_value)
        write_data(data)
        jump(check(target))

    return action


def LDPBR_C_C_C(site: Site, insn: Instruction) -> Action:
    """Load data and target, branch."""
    return _pair_indirect(site, insn, False)


def LDPBLR_C_C_C(site: Site, insn: Instruction) -> Action:
    """Load data and target, branch with link."""
    return _pair_indirect(site, insn, True)

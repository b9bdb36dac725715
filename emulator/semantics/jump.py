"""Setting PCC: what every branch, direct or through a capability, ends with."""

from __future__ import annotations

from collections.abc import Callable

from emulator.engine.context import CCTLR_PCCBO
from emulator.semantics.access import HIGH_HALF, LOW_HALF
from emulator.semantics.site import Action, Site
from emulator.state import levels
from emulator.state.pe import Pe
from morello_isa.capability import MASK64, OTYPE_FIELD, Capability
from morello_isa.permissions import ObjectType

RB = int(ObjectType.RB)


def branch_to_capability(pe: Pe, target: Capability, el: int | None = None) -> None:
    """BranchToCapability: a sealed target loses its tag, TBI adjusts the top byte."""
    if target.is_sealed:
        target = target.with_tag(False)
    value = target.value
    adjusted = levels.branch_address(pe, value, pe.pstate.el if el is None else el)
    if adjusted != value:
        target = target.set_flags(adjusted >> 56)
    pe.pcc = target


def branch_x_to_capability(pe: Pe, target: Capability) -> None:
    """BranchXToCapability: bit 0 of the value becomes PSTATE.C64."""
    c64 = bool(target.value & 1)
    if c64:
        target = Capability(target.tag, target.hi, target.value & ~1)
    if pe.pstate.c64 != c64:
        pe.pstate.c64 = c64
        pe.context_stale = True
    branch_to_capability(pe, target)


def _window(site: Site) -> tuple[int, int]:
    """PC values for which PCC keeps its tag, metadata and bounds, and no top-byte rule applies."""
    pcc = site.pcc()
    if not pcc.tag:
        return 0, 0
    bounds = pcc.bounds
    if site.pc >= HIGH_HALF and site.context.high_kept:
        return max(bounds.window_low, HIGH_HALF), bounds.window_high
    return bounds.window_low, min(bounds.window_high, LOW_HALF)


def capability_jump(site: Site) -> Callable[[Capability], None]:
    """A bound BranchXToCapability that is quick while PCC's metadata and C64 stay the same."""
    pe, pcc_hi, c64 = site.pe, site.context.pcc_hi, int(site.context.c64)
    low, high = _window(site)
    low += c64
    high += c64

    def jump(target: Capability) -> None:
        value = target.value
        if low <= value < high and value & 1 == c64 and target.tag and target.hi == pcc_hi:
            pe.pc = value - c64
        else:
            branch_x_to_capability(pe, target)

    return jump


def offset_jump(site: Site, offset: int) -> Action:
    """BranchToOffset: PCC := CapAdd(PCC, offset)."""
    pe = site.pe
    low, high = _window(site)
    target = site.pc + offset
    if low <= target < high and low <= site.pc < high:

        def jump_inside() -> None:
            pe.pc = target

        return jump_inside
    return lambda: branch_to_capability(pe, site.pcc().add(offset))


def integer_jump(site: Site) -> Callable[[int], None]:
    """BR, BLR, RET with Xn: PCC with that value (CapSetValue), or offset with CCTLR.PCCBO."""
    pe = site.pe
    if site.context.cctlr & CCTLR_PCCBO:
        return lambda value: branch_to_capability(pe, site.pcc().set_offset(value))
    low, high = _window(site)
    if not low <= site.pc < high:
        low = high = 0

    def jump(value: int) -> None:
        if low <= value < high:
            pe.pc = value
        else:
            branch_to_capability(pe, site.pcc().set_value(value))

    return jump


def link_capability(site: Site) -> Capability:
    """The capability link: next instruction, bit 0 telling C64, a sentry with CCTLR.SBL."""
    link = site.pcc().add(5 if site.context.c64 else 4)
    return link.with_object_type(RB) if site.context.seal_links else link


def write_link(site: Site, capability_branch: bool) -> Action:
    """C30 := link. A64's BL and BLR of the base set write an integer (relative with PCCBO)."""
    c, x = site.c, site.x
    if not capability_branch and not site.context.c64:
        base = site.context.pcc_base if site.context.cctlr & CCTLR_PCCBO else 0
        address = site.pc + 4 - base & MASK64

        def write_integer() -> None:
            c[30] = None
            x[30] = address

        return write_integer
    link = link_capability(site)

    def write() -> None:
        c[30] = link
        x[30] = link.value

    return write


def unseal_sentry(target: Capability) -> Capability:
    """A tagged RB sentry unsealed; anything else as it is."""
    if target.tag and target.hi & OTYPE_FIELD and target.otype == RB:
        return target.unsealed()
    return target

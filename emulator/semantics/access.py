"""Authority, alignment and base registers of memory accesses (Sail: BaseReg_read, VACheckAddress)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from emulator.faults import FaultKind, PeFault
from emulator.semantics.site import Action, Site
from emulator.state import levels
from emulator.state.pe import Pe
from morello_isa.capability import MASK64, OTYPE_FIELD, PERMISSIONS_SHIFT, Capability
from morello_isa.permissions import Perm

LOAD, STORE = int(Perm.LOAD), int(Perm.STORE)
STORE_CAP, STORE_LOCAL = int(Perm.STORE_CAP), int(Perm.STORE_LOCAL_CAP)
LOAD_CAP, MUTABLE_LOAD = int(Perm.LOAD_CAP), int(Perm.MUTABLE_LOAD)
GLOBAL = int(Perm.GLOBAL)
_NOT_MUTABLE = int(Perm.STORE | Perm.STORE_CAP | Perm.STORE_LOCAL_CAP | Perm.MUTABLE_LOAD)
RESERVATION_SHIFT = 6
LOW_HALF = 1 << 55  # below it no top-byte rule changes an address
HIGH_HALF = (1 << 64) - LOW_HALF  # from here on none does where Context.high_kept

Authority = tuple[Capability, int]


@dataclass(frozen=True, slots=True)
class Base:
    """A bound base register. `read()` gives the authorising capability and the (re-based) address.

    `add(offset)` is writeback. A capability base is also element `index` of `bank` (None there: an integer).
    """

    register: str
    is_capability: bool
    read: Callable[[], Authority]
    add: Callable[[int], None]
    bank: Sequence[Capability | None] = ()
    index: int = 0


def base_register(site: Site, n: int, alternate: bool = False) -> Base:
    """BaseReg_read (or AltBaseReg_read) of register n, 31 being SP or CSP."""
    if site.context.c64 != alternate:
        return capability_base(site, n)
    return _integer_base(site, n)


def _sp_check(site: Site) -> Action | None:
    """CheckSPAlignment, or None when SCTLR doesn't ask for it."""
    if not site.context.check_sp:
        return None
    stack, bank = site.pe.stack, site.context.bank

    def check() -> None:
        if stack[bank].value & 15:
            raise site.fault(FaultKind.SP_ALIGNMENT, register="csp", capability=stack[bank])

    return check


def capability_base(site: Site, n: int) -> Base:
    """Cn or CSP as base and authority."""
    if n != 31:
        c, x = site.c, site.x

        def read() -> Authority:
            capability = c[n] or Capability(False, 0, x[n])
            return capability, capability.value

        def add(offset: int) -> None:
            moved = (c[n] or Capability(False, 0, x[n])).add(offset)
            c[n] = moved
            x[n] = moved.value

        return Base(f"c{n}", True, read, add, c, n)
    stack, bank = site.pe.stack, site.context.bank
    check = _sp_check(site)

    def read_csp() -> Authority:
        if check:
            check()
        capability = stack[bank]
        return capability, capability.value

    def add_csp(offset: int) -> None:
        stack[bank] = stack[bank].add(offset)

    return Base("csp", True, read_csp, add_csp, stack, bank)


def _integer_base(site: Site, n: int) -> Base:
    """Xn or SP as base (plus DDC.base when CCTLR.DDCBO), DDC as authority."""
    data, bank = site.pe.data, site.context.bank
    rebase = site.context.ddc_base if site.context.cctlr & 4 else 0
    if n != 31:
        c, x = site.c, site.x

        def read() -> Authority:
            return data[bank], x[n] + rebase & MASK64

        def add(offset: int) -> None:
            c[n] = None
            x[n] = x[n] + offset & MASK64

        return Base("ddc", False, read, add, (), n)
    stack = site.pe.stack
    check = _sp_check(site)

    def read_sp() -> Authority:
        if check:
            check()
        return data[bank], stack[bank].value + rebase & MASK64

    def add_sp(offset: int) -> None:
        stack[bank] = Capability.from_int(stack[bank].value + offset)

    return Base("ddc", False, read_sp, add_sp, (), 31)


def authorise(
    site: Site,
    capability: Capability,
    register: str,
    address: int,
    size: int,
    permissions: int,
    el: int | None = None,
) -> None:
    """CheckCapability: tag, seal, permissions, bounds, in this order; raises the fault.

    `el` is the level whose TBI counts (0 for unprivileged accesses), default the current one.
    """
    hi = capability.hi
    if capability.tag and not hi & OTYPE_FIELD and hi >> PERMISSIONS_SHIFT & permissions == permissions:
        bounds = capability.bounds
        low = address
        if low >= LOW_HALF:
            low = levels.bounds_address(site.pe, address, site.context.el if el is None else el)
        if bounds.base <= low and low + size <= bounds.limit and bounds.valid:
            return
    raise capability_fault(site, capability, register, address, size, permissions)


def capability_fault(
    site: Site, capability: Capability, register: str, address: int, size: int, permissions: int
) -> PeFault:
    """The fault that `authorise` raises for an access that it refuses."""
    if not capability.tag:
        kind = FaultKind.CAP_TAG
    elif capability.is_sealed:
        kind = FaultKind.CAP_SEALED
    elif not capability.has(permissions):
        kind = FaultKind.CAP_PERMISSION
    else:
        kind = FaultKind.CAP_BOUNDS
    missing = permissions & ~capability.permissions
    return site.fault(
        kind,
        address=address,
        size=size,
        is_write=bool(permissions & STORE),
        register=register,
        capability=capability,
        immediate=missing if kind is FaultKind.CAP_PERMISSION else 0,
    )


def alignment_fault(site: Site, address: int, size: int, is_write: bool) -> PeFault:
    """Data abort 0x21."""
    return site.fault(FaultKind.ALIGNMENT, address=address, size=size, is_write=is_write)


def monitor_passes(pe: Pe, address: int) -> bool:
    """AArch64_ExclusiveMonitorsPass: the last load-exclusive was of the same reservation granule (64 bytes).

    Sizes needn't match. The monitor is cleared in any case.
    """
    marked, pe.exclusive = pe.exclusive, None
    return marked is not None and not (marked[0] ^ address) >> RESERVATION_SHIFT


def store_permissions(value: Capability) -> int:
    """What storing that capability demands of the authority."""
    if not value.tag:
        return STORE
    return STORE | STORE_CAP if value.has(GLOBAL) else STORE | STORE_CAP | STORE_LOCAL


def squash(authority: Capability, hi: int, lo: int, tag: bool) -> Capability:
    """CapSquashPostLoadCap: what a capability load delivers under that authority."""
    if tag:
        if not authority.has(LOAD_CAP):
            tag = False
        elif not authority.has(MUTABLE_LOAD) and not hi & OTYPE_FIELD:
            hi &= ~(_NOT_MUTABLE << PERMISSIONS_SHIFT)
    return Capability(tag, hi, lo)

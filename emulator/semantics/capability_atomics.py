"""Exclusives, compare-and-swap, swap and tag accesses on capabilities.

The exclusive monitor: set by any load-exclusive, cleared by any store-exclusive, CLREX, ERET and by whoever
switches threads. See `monitor_passes` in access.py.
"""

from __future__ import annotations

from collections.abc import Callable

from emulator.memory.interface import Access
from emulator.semantics.access import (
    LOAD,
    LOAD_CAP,
    STORE,
    STORE_CAP,
    Authority,
    alignment_fault,
    authorise,
    base_register,
    monitor_passes,
    squash,
    store_permissions,
)
from emulator.semantics.arithmetic import tag_setting_enabled
from emulator.semantics.site import Action, Site, Undefined
from morello_isa.capability import MASK64, Capability
from morello_isa.decode import Instruction


def _load_exclusive(site: Site, insn: Instruction) -> Action:
    base, write = base_register(site, insn.Rn), site.write_c(insn.Ct)
    read, pe = site.memory.read_cap, site.pe

    def action() -> None:
        authority, address = base.read()
        authorise(site, authority, base.register, address, 16, LOAD)
        if address & 15:
            raise alignment_fault(site, address, 16, False)
        value = squash(authority, *read(address, Access.ORDERED))
        pe.exclusive = (address, 16)
        write(value)

    return action


def _load_exclusive_pair(site: Site, insn: Instruction) -> Action:
    if insn.Ct == insn.Ct2:
        return site.undefined_action()
    base = base_register(site, insn.Rn)
    first, second = site.write_c(insn.Ct), site.write_c(insn.Ct2)
    read, pe = site.memory.read_cap, site.pe

    def action() -> None:
        authority, address = base.read()
        authorise(site, authority, base.register, address, 32, LOAD)
        if address & 31:
            raise alignment_fault(site, address, 32, False)
        one = squash(authority, *read(address, Access.ORDERED))
        two = squash(authority, *read(address + 16 & MASK64, Access.ORDERED))
        pe.exclusive = (address, 32)
        first(one)
        second(two)

    return action


LDXR_C_R_C = LDAXR_C_R_C = _load_exclusive
LDXP_C_R_C = LDAXP_C_R_C = _load_exclusive_pair


def _store_exclusive(site: Site, insn: Instruction) -> Action:
    base, source, status = base_register(site, insn.Rn), site.read_c(insn.Ct), site.write_x(insn.Rs)
    write, pe = site.memory.write_cap, site.pe

    def action() -> None:
        value = source()
        authority, address = base.read()
        authorise(site, authority, base.register, address, 16, store_permissions(value))
        if address & 15:
            raise alignment_fault(site, address, 16, True)
        if not monitor_passes(pe, address):
            status(1)
            return
        write(address, value.hi, value.value, value.tag, Access.ORDERED)
        status(0)

    return action


def _store_exclusive_pair(site: Site, insn: Instruction) -> Action:
    base, status = base_register(site, insn.Rn), site.write_x(insn.Rs)
    sources = (site.read_c(insn.Ct), site.read_c(insn.Ct2))
    memory, pe = site.memory, site.pe

    def action() -> None:
        one, two = sources[0](), sources[1]()
        authority, address = base.read()
        upper = address + 16 & MASK64
        authorise(site, authority, base.register, address, 16, store_permissions(one))
        authorise(site, authority, base.register, upper, 16, store_permissions(two))
        if address & 31:
            raise alignment_fault(site, address, 32, True)
        if not monitor_passes(pe, address):
            status(1)
            return
        memory.check_tagged_store(upper, two.tag, Access.ORDERED)
        memory.write_cap(address, one.hi, one.value, one.tag, Access.ORDERED)
        memory.write_cap(upper, two.hi, two.value, two.tag, Access.ORDERED)
        status(0)

    return action


STXR_R_CR_C = STLXR_R_CR_C = _store_exclusive
STXP_R_CR_C = STLXP_R_CR_C = _store_exclusive_pair


def _atomic(
    site: Site,
    insn: Instruction,
    new_value: Callable[[], Capability],
    finish: Callable[[Capability, Capability, Callable[[], None]], None],
) -> Action:
    """The common part of SWP and CAS: checks, read, squash; `finish(old, new, store)` does the rest."""
    base, memory = base_register(site, insn.Rn), site.memory

    def read_operand() -> Authority:
        return base.read()

    def action() -> None:
        new = new_value()
        authority, address = read_operand()
        authorise(site, authority, base.register, address, 16, LOAD)
        authorise(site, authority, base.register, address, 16, store_permissions(new))
        if address & 15:
            raise alignment_fault(site, address, 16, False)
        memory.check_tagged_store(address, new.tag, Access.ATOMIC)
        old = squash(authority, *memory.read_cap(address, Access.ATOMIC))
        finish(
            old,
            new,
            lambda: memory.write_cap(address, new.hi, new.value, new.tag, Access.ATOMIC),
        )

    return action


def _swap(site: Site, insn: Instruction) -> Action:
    write = site.write_c(insn.Ct)

    def finish(old: Capability, _: Capability, store: Callable[[], None]) -> None:
        store()
        write(old)

    return _atomic(site, insn, site.read_c(insn.Cs), finish)


def _compare_and_swap(site: Site, insn: Instruction) -> Action:
    expected, write = site.read_c(insn.Cs), site.write_c(insn.Cs)

    def finish(old: Capability, _: Capability, store: Callable[[], None]) -> None:
        if old == expected():
            store()
        write(old)

    return _atomic(site, insn, site.read_c(insn.Ct), finish)


SWP_CC_R_C = SWPA_CC_R_C = SWPAL_CC_R_C = SWPL_CC_R_C = _swap
CAS_C_R_C = CASA_C_R_C = CASAL_C_R_C = CASL_C_R_C = _compare_and_swap


def LDCT_R_R__(site: Site, insn: Instruction) -> Action:
    """Xt[3:0] := tags of four granules; zero without LoadCap."""
    base, write, read = base_register(site, insn.Rn), site.write_x(insn.Rt), site.memory.read_cap

    def action() -> None:
        authority, address = base.read()
        authorise(site, authority, base.register, address, 64, LOAD)
        if address & 63:
            raise alignment_fault(site, address, 64, False)
        tags = 0
        for i in range(4):
            tags |= read(address + 16 * i, Access.NORMAL)[2] << i
        write(tags if authority.has(LOAD_CAP) else 0)

    return action


def STCT_R_R__(site: Site, insn: Instruction) -> Action:
    """Tags of four granules := Xt[3:0], data unchanged, granule by granule. UNDEFINED at EL0."""
    if site.context.el == 0:
        raise Undefined
    base, memory, x, t = base_register(site, insn.Rn), site.memory, site.x, insn.Rt

    def action() -> None:
        authority, address = base.read()
        aligned = not address & 63
        tags = x[t] if tag_setting_enabled(site) else 0
        for i in range(4):
            tag = bool(tags >> i & 1)
            authorise(site, authority, base.register, address, 16, STORE | STORE_CAP if tag else STORE)
            if not aligned:
                raise alignment_fault(site, address, 64, True)
            memory.check_tagged_store(address, tag, Access.NORMAL)
            lo = memory.read(address, 8, Access.NORMAL)
            hi = memory.read(address + 8, 8, Access.NORMAL)
            memory.write_cap(address, hi, lo, tag, Access.NORMAL)
            address += 16

    return action

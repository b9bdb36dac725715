"""Capability loads and stores of groups load, store, load-pair and store-pair, and LDR (literal)."""

from __future__ import annotations

from emulator.memory.interface import Access
from emulator.semantics.access import LOAD, Authority, Base, authorise, base_register, squash
from emulator.semantics.site import Action, Site
from emulator.semantics.transfers import (
    NORMAL,
    ORDERED,
    UNPRIVILEGED,
    Address,
    Kind,
    load,
    load_capability,
    load_capability_pair,
    store,
    store_capability,
    store_capability_pair,
)
from morello_isa.capability import MASK64
from morello_isa.decode import Instruction


def unprivileged_kind(site: Site) -> Kind:
    """LDTR and STTR: EL0's MMU privilege where the context says so."""
    return UNPRIVILEGED if site.context.unprivileged else NORMAL


def where(site: Site, insn: Instruction, alternate: bool = False) -> Address:
    """The row's memory operand: offset, pre or post index, or a register offset."""
    base = base_register(site, insn.Rn, alternate)
    operand = insn.row.memory
    if operand is not None and operand.mode == "register":
        option = insn.sign << 2 | 2 | insn.sz
        shift = operand.shift if insn.S else 0
        return Address(base, site.extended_register(insn.Rm, option, shift))
    mode = operand.mode if operand is not None else "offset"
    fields = insn.fields
    loaded = {fields.get("Ct"), fields.get("Ct2")} if fields.get("L", fields.get("opc", 0)) else set()
    return Address(base, insn.imm, mode, writeback=insn.Rn == 31 or insn.Rn not in loaded)


def _load(site: Site, insn: Instruction) -> Action:
    return load_capability(site, where(site, insn), insn.Ct)


def _store(site: Site, insn: Instruction) -> Action:
    return store_capability(site, where(site, insn), insn.Ct)


LDR_C_RIAW_C = LDR_C_RUIB_C = LDR_C_RIBW_C = LDR_C_RRB_C = LDUR_C_RI_C = _load
STR_C_RIAW_C = STR_C_RUIB_C = STR_C_RIBW_C = STR_C_RRB_C = STUR_C_RI_C = _store


def LDTR_C_RIB_C(site: Site, insn: Instruction) -> Action:
    """Load with EL0's MMU privilege."""
    return load_capability(site, where(site, insn), insn.Ct, unprivileged_kind(site))


def STTR_C_RIB_C(site: Site, insn: Instruction) -> Action:
    """Store with EL0's MMU privilege."""
    return store_capability(site, where(site, insn), insn.Ct, unprivileged_kind(site))


def LDAR_C_R_C(site: Site, insn: Instruction) -> Action:
    """Load-acquire."""
    return load_capability(site, where(site, insn), insn.Ct, ORDERED)


LDAPR_C_R_C = LDAR_C_R_C


def STLR_C_R_C(site: Site, insn: Instruction) -> Action:
    """Store-release."""
    return store_capability(site, where(site, insn), insn.Ct, ORDERED)


def ALDAR_C_R_C(site: Site, insn: Instruction) -> Action:
    """Load-acquire through the alternate base."""
    return load_capability(site, where(site, insn, True), insn.Ct, ORDERED)


def ASTLR_C_R_C(site: Site, insn: Instruction) -> Action:
    """Store-release through the alternate base."""
    return store_capability(site, where(site, insn, True), insn.Ct, ORDERED)


def ALDARB_R_R_B(site: Site, insn: Instruction) -> Action:
    """Load-acquire byte through the alternate base."""
    return load(site, where(site, insn, True), 1, site.write_x(insn.Rt), ORDERED)


def ALDAR_R_R_32(site: Site, insn: Instruction) -> Action:
    """Load-acquire word through the alternate base."""
    return load(site, where(site, insn, True), 4, site.write_x(insn.Rt), ORDERED)


def ASTLRB_R_R_B(site: Site, insn: Instruction) -> Action:
    """Store-release byte through the alternate base."""
    x, t = site.x, insn.Rt
    return store(site, where(site, insn, True), 1, lambda: x[t] & 0xFF, ORDERED)


def ASTLR_R_R_32(site: Site, insn: Instruction) -> Action:
    """Store-release word through the alternate base."""
    x, t = site.x, insn.Rt
    return store(site, where(site, insn, True), 4, lambda: x[t] & 0xFFFF_FFFF, ORDERED)


def _load_pair(site: Site, insn: Instruction) -> Action:
    if insn.Ct == insn.Ct2:
        return site.undefined_action()
    return load_capability_pair(site, where(site, insn), insn.Ct, insn.Ct2)


def _store_pair(site: Site, insn: Instruction) -> Action:
    return store_capability_pair(site, where(site, insn), insn.Ct, insn.Ct2)


LDNP_C_RIB_C = LDP_C_RIB_C = LDP_C_RIBW_C = LDP_CC_RIAW_C = _load_pair
STNP_C_RIB_C = STP_C_RIB_C = STP_C_RIBW_C = STP_CC_RIAW_C = _store_pair


def pcc_base(site: Site) -> Base:
    """PCC as base of a literal load: address and authority in both states."""

    def read() -> Authority:
        return site.pcc(), site.pc

    return Base("pcc", True, read, lambda _: None)


def LDR_C_I_C(site: Site, insn: Instruction) -> Action:
    """Ct := capability at Align16(PC + imm), authorised by PCC."""
    write, read = site.write_c(insn.Ct), site.memory.read_cap
    address = site.pc + insn.imm & MASK64 & ~15

    def action() -> None:
        authority = site.pcc()
        authorise(site, authority, "pcc", address, 16, LOAD)
        write(squash(authority, *read(address, Access.NORMAL)))

    return action

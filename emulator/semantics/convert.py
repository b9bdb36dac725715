"""Conversions between pointers and capabilities: CVT, CVTD, CVTP and their zero-preserving forms."""

from __future__ import annotations

from emulator.engine.context import CCTLR_DDCBO, CCTLR_PCCBO
from emulator.semantics.conditions import C, Z
from emulator.semantics.site import Action, ReadCapability, Site
from morello_isa.capability import CAP_NULL, MASK64, Capability
from morello_isa.decode import Instruction


def _to_pointer(site: Site, insn: Instruction, frame: ReadCapability, relative: int) -> Action:
    """Xd = Cn.value (minus the frame's base if relative) when Cn is tagged, else 0; C and Z tell."""
    read, write, pe = site.read_c_or_csp(insn.Cn), site.write_x(insn.Rd), site.pe

    def action() -> None:
        source = read()
        if not source.tag:
            write(0)
            pe.nzcv = 0
            return
        value = source.value - frame().base & MASK64 if relative else source.value
        write(value)
        pe.nzcv = C | (0 if value else Z)

    return action


def _to_capability(
    site: Site, insn: Instruction, frame: ReadCapability, pointer: int, relative: int, keep_null: bool
) -> Action:
    """Cd = the frame moved to Xn (an offset if relative); untagged if the frame is sealed."""
    write, x = site.write_c(insn.Cd), site.x

    def action() -> None:
        value = x[pointer]
        if keep_null and value == 0:
            write(CAP_NULL)
            return
        source = frame()
        result = source.set_offset(value) if relative else source.set_value(value)
        write(result.with_tag(False) if source.is_sealed else result)

    return action


def _ddc(site: Site) -> ReadCapability:
    data, bank = site.pe.data, site.context.bank
    return lambda: data[bank]


def CVT_R_CC_C(site: Site, insn: Instruction) -> Action:
    """Xd = pointer of Cn relative to Cm (CCTLR.DDCBO)."""
    return _to_pointer(site, insn, site.read_c(insn.Cm), site.context.cctlr & CCTLR_DDCBO)


def CVTD_R_C_C(site: Site, insn: Instruction) -> Action:
    """Xd = pointer of Cn relative to DDC."""
    return _to_pointer(site, insn, _ddc(site), site.context.cctlr & CCTLR_DDCBO)


def CVTP_R_C_C(site: Site, insn: Instruction) -> Action:
    """Xd = pointer of Cn relative to PCC."""
    return _to_pointer(site, insn, site.pcc, site.context.cctlr & CCTLR_PCCBO)


def CVTD_C_R_C(site: Site, insn: Instruction) -> Action:
    """Cd = DDC at Xn."""
    return _to_capability(site, insn, _ddc(site), insn.Rn, site.context.cctlr & CCTLR_DDCBO, False)


def CVTDZ_C_R_C(site: Site, insn: Instruction) -> Action:
    """Cd = DDC at Xn, null for 0."""
    return _to_capability(site, insn, _ddc(site), insn.Rn, site.context.cctlr & CCTLR_DDCBO, True)


def CVTP_C_R_C(site: Site, insn: Instruction) -> Action:
    """Cd = PCC at Xn."""
    return _to_capability(site, insn, site.pcc, insn.Rn, site.context.cctlr & CCTLR_PCCBO, False)


def CVTPZ_C_R_C(site: Site, insn: Instruction) -> Action:
    """Cd = PCC at Xn, null for 0."""
    return _to_capability(site, insn, site.pcc, insn.Rn, site.context.cctlr & CCTLR_PCCBO, True)


def _from_register(site: Site, insn: Instruction, keep_null: bool) -> Action:
    frame = site.read_c_or_csp(insn.Cn)
    return _to_capability(site, insn, frame, insn.Rm, site.context.cctlr & CCTLR_DDCBO, keep_null)


def CVT_C_CR_C(site: Site, insn: Instruction) -> Action:
    """Cd = Cn at Xm."""
    return _from_register(site, insn, False)


def CVTZ_C_CR_C(site: Site, insn: Instruction) -> Action:
    """Cd = Cn at Xm, null for 0."""
    return _from_register(site, insn, True)


def _pointer_base(site: Site) -> int:
    """The integer PC that A64 PC-relative forms start from: minus PCC.base with PCCBO."""
    if site.context.cctlr & CCTLR_PCCBO:
        return site.pc - site.context.pcc_base & MASK64
    return site.pc


def ADR_C_I_C(site: Site, insn: Instruction) -> Action:
    """C64: Cd = CapAdd(PCC, imm). A64: Xd = PC (relative to PCC.base with PCCBO) + imm."""
    if site.context.c64:
        write = site.write_c(insn.Rd)
        result = _unless_sealed(site.pcc(), site.pcc().add(insn.imm))
        return lambda: write(result)
    write_x = site.write_x(insn.Rd)
    address = _pointer_base(site) + insn.imm & MASK64
    return lambda: write_x(address)


def _unless_sealed(source: Capability, result: Capability) -> Capability:
    return result.with_tag(False) if source.is_sealed else result


def _move_page(site: Site, rd: int, source: ReadCapability, immediate: int) -> Action:
    """Cd = source moved to its page plus immediate."""
    write = site.write_c(rd)
    return lambda: write(_on_page(source(), immediate))


def _on_page(start: Capability, immediate: int) -> Capability:
    """One CapAdd to the page's start plus immediate."""
    target = (start.value & ~0xFFF) + immediate
    return _unless_sealed(start, start.add(target - start.value & MASK64))


def ADRP_C_I_C(site: Site, insn: Instruction) -> Action:
    """A64: Xd = page of PC (relative to PCC.base with PCCBO) + imm."""
    write_x = site.write_x(insn.Rd)
    address = (_pointer_base(site) & ~0xFFF) + insn.imm_a64 & MASK64
    return lambda: write_x(address)


def ADRP_C_IP_C(site: Site, insn: Instruction) -> Action:
    """C64: Cd = PCC's page + imm, P=1."""
    if not site.context.c64:
        return ADRP_C_I_C(site, insn)
    write, result = site.write_c(insn.Rd), _on_page(site.pcc(), insn.imm)
    return lambda: write(result)


def ADRDP_C_ID_C(site: Site, insn: Instruction) -> Action:
    """C64: Cd = page of DDC (C28 with CCTLR.ADRDPB) + imm, P=0."""
    if not site.context.c64:
        return ADRP_C_I_C(site, insn)
    source = site.read_c(28) if site.context.cctlr & 16 else _ddc(site)
    return _move_page(site, insn.Rd, source, insn.imm)

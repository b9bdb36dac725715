"""Reading fields (GC*, CFHI), flags, permissions and bounds."""

from __future__ import annotations

from collections.abc import Callable

from emulator.semantics.arithmetic import modify
from emulator.semantics.site import Action, Site
from morello_isa.capability import MASK64, Capability, representable_length, representable_mask
from morello_isa.decode import Instruction
from morello_isa.permissions import Perm

_TOP_BYTE = 0xFF << 56


def _get(site: Site, insn: Instruction, field: Callable[[Capability], int]) -> Action:
    """Xd = field(Cn|CSP)."""
    read, write = site.read_c_or_csp(insn.Cn), site.write_x(insn.Rd)
    return lambda: write(field(read()))


def CFHI_R_C_C(site: Site, insn: Instruction) -> Action:
    """Xd = bits 127:64."""
    return _get(site, insn, lambda c: c.hi)


def GCBASE_R_C_C(site: Site, insn: Instruction) -> Action:
    """Xd = base."""
    return _get(site, insn, lambda c: c.base)


def GCVALUE_R_C_C(site: Site, insn: Instruction) -> Action:
    """Xd = value."""
    return _get(site, insn, lambda c: c.value)


def GCLEN_R_C_C(site: Site, insn: Instruction) -> Action:
    """Xd = length, saturated to 64 bits."""
    return _get(site, insn, lambda c: min(c.length, MASK64))


def GCLIM_R_C_C(site: Site, insn: Instruction) -> Action:
    """Xd = limit, saturated to 64 bits."""
    return _get(site, insn, lambda c: min(c.limit, MASK64))


def GCOFF_R_C_C(site: Site, insn: Instruction) -> Action:
    """Xd = value - base."""
    return _get(site, insn, lambda c: c.offset)


def GCPERM_R_C_C(site: Site, insn: Instruction) -> Action:
    """Xd = permissions."""
    return _get(site, insn, lambda c: c.permissions)


def GCSEAL_R_C_C(site: Site, insn: Instruction) -> Action:
    """Xd = 1 if sealed, whatever the tag."""
    return _get(site, insn, lambda c: int(c.is_sealed))


def GCTAG_R_C_C(site: Site, insn: Instruction) -> Action:
    """Xd = tag."""
    return _get(site, insn, lambda c: int(c.tag))


def GCTYPE_R_C_C(site: Site, insn: Instruction) -> Action:
    """Xd = object type."""
    return _get(site, insn, lambda c: c.otype)


def GCFLGS_R_C_C(site: Site, insn: Instruction) -> Action:
    """Xd = the flags byte in place."""
    return _get(site, insn, lambda c: c.value & _TOP_BYTE)


# --- flags ---------------------------------------------------------------------------------------------


def BICFLGS_C_CI_C(site: Site, insn: Instruction) -> Action:
    """Flags AND NOT imm8."""
    clear = ~insn.imm8 & 0xFF
    return modify(site, insn, lambda c: c.set_flags(c.flags & clear))


def BICFLGS_C_CR_C(site: Site, insn: Instruction) -> Action:
    """Flags AND NOT Xm[63:56]."""
    x, m = site.x, insn.Rm
    return modify(site, insn, lambda c: c.set_flags(c.flags & ~(x[m] >> 56) & 0xFF))


def EORFLGS_C_CI_C(site: Site, insn: Instruction) -> Action:
    """Flags EOR imm8."""
    return modify(site, insn, lambda c: c.set_flags(c.flags ^ insn.imm8))


def EORFLGS_C_CR_C(site: Site, insn: Instruction) -> Action:
    """Flags EOR Xm[63:56]."""
    x, m = site.x, insn.Rm
    return modify(site, insn, lambda c: c.set_flags(c.flags ^ x[m] >> 56))


def ORRFLGS_C_CI_C(site: Site, insn: Instruction) -> Action:
    """Flags OR imm8."""
    return modify(site, insn, lambda c: c.set_flags(c.flags | insn.imm8))


def ORRFLGS_C_CR_C(site: Site, insn: Instruction) -> Action:
    """Flags OR Xm[63:56]."""
    x, m = site.x, insn.Rm
    return modify(site, insn, lambda c: c.set_flags(c.flags | x[m] >> 56))


def SCFLGS_C_CR_C(site: Site, insn: Instruction) -> Action:
    """Flags := Xm[63:56]."""
    x, m = site.x, insn.Rm
    return modify(site, insn, lambda c: c.set_flags(x[m] >> 56))


# --- permissions ---------------------------------------------------------------------------------------


def CLRPERM_C_CR_C(site: Site, insn: Instruction) -> Action:
    """Clear the permissions set in Xm[17:0]."""
    x, m = site.x, insn.Rm
    return modify(site, insn, lambda c: c.clear_permissions(x[m]))


def CLRPERM_C_CI_C(site: Site, insn: Instruction) -> Action:
    """Clear Load (perm bit 2), Store (bit 1), Execute (bit 0)."""
    mask = (
        (Perm.LOAD if insn.perm & 4 else 0)
        | (Perm.STORE if insn.perm & 2 else 0)
        | (Perm.EXECUTE if insn.perm & 1 else 0)
    )
    bits = int(mask)
    return modify(site, insn, lambda c: c.clear_permissions(bits))


# --- bounds --------------------------------------------------------------------------------------------


def SCBNDS_C_CI_C(site: Site, insn: Instruction) -> Action:
    """Bounds [value, value+imm), exact."""
    return modify(site, insn, lambda c: c.set_bounds(insn.imm, True))


def SCBNDS_C_CI_S(site: Site, insn: Instruction) -> Action:
    """Bounds [value, value+imm*16), exact."""
    return modify(site, insn, lambda c: c.set_bounds(insn.imm, True))


def SCBNDS_C_CR_C(site: Site, insn: Instruction) -> Action:
    """Bounds [value, value+Xm), rounded outwards."""
    x, m = site.x, insn.Rm
    return modify(site, insn, lambda c: c.set_bounds(x[m], False))


def SCBNDSE_C_CR_C(site: Site, insn: Instruction) -> Action:
    """Bounds [value, value+Xm), exact."""
    x, m = site.x, insn.Rm
    return modify(site, insn, lambda c: c.set_bounds(x[m], True))


def RRLEN_R_R_C(site: Site, insn: Instruction) -> Action:
    """Xd = Xn rounded up to a representable length."""
    write, x, n = site.write_x(insn.Rd), site.x, insn.Rn
    return lambda: write(representable_length(x[n]))


def RRMASK_R_R_C(site: Site, insn: Instruction) -> Action:
    """Xd = alignment mask for length Xn."""
    write, x, n = site.write_x(insn.Rd), site.x, insn.Rn
    return lambda: write(representable_mask(x[n]))

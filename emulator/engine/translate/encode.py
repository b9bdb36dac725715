"""A64 instruction words, as functions of their operands: just those that translated code is made of.

Register numbers 0..31; every form is the 64-bit one unless its name ends in `_w`. Names are the assembler's.
"""

from __future__ import annotations

from functools import lru_cache

MASK64 = (1 << 64) - 1
XZR = 31


def add(d: int, n: int, m: int, lsl: int = 0) -> int:
    """Xd = Xn + (Xm << lsl)."""
    return 0x8B000000 | m << 16 | lsl << 10 | n << 5 | d


def add_lsr(d: int, n: int, m: int, shift: int) -> int:
    """Xd = Xn + (Xm >> shift)."""
    return 0x8B400000 | m << 16 | shift << 10 | n << 5 | d


def add_extended(d: int, n: int, m: int, option: int, shift: int) -> int:
    """Xd|SP = Xn|SP + (extend(Xm) << shift)."""
    return 0x8B200000 | m << 16 | option << 13 | shift << 10 | n << 5 | d


def sub(d: int, n: int, m: int) -> int:
    """Xd = Xn - Xm."""
    return 0xCB000000 | m << 16 | n << 5 | d


def and_(d: int, n: int, m: int) -> int:
    """Xd = Xn & Xm."""
    return 0x8A000000 | m << 16 | n << 5 | d


def orr(d: int, n: int, m: int, lsl: int = 0) -> int:
    """Xd = Xn | Xm << lsl."""
    return 0xAA000000 | m << 16 | lsl << 10 | n << 5 | d


def orr_lsr(d: int, n: int, m: int, shift: int) -> int:
    """Xd = Xn | Xm >> shift."""
    return 0xAA400000 | m << 16 | shift << 10 | n << 5 | d


def orn(d: int, n: int, m: int, lsl: int = 0) -> int:
    """Xd = Xn | ~(Xm << lsl)."""
    return 0xAA200000 | m << 16 | lsl << 10 | n << 5 | d


def eor(d: int, n: int, m: int) -> int:
    """Xd = Xn ^ Xm."""
    return 0xCA000000 | m << 16 | n << 5 | d


def eor_lsr(d: int, n: int, m: int, shift: int) -> int:
    """Xd = Xn ^ (Xm >> shift)."""
    return 0xCA400000 | m << 16 | shift << 10 | n << 5 | d


def bic(d: int, n: int, m: int) -> int:
    """Xd = Xn & ~Xm."""
    return 0x8A200000 | m << 16 | n << 5 | d


def and_asr(d: int, n: int, m: int, shift: int) -> int:
    """Xd = Xn & (Xm asr shift)."""
    return 0x8A800000 | m << 16 | shift << 10 | n << 5 | d


def bic_asr(d: int, n: int, m: int, shift: int) -> int:
    """Xd = Xn & ~(Xm asr shift)."""
    return 0x8AA00000 | m << 16 | shift << 10 | n << 5 | d


def orr_asr(d: int, n: int, m: int, shift: int) -> int:
    """Xd = Xn | Xm asr shift."""
    return 0xAA800000 | m << 16 | shift << 10 | n << 5 | d


def mov(d: int, m: int) -> int:
    """Xd = Xm (neither is SP)."""
    return orr(d, XZR, m)


def mov_from_sp(d: int) -> int:
    """Xd = SP."""
    return 0x910003E0 | d


def mov_to_sp(n: int) -> int:
    """SP = Xn."""
    return 0x9100001F | n << 5


def add_imm(d: int, n: int, imm: int) -> int:
    """Xd|SP = Xn|SP + imm, -4095 <= imm <= 4095."""
    if imm < 0:
        return 0xD1000000 | -imm << 10 | n << 5 | d
    return 0x91000000 | imm << 10 | n << 5 | d


def sub_imm_lsl12(d: int, n: int, imm: int) -> int:
    """Xd = Xn - (imm << 12)."""
    return 0xD1400000 | imm << 10 | n << 5 | d


@lru_cache(maxsize=4096)
def _bitmask(value: int) -> int:
    """N:immr:imms (bits 22:10 in place) of a logical immediate; ValueError if there is none."""
    for size in (2, 4, 8, 16, 32, 64):
        mask = (1 << size) - 1
        element = value & mask
        if sum(element << i for i in range(0, 64, size)) != value or element in (0, mask):
            continue
        ones = bin(element).count("1")
        run = (1 << ones) - 1
        for rotation in range(size):
            if (run >> rotation | run << size - rotation) & mask == element:
                imms = (~(2 * size - 1) & 0x3F) | ones - 1
                return (size == 64) << 22 | rotation << 16 | (imms & 0x3F) << 10
    raise ValueError(hex(value))


def and_imm(d: int, n: int, value: int) -> int:
    """Xd|SP = Xn & value."""
    return 0x92000000 | _bitmask(value & MASK64) | n << 5 | d


def orr_imm(d: int, n: int, value: int) -> int:
    """Xd|SP = Xn | value."""
    return 0xB2000000 | _bitmask(value & MASK64) | n << 5 | d


def eor_imm(d: int, n: int, value: int) -> int:
    """Xd|SP = Xn ^ value."""
    return 0xD2000000 | _bitmask(value & MASK64) | n << 5 | d


@lru_cache(maxsize=16384)
def mov_imm(d: int, value: int) -> tuple[int, ...]:
    """Xd = a 64-bit constant, in one to four words."""
    value &= MASK64
    parts = [value >> 16 * i & 0xFFFF for i in range(4)]
    words: list[int] = []
    if parts.count(0xFFFF) > parts.count(0):
        for i, part in enumerate(parts):
            if part != 0xFFFF:
                word = 0xF2800000 | part << 5 if words else 0x92800000 | (part ^ 0xFFFF) << 5
                words.append(word | i << 21 | d)
        return tuple(words) or (0x92800000 | d,)
    for i, part in enumerate(parts):
        if part:
            words.append((0xF2800000 if words else 0xD2800000) | i << 21 | part << 5 | d)
    return tuple(words) or (0xD2800000 | d,)


def mov_imm_full(d: int, value: int) -> list[int]:
    """Xd = a 64-bit constant, always in four words (so that it can be patched)."""
    return [
        (0xF2800000 if i else 0xD2800000) | i << 21 | (value >> 16 * i & 0xFFFF) << 5 | d for i in range(4)
    ]


def ubfm(d: int, n: int, immr: int, imms: int) -> int:
    """UBFM."""
    return 0xD3400000 | immr << 16 | imms << 10 | n << 5 | d


def lsl_imm(d: int, n: int, shift: int) -> int:
    """Xd = Xn << shift."""
    return ubfm(d, n, 64 - shift & 63, 63 - shift)


def lsr_imm(d: int, n: int, shift: int) -> int:
    """Xd = Xn >> shift."""
    return ubfm(d, n, shift, 63)


def asr_imm(d: int, n: int, shift: int) -> int:
    """Xd = Xn asr shift."""
    return sbfx(d, n, shift, 64 - shift)


def ubfx(d: int, n: int, low: int, width: int) -> int:
    """Xd = Xn[low +: width]."""
    return ubfm(d, n, low, low + width - 1)


def sbfx(d: int, n: int, low: int, width: int) -> int:
    """Xd = sign-extended Xn[low +: width]."""
    return 0x93400000 | low << 16 | low + width - 1 << 10 | n << 5 | d


def bfi(d: int, n: int, low: int, width: int) -> int:
    """Xd[low +: width] = Xn[0 +: width]."""
    return 0xB3400000 | (64 - low & 63) << 16 | width - 1 << 10 | n << 5 | d


def bfxil(d: int, n: int, low: int, width: int) -> int:
    """Xd[0 +: width] = Xn[low +: width]."""
    return 0xB3400000 | low << 16 | low + width - 1 << 10 | n << 5 | d


def lslv(d: int, n: int, m: int) -> int:
    """Xd = Xn << Xm[5:0]."""
    return 0x9AC02000 | m << 16 | n << 5 | d


def asrv(d: int, n: int, m: int) -> int:
    """Xd = Xn asr Xm[5:0]."""
    return 0x9AC02800 | m << 16 | n << 5 | d


def csel(d: int, n: int, m: int, cond: int) -> int:
    """Xd = cond ? Xn : Xm."""
    return 0x9A800000 | m << 16 | cond << 12 | n << 5 | d


def subs(d: int, n: int, m: int) -> int:
    """Xd = Xn - Xm, NZCV."""
    return 0xEB000000 | m << 16 | n << 5 | d


# --- lanes -------------------------------------------------------------------------------------------------


def get_d(d: int, v: int, i: int) -> int:
    """Xd = Vv.D[i]."""
    return 0x4E083C00 | i << 20 | v << 5 | d


def set_d(v: int, i: int, n: int) -> int:
    """Vv.D[i] = Xn."""
    return 0x4E081C00 | i << 20 | n << 5 | v


def get_b(d: int, v: int, i: int) -> int:
    """Wd = Vv.B[i]."""
    return 0x0E013C00 | i << 17 | v << 5 | d


def set_b(v: int, i: int, n: int) -> int:
    """Vv.B[i] = Wn."""
    return 0x4E011C00 | i << 17 | n << 5 | v


def copy_d(v: int, i: int, w: int, j: int) -> int:
    """Vv.D[i] = Vw.D[j]."""
    return 0x6E080400 | i << 20 | j << 14 | w << 5 | v


def copy_b(v: int, i: int, w: int, j: int) -> int:
    """Vv.B[i] = Vw.B[j]."""
    return 0x6E010400 | i << 17 | j << 11 | w << 5 | v


# --- memory ------------------------------------------------------------------------------------------------


def ldr(t: int, n: int, offset: int = 0) -> int:
    """Xt = [Xn + offset], offset a multiple of 8."""
    return 0xF9400000 | offset >> 3 << 10 | n << 5 | t


def str_(t: int, n: int, offset: int = 0) -> int:
    """[Xn + offset] = Xt."""
    return 0xF9000000 | offset >> 3 << 10 | n << 5 | t


def ldrb(t: int, n: int, offset: int = 0) -> int:
    """Wt = byte [Xn + offset]."""
    return 0x39400000 | offset << 10 | n << 5 | t


def strb(t: int, n: int, offset: int = 0) -> int:
    """Byte [Xn + offset] = Wt."""
    return 0x39000000 | offset << 10 | n << 5 | t


def ldrh(t: int, n: int) -> int:
    """Wt = 2 bytes at Xn."""
    return 0x79400000 | n << 5 | t


def strh(t: int, n: int) -> int:
    """2 bytes at Xn = Wt."""
    return 0x79000000 | n << 5 | t


def ldp(t: int, t2: int, n: int, offset: int = 0) -> int:
    """Xt, Xt2 = [Xn + offset]."""
    return 0xA9400000 | (offset >> 3 & 0x7F) << 15 | t2 << 10 | n << 5 | t


def stp(t: int, t2: int, n: int, offset: int = 0) -> int:
    """[Xn + offset] = Xt, Xt2."""
    return 0xA9000000 | (offset >> 3 & 0x7F) << 15 | t2 << 10 | n << 5 | t


def ldr_q(t: int, n: int, offset: int = 0) -> int:
    """Vt = 16 bytes at Xn + offset, offset a multiple of 16."""
    return 0x3DC00000 | offset >> 4 << 10 | n << 5 | t


def str_q(t: int, n: int, offset: int = 0) -> int:
    """16 bytes at Xn + offset = Vt."""
    return 0x3D800000 | offset >> 4 << 10 | n << 5 | t


# --- control -----------------------------------------------------------------------------------------------

NOP = 0xD503201F


def b(distance: int) -> int:
    """Branch by bytes."""
    return 0x14000000 | distance >> 2 & 0x3FFFFFF


def cbz(t: int, distance: int) -> int:
    """Branch if Xt is 0."""
    return 0xB4000000 | (distance >> 2 & 0x7FFFF) << 5 | t


def cbnz(t: int, distance: int) -> int:
    """Branch if Xt is not 0."""
    return 0xB5000000 | (distance >> 2 & 0x7FFFF) << 5 | t


def tbnz63(t: int, distance: int) -> int:
    """Branch if Xt is negative."""
    return 0xB7F80000 | (distance >> 2 & 0x3FFF) << 5 | t


def ret(n: int) -> int:
    """Go to Xn."""
    return 0xD65F0000 | n << 5


def adr(d: int) -> int:
    """Xd = address of this word plus a distance (see `retarget`)."""
    return 0x10000000 | d


def retarget(word: int, distance: int) -> int | None:
    """The same direct branch or ADR with another distance in bytes, or None when it doesn't reach."""
    if word & 0x9F000000 == 0x10000000:
        return word & 31 | 0x10000000 | (distance >> 2 & 0x7FFFF) << 5 if abs(distance) < 1 << 20 else None
    if word & 0x7C000000 == 0x14000000:
        return word & ~0x3FFFFFF | distance >> 2 & 0x3FFFFFF if abs(distance) < 1 << 27 else None
    if word & 0x7E000000 == 0x36000000:
        return word & ~(0x3FFF << 5) | (distance >> 2 & 0x3FFF) << 5 if abs(distance) < 1 << 15 else None
    return word & ~(0x7FFFF << 5) | (distance >> 2 & 0x7FFFF) << 5 if abs(distance) < 1 << 20 else None


MRS_NZCV, MSR_NZCV = 0xD53B4200, 0xD51B4200
MRS_FPSR, MSR_FPSR = 0xD53B4420, 0xD51B4420
MSR_FPCR = 0xD51B4400

"""Capability arithmetic as straight A64 without flags: decoding a window, the exact tag of CapAdd."""

from __future__ import annotations

from functools import lru_cache

from emulator.engine.translate.encode import (
    XZR,
    add,
    add_imm,
    and_,
    and_imm,
    asr_imm,
    asrv,
    bfxil,
    bic,
    eor,
    eor_imm,
    lsl_imm,
    lslv,
    lsr_imm,
    mov_imm,
    orn,
    orr,
    orr_imm,
    orr_lsr,
    sbfx,
    sub,
    sub_imm_lsl12,
    ubfx,
)
from emulator.engine.translate.layout import BAD, HIGH, LOW, META, TEMP, TEMP2
from morello_isa.capability import CAP_MAX

SEALED_FIELD = 0x7FFF << 31
_ROOT_BOUNDS = CAP_MAX.hi & (1 << 31) - 1


def _inverted_exponent(meta: int, out: int, scratch: int) -> list[int]:
    """Low six bits of `out` := the exponent E (the rest is noise); `scratch` := ones if E isn't stored."""
    return [
        sbfx(scratch, meta, 30, 1),
        lsr_imm(out, meta, 13),
        bfxil(out, meta, 0, 3),
        orr(out, out, scratch),
        orn(out, XZR, out),
    ]


@lru_cache(maxsize=64)
def decode_window(value: int, roots: bool) -> tuple[int, ...]:
    """`_decode_window`, and with `roots` also capabilities with the bounds of CAP_MAX: all of the half of the
    address space that their value is in."""
    return _decode_window(value) + (_root_window(value) if roots else ())


def _root_window(value: int) -> tuple[int, ...]:
    """Replace what `_decode_window` found if META has the bounds of CAP_MAX."""
    t, u = TEMP, TEMP2
    return (
        *mov_imm(t, _ROOT_BOUNDS),
        eor(t, t, META),
        ubfx(t, t, 0, 31),
        add_imm(t, t, -1),
        asr_imm(t, t, 63),  # ones: a root
        sbfx(u, value, 55, 1),
        bic(LOW, LOW, t),
        lsl_imm(u, u, 55),
        and_(u, u, t),
        orr(LOW, LOW, u),
        bic(HIGH, HIGH, t),
        orr(HIGH, HIGH, u),
        and_imm(u, t, 1 << 55),
        add(HIGH, HIGH, u),
        bic(BAD, BAD, t),
        eor(u, LOW, value),  # not canonical
        lsr_imm(u, u, 55),
        sub(u, XZR, u),
        and_(u, u, t),
        orr(BAD, BAD, u),
        and_imm(u, META, SEALED_FIELD),
        sub(u, XZR, u),
        orr(BAD, BAD, u),
        orn(BAD, BAD, META),  # no Load
    )


def _decode_window(value: int) -> tuple[int, ...]:
    """LOW, HIGH := bounds of the capability {META, host register `value`}; bit 63 of BAD tells that they are
    of no use: no Load, sealed, exponent from 48 on, the value outside, a window not canonical, flags set.

    Changes TEMP and TEMP2, keeps META. If it isn't bad, every value in [LOW, HIGH] is representable.
    """
    lo, hi, bad, e, t = LOW, HIGH, BAD, TEMP, TEMP2
    return (
        *_inverted_exponent(META, e, bad),
        orr_imm(bad, bad, 0xFFF8FFF8FFF8FFF8),
        and_(lo, META, bad),
        ubfx(t, lo, 16, 14),
        sub(t, t, lo),
        and_imm(t, t, 0x3FFF),
        and_imm(bad, META, 0x40000000),
        eor_imm(bad, bad, 0x40000000),
        orr_lsr(t, t, bad, 16),
        sbfx(hi, value, 0, 56),
        asrv(hi, hi, e),
        sub(bad, hi, lo),
        and_imm(lo, bad, 0xFFFF),
        sub(hi, hi, lo),
        lslv(lo, hi, e),
        add(hi, hi, t),
        lslv(hi, hi, e),
        lsl_imm(bad, bad, 48),
        orn(bad, bad, META),
        and_imm(e, e, 63),
        add_imm(e, e, -48),
        orn(bad, bad, e),
        eor(e, lo, hi),
        eor(t, lo, value),
        orr(e, e, t),
        lsr_imm(e, e, 55),
        and_imm(t, META, SEALED_FIELD),
        orr(e, e, t),
        sub(e, XZR, e),
        orr(bad, bad, e),
    )


@lru_cache(maxsize=1024)
def add_verdict(value: int, increment: int) -> tuple[int, ...]:
    """Bit 63 of LOW := CapAdd({META, Xvalue}, Xincrement) clears the tag, sealed sources included.

    Changes HIGH, TEMP, TEMP2. `value` and `increment` are host registers other than those.
    """
    r, u, e, t = LOW, HIGH, TEMP, TEMP2
    return (
        *_inverted_exponent(META, e, t),
        and_imm(e, e, 63),
        sbfx(t, value, 0, 56),
        asrv(t, t, e),
        and_imm(u, META, 0xE000),
        sub_imm_lsl12(u, u, 2),
        sub(u, u, t),
        add_imm(u, u, -1),
        and_imm(u, u, 0xFFFF),
        sbfx(t, increment, 0, 56),
        asrv(t, t, e),
        sub(u, u, t),
        *mov_imm(r, 0xFFFF),
        sub(r, r, u),
        add_imm(u, u, -1),
        orr(r, r, u),
        add(t, value, increment),
        eor(t, t, value),
        orr(r, r, t, 8),
        add_imm(t, e, -48),
        and_(r, r, t),
        add_imm(t, e, -51),
        *mov_imm(u, 62),
        sub(u, u, e),
        orr(t, t, u),
        orn(r, r, t),
        and_imm(t, META, SEALED_FIELD),
        sub(t, XZR, t),
        orr(r, r, t),
    )

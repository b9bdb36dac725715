"""Evaluation of IR operations on constants, exactly as the instructions compute them."""

from __future__ import annotations

from guest.cc.ir import BinOp, Cond, Ty, UnOp

BITS = {Ty.I32: 32, Ty.I64: 64}


def wrap(value: int, bits: int) -> int:
    """`value` as a signed number of `bits` bits: the form constants are held in."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def unsigned(value: int, bits: int) -> int:
    return value & ((1 << bits) - 1)


def binary(op: BinOp, a: int, b: int, bits: int) -> int | None:
    """Result of an integer operation; None if it is not one. Division by zero gives 0 as on A64."""
    ua, ub = unsigned(a, bits), unsigned(b, bits)
    sa, sb = wrap(a, bits), wrap(b, bits)
    shift = ub & (bits - 1)
    table = {
        BinOp.ADD: lambda: sa + sb,
        BinOp.SUB: lambda: sa - sb,
        BinOp.MUL: lambda: sa * sb,
        BinOp.SDIV: lambda: _truncated(sa, sb),
        BinOp.UDIV: lambda: ua // ub if ub else 0,
        BinOp.SREM: lambda: sa - _truncated(sa, sb) * sb,
        BinOp.UREM: lambda: ua % ub if ub else ua,
        BinOp.AND: lambda: ua & ub,
        BinOp.OR: lambda: ua | ub,
        BinOp.XOR: lambda: ua ^ ub,
        BinOp.SHL: lambda: ua << shift,
        BinOp.LSHR: lambda: ua >> shift,
        BinOp.ASHR: lambda: sa >> shift,
        BinOp.UMULH: lambda: (ua * ub) >> bits,
        BinOp.SMULH: lambda: (sa * sb) >> bits,
    }
    function = table.get(op)
    return None if function is None else wrap(function(), bits)


def _truncated(a: int, b: int) -> int:
    if b == 0:
        return 0
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def unary(op: UnOp, a: int, source: Ty, target: Ty) -> int | None:
    """Result of an integer operation on a constant, None if it is not one."""
    bits = BITS.get(source, 64)
    ua = unsigned(a, bits)
    table = {
        UnOp.COPY: lambda: a,
        UnOp.TRUNC: lambda: a,
        UnOp.NEG: lambda: -a,
        UnOp.NOT: lambda: ~a,
        UnOp.SEXT8: lambda: wrap(a, 8),
        UnOp.SEXT16: lambda: wrap(a, 16),
        UnOp.SEXT32: lambda: wrap(a, 32),
        UnOp.ZEXT8: lambda: a & 0xFF,
        UnOp.ZEXT16: lambda: a & 0xFFFF,
        UnOp.ZEXT32: lambda: a & 0xFFFFFFFF,
        UnOp.CLZ: lambda: bits - ua.bit_length(),
        UnOp.CTZ: lambda: (ua & -ua).bit_length() - 1 if ua else bits,
        UnOp.POPCOUNT: lambda: ua.bit_count(),
        UnOp.BSWAP: lambda: int.from_bytes(ua.to_bytes(bits // 8, "little"), "big"),
        UnOp.RBIT: lambda: int(f"{ua:0{bits}b}"[::-1], 2),
    }
    function = table.get(op)
    if function is None or source not in BITS or target not in BITS:
        return None
    return wrap(function(), BITS[target])


def condition(cond: Cond, a: int, b: int, bits: int) -> bool | None:
    """Truth of an integer comparison, None for the others."""
    ua, ub = unsigned(a, bits), unsigned(b, bits)
    sa, sb = wrap(a, bits), wrap(b, bits)
    return {
        Cond.EQ: ua == ub,
        Cond.NE: ua != ub,
        Cond.SLT: sa < sb,
        Cond.SLE: sa <= sb,
        Cond.SGT: sa > sb,
        Cond.SGE: sa >= sb,
        Cond.ULT: ua < ub,
        Cond.ULE: ua <= ub,
        Cond.UGT: ua > ub,
        Cond.UGE: ua >= ub,
    }.get(cond)


INVERSE = {
    Cond.EQ: Cond.NE,
    Cond.SLT: Cond.SGE,
    Cond.SGT: Cond.SLE,
    Cond.ULT: Cond.UGE,
    Cond.UGT: Cond.ULE,
    Cond.FEQ: Cond.FNE,
    Cond.CAP_EXACT_EQ: Cond.CAP_EXACT_NE,
}
INVERSE.update({v: k for k, v in INVERSE.items()})

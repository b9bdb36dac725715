"""Multiplication, division and remainder by constants without MUL or DIV where that is shorter."""

from __future__ import annotations

from collections.abc import Callable

from guest.cc import ir
from guest.cc.backend.passes.fold import unsigned, wrap
from guest.cc.ir import BinOp, Imm, VReg

Emit = Callable[[BinOp, "ir.Operand", "ir.Operand"], VReg]


def multiply(emit: Emit, x: VReg, factor: int, bits: int) -> tuple[BinOp, ir.Operand, ir.Operand] | None:
    """x * factor as one operation on x and at most one shift of x: (op, a, b)."""
    f = unsigned(factor, bits)
    if f & (f - 1) == 0:
        return BinOp.SHL, x, Imm(f.bit_length() - 1)
    if (f - 1) & (f - 2) == 0:
        return BinOp.ADD, x, emit(BinOp.SHL, x, Imm((f - 1).bit_length() - 1))
    if (f + 1) & f == 0:
        return BinOp.SUB, emit(BinOp.SHL, x, Imm((f + 1).bit_length() - 1)), x
    return None


def divide_unsigned(emit: Emit, x: VReg, divisor: int, bits: int) -> tuple[BinOp, ir.Operand, ir.Operand]:
    """x / divisor for divisor > 1 that is not a power of two, by the high half of a product.

    Granlund and Montgomery: with l = ceil(log2 d) and m = floor(2^N (2^l - d) / d) + 1,
    q = (t + ((x - t) >> 1)) >> (l - 1) where t = high(m x); the short form when 2^N <= m' fits.
    """
    d = unsigned(divisor, bits)
    trailing = (d & -d).bit_length() - 1
    for before in (0, trailing):
        odd = d >> before
        found = _unsigned_magic(odd, bits, bits - before)
        if found is not None:
            magic, shift = found
            shifted = emit(BinOp.LSHR, x, Imm(before)) if before else x
            return BinOp.LSHR, emit(BinOp.UMULH, shifted, Imm(wrap(magic, bits))), Imm(shift)
    length = (d - 1).bit_length()
    magic = ((((1 << length) - d) << bits) // d) + 1
    high = emit(BinOp.UMULH, x, Imm(wrap(magic, bits)))
    half = emit(BinOp.LSHR, emit(BinOp.SUB, x, high), Imm(1))
    return BinOp.LSHR, emit(BinOp.ADD, half, high), Imm(length - 1)


def _unsigned_magic(divisor: int, bits: int, available: int) -> tuple[int, int] | None:
    """(multiplier below 2^bits, shift), exact for dividends of `available` bits, if there is one."""
    for shift in range(divisor.bit_length() + 1):
        magic = ((1 << (bits + shift)) + divisor - 1) // divisor
        error = magic * divisor - (1 << (bits + shift))
        if magic < 1 << bits and error <= 1 << (bits + shift - available):
            return magic, shift
    return None


def divide_signed(emit: Emit, x: VReg, divisor: int, bits: int) -> tuple[BinOp, ir.Operand, ir.Operand]:
    """x / divisor, truncated, for |divisor| > 1."""
    d = wrap(divisor, bits)
    size = abs(d)
    if size & (size - 1) == 0:
        k = size.bit_length() - 1
        sign = emit(BinOp.ASHR, x, Imm(bits - 1)) if k > 1 else x
        bias = emit(BinOp.LSHR, sign, Imm(bits - k))
        biased = emit(BinOp.ADD, x, bias)
        if d > 0:
            return BinOp.ASHR, biased, Imm(k)
        return BinOp.SUB, Imm(0), emit(BinOp.ASHR, biased, Imm(k))
    magic, shift = signed_magic(size, bits)
    high: ir.Operand = emit(BinOp.SMULH, x, Imm(wrap(magic, bits)))
    if wrap(magic, bits) < 0:
        high = emit(BinOp.ADD, high, x)
    quotient = emit(BinOp.ASHR, high, Imm(shift)) if shift else high
    sign = emit(BinOp.LSHR, x, Imm(bits - 1))
    if d < 0:
        return BinOp.SUB, Imm(0), emit(BinOp.ADD, quotient, sign)
    return BinOp.ADD, quotient, sign


def signed_magic(size: int, bits: int) -> tuple[int, int]:
    """(multiplier, shift) such that trunc(x / size) = (high(m x) >> shift) + (x < 0)."""
    for shift in range(bits):
        magic = (1 << (bits + shift)) // size + 1
        # Exact for all |x| < 2^(bits-1) when the error stays below one part in 2^(bits-1).
        if magic * size - (1 << (bits + shift)) <= 1 << (shift + 1) and magic < 1 << bits:
            return magic, shift
    raise AssertionError(size)


def remainder_power_of_two(emit: Emit, x: VReg, size: int, bits: int) -> tuple[BinOp, ir.Operand, ir.Operand]:
    """x % size, signed, for a power of two: x - ((x + bias) & -size)."""
    k = size.bit_length() - 1
    sign = emit(BinOp.ASHR, x, Imm(bits - 1)) if k > 1 else x
    bias = emit(BinOp.LSHR, sign, Imm(bits - k))
    rounded = emit(BinOp.AND, emit(BinOp.ADD, x, bias), Imm(-size))
    return BinOp.SUB, x, rounded

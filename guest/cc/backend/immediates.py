"""Which constants fit which A64 immediate field, and how to build the others."""

from __future__ import annotations

import struct
from functools import lru_cache

from morello_isa.capability import representable_length, representable_mask

M64 = (1 << 64) - 1


def is_add_immediate(value: int) -> bool:
    """ADD/SUB (immediate), SUBS: 12 bits, optionally shifted by 12."""
    return 0 <= value < 0x1000 or (value & 0xFFF == 0 and 0 <= value < 0x1000000)


@lru_cache(maxsize=4096)
def is_logical_immediate(value: int, bits: int) -> bool:
    """AND/ORR/EOR/TST (immediate): a rotated run of ones, replicated (DecodeBitMasks)."""
    value &= (1 << bits) - 1
    if value in (0, (1 << bits) - 1):
        return False
    size = bits
    while size > 2:
        half = size // 2
        mask = (1 << half) - 1
        if value & mask != (value >> half) & mask:
            break
        value &= mask
        size = half
    mask = (1 << size) - 1
    value &= mask
    transitions = value ^ (((value >> 1) | (value << (size - 1))) & mask)
    return transitions.bit_count() == 2


def move_sequence(value: int, bits: int) -> list[tuple[str, int, int]]:
    """Cheapest instructions that put `value` into a register: (mnemonic, immediate, shift) steps.

    The first step is movz, movn or orr (logical immediate from the zero register), the others movk.
    """
    value &= (1 << bits) - 1
    chunks = [(value >> shift) & 0xFFFF for shift in range(0, bits, 16)]
    zeros = sum(c == 0 for c in chunks)
    ones = sum(c == 0xFFFF for c in chunks)
    count = len(chunks)
    if max(zeros, ones) < count - 1 and is_logical_immediate(value, bits):
        return [("orr", value, 0)]
    skip = 0xFFFF if ones > zeros else 0
    wanted = [(c, 16 * n) for n, c in enumerate(chunks) if c != skip]
    if not wanted:
        return [("movn" if skip else "movz", 0, 0)]
    first, shift = wanted[0]
    steps = [("movn", first ^ 0xFFFF, shift)] if skip else [("movz", first, shift)]
    return steps + [("movk", c, s) for c, s in wanted[1:]]


def is_fmov_immediate(bits: int, double: bool) -> bool:
    """FMOV (scalar, immediate): sign, 3-bit exponent, 4-bit fraction (VFPExpandImm)."""
    if double:
        if bits & ((1 << 48) - 1):
            return False
        exponent = (bits >> 54) & 0x1FF
        return exponent in (0x100, 0x0FF)
    if bits & ((1 << 19) - 1):
        return False
    exponent = (bits >> 25) & 0x3F
    return exponent in (0x20, 0x1F)


def float_text(bits: int, double: bool) -> str:
    """The decimal spelling of an FMOV immediate."""
    raw = bits.to_bytes(8 if double else 4, "little")
    return f"{struct.unpack('<d' if double else '<f', raw)[0]:.8f}"


def set_bounds_immediate(length: int) -> str | None:
    """SCBNDS (immediate) operand text for `length` bytes, or None when a register is needed."""
    if 0 <= length < 64:
        return f"#{length}"
    if length % 16 == 0 and length < 1024:
        return f"#{length // 16}, lsl #4"
    return None


def object_alignment(size: int, align: int) -> tuple[int, int]:
    """(size, align) of an object such that its bounds are exact: padded and over-aligned."""
    step = (representable_mask(size) ^ M64) + 1
    return representable_length(size), max(align, step)

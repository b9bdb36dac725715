"""Immediates with an encoding of their own: bitmask (logical) and 8-bit floating point."""

from __future__ import annotations

import struct
from functools import lru_cache


@lru_cache(maxsize=4096)
def encode_bitmask(value: int, width: int) -> int | None:
    """N:immr:imms (13 bits) of a logical immediate of `width` 32 or 64 bits, or None if not encodable."""
    mask = (1 << width) - 1
    if value < 0:
        value &= mask
    if value in (0, mask) or value > mask:
        return None
    size = width
    while size > 2:
        half = size >> 1
        low = value & (1 << half) - 1
        if low != value >> half & (1 << half) - 1:
            break
        size, value = half, low
    element = value & (1 << size) - 1
    ones = element.bit_count() if hasattr(element, "bit_count") else bin(element).count("1")
    run = (1 << ones) - 1
    for rotation in range(size):
        rotated = (run >> rotation | run << size - rotation) & (1 << size) - 1
        if rotated == element:
            imms = (~(size - 1) << 1 & 0x3F) | (ones - 1)
            return (1 << 12 if size == 64 else 0) | rotation << 6 | imms & 0x3F
    return None


def encode_float8(value: float) -> int | None:
    """The 8-bit immediate of FMOV for this number, or None if there is none."""
    bits = int.from_bytes(struct.pack("<d", value), "little")
    if bits & (1 << 48) - 1:
        return None
    exponent = bits >> 52 & 0x7FF
    if exponent >> 2 not in (0x0FF, 0x100):
        return None
    return bits >> 56 & 0x80 | (~exponent >> 4 & 0x40) | (exponent & 3) << 4 | bits >> 48 & 0xF

"""Writes tests/vectors/capability.tsv: capabilities and the results of the CHERI arithmetic on them.

The expected columns are computed here by a second, deliberately plain model that works on 129-bit integers
bit by bit (no caching, no shortcuts), so that the vectors check morello_isa.capability and not themselves.
Run it from the top of the repository: python tests/isa/make_capability_vectors.py
"""

from __future__ import annotations

import random
from pathlib import Path

VECTORS = Path(__file__).parent.parent / "vectors" / "capability.tsv"
COLUMNS = (
    "hi", "value", "base", "limit", "valid", "length", "bounds_tag", "bounds_hi", "exact_tag",
    "new_value", "precise", "fast", "set_value_tag", "add_tag", "mask",
)  # fmt: skip
M64 = (1 << 64) - 1


def field(number: int, high: int, low: int) -> int:
    return (number >> low) & ((1 << (high - low + 1)) - 1)


def sx56(number: int) -> int:
    low = field(number, 55, 0)
    return low + (0xFF << 56 if field(low, 55, 55) else 0)


def decode(hi: int, value: int) -> tuple[int, int, bool, int]:
    internal = field(hi, 30, 30) == 0
    exponent = 63 - (field(hi, 18, 16) * 8 + field(hi, 2, 0)) if internal else 0
    bottom, t = field(hi, 15, 0), field(hi, 29, 16)
    if internal:
        bottom -= bottom % 8
        t -= t % 8
    high = (field(bottom, 15, 14) + (1 if internal else 0) + (1 if t < field(bottom, 13, 0) else 0)) % 4
    top = high * 0x4000 + t
    if exponent == 63:
        return 0, 1 << 64, True, exponent
    if exponent > 50:
        return 0, 1 << 64, False, exponent
    address = sx56(value)
    edge = (field(bottom, 15, 13) - 1) % 8
    a_hi = int(field(address, exponent + 15, exponent + 13) < edge)
    b_hi = int(field(bottom, 15, 13) < edge)
    t_hi = int(field(top, 15, 13) < edge)
    if exponent < 50:
        above = address >> (exponent + 16)
        size = 1 << (50 - exponent)
        base = ((above + b_hi - a_hi) % size << (exponent + 16)) + (bottom << exponent)
        limit = ((above + t_hi - a_hi) % size << (exponent + 16)) + (top << exponent)
    else:
        base, limit = (bottom << 50) % (1 << 66), (top << 50) % (1 << 66)
    if exponent < 49 and (field(limit, 64, 63) - field(base, 63, 63)) % 4 > 1:
        limit ^= 1 << 64
    return field(base, 63, 0), field(limit, 64, 0), True, exponent


def set_bounds(hi: int, value: int, length: int) -> tuple[int, bool, bool]:
    old_base, old_limit, valid, old_exponent = decode(hi, value)
    exponent = 50
    while exponent and not field(length, exponent + 14, exponent + 14):
        exponent -= 1
    internal = exponent != 0 or field(length, 14, 14) == 1
    start = sx56(value) if old_exponent < 48 else value
    end = (start + length) % (1 << 66)
    lost_bottom = lost_top = False
    if internal:
        b, t = field(start, exponent + 15, exponent + 3), field(end, exponent + 15, exponent + 3)
        lost_bottom = field(start, exponent + 2, 0) != 0
        lost_top = field(end, exponent + 2, 0) != 0
        t = (t + lost_top) % 0x2000
        if field((t - b) % 0x2000, 12, 12):
            lost_bottom, lost_top = lost_bottom or b % 2 == 1, lost_top or t % 2 == 1
            b, t = field(start, exponent + 16, exponent + 4), field(end, exponent + 16, exponent + 4)
            t = (t + lost_top) % 0x2000
            exponent += 1
        b, t = b << 3, t << 3
        b += field(63 - exponent, 2, 0)
        t += field(63 - exponent, 5, 3)
        exponent_out = exponent
    else:
        b, t, exponent_out = field(start, 15, 0), field(end, 13, 0), 0
    new_hi = (hi >> 31 << 31) + ((0 if internal else 1) << 30) + (field(t, 13, 0) << 16) + b
    tag = valid and field(start, 64, 0) >= old_base and field(end, 64, 0) <= old_limit
    if old_exponent >= 48 and exponent_out < 48 and sx56(value) != value:
        tag = False
    return new_hi, tag, not (lost_bottom or lost_top)


def fast(hi: int, value: int, increment: int) -> bool:
    exponent = decode(hi, value)[3]
    if exponent >= 48:
        return True
    address, step = sx56(value), sx56(increment)
    signed = step - (1 << 64) if step >> 63 else step
    middle, here = field(step, exponent + 15, exponent), field(address, exponent + 15, exponent)
    edge = (field(hi, 15, 13) - 1) % 8 * 0x2000
    room = (edge - here) % 0x10000
    if signed >> (exponent + 16) == 0:
        return middle < (room - 1) % 0x10000
    return signed >> (exponent + 16) == -1 and middle >= room and edge != here


def row(hi: int, value: int, length: int, new_value: int) -> list[int]:
    base, limit, valid, exponent = decode(hi, value)
    bounds_hi, tag, is_exact = set_bounds(hi, value, length)
    precise = valid and decode(hi, new_value)[2] and decode(hi, new_value)[:2] == (base, limit)
    flips = exponent < 48 and field(value ^ new_value, 55, 55) == 1
    is_fast = fast(hi, value, (new_value - value) % (1 << 64))
    length64 = length & M64
    probe_hi = set_bounds(0, M64 - length64, length64)[0]
    probe_exponent = 63 - (field(probe_hi, 18, 16) * 8 + field(probe_hi, 2, 0))
    mask = M64 if field(probe_hi, 30, 30) else (M64 << (probe_exponent + 3)) & M64
    return [
        hi, value, base, limit, valid, length, tag, bounds_hi, tag and is_exact, new_value, precise,
        is_fast, precise and not flips, is_fast and not flips and not 51 <= exponent <= 62, mask,
    ]  # fmt: skip


def cases(count: int) -> list[tuple[int, int, int, int]]:
    source = random.Random(20211)
    found = []
    for number in range(count):
        value = source.getrandbits(64) if number % 3 == 0 else source.getrandbits(source.randint(4, 56))
        length = source.getrandbits(source.randint(0, 64)) + (source.random() < 0.02)
        hi = 0x3FFFF << 46 | source.getrandbits(15) << 31 * (number % 5 == 0) | source.getrandbits(31)
        if number % 4 != 0:
            start = value - value % (1 << source.randint(0, 40))
            hi = set_bounds(0xFFFFC00000010005, start, source.getrandbits(source.randint(0, 60)))[0]
        hi &= M64
        exponent = min(decode(hi, value)[3], 50)
        distance = source.getrandbits(source.randint(1, exponent + 14)) - (
            1 << source.randint(0, exponent + 8)
        )
        found.append((hi, value, length, (value + distance) & M64))
    return found


def main() -> None:
    lines = ["\t".join(COLUMNS)]
    lines += ["\t".join(f"{int(number):x}" for number in row(*case)) for case in cases(800)]
    VECTORS.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

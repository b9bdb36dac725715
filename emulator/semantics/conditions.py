"""NZCV: condition codes and flag results."""

from __future__ import annotations


def _holds(cond: int, nzcv: int) -> bool:
    n, z, c, v = nzcv >> 3 & 1, nzcv >> 2 & 1, nzcv >> 1 & 1, nzcv & 1
    result = (z, c, n, v, int(c and not z), int(n == v), int(n == v and not z), 1)[cond >> 1]
    return bool(result) if not cond & 1 or cond == 15 else not result


# CONDITIONS[cond][nzcv] (Sail: ConditionHolds)
CONDITIONS = tuple(tuple(_holds(cond, nzcv) for nzcv in range(16)) for cond in range(16))
N, Z, C, V = 8, 4, 2, 1


def subtract_flags(left: int, right: int, bits: int) -> tuple[int, int]:
    """(left - right mod 2^bits, NZCV) as AddWithCarry(left, NOT right, 1)."""
    mask = (1 << bits) - 1
    result = left - right & mask
    sign = 1 << bits - 1
    flags = N if result & sign else 0
    flags |= Z if result == 0 else 0
    flags |= C if left >= right else 0
    flags |= V if (left ^ right) & (left ^ result) & sign else 0
    return result, flags

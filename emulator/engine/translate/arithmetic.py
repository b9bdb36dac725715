"""Words of arithmetic: the fields that name X registers (renamed where evicted), the V registers named."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=65536)
def register_fields(word: int) -> tuple[int, ...]:
    """Positions (lowest bit) of the fields of an integer data-processing word that name X registers."""
    if word >> 25 & 0xE == 8:
        kind = word >> 23 & 7
        return (0,) if kind == 5 else (0, 5, 16) if kind == 7 else (0, 5)
    if not word >> 28 & 1:
        return 0, 5, 16
    kind = word >> 21 & 15
    if kind & 8:
        return 0, 5, 16, 10
    if kind == 2:  # conditional compare: register or 5-bit immediate
        return (5,) if word >> 11 & 1 else (5, 16)
    if kind == 6:  # 1 source: bits 20:16 are part of the operation
        return (0, 5) if word >> 30 & 1 else (0, 5, 16)
    if kind == 0 and word >> 10 & 0x1F:  # RMIF, SETF
        return (5,)
    return 0, 5, 16


@lru_cache(maxsize=65536)
def named_vectors(word: int) -> frozenset[int]:
    """Every V register that a SIMD or floating-point word may name, and perhaps a few more."""
    d, n, a, m = word & 31, word >> 5 & 31, word >> 10 & 31, word >> 16 & 31
    if word & 0x5F000000 == 0x1F000000 or word >> 24 == 0xCE:
        return frozenset((d, n, m, a))
    if word & 0xBF208C00 == 0x0E000000:  # TBL, TBX: up to four registers in a row
        return frozenset((d, n, m, n + 1 & 31, n + 2 & 31, n + 3 & 31))
    if word & 0x9F000400 == 0x0F000000 or word & 0xDF000400 == 0x5F000000:
        return frozenset((d, n, m, m & 15))  # by element: Rm of 16-bit elements has 4 bits
    return frozenset((d, n, m))

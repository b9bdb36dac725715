"""Which registers a word of pure arithmetic names: enough to carry it to the arithmetic host and back.

The answer is generous with reads (a field that isn't a register number may be listed: loading a register
too many does no harm) and exact with writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Operands:
    """Register numbers 0..30 (X), 0..31 (V); `flags`: NZCV is read or written; `floating`: FPCR, FPSR are."""

    x_reads: frozenset[int] = frozenset()
    x_writes: frozenset[int] = frozenset()
    v_reads: frozenset[int] = frozenset()
    v_writes: frozenset[int] = frozenset()
    sp_read: bool = False
    sp_write: bool = False
    flags: bool = False
    floating: bool = False

    def __or__(self, other: Operands) -> Operands:
        """Operands of two words in a row."""
        return Operands(
            self.x_reads | other.x_reads | self.x_writes | other.x_writes,
            self.x_writes | other.x_writes,
            self.v_reads | other.v_reads,
            self.v_writes | other.v_writes,
            self.sp_read or other.sp_read,
            self.sp_write or other.sp_write,
            self.flags or other.flags,
            self.floating or other.floating,
        )


def _numbers(*numbers: int) -> frozenset[int]:
    return frozenset(n for n in numbers if n != 31)


@lru_cache(maxsize=65536)
def arithmetic_operands(word: int) -> Operands | None:
    """Operands of a data-processing word; None when it isn't one."""
    group = word >> 25 & 0xF
    if group in (8, 9):
        return _immediate(word)
    if group in (5, 13):
        return _register(word)
    if group in (7, 15):
        return _vector(word)
    return None


def _immediate(word: int) -> Operands | None:
    d, n, m = word & 31, word >> 5 & 31, word >> 16 & 31
    kind = word >> 23 & 7
    if kind in (0, 1):  # PC-relative
        return None
    if kind in (2, 3):  # add, subtract (kind 3: with tags, unallocated)
        sets_flags = bool(word >> 29 & 1)
        return Operands(
            _numbers(n),
            _numbers(d),
            sp_read=n == 31,
            sp_write=d == 31 and not sets_flags,
            flags=sets_flags,
        )
    if kind == 4:  # logical
        sets_flags = word >> 29 & 3 == 3
        return Operands(_numbers(n), _numbers(d), sp_write=d == 31 and not sets_flags, flags=sets_flags)
    if kind == 5:  # move wide
        return Operands(_numbers(d), _numbers(d))
    if kind == 6:  # bitfield
        return Operands(_numbers(n, d), _numbers(d))
    return Operands(_numbers(n, m), _numbers(d))  # extract


def _register(word: int) -> Operands:
    d, n, a, m = word & 31, word >> 5 & 31, word >> 10 & 31, word >> 16 & 31
    if word >> 28 & 1:  # 3 source, 2 source, 1 source, conditional, with carry
        kind = word >> 21 & 15
        if kind & 8:
            return Operands(_numbers(n, m, a), _numbers(d))
        if kind == 2:  # conditional compare: no result
            return Operands(_numbers(n, m), frozenset(), flags=True)
        if kind == 6:  # 1 or 2 source
            return Operands(_numbers(n, m), _numbers(d))
        flag_moves = kind == 0 and word >> 10 & 0x1F  # RMIF, SETF: flags only
        return Operands(_numbers(n, m), frozenset() if flag_moves else _numbers(d), flags=True)
    if not word >> 24 & 1:  # logical, shifted
        return Operands(_numbers(n, m), _numbers(d), flags=word >> 29 & 3 == 3)
    sets_flags = bool(word >> 29 & 1)
    if word >> 21 & 1:  # add, subtract, extended: SP
        return Operands(
            _numbers(n, m),
            _numbers(d),
            sp_read=n == 31,
            sp_write=d == 31 and not sets_flags,
            flags=sets_flags,
        )
    return Operands(_numbers(n, m), _numbers(d), flags=sets_flags)


def _vector(word: int) -> Operands:
    d, n, a, m = word & 31, word >> 5 & 31, word >> 10 & 31, word >> 16 & 31
    flags = False
    x_reads: frozenset[int] = frozenset()
    x_writes: frozenset[int] = frozenset()
    v_writes = frozenset((d,))
    # Rm of 16-bit elements has 4 bits; TBL reads up to four registers in a row.
    v_reads = frozenset((d, n, m, m & 15, a, n + 1 & 31, n + 2 & 31, n + 3 & 31))
    if word & 0x5F200000 == 0x1E200000:  # scalar floating point
        low = word >> 10 & 0x3F
        if low == 0:  # conversions between integer and floating point
            opcode = word >> 16 & 7
            to_integer = opcode in (0, 1, 4, 5) or opcode == 6
            x_reads = _numbers(n)
            if to_integer:
                x_writes, v_writes = _numbers(d), frozenset()
        elif word >> 10 & 15 == 8 or word >> 10 & 3 == 1:  # compare
            v_writes, flags = frozenset(), True
        elif word >> 10 & 3 == 3:  # conditional select
            flags = True
    elif word & 0x5F200000 == 0x1E000000:  # conversions with fixed point
        x_reads = _numbers(n)
        if word >> 16 & 7 in (0, 1):
            x_writes, v_writes = _numbers(d), frozenset()
    elif word & 0x9FE08400 == 0x0E000400:  # copy
        x_reads = _numbers(n)
        if word >> 11 & 15 in (5, 7) and not word >> 29 & 1:  # SMOV, UMOV
            x_writes, v_writes = _numbers(d), frozenset()
    return Operands(x_reads, x_writes, v_reads, v_writes, flags=flags, floating=True)

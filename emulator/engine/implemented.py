"""Arithmetic words that the arithmetic host knows and a Morello PE (Armv8.2-A) does not."""

from __future__ import annotations

# (mask, match, what): unallocated on Morello.
_UNALLOCATED = (
    (0xFFC00000, 0x91800000, "ADDG, SUBG (memory tagging)"),
    (0xFFC00000, 0xD1800000, "ADDG, SUBG (memory tagging)"),
    (0xFFE0FC00, 0x9AC00000, "SUBP"),
    (0xFFE0FC00, 0xBAC00000, "SUBPS"),
    (0xFFE0FC00, 0x9AC01000, "IRG"),
    (0xFFE0FC00, 0x9AC01400, "GMI"),
    (0xFFFF8000, 0xDAC10000, "pointer authentication"),
    (0xFFE0FC00, 0x9AC03000, "PACGA"),
    (0xFFE07C10, 0xBA000400, "RMIF"),
    (0xFFFFBC1F, 0x3A00080D, "SETF8, SETF16"),
    (0xFFFFFC00, 0x1E7E0000, "FJCVTZS"),
    (0xBF20E400, 0x2E00C400, "FCMLA"),
    (0xBF20EC00, 0x2E00E400, "FCADD"),
    (0xBF009400, 0x2F001000, "FCMLA (by element)"),
    (0xFFBE4000, 0x1E284000, "FRINT32, FRINT64"),
    (0x9FBFEC00, 0x0E21E800, "FRINT32, FRINT64 (vector)"),
    (0xFFE0C000, 0xCE408000, "SM3"),
    (0xFFE0FC00, 0xCE60C000, "SM3"),
    (0xFFE0FC00, 0xCE60C400, "SM3"),
    (0xFFE0FC00, 0xCE60C800, "SM4"),
    (0xFFFFFC00, 0xCEC08400, "SM4"),
    (0xFFE0F000, 0xCE608000, "SHA512"),
    (0xFFFFFC00, 0xCEC08000, "SHA512"),
    (0xFF808000, 0xCE000000, "SHA3, SM3SS1"),
    (0xFF800000, 0xCE800000, "SHA3"),
    (0xBF20FC00, 0x0E20EC00, "FMLAL, FMLSL"),
    (0xBF20FC00, 0x2E20CC00, "FMLAL2, FMLSL2"),
    (0xBFC0B400, 0x0F800000, "FMLAL (by element)"),
    (0xBFC0B400, 0x2F808000, "FMLAL2 (by element)"),
    (0xBF7FCC00, 0x0E70C800, "FMAXNMV, FMINV… of half precision with size 1"),
    (0xFF7FCC00, 0x5E70C800, "FMAXNMP, FMINP… of half precision with size 1"),
    (0xBFE0FC00, 0x2E40FC00, "BFDOT"),
    (0xBFE0FC00, 0x2E40EC00, "BFMMLA"),
    (0x9FE0FC00, 0x0E80A400, "SMMLA, UMMLA"),
    (0xBFE0FC00, 0x0E809C00, "USDOT"),
)


# The patterns that a word with this top byte may match.
_BY_TOP_BYTE = tuple(
    tuple((mask, match) for mask, match, _ in _UNALLOCATED if top & mask >> 24 == match >> 24)
    for top in range(256)
)

# Half-precision groups in which Unicorn 2.1.4 ends the process for unallocated words.
# Two registers (0 Q U s1110 a 111100 opcode 10; s = 1: scalar): allocated opcodes by (U, a).
_HALF_TWO_REGISTERS = (0x8F7E0C00, 0x0E780800)
_HALF_TWO_ALLOCATED = {
    (0, 0): (frozenset(range(24, 30)), frozenset(range(26, 30))),
    (0, 1): (frozenset((12, 13, 14, 15, 24, 25, 26, 27, 29)), frozenset((12, 13, 14, 26, 27, 29, 31))),
    (1, 0): (frozenset(range(24, 30)), frozenset(range(26, 30))),
    (1, 1): (frozenset((12, 13, 15, 25, 26, 27, 29, 31)), frozenset((12, 13, 26, 27, 29))),
}
# Three registers (0 QU0 1110 a10 Rm 00 opcode 1): unallocated (U, a, opcode).
_HALF_THREE_REGISTERS = (0x9F60C400, 0x0E400400)
_HALF_THREE_UNALLOCATED = frozenset(
    ((0, 0, 5), (0, 1, 3), (0, 1, 4), (0, 1, 5), (1, 0, 1), (1, 1, 1), (1, 1, 3), (1, 1, 7))
)


def _is_unallocated_half(word: int) -> bool:
    """A hole in one of the half-precision groups above."""
    u, a = word >> 29 & 1, word >> 23 & 1
    mask, match = _HALF_TWO_REGISTERS
    is_advanced_simd = word >> 30 & 1 or not word >> 28 & 1  # not the scalar floating-point group, 0x1e…
    if word & mask == match and is_advanced_simd:
        return word >> 12 & 31 not in _HALF_TWO_ALLOCATED[u, a][word >> 28 & 1]
    mask, match = _HALF_THREE_REGISTERS
    return word & mask == match and (u, a, word >> 11 & 7) in _HALF_THREE_UNALLOCATED


def is_implemented(word: int) -> bool:
    """The word isn't one of a later architecture extension, nor one that no architecture has."""
    if word & 0xFF60_0000 == 0x9B40_0000 and word >> 10 & 31 != 31:  # SMULH, UMULH: should-be-one field
        return False
    if word >> 25 & 7 == 7 and _is_unallocated_half(word):
        return False
    return all(word & mask != match for mask, match in _BY_TOP_BYTE[word >> 24])

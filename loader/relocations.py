"""Every relocation type of AArch64 and Morello ELF that we know: one row each.

A static row (`StaticRelocation`) says what the linker computes (`Expr`), where the value goes
(`Field`), which values fit and how they must be aligned. A dynamic row (`DynamicRelocation`) says
what a loader puts in the slot (`Recipe`) and how big the slot is. To support one more type, add its
row; a new kind of calculation also needs a member of `Expr` (used in `loader/link/relocate.py`) or of
`Recipe` (used in `loader/dynamic.py` and `loader/compartment.py`).

Notation as in aaelf64-morello: S symbol address (never with bit 0), A addend, P place, C the ISA bit of
a function symbol, G(e) the GOT entry of e, Page(x) = x with bits 11:0 clear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto


class Expr(Enum):
    """What a static relocation computes (X in the ABI's tables)."""

    NONE = auto()
    ABS = auto()  # S + A
    PREL = auto()  # S + A - P
    PREL_GRANULE = auto()  # S + A - (P with bits 3:0 clear)
    PAGE_PREL = auto()  # Page(S + A) - Page(P)
    BRANCH = auto()  # ((S + A) | C) - P, through PLT or veneer where needed
    SIZE = auto()  # SIZE(S), no addend
    GOT = auto()  # G(S + A)
    GOT_PAGE_PREL = auto()  # Page(G(S + A)) - Page(P)
    GOT_FROM_PAGE = auto()  # G(S + A) - Page(GOT)
    GOT_PREL = auto()  # G(S) + A - P
    TPREL = auto()  # offset of S + A from the thread pointer
    DTPREL = auto()  # offset of S + A in the module's TLS block (debug information)
    TLSIE = auto()  # G(GTPREL(S))
    TLSIE_PAGE_PREL = auto()  # Page(G(GTPREL(S))) - Page(P)
    TLSDESC = auto()  # G(GTLSDESC(S + A))
    TLSDESC_PAGE_PREL = auto()  # Page(G(GTLSDESC(S + A))) - Page(P)
    TLSDESC_CALL = auto()  # marks the BLR
    CAPINIT = auto()  # a capability to S + A in the place
    CODE_CAPINIT = auto()  # the same, a code pointer; never preempted
    INDIRECT_TLS = auto()  # thread-GOT ("indirect TLS") ABI, which the static linker does not do


Insert = Callable[[int, int], int]  # (old contents of the place, X) -> new contents


@dataclass(frozen=True, slots=True)
class Field:
    """Where the value goes: `size` bytes at the place, `insert` replaces the field in them.

    `align` is the alignment in bytes that the encoding imposes on X.
    """

    name: str
    size: int
    insert: Insert
    align: int = 1


@dataclass(frozen=True, slots=True)
class Range:
    """Values that fit: low <= X < high."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class StaticRelocation:
    """A relocation of a relocatable object; `check` is None where the ABI asks for no check."""

    number: int
    name: str
    expr: Expr
    field: Field
    check: Range | None


class Recipe(Enum):
    """What a loader stores for a dynamic relocation."""

    SYMBOL_CAPABILITY = auto()  # capability to S + A, from the symbol's type and size
    FUNCTION_CAPABILITY = auto()  # sentry to S (PLT slot; lazy binding allowed)
    FRAGMENT_CAPABILITY = auto()  # capability made from the fragment, A added after bounding
    RESOLVER_CAPABILITY = auto()  # fragment gives a resolver; its result is stored
    TLS_DESCRIPTOR = auto()  # {resolver capability, u64 offset, u64 size}
    TLS_OFFSET_SIZE = auto()  # {u64 offset from TP, u64 size}
    SYMBOL_ADDRESS = auto()  # 64-bit S + A
    BIASED_ADDRESS = auto()  # 64-bit load bias + A
    RESOLVER_ADDRESS = auto()  # 64-bit result of the resolver at bias + A
    COPY = auto()  # st_size bytes of the definition in another object
    TLS_MODULE = auto()  # 64-bit module id
    TLS_MODULE_OFFSET = auto()  # 64-bit offset in the module's block
    TLS_OFFSET = auto()  # 64-bit offset from TP
    TLS_DESCRIPTOR_64 = auto()  # {u64 resolver, u64 argument}, plain AArch64
    INDIRECT_TLS = auto()  # thread-GOT ABI


@dataclass(frozen=True, slots=True)
class DynamicRelocation:
    """A relocation that a loader applies. `slot` bytes are written; capability slots are 16-aligned."""

    number: int
    name: str
    recipe: Recipe
    slot: int
    patched: bool = False
    """Listed for the relocation patching of a compartment (`loader.compartment`)."""

    @property
    def is_capability(self) -> bool:
        """Whether bytes 0-15 of the slot become a capability."""
        return self.recipe in _CAPABILITY_RECIPES


_CAPABILITY_RECIPES = frozenset(
    {
        Recipe.SYMBOL_CAPABILITY,
        Recipe.FUNCTION_CAPABILITY,
        Recipe.FRAGMENT_CAPABILITY,
        Recipe.RESOLVER_CAPABILITY,
        Recipe.TLS_DESCRIPTOR,
    }
)


# --- fields ---------------------------------------------------------------------------------------


def _bits(width: int, low: int, shift: int) -> Insert:
    """`width` bits of X, from bit `shift` up, go to bit `low` of the word."""
    mask = ((1 << width) - 1) << low

    def insert(old: int, x: int) -> int:
        return (old & ~mask) | (((x >> shift) << low) & mask)

    return insert


def _adr(shift: int) -> Insert:
    """immlo in bits 30:29, 19 bits of immhi in bits 23:5."""

    def insert(old: int, x: int) -> int:
        imm = x >> shift
        return (old & 0x9F00001F) | (imm & 3) << 29 | ((imm >> 2) & 0x7FFFF) << 5

    return insert


def _adrp_c64(old: int, x: int) -> int:
    """immlo in bits 30:29, 18 bits of immhi in bits 22:5, P = 1 (P = 0 would be ADRDP)."""
    imm = x >> 12
    return (old & 0x9F00001F) | 1 << 23 | (imm & 3) << 29 | ((imm >> 2) & 0x3FFFF) << 5


def _movw_signed(shift: int) -> Insert:
    """MOVZ with the bits of X, or MOVN with the inverted bits when X is negative."""

    def insert(old: int, x: int) -> int:
        opcode = old & 0x9F80_0000 & ~(3 << 29)
        kept = old & (1 << 31 | 3 << 21 | 0x1F)
        movz = 0 if x < 0 else 1 << 30
        value = ~x if x < 0 else x
        return opcode | kept | movz | ((value >> shift) & 0xFFFF) << 5

    return insert


def _whole(bits: int) -> Insert:
    mask = (1 << bits) - 1

    def insert(_old: int, x: int) -> int:
        return x & mask

    return insert


def _unchanged(old: int, _x: int) -> int:
    return old


MARKER = Field("none", 0, _unchanged)
DATA16, DATA32, DATA64 = (Field(f"data{n}", n // 8, _whole(n)) for n in (16, 32, 64))
CAPABILITY = Field("capability", 16, _unchanged)
IMM14 = Field("imm14", 4, _bits(14, 5, 2), 4)
IMM19 = Field("imm19", 4, _bits(19, 5, 2), 4)
IMM26 = Field("imm26", 4, _bits(26, 0, 2), 4)
LIT17 = Field("imm17", 4, _bits(17, 5, 4), 16)
ADR = Field("adr", 4, _adr(0))
ADRP = Field("adrp", 4, _adr(12))
ADRP_C64 = Field("adrp (C64)", 4, _adrp_c64)
ADD12 = Field("imm12", 4, _bits(12, 10, 0))
ADD12_HI = Field("imm12 lsl 12", 4, _bits(12, 10, 12))
GOT15 = Field("imm12", 4, _bits(12, 10, 3), 8)


def _ldst(log2_bytes: int) -> Field:
    def insert(old: int, x: int) -> int:
        return (old & ~(0xFFF << 10)) | ((x & 0xFFF) >> log2_bytes) << 10

    return Field(f"imm12/{1 << log2_bytes}", 4, insert, 1 << log2_bytes)


LDST8, LDST16, LDST32, LDST64, LDST128 = (_ldst(n) for n in range(5))


def _movw(group: int) -> Field:
    return Field(f"imm16 G{group}", 4, _bits(16, 5, 16 * group))


def _movw_s(group: int) -> Field:
    return Field(f"imm16 G{group} signed", 4, _movw_signed(16 * group))


# --- value ranges ---------------------------------------------------------------------------------


def _signed(bits: int) -> Range:
    return Range(-(1 << (bits - 1)), 1 << (bits - 1))


def _unsigned(bits: int) -> Range:
    return Range(0, 1 << bits)


def _either(bits: int) -> Range:
    """Signed or unsigned, as the ABI allows for data words."""
    return Range(-(1 << (bits - 1)), 1 << bits)


def _magnitude(bits: int) -> Range:
    """For MOVN/MOVZ: -2^n <= X < 2^n."""
    return Range(-(1 << bits), 1 << bits)


# --- the rows -------------------------------------------------------------------------------------

_E = Expr


def _static(
    number: int,
    name: str,
    expr: Expr,
    field: Field,
    check: Range | None = None,
) -> StaticRelocation:
    return StaticRelocation(number, name, expr, field, check)


def _aarch64_rows() -> Iterable[StaticRelocation]:
    def row(
        number: int, suffix: str, expr: Expr, field: Field, check: Range | None = None
    ) -> StaticRelocation:
        return _static(number, f"R_AARCH64_{suffix}", expr, field, check)

    return (
        row(0, "NONE", _E.NONE, MARKER),
        row(256, "NULL", _E.NONE, MARKER),
        row(257, "ABS64", _E.ABS, DATA64),
        row(258, "ABS32", _E.ABS, DATA32, _either(32)),
        row(259, "ABS16", _E.ABS, DATA16, _either(16)),
        row(260, "PREL64", _E.PREL, DATA64),
        row(261, "PREL32", _E.PREL, DATA32, _either(32)),
        row(262, "PREL16", _E.PREL, DATA16, _either(16)),
        row(263, "MOVW_UABS_G0", _E.ABS, _movw(0), _unsigned(16)),
        row(264, "MOVW_UABS_G0_NC", _E.ABS, _movw(0)),
        row(265, "MOVW_UABS_G1", _E.ABS, _movw(1), _unsigned(32)),
        row(266, "MOVW_UABS_G1_NC", _E.ABS, _movw(1)),
        row(267, "MOVW_UABS_G2", _E.ABS, _movw(2), _unsigned(48)),
        row(268, "MOVW_UABS_G2_NC", _E.ABS, _movw(2)),
        row(269, "MOVW_UABS_G3", _E.ABS, _movw(3)),
        row(270, "MOVW_SABS_G0", _E.ABS, _movw_s(0), _magnitude(16)),
        row(271, "MOVW_SABS_G1", _E.ABS, _movw_s(1), _magnitude(32)),
        row(272, "MOVW_SABS_G2", _E.ABS, _movw_s(2), _magnitude(48)),
        row(273, "LD_PREL_LO19", _E.PREL, IMM19, _signed(21)),
        row(274, "ADR_PREL_LO21", _E.PREL, ADR, _signed(21)),
        row(275, "ADR_PREL_PG_HI21", _E.PAGE_PREL, ADRP, _signed(33)),
        row(276, "ADR_PREL_PG_HI21_NC", _E.PAGE_PREL, ADRP),
        row(277, "ADD_ABS_LO12_NC", _E.ABS, ADD12),
        row(278, "LDST8_ABS_LO12_NC", _E.ABS, LDST8),
        row(279, "TSTBR14", _E.BRANCH, IMM14, _signed(16)),
        row(280, "CONDBR19", _E.BRANCH, IMM19, _signed(21)),
        row(282, "JUMP26", _E.BRANCH, IMM26, _signed(28)),
        row(283, "CALL26", _E.BRANCH, IMM26, _signed(28)),
        row(284, "LDST16_ABS_LO12_NC", _E.ABS, LDST16),
        row(285, "LDST32_ABS_LO12_NC", _E.ABS, LDST32),
        row(286, "LDST64_ABS_LO12_NC", _E.ABS, LDST64),
        row(287, "MOVW_PREL_G0", _E.PREL, _movw_s(0), _magnitude(16)),
        row(288, "MOVW_PREL_G0_NC", _E.PREL, _movw(0)),
        row(289, "MOVW_PREL_G1", _E.PREL, _movw_s(1), _magnitude(32)),
        row(290, "MOVW_PREL_G1_NC", _E.PREL, _movw(1)),
        row(291, "MOVW_PREL_G2", _E.PREL, _movw_s(2), _magnitude(48)),
        row(292, "MOVW_PREL_G2_NC", _E.PREL, _movw(2)),
        row(293, "MOVW_PREL_G3", _E.PREL, _movw_s(3)),
        row(299, "LDST128_ABS_LO12_NC", _E.ABS, LDST128),
        row(311, "ADR_GOT_PAGE", _E.GOT_PAGE_PREL, ADRP, _signed(33)),
        row(312, "LD64_GOT_LO12_NC", _E.GOT, LDST64),
        row(313, "LD64_GOTPAGE_LO15", _E.GOT_FROM_PAGE, GOT15, _unsigned(15)),
        row(314, "PLT32", _E.BRANCH, DATA32, _signed(32)),
        row(315, "GOTPCREL32", _E.GOT_PREL, DATA32, _signed(32)),
        row(1029, "TLS_DTPREL64", _E.DTPREL, DATA64),
        row(541, "TLSIE_ADR_GOTTPREL_PAGE21", _E.TLSIE_PAGE_PREL, ADRP, _signed(33)),
        row(542, "TLSIE_LD64_GOTTPREL_LO12_NC", _E.TLSIE, LDST64),
        row(544, "TLSLE_MOVW_TPREL_G2", _E.TPREL, _movw_s(2), _magnitude(48)),
        row(545, "TLSLE_MOVW_TPREL_G1", _E.TPREL, _movw_s(1), _magnitude(32)),
        row(546, "TLSLE_MOVW_TPREL_G1_NC", _E.TPREL, _movw(1)),
        row(547, "TLSLE_MOVW_TPREL_G0", _E.TPREL, _movw_s(0), _magnitude(16)),
        row(548, "TLSLE_MOVW_TPREL_G0_NC", _E.TPREL, _movw(0)),
        row(549, "TLSLE_ADD_TPREL_HI12", _E.TPREL, ADD12_HI, _unsigned(24)),
        row(550, "TLSLE_ADD_TPREL_LO12", _E.TPREL, ADD12, _unsigned(12)),
        row(551, "TLSLE_ADD_TPREL_LO12_NC", _E.TPREL, ADD12),
        row(552, "TLSLE_LDST8_TPREL_LO12", _E.TPREL, LDST8, _unsigned(12)),
        row(553, "TLSLE_LDST8_TPREL_LO12_NC", _E.TPREL, LDST8),
        row(554, "TLSLE_LDST16_TPREL_LO12", _E.TPREL, LDST16, _unsigned(12)),
        row(555, "TLSLE_LDST16_TPREL_LO12_NC", _E.TPREL, LDST16),
        row(556, "TLSLE_LDST32_TPREL_LO12", _E.TPREL, LDST32, _unsigned(12)),
        row(557, "TLSLE_LDST32_TPREL_LO12_NC", _E.TPREL, LDST32),
        row(558, "TLSLE_LDST64_TPREL_LO12", _E.TPREL, LDST64, _unsigned(12)),
        row(559, "TLSLE_LDST64_TPREL_LO12_NC", _E.TPREL, LDST64),
        row(562, "TLSDESC_ADR_PAGE21", _E.TLSDESC_PAGE_PREL, ADRP, _signed(33)),
        row(563, "TLSDESC_LD64_LO12", _E.TLSDESC, LDST64),
        row(564, "TLSDESC_ADD_LO12", _E.TLSDESC, ADD12),
        row(569, "TLSDESC_CALL", _E.TLSDESC_CALL, MARKER),
        row(570, "TLSLE_LDST128_TPREL_LO12", _E.TPREL, LDST128, _unsigned(12)),
        row(571, "TLSLE_LDST128_TPREL_LO12_NC", _E.TPREL, LDST128),
    )


def _morello_rows() -> Iterable[StaticRelocation]:
    def row(
        number: int, suffix: str, expr: Expr, field: Field, check: Range | None = None
    ) -> StaticRelocation:
        return _static(number, f"R_MORELLO_{suffix}", expr, field, check)

    return (
        row(57344, "TSTBR14", _E.BRANCH, IMM14, _signed(16)),
        row(57345, "CONDBR19", _E.BRANCH, IMM19, _signed(21)),
        row(57346, "JUMP26", _E.BRANCH, IMM26, _signed(28)),
        row(57347, "CALL26", _E.BRANCH, IMM26, _signed(28)),
        row(57348, "LD_PREL_LO17", _E.PREL_GRANULE, LIT17, _signed(21)),
        row(57349, "ADR_PREL_PG_HI20", _E.PAGE_PREL, ADRP_C64, _signed(32)),
        row(57350, "ADR_PREL_PG_HI20_NC", _E.PAGE_PREL, ADRP_C64),
        row(57351, "ADR_GOT_PAGE", _E.GOT_PAGE_PREL, ADRP_C64, _signed(32)),
        row(57352, "LD128_GOT_LO12_NC", _E.GOT, LDST128),
        row(57353, "MOVW_SIZE_G0", _E.SIZE, _movw(0), _unsigned(16)),
        row(57354, "MOVW_SIZE_G0_NC", _E.SIZE, _movw(0)),
        row(57355, "MOVW_SIZE_G1", _E.SIZE, _movw(1), _unsigned(32)),
        row(57356, "MOVW_SIZE_G1_NC", _E.SIZE, _movw(1)),
        row(57357, "MOVW_SIZE_G2", _E.SIZE, _movw(2), _unsigned(48)),
        row(57358, "MOVW_SIZE_G2_NC", _E.SIZE, _movw(2)),
        row(57359, "MOVW_SIZE_G3", _E.SIZE, _movw(3)),
        row(57600, "TLSDESC_ADR_PAGE20", _E.TLSDESC_PAGE_PREL, ADRP_C64, _signed(32)),
        row(57601, "TLSDESC_LD128_LO12", _E.TLSDESC, LDST128),
        row(57602, "TLSDESC_CALL", _E.TLSDESC_CALL, MARKER),
        row(57603, "TLSIE_ADR_GOTTPREL_PAGE20", _E.TLSIE_PAGE_PREL, ADRP_C64, _signed(32)),
        row(57604, "TLSIE_ADD_LO12", _E.TLSIE, ADD12),
        row(57616, "TLSIE_ADR_GOTTGOT_PAGE20", _E.INDIRECT_TLS, ADRP_C64, _signed(32)),
        row(57617, "TLSIE_LD64_GOTTGOT_LO12_NC", _E.INDIRECT_TLS, LDST64),
        row(57618, "TLSLE_MOVW_TGOT_G1", _E.INDIRECT_TLS, _movw_s(1), _magnitude(32)),
        row(57619, "TLSLE_MOVW_TGOT_G0", _E.INDIRECT_TLS, _movw_s(0), _magnitude(16)),
        row(57620, "TLSLE_MOVW_TGOT_G0_NC", _E.INDIRECT_TLS, _movw(0)),
        row(57621, "TLSLE_ADD_TGOT_HI12", _E.INDIRECT_TLS, ADD12_HI, _unsigned(24)),
        row(57622, "TLSLE_LD128_TGOT_LO12", _E.INDIRECT_TLS, LDST128, _unsigned(12)),
        row(57623, "TLSLE_LD128_TGOT_LO12_NC", _E.INDIRECT_TLS, LDST128),
        row(57624, "TGOT_TLSDESC_ADR_PAGE20", _E.INDIRECT_TLS, ADRP_C64, _signed(32)),
        row(57625, "TGOT_TLSDESC_LD128_LO12", _E.INDIRECT_TLS, LDST128),
        row(57626, "TGOT_TLSDESC_ADD_LO12", _E.INDIRECT_TLS, ADD12),
        row(57627, "TGOT_TLSDESC_CALL", _E.INDIRECT_TLS, MARKER),
        # Dynamic numbers that compilers also put in relocatable objects.
        row(59392, "CAPINIT", _E.CAPINIT, CAPABILITY),
        row(59399, "CODE_CAPINIT", _E.CODE_CAPINIT, CAPABILITY),
    )


def _dynamic_rows() -> Iterable[DynamicRelocation]:
    row = DynamicRelocation
    r = Recipe
    return (
        row(0, "R_AARCH64_NONE", r.SYMBOL_ADDRESS, 0),
        row(257, "R_AARCH64_ABS64", r.SYMBOL_ADDRESS, 8),
        row(1024, "R_AARCH64_COPY", r.COPY, 0),
        row(1025, "R_AARCH64_GLOB_DAT", r.SYMBOL_ADDRESS, 8),
        row(1026, "R_AARCH64_JUMP_SLOT", r.SYMBOL_ADDRESS, 8),
        row(1027, "R_AARCH64_RELATIVE", r.BIASED_ADDRESS, 8),
        row(1028, "R_AARCH64_TLS_DTPMOD64", r.TLS_MODULE, 8),
        row(1029, "R_AARCH64_TLS_DTPREL64", r.TLS_MODULE_OFFSET, 8),
        row(1030, "R_AARCH64_TLS_TPREL64", r.TLS_OFFSET, 8),
        row(1031, "R_AARCH64_TLSDESC", r.TLS_DESCRIPTOR_64, 16),
        row(1032, "R_AARCH64_IRELATIVE", r.RESOLVER_ADDRESS, 8),
        row(59392, "R_MORELLO_CAPINIT", r.SYMBOL_CAPABILITY, 16, patched=True),
        row(59393, "R_MORELLO_GLOB_DAT", r.SYMBOL_CAPABILITY, 16, patched=True),
        row(59394, "R_MORELLO_JUMP_SLOT", r.FUNCTION_CAPABILITY, 16, patched=True),
        row(59395, "R_MORELLO_RELATIVE", r.FRAGMENT_CAPABILITY, 16, patched=True),
        row(59396, "R_MORELLO_IRELATIVE", r.RESOLVER_CAPABILITY, 16, patched=True),
        row(59397, "R_MORELLO_TLSDESC", r.TLS_DESCRIPTOR, 32, patched=True),
        row(59398, "R_MORELLO_TPREL128", r.TLS_OFFSET_SIZE, 16),
        row(59399, "R_MORELLO_CODE_CAPINIT", r.SYMBOL_CAPABILITY, 16, patched=True),
        row(59400, "R_MORELLO_FUNC_RELATIVE", r.FRAGMENT_CAPABILITY, 16, patched=True),
        row(59401, "R_AARCH64_FUNC_RELATIVE", r.BIASED_ADDRESS, 8),
        row(59402, "R_MORELLO_TLS_TGOT_SLOT", r.INDIRECT_TLS, 16),
        row(59403, "R_MORELLO_TLS_TGOTREL64", r.INDIRECT_TLS, 8),
        row(59404, "R_MORELLO_TGOT_TLSDESC", r.INDIRECT_TLS, 32),
    )


STATIC: dict[int, StaticRelocation] = {row.number: row for row in (*_aarch64_rows(), *_morello_rows())}
DYNAMIC: dict[int, DynamicRelocation] = {row.number: row for row in _dynamic_rows()}
NUMBER_OF: dict[str, int] = {
    **{row.name: row.number for row in DYNAMIC.values()},
    **{row.name: row.number for row in STATIC.values()},
}

R_MORELLO_STATIC_FIRST = 57344
"""Static relocations from here up belong to C64 code and capabilities."""

R_AARCH64_ABS64 = 257
R_AARCH64_GLOB_DAT = 1025
R_AARCH64_JUMP_SLOT = 1026
R_AARCH64_RELATIVE = 1027
R_AARCH64_TLS_TPREL64 = 1030
R_AARCH64_IRELATIVE = 1032
R_MORELLO_CAPINIT = 59392
R_MORELLO_GLOB_DAT = 59393
R_MORELLO_JUMP_SLOT = 59394
R_MORELLO_RELATIVE = 59395
R_MORELLO_IRELATIVE = 59396
R_MORELLO_TLSDESC = 59397
R_MORELLO_TPREL128 = 59398
R_MORELLO_CODE_CAPINIT = 59399
R_MORELLO_FUNC_RELATIVE = 59400


def name_of(number: int) -> str:
    """The ABI's name of a relocation type, or `unknown relocation type N`."""
    row = STATIC.get(number) or DYNAMIC.get(number)
    return row.name if row is not None else f"unknown relocation type {number}"


class RelocationOverflow(ValueError):
    """X does not fit the field, or is not aligned as the encoding needs."""


def apply_static(row: StaticRelocation, old: int, x: int) -> int:
    """New contents of the place (`row.field.size` bytes, little-endian as an integer) for value X.

    Raises RelocationOverflow; a value never wraps silently.
    """
    check = row.check
    if check is not None and not check.low <= x < check.high:
        raise RelocationOverflow(f"value {x:#x} is outside [{check.low:#x}, {check.high:#x})")
    if x % row.field.align:
        raise RelocationOverflow(f"value {x:#x} is not a multiple of {row.field.align}")
    return row.field.insert(old, x)

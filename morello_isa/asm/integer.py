"""Encoders of base integer instructions: arithmetic, logic, moves, shifts, bit fields, selects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from morello_isa.asm.context import (
    EXTENDS,
    Context,
    Encoder,
    NotEncodable,
    condition,
    immediate,
    modifier,
    need,
    register,
)
from morello_isa.asm.errors import AssemblyError
from morello_isa.asm.immediates import encode_bitmask
from morello_isa.asm.operands import REGISTERS, Modifier, Operand, Register, Symbolic

ENCODERS: Final[dict[str, Encoder]] = {}

_XZR, _WZR = REGISTERS["xzr"], REGISTERS["wzr"]
_SHIFTS = {"lsl": 0, "lsr": 1, "asr": 2, "ror": 3}
# modifier -> (relocation, bits shifted) of ADD (immediate)
_ADD_RELOCATIONS = {
    "lo12": ("R_AARCH64_ADD_ABS_LO12_NC", 0),
    "tprel_hi12": ("R_AARCH64_TLSLE_ADD_TPREL_HI12", 1),
    "tprel_lo12": ("R_AARCH64_TLSLE_ADD_TPREL_LO12", 0),
    "tprel_lo12_nc": ("R_AARCH64_TLSLE_ADD_TPREL_LO12_NC", 0),
    "tlsdesc_lo12": ("R_AARCH64_TLSDESC_ADD_LO12", 0),
    "gottprel_lo12": ("R_MORELLO_TLSIE_ADD_LO12", 0),
}


def zero(like: Register) -> Register:
    """The zero register of the same width."""
    return _XZR if like.kind == "x" else _WZR


def add_immediate_field(
    value: Operand, shift: Modifier | None, context: Context, index: int
) -> tuple[int, bool]:
    """sh:imm12 (13 bits, at bit 10 of ADD/SUB) and whether the operation must be inverted (negative)."""
    if isinstance(value, Symbolic):
        row = _ADD_RELOCATIONS.get(value.modifier)
        if row is None:
            raise AssemblyError(f"'{value.symbol}' can't be an immediate without a modifier", index)
        context.relocate(row[0], value)
        return row[1] << 12, False
    if not isinstance(value, int):
        raise NotEncodable
    negative, magnitude = value < 0, abs(value)
    if shift is not None and (shift.kind != "lsl" or shift.amount not in (0, 12)):
        raise AssemblyError("the immediate can only be shifted by 'lsl #0' or 'lsl #12'", index + 1)
    if shift is not None and shift.amount == 12:
        if magnitude < 0x1000:
            return 0x1000 | magnitude, negative
    elif magnitude < 0x1000:
        return magnitude, negative
    elif shift is None and magnitude < 0x1000000 and not magnitude & 0xFFF:
        return 0x1000 | magnitude >> 12, negative
    raise AssemblyError(f"the immediate {int(value)} can't be encoded", index)


def _add_sub(d: Register, n: Register, rest: Sequence[Operand], op: int, s: int, context: Context) -> int:
    """ADD, SUB and their flag-setting forms; `op` 1 = subtract; `rest` starts with the third operand."""
    sf = 0x80000000 if n.kind == "x" else 0
    third = rest[0]
    shift = modifier(rest, 1)
    if not isinstance(third, Register):
        if (n.number == 31 and not n.is_sp) or (d.number == 31 and d.is_sp == bool(s)):
            raise AssemblyError("the zero register is not allowed with an immediate")
        field, negative = add_immediate_field(third, shift, context, 2)
        return sf | (op ^ negative) << 30 | s << 29 | 0x11000000 | field << 10 | n.number << 5 | d.number
    if third.kind not in "xw" or third.is_sp:
        raise NotEncodable
    stack = n.is_sp or d.is_sp
    low = third.number << 16 | n.number << 5 | d.number | sf | op << 30 | s << 29
    if shift is not None and shift.kind in EXTENDS:
        option, amount = EXTENDS[shift.kind], shift.amount or 0
    elif stack:
        if shift is not None and shift.kind != "lsl":
            raise AssemblyError("the stack pointer only goes with 'lsl' or an extension", 3)
        option, amount = (3 if sf else 2), (shift.amount or 0) if shift else 0
    else:
        if third.kind != n.kind:
            raise AssemblyError(f"'{third.name}' needs an extension here", 2)
        code = _SHIFTS.get(shift.kind, 3) if shift else 0
        amount = (shift.amount or 0) if shift else 0
        if code == 3 or not 0 <= amount < (64 if sf else 32):
            raise AssemblyError("this shift is not possible here", 3)
        return low | 0x0B000000 | code << 22 | amount << 10
    if not 0 <= amount <= 4:
        raise AssemblyError("an extension shifts by 0 to 4", 3)
    if (third.kind == "x") != (option & 3 == 3 and bool(sf)):
        raise AssemblyError(f"'{third.name}' has the wrong width for its extension", 2)
    if (n.number == 31 and not n.is_sp) or (d.number == 31 and not d.is_sp and not s):
        raise AssemblyError("the zero register is not allowed with an extension")
    return low | 0x0B200000 | option << 13 | amount << 10


def _plain(operands: Sequence[Operand], index: int, like: Register | None = None) -> Register:
    operand = operands[index] if index < len(operands) else None
    if not isinstance(operand, Register) or operand.kind not in "xw":
        raise NotEncodable
    if like is not None and operand.kind != like.kind:
        raise AssemblyError(f"'{operand.name}' has another width than '{like.name}'", index)
    return operand


def _make_add_sub(op: int, s: int) -> Encoder:
    def encode(operands: Sequence[Operand], context: Context) -> int:
        need(operands, 3, 4)
        d = _plain(operands, 0)
        n = _plain(operands, 1, d)
        if d.is_sp and s:
            raise AssemblyError(f"'{d.name}' is not allowed here", 0)
        return _add_sub(d, n, operands[2:], op, s, context)

    return encode


def _make_compare(op: int) -> Encoder:
    def encode(operands: Sequence[Operand], context: Context) -> int:
        need(operands, 2, 3)
        n = _plain(operands, 0)
        return _add_sub(zero(n), n, operands[1:], op, 1, context)

    return encode


def _make_negate(s: int) -> Encoder:
    def encode(operands: Sequence[Operand], context: Context) -> int:
        need(operands, 2, 3)
        d = register(operands, 0, "xw")
        if not isinstance(operands[1], Register):
            raise NotEncodable
        return _add_sub(d, zero(d), operands[1:], 1, s, context)

    return encode


for _name, _op, _s in (("add", 0, 0), ("adds", 0, 1), ("sub", 1, 0), ("subs", 1, 1)):
    ENCODERS[_name] = _make_add_sub(_op, _s)
ENCODERS["cmp"], ENCODERS["cmn"] = _make_compare(1), _make_compare(0)
ENCODERS["neg"], ENCODERS["negs"] = _make_negate(0), _make_negate(1)


# --- logic -----------------------------------------------------------------------------------------


def _logical(d: Register, n: Register, rest: Sequence[Operand], opc: int, invert: int) -> int:
    """AND ORR EOR ANDS by opc 0..3; `invert` gives BIC ORN EON BICS."""
    sf = 0x80000000 if n.kind == "x" else 0
    third = rest[0]
    if isinstance(third, int):
        value = ~third if invert else third
        field = encode_bitmask(value if value < 0 else int(value), 64 if sf else 32)
        if field is None:
            raise AssemblyError(f"the immediate {int(third):#x} is not a bitmask immediate", 2)
        if n.is_sp or (d.number == 31 and d.is_sp != (opc != 3)):
            raise AssemblyError("this register is not allowed with an immediate")
        return sf | opc << 29 | 0x12000000 | field << 10 | n.number << 5 | d.number
    if not isinstance(third, Register) or third.kind != n.kind:
        raise NotEncodable
    if d.is_sp or n.is_sp or third.is_sp:
        raise AssemblyError("the stack pointer is not allowed here")
    shift = modifier(rest, 1)
    code, amount = 0, 0
    if shift is not None:
        if shift.kind not in _SHIFTS or shift.amount is None or not 0 <= shift.amount < (64 if sf else 32):
            raise AssemblyError("this shift is not possible here", 3)
        code, amount = _SHIFTS[shift.kind], shift.amount
    return (
        sf | opc << 29 | 0x0A000000 | code << 22 | invert << 21
        | third.number << 16 | amount << 10 | n.number << 5 | d.number
    )  # fmt: skip


def _make_logical(opc: int, invert: int) -> Encoder:
    def encode(operands: Sequence[Operand], _context: Context) -> int:
        need(operands, 3, 4)
        d = _plain(operands, 0)
        return _logical(d, _plain(operands, 1, d), operands[2:], opc, invert)

    return encode


for _name, _opc, _invert in (
    ("and", 0, 0), ("orr", 1, 0), ("eor", 2, 0), ("ands", 3, 0),
    ("bic", 0, 1), ("orn", 1, 1), ("eon", 2, 1), ("bics", 3, 1),
):  # fmt: skip
    ENCODERS[_name] = _make_logical(_opc, _invert)


def _tst(operands: Sequence[Operand], _context: Context) -> int:
    need(operands, 2, 3)
    n = register(operands, 0, "xw")
    return _logical(zero(n), n, operands[1:], 3, 0)


def _mvn(operands: Sequence[Operand], _context: Context) -> int:
    need(operands, 2, 3)
    d = register(operands, 0, "xw")
    return _logical(d, zero(d), operands[1:], 1, 1)


ENCODERS["tst"], ENCODERS["mvn"] = _tst, _mvn


# --- moves -----------------------------------------------------------------------------------------

_MOVW_RELOCATIONS = {
    "abs_g0": ("R_AARCH64_MOVW_UABS_G0", 0), "abs_g0_nc": ("R_AARCH64_MOVW_UABS_G0_NC", 0),
    "abs_g1": ("R_AARCH64_MOVW_UABS_G1", 1), "abs_g1_nc": ("R_AARCH64_MOVW_UABS_G1_NC", 1),
    "abs_g2": ("R_AARCH64_MOVW_UABS_G2", 2), "abs_g2_nc": ("R_AARCH64_MOVW_UABS_G2_NC", 2),
    "abs_g3": ("R_AARCH64_MOVW_UABS_G3", 3),
    "size_g0": ("R_MORELLO_MOVW_SIZE_G0", 0), "size_g0_nc": ("R_MORELLO_MOVW_SIZE_G0_NC", 0),
    "size_g1": ("R_MORELLO_MOVW_SIZE_G1", 1), "size_g1_nc": ("R_MORELLO_MOVW_SIZE_G1_NC", 1),
    "size_g2": ("R_MORELLO_MOVW_SIZE_G2", 2), "size_g2_nc": ("R_MORELLO_MOVW_SIZE_G2_NC", 2),
    "size_g3": ("R_MORELLO_MOVW_SIZE_G3", 3),
    "tprel_g0": ("R_AARCH64_TLSLE_MOVW_TPREL_G0", 0),
    "tprel_g0_nc": ("R_AARCH64_TLSLE_MOVW_TPREL_G0_NC", 0),
    "tprel_g1": ("R_AARCH64_TLSLE_MOVW_TPREL_G1", 1),
    "tprel_g1_nc": ("R_AARCH64_TLSLE_MOVW_TPREL_G1_NC", 1),
    "tprel_g2": ("R_AARCH64_TLSLE_MOVW_TPREL_G2", 2),
}  # fmt: skip


def _make_move_wide(opc: int) -> Encoder:
    def encode(operands: Sequence[Operand], context: Context) -> int:
        need(operands, 2, 3)
        d = register(operands, 0, "xw")
        value, shift = operands[1], modifier(operands, 2)
        sf = 0x80000000 if d.kind == "x" else 0
        if isinstance(value, Symbolic):
            row = _MOVW_RELOCATIONS.get(value.modifier)
            if row is None or shift is not None:
                raise AssemblyError(f"'{value.symbol}' needs a modifier such as ':abs_g0:'", 1)
            context.relocate(row[0], value)
            return sf | opc << 29 | 0x12800000 | row[1] << 21 | d.number
        number = immediate(operands, 1, 0, 0xFFFF)
        amount = (shift.amount or 0) if shift else 0
        if amount not in ((0, 16, 32, 48) if sf else (0, 16)) or (shift and shift.kind != "lsl"):
            raise AssemblyError("the shift must be 'lsl' by 0, 16, 32 or 48", 2)
        return sf | opc << 29 | 0x12800000 | amount // 16 << 21 | number << 5 | d.number

    return encode


ENCODERS["movn"], ENCODERS["movz"], ENCODERS["movk"] = (_make_move_wide(opc) for opc in (0, 2, 3))


def _mov(operands: Sequence[Operand], context: Context) -> int:
    need(operands, 2)
    d = _plain(operands, 0)
    source = operands[1]
    sf = 0x80000000 if d.kind == "x" else 0
    if isinstance(source, Register):
        if source.kind != d.kind:
            raise NotEncodable
        if d.is_sp or source.is_sp:
            if (d.number == 31 and not d.is_sp) or (source.number == 31 and not source.is_sp):
                raise AssemblyError("the zero register can't be moved to or from the stack pointer")
            return sf | 0x11000000 | source.number << 5 | d.number
        return sf | 0x2A0003E0 | source.number << 16 | d.number
    if isinstance(source, Symbolic):
        return _make_move_wide(2)(operands, context)
    if not isinstance(source, int):
        raise NotEncodable
    width = 64 if sf else 32
    mask = (1 << width) - 1
    value = int(source) & mask
    if not -(1 << width - 1) <= source <= mask:
        raise AssemblyError(f"the immediate {int(source)} doesn't fit the register", 1)
    if not d.is_sp:
        for half in range(width // 16):
            if value & ~(0xFFFF << 16 * half) == 0:
                return sf | 0x52800000 | half << 21 | (value >> 16 * half) << 5 | d.number
        for half in range(width // 16):
            inverse = ~value & mask
            if inverse & ~(0xFFFF << 16 * half) == 0:
                return sf | 0x12800000 | half << 21 | (inverse >> 16 * half) << 5 | d.number
    field = encode_bitmask(value, width)
    if field is None or (d.number == 31 and not d.is_sp):
        raise AssemblyError(f"the immediate {int(source):#x} can't be moved by one instruction", 1)
    return sf | 0x320003E0 | field << 10 | d.number


ENCODERS["mov"] = _mov


# --- shifts and bit fields -------------------------------------------------------------------------

_BITFIELD = {"sbfm": 0, "bfm": 1, "ubfm": 2}


def _bitfield_word(opc: int, d: Register, n: Register, immr: int, imms: int) -> int:
    sf = 0x80400000 if d.kind == "x" else 0
    return sf | opc << 29 | 0x13000000 | immr << 16 | imms << 10 | n.number << 5 | d.number


def _width(d: Register) -> int:
    return 64 if d.kind == "x" else 32


def _two(operands: Sequence[Operand]) -> tuple[Register, Register]:
    d = register(operands, 0, "xw")
    return d, register(operands, 1, d.kind)


def _make_bitfield(opc: int) -> Encoder:
    def encode(operands: Sequence[Operand], _context: Context) -> int:
        need(operands, 4)
        d, n = _two(operands)
        top = _width(d) - 1
        return _bitfield_word(opc, d, n, immediate(operands, 2, 0, top), immediate(operands, 3, 0, top))

    return encode


def _make_extract_bits(opc: int) -> Encoder:
    """UBFX, SBFX, BFXIL: lsb, width."""

    def encode(operands: Sequence[Operand], _context: Context) -> int:
        need(operands, 4)
        d, n = _two(operands)
        lsb = immediate(operands, 2, 0, _width(d) - 1)
        return _bitfield_word(opc, d, n, lsb, lsb + immediate(operands, 3, 1, _width(d) - lsb) - 1)

    return encode


def _make_insert_bits(opc: int) -> Encoder:
    """UBFIZ, SBFIZ, BFI: lsb, width."""

    def encode(operands: Sequence[Operand], _context: Context) -> int:
        need(operands, 4)
        d, n = _two(operands)
        lsb = immediate(operands, 2, 0, _width(d) - 1)
        width = immediate(operands, 3, 1, _width(d) - lsb)
        return _bitfield_word(opc, d, n, -lsb % _width(d), width - 1)

    return encode


def _make_shift(code: int) -> Encoder:
    def encode(operands: Sequence[Operand], _context: Context) -> int:
        need(operands, 3)
        d, n = _two(operands)
        if isinstance(operands[2], Register):
            m = register(operands, 2, d.kind)
            sf = 0x80000000 if d.kind == "x" else 0
            return sf | 0x1AC02000 | m.number << 16 | code << 10 | n.number << 5 | d.number
        top = _width(d) - 1
        amount = immediate(operands, 2, 0, top)
        if code == 3:
            return _extract_word(d, n, n, amount)
        if code == 0:
            return _bitfield_word(2, d, n, -amount & top, top - amount)
        return _bitfield_word(2 if code == 1 else 0, d, n, amount, top)

    return encode


def _extract_word(d: Register, n: Register, m: Register, lsb: int) -> int:
    sf = 0x80400000 if d.kind == "x" else 0
    return sf | 0x13800000 | m.number << 16 | lsb << 10 | n.number << 5 | d.number


def _extr(operands: Sequence[Operand], _context: Context) -> int:
    need(operands, 4)
    d, n = _two(operands)
    return _extract_word(d, n, register(operands, 2, d.kind), immediate(operands, 3, 0, _width(d) - 1))


def _make_extend(opc: int, bits: int) -> Encoder:
    """SXTB … UXTH: a narrow extension written with a W source."""

    def encode(operands: Sequence[Operand], _context: Context) -> int:
        need(operands, 2)
        d = register(operands, 0, "xw")
        n = register(operands, 1, "w" if opc == 0 else d.kind)
        if opc == 2 and d.kind == "x":
            raise NotEncodable
        return _bitfield_word(opc, d, n, 0, bits - 1)

    return encode


def _sxtw(operands: Sequence[Operand], _context: Context) -> int:
    need(operands, 2)
    return _bitfield_word(0, register(operands, 0, "x"), register(operands, 1, "w"), 0, 31)


for _name, _opc in _BITFIELD.items():
    ENCODERS[_name] = _make_bitfield(_opc)
for _name, _opc in (("sbfx", 0), ("bfxil", 1), ("ubfx", 2)):
    ENCODERS[_name] = _make_extract_bits(_opc)
for _name, _opc in (("sbfiz", 0), ("bfi", 1), ("ubfiz", 2)):
    ENCODERS[_name] = _make_insert_bits(_opc)
for _code, _name in enumerate(("lsl", "lsr", "asr", "ror")):
    ENCODERS[_name] = _make_shift(_code)
    ENCODERS[_name + "v"] = ENCODERS[_name]
for _name, _opc, _bits in (("sxtb", 0, 8), ("sxth", 0, 16), ("uxtb", 2, 8), ("uxth", 2, 16)):
    ENCODERS[_name] = _make_extend(_opc, _bits)
ENCODERS["sxtw"], ENCODERS["extr"] = _sxtw, _extr


# --- two and three sources -------------------------------------------------------------------------


def _make_two_source(base: int) -> Encoder:
    def encode(operands: Sequence[Operand], _context: Context) -> int:
        need(operands, 3)
        d, n = _two(operands)
        m = register(operands, 2, d.kind)
        return (0x80000000 if d.kind == "x" else 0) | base | m.number << 16 | n.number << 5 | d.number

    return encode


def _make_one_source(base: int, base64: int, widths: str = "xw") -> Encoder:
    def encode(operands: Sequence[Operand], _context: Context) -> int:
        need(operands, 2)
        d = register(operands, 0, widths)
        n = register(operands, 1, d.kind)
        return (base64 if d.kind == "x" else base) | n.number << 5 | d.number

    return encode


def _make_multiply_add(o0: int) -> Encoder:
    def encode(operands: Sequence[Operand], _context: Context) -> int:
        need(operands, 3, 4)
        d, n = _two(operands)
        m = register(operands, 2, d.kind)
        a = register(operands, 3, d.kind) if len(operands) == 4 else zero(d)
        return (
            (0x80000000 if d.kind == "x" else 0) | 0x1B000000
            | m.number << 16 | o0 << 15 | a.number << 10 | n.number << 5 | d.number
        )  # fmt: skip

    return encode


def _make_long_multiply(base: int, has_addend: bool) -> Encoder:
    def encode(operands: Sequence[Operand], _context: Context) -> int:
        need(operands, 4 if has_addend else 3)
        d, n, m = register(operands, 0, "x"), register(operands, 1, "w"), register(operands, 2, "w")
        a = register(operands, 3, "x") if has_addend else _XZR
        return base | m.number << 16 | a.number << 10 | n.number << 5 | d.number

    return encode


def _make_high_multiply(base: int) -> Encoder:
    def encode(operands: Sequence[Operand], _context: Context) -> int:
        need(operands, 3)
        d, n, m = (register(operands, index, "x") for index in range(3))
        return base | m.number << 16 | n.number << 5 | d.number

    return encode


for _name, _base in (
    ("udiv", 0x1AC00800), ("sdiv", 0x1AC00C00), ("adc", 0x1A000000), ("adcs", 0x3A000000),
    ("sbc", 0x5A000000), ("sbcs", 0x7A000000),
):  # fmt: skip
    ENCODERS[_name] = _make_two_source(_base)
for _name, _base, _base64 in (
    ("rbit", 0x5AC00000, 0xDAC00000), ("rev16", 0x5AC00400, 0xDAC00400), ("rev", 0x5AC00800, 0xDAC00C00),
    ("clz", 0x5AC01000, 0xDAC01000), ("cls", 0x5AC01400, 0xDAC01400),
):  # fmt: skip
    ENCODERS[_name] = _make_one_source(_base, _base64)
ENCODERS["rev32"] = _make_one_source(0, 0xDAC00800, "x")
ENCODERS["madd"] = ENCODERS["mul"] = _make_multiply_add(0)
ENCODERS["msub"] = ENCODERS["mneg"] = _make_multiply_add(1)
for _name, _base, _addend in (
    ("smaddl", 0x9B200000, True), ("smsubl", 0x9B208000, True), ("umaddl", 0x9BA00000, True),
    ("umsubl", 0x9BA08000, True), ("smull", 0x9B200000, False), ("smnegl", 0x9B208000, False),
    ("umull", 0x9BA00000, False), ("umnegl", 0x9BA08000, False),
):  # fmt: skip
    ENCODERS[_name] = _make_long_multiply(_base, _addend)
ENCODERS["smulh"], ENCODERS["umulh"] = _make_high_multiply(0x9B407C00), _make_high_multiply(0x9BC07C00)


# --- conditional -----------------------------------------------------------------------------------


def _select_word(d: Register, n: Register, m: Register, base: int, cond: int) -> int:
    sf = 0x80000000 if d.kind == "x" else 0
    return sf | base | m.number << 16 | cond << 12 | n.number << 5 | d.number


def _make_select(base: int) -> Encoder:
    def encode(operands: Sequence[Operand], _context: Context) -> int:
        need(operands, 4)
        d, n = _two(operands)
        return _select_word(d, n, register(operands, 2, d.kind), base, condition(operands, 3))

    return encode


def _inverted(operands: Sequence[Operand], index: int) -> int:
    cond = condition(operands, index)
    if cond >= 14:
        raise AssemblyError("'al' and 'nv' are not allowed here", index)
    return cond ^ 1


def _make_set(base: int) -> Encoder:
    """CSET, CSETM."""

    def encode(operands: Sequence[Operand], _context: Context) -> int:
        need(operands, 2)
        d = register(operands, 0, "xw")
        return _select_word(d, zero(d), zero(d), base, _inverted(operands, 1))

    return encode


def _make_conditional(base: int) -> Encoder:
    """CINC, CINV, CNEG."""

    def encode(operands: Sequence[Operand], _context: Context) -> int:
        need(operands, 3)
        d, n = _two(operands)
        return _select_word(d, n, n, base, _inverted(operands, 2))

    return encode


def _make_conditional_compare(op: int) -> Encoder:
    def encode(operands: Sequence[Operand], _context: Context) -> int:
        need(operands, 4)
        n = register(operands, 0, "xw")
        sf = 0x80000000 if n.kind == "x" else 0
        nzcv, cond = immediate(operands, 2, 0, 15), condition(operands, 3)
        if isinstance(operands[1], Register):
            second = register(operands, 1, n.kind).number << 16
        else:
            second = immediate(operands, 1, 0, 31) << 16 | 0x800
        return sf | op << 30 | 0x3A400000 | second | cond << 12 | n.number << 5 | nzcv

    return encode


for _name, _base in (
    ("csel", 0x1A800000), ("csinc", 0x1A800400), ("csinv", 0x5A800000), ("csneg", 0x5A800400),
):  # fmt: skip
    ENCODERS[_name] = _make_select(_base)
ENCODERS["cset"], ENCODERS["csetm"] = _make_set(0x1A800400), _make_set(0x5A800000)
for _name, _base in (("cinc", 0x1A800400), ("cinv", 0x5A800000), ("cneg", 0x5A800400)):
    ENCODERS[_name] = _make_conditional(_base)
ENCODERS["ccmp"], ENCODERS["ccmn"] = _make_conditional_compare(1), _make_conditional_compare(0)

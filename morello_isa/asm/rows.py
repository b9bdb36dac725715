"""Encoding of Morello rows: candidates by mnemonic and operand kinds, then operand by operand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from morello_isa.asm.context import CONDITIONS, EXTENDS, Context
from morello_isa.asm.errors import AssemblyError
from morello_isa.asm.integer import add_immediate_field
from morello_isa.asm.memory import memory_relocation, pc_relative, register_offset_fields
from morello_isa.asm.operands import Memory, Modifier, Operand, Register, Symbolic
from morello_isa.encodings.row import MemoryOperand, Row
from morello_isa.encodings.table import ROWS
from morello_isa.sysregs import key_of_name

Values = dict[str, int]

SEAL_FORMS: Final = {"rb": 1, "lpb": 2, "lb": 3}

# What the operand descriptions of a row look like as a signature; several spellings where there are several.
_SIGNATURES: Final[dict[str, tuple[str, ...]]] = {
    "#imm6": ("i",), "#imm8": ("i",), "#4": ("i",), "#imm6:lsl4": ("im", "i"), "#addimm": ("i", "im", "n"),
    "Rm:add": ("x", "xm", "w", "wm"), "cond": ("n",), "form": ("n",), "perm": ("n", "i"), "sysreg": ("n",),
    "label17": ("n", "i"),
}  # fmt: skip


def signature(operands: Sequence[Operand]) -> str:
    """Kinds of the operands as a string: register letters, i number, n name, m modifier, [… memory."""
    text = ""
    for operand in operands:
        if isinstance(operand, Register):
            text += operand.kind
        elif isinstance(operand, int):
            text += "i"
        elif isinstance(operand, Symbolic):
            text += "n"
        elif isinstance(operand, Modifier):
            text += "m"
        elif isinstance(operand, Memory):
            text += "[" + operand.base.kind + _memory_mode(operand)
        else:
            text += "?"
    return text


def _memory_mode(operand: Memory) -> str:
    if isinstance(operand.offset, Register):
        return "r" if operand.mode == "offset" else "?"
    if isinstance(operand.offset, Symbolic):
        return "s" if operand.mode == "offset" else "?"
    return {"offset": "o", "pre": "!", "post": "p"}[operand.mode]


def _row_signatures(row: Row, c64: bool) -> list[str]:
    texts = [""]
    for operand in row.operands:
        if operand in _SIGNATURES:
            choices = _SIGNATURES[operand]
        elif operand[0] == "[":
            assert row.memory is not None
            choices = _memory_signatures(row.memory, c64)
        else:
            choices = (operand[0].lower(),)
        texts = [text + choice for text in texts for choice in choices]
    return texts


def _memory_signatures(operand: MemoryOperand, c64: bool) -> tuple[str, ...]:
    capability = operand.base == "cap" or (operand.base == "base") == c64
    start = "[" + ("c" if capability else "x")
    if operand.mode == "offset" and operand.offset_field == "imm12":
        return start + "o", start + "s"
    return (start + {"offset": "o", "pre": "!", "post": "p", "register": "r"}[operand.mode],)


@lru_cache(maxsize=2)
def _candidates(c64: bool) -> dict[tuple[str, str], list[Row]]:
    table: dict[tuple[str, str], list[Row]] = {}
    for row in ROWS:
        if row.group != "pc-relative":
            for text in _row_signatures(row, c64):
                table.setdefault((row.mnemonic, text), []).append(row)
    return table


def encode_row(mnemonic: str, operands: Sequence[Operand], context: Context) -> int | None:
    """The word of a Morello instruction, None when no row has this shape.

    AssemblyError when rows have the shape but none can hold the values.
    """
    table = _candidates(context.c64)
    text = signature(operands)
    negated = _NEGATED.get((mnemonic, text))
    if negated is not None and isinstance(operands[2], int) and operands[2] < 0:
        return negated(operands, context)
    failure: AssemblyError | None = None
    for name in (mnemonic, _UNSCALED.get(mnemonic, "")):
        for row in table.get((name, text), ()):
            try:
                return _encode(row, operands, context)
            except AssemblyError as error:
                failure = failure or error
    if failure is not None:
        raise failure
    alias = _ALIASES.get((mnemonic, text))
    return alias(operands, context) if alias is not None else None


# ldr → ldur and so on, where the scaled form is missing or can't hold the offset
_UNSCALED: Final = {
    "ldr": "ldur", "str": "stur", "ldrb": "ldurb", "strb": "sturb", "ldrh": "ldurh", "strh": "sturh",
    "ldrsb": "ldursb", "ldrsh": "ldursh", "ldrsw": "ldursw",
}  # fmt: skip


def _encode(row: Row, operands: Sequence[Operand], context: Context) -> int:
    values: Values = {}
    index = 0
    for description in row.operands:
        handler = _HANDLERS.get(description)
        if handler is not None:
            index += handler(operands, index, values, context)
        elif description[0] == "[":
            assert row.memory is not None
            _put_memory(row.memory, operands[index], index, values, context)
            index += 1
        else:
            _put_register(description, operands[index], index, row, values)
            index += 1
    return row.encode(values)


def _put_register(description: str, operand: Operand, index: int, row: Row, values: Values) -> None:
    assert isinstance(operand, Register)
    name, _, stack = description.partition("|")
    if operand.number == 31 and operand.kind in "cxw" and operand.is_sp != bool(stack):
        raise AssemblyError(f"'{operand.name}' is not allowed here", index)
    if name == "C29":
        if operand.number != 29:
            raise AssemblyError("this operand must be c29", index)
        return
    field = name if name in row.fields else "R" + name[1:]
    values[field] = operand.number


def _put_memory(row: MemoryOperand, operand: Operand, index: int, values: Values, context: Context) -> None:
    assert isinstance(operand, Memory)
    if operand.base.number == 31 and not operand.base.is_sp:
        raise AssemblyError(f"'{operand.base.name}' can't be a base register", index)
    values["Cn" if row.base == "cap" else "Rn"] = operand.base.number
    offset = operand.offset
    if row.mode == "register":
        m, option, shifted = register_offset_fields(operand, row.shift, index)
        values.update(Rm=m, sign=option >> 2, sz=option & 1, S=shifted)
    elif isinstance(offset, Symbolic):
        context.relocate(memory_relocation(offset, 4, True, index), offset)
    elif not row.offset_field:
        if offset != 0:
            raise AssemblyError("this instruction takes no offset", index)
    else:
        assert isinstance(offset, int)
        scaled, rest = divmod(int(offset), row.scale)
        low = -(1 << row.bits - 1) if row.signed else 0
        high = low + (1 << row.bits)
        if rest or not low <= scaled < high:
            limits = f"{low * row.scale}..{(high - 1) * row.scale}"
            multiple = f", a multiple of {row.scale}" if row.scale > 1 else ""
            raise AssemblyError(f"the offset {int(offset)} is not in {limits}{multiple}", index)
        values[row.offset_field] = scaled


Handler = Callable[[Sequence[Operand], int, Values, Context], int]


def _limited(operand: Operand, index: int, high: int) -> int:
    if not isinstance(operand, int) or not 0 <= operand <= high:
        raise AssemblyError(f"this immediate must be in 0..{high}", index)
    return int(operand)


def _put_imm6(operands: Sequence[Operand], index: int, values: Values, _context: Context) -> int:
    values["imm6"] = _limited(operands[index], index, 63)
    return 1


def _put_imm8(operands: Sequence[Operand], index: int, values: Values, _context: Context) -> int:
    values["imm8"] = _limited(operands[index], index, 255)
    return 1


def _put_imm6_shifted(operands: Sequence[Operand], index: int, values: Values, _context: Context) -> int:
    if index + 1 < len(operands):
        shift = operands[index + 1]
        if not isinstance(shift, Modifier) or shift.kind != "lsl" or shift.amount != 4:
            raise AssemblyError("the immediate can only be shifted by 'lsl #4'", index + 1)
        values["imm6"] = _limited(operands[index], index, 63)
        return 2
    value = _limited(operands[index], index, 1008)
    if value & 15:
        raise AssemblyError("a length above 63 must be a multiple of 16 here", index)
    values["imm6"] = value >> 4
    return 1


def _put_four(operands: Sequence[Operand], index: int, _values: Values, _context: Context) -> int:
    if operands[index] != 4:
        raise AssemblyError("the only operand of 'bx' is #4", index)
    return 1


def _put_add_immediate(operands: Sequence[Operand], index: int, values: Values, context: Context) -> int:
    shift = operands[index + 1] if index + 1 < len(operands) else None
    assert shift is None or isinstance(shift, Modifier)
    field, negative = add_immediate_field(operands[index], shift, context, index)
    if negative:
        raise AssemblyError("the immediate is negative", index)
    values["sh"], values["imm12"] = field >> 12, field & 0xFFF
    return 2


def _put_extended(operands: Sequence[Operand], index: int, values: Values, _context: Context) -> int:
    register = operands[index]
    assert isinstance(register, Register)
    modifier = operands[index + 1] if index + 1 < len(operands) else None
    assert modifier is None or isinstance(modifier, Modifier)
    kind = modifier.kind if modifier else "lsl"
    option = 3 if kind == "lsl" else EXTENDS.get(kind, -1)
    amount = (modifier.amount or 0) if modifier else 0
    if option < 0 or not 0 <= amount <= 4:
        raise AssemblyError("an extension shifts by 0 to 4", index + 1)
    if (register.kind == "x") != (option & 3 == 3) or register.is_sp:
        raise AssemblyError(f"'{register.name}' doesn't go with this extension", index)
    values.update(Rm=register.number, option_name=option, imm3=amount)
    return 2


def _put_condition(operands: Sequence[Operand], index: int, values: Values, _context: Context) -> int:
    operand = operands[index]
    assert isinstance(operand, Symbolic)
    code = CONDITIONS.get(operand.symbol.lower())
    if code is None:
        raise AssemblyError(f"'{operand.symbol}' is not a condition", index)
    values["cond"] = code
    return 1


def _put_form(operands: Sequence[Operand], index: int, values: Values, _context: Context) -> int:
    operand = operands[index]
    assert isinstance(operand, Symbolic)
    form = SEAL_FORMS.get(operand.symbol.lower())
    if form is None:
        raise AssemblyError("the form must be rb, lpb or lb", index)
    values["form"] = form
    return 1


def _put_permissions(operands: Sequence[Operand], index: int, values: Values, _context: Context) -> int:
    operand = operands[index]
    if isinstance(operand, int):
        values["perm"] = _limited(operand, index, 7)
        return 1
    assert isinstance(operand, Symbolic)
    letters = operand.symbol.lower()
    if letters not in ("r", "w", "x", "rw", "rx", "wx", "rwx"):
        raise AssemblyError("the permissions must be letters of 'rwx' in this order", index)
    values["perm"] = ("r" in letters) << 2 | ("w" in letters) << 1 | ("x" in letters)
    return 1


def _put_system_register(operands: Sequence[Operand], index: int, values: Values, _context: Context) -> int:
    operand = operands[index]
    assert isinstance(operand, Symbolic)
    key = key_of_name(operand.symbol, "capability")
    if key is None:
        raise AssemblyError(f"'{operand.symbol}' is not a capability system register", index)
    op0, op1, crn, crm, op2 = key
    values.update(o0=op0 & 1, op1=op1, CRn=crn, CRm=crm, op2=op2)
    return 1


def _put_label17(operands: Sequence[Operand], index: int, values: Values, context: Context) -> int:
    values["imm17"] = pc_relative(operands[index], "R_MORELLO_LD_PREL_LO17", 0, 17, 16, context, index)
    return 1


_HANDLERS: Final[dict[str, Handler]] = {
    "#imm6": _put_imm6,
    "#imm8": _put_imm8,
    "#imm6:lsl4": _put_imm6_shifted,
    "#4": _put_four,
    "#addimm": _put_add_immediate,
    "Rm:add": _put_extended,
    "cond": _put_condition,
    "form": _put_form,
    "perm": _put_permissions,
    "sysreg": _put_system_register,
    "label17": _put_label17,
}


# --- aliases ---------------------------------------------------------------------------------------


def _named(row_id: str) -> Row:
    return next(row for row in ROWS if row.id == row_id)


_CPY, _SUBS, _RET = _named("CPY_C_C_C"), _named("SUBS_R_CC_C"), _named("RET_C_C")
_ADD, _SUB = _named("ADD_C_CIS_C"), _named("SUB_C_CIS_C")


def _move(operands: Sequence[Operand], context: Context) -> int:
    source, target = operands[1], operands[0]
    assert isinstance(source, Register) and isinstance(target, Register)
    if source.number == 31 and not source.is_sp and not target.is_sp:
        # CPY reads 31 as CSP; writing XZR to Xd leaves the null capability in Cd.
        return 0xAA1F03E0 | target.number
    return _encode(_CPY, operands, context)


def _compare(operands: Sequence[Operand], _context: Context) -> int:
    n, m = operands
    assert isinstance(n, Register) and isinstance(m, Register)
    for index, operand in enumerate((n, m)):
        if operand.is_sp:
            raise AssemblyError("'csp' is not allowed here", index)
    return _SUBS.encode({"Rd": 31, "Cn": n.number, "Cm": m.number})


def _return(_operands: Sequence[Operand], context: Context) -> int | None:
    return _RET.encode({"Cn": 30}) if context.c64 else None


def _opposite(row: Row) -> Callable[[Sequence[Operand], Context], int]:
    """ADD with a negative immediate is SUB and the other way round."""

    def encode(operands: Sequence[Operand], context: Context) -> int:
        value = operands[2]
        assert isinstance(value, int)
        return _encode(row, [*operands[:2], -value, *operands[3:]], context)

    return encode


Alias = Callable[[Sequence[Operand], Context], "int | None"]

_ALIASES: Final[dict[tuple[str, str], Alias]] = {
    ("mov", "cc"): _move,
    ("cmp", "cc"): _compare,
    ("ret", ""): _return,
}

_NEGATED: Final[dict[tuple[str, str], Alias]] = {
    ("add", "cci"): _opposite(_SUB),
    ("sub", "cci"): _opposite(_ADD),
    ("add", "ccim"): _opposite(_SUB),
    ("sub", "ccim"): _opposite(_ADD),
}

"""The DWARF line table (version 4) made from .file and .loc."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guest.assembler.directives import encode_leb128
from guest.assembler.model import Patch, Row, Section
from guest.assembler.sections import default_section
from morello_isa.asm.expression import Linear

if TYPE_CHECKING:
    from guest.assembler.assembler import Assembler

_LINE_BASE: Final = -5
_LINE_RANGE: Final = 14
_OPCODE_BASE: Final = 13
_OPERAND_COUNTS: Final = bytes((0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1))
_COPY, _ADVANCE_PC, _ADVANCE_LINE, _SET_FILE, _SET_COLUMN, _NEGATE_STMT, _SET_BASIC_BLOCK = range(1, 8)
_SET_PROLOGUE_END, _SET_EPILOGUE_BEGIN = 10, 11
_END_SEQUENCE, _SET_ADDRESS, _SET_DISCRIMINATOR = 1, 2, 4
_FLAG_OPCODES: Final = {
    "basic_block": _SET_BASIC_BLOCK,
    "prologue_end": _SET_PROLOGUE_END,
    "epilogue_begin": _SET_EPILOGUE_BEGIN,
}


def _uleb(value: int) -> bytes:
    return encode_leb128(value, signed=False)


def line_table(a: Assembler) -> None:
    """Append the line table to .debug_line if there are .loc rows, before patches are settled."""
    if not any(section.rows for section in a.sections.values()):
        return
    section = a.sections.get(".debug_line") or a.switch_to(default_section(".debug_line"))
    start = len(section.data)
    header = _header(a)
    prologue = b"\4\0" + len(header).to_bytes(4, "little") + header
    section.data += bytes(4) + prologue
    for code in list(a.sections.values()):
        if code.rows:
            _sequence(a, section, code)
    length = len(section.data) - start - 4
    section.data[start : start + 4] = length.to_bytes(4, "little")


def _header(a: Assembler) -> bytes:
    directories: list[str] = []
    entries = b""
    for number in range(1, max(a.files) + 1):
        directory, name = a.files.get(number, ("", "unknown"))
        if directory and directory not in directories:
            directories.append(directory)
        index = directories.index(directory) + 1 if directory else 0
        entries += name.encode() + b"\0" + _uleb(index) + b"\0\0"
    names = b"".join(directory.encode() + b"\0" for directory in directories)
    fixed = bytes((4, 1, 1, _LINE_BASE & 0xFF, _LINE_RANGE, _OPCODE_BASE)) + _OPERAND_COUNTS
    return fixed + names + b"\0" + entries + b"\0"


def _sequence(a: Assembler, section: Section, code: Section) -> None:
    """Opcodes for the rows of one code section."""
    out = section.data
    out += b"\0" + _uleb(9) + bytes((_SET_ADDRESS,))
    anchor = a.unique(".Lline")
    symbol = a.symbol(anchor)
    symbol.section, symbol.value = code, 0
    section.patches.append(Patch(len(out), 8, "data", Linear(0, {anchor: 1}), a.place))
    out += bytes(8)
    address, file, line, column, is_statement = 0, 1, 1, 0, True
    for row in code.rows:
        if row.file != file:
            out += bytes((_SET_FILE,)) + _uleb(row.file)
        if row.column != column:
            out += bytes((_SET_COLUMN,)) + _uleb(row.column)
        if ("not_statement" not in row.flags) != is_statement:
            is_statement = not is_statement
            out.append(_NEGATE_STMT)
        out += _extras(row)
        out += _advance((row.offset - address) // 4, row.line - line)
        address, file, line, column = row.offset, row.file, row.line, row.column
    out += bytes((_ADVANCE_PC,)) + _uleb((len(code.data) - address) // 4)
    out += bytes((0, 1, _END_SEQUENCE))


def _extras(row: Row) -> bytes:
    out = bytes(opcode for name, opcode in _FLAG_OPCODES.items() if name in row.flags)
    if row.discriminator:
        operand = _uleb(row.discriminator)
        out += b"\0" + _uleb(len(operand) + 1) + bytes((_SET_DISCRIMINATOR,)) + operand
    return out


def _advance(instructions: int, lines: int) -> bytes:
    """One row further: a special opcode, after explicit advances where it doesn't reach."""
    out = b""
    if not _LINE_BASE <= lines < _LINE_BASE + _LINE_RANGE:
        out += bytes((_ADVANCE_LINE,)) + encode_leb128(lines, signed=True)
        lines = 0
    opcode = lines - _LINE_BASE + _LINE_RANGE * instructions + _OPCODE_BASE
    if opcode > 255:
        out += bytes((_ADVANCE_PC,)) + _uleb(instructions)
        opcode = lines - _LINE_BASE + _OPCODE_BASE
    return out + bytes((opcode,))

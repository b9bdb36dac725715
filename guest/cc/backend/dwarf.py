"""`.debug_info`, `.debug_abbrev` and `.debug_ranges` (DWARF 4) as assembly text.

Functions, parameters, local variables and their types. A variable's location is the register or frame
slot that the allocator gave it; one that was optimised away has none. Register numbers are those of
aadwarf64-morello.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from guest.cc import debug, ir
from guest.cc.backend.frame import Frame
from guest.cc.backend.mir import FIRST_V, FP, FrameKind, FrameRef, MFunction

DWARF_C0 = 198
DWARF_V0 = 64
DWARF_SP = 31
DW_LANG_C99 = 0x0C
OP_ADDR, OP_REG0, OP_REGX, OP_FBREG = 0x03, 0x50, 0x90, 0x91

# Abbreviation codes, each with tag, children flag and (attribute, form) pairs.
(
    CU,
    SUBPROGRAM,
    VARIABLE,
    VARIABLE_LOST,
    PARAMETER,
    PARAMETER_LOST,
    BASE,
    POINTER,
    POINTER_VOID,
    ARRAY,
    SUBRANGE,
    STRUCT,
    UNION,
    MEMBER,
    BIT_MEMBER,
    ENUM,
    ENUMERATOR,
    FUNCTION_TYPE,
    FUNCTION_TYPE_VOID,
    FORMAL,
    GLOBAL,
) = range(1, 22)
_ADDR, _DATA8, _STRING, _DATA1 = 0x01, 0x07, 0x08, 0x0B
_SDATA, _UDATA, _REF4, _SEC, _EXPR = 0x0D, 0x0F, 0x13, 0x17, 0x18
_NAME, _TYPE, _SIZE = (0x03, _STRING), (0x49, _REF4), (0x0B, _UDATA)
_LOCATION = (0x02, _EXPR)
_FUNCTION = ((0x03, _STRING), (0x11, _ADDR), (0x12, _DATA8), (0x40, _EXPR), (0x3B, _UDATA), (0x3F, _DATA1))
ABBREVIATIONS: dict[int, tuple[int, bool, tuple[tuple[int, int], ...]]] = {
    CU: (0x11, True, ((0x25, _STRING), (0x13, _DATA1), _NAME, (0x10, _SEC), (0x11, _ADDR), (0x55, _SEC))),
    SUBPROGRAM: (0x2E, True, _FUNCTION),
    VARIABLE: (0x34, False, (_NAME, _TYPE, _LOCATION)),
    VARIABLE_LOST: (0x34, False, (_NAME, _TYPE)),
    PARAMETER: (0x05, False, (_NAME, _TYPE, _LOCATION)),
    PARAMETER_LOST: (0x05, False, (_NAME, _TYPE)),
    BASE: (0x24, False, (_NAME, _SIZE, (0x3E, _DATA1))),
    POINTER: (0x0F, False, (_SIZE, _TYPE)),
    POINTER_VOID: (0x0F, False, (_SIZE,)),
    ARRAY: (0x01, True, (_TYPE,)),
    SUBRANGE: (0x21, False, ((0x37, _UDATA),)),
    STRUCT: (0x13, True, (_NAME, _SIZE)),
    UNION: (0x17, True, (_NAME, _SIZE)),
    MEMBER: (0x0D, False, (_NAME, _TYPE, (0x38, _UDATA))),
    BIT_MEMBER: (0x0D, False, (_NAME, _TYPE, (0x6B, _UDATA), (0x0D, _UDATA))),
    ENUM: (0x04, True, (_NAME, _SIZE)),
    ENUMERATOR: (0x28, False, (_NAME, (0x1C, _SDATA))),
    FUNCTION_TYPE: (0x15, True, (_TYPE,)),
    FUNCTION_TYPE_VOID: (0x15, True, ()),
    FORMAL: (0x05, False, (_TYPE,)),
    GLOBAL: (0x34, False, (_NAME, _TYPE, (0x3F, _DATA1), _LOCATION)),
}


def uleb(value: int) -> bytes:
    """Unsigned LEB128."""
    out = bytearray()
    while True:
        byte = value & 0x7F
        value >>= 7
        out.append(byte | (0x80 if value else 0))
        if not value:
            return bytes(out)


def sleb(value: int) -> bytes:
    """Signed LEB128."""
    out = bytearray()
    while True:
        byte = value & 0x7F
        value >>= 7
        done = (value == 0 and not byte & 0x40) or (value == -1 and byte & 0x40)
        out.append(byte | (0 if done else 0x80))
        if done:
            return bytes(out)


@dataclass(slots=True)
class Location:
    """Where a variable of a compiled function is: a DWARF expression, or nowhere."""

    variable: ir.Variable
    expression: bytes | None


@dataclass(slots=True)
class FunctionInfo:
    """What the debug information says about one function."""

    name: str
    start: str
    end: str
    line: int
    external: bool
    frame_base: bytes
    variables: list[Location] = field(default_factory=list)


def describe_function(
    source: ir.Function, machine: MFunction, frame: Frame, registers: dict[ir.VReg, int]
) -> FunctionInfo:
    """Collect the locations of a function's variables after allocation; `registers`: the selector's map."""
    base = FP if machine.has_alloca else DWARF_SP
    info = FunctionInfo(
        source.name,
        machine.blocks[0].label,
        f".Lend.{source.name}",
        source.loc.line if source.loc else 0,
        not source.is_static,
        bytes([OP_REG0 + base]),
    )
    for variable in source.variables:
        info.variables.append(Location(variable, _locate(variable, machine, frame, registers)))
    return info


def _locate(
    variable: ir.Variable, machine: MFunction, frame: Frame, registers: dict[ir.VReg, int]
) -> bytes | None:
    home = variable.home
    if isinstance(home, int):
        if (FrameKind.LOCAL, home) not in frame.offsets:
            return None
        return _in_frame(frame, FrameRef(FrameKind.LOCAL, home, 0, 1))
    register = registers.get(home)
    if register is None:
        return None
    slot = machine.spill_of.get(register)
    if slot is not None:
        return _in_frame(frame, FrameRef(FrameKind.SPILL, slot, 0, 1))
    physical = machine.assignment.get(register)
    if physical is None:
        return None
    if physical >= FIRST_V:
        return bytes([OP_REGX]) + uleb(DWARF_V0 + physical - FIRST_V)
    if home.ty is ir.Ty.CAP:
        return bytes([OP_REGX]) + uleb(DWARF_C0 + physical)
    return bytes([OP_REG0 + physical])


def _in_frame(frame: Frame, ref: FrameRef) -> bytes:
    return bytes([OP_FBREG]) + sleb(frame.locate(ref)[1])


class _Text:
    """Assembly text under construction; bytes are gathered into `.byte` lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._pending = bytearray()

    def raw(self, data: bytes) -> None:
        self._pending += data

    def line(self, text: str) -> None:
        if self._pending:
            self.lines.append("\t.byte " + ",".join(map(str, self._pending)))
            self._pending = bytearray()
        self.lines.append(text)

    def string(self, text: str) -> None:
        self.raw(text.encode("utf-8") + b"\0")

    def reference(self, type_id: int) -> None:
        self.line(f"\t.word .Ltype{type_id}-.Ldebug_info")

    def expression(self, content: bytes) -> None:
        self.raw(uleb(len(content)) + content)


PREAMBLE = [
    '\t.section .debug_abbrev,"",%progbits',
    ".Ldebug_abbrev:",
    '\t.section .debug_line,"",%progbits',
    ".Ldebug_line:",
    '\t.section .debug_ranges,"",%progbits',
    ".Ldebug_ranges:",
]


def debug_sections(
    name: str, functions: list[FunctionInfo], types: list[object], objects: list[ir.Data]
) -> list[str]:
    """Everything but the line table, which the assembler makes from `.loc`."""
    text = _Text()
    for line in PREAMBLE:
        text.line(line)
    for function in functions:
        text.line(f"\t.xword {function.start}, {function.end}")
    text.line("\t.xword 0, 0")
    text.line('\t.section .debug_abbrev,"",%progbits')
    for code, (tag, children, attributes) in ABBREVIATIONS.items():
        text.raw(uleb(code) + uleb(tag) + bytes([children]))
        for attribute, form in (*attributes, (0, 0)):
            text.raw(uleb(attribute) + uleb(form))
    text.raw(b"\0")
    text.line('\t.section .debug_info,"",%progbits')
    text.line(".Ldebug_info:")
    text.line("\t.word .Ldebug_info_end-.Ldebug_info_start")
    text.line(".Ldebug_info_start:")
    text.line("\t.hword 4")
    text.line("\t.word .Ldebug_abbrev")
    text.raw(bytes([8, CU]))
    text.string("morello cc")
    text.raw(bytes([DW_LANG_C99]))
    text.string(name)
    text.line("\t.word .Ldebug_line")
    text.line("\t.xword 0")
    text.line("\t.word .Ldebug_ranges")
    for number, entry in enumerate(types):
        text.line(f".Ltype{number}:")
        _type_entry(text, entry)
    for data in objects:
        if data.type_id is not None and data.type_id >= 0 and not data.is_thread_local:
            _global_entry(text, data)
    for function in functions:
        _function_entry(text, function)
    text.raw(b"\0")
    text.line(".Ldebug_info_end:")
    return text.lines


def _global_entry(text: _Text, data: ir.Data) -> None:
    text.raw(bytes([GLOBAL]))
    text.string(data.c_name)
    text.reference(data.type_id or 0)
    text.raw(bytes([not data.is_static]) + uleb(9) + bytes([OP_ADDR]))
    text.line(f"\t.xword {data.name}")


def _function_entry(text: _Text, function: FunctionInfo) -> None:
    text.raw(bytes([SUBPROGRAM]))
    text.string(function.name)
    text.line(f"\t.xword {function.start}")
    text.line(f"\t.xword {function.end}-{function.start}")
    text.expression(function.frame_base)
    text.raw(uleb(function.line) + bytes([function.external]))
    for location in function.variables:
        variable = location.variable
        if variable.type_id < 0:
            continue
        found = location.expression is not None
        kinds = (PARAMETER, PARAMETER_LOST) if variable.is_parameter else (VARIABLE, VARIABLE_LOST)
        text.raw(bytes([kinds[0] if found else kinds[1]]))
        text.string(variable.name)
        text.reference(variable.type_id)
        if location.expression is not None:
            text.expression(location.expression)
    text.raw(b"\0")


def _type_entry(text: _Text, entry: object) -> None:
    if isinstance(entry, debug.BaseType):
        text.raw(bytes([BASE]))
        text.string(entry.name)
        text.raw(uleb(entry.size) + bytes([entry.encoding]))
    elif isinstance(entry, debug.PointerTo):
        text.raw(bytes([POINTER if entry.type_id >= 0 else POINTER_VOID]) + uleb(entry.size))
        if entry.type_id >= 0:
            text.reference(entry.type_id)
    elif isinstance(entry, debug.ArrayOf):
        text.raw(bytes([ARRAY]))
        text.reference(entry.type_id)
        text.raw(bytes([SUBRANGE]) + uleb(entry.count) + b"\0")
    elif isinstance(entry, debug.Record):
        _record_entry(text, entry)
    elif isinstance(entry, debug.Enumeration):
        text.raw(bytes([ENUM]))
        text.string(entry.name)
        text.raw(uleb(entry.size))
        for name, value in entry.values:
            text.raw(bytes([ENUMERATOR]))
            text.string(name)
            text.raw(sleb(value))
        text.raw(b"\0")
    elif isinstance(entry, debug.FunctionOf):
        text.raw(bytes([FUNCTION_TYPE if entry.result >= 0 else FUNCTION_TYPE_VOID]))
        if entry.result >= 0:
            text.reference(entry.result)
        for param in entry.params:
            text.raw(bytes([FORMAL]))
            text.reference(param)
        text.raw(b"\0")


def _record_entry(text: _Text, entry: debug.Record) -> None:
    text.raw(bytes([UNION if entry.is_union else STRUCT]))
    text.string(entry.name or "")
    text.raw(uleb(entry.size))
    for member in entry.members:
        text.raw(bytes([MEMBER if member.bit_width is None else BIT_MEMBER]))
        text.string(member.name)
        text.reference(member.type_id)
        if member.bit_width is None:
            text.raw(uleb(member.offset))
        else:
            text.raw(uleb(member.offset * 8 + member.bit_offset) + uleb(member.bit_width))
    text.raw(b"\0")

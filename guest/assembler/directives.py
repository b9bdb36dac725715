"""The directives: one function each, in one table."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from guest.assembler.diagnostics import SourceError
from guest.assembler.model import Patch
from guest.assembler.sections import default_section, parse_section
from loader import elf_constants as elf
from morello_isa.asm.expression import Linear
from morello_isa.asm.operands import split_operands
from morello_isa.assemble import Encoded

if TYPE_CHECKING:
    from guest.assembler.assembler import Assembler

Directive = Callable[["Assembler", str], None]

DIRECTIVES: Final[dict[str, Directive]] = {}

MAX_SPACE: Final = 1 << 30
"""Bytes that one directive may reserve: more is a mistake."""


def _names(arguments: str) -> list[str]:
    names = [name.strip().strip('"') for name in arguments.split(",")]
    if not all(names):
        raise SourceError("a symbol name is missing")
    return names


# --- integers --------------------------------------------------------------------------------------


def _make_integers(size: int) -> Directive:
    limit = 1 << 8 * size

    def directive(a: Assembler, arguments: str) -> None:
        parts = split_operands(arguments)
        try:
            numbers = [int(part, 0) for part in parts]
        except ValueError:
            numbers = None
        if numbers is not None and all(-(limit >> 1) <= number < limit for number in numbers):
            a.append(b"".join((number % limit).to_bytes(size, "little") for number in numbers))
            return
        for part in parts:
            a.data_value(a.expression(part), size)

    return directive


for _width, _directive_names in (
    (1, (".byte",)),
    (2, (".hword", ".short", ".2byte")),
    (4, (".word", ".long", ".int", ".4byte")),
    (8, (".xword", ".quad", ".dword", ".8byte")),
):
    for _name in _directive_names:
        DIRECTIVES[_name] = _make_integers(_width)


def _octa(a: Assembler, arguments: str) -> None:
    for part in split_operands(arguments):
        a.append((a.constant(part) % (1 << 128)).to_bytes(16, "little"))


def _make_leb128(signed: bool) -> Directive:
    def directive(a: Assembler, arguments: str) -> None:
        for part in split_operands(arguments):
            a.append(encode_leb128(a.constant(part), signed))

    return directive


def encode_leb128(value: int, signed: bool) -> bytes:
    """DWARF's variable-length form."""
    if value < 0 and not signed:
        raise SourceError("an unsigned LEB128 can't be negative")
    out = bytearray()
    while True:
        byte = value & 0x7F
        value >>= 7
        last = (value == 0 and not (signed and byte & 0x40)) or (signed and value == -1 and bool(byte & 0x40))
        out.append(byte if last else byte | 0x80)
        if last:
            return bytes(out)


def _make_floats(code: str) -> Directive:
    def directive(a: Assembler, arguments: str) -> None:
        for part in split_operands(arguments):
            try:
                a.append(struct.pack("<" + code, float(part)))
            except (ValueError, OverflowError):
                raise SourceError(f"'{part}' is not a floating-point number") from None

    return directive


DIRECTIVES[".octa"] = _octa
DIRECTIVES[".uleb128"], DIRECTIVES[".sleb128"] = _make_leb128(False), _make_leb128(True)
DIRECTIVES[".float"] = DIRECTIVES[".single"] = _make_floats("f")
DIRECTIVES[".double"] = _make_floats("d")


# --- strings ---------------------------------------------------------------------------------------

_ESCAPE = re.compile(rb"\\([0-7]{1,3}|[xX][0-9a-fA-F]+|.)", re.DOTALL)
_SIMPLE = {b"n": 10, b"t": 9, b"r": 13, b"b": 8, b"f": 12, b"v": 11, b"a": 7, b"e": 27}


def _unescape(match: re.Match[bytes]) -> bytes:
    text = match[1]
    if text[:1] in b"01234567":
        return bytes([int(text, 8) & 0xFF])
    if text[:1] in b"xX" and len(text) > 1:
        return bytes([int(text[1:], 16) & 0xFF])
    return bytes([_SIMPLE[text]]) if text in _SIMPLE else text


def parse_string(text: str) -> bytes:
    """The bytes of a quoted string (UTF-8, with C escapes)."""
    text = text.strip()
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        raise SourceError(f"{text or 'nothing'} is not a quoted string")
    return _ESCAPE.sub(_unescape, text[1:-1].encode())


def _split_strings(arguments: str) -> list[str]:
    return re.findall(r'"(?:\\.|[^"\\])*"|[^\s,]+', arguments)


def _make_strings(terminator: bytes) -> Directive:
    def directive(a: Assembler, arguments: str) -> None:
        for part in _split_strings(arguments):
            a.append(parse_string(part) + terminator)

    return directive


DIRECTIVES[".ascii"] = _make_strings(b"")
DIRECTIVES[".asciz"] = DIRECTIVES[".string"] = _make_strings(b"\0")


# --- space -----------------------------------------------------------------------------------------


def _space(a: Assembler, arguments: str) -> None:
    parts = split_operands(arguments)
    size = a.constant(parts[0]) if parts else 0
    fill = a.constant(parts[1]) if len(parts) > 1 else 0
    if not 0 <= size < MAX_SPACE:
        raise SourceError(f"a space of {size} bytes is not possible")
    if a.section.is_nobits and not fill:
        a.section.reserved += size
    else:
        a.append(bytes([fill & 0xFF]) * size)


def _fill(a: Assembler, arguments: str) -> None:
    numbers = [a.constant(part) for part in split_operands(arguments)]
    repeat = numbers[0] if numbers else 0
    size = min(numbers[1], 8) if len(numbers) > 1 else 1
    value = numbers[2] if len(numbers) > 2 else 0
    if not 0 <= repeat * size < MAX_SPACE or size < 0:
        raise SourceError(f"a space of {repeat * size} bytes is not possible")
    a.append((value & (1 << 8 * size) - 1).to_bytes(size, "little") * repeat)


def _make_align(is_power: bool) -> Directive:
    def directive(a: Assembler, arguments: str) -> None:
        parts = split_operands(arguments)
        number = a.constant(parts[0]) if parts else 0
        if is_power and not 0 <= number < 32:
            raise SourceError(f"the alignment 2^{number} is not possible")
        alignment = 1 << number if is_power else max(number, 1)
        if alignment & alignment - 1:
            raise SourceError(f"the alignment {alignment} is not a power of two")
        fill = a.constant(parts[1]) if len(parts) > 1 and parts[1] else None
        a.align(alignment, fill, a.constant(parts[2]) if len(parts) > 2 else None)

    return directive


def _org(a: Assembler, arguments: str) -> None:
    a.move_to(a.expression(arguments.partition(",")[0]))


def _incbin(a: Assembler, arguments: str) -> None:
    parts = split_operands(arguments) or [""]
    try:
        data = a.source.find_file(parts[0]).read_bytes()
    except OSError:
        raise SourceError(f"{parts[0]} can't be read") from None
    start = a.constant(parts[1]) if len(parts) > 1 else 0
    stop = start + a.constant(parts[2]) if len(parts) > 2 else len(data)
    a.append(data[start:stop])


for _name in (".space", ".skip", ".zero"):
    DIRECTIVES[_name] = _space
DIRECTIVES[".fill"], DIRECTIVES[".org"], DIRECTIVES[".incbin"] = _fill, _org, _incbin
DIRECTIVES[".align"] = DIRECTIVES[".p2align"] = _make_align(True)
DIRECTIVES[".balign"] = _make_align(False)


# --- capabilities ----------------------------------------------------------------------------------

_CAPABILITY = re.compile(r"([A-Za-z_.$][\w.$]*)\s*(?:([+-].*))?$")


def _chericap(a: Assembler, arguments: str) -> None:
    """`.chericap symbol[+offset]`: 16 bytes; `.chericap number`: an untagged integer.

    An offset that is a difference of labels makes a pointer into code (R_MORELLO_CODE_CAPINIT), which a
    symbol of another object never replaces.
    """
    for part in split_operands(arguments):
        a.align(16)
        match = _CAPABILITY.match(part)
        if match is None or a.is_constant(match[1]):
            number = a.constant(part)
            a.append((number & (1 << 64) - 1).to_bytes(16, "little"))
            continue
        offset = a.expression(match[2]) if match[2] else Linear()
        a.append(bytes(16))
        kind = "R_MORELLO_CODE_CAPINIT" if offset.terms else "R_MORELLO_CAPINIT"
        place = len(a.section.data) - 16
        a.section.patches.append(Patch(place, 16, kind, offset, a.place, match[1]))


def _capinit(a: Assembler, arguments: str) -> None:
    """`.capinit symbol`: only the relocation; the 16 bytes are written by data directives that follow."""
    match = _CAPABILITY.match(arguments)
    if match is None:
        raise SourceError(".capinit needs a symbol")
    offset = a.expression(match[2]) if match[2] else Linear()
    place = a.section.size
    a.section.patches.append(Patch(place, 0, "R_MORELLO_CAPINIT", offset, a.place, match[1]))


DIRECTIVES[".chericap"], DIRECTIVES[".capinit"] = _chericap, _capinit


# --- sections --------------------------------------------------------------------------------------


def _make_section(name: str) -> Directive:
    def directive(a: Assembler, arguments: str) -> None:
        if arguments.strip():
            raise SourceError(f"'{name}' takes no operands")
        a.change_section(default_section(name))

    return directive


def _section(a: Assembler, arguments: str) -> None:
    parts = split_operands(arguments)
    known = a.sections.get(parts[0].strip('"')) if parts else None
    if known is not None and len(parts) == 1:
        a.change_section(known)
    else:
        a.change_section(parse_section(arguments))


def _push_section(a: Assembler, arguments: str) -> None:
    a.section_stack.append((a.section, a.previous))
    _section(a, arguments)


def _pop_section(a: Assembler, _arguments: str) -> None:
    if not a.section_stack:
        raise SourceError("there is no .pushsection for this .popsection")
    a.section, a.previous = a.section_stack.pop()


def _previous(a: Assembler, _arguments: str) -> None:
    a.section, a.previous = a.previous, a.section


for _name in (".text", ".data", ".bss", ".rodata"):
    DIRECTIVES[_name] = _make_section(_name)
DIRECTIVES[".section"], DIRECTIVES[".pushsection"] = _section, _push_section
DIRECTIVES[".popsection"], DIRECTIVES[".previous"] = _pop_section, _previous


# --- symbols ---------------------------------------------------------------------------------------


def _make_binding(binding: int) -> Directive:
    def directive(a: Assembler, arguments: str) -> None:
        for name in _names(arguments):
            a.symbol(name).binding = binding

    return directive


def _make_visibility(visibility: int) -> Directive:
    def directive(a: Assembler, arguments: str) -> None:
        for name in _names(arguments):
            a.symbol(name).visibility = visibility

    return directive


_SYMBOL_TYPES = {
    "function": elf.STT_FUNC,
    "stt_func": elf.STT_FUNC,
    "stt_object": elf.STT_OBJECT,
    "stt_tls": elf.STT_TLS,
    "object": elf.STT_OBJECT,
    "tls_object": elf.STT_TLS,
    "common": elf.STT_OBJECT,
    "notype": elf.STT_NOTYPE,
    "gnu_indirect_function": elf.STT_GNU_IFUNC,
}


def _type(a: Assembler, arguments: str) -> None:
    name, comma, kind = arguments.partition(",")
    kind = kind.strip().strip('"').lstrip("@%#").lower()
    if not comma or kind not in _SYMBOL_TYPES:
        raise SourceError(".type needs a symbol and one of %function, %object, %tls_object, %notype")
    a.symbol(name.strip()).type = _SYMBOL_TYPES[kind]


def _size(a: Assembler, arguments: str) -> None:
    name, comma, text = arguments.partition(",")
    if not comma:
        raise SourceError(".size needs a symbol and an expression")
    symbol = a.symbol(name.strip())
    symbol.size, symbol.size_place = a.expression(text.strip()), a.place


def _set(a: Assembler, arguments: str) -> None:
    name, comma, text = arguments.partition(",")
    if not comma:
        raise SourceError("this needs a symbol and an expression")
    a.assign(name.strip(), text.strip())


def _equiv(a: Assembler, arguments: str) -> None:
    name = arguments.partition(",")[0].strip()
    if a.is_defined(name):
        raise SourceError(f"'{name}' is already defined")
    _set(a, arguments)


def _common(a: Assembler, arguments: str) -> None:
    parts = split_operands(arguments)
    if len(parts) < 2:
        raise SourceError(".comm needs a symbol and a size")
    symbol = a.symbol(parts[0])
    size, align = a.constant(parts[1]), a.constant(parts[2]) if len(parts) > 2 else 1
    if symbol.is_defined:
        raise SourceError(f"'{symbol.name}' is already defined")
    if symbol.type == elf.STT_NOTYPE:
        symbol.type = elf.STT_OBJECT
    if symbol.binding == elf.STB_LOCAL:
        _allocate_bss(a, symbol.name, size, align)
        return
    _check_common(size, align)
    symbol.common_size, symbol.common_align = size, align


def _check_common(size: int, align: int) -> None:
    if not 0 <= size < MAX_SPACE or align < 1 or align & align - 1:
        raise SourceError("the size or alignment is not possible")


def _local_common(a: Assembler, arguments: str) -> None:
    parts = split_operands(arguments)
    if len(parts) < 2:
        raise SourceError(".lcomm needs a symbol and a size")
    _allocate_bss(a, parts[0], a.constant(parts[1]), a.constant(parts[2]) if len(parts) > 2 else 1)


def _allocate_bss(a: Assembler, name: str, size: int, align: int) -> None:
    _check_common(size, align)
    saved = a.section
    a.section = a.switch_to(default_section(".bss"))
    a.align(align)
    a.define_label(name)
    symbol = a.symbol(name)
    symbol.type, symbol.size = elf.STT_OBJECT, Linear(size)
    a.section.reserved += size
    a.section = saved


def _variant_pcs(a: Assembler, arguments: str) -> None:
    for name in _names(arguments):
        a.symbol(name).other = 0x80


DIRECTIVES[".globl"] = DIRECTIVES[".global"] = _make_binding(elf.STB_GLOBAL)
DIRECTIVES[".weak"], DIRECTIVES[".local"] = _make_binding(elf.STB_WEAK), _make_binding(elf.STB_LOCAL)
DIRECTIVES[".hidden"] = _make_visibility(elf.STV_HIDDEN)
DIRECTIVES[".protected"] = _make_visibility(elf.STV_PROTECTED)
DIRECTIVES[".internal"] = _make_visibility(elf.STV_INTERNAL)
DIRECTIVES[".type"], DIRECTIVES[".size"] = _type, _size
DIRECTIVES[".set"] = DIRECTIVES[".equ"] = _set
DIRECTIVES[".equiv"], DIRECTIVES[".variant_pcs"] = _equiv, _variant_pcs
DIRECTIVES[".comm"], DIRECTIVES[".lcomm"] = _common, _local_common


# --- instruction set state -------------------------------------------------------------------------


def _architecture(a: Assembler, arguments: str) -> None:
    """`.arch morello+c64`: the extensions c64 and a64c select the state, others are accepted."""
    for extension in arguments.lower().split("+")[1:]:
        _extension(a, extension)


def _extension(a: Assembler, arguments: str) -> None:
    name = arguments.strip().lower()
    if name in ("c64", "noa64c"):
        a.c64 = True
    elif name in ("noc64", "a64c"):
        a.c64 = False


def _code(a: Assembler, arguments: str) -> None:
    state = arguments.strip().lower()
    if state not in ("c64", "a64"):
        raise SourceError("the state must be c64 or a64")
    a.c64 = state == "c64"


def _instruction_word(a: Assembler, arguments: str) -> None:
    for part in split_operands(arguments):
        a.emit(Encoded(a.constant(part) & 0xFFFFFFFF, ()))


def _tlsdesc_call(a: Assembler, arguments: str) -> None:
    kind = "R_MORELLO_TLSDESC_CALL" if a.c64 else "R_AARCH64_TLSDESC_CALL"
    value = a.expression(arguments)
    a.section.patches.append(Patch(a.section.size, 4, kind, value, a.place))


def _literal_pool(a: Assembler, _arguments: str) -> None:
    a.dump_literals(a.section)


DIRECTIVES[".arch"] = DIRECTIVES[".cpu"] = _architecture
DIRECTIVES[".arch_extension"], DIRECTIVES[".code"] = _extension, _code
DIRECTIVES[".inst"], DIRECTIVES[".tlsdesccall"] = _instruction_word, _tlsdesc_call
DIRECTIVES[".ltorg"] = DIRECTIVES[".pool"] = _literal_pool


# --- debugging -------------------------------------------------------------------------------------

_FILE = re.compile(r'(?:(\d+)\s+)?"((?:\\.|[^"\\])*)"(?:\s+"((?:\\.|[^"\\])*)")?')


def _file(a: Assembler, arguments: str) -> None:
    match = _FILE.match(arguments.strip())
    if match is None:
        raise SourceError(".file needs a name")
    number, first, second = match.groups()
    if number is None:
        a.file_symbol = first
    else:
        directory, name = (first, second) if second is not None else ("", first)
        a.files[int(number)] = (directory, name)


def _location(a: Assembler, arguments: str) -> None:
    words = arguments.split()
    if len(words) < 2 or not all(word.isdigit() for word in words[:2]):
        raise SourceError(".loc needs a file number and a line")
    file, line = int(words[0]), int(words[1])
    if file not in a.files:
        raise SourceError(f"there is no .file {file}")
    rest = words[2:]
    column = int(rest.pop(0)) if rest and rest[0].isdigit() else 0
    flags, discriminator = set(), 0
    while rest:
        word = rest.pop(0)
        if word in ("is_stmt", "isa", "discriminator", "view") and rest:
            value = rest.pop(0)
            if word == "discriminator":
                discriminator = int(value)
            elif word == "is_stmt" and value == "0":
                flags.add("not_statement")
        elif word in ("prologue_end", "epilogue_begin", "basic_block"):
            flags.add(word)
    a.pending_row = (file, line, column, frozenset(flags), discriminator)


def _accept(_a: Assembler, _arguments: str) -> None:
    """Understood and without effect on the object (unwind tables are not written)."""


DIRECTIVES[".file"], DIRECTIVES[".loc"] = _file, _location
for _name in (
    ".cfi_startproc", ".cfi_endproc", ".cfi_def_cfa", ".cfi_def_cfa_offset", ".cfi_def_cfa_register",
    ".cfi_offset", ".cfi_rel_offset", ".cfi_adjust_cfa_offset", ".cfi_restore", ".cfi_same_value",
    ".cfi_undefined", ".cfi_register", ".cfi_remember_state", ".cfi_restore_state", ".cfi_sections",
    ".cfi_personality", ".cfi_lsda", ".cfi_escape", ".cfi_window_save", ".cfi_return_column",
    ".cfi_signal_frame", ".cfi_val_offset", ".cfi_b_key_frame", ".cfi_negate_ra_state", ".ident",
    ".addrsig", ".addrsig_sym", ".build_attribute", ".aeabi_subsection", ".aeabi_attribute",
    ".extern", ".title", ".list", ".nolist", ".altmacro", ".noaltmacro",
):  # fmt: skip
    DIRECTIVES[_name] = _accept

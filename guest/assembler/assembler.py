"""Assembler source to a relocatable ELF object.

>>> data = assemble_source(".text\\n.globl f\\n.type f, %function\\nf: ret\\n", "f.s")
>>> data[:4]
b'\\x7fELF'

One pass over the statements fills the sections; expressions and relocations are settled at the end, when all
symbols are known (`finish.py`). Nothing is relaxed: a branch out of reach is an error or a relocation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from guest.assembler.diagnostics import AssemblyFailure, Diagnostic, Place, SourceError
from guest.assembler.directives import DIRECTIVES, MAX_SPACE
from guest.assembler.finish import finish_object
from guest.assembler.model import Patch, Row, Section, Symbol
from guest.assembler.sections import default_section
from guest.assembler.source import Source
from loader import elf_constants as elf
from morello_isa.asm.expression import Linear, parse_expression
from morello_isa.asm.operands import split_operands
from morello_isa.assemble import AssemblyError, Encoded, encode_line

_LABEL = re.compile(r"([A-Za-z_.$][\w.$]*|\d+)\s*:(?!:)\s*")
_ASSIGNMENT = re.compile(r"([A-Za-z_.$][\w.$]*)\s*=(?!=)\s*(.*)$")
_IDENTIFIER = re.compile(r"(?<![\w.$#@\\])[A-Za-z_.$][\w.$]*")
_NUMBERED = re.compile(r"\d+[bf]$")
_MAX_ERRORS = 100

_LITERAL = re.compile(r"(ldr)\s+([xwXW]\d+)\s*,\s*=\s*(.+)$", re.IGNORECASE)


class Assembler:
    """The state of one source file being assembled."""

    def __init__(self, name: str, include_dirs: Sequence[Path] = (), c64: bool = True) -> None:
        self.name = name
        self.include_dirs = include_dirs
        self.c64 = c64
        self.sections: dict[str, Section] = {}
        self.symbols: dict[str, Symbol] = {}
        self.diagnostics: list[Diagnostic] = []
        self.place = Place(name, 0, "")
        self.files: dict[int, tuple[str, str]] = {}
        self.file_symbol: str | None = None
        self.pending_row: tuple[int, int, int, frozenset[str], int] | None = None
        self.substitutions: dict[str, str] = {}
        self.section_stack: list[tuple[Section, Section]] = []
        self.literals: dict[str, list[tuple[str, int, Linear, Place]]] = {}
        self.uses_c64 = False
        self._numbered: dict[str, int] = {}
        self._unique = 0
        self.section = self.previous = self.switch_to(default_section(".text"))

    # --- driving -----------------------------------------------------------------------------------

    def run(self, text: str) -> bytes:
        """Assemble the whole source; AssemblyFailure with all errors."""
        source = Source(text, self.name, self.include_dirs, self.constant, self.is_defined)
        self.source = source
        statements = source.statements()
        while True:
            try:
                for statement in statements:
                    if statement:
                        self.place = source.place
                        self.statement(statement)
                break
            except (SourceError, AssemblyError) as error:
                self.place = source.place
                self.report(error)
                if len(self.diagnostics) >= _MAX_ERRORS:
                    break
                statements = source.statements()
        self.place = source.place
        unclosed = source.unclosed()
        if unclosed is not None:
            self.report(unclosed)
        for name in list(self.literals):
            self.dump_literals(self.sections[name])
        data = finish_object(self)
        if self.diagnostics:
            raise AssemblyFailure(self.diagnostics)
        return data

    def report(self, error: SourceError | AssemblyError, place: Place | None = None) -> None:
        """Note an error at the current place (or the given one)."""
        place = place or self.place
        column = len(place.text) - len(place.text.lstrip()) + 1
        if isinstance(error, AssemblyError):
            column = _operand_column(place.text, error.operand) or column
        elif error.column is not None:
            column = error.column
        self.diagnostics.append(Diagnostic(place, column, error.message))

    def statement(self, text: str) -> None:
        """One statement: labels, then a directive, an assignment, a macro or an instruction."""
        if ":" in text:
            match = _LABEL.match(text)
            while match is not None:
                self.define_label(match[1])
                text = text[match.end() :]
                match = _LABEL.match(text)
            if not text:
                return
        if text[0] == ".":
            name, arguments = _split_word(text)
            handler = DIRECTIVES.get(name)
            if handler is not None:
                handler(self, arguments)
            elif "=" in text and (match := _ASSIGNMENT.match(text)) is not None:
                self.assign(match[1], match[2])
            elif not self.source.handle(name, arguments):
                raise SourceError(f"there is no directive '{name}'")
            return
        if "=" in text:
            match = _ASSIGNMENT.match(text)
            if match is not None:
                self.assign(match[1], match[2])
                return
            literal = _LITERAL.match(text)
            if literal is not None:
                text = self.add_literal(literal[2], literal[3])
        if self.source.macros:
            name, arguments = _split_word(text)
            if self.source.handle(name, arguments):
                return
        if ".req" in text and (words := text.split())[1:2] == [".req"]:
            self.substitutions[words[0]] = " ".join(words[2:])
            return
        if self.substitutions:
            text = self.substitute(text)
        if self.section.type == elf.SHT.NOBITS:
            raise SourceError(f"an instruction can't be in the section '{self.section.name}'")
        self.emit(encode_line(text, self.c64))

    # --- instructions ------------------------------------------------------------------------------

    def emit(self, encoded: Encoded) -> None:
        """Append one word with its relocations."""
        section = self.section
        data = section.data
        offset = len(data)
        if offset & 3:
            raise SourceError("this instruction is not aligned to 4 bytes")
        state = "$c" if self.c64 else "$x"
        if section.state != state:
            section.state = state
            section.mapping.append((offset, state))
            self.uses_c64 |= self.c64
        data += encoded.word.to_bytes(4, "little")
        for name, symbol, addend in encoded.relocations:
            if not symbol:
                raise SourceError("an absolute branch target needs a symbol")
            if symbol[0].isdigit():
                symbol = self.numbered(symbol)
            elif symbol == ".":
                symbol = self.here(offset)
            value = Linear(addend, {symbol: 1})
            section.patches.append(Patch(offset, 4, name, value, self.place))
        if self.pending_row is not None:
            section.rows.append(Row(offset, *self.pending_row))
            self.pending_row = None

    def substitute(self, text: str) -> str:
        """Constants defined by .set and register names by .req put into an instruction's operands."""
        mnemonic, _, operands = text.partition(" ")
        if not operands:
            return text
        substitutions = self.substitutions

        def replace(match: re.Match[str]) -> str:
            return substitutions.get(match[0], match[0])

        return mnemonic + " " + re.sub(r"(?<![\w.$])[A-Za-z_.$][\w.$]*", replace, operands)

    def add_literal(self, register: str, text: str) -> str:
        """`ldr x0, =value`: the load of a pool entry that `.ltorg` or the end of the section places."""
        size = 8 if register[0] in "xX" else 4
        pool = self.literals.setdefault(self.section.name, [])
        value = self.expression(text)
        for name, other, known, _ in pool:
            if other == size and (known.constant, known.terms) == (value.constant, value.terms):
                return f"ldr {register}, {name}"
        self._unique += 1
        name = f".Lpool${self._unique}"
        pool.append((name, size, value, self.place))
        return f"ldr {register}, {name}"

    def dump_literals(self, section: Section) -> None:
        """Place the pool entries collected for a section at its end."""
        saved, self.section = self.section, section
        for name, size, value, place in self.literals.pop(section.name, ()):
            self.place = place
            self.align(size)
            self.define_label(name)
            self.data_value(value, size)
        self.section = saved

    # --- data --------------------------------------------------------------------------------------

    def mark_data(self) -> None:
        """Data starts here, for the mapping symbols of code sections."""
        section = self.section
        if section.state != "$d":
            section.state = "$d"
            if section.is_code:
                section.mapping.append((len(section.data), "$d"))

    def append(self, data: bytes) -> None:
        """Bytes as they are."""
        section = self.section
        if section.type == elf.SHT.NOBITS:
            if any(data):
                raise SourceError(f"the section '{section.name}' can only hold zeros")
            section.reserved += len(data)
            return
        self.mark_data()
        section.data += data

    def data_value(self, value: Linear, size: int) -> None:
        """An integer of `size` bytes, settled at the end if it has symbols."""
        if not value.terms:
            number = value.constant
            if not -(1 << 8 * size - 1) <= number < 1 << 8 * size:
                raise SourceError(f"the value {number} doesn't fit in {size} bytes")
            self.append((number & (1 << 8 * size) - 1).to_bytes(size, "little"))
            return
        section = self.section
        self.append(bytes(size))
        if section.is_nobits:
            raise SourceError(f"the section '{section.name}' can only hold zeros")
        section.patches.append(Patch(len(section.data) - size, size, "data", value, self.place))

    def align(self, alignment: int, fill: int | None = None, limit: int | None = None) -> None:
        """Pad to a multiple of `alignment` bytes: NOPs in code, else `fill`, unless more than `limit`."""
        section = self.section
        section.align = max(section.align, alignment)
        padding = -section.size % alignment
        if not padding or (limit is not None and padding > limit):
            return
        if section.is_nobits:
            section.reserved += padding
        elif section.is_code and fill is None and section.state in ("$c", "$x"):
            section.data += bytes(padding % 4) + b"\x1f\x20\x03\xd5" * (padding // 4)
        else:
            self.append(bytes([(fill or 0) & 0xFF]) * padding)

    # --- symbols -----------------------------------------------------------------------------------

    def symbol(self, name: str) -> Symbol:
        """The symbol of this name, made if it is new."""
        symbol = self.symbols.get(name)
        if symbol is None:
            symbol = self.symbols[name] = Symbol(name)
        return symbol

    def unique(self, stem: str) -> str:
        """A local label name that no source can write."""
        self._unique += 1
        return f"{stem}\x01{self._unique}"

    def here(self, offset: int | None = None) -> str:
        """A hidden label at the current place (the value of ".")."""
        name = self.unique(".Lhere")
        symbol = self.symbol(name)
        symbol.section = self.section
        symbol.value = self.section.size if offset is None else offset
        return name

    def define_label(self, name: str) -> None:
        """`name:` at the current place; a number defines a local label."""
        if name[0].isdigit():
            count = self._numbered[name] = self._numbered.get(name, 0) + 1
            name = f".L{name}\x01{count}"
        symbol = self.symbols.get(name)
        if symbol is None:
            symbol = self.symbols[name] = Symbol(name)
        elif symbol.is_defined:
            first = symbol.defined_at
            where = f" (first at {first.file}:{first.line})" if first else ""
            raise SourceError(f"'{name}' is already defined{where}")
        section = self.section
        symbol.section = section
        symbol.value = section.size
        symbol.c64 = self.c64
        symbol.defined_at = self.place

    def numbered(self, reference: str) -> str:
        """The name behind `1b` or `1f`."""
        number, direction = reference[:-1], reference[-1]
        count = self._numbered.get(number, 0)
        if direction == "f":
            return f".L{number}\x01{count + 1}"
        if count == 0:
            raise SourceError(f"there is no label '{number}' before this line")
        return f".L{number}\x01{count}"

    def assign(self, name: str, text: str) -> None:
        """`.set name, text`: a constant, or another name for a place."""
        if name == ".":
            self.move_to(self.expression(text))
            return
        value = self.expression(text)
        symbol = self.symbol(name)
        if symbol.section is not None:
            raise SourceError(f"'{name}' is already defined")
        symbol.is_absolute, symbol.alias = not value.terms, None
        symbol.defined_at = self.place
        if value.terms:
            symbol.alias = value
            self.substitutions.pop(name, None)
        else:
            symbol.value = value.constant
            self.substitutions[name] = str(value.constant)

    def move_to(self, value: Linear) -> None:
        """`.org`: pad with zeros to an offset of the section."""
        offset = self.settle(value)
        if offset is None or not self.section.size <= offset < MAX_SPACE:
            raise SourceError("the place can only be moved forwards, to a known offset")
        self.append(bytes(offset - self.section.size))

    # --- expressions -------------------------------------------------------------------------------

    def expression(self, text: str) -> Linear:
        """Value of an expression; symbols that are not constants remain."""
        try:
            return Linear(int(text, 0))
        except ValueError:
            return parse_expression(text, self._resolve)

    def _resolve(self, name: str) -> Linear | None:
        if name == ".":
            return Linear(0, {self.here(): 1})
        if _NUMBERED.match(name):
            return Linear(0, {self.numbered(name): 1})
        symbol = self.symbols.get(name)
        if symbol is not None and symbol.is_absolute:
            return Linear(symbol.value)
        return None

    def settle(self, value: Linear) -> int | None:
        """The number of an expression if it is known by now: differences of labels in one section,
        and a single label of the current section (its offset)."""
        total = value.constant
        sums: dict[Section, int] = {}
        for name, coefficient in value.terms.items():
            symbol = self.symbols.get(name)
            if symbol is None or symbol.section is None:
                return None
            total += coefficient * symbol.value
            sums[symbol.section] = sums.get(symbol.section, 0) + coefficient
        rest = {section: count for section, count in sums.items() if count}
        return total if not rest or rest == {self.section: 1} else None

    def constant(self, text: str) -> int:
        """An expression that must be a number now."""
        value = self.settle(self.expression(text))
        if value is None:
            raise SourceError(f"'{text.strip()}' must be a constant here")
        return value

    def is_constant(self, name: str) -> bool:
        """A symbol that .set gave a number."""
        symbol = self.symbols.get(name)
        return symbol is not None and symbol.is_absolute

    def is_defined(self, name: str) -> bool:
        """For .ifdef."""
        symbol = self.symbols.get(name)
        return symbol is not None and symbol.is_defined

    # --- sections ----------------------------------------------------------------------------------

    def switch_to(self, section: Section) -> Section:
        """Make a section current; a known one of the same name is used instead."""
        known = self.sections.get(section.name)
        if known is None:
            known = self.sections[section.name] = section
        elif (known.flags, known.type) != (section.flags, section.type):
            raise SourceError(f"the section '{section.name}' was declared with other flags or another type")
        return known

    def change_section(self, section: Section) -> None:
        """`.section`: and remember the one before for `.previous`."""
        new = self.switch_to(section)
        self.previous, self.section = self.section, new


def _split_word(text: str) -> tuple[str, str]:
    parts = text.split(None, 1)
    return parts[0].lower(), parts[1] if len(parts) == 2 else ""


def _operand_column(line: str, operand: int | None) -> int | None:
    """Column of an operand (from 1) in a source line."""
    stripped = _LABEL.sub("", line.strip(), count=1) if ":" in line.split("[")[0] else line.strip()
    parts = stripped.split(None, 1)
    if operand is None or len(parts) < 2:
        return None
    texts = split_operands(parts[1])
    if operand >= len(texts):
        return None
    column = line.rfind(parts[1])
    for text in texts[:operand]:
        column = line.find(text, column) + len(text)
    found = line.find(texts[operand], column)
    return found + 1 if found >= 0 else None


def assemble_source(text: str, name: str, include_dirs: Sequence[Path] = (), c64: bool = True) -> bytes:
    """The ELF64 object of a source text.

    `name` is what diagnostics and the file symbol say; `c64` is the state at the start. The object is
    marked purecap when it holds C64 code or capabilities, or starts in C64. Deterministic.
    Raises AssemblyFailure with every error of the file.
    """
    return Assembler(name, include_dirs, c64).run(text)

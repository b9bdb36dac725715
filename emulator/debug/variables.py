"""Parameters and local variables of functions, from DWARF: where each lives and how wide it is.

Understood are the locations that the project's compiler writes: a register, or a place above the stack
pointer. A variable at another kind of location is left out.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emulator.linux.symbols import MALFORMED
from morello_isa.capability import MASK64, Capability

if TYPE_CHECKING:
    from emulator.debug.target import Thread
    from loader.elf import ElfImage

_REG0, _REG31, _REGX, _FBREG = 0x50, 0x6F, 0x90, 0x91
_C0 = 198
"""DWARF number of C0."""
_SIGNED = (5, 6)
"""DW_ATE_signed, DW_ATE_signed_char."""
_MAX_TYPES = 16


@dataclass(frozen=True, slots=True)
class Variable:
    """`register` is a number 0..30, or None for one at CSP + `offset`. `size` in bytes."""

    name: str
    register: int | None
    offset: int
    size: int
    is_pointer: bool
    is_signed: bool

    def read(
        self, task: Thread, peek: Callable[[int, int], bytes], load: Callable[[int], Capability]
    ) -> int | Capability:
        """The value in the innermost frame: a capability for a pointer of purecap code."""
        wide = self.is_pointer and self.size == 16
        if self.register is not None:
            value = task.pe.read_c(self.register)
            return value if wide else self._narrow(value.value.to_bytes(8, "little")[: self.size])
        address = task.pe.read_csp().value + self.offset & MASK64
        return load(address) if wide else self._narrow(peek(address, min(self.size, 8)))

    def _narrow(self, data: bytes) -> int:
        return int.from_bytes(data, "little", signed=self.is_signed) & MASK64


class Functions:
    """The functions of one ELF file with their variables, read when first asked for."""

    def __init__(self, image: ElfImage) -> None:
        self._image = image
        self._functions: list[tuple[int, int, list[Variable]]] | None = None

    def variables_at(self, address: int) -> list[Variable]:
        """Variables of the function that contains a file address."""
        if self._functions is None:
            self._functions = list(_functions(self._image))
        return next((v for start, end, v in self._functions if start <= address < end), [])


def _functions(image: ElfImage) -> Iterator[tuple[int, int, list[Variable]]]:
    if image.section(".debug_info") is None:
        return
    from elftools.common.exceptions import DWARFError, ELFError
    from elftools.elf.elffile import ELFFile

    try:
        dwarf = ELFFile(io.BytesIO(image.data)).get_dwarf_info()
        for unit in dwarf.iter_CUs():
            for entry in unit.iter_DIEs():
                attributes = entry.attributes
                if entry.tag == "DW_TAG_subprogram" and "DW_AT_high_pc" in attributes:
                    start = attributes["DW_AT_low_pc"].value & ~1
                    end = attributes["DW_AT_high_pc"].value
                    if attributes["DW_AT_high_pc"].form != "DW_FORM_addr":
                        end += start
                    yield start, end, list(_variables(entry))
    except (*MALFORMED, ELFError, DWARFError):
        return


def _variables(entry: Any) -> Iterator[Variable]:
    for child in entry.iter_children():
        if child.tag == "DW_TAG_lexical_block":
            yield from _variables(child)
        elif child.tag in ("DW_TAG_formal_parameter", "DW_TAG_variable"):
            location = child.attributes.get("DW_AT_location")
            place = _place(bytes(location.value)) if location is not None else None
            if place is not None and "DW_AT_name" in child.attributes:
                name = child.attributes["DW_AT_name"].value.decode(errors="replace")
                size, is_pointer, is_signed = _type(child)
                yield Variable(name, *place, size, is_pointer, is_signed)


def _place(expression: bytes) -> tuple[int | None, int] | None:
    """(register, 0) or (None, offset from CSP) of a location expression."""
    if not expression:
        return None
    code, rest = expression[0], expression[1:]
    if _REG0 <= code < _REG31 and not rest:
        return code - _REG0, 0
    if code == _REGX:
        number = _leb128(rest, signed=False)
        number = number - _C0 if number >= _C0 else number
        return (number, 0) if number < 31 else None
    return (None, _leb128(rest, signed=True)) if code == _FBREG else None


def _leb128(data: bytes, signed: bool) -> int:
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            break
    return value - (1 << shift) if signed and value >> (shift - 1) & 1 else value


def _type(entry: Any) -> tuple[int, bool, bool]:
    """(bytes, is a pointer, is signed), looking through typedefs and qualifiers."""
    for _ in range(_MAX_TYPES):
        if "DW_AT_type" not in entry.attributes:
            break
        entry = entry.get_DIE_from_attribute("DW_AT_type")
        size = entry.attributes.get("DW_AT_byte_size")
        if size is not None:
            encoding = entry.attributes.get("DW_AT_encoding")
            signed = encoding is not None and encoding.value in _SIGNED
            return size.value, entry.tag == "DW_TAG_pointer_type", signed
    return 8, False, False

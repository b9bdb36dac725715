"""Debug information in which pointers are 64 bits wide and live in X registers.

Morello's DWARF has register numbers (198 to 229: C0 to C30, CSP) and a pointer size that a stock GDB can't
read, so it shows no pointer variable at all. Here both are replaced, in place, by what holds the address:
Xn, and the lower 8 of the 16 bytes. (Elements of an array of pointers are still 16 bytes apart.)
"""

from __future__ import annotations

import io
from collections.abc import Iterator

from emulator.linux.symbols import MALFORMED
from loader.elf import ElfImage, Section

MAX_SIZE = 1 << 22
"""Bytes of `.debug_info`; a larger one would keep the client waiting, and stays as it is."""
_C0, _CSP = 198, 229
_REGISTER_OPERATIONS = (0x90, 0x92)
"""DW_OP_regx, DW_OP_bregx."""
_ONE_BYTE = ("DW_FORM_data1", "DW_FORM_udata")
_CAPABILITY_SIZE, _ADDRESS_SIZE = 16, 8


def plain_variables(data: bytes, image: ElfImage) -> bytes:
    """The file's bytes with changed debug information; as they are when that is damaged, missing or large."""
    section = image.section(".debug_info")
    if section is None or section.size > MAX_SIZE or not image.is_purecap:
        return data
    from elftools.common.exceptions import DWARFError, ELFError

    out = bytearray(data)
    try:
        for offset, replacement in _changes(image, section):
            out[section.offset + offset : section.offset + offset + len(replacement)] = replacement
    except (*MALFORMED, ELFError, DWARFError):
        return data
    return bytes(out) if len(out) == len(data) else data


def _changes(image: ElfImage, section: Section) -> Iterator[tuple[int, bytes]]:
    """(offset in the section, new bytes)."""
    from elftools.elf.elffile import ELFFile

    raw = image.section_data(section)
    for unit in ELFFile(io.BytesIO(image.data)).get_dwarf_info().iter_CUs():
        for entry in unit.iter_DIEs():
            size = entry.attributes.get("DW_AT_byte_size")
            if (
                entry.tag == "DW_TAG_pointer_type"
                and size is not None
                and size.form in _ONE_BYTE
                and size.value == _CAPABILITY_SIZE
            ):
                yield size.offset, bytes((_ADDRESS_SIZE,))
            for name in ("DW_AT_location", "DW_AT_frame_base"):
                place = entry.attributes.get(name)
                if place is not None and place.form in ("DW_FORM_exprloc", "DW_FORM_block1"):
                    yield from _expression(raw, place.offset)


def _expression(raw: bytes, offset: int) -> Iterator[tuple[int, bytes]]:
    """A short expression that begins with a register: its number, in the same two bytes of ULEB128."""
    size, operation = raw[offset], raw[offset + 1]
    if not 3 <= size < 0x80 or operation not in _REGISTER_OPERATIONS or raw[offset + 3] & 0x80:
        return
    number = raw[offset + 2] & 0x7F | raw[offset + 3] << 7
    if raw[offset + 2] & 0x80 and _C0 <= number <= _CSP:
        yield offset + 2, bytes((number - _C0 | 0x80, 0))

"""Copies of ELF files for a GDB that knows nothing of C64.

The value of a C64 function's symbol has bit 0 set. A stock GDB takes it for an odd address: `break f` puts
the breakpoint one byte too far, and backtraces name the function before. In the copy the bit is gone. It
also can't find the callers of C64 functions, so the copy has a table of call frames (`call_frames.py`),
and can't read pointer variables (`plain_variables.py`).
"""

from __future__ import annotations

import struct

from emulator.debug.rsp.call_frames import call_frames
from emulator.debug.rsp.plain_variables import plain_variables
from emulator.linux.symbols import MALFORMED
from loader.elf import ElfImage
from loader.elf_constants import SHT, STT_FUNC, STT_GNU_IFUNC

_SYMBOL = struct.Struct("<IBBHQQ")
_VALUE_OFFSET = 8
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SHOFF, _SHNUM = 40, 60
_FUNCTIONS = (STT_FUNC, STT_GNU_IFUNC)


def debug_copy(image: ElfImage) -> bytes:
    """The file with plain symbols, plain variables and call frames; what is damaged is left as it is."""
    data = plain_variables(plain_symbols(image), image)
    return with_section(data, image, ".debug_frame", call_frames(image))


def plain_symbols(image: ElfImage) -> bytes:
    """The file's bytes, bit 0 of function symbols cleared."""
    data = bytearray(image.data)
    try:
        tables = [s for s in image.sections if s.type in (SHT.SYMTAB, SHT.DYNSYM)]
    except MALFORMED:
        return bytes(data)
    for table in tables:
        end = min(table.offset + table.size, len(data)) - _SYMBOL.size + 1
        for at in range(table.offset, end, _SYMBOL.size):
            _, info, _, _, value, _ = _SYMBOL.unpack_from(data, at)
            if value & 1 and info & 0xF in _FUNCTIONS:
                struct.pack_into("<Q", data, at + _VALUE_OFFSET, value & ~1)
    return bytes(data)


def with_section(data: bytes, image: ElfImage, name: str, contents: bytes) -> bytes:
    """An ELF file with one more section, or the file as it is if it has no section table."""
    header = image.header
    if not contents or not header.shnum or header.shentsize != _SECTION.size:
        return data
    table = bytearray(data[header.shoff : header.shoff + header.shnum * _SECTION.size])
    if len(table) != header.shnum * _SECTION.size or header.shstrndx >= header.shnum:
        return data
    at = header.shstrndx * _SECTION.size
    names_row = list(_SECTION.unpack_from(table, at))
    names = data[names_row[4] : names_row[4] + names_row[5]]
    out = bytearray(data) + bytes(-len(data) % 8)
    start = len(out)
    out += contents
    names_row[4], names_row[5] = len(out), len(names) + len(name) + 1
    _SECTION.pack_into(table, at, *names_row)
    table += _SECTION.pack(len(names), SHT.PROGBITS, 0, 0, start, len(contents), 0, 0, 8, 0)
    out += names + name.encode() + b"\0"
    out += bytes(-len(out) % 8)
    struct.pack_into("<Q", out, _SHOFF, len(out))
    struct.pack_into("<H", out, _SHNUM, header.shnum + 1)
    return bytes(out + table)

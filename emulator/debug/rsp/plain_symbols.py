"""ELF files with plain addresses: what a GDB that knows nothing of C64 can read.

The value of a C64 function's symbol has bit 0 set. A stock GDB takes it for an odd address: `break f` puts
the breakpoint one byte too far, and backtraces name the function before. In the copy made here the bit is
gone; nothing else changes.
"""

from __future__ import annotations

import struct

from emulator.linux.symbols import MALFORMED
from loader.elf import ElfImage
from loader.elf_constants import SHT, STT_FUNC, STT_GNU_IFUNC

_SYMBOL = struct.Struct("<IBBHQQ")
_VALUE_OFFSET = 8
_FUNCTIONS = (STT_FUNC, STT_GNU_IFUNC)


def with_plain_symbols(image: ElfImage) -> bytes:
    """The file's bytes, bit 0 of function symbols cleared; a damaged table is left as it is."""
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

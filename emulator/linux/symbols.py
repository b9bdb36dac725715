"""Names and source lines for addresses of a process, from its loaded images."""

from __future__ import annotations

import io
import posixpath
import struct
from collections.abc import Iterable
from pathlib import Path

from emulator.linux.process import LoadedImage
from loader.elf import ElfImage
from morello_isa.errors import UserError

MALFORMED = (
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    TypeError,
    AssertionError,
    OverflowError,
    struct.error,
    UserError,
)
"""What reading damaged symbol tables or debug information may raise."""


def image_at(images: Iterable[LoadedImage], address: int) -> LoadedImage | None:
    """The image that contains an address."""
    return next((image for image in images if image.start <= address < image.limit), None)


def symbolise(images: Iterable[LoadedImage], address: int) -> str:
    """`fill+0x2c in hello`, `in hello` without symbols, "" outside every image."""
    loaded = image_at(images, address)
    if loaded is None:
        return ""
    name = posixpath.basename(loaded.path)
    try:
        found = loaded.image.symbol_at(address - loaded.bias)
    except MALFORMED:
        found = None
    if found is None:
        return f"in {name}"
    symbol, offset = found
    return f"{symbol.name}+{offset:#x} in {name}" if offset else f"{symbol.name} in {name}"


def source_line(images: Iterable[LoadedImage], address: int) -> tuple[str, int] | None:
    """(file, line) by the image's DWARF line table, if it has one."""
    loaded = image_at(images, address)
    if loaded is None or loaded.image.section(".debug_line") is None:
        return None
    from elftools.common.exceptions import DWARFError, ELFError

    try:
        return _line(loaded.image, address - loaded.bias)
    except (*MALFORMED, ELFError, DWARFError):
        return None


def _line(image: ElfImage, address: int) -> tuple[str, int] | None:
    from elftools.elf.elffile import ELFFile

    dwarf = ELFFile(io.BytesIO(image.data)).get_dwarf_info()
    for unit in dwarf.iter_CUs():
        program = dwarf.line_program_for_CU(unit)
        if program is None:
            continue
        previous = None
        for entry in program.get_entries():
            state = entry.state
            if state is None:
                continue
            if previous is not None and previous.address <= address < state.address:
                return _file_name(program, previous.file), previous.line
            previous = None if state.end_sequence else state
    return None


def _file_name(program: object, index: int) -> str:
    header = program.header  # type: ignore[attr-defined]
    first = 0 if header.version >= 5 else 1
    return str(header.file_entry[index - first].name.decode(errors="replace"))


def source_text(name: str, line: int) -> str:
    """The text of a line, if the file is where the compiler found it."""
    try:
        lines = Path(name).read_text(encoding="utf-8", errors="replace").splitlines()
        return lines[line - 1].strip()
    except (OSError, IndexError, ValueError):
        return ""

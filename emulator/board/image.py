"""Putting images into a board's memory: ELF files at their physical addresses, kernels, raw blocks."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from emulator.memory.physical import BusError, PhysicalMemory
from loader.elf import ElfImage
from loader.elf_constants import ELF_MAGIC, ET_DYN, ET_REL
from morello_isa.errors import EXIT_CANNOT_EXECUTE, EXIT_NOT_FOUND, UserError

_KERNEL_MAGIC = b"ARM\x64"
_GZIP_MAGIC = b"\x1f\x8b"
_MAX_BYTES = 1 << 31


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was put where: `entry` with bit 0 as in the file (C64), bytes [low, high)."""

    entry: int
    low: int
    high: int
    elf: ElfImage | None = None


def read_file(path: str | Path) -> bytes:
    """A file's bytes, decompressed if it is gzip. UserError 127 or 126 if it can't be read."""
    path = Path(path)
    try:
        data = path.read_bytes()
        return gunzip(data, str(path)) if data[:2] == _GZIP_MAGIC else data
    except FileNotFoundError:
        raise UserError(f"{path} does not exist", EXIT_NOT_FOUND) from None
    except IsADirectoryError:
        raise UserError(f"{path} is a directory, not an image", EXIT_CANNOT_EXECUTE) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"{path} can't be read: {reason}", EXIT_CANNOT_EXECUTE) from None


def gunzip(data: bytes, name: str) -> bytes:
    """Decompresses a gzip file; UserError 126 if it is damaged or unreasonably large."""
    try:
        stream = zlib.decompressobj(wbits=31)
        result = stream.decompress(data, _MAX_BYTES)
    except zlib.error:
        raise UserError(f"{name} is a damaged gzip file", EXIT_CANNOT_EXECUTE) from None
    if stream.unconsumed_tail:
        raise UserError(f"{name} is larger than 2 GiB when decompressed", EXIT_CANNOT_EXECUTE)
    if not stream.eof:
        raise UserError(f"{name} is a gzip file that ends early", EXIT_CANNOT_EXECUTE)
    return result


def load_elf(memory: PhysicalMemory, data: bytes, name: str) -> Loaded:
    """Loads the LOAD segments of an ELF file at their physical addresses.

    UserError 126 for segments outside RAM or overlapping one another, and for files that must be
    linked or relocated first.
    """
    image = ElfImage.from_bytes(data, name)
    if image.header.type in (ET_REL, ET_DYN):
        what = "an object file" if image.header.type == ET_REL else "a position-independent file"
        raise UserError(f"{name} is {what}; the board loads linked images", EXIT_CANNOT_EXECUTE)
    segments = sorted((s for s in image.load_segments if s.memsz), key=lambda s: s.paddr)
    if not segments:
        raise UserError(f"{name} has nothing to load", EXIT_CANNOT_EXECUTE)
    for lower, upper in pairwise(segments):
        if lower.paddr + lower.memsz > upper.paddr:
            raise UserError(
                f"{name} has overlapping segments at {lower.paddr:#x} and {upper.paddr:#x}",
                EXIT_CANNOT_EXECUTE,
            )
    for segment in segments:
        contents = data[segment.offset : segment.offset + segment.filesz]
        try:
            memory.ram_at(segment.paddr, segment.memsz)
            memory.write_bytes(segment.paddr, contents)
        except BusError:
            end = segment.paddr + segment.memsz
            raise UserError(
                f"{name} has a segment at {segment.paddr:#x}..{end:#x}, where this board has no RAM",
                EXIT_CANNOT_EXECUTE,
            ) from None
    high = max(s.paddr + s.memsz for s in segments)
    return Loaded(physical_entry(image), segments[0].paddr, high, image)


def physical_entry(image: ElfImage) -> int:
    """The entry address as the PE sees it with the MMU off: moved like the segment that holds it."""
    for segment in image.load_segments:
        if segment.vaddr <= image.entry < segment.vaddr + segment.memsz:
            return image.entry - segment.vaddr + segment.paddr
    return image.entry


def load_raw(memory: PhysicalMemory, data: bytes, address: int, name: str) -> Loaded:
    """Copies a block to `address`; UserError 126 if there is no RAM for it."""
    try:
        memory.write_bytes(address, data)
    except BusError:
        raise UserError(
            f"{name} ({len(data)} bytes) does not fit into RAM at {address:#x}", EXIT_CANNOT_EXECUTE
        ) from None
    return Loaded(address, address, address + len(data))


def load_kernel(memory: PhysicalMemory, data: bytes, name: str, ram_base: int) -> Loaded:
    """An arm64 kernel `Image` (its header says where), an ELF file, or a raw block at RAM + 512 KiB."""
    if data[:4] == ELF_MAGIC:
        return load_elf(memory, data, name)
    if data[56:60] == _KERNEL_MAGIC:
        text_offset = int.from_bytes(data[8:16], "little")
        image_size = int.from_bytes(data[16:24], "little")
        if text_offset >= 1 << 32 or image_size >= 1 << 32:
            raise UserError(f"{name} is a kernel image with a broken header", EXIT_CANNOT_EXECUTE)
        loaded = load_raw(memory, data, ram_base + text_offset, name)
        return Loaded(loaded.entry, loaded.low, max(loaded.high, loaded.low + image_size))
    return load_raw(memory, data, ram_base + 0x8_0000, name)

"""The linker's data: chunks (pieces of sections), output sections, symbols, capability sites."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from loader import elf_constants as ec
from loader.elf_constants import SHT

if TYPE_CHECKING:
    from loader.link.objects import ObjectFile, SharedFile


def align_up(value: int, alignment: int) -> int:
    """`value` rounded up to a multiple of `alignment` (a power of two, or 0/1 for none)."""
    return (value + alignment - 1) & ~(alignment - 1) if alignment > 1 else value


class Chunk:
    """A contiguous piece of an output section: an input section, or a table that the linker makes."""

    __slots__ = ("align", "data", "entsize", "flags", "live", "name", "offset", "output", "size", "type")

    def __init__(self, name: str, kind: int, flags: int, align: int = 1, entsize: int = 0) -> None:
        self.name = name
        self.type = kind
        self.flags = flags
        self.align = max(align, 1)
        self.entsize = entsize
        self.size = 0
        self.data = b""
        self.live = True
        self.output: OutputSection | None = None
        self.offset = 0

    @property
    def address(self) -> int:
        """Final address (unbiased); valid after layout."""
        output = self.output
        return output.address + self.offset if output is not None else 0


RawRelocation = tuple[int, int, int, int]
"""(offset in the section, type, symbol index, addend)"""


class InputSection(Chunk):
    """A section of an object file."""

    __slots__ = ("_relocations", "file", "group_live", "index", "info", "link", "relocation_data")

    def __init__(self, file: ObjectFile, index: int, name: str, kind: int, flags: int, align: int) -> None:
        super().__init__(name, kind, flags, align)
        self.file = file
        self.index = index
        self.link = 0
        self.info = 0
        self.relocation_data: bytes | memoryview = b""
        self._relocations: list[RawRelocation] | None = None
        self.group_live = True

    @property
    def relocations(self) -> list[RawRelocation]:
        """The section's relocations in file order."""
        if self._relocations is None:
            self._relocations = [
                (offset, info & 0xFFFFFFFF, info >> 32, addend)
                for offset, info, addend in struct.iter_unpack("<QQq", self.relocation_data)
            ]
        return self._relocations

    def where(self, offset: int) -> str:
        """`a.o:(.text+0x14)`, for messages."""
        return f"{self.file.name}:({self.name}+{offset:#x})"


class Table(Chunk):
    """A section that the linker makes itself; whoever owns it sets `size` before layout, `data` after."""

    __slots__ = ("info_of", "link_of")

    def __init__(self, name: str, kind: int, flags: int, align: int = 1, entsize: int = 0) -> None:
        super().__init__(name, kind, flags, align, entsize)
        self.link_of: Chunk | None = None
        self.info_of: Chunk | None = None


class OutputSection:
    """A section of the output."""

    __slots__ = (
        "address", "align", "chunks", "entsize", "file_offset", "flags", "index", "info", "is_relro",
        "link", "load_address", "name", "size", "type",
    )  # fmt: skip

    def __init__(self, name: str, kind: int, flags: int) -> None:
        self.name = name
        self.type = kind
        self.flags = flags
        self.align = 1
        self.entsize = 0
        self.size = 0
        self.address = 0
        self.load_address: int | None = None
        self.file_offset = 0
        self.index = 0
        self.link = 0
        self.info = 0
        self.is_relro = False
        self.chunks: list[Chunk] = []

    def add(self, chunk: Chunk) -> None:
        """Append a chunk; type, flags and alignment of the section widen as needed."""
        if not self.chunks:
            self.entsize = chunk.entsize
        elif self.entsize != chunk.entsize:
            self.entsize = 0
        self.chunks.append(chunk)
        chunk.output = self
        if self.type == SHT.NOBITS and chunk.type != SHT.NOBITS:
            self.type = chunk.type
        self.flags |= chunk.flags & (ec.SHF_WRITE | ec.SHF_ALLOC | ec.SHF_EXECINSTR | ec.SHF_TLS)

    @property
    def is_alloc(self) -> bool:
        """Whether the section is in memory."""
        return bool(self.flags & ec.SHF_ALLOC)

    @property
    def is_tbss(self) -> bool:
        """TLS zero data takes part in the TLS template but in no address range."""
        return bool(self.flags & ec.SHF_TLS) and self.type == SHT.NOBITS

    @property
    def end(self) -> int:
        """Address after the section."""
        return self.address + self.size


class State(Enum):
    """What is known about a global symbol."""

    UNDEFINED = 0
    LAZY = 1  # an archive member would define it
    SHARED = 2  # a shared library defines it
    COMMON = 3
    DEFINED = 4


class Symbol:
    """A symbol; globals are shared by all files that name them. `value` never has the ISA bit.

    `section` is the Chunk or OutputSection that `value` is relative to, or None for absolute values.
    """

    __slots__ = (
        "archive_member", "binding", "c64", "common_align", "dynamic_index", "file", "is_exported",
        "is_linker_defined", "is_referenced", "name", "plt", "section", "shared", "size", "state", "type",
        "value", "version", "version_hidden", "visibility", "weak_reference",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        self.name = name
        self.binding = ec.STB_GLOBAL
        self.type = ec.STT_NOTYPE
        self.visibility = ec.STV_DEFAULT
        self.state = State.UNDEFINED
        self.value = 0
        self.size = 0
        self.c64 = False
        self.section: Chunk | OutputSection | None = None
        self.file: ObjectFile | None = None
        self.shared: SharedFile | None = None
        self.archive_member: object = None
        self.version: str | None = None
        self.version_hidden = False
        self.common_align = 1
        self.weak_reference = True
        self.is_referenced = False
        self.is_exported = False
        self.is_linker_defined = False
        self.dynamic_index = 0
        self.plt: int | None = None

    @property
    def is_local(self) -> bool:
        """STB_LOCAL."""
        return self.binding == ec.STB_LOCAL

    @property
    def is_function(self) -> bool:
        """STT_FUNC or STT_GNU_IFUNC."""
        return self.type in (ec.STT_FUNC, ec.STT_GNU_IFUNC)

    @property
    def is_defined(self) -> bool:
        """Whether this link defines it (not a shared library)."""
        return self.state is State.DEFINED

    @property
    def is_undefined_weak(self) -> bool:
        """Undefined, and every reference is weak."""
        return self.state in (State.UNDEFINED, State.LAZY) and self.weak_reference

    @property
    def address(self) -> int:
        """S: final address without the ISA bit; 0 while undefined."""
        section = self.section
        return self.value if section is None else section.address + self.value

    @property
    def address_with_isa(self) -> int:
        """S | C."""
        return self.address | self.c64


@dataclass(frozen=True, slots=True)
class CapabilitySite:
    """A 16-byte place that must hold a capability to `symbol` + `addend` when the program runs.

    `size_hint` (bytes, 0 for none) is what the assembler knew. `is_slot` marks PLT slots.
    """

    chunk: Chunk
    offset: int
    symbol: Symbol
    addend: int
    size_hint: int = 0

    @property
    def address(self) -> int:
        """Address of the place."""
        return self.chunk.address + self.offset


@dataclass(slots=True)
class DynamicRelocationRecord:
    """One RELA record of the output, before addresses are known."""

    chunk: Chunk
    offset: int
    type: int
    symbol: Symbol | None = None
    addend: int = 0
    target: Symbol | None = None
    """For R_AARCH64_RELATIVE: the symbol whose address is added to the addend."""


@dataclass(slots=True)
class Diagnostics:
    """Collects errors, so that a link reports more than its first problem; warnings never stop it."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def error(self, text: str) -> None:
        """Note an error once."""
        if text not in self.errors:
            self.errors.append(text)

    def warn(self, text: str) -> None:
        """Note a warning once."""
        if text not in self.warnings:
            self.warnings.append(text)

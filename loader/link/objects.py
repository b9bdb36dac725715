"""Input files of the static linker: relocatable objects and shared libraries."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from loader import elf_constants as ec
from loader.elf import ElfImage, Section
from loader.elf import Symbol as ElfSymbol
from loader.elf_constants import SHT
from loader.link.errors import LinkError
from loader.link.model import InputSection, State, Symbol

_UNUSED_TYPES = frozenset(
    {SHT.NULL, SHT.SYMTAB, SHT.STRTAB, SHT.RELA, SHT.GROUP, SHT.SYMTAB_SHNDX, SHT.LLVM_ADDRSIG, SHT.REL}
)


MAX_ALIGNMENT = 1 << 30
MAX_SECTION = 1 << 47
MAX_OBJECT = (1 << 56) - 1
"""Bytes: the length field of a fragment."""


@dataclass(frozen=True, slots=True)
class Group:
    """A COMDAT group: of all groups with one signature only the first is linked."""

    signature: str
    members: tuple[int, ...]


class ObjectFile:
    """A relocatable object. `symbols` has one linker symbol per symbol-table index."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        self.image = ElfImage.from_bytes(data, name)
        if self.image.header.type != ec.ET_REL:
            raise LinkError(f"{name} is not a relocatable object or shared library")
        self.sections: list[InputSection | None] = []
        self.symbols: list[Symbol] = []
        self.groups: list[Group] = []
        self.is_purecap = self.image.is_purecap
        self._read_sections()
        self._read_groups()

    def _read_sections(self) -> None:
        image = self.image
        view = memoryview(image.data)
        for header in image.sections:
            if header.type in _UNUSED_TYPES or header.flags & ec.SHF_EXCLUDE:
                self.sections.append(None)
                continue
            if header.flags & ec.SHF_COMPRESSED:
                raise LinkError(f"{self.name}: section {header.name} is compressed; recompile without -gz")
            self.sections.append(self._input_section(header))
        for header in image.sections:
            if header.type == SHT.REL:
                raise LinkError(f"{self.name}: section {header.name} has REL relocations; AArch64 uses RELA")
            if header.type == SHT.RELA and header.info < len(self.sections):
                target = self.sections[header.info]
                if target is not None:
                    end = header.offset + header.size
                    if end > len(view) or header.size % ec.RELA_SIZE:
                        raise LinkError(f"{self.name}: section {header.name} is broken")
                    target.relocation_data = view[header.offset : end]

    def _input_section(self, header: Section) -> InputSection:
        align = header.align or 1
        if align & (align - 1) or align > MAX_ALIGNMENT:
            raise LinkError(f"{self.name}: section {header.name} has alignment {align}")
        section = InputSection(self, header.index, header.name, header.type, header.flags, align)
        section.size = header.size
        section.entsize = header.entsize
        section.link = header.link
        section.info = header.info
        if header.size > MAX_SECTION:
            raise LinkError(f"{self.name}: section {header.name} is {header.size} bytes long")
        if header.type != SHT.NOBITS:
            section.data = self.image.section_data(header)
        return section

    def _read_groups(self) -> None:
        for header in self.image.sections:
            if header.type != SHT.GROUP:
                continue
            data = self.image.section_data(header)
            words = [w for (w,) in struct.iter_unpack("<I", data[: len(data) & -4])]
            if words and words[0] & ec.GRP_COMDAT and header.info < len(self.image.symbols):
                signature = self.image.symbols[header.info]
                name = signature.name
                if signature.type == ec.STT_SECTION and signature.shndx < len(self.image.sections):
                    name = self.image.sections[signature.shndx].name
                self.groups.append(Group(name, tuple(words[1:])))

    def drop_group(self, group: Group) -> None:
        """Forget the sections of a COMDAT group that another file supplies."""
        for index in group.members:
            if index < len(self.sections):
                self.sections[index] = None

    def local_symbol(self, raw: ElfSymbol) -> Symbol:
        """The linker's symbol for a local (or a definition of a global) of this file."""
        symbol = Symbol(raw.name)
        symbol.binding = ec.STB_LOCAL
        self.define(symbol, raw)
        return symbol

    def define(self, symbol: Symbol, raw: ElfSymbol) -> None:
        """Make `symbol` be what `raw` of this file defines."""
        symbol.file = self
        symbol.type = raw.type
        symbol.size = raw.size
        if raw.size > MAX_OBJECT:
            raise LinkError(f"{self.name}: symbol '{raw.name}' is {raw.size} bytes long")
        symbol.c64 = raw.is_c64
        symbol.value = raw.address
        symbol.state = State.DEFINED
        symbol.section = None
        if raw.shndx == ec.SHN_COMMON:
            symbol.state = State.COMMON
            symbol.common_align = raw.value
            symbol.value = 0
            symbol.type = ec.STT_OBJECT if raw.type == ec.STT_COMMON else raw.type
        elif raw.shndx == ec.SHN_UNDEF:
            symbol.state = State.UNDEFINED
        elif raw.shndx != ec.SHN_ABS:
            section = self.sections[raw.shndx] if raw.shndx < len(self.sections) else None
            if section is None and raw.type != ec.STT_SECTION:
                symbol.state = State.UNDEFINED
            symbol.section = section


class SharedFile:
    """A shared library given to the linker: what it defines, what it needs, its name in DT_NEEDED."""

    def __init__(self, data: bytes, name: str, as_needed: bool) -> None:
        self.name = name
        self.image = ElfImage.from_bytes(data, name)
        if self.image.header.type != ec.ET_DYN or self.image.dynamic is None:
            raise LinkError(f"{name} is neither a relocatable object nor a shared library")
        self.soname = self.image.dynamic.soname or name.rsplit("/", 1)[-1]
        self.as_needed = as_needed
        self.is_used = not as_needed
        self.is_purecap = self.image.is_purecap


def is_shared_library(data: bytes) -> bool:
    """Whether the bytes are an ET_DYN file."""
    return data[:4] == ec.ELF_MAGIC and len(data) >= 18 and struct.unpack_from("<H", data, 16)[0] == ec.ET_DYN

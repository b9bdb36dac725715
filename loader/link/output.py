"""The bytes of the output file: section contents, symbol table, headers."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence

from loader import elf_constants as ec
from loader.elf_constants import SHT
from loader.link.dynamic_tables import StringTable, symbol_record
from loader.link.layout import Layout
from loader.link.model import Chunk, InputSection, OutputSection, State, Symbol, Table, align_up
from loader.link.objects import ObjectFile
from loader.link.options import LinkOptions
from loader.link.relocate import Relocator
from loader.link.tables import Veneers

BUILD_ID_SIZE = 20


def build_id_note() -> Table:
    """An empty GNU build-id note; `stamp_build_id` fills it from the finished file."""
    note = Table(".note.gnu.build-id", SHT.NOTE, ec.SHF_ALLOC, 4)
    note.data = struct.pack("<III4s", 4, BUILD_ID_SIZE, 3, b"GNU\0") + bytes(BUILD_ID_SIZE)
    note.size = len(note.data)
    return note


def stamp_build_id(image: bytearray, note: Table) -> None:
    """The id is a hash of everything else, so equal inputs give equal files."""
    assert note.output is not None
    start = note.output.file_offset + note.offset + 16
    image[start : start + BUILD_ID_SIZE] = hashlib.sha256(image).digest()[:BUILD_ID_SIZE]


class SymtabBuilder:
    """`.symtab` and `.strtab`: file and local symbols first, then globals, all in input order."""

    def __init__(self, options: LinkOptions) -> None:
        self.strtab = StringTable(".strtab")
        self.symtab = Table(".symtab", SHT.SYMTAB, 0, 8, ec.SYM_SIZE)
        self.symtab.link_of = self.strtab
        self._options = options
        self._locals: list[tuple[Symbol, int]] = []
        self._globals: list[tuple[Symbol, int]] = []

    def plan(self, objects: Iterable[ObjectFile], symbols: Iterable[Symbol], veneers: Veneers) -> None:
        """Choose the symbols; fixes the sizes of both tables."""
        for file in objects:
            for symbol in file.symbols:
                if symbol.is_local and self._is_wanted_local(symbol):
                    self._locals.append((symbol, self.strtab.add(symbol.name)))
        for target, to_c64, offset, size in veneers.spans:
            local = veneer_symbol(veneers, target, to_c64, offset, size)
            self._locals.append((local, self.strtab.add(local.name)))
        for symbol in symbols:
            is_used = symbol.is_referenced or symbol.is_defined
            if is_used and not self._is_discarded(symbol) and symbol.state is not State.LAZY:
                self._globals.append((symbol, self.strtab.add(symbol.name)))
        self.symtab.size = ec.SYM_SIZE * (1 + len(self._locals) + len(self._globals))

    @staticmethod
    def _is_discarded(symbol: Symbol) -> bool:
        return isinstance(symbol.section, Chunk) and symbol.section.output is None

    def _is_wanted_local(self, symbol: Symbol) -> bool:
        if symbol.type == ec.STT_SECTION or not symbol.name or symbol.name.startswith(".L"):
            return False
        if symbol.state is not State.DEFINED or self._is_discarded(symbol):
            return False
        return symbol.section is not None or symbol.type == ec.STT_FILE

    @property
    def first_global(self) -> int:
        """Index of the first symbol that is not local (`sh_info`)."""
        return 1 + len(self._locals)

    def build(self, tls_start: int) -> None:
        """Write both tables."""
        records = [bytes(ec.SYM_SIZE)]
        for symbol, name in (*self._locals, *self._globals):
            records.append(symbol_record(symbol, name, symbol_value(symbol, tls_start)))
        self.symtab.data = b"".join(records)
        self.strtab.build()


def symbol_value(symbol: Symbol, tls_start: int) -> int:
    """`st_value`: address with the ISA bit, or the offset in the TLS template."""
    if symbol.type == ec.STT_TLS and symbol.section is not None:
        return symbol.address - tls_start
    if symbol.state in (State.SHARED, State.UNDEFINED):
        return 0
    return symbol.address_with_isa


def veneer_symbol(veneers: Veneers, target: Symbol, to_c64: bool, offset: int, size: int) -> Symbol:
    """A local symbol, so that disassembly and backtraces name the veneer."""
    symbol = Symbol(f"__{'AToC' if to_c64 else 'CToA'}_{target.name}")
    symbol.binding = ec.STB_LOCAL
    symbol.type = ec.STT_FUNC
    symbol.state = State.DEFINED
    symbol.section = veneers
    symbol.value, symbol.size, symbol.c64 = offset, size, not to_c64
    return symbol


def write_sections(
    image: bytearray, layout: Layout, relocator: Relocator, fragments: dict[int, bytes]
) -> None:
    """Copy every chunk to its place in the file, relocated; then put the fragments in."""
    for section in layout.sections:
        if section.type == SHT.NOBITS:
            continue
        for chunk in section.chunks:
            if chunk.type == SHT.NOBITS:
                continue
            if isinstance(chunk, InputSection) and chunk.relocation_data:
                data: bytes | bytearray = bytearray(chunk.data)
                relocator.relocate(chunk, data)  # type: ignore[arg-type]
            else:
                data = chunk.data
            start = section.file_offset + chunk.offset
            image[start : start + len(data)] = data
    in_memory = [s for s in layout.sections if s.is_alloc and s.type != SHT.NOBITS]
    in_memory.sort(key=lambda s: s.address)
    for address, data in fragments.items():
        section = next(s for s in in_memory if s.address <= address < s.end)
        start = section.file_offset + address - section.address
        image[start : start + len(data)] = data


def write_headers(
    image: bytearray,
    layout: Layout,
    options: LinkOptions,
    entry: int,
    flags: int,
    names: StringTable,
    name_offsets: Sequence[int],
) -> None:
    """File header, program headers; section headers go to the end of `image`."""
    kind = ec.ET_DYN if options.is_pic else ec.ET_EXEC
    shoff = align_up(len(image), 8)
    image.extend(bytes(shoff - len(image)))
    image.extend(bytes(ec.SHDR_SIZE))
    for section, name in zip(layout.sections, name_offsets, strict=True):
        image += struct.pack(
            "<IIQQQQIIQQ", name, section.type, section.flags, section.address, section.file_offset,
            section.size, section.link, section.info, section.align, section.entsize,
        )  # fmt: skip
    assert names.output is not None
    ident = ec.ELF_MAGIC + bytes((ec.ELFCLASS64, ec.ELFDATA2LSB, ec.EV_CURRENT)) + bytes(9)
    image[: ec.EHDR_SIZE] = ident + struct.pack(
        "<HHIQQQIHHHHHH", kind, ec.EM_AARCH64, ec.EV_CURRENT, entry, ec.EHDR_SIZE, shoff, flags,
        ec.EHDR_SIZE, ec.PHDR_SIZE, len(layout.segments), ec.SHDR_SIZE, len(layout.sections) + 1,
        names.output.index,
    )  # fmt: skip
    position = ec.EHDR_SIZE
    for s in layout.segments:
        image[position : position + ec.PHDR_SIZE] = struct.pack(
            "<IIQQQQQQ", s.type, s.flags, s.offset, s.vaddr, s.paddr, s.filesz, s.memsz, s.align
        )
        position += ec.PHDR_SIZE


def number_sections(sections: Sequence[OutputSection]) -> None:
    """Section indices, and `sh_link`/`sh_info` of the linker's own tables."""
    for index, section in enumerate(sections, 1):
        section.index = index
    for section in sections:
        for chunk in section.chunks:
            if isinstance(chunk, Table):
                if chunk.link_of is not None and chunk.link_of.output is not None:
                    section.link = chunk.link_of.output.index
                if chunk.info_of is not None and chunk.info_of.output is not None:
                    section.info = chunk.info_of.output.index

"""Sections and symbols to the bytes of an ELF64 relocatable object."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from guest.assembler.model import Section, Symbol
from loader import elf_constants as elf
from loader.elf_constants import SHT


class StringTable:
    """A string table with every string once."""

    def __init__(self) -> None:
        self.data = bytearray(b"\0")
        self._offsets: dict[str, int] = {"": 0}

    def add(self, text: str) -> int:
        """Offset of the string."""
        offset = self._offsets.get(text)
        if offset is None:
            offset = self._offsets[text] = len(self.data)
            self.data += text.encode() + b"\0"
        return offset


@dataclass(slots=True)
class _Header:
    """A section header to be, with its contents."""

    name: str
    type: int
    flags: int
    data: bytes
    size: int
    link: int = 0
    info: int = 0
    align: int = 1
    entry_size: int = 0


def write_object(
    sections: list[Section],
    symbols: Mapping[str, Symbol],
    sizes: Mapping[str, int],
    file_name: str | None,
    purecap: bool,
) -> bytes:
    """The file. Order: sections as they first appeared, each followed by its relocations, then symbols."""
    strings = StringTable()
    for index, section in enumerate(_with_relocations(sections), start=1):
        if isinstance(section, Section):
            section.index = index
    records, first_global = _symbol_table(sections, symbols, sizes, file_name, strings)
    headers = [_Header("", SHT.NULL, 0, b"", 0, align=0)]
    symtab_index = sum(1 for _ in _with_relocations(sections)) + 1
    for section in sections:
        headers.append(_contents(section))
        if section.relocations:
            headers.append(_relocations(section, symtab_index))
    symtab = b"".join(records)
    headers.append(
        _Header(".symtab", SHT.SYMTAB, 0, symtab, len(symtab), symtab_index + 1, first_global, 8, 24)
    )
    headers.append(_Header(".strtab", SHT.STRTAB, 0, bytes(strings.data), len(strings.data)))
    return _layout(headers, purecap)


def _with_relocations(sections: Iterable[Section]) -> Iterable[Section | None]:
    for section in sections:
        yield section
        if section.relocations:
            yield None


def _contents(section: Section) -> _Header:
    return _Header(
        section.name, section.type, section.flags, b"" if section.is_nobits else bytes(section.data),
        section.size, align=section.align, entry_size=section.entry_size,
    )  # fmt: skip


def _relocations(section: Section, symtab_index: int) -> _Header:
    ordered = sorted(section.relocations, key=lambda rela: rela.offset)
    data = b"".join(
        struct.pack("<QQq", rela.offset, rela.symbol.index << 32 | rela.type, rela.addend) for rela in ordered
    )
    return _Header(
        f".rela{section.name}",
        SHT.RELA,
        elf.SHF_INFO_LINK,
        data,
        len(data),
        symtab_index,
        section.index,
        8,
        24,
    )


def _symbol_table(
    sections: list[Section],
    symbols: Mapping[str, Symbol],
    sizes: Mapping[str, int],
    file_name: str | None,
    strings: StringTable,
) -> tuple[list[bytes], int]:
    """The records, local ones first, and the number of local ones. Sets every symbol's index."""
    records = [bytes(24)]
    if file_name is not None:
        records.append(_pack(strings.add(file_name), elf.STB_LOCAL, elf.STT_FILE, 0, elf.SHN_ABS, 0, 0))
    for section in sections:
        for offset, name in section.mapping:
            records.append(
                _pack(strings.add(name), elf.STB_LOCAL, elf.STT_NOTYPE, 0, section.index, offset, 0)
            )
    emitted = [symbol for symbol in symbols.values() if _is_emitted(symbol)]
    for symbol in emitted:
        if symbol.is_local:
            symbol.index = len(records)
            records.append(_record(symbol, elf.STB_LOCAL, sizes, strings))
    first_global = len(records)
    for symbol in emitted:
        if not symbol.is_local:
            symbol.index = len(records)
            binding = elf.STB_GLOBAL if symbol.binding is None else symbol.binding
            records.append(_record(symbol, binding, sizes, strings))
    return records, first_global


def _is_emitted(symbol: Symbol) -> bool:
    """Assembler-local labels only when a relocation names them; symbols never used or declared not at all."""
    if symbol.name.startswith((".L", "\x02")):
        return symbol.is_used
    return symbol.is_defined or symbol.is_used or symbol.is_common or symbol.binding == elf.STB_WEAK


def _record(symbol: Symbol, binding: int, sizes: Mapping[str, int], strings: StringTable) -> bytes:
    size = sizes.get(symbol.name, 0)
    kind = symbol.type
    if symbol.is_common and not symbol.is_defined:
        return _pack(
            strings.add(symbol.name),
            binding,
            kind,
            symbol.visibility,
            elf.SHN_COMMON,
            symbol.common_align,
            symbol.common_size,
        )
    if symbol.is_absolute:
        value = symbol.value & (1 << 64) - 1
        return _pack(strings.add(symbol.name), binding, kind, symbol.visibility, elf.SHN_ABS, value, size)
    section = symbol.section
    index = section.index if section is not None else elf.SHN_UNDEF
    value = symbol.value
    if section is not None:
        if section.flags & elf.SHF_TLS and kind in (elf.STT_NOTYPE, elf.STT_OBJECT):
            kind = elf.STT_TLS
        if symbol.is_function and symbol.c64:
            value |= 1
    name = "" if symbol.type == elf.STT_SECTION else symbol.name.replace("\x01", "_")
    return _pack(strings.add(name), binding, kind, symbol.visibility | symbol.other, index, value, size)


def _pack(name: int, binding: int, kind: int, other: int, index: int, value: int, size: int) -> bytes:
    return struct.pack("<IBBHQQ", name, binding << 4 | kind, other, index, value, size)


def _layout(headers: list[_Header], purecap: bool) -> bytes:
    names = StringTable()
    for header in headers:
        names.add(header.name)
    names.add(".shstrtab")
    headers.append(_Header(".shstrtab", SHT.STRTAB, 0, bytes(names.data), len(names.data)))
    body = bytearray()
    table = bytearray()
    for header in headers:
        alignment = max(header.align, 1)
        body += bytes(-(elf.EHDR_SIZE + len(body)) % alignment)
        offset = 0 if header.type == SHT.NULL else elf.EHDR_SIZE + len(body)
        body += header.data
        table += struct.pack(
            "<IIQQQQIIQQ", names.add(header.name), header.type, header.flags, 0, offset, header.size,
            header.link, header.info, header.align, header.entry_size,
        )  # fmt: skip
    body += bytes(-(elf.EHDR_SIZE + len(body)) % 8)
    identification = elf.ELF_MAGIC + bytes((elf.ELFCLASS64, elf.ELFDATA2LSB, elf.EV_CURRENT)) + bytes(9)
    flags = elf.EF_AARCH64_CHERI_PURECAP if purecap else 0
    header_bytes = identification + struct.pack(
        "<HHIQQQIHHHHHH", elf.ET_REL, elf.EM_AARCH64, elf.EV_CURRENT, 0, 0, elf.EHDR_SIZE + len(body), flags,
        elf.EHDR_SIZE, 0, 0, elf.SHDR_SIZE, len(headers), len(headers) - 1,
    )  # fmt: skip
    return bytes(header_bytes + body + table)

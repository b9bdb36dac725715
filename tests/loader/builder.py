"""Builds small relocatable objects for linker tests, independent of the assembler."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from loader import elf_constants as ec
from loader.elf_constants import SHT

RX = ec.SHF_ALLOC | ec.SHF_EXECINSTR
RO = ec.SHF_ALLOC
RW = ec.SHF_ALLOC | ec.SHF_WRITE
TLS = RW | ec.SHF_TLS


@dataclass
class _Section:
    name: str
    type: int
    flags: int
    data: bytes
    align: int
    size: int
    info: int = 0
    relocations: list[tuple[int, int, str, int]] = field(default_factory=list)


@dataclass
class _Symbol:
    name: str
    section: str | None
    value: int
    size: int
    type: int
    binding: int
    visibility: int
    shndx: int | None


class ObjectBuilder:
    """Sections, symbols and relocations by name; `build()` gives the ELF bytes."""

    def __init__(self, purecap: bool = True, machine: int = ec.EM_AARCH64) -> None:
        self.purecap = purecap
        self.machine = machine
        self.sections: dict[str, _Section] = {}
        self.symbols: list[_Symbol] = []
        self.groups: list[tuple[str, list[str]]] = []

    def section(self, name, data=b"", flags=RW, align=16, kind=SHT.PROGBITS, size=None):
        self.sections[name] = _Section(name, kind, flags, data, align, len(data) if size is None else size)
        return self

    def text(self, *words, name=".text"):
        return self.section(name, struct.pack(f"<{len(words)}I", *words), RX, 4)

    def bss(self, name=".bss", size=16, align=16, flags=RW):
        return self.section(name, b"", flags, align, SHT.NOBITS, size)

    def symbol(self, name, section=None, value=0, size=0, kind=ec.STT_OBJECT, binding=ec.STB_GLOBAL,
               visibility=ec.STV_DEFAULT, shndx=None):  # fmt: skip
        self.symbols.append(_Symbol(name, section, value, size, kind, binding, visibility, shndx))
        return self

    def function(self, name, section=".text", value=0, size=4, c64=True, **rest):
        return self.symbol(name, section, value | c64, size, ec.STT_FUNC, **rest)

    def undefined(self, name, weak=False, kind=ec.STT_NOTYPE):
        return self.symbol(name, binding=ec.STB_WEAK if weak else ec.STB_GLOBAL, kind=kind)

    def common(self, name, size, align):
        return self.symbol(name, value=align, size=size, shndx=ec.SHN_COMMON)

    def reloc(self, section, offset, kind, symbol, addend=0):
        self.sections[section].relocations.append((offset, kind, symbol, addend))
        return self

    def comdat(self, signature, *sections):
        self.groups.append((signature, list(sections)))
        return self

    def build(self) -> bytes:
        names = list(self.sections)
        index = {name: i + 1 for i, name in enumerate(names)}
        used = {r[2] for s in self.sections.values() for r in s.relocations}
        known = {s.name for s in self.symbols}
        for name in sorted(used - known):
            if name in index:
                self.symbols.append(_Symbol(name, name, 0, 0, ec.STT_SECTION, ec.STB_LOCAL, 0, None))
            else:
                self.undefined(name)
        ordered = sorted(self.symbols, key=lambda s: s.binding != ec.STB_LOCAL)
        locals_ = sum(s.binding == ec.STB_LOCAL for s in ordered)
        strtab = bytearray(b"\0")
        symtab = bytearray(24)
        number = {}
        for i, s in enumerate(ordered, 1):
            number[s.name] = i
            name = 0
            if s.type != ec.STT_SECTION:
                name = len(strtab)
                strtab += s.name.encode() + b"\0"
            shndx = s.shndx if s.shndx is not None else index.get(s.section, 0)
            symtab += struct.pack(
                "<IBBHQQ", name, s.binding << 4 | s.type, s.visibility, shndx, s.value, s.size
            )
        headers = []
        for name in names:
            s = self.sections[name]
            headers.append((name, s.type, s.flags, s.data, s.size, 0, 0, s.align, 0))
        symtab_index = len(names) + 1
        headers.append((".symtab", SHT.SYMTAB, 0, bytes(symtab), None, symtab_index + 1, locals_ + 1, 8, 24))
        headers.append((".strtab", SHT.STRTAB, 0, bytes(strtab), None, 0, 0, 1, 0))
        for name in names:
            s = self.sections[name]
            if s.relocations:
                data = b"".join(
                    struct.pack("<QQq", o, number[y] << 32 | t, a) for o, t, y, a in s.relocations
                )
                headers.append((".rela" + name, SHT.RELA, 0, data, None, symtab_index, index[name], 8, 24))
        for signature, members in self.groups:
            data = struct.pack(f"<{1 + len(members)}I", 1, *(index[m] for m in members))
            headers.append((".group", SHT.GROUP, 0, data, None, symtab_index, number[signature], 4, 4))
        return self._file(headers)

    def _file(self, headers) -> bytes:
        shstrtab = bytearray(b"\0")
        out = bytearray(64)
        records = [bytes(64)]
        for name, kind, flags, data, size, link, info, align, entsize in [
            *headers,
            (".shstrtab", SHT.STRTAB, 0, None, None, 0, 0, 1, 0),
        ]:
            name_offset = len(shstrtab)
            shstrtab += name.encode() + b"\0"
            body = bytes(shstrtab) if data is None else data
            out += bytes(-len(out) % max(align, 1))
            length = len(body) if size is None else size
            records.append(
                struct.pack(
                    "<IIQQQQIIQQ", name_offset, kind, flags, 0, len(out), length, link, info, align, entsize
                )
            )
            out += body
        out += bytes(-len(out) % 8)
        shoff = len(out)
        flags = ec.EF_AARCH64_CHERI_PURECAP if self.purecap else 0
        out[:64] = (
            b"\x7fELF\2\1\1"
            + bytes(9)
            + struct.pack(
                "<HHIQQQIHHHHHH",
                1,
                self.machine,
                1,
                0,
                0,
                shoff,
                flags,
                64,
                0,
                0,
                64,
                len(records),
                len(records) - 1,
            )
        )
        return bytes(out) + b"".join(records)

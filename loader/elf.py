"""Reading ELF files: headers, segments, sections, symbols, relocations, dynamic section, notes.

`ElfImage.from_file(path)` checks that the file is a 64-bit little-endian AArch64 ELF file and parses the
headers; everything else is read when asked for. Whatever is wrong with a file is told as a UserError
with status 126. The parser is plain `struct`, because `morello run` must start quickly.

Example: `ElfImage.from_file(Path("app")).entry` is the entry address with bit 0 as in the file.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from loader import elf_constants as ec
from loader.elf_constants import DT, PT, SHT
from morello_isa.errors import EXIT_CANNOT_EXECUTE, EXIT_NOT_FOUND, UserError

_TABLE_LIMIT = 1 << 28
"""No table of a sane file is longer than this many bytes."""


class Header(NamedTuple):
    """The file header; offsets and sizes in bytes, `entry` with bit 0 as in the file."""

    os_abi: int
    type: int
    machine: int
    entry: int
    phoff: int
    shoff: int
    flags: int
    phentsize: int
    phnum: int
    shentsize: int
    shnum: int
    shstrndx: int


class Segment(NamedTuple):
    """One program header."""

    type: int
    flags: int
    offset: int
    vaddr: int
    paddr: int
    filesz: int
    memsz: int
    align: int

    @property
    def type_name(self) -> str:
        """`LOAD`, `TLS`, …, or the number in hex."""
        try:
            return PT(self.type).name
        except ValueError:
            return f"{self.type:#x}"


@dataclass(frozen=True, slots=True)
class Section:
    """One section header."""

    index: int
    name: str
    type: int
    flags: int
    addr: int
    offset: int
    size: int
    link: int
    info: int
    align: int
    entsize: int


class Symbol(NamedTuple):
    """One symbol. `value` is `st_value` as in the file: bit 0 of a function is its ISA, not its address."""

    name: str
    value: int
    size: int
    info: int
    other: int
    shndx: int
    version: str | None = None
    version_hidden: bool = False

    @property
    def type(self) -> int:
        """STT_*."""
        return self.info & 0xF

    @property
    def binding(self) -> int:
        """STB_*."""
        return self.info >> 4

    @property
    def visibility(self) -> int:
        """STV_*."""
        return self.other & 3

    @property
    def is_function(self) -> bool:
        """STT_FUNC or STT_GNU_IFUNC."""
        return self.type in (ec.STT_FUNC, ec.STT_GNU_IFUNC)

    @property
    def is_c64(self) -> bool:
        """Whether this is a C64 function."""
        return self.is_function and bool(self.value & 1)

    @property
    def address(self) -> int:
        """`value` without the ISA bit."""
        return self.value & ~1 if self.is_function else self.value

    @property
    def is_defined(self) -> bool:
        """Whether this file defines it."""
        return self.shndx != ec.SHN_UNDEF


class Relocation(NamedTuple):
    """One RELA record: `offset` is the address of the place, `type` R_*, `symbol` an index."""

    offset: int
    type: int
    symbol: int
    addend: int

    @property
    def name(self) -> str:
        """The ABI's name of the type."""
        from loader.relocations import name_of  # starting a program does not need the table

        return name_of(self.type)


class Note(NamedTuple):
    """One note: owner's name, type number, contents."""

    owner: str
    type: int
    contents: bytes


@dataclass(frozen=True, slots=True)
class DynamicInfo:
    """The dynamic section: the entries in order, and a map of the tags that occur once."""

    entries: tuple[tuple[int, int], ...]
    tags: dict[int, int]
    needed: tuple[str, ...]
    soname: str | None
    rpath: str | None
    runpath: str | None

    def get(self, tag: int, default: int = 0) -> int:
        """The value of `tag` (the last one, where it is repeated)."""
        return self.tags.get(tag, default)


class ElfImage:
    """One parsed ELF file. `name` is used in messages; `data` is the whole file."""

    def __init__(self, data: bytes, name: str) -> None:
        self.data = data
        self.name = name
        self.header = self._read_header()
        self.segments = tuple(self._read_segments())

    @classmethod
    def from_file(cls, path: str | Path) -> ElfImage:
        """Read and check a file; `UserError` 127 when there is none, 126 when it can't be used."""
        path = Path(path)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise UserError(f"{path} does not exist", EXIT_NOT_FOUND) from None
        except IsADirectoryError:
            raise UserError(f"{path} is a directory, not a program", EXIT_CANNOT_EXECUTE) from None
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UserError(f"{path} can't be read: {reason}", EXIT_CANNOT_EXECUTE) from None
        return cls(data, str(path))

    @classmethod
    def from_bytes(cls, data: bytes, name: str) -> ElfImage:
        """Parse a file that is already in memory."""
        return cls(data, name)

    # --- headers ------------------------------------------------------------------------------------

    def _broken(self, reason: str) -> UserError:
        return UserError(f"{self.name} is a broken ELF file: {reason}", EXIT_CANNOT_EXECUTE)

    def _read_header(self) -> Header:
        data = self.data
        if data[:4] != ec.ELF_MAGIC:
            raise UserError(f"{self.name} is not an ELF file ({_start_of(data)})", EXIT_CANNOT_EXECUTE)
        if len(data) < 20:
            raise self._broken(f"it ends after {len(data)} bytes, inside the file header")
        byte_order = "<" if data[5] != 2 else ">"
        machine = struct.unpack_from(byte_order + "H", data, 18)[0]
        if machine != ec.EM_AARCH64:
            kind = ec.MACHINE_NAMES.get(machine, f"machine type {machine}")
            text = f"{self.name} is for {kind}; this board runs AArch64 and Morello programs"
            raise UserError(text, EXIT_CANNOT_EXECUTE)
        if data[4] != ec.ELFCLASS64 or data[5] != ec.ELFDATA2LSB:
            what = "a 32-bit (ILP32)" if data[4] != ec.ELFCLASS64 else "a big-endian"
            text = f"{self.name} is {what} AArch64 file; only 64-bit little-endian ones run"
            raise UserError(text, EXIT_CANNOT_EXECUTE)
        if len(data) < ec.EHDR_SIZE:
            raise self._broken(f"it ends after {len(data)} bytes, inside the file header")
        fields = struct.unpack_from("<HHIQQQIHHHHHH", data, 16)
        (etype, machine, _version, entry, phoff, shoff, flags, _ehsize, *rest) = fields
        return Header(data[7], etype, machine, entry, phoff, shoff, flags, *rest)

    def _read_segments(self) -> Iterator[Segment]:
        header = self.header
        if header.phnum == 0:
            return
        if header.phentsize != ec.PHDR_SIZE:
            raise self._broken(f"its program headers are {header.phentsize} bytes long")
        end = header.phoff + header.phnum * ec.PHDR_SIZE
        if end > len(self.data):
            raise self._broken(f"its program headers end at byte {end}, the file at {len(self.data)}")
        for i in range(header.phnum):
            fields = struct.unpack_from("<IIQQQQQQ", self.data, header.phoff + i * ec.PHDR_SIZE)
            segment = Segment(*fields)
            self._check_segment(segment)
            yield segment

    def _check_segment(self, segment: Segment) -> None:
        if segment.type in (PT.NULL, PT.GNU_STACK):
            return
        end = segment.offset + segment.filesz
        if end > len(self.data):
            kind = segment.type_name
            raise self._broken(f"a {kind} segment ends at byte {end}, the file at {len(self.data)}")
        if segment.type != PT.LOAD:
            return
        if segment.filesz > segment.memsz:
            raise self._broken(
                f"a LOAD segment has {segment.filesz} file bytes for {segment.memsz} in memory"
            )
        if segment.vaddr + segment.memsz > 1 << 64:
            raise self._broken("a LOAD segment ends past the top of the address space")
        if segment.align > 1:
            if segment.align & (segment.align - 1):
                raise self._broken(f"a LOAD segment has alignment {segment.align:#x}")
            if (segment.vaddr - segment.offset) % min(segment.align, 0x1000):
                raise self._broken("a LOAD segment's address and file offset differ in alignment")

    @property
    def is_purecap(self) -> bool:
        """EF_AARCH64_CHERI_PURECAP is set."""
        return bool(self.header.flags & ec.EF_AARCH64_CHERI_PURECAP)

    @property
    def entry(self) -> int:
        """`e_entry` as in the file: bit 0 set means that the process starts in C64."""
        return self.header.entry

    @property
    def is_position_independent(self) -> bool:
        """ET_DYN: shared library or PIE."""
        return self.header.type == ec.ET_DYN

    @cached_property
    def load_segments(self) -> tuple[Segment, ...]:
        """The LOAD segments in address order."""
        return tuple(sorted((s for s in self.segments if s.type == PT.LOAD), key=lambda s: s.vaddr))

    def span(self) -> tuple[int, int]:
        """Lowest and past-the-highest address of the LOAD segments (unbiased); (0, 0) without any."""
        loads = self.load_segments
        if not loads:
            return 0, 0
        return loads[0].vaddr, max(s.vaddr + s.memsz for s in loads)

    def segment_of_type(self, kind: PT) -> Segment | None:
        """The first segment of a type."""
        return next((s for s in self.segments if s.type == kind), None)

    @cached_property
    def tls(self) -> Segment | None:
        """The PT_TLS segment."""
        return self.segment_of_type(PT.TLS)

    @cached_property
    def interp(self) -> str | None:
        """Path in PT_INTERP."""
        segment = self.segment_of_type(PT.INTERP)
        if segment is None:
            return None
        raw = self.data[segment.offset : segment.offset + segment.filesz]
        return raw.split(b"\0", 1)[0].decode("utf-8", "replace")

    # --- bytes by address ---------------------------------------------------------------------------

    def read_vaddr(self, vaddr: int, size: int) -> bytes:
        """`size` initial bytes at an unbiased address; zeros for the part that is not in the file.

        Raises UserError 126 when the range is outside all LOAD segments.
        """
        for segment in self.load_segments:
            start = vaddr - segment.vaddr
            if start >= 0 and start + size <= segment.memsz and size <= _TABLE_LIMIT:
                first = segment.offset + start
                last = segment.offset + min(start + size, segment.filesz)
                return self.data[first:last].ljust(size, b"\0")
        raise self._broken(f"{size} bytes at {vaddr:#x} are outside its segments")

    # --- sections -----------------------------------------------------------------------------------

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """All section headers (none in a stripped-down file)."""
        header = self.header
        if header.shoff == 0:
            return ()
        if header.shentsize != ec.SHDR_SIZE:
            raise self._broken(f"its section headers are {header.shentsize} bytes long")
        if header.shoff + ec.SHDR_SIZE > len(self.data):
            raise self._broken("its section headers are past the end of the file")
        first = struct.unpack_from("<IIQQQQIIQQ", self.data, header.shoff)
        count = header.shnum or first[5]
        names_index = header.shstrndx if header.shstrndx != ec.SHN_XINDEX else first[6]
        if header.shoff + count * ec.SHDR_SIZE > len(self.data):
            raise self._broken("its section headers are past the end of the file")
        raw = [
            struct.unpack_from("<IIQQQQIIQQ", self.data, header.shoff + i * ec.SHDR_SIZE)
            for i in range(count)
        ]
        names = b""
        if names_index < count:
            names = self.data[raw[names_index][4] : raw[names_index][4] + raw[names_index][5]]
        return tuple(Section(i, _string(names, f[0]), *f[1:]) for i, f in enumerate(raw))

    def section(self, name: str) -> Section | None:
        """The first section of a name."""
        return next((s for s in self.sections if s.name == name), None)

    def section_data(self, section: Section) -> bytes:
        """A section's bytes in the file (zeros for NOBITS)."""
        if section.type == SHT.NOBITS:
            return bytes(section.size)
        end = section.offset + section.size
        if end > len(self.data):
            raise self._broken(f"section {section.name} ends at byte {end}, the file at {len(self.data)}")
        return self.data[section.offset : end]

    # --- symbols ------------------------------------------------------------------------------------

    @cached_property
    def symbols(self) -> tuple[Symbol, ...]:
        """`.symtab`, in file order, index 0 included; empty when stripped."""
        for section in self.sections:
            if section.type == SHT.SYMTAB and section.link < len(self.sections):
                strings = self.section_data(self.sections[section.link])
                return tuple(_symbols(self.section_data(section), strings))
        return ()

    @cached_property
    def dynamic_symbols(self) -> tuple[Symbol, ...]:
        """`DT_SYMTAB` with versions, in table order, index 0 included."""
        info = self.dynamic
        if info is None or DT.SYMTAB not in info.tags:
            return ()
        count = self._dynamic_symbol_count(info)
        raw = self.read_vaddr(info.get(DT.SYMTAB), count * ec.SYM_SIZE)
        versions = self._symbol_versions(info, count)
        strings = self._dynamic_strings(info.get(DT.STRTAB), info.get(DT.STRSZ))
        return tuple(_symbols(raw, strings, versions))

    def _dynamic_symbol_count(self, info: DynamicInfo) -> int:
        if DT.HASH in info.tags:
            count: int = struct.unpack("<II", self.read_vaddr(info.get(DT.HASH), 8))[1]
            return count
        if DT.GNU_HASH in info.tags:
            return self._gnu_hash_symbol_count(info.get(DT.GNU_HASH))
        for section in self.sections:
            if section.type == SHT.DYNSYM:
                return section.size // ec.SYM_SIZE
        return 0

    def _gnu_hash_symbol_count(self, address: int) -> int:
        buckets, first, bloom_words, _shift = struct.unpack("<IIII", self.read_vaddr(address, 16))
        bucket_address = address + 16 + 8 * bloom_words
        values = struct.unpack(f"<{buckets}I", self.read_vaddr(bucket_address, 4 * buckets))
        last = max(values, default=0)
        if last < first:
            return int(first)
        chains = bucket_address + 4 * buckets
        while not struct.unpack("<I", self.read_vaddr(chains + 4 * (last - first), 4))[0] & 1:
            last += 1
        return int(last) + 1

    def _symbol_versions(self, info: DynamicInfo, count: int) -> list[tuple[str | None, bool]]:
        if DT.VERSYM not in info.tags:
            return []
        indices = struct.unpack(f"<{count}H", self.read_vaddr(info.get(DT.VERSYM), 2 * count))
        names = {**self.needed_versions_by_index, **self.defined_versions_by_index}
        hidden = ec.VERSYM_HIDDEN
        return [(names.get(i & ~hidden), bool(i & hidden)) for i in indices]

    @cached_property
    def needed_versions_by_index(self) -> dict[int, str]:
        """Version index -> name, from DT_VERNEED."""
        return {index: name for index, name, _file in self._verneed()}

    def _verneed(self) -> Iterator[tuple[int, str, str]]:
        info = self.dynamic
        if info is None or DT.VERNEED not in info.tags:
            return
        strings = self._dynamic_strings(info.get(DT.STRTAB), info.get(DT.STRSZ))
        address = info.get(DT.VERNEED)
        for _ in range(info.get(DT.VERNEEDNUM)):
            _v, count, file, aux, following = struct.unpack("<HHIII", self.read_vaddr(address, 16))
            aux_address = address + aux
            for _ in range(count):
                fields = struct.unpack("<IHHII", self.read_vaddr(aux_address, 16))
                yield fields[2] & ~ec.VERSYM_HIDDEN, _string(strings, fields[3]), _string(strings, file)
                aux_address += fields[4]
            if following == 0:
                return
            address += following

    @cached_property
    def defined_versions_by_index(self) -> dict[int, str]:
        """Version index -> name, from DT_VERDEF."""
        info = self.dynamic
        versions: dict[int, str] = {}
        if info is None or DT.VERDEF not in info.tags:
            return versions
        strings = self._dynamic_strings(info.get(DT.STRTAB), info.get(DT.STRSZ))
        address = info.get(DT.VERDEF)
        for _ in range(info.get(DT.VERDEFNUM)):
            fields = struct.unpack("<HHHHIII", self.read_vaddr(address, 20))
            name = struct.unpack("<I", self.read_vaddr(address + fields[5], 4))[0]
            versions[fields[2]] = _string(strings, name)
            if fields[6] == 0:
                break
            address += fields[6]
        return versions

    @cached_property
    def _sorted_symbols(self) -> tuple[list[int], list[Symbol]]:
        kinds = (ec.STT_FUNC, ec.STT_GNU_IFUNC, ec.STT_OBJECT, ec.STT_NOTYPE)
        try:
            source = self.symbols or self.dynamic_symbols
        except UserError:  # it runs all the same, only its names are lost
            return [], []
        chosen = [
            s
            for s in source
            if s.type in kinds and 0 < s.shndx < ec.SHN_LORESERVE and s.name and not s.name.startswith("$")
        ]
        chosen.sort(key=lambda s: (s.address, s.is_function, s.size))
        return [s.address for s in chosen], chosen

    def symbol_at(self, vaddr: int) -> tuple[Symbol, int] | None:
        """The symbol whose extent contains an unbiased address (or an unsized one below), and the offset."""
        addresses, symbols = self._sorted_symbols
        position = bisect_right(addresses, vaddr)
        for i in range(position - 1, max(-1, position - 9), -1):
            symbol = symbols[i]
            offset = vaddr - symbol.address
            if offset < symbol.size or (symbol.size == 0 and vaddr < self._end_of_section(symbol)):
                return symbol, offset
        return None

    def _end_of_section(self, symbol: Symbol) -> int:
        """Where the section of a symbol ends: how far a symbol without size may reach."""
        if symbol.shndx >= len(self.sections):
            return symbol.address + 1
        section = self.sections[symbol.shndx]
        return section.addr + section.size

    def find_symbol(self, name: str) -> Symbol | None:
        """A defined symbol by name: globals first, `.symtab` before the dynamic table."""
        found = None
        for symbol in (*self.symbols, *self.dynamic_symbols):
            if symbol.name == name and symbol.is_defined:
                if symbol.binding != ec.STB_LOCAL:
                    return symbol
                found = found or symbol
        return found

    # --- dynamic section ----------------------------------------------------------------------------

    def _dynamic_strings(self, address: int, size: int) -> bytes:
        return self.read_vaddr(address, size) if size else b"\0"

    @cached_property
    def dynamic(self) -> DynamicInfo | None:
        """The dynamic section, found through PT_DYNAMIC; None in a plain static executable."""
        segment = self.segment_of_type(PT.DYNAMIC)
        if segment is None:
            return None
        raw = self.data[segment.offset : segment.offset + segment.filesz]
        entries: list[tuple[int, int]] = []
        for tag, value in struct.iter_unpack("<qQ", raw[: len(raw) - len(raw) % ec.DYN_SIZE]):
            if tag == DT.NULL:
                break
            entries.append((tag, value))
        tags = dict(entries)
        strings = self._dynamic_strings(tags.get(DT.STRTAB, 0), tags.get(DT.STRSZ, 0))

        def text(tag: DT) -> str | None:
            return _string(strings, tags[tag]) if tag in tags else None

        needed = tuple(_string(strings, value) for tag, value in entries if tag == DT.NEEDED)
        return DynamicInfo(tuple(entries), tags, needed, text(DT.SONAME), text(DT.RPATH), text(DT.RUNPATH))

    @property
    def needed(self) -> tuple[str, ...]:
        """DT_NEEDED names in order."""
        return self.dynamic.needed if self.dynamic is not None else ()

    @cached_property
    def dynamic_relocations(self) -> tuple[Relocation, ...]:
        """`.rela.dyn` (DT_RELA), in table order."""
        info = self.dynamic
        if info is None:
            return ()
        if info.get(DT.RELSZ):
            raise self._broken("it has REL relocations; AArch64 uses RELA")
        return tuple(_relocations(self._table(info.get(DT.RELA), info.get(DT.RELASZ))))

    @cached_property
    def plt_relocations(self) -> tuple[Relocation, ...]:
        """`.rela.plt` (DT_JMPREL), in table order."""
        info = self.dynamic
        if info is None:
            return ()
        return tuple(_relocations(self._table(info.get(DT.JMPREL), info.get(DT.PLTRELSZ))))

    @property
    def relocations(self) -> tuple[Relocation, ...]:
        """All dynamic relocations: `.rela.dyn`, then `.rela.plt`."""
        return self.dynamic_relocations + self.plt_relocations

    def _table(self, address: int, size: int) -> bytes:
        return self.read_vaddr(address, size) if size else b""

    # --- notes --------------------------------------------------------------------------------------

    @cached_property
    def notes(self) -> tuple[Note, ...]:
        """All notes of PT_NOTE segments."""
        found: list[Note] = []
        for segment in self.segments:
            if segment.type == PT.NOTE:
                raw = self.data[segment.offset : segment.offset + segment.filesz]
                found.extend(_notes(raw, 8 if segment.align == 8 else 4))
        return tuple(found)

    @property
    def build_id(self) -> str | None:
        """The GNU build id in hex."""
        return next((n.contents.hex() for n in self.notes if n.owner == "GNU" and n.type == 3), None)


def section_relocations(image: ElfImage, section: Section) -> tuple[Relocation, ...]:
    """The records of one SHT_RELA section."""
    return tuple(_relocations(image.section_data(section)))


def _start_of(data: bytes) -> str:
    if not data:
        return "it is empty"
    text = data[:5]
    if all(32 <= c < 127 for c in text):
        return f'starts with "{text.decode()}"'
    return "starts with bytes " + " ".join(f"{c:02x}" for c in data[:4])


def _string(table: bytes, offset: int) -> str:
    end = table.find(b"\0", offset)
    if end < 0:
        return table[offset:].decode("utf-8", "replace")
    return table[offset:end].decode("utf-8", "replace")


def _symbols(
    raw: bytes, strings: bytes, versions: list[tuple[str | None, bool]] | None = None
) -> Iterator[Symbol]:
    whole = raw[: len(raw) - len(raw) % ec.SYM_SIZE]
    for i, (name, info, other, shndx, value, size) in enumerate(struct.iter_unpack("<IBBHQQ", whole)):
        version, hidden = versions[i] if versions else (None, False)
        yield Symbol(_string(strings, name), value, size, info, other, shndx, version, hidden)


def _relocations(raw: bytes) -> Iterator[Relocation]:
    whole = raw[: len(raw) - len(raw) % ec.RELA_SIZE]
    for offset, info, addend in struct.iter_unpack("<QQq", whole):
        yield Relocation(offset, info & 0xFFFFFFFF, info >> 32, addend)


def _notes(raw: bytes, align: int) -> Iterator[Note]:
    position = 0
    while position + 12 <= len(raw):
        name_size, contents_size, kind = struct.unpack_from("<III", raw, position)
        name_start = position + 12
        start = _align(name_start + name_size, align)
        end = start + contents_size
        if end > len(raw):
            return
        owner = raw[name_start : name_start + name_size].rstrip(b"\0").decode("utf-8", "replace")
        yield Note(owner, kind, raw[start:end])
        position = _align(end, align)


def _align(value: int, alignment: int) -> int:
    return (value + alignment - 1) & ~(alignment - 1)

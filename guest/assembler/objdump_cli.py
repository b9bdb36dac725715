"""`morello objdump`: disassembly, relocations, symbols and sections of an ELF file."""

from __future__ import annotations

import argparse
import sys
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from loader import elf_constants as elf
from loader.elf import ElfImage, Relocation, Section, Symbol
from loader.elf_constants import SHT
from loader.relocations import name_of
from morello_isa.disassemble import disassemble
from morello_isa.errors import EXIT_DIAGNOSTICS, UserError


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        """Wrong options: one line, exit status 1."""
        raise UserError(f"objdump: {message}", EXIT_DIAGNOSTICS)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="morello objdump", description="Show the contents of an ELF file.", add_help=False)
    parser.add_argument("--help", action="help", help="show this help message and exit")
    parser.add_argument("file", metavar="FILE", nargs="+")
    parser.add_argument("-d", dest="disassemble", action="store_true", help="disassemble executable sections")
    parser.add_argument("-D", dest="all", action="store_true", help="disassemble all sections with contents")
    parser.add_argument("-r", dest="relocations", action="store_true", help="show relocations")
    parser.add_argument("-t", dest="symbols", action="store_true", help="show the symbol table")
    parser.add_argument("-s", dest="contents", action="store_true", help="show bytes")
    parser.add_argument(
        "-j", dest="section", action="append", default=[], metavar="NAME", help="only this section"
    )
    parser.add_argument(
        "--a64",
        action="store_true",
        help="code without mapping symbols is A64 (default: by the file's flags)",
    )
    parser.add_argument("-h", dest="headers", action="store_true", help="show section headers")
    return parser


class Listing:
    """One file with its symbols sorted for look-up by address.

    In a relocatable object every section starts at 0, so names are looked up per section.
    """

    def __init__(self, image: ElfImage, c64: bool) -> None:
        self.image = image
        self.c64 = c64
        self.is_object = image.header.type == elf.ET_REL
        self.names: dict[int, list[tuple[int, str]]] = {}
        self.states: dict[int, list[tuple[int, str]]] = {}
        symbols = image.symbols or image.dynamic_symbols
        for symbol in symbols:
            self._add(symbol)
        for table in (*self.names.values(), *self.states.values()):
            table.sort(key=lambda item: item[0])
        self.relocations = dict(self._relocations())

    def _add(self, symbol: Symbol) -> None:
        if not symbol.is_defined or symbol.shndx >= elf.SHN_LORESERVE:
            return
        if symbol.name[:2] in ("$c", "$x", "$d") and symbol.name[2:3] in ("", "."):
            self.states.setdefault(symbol.shndx, []).append((symbol.value, symbol.name[:2]))
        elif symbol.name and symbol.type not in (elf.STT_SECTION, elf.STT_FILE, elf.STT_TLS):
            self.names.setdefault(symbol.shndx, []).append((symbol.address, symbol.name))
            if symbol.is_function and symbol.shndx not in self.states:
                state = "$c" if symbol.is_c64 else "$x"
                self.states.setdefault(-symbol.shndx, []).append((symbol.address, state))

    def _relocations(self) -> Iterator[tuple[int, dict[int, list[str]]]]:
        image = self.image
        for section in image.sections:
            if section.type != SHT.RELA or not self.is_object:
                continue
            found: dict[int, list[str]] = {}
            for record in _records(image.section_data(section)):
                found.setdefault(record.offset, []).append(self.describe(record))
            yield section.info, found

    def describe(self, record: Relocation) -> str:
        """`R_MORELLO_CALL26 memcpy+0x4`."""
        symbols = self.image.symbols
        name = symbols[record.symbol].name if record.symbol < len(symbols) else f"symbol {record.symbol}"
        if not name and record.symbol < len(symbols):
            index = symbols[record.symbol].shndx
            name = self.image.sections[index].name if index < len(self.image.sections) else "*ABS*"
        addend = f"{'-' if record.addend < 0 else '+'}{abs(record.addend):#x}" if record.addend else ""
        return f"{name_of(record.type)} {name}{addend}"

    def name_of_address(self, address: int, index: int) -> str | None:
        """`function+0x10` for an address; in objects among the names of section `index` only."""
        for number in (index,) if self.is_object else sorted(self.names):
            table = self.names.get(number, [])
            section = self.image.sections[number]
            if not self.is_object and not section.addr <= address < section.addr + max(section.size, 1):
                continue
            at = bisect_right(table, (address, "\U0010ffff")) - 1
            if at >= 0:
                start, name = table[at]
                return name if start == address else f"{name}+{address - start:#x}"
        return None

    def state_at(self, address: int, index: int) -> str:
        """$c, $x or $d by mapping symbols, else by the function, else by the file."""
        table = self.states.get(index) or self.states.get(-index) or []
        at = bisect_right(table, (address, "\U0010ffff")) - 1
        return table[at][1] if at >= 0 else ("$c" if self.c64 else "$x")

    # --- output ------------------------------------------------------------------------------------

    def disassembly(self, section: Section) -> Iterator[str]:
        """Lines of one section."""
        yield f"\nDisassembly of section {section.name}:"
        data = self.image.section_data(section)
        labels: dict[int, list[str]] = {}
        for address, name in self.names.get(section.index, []):
            labels.setdefault(address, []).append(name)
        relocations = self.relocations.get(section.index, {})
        offset = 0
        while offset < len(data):
            address = section.addr + offset
            for name in labels.get(address, ()):
                yield f"\n{address:016x} <{name}>:"
            step, text = self._unit(data, offset, address, section.index)
            yield f"{address:8x}: {text}"
            for place in range(offset, offset + step):
                for relocation in relocations.get(place, ()):
                    yield f"\t\t{place:016x}:  {relocation}"
            offset += step

    def _unit(self, data: bytes, offset: int, address: int, index: int) -> tuple[int, str]:
        state = self.state_at(address, index)
        if state == "$d" or len(data) - offset < 4 or address & 3:
            step = min(4 - (address & 3), len(data) - offset)
            value = int.from_bytes(data[offset : offset + step], "little")
            kind = {4: ".word", 2: ".hword"}.get(step, ".byte")
            if kind == ".byte":
                return step, f"{data[offset : offset + step].hex():<8}\t.byte " + ", ".join(
                    f"{byte:#04x}" for byte in data[offset : offset + step]
                )
            return step, f"{value:0{2 * step}x}\t{kind} {value:#0{2 * step + 2}x}"
        word = int.from_bytes(data[offset : offset + 4], "little")

        def name(target: int) -> str | None:
            return self.name_of_address(target, index)

        text = disassemble(word, address, state == "$c", name)
        mnemonic, _, operands = text.partition(" ")
        return 4, f"{word:08x}\t{mnemonic}\t{operands}".rstrip()

    def symbol_lines(self) -> Iterator[str]:
        """The symbol table."""
        yield "\nSYMBOL TABLE:"
        image = self.image
        for symbol in image.symbols[1:]:
            binding = {elf.STB_LOCAL: "l", elf.STB_GLOBAL: "g", elf.STB_WEAK: "w"}.get(symbol.binding, "u")
            kind = elf.TYPE_NAMES.get(symbol.type, str(symbol.type))
            visibility = elf.VISIBILITY_NAMES.get(symbol.visibility, "")
            place = {elf.SHN_UNDEF: "*UND*", elf.SHN_ABS: "*ABS*", elf.SHN_COMMON: "*COM*"}.get(symbol.shndx)
            if place is None:
                place = image.sections[symbol.shndx].name if symbol.shndx < len(image.sections) else "?"
            name = symbol.name or place
            shown = f" .{visibility}" if visibility not in ("", "default") else ""
            yield f"{symbol.value:016x} {binding} {kind:<7} {place}\t{symbol.size:016x}{shown} {name}"

    def relocation_lines(self) -> Iterator[str]:
        """All relocation sections."""
        image = self.image
        for section in image.sections:
            if section.type != SHT.RELA:
                continue
            yield f"\nRELOCATION RECORDS FOR [{section.name.removeprefix('.rela') or section.name}]:"
            for record in _records(image.section_data(section)):
                if self.is_object:
                    text = self.describe(record)
                else:
                    text = self._describe_dynamic(record)
                yield f"{record.offset:016x} {text}"

    def _describe_dynamic(self, record: Relocation) -> str:
        symbols = self.image.dynamic_symbols
        name = symbols[record.symbol].name if 0 < record.symbol < len(symbols) else ""
        addend = f"{'-' if record.addend < 0 else '+'}{abs(record.addend):#x}" if record.addend else ""
        return f"{name_of(record.type)} {name}{addend}".rstrip()

    def header_lines(self) -> Iterator[str]:
        """Section headers."""
        yield "\nSections:\nIdx Name                 Size             Address          Type  Flags"
        for section in self.image.sections[1:]:
            letters = "".join(
                letter
                for bit, letter in ((2, "A"), (1, "W"), (4, "X"), (0x10, "M"), (0x20, "S"), (0x400, "T"))
                if section.flags & bit
            )
            yield (
                f"{section.index:3} {section.name:<20} {section.size:016x} {section.addr:016x} "
                f"{section.type:>4}  {letters}"
            )

    def content_lines(self, section: Section) -> Iterator[str]:
        """Bytes of one section, 16 a line."""
        yield f"\nContents of section {section.name}:"
        data = self.image.section_data(section)
        for offset in range(0, len(data), 16):
            row = data[offset : offset + 16]
            words = " ".join(row[start : start + 4].hex() for start in range(0, len(row), 4))
            shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
            yield f" {section.addr + offset:06x} {words:<35}  {shown}"


def _records(data: bytes) -> Iterator[Relocation]:
    for offset in range(0, len(data) - 23, 24):
        place, info, addend = (
            int.from_bytes(data[offset + 8 * n : offset + 8 * n + 8], "little", signed=n == 2)
            for n in range(3)
        )
        yield Relocation(place, info & 0xFFFFFFFF, info >> 32, addend)


def _sections(listing: Listing, wanted: Sequence[str], code_only: bool) -> Iterator[Section]:
    skipped = (SHT.NOBITS, SHT.SYMTAB, SHT.STRTAB, SHT.RELA)
    for section in listing.image.sections[1:]:
        has_code = bool(section.flags & elf.SHF_EXECINSTR)
        chosen = section.name in wanted if wanted else has_code or not code_only
        if chosen and section.size and section.type not in skipped:
            yield section


def dump(image: ElfImage, options: argparse.Namespace) -> Iterator[str]:
    """All lines that the options ask for."""
    listing = Listing(image, image.is_purecap and not options.a64)
    yield f"{image.name}:\tfile format elf64-littleaarch64{' (purecap)' if image.is_purecap else ''}"
    if options.headers:
        yield from listing.header_lines()
    if options.symbols:
        yield from listing.symbol_lines()
    if options.contents:
        for section in _sections(listing, options.section, code_only=False):
            yield from listing.content_lines(section)
    if options.disassemble or options.all:
        if not options.relocations:
            listing.relocations = {}
        for section in _sections(listing, options.section, code_only=not options.all):
            yield from listing.disassembly(section)
    elif options.relocations:
        yield from listing.relocation_lines()


def main(argv: Sequence[str]) -> int:
    """Exit status 0; UserError for a file that is not ELF."""
    parser = _parser()
    try:
        options = parser.parse_args(list(argv))
    except SystemExit as stop:
        return int(stop.code or 0)
    if not any((options.disassemble, options.all, options.relocations, options.symbols, options.contents,
                options.headers)):  # fmt: skip
        raise UserError("objdump: one of -d, -D, -r, -t, -s and -h is needed", EXIT_DIAGNOSTICS)
    for name in options.file:
        try:
            for line in dump(ElfImage.from_file(name), options):
                sys.stdout.write(line + "\n")
        except BrokenPipeError:
            return 0
    return 0

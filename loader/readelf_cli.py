"""`morello readelf`: headers, segments, symbols, Morello relocations with their fragments, notes."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence

from loader import elf_constants as ec
from loader.elf import ElfImage, Relocation, Section, Symbol, section_relocations
from loader.elf_constants import DT, SHT
from loader.fragments import CapReloc, Fragment
from loader.relocations import DYNAMIC, Recipe
from morello_isa.errors import EXIT_EMULATOR_ERROR, UserError

Rows = list[dict[str, object]]

_TYPES = {ec.ET_REL: "relocatable object", ec.ET_EXEC: "executable", ec.ET_DYN: "shared object or PIE"}
_FRAGMENT_RECIPES = (Recipe.FRAGMENT_CAPABILITY, Recipe.RESOLVER_CAPABILITY)
_VALUE_TAGS_IN_DECIMAL = frozenset(
    {DT.PLTRELSZ, DT.RELASZ, DT.RELAENT, DT.STRSZ, DT.SYMENT, DT.RELACOUNT, DT.INIT_ARRAYSZ, DT.FINI_ARRAYSZ}
)


# --- what each part of the listing holds --------------------------------------------------------------


def header(image: ElfImage) -> Rows:
    """One row: what kind of file this is."""
    h = image.header
    abi = "purecap" if image.is_purecap else "plain AArch64 or hybrid"
    row: dict[str, object] = {
        "type": _TYPES.get(h.type, f"type {h.type}"),
        "abi": abi,
        "entry": hex(h.entry & ~1),
        "starts in": "C64" if h.entry & 1 else "A64",
        "flags": hex(h.flags),
    }
    if image.interp is not None:
        row["interpreter"] = image.interp
    if image.build_id is not None:
        row["build id"] = image.build_id
    return [row]


def segments(image: ElfImage) -> Rows:
    """Program headers."""
    return [
        {
            "type": s.type_name,
            "flags": _rights(s.flags),
            "offset": hex(s.offset),
            "vaddr": hex(s.vaddr),
            "filesz": hex(s.filesz),
            "memsz": hex(s.memsz),
            "align": hex(s.align),
        }
        for s in image.segments
    ]


def _rights(flags: int) -> str:
    return "".join(letter if flags & bit else "-" for bit, letter in ((4, "r"), (2, "w"), (1, "x")))


def sections(image: ElfImage) -> Rows:
    """Section headers."""
    return [
        {
            "nr": s.index,
            "name": s.name,
            "type": _section_type(s.type),
            "flags": _section_flags(s.flags),
            "addr": hex(s.addr),
            "offset": hex(s.offset),
            "size": hex(s.size),
            "align": s.align,
        }
        for s in image.sections[1:]
    ]


def _section_type(number: int) -> str:
    try:
        return SHT(number).name
    except ValueError:
        return hex(number)


def _section_flags(flags: int) -> str:
    letters = ((ec.SHF_WRITE, "w"), (ec.SHF_ALLOC, "a"), (ec.SHF_EXECINSTR, "x"), (ec.SHF_TLS, "t"))
    return "".join(letter for bit, letter in letters if flags & bit) or "-"


def symbols(image: ElfImage) -> Rows:
    """`.symtab`, or the dynamic symbols of a stripped file."""
    return [_symbol(s) for s in (image.symbols or image.dynamic_symbols)[1:]]


def dynamic_symbols(image: ElfImage) -> Rows:
    """`.dynsym` with versions."""
    return [_symbol(s) for s in image.dynamic_symbols[1:]]


def _symbol(symbol: Symbol) -> dict[str, object]:
    places = {ec.SHN_UNDEF: "undefined", ec.SHN_ABS: "absolute", ec.SHN_COMMON: "common"}
    name = symbol.name
    if symbol.version is not None:
        name += ("@" if symbol.version_hidden or not symbol.is_defined else "@@") + symbol.version
    isa = ("C64" if symbol.is_c64 else "A64") if symbol.is_function and symbol.is_defined else "-"
    return {
        "value": hex(symbol.address),
        "isa": isa,
        "size": symbol.size,
        "type": ec.TYPE_NAMES.get(symbol.type, str(symbol.type)),
        "bind": ec.BINDING_NAMES.get(symbol.binding, str(symbol.binding)),
        "vis": ec.VISIBILITY_NAMES[symbol.visibility],
        "where": places.get(symbol.shndx, symbol.shndx),
        "name": name,
    }


def dynamic(image: ElfImage) -> Rows:
    """The dynamic section; names are spelled out."""
    info = image.dynamic
    if info is None:
        return []
    needed = iter(info.needed)
    texts = {DT.SONAME: info.soname, DT.RPATH: info.rpath, DT.RUNPATH: info.runpath}
    rows: Rows = []
    for tag, value in info.entries:
        try:
            known: DT | None = DT(tag)
        except ValueError:
            known = None
        text: object = value if known in _VALUE_TAGS_IN_DECIMAL else hex(value)
        if known is DT.NEEDED:
            text = next(needed)
        elif known in texts:
            text = texts[known] or ""
        rows.append({"tag": known.name if known is not None else hex(tag), "value": text})
    return rows


def relocations(image: ElfImage) -> Rows:
    """Dynamic relocations with fragments decoded; those of the sections in a relocatable object."""
    if image.header.type == ec.ET_REL:
        return [
            row
            for section in image.sections
            if section.type == SHT.RELA
            for row in _section_rows(image, section)
        ]
    rows = [_dynamic_row(image, r) for r in image.relocations]
    if not rows:
        tables = [s for s in image.sections if s.type == SHT.RELA]
        rows = [_dynamic_row(image, r) for s in tables for r in section_relocations(image, s)]
    return rows


def _section_rows(image: ElfImage, section: Section) -> Iterator[dict[str, object]]:
    target = image.sections[section.info].name if section.info < len(image.sections) else "?"
    for relocation in section_relocations(image, section):
        yield {
            "section": target,
            "offset": hex(relocation.offset),
            "type": relocation.name,
            "symbol": _symbol_name(image, image.symbols, relocation.symbol),
            "addend": relocation.addend,
        }


def _symbol_name(image: ElfImage, table: Sequence[Symbol], index: int) -> str:
    if index == 0:
        return "-"
    if index >= len(table):
        return f"symbol {index}, which does not exist"
    symbol = table[index]
    if symbol.type == ec.STT_SECTION and symbol.shndx < len(image.sections):
        return image.sections[symbol.shndx].name
    return symbol.name


def _dynamic_row(image: ElfImage, relocation: Relocation) -> dict[str, object]:
    row = DYNAMIC.get(relocation.type)
    fragment = "-"
    if row is not None and row.recipe in _FRAGMENT_RECIPES:
        fragment = Fragment.unpack(image.read_vaddr(relocation.offset, 16)).describe()
    return {
        "offset": hex(relocation.offset),
        "type": relocation.name,
        "symbol": _symbol_name(image, image.dynamic_symbols, relocation.symbol),
        "addend": hex(relocation.addend),
        "fragment": fragment,
    }


def cap_relocs(image: ElfImage) -> Rows:
    """`__cap_relocs` of a static executable."""
    section = image.section("__cap_relocs")
    if section is None:
        return []
    return [
        {
            "location": hex(c.location),
            "base": hex(c.base),
            "offset": hex(c.offset),
            "size": hex(c.size),
            "permissions": hex(c.kept_permissions),
            "kind": "code" if c.is_executable else ("ro" if c.permissions & 1 << 16 else "rw"),
            "target": _target(image, c),
        }
        for c in CapReloc.unpack_all(image.section_data(section))
    ]


def _target(image: ElfImage, record: CapReloc) -> str:
    found = image.symbol_at((record.base + record.offset) & ~1 if record.is_executable else record.base)
    if found is None:
        return "-"
    symbol, offset = found
    return symbol.name if offset == 0 else f"{symbol.name}+{offset:#x}"


def notes(image: ElfImage) -> Rows:
    """Notes of PT_NOTE segments."""
    return [{"owner": n.owner, "type": n.type, "contents": n.contents.hex()} for n in image.notes]


_PARTS: tuple[tuple[str, str, str, Callable[[ElfImage], Rows]], ...] = (
    ("h", "file-header", "file header", header),
    ("l", "segments", "program headers", segments),
    ("S", "sections", "section headers", sections),
    ("d", "dynamic", "dynamic section", dynamic),
    ("s", "symbols", "symbols", symbols),
    ("D", "dyn-syms", "dynamic symbols", dynamic_symbols),
    ("r", "relocs", "relocations, with fragments", relocations),
    ("c", "cap-relocs", "__cap_relocs", cap_relocs),
    ("n", "notes", "notes", notes),
)
_DEFAULT = ("file-header", "segments", "dynamic", "relocs", "cap-relocs", "notes")


# --- output -------------------------------------------------------------------------------------------


def format_table(rows: Rows) -> list[str]:
    """Columns as wide as their widest cell; the last one is not padded."""
    columns = list(rows[0])
    cells = [[str(row.get(c, "")) for c in columns] for row in rows]
    widths = [max(len(c), *(len(line[i]) for line in cells)) for i, c in enumerate(columns)]
    lines = []
    for line in [columns, *cells]:
        lines.append(
            "  " + "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        )
    return lines


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="morello readelf", description=__doc__, add_help=False, exit_on_error=False
    )
    parser.add_argument("--help", action="help", help="show this text")
    for letter, name, text, _ in _PARTS:
        parser.add_argument(f"-{letter}", f"--{name}", action="store_true", help=text)
    parser.add_argument("-a", "--all", action="store_true", help="everything")
    parser.add_argument("-W", "--wide", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="one JSON object per file, on one line")
    parser.add_argument("files", nargs="+", metavar="FILE")
    return parser


def main(argv: Sequence[str]) -> int:
    """Exit status 0; 125 for wrong options, 126 or 127 for a file that can't be read."""
    try:
        arguments = _parser().parse_args(argv)
    except argparse.ArgumentError as error:
        raise UserError(f"readelf: {error}", EXIT_EMULATOR_ERROR) from None
    except SystemExit as stop:
        return 0 if stop.code in (0, None) else EXIT_EMULATOR_ERROR
    chosen = [p for p in _PARTS if arguments.all or getattr(arguments, p[1].replace("-", "_"))]
    if not chosen:
        chosen = [p for p in _PARTS if p[1] in _DEFAULT]
    for path in arguments.files:
        image = ElfImage.from_file(path)
        parts = {name: function(image) for _, name, _, function in chosen}
        if arguments.json:
            sys.stdout.write(json.dumps({"file": path, **parts}) + "\n")
            continue
        if len(arguments.files) > 1:
            sys.stdout.write(f"{path}:\n")
        for _, name, title, _ in chosen:
            if parts[name]:
                sys.stdout.write("\n".join([f"{title}:", *format_table(parts[name])]) + "\n")
    return 0

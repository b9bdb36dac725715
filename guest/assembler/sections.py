"""Sections by name: the type and flags a name implies, and the operands of `.section`."""

from __future__ import annotations

from guest.assembler.diagnostics import SourceError
from guest.assembler.model import Section
from loader import elf_constants as elf
from loader.elf_constants import SHT
from morello_isa.asm.errors import AssemblyError
from morello_isa.asm.expression import parse_number
from morello_isa.asm.operands import split_operands

_A, _W, _X, _T = elf.SHF_ALLOC, elf.SHF_WRITE, elf.SHF_EXECINSTR, elf.SHF_TLS

# name, or start of a name when followed by "." -> (type, flags)
_DEFAULTS: tuple[tuple[str, int, int], ...] = (
    (".text", SHT.PROGBITS, _A | _X),
    (".init", SHT.PROGBITS, _A | _X),
    (".fini", SHT.PROGBITS, _A | _X),
    (".data", SHT.PROGBITS, _A | _W),
    (".rodata", SHT.PROGBITS, _A),
    (".bss", SHT.NOBITS, _A | _W),
    (".tdata", SHT.PROGBITS, _A | _W | _T),
    (".tbss", SHT.NOBITS, _A | _W | _T),
    (".init_array", SHT.INIT_ARRAY, _A | _W),
    (".fini_array", SHT.FINI_ARRAY, _A | _W),
    (".preinit_array", SHT.PREINIT_ARRAY, _A | _W),
    (".eh_frame", SHT.PROGBITS, _A),
)

_FLAG_LETTERS = {
    "a": elf.SHF_ALLOC,
    "w": elf.SHF_WRITE,
    "x": elf.SHF_EXECINSTR,
    "M": elf.SHF_MERGE,
    "S": elf.SHF_STRINGS,
    "T": elf.SHF_TLS,
    "R": elf.SHF_GNU_RETAIN,
    "e": elf.SHF_EXCLUDE,
}

_TYPES = {
    "progbits": SHT.PROGBITS,
    "nobits": SHT.NOBITS,
    "note": SHT.NOTE,
    "init_array": SHT.INIT_ARRAY,
    "fini_array": SHT.FINI_ARRAY,
    "preinit_array": SHT.PREINIT_ARRAY,
    "llvm_addrsig": SHT.LLVM_ADDRSIG,
}


def _implied(name: str) -> tuple[int, int]:
    for start, type_, flags in _DEFAULTS:
        if name == start or name.startswith(start + "."):
            return type_, flags
    return (SHT.NOTE if name.startswith(".note") else SHT.PROGBITS), 0


def default_section(name: str) -> Section:
    """A section with what its name implies."""
    type_, flags = _implied(name)
    return Section(name, type_, flags, align=4 if flags & _X else 1)


def parse_section(arguments: str) -> Section:
    """`name[, "flags"[, %type[, entry size]]]`."""
    parts = split_operands(arguments) or [""]
    name = parts[0].strip('"')
    if not name:
        raise SourceError(".section needs a name")
    section = default_section(name)
    if len(parts) > 1:
        letters = parts[1].strip('"')
        unknown = [letter for letter in letters if letter not in _FLAG_LETTERS]
        if unknown:
            if unknown[0] in "Go":
                raise SourceError(f"section flag '{unknown[0]}' (groups, linked order) is not supported")
            raise SourceError(f"there is no section flag '{unknown[0]}'")
        section.flags = 0
        for letter in letters:
            section.flags |= _FLAG_LETTERS[letter]
        section.type = _implied(name)[0]
        section.align = max(section.align, 4 if section.is_code else 1)
    rest = parts[2:]
    if rest and rest[0][:1] in "@%":
        kind = rest.pop(0)[1:].lower()
        if kind in _TYPES:
            section.type = _TYPES[kind]
        elif kind[:1].isdigit():
            section.type = parse_number(kind)
        else:
            raise SourceError(f"there is no section type '{kind}'")
    if section.flags & elf.SHF_MERGE:
        try:
            section.entry_size = parse_number(rest.pop(0))
        except (IndexError, AssemblyError):
            raise SourceError("a mergeable section needs its entry size") from None
    return section

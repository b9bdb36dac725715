"""The end of a source file: sizes, data expressions and relocations are settled, the object is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guest.assembler.debug_line import line_table
from guest.assembler.diagnostics import SourceError
from guest.assembler.model import Patch, Rela, Section, Symbol
from guest.assembler.objectfile import write_object
from loader import elf_constants as elf
from loader import relocations as rel
from morello_isa.asm.expression import Linear

if TYPE_CHECKING:
    from guest.assembler.assembler import Assembler

# PC-relative instruction fields that are filled in here when the target is local to the section.
_NEAR: Final = frozenset(
    f"R_{family}_{name}"
    for family in ("AARCH64", "MORELLO")
    for name in ("JUMP26", "CALL26", "CONDBR19", "TSTBR14", "LD_PREL_LO19", "LD_PREL_LO17", "ADR_PREL_LO21")
)
_DATA: Final = {2: ("R_AARCH64_ABS16", "R_AARCH64_PREL16"), 4: ("R_AARCH64_ABS32", "R_AARCH64_PREL32"),
                8: ("R_AARCH64_ABS64", "R_AARCH64_PREL64")}  # fmt: skip


def finish_object(a: Assembler) -> bytes:
    """The ELF file; errors go to `a.diagnostics` (the result is then of no use)."""
    line_table(a)
    for symbol in list(a.symbols.values()):
        try:
            _settle_alias(a, symbol)
        except SourceError as error:
            a.report(error, symbol.defined_at)
    if not a.diagnostics:
        for section in list(a.sections.values()):
            for patch in section.patches:
                try:
                    settle_patch(a, section, patch)
                except SourceError as error:
                    a.report(error, patch.place)
    sizes = {}
    for symbol in a.symbols.values():
        if symbol.size is not None:
            sizes[symbol.name] = _size(a, symbol)
    if a.diagnostics:
        a.diagnostics.sort(key=lambda d: (d.place.file, d.place.line))
        return b""
    return write_object(list(a.sections.values()), a.symbols, sizes, a.file_symbol, _is_purecap(a))


def _is_purecap(a: Assembler) -> bool:
    capabilities = any(
        rela.type >= rel.R_MORELLO_STATIC_FIRST for s in a.sections.values() for rela in s.relocations
    )
    return a.c64 or a.uses_c64 or capabilities


def _settle_alias(a: Assembler, symbol: Symbol, depth: int = 0) -> None:
    """`.set name, other+4`: the symbol takes place, type and state of the other one."""
    value = symbol.alias
    if value is None:
        return
    number = _difference(a, value)
    if number is not None:
        symbol.is_absolute, symbol.value, symbol.alias = True, number, None
        return
    target_name = next(iter(value.terms))
    target = a.symbols.get(target_name)
    if len(value.terms) != 1 or value.terms[target_name] != 1 or target is None or depth > 64:
        raise SourceError(f"'{symbol.name}' can't be set to this expression")
    _settle_alias(a, target, depth + 1)
    if target.section is None and not target.is_absolute:
        raise SourceError(f"'{symbol.name}' is set to '{target_name}', which is not defined in this file")
    symbol.section, symbol.value = target.section, target.value + value.constant
    symbol.is_absolute, symbol.c64, symbol.alias = target.is_absolute, target.c64, None
    if symbol.type == elf.STT_NOTYPE:
        symbol.type = target.type
    if symbol.size is None:
        symbol.size = target.size


def _difference(a: Assembler, value: Linear) -> int | None:
    """The number when all labels cancel out section by section."""
    total = value.constant
    sums: dict[Section, int] = {}
    for name, coefficient in value.terms.items():
        symbol = a.symbols.get(name)
        if symbol is None or symbol.alias is not None:
            return None
        if symbol.section is None and not symbol.is_absolute:
            return None
        total += coefficient * symbol.value
        if symbol.section is not None:
            sums[symbol.section] = sums.get(symbol.section, 0) + coefficient
    return None if any(sums.values()) else total


def _size(a: Assembler, symbol: Symbol) -> int:
    assert symbol.size is not None
    number = _difference(a, symbol.size)
    if number is None or number < 0:
        a.report(SourceError(f"the size of '{symbol.name}' is not a number"), symbol.size_place)
        return 0
    return number


def settle_patch(a: Assembler, section: Section, patch: Patch) -> None:
    """Fill in what is known, record the rest for the linker; SourceError if neither is possible."""
    if patch.kind == "data":
        _settle_data(a, section, patch)
    elif patch.base:
        _settle_capability(a, section, patch)
    else:
        _settle_instruction(a, section, patch)


def _settle_capability(a: Assembler, section: Section, patch: Patch) -> None:
    """`.chericap`: a record against the named symbol, its size as the hint in bytes 8..15."""
    addend = _difference(a, patch.value)
    if addend is None:
        raise SourceError("the offset of a capability must be a number")
    symbol = a.symbol(patch.base)
    if patch.size and symbol.size is not None:
        hint = _difference(a, symbol.size) or 0
        section.data[patch.offset + 8 : patch.offset + 16] = hint.to_bytes(8, "little")
    _record(section, patch.offset, patch.kind, symbol, addend)


def _settle_data(a: Assembler, section: Section, patch: Patch) -> None:
    number = _difference(a, patch.value)
    size = patch.size
    if number is not None:
        if not -(1 << 8 * size - 1) <= number < 1 << 8 * size:
            raise SourceError(f"the value {number} doesn't fit in {size} bytes")
        place = slice(patch.offset, patch.offset + size)
        section.data[place] = (number & (1 << 8 * size) - 1).to_bytes(size, "little")
        return
    symbol, addend, relative = _symbol_and_base(a, section, patch)
    if size not in _DATA:
        raise SourceError(f"'{symbol.name}' can't be relocated in {size} byte(s)")
    _record_plain(a, section, patch.offset, _DATA[size][relative], symbol, addend)


def _symbol_and_base(a: Assembler, section: Section, patch: Patch) -> tuple[Symbol, int, bool]:
    """(symbol, addend, whether it is relative to the place) of a data expression with symbols left.

    Labels of this section with a negative sign turn into the place: sym - label = sym + (P - label) - P.
    """
    addend = patch.value.constant
    positive: list[str] = []
    negative: list[Symbol] = []
    for name, coefficient in patch.value.terms.items():
        if coefficient == 1:
            positive.append(name)
        elif coefficient == -1:
            negative.append(a.symbol(name))
        else:
            raise SourceError("this expression can't be relocated")
    for name in list(positive):
        known = a.symbols.get(name)
        if known is not None and known.is_absolute:
            addend += known.value
            positive.remove(name)
    if len(positive) != 1 or len(negative) > 1:
        raise SourceError("this expression can't be relocated")
    if negative:
        base = negative[0]
        if base.section is not section:
            raise SourceError(f"'{base.name}' is not in this section: the difference can't be relocated")
        addend += patch.offset - base.value
    return a.symbol(positive[0]), addend, bool(negative)


def _settle_instruction(a: Assembler, section: Section, patch: Patch) -> None:
    if len(patch.value.terms) != 1 or next(iter(patch.value.terms.values())) != 1:
        raise SourceError("this expression can't be relocated")
    name = next(iter(patch.value.terms))
    symbol = a.symbol(name)
    addend = patch.value.constant
    if patch.kind in _NEAR and symbol.section is section and symbol.is_local:
        _fill_near(section, patch, symbol.value + addend)
        return
    if symbol.section is None and name.startswith(".L") and "\x01" in name:
        raise SourceError(f"there is no label '{name[2:].partition(chr(1))[0]}' after this line")
    _record_plain(a, section, patch.offset, patch.kind, symbol, addend)


def _fill_near(section: Section, patch: Patch, target: int) -> None:
    row = rel.STATIC[rel.NUMBER_OF[patch.kind]]
    start = patch.offset & ~15 if patch.kind.endswith("LO17") else patch.offset
    old = int.from_bytes(section.data[patch.offset : patch.offset + 4], "little")
    try:
        new = rel.apply_static(row, old, target - start)
    except rel.RelocationOverflow:
        raise SourceError(f"the target is out of reach: {target - start:+} bytes away") from None
    section.data[patch.offset : patch.offset + 4] = new.to_bytes(4, "little")


def _record_plain(
    a: Assembler, section: Section, offset: int, kind: str, symbol: Symbol, addend: int
) -> None:
    """A record; assembler-local labels become section + offset, except where the symbol itself matters."""
    if symbol.name.startswith(".L"):
        if symbol.section is None:
            raise SourceError(f"'{symbol.name}' is not defined")
        if "GOT" not in kind and "SIZE" not in kind and "TLS" not in kind:
            anchor = a.symbol(section_symbol_name(symbol.section))
            anchor.section, anchor.type, anchor.binding = symbol.section, elf.STT_SECTION, elf.STB_LOCAL
            _record(section, offset, kind, anchor, addend + symbol.value)
            return
    _record(section, offset, kind, symbol, addend)


def section_symbol_name(section: Section) -> str:
    """Internal name of the symbol that stands for a section."""
    return f"\x02{section.name}"


def _record(section: Section, offset: int, kind: str, symbol: Symbol, addend: int) -> None:
    number = rel.NUMBER_OF.get(kind)
    if number is None:
        raise SourceError(f"the linker doesn't know the relocation {kind}")
    symbol.is_used = True
    if "TLS" in kind and symbol.section is None and symbol.type == elf.STT_NOTYPE:
        symbol.type = elf.STT_TLS
    section.relocations.append(Rela(offset, number, symbol, addend))

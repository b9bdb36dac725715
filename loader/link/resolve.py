"""Symbol resolution: reads the inputs in order, pulls archive members in, drops duplicate COMDAT groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from loader import elf_constants as ec
from loader.elf import ElfImage
from loader.elf import Symbol as ElfSymbol
from loader.link.archive import Member, is_archive, read_archive
from loader.link.model import Diagnostics, State, Symbol
from loader.link.objects import ObjectFile, SharedFile, is_shared_library
from loader.link.options import LinkInput, LinkOptions
from morello_isa.errors import UserError


@dataclass(frozen=True, slots=True)
class _LazyMember:
    archive: str
    member: Member

    @property
    def label(self) -> str:
        return f"{self.archive}({self.member.name})"


class SymbolTable:
    """All files of the link and the global symbols by name."""

    def __init__(self, options: LinkOptions, diagnostics: Diagnostics) -> None:
        self.options = options
        self.diagnostics = diagnostics
        self.symbols: dict[str, Symbol] = {}
        self.objects: list[ObjectFile] = []
        self.shared: list[SharedFile] = []
        self._groups: set[str] = set()
        self._loaded: set[str] = set()

    # --- inputs -------------------------------------------------------------------------------------

    def load(self, inputs: Sequence[LinkInput]) -> None:
        """Resolve all inputs, left to right; archives may also satisfy references of later files."""
        for name in self._extra_roots():
            self.reference(name)
        for item in inputs:
            self._load_one(item)

    def _extra_roots(self) -> Iterator[str]:
        yield from self.options.undefined
        if self.options.entry and not self.options.entry[:1].isdigit():
            yield self.options.entry

    def _load_one(self, item: LinkInput) -> None:
        if is_archive(item.data):
            self._load_archive(item)
        elif is_shared_library(item.data):
            if self.options.static and not self.options.shared:
                self.diagnostics.error(f"{item.name} is a shared library, which -static does not allow")
                return
            self._load_shared(SharedFile(item.data, item.name, item.as_needed))
        else:
            self._load_object(item.data, item.name)

    def _load_archive(self, item: LinkInput) -> None:
        for member in read_archive(item.data, item.name):
            lazy = _LazyMember(item.name, member)
            if item.whole_archive:
                self._load_member(lazy)
            else:
                self._offer(lazy)

    def _offer(self, lazy: _LazyMember) -> None:
        """Make a member's definitions known; load it at once when one is wanted."""
        for name in _defined_names(lazy):
            symbol = self._symbol(name)
            if symbol.state is State.UNDEFINED:
                symbol.state = State.LAZY
                symbol.archive_member = lazy
                if symbol.is_referenced and not symbol.weak_reference:
                    self._load_member(lazy)
                    return

    def _load_member(self, lazy: _LazyMember) -> None:
        key = f"{lazy.label}@{lazy.member.offset}"
        if key not in self._loaded:
            self._loaded.add(key)
            self._load_object(lazy.member.data, lazy.label)

    # --- one object ---------------------------------------------------------------------------------

    def _load_object(self, data: bytes, name: str) -> None:
        file = ObjectFile(data, name)
        self.objects.append(file)
        for group in file.groups:
            if group.signature in self._groups:
                file.drop_group(group)
            else:
                self._groups.add(group.signature)
        wanted: list[_LazyMember] = []
        for raw in file.image.symbols:
            if raw.binding == ec.STB_LOCAL:
                file.symbols.append(file.local_symbol(raw))
                continue
            symbol = self._symbol_for(raw)
            file.symbols.append(symbol)
            if raw.visibility != ec.STV_DEFAULT:
                symbol.visibility = _stricter(symbol.visibility, raw.visibility)
            if raw.shndx == ec.SHN_UNDEF or self._is_dropped(file, raw):
                self._add_reference(symbol, raw, wanted)
            else:
                self._add_definition(symbol, file, raw)
        for lazy in wanted:
            self._load_member(lazy)

    @staticmethod
    def _is_dropped(file: ObjectFile, raw: ElfSymbol) -> bool:
        if raw.shndx >= ec.SHN_LORESERVE:
            return False
        return raw.shndx < len(file.sections) and file.sections[raw.shndx] is None

    def _symbol_for(self, raw: ElfSymbol) -> Symbol:
        name, at, version = raw.name.partition("@")
        symbol = self._symbol(name if not at or version.startswith("@") else raw.name)
        if at:
            symbol.version = version.lstrip("@")
            symbol.version_hidden = not version.startswith("@")
        return symbol

    def _symbol(self, name: str) -> Symbol:
        symbol = self.symbols.get(name)
        if symbol is None:
            symbol = self.symbols[name] = Symbol(name)
        return symbol

    def reference(self, name: str) -> Symbol:
        """A strong reference to `name` from the command line or the linker itself."""
        symbol = self._symbol(name)
        symbol.is_referenced = True
        symbol.weak_reference = False
        if symbol.state is State.LAZY and isinstance(symbol.archive_member, _LazyMember):
            self._load_member(symbol.archive_member)
        return symbol

    def _add_reference(self, symbol: Symbol, raw: ElfSymbol, wanted: list[_LazyMember]) -> None:
        symbol.is_referenced = True
        if symbol.type == ec.STT_NOTYPE and symbol.state is State.UNDEFINED:
            symbol.type = raw.type
        if raw.binding == ec.STB_WEAK:
            if symbol.state is State.UNDEFINED and symbol.weak_reference:
                symbol.binding = ec.STB_WEAK
            return
        symbol.weak_reference = False
        if symbol.state in (State.UNDEFINED, State.SHARED):
            symbol.binding = ec.STB_GLOBAL
        if symbol.shared is not None:
            symbol.shared.is_used = True
        if symbol.state is State.LAZY and isinstance(symbol.archive_member, _LazyMember):
            wanted.append(symbol.archive_member)

    def _add_definition(self, symbol: Symbol, file: ObjectFile, raw: ElfSymbol) -> None:
        is_common = raw.shndx == ec.SHN_COMMON
        if symbol.state is State.DEFINED:
            if raw.binding == ec.STB_WEAK or is_common:
                return
            if symbol.binding != ec.STB_WEAK:
                self._report_duplicate(symbol, file)
                return
        elif symbol.state is State.COMMON:
            if raw.binding == ec.STB_WEAK and not is_common:
                return
            if is_common:
                symbol.size = max(symbol.size, raw.size)
                symbol.common_align = max(symbol.common_align, raw.value)
                return
        symbol.binding = raw.binding if raw.binding != ec.STB_GNU_UNIQUE else ec.STB_GLOBAL
        symbol.shared = None
        file.define(symbol, raw)

    def _report_duplicate(self, symbol: Symbol, file: ObjectFile) -> None:
        if not self.options.allow_multiple_definition:
            first = symbol.file.name if symbol.file is not None else "the linker"
            self.diagnostics.error(f"duplicate symbol '{symbol.name}': defined in {first} and in {file.name}")

    # --- shared libraries ---------------------------------------------------------------------------

    def _load_shared(self, file: SharedFile) -> None:
        if any(other.soname == file.soname for other in self.shared):
            return
        self.shared.append(file)
        for raw in file.image.dynamic_symbols[1:]:
            if raw.binding == ec.STB_LOCAL:
                continue
            symbol = self._symbol(raw.name)
            if not raw.is_defined:
                self._reference_from_library(symbol, raw)
            elif not raw.version_hidden:
                self._define_from_library(symbol, raw, file)

    def _reference_from_library(self, symbol: Symbol, raw: ElfSymbol) -> None:
        """A library wants this from us: export it when we define it, and pull it out of an archive."""
        symbol.is_exported = True
        if symbol.state is State.LAZY and raw.binding != ec.STB_WEAK:
            member = symbol.archive_member
            if isinstance(member, _LazyMember):
                self._load_member(member)

    def _define_from_library(self, symbol: Symbol, raw: ElfSymbol, file: SharedFile) -> None:
        if symbol.state is State.UNDEFINED:
            symbol.state = State.SHARED
            symbol.shared = file
            symbol.type = raw.type
            symbol.size = raw.size
            symbol.version = raw.version
            if symbol.is_referenced and not symbol.weak_reference:
                file.is_used = True
        elif symbol.is_defined or symbol.state is State.COMMON:
            symbol.is_exported = True


def _defined_names(lazy: _LazyMember) -> Iterator[str]:
    try:
        symbols = ElfImage.from_bytes(lazy.member.data, lazy.label).symbols
    except UserError:
        return
    for raw in symbols:
        if raw.binding != ec.STB_LOCAL and raw.shndx != ec.SHN_UNDEF:
            yield raw.name.partition("@")[0]


def _stricter(a: int, b: int) -> int:
    """The more constraining of two visibilities (internal, hidden, protected, default)."""
    if ec.STV_DEFAULT in (a, b):
        return a or b
    return min(a, b)

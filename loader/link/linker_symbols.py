"""Symbols that the linker defines when something refers to them."""

from __future__ import annotations

from collections.abc import Callable

from loader import elf_constants as ec
from loader.elf_constants import SHT
from loader.link.layout import Layout
from loader.link.liveness import is_c_identifier
from loader.link.model import Chunk, OutputSection, State, Symbol
from loader.link.resolve import SymbolTable

_ARRAYS = ("preinit_array", "init_array", "fini_array")
_TABLES = {"__cap_relocs": "__cap_relocs", "__rela_dyn": ".rela.dyn", "__rela_iplt": ".rela.iplt"}
_SECTION_BOUNDS = {
    **{f"__{name}_{end}": (f".{name}", end) for name in _ARRAYS for end in ("start", "end")},
    **{f"{name}_{end}": (section, end) for name, section in _TABLES.items() for end in ("start", "end")},
    "__eh_frame_start": (".eh_frame", "start"),
    "__eh_frame_end": (".eh_frame", "end"),
}


def _end_of(layout: Layout, wanted: Callable[[OutputSection], bool]) -> int | None:
    ends = [s.end for s in layout.sections if s.is_alloc and not s.is_tbss and wanted(s)]
    return max(ends, default=None)


def _is_text(section: OutputSection) -> bool:
    return bool(section.flags & ec.SHF_EXECINSTR)


def _is_initialised(section: OutputSection) -> bool:
    return section.type != SHT.NOBITS


def _is_any(_section: OutputSection) -> bool:
    return True


def _is_bss(section: OutputSection) -> bool:
    return section.name == ".bss"


_ENDS: dict[str, Callable[[OutputSection], bool]] = {
    "_etext": _is_text,
    "etext": _is_text,
    "__etext": _is_text,
    "_edata": _is_initialised,
    "edata": _is_initialised,
    "_end": _is_any,
    "end": _is_any,
    "__end__": _is_any,
    "__bss_end": _is_bss,
    "__bss_end__": _is_bss,
}
_HEADERS = ("__ehdr_start", "__executable_start", "__dso_handle")
_OTHERS = ("_DYNAMIC", "_GLOBAL_OFFSET_TABLE_", "__bss_start", "__bss_start__")
_DYNAMIC_ONLY_STATIC = ("__rela_dyn_start", "__rela_dyn_end", "__cap_relocs_start", "__cap_relocs_end")
_IPLT = ("__rela_iplt_start", "__rela_iplt_end")


class LinkerSymbols:
    """Claims undefined names before the scan, gives them their values after layout."""

    def __init__(self, table: SymbolTable, has_dynamic: bool, is_static: bool) -> None:
        self._claimed: list[Symbol] = []
        for symbol in list(table.symbols.values()):
            if symbol.state not in (State.UNDEFINED, State.LAZY) or not symbol.is_referenced:
                continue
            if self._is_ours(symbol.name, table, has_dynamic, is_static):
                self._claim(symbol)

    @staticmethod
    def _is_ours(name: str, table: SymbolTable, has_dynamic: bool, is_static: bool) -> bool:
        if name == "_DYNAMIC":
            return has_dynamic
        if name in _DYNAMIC_ONLY_STATIC:
            return is_static and not (has_dynamic and table.symbols[name].weak_reference)
        if name in _IPLT:
            return not has_dynamic or not table.symbols[name].weak_reference
        if name in _SECTION_BOUNDS or name in _ENDS or name in _HEADERS or name in _OTHERS:
            return True
        section = _bounded_section(name)
        if section is None:
            return False
        if not table.symbols[name].weak_reference:
            return True
        return any(s is not None and s.name == section for file in table.objects for s in file.sections)

    def _claim(self, symbol: Symbol) -> None:
        symbol.state = State.DEFINED
        symbol.binding = ec.STB_GLOBAL
        symbol.visibility = ec.STV_HIDDEN
        symbol.is_linker_defined = True
        symbol.type = ec.STT_NOTYPE
        self._claimed.append(symbol)

    def bind_sections(self, sections: list[OutputSection]) -> None:
        """Before layout: tie the symbols to their output sections (permissions depend on them)."""
        by_name = {s.name: s for s in sections}
        for symbol in self._claimed:
            bounds = _SECTION_BOUNDS.get(symbol.name)
            name = bounds[0] if bounds else _bounded_section(symbol.name)
            if symbol.name == "_DYNAMIC":
                name = ".dynamic"
            elif symbol.name == "_GLOBAL_OFFSET_TABLE_":
                name = ".got"
            elif symbol.name in ("__bss_start", "__bss_start__"):
                name = ".bss"
            symbol.section = by_name.get(name) if name else None

    def assign(self, layout: Layout) -> None:
        """After layout: final values."""
        for symbol in self._claimed:
            if isinstance(symbol.section, OutputSection):
                symbol.value = symbol.section.size if _is_end(symbol.name) else 0
            else:
                self._assign_address(symbol, layout)

    @staticmethod
    def _assign_address(symbol: Symbol, layout: Layout) -> None:
        """Names that belong to no (existing) section: an address tied to the nearest section."""
        ends = _ENDS.get(symbol.name)
        anchor = next((s for s in layout.sections if s.is_alloc), None)
        address = layout.image_base
        if ends is not None:
            found = _end_of(layout, ends)
            address = found if found is not None else _end_of(layout, _is_any) or address
            matching = [s for s in layout.sections if s.is_alloc and s.end == address]
            anchor = matching[0] if matching else anchor
        elif symbol.name in _HEADERS:
            symbol.size = layout.headers_size if symbol.name != "__dso_handle" else 0
        elif symbol.name in ("__bss_start", "__bss_start__"):
            address = _end_of(layout, _is_any) or address
        if anchor is None:
            symbol.value = address
        else:
            symbol.section = _Anchor(anchor, address)
            symbol.value = 0


class _Anchor(Chunk):
    """A zero-sized chunk at a fixed address: gives a symbol a section index and permissions."""

    __slots__ = ("_at",)

    def __init__(self, output: OutputSection, address: int) -> None:
        super().__init__("", SHT.NOBITS, ec.SHF_ALLOC)
        self.output = output
        self._at = address

    @property
    def address(self) -> int:
        return self._at


def _bounded_section(name: str) -> str | None:
    for prefix in ("__start_", "__stop_"):
        section = name[len(prefix) :]
        if name.startswith(prefix) and is_c_identifier(section):
            return section
    return None


def _is_end(name: str) -> bool:
    return name.endswith("_end") or name.startswith("__stop_")

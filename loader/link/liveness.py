"""`--gc-sections`: which input sections are reachable from the entry point and what is exported."""

from __future__ import annotations

import re
from collections.abc import Iterable

from loader import elf_constants as ec
from loader.elf_constants import SHT
from loader.link.model import InputSection, Symbol
from loader.link.objects import ObjectFile

_ROOT_TYPES = frozenset({SHT.INIT_ARRAY, SHT.FINI_ARRAY, SHT.PREINIT_ARRAY, SHT.NOTE})
_ROOT_NAMES = frozenset({".init", ".fini", ".ctors", ".dtors"})
_C_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def is_c_identifier(name: str) -> bool:
    """Whether `__start_NAME` and `__stop_NAME` exist for a section of this name."""
    return _C_IDENTIFIER.match(name) is not None


def _is_root(section: InputSection) -> bool:
    if section.flags & ec.SHF_GNU_RETAIN or section.type in _ROOT_TYPES or section.name in _ROOT_NAMES:
        return True
    return not section.flags & ec.SHF_ALLOC or section.name.startswith(".eh_frame")


def mark_live(objects: Iterable[ObjectFile], roots: Iterable[Symbol], kept: Iterable[InputSection]) -> None:
    """Clear `live` of every allocated section that nothing reaches.

    `roots` are symbols and `kept` sections (KEEP of a linker script) to start from. Sections that are
    not in memory stay but keep nothing alive; nor does `.eh_frame`.
    """
    by_identifier: dict[str, list[InputSection]] = {}
    work: list[InputSection] = list(kept)
    everything = [s for file in objects for s in file.sections if s is not None]
    for section in everything:
        section.live = _is_root(section)
        if section.live and section.flags & ec.SHF_ALLOC and not section.name.startswith(".eh_frame"):
            work.append(section)
        if is_c_identifier(section.name):
            by_identifier.setdefault(section.name, []).append(section)

    def reach(symbol: Symbol) -> None:
        target = symbol.section
        if isinstance(target, InputSection):
            if not target.live:
                target.live = True
                work.append(target)
        elif symbol.name.startswith(("__start_", "__stop_")):
            for section in by_identifier.get(symbol.name.split("_", 3)[3], ()):
                if not section.live:
                    section.live = True
                    work.append(section)

    for section in work:
        section.live = True
    for symbol in roots:
        reach(symbol)
    while work:
        section = work.pop()
        symbols = section.file.symbols
        for _, _, index, _ in section.relocations:
            if index < len(symbols):
                reach(symbols[index])

"""Names and places: symbols, source lines and what lies at an address, for a process's images."""

from __future__ import annotations

import io
import posixpath
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.debug.variables import Functions, Variable
from emulator.linux.process import LoadedImage
from emulator.linux.symbols import MALFORMED, image_at
from loader.elf import ElfImage, Symbol
from loader.elf_constants import STT_TLS

if TYPE_CHECKING:
    from emulator.debug.target import Program


@dataclass(frozen=True, slots=True)
class LineRow:
    """[start, limit) of file addresses come from a source line."""

    start: int
    limit: int
    file: str
    line: int


class ImageNames:
    """Symbols and line table of one ELF file, read when first asked for."""

    def __init__(self, image: ElfImage) -> None:
        self.image = image
        self._rows: list[LineRow] | None = None
        self._symbols: dict[str, Symbol] | None = None
        self.functions = Functions(image)

    @property
    def rows(self) -> list[LineRow]:
        """The line table, ascending; empty without DWARF or when it is damaged."""
        if self._rows is None:
            self._rows = sorted(_line_rows(self.image), key=lambda row: row.start)
        return self._rows

    def row_at(self, address: int) -> LineRow | None:
        """The row that covers a file address."""
        rows = self.rows
        index = bisect_right(rows, address, key=lambda row: row.start) - 1
        return rows[index] if index >= 0 and address < rows[index].limit else None

    @property
    def symbols(self) -> dict[str, Symbol]:
        """Defined symbols by name; global ones win."""
        if self._symbols is None:
            found: dict[str, Symbol] = {}
            try:
                tables = [*self.image.dynamic_symbols, *self.image.symbols]
            except MALFORMED:
                tables = []
            for symbol in tables:
                if symbol.name and symbol.is_defined and not symbol.name.startswith("$"):
                    old = found.get(symbol.name)
                    if old is None or (not old.binding and symbol.binding):
                        found[symbol.name] = symbol
            self._symbols = found
        return self._symbols

    def symbol_at(self, address: int) -> tuple[Symbol, int] | None:
        """The symbol that contains a file address, and the offset in it."""
        try:
            return self.image.symbol_at(address)
        except MALFORMED:
            return None


def _line_rows(image: ElfImage) -> Iterator[LineRow]:
    if image.section(".debug_line") is None:
        return
    from elftools.common.exceptions import DWARFError, ELFError
    from elftools.elf.elffile import ELFFile

    try:
        dwarf = ELFFile(io.BytesIO(image.data)).get_dwarf_info()
        for unit in dwarf.iter_CUs():
            program = dwarf.line_program_for_CU(unit)
            if program is not None:
                folder = unit.get_top_DIE().attributes.get("DW_AT_comp_dir")
                yield from _unit_rows(program, folder.value.decode(errors="replace") if folder else "")
    except (*MALFORMED, ELFError, DWARFError):
        return


def _unit_rows(program: object, folder: str) -> Iterator[LineRow]:
    header = program.header  # type: ignore[attr-defined]
    first = 0 if header.version >= 5 else 1
    names = [entry.name.decode(errors="replace") for entry in header.file_entry]
    previous = None
    for entry in program.get_entries():  # type: ignore[attr-defined]
        state = entry.state
        if state is None:
            continue
        if previous is not None and previous.address < state.address and previous.file - first < len(names):
            name = names[previous.file - first]
            if folder and not name.startswith("/"):
                name = posixpath.join(folder, name)
            yield LineRow(previous.address, state.address, name, previous.line)
        previous = None if state.end_sequence else state


class Names:
    """Names of everything in a process. `process` may be replaced (execve changes its images)."""

    def __init__(self) -> None:
        self._known: dict[int, ImageNames] = {}
        self._sources: dict[str, list[str]] = {}
        self.folders: list[str] = []
        """Where sources are looked for besides the place that the line table tells."""
        self.extra: list[LoadedImage] = []
        """ELF files that the user has named, with symbols for code that came from elsewhere."""

    def images(self, process: Program) -> list[LoadedImage]:
        """The program's images, and those that the user has named."""
        return [*process.images, *self.extra]

    def of(self, loaded: LoadedImage) -> ImageNames:
        """Names of one image; remembered per ELF file."""
        found = self._known.get(id(loaded.image))
        if found is None or found.image is not loaded.image:
            found = self._known[id(loaded.image)] = ImageNames(loaded.image)
        return found

    def where(self, process: Program, address: int) -> str:
        """`libiwasm.so`os_alloc+0x3c`, or "" outside every image."""
        loaded = image_at(self.images(process), address)
        if loaded is None:
            return ""
        name = posixpath.basename(loaded.path)
        found = self.of(loaded).symbol_at(address - loaded.bias)
        if found is None:
            return f"{name}+{address - loaded.start:#x}"
        symbol, offset = found
        return f"{name}`{symbol.name}" + (f"+{offset:#x}" if offset else "")

    def short(self, process: Program, address: int) -> str | None:
        """`os_alloc+0x3c` for disassembly; None where nothing is known."""
        found = self.function(process, address)
        if found is None:
            return None
        start, name = found
        return name if start == address else f"{name}+{address - start:#x}"

    def function(self, process: Program, address: int) -> tuple[int, str] | None:
        """(start, name) of the symbol that contains a run-time address."""
        loaded = image_at(self.images(process), address)
        if loaded is None:
            return None
        found = self.of(loaded).symbol_at(address - loaded.bias)
        if found is None:
            return None
        return address - found[1], found[0].name

    def line(self, process: Program, address: int) -> LineRow | None:
        """The source line of a run-time address; the row's addresses are run-time ones."""
        loaded = image_at(self.images(process), address)
        if loaded is None:
            return None
        row = self.of(loaded).row_at(address - loaded.bias)
        if row is None:
            return None
        return LineRow(row.start + loaded.bias, row.limit + loaded.bias, row.file, row.line)

    def variables(self, process: Program, address: int) -> list[Variable]:
        """Parameters and local variables of the function at a run-time address."""
        loaded = image_at(self.images(process), address)
        return self.of(loaded).functions.variables_at(address - loaded.bias) if loaded is not None else []

    def symbol(self, process: Program, name: str) -> int | None:
        """Run-time address of a symbol: `name`, or `library`name`; the first image that has it."""
        return next(self.symbol_addresses(process, name), None)

    def symbol_addresses(self, process: Program, name: str) -> Iterator[int]:
        """Run-time addresses of a symbol in all images (thread-local ones have none)."""
        library, _, plain = name.rpartition("`")
        for loaded in self.images(process):
            if library and posixpath.basename(loaded.path) != library:
                continue
            found = self.of(loaded).symbols.get(plain)
            if found is not None and found.type != STT_TLS:
                yield found.address + loaded.bias

    def addresses_of_line(self, process: Program, file: str, line: int) -> tuple[int, tuple[int, ...]]:
        """(line that has code, its addresses): the line itself or the next one of that file with code."""
        best: tuple[int, dict[str, int]] | None = None
        for loaded in self.images(process):
            for row in self.of(loaded).rows:
                if row.line < line or not _same_file(row.file, file) or (best and row.line > best[0]):
                    continue
                if best is None or row.line < best[0]:
                    best = (row.line, {})
                function = self.function(process, row.start + loaded.bias)
                key = function[1] if function else ""
                best[1][key] = min(best[1].get(key, 1 << 64), row.start + loaded.bias)
        return (best[0], tuple(sorted(best[1].values()))) if best else (line, ())

    def symbol_names(self, process: Program) -> Iterator[str]:
        """All names, for completion."""
        for loaded in self.images(process):
            yield from self.of(loaded).symbols

    def source(self, file: str) -> Sequence[str]:
        """Lines of a source file; empty when it isn't found."""
        lines = self._sources.get(file)
        if lines is None:
            lines = []
            for candidate in (file, *(posixpath.join(f, posixpath.basename(file)) for f in self.folders)):
                try:
                    lines = Path(candidate).read_text(encoding="utf-8", errors="replace").splitlines()
                    break
                except (OSError, ValueError):
                    continue
            self._sources[file] = lines
        return lines

    def source_line(self, file: str, line: int) -> str:
        """The text of a line, or ""."""
        lines = self.source(file)
        return lines[line - 1].strip() if 0 < line <= len(lines) else ""


def _same_file(known: str, wanted: str) -> bool:
    return known == wanted or known.endswith("/" + wanted)

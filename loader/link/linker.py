"""The static linker: `link(options, inputs)` returns the bytes of the output file.

Steps: resolve symbols, drop dead sections, scan relocations (sizes of GOT, PLT, tables), lay out, write.
Same inputs and options give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from loader import elf_constants as ec
from loader.elf_constants import SHT
from loader.link import output
from loader.link.dynamic_tables import DynamicTables, StringTable
from loader.link.errors import LinkError
from loader.link.layout import Layout, collect, output_name, pad_large_objects, place_default
from loader.link.linker_symbols import LinkerSymbols
from loader.link.liveness import mark_live
from loader.link.model import Chunk, Diagnostics, InputSection, OutputSection, State, Symbol, Table
from loader.link.objects import ObjectFile, SharedFile
from loader.link.options import LinkInput, LinkOptions
from loader.link.relocate import Addresses, Relocator
from loader.link.resolve import SymbolTable
from loader.link.scan import Needs, Scanner
from loader.link.script import Script, parse_script
from loader.link.tables import GotKind
from loader.link.version_script import parse_version_script

_DROPPED = frozenset({".note.GNU-stack", ".note.gnu.property"})
MAX_FILE_SIZE = 1 << 30
_DEBUG_PREFIXES = (".debug_", ".gdb_index", ".comment")


@dataclass(slots=True)
class LinkResult:
    """The output and what the link has to say besides."""

    data: bytes
    warnings: list[str] = field(default_factory=list)
    layout: Layout = field(default_factory=lambda: Layout([]))


def link(options: LinkOptions, inputs: Sequence[LinkInput]) -> bytes:
    """Link; raises LinkError (status 1) with every diagnostic."""
    return link_with_report(options, inputs).data


def link_with_report(options: LinkOptions, inputs: Sequence[LinkInput]) -> LinkResult:
    """Like `link`, with warnings and the layout (for `-Map`)."""
    return _Link(options).run(inputs)


class _Link:
    def __init__(self, options: LinkOptions) -> None:
        self.options = options
        self.diagnostics = Diagnostics()
        self.table = SymbolTable(options, self.diagnostics)
        self.script = parse_script(options.script, options.script_name) if options.script else None
        if self.script is not None and self.script.entry and options.entry is None:
            options.entry = self.script.entry
        self.versions = parse_version_script(options.version_script or "")
        self.commons: list[Chunk] = []

    def run(self, inputs: Sequence[LinkInput]) -> LinkResult:
        options, table = self.options, self.table
        if not options.shared and options.entry is None:
            options.entry = "_start"
        if not inputs:
            raise LinkError("no input files")
        table.load(inputs)
        self.is_purecap = self._check_abi()
        is_static = options.static and not options.shared
        self.has_dynamic = options.is_pic or (bool(table.shared) and not is_static)
        self._define_command_line_symbols()
        linker_symbols = LinkerSymbols(table, self.has_dynamic, is_static)
        self._allocate_commons()
        self._stop_on_errors()
        self._drop_dead_sections()
        pad_large_objects(s for file in table.objects for s in file.symbols)
        needs = self._scan()
        self._stop_on_errors()
        tables = DynamicTables(options, needs, self._dynamic_symbols(), table.shared, self.has_dynamic)
        result = self._write(needs, tables, linker_symbols)
        self._stop_on_errors()
        result.warnings = self.diagnostics.warnings
        return result

    def _stop_on_errors(self) -> None:
        if self.diagnostics.errors:
            raise LinkError(self.diagnostics.errors)

    # --- before the scan ----------------------------------------------------------------------------

    def _check_abi(self) -> bool:
        """All inputs are purecap or none is."""
        files: list[ObjectFile | SharedFile] = [*self.table.objects, *self.table.shared]
        purecap = next((f for f in files if f.is_purecap), None)
        plain = next((f for f in files if not f.is_purecap), None)
        if purecap is not None and plain is not None:
            raise LinkError(f"{plain.name} is not purecap, {purecap.name} is; they can't be linked together")
        return purecap is not None

    def _define_command_line_symbols(self) -> None:
        """`--defsym`, and names that the script assigns."""
        for name, expression in self.options.definitions.items():
            symbol = self.table.reference(name)
            self._define(symbol)
            try:
                symbol.value = int(expression, 0)
                continue
            except ValueError:
                pass
            target = self.table.symbols.get(expression)
            if target is None or target.state is not State.DEFINED:
                self.diagnostics.error(
                    f"--defsym {name}: '{expression}' is neither a number nor a defined symbol"
                )
                continue
            symbol.section, symbol.value = target.section, target.value
            symbol.type, symbol.c64, symbol.size = target.type, target.c64, target.size
        if self.script is not None:
            for name, is_provided in self.script.assigned_symbols():
                existing = self.table.symbols.get(name)
                is_wanted = existing is not None and existing.is_referenced and not existing.is_defined
                if is_wanted or not is_provided:
                    self._define(self.table.reference(name) if existing is None else existing)

    @staticmethod
    def _define(symbol: Symbol) -> None:
        symbol.state = State.DEFINED
        symbol.section = None
        symbol.is_linker_defined = True
        symbol.type = ec.STT_NOTYPE

    def _allocate_commons(self) -> None:
        for symbol in self.table.symbols.values():
            if symbol.state is State.COMMON:
                flags = ec.SHF_ALLOC | ec.SHF_WRITE | (ec.SHF_TLS if symbol.type == ec.STT_TLS else 0)
                name = ".tbss" if flags & ec.SHF_TLS else ".bss"
                chunk = Chunk(name, SHT.NOBITS, flags, symbol.common_align)
                chunk.size = symbol.size
                symbol.section, symbol.value, symbol.state = chunk, 0, State.DEFINED
                self.commons.append(chunk)

    def _drop_dead_sections(self) -> None:
        if not self.options.gc_sections:
            return
        names = [*self.options.undefined, self.options.init, self.options.fini, self.options.entry or ""]
        roots = [self.table.symbols[n] for n in names if n in self.table.symbols]
        roots += [s for s in self.table.symbols.values() if self._is_exported(s)]
        keeps = self.script.keeps if self.script is not None else None
        kept = [s for s in self._input_sections() if keeps is not None and keeps(s)]
        mark_live(self.table.objects, roots, kept)

    def _input_sections(self) -> list[InputSection]:
        return [
            s
            for file in self.table.objects
            for s in file.sections
            if s is not None and s.name not in _DROPPED
        ]

    # --- scan ---------------------------------------------------------------------------------------

    def _scan(self) -> Needs:
        scanner = Scanner(self.options, self.diagnostics, self.has_dynamic, self.is_purecap)
        for symbol in self.table.symbols.values():
            if self._is_localised(symbol):
                symbol.visibility = symbol.visibility or ec.STV_HIDDEN
        for section in self._input_sections():
            if section.live and section.flags & ec.SHF_ALLOC:
                scanner.scan(section)
        return scanner.finish()

    def _is_localised(self, symbol: Symbol) -> bool:
        is_ours = symbol.state in (State.DEFINED, State.COMMON)
        return is_ours and self.versions.is_local(symbol.name)

    def _is_exported(self, symbol: Symbol) -> bool:
        if symbol.state is not State.DEFINED or symbol.is_linker_defined or not self.has_dynamic:
            return False
        if symbol.visibility in (ec.STV_HIDDEN, ec.STV_INTERNAL) or self._is_localised(symbol):
            return False
        return self.options.shared or self.options.export_dynamic or symbol.is_exported

    def _dynamic_symbols(self) -> list[Symbol]:
        chosen = []
        for symbol in self.table.symbols.values():
            if symbol.state is State.SHARED:
                wanted = symbol.is_referenced
            elif symbol.state in (State.UNDEFINED, State.LAZY):
                is_visible = symbol.visibility == ec.STV_DEFAULT
                wanted = symbol.is_referenced and is_visible and self.options.shared
            else:
                is_dead = isinstance(symbol.section, Chunk) and not symbol.section.live
                wanted = self._is_exported(symbol) and not is_dead
            if wanted:
                chosen.append(symbol)
                if symbol.shared is not None and not symbol.weak_reference:
                    symbol.shared.is_used = True
        return chosen

    # --- output -------------------------------------------------------------------------------------

    def _chunks(self, needs: Needs, tables: DynamicTables) -> list[Chunk]:
        chunks: list[Chunk] = [*tables.chunks()]
        for section in self._input_sections():
            is_debug = section.name.startswith(_DEBUG_PREFIXES) and not section.flags & ec.SHF_ALLOC
            if section.live and not (is_debug and self.options.strip):
                chunks.append(section)
        chunks += self.commons
        if needs.tls_resolver_code is not None:
            chunks.append(needs.tls_resolver_code)
        extra = (needs.veneers, needs.plt, needs.iplt, needs.got, needs.iplt.slots, needs.plt.slots)
        chunks += [c for c in extra if c.size and (c is not needs.plt.slots or needs.plt.size)]
        return chunks

    def _write(self, needs: Needs, tables: DynamicTables, linker_symbols: LinkerSymbols) -> LinkResult:
        options = self.options
        chunks = self._chunks(needs, tables)
        note = output.build_id_note() if options.build_id and not options.board else None
        if note is not None:
            chunks.append(note)
        names = StringTable(".shstrtab")
        symtab = output.SymtabBuilder(options)
        script = self.script
        sections = script.collect(chunks) if script is not None else collect(chunks, _default_name)
        by_name = {s.name: s for s in sections}
        linker_symbols.bind_sections(sections)
        tables.plan_dynamic(by_name.get, self.table.symbols.get)
        if options.strip != "all":
            symtab.plan(self.table.objects, self.table.symbols.values(), needs.veneers)
            sections += collect([symtab.symtab, symtab.strtab], lambda c: c.name)
        sections += collect([names], lambda c: c.name)
        name_of = {id(s): names.add(s.name) for s in sections}
        names.build()
        layout = self._place(sections, script)
        linker_symbols.assign(layout)
        output.number_sections(layout.sections)
        image = self._contents(layout, needs, tables, symtab)
        flags = ec.EF_AARCH64_CHERI_PURECAP if self.is_purecap else 0
        offsets = [name_of[id(s)] for s in layout.sections]
        output.write_headers(image, layout, options, self._entry(), flags, names, offsets)
        if note is not None:
            output.stamp_build_id(image, note)
        return LinkResult(bytes(image), layout=layout)

    def _place(self, sections: list[OutputSection], script: Script | None) -> Layout:
        if script is None:
            return place_default(sections, self.options)
        return script.place(sections, self.options, self.table.symbols)

    def _entry(self) -> int:
        name = self.options.entry
        if not name:
            return 0
        if name[:1].isdigit():
            return int(name, 0)
        symbol = self.table.symbols.get(name)
        if symbol is None or not symbol.is_defined:
            if not self.options.shared:
                self.diagnostics.error(f"no entry point: '{name}' is not defined")
            return 0
        return symbol.address_with_isa

    def _contents(
        self, layout: Layout, needs: Needs, tables: DynamicTables, symtab: output.SymtabBuilder
    ) -> bytearray:
        addresses = Addresses(self.options, layout, needs, self.is_purecap, self.diagnostics)
        fragments = tables.build(
            addresses.capability, lambda s: output.symbol_value(s, layout.tls_start), layout.tls_start
        )
        needs.plt.build()
        needs.iplt.build()
        needs.veneers.build({id(s): addresses.of(s) for s in needs.veneers.targets})
        needs.got.data = _got_contents(addresses)
        if self.options.strip != "all":
            symtab.build(layout.tls_start)
            assert symtab.symtab.output is not None
            symtab.symtab.output.info = symtab.first_global
        if tables.dynsym.output is not None:
            tables.dynsym.output.info = 1
        if layout.end_of_file > MAX_FILE_SIZE:
            raise LinkError(f"the output would be {layout.end_of_file} bytes long")
        image = bytearray(layout.end_of_file)
        output.write_sections(image, layout, Relocator(addresses, self.diagnostics), fragments)
        return image


def _default_name(chunk: Chunk) -> str:
    return (
        output_name(chunk.name)
        if not isinstance(chunk, Table) or chunk.name.startswith(".text")
        else chunk.name
    )


def _got_contents(addresses: Addresses) -> bytes:
    """Constants of the GOT; capabilities are written as fragments or made at run time."""
    needs, options = addresses.needs, addresses.options
    got = needs.got
    data = bytearray(got.size)

    def put(offset: int, value: int) -> None:
        data[offset : offset + 8] = (value & (1 << 64) - 1).to_bytes(8, "little")

    is_static = options.static and not options.shared
    for entry in got.entries:
        symbol = entry.symbol
        is_ours = symbol.state is State.DEFINED
        tls_known = is_ours and not options.shared
        if entry.kind is GotKind.ADDRESS:
            if is_ours and not (options.is_pic and symbol.section is not None):
                put(entry.offset, (addresses.of(symbol) + entry.addend) | symbol.c64)
        elif entry.kind is GotKind.TLS_OFFSET and tls_known:
            put(entry.offset, addresses.tp_offset(symbol) + entry.addend)
        elif entry.kind is GotKind.TLS_OFFSET_SIZE:
            put(entry.offset, addresses.tp_offset(symbol) + entry.addend if tls_known else 0)
            put(entry.offset + 8, symbol.size)
        elif entry.kind is GotKind.TLS_DESCRIPTOR:
            if is_static and is_ours:
                put(entry.offset + 16, addresses.tp_offset(symbol) + entry.addend)
            put(entry.offset + 24, symbol.size)
    return bytes(data)

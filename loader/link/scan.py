"""First pass over the relocations: which GOT entries, PLT entries, veneers and run-time relocations exist.

After this pass the size of every table is known; no address is.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from loader import elf_constants as ec
from loader import relocations as rel
from loader.elf_constants import SHT
from loader.link.model import (
    CapabilitySite,
    Chunk,
    Diagnostics,
    DynamicRelocationRecord,
    InputSection,
    State,
    Symbol,
)
from loader.link.options import LinkOptions
from loader.link.tables import Got, GotKind, Plt, Veneers, static_tls_resolver
from loader.relocations import Expr, StaticRelocation


@dataclass(slots=True)
class Needs:
    """What the scan found."""

    got: Got = field(default_factory=Got)
    plt: Plt = field(default_factory=lambda: Plt(".plt", has_header=True))
    iplt: Plt = field(default_factory=lambda: Plt(".iplt", has_header=False))
    veneers: Veneers = field(default_factory=Veneers)
    sites: list[CapabilitySite] = field(default_factory=list)
    """Capabilities to symbols of this output."""
    resolver_sites: list[CapabilitySite] = field(default_factory=list)
    """Capabilities that an IFUNC resolver of this output returns."""
    records: list[DynamicRelocationRecord] = field(default_factory=list)
    """Other run-time relocations: against symbols of shared libraries, TLS, 64-bit addresses."""
    tls_resolver: Symbol | None = None
    tls_resolver_code: Chunk | None = None
    uses_static_tls: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    section: InputSection
    offset: int
    row: StaticRelocation
    symbol: Symbol
    addend: int

    def where(self) -> str:
        return self.section.where(self.offset)


class Scanner:
    """Scans live sections; `needs` is the result."""

    def __init__(
        self, options: LinkOptions, diagnostics: Diagnostics, has_dynamic: bool, is_purecap: bool
    ) -> None:
        self.options = options
        self.diagnostics = diagnostics
        self.has_dynamic = has_dynamic
        self.is_purecap = is_purecap
        self.needs = Needs()
        self._undefined: dict[str, list[str]] = {}
        handlers: dict[Expr, Callable[[_Place], None]] = {
            Expr.BRANCH: self._branch,
            Expr.GOT: self._got,
            Expr.GOT_PAGE_PREL: self._got,
            Expr.GOT_FROM_PAGE: self._got,
            Expr.GOT_PREL: self._got,
            Expr.CAPINIT: self._capinit,
            Expr.CODE_CAPINIT: self._capinit,
            Expr.ABS: self._absolute,
            Expr.PREL: self._relative,
            Expr.PREL_GRANULE: self._relative,
            Expr.PAGE_PREL: self._relative,
            Expr.TPREL: self._tprel,
            Expr.TLSIE: self._tls_initial_exec,
            Expr.TLSIE_PAGE_PREL: self._tls_initial_exec,
            Expr.TLSDESC: self._tls_descriptor,
            Expr.TLSDESC_PAGE_PREL: self._tls_descriptor,
            Expr.INDIRECT_TLS: self._indirect_tls,
        }
        self._handlers = {number: handlers.get(row.expr) for number, row in rel.STATIC.items()}

    # --- entry points -------------------------------------------------------------------------------

    def scan(self, section: InputSection) -> None:
        """Note what the relocations of one allocated section need."""
        symbols = section.file.symbols
        handlers = self._handlers
        static = rel.STATIC
        for offset, kind, index, addend in section.relocations:
            row = static.get(kind)
            symbol = symbols[index] if index < len(symbols) else None
            if row is None or symbol is None:
                self._unknown(section, offset, kind, symbol)
                continue
            if offset + row.field.size > section.size:
                self.diagnostics.error(f"{section.where(offset)}: {row.name} is outside the section")
                continue
            if symbol.state is State.UNDEFINED and not self._is_allowed_undefined(symbol):
                self._note_undefined(symbol, section, offset)
                continue
            handler = handlers[kind]
            if handler is not None:
                handler(_Place(section, offset, row, symbol, addend))

    def finish(self) -> Needs:
        """Make run-time relocations of the GOT and PLT entries; report undefined symbols."""
        for entry in list(self.needs.got.entries):
            self._finish_got(entry.kind, entry.symbol, entry.addend, entry.offset)
        slots = self.needs.plt.slots
        for i, symbol in enumerate(self.needs.plt.symbols):
            offset = self.needs.plt.slot_offset(i)
            self.needs.records.append(DynamicRelocationRecord(slots, offset, rel.R_MORELLO_JUMP_SLOT, symbol))
        for i, symbol in enumerate(self.needs.iplt.symbols):
            offset = self.needs.iplt.slot_offset(i)
            self.needs.resolver_sites.append(CapabilitySite(self.needs.iplt.slots, offset, symbol, 0))
        for name, places in sorted(self._undefined.items()):
            more = f" and {len(places) - 3} more" if len(places) > 3 else ""
            shown = ", ".join(places[:3])
            self.diagnostics.error(f"undefined symbol '{name}', referenced by {shown}{more}")
        return self.needs

    def is_preemptible(self, symbol: Symbol) -> bool:
        """Whether the definition may come from another object at run time."""
        if symbol.is_local or symbol.is_linker_defined:
            return False
        if symbol.state is State.SHARED:
            return True
        if symbol.visibility != ec.STV_DEFAULT or not self.options.shared:
            return False
        if not symbol.is_defined and symbol.state is not State.COMMON:
            return True
        return not self.options.bsymbolic

    # --- problems -----------------------------------------------------------------------------------

    def _unknown(self, section: InputSection, offset: int, kind: int, symbol: Symbol | None) -> None:
        target = f" against '{symbol.name}'" if symbol is not None and symbol.name else ""
        self.diagnostics.error(
            f"{section.where(offset)}: {rel.name_of(kind)}{target} is not a static relocation"
        )

    def _is_allowed_undefined(self, symbol: Symbol) -> bool:
        if symbol.is_local and not symbol.name:
            return True  # index 0
        if symbol.weak_reference:
            return True
        is_hidden = symbol.visibility in (ec.STV_HIDDEN, ec.STV_INTERNAL)
        return self.options.shared and not self.options.no_undefined and not is_hidden

    def _note_undefined(self, symbol: Symbol, section: InputSection, offset: int) -> None:
        self._undefined.setdefault(symbol.name, []).append(self._describe(section, offset))

    @staticmethod
    def _describe(section: InputSection, offset: int) -> str:
        """`a.o:(.text+0x14) in main`."""
        for symbol in section.file.symbols:
            if symbol.section is section and symbol.is_function:
                start = symbol.value
                if start <= offset < start + symbol.size:
                    return f"{section.where(offset)} in {symbol.name}"
        return section.where(offset)

    def _error(self, place: _Place, reason: str) -> None:
        name = place.symbol.name or "a section"
        self.diagnostics.error(f"{place.where()}: {place.row.name} against '{name}' {reason}")

    # --- one handler per kind of expression -----------------------------------------------------------

    def _branch(self, place: _Place) -> None:
        symbol = place.symbol
        from_c64 = place.row.number >= rel.R_MORELLO_STATIC_FIRST
        if symbol.type == ec.STT_GNU_IFUNC and not self.is_preemptible(symbol):
            self._need_plt(self.needs.iplt, place)
        elif self.is_preemptible(symbol):
            self._need_plt(self.needs.plt, place)
        elif symbol.state is State.UNDEFINED:
            return
        if self._changes_state(symbol, from_c64):
            if place.row.field is not rel.IMM26:
                self._error(place, "would have to change between A64 and C64, which only B and BL can")
            else:
                self.needs.veneers.add(symbol, not from_c64)

    def _need_plt(self, plt: Plt, place: _Place) -> None:
        if not self.is_purecap:
            self._error(place, "needs a PLT, which plain AArch64 output does not get; link it with -static")
            return
        plt.add(place.symbol)

    @staticmethod
    def _changes_state(symbol: Symbol, from_c64: bool) -> bool:
        if symbol.plt is not None:
            return not from_c64  # PLT code is C64
        return symbol.is_function and symbol.c64 != from_c64

    def _got(self, place: _Place) -> None:
        is_capability = place.row.number >= rel.R_MORELLO_STATIC_FIRST
        kind = GotKind.CAPABILITY if is_capability else GotKind.ADDRESS
        self.needs.got.entry(kind, place.symbol, place.addend)

    def _finish_got(self, kind: GotKind, symbol: Symbol, addend: int, offset: int) -> None:
        got = self.needs.got
        if kind is GotKind.CAPABILITY:
            self._capability(got, offset, symbol, addend, 0, rel.R_MORELLO_GLOB_DAT)
        elif kind is GotKind.ADDRESS:
            self._address(got, offset, symbol, addend, rel.R_AARCH64_GLOB_DAT)
        elif kind is GotKind.TLS_DESCRIPTOR:
            self._finish_tls_descriptor(symbol, addend, offset)
        elif self.options.shared or self.is_preemptible(symbol):
            is_pair = kind is GotKind.TLS_OFFSET_SIZE
            number = rel.R_MORELLO_TPREL128 if is_pair else rel.R_AARCH64_TLS_TPREL64
            self.needs.records.append(DynamicRelocationRecord(got, offset, number, symbol, addend))

    def _finish_tls_descriptor(self, symbol: Symbol, addend: int, offset: int) -> None:
        got = self.needs.got
        if self.has_dynamic and not (self.options.static and not self.options.shared):
            record = DynamicRelocationRecord(got, offset, rel.R_MORELLO_TLSDESC, symbol, addend)
            self.needs.records.append(record)
        else:
            assert self.needs.tls_resolver is not None
            self.needs.sites.append(CapabilitySite(got, offset, self.needs.tls_resolver, 0))

    def _capinit(self, place: _Place) -> None:
        section = place.section
        hint = 0
        if section.type != SHT.NOBITS and place.offset + 16 <= len(section.data):
            hint = struct.unpack_from("<Q", section.data, place.offset + 8)[0]
        if not section.flags & ec.SHF_WRITE:
            self._error(place, f"needs a writable section, {section.name} is read-only")
            return
        if (section.align % 16 or place.offset % 16) and section.flags & ec.SHF_ALLOC:
            self._error(place, "is not 16-byte aligned")
            return
        symbol = place.symbol
        if place.row.expr is Expr.CODE_CAPINIT and self.is_preemptible(symbol):
            self._error(place, "may be preempted, which a code pointer may not be")
            return
        self._capability(section, place.offset, symbol, place.addend, hint, rel.R_MORELLO_CAPINIT)

    def _capability(
        self, chunk: Chunk, offset: int, symbol: Symbol, addend: int, hint: int, dynamic_type: int
    ) -> None:
        if self.is_preemptible(symbol):
            record = DynamicRelocationRecord(chunk, offset, dynamic_type, symbol, addend)
            self.needs.records.append(record)
        elif symbol.type == ec.STT_GNU_IFUNC:
            self.needs.resolver_sites.append(CapabilitySite(chunk, offset, symbol, addend))
        elif symbol.state is not State.UNDEFINED and symbol.state is not State.LAZY:
            self.needs.sites.append(CapabilitySite(chunk, offset, symbol, addend, hint))

    def _address(self, chunk: Chunk, offset: int, symbol: Symbol, addend: int, dynamic_type: int) -> None:
        """A 64-bit address that moves with the load bias."""
        if self.is_preemptible(symbol):
            record = DynamicRelocationRecord(chunk, offset, dynamic_type, symbol, addend)
            self.needs.records.append(record)
        elif self.options.is_pic and symbol.section is not None:
            self.needs.records.append(
                DynamicRelocationRecord(chunk, offset, rel.R_AARCH64_RELATIVE, addend=addend, target=symbol)
            )

    def _absolute(self, place: _Place) -> None:
        field_ = place.row.field
        symbol = place.symbol
        moves = self.is_preemptible(symbol) or (self.options.is_pic and symbol.section is not None)
        if field_ is rel.DATA64:
            if moves and not place.section.flags & ec.SHF_WRITE:
                self._error(place, f"needs a run-time relocation, but {place.section.name} is read-only")
            else:
                self._address(place.section, place.offset, symbol, place.addend, rel.R_AARCH64_ABS64)
        elif moves and (place.row.check is not None or field_ in (rel.DATA32, rel.DATA16)):
            self._error(place, "can't be used in a position-independent output; recompile with -fPIC")
        elif self.is_preemptible(symbol):
            self._error(place, "may be in another object; reach it through the GOT (recompile with -fPIC)")

    def _relative(self, place: _Place) -> None:
        if self.is_preemptible(place.symbol):
            self._error(place, "may be in another object; reach it through the GOT (recompile with -fPIC)")

    def _tprel(self, place: _Place) -> None:
        if self.options.shared or self.is_preemptible(place.symbol):
            self._error(
                place, "is the local-exec TLS model, which only an executable can use; recompile with -fPIC"
            )

    def _tls_initial_exec(self, place: _Place) -> None:
        is_pair = place.row.number >= rel.R_MORELLO_STATIC_FIRST
        kind = GotKind.TLS_OFFSET_SIZE if is_pair else GotKind.TLS_OFFSET
        self.needs.got.entry(kind, place.symbol, place.addend)
        if self.options.shared:
            self.needs.uses_static_tls = True

    def _tls_descriptor(self, place: _Place) -> None:
        # ADD_LO12 of the Morello sequence keeps its AArch64 number; the plain sequence is not linked.
        is_morello = place.row.number >= rel.R_MORELLO_STATIC_FIRST
        if not is_morello and (place.row.field is not rel.ADD12 or not self.is_purecap):
            self._error(place, "is the plain AArch64 TLS descriptor sequence, which is not linked")
            return
        self.needs.got.entry(GotKind.TLS_DESCRIPTOR, place.symbol, place.addend)
        needs_resolver = not self.has_dynamic or (self.options.static and not self.options.shared)
        if needs_resolver and self.needs.tls_resolver is None:
            self.needs.tls_resolver_code, self.needs.tls_resolver = static_tls_resolver()

    def _indirect_tls(self, place: _Place) -> None:
        self._error(place, "belongs to the thread-GOT TLS ABI; recompile with the traditional TLS ABI")

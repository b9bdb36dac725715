"""Second pass over the relocations: computes X for each and writes it into the output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from loader import elf_constants as ec
from loader import relocations as rel
from loader.fragments import MAX_LENGTH, PERM_EXECUTABLE, PERM_READ_ONLY, PERM_READ_WRITE, Fragment
from loader.link.layout import Layout
from loader.link.model import Chunk, Diagnostics, InputSection, OutputSection, State, Symbol, align_up
from loader.link.options import LinkOptions
from loader.link.scan import Needs
from loader.link.tables import GotKind
from loader.relocations import Expr, RelocationOverflow, StaticRelocation
from morello_isa.capability import representable_length, representable_mask

_MASK64 = (1 << 64) - 1
TCB_SIZE_PURECAP, TCB_SIZE_PLAIN = 32, 16


@dataclass(slots=True)
class Addresses:
    """Where everything is: answers what relocations ask after layout."""

    options: LinkOptions
    layout: Layout
    needs: Needs
    is_purecap: bool
    diagnostics: Diagnostics

    def of(self, symbol: Symbol) -> int:
        """S, or the PLT entry that stands for it; without the ISA bit."""
        if symbol.plt is not None:
            plt = self.needs.iplt if symbol.type == ec.STT_GNU_IFUNC and symbol.is_defined else self.needs.plt
            return plt.entry_address(symbol)
        return symbol.address

    def tp_offset(self, symbol: Symbol) -> int:
        """Distance of a TLS symbol from the thread pointer (variant 1), bytes."""
        tcb = TCB_SIZE_PURECAP if self.is_purecap else TCB_SIZE_PLAIN
        return symbol.address - self.layout.tls_start + align_up(tcb, self.layout.tls_align)

    def got(self, kind: GotKind, symbol: Symbol, addend: int) -> int:
        """Address of a GOT entry."""
        return self.needs.got.address + self.needs.got.find(kind, symbol, addend).offset

    # --- capabilities -------------------------------------------------------------------------------

    def capability(self, symbol: Symbol, addend: int, size_hint: int) -> tuple[Fragment, int]:
        """Bounds and permission of a capability to S + A, and what to add to its base (bit 0 = C64)."""
        section = symbol.section
        output = section.output if isinstance(section, Chunk) else section
        is_code = output is not None and bool(output.flags & ec.SHF_EXECINSTR)
        if symbol.is_function or is_code:
            span = self.layout.code_span
            offset = (symbol.address + addend - span.base) | symbol.c64
            if not span.base <= symbol.address <= span.base + span.length:
                self.diagnostics.error(f"function '{symbol.name}' is outside the code span")
            return Fragment(span.base, span.length, PERM_EXECUTABLE), offset
        base, length, offset = self._extent(symbol, addend, size_hint)
        permission = PERM_READ_WRITE
        if output is not None and (not output.flags & ec.SHF_WRITE or output.is_relro):
            permission = PERM_READ_ONLY
        return Fragment(base, self._exact_length(symbol, base, length), permission), offset

    @staticmethod
    def _extent(symbol: Symbol, addend: int, size_hint: int) -> tuple[int, int, int]:
        """(base, length, offset) of the object that a data capability may access."""
        section = symbol.section
        if symbol.size:
            return symbol.address, symbol.size, addend
        if isinstance(section, OutputSection):
            return section.address, section.size, symbol.address + addend - section.address
        if 0 < size_hint <= MAX_LENGTH:
            return symbol.address + addend, size_hint, 0
        if section is None:
            return symbol.address, 0, addend
        if symbol.type == ec.STT_SECTION:
            return section.address, section.size, symbol.value + addend
        return symbol.address, max(section.size - symbol.value, 0), addend

    def _exact_length(self, symbol: Symbol, base: int, length: int) -> int:
        exact = representable_length(length)
        if base & ~representable_mask(length) & _MASK64 or (
            exact != length and not self._is_padded(symbol, exact)
        ):
            name = symbol.name or "a section"
            self.diagnostics.warn(
                f"the {length} bytes of '{name}' can't be bounded exactly; its capabilities reach further"
            )
            return length
        return exact

    @staticmethod
    def _is_padded(symbol: Symbol, exact: int) -> bool:
        section = symbol.section
        return isinstance(section, Chunk) and symbol.value + exact <= section.size


@dataclass(slots=True)
class _At:
    """One relocation being applied; `place` is P."""

    row: StaticRelocation
    symbol: Symbol
    addend: int
    place: int


def _page(address: int) -> int:
    return address & ~0xFFF


class Relocator:
    """Applies the relocations of input sections to their bytes."""

    def __init__(self, addresses: Addresses, diagnostics: Diagnostics) -> None:
        self.addresses = addresses
        self.diagnostics = diagnostics
        self.needs = addresses.needs
        self._moves = addresses.options.is_pic
        compute: dict[Expr, Callable[[_At], int]] = {
            Expr.ABS: self._abs,
            Expr.PREL: self._prel,
            Expr.PREL_GRANULE: self._prel_granule,
            Expr.PAGE_PREL: lambda at: _page(self._near(at) + at.addend) - _page(at.place),
            Expr.BRANCH: self._branch,
            Expr.SIZE: lambda at: at.symbol.size,
            Expr.GOT: self._got,
            Expr.GOT_PAGE_PREL: lambda at: _page(self._got(at)) - _page(at.place),
            Expr.GOT_FROM_PAGE: lambda at: self._got(at) - _page(self.needs.got.address),
            Expr.GOT_PREL: lambda at: self._got(at) - at.place,
            Expr.TPREL: lambda at: addresses.tp_offset(at.symbol) + at.addend,
            Expr.DTPREL: lambda at: at.symbol.address - addresses.layout.tls_start + at.addend,
            Expr.TLSIE: self._tls_offset,
            Expr.TLSIE_PAGE_PREL: lambda at: _page(self._tls_offset(at)) - _page(at.place),
            Expr.TLSDESC: self._tls_descriptor,
            Expr.TLSDESC_PAGE_PREL: lambda at: _page(self._tls_descriptor(at)) - _page(at.place),
        }
        self._compute = {n: compute[row.expr] for n, row in rel.STATIC.items() if row.expr in compute}

    def relocate(self, section: InputSection, out: bytearray) -> None:
        """Apply every relocation of `section` to its copy `out`."""
        if not section.flags & ec.SHF_ALLOC:
            self._relocate_debug(section, out)
            return
        symbols = section.file.symbols
        base = section.address
        compute = self._compute
        static = rel.STATIC
        for offset, kind, index, addend in section.relocations:
            row = static[kind]
            function = compute.get(kind)
            if function is None:
                if row.field is rel.CAPABILITY:
                    out[offset : offset + 16] = bytes(16)
                continue
            symbol = symbols[index]
            x = function(_At(row, symbol, addend, base + offset))
            if row.field is rel.DATA64 and row.expr is Expr.ABS and self._is_run_time(symbol):
                x = 0
            self._insert(section, out, offset, row, symbol, x)

    def _insert(
        self,
        section: InputSection,
        out: bytearray,
        offset: int,
        row: StaticRelocation,
        symbol: Symbol,
        x: int,
    ) -> None:
        size = row.field.size
        old = int.from_bytes(out[offset : offset + size], "little")
        try:
            new = rel.apply_static(row, old, x)
        except RelocationOverflow as error:
            name = symbol.name or "a section"
            self.diagnostics.error(f"{section.where(offset)}: {row.name} against '{name}': {error}")
            return
        out[offset : offset + size] = new.to_bytes(size, "little")

    def _is_run_time(self, symbol: Symbol) -> bool:
        """Whether a 64-bit address is stored by a run-time relocation, not here."""
        return symbol.state is State.SHARED or (self._moves and symbol.section is not None)

    # --- values -------------------------------------------------------------------------------------

    def _abs(self, at: _At) -> int:
        return self.addresses.of(at.symbol) + at.addend

    def _prel(self, at: _At) -> int:
        return self._near(at) + at.addend - at.place

    def _prel_granule(self, at: _At) -> int:
        return self._near(at) + at.addend - (at.place & ~0xF)

    def _near(self, at: _At) -> int:
        """S for PC-relative use; an undefined weak symbol counts as the place, which is always in reach."""
        symbol = at.symbol
        if symbol.state in (State.UNDEFINED, State.LAZY) and symbol.plt is None and self._moves:
            return at.place
        return self.addresses.of(symbol)

    def _got(self, at: _At) -> int:
        is_capability = at.row.number >= rel.R_MORELLO_STATIC_FIRST
        kind = GotKind.CAPABILITY if is_capability else GotKind.ADDRESS
        return self.addresses.got(kind, at.symbol, at.addend)

    def _tls_offset(self, at: _At) -> int:
        is_pair = at.row.number >= rel.R_MORELLO_STATIC_FIRST
        kind = GotKind.TLS_OFFSET_SIZE if is_pair else GotKind.TLS_OFFSET
        return self.addresses.got(kind, at.symbol, at.addend)

    def _tls_descriptor(self, at: _At) -> int:
        return self.addresses.got(GotKind.TLS_DESCRIPTOR, at.symbol, at.addend)

    def _branch(self, at: _At) -> int:
        symbol = at.symbol
        if symbol.state in (State.UNDEFINED, State.LAZY) and symbol.plt is None:
            return 4  # weak and undefined: the call falls through
        from_c64 = at.row.number >= rel.R_MORELLO_STATIC_FIRST
        target_c64 = True if symbol.plt is not None else symbol.c64
        if (symbol.is_function or symbol.plt is not None) and target_c64 != from_c64:
            return self.needs.veneers.address_of(symbol, target_c64) - at.place
        return self.addresses.of(symbol) + at.addend - at.place

    # --- debug sections -----------------------------------------------------------------------------

    def _relocate_debug(self, section: InputSection, out: bytearray) -> None:
        """Only data relocations; references to discarded code become 0 (1 in range lists, where 0 ends)."""
        symbols = section.file.symbols
        tombstone = 1 if section.name in (".debug_ranges", ".debug_loc") else 0
        compute = self._compute
        for offset, kind, index, addend in section.relocations:
            row = rel.STATIC.get(kind)
            if row is None or index >= len(symbols) or row.expr not in (Expr.ABS, Expr.PREL, Expr.DTPREL):
                name = rel.name_of(kind)
                self.diagnostics.error(f"{section.where(offset)}: {name} is not allowed in {section.name}")
                continue
            if offset + row.field.size > section.size:
                self.diagnostics.error(f"{section.where(offset)}: {row.name} is outside the section")
                continue
            symbol = symbols[index]
            if self._is_discarded(symbol):
                x = tombstone
            else:
                x = compute[kind](_At(row, symbol, addend, section.address + offset))
            self._insert(section, out, offset, row, symbol, x)

    @staticmethod
    def _is_discarded(symbol: Symbol) -> bool:
        section = symbol.section
        if isinstance(section, Chunk):
            return section.output is None
        return symbol.state is not State.DEFINED or (symbol.type == ec.STT_SECTION and section is None)

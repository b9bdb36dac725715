"""GOT, PLT and veneers: the tables whose size follows from the relocations of the inputs.

`Got.offset` hands out one entry per (kind, symbol, addend). Encodings are C64 unless said otherwise;
layouts follow lld's, see docs/linker.md.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum, auto

from loader import elf_constants as ec
from loader.elf_constants import SHT
from loader.link.model import Symbol, Table
from loader.relocations import ADD12, ADRP_C64, LDST128

_ALLOC, _WRITE, _EXEC = ec.SHF_ALLOC, ec.SHF_WRITE, ec.SHF_EXECINSTR

CAP = 16

# Instruction words with zero immediates.
_NOP = 0xD503201F
_STP_C16_C30_PRE = 0x62BF7BF0  # stp c16, c30, [csp, #-32]!
_ADRP_C16 = 0x90800010
_LDR_C17_C16 = 0xC2400211
_ADD_C16 = 0x02000210
_BR_C17 = 0xC2C21220
_BR_C16 = 0xC2C21200
_BX = 0xC2C273E0  # bx #4
_LDP_X0_X1_C0_16 = 0xA9410400
_ADD_C0_C2_X0 = 0xC2A06040
_SCBNDS_C0_C0_X1 = 0xC2C10000
_RET_C30 = 0xC2C253C0


def _words(*words: int) -> bytes:
    return struct.pack(f"<{len(words)}I", *words)


def _page_delta(target: int, place: int) -> int:
    return (target & ~0xFFF) - (place & ~0xFFF)


class GotKind(Enum):
    """What a GOT entry holds."""

    CAPABILITY = auto()
    ADDRESS = auto()  # 8 bytes, plain AArch64
    TLS_OFFSET_SIZE = auto()
    TLS_OFFSET = auto()  # 8 bytes, plain AArch64
    TLS_DESCRIPTOR = auto()

    @property
    def size(self) -> int:
        """Bytes of an entry."""
        return {GotKind.ADDRESS: 8, GotKind.TLS_OFFSET: 8, GotKind.TLS_DESCRIPTOR: 32}.get(self, 16)


@dataclass(frozen=True, slots=True)
class GotEntry:
    """One entry and its offset in the GOT."""

    kind: GotKind
    symbol: Symbol
    addend: int
    offset: int


class Got(Table):
    """`.got`."""

    __slots__ = ("_index", "entries")

    def __init__(self) -> None:
        super().__init__(".got", SHT.PROGBITS, _ALLOC | _WRITE, 16)
        self.entries: list[GotEntry] = []
        self._index: dict[tuple[GotKind, int, int], GotEntry] = {}

    def entry(self, kind: GotKind, symbol: Symbol, addend: int) -> GotEntry:
        """The entry for (kind, symbol, addend), made when there is none."""
        key = (kind, id(symbol), addend)
        found = self._index.get(key)
        if found is None:
            size = kind.size
            offset = (self.size + min(size, CAP) - 1) & -min(size, CAP)
            found = self._index[key] = GotEntry(kind, symbol, addend, offset)
            self.entries.append(found)
            self.size = offset + size
        return found

    def find(self, kind: GotKind, symbol: Symbol, addend: int) -> GotEntry:
        """The entry made while scanning."""
        return self._index[(kind, id(symbol), addend)]


class Plt(Table):
    """`.plt` with a lazy-binding header, or `.iplt` without; slot i is in `slots` (`.got.plt`)."""

    __slots__ = ("has_header", "slots", "symbols")

    HEADER = 32
    ENTRY = 16

    def __init__(self, name: str, has_header: bool) -> None:
        super().__init__(name, SHT.PROGBITS, _ALLOC | _EXEC, 16)
        self.has_header = has_header
        self.symbols: list[Symbol] = []
        slots_name = ".got.plt" if has_header else ".igot.plt"
        self.slots = Table(slots_name, SHT.PROGBITS, _ALLOC | _WRITE, 16)

    def add(self, symbol: Symbol) -> None:
        """Give `symbol` an entry (once)."""
        if symbol.plt is None:
            symbol.plt = len(self.symbols)
            self.symbols.append(symbol)
            count = len(self.symbols)
            self.size = (self.HEADER if self.has_header else 0) + self.ENTRY * count
            self.slots.size = CAP * (count + (3 if self.has_header else 0))

    def slot_offset(self, index: int) -> int:
        """Offset of slot `index` in the slot table."""
        return CAP * (index + (3 if self.has_header else 0))

    def entry_address(self, symbol: Symbol) -> int:
        """Address of the symbol's PLT code."""
        assert symbol.plt is not None
        return self.address + (self.HEADER if self.has_header else 0) + self.ENTRY * symbol.plt

    def build(self) -> None:
        """Write code and slots; addresses are final."""
        code = [self._header()] if self.has_header else []
        code.extend(self._entry(i) for i in range(len(self.symbols)))
        self.data = b"".join(code)
        slots = bytearray(self.slots.size)
        if self.has_header:
            for i in range(len(self.symbols)):
                struct.pack_into("<QQ", slots, self.slot_offset(i), self.address | 1, 0)
        self.slots.data = bytes(slots)

    def _load_slot(self, place: int, slot: int) -> tuple[int, int, int]:
        return (
            ADRP_C64.insert(_ADRP_C16, _page_delta(slot, place)),
            LDST128.insert(_LDR_C17_C16, slot),
            ADD12.insert(_ADD_C16, slot & 0xFFF),
        )

    def _header(self) -> bytes:
        resolver = self.slots.address + 2 * CAP
        load = self._load_slot(self.address + 4, resolver)
        return _words(_STP_C16_C30_PRE, *load, _BR_C17, _NOP, _NOP, _NOP)

    def _entry(self, index: int) -> bytes:
        place = self.address + (self.HEADER if self.has_header else 0) + self.ENTRY * index
        return _words(*self._load_slot(place, self.slots.address + self.slot_offset(index)), _BR_C17)


class Veneers(Table):
    """Code that changes the instruction set on the way to a direct branch's target.

    One veneer per (target, direction): C64 to A64 is ADRP, ADD, BR; A64 to C64 starts with BX #4.
    """

    __slots__ = ("_offsets", "_order")

    def __init__(self) -> None:
        super().__init__(".text.veneers", SHT.PROGBITS, _ALLOC | _EXEC, 4)
        self._offsets: dict[tuple[int, bool], int] = {}
        self._order: list[tuple[Symbol, bool]] = []

    def add(self, target: Symbol, to_c64: bool) -> None:
        """Make sure of a veneer to `target`."""
        key = (id(target), to_c64)
        if key not in self._offsets:
            self._offsets[key] = self.size
            self._order.append((target, to_c64))
            self.size += 16 if to_c64 else 12

    def address_of(self, target: Symbol, to_c64: bool) -> int:
        """Where the veneer starts."""
        return self.address + self._offsets[(id(target), to_c64)]

    def build(self, target_address: dict[int, int]) -> None:
        """Write the code; `target_address` is by `id(symbol)`, without ISA bits."""
        code: list[int] = []
        for symbol, to_c64 in self._order:
            target = target_address[id(symbol)]
            place = self.address_of(symbol, to_c64) + (4 if to_c64 else 0)
            if to_c64:
                code.append(_BX)
            code.append(ADRP_C64.insert(_ADRP_C16, _page_delta(target, place)))
            code.append(ADD12.insert(_ADD_C16, (target & 0xFFF) | to_c64))
            code.append(_BR_C16)
        self.data = _words(*code)

    @property
    def targets(self) -> list[Symbol]:
        """Every symbol that has a veneer."""
        return [symbol for symbol, _ in self._order]

    @property
    def spans(self) -> list[tuple[Symbol, bool, int, int]]:
        """(target, to_c64, offset, size) of each veneer, for the symbol table."""
        return [
            (symbol, to_c64, self._offsets[(id(symbol), to_c64)], 16 if to_c64 else 12)
            for symbol, to_c64 in self._order
        ]


def static_tls_resolver() -> tuple[Table, Symbol]:
    """The TLSDESC resolver of static executables: c0 = TP + offset, bounded; clobbers c0 and c1 only.

    A static program has no dynamic linker to provide one (aaelf64-morello, "Static TLS block resolver").
    """
    table = Table(".text.tlsdesc", SHT.PROGBITS, _ALLOC | _EXEC, 4)
    table.data = _words(_LDP_X0_X1_C0_16, _ADD_C0_C2_X0, _SCBNDS_C0_C0_X1, _RET_C30)
    table.size = len(table.data)
    symbol = Symbol("__tlsdesc_static_resolver")
    symbol.binding = ec.STB_LOCAL
    symbol.type = ec.STT_FUNC
    symbol.c64 = True
    symbol.size = table.size
    symbol.section = table
    symbol.state = symbol.state.DEFINED
    return table, symbol

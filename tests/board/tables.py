"""Builds translation tables in a physical memory, for tests: the inverse of what the walker does."""

from __future__ import annotations

from dataclasses import dataclass, field

from emulator.memory.physical import PhysicalMemory

VALID_AF = 1 << 10
AP_USER, AP_READ_ONLY = 1 << 6, 1 << 7
UXN, PXN = 1 << 54, 1 << 53
CDBM, SC, LC_SHIFT, DBM = 1 << 59, 1 << 60, 61, 1 << 51
TG0 = {12: 0, 16: 1, 14: 2}
TG1 = {14: 1, 12: 2, 16: 3}


@dataclass
class Tables:
    """Tables of one range of addresses: `granule` in bits, `size` input address bits, tables from `free`."""

    memory: PhysicalMemory
    free: int
    granule: int = 12
    size: int = 39
    start_level: int | None = None
    root: int = field(init=False)

    def __post_init__(self) -> None:
        self.stride = self.granule - 3
        if self.start_level is None:
            self.start_level = 4 - (1 + (self.size - self.granule - 1) // self.stride)
        self.root = self._allocate(1 << (self.size - self.shift(self.start_level)))

    def shift(self, level: int) -> int:
        """Lowest address bit that an entry of `level` translates."""
        return (3 - level) * self.stride + self.granule

    def _allocate(self, entries: int = 0) -> int:
        size = max(8 * entries, 1 << self.granule)
        self.free = (self.free + size - 1) // size * size
        address = self.free
        self.free += size
        return address

    def map(self, va: int, pa: int, attributes: int = VALID_AF, level: int = 3, table_bits: int = 0) -> int:
        """Maps the page or block of `level`; returns the address of its descriptor."""
        table = self.root
        va &= (1 << self.size) - 1
        assert self.start_level is not None
        for at in range(self.start_level, level):
            entry = table + 8 * (va >> self.shift(at) & self._mask(at))
            descriptor = self.memory.read(entry, 8)
            if not descriptor & 1:
                descriptor = self._allocate() | 3 | table_bits
                self.memory.write(entry, 8, descriptor)
            table = descriptor & 0xFFFF_FFFF_F000 & -(1 << self.granule)
        entry = table + 8 * (va >> self.shift(level) & self._mask(level))
        self.memory.write(entry, 8, pa | attributes | (3 if level == 3 else 1))
        return entry

    def _mask(self, level: int) -> int:
        bits = self.stride if level != self.start_level else self.size - self.shift(level)
        return (1 << bits) - 1

"""Physical memory: regions, tags, bus errors (memory/physical.py)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.board.console import MemoryConsole
from emulator.memory.physical import BusError, PhysicalMemory

BASE = 0x8000_0000


class Probe:
    """A device that records accesses."""

    def __init__(self) -> None:
        self.log: list[tuple[str, int, int, int]] = []

    def read(self, offset: int, size: int) -> int:
        self.log.append(("r", offset, size, 0))
        return 0x1122_3344_5566_7788

    def write(self, offset: int, size: int, value: int) -> None:
        self.log.append(("w", offset, size, value))


def memory_with_ram() -> PhysicalMemory:
    memory = PhysicalMemory()
    memory.add_ram("ram", BASE, 1 << 20)
    return memory


def test_four_gigabytes_cost_nothing() -> None:
    memory = PhysicalMemory()
    region = memory.add_ram("ram", 0, 1 << 32)
    memory.write((1 << 32) - 8, 8, 0x0123_4567_89AB_CDEF)
    assert memory.read((1 << 32) - 8, 8) == 0x0123_4567_89AB_CDEF
    assert len(region.tags) == region.size // 16


def test_overlaps_and_gaps() -> None:
    memory = memory_with_ram()
    for base, size in ((BASE, 4096), (BASE - 4096, 8192), (BASE + (1 << 20) - 4096, 8192)):
        with pytest.raises(ValueError, match="overlaps"):
            memory.add_ram("other", base, size)
    with pytest.raises(BusError):
        memory.read(BASE - 8, 8)
    with pytest.raises(BusError):
        memory.write_bytes(BASE + (1 << 20) - 4, b"12345678")
    assert memory.find(BASE + (1 << 20)) is None


def test_device_window_passes_offsets_and_masks_values() -> None:
    memory = memory_with_ram()
    probe = Probe()
    memory.add_device("probe", 0x1000, 0x1000, probe)
    assert memory.read(0x1010, 2) == 0x7788
    memory.write(0x1014, 4, 5)
    assert probe.log == [("r", 0x10, 2, 0), ("w", 0x14, 4, 5)]
    with pytest.raises(BusError):
        memory.read(0x1010, 16)
    with pytest.raises(BusError):
        memory.read(0x1FFE, 4)


def test_read_only_memory_refuses_writes() -> None:
    memory = PhysicalMemory()
    memory.add_ram("flash", 0, 4096, writable=False)
    with pytest.raises(BusError, match="read-only"):
        memory.write(0, 4, 1)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(
    tagged=st.sets(st.integers(0, 255), max_size=20),
    start=st.integers(0, 4000),
    data=st.binary(min_size=1, max_size=90),
)
def test_every_write_clears_exactly_the_tags_that_it_touches(
    tagged: set[int], start: int, data: bytes
) -> None:
    memory = memory_with_ram()
    for granule in tagged:
        memory.write_tag(BASE + 16 * granule, 1)
    memory.write_bytes(BASE + start, data)
    touched = set(range(start // 16, (start + len(data) - 1) // 16 + 1))
    left = {(a - BASE) // 16 for a in memory.tagged_granules(BASE, 8192)}
    assert left == tagged - touched
    saved = memory.save_tags(BASE, 8192)
    other = memory_with_ram()
    other.restore_tags(BASE, 8192, saved)
    assert set(other.tagged_granules(BASE, 8192)) == set(memory.tagged_granules(BASE, 8192))


def test_code_writes_are_reported() -> None:
    """Only writes to 64-byte lines with code count."""
    memory = memory_with_ram()
    calls: list[int] = []
    memory.on_code_write = lambda: calls.append(1)
    memory.code_lines[BASE >> 12] = 1 << 63 | 1 << 2
    for address, size in ((BASE + 4096, 1), (BASE, 128), (BASE + 192, 3840)):
        memory.write_bytes(address, bytes(size))
    assert not calls
    memory.write(BASE + 4092, 4, 0)
    memory.write_bytes(BASE + 120, bytes(9))
    memory.write_bytes(BASE, bytes(1 << 14))
    assert len(calls) == 3


def test_memory_console_round_trip() -> None:
    console = MemoryConsole()
    received: list[bytes] = []
    console.listen(received.append)
    console.feed(b"in")
    console.write(b"out")
    assert received == [b"in"] and console.output == b"out"

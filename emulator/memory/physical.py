"""Physical memory of a machine: RAM regions with tag memory, and windows of devices.

RAM is an anonymous, lazily committed mapping of the host (data) and a second one for tags, so that 4 GiB of
RAM cost nothing until they are touched. A tag is a byte, 0 or 1, for each 16-byte granule. Tags can only be
set by a capability store: every other write, DMA included, clears the tag of each granule that it touches.

    memory = PhysicalMemory()
    memory.add_ram("ram", 0x8000_0000, 1 << 30)
    memory.write(0x8000_0000, 8, 0x1234)

Raises `BusError` for an address where nothing answers and for a device access of a width that the
device does not have; the MMU turns it into a synchronous external abort.
"""

from __future__ import annotations

import mmap
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Protocol

GRANULE_BYTES = 16
PAGE_BYTES = 4096
_MAP_NORESERVE = 0x4000 if not hasattr(mmap, "MAP_NORESERVE") else mmap.MAP_NORESERVE


class BusError(Exception):
    """Nothing answers at physical address `address` (bytes), or not with an access of `size` bytes."""

    def __init__(self, address: int, size: int, reason: str) -> None:
        super().__init__(f"{reason} at physical address {address:#x} ({size} bytes)")
        self.address = address
        self.size = size
        self.reason = reason


class MmioDevice(Protocol):
    """Register interface of a device: offsets in bytes from its base, sizes 1, 2, 4 or 8 bytes.

    Both functions may raise `BusError`; they never raise anything else, whatever the guest writes.
    """

    def read(self, offset: int, size: int) -> int: ...

    def write(self, offset: int, size: int, value: int) -> None: ...


def _anonymous(size: int) -> mmap.mmap:
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE)


class RamRegion:
    """`size` bytes of RAM at physical address `base`; both are multiples of 4096 bytes.

    `place` and `tag_place` are where engines know its data and its tags (`DirectMemory`).
    """

    __slots__ = (
        "base", "bytes", "data", "limit", "name", "place", "size", "tag_bytes", "tag_place", "tags",
        "writable",
    )  # fmt: skip

    def __init__(
        self, name: str, base: int, size: int, writable: bool = True, place: int = 0, tag_place: int = 0
    ) -> None:
        if base % PAGE_BYTES or size % PAGE_BYTES or size <= 0:
            raise ValueError(f"RAM region {name}: base and size must be multiples of {PAGE_BYTES} bytes")
        self.name = name
        self.base = base
        self.size = size
        self.limit = base + size
        self.place = place
        self.tag_place = tag_place
        self.writable = writable
        self.data = _anonymous(size)
        self.tags = _anonymous(size // GRANULE_BYTES + PAGE_BYTES - 1 & -PAGE_BYTES)
        self.bytes = memoryview(self.data)
        self.tag_bytes = memoryview(self.tags)

    def clear_tags(self, start: int, size: int) -> None:
        """`size` bytes at offset `start` were overwritten: the tags of their granules go."""
        first, limit = start // GRANULE_BYTES, (start + size - 1) // GRANULE_BYTES + 1
        if self.tags.find(b"\x01", first, limit) >= 0:
            self.tags[first:limit] = bytes(limit - first)


class DeviceWindow:
    """`size` bytes of physical addresses from `base` answered by `device`."""

    __slots__ = ("base", "device", "limit", "name", "size")

    def __init__(self, name: str, base: int, size: int, device: MmioDevice) -> None:
        self.name = name
        self.base = base
        self.size = size
        self.limit = base + size
        self.device = device


class PhysicalMemory:
    """All RAM and device windows of one machine, found by physical address.

    `code_lines` tells from where instructions were fetched: by page number (address >> 12) a mask of 64-byte
    lines. A write to one of them, also by a device, calls `on_code_write`.
    """

    def __init__(self) -> None:
        self._regions: list[RamRegion | DeviceWindow] = []
        self._bases: list[int] = []
        self._placed = self._tags_placed = 0
        self.tagged = False
        """A tag was set some time."""
        self.code_lines: dict[int, int] = {}
        self.on_code_write: Callable[[], None] | None = None

    @property
    def ram(self) -> list[RamRegion]:
        """RAM regions in ascending order of address."""
        return [r for r in self._regions if isinstance(r, RamRegion)]

    @property
    def devices(self) -> list[DeviceWindow]:
        """Device windows in ascending order of address."""
        return [r for r in self._regions if isinstance(r, DeviceWindow)]

    def add_ram(self, name: str, base: int, size: int, writable: bool = True) -> RamRegion:
        """Adds RAM of `size` bytes at `base`. Raises ValueError if it overlaps something."""
        region = RamRegion(name, base, size, writable, self._placed, self._tags_placed)
        self._insert(region)
        self._placed += size
        self._tags_placed += len(region.tags)
        return region

    def add_device(self, name: str, base: int, size: int, device: MmioDevice) -> DeviceWindow:
        """Lets `device` answer `size` bytes at `base`. Raises ValueError if it overlaps something."""
        window = DeviceWindow(name, base, size, device)
        self._insert(window)
        return window

    def _insert(self, region: RamRegion | DeviceWindow) -> None:
        index = bisect_right(self._bases, region.base)
        for other in self._regions[max(index - 1, 0) : index + 1]:
            if region.base < other.limit and other.base < region.limit:
                raise ValueError(f"{region.name} at {region.base:#x} overlaps {other.name}")
        self._regions.insert(index, region)
        self._bases.insert(index, region.base)

    def find(self, address: int) -> RamRegion | DeviceWindow | None:
        """The region that answers physical address `address`, or None."""
        index = bisect_right(self._bases, address) - 1
        if index >= 0:
            region = self._regions[index]
            if address < region.limit:
                return region
        return None

    def ram_at(self, address: int, size: int) -> RamRegion:
        """The RAM region with `size` bytes from `address`. Raises BusError if it is not all RAM."""
        region = self.find(address)
        if not isinstance(region, RamRegion) or address + size > region.limit:
            raise BusError(address, size, "no memory")
        return region

    # -- single accesses (the slow path of the MMU, page table walks, devices) ------------------------

    def read(self, address: int, size: int) -> int:
        """Little-endian value of `size` bytes at a physical address. Raises BusError."""
        region = self.find(address)
        if isinstance(region, RamRegion) and address + size <= region.limit:
            start = address - region.base
            return int.from_bytes(region.data[start : start + size], "little")
        if isinstance(region, DeviceWindow):
            if size > 8 or address + size > region.limit:
                raise BusError(address, size, f"device {region.name} has no access of this size")
            return region.device.read(address - region.base, size) & ((1 << 8 * size) - 1)
        raise BusError(address, size, "no memory or device")

    def write(self, address: int, size: int, value: int) -> None:
        """Writes `size` bytes, clearing the tags of the granules touched. Raises BusError."""
        region = self.find(address)
        if isinstance(region, RamRegion) and address + size <= region.limit:
            if not region.writable:
                raise BusError(address, size, f"{region.name} is read-only")
            start = address - region.base
            region.data[start : start + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")
            region.clear_tags(start, size)
            self._written(address, size)
        elif isinstance(region, DeviceWindow):
            if size > 8 or address + size > region.limit:
                raise BusError(address, size, f"device {region.name} has no access of this size")
            region.device.write(address - region.base, size, value)
        else:
            raise BusError(address, size, "no memory or device")

    def read_tag(self, address: int) -> int:
        """Tag (0 or 1) of the granule at `address`; device windows have no tags."""
        region = self.find(address)
        return region.tags[(address - region.base) // GRANULE_BYTES] if isinstance(region, RamRegion) else 0

    def write_tag(self, address: int, tag: int) -> None:
        """Sets the tag of the granule at `address`; without effect outside RAM."""
        region = self.find(address)
        if isinstance(region, RamRegion):
            region.tags[(address - region.base) // GRANULE_BYTES] = tag
            self.tagged = self.tagged or bool(tag)

    # -- blocks (image loading, DMA) ------------------------------------------------------------------

    def read_bytes(self, address: int, size: int) -> bytes:
        """`size` bytes of RAM; raises BusError if they are not all in one RAM region."""
        if size == 0:
            return b""
        region = self.ram_at(address, size)
        start = address - region.base
        return region.data[start : start + size]

    def write_bytes(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Stores a block in RAM as a DMA master does: tags of all touched granules become 0."""
        size = len(data)
        if size == 0:
            return
        region = self.ram_at(address, size)
        start = address - region.base
        region.data[start : start + size] = bytes(data)
        region.clear_tags(start, size)
        self._written(address, size)

    def _written(self, address: int, size: int) -> None:
        """Tells the engine when code may have changed."""
        if self.code_lines and self.on_code_write is not None and self.has_code(address, size):
            self.on_code_write()

    def has_code(self, address: int, size: int) -> bool:
        """Whether instructions were fetched from one of the 64-byte lines of [address, address+size)."""
        lines = self.code_lines
        last = address + size - 1
        for page in range(address >> 12, (last >> 12) + 1):
            mask = lines.get(page, 0)
            if mask:
                low = address >> 6 & 63 if page == address >> 12 else 0
                high = last >> 6 & 63 if page == last >> 12 else 63
                if mask >> low & ((1 << high - low + 1) - 1):
                    return True
        return False

    # -- tags for the user ----------------------------------------------------------------------------

    def tagged_granules(self, address: int, size: int) -> Iterator[int]:
        """Addresses of the tagged granules in [address, address+size), ascending, RAM only."""
        end = address + size
        for region in self.ram:
            low, high = max(address, region.base), min(end, region.limit)
            position = (low - region.base) // GRANULE_BYTES
            stop = (high - region.base + GRANULE_BYTES - 1) // GRANULE_BYTES
            while low < high:
                position = region.tags.find(b"\x01", position, stop)
                if position < 0:
                    break
                yield region.base + position * GRANULE_BYTES
                position += 1

    def save_tags(self, address: int, size: int) -> bytes:
        """One bit per granule of [address, address+size), least significant first, for a snapshot."""
        count = (size + GRANULE_BYTES - 1) // GRANULE_BYTES
        bits = bytearray((count + 7) // 8)
        for granule in self.tagged_granules(address, size):
            index = (granule - address) // GRANULE_BYTES
            bits[index >> 3] |= 1 << (index & 7)
        return bytes(bits)

    def restore_tags(self, address: int, size: int, bits: bytes) -> None:
        """The inverse of `save_tags` for the same range."""
        for index in range((size + GRANULE_BYTES - 1) // GRANULE_BYTES):
            self.write_tag(address + index * GRANULE_BYTES, bits[index >> 3] >> (index & 7) & 1)

    def close(self) -> None:
        """Forgets all regions; the host memory goes back when the last view of it is gone."""
        self._regions.clear()
        self._bases.clear()

"""Virtio over MMIO (Virtio 1.2, section 4.2): the transport and split virtqueues, for all virtio devices.

`VirtioMmio` is the register frame, modern (version 2) or legacy (version 1); a device gives it a `Backend`.
What a guest writes into rings may be nonsense: a broken queue sets DEVICE_NEEDS_RESET and stops.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from emulator.board.devices.base import Services
from emulator.memory.physical import BusError, PhysicalMemory

MAGIC = 0x7472_6976
VENDOR = 0x4D4F_524C
FEATURE_VERSION_1 = 1 << 32
_STATUS_NEEDS_RESET = 0x40
_STATUS_DRIVER_OK = 4
_DESC_NEXT, _DESC_WRITE, _DESC_INDIRECT = 1, 2, 4
_MAX_QUEUE = 256
_MAX_CHAIN_BYTES = 1 << 26
_CONFIG = 0x100


class QueueError(Exception):
    """The driver's ring is inconsistent."""


@dataclass(slots=True)
class Queue:
    """One split virtqueue: guest physical addresses of its three parts."""

    size: int = 0
    ready: bool = False
    descriptors: int = 0
    available: int = 0
    used: int = 0
    page: int = 0
    align: int = 4096
    next_available: int = 0


@dataclass(frozen=True, slots=True)
class Chain:
    """One request: `readable` and `writable` are (address, bytes) of buffers in guest memory."""

    head: int
    readable: list[tuple[int, int]] = field(default_factory=list)
    writable: list[tuple[int, int]] = field(default_factory=list)

    def gather(self, memory: PhysicalMemory) -> bytes:
        """All bytes of the readable buffers. Raises BusError."""
        return b"".join(memory.read_bytes(address, size) for address, size in self.readable)

    def scatter(self, memory: PhysicalMemory, data: bytes) -> int:
        """Stores `data` into the writable buffers; bytes stored. Raises BusError."""
        done = 0
        for address, size in self.writable:
            part = data[done : done + size]
            if not part:
                break
            memory.write_bytes(address, part)
            done += len(part)
        return done

    @property
    def capacity(self) -> int:
        """Bytes that the writable buffers can take."""
        return sum(size for _, size in self.writable)


class Backend(Protocol):
    """What makes a virtio device: its type, features, configuration space, and what it does."""

    device_id: int
    features: int
    queues: int

    def config(self) -> bytes:
        """The configuration space as the driver reads it."""

    def notified(self, queue: int) -> None:
        """The driver put something into a queue."""


class VirtioMmio:
    """The register frame. Backends take requests with `pop` and give them back with `push`."""

    def __init__(self, services: Services, legacy: bool) -> None:
        self.services = services
        self.backend: Backend | None = None
        self._legacy = legacy
        self._queues: list[Queue] = []
        self._status = 0
        self._interrupt = 0
        self._feature_select = self._driver_feature_select = self._queue_select = 0
        self._driver_features = 0
        self._page_size = 4096

    def attach(self, backend: Backend) -> None:
        """Connects the device's behaviour."""
        self.backend = backend
        self._reset()

    def _reset(self) -> None:
        count = self.backend.queues if self.backend is not None else 0
        self._queues = [Queue() for _ in range(count)]
        self._status = self._interrupt = self._driver_features = 0
        self.services.interrupt(False)

    # -- queues ---------------------------------------------------------------------------------------

    def pop(self, number: int) -> Chain | None:
        """The next request of a queue, or None. A broken ring stops the device."""
        if not self._status & _STATUS_DRIVER_OK or self._status & _STATUS_NEEDS_RESET:
            return None
        queue = self._queues[number]
        if not queue.ready or not queue.size:
            return None
        try:
            return self._next_chain(queue)
        except (QueueError, BusError) as error:
            self.fail(str(error))
            return None

    def _next_chain(self, queue: Queue) -> Chain | None:
        memory = self.services.memory
        (index,) = struct.unpack("<H", memory.read_bytes(queue.available + 2, 2))
        if index == queue.next_available:
            return None
        slot = queue.available + 4 + 2 * (queue.next_available % queue.size)
        (head,) = struct.unpack("<H", memory.read_bytes(slot, 2))
        chain = Chain(head)
        number, total = head, 0
        for _ in range(queue.size):
            if number >= queue.size:
                raise QueueError(f"descriptor {number} in a queue of {queue.size}")
            raw = memory.read_bytes(queue.descriptors + 16 * number, 16)
            address, size, flags, following = struct.unpack("<QIHH", raw)
            total += size
            if flags & _DESC_INDIRECT or total > _MAX_CHAIN_BYTES:
                raise QueueError("indirect or oversized descriptor")
            (chain.writable if flags & _DESC_WRITE else chain.readable).append((address, size))
            if not flags & _DESC_NEXT:
                queue.next_available = (queue.next_available + 1) & 0xFFFF
                return chain
            number = following
        raise QueueError("descriptor chain without an end")

    def push(self, number: int, chain: Chain, written: int) -> None:
        """Returns a request with the count of bytes written to it, and interrupts the driver."""
        queue = self._queues[number]
        memory = self.services.memory
        try:
            flags, index = struct.unpack("<HH", memory.read_bytes(queue.used, 4))
            del flags
            slot = queue.used + 4 + 8 * (index % queue.size)
            memory.write_bytes(slot, struct.pack("<II", chain.head, written))
            memory.write_bytes(queue.used + 2, struct.pack("<H", (index + 1) & 0xFFFF))
            (quiet,) = struct.unpack("<H", memory.read_bytes(queue.available, 2))
        except BusError as error:
            self.fail(str(error))
            return
        if not quiet & 1:
            self._interrupt |= 1
            self.services.interrupt(True)

    def fail(self, reason: str) -> None:
        """The driver did something senseless: the device waits for a reset."""
        self._status |= _STATUS_NEEDS_RESET
        self._interrupt |= 2
        self.services.interrupt(True)
        if self.services.trace is not None:
            self.services.trace(f"virtio: device stopped: {reason}")

    # -- registers ------------------------------------------------------------------------------------

    def read(self, offset: int, size: int) -> int:
        """Registers are 32 bits wide; the configuration space takes any width."""
        assert self.backend is not None
        if offset >= _CONFIG:
            config = self.backend.config()[offset - _CONFIG : offset - _CONFIG + size]
            return int.from_bytes(config, "little")
        if size != 4:
            raise BusError(offset, size, "virtio register of another width")
        reader = self._readers().get(offset)
        return reader() if reader is not None else 0

    def _readers(self) -> dict[int, Callable[[], int]]:
        backend = self.backend
        assert backend is not None
        features = backend.features | (0 if self._legacy else FEATURE_VERSION_1)
        queue = self._queue()
        return {
            0x000: lambda: MAGIC,
            0x004: lambda: 1 if self._legacy else 2,
            0x008: lambda: backend.device_id,
            0x00C: lambda: VENDOR,
            0x010: lambda: features >> 32 * (self._feature_select & 1) & 0xFFFF_FFFF,
            0x034: lambda: _MAX_QUEUE if queue is not None else 0,
            0x040: lambda: queue.page if queue is not None else 0,
            0x044: lambda: int(queue.ready) if queue is not None else 0,
            0x060: lambda: self._interrupt,
            0x070: lambda: self._status,
        }

    def _queue(self) -> Queue | None:
        return self._queues[self._queue_select] if self._queue_select < len(self._queues) else None

    def write(self, offset: int, size: int, value: int) -> None:
        """Registers are 32 bits wide; writes to the configuration space are ignored."""
        if offset >= _CONFIG:
            return
        if size != 4:
            raise BusError(offset, size, "virtio register of another width")
        if offset == 0x014:
            self._feature_select = value
        elif offset == 0x020:
            shift = 32 * (self._driver_feature_select & 1)
            self._driver_features &= ~(0xFFFF_FFFF << shift)
            self._driver_features |= value << shift
        elif offset == 0x024:
            self._driver_feature_select = value
        elif offset == 0x028:
            self._page_size = value
        elif offset == 0x030:
            self._queue_select = value
        elif offset == 0x050:
            if self.backend is not None and value < len(self._queues):
                self.backend.notified(value)
        elif offset == 0x064:
            self._interrupt &= ~value
            self.services.interrupt(bool(self._interrupt))
        elif offset == 0x070:
            self._set_status(value)
        else:
            queue = self._queue()
            if queue is not None:
                self._write_queue(queue, offset, value)

    def _set_status(self, value: int) -> None:
        if value == 0:
            self._reset()
        else:
            self._status = value & 0xFF | self._status & _STATUS_NEEDS_RESET

    def _write_queue(self, queue: Queue, offset: int, value: int) -> None:
        if offset == 0x038:
            queue.size = value if 0 < value <= _MAX_QUEUE else 0
        elif offset == 0x03C:
            queue.align = value if value and not value & (value - 1) else 4096
        elif offset == 0x040 and self._legacy:
            self._legacy_layout(queue, value)
        elif offset == 0x044 and not self._legacy:
            queue.ready = bool(value & 1)
        elif offset in _ADDRESS_REGISTERS:
            name, shift = _ADDRESS_REGISTERS[offset]
            old: int = getattr(queue, name)
            setattr(queue, name, old & ~(0xFFFF_FFFF << shift) | value << shift)

    def _legacy_layout(self, queue: Queue, page: int) -> None:
        """QueuePFN: the three parts follow one another (Virtio 1.2, section 2.7.2)."""
        queue.page = page
        queue.ready = page != 0
        queue.descriptors = page * self._page_size
        queue.available = queue.descriptors + 16 * queue.size
        end = queue.available + 6 + 2 * queue.size
        queue.used = (end + queue.align - 1) // queue.align * queue.align
        queue.next_available = 0


_ADDRESS_REGISTERS = {
    0x080: ("descriptors", 0),
    0x084: ("descriptors", 32),
    0x090: ("available", 0),
    0x094: ("available", 32),
    0x0A0: ("used", 0),
    0x0A4: ("used", 32),
}

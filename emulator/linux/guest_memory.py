"""A process's address space as the loader sees it (`loader.loaded.GuestMemory`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.faults import MemoryAbort
from emulator.linux.sys_memory import find_place, owns
from emulator.memory.address_space import Area, Prot
from loader.elf_constants import PF_R, PF_W, PF_X
from loader.loaded import PAGE, GuestMemoryError
from morello_isa.capability import Capability

if TYPE_CHECKING:
    from emulator.linux.process import Process


def _prot(flags: int) -> Prot:
    return Prot(
        (Prot.READ if flags & PF_R else 0)
        | (Prot.WRITE if flags & PF_W else 0)
        | (Prot.EXEC if flags & PF_X else 0)
    )


class ProcessMemory:
    """Loads objects into `process`; areas are named after `name` in /proc/self/maps."""

    def __init__(self, process: Process, name: str = "[loader]") -> None:
        self._process = process
        self.name = name

    def reserve(self, size: int, alignment: int, address: int | None) -> int:
        """Set aside `size` bytes; SyscallError ENOMEM when there is no room."""
        process = self._process
        start = find_place(process, size, max(alignment, PAGE), 0) if address is None else address
        if owns(process):
            process.reservations[start] = size
        return start

    def map(self, address: int, size: int, flags: int) -> None:
        """Make pages usable, zero-filled."""
        self._process.space.map(Area(address, address + size, _prot(flags), self.name))

    def protect(self, address: int, size: int, flags: int) -> None:
        """Change the protection of mapped pages."""
        self._process.space.protect(address, address + size, _prot(flags))

    def release(self, address: int, size: int) -> None:
        """Give a reservation back."""
        self._process.space.unmap(address, address + size)
        self._process.reservations.pop(address, None)

    def read(self, address: int, size: int) -> bytes:
        """Bytes of mapped memory."""
        try:
            return self._process.space.peek(address, size)
        except MemoryAbort:
            raise GuestMemoryError(f"{address:#x}") from None

    def write(self, address: int, data: bytes) -> None:
        """Store bytes, clearing tags."""
        try:
            self._process.space.poke(address, data)
        except MemoryAbort:
            raise GuestMemoryError(f"{address:#x}") from None

    def read_capability(self, address: int) -> Capability:
        """A capability with its tag."""
        try:
            hi, lo, tag = self._process.space.peek_cap(address)
        except MemoryAbort:
            raise GuestMemoryError(f"{address:#x}") from None
        return Capability(tag, hi, lo)

    def write_capability(self, address: int, capability: Capability) -> None:
        """Store a capability with its tag."""
        try:
            self._process.space.poke_cap(address, capability.hi, capability.value, capability.tag)
        except MemoryAbort:
            raise GuestMemoryError(f"{address:#x}") from None

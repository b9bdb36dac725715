"""The kernel's access to user memory, through the capabilities that the caller passed.

Every access of the purecap ABI is checked as the kernel's own load or store through that capability would
be: tag, seal, permission, bounds of the range accessed; then the pages. Any violation is EFAULT, never a
signal (facts/abi/pcuabi_linux.md section 6). In compat64 a pointer is an address and only pages are checked.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from emulator.faults import MemoryAbort
from emulator.linux.abi import USER_TOP, Abi, Layout
from emulator.linux.errors import Errno, SyscallError
from emulator.memory.address_space import ADDRESS_MASK, AddressSpace
from emulator.memory.interface import Access
from morello_isa.capability import CAP_MAX, CAP_NULL, MASK64, Capability
from morello_isa.permissions import Perm

USER_ROOT = CAP_MAX.set_bounds(USER_TOP, exact=True).clear_permissions(
    Perm.SEAL | Perm.UNSEAL | Perm.COMPARTMENT_ID | Perm.USER1 | Perm.USER2 | Perm.USER3
)
"""All permissions of user space, bounds of the whole user address space."""

IOV_MAX = 1024
RW_MAX = 0x7FFF_F000
"""Largest count of one read or write, as Linux caps it."""

WRITE_CHUNK = 1 << 24
"""Most that one write takes (bytes); Linux may also take less than was offered."""

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_S64X2 = struct.Struct("<qq")


class UserMemory:
    """One process's memory as system calls see it."""

    def __init__(self, space: AddressSpace, abi: Abi) -> None:
        self.space = space
        self.abi = abi

    # -- checks ---------------------------------------------------------------------------------------

    def _authorise(self, pointer: Capability, size: int, permission: int) -> int:
        """The address, after the capability checks for `size` bytes."""
        address = pointer.value & ADDRESS_MASK
        if self.abi.is_purecap and not (
            pointer.tag
            and not pointer.is_sealed
            and pointer.has(permission)
            and pointer.in_bounds(address, size)
        ):
            raise SyscallError(Errno.EFAULT)
        return address

    def check(self, pointer: Capability, size: int, write: bool) -> None:
        """EFAULT unless the whole range may be accessed."""
        address = self._authorise(pointer, size, Perm.STORE if write else Perm.LOAD)
        try:
            if size:
                self.space.check(address, size, write, Access.NORMAL)
        except MemoryAbort:
            raise SyscallError(Errno.EFAULT) from None

    def check_bounds(self, pointer: Capability, size: int, write: bool) -> None:
        """EFAULT unless the capability covers the range (pages are not looked at)."""
        self._authorise(pointer, size, Perm.STORE if write else Perm.LOAD)

    # -- data -----------------------------------------------------------------------------------------

    def read(self, pointer: Capability, size: int) -> bytes:
        """copy_from_user."""
        address = self._authorise(pointer, size, Perm.LOAD)
        try:
            return self.space.read_bytes(address, size)
        except MemoryAbort:
            raise SyscallError(Errno.EFAULT) from None

    def read_some(self, pointer: Capability, size: int) -> bytes:
        """What write() takes of a buffer: all of it, or the part before the first unmapped page."""
        address = self._authorise(pointer, size, Perm.LOAD)
        size = min(size, WRITE_CHUNK)
        try:
            return self.space.read_bytes(address, size)
        except MemoryAbort as abort:
            if abort.address <= address:
                raise SyscallError(Errno.EFAULT) from None
            return self.space.read_bytes(address, abort.address - address)

    def write(self, pointer: Capability, data: bytes) -> None:
        """copy_to_user; tags of the granules touched are cleared."""
        address = self._authorise(pointer, len(data), Perm.STORE)
        try:
            self.space.write_bytes(address, data)
        except MemoryAbort:
            raise SyscallError(Errno.EFAULT) from None

    def read_u32(self, pointer: Capability) -> int:
        """An unsigned 32-bit integer."""
        return int(_U32.unpack(self.read(pointer, 4))[0])

    def read_u64(self, pointer: Capability) -> int:
        """An unsigned 64-bit integer."""
        return int(_U64.unpack(self.read(pointer, 8))[0])

    def write_u32(self, pointer: Capability, value: int) -> None:
        """A 32-bit integer."""
        self.write(pointer, _U32.pack(value & 0xFFFF_FFFF))

    def write_u64(self, pointer: Capability, value: int) -> None:
        """A 64-bit integer."""
        self.write(pointer, _U64.pack(value & MASK64))

    def read_timespec(self, pointer: Capability) -> int:
        """struct timespec in nanoseconds; EINVAL for a malformed one."""
        seconds, nanoseconds = _S64X2.unpack(self.read(pointer, 16))
        if seconds < 0 or not 0 <= nanoseconds < 1_000_000_000:
            raise SyscallError(Errno.EINVAL)
        return int(seconds * 1_000_000_000 + nanoseconds)

    def write_timespec(self, pointer: Capability, value: int) -> None:
        """Nanoseconds as a struct timespec."""
        self.write(pointer, _S64X2.pack(value // 1_000_000_000, value % 1_000_000_000))

    def string(self, pointer: Capability, limit: int = 4096) -> bytes:
        """A NUL-terminated string of less than `limit` bytes; ENAMETOOLONG if it is longer."""
        data = bytearray()
        address = pointer.value & ADDRESS_MASK
        while len(data) < limit:
            room = min(64 - (address & 63), limit - len(data))
            if self.abi.is_purecap and pointer.tag:
                room = max(min(room, pointer.limit - address), 1)
            chunk = self.read(pointer.add(len(data)), room)
            end = chunk.find(0)
            if end >= 0:
                return bytes(data + chunk[:end])
            data += chunk
            address += room
        raise SyscallError(Errno.ENAMETOOLONG)

    def path(self, pointer: Capability) -> str:
        """A path; bytes that are not UTF-8 survive as surrogates."""
        return self.string(pointer).decode(errors="surrogateescape")

    # -- pointers and structures ------------------------------------------------------------------------

    def is_null(self, pointer: Capability) -> bool:
        """The null pointer, which many calls give a meaning of its own."""
        return pointer.value == 0 and not (self.abi.is_purecap and pointer.tag)

    def pointer_at(self, address: int) -> Capability:
        """What a pointer register or slot with this address means in compat64."""
        return USER_ROOT.set_value(address) if address else CAP_NULL

    def read_pointer(self, pointer: Capability) -> Capability:
        """A pointer stored in user memory, with its tag (purecap: also limited by LoadCap and Mutable)."""
        if not self.abi.is_purecap:
            return self.pointer_at(self.read_u64(pointer))
        address = self._authorise(pointer, 16, Perm.LOAD)
        if address % 16:
            return Capability.from_bytes(self.read(pointer, 16), False)
        try:
            hi, lo, tag = self.space.read_cap(address, Access.NORMAL)
        except MemoryAbort:
            raise SyscallError(Errno.EFAULT) from None
        area = self.space.area(address)
        keeps_tag = pointer.has(Perm.LOAD_CAP) and area is not None and area.shared is None
        loaded = Capability(tag and keeps_tag, hi, lo)
        if loaded.tag and not loaded.is_sealed and not pointer.has(Perm.MUTABLE_LOAD):
            loaded = loaded.clear_permissions(
                Perm.STORE | Perm.STORE_CAP | Perm.STORE_LOCAL_CAP | Perm.MUTABLE_LOAD
            )
        return loaded

    def write_pointer(self, pointer: Capability, value: Capability) -> None:
        """Store a pointer; purecap: with its tag, where capability, page and alignment allow it."""
        if not self.abi.is_purecap:
            self.write_u64(pointer, value.value)
            return
        permission = Perm.STORE
        if value.tag:
            permission |= Perm.STORE_CAP
            if not value.has(Perm.GLOBAL):
                permission |= Perm.STORE_LOCAL_CAP
        address = self._authorise(pointer, 16, permission)
        if address % 16:
            self.write(pointer, value.to_bytes())
            return
        try:
            self.space.write_cap(address, value.hi, value.value, value.tag, Access.NORMAL)
        except MemoryAbort:
            raise SyscallError(Errno.EFAULT) from None

    def load(self, pointer: Capability, layout: Layout) -> Record:
        """Read a structure. Unaligned pointers inside it are loaded without tag."""
        return self.load_prefix(pointer, layout, layout.size)

    def load_prefix(self, pointer: Capability, layout: Layout, size: int) -> Record:
        """Read the first `size` bytes of a structure; missing fields are zero and null."""
        data = self.read(pointer, size).ljust(layout.size, b"\0")
        integers = {name: packer.unpack_from(data, offset)[0] for name, offset, packer in layout.integers}
        pointers = {
            name: self.read_pointer(pointer.add(offset)) if offset < size else CAP_NULL
            for name, offset in layout.pointers
        }
        return Record(integers, pointers)

    def store(self, pointer: Capability, layout: Layout, values: dict[str, int | Capability]) -> None:
        """Write a structure; fields without a value are zero."""
        data = bytearray(layout.size)
        for name, offset, packer in layout.integers:
            value = values.get(name, 0)
            bits = 8 * packer.size
            number = (value if isinstance(value, int) else value.value) & ((1 << bits) - 1)
            data[offset : offset + packer.size] = number.to_bytes(packer.size, "little")
        self.write(pointer, bytes(data))
        for name, offset in layout.pointers:
            value = values.get(name, CAP_NULL)
            self.write_pointer(
                pointer.add(offset), value if isinstance(value, Capability) else Capability.from_int(value)
            )

    def iovec(self, pointer: Capability, count: int) -> list[tuple[Capability, int]]:
        """The (base, length) pairs of an iovec array; EINVAL as Linux says for bad counts and lengths."""
        if not 0 <= count <= IOV_MAX:
            raise SyscallError(Errno.EINVAL)
        layout = self.abi.iovec
        vectors = []
        room = RW_MAX
        for index in range(count):
            record = self.load(pointer.add(index * layout.size), layout)
            length = record.integer("len")
            if length >= 1 << 63:
                raise SyscallError(Errno.EINVAL)
            length = min(length, room)
            room -= length
            vectors.append((record.pointer("base"), length))
        return vectors

    def gather(self, vectors: Sequence[tuple[Capability, int]]) -> bytes:
        """The bytes that an iovec array names."""
        return b"".join(self.read(base, length) for base, length in vectors if length)

    def scatter(self, vectors: Sequence[tuple[Capability, int]], data: bytes) -> None:
        """Distribute `data` over an iovec array."""
        position = 0
        for base, length in vectors:
            part = data[position : position + length]
            if not part:
                break
            self.write(base, part)
            position += len(part)


class Record:
    """Values of a structure that was read."""

    def __init__(self, integers: dict[str, int], pointers: dict[str, Capability]) -> None:
        self._integers = integers
        self._pointers = pointers

    def integer(self, name: str) -> int:
        """An integer field."""
        return self._integers[name]

    def pointer(self, name: str) -> Capability:
        """A pointer field."""
        return self._pointers[name]

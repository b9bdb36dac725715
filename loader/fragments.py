"""The 16 bytes a linker leaves in the place of a capability relocation (aaelf64-morello, "Fragments").

`|address 64|length 56|permission code 8|`, little-endian: what RELATIVE, IRELATIVE, JUMP_SLOT (and, from
lld, GLOB_DAT and CAPINIT) tell a loader. `CapReloc` is the 40-byte record of the older static format.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from morello_isa.permissions import PERM_ALL

PERM_READ_ONLY = 1
PERM_READ_WRITE = 2
PERM_EXECUTABLE = 4

PERMISSION_NAMES = {0: "none", PERM_READ_ONLY: "ro", PERM_READ_WRITE: "rw", PERM_EXECUTABLE: "exec"}

MAX_LENGTH = (1 << 56) - 1
SIZE = 16


@dataclass(frozen=True, slots=True)
class Fragment:
    """Lower bound and length (bytes, unbiased) of what a capability may reach, and its permission code."""

    address: int
    length: int
    permission: int

    @classmethod
    def unpack(cls, data: bytes) -> Fragment:
        """From the 16 bytes of the place."""
        address, second = struct.unpack_from("<QQ", data)
        return cls(address, second & MAX_LENGTH, second >> 56)

    def pack(self) -> bytes:
        """The 16 bytes of the place. Raises ValueError when the length needs more than 56 bits."""
        if not 0 <= self.length <= MAX_LENGTH:
            raise ValueError(f"length {self.length:#x} needs more than 56 bits")
        return struct.pack("<QQ", self.address & (1 << 64) - 1, self.permission << 56 | self.length)

    @property
    def is_executable(self) -> bool:
        """Whether the capability is to be derived from the executable root."""
        return self.permission == PERM_EXECUTABLE

    def describe(self) -> str:
        """`[0x1000,0x1010) rw`, for dumps."""
        kind = PERMISSION_NAMES.get(self.permission, f"permission code {self.permission}")
        return f"[{self.address:#x},{self.address + self.length:#x}) {kind}"


# --- __cap_relocs, the static format ---------------------------------------------------------------

CAP_RELOC_EXECUTABLE = 0x8000_0000_0001_3DBC
CAP_RELOC_READ_WRITE = 0x8FBE
CAP_RELOC_READ_ONLY = 0x1BFBE
CAP_RELOC_SIZE = 40

_CAP_RELOC_OF_CODE = {
    PERM_EXECUTABLE: CAP_RELOC_EXECUTABLE,
    PERM_READ_WRITE: CAP_RELOC_READ_WRITE,
    PERM_READ_ONLY: CAP_RELOC_READ_ONLY,
}


@dataclass(frozen=True, slots=True)
class CapReloc:
    """One `struct capdesc` of `__cap_relocs`: addresses and sizes in bytes.

    `permissions` are the bits to remove (17:0); its top bit says: derive from PCC, it is code.
    """

    location: int
    base: int
    offset: int
    size: int
    permissions: int

    @classmethod
    def for_fragment(cls, location: int, fragment: Fragment, offset: int) -> CapReloc:
        """The record that asks for the same capability as RELATIVE with `fragment` and addend `offset`."""
        permissions = _CAP_RELOC_OF_CODE[fragment.permission]
        return cls(location, fragment.address, offset, fragment.length, permissions)

    @classmethod
    def unpack_all(cls, data: bytes) -> Iterator[CapReloc]:
        """Every record of a `__cap_relocs` section."""
        whole = len(data) - len(data) % CAP_RELOC_SIZE
        for fields in struct.iter_unpack("<5Q", data[:whole]):
            yield cls(*fields)

    def pack(self) -> bytes:
        """The 40 bytes."""
        mask = (1 << 64) - 1
        return struct.pack("<5Q", self.location, self.base, self.offset & mask, self.size, self.permissions)

    @property
    def is_executable(self) -> bool:
        """Whether the capability is to be derived from PCC."""
        return bool(self.permissions >> 63)

    @property
    def kept_permissions(self) -> int:
        """The permission word that results, as far as the authority has it."""
        return PERM_ALL & ~self.permissions

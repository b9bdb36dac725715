"""An address space for loader tests: pages with bytes and tags, protections recorded."""

from __future__ import annotations

from loader.capabilities import Roots
from loader.loaded import PAGE, GuestMemoryError
from morello_isa.capability import CAP_MAX, Capability
from morello_isa.errors import UserError
from morello_isa.permissions import Perm

USER_TOP = 1 << 48


def user_root() -> Capability:
    """What a Linux process has: everything but sealing, over the user half of the address space."""
    without = Perm.SEAL | Perm.UNSEAL | Perm.COMPARTMENT_ID
    return CAP_MAX.set_value(0).set_bounds(USER_TOP, exact=True).clear_permissions(without)


ROOTS = Roots(user_root(), user_root())


class FakeMemory:
    def __init__(self, first: int = 0x4000_0000) -> None:
        self.pages: dict[int, bytearray] = {}
        self.flags: dict[int, int] = {}
        self.tags: set[int] = set()
        self.released: list[tuple[int, int]] = []
        self._next = first

    def reserve(self, size, alignment, address):
        assert size % PAGE == 0
        if address is None:
            address = (self._next + alignment - 1) & -alignment
            self._next = address + size + PAGE
        return address

    def map(self, address, size, flags):
        assert address % PAGE == 0 and size % PAGE == 0
        if size > 1 << 26:
            raise UserError("no room")
        for page in range(address, address + size, PAGE):
            self.pages.setdefault(page, bytearray(PAGE))
            self.flags[page] = flags

    def protect(self, address, size, flags):
        for page in range(address, address + size, PAGE):
            assert page in self.pages
            self.flags[page] = flags

    def release(self, address, size):
        self.released.append((address, size))
        for page in range(address, address + size, PAGE):
            self.pages.pop(page, None)

    def _page(self, address):
        page = self.pages.get(address & -PAGE)
        if page is None:
            raise GuestMemoryError(hex(address))
        return page

    def read(self, address, size):
        return bytes(self._page(address + i)[(address + i) % PAGE] for i in range(size))

    def write(self, address, data):
        for i, byte in enumerate(data):
            self._page(address + i)[(address + i) % PAGE] = byte
            self.tags.discard((address + i) & -16)

    def read_capability(self, address):
        assert address % 16 == 0
        return Capability.from_bytes(self.read(address, 16), address in self.tags)

    def write_capability(self, address, capability):
        assert address % 16 == 0
        self.write(address, capability.to_bytes())
        if capability.tag:
            self.tags.add(address)


class FakeCalls:
    """Guest functions by address; every call is recorded."""

    def __init__(self) -> None:
        self.results: dict[int, Capability] = {}
        self.called: list[int] = []

    def call(self, function, _arguments):
        assert function.tag and function.otype == 1
        self.called.append(function.value)
        return self.results.get(function.value, Capability.from_int(0))

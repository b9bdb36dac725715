"""Memory without translation: one flat, fully permitted range from address 0. For benches and tests."""

from __future__ import annotations

from collections.abc import Callable

from emulator.faults import FaultKind, MemoryAbort
from emulator.memory.interface import GRANULE, GRANULES_PER_PAGE, PAGE_SHIFT, PAGE_SIZE, Access, PageWindow


class PlainMemory:
    """`size` bytes (rounded up to whole pages) with tags; outside is a translation fault."""

    def __init__(self, size: int) -> None:
        pages = -(-size // PAGE_SIZE)
        self._data = memoryview(bytearray(pages * PAGE_SIZE))
        self._tags = memoryview(bytearray(pages * GRANULES_PER_PAGE))
        self._code: set[int] = set()
        self.read_pages: dict[int, PageWindow] = {}
        self.write_pages: dict[int, PageWindow] = {}
        self.tagged = False
        self.on_code_change: Callable[[], None] = _nothing
        self.code_spaces = (0, 0)
        for page in range(pages):
            window = PageWindow(
                self._data[page << PAGE_SHIFT : page + 1 << PAGE_SHIFT],
                self._tags[page * GRANULES_PER_PAGE : (page + 1) * GRANULES_PER_PAGE],
            )
            self.read_pages[page] = self.write_pages[page] = window

    def _inside(self, va: int, size: int, is_write: bool) -> None:
        if va + size > len(self._data):
            raise MemoryAbort(FaultKind.TRANSLATION, va, is_write, level=3)

    def read(self, va: int, size: int, access: Access) -> int:  # noqa: ARG002
        """See `Memory.read`."""
        self._inside(va, size, False)
        return int.from_bytes(self._data[va : va + size], "little")

    def write(self, va: int, size: int, value: int, access: Access) -> None:  # noqa: ARG002
        """See `Memory.write`."""
        self._inside(va, size, True)
        self._data[va : va + size] = value.to_bytes(size, "little")
        for granule in range(va // GRANULE, (va + size - 1) // GRANULE + 1):
            self._tags[granule] = 0
        if va >> PAGE_SHIFT in self._code or va + size - 1 >> PAGE_SHIFT in self._code:
            self.on_code_change()

    def read_cap(self, va: int, access: Access) -> tuple[int, int, bool]:
        """See `Memory.read_cap`."""
        bits = self.read(va, GRANULE, access)
        return bits >> 64, bits & 0xFFFF_FFFF_FFFF_FFFF, bool(self._tags[va // GRANULE])

    def write_cap(self, va: int, hi: int, lo: int, tag: bool, access: Access) -> None:
        """See `Memory.write_cap`."""
        self.write(va, GRANULE, hi << 64 | lo, access)
        self._tags[va // GRANULE] = tag
        self.tagged = self.tagged or tag

    def check_tagged_store(self, va: int, tag: bool, access: Access) -> None:  # noqa: ARG002
        """See `Memory.check_tagged_store`."""
        self._inside(va, GRANULE, True)

    def fetch(self, va: int) -> int:
        """See `Memory.fetch`."""
        page = va >> PAGE_SHIFT
        if page not in self._code:
            self._inside(va, 4, False)
            self._code.add(page)
            self.write_pages.pop(page, None)
        return int.from_bytes(self._data[va : va + 4], "little")

    def fetch_ahead(self, va: int) -> int | None:
        """See `Memory.fetch_ahead`."""
        try:
            return self.fetch(va)
        except MemoryAbort:
            return None

    def check(self, va: int, size: int, write: bool, access: Access) -> None:  # noqa: ARG002
        """See `Memory.check`."""
        self._inside(va, size, write)

    def context_changed(self) -> None:
        """There is one translation context."""


def _nothing() -> None:
    return None

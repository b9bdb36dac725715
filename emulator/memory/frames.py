"""Physical memory under address spaces: 4 KiB frames of one buffer, counted references, tags in another.

One pool serves all processes of a machine; an engine that maps the pool's buffers can reach
every process's pages in them. Tags belong to addresses, not to frames: a page of `tags` has one byte, 0 or 1,
for each granule of 64 KiB of an address space, in order.
"""

from __future__ import annotations

from emulator.memory.interface import GRANULES_PER_PAGE, PAGE_SIZE, PageWindow
from emulator.memory.physical import RamRegion

ZERO_PAGE = bytes(PAGE_SIZE)


class OutOfFramesError(Exception):
    """The memory limit is reached."""


class PagePool:
    """Pages of 4096 bytes with counted references, known by their offset in `data` (bytes)."""

    def __init__(self, name: str, limit: int) -> None:
        self.limit = limit = max(limit & ~(PAGE_SIZE - 1), PAGE_SIZE)
        self.data = RamRegion(name, 0, limit).data
        self._references: dict[int, int] = {}
        self._free: list[int] = []
        self._next = 0

    @property
    def in_use(self) -> int:
        """Bytes handed out."""
        return len(self._references) * PAGE_SIZE

    def allocate(self) -> int:
        """A page full of zeros, with one reference. Raises OutOfFramesError."""
        if self._free:
            page = self._free.pop()
            self.data[page : page + PAGE_SIZE] = ZERO_PAGE
        elif self._next < self.limit:
            page = self._next
            self._next += PAGE_SIZE
        else:
            raise OutOfFramesError
        self._references[page] = 1
        return page

    def copy(self, page: int) -> int:
        """A new page with the contents of `page`."""
        other = self.allocate()
        self.data[other : other + PAGE_SIZE] = self.data[page : page + PAGE_SIZE]
        return other

    def retain(self, page: int) -> None:
        """One more user of `page`."""
        self._references[page] += 1

    def release(self, page: int) -> None:
        """One user less; the last one frees the page."""
        left = self._references[page] - 1
        if left:
            self._references[page] = left
        else:
            del self._references[page]
            self._free.append(page)

    def is_shared(self, page: int) -> bool:
        """More than one user."""
        return self._references[page] > 1


class FramePool(PagePool):
    """All frames of one kernel. `limit` bytes is what guests can have in use at a time."""

    def __init__(self, limit: int) -> None:
        super().__init__("process memory", limit)
        # Every process needs its own for the memory that it shares with others.
        self.tags = PagePool("process tags", 4 * self.limit)
        self._view = memoryview(self.data)
        self._tag_view = memoryview(self.tags.data)

    def window(self, frame: int, tags: int, capabilities: bool) -> PageWindow:
        """The engine's view of a frame whose tags are from offset `tags` on."""
        return PageWindow(
            self._view[frame : frame + PAGE_SIZE],
            self._tag_view[tags : tags + GRANULES_PER_PAGE],
            capabilities,
        )

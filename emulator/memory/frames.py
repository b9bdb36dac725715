"""Page frames of process mode: one lazily committed buffer with tags, handed out in 4 KiB frames.

Frames are counted references, so that `fork` and shared mappings share them. A frame is named by its byte
offset in the buffer. The buffer is ordinary host memory, one piece (`FramePool.ram.host_address`), so a
translating engine can reach every process's pages in it.
"""

from __future__ import annotations

from emulator.memory.interface import GRANULE, GRANULES_PER_PAGE, PAGE_SIZE, PageWindow
from emulator.memory.physical import RamRegion

ZERO_PAGE = bytes(PAGE_SIZE)
ZERO_TAGS = bytes(GRANULES_PER_PAGE)


class OutOfFramesError(Exception):
    """The memory limit is reached."""


class FramePool:
    """All frames of one kernel. `limit` bytes is what guests can have in use at a time."""

    def __init__(self, limit: int) -> None:
        limit = max(limit & ~(PAGE_SIZE - 1), PAGE_SIZE)
        self.limit = limit
        self.ram = RamRegion("process memory", 0, limit)
        self._data = memoryview(self.ram.data)
        self._tags = memoryview(self.ram.tags)
        self._references: dict[int, int] = {}
        self._free: list[int] = []
        self._next = 0

    @property
    def in_use(self) -> int:
        """Bytes of frames handed out."""
        return len(self._references) * PAGE_SIZE

    def allocate(self) -> int:
        """A frame full of zeros without tags, with one reference. Raises OutOfFramesError."""
        if self._free:
            frame = self._free.pop()
            self.ram.data[frame : frame + PAGE_SIZE] = ZERO_PAGE
            tag = frame // GRANULE
            self.ram.tags[tag : tag + GRANULES_PER_PAGE] = ZERO_TAGS
        elif self._next < self.limit:
            frame = self._next
            self._next += PAGE_SIZE
        else:
            raise OutOfFramesError
        self._references[frame] = 1
        return frame

    def copy(self, frame: int) -> int:
        """A new frame with the data and tags of `frame`."""
        other = self.allocate()
        data, tags = self.ram.data, self.ram.tags
        data[other : other + PAGE_SIZE] = data[frame : frame + PAGE_SIZE]
        source, target = frame // GRANULE, other // GRANULE
        tags[target : target + GRANULES_PER_PAGE] = tags[source : source + GRANULES_PER_PAGE]
        return other

    def retain(self, frame: int) -> None:
        """One more user of `frame`."""
        self._references[frame] += 1

    def release(self, frame: int) -> None:
        """One user less; the last one frees the frame."""
        left = self._references[frame] - 1
        if left:
            self._references[frame] = left
        else:
            del self._references[frame]
            self._free.append(frame)

    def is_shared(self, frame: int) -> bool:
        """More than one user."""
        return self._references[frame] > 1

    def window(self, frame: int, capabilities: bool) -> PageWindow:
        """The engine's view of a frame."""
        tag = frame // GRANULE
        return PageWindow(
            self._data[frame : frame + PAGE_SIZE], self._tags[tag : tag + GRANULES_PER_PAGE], capabilities
        )

"""Page frames of process mode: one lazily committed buffer with tags, handed out in 4 KiB frames.

Frames are counted references, so that `fork` and shared mappings share them. A frame is named by its byte
offset in the buffer. The buffers are ordinary host memory, one piece each, so a translating engine can reach
every process's pages in them. The tag of a granule is the byte of `tags` at the granule's own offset (the
other 15 bytes stay unused): a page of tags for every page of data, as an engine maps them.
"""

from __future__ import annotations

from emulator.memory.interface import GRANULE, PAGE_SIZE, PageWindow
from emulator.memory.physical import RamRegion

ZERO_PAGE = bytes(PAGE_SIZE)


class OutOfFramesError(Exception):
    """The memory limit is reached."""


class FramePool:
    """All frames of one kernel. `limit` bytes is what guests can have in use at a time."""

    def __init__(self, limit: int) -> None:
        limit = max(limit & ~(PAGE_SIZE - 1), PAGE_SIZE)
        self.limit = limit
        self.ram = RamRegion("process memory", 0, limit)
        self._data = memoryview(self.ram.data)
        self.tags = self.ram.tags
        self._tags = memoryview(self.tags)
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
            self.tags[frame : frame + PAGE_SIZE] = ZERO_PAGE
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
        data, tags = self.ram.data, self.tags
        data[other : other + PAGE_SIZE] = data[frame : frame + PAGE_SIZE]
        tags[other : other + PAGE_SIZE] = tags[frame : frame + PAGE_SIZE]
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
        end = frame + PAGE_SIZE
        return PageWindow(self._data[frame:end], self._tags[frame:end:GRANULE], capabilities)

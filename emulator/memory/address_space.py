"""A process's virtual memory: areas as mmap makes them, and pages that appear when they are touched.

Implements `emulator.memory.interface.Memory`. An `Area` says what a range of addresses means; `_pages` maps
`va >> 12` to the frame that holds a page which has been touched, `_tag_pages` maps `va >> 16` to the page of
the pool's tags for those 64 KiB. A fork shares all private frames until one
side writes (copy on write); shared mappings name a `SharedPages` object instead, which holds the frames.
Private memory keeps tags; shared memory has none: capability loads drop the tag, a store of a tagged
capability aborts with CAP_PAGE (Linux purecap ABI, facts/abi/pcuabi_linux.md section 6.2).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import IntFlag
from typing import Protocol

from emulator.faults import FaultKind, MemoryAbort
from emulator.memory.direct import DirectBuffer
from emulator.memory.frames import FramePool, OutOfFramesError
from emulator.memory.interface import (
    GRANULE,
    GRANULES_PER_PAGE,
    PAGE_MASK,
    PAGE_SHIFT,
    PAGE_SIZE,
    Access,
    PageWindow,
)

_RUN_SHIFT = 4
"""Pages with a common page of tags: 16."""
_RUN_MASK = (1 << _RUN_SHIFT) - 1
ADDRESS_MASK = (1 << 56) - 1
"""The top byte of an address is ignored (TBI0, as Linux sets it for user space)."""


class Prot(IntFlag):
    """Page permissions (PROT_* of mmap)."""

    NONE = 0
    READ = 1
    WRITE = 2
    EXEC = 4


class Backing(Protocol):
    """Where the first contents of a page come from."""

    def page(self, offset: int) -> bytes:
        """Up to 4096 bytes at `offset`; what is missing is zero."""

    def write_page(self, offset: int, data: bytes) -> None:
        """Give a changed page of a shared mapping back."""


class BytesBacking:
    """Contents held in memory (an ELF image)."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def page(self, offset: int) -> bytes:
        """See `Backing`."""
        return self._data[offset : offset + PAGE_SIZE]

    def write_page(self, offset: int, data: bytes) -> None:
        """Images are never mapped shared."""


class SharedPages:
    """The pages of a shared mapping, known by offset in the object; all mappings of the object use them."""

    def __init__(self, pool: FramePool, backing: Backing | None) -> None:
        self._pool = pool
        self._backing = backing
        self._frames: dict[int, int] = {}
        self._dirty: set[int] = set()

    def frame(self, offset: int, write: bool) -> int:
        """The frame at `offset` (page-aligned); the object keeps one reference to it."""
        frame = self._frames.get(offset)
        if frame is None:
            frame = self._pool.allocate()
            if self._backing is not None:
                data = self._backing.page(offset)
                self._pool.data[frame : frame + len(data)] = data
            self._frames[offset] = frame
        if write and self._backing is not None:
            self._dirty.add(offset)
        return frame

    def synchronise(self) -> None:
        """Write changed pages back to the file."""
        if self._backing is not None:
            for offset in sorted(self._dirty):
                frame = self._frames[offset]
                self._backing.write_page(offset, self._pool.data[frame : frame + PAGE_SIZE])
            self._dirty.clear()

    def __del__(self) -> None:
        for frame in self._frames.values():
            self._pool.release(frame)


@dataclass(frozen=True, slots=True)
class Area:
    """[start, limit) with one set of properties. `offset` is the place of `start` in the backing."""

    start: int
    limit: int
    prot: Prot
    name: str = ""
    backing: Backing | None = None
    shared: SharedPages | None = None
    offset: int = 0
    may: Prot = Prot.READ | Prot.WRITE | Prot.EXEC
    """What mprotect may grant (a shared mapping of a read-only file is never writable)."""

    @property
    def size(self) -> int:
        """Bytes."""
        return self.limit - self.start

    def part(self, start: int, limit: int) -> Area:
        """The same, cut to [start, limit)."""
        return replace(self, start=start, limit=limit, offset=self.offset + start - self.start)

    def shifted(self, delta: int) -> Area:
        """The same, at another address."""
        return replace(self, start=self.start + delta, limit=self.limit + delta)


class AddressSpace:
    """Virtual memory of one process (shared by its threads)."""

    def __init__(self, pool: FramePool) -> None:
        self.pool = pool
        self.read_pages: dict[int, PageWindow] = {}
        self.write_pages: dict[int, PageWindow] = {}
        self.on_code_change: Callable[[], None] = _nothing
        self.code_spaces = (0, 0)
        self.revision = 0
        """Changes when a page's frame or rights may have been taken away (copies of an engine are stale)."""
        self.tagged = False
        self._areas: list[Area] = []
        self._starts: list[int] = []
        self._pages: dict[int, int] = {}
        self._tag_pages: dict[int, int] = {}
        self._code: set[int] = set()

    # -- the PE's accesses ----------------------------------------------------------------------------

    def read(self, va: int, size: int, access: Access) -> int:
        """See `Memory.read`."""
        va &= ADDRESS_MASK
        offset = va & PAGE_MASK
        if offset + size <= PAGE_SIZE:
            at = self._readable(va, access) + offset
            return int.from_bytes(self.pool.data[at : at + size], "little")
        return int.from_bytes(self.read_bytes(va, size), "little")

    def write(self, va: int, size: int, value: int, access: Access) -> None:
        """See `Memory.write`."""
        va &= ADDRESS_MASK
        self._write_bytes(va, (value & ((1 << 8 * size) - 1)).to_bytes(size, "little"), access)

    def read_cap(self, va: int, access: Access) -> tuple[int, int, bool]:
        """See `Memory.read_cap`; the tag of shared memory reads as clear."""
        va &= ADDRESS_MASK
        at = self._readable(va, access) + (va & PAGE_MASK)
        data = self.pool.data
        lo = int.from_bytes(data[at : at + 8], "little")
        hi = int.from_bytes(data[at + 8 : at + 16], "little")
        return hi, lo, bool(self.pool.tags.data[self._tag_at(va)])

    def write_cap(self, va: int, hi: int, lo: int, tag: bool, access: Access) -> None:
        """See `Memory.write_cap`; a tagged capability can't be stored to shared memory."""
        va &= ADDRESS_MASK
        self.check_tagged_store(va, tag, access)
        at = self._pages[va >> PAGE_SHIFT] + (va & PAGE_MASK)
        self.pool.data[at : at + 16] = lo.to_bytes(8, "little") + hi.to_bytes(8, "little")
        self.pool.tags.data[self._tag_at(va)] = tag
        self.tagged = self.tagged or tag

    def check_tagged_store(self, va: int, tag: bool, access: Access) -> None:  # noqa: ARG002
        """See `Memory.check_tagged_store`."""
        va &= ADDRESS_MASK
        self._writable(va)
        if tag and self._area_at(va, True).shared is not None:
            raise MemoryAbort(FaultKind.CAP_PAGE, va, True)

    def fetch(self, va: int) -> int:
        """See `Memory.fetch`."""
        va &= ADDRESS_MASK
        page = va >> PAGE_SHIFT
        if page not in self._code:
            area = self._area_at(va, False)
            if not area.prot & Prot.EXEC:
                raise MemoryAbort(FaultKind.PERMISSION, va, False)
            self._frame(area, va, False)
            self._code.add(page)
            if self.write_pages.pop(page, None) is not None:
                self.revision += 1
        at = self._pages[page] + (va & PAGE_MASK)
        return int.from_bytes(self.pool.data[at : at + 4], "little")

    def fetch_ahead(self, va: int) -> int | None:
        """See `Memory.fetch_ahead`."""
        try:
            return self.fetch(va)
        except MemoryAbort:
            return None

    def check(self, va: int, size: int, write: bool, access: Access) -> None:
        """See `Memory.check`. Cache maintenance needs a readable page."""
        va &= ADDRESS_MASK
        for page in range(va >> PAGE_SHIFT, (va + max(size, 1) - 1 >> PAGE_SHIFT) + 1):
            at = max(va, page << PAGE_SHIFT)
            if write and access is not Access.CACHE:
                self._writable(at)
            else:
                self._readable(at, access)

    def context_changed(self) -> None:
        """User space has one translation context."""

    def buffers(self) -> list[DirectBuffer]:
        """See `DirectMemory.buffers`: a place is a frame."""
        return [DirectBuffer(0, self.pool.data)]

    def tag_buffers(self) -> list[DirectBuffer]:
        """See `DirectMemory.tag_buffers`."""
        return [DirectBuffer(0, self.pool.tags.data)]

    def direct(self, va: int, write: bool, capabilities: bool) -> int | None:  # noqa: ARG002
        """See `DirectMemory.direct`. Shared memory has no tags: stores to it are refused."""
        page = va >> PAGE_SHIFT
        if page in self._code and write:
            return None
        windows = self.write_pages if write else self.read_pages
        if page not in windows:
            try:
                self.check(va, 1, write, Access.NORMAL)
            except MemoryAbort:
                return None
        window = windows.get(page)
        if window is None or (write and not window.capabilities):
            return None
        return self._pages[page]

    def direct_tags(self, va: int, write: bool, capabilities: bool) -> int | None:  # noqa: ARG002
        """See `DirectMemory.direct_tags`."""
        try:
            return self._tags_of(va >> PAGE_SHIFT & ~_RUN_MASK, write)
        except MemoryAbort:
            return None

    # -- what the kernel does through it ---------------------------------------------------------------

    def read_bytes(self, va: int, size: int) -> bytes:
        """`size` bytes with user permissions; raises MemoryAbort at the first address that has none."""
        parts = []
        data = self.pool.data
        while size > 0:
            offset = va & PAGE_MASK
            count = min(size, PAGE_SIZE - offset)
            at = self._readable(va, Access.NORMAL) + offset
            parts.append(data[at : at + count])
            va, size = va + count, size - count
        return b"".join(parts)

    def write_bytes(self, va: int, data: bytes) -> None:
        """Store with user permissions, clearing tags; all pages are checked before the first byte changes."""
        self._write_bytes(va, data, Access.NORMAL)

    def peek(self, va: int, size: int) -> bytes:
        """`size` bytes whatever the permissions (debugger, /proc); MemoryAbort where nothing is mapped."""
        parts = []
        while size > 0:
            offset = va & PAGE_MASK
            count = min(size, PAGE_SIZE - offset)
            at = self._frame(self._area_at(va, False), va, False) + offset
            parts.append(self.pool.data[at : at + count])
            va, size = va + count, size - count
        return b"".join(parts)

    def poke(self, va: int, data: bytes) -> None:
        """Store whatever the permissions (loader, debugger), clearing tags."""
        self._store(va, data, lambda at: self._frame(self._area_at(at, True), at, True))

    def poke_cap(self, va: int, hi: int, lo: int, tag: bool) -> None:
        """Store a capability at a 16-byte aligned address whatever the page permissions."""
        self.poke(va, lo.to_bytes(8, "little") + hi.to_bytes(8, "little"))
        self.pool.tags.data[self._tag_at(va)] = tag
        self.tagged = self.tagged or tag

    def peek_cap(self, va: int) -> tuple[int, int, bool]:
        """(bits 127:64, bits 63:0, tag) at a 16-byte aligned address whatever the page permissions."""
        data = self.peek(va, 16)
        tag = bool(self.pool.tags.data[self._tag_at(va)])
        return int.from_bytes(data[8:], "little"), int.from_bytes(data[:8], "little"), tag

    def regions(self, start: int, limit: int) -> Iterator[tuple[int, int, Prot, str]]:
        """What is mapped in [start, limit): pieces with permissions and the name of their area."""
        for area in self.overlapping(start, limit):
            yield max(area.start, start), min(area.limit, limit), area.prot, area.name

    def _write_bytes(self, va: int, data: bytes, access: Access) -> None:
        if (va & PAGE_MASK) + len(data) > PAGE_SIZE:
            self.check(va, len(data), True, access)
        self._store(va, data, lambda at: self._writable(at))

    def _store(self, va: int, data: bytes, frame_at: Callable[[int], int]) -> None:
        position = 0
        while position < len(data):
            offset = va & PAGE_MASK
            count = min(len(data) - position, PAGE_SIZE - offset)
            at = frame_at(va) + offset
            self.pool.data[at : at + count] = data[position : position + count]
            first, last = self._tag_at(va), self._tag_at(va + count - 1)
            if self.pool.tags.data.find(b"\x01", first, last + 1) >= 0:
                self.pool.tags.data[first : last + 1] = bytes(last + 1 - first)
            if va >> PAGE_SHIFT in self._code:
                self._code_written(va >> PAGE_SHIFT)
            va, position = va + count, position + count

    # -- pages ----------------------------------------------------------------------------------------

    def _readable(self, va: int, access: Access) -> int:
        """Frame of a page that may be read; the engine gets a window on it."""
        page = va >> PAGE_SHIFT
        if page in self.read_pages:
            return self._pages[page]
        write = access is Access.ATOMIC
        area = self._area_at(va, write)
        if not area.prot & Prot.READ:
            raise MemoryAbort(FaultKind.PERMISSION, va, write)
        frame = self._frame(area, va, False)
        self.read_pages[page] = self.pool.window(frame, self._tags_of(page, False), area.shared is None)
        return frame

    def _writable(self, va: int) -> int:
        """Frame of a page that may be written; a window unless code was fetched from the page."""
        page = va >> PAGE_SHIFT
        if page in self.write_pages:
            return self._pages[page]
        area = self._area_at(va, True)
        if not area.prot & Prot.WRITE:
            raise MemoryAbort(FaultKind.PERMISSION, va, True)
        frame = self._frame(area, va, True)
        if page in self._code:
            self._code_written(page)
        window = self.read_pages.get(page)
        if window is None:
            window = self.pool.window(frame, self._tags_of(page, True), area.shared is None)
            self.read_pages[page] = window
        self.write_pages[page] = window
        return frame

    def _code_written(self, page: int) -> None:
        self._code.discard(page)
        self.on_code_change()

    def _frame(self, area: Area, va: int, write: bool) -> int:
        """The frame of a page of `area`, made or copied as needed; forgets windows that became wrong."""
        page = va >> PAGE_SHIFT
        frame = self._pages.get(page)
        try:
            if frame is None:
                frame = self._first_touch(area, page, write)
            elif area.shared is not None:
                if write:
                    area.shared.frame(area.offset + (page << PAGE_SHIFT) - area.start, True)
            elif write and self.pool.is_shared(frame):
                copied = self.pool.copy(frame)
                self.pool.release(frame)
                self._pages[page] = frame = copied
                self._forget_windows(page)
            if write:
                self._tags_of(page, True)
        except OutOfFramesError:
            raise MemoryAbort(FaultKind.EXTERNAL, va, write) from None
        return frame

    def _first_touch(self, area: Area, page: int, write: bool) -> int:
        offset = area.offset + (page << PAGE_SHIFT) - area.start
        if area.shared is not None:
            frame = area.shared.frame(offset, write)
            self.pool.retain(frame)
        else:
            frame = self.pool.allocate()
            if area.backing is not None:
                data = area.backing.page(offset)
                self.pool.data[frame : frame + len(data)] = data
        self._pages[page] = frame
        return frame

    def _tag_at(self, va: int) -> int:
        """Offset in the pool's tags of the tag of the granule at `va`, whose page has been touched."""
        return self._tags_of(va >> PAGE_SHIFT, False) + (va & PAGE_MASK) // GRANULE

    def _tags_of(self, page: int, write: bool) -> int:
        """Offset in the pool's tags of the tags of a page; to be written only with `write`."""
        run = page >> _RUN_SHIFT
        tags = self.pool.tags
        at = self._tag_pages.get(run)
        try:
            if at is None:
                at = self._tag_pages[run] = tags.allocate()
            copied = tags.copy(at) if write and tags.is_shared(at) else at
        except OutOfFramesError:
            raise MemoryAbort(FaultKind.EXTERNAL, page << PAGE_SHIFT, write) from None
        if copied != at:
            tags.release(at)
            self._tag_pages[run] = at = copied
            for neighbour in range(run << _RUN_SHIFT, run + 1 << _RUN_SHIFT):
                if neighbour in self.read_pages:
                    self._forget_windows(neighbour)
        return at + (page & _RUN_MASK) * GRANULES_PER_PAGE

    def _clear_tags(self, pages: Iterable[int]) -> None:
        """The pages are gone: their tags, and pages of tags that nothing needs any more."""
        runs = {page >> _RUN_SHIFT for page in pages}
        for run in runs & self._tag_pages.keys():
            first = run << _RUN_SHIFT
            if not any(page in self._pages for page in range(first, first + _RUN_MASK + 1)):
                self.pool.tags.release(self._tag_pages.pop(run))
        for page in pages:
            if page >> _RUN_SHIFT in self._tag_pages:
                at = self._tags_of(page, True)
                self.pool.tags.data[at : at + GRANULES_PER_PAGE] = bytes(GRANULES_PER_PAGE)

    def _forget_windows(self, page: int) -> None:
        self.revision += 1
        self.read_pages.pop(page, None)
        self.write_pages.pop(page, None)
        if page in self._code:
            self._code_written(page)

    # -- what is in use ---------------------------------------------------------------------------------

    def touched_pages(self) -> list[int]:
        """Addresses of the pages that have a frame, ascending."""
        return [page << PAGE_SHIFT for page in sorted(self._pages)]

    def resident_bytes(self) -> int:
        """Size of the pages that have a frame."""
        return len(self._pages) << PAGE_SHIFT

    def tag_count(self) -> int:
        """Tagged capabilities in memory."""
        return sum(1 for _ in self.tagged_granules())

    def tagged_granules(self, start: int = 0, limit: int = 1 << 64) -> Iterator[int]:
        """Addresses in [start, limit) of the tagged capabilities, ascending."""
        tags = self.pool.tags.data
        for run, first in sorted(self._tag_pages.items()):
            base = run << _RUN_SHIFT + PAGE_SHIFT
            low = first + max(start - base + GRANULE - 1, 0) // GRANULE
            high = first + min(max(limit - base + GRANULE - 1, 0) // GRANULE, PAGE_SIZE)
            at = tags.find(b"\x01", low, high) if low < high else -1
            while at >= 0:
                yield base + (at - first) * GRANULE
                at = tags.find(b"\x01", at + 1, high)

    # -- areas ----------------------------------------------------------------------------------------

    def areas(self) -> list[Area]:
        """All areas, ascending."""
        return list(self._areas)

    def area(self, va: int) -> Area | None:
        """The area that contains `va`."""
        index = bisect_right(self._starts, va) - 1
        if index >= 0 and va < self._areas[index].limit:
            return self._areas[index]
        return None

    def _area_at(self, va: int, write: bool) -> Area:
        area = self.area(va)
        if area is None:
            raise MemoryAbort(FaultKind.TRANSLATION, va, write)
        return area

    def overlapping(self, start: int, limit: int) -> Iterator[Area]:
        """Areas that meet [start, limit), ascending, uncut."""
        index = max(bisect_right(self._starts, start) - 1, 0)
        for area in self._areas[index:]:
            if area.start >= limit:
                return
            if area.limit > start:
                yield area

    def is_mapped(self, start: int, limit: int) -> bool:
        """Every page of [start, limit) belongs to an area."""
        at = start
        for area in self.overlapping(start, limit):
            if area.start > at:
                return False
            at = area.limit
        return at >= limit

    def mapped_bytes(self) -> int:
        """Sum of the sizes of all areas with some permission."""
        return sum(area.size for area in self._areas if area.prot)

    def map(self, area: Area) -> None:
        """Add an area (page-aligned), replacing whatever was there."""
        self.unmap(area.start, area.limit)
        index = bisect_left(self._starts, area.start)
        self._areas.insert(index, area)
        self._starts.insert(index, area.start)

    def unmap(self, start: int, limit: int) -> None:
        """Forget everything in [start, limit)."""
        for area in self._cut(start, limit):
            index = bisect_left(self._starts, area.start)
            del self._areas[index], self._starts[index]
            if area.shared is not None:
                area.shared.synchronise()
            self.discard_pages(area.start, area.limit)

    def protect(self, start: int, limit: int, prot: Prot) -> None:
        """Change the permissions of the areas in [start, limit)."""
        for area in self._cut(start, limit):
            self._areas[bisect_left(self._starts, area.start)] = replace(area, prot=prot)
            for page in self._touched(area.start, area.limit):
                self._forget_windows(page)

    def rename(self, start: int, limit: int, name: str) -> None:
        """Name the areas in [start, limit) (for /proc and explanations)."""
        for area in self._cut(start, limit):
            self._areas[bisect_left(self._starts, area.start)] = replace(area, name=name)

    def move(self, start: int, limit: int, target: int) -> None:
        """Move areas and their pages, tags included, from [start, limit) to `target` (mremap)."""
        areas = list(self._cut(start, limit))
        pages = {page: self._pages[page] for page in self._touched(start, limit)}
        data = self.pool.tags.data
        tags = {}
        for page, frame in pages.items():
            self.pool.retain(frame)
            at = self._tags_of(page, False)
            tags[page] = data[at : at + GRANULES_PER_PAGE]
        self.unmap(start, limit)
        delta = target - start
        for area in areas:
            self.map(area.shifted(delta))
        for page, frame in pages.items():
            moved = page + (delta >> PAGE_SHIFT)
            self._pages[moved] = frame
            at = self._tags_of(moved, True)
            data[at : at + GRANULES_PER_PAGE] = tags[page]

    def discard_pages(self, start: int, limit: int) -> None:
        """Drop the contents: the next touch sees first contents again (madvise DONTNEED, unmap)."""
        pages = self._touched(start, limit)
        for page in pages:
            self._forget_windows(page)
            self.pool.release(self._pages.pop(page))
        self._clear_tags(pages)

    def _touched(self, start: int, limit: int) -> list[int]:
        first, last = start >> PAGE_SHIFT, limit >> PAGE_SHIFT
        if last - first > len(self._pages):
            return sorted(page for page in self._pages if first <= page < last)
        return [page for page in range(first, last) if page in self._pages]

    def _cut(self, start: int, limit: int) -> list[Area]:
        """Split areas at both ends; returns those inside."""
        for border in (start, limit):
            area = self.area(border)
            if area is not None and area.start < border:
                index = bisect_left(self._starts, area.start)
                self._areas[index : index + 1] = [
                    area.part(area.start, border),
                    area.part(border, area.limit),
                ]
                self._starts.insert(index + 1, border)
        return list(self.overlapping(start, limit))

    def find_free(self, size: int, align: int, low: int, high: int) -> int | None:
        """Lowest address in [low, high) with `size` unmapped bytes, a multiple of `align`."""
        at = (low + align - 1) & -align
        for area in self.overlapping(low, high):
            if at + size <= area.start:
                break
            at = max(at, (area.limit + align - 1) & -align)
        return at if at + size <= high else None

    # -- whole address spaces ---------------------------------------------------------------------------

    def fork(self) -> AddressSpace:
        """A copy that shares frames until one side writes."""
        child = AddressSpace(self.pool)
        child.tagged = self.tagged
        child._areas = list(self._areas)
        child._starts = list(self._starts)
        child._pages = dict(self._pages)
        for frame in self._pages.values():
            self.pool.retain(frame)
        child._tag_pages = dict(self._tag_pages)
        for page in self._tag_pages.values():
            self.pool.tags.retain(page)
        self.write_pages.clear()
        self.revision += 1
        return child

    def clear(self) -> None:
        """Unmap everything (exec, exit)."""
        self.unmap(0, 1 << 64)


def _nothing() -> None:
    """No engine is listening yet."""

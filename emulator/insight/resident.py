"""Which pages of a large, lazily committed mapping have been touched: asked of the host, not looked for."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterator

from emulator.memory.interface import PAGE_SIZE


def resident_pages(buffer: mmap.mmap) -> Iterator[int]:
    """Offsets of the pages in memory, ascending; every page that was ever written is one of them.

    A page that the host has swapped out is missed: then a difference in it is found when it is used.
    """
    count = len(buffer) // mmap.PAGESIZE
    marks = (ctypes.c_ubyte * count)()
    libc = ctypes.CDLL(None, use_errno=True)
    start = ctypes.c_char.from_buffer(buffer)
    if libc.mincore(ctypes.c_void_p(ctypes.addressof(start)), ctypes.c_size_t(len(buffer)), marks):
        yield from range(0, len(buffer), PAGE_SIZE)
        return
    found = bytes(marks)
    at = found.find(1)
    while at >= 0:
        yield from range(at * mmap.PAGESIZE, (at + 1) * mmap.PAGESIZE, PAGE_SIZE)
        at = found.find(1, at + 1)

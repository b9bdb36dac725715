"""What the engine needs of memory: one protocol, implemented by a process address space and by the MMU.

Addresses are virtual and 64 bits wide (the top byte may hold a tag where TBI says so; the implementation
strips it). Data are integers, little-endian. Every method raises `MemoryAbort` before any effect.

Two duties beside the accesses:

* **Windows.** `read_pages` and `write_pages` map `va >> 12` to a `PageWindow` through which the engine reads
  and writes without asking again. An implementation fills them when it likes (usually after a successful
  slow access) and must delete entries as soon as they would tell a lie: unmapping, permission or attribute
  changes, `context_changed`. The two dictionaries are never replaced, only changed. Pages from which code
  was fetched must not be in `write_pages`; so the slow path sees every store to code.
* **Code changes.** When a store hits a page from which code was fetched, or a mapping of such a page
  changes, call `on_code_change()`; the engine forgets its decoded instructions.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Protocol

PAGE_SHIFT = 12
PAGE_SIZE = 1 << PAGE_SHIFT
PAGE_MASK = PAGE_SIZE - 1
GRANULE = 16
GRANULES_PER_PAGE = PAGE_SIZE // GRANULE


class Access(IntEnum):
    """Kind of access, as far as translation distinguishes (the specification's AccType)."""

    NORMAL = 0
    UNPRIVILEGED = 1  # LDTR, STTR: with EL0's privilege
    ATOMIC = 2  # read-modify-write: both permissions are needed, also for its read
    ORDERED = 3  # acquire, release, exclusive
    CACHE = 4  # DC and IC by address: translation only


class PageWindow:
    """One 4 KiB page of guest memory that needs no further translation.

    `u8`, `u16`, `u32`, `u64` are views of the same 4096 bytes, and `views` is the four of them (indexed by
    log2 of the element's size); `tags` has 256 entries of 0 or 1.
    `capabilities` is False when loads or stores of capabilities need the slow path (LC, SC, CDBM).
    """

    __slots__ = ("capabilities", "tags", "u8", "u16", "u32", "u64", "views")

    def __init__(self, data: memoryview, tags: memoryview, capabilities: bool = True) -> None:
        """`data`: 4096 bytes, format 'B', contiguous; `tags`: 256 bytes, format 'B'."""
        self.u8 = data
        self.u16 = data.cast("H")
        self.u32 = data.cast("I")
        self.u64 = data.cast("Q")
        self.views = (self.u8, self.u16, self.u32, self.u64)
        self.tags = tags
        self.capabilities = capabilities


class DeviceAccess(Exception):
    """An instruction in the middle of a block reached a device: nothing has happened yet. The engine executes
    it again on its own, so that the device sees the exact time and its interrupts come at the exact place."""


class Memory(Protocol):
    """Memory as the PE sees it."""

    read_pages: dict[int, PageWindow]
    write_pages: dict[int, PageWindow]
    on_code_change: Callable[[], None]
    tagged: bool
    """Set by `write_cap` with a tag, for good: before, no granule of this memory has ever had one."""
    code_spaces: tuple[int, int]
    """Numbers of the mappings that code at addresses with bit 63 clear and set comes from now. Code that was
    decoded under a number holds whenever that number is there again. A change sets `pe.context_stale`."""

    def read(self, va: int, size: int, access: Access) -> int:
        """`size` bytes (1..64) at `va`, which may be misaligned and may cross pages."""

    def write(self, va: int, size: int, value: int, access: Access) -> None:
        """Store `size` bytes (1..64) and clear the tag of every granule touched."""

    def read_cap(self, va: int, access: Access) -> tuple[int, int, bool]:
        """(bits 127:64, bits 63:0, tag as the page attributes allow) of 16-byte aligned `va`."""

    def write_cap(self, va: int, hi: int, lo: int, tag: bool, access: Access) -> None:
        """Store 16 bytes and their tag at 16-byte aligned `va`."""

    def check_tagged_store(self, va: int, tag: bool, access: Access) -> None:
        """Only raise what `write_cap` of a capability with that tag at `va` would raise."""

    def fetch(self, va: int) -> int:
        """The 32-bit instruction word at 4-byte aligned `va`; its page is known as code from now on."""

    def fetch_ahead(self, va: int) -> int | None:
        """As `fetch`, of code that may never execute: None where it would abort or have any other effect."""

    def check(self, va: int, size: int, write: bool, access: Access) -> None:
        """Only translate: raise what an access of that kind would raise."""

    def context_changed(self) -> None:
        """The PE's translation context changed: exception level, PAN, or a system register of the MMU."""


class SystemMemory(Memory, Protocol):
    """What system level adds: translation registers, maintenance and AT instructions (the board's MMU)."""

    def tlb_maintenance(self, name: str, operand: int) -> None:
        """TLBI `name` (as in sysregs.tsv: "VAE1IS", "ALLE3"…) with Xt."""

    def address_translate(self, name: str, va: int) -> int:
        """AT `name` ("S1E1R"…): the value of PAR_EL1. May raise MemoryAbort for an abort on the walk."""

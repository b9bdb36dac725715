"""One ELF object in an address space: mapping, bounds, symbols, TLS."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from loader import elf_constants as ec
from loader.elf import ElfImage, Symbol
from loader.elf_constants import PT
from morello_isa.capability import Capability, representable_length, representable_mask
from morello_isa.errors import EXIT_CANNOT_EXECUTE, UserError

PAGE = 0x1000
IMAGE_LIMIT = 1 << 40
"""No sane object spans more bytes of address space than this."""


class GuestMemoryError(Exception):
    """The guest's address space has nothing at an address; raised by implementations of GuestMemory."""


class GuestMemory(Protocol):
    """What a loader does to an address space. Writes ignore page protections; `write` clears tags.

    Accesses to unmapped memory raise GuestMemoryError.
    """

    def reserve(self, size: int, alignment: int, address: int | None) -> int:
        """Set aside `size` bytes (multiple of a page), at `address` when given; returns the address."""

    def map(self, address: int, size: int, flags: int) -> None:
        """Make pages of a reservation usable, zero-filled, with PF_R/PF_W/PF_X."""

    def protect(self, address: int, size: int, flags: int) -> None:
        """Change the protection of mapped pages."""

    def release(self, address: int, size: int) -> None:
        """Give a reservation back."""

    def read(self, address: int, size: int) -> bytes:
        """Bytes of mapped memory."""

    def write(self, address: int, data: bytes) -> None:
        """Store bytes; tags of touched granules are cleared."""

    def read_capability(self, address: int) -> Capability:
        """The 16-byte aligned capability with its tag."""

    def write_capability(self, address: int, capability: Capability) -> None:
        """Store a capability with its tag."""


def page_down(address: int) -> int:
    """Start of the page."""
    return address & -PAGE


def page_up(address: int) -> int:
    """End of the page (next multiple)."""
    return (address + PAGE - 1) & -PAGE


@dataclass(slots=True)
class TlsModule:
    """Where a module's thread-local block is: `offset` bytes above the thread pointer."""

    module_id: int
    offset: int
    size: int
    template: bytes


@dataclass(eq=False)
class LoadedObject:
    """An object at `bias` (address = unbiased + bias). `path` is its guest path, `name` its DT_SONAME."""

    image: ElfImage
    path: str
    name: str
    bias: int
    dependencies: list[LoadedObject] = field(default_factory=list)
    scope: list[LoadedObject] = field(default_factory=list)
    """The object it was loaded for and all that one needs; looked up after the global scope."""
    tls: TlsModule | None = None
    reference_count: int = 0
    is_initialised: bool = False

    @property
    def start(self) -> int:
        """Lowest address."""
        return page_down(self.image.span()[0]) + self.bias

    @property
    def end(self) -> int:
        """Past the highest address."""
        return self.image.span()[1] + self.bias

    @cached_property
    def code_bounds(self) -> tuple[int, int]:
        """(base, length) of function capabilities of this object: the whole image, representable."""
        low, high = self.image.span()
        length = representable_length(high - low)
        return (low + self.bias) & representable_mask(length), length

    @cached_property
    def by_name(self) -> dict[str, list[Symbol]]:
        """Exported definitions by name."""
        table: dict[str, list[Symbol]] = {}
        for symbol in self.image.dynamic_symbols:
            if symbol.is_defined and symbol.binding != ec.STB_LOCAL and symbol.type != ec.STT_SECTION:
                table.setdefault(symbol.name, []).append(symbol)
        return table

    def lookup(self, name: str, version: str | None) -> Symbol | None:
        """The definition of `name`; with a version that one, without one the default version."""
        candidates = self.by_name.get(name)
        if candidates is None:
            return None
        if version is not None:
            for symbol in candidates:
                if symbol.version == version:
                    return symbol
            return next((s for s in candidates if s.version is None), None)
        return next((s for s in candidates if not s.version_hidden), candidates[0])

    def contains(self, address: int) -> bool:
        """Whether an address belongs to the object."""
        return self.start <= address < self.end

    def is_writable(self, address: int) -> bool:
        """Whether data at an address may be written after start-up: in a writable segment, not RELRO."""
        unbiased = address - self.bias
        for segment in self.image.segments:
            inside = segment.vaddr <= unbiased < segment.vaddr + segment.memsz
            if segment.type == PT.GNU_RELRO and inside:
                return False
        return any(
            s.flags & ec.PF_W and s.vaddr <= unbiased < s.vaddr + s.memsz for s in self.image.load_segments
        )


def footprint(image: ElfImage) -> tuple[int, int]:
    """(size, alignment) in bytes of the reservation that an image needs; exactly representable."""
    low, high = image.span()
    if high - low > IMAGE_LIMIT:
        raise UserError(f"{image.name} wants {high - low:#x} bytes of memory", EXIT_CANNOT_EXECUTE)
    low = page_down(low)
    mask = representable_mask(page_up(high - low))
    alignment = max([PAGE, (~mask & (1 << 64) - 1) + 1, *(s.align for s in image.load_segments)])
    return page_up(representable_length(page_up(high - low))), alignment


def map_image(image: ElfImage, memory: GuestMemory, address: int | None = None) -> int:
    """Reserve and fill the LOAD segments; returns the bias. Raises UserError 126 without any."""
    low, high = image.span()
    if high == low:
        raise UserError(f"{image.name} has nothing to load", EXIT_CANNOT_EXECUTE)
    low = page_down(low)
    size, alignment = footprint(image)
    base = memory.reserve(size, alignment, address if image.is_position_independent else low)
    bias = base - low
    for segment in image.load_segments:
        start, end = page_down(segment.vaddr), page_up(segment.vaddr + segment.memsz)
        memory.map(start + bias, end - start, segment.flags)
    for segment in image.load_segments:
        data = image.data[segment.offset : segment.offset + segment.filesz]
        if data:
            memory.write(segment.vaddr + bias, data)
    return bias


def protect_relro(image: ElfImage, bias: int, memory: GuestMemory) -> None:
    """Make RELRO read-only after relocation."""
    for segment in image.segments:
        inside = any(
            s.vaddr <= segment.vaddr and segment.vaddr + segment.memsz <= page_up(s.vaddr + s.memsz)
            for s in image.load_segments
        )
        if segment.type == PT.GNU_RELRO and inside:
            start = page_down(segment.vaddr)
            end = page_down(segment.vaddr + segment.memsz)
            if end > start:
                memory.protect(start + bias, end - start, ec.PF_R)

"""Where the board's instructions come from: numbers for the mappings of code.

Engines keep decoded code by virtual address. Two address spaces have different code at the same address, so
they keep it by *code space* too: a number for what one half of the addresses (TTBR0's or TTBR1's) maps.
A kernel's half is the same space in all processes, whatever the ASID; that it really is, is not believed but
looked up: each page that code was fetched from is translated again, without side effects.

A space's number is never reused. When a page of its code is no longer where it was (after TLB maintenance),
the mapping gets a new number, and what engines know about the old one is not found any more.
"""

from __future__ import annotations

from dataclasses import replace

from emulator.faults import MemoryAbort
from emulator.memory.context import AccessType, TranslationContext
from emulator.memory.physical import BusError, PhysicalMemory
from emulator.memory.translation import Translator

_FETCH = AccessType(fetch=True)
_REGION_MASK = (1 << 26) - 1  # VA bits 55:30: regions of 1 GiB
_ADDRESS_BITS = (1 << 48) - 1
_MOST_NUMBERS = 256

_Key = tuple[object, ...]


class Untouched:
    """Physical memory for walks that must not change descriptors."""

    def __init__(self, physical: PhysicalMemory) -> None:
        self._physical = physical

    def read(self, address: int, size: int) -> int:
        return self._physical.read(address, size)

    def write(self, address: int, size: int, value: int) -> None:  # noqa: ARG002
        raise BusError(address, size, "only looking")


class _Space:
    """The code pages of one space: by level and virtual page, the physical page; a context for each level."""

    __slots__ = ("contexts", "number", "pages")

    def __init__(self, number: int) -> None:
        self.number = number
        self.pages: dict[tuple[int, int], int] = {}
        self.contexts: dict[int, TranslationContext] = {}


class CodeSpaces:
    """All spaces of one machine."""

    def __init__(self, physical: PhysicalMemory) -> None:
        self._translator = Translator(Untouched(physical))
        self._next = 0
        self._exact: dict[_Key, _Space] = {}
        self._similar: dict[_Key, _Space] = {}
        self._spaces: dict[int, _Space] = {}

    def of(self, context: TranslationContext) -> tuple[int, int]:
        """The spaces of both halves of the addresses under `context`: (bit 63 clear, bit 63 set)."""
        return self._half(context, False), self._half(context, True)

    def _half(self, context: TranslationContext, upper: bool) -> int:
        similar, exact = _keys(context, upper)
        space = self._exact.get(exact)
        if space is None:
            space = self._similar.get(similar)
            if space is None or not self._holds(space, context, None):
                self._next += 1
                space = _Space(self._next)
                self._spaces[space.number] = space
            self._exact[exact] = self._similar[similar] = space
        return space.number

    def trim(self) -> None:
        """No number is in use any more: forget them if there are many."""
        if len(self._exact) >= _MOST_NUMBERS:
            self._exact.clear()
            self._similar.clear()
            self._spaces.clear()

    def fetched(self, spaces: tuple[int, int], context: TranslationContext, va: int, pa: int) -> None:
        """Code at `va` came from physical page `pa`."""
        space = self._spaces.get(spaces[va >> 63])
        if space is not None:
            space.pages[context.el, va >> 12] = pa
            space.contexts[context.el] = context

    def forget(self) -> None:
        """Engines have forgotten all code."""
        for space in self._spaces.values():
            space.pages.clear()

    def verify(self, region: int | None) -> bool:
        """After TLB maintenance in a 1 GiB region (VA bits 55:30) or anywhere: give new numbers to mappings
        whose code moved. True if there are any."""
        moved = {space for space in self._spaces.values() if not self._holds(space, None, region)}
        for table in (self._exact, self._similar):
            for key in [k for k, space in table.items() if space in moved]:
                del table[key]
        for space in moved:
            del self._spaces[space.number]
        return bool(moved)

    def _holds(self, space: _Space, context: TranslationContext | None, region: int | None) -> bool:
        """All code pages (of the region) are where they were, under `context` or the space's own ones."""
        for (el, page), pa in space.pages.items():
            if region is not None and page >> 18 & _REGION_MASK != region:
                continue
            under = space.contexts[el] if context is None else replace(context, el=el)
            try:
                translation = self._translator.translate(under, page << 12, _FETCH)
            except MemoryAbort:
                return False
            if translation.pa & ~0xFFF != pa:
                return False
        return True


def _keys(context: TranslationContext, upper: bool) -> tuple[_Key, _Key]:
    """What decides about one half's mapping: without the ASID, and with it."""
    two = context.two_ranges
    base = context.ttbr1 if two and upper else context.ttbr0
    common = (
        two and upper, context.in_host, context.secure, context.sctlr, context.tcr, context.hcr, context.scr,
        context.vtcr, context.vttbr, two or context.el,
    )  # fmt: skip
    asid = (context.ttbr1 if context.tcr >> 22 & 1 else context.ttbr0) >> 48 if two else 0
    similar = (*common, base & _ADDRESS_BITS)
    return similar, (*similar, asid)

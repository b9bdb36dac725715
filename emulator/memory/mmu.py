"""The board's memory management unit: virtual accesses of a PE to physical memory and devices.

Implements `emulator.memory.interface.SystemMemory`. Translations are made by `memory/translation.py` and kept
in a TLB: one dictionary per translation context (exception level and all register values that matter), keyed
by virtual page and kind of access. TLB maintenance drops all of it, which the architecture allows. Pages that
need no further checks are published as windows, so that the engine reads and writes them directly; a
translating engine maps them itself (`direct`). Where code comes from is `memory/code_spaces.py`'s business.

Spec: Mem_read/Mem_set, MemC_read/MemC_set, AArch64_MemSingle, AArch64_TaggedMemSingle,
CheckLoadTagsPermission, CheckStoreTagsPermission, AArch64_AT_S1Ex, AArch64_AT_S12Ex, AArch64_EncodePAR.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from dataclasses import replace

from emulator.faults import FaultKind, MemoryAbort, fault_status
from emulator.memory.code_spaces import CodeSpaces, Untouched
from emulator.memory.context import AccessType, Translation, TranslationContext
from emulator.memory.direct import DirectBuffer
from emulator.memory.interface import GRANULE, PAGE_SIZE, Access, DeviceAccess, PageWindow
from emulator.memory.physical import BusError, PhysicalMemory, RamRegion
from emulator.memory.translation import Translator
from emulator.state.pe import Pe

_READ, _WRITE, _FETCH, _USER_READ, _USER_WRITE, _READ_WRITE, _CAP_WRITE, _USER_CAP_WRITE = range(8)
_KIND_BITS = 3
_ACCESS_TYPES = (
    AccessType(),
    AccessType(write=True),
    AccessType(fetch=True),
    AccessType(unprivileged=True),
    AccessType(write=True, unprivileged=True),
    AccessType(read_write=True),
    AccessType(write=True, valid_capability=True),
    AccessType(write=True, valid_capability=True, unprivileged=True),
)
# Indexed by Access: NORMAL, UNPRIVILEGED, ATOMIC, ORDERED, CACHE.
_READ_KIND = (_READ, _USER_READ, _READ_WRITE, _READ, _READ)
_WRITE_KIND = (_WRITE, _USER_WRITE, _READ_WRITE, _WRITE, _READ)
_CAP_WRITE_KIND = (_CAP_WRITE, _USER_CAP_WRITE, _READ_WRITE, _CAP_WRITE, _READ)
# Registers of each stage 1 regime (EL1&0, EL2 or EL2&0, EL3) and those of all.
_REGIME_REGISTERS = tuple(
    tuple(f"{name}_EL{el}" for name in ("SCTLR", "TCR", "TTBR0", "TTBR1", "MAIR", "CCTLR"))
    for el in (1, 2, 3)
)
_COMMON_REGISTERS = ("HCR_EL2", "SCR_EL3", "VTCR_EL2", "VTTBR_EL2", "SCTLR_EL2")
_MAX_CONTEXTS = 64
_PAGE_MASK = 0xFFF
_ELEMENT_BYTES = 8
_ZVA_BYTES = 64
_RUN_SHIFT = 16
_RUN_BYTES = 1 << _RUN_SHIFT  # what a page of tags belongs to
_REGION_MASK = (1 << 26) - 1  # VA bits 55:30: regions of 1 GiB (code_spaces.py has the same)


class _Page:
    """A translated 4 KiB page. `data` is None where accesses go through PhysicalMemory (devices, flash)."""

    __slots__ = ("data", "device", "pa", "place", "start", "tags", "translation", "window")

    def __init__(self, pa: int, translation: Translation, region: RamRegion | None) -> None:
        self.pa = pa
        self.translation = translation
        self.device = translation.is_device
        self.data: mmap.mmap | None = None
        self.window: PageWindow | None = None
        self.start = self.place = 0
        if region is not None:
            self.data = region.data
            self.tags = region.tags
            self.start = pa - region.base
            self.place = region.place + self.start


class _ContextState:
    """A translation context with its TLB: pages by virtual page number and kind of access.

    `spaces` are the code spaces of both halves, `revision` the number under which `direct` answers.
    """

    __slots__ = ("context", "revision", "spaces", "tag_runs", "tlb")

    def __init__(self, context: TranslationContext, spaces: tuple[int, int], revision: int) -> None:
        self.context = context
        self.spaces = spaces
        self.revision = revision
        self.tag_runs: dict[tuple[int, bool, bool], int | None] = {}
        self.tlb: dict[int, _Page] = {}


class Mmu:
    """Memory of `pe` on a board: both stages of translation, tags, devices."""

    def __init__(self, pe: Pe, physical: PhysicalMemory, trace: Callable[[str], None] | None = None) -> None:
        self._pe = pe
        self._physical = physical
        self._code_lines = physical.code_lines
        self._translator = Translator(physical, trace)
        self._looker = Translator(Untouched(physical))
        self.read_pages: dict[int, PageWindow] = {}
        self.write_pages: dict[int, PageWindow] = {}
        self._forget_code: Callable[[], None] = _nothing
        self._contexts: dict[tuple[object, ...], _ContextState] = {}
        self._write_window_page: dict[int, int] = {}
        self._directly_written: set[int] = set()
        self._revisions = 0
        self.revision = 0
        """See `DirectMemory.revision`."""
        self._spaces = CodeSpaces(physical)
        self.code_spaces = (0, 0)
        self._state = _ContextState(self._build_context(pe.pstate.el), (0, 0), 0)
        self._context = self._state.context
        self._tlb = self._state.tlb
        physical.on_code_write = self._code_written
        self.context_changed()

    @property
    def tagged(self) -> bool:
        """See `Memory.tagged`."""
        return self._physical.tagged

    @tagged.setter
    def tagged(self, on: bool) -> None:
        self._physical.tagged = on

    @property
    def on_code_change(self) -> Callable[[], None]:
        """Set by the engine: what makes it forget its decoded instructions.

        Reading gives a function without effect: the IC instructions call it, but every store to a word that
        was fetched is seen already, and kernels that patch themselves execute IC often.
        """
        return _nothing

    @on_code_change.setter
    def on_code_change(self, action: Callable[[], None]) -> None:
        self._forget_code = action

    # -- context --------------------------------------------------------------------------------------

    def _build_context(self, el: int) -> TranslationContext:
        """What translations at exception level `el` depend on now."""
        pe = self._pe
        values = pe.sysregs.values.get
        hcr, scr, vtcr, vttbr, sctlr_el2 = (values(name, 0) for name in _COMMON_REGISTERS)
        non_secure = scr & 1
        in_host = bool(non_secure and hcr >> 34 & 1 and (el == 2 or (el == 0 and hcr >> 27 & 1)))
        regime = el if el else (2 if in_host else 1)
        sctlr, tcr, ttbr0, ttbr1, mair, cctlr = (values(n, 0) for n in _REGIME_REGISTERS[regime - 1])
        return TranslationContext(
            el=el,
            in_host=in_host,
            secure=el == 3 or not non_secure,
            pan=pe.pstate.pan,
            sctlr=sctlr,
            tcr=tcr,
            ttbr0=ttbr0,
            ttbr1=ttbr1,
            mair=mair,
            tgen=cctlr & 3,
            hcr=hcr,
            scr=scr,
            vtcr=vtcr,
            vttbr=vttbr,
            sctlr_el2=sctlr_el2,
            has_stage2=bool(non_secure and not in_host and el <= 1),
        )

    def context_at(self, el: int) -> TranslationContext:
        """What translations at exception level `el` depend on now, for those who only look."""
        return self._build_context(el)

    def cached(self) -> Iterator[tuple[int, AccessType, Translation]]:
        """The TLB of the present context: virtual page, kind of access, where that leads."""
        for key, page in sorted(self._tlb.items()):
            kind = _ACCESS_TYPES[key & ((1 << _KIND_BITS) - 1)]
            yield key >> _KIND_BITS << 12, kind, page.translation

    def _context_key(self, el: int) -> tuple[object, ...]:
        """Equal keys mean equal contexts; cheaper to make than a context."""
        values = self._pe.sysregs.values.get
        regimes = _REGIME_REGISTERS if el == 0 else _REGIME_REGISTERS[el - 1 : el]
        return (
            el,
            self._pe.pstate.pan,
            *[values(name, 0) for name in _COMMON_REGISTERS],
            *[values(name, 0) for regime in regimes for name in regime],
        )

    def context_changed(self) -> None:
        """Switches to the TLB of the PE's present context and withdraws all windows."""
        el = self._pe.pstate.el
        key = self._context_key(el)
        state = self._contexts.get(key)
        if state is None:
            if len(self._contexts) >= _MAX_CONTEXTS:
                self._contexts.clear()
                self._spaces.trim()
            context = self._build_context(el)
            state = _ContextState(context, self._spaces.of(context), self._next_revision())
            self._contexts[key] = state
        self._state = state
        self._context = state.context
        self._tlb = state.tlb
        self.code_spaces = state.spaces
        self.revision = state.revision
        self._drop_windows()

    def _next_revision(self) -> int:
        self._revisions += 1
        return self._revisions

    def _withdraw_answers(self) -> None:
        """What `direct` has answered, in any context, may no longer hold."""
        self._directly_written.clear()
        for state in self._contexts.values():
            state.revision = self._next_revision()
        self.revision = self._state.revision = self._next_revision()

    def _drop_windows(self) -> None:
        self.read_pages.clear()
        self.write_pages.clear()
        self._write_window_page.clear()

    def _code_written(self) -> None:
        """A page with code was written: the engine forgets its instructions, the page is data again."""
        self._physical.code_lines.clear()
        self._spaces.forget()
        self._forget_code()

    # -- TLB ------------------------------------------------------------------------------------------

    def _page(self, va: int, kind: int) -> _Page:
        """The page of `va` for accesses of `kind`, walking the tables if needed. Raises MemoryAbort."""
        key = va >> 12 << _KIND_BITS | kind
        page = self._tlb.get(key)
        if page is None:
            translation = self._translator.translate(self._context, va, _ACCESS_TYPES[kind])
            pa = translation.pa & ~_PAGE_MASK
            region = self._physical.find(pa)
            usable = isinstance(region, RamRegion) and (
                region.writable or kind in (_READ, _FETCH, _USER_READ)
            )
            page = _Page(pa, translation, region if usable and isinstance(region, RamRegion) else None)
            self._tlb[key] = page
        return page

    def _misaligned_on_device(self, va: int, kind: int) -> None:
        """Raises what a misaligned access meets first: a translation fault or Device memory's alignment."""
        access = replace(_ACCESS_TYPES[kind], aligned=False)
        self._translator.translate(self._context, va, access)

    def _publish(self, va: int, page: _Page, kind: int) -> None:
        """Opens a window on a page of RAM. The engine uses it for aligned accesses only, so that pages of
        Device type can have one too."""
        translation = page.translation
        number = va >> 12
        if kind == _READ:
            capabilities = not (translation.tags_read_zero or translation.tag_load_faults)
            pages = self.read_pages
        else:
            if page.pa >> 12 in self._physical.code_lines:
                return
            capabilities = not _minds_tagged_stores(translation)
            pages = self.write_pages
            self._write_window_page[number] = page.pa >> 12
        if page.window is None:
            region = self._physical.ram_at(page.pa, 1)
            page.window = PageWindow(
                region.bytes[page.start : page.start + 4096],
                region.tag_bytes[page.start >> 4 : (page.start >> 4) + 256],
                capabilities,
            )
        pages[number] = page.window

    # -- what a translating engine asks ---------------------------------------------------------------

    def buffers(self) -> list[DirectBuffer]:
        """See `DirectMemory.buffers`."""
        return [DirectBuffer(region.place, region.data) for region in self._physical.ram]

    def tag_buffers(self) -> list[DirectBuffer]:
        """See `DirectMemory.tag_buffers`."""
        return [DirectBuffer(region.tag_place, region.tags) for region in self._physical.ram]

    def direct(self, va: int, write: bool, capabilities: bool) -> int | None:
        """See `DirectMemory.direct`. Walks the tables as the access itself would, flag updates included.

        Device memory is refused, except that with stage 1 off all data are in Device memory: then the
        engine's code checks the alignment itself.
        """
        try:
            page = self._page(va, _WRITE if write else _READ)
        except MemoryAbort:
            return None
        if page.data is None or (page.device and self._context.stage1_enabled):
            return None
        if write:
            if page.pa >> 12 in self._code_lines or (capabilities and _minds_tagged_stores(page.translation)):
                return None
            self._directly_written.add(page.pa >> 12)
        return page.place

    def direct_tags(self, va: int, write: bool, capabilities: bool) -> int | None:
        """See `DirectMemory.direct_tags`. Only where all 64 KiB lie in one piece of RAM in order."""
        runs, key = self._state.tag_runs, (va >> _RUN_SHIFT, write, capabilities)
        if key not in runs:
            runs[key] = self._tag_run(va & -_RUN_BYTES, write, capabilities)
        return runs[key]

    def _tag_run(self, start: int, write: bool, capabilities: bool) -> int | None:
        """Looks without side effects: only one of the pages is being accessed."""
        first = None
        for offset in range(0, _RUN_BYTES, PAGE_SIZE):
            try:
                found = self._looker.translate(self._context, start + offset, _ACCESS_TYPES[_READ])
            except MemoryAbort:
                return None
            if write:
                refused = capabilities and _minds_tagged_stores(found)
            else:
                refused = found.tags_read_zero or found.tag_load_faults
            if first is None:
                first = found.pa
            if refused or found.pa != first + offset:
                return None
        assert first is not None
        region = self._physical.find(first)
        if not isinstance(region, RamRegion) or first + _RUN_BYTES > region.limit:
            return None
        at = first - region.base
        return None if at % _RUN_BYTES else region.tag_place + at // GRANULE

    # -- data -----------------------------------------------------------------------------------------

    def read(self, va: int, size: int, access: Access) -> int:
        """One element of `size` bytes, a power of two up to 16. Raises MemoryAbort."""
        kind = _READ_KIND[access]
        offset = va & _PAGE_MASK
        aligned = not va & (size - 1)
        if offset + size > 4096:
            return self._read_split(va, size, access)
        page = self._tlb.get(va >> 12 << _KIND_BITS | kind) or self._page(va, kind)
        if not aligned and page.device:
            self._misaligned_on_device(va, kind)
        data = page.data
        if data is not None:
            start = page.start + offset
            if kind == _READ:
                self._publish(va, page, kind)
            return int.from_bytes(data[start : start + size], "little")
        return self._bus_read(va, page.pa + offset, size)

    def _read_split(self, va: int, size: int, access: Access) -> int:
        """An access across pages: all parts are translated before the first is read."""
        first = 4096 - (va & _PAGE_MASK)
        second = _next_address(va, first)
        self.check(va, first, False, access)
        self.check(second, size - first, False, access)
        low = self._read_bytewise(va, first, access)
        return low | self._read_bytewise(second, size - first, access) << 8 * first

    def _read_bytewise(self, va: int, size: int, access: Access) -> int:
        """Part of an access that lies in one page and is no power of two."""
        page = self._page(va, _READ_KIND[access])
        offset = va & _PAGE_MASK
        if page.data is not None:
            start = page.start + offset
            return int.from_bytes(page.data[start : start + size], "little")
        value = 0
        for index in range(size):
            value |= self._bus_read(va, page.pa + offset + index, 1) << 8 * index
        return value

    def _bus_read(self, va: int, pa: int, size: int) -> int:
        if self._pe.in_block:
            raise DeviceAccess
        try:
            if size <= _ELEMENT_BYTES:
                return self._physical.read(pa, size)
            value = 0
            for index in range(0, size, _ELEMENT_BYTES):
                part = min(_ELEMENT_BYTES, size - index)
                value |= self._physical.read(pa + index, part) << 8 * index
            return value
        except BusError:
            raise MemoryAbort(FaultKind.EXTERNAL, va, False) from None

    def write(self, va: int, size: int, value: int, access: Access) -> None:
        """Stores an element of `size` bytes (64 for DC ZVA), clearing tags. Raises MemoryAbort."""
        kind = _WRITE_KIND[access]
        offset = va & _PAGE_MASK
        aligned = not va & (size - 1)
        if offset + size > 4096:
            self._write_split(va, size, value, access)
            return
        page = self._tlb.get(va >> 12 << _KIND_BITS | kind) or self._page(va, kind)
        if page.device and (not aligned or size == _ZVA_BYTES):
            self._misaligned_on_device(va, kind)
        if page.data is None:
            self._bus_write(va, page.pa + offset, size, value)
            return
        self._store(page, offset, size, value)
        if kind == _WRITE:
            self._publish(va, page, kind)

    def _store(self, page: _Page, offset: int, size: int, value: int) -> None:
        """Data into RAM, tags cleared, the engine told if there was code."""
        data = page.data
        assert data is not None
        start = page.start + offset
        data[start : start + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")
        tags = page.tags
        for granule in range(start >> 4, (start + size - 1 >> 4) + 1):
            if tags[granule]:
                tags[granule] = 0
        mask = self._code_lines.get(page.pa >> 12)
        if mask and mask >> (offset >> 6) & 3 and self._physical.has_code(page.pa + offset, size):
            self._code_written()

    def _write_split(self, va: int, size: int, value: int, access: Access) -> None:
        first = 4096 - (va & _PAGE_MASK)
        second = _next_address(va, first)
        self.check(va, first, True, access)
        self.check(second, size - first, True, access)
        self._write_bytewise(va, first, value, access)
        self._write_bytewise(second, size - first, value >> 8 * first, access)

    def _write_bytewise(self, va: int, size: int, value: int, access: Access) -> None:
        page = self._page(va, _WRITE_KIND[access])
        offset = va & _PAGE_MASK
        if page.data is not None:
            self._store(page, offset, size, value)
            return
        for index in range(size):
            self._bus_write(va, page.pa + offset + index, 1, value >> 8 * index & 0xFF)

    def _bus_write(self, va: int, pa: int, size: int, value: int) -> None:
        if self._pe.in_block:
            raise DeviceAccess
        try:
            for index in range(0, size, _ELEMENT_BYTES):
                part = min(_ELEMENT_BYTES, size - index)
                self._physical.write(pa + index, part, value >> 8 * index & ((1 << 8 * part) - 1))
        except BusError:
            raise MemoryAbort(FaultKind.EXTERNAL, va, True) from None

    def check(self, va: int, size: int, write: bool, access: Access) -> None:
        """Raises what an access of `size` bytes would raise, and does the hardware table updates."""
        kind = _WRITE_KIND[access] if write else _READ_KIND[access]
        page = self._page(va, kind)
        aligned = not va & (size - 1)
        if not aligned and page.device:
            self._misaligned_on_device(va, kind)
        last = _next_address(va, size - 1)
        if last >> 12 != va >> 12:
            self._page(last & ~_PAGE_MASK, kind)

    # -- capabilities ---------------------------------------------------------------------------------

    def read_cap(self, va: int, access: Access) -> tuple[int, int, bool]:
        """(bits 127:64, bits 63:0, tag) at 16-byte aligned `va`. Raises MemoryAbort."""
        page = self._page(va, _READ_KIND[access])
        translation = page.translation
        if translation.tag_load_faults and page.device:
            raise MemoryAbort(FaultKind.CAP_PAGE, va, False)
        offset = va & _PAGE_MASK
        if page.data is None:
            pa = page.pa + offset
            return self._bus_read(va, pa + 8, 8), self._bus_read(va, pa, 8), False
        start = page.start + offset
        tag = bool(page.tags[start >> 4]) and not translation.tags_read_zero
        if tag and translation.tag_load_faults:
            raise MemoryAbort(FaultKind.CAP_PAGE, va, False)
        bits = int.from_bytes(page.data[start : start + 16], "little")
        if access is Access.NORMAL:
            self._publish(va, page, _READ)
        return bits >> 64, bits & 0xFFFF_FFFF_FFFF_FFFF, tag

    def check_tagged_store(self, va: int, tag: bool, access: Access) -> None:
        """Raises what `write_cap` of a capability with that tag would raise."""
        self._cap_write_page(va, tag, access)

    def _cap_write_page(self, va: int, tag: bool, access: Access) -> _Page:
        page = self._page(va, (_CAP_WRITE_KIND if tag else _WRITE_KIND)[access])
        translation = page.translation
        if tag and translation.tag_store_faults:
            raise MemoryAbort(FaultKind.CAP_PAGE, va, True, stage2=translation.tag_store_fault_stage2)
        return page

    def write_cap(self, va: int, hi: int, lo: int, tag: bool, access: Access) -> None:
        """Stores 16 bytes and their tag. Raises MemoryAbort."""
        page = self._cap_write_page(va, tag, access)
        offset = va & _PAGE_MASK
        if page.data is None:
            self._bus_write(va, page.pa + offset, 16, hi << 64 | lo)
            return
        self._store(page, offset, 16, hi << 64 | lo)
        if tag:
            self._physical.tagged = True
            page.tags[page.start + offset >> 4] = 1
        elif access is Access.NORMAL:
            self._publish(va, page, _WRITE)

    # -- instructions ---------------------------------------------------------------------------------

    def fetch(self, va: int) -> int:
        """The instruction word at `va`; its page is code from now on. Raises MemoryAbort."""
        page = self._page(va, _FETCH)
        offset = va & _PAGE_MASK
        self._spaces.fetched(self.code_spaces, self._context, va, page.pa)
        if page.data is None:
            return self._bus_read(va, page.pa + offset, 4)
        number = page.pa >> 12
        lines = self._physical.code_lines
        known = lines.get(number, 0)
        line = 1 << (offset >> 6)
        if not known & line:
            lines[number] = known | line
            if not known:
                self._withdraw_write_windows(number)
        start = page.start + offset
        return int.from_bytes(page.data[start : start + 4], "little")

    def fetch_ahead(self, va: int) -> int | None:
        """See `Memory.fetch_ahead`: no flag in a descriptor is set, no device is read."""
        page = self._tlb.get(va >> 12 << _KIND_BITS | _FETCH)
        if page is None:
            try:
                self._looker.translate(self._context, va, _ACCESS_TYPES[_FETCH])
                page = self._page(va, _FETCH)
            except MemoryAbort:
                return None
        return None if page.data is None else self.fetch(va)

    def _withdraw_write_windows(self, number: int) -> None:
        """Stores to physical page `number` have to be seen from now on."""
        if number in self._directly_written:
            self._withdraw_answers()
        for window, target in list(self._write_window_page.items()):
            if target == number:
                del self._write_window_page[window]
                del self.write_pages[window]

    # -- system instructions --------------------------------------------------------------------------

    def tlb_maintenance(self, name: str, operand: int) -> None:
        """TLBI `name`: drops at least what is asked for.

        Operations by address drop the 1 GiB around it, the largest block that a descriptor can map; others
        drop everything. Code whose pages are still where they were stays.
        """
        region = None
        if name.startswith("VA"):
            region = operand >> 18 & _REGION_MASK
            for state in self._contexts.values():
                tlb = state.tlb
                for key in [k for k in tlb if k >> 18 + _KIND_BITS & _REGION_MASK == region]:
                    del tlb[key]
        else:
            for state in self._contexts.values():
                state.tlb.clear()
        for state in self._contexts.values():
            state.tag_runs.clear()
        self._drop_windows()
        self._withdraw_answers()
        if self._spaces.verify(region):
            for state in self._contexts.values():
                state.spaces = self._spaces.of(state.context)
            self.code_spaces = self._state.spaces = self._spaces.of(self._context)
            self._pe.context_stale = True

    def address_translate(self, name: str, va: int) -> int:
        """AT `name`: the value for PAR_EL1. Raises MemoryAbort for external aborts and faults of
        stage 2 on stage 1's walk that must be taken. Spec: AArch64_AT_S1Ex, AArch64_AT_S12Ex."""
        stages, el, write = name[1 : name.index("E")], int(name[name.index("E") + 1]), "W" in name
        regs = self._pe.sysregs.values.get
        hcr, non_secure = regs("HCR_EL2", 0), regs("SCR_EL3", 0) & 1
        if name in ("S1E1R", "S1E1W") and non_secure and hcr >> 34 & 1 and hcr >> 27 & 1:
            el = 2
        context = self._build_context(el)
        access = AccessType(write=write, address_translation=True, privileged_at_with_pan=name.endswith("P"))
        try:
            if stages == "12" and context.stage2_enabled:
                translation = self._translator.translate(context, va, access)
            else:
                translation = self._translator.first_stage(context, va, access)
        except MemoryAbort as fault:
            external = fault.kind in (FaultKind.EXTERNAL, FaultKind.EXTERNAL_ON_WALK)
            if external or (self._pe.pstate.el == 1 and non_secure and fault.s1ptw):
                raise
            return (
                1
                | fault_status(fault.kind, fault.level) << 1
                | fault.s1ptw << 8
                | fault.stage2 << 9
                | 1 << 11
            )
        return (
            translation.shareability << 7
            | translation.non_secure << 9
            | 1 << 11
            | (translation.pa & 0xFFFF_FFFF_F000)
            | translation.attributes << 56
        )


def _minds_tagged_stores(translation: Translation) -> bool:
    """Storing a valid capability has another effect than storing data."""
    return translation.tag_store_faults or translation.tag_store_updates


def _nothing() -> None:
    """The engine has nothing to forget."""


def _next_address(va: int, offset: int) -> int:
    return (va + offset) & 0xFFFF_FFFF_FFFF_FFFF

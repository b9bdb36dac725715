"""A board's core, its program and memory as the debugger wants them (see `target.py`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from emulator.board.image import Loaded
from emulator.board.system import System
from emulator.engine.api import Engine
from emulator.faults import FaultKind, MemoryAbort
from emulator.linux.process import LoadedImage
from emulator.memory.address_space import Prot
from emulator.memory.context import AccessType, TranslationContext
from emulator.memory.physical import BusError, PhysicalMemory, RamRegion
from emulator.memory.translation import Translator
from emulator.state.pe import Pe

_PAGE = 4096
_KINDS = (AccessType(), AccessType(fetch=True), AccessType(unprivileged=True))


_WRITING = AccessType(write=True)
_EVERYTHING, _READ_ONLY = Prot.READ | Prot.WRITE | Prot.EXEC, Prot.READ | Prot.EXEC
MAX_PAGES = 1 << 17


class _TableMemory:
    """Physical memory for a walk that changes nothing: no access flags are set, no device is read."""

    def __init__(self, physical: PhysicalMemory) -> None:
        self._physical = physical

    def read(self, address: int, size: int) -> int:
        """RAM only."""
        if not isinstance(self._physical.find(address), RamRegion):
            raise BusError(address, size, "no RAM")
        return self._physical.read(address, size)

    def write(self, address: int, size: int, value: int) -> None:
        """Nothing is written."""


class BoardSpace:
    """Memory as the core sees it now: translated at its exception level, whatever the permissions."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._translator = Translator(_TableMemory(system.physical))

    def physical(self, va: int) -> int | None:
        """The physical address of `va`, None where no translation leads anywhere."""
        context = self._system.mmu.context_at(self._system.pe.pstate.el)
        for access in _KINDS:
            try:
                return self._translator.translate(context, va, access).pa
            except MemoryAbort as abort:
                if abort.kind not in (FaultKind.PERMISSION, FaultKind.ACCESS_FLAG):
                    return None
        return None

    def _pieces(self, va: int, size: int) -> Iterator[tuple[int, int]]:
        """(physical address, bytes) of parts within pages of RAM."""
        while size > 0:
            part = min(size, _PAGE - va % _PAGE)
            pa = self.physical(va)
            if pa is None or not isinstance(self._system.physical.find(pa), RamRegion):
                raise MemoryAbort(FaultKind.TRANSLATION, va, False)
            yield pa, part
            va, size = va + part, size - part

    def peek(self, va: int, size: int) -> bytes:
        """See `Space`."""
        return b"".join(self._system.physical.read_bytes(pa, part) for pa, part in self._pieces(va, size))

    def peek_cap(self, va: int) -> tuple[int, int, bool]:
        """See `Space`."""
        ((pa, _),) = self._pieces(va, 16)
        data = self._system.physical.read_bytes(pa, 16)
        tag = bool(self._system.physical.read_tag(pa))
        return int.from_bytes(data[8:], "little"), int.from_bytes(data[:8], "little"), tag

    def poke(self, va: int, data: bytes) -> None:
        """See `Space`."""
        at = 0
        for pa, part in list(self._pieces(va, len(data))):
            self._system.physical.write_bytes(pa, data[at : at + part])
            at += part

    def poke_cap(self, va: int, hi: int, lo: int, tag: bool) -> None:
        """See `Space`."""
        ((pa, _),) = list(self._pieces(va, 16))
        self._system.physical.write_bytes(pa, lo.to_bytes(8, "little") + hi.to_bytes(8, "little"))
        self._system.physical.write_tag(pa, int(tag))

    def regions(self, start: int, limit: int) -> Iterator[tuple[int, int, Prot, str]]:
        """See `Space`. With translation on, at most `MAX_PAGES` pages are looked at from `start` on."""
        context = self._system.mmu.context_at(self._system.pe.pstate.el)
        if not (context.stage1_enabled or context.stage2_enabled):
            for region in self._system.physical.ram:
                low, high = max(start, region.base), min(limit, region.limit)
                if low < high:
                    yield low, high, _EVERYTHING if region.writable else _READ_ONLY, region.name
            return
        for first, last, rights, name in _joined(self._pages(context, start, limit)):
            yield max(first, start), min(last, limit), rights, name

    def _pages(
        self, context: TranslationContext, start: int, limit: int
    ) -> Iterator[tuple[int, int, Prot, str]]:
        page = start & -_PAGE
        for _ in range(MAX_PAGES):
            if page >= limit:
                return
            rights, hole, name = self._rights(context, page)
            if rights:
                yield page, page + _PAGE, rights, name
            page = (page // hole + 1) * hole

    def _rights(self, context: TranslationContext, page: int) -> tuple[Prot, int, str]:
        """(permissions of a page, the size of what is alike from here on, its RAM region)."""
        rights, hole, pa = Prot(0), _PAGE, None
        for access, right in ((_KINDS[0], Prot.READ), (_WRITING, Prot.WRITE), (_KINDS[1], Prot.EXEC)):
            try:
                pa = self._translator.translate(context, page, access).pa
                rights |= right
            except MemoryAbort as abort:
                if abort.kind is FaultKind.TRANSLATION and not abort.stage2:
                    return Prot(0), _PAGE << 9 * (3 - min(abort.level, 3)), ""
        region = self._system.physical.find(pa) if pa is not None else None
        if not isinstance(region, RamRegion):
            return Prot(0), hole, ""
        return rights, hole, region.name

    def tagged_granules(self, start: int, limit: int) -> Iterator[int]:
        """See `Space`."""
        physical = self._system.physical
        for low, high, _, _ in self.regions(start, limit):
            if self.physical(low) == low and self.physical(high - 1) == high - 1:
                yield from physical.tagged_granules(low, high - low)
                continue
            for va in range(low & -_PAGE, high, _PAGE):
                pa = self.physical(va)
                if pa is not None:
                    yield from (
                        va + granule - pa
                        for granule in physical.tagged_granules(pa, _PAGE)
                        if low <= va + granule - pa < high
                    )

    def is_mapped(self, start: int, limit: int) -> bool:
        """See `Space`."""
        try:
            return all(True for _ in self._pieces(start, limit - start))
        except MemoryAbort:
            return False


def _joined(pages: Iterator[tuple[int, int, Prot, str]]) -> Iterator[tuple[int, int, Prot, str]]:
    """Neighbours that are alike become one."""
    last: tuple[int, int, Prot, str] | None = None
    for page in pages:
        if last is not None and last[1:] == (page[0], *page[2:]):
            last = (last[0], *page[1:])
            continue
        if last is not None:
            yield last
        last = page
    if last is not None:
        yield last


@dataclass(frozen=True, slots=True)
class BoardCalls:
    """Code on a board calls as its instruction set does."""

    pe: Pe

    @property
    def is_purecap(self) -> bool:
        """C64."""
        return self.pe.pstate.c64


class BoardProgram:
    """What runs on a board."""

    def __init__(self, system: System, loaded: Loaded, path: str) -> None:
        self.space = BoardSpace(system)
        self.images: Sequence[LoadedImage] = tuple(_images(loaded, path))
        self.abi = BoardCalls(system.pe)
        self.name = path


def _images(loaded: Loaded, path: str) -> Iterator[LoadedImage]:
    """The image at its virtual addresses, and where it lies in physical memory if that is elsewhere."""
    if loaded.elf is None:
        return
    biases = {s.paddr - s.vaddr for s in loaded.elf.load_segments if s.memsz}
    yield LoadedImage(loaded.elf, 0, path)
    for bias in sorted(biases - {0}):
        yield LoadedImage(loaded.elf, bias, path)


class BoardThread:
    """The one core."""

    tid = 1

    def __init__(self, system: System, program: BoardProgram) -> None:
        self.pe = system.pe
        self.engine: Engine = system.engine
        self.process = program

    @property
    def kernel(self) -> BoardThread:
        """The run is the core's."""
        return self

    @property
    def instructions(self) -> int:
        """Executed so far."""
        return self.pe.instructions

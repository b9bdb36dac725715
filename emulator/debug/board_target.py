"""A board's core, its program and memory as the debugger wants them (see `target.py`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from emulator.board.image import Loaded
from emulator.board.system import System
from emulator.debug.target import TooMuchError
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
MAX_LEAVES = 1 << 17


@dataclass(frozen=True, slots=True)
class _Piece:
    """[start, limit) leads to RAM at `physical`."""

    start: int
    limit: int
    physical: int
    rights: Prot
    name: str

    def goes_on_with(self, other: _Piece) -> bool:
        """The other one begins where this ends, in virtual and physical memory, and is alike."""
        size = self.limit - self.start
        return (self.limit, self.physical + size, self.rights, self.name) == (
            other.start,
            other.physical,
            other.rights,
            other.name,
        )


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
        """See `Space`; memory only, no devices."""
        for piece in self._mapped(start, limit):
            yield piece.start, piece.limit, piece.rights, piece.name

    def tagged_granules(self, start: int, limit: int) -> Iterator[int]:
        """See `Space`."""
        for piece in self._mapped(start, limit):
            size = piece.limit - piece.start
            for granule in self._system.physical.tagged_granules(piece.physical, size):
                yield piece.start + granule - piece.physical

    def _mapped(self, start: int, limit: int) -> Iterator[_Piece]:
        """Pieces of RAM in [start, limit); neighbours that are alike are one."""
        context = self._system.mmu.context_at(self._system.pe.pstate.el)
        if not (context.stage1_enabled or context.stage2_enabled):
            for region in self._system.physical.ram:
                low, high = max(start, region.base), min(limit, region.limit)
                if low < high:
                    rights = _EVERYTHING if region.writable else _READ_ONLY
                    yield _Piece(low, high, low, rights, region.name)
            return
        last: _Piece | None = None
        halves = (
            piece
            for low, high in _halves(context)
            for piece in self._leaves(context, max(start, low), min(limit, high))
        )
        for piece in halves:
            if last is not None and last.goes_on_with(piece):
                last = replace(last, limit=piece.limit)
                continue
            if last is not None:
                yield last
            last = piece
        if last is not None:
            yield last

    def _leaves(self, context: TranslationContext, start: int, limit: int) -> Iterator[_Piece]:
        """What each descriptor maps, cut to [start, limit)."""
        at = start
        for _ in range(MAX_LEAVES):
            if at >= limit:
                return
            size, rights, pa = self._leaf(context, at)
            end = min((at // size + 1) * size, limit)
            region = self._system.physical.find(pa) if rights else None
            if isinstance(region, RamRegion):
                end = min(end, at + region.limit - pa)
                rights = rights if region.writable else rights & ~Prot.WRITE
                yield _Piece(at, end, pa, rights, region.name)
            elif rights:
                end = self._next_ram(at, pa, end)
            at = end
        raise TooMuchError(f"more than {MAX_LEAVES:,} pages are mapped")

    def _next_ram(self, at: int, pa: int, limit: int) -> int:
        """Where in a block that maps no RAM at `at` the next RAM begins; at most `limit`."""
        following = [region.base - pa for region in self._system.physical.ram if region.base > pa]
        return min(at + min(following), limit) if following else limit

    def _leaf(self, context: TranslationContext, va: int) -> tuple[int, Prot, int]:
        """(bytes that are alike around `va`, its permissions, its physical address)."""
        rights, pa = Prot(0), 0
        for access, right in ((_KINDS[0], Prot.READ), (_WRITING, Prot.WRITE), (_KINDS[1], Prot.EXEC)):
            try:
                pa = self._translator.translate(context, va, access).pa
                rights |= right
            except MemoryAbort as abort:
                if abort.kind is FaultKind.TRANSLATION and not abort.stage2:
                    return _PAGE << 9 * (3 - min(abort.level, 3)), Prot(0), 0
        if not rights or context.stage2_enabled or not context.stage1_enabled:
            return _PAGE, rights, pa
        return self._translator.leaf_size(context, va), rights, pa

    def is_mapped(self, start: int, limit: int) -> bool:
        """See `Space`."""
        try:
            return all(True for _ in self._pieces(start, limit - start))
        except MemoryAbort:
            return False


def _halves(context: TranslationContext) -> Iterator[tuple[int, int]]:
    """Where translations may lead anywhere: addresses have 48 bits, or 52 with 64 KiB granules."""
    lower = 1 << (52 if context.tcr >> 14 & 3 == 1 else 48)
    yield 0, lower
    if context.two_ranges:
        upper = 1 << (52 if context.tcr >> 30 & 3 == 3 else 48)
        yield (1 << 64) - upper, 1 << 64


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

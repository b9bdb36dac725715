"""A board's core, its program and memory as the debugger wants them (see `target.py`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from emulator.board.image import Loaded
from emulator.board.system import System
from emulator.engine.api import Engine
from emulator.faults import FaultKind, MemoryAbort
from emulator.linux.process import LoadedImage
from emulator.memory.context import AccessType
from emulator.memory.physical import BusError, PhysicalMemory, RamRegion
from emulator.memory.translation import Translator
from emulator.state.pe import Pe

_PAGE = 4096
_KINDS = (AccessType(), AccessType(fetch=True), AccessType(unprivileged=True))


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

    def is_mapped(self, start: int, limit: int) -> bool:
        """See `Space`."""
        try:
            return all(True for _ in self._pieces(start, limit - start))
        except MemoryAbort:
            return False


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

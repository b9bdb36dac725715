"""A board image on both engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from emulator.board.boards import at_time
from emulator.board.image import load_elf
from emulator.board.outcome import OutcomeKind
from emulator.board.system import System
from emulator.insight.owners import Owner
from emulator.insight.resident import resident_pages
from emulator.insight.states import Difference, MemoryDifferences, register_differences
from emulator.linux.process import LoadedImage
from emulator.memory.interface import PAGE_SIZE
from loader.elf import ElfImage
from morello_isa.errors import UserError

if TYPE_CHECKING:
    from emulator.board.boards import Board
    from emulator.board.system import MakeEngine
    from emulator.insight.lockstep import Side
    from emulator.insight.owners import Owners
    from emulator.linux.kernel import EngineFactory
    from emulator.state.pe import Pe

_GRANULE = 16


class _Console:
    """What the image writes goes to `sink`, if there is one; there is no input."""

    def __init__(self, sink: Callable[[bytes], None] | None) -> None:
        self._sink = sink

    def write(self, data: bytes) -> None:
        """See `Console`."""
        if self._sink is not None:
            self._sink(data)

    def listen(self, receiver: Callable[[bytes], None]) -> None:
        """See `Console`."""


def image_owner(data: bytes, name: str) -> Owner | None:
    """Whose code a board runs: its ELF image's; None if it is no such image."""
    try:
        return Owner(0, name, [LoadedImage(ElfImage.from_bytes(data, name), 0, name)])
    except UserError:
        return None


class BoardSide:
    """See `Side`."""

    def __init__(
        self, subject: BoardSubject, engine: str | MakeEngine, sink: Callable[[bytes], None] | None
    ) -> None:
        self._subject = subject
        self.system = System(subject.board, consoles={0: _Console(sink)}, engine=engine)
        loaded = load_elf(self.system.physical, subject.data, subject.name)
        self.system.start(loaded.entry, subject.level, 0)
        self.outcome: object = None

    @property
    def instructions(self) -> int:
        """See `Side`."""
        return self.system.pe.instructions

    def advance(self, count: int) -> None:
        """See `Side`."""
        left = count - self.instructions
        if self.outcome is None and left > 0:
            outcome = self.system.run(left)
            if outcome.kind is not OutcomeKind.LIMIT:
                self.outcome = f"{outcome.kind.value} {outcome.detail!r}"

    def current(self) -> tuple[Pe, str] | None:
        """See `Side`."""
        pe = self.system.pe
        return pe, f"EL{pe.pstate.el}"

    def word(self) -> int:
        """See `Side`."""
        engine = self.system.engine
        fetch = getattr(engine, "fetch_ahead", None)
        return (fetch(self.system.pe.pc) if fetch is not None else None) or 0

    def attach(self, owners: Owners) -> None:
        """See `Side`: symbols are at their own addresses."""
        owners.only = image_owner(self._subject.data, self._subject.name)

    def close(self) -> None:
        """See `Side`."""


class BoardSubject:
    """See `Subject`. `level` is the exception level that the image starts at."""

    def __init__(
        self,
        board: Board,
        data: bytes,
        name: str,
        level: int,
        limit: int | None,
        sink: Callable[[bytes], None],
    ) -> None:
        self.board = at_time(board, 0)
        self.data = data
        self.name = name
        self.level = level
        self.limit = limit
        self._sink = sink

    def reference(self, loud: bool) -> BoardSide:
        """See `Subject`."""
        return BoardSide(self, "reference", self._sink if loud else None)

    def fast(self, engines: EngineFactory | None) -> BoardSide:
        """See `Subject`."""
        return BoardSide(self, engines or "fast", None)

    def differences(self, reference: Side, fast: Side) -> list[Difference]:
        """See `Subject`."""
        assert isinstance(reference, BoardSide)
        assert isinstance(fast, BoardSide)
        one, other = reference.system, fast.system
        return [*register_differences(one.pe, other.pe, ""), *_memory(one, other)]


def _memory(one: System, other: System) -> Iterator[Difference]:
    found = MemoryDifferences("physical ")
    for first, second in zip(one.physical.ram, other.physical.ram, strict=True):
        for at in sorted({*resident_pages(first.data), *resident_pages(second.data)}):
            a, b = first.data[at : at + PAGE_SIZE], second.data[at : at + PAGE_SIZE]
            if a != b:
                yield from found.in_bytes(first.base + at, a, b)
        for at in sorted({*resident_pages(first.tags), *resident_pages(second.tags)}):
            a, b = first.tags[at : at + PAGE_SIZE], second.tags[at : at + PAGE_SIZE]
            if a != b:
                yield from found.in_tags(first.base + at * _GRANULE, a, b)

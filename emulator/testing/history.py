"""The last instructions of each thread, noted while an engine asks before every instruction."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from emulator.testing.decode import Executed

if TYPE_CHECKING:
    from emulator.engine.api import Engine

TAIL = 16
"""Instructions that a report shows."""
Note = Callable[["Engine", int, int], None]


class History:
    """`attach` it to engines; `also` is told of each instruction too."""

    def __init__(self, also: Note | None = None) -> None:
        self._tails: dict[Engine, deque[Executed]] = {}
        self._also = also
        self._engine: Engine | None = None

    def attach(self, engine: Engine) -> None:
        """Note every instruction of this engine from now on."""
        engine.before_instruction = partial(self._note, engine)

    def _note(self, engine: Engine, pc: int, word: int) -> None:
        self._engine = engine
        tail = self._tails.get(engine)
        if tail is None:
            tail = self._tails[engine] = deque(maxlen=TAIL)
        tail.append(Executed(pc, word, engine.pe.pstate.c64))
        if self._also is not None:
            self._also(engine, pc, word)

    @property
    def last(self) -> Engine | None:
        """The engine that executed the last instruction."""
        return self._engine

    def tail(self, engine: Engine | None = None) -> tuple[Executed, ...]:
        """The last instructions of an engine (default: of the one that ran last), oldest first."""
        engine = engine if engine is not None else self._engine
        return tuple(self._tails.get(engine, ())) if engine is not None else ()

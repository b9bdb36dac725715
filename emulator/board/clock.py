"""The system counter of a board: one tick for each instruction, plus the time skipped while idle."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

from emulator.engine.api import Engine


class InstructionClock:
    """Deterministic time: `ticks()` depends on nothing but the instructions executed and idle periods.

    `call_at` actions run through the engine's scheduler, so at an instruction boundary at or after their
    tick. `skip_idle()` is what WFI does when nothing is pending: time jumps to the next action.
    """

    def __init__(self, frequency: int) -> None:
        self.frequency = frequency
        self._engine: Engine | None = None
        self._skipped = 0
        self._actions: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = count()
        self._scheduled: int | None = None

    def attach(self, engine: Engine) -> None:
        """The engine whose instructions count."""
        self._engine = engine

    def ticks(self) -> int:
        """Now, in ticks; 64 bits."""
        done = self._engine.pe.instructions if self._engine is not None else 0
        return (done + self._skipped) & 0xFFFF_FFFF_FFFF_FFFF

    def call_at(self, tick: int, action: Callable[[], None]) -> None:
        """`action` is called once, when the counter has reached `tick`."""
        heapq.heappush(self._actions, (tick, next(self._numbers), action))
        self._schedule()

    def _schedule(self) -> None:
        if self._engine is None or not self._actions:
            return
        first = self._actions[0][0]
        if self._scheduled is None or first < self._scheduled:
            self._scheduled = first
            self._engine.schedule(max(first - self._skipped, 0), self._run_due)

    def _run_due(self) -> None:
        self._scheduled = None
        now = self.ticks()
        while self._actions and self._actions[0][0] <= now:
            action = heapq.heappop(self._actions)[2]
            action()
        self._schedule()

    def skip_idle(self) -> bool:
        """Jumps to the next action and runs it; False if there is none, so that nothing will happen."""
        if not self._actions:
            return False
        first = self._actions[0][0]
        self._skipped += max(first - self.ticks(), 0)
        self._run_due()
        return True

"""The system counter of a board: one tick for each instruction, plus the time skipped while idle."""

from __future__ import annotations

from collections.abc import Callable

from emulator.engine.api import Engine

_HORIZON = 100_000
"""The engine is asked at most this many instructions ahead: its queue stays short whatever a guest does."""


class InstructionAlarm:
    """One event of a device; see `emulator.board.devices.base.Alarm`."""

    def __init__(self, clock: InstructionClock, action: Callable[[], None]) -> None:
        self._clock = clock
        self.action = action
        self.tick: int | None = None

    def set(self, tick: int | None) -> None:
        """Goes off when the counter reaches `tick`; None: never."""
        self.tick = tick
        if tick is not None:
            self._clock.schedule()


class InstructionClock:
    """Deterministic time: `ticks()` depends on nothing but the instructions executed and idle periods.

    Alarms go off through the engine's scheduler, so at an instruction boundary at or after their tick.
    `skip_idle()` is what WFI does when nothing is pending: time jumps to the next alarm.
    """

    def __init__(self, frequency: int) -> None:
        self.frequency = frequency
        self._engine: Engine | None = None
        self._skipped = 0
        self._alarms: list[InstructionAlarm] = []
        self._asked: int | None = None

    def attach(self, engine: Engine) -> None:
        """The engine whose instructions count."""
        self._engine = engine

    def ticks(self) -> int:
        """Now, in ticks; 64 bits."""
        done = self._engine.pe.instructions if self._engine is not None else 0
        return (done + self._skipped) & 0xFFFF_FFFF_FFFF_FFFF

    def alarm(self, action: Callable[[], None]) -> InstructionAlarm:
        """A new alarm, not set."""
        alarm = InstructionAlarm(self, action)
        self._alarms.append(alarm)
        return alarm

    def _next(self) -> int | None:
        return min((a.tick for a in self._alarms if a.tick is not None), default=None)

    def schedule(self) -> None:
        """Asks the engine to come back in time for the earliest alarm."""
        first = self._next()
        if first is None or self._engine is None:
            return
        wanted = min(first, self.ticks() + _HORIZON)
        if self._asked is None or wanted < self._asked:
            self._asked = wanted
            self._engine.schedule(max(wanted - self._skipped, 0), self._run_due)

    def _run_due(self) -> None:
        self._asked = None
        now = self.ticks()
        for alarm in self._alarms:
            if alarm.tick is not None and alarm.tick <= now:
                alarm.tick = None
                alarm.action()
        self.schedule()

    def skip_idle(self) -> bool:
        """Jumps to the next alarm and lets it go off; False if none is set, so that nothing will happen."""
        first = self._next()
        if first is None:
            return False
        self._skipped += max(first - self.ticks(), 0)
        self._run_due()
        return True

"""The generic timers of the PE: system registers CNT* and their interrupts (Arm ARM, chapter D11).

The counter is the board's clock: one tick for each instruction. All five timers are level-sensitive PPIs.
"""

from __future__ import annotations

from collections.abc import Callable

from emulator.board.devices.base import Clock, SetLevel
from emulator.state.pe import Pe

_ENABLE, _IMASK, _ISTATUS = 1, 2, 4
_MASK64 = 0xFFFF_FFFF_FFFF_FFFF

TIMER_INTERRUPTS = {"CNTP": 30, "CNTV": 27, "CNTHP": 26, "CNTPS": 29, "CNTHV": 28}
"""INTID of each timer: PPI 14, 11, 10, 13, 12."""

_SUFFIX = {"CNTP": "_EL0", "CNTV": "_EL0", "CNTHP": "_EL2", "CNTPS": "_EL1", "CNTHV": "_EL2"}


class Timer:
    """One timer: control, compare value, and its interrupt line. `now` gives the counter it looks at."""

    def __init__(self, clock: Clock, now: Callable[[], int], line: SetLevel) -> None:
        self._clock = clock
        self._now = now
        self._line = line
        self._alarm = clock.alarm(self._expire)
        self.control = 0
        self.compare = 0

    def read_control(self) -> int:
        """CTL with ISTATUS."""
        return self.control | (_ISTATUS if self._condition() else 0)

    def write_control(self, value: int) -> None:
        """CTL: ENABLE and IMASK."""
        self.control = value & (_ENABLE | _IMASK)
        self.update()

    def write_compare(self, value: int) -> None:
        """CVAL."""
        self.compare = value & _MASK64
        self.update()

    def read_value(self) -> int:
        """TVAL: compare value minus counter, low 32 bits."""
        return (self.compare - self._now()) & 0xFFFF_FFFF

    def write_value(self, value: int) -> None:
        """TVAL: compare value becomes counter plus the signed 32-bit value."""
        offset = (value & 0xFFFF_FFFF ^ 0x8000_0000) - 0x8000_0000
        self.write_compare(self._now() + offset)

    def _condition(self) -> bool:
        return bool(self.control & _ENABLE) and self._now() >= self.compare

    def update(self) -> None:
        """Sets the line, and comes back when the condition will be met."""
        met = self._condition()
        self._line(met and not self.control & _IMASK)
        waiting = self.control & _ENABLE and not met
        self._alarm.set(self._clock.ticks() + self.compare - self._now() if waiting else None)

    def _expire(self) -> None:
        if self._condition():
            self._line(not self.control & _IMASK)


class GenericTimers:
    """Connects the five timers and the counters to the PE's system registers."""

    def __init__(self, pe: Pe, clock: Clock, line: Callable[[int], SetLevel]) -> None:
        self._pe = pe
        self._clock = clock
        self.timers: dict[str, Timer] = {}
        for name, interrupt in TIMER_INTERRUPTS.items():
            now = self._virtual if name == "CNTV" else clock.ticks
            self.timers[name] = Timer(clock, now, line(interrupt))
            self._connect(name, self.timers[name])
        reads = pe.sysregs.read_hooks
        reads["CNTPCT_EL0"] = clock.ticks
        reads["CNTVCT_EL0"] = self._virtual
        pe.sysregs.write_hooks["CNTVOFF_EL2"] = lambda _: self.timers["CNTV"].update()

    def _virtual(self) -> int:
        offset = self._pe.sysregs.values.get("CNTVOFF_EL2", 0)
        return (self._clock.ticks() - offset) & _MASK64

    def _connect(self, name: str, timer: Timer) -> None:
        reads, writes = self._pe.sysregs.read_hooks, self._pe.sysregs.write_hooks
        suffix = _SUFFIX[name]
        reads[f"{name}_CTL{suffix}"] = timer.read_control
        writes[f"{name}_CTL{suffix}"] = timer.write_control
        reads[f"{name}_CVAL{suffix}"] = lambda: timer.compare
        writes[f"{name}_CVAL{suffix}"] = timer.write_compare
        reads[f"{name}_TVAL{suffix}"] = timer.read_value
        writes[f"{name}_TVAL{suffix}"] = timer.write_value

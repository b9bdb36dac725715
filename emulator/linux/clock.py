"""The guest's clocks: derived from executed instructions, or the host's with `--real-time`."""

from __future__ import annotations

import time
from collections.abc import Callable

EPOCH = 1_700_000_000 * 1_000_000_000
"""CLOCK_REALTIME of a virtual run starts here (2023-11-14 22:13:20 UTC), in nanoseconds."""
NANOSECONDS_PER_INSTRUCTION = 1
UPTIME = 60 * 1_000_000_000
"""CLOCK_MONOTONIC at the start, in nanoseconds."""


class Clock:
    """Virtual time: one nanosecond per instruction, and sleeping threads make it jump forward."""

    real = False

    def __init__(self, instructions: Callable[[], int]) -> None:
        self._instructions = instructions
        self._skipped = 0
        self._offset = 0

    def monotonic(self) -> int:
        """CLOCK_MONOTONIC in nanoseconds."""
        return UPTIME + self._instructions() * NANOSECONDS_PER_INSTRUCTION + self._skipped

    def realtime(self) -> int:
        """CLOCK_REALTIME in nanoseconds since 1970."""
        return EPOCH - UPTIME + self.monotonic()

    def sleep_until(self, deadline: int) -> None:
        """Nothing can run before `deadline` (CLOCK_MONOTONIC): go there."""
        self._skipped += max(deadline - self.monotonic(), 0)


class RealClock(Clock):
    """The host's clocks; a run is no longer repeatable."""

    real = True

    def monotonic(self) -> int:
        """The host's monotonic clock."""
        return time.monotonic_ns()

    def realtime(self) -> int:
        """The host's time of day."""
        return time.time_ns()

    def sleep_until(self, deadline: int) -> None:
        """Really sleep."""
        time.sleep(max(deadline - time.monotonic_ns(), 0) / 1e9)

"""PL031 real-time clock (Arm DDI 0224): seconds since 1970, advancing with the board's counter."""

from __future__ import annotations

import time
from collections.abc import Mapping

from emulator.board.devices.base import Register, RegisterDevice, Services, primecell_identification


class Pl031(RegisterDevice):
    """The clock starts at `epoch` seconds when the board does."""

    def __init__(self, services: Services, epoch: int) -> None:
        super().__init__(services.trace)
        self.name = "pl031"
        self._services = services
        self._base = epoch
        self._alarm = services.clock.alarm(self._match_reached)
        self._loaded = 0
        self._match = 0
        self._mask = 0
        self._raw = 0
        self.define(
            Register("RTCDR", 0x00, self._now),
            Register("RTCMR", 0x04, lambda: self._match, self._set_match),
            Register("RTCLR", 0x08, lambda: self._loaded, self._load),
            Register("RTCCR", 0x0C, lambda: 1, lambda _: None),
            Register("RTCIMSC", 0x10, lambda: self._mask, self._set_mask),
            Register("RTCRIS", 0x14, lambda: self._raw),
            Register("RTCMIS", 0x18, lambda: self._raw & self._mask),
            Register("RTCICR", 0x1C, lambda: 0, self._clear),
        )
        self.constants(primecell_identification(0x031))

    def _now(self) -> int:
        clock = self._services.clock
        return (self._base + clock.ticks() // clock.frequency) & 0xFFFF_FFFF

    def _load(self, value: int) -> None:
        self._loaded = value & 0xFFFF_FFFF
        self._base += self._loaded - self._now()
        self._arm()

    def _set_match(self, value: int) -> None:
        self._match = value & 0xFFFF_FFFF
        self._arm()

    def _arm(self) -> None:
        """Schedules the alarm; a match in the past waits for the 32-bit wrap, so never."""
        clock = self._services.clock
        seconds = self._match - self._now()
        if seconds < 0:
            self._alarm.set(None)
            return
        boundary = (clock.ticks() // clock.frequency + seconds) * clock.frequency
        self._alarm.set(max(boundary, clock.ticks() + 1))

    def _match_reached(self) -> None:
        if self._now() == self._match:
            self._raw = 1
            self._update()

    def _set_mask(self, value: int) -> None:
        self._mask = value & 1
        self._update()

    def _clear(self, value: int) -> None:
        self._raw &= ~value & 1
        self._update()

    def _update(self) -> None:
        self._services.interrupt(bool(self._raw & self._mask))


def create(services: Services, options: Mapping[str, object]) -> Pl031:
    """Option `epoch`: seconds since 1970 at the start; the host's time without it."""
    epoch = options.get("epoch")
    return Pl031(services, epoch if isinstance(epoch, int) else int(time.time()))

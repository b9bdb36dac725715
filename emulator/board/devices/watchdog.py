"""Generic watchdog (Arm DEN0029, SBSA): a control frame and a refresh frame.

The first expiry raises the interrupt (WS0), the second one resets the board (WS1).
"""

from __future__ import annotations

from collections.abc import Mapping

from emulator.board.devices.base import Register, RegisterDevice, Services
from emulator.board.outcome import OutcomeKind

_ENABLE, _WS0, _WS1 = 1, 2, 4
_IIDR = 0x0000_043B


class Watchdog(RegisterDevice):
    """The control frame."""

    def __init__(self, services: Services) -> None:
        super().__init__(services.trace)
        self.name = "watchdog"
        self._services = services
        self._status = 0
        self._offset = 0
        self._compare = 0
        self._alarm = services.clock.alarm(self._expire)
        self.define(
            Register("WCS", 0x000, lambda: self._status, self._set_status),
            Register("WOR", 0x008, lambda: self._offset & 0xFFFF_FFFF, self._set_offset),
            Register("WORU", 0x00C, lambda: self._offset >> 32, self._set_offset_upper),
            Register("WCV", 0x010, lambda: self._compare, self._set_compare, size=8, merge=True),
        )
        self.constants({0xFCC: _IIDR})

    def refresh(self) -> None:
        """Starts the period again and takes back both signals."""
        self._status &= _ENABLE
        self._services.interrupt(False)
        self._compare = self._services.clock.ticks() + self._offset
        self._arm()

    def _set_status(self, value: int) -> None:
        self._status = value & _ENABLE
        self.refresh()

    def _set_offset(self, value: int) -> None:
        self._offset = (self._offset & ~0xFFFF_FFFF) | (value & 0xFFFF_FFFF)
        self.refresh()

    def _set_offset_upper(self, value: int) -> None:
        self._offset = (self._offset & 0xFFFF_FFFF) | (value & 0xFFFF) << 32
        self.refresh()

    def _set_compare(self, value: int) -> None:
        self._compare = value & 0xFFFF_FFFF_FFFF_FFFF
        self._arm()

    def _arm(self) -> None:
        enabled = self._status & _ENABLE
        self._alarm.set(max(self._compare, self._services.clock.ticks() + 1) if enabled else None)

    def _expire(self) -> None:
        now = self._services.clock.ticks()
        if not self._status & _ENABLE or now < self._compare:
            return
        if not self._status & _WS0:
            self._status |= _WS0
            self._services.interrupt(True)
            self._compare = now + self._offset
            self._arm()
        else:
            self._status |= _WS1
            self._services.stop(OutcomeKind.WATCHDOG)


class RefreshFrame(RegisterDevice):
    """The refresh frame of a watchdog."""

    def __init__(self, services: Services, watchdog: Watchdog) -> None:
        super().__init__(services.trace)
        self.name = "watchdog-refresh"
        self.define(Register("WRR", 0x000, lambda: 0, lambda _: watchdog.refresh()))
        self.constants({0xFCC: _IIDR})


def create(services: Services, options: Mapping[str, object]) -> RegisterDevice:
    """Option `refreshes`: the name of the control frame for which this is the refresh frame."""
    target = options.get("refreshes")
    if target is None:
        return Watchdog(services)
    watchdog = services.devices[str(target)]
    assert isinstance(watchdog, Watchdog)
    return RefreshFrame(services, watchdog)

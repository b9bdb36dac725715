"""Memory-mapped frames of the system counter (Arm ARM, system level part of the Generic Timer)."""

from __future__ import annotations

from collections.abc import Mapping

from emulator.board.devices.base import Register, RegisterDevice, Services


class CounterFrame(RegisterDevice):
    """CNTReadBase (`control` False: CNTCV at 0) or CNTControlBase (CNTCR, CNTSR, CNTCV at 8, CNTFID0)."""

    def __init__(self, services: Services, control: bool) -> None:
        super().__init__(services.trace)
        self.name = "counter"
        clock = services.clock
        if not control:
            self.define(Register("CNTCV", 0x00, clock.ticks, size=8))
            return
        self._control = 1
        self.define(
            Register("CNTCR", 0x00, lambda: self._control, self._set_control),
            Register("CNTSR", 0x04, lambda: 0x100),
            Register("CNTCV", 0x08, clock.ticks, size=8),
            Register("CNTFID0", 0x20, lambda: clock.frequency),
            Register("CNTFID1", 0x24, lambda: 0),
        )

    def _set_control(self, value: int) -> None:
        """Stored only: the counter of this board can't be stopped."""
        self._control = value & 0x103


def create(services: Services, options: Mapping[str, object]) -> CounterFrame:
    """Option `control`: the control frame instead of the read frame."""
    return CounterFrame(services, bool(options.get("control")))

"""Trickbox of the test board: a byte stored to its first byte (the "tube") is output, 0x04 ends the test."""

from __future__ import annotations

from collections.abc import Mapping

from emulator.board.devices.base import Services

END_OF_TEST = 0x04
TUBE = 0


class Trickbox:
    """`output` collects the bytes; the rest of the window reads as zero and ignores writes."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.output = bytearray()

    def read(self, offset: int, size: int) -> int:
        """All of it reads as zero."""
        del offset, size
        return 0

    def write(self, offset: int, size: int, value: int) -> None:
        """A store that covers the tube outputs its lowest byte."""
        del size
        if offset != TUBE:
            return
        byte = value & 0xFF
        if byte == END_OF_TEST:
            self._services.stop(bytes(self.output))
            return
        self.output.append(byte)
        if self._services.console is not None:
            self._services.console.write(bytes((byte,)))


def create(services: Services, options: Mapping[str, object]) -> Trickbox:
    """Uses `services.console` for output and `services.stop` (with the whole output) at the end."""
    del options
    return Trickbox(services)

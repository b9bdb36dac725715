"""PL011 UART (Arm DDI 0183), connected to a console. Sending takes no time; receiving fills a FIFO."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from emulator.board.devices.base import Register, RegisterDevice, Services, primecell_identification

_RX, _TX, _RECEIVE_TIMEOUT = 1 << 4, 1 << 5, 1 << 6
_FR_RXFE, _FR_TXFE, _FR_RXFF = 1 << 4, 1 << 7, 1 << 6
_CR_UARTEN, _CR_TXE, _CR_RXE, _CR_LBE = 1, 1 << 8, 1 << 9, 1 << 7
_LCRH_FEN = 1 << 4
_FIFO_BYTES = 16
_BACKLOG_BYTES = 1 << 16


class Pl011(RegisterDevice):
    """Registers of the UART. Bytes are sent and received whatever the line settings say."""

    def __init__(self, services: Services) -> None:
        super().__init__(services.trace)
        self.name = "pl011"
        self._services = services
        self._received: deque[int] = deque()
        self._raw = 0
        self._mask = 0
        self._control = _CR_TXE | _CR_RXE
        self._line = 0
        self._stored = {0x20: 0, 0x24: 0, 0x28: 0, 0x34: 0x12, 0x48: 0}
        self.define(
            Register("UARTDR", 0x00, self._read_data, self._write_data),
            Register("UARTRSR", 0x04, lambda: 0, lambda _: None),
            Register("UARTFR", 0x18, self._flags),
            Register("UARTLCR_H", 0x2C, lambda: self._line, self._set_line),
            Register("UARTCR", 0x30, lambda: self._control, self._set_control),
            Register("UARTIMSC", 0x38, lambda: self._mask, self._set_mask),
            Register("UARTRIS", 0x3C, lambda: self._raw),
            Register("UARTMIS", 0x40, lambda: self._raw & self._mask),
            Register("UARTICR", 0x44, lambda: 0, self._clear),
        )
        for offset, label in (
            (0x20, "ILPR"),
            (0x24, "IBRD"),
            (0x28, "FBRD"),
            (0x34, "IFLS"),
            (0x48, "DMACR"),
        ):
            self._define_stored(offset, label)
        self.constants(primecell_identification(0x011, revision=3))
        if services.console is not None:
            services.console.listen(self.receive)

    def _define_stored(self, offset: int, label: str) -> None:
        def read() -> int:
            return self._stored[offset]

        def write(value: int) -> None:
            self._stored[offset] = value & 0xFFFF

        self.define(Register(f"UART{label}", offset, read, write))

    def receive(self, data: bytes) -> None:
        """Bytes from the outside; what no FIFO could ever hold is lost."""
        room = _BACKLOG_BYTES - len(self._received)
        self._received.extend(data[:room])
        if self._received:
            self._raw |= _RX
        self._update()

    def _read_data(self) -> int:
        value = self._received.popleft() if self._received else 0
        if not self._received:
            self._raw &= ~(_RX | _RECEIVE_TIMEOUT)
            self._update()
        return value

    def _write_data(self, value: int) -> None:
        byte = bytes((value & 0xFF,))
        if self._control & _CR_LBE:
            self.receive(byte)
        elif self._services.console is not None:
            self._services.console.write(byte)
        self._raw |= _TX
        self._update()

    def _flags(self) -> int:
        flags = _FR_TXFE
        if not self._received:
            flags |= _FR_RXFE
        elif len(self._received) >= (_FIFO_BYTES if self._line & _LCRH_FEN else 1):
            flags |= _FR_RXFF
        return flags

    def _set_line(self, value: int) -> None:
        self._line = value & 0xFF

    def _set_control(self, value: int) -> None:
        self._control = value & 0xFF87

    def _set_mask(self, value: int) -> None:
        self._mask = value & 0x7FF
        self._update()

    def _clear(self, value: int) -> None:
        self._raw &= ~value
        if self._received and not self._line & _LCRH_FEN:
            self._raw |= _RX
        self._update()

    def _update(self) -> None:
        self._services.interrupt(bool(self._raw & self._mask))


def create(services: Services, options: Mapping[str, object]) -> Pl011:
    """Uses `services.console`; without one, output goes nowhere."""
    del options
    return Pl011(services)

"""Packets on a connection: `$data#checksum`, acknowledged until both sides agree not to."""

from __future__ import annotations

import select
import socket
from string import hexdigits

PACKET_SIZE = 0x4000
"""Bytes of a packet's data at most, in both directions."""
INTERRUPT = b"\x03"
_BUFFER_LIMIT = 16 * PACKET_SIZE
"""A client that sends more than this without a packet's end is cut off."""


class DisconnectedError(Exception):
    """The other side is gone."""


class PacketError(Exception):
    """A packet that can't be obeyed; `number` is the errno of the reply `E nn`."""

    def __init__(self, number: int) -> None:
        super().__init__(f"E{number:02x}")
        self.number = number


def hexadecimal(text: str) -> int:
    """An unsigned number of at most 64 bits as packets write it: hexadecimal digits only. ValueError."""
    if not text or len(text.lstrip("0")) > 16 or any(letter not in hexdigits for letter in text):
        raise ValueError(f"{text!r} is no hexadecimal number")
    return int(text, 16)


def extent(text: str) -> tuple[int, int]:
    """`ADDRESS,SIZE`. ValueError."""
    address, _, size = text.partition(",")
    return hexadecimal(address), hexadecimal(size)


def checksum(data: bytes) -> bytes:
    """Two hexadecimal digits."""
    return b"%02x" % (sum(data) & 0xFF)


def escape(data: bytes) -> bytes:
    """Binary data of a reply: `#`, `$`, `}` and `*` are written as `}` and the byte xor 0x20."""
    out = bytearray()
    for byte in data:
        if byte in b"#$}*":
            out += bytes((0x7D, byte ^ 0x20))
        else:
            out.append(byte)
    return bytes(out)


def unescape(data: bytes) -> bytes:
    """The reverse."""
    out, escaped = bytearray(), False
    for byte in data:
        if escaped:
            out.append(byte ^ 0x20)
            escaped = False
        elif byte == 0x7D:
            escaped = True
        else:
            out.append(byte)
    return bytes(out)


class Connection:
    """One client. `acknowledge` is turned off by QStartNoAckMode."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._data = bytearray()
        self.acknowledge = True

    def receive(self) -> bytes:
        """The next packet's data, or INTERRUPT. Raises DisconnectedError."""
        while True:
            packet = self._take()
            if packet is not None:
                return packet
            self._fill()

    def interrupted(self) -> bool:
        """Look without waiting: an interrupt has come. A lost connection counts as one."""
        while select.select([self._link], [], [], 0)[0]:
            try:
                self._fill()
            except DisconnectedError:
                return True
        if INTERRUPT[0] in self._data and not self._data.startswith(b"$"):
            del self._data[: self._data.index(INTERRUPT[0]) + 1]
            return True
        return False

    def send(self, data: bytes) -> None:
        """One packet."""
        self._send(b"$" + data + b"#" + checksum(data))

    def _send(self, data: bytes) -> None:
        try:
            self._link.sendall(data)
        except OSError:
            raise DisconnectedError from None

    def _fill(self) -> None:
        try:
            data = self._link.recv(65536)
        except OSError:
            data = b""
        if not data or len(self._data) > _BUFFER_LIMIT:
            raise DisconnectedError
        self._data += data

    def _take(self) -> bytes | None:
        """A whole packet out of what has come; acknowledgements and noise between packets are dropped."""
        data = self._data
        while True:
            start, interrupt = data.find(b"$"), data.find(INTERRUPT)
            if interrupt >= 0 and (start < 0 or interrupt < start):
                del data[: interrupt + 1]
                return INTERRUPT
            if start < 0:
                data.clear()
                return None
            del data[:start]
            end = data.find(b"#")
            if end < 0 or len(data) < end + 3:
                return None
            # `$` is escaped inside a packet: a bare one begins another, and what came before it is lost.
            content = bytes(data[data.rfind(b"$", 0, end) + 1 : end])
            given = bytes(data[end + 1 : end + 3])
            del data[: end + 3]
            good = given.lower() == checksum(content)
            if self.acknowledge:
                self._send(b"+" if good else b"-")
            if good or not self.acknowledge:
                return content

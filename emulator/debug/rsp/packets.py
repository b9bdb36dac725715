"""Packets on a connection: `$data#checksum`, acknowledged until both sides agree not to."""

from __future__ import annotations

import select
import socket

PACKET_SIZE = 0x4000
"""Bytes of a packet's data at most, in both directions."""
INTERRUPT = b"\x03"


class DisconnectedError(Exception):
    """The other side is gone."""


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
        try:
            self._link.sendall(b"$" + data + b"#" + checksum(data))
        except OSError:
            raise DisconnectedError from None

    def _fill(self) -> None:
        try:
            data = self._link.recv(65536)
        except OSError:
            data = b""
        if not data or len(self._data) > 4 * PACKET_SIZE:
            raise DisconnectedError
        self._data += data

    def _take(self) -> bytes | None:
        """A whole packet out of what has come; acknowledgements are dropped."""
        while self._data and self._data[0] in b"+-":
            del self._data[0]
        if self._data[:1] == INTERRUPT:
            del self._data[0]
            return INTERRUPT
        if self._data and self._data[0] != ord("$"):
            del self._data[0]
            return self._take()
        end = self._data.find(b"#")
        if end < 0 or len(self._data) < end + 3:
            return None
        data, given = bytes(self._data[1:end]), bytes(self._data[end + 1 : end + 3])
        del self._data[: end + 3]
        good = given.lower() == checksum(data)
        if self.acknowledge:
            try:
                self._link.sendall(b"+" if good else b"-")
            except OSError:
                raise DisconnectedError from None
        return data if good or not self.acknowledge else None

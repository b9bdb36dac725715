"""Memory packets: bytes, capabilities with their tags, and tags alone.

Writing bytes clears tags, as a store does. Setting a tag forges a capability; it is allowed here as in the
debugger's `set`, and like every change it is undone by going back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.debug.rsp.client import Client
from emulator.debug.rsp.objects import capability
from emulator.debug.rsp.packets import PACKET_SIZE, PacketError, extent, hexadecimal, unescape
from emulator.faults import MemoryAbort
from emulator.memory.interface import GRANULE, PAGE_SIZE

if TYPE_CHECKING:
    from emulator.debug.session import DebuggerCore
    from emulator.debug.target import Space

EFAULT, EINVAL = 14, 22
CAPABILITY_TAGS = 2
"""Tag type of qMemTags and QMemTags; 0 and 1 are MTE's logical and allocation tags, which aren't here."""


class MemoryAccess:
    """Of the client's selected thread."""

    def __init__(self, debugger: DebuggerCore, client: Client) -> None:
        self._debugger = debugger
        self._client = client

    def read(self, text: str) -> bytes:
        """m: as many bytes as are mapped. PacketError when the first isn't."""
        address, size = extent(text)
        return self.bytes_at(address, min(size, PACKET_SIZE // 2)).hex().encode()

    def bytes_at(self, address: int, size: int) -> bytes:
        """Up to `size` bytes. PacketError when none is mapped."""
        space, data = self._space(), b""
        while len(data) < size:
            at = address + len(data)
            try:
                data += space.peek(at, min(size - len(data), PAGE_SIZE - at % PAGE_SIZE))
            except MemoryAbort:
                break
        if size and not data:
            raise PacketError(EFAULT)
        return data

    def write(self, text: str) -> bytes:
        """M, data in hexadecimal."""
        place, _, data = text.partition(":")
        return self._poke(*extent(place), bytes.fromhex(data))

    def write_binary(self, packet: bytes) -> bytes:
        """X."""
        place, _, data = packet.partition(b":")
        return self._poke(*extent(place.decode("latin-1")), unescape(data))

    def _poke(self, address: int, size: int, data: bytes) -> bytes:
        if len(data) != size:
            raise PacketError(EINVAL)
        if data:
            try:
                self._space().peek(address, size)
                self._space().poke(address, data)
            except MemoryAbort:
                raise PacketError(EFAULT) from None
            self._changed()
        return b"OK"

    def _changed(self) -> None:
        self._debugger.modified = True
        for task in self._debugger.guest.threads():
            task.engine.forget_code()

    def _space(self) -> Space:
        return self._client.task().process.space

    # -- capabilities ----------------------------------------------------------------------------------

    def write_capability(self, text: str) -> bytes:
        """qXfer:capa:write: 17 bytes, the tag first."""
        place, _, rest = text.partition(":")
        offset, _, data = rest.partition(":")
        packed = unescape(data.encode("latin-1"))
        if hexadecimal(offset) or len(packed) != 1 + GRANULE or packed[0] > 1:
            raise PacketError(EINVAL)
        address = hexadecimal(place)
        if address % GRANULE:
            raise PacketError(EINVAL)
        self._store(address, packed[1:], bool(packed[0]))
        return b"%x" % len(packed)

    def _store(self, address: int, data: bytes, tag: bool) -> None:
        low, high = int.from_bytes(data[:8], "little"), int.from_bytes(data[8:], "little")
        try:
            self._space().poke_cap(address, high, low, tag)
        except MemoryAbort:
            raise PacketError(EFAULT) from None
        self._changed()

    def read_tags(self, text: str) -> bytes:
        """qMemTags:ADDRESS,LENGTH:TYPE → one byte, 0 or 1, for each granule that the range touches."""
        place, _, kind = text.partition(":")
        granules = self._granules(place, kind)
        try:
            tags = bytes(capability(self._client.task().process, address)[0] for address in granules)
        except MemoryAbort:
            raise PacketError(EFAULT) from None
        return b"m" + tags.hex().encode()

    def write_tags(self, text: str) -> bytes:
        """QMemTags:ADDRESS,LENGTH:TYPE:TAGS; fewer tags than granules are repeated."""
        place, kind, tags = text.split(":")
        granules, values = self._granules(place, kind), bytes.fromhex(tags)
        if not values or max(values) > 1:
            raise PacketError(EINVAL)
        process = self._client.task().process
        try:
            contents = [capability(process, address)[1:] for address in granules]
        except MemoryAbort:
            raise PacketError(EFAULT) from None
        for index, (address, data) in enumerate(zip(granules, contents, strict=True)):
            self._store(address, data, bool(values[index % len(values)]))
        return b"OK"

    @staticmethod
    def _granules(place: str, kind: str) -> range:
        address, length = extent(place)
        if hexadecimal(kind) != CAPABILITY_TAGS or length > GRANULE * PACKET_SIZE // 4:
            raise PacketError(EINVAL)
        start = address & -GRANULE
        return range(start, max(address + length, start), GRANULE)

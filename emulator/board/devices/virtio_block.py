"""Virtio block device (Virtio 1.2, section 5.2) on a disk image."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from emulator.board.devices.base import Block, Services
from emulator.board.devices.virtio_mmio import Chain, VirtioMmio
from emulator.memory.physical import BusError

SECTOR_BYTES = 512
_IN, _OUT, _FLUSH, _GET_ID = 0, 1, 4, 8
_OK, _IO_ERROR, _UNSUPPORTED = 0, 1, 2
_FEATURE_READ_ONLY, _FEATURE_FLUSH = 1 << 5, 1 << 9
_SERIAL = b"morello-disk\0\0\0\0\0\0\0\0"


class VirtioBlock:
    """Requests are carried out at once, in order."""

    device_id = 2
    queues = 1

    def __init__(self, transport: VirtioMmio, block: Block) -> None:
        self._transport = transport
        self._block = block
        self.features = _FEATURE_FLUSH | (_FEATURE_READ_ONLY if block.read_only else 0)

    def config(self) -> bytes:
        """Capacity in sectors."""
        return struct.pack("<Q", self._block.size // SECTOR_BYTES) + bytes(56)

    def notified(self, queue: int) -> None:
        """Carries out all waiting requests."""
        while (chain := self._transport.pop(queue)) is not None:
            try:
                written = self._request(chain)
            except BusError as error:
                self._transport.fail(str(error))
                return
            self._transport.push(queue, chain, written)

    def _request(self, chain: Chain) -> int:
        """One request; bytes written to guest memory, the status byte included."""
        memory = self._transport.services.memory
        data = chain.gather(memory)
        if len(data) < 16 or chain.capacity < 1:
            raise BusError(0, 0, "block request without header or status")
        kind, _, sector = struct.unpack_from("<IIQ", data)
        room = chain.capacity - 1
        answer, status = b"", _OK
        if kind == _IN:
            answer, status = self._read(sector, room)
        elif kind == _OUT:
            status = self._write(sector, data[16:])
        elif kind == _GET_ID:
            answer = _SERIAL[:room]
        elif kind != _FLUSH:
            status = _UNSUPPORTED
        written = chain.scatter(memory, answer)
        last_address, last_size = chain.writable[-1]
        memory.write_bytes(last_address + last_size - 1, bytes((status,)))
        return written + 1

    def _read(self, sector: int, size: int) -> tuple[bytes, int]:
        start = sector * SECTOR_BYTES
        if start + size > self._block.size:
            return b"", _IO_ERROR
        try:
            return self._block.read(start, size), _OK
        except OSError:
            return b"", _IO_ERROR

    def _write(self, sector: int, data: bytes) -> int:
        start = sector * SECTOR_BYTES
        if self._block.read_only or start + len(data) > self._block.size:
            return _IO_ERROR
        try:
            self._block.write(start, data)
        except OSError:
            return _IO_ERROR
        return _OK


def create(services: Services, options: Mapping[str, object]) -> VirtioMmio:
    """Uses `services.block`. Option `legacy`: version 1 of the transport."""
    assert services.block is not None
    transport = VirtioMmio(services, bool(options.get("legacy")))
    transport.attach(VirtioBlock(transport, services.block))
    return transport

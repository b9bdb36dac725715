"""Virtio console (Virtio 1.2, section 5.3): queue 0 receives, queue 1 sends."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Mapping

from emulator.board.devices.base import Services
from emulator.board.devices.virtio_mmio import VirtioMmio
from emulator.memory.physical import BusError

_RECEIVE, _TRANSMIT = 0, 1
_FEATURE_SIZE = 1
_BACKLOG_BYTES = 1 << 16


class VirtioConsole:
    """One port, connected to a console of the board."""

    device_id = 3
    queues = 2
    features = _FEATURE_SIZE

    def __init__(self, transport: VirtioMmio) -> None:
        self._transport = transport
        self._console = transport.services.console
        self._input: deque[int] = deque()
        if self._console is not None:
            self._console.listen(self._receive)

    def config(self) -> bytes:
        """80 columns, 25 rows."""
        return struct.pack("<HHII", 80, 25, 1, 0)

    def notified(self, queue: int) -> None:
        """Sends what the driver queued, or fills buffers that it offers."""
        if queue == _RECEIVE:
            self._deliver()
            return
        memory = self._transport.services.memory
        while (chain := self._transport.pop(_TRANSMIT)) is not None:
            try:
                data = chain.gather(memory)
            except BusError as error:
                self._transport.fail(str(error))
                return
            if self._console is not None:
                self._console.write(data)
            self._transport.push(_TRANSMIT, chain, 0)

    def _receive(self, data: bytes) -> None:
        self._input.extend(data[: _BACKLOG_BYTES - len(self._input)])
        self._deliver()

    def _deliver(self) -> None:
        memory = self._transport.services.memory
        while self._input and (chain := self._transport.pop(_RECEIVE)) is not None:
            count = min(len(self._input), chain.capacity)
            data = bytes(self._input.popleft() for _ in range(count))
            try:
                written = chain.scatter(memory, data)
            except BusError as error:
                self._transport.fail(str(error))
                return
            self._transport.push(_RECEIVE, chain, written)


def create(services: Services, options: Mapping[str, object]) -> VirtioMmio:
    """Uses `services.console`. Option `legacy`: version 1 of the transport."""
    transport = VirtioMmio(services, bool(options.get("legacy")))
    transport.attach(VirtioConsole(transport))
    return transport

"""Consoles and disks of a board under the debugger: a repeated run reads and writes nothing twice.

Input is delivered where the board asks for it, at places that depend on nothing but instruction counts and
earlier input; so remembering at which question it came is enough to repeat it.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from emulator.board.console import StreamConsole
from emulator.board.devices.base import Block, Console

SECTOR = 512
_WAIT_SECONDS = 0.1


@dataclass
class BoardLog:
    """What went through the consoles, over all runs."""

    input: list[tuple[int, int, bytes]] = field(default_factory=list)
    """(question, console, bytes); no bytes: its input ended."""
    shown: dict[int, int] = field(default_factory=dict)
    """Bytes of output shown, by console."""

    def forget(self) -> None:
        """The next run is a new one."""
        self.input.clear()
        self.shown.clear()


class ReplayedConsole:
    """One console: output that an earlier run has shown isn't shown again; input comes from `deliver`."""

    def __init__(self, number: int, log: BoardLog, outside: Console) -> None:
        self._number, self._log, self._outside = number, log, outside
        self._written = 0
        self._receiver: Callable[[bytes], None] | None = None

    def write(self, data: bytes) -> None:
        """Output of the guest."""
        old = min(max(self._log.shown.get(self._number, 0) - self._written, 0), len(data))
        if old < len(data):
            self._outside.write(data[old:])
        self._written += len(data)
        self._log.shown[self._number] = max(self._log.shown.get(self._number, 0), self._written)

    def listen(self, receiver: Callable[[bytes], None]) -> None:
        """Who gets the input."""
        self._receiver = receiver

    def deliver(self, data: bytes) -> None:
        """Input for the guest."""
        if self._receiver is not None:
            self._receiver(data)


class Inputs:
    """Answers the board's questions for input: from the log, then from the outside."""

    def __init__(
        self,
        log: BoardLog,
        consoles: Mapping[int, ReplayedConsole],
        outside: Mapping[int, StreamConsole],
        interrupted: Callable[[], bool],
    ) -> None:
        self._log, self._consoles, self._interrupted = log, consoles, interrupted
        self._outside = outside
        self._questions = 0
        self._next = 0
        self._open = {number for number, console in outside.items() if console.descriptor is not None}

    def poll(self) -> None:
        """Input that is there; called now and then while the guest runs."""
        self._questions += 1
        if not self._replayed():
            self._read(0.0)

    def wait(self) -> bool:
        """The guest is idle: wait for input. False when none can come."""
        self._questions += 1
        if self._replayed():
            return True
        while self._open and not self._interrupted():
            if self._read(_WAIT_SECONDS):
                return True
        return bool(self._open)

    def _replayed(self) -> bool:
        """What the log has for this question was delivered; True also while it has more for later."""
        log, begun = self._log.input, self._next
        while self._next < len(log) and log[self._next][0] == self._questions:
            _, number, data = log[self._next]
            self._next += 1
            self._give(number, data)
        return self._next > begun or self._next < len(log)

    def _read(self, timeout: float) -> bool:
        descriptors = {d: n for n in self._open if (d := self._outside[n].descriptor) is not None}
        if not descriptors:
            self._open.clear()
            return False
        ready = select.select(list(descriptors), [], [], timeout)[0]
        for descriptor in ready:
            number = descriptors[descriptor]
            data = self._outside[number].read_input()
            self._log.input.append((self._questions, number, data))
            self._next = len(self._log.input)
            self._give(number, data)
        return bool(ready)

    def _give(self, number: int, data: bytes) -> None:
        if data:
            self._consoles[number].deliver(data)
        else:
            self._open.discard(number)


class OverlayBlock:
    """A disk whose changes stay in memory: a repeated run starts from the same contents."""

    def __init__(self, disk: Block) -> None:
        self._disk = disk
        self._changed: dict[int, bytes] = {}
        self.size = disk.size
        self.read_only = disk.read_only

    def read(self, offset: int, size: int) -> bytes:
        """Bytes of the disk; raises OSError as the disk below does."""
        data = bytearray(self._disk.read(offset, size))
        for sector in range(offset // SECTOR, (offset + size + SECTOR - 1) // SECTOR):
            changed = self._changed.get(sector)
            if changed is not None:
                start = sector * SECTOR
                low, high = max(start, offset), min(start + SECTOR, offset + size)
                data[low - offset : high - offset] = changed[low - start : high - start]
        return bytes(data)

    def write(self, offset: int, data: bytes) -> None:
        """Remember bytes."""
        at = 0
        while at < len(data):
            sector, inside = divmod(offset + at, SECTOR)
            part = min(SECTOR - inside, len(data) - at)
            old = self._changed.get(sector) or self._disk.read(sector * SECTOR, SECTOR)
            self._changed[sector] = old[:inside] + data[at : at + part] + old[inside + part :]
            at += part

"""Standard streams of two machines that run the same program: one input for both, output once."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING

from emulator.linux.handles import HostFile, Open, Poll

if TYPE_CHECKING:
    from emulator.linux.process import Task

Sink = Callable[[int, bytes], None]
"""Takes (1 or 2, what the guest wrote there)."""
_CHUNK = 1 << 16


class Output(HostFile):
    """Standard output or error: the same device for both machines, whose data one of them passes on."""

    def __init__(self, null: int, number: int, sink: Sink | None) -> None:
        super().__init__(null, "/dev/null", Open.WRONLY, owned=False)
        self._number = number
        self._sink = sink

    def write(self, task: Task, data: bytes) -> int:  # noqa: ARG002
        """All of it is written."""
        if self._sink is not None:
            self._sink(self._number, bytes(data))
        return len(data)


class Source:
    """Our standard input. What was read is kept, so that every machine reads the same from the beginning."""

    def __init__(self, descriptor: int = 0) -> None:
        self._descriptor = descriptor
        self._data = bytearray()
        self._ended = False
        try:
            self._file_offset = self._offset_of_file()
        except OSError:
            # It is closed.
            self._ended, self._file_offset = True, None

    def _offset_of_file(self) -> int | None:
        """Where a regular file is to be read from; None for pipes and terminals."""
        regular = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        return os.lseek(self._descriptor, 0, os.SEEK_CUR) if regular else None

    def open(self) -> int:
        """A descriptor for a machine: of the file itself, or of a device in whose place `Input` reads."""
        if self._file_offset is None:
            return os.open(os.devnull, os.O_RDONLY)
        opened = os.open(f"/proc/self/fd/{self._descriptor}", os.O_RDONLY)
        os.lseek(opened, self._file_offset, os.SEEK_SET)
        return opened

    def input(self, descriptor: int) -> Input | None:
        """What a machine reads from, unless it is the opened file itself."""
        return Input(descriptor, self) if self._file_offset is None else None

    def read(self, offset: int, size: int) -> bytes:
        """Data from an offset on; waits for input that nobody has read yet. Empty at the end."""
        if offset >= len(self._data) and not self._ended:
            data = os.read(self._descriptor, min(size, _CHUNK))
            self._data += data
            self._ended = not data
        return bytes(self._data[offset : offset + size])


class Input(HostFile):
    """Standard input of one machine. It is always ready: a read waits, so both read at the same count."""

    def __init__(self, null: int, source: Source) -> None:
        super().__init__(null, "/dev/stdin", Open(0), owned=False)
        self._source = source
        self._offset = 0

    def read(self, task: Task, size: int) -> bytes:  # noqa: ARG002
        """The next data."""
        data = self._source.read(self._offset, size)
        self._offset += len(data)
        return data

    def poll(self) -> Poll:
        """Ready."""
        return Poll.IN | Poll.RDNORM | Poll.OUT | Poll.WRNORM

"""The guest's standard streams under the debugger: a run that is repeated reads and writes nothing twice."""

from __future__ import annotations

import io
import os
import select
import stat
import sys
import termios
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from emulator.linux.handles import HostFile, Open
from emulator.linux.status import FileStatus

if TYPE_CHECKING:
    from emulator.linux.process import Task

READ_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class TerminalKind:
    """A terminal as the program finds it: tcgetattr's six numbers, control characters, size of the window."""

    numbers: tuple[int, ...]
    characters: bytes
    lines: int
    columns: int

    @classmethod
    def of_host(cls, descriptor: int) -> TerminalKind | None:
        """What a descriptor of the host is; None if it is no terminal."""
        try:
            *numbers, characters = termios.tcgetattr(descriptor)
            size = os.get_terminal_size(descriptor)
        except (termios.error, OSError):
            return None
        data = bytes(c if isinstance(c, int) else ord(c) for c in characters)
        return cls(tuple(numbers), data, size.lines, size.columns)

    def settings(self) -> list[Any]:
        """As tcgetattr gives them."""
        return [*self.numbers, [bytes((c,)) for c in self.characters]]


@dataclass(frozen=True, slots=True)
class StreamKind:
    """What the program is told about a stream: the same in every run, wherever that runs."""

    terminal: TerminalKind | None
    status: FileStatus


@dataclass
class Streams:
    """What went through the streams so far, over all runs: `shown[n]` bytes of output, the input itself."""

    shown: dict[int, int] = field(default_factory=lambda: {1: 0, 2: 0})
    written: dict[int, int] = field(default_factory=lambda: {1: 0, 2: 0})
    input: bytearray = field(default_factory=bytearray)
    sizes: list[int] = field(default_factory=list)
    """How many bytes each read returned: a repeated run gets the same pieces."""
    told: set[str] = field(default_factory=set)
    """Messages about the program that were shown."""
    reads: int = 0
    consumed: int = 0
    kinds: dict[int, StreamKind] = field(default_factory=dict)
    """As they were in the first run."""

    def kind(self, number: int) -> StreamKind:
        """What a stream was when it was first asked."""
        if number not in self.kinds:
            info = os.fstat(number)
            terminal = TerminalKind.of_host(number) if stat.S_ISCHR(info.st_mode) else None
            self.kinds[number] = StreamKind(terminal, FileStatus.from_host(info))
        return self.kinds[number]

    def rewind(self) -> None:
        """The program starts again from the beginning, as a replay."""
        self.written = {1: 0, 2: 0}
        self.reads = self.consumed = 0

    def forget(self) -> None:
        """The program starts again as a new run, with new input."""
        self.rewind()
        self.shown = {1: 0, 2: 0}
        self.told.clear()
        self.input.clear()
        self.sizes.clear()
        self.kinds.clear()

    def is_replay(self, number: int) -> bool:
        """What is written now was shown before."""
        return self.written[number] < self.shown[number]


class Messages(io.StringIO):
    """What the personality says about the program; told once, also when the run is repeated."""

    def __init__(self, streams: Streams) -> None:
        super().__init__()
        self._told = streams.told

    def write(self, text: str) -> int:
        """To standard error if it is new."""
        if text not in self._told:
            self._told.add(text)
            sys.stderr.write(text)
        return len(text)


class _Stream(HostFile):
    """A standard stream that is what it was in the first run."""

    def __init__(self, streams: Streams, number: int, name: str) -> None:
        super().__init__(number, f"/dev/{name}", 0, owned=False)
        self._streams = streams
        self._number = number
        self._kind = streams.kind(number)
        terminal = self._kind.terminal
        self._settings = terminal.settings() if terminal is not None else []

    @property
    def is_terminal(self) -> bool:
        """See `OpenFile`."""
        return self._kind.terminal is not None

    def terminal_settings(self) -> list[Any]:
        """See `OpenFile`."""
        return list(self._settings)

    def set_terminal(self, when: int, settings: list[Any]) -> None:
        """See `OpenFile`; the host's follows if it is one."""
        self._settings = settings
        if os.isatty(self.descriptor):
            super().set_terminal(when, settings)

    def window_size(self) -> tuple[int, int]:
        """See `OpenFile`."""
        terminal = self._kind.terminal
        return (terminal.lines, terminal.columns) if terminal is not None else (0, 0)

    def status(self) -> FileStatus:
        """See `OpenFile`."""
        return self._kind.status


class RecordedInput(_Stream):
    """Standard input, remembered. `wait` is called again and again while there is nothing to read."""

    def __init__(self, streams: Streams, wait: Callable[[Task], None]) -> None:
        super().__init__(streams, 0, "stdin")
        self.flags = Open.RDWR if self.is_terminal else Open(0)
        self._wait = wait

    def read(self, task: Task, size: int) -> bytes:
        """From the record, then from the host."""
        streams = self._streams
        if streams.reads < len(streams.sizes):
            count = min(streams.sizes[streams.reads], size)
            data = bytes(streams.input[streams.consumed : streams.consumed + count])
        else:
            while not self.is_regular and not self.nonblocking:
                if select.select([self.descriptor], [], [], 0.1)[0]:
                    break
                self._wait(task)
            data = super().read(task, min(size, READ_CHUNK))
            streams.input += data
            streams.sizes.append(len(data))
        streams.reads += 1
        streams.consumed += len(data)
        return data


class ReplayedOutput(_Stream):
    """Standard output or error: bytes that an earlier run has shown are not shown again."""

    def __init__(self, streams: Streams, number: int) -> None:
        super().__init__(streams, number, ("", "stdout", "stderr")[number])
        self.flags = Open.WRONLY

    def write(self, task: Task, data: bytes) -> int:
        """Write what is new."""
        streams, number = self._streams, self._number
        old = min(max(streams.shown[number] - streams.written[number], 0), len(data))
        count = old + super().write(task, data[old:]) if len(data) > old else len(data)
        streams.written[number] += count
        streams.shown[number] = max(streams.shown[number], streams.written[number])
        return count

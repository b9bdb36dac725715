"""A trace as lines of text: instruction count, thread, and what happened, indented by nesting."""

from __future__ import annotations

from collections.abc import Callable

from emulator.pictures.sink import NO_ARGUMENTS, Arguments, Track

_ENTER, _LEAVE = "→", "←"


class TextSink:
    """See `Sink`. A system call that returns before anything else happens is one line."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._open: dict[int, list[tuple[str, str]]] = {}
        self._waiting: tuple[int, Track, str] | None = None

    def process(self, pid: int, name: str) -> None:
        """See `Sink`."""
        self._flush()
        self._write(f"process {pid} is {_printable(name)}\n")

    def thread(self, track: Track, name: str) -> None:
        """See `Sink`."""
        self._flush()
        if track.tid != track.pid:
            self._write(f"thread {track.tid} of process {track.pid} is {_printable(name)}\n")

    def begin(self, time: int, track: Track, name: str, category: str, arguments: Arguments) -> None:
        """See `Sink`."""
        self._flush()
        text = _head(name, category, arguments)
        if category == "syscall":
            self._waiting = (time, track, text)
        else:
            self._line(time, track, f"{_ENTER} {text}")
        self._open.setdefault(track.tid, []).append((name, category))

    def end(self, time: int, track: Track, arguments: Arguments) -> None:
        """See `Sink`."""
        name, category = self._open[track.tid].pop()
        result = f" = {_printable(str(arguments['result']))}" if "result" in arguments else ""
        if self._waiting is not None and self._waiting[1] == track and category == "syscall":
            begun, _, text = self._waiting
            self._waiting = None
            self._line(begun, track, text + result)
            return
        self._flush()
        self._line(time, track, f"{_LEAVE} {_printable(name)}{result}")

    def instant(self, time: int, track: Track, name: str, category: str, arguments: Arguments) -> None:
        """See `Sink`."""
        self._flush()
        self._line(time, track, "! " + _head(name, category, arguments))

    def counter(self, time: int, pid: int, name: str, unit: str, value: int) -> None:
        """See `Sink`; values between events are for pictures."""

    def finish(self) -> None:
        """See `Sink`."""
        self._flush()

    def instruction(self, time: int, track: Track, text: str) -> None:
        """A line of the instruction trace."""
        self._flush()
        self._line(time, track, text)

    def _flush(self) -> None:
        if self._waiting is not None:
            time, track, text = self._waiting
            self._waiting = None
            self._write_line(time, track, len(self._open[track.tid]) - 1, f"{text} …")

    def _line(self, time: int, track: Track, text: str) -> None:
        self._write_line(time, track, len(self._open.get(track.tid, ())), text)

    def _write_line(self, time: int, track: Track, depth: int, text: str) -> None:
        self._write(f"{time:>13,} [{track.tid}] {'  ' * depth}{text}\n")


def _head(name: str, category: str, arguments: Arguments = NO_ARGUMENTS) -> str:
    name = _printable(name)
    values = {key: _printable(str(value)) for key, value in arguments.items()}
    if category == "syscall":
        return f"{name}({', '.join(f'{key}={value}' for key, value in values.items())})"
    if category == "fault":
        return values.get("explanation", name)
    if category in ("executive", "restricted"):
        return name + (f"  from {values['from']}" if "from" in values else "")
    return "  ".join([name, *(f"{key} {value}" for key, value in values.items())])


def _printable(text: str) -> str:
    """Guests choose names; control characters must not reach a terminal."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)

"""The JSON trace event format of Chrome: https://ui.perfetto.dev, chrome://tracing, speedscope open it.

Source: "Trace Event Format" (Google, 2016). `ts` is in microseconds there; one nanosecond is one instruction.
"""

from __future__ import annotations

import json
from typing import BinaryIO

from emulator.pictures.sink import NO_ARGUMENTS, Arguments, Track


class ChromeJsonSink:
    """See `Sink`. Events are written as they come."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._separator = ""
        stream.write(b'{"displayTimeUnit":"ns","otherData":{"clock":"1 ns = 1 instruction"},"traceEvents":[')

    def process(self, pid: int, name: str) -> None:
        """See `Sink`."""
        self._metadata("process_name", Track(pid, pid), name)

    def thread(self, track: Track, name: str) -> None:
        """See `Sink`."""
        self._metadata("thread_name", track, name)

    def _metadata(self, kind: str, track: Track, name: str) -> None:
        self._write(f'"ph":"M","name":"{kind}","pid":{track.pid},"tid":{track.tid}', {"name": name})

    def begin(self, time: int, track: Track, name: str, category: str, arguments: Arguments) -> None:
        """See `Sink`."""
        self._event("B", time, track, arguments, f',"name":{_text(name)},"cat":{_text(category)}')

    def end(self, time: int, track: Track, arguments: Arguments) -> None:
        """See `Sink`."""
        self._event("E", time, track, arguments)

    def instant(self, time: int, track: Track, name: str, category: str, arguments: Arguments) -> None:
        """See `Sink`."""
        self._event("i", time, track, arguments, f',"s":"t","name":{_text(name)},"cat":{_text(category)}')

    def counter(self, time: int, pid: int, name: str, unit: str, value: int) -> None:
        """See `Sink`."""
        label = f"{name} ({unit})" if unit else name
        self._event("C", time, Track(pid, pid), {label: value}, f',"name":{_text(label)}')

    def finish(self) -> None:
        """See `Sink`."""
        self._stream.write(b"\n]}\n")

    def _event(self, phase: str, time: int, track: Track, arguments: Arguments, more: str = "") -> None:
        place = f'"pid":{track.pid},"tid":{track.tid}'
        self._write(f'"ph":"{phase}","ts":{time // 1000}.{time % 1000:03d},{place}{more}', arguments)

    def _write(self, fields: str, arguments: Arguments = NO_ARGUMENTS) -> None:
        tail = f',"args":{json.dumps(dict(arguments))}' if arguments else ""
        self._stream.write(f"{self._separator}\n{{{fields}{tail}}}".encode())
        self._separator = ","


def _text(text: str) -> str:
    """A JSON string; everything but ASCII is escaped, so it is UTF-8 whatever the guest gave."""
    return json.dumps(text)

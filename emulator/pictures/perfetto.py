"""Perfetto's own trace format: a sequence of protobuf packets, written as they come.

Source: protos/perfetto/trace/trace_packet.proto and track_event/*.proto of Perfetto; the field numbers below
are theirs. Timestamps are nanoseconds there; one nanosecond is one instruction.
"""

from __future__ import annotations

from typing import BinaryIO

from emulator.pictures.sink import NO_ARGUMENTS, Arguments, Track

_VARINT, _BYTES = 0, 2

TRACE_PACKET = 1
PACKET_TIMESTAMP, PACKET_SEQUENCE, PACKET_EVENT, PACKET_FLAGS, PACKET_DESCRIPTOR = 8, 10, 11, 13, 60
EVENT_ANNOTATION, EVENT_TYPE, EVENT_TRACK, EVENT_CATEGORY, EVENT_NAME, EVENT_VALUE = 4, 9, 11, 22, 23, 30
SLICE_BEGIN, SLICE_END, INSTANT, COUNTER = 1, 2, 3, 4
ANNOTATION_INT, ANNOTATION_STRING, ANNOTATION_NAME = 4, 6, 10
DESCRIPTOR_UUID, DESCRIPTOR_NAME, DESCRIPTOR_PROCESS = 1, 2, 3
DESCRIPTOR_THREAD, DESCRIPTOR_PARENT, DESCRIPTOR_COUNTER = 4, 5, 8
PROCESS_PID, PROCESS_NAME = 1, 6
THREAD_PID, THREAD_TID, THREAD_NAME = 1, 2, 5
COUNTER_UNIT, COUNTER_UNIT_NAME, UNIT_BYTES = 3, 6, 3

_SEQUENCE = 1
_STATE_CLEARED = 1
"""SEQ_INCREMENTAL_STATE_CLEARED: readers take a sequence's events from such a packet on."""
_PROCESS_TRACK, _THREAD_TRACK, _COUNTER_TRACK = 1 << 40, 2 << 40, 3 << 40
"""Tracks have numbers of their own: a kind above a pid, tid or running number."""


class PerfettoSink:
    """See `Sink`."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._counters: dict[tuple[int, str], int] = {}
        self._packet(_number(PACKET_FLAGS, _STATE_CLEARED))

    def process(self, pid: int, name: str) -> None:
        """See `Sink`."""
        process = _number(PROCESS_PID, pid) + _text(PROCESS_NAME, name)
        self._describe(_number(DESCRIPTOR_UUID, _PROCESS_TRACK | pid) + _bytes(DESCRIPTOR_PROCESS, process))

    def thread(self, track: Track, name: str) -> None:
        """See `Sink`."""
        thread = _number(THREAD_PID, track.pid) + _number(THREAD_TID, track.tid) + _text(THREAD_NAME, name)
        self._describe(
            _number(DESCRIPTOR_UUID, _THREAD_TRACK | track.tid)
            + _number(DESCRIPTOR_PARENT, _PROCESS_TRACK | track.pid)
            + _bytes(DESCRIPTOR_THREAD, thread)
        )

    def begin(self, time: int, track: Track, name: str, category: str, arguments: Arguments) -> None:
        """See `Sink`."""
        self._event(time, SLICE_BEGIN, track, arguments, name, category)

    def end(self, time: int, track: Track, arguments: Arguments) -> None:
        """See `Sink`."""
        self._event(time, SLICE_END, track, arguments)

    def instant(self, time: int, track: Track, name: str, category: str, arguments: Arguments) -> None:
        """See `Sink`."""
        self._event(time, INSTANT, track, arguments, name, category)

    def counter(self, time: int, pid: int, name: str, unit: str, value: int) -> None:
        """See `Sink`."""
        number = self._counters.get((pid, name))
        if number is None:
            number = self._counters[pid, name] = _COUNTER_TRACK | len(self._counters)
            kind = _number(COUNTER_UNIT, UNIT_BYTES) if unit == "bytes" else _text(COUNTER_UNIT_NAME, unit)
            self._describe(
                _number(DESCRIPTOR_UUID, number)
                + _number(DESCRIPTOR_PARENT, _PROCESS_TRACK | pid)
                + _text(DESCRIPTOR_NAME, name)
                + _bytes(DESCRIPTOR_COUNTER, kind)
            )
        event = _number(EVENT_TYPE, COUNTER) + _number(EVENT_TRACK, number) + _number(EVENT_VALUE, value)
        self._packet(_number(PACKET_TIMESTAMP, time) + _bytes(PACKET_EVENT, event))

    def finish(self) -> None:
        """See `Sink`; the format has no end."""

    def _event(
        self,
        time: int,
        kind: int,
        track: Track,
        arguments: Arguments = NO_ARGUMENTS,
        name: str = "",
        category: str = "",
    ) -> None:
        event = _number(EVENT_TYPE, kind) + _number(EVENT_TRACK, _THREAD_TRACK | track.tid)
        if name:
            event += _text(EVENT_NAME, name) + _text(EVENT_CATEGORY, category)
        for key, value in arguments.items():
            if isinstance(value, int):
                field = _number(ANNOTATION_INT, value)
            else:
                field = _text(ANNOTATION_STRING, value)
            event += _bytes(EVENT_ANNOTATION, _text(ANNOTATION_NAME, key) + field)
        self._packet(_number(PACKET_TIMESTAMP, time) + _bytes(PACKET_EVENT, event))

    def _describe(self, descriptor: bytes) -> None:
        self._packet(_bytes(PACKET_DESCRIPTOR, descriptor))

    def _packet(self, fields: bytes) -> None:
        self._stream.write(_bytes(TRACE_PACKET, fields + _number(PACKET_SEQUENCE, _SEQUENCE)))


def _varint(value: int) -> bytes:
    """Seven bits a byte, lowest first; negative numbers as 64-bit two's complement."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3 | _VARINT) + _varint(value)


def _bytes(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | _BYTES) + _varint(len(data)) + data


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text.encode("utf-8", errors="replace"))

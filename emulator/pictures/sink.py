"""What a recorder of events writes to: one interface, a file format or a text behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

Arguments = Mapping[str, str | int]
NO_ARGUMENTS: Arguments = {}


class Track(NamedTuple):
    """A thread's line in a timeline."""

    pid: int
    tid: int


class Sink(Protocol):
    """Times are instruction counts of all threads; they never go back within a track.

    Slices of a track nest: `end` closes the one that was begun last.
    """

    def process(self, pid: int, name: str) -> None:
        """The name of a process, also a new one."""

    def thread(self, track: Track, name: str) -> None:
        """The name of a thread, also a new one."""

    def begin(self, time: int, track: Track, name: str, category: str, arguments: Arguments) -> None:
        """A slice begins."""

    def end(self, time: int, track: Track, arguments: Arguments) -> None:
        """The innermost slice ends; more is known about it now."""

    def instant(self, time: int, track: Track, name: str, category: str, arguments: Arguments) -> None:
        """Something happened."""

    def counter(self, time: int, pid: int, name: str, unit: str, value: int) -> None:
        """A value of a process from now on."""

    def finish(self) -> None:
        """Nothing more comes."""

"""Breakpoints and watchpoints that the client has inserted (Z packets), beside those of `monitor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.debug.rsp.client import Client
from emulator.debug.rsp.packets import hexadecimal
from emulator.debug.stops import Stop, StopCause, WatchKind

if TYPE_CHECKING:
    from emulator.debug.session import DebuggerCore

SOFTWARE, HARDWARE = 0, 1
_WATCHES = {
    2: (WatchKind.WRITE, "watch"),
    3: (WatchKind.READ, "rwatch"),
    4: (WatchKind.ACCESS, "awatch"),
}
Key = tuple[int, int, int]
"""Type, address, kind: as in the packet."""


class Inserted:
    """The table; its rows are points of the debugger."""

    def __init__(self, debugger: DebuggerCore, client: Client) -> None:
        self._debugger = debugger
        self._client = client
        self._numbers: dict[Key, int] = {}

    def insert(self, text: str) -> bytes:
        """Z; inserting what is there already does nothing. ValueError, CommandError."""
        key = self._key(text)
        kind, address, size = key
        if key in self._numbers:
            return b"OK"
        points = self._debugger.points
        if kind in (SOFTWARE, HARDWARE):
            self._numbers[key] = points.add_breakpoint(f"*{address:#x}").number
        elif kind in _WATCHES:
            self._numbers[key] = points.add_watch(_WATCHES[kind][0], f"{address:#x}", address, size).number
        else:
            return b""
        return b"OK"

    def remove(self, text: str) -> bytes:
        """z; removing what isn't there does nothing. ValueError."""
        number = self._numbers.pop(self._key(text), None)
        if number is not None and any(point.number == number for point in self._debugger.points):
            self._debugger.points.delete(number)
        return b"OK"

    @staticmethod
    def _key(text: str) -> Key:
        # Conditions and commands may follow; the server doesn't advertise them, so there are none to obey.
        kind, address, size = (hexadecimal(part) for part in text.partition(";")[0].split(","))
        return kind, address, size

    def reason(self, stop: Stop) -> str:
        """The part of a stop reply that tells which of these points it was; "" for none.

        A breakpoint at an odd address is at a C64 function, or where one returns to, as a client sees it that
        knows no C64. It finds its breakpoint again if it finds PC there.
        """
        found = next((key for key, number in self._numbers.items() if number == stop.point), None)
        if found is None:
            return ""
        kind, address, _ = found
        if stop.cause is StopCause.WATCH and kind in _WATCHES:
            return f"{_WATCHES[kind][1]}:{address:x};"
        if stop.cause is not StopCause.BREAKPOINT:
            return ""
        if address & 1:
            self._client.odd = stop.tid
        feature = "hwbreak" if kind == HARDWARE else "swbreak"
        return f"{feature}:;" if feature in self._client.features else ""

    def is_clients(self, stop: Stop) -> bool:
        """One of these points was the reason."""
        return stop.point in self._numbers.values()

"""What one client has negotiated and selected, and how threads are named to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.debug.rsp import registers
from emulator.debug.rsp.packets import PacketError, hexadecimal

if TYPE_CHECKING:
    from emulator.debug.rsp.inferior import Inferior
    from emulator.debug.session import DebuggerCore
    from emulator.debug.target import Thread

ESRCH = 3
ANY = 0
"""A process or thread number: whichever the server likes."""


@dataclass
class Client:
    """State of a connection. `features` are what the client says it supports, without their `+`."""

    debugger: DebuggerCore
    inferior: Inferior
    features: frozenset[str] = frozenset()
    passed_signals: frozenset[int] = frozenset()
    """Linux signals that the program gets without a stop (QPassSignals)."""
    selected: int | None = None
    """Thread number that register and memory packets are about; None: the one that stopped."""
    executable: str = ""
    """The program that the client knows (exec events)."""
    is_extended: bool = False
    """Stays connected when the program ends, and may run it again (extended remote)."""
    odd: int | None = None
    """Number of a thread that has stopped at a breakpoint with an odd address; its PC is shown as that."""

    def tasks(self) -> Iterator[Thread]:
        """Threads, in the order of their numbers; none after the end."""
        if not self.debugger.stop.is_end:
            yield from self.inferior.threads()

    def current(self) -> Thread:
        """The thread that stopped; the first one when it was another process's. PacketError without any."""
        tasks = list(self.tasks())
        if not tasks:
            raise PacketError(ESRCH)
        return next((task for task in tasks if task is self.debugger.task), tasks[0])

    @property
    def is_multiprocess(self) -> bool:
        """Thread ids have the form `pPID.TID`."""
        return "multiprocess" in self.features

    def task(self) -> Thread:
        """The selected thread. PacketError when there is none."""
        if self.selected is None:
            return self.current()
        return self._numbered(self.selected)

    def _numbered(self, number: int) -> Thread:
        for task in self.tasks():
            if task.tid == number:
                return task
        raise PacketError(ESRCH)

    def moves(self) -> None:
        """The program is about to go on: the next stop selects a thread."""
        self.selected = self.odd = None

    def register(self, row: registers.Row) -> bytes:
        """A register of the selected thread, little-endian."""
        task = self.task()
        data = registers.read(task, row)
        if row.name == "pc" and task.tid == self.odd:
            return bytes((data[0] | 1,)) + data[1:]
        return data

    def name(self, task: Thread) -> str:
        """The id of a thread."""
        return f"p{self.inferior.pid:x}.{task.tid:x}" if self.is_multiprocess else f"{task.tid:x}"

    def parse(self, text: str) -> int | None:
        """Thread number of an id: ANY, or None for all threads (-1). ValueError."""
        if text.startswith("p"):
            process, _, thread = text[1:].partition(".")
            if process == "-1" or thread in ("", "-1"):
                return None
            return hexadecimal(thread) if hexadecimal(process) or thread != "0" else ANY
        return None if text == "-1" else hexadecimal(text)

    def find(self, text: str) -> Thread | None:
        """The thread of an id; the one that stopped for ANY; None for all threads. PacketError."""
        number = self.parse(text)
        if number is None:
            return None
        return self.current() if number == ANY else self._numbered(number)

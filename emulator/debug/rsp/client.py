"""What one client has negotiated and selected, and how threads are named to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.debug.rsp import registers
from emulator.debug.rsp.packets import PacketError, hexadecimal

if TYPE_CHECKING:
    from emulator.debug.session import Debugger
    from emulator.linux.process import Process, Task

ESRCH = 3
ANY = 0
"""A process or thread number: whichever the server likes."""


@dataclass
class Client:
    """State of a connection. `features` are what the client says it supports, without their `+`."""

    debugger: Debugger
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

    def tasks(self) -> Iterator[Task]:
        """Threads of the first process, in the order of their numbers. Its children are not debugged."""
        debugger = self.debugger
        if debugger.stop.is_end:
            return
        for task in debugger.guest.kernel.tasks.values():
            if task.alive and task.process is self.process:
                yield task

    def current(self) -> Task:
        """The thread that stopped; the first one when it was a child's. PacketError when there is none."""
        if self.debugger.stop.is_end:
            raise PacketError(ESRCH)
        stopped = self.debugger.task
        if stopped.process is self.process:
            return stopped
        return next(self.tasks())

    @property
    def process(self) -> Process:
        """The process that is debugged: the first one."""
        first = self.debugger.guest.kernel.first
        assert first is not None
        return first

    @property
    def is_multiprocess(self) -> bool:
        """Thread ids have the form `pPID.TID`."""
        return "multiprocess" in self.features

    def task(self) -> Task:
        """The selected thread. PacketError when there is none."""
        if self.selected is None:
            return self.current()
        return self._numbered(self.selected)

    def _numbered(self, number: int) -> Task:
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

    def name(self, task: Task) -> str:
        """The id of a thread."""
        return f"p{task.process.pid:x}.{task.tid:x}" if self.is_multiprocess else f"{task.tid:x}"

    def parse(self, text: str) -> int | None:
        """Thread number of an id: ANY, or None for all threads (-1). ValueError."""
        if text.startswith("p"):
            process, _, thread = text[1:].partition(".")
            if process == "-1" or thread in ("", "-1"):
                return None
            return hexadecimal(thread) if hexadecimal(process) or thread != "0" else ANY
        return None if text == "-1" else hexadecimal(text)

    def find(self, text: str) -> Task | None:
        """The thread of an id; the one that stopped for ANY; None for all threads. PacketError."""
        number = self.parse(text)
        if number is None:
            return None
        return self.current() if number == ANY else self._numbered(number)

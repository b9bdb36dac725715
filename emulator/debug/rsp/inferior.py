"""What is debugged, as the protocol sees it: one process with threads, and files it was loaded from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.debug.rsp import objects
from emulator.debug.session import Debugger, DebuggerCore
from emulator.linux.process import Process, Task

if TYPE_CHECKING:
    from emulator.debug.target import Program, Thread
    from emulator.linux.process import LoadedImage


class Inferior(ABC):
    """A Linux program or a board. Threads are valid until the guest goes on."""

    is_linux: bool

    @property
    @abstractmethod
    def pid(self) -> int:
        """Its process number."""

    @property
    @abstractmethod
    def program(self) -> Program:
        """Its memory and images."""

    @property
    @abstractmethod
    def executable(self) -> str:
        """The path of its program; "" when it has none."""

    @abstractmethod
    def threads(self) -> Iterator[Thread]:
        """In the order of their numbers."""

    @abstractmethod
    def images(self) -> Iterator[tuple[str, LoadedImage]]:
        """Every image with the path under which a client asks for it."""

    @abstractmethod
    def activity(self, thread: Thread) -> str:
        """What a thread does, for `info threads`."""

    def object(self, kind: str) -> bytes | None:  # noqa: ARG002
        """The object of a qXfer packet that only this kind of inferior has; None for others."""
        return None

    def send_signal(self, thread: Thread, number: int) -> None:  # noqa: ARG002
        """A signal that the client wants a thread to get. ValueError when there are none here."""
        raise ValueError("there are no signals")

    def set_arguments(self, arguments: list[str]) -> None:  # noqa: ARG002
        """Of the next run. ValueError when it takes none."""
        raise ValueError("there are no arguments")


class LinuxInferior(Inferior):
    """The first process of a run; its children aren't debugged."""

    is_linux = True

    def __init__(self, debugger: Debugger) -> None:
        self._debugger = debugger

    @property
    def program(self) -> Process:
        """See `Inferior`."""
        first = self._debugger.guest.kernel.first
        assert first is not None
        return first

    @property
    def pid(self) -> int:
        """See `Inferior`."""
        return self.program.pid

    @property
    def executable(self) -> str:
        """See `Inferior`."""
        return self.program.executable

    def threads(self) -> Iterator[Task]:
        """See `Inferior`."""
        for task in self._debugger.guest.threads():
            if task.alive and task.process is self.program:
                yield task

    def images(self) -> Iterator[tuple[str, LoadedImage]]:
        """See `Inferior`; also those of children, whose symbols a client may have asked for before."""
        for process in self._debugger.guest.kernel.processes.values():
            for loaded in process.images:
                yield objects.path_of(process, loaded), loaded

    def activity(self, thread: Thread) -> str:
        """See `Inferior`."""
        if isinstance(thread, Task) and thread.call is not None and thread.wait is not None:
            return f"waits in {thread.call.row.name}"
        side = "Restricted" if thread.pe.is_restricted else "Executive"
        return f"{'C64' if thread.pe.pstate.c64 else 'A64'}, {side}"

    def object(self, kind: str) -> bytes | None:
        """See `Inferior`."""
        if kind == "auxv":
            return objects.auxv(self.program)
        if kind == "libraries-svr4":
            return objects.libraries(self.program)
        return objects.memory_map() if kind == "memory-map" else None

    def send_signal(self, thread: Thread, number: int) -> None:
        """See `Inferior`."""
        assert isinstance(thread, Task)
        self._debugger.guest.kernel.signals.send_to_task(thread, number)

    def set_arguments(self, arguments: list[str]) -> None:
        """See `Inferior`."""
        self._debugger.request.arguments = arguments


class BoardInferior(Inferior):
    """The core of a board."""

    is_linux = False
    pid = 1

    def __init__(self, debugger: DebuggerCore) -> None:
        self._debugger = debugger

    @property
    def program(self) -> Program:
        """See `Inferior`."""
        return self._debugger.process

    @property
    def executable(self) -> str:
        """The image, if it is an ELF file; as a path of the host."""
        images = self.program.images
        return str(Path(images[0].path).resolve()) if images else ""

    def threads(self) -> Iterator[Thread]:
        """See `Inferior`."""
        yield from self._debugger.guest.threads()

    def images(self) -> Iterator[tuple[str, LoadedImage]]:
        """See `Inferior`."""
        for loaded in self.program.images[:1]:
            yield self.executable, loaded

    def activity(self, thread: Thread) -> str:
        """See `Inferior`."""
        state = thread.pe.pstate
        side = ", Restricted" if thread.pe.is_restricted else ""
        return f"EL{state.el}, {'C64' if state.c64 else 'A64'}{side}"


def inferior_of(debugger: DebuggerCore) -> Inferior:
    """The inferior of a started debugger."""
    return LinuxInferior(debugger) if isinstance(debugger, Debugger) else BoardInferior(debugger)

"""`--strace`: one line per finished system call, capabilities decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from emulator.linux.errors import Errno, SyscallError
from emulator.linux.observer import Observer
from emulator.linux.signals import signal_name
from emulator.linux.table import InBuffer, Result
from morello_isa.capability import Capability

if TYPE_CHECKING:
    from emulator.linux.process import PendingCall, Process, Task
    from emulator.linux.signals import SignalInfo

SHOWN_BYTES = 32


class Tracer(Observer):
    """Writes the trace to a text stream."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def line(self, pid: int, text: str) -> None:
        """A line about a process."""
        self._out.write(f"[{pid}] {text}\n")

    def call(self, task: Task, call: PendingCall, result: Result | None) -> None:
        """A call that has ended."""
        parts = (f"{name}={text}" if name else text for name, text in argument_texts(task, call))
        self.line(task.tid, f"{call.row.name}({', '.join(parts)}) = {result_text(task, result)}")

    def killed(self, process: Process, info: SignalInfo) -> None:
        """The last line of a process."""
        self.line(process.pid, f"+++ killed by {signal_name(info.number)} +++")


def argument_texts(task: Task, call: PendingCall) -> list[tuple[str, str]]:
    """(name or "", decoded value) of each argument of a call."""
    parts = []
    for index, (kind, value) in enumerate(zip(call.row.arguments, call.arguments, strict=True)):
        text = kind.text(task, value)
        if isinstance(kind, InBuffer) and index + 1 < len(call.arguments):
            text = f"{_contents(task, value, call.arguments[index + 1])} {text}"
        parts.append((kind.name, text))
    return parts


def _contents(task: Task, pointer: int | Capability, size: int | Capability) -> str:
    if not isinstance(pointer, Capability) or not isinstance(size, int):
        return ""
    try:
        data = task.memory.read(pointer, min(size, SHOWN_BYTES))
    except SyscallError as error:
        return error.errno.name
    text = repr(data.decode("latin-1"))
    return text + "..." if size > SHOWN_BYTES else text


def result_text(task: Task, result: Result | None) -> str:
    """What a call returned, errors by name."""
    if result is None:
        return "?"
    if isinstance(result, Capability):
        if task.process.abi.is_purecap:
            return f"{{{result.describe()}}}"
        return f"{result.value:#x}"
    if -4096 < result < 0:
        try:
            return f"-1 {Errno(-result).name}"
        except ValueError:
            return str(result)
    return str(result) if result < 1 << 32 else f"{result:#x}"

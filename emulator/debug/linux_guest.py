"""A Linux program as a guest of the debugger."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from emulator.debug.changes import FileChanges
from emulator.debug.engine import DebugEngine, debug_engine
from emulator.debug.guest import Guest
from emulator.debug.stops import ANY, CatchKind, Stop, StopCause
from emulator.debug.streams import Messages, RecordedInput, ReplayedOutput, Streams
from emulator.engine.api import Engine, ExceptionHandler
from emulator.faults import FaultKind, PeFault
from emulator.linux.process import LoadedImage, Process, Task
from emulator.linux.session import Session
from emulator.linux.signals import SignalInfo, Signals, signal_name
from emulator.linux.syscalls import TABLE
from emulator.memory.interface import Memory
from emulator.state.pe import Pe
from morello_isa.errors import EXIT_LIMIT

if TYPE_CHECKING:
    from emulator.debug.target import Thread
    from emulator.linux.kernel import Kernel, Outcome

MakeSession = Callable[[Callable[[Pe, Memory, ExceptionHandler], Engine], Messages], Session]


class CatchingSignals(Signals):
    """Signals whose delivery the debugger can stop at."""

    def __init__(self, kernel: Kernel, told: Callable[[Task, SignalInfo], bool]) -> None:
        super().__init__(kernel)
        self._told = told

    def take(self, task: Task, mask: int) -> SignalInfo | None:
        """See `Signals.take`."""
        info = super().take(task, mask)
        while info is not None and not self._told(task, info):
            info = super().take(task, mask)
        return info


class LinuxGuest(Guest):
    """One run of a program. `session` is there once the program is loaded; `engine` as in `debug_engine`."""

    task: Task

    def __init__(self, make: MakeSession, streams: Streams, engine: str) -> None:
        super().__init__()
        self.streams = streams
        self.session: Session
        self.changes = FileChanges()
        self._make = make
        self._engine = engine
        self._images: dict[int, list[LoadedImage]] = {}
        """By process."""

    @property
    def kernel(self) -> Kernel:
        """The kernel of the run."""
        return self.session.kernel

    @property
    def position(self) -> int:
        """See `Guest`."""
        return self.kernel.instructions

    def threads(self) -> Iterable[Task]:
        """See `Guest`."""
        return self.kernel.tasks.values()

    @property
    def unrepeatable(self) -> str:
        """The first system call that changed files."""
        return self.changes.first

    def end(self) -> None:
        """See `Guest`."""
        self.kernel.end_everything()

    def run_to_end(self) -> Stop:
        """See `Guest`."""
        messages = Messages(self.streams)
        make = debug_engine(self._engine)
        session = self._make(lambda pe, memory, handler: make(pe, memory, handler, self), messages)
        self.session = session
        kernel = session.kernel
        kernel.tracer = self.changes
        kernel.signals = CatchingSignals(kernel, self._signal)
        self._open_streams(session.process)
        self.task = session.process.tasks[0]
        self._images[session.process.pid] = list(session.process.images)
        self.pause(self.task, StopCause.START, "program loaded")
        return self._exit_stop(kernel.run())

    def _open_streams(self, process: Process) -> None:
        for number, _ in list(process.descriptors):
            if number == 0:
                process.descriptors.put(0, RecordedInput(self.streams, self._waiting))
            else:
                process.descriptors.put(number, ReplayedOutput(self.streams, number))

    def _waiting(self, task: Task) -> None:
        """The program reads, and there is no input: its system call isn't over, so it counts as not begun."""
        if self.interrupted:
            text = "interrupted while the program waits for input"
            position = self.kernel.instructions - 1
            self.pause_with(Stop(StopCause.INTERRUPT, text, position, task.tid, task.pe.pc), task)

    def _exit_stop(self, outcome: Outcome) -> Stop:
        position = self.kernel.instructions
        if outcome.limited:
            return Stop(StopCause.EXITED, "instruction limit reached", position, status=EXIT_LIMIT)
        if outcome.signal:
            text = f"killed by {signal_name(outcome.signal)}"
            return Stop(StopCause.EXITED, text, position, signal=outcome.signal, status=128 + outcome.signal)
        text = f"exited with status {outcome.status}"
        return Stop(StopCause.EXITED, text, position, status=outcome.status)

    def concerns(self, task: Thread) -> bool:
        """See `Guest`."""
        assert isinstance(task, Task)
        return self.plan.process is None or task.process.pid == self.plan.process

    def exception(self, engine: DebugEngine, fault: PeFault) -> bool:
        """See `Controller`."""
        if fault.kind is FaultKind.SVC:
            self._system_call(engine)
        elif self.plan.stop_at_faults and self.concerns(self.task_of(engine)):
            self.pause_at_fault(engine, fault)
            return self.plan.deliver
        return True

    def after_exception(self, engine: DebugEngine, fault: PeFault) -> None:
        """See `Controller`."""
        if fault.kind is not FaultKind.SVC:
            return
        task = self.task_of(engine)
        process = task.process
        if process.images != self._images.get(process.pid, process.images):
            self._images[process.pid] = list(process.images)
            self.images_changed()
            engine.forget_code()
            if self.plan.stop_at_images and task.alive and self.concerns(task):
                self.pause(task, StopCause.LIBRARIES, "libraries changed")

    def task_of(self, engine: DebugEngine) -> Task:
        """See `Guest`."""
        task = super().task_of(engine)
        assert isinstance(task, Task)
        return task

    def _system_call(self, engine: DebugEngine) -> None:
        names = self.plan.catches.get(CatchKind.SYSCALL)
        if names is None:
            return
        number = engine.pe.read_x(8) & 0xFFFF_FFFF
        row = TABLE.get(number)
        name = row.name if row is not None else str(number)
        if ANY in names or name in names:
            self.pause(self.task_of(engine), StopCause.SYSCALL, f"system call {name} ({number})")

    def _signal(self, task: Task, info: SignalInfo) -> bool:
        """A signal is about to be acted upon; False: it shall be dropped."""
        plan, name = self.plan, signal_name(info.number)
        names = plan.catches.get(CatchKind.SIGNAL)
        caught = names is not None and (ANY in names or name in names)
        if not caught and info.fault is None and plan.at_signal is not None:
            caught = plan.at_signal(info)
        if not caught or not self.concerns(task):
            return True
        self.pause(task, StopCause.SIGNAL, f"signal {name}", number=info.number)
        return self.plan.deliver

"""The guest in a thread of its own: runs until something asks for a stop, then waits for the debugger.

Only one of the two threads runs at a time, so everything about the guest may be looked at and changed while
it is stopped. What to stop at is in `Plan`, which the debugger replaces before it lets the guest go on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emulator.debug.changes import FileChanges
from emulator.debug.engine import DebugEngine
from emulator.debug.stops import CatchKind, Stop, StopCause
from emulator.debug.streams import Messages, RecordedInput, ReplayedOutput, Streams
from emulator.engine.api import Engine, ExceptionHandler
from emulator.explain import explain
from emulator.faults import FaultKind, PeFault
from emulator.linux.session import Session
from emulator.linux.signals import SignalInfo, Signals, signal_name
from emulator.linux.syscalls import TABLE
from emulator.memory.interface import Memory
from emulator.state.pe import Pe
from morello_isa.errors import EXIT_EMULATOR_ERROR, UserError

if TYPE_CHECKING:
    from emulator.linux.kernel import Kernel, Outcome
    from emulator.linux.process import LoadedImage, Process, Task

POLL_SECONDS = 0.05
LONGEST_RUN = 20_000
"""Instructions after which an interruption is looked for."""
MakeSession = Callable[[Callable[[Pe, Memory, ExceptionHandler], Engine], Messages], Session]
Observer = Callable[["Task", int, int], "Stop | None"]
"""Called before each instruction with (thread, pc, word); returns a stop if it wants one."""


class AbandonedError(BaseException):
    """Ends the guest's thread; not an `Exception`, so nothing in between takes it for a fault."""


@dataclass
class Plan:
    """What to stop at until the next stop.

    `target` is a position (instructions of all threads), `steps` a count for one thread. `at_breakpoint`
    decides about an address of `addresses`; `observers` make the guest run one instruction at a time.
    """

    addresses: set[int] = field(default_factory=set)
    at_breakpoint: Callable[[Task, int], Stop | None] | None = None
    observers: list[Observer] = field(default_factory=list)
    catches: dict[CatchKind, frozenset[str]] = field(default_factory=dict)
    target: int | None = None
    stepping: Task | None = None
    steps: int = 0
    stop_at_faults: bool = True
    stop_at_images: bool = False
    """Stop when a process has loaded a library or executed another program."""
    at_signal: Callable[[SignalInfo], bool] | None = None
    """Decides about a signal that no fault caused, when it is about to be acted upon."""
    process: int | None = None
    """The only process whose breakpoints, accesses, faults, signals and images are looked at; None: all."""
    deliver: bool = True
    """False: the fault or signal at which the guest stopped before never reaches the program."""


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


class Guest:
    """One run of the program. `session` and `task` are there once the program is loaded."""

    def __init__(self, make: MakeSession, streams: Streams) -> None:
        self.plan = Plan()
        self.streams = streams
        self.changes = FileChanges()
        self.images_changed: Callable[[], None] = _nothing
        self.session: Session
        self.task: Task
        self.stop = Stop(StopCause.START, "not loaded")
        self.interrupted = False
        self.poll: Callable[[], bool] | None = None
        """Asked again and again while the guest runs; True interrupts it."""
        self.error: UserError | None = None
        self._make = make
        self._abandoned = False
        self._pass_over: tuple[DebugEngine, int] | None = None
        self._images: dict[int, list[LoadedImage]] = {}
        self._resume = threading.Semaphore(0)
        self._paused = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._main, name="guest", daemon=True)

    # -- the debugger's side -----------------------------------------------------------------------------

    def start(self) -> None:
        """Load the program; returns before its first instruction. Raises UserError."""
        self._thread.start()
        self._paused.acquire()
        if self.error is not None:
            raise self.error
        if self.stop.is_end:
            raise UserError(self.stop.text, self.stop.status)

    def resume(self, plan: Plan) -> Stop:
        """Run until the plan says stop. KeyboardInterrupt asks the guest to stop soon."""
        if self.stop.is_end:
            return self.stop
        self.plan = plan
        for engine in self._engines():
            engine.observe(self.observing)
            engine.stop_at = None
            engine.forget_code()
            engine.was_restricted = engine.pe.is_restricted
        if plan.stepping is not None and isinstance(plan.stepping.engine, DebugEngine):
            engine = plan.stepping.engine
            engine.stop_at = engine.pe.instructions + plan.steps
        self._resume.release()
        while True:
            try:
                if self._paused.acquire(timeout=POLL_SECONDS if self.poll is not None else None):
                    return self.stop
                self.interrupted |= self.poll is not None and self.poll()
            except KeyboardInterrupt:
                self.interrupted = True

    def abandon(self) -> None:
        """End the thread; the guest executes nothing any more."""
        if self._thread.is_alive():
            self._abandoned = True
            self._resume.release()
            self._thread.join(5)

    @property
    def kernel(self) -> Kernel:
        """The kernel of the run."""
        return self.session.kernel

    @property
    def position(self) -> int:
        """Instructions executed by all threads."""
        return self.kernel.instructions

    # -- the guest's thread ------------------------------------------------------------------------------

    def _main(self) -> None:
        # Whatever happens here, the debugger must not wait for ever.
        end = Stop(StopCause.FAILED, "the emulator failed", status=EXIT_EMULATOR_ERROR)
        try:
            end = self._run()
        except AbandonedError:
            self.kernel.end_everything()
        except UserError as error:
            self.error = error
            end = Stop(StopCause.FAILED, error.message, status=error.status)
        finally:
            self.stop = end
            self._paused.release()

    def _run(self) -> Stop:
        messages = Messages(self.streams)
        session = self._make(lambda pe, memory, handler: DebugEngine(pe, memory, handler, self), messages)
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
            return Stop(StopCause.EXITED, "instruction limit reached", position, status=124)
        if outcome.signal:
            text = f"killed by {signal_name(outcome.signal)}"
            return Stop(StopCause.EXITED, text, position, signal=outcome.signal, status=128 + outcome.signal)
        text = f"exited with status {outcome.status}"
        return Stop(StopCause.EXITED, text, position, status=outcome.status)

    def pause(
        self,
        task: Task,
        cause: StopCause,
        text: str,
        fault: PeFault | None = None,
        signal: int = 0,
    ) -> None:
        """Stop and wait. Called in the guest's thread."""
        self.pause_with(Stop(cause, text, self._position(cause), task.tid, task.pe.pc, fault, signal), task)

    def _position(self, cause: StopCause) -> int:
        """The instruction that faulted or calls the system was counted but hasn't done anything yet."""
        return self.kernel.instructions - (cause in (StopCause.FAULT, StopCause.SYSCALL))

    def pause_with(self, stop: Stop, task: Task) -> None:
        """The same with a stop that is already made."""
        self.task, self.stop = task, stop
        self.interrupted = False
        self._paused.release()
        self._resume.acquire()
        if self._abandoned:
            raise AbandonedError
        engine = task.engine
        if isinstance(engine, DebugEngine):
            self._pass_over = (engine, engine.pe.instructions) if stop.fault is None else None
            engine.leave()

    def _engines(self) -> Iterable[DebugEngine]:
        for task in self.kernel.tasks.values():
            if isinstance(task.engine, DebugEngine):
                yield task.engine

    def _task_of(self, engine: DebugEngine) -> Task:
        return next((t for t in self.kernel.tasks.values() if t.engine is engine), self.task)

    def _concerns(self, task: Task) -> bool:
        """What this thread does may stop the guest."""
        return self.plan.process is None or task.process.pid == self.plan.process

    # -- Controller ------------------------------------------------------------------------------------

    @property
    def addresses(self) -> set[int]:
        """See `Controller`."""
        return self.plan.addresses

    @property
    def observing(self) -> bool:
        """See `Controller`."""
        return bool(self.plan.observers) or CatchKind.COMPARTMENT in self.plan.catches

    def before_slice(self, engine: DebugEngine) -> None:
        """See `Controller`."""
        while True:
            plan = self.plan
            if self.interrupted:
                self.pause(self._task_of(engine), StopCause.INTERRUPT, "interrupted")
            elif plan.target is not None and self.kernel.instructions >= plan.target:
                self.pause(self._task_of(engine), StopCause.POSITION, "position reached")
            elif self._stepped(engine):
                self.pause(self._task_of(engine), StopCause.STEP, "stepped")
            else:
                return

    def _stepped(self, engine: DebugEngine) -> bool:
        if engine.stop_at is not None and engine.pe.instructions >= engine.stop_at:
            return True
        stepping = self.plan.stepping
        if stepping is None or not self.plan.steps:
            return False
        # execve has given the thread another engine.
        return stepping.engine is engine and engine.stop_at is None

    def distance(self, engine: DebugEngine) -> int:
        """See `Controller`."""
        left = [LONGEST_RUN]
        if engine.stop_at is not None:
            left.append(engine.stop_at - engine.pe.instructions)
        if self.plan.target is not None:
            left.append(self.plan.target - self.kernel.instructions)
        return max(min(left), 1)

    def at_breakpoint(self, engine: DebugEngine) -> None:
        """See `Controller`."""
        decide = self.plan.at_breakpoint
        if decide is None or self._pass_over == (engine, engine.pe.instructions):
            return
        task = self._task_of(engine)
        stop = decide(task, engine.pe.pc) if self._concerns(task) else None
        if stop is not None:
            self.pause_with(stop, task)

    def before_instruction(self, engine: DebugEngine, pc: int, word: int) -> None:
        """See `Controller`."""
        passing = self._pass_over == (engine, engine.pe.instructions)
        task = self._task_of(engine)
        if not self._concerns(task):
            return
        for observe in self.plan.observers:
            stop = observe(task, pc, word)
            if stop is not None and not passing:
                self.pause_with(stop, task)
                return
        if passing:
            return
        restricted = engine.pe.is_restricted
        if restricted != engine.was_restricted:
            engine.was_restricted = restricted
            if CatchKind.COMPARTMENT in self.plan.catches:
                side = "Restricted" if restricted else "Executive"
                self.pause(task, StopCause.COMPARTMENT, f"crossing, now {side}")
                return
        if pc in self.addresses:
            self.at_breakpoint(engine)

    def exception(self, engine: DebugEngine, fault: PeFault) -> bool:
        """See `Controller`."""
        if fault.kind is FaultKind.SVC:
            self._system_call(engine)
        elif self.plan.stop_at_faults and self._concerns(task := self._task_of(engine)):
            sentence = explain(fault, lambda _: "")
            self.pause(task, StopCause.FAULT, sentence, fault)
            return self.plan.deliver
        return True

    def after_exception(self, engine: DebugEngine, fault: PeFault) -> None:
        """See `Controller`."""
        if fault.kind is FaultKind.SVC:
            task = self._task_of(engine)
            process = task.process
            if process.images != self._images.get(process.pid, process.images):
                self._images[process.pid] = list(process.images)
                self.images_changed()
                engine.forget_code()
                if self.plan.stop_at_images and task.alive and self._concerns(task):
                    self.pause(task, StopCause.LIBRARIES, "libraries changed")

    def _system_call(self, engine: DebugEngine) -> None:
        names = self.plan.catches.get(CatchKind.SYSCALL)
        if names is None:
            return
        number = engine.pe.read_x(8) & 0xFFFF_FFFF
        row = TABLE.get(number)
        name = row.name if row is not None else str(number)
        if not names or name in names:
            self.pause(self._task_of(engine), StopCause.SYSCALL, f"system call {name} ({number})")

    def _signal(self, task: Task, info: SignalInfo) -> bool:
        """A signal is about to be acted upon; False: it shall be dropped."""
        plan, name = self.plan, signal_name(info.number)
        names = plan.catches.get(CatchKind.SIGNAL)
        caught = names is not None and (not names or name in names)
        if not caught and info.fault is None and plan.at_signal is not None:
            caught = plan.at_signal(info)
        if not caught or not self._concerns(task):
            return True
        self.pause(task, StopCause.SIGNAL, f"signal {name}", signal=info.number)
        return self.plan.deliver


def _nothing() -> None:
    return

"""The guest in a thread of its own: runs until something asks for a stop, then waits for the debugger.

Only one of the two threads runs at a time, so everything about the guest may be looked at and changed while
it is stopped. What to stop at is in `Plan`, which the debugger replaces before it lets the guest go on.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emulator.debug.engine import DebugEngine
from emulator.debug.stops import CatchKind, Stop, StopCause
from emulator.debug.target import Thread
from emulator.explain import explain
from emulator.faults import PeFault
from morello_isa.errors import EXIT_EMULATOR_ERROR, UserError

if TYPE_CHECKING:
    from emulator.linux.signals import SignalInfo

POLL_SECONDS = 0.05
LONGEST_RUN = 20_000
"""Instructions after which an interruption is looked for."""
Observer = Callable[[Thread, int, int], Stop | None]
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
    at_breakpoint: Callable[[Thread, int], Stop | None] | None = None
    observers: list[Observer] = field(default_factory=list)
    catches: dict[CatchKind, frozenset[str]] = field(default_factory=dict)
    target: int | None = None
    stepping: Thread | None = None
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


class Guest(ABC):
    """One run of what is debugged. `task`, the thread that stopped, is there once it is loaded."""

    def __init__(self) -> None:
        self.plan = Plan()
        self.images_changed: Callable[[], None] = _nothing
        self.task: Thread
        self.stop = Stop(StopCause.START, "not loaded")
        self.interrupted = False
        self.poll: Callable[[], bool] | None = None
        """Asked again and again while the guest runs; True interrupts it."""
        self.error: UserError | None = None
        self._abandoned = False
        self._pass_over: tuple[DebugEngine, int] | None = None
        self._resume = threading.Semaphore(0)
        self._paused = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._main, name="guest", daemon=True)

    # -- what kinds of guests differ in ------------------------------------------------------------------

    @abstractmethod
    def run_to_end(self) -> Stop:
        """Load, pause with StopCause.START, run; the stop that is the end. Called in the guest's thread."""

    @abstractmethod
    def end(self) -> None:
        """It was abandoned: give back what it holds. Called in the guest's thread."""

    @property
    @abstractmethod
    def position(self) -> int:
        """Instructions executed by all threads."""

    @abstractmethod
    def threads(self) -> Iterable[Thread]:
        """All threads, the stopped one among them."""

    @property
    @abstractmethod
    def unrepeatable(self) -> str:
        """What the guest did outside that a repeated run would do again; "" if it did nothing like that."""

    def concerns(self, task: Thread) -> bool:  # noqa: ARG002
        """What this thread does may stop the guest."""
        return True

    @abstractmethod
    def exception(self, engine: DebugEngine, fault: PeFault) -> bool:
        """See `Controller`."""

    @abstractmethod
    def after_exception(self, engine: DebugEngine, fault: PeFault) -> None:
        """See `Controller`."""

    # -- the debugger's side -----------------------------------------------------------------------------

    def start(self) -> None:
        """Load the program; returns before its first instruction. Raises UserError."""
        with self._ctrl_c_interrupts():
            self._thread.start()
            self._paused.acquire()
        if self.error is not None:
            raise self.error
        if self.stop.is_end:
            raise UserError(self.stop.text, self.stop.status)

    def resume(self, plan: Plan) -> Stop:
        """Run until the plan says stop. Ctrl-C asks the guest to stop soon."""
        if self.stop.is_end:
            return self.stop
        self.plan = plan
        self.interrupted = False
        for engine in self._engines():
            engine.observe(self.observing)
            engine.stop_at = None
            engine.take_account()
            engine.was_restricted = engine.pe.is_restricted
        if plan.stepping is not None and isinstance(plan.stepping.engine, DebugEngine):
            engine = plan.stepping.engine
            # Taking an exception is the step of the instruction that raised it, which was counted already,
            # unless it is to be executed again.
            is_inside = self.stop.cause in (StopCause.FAULT, StopCause.SYSCALL)
            is_its_own = plan.deliver and plan.stepping.tid == self.stop.tid
            begun = int(is_its_own and (is_inside or self.position > self.stop.position))
            engine.stop_at = engine.pe.instructions + plan.steps - begun
        with self._ctrl_c_interrupts():
            self._resume.release()
            while not self._paused.acquire(timeout=POLL_SECONDS if self.poll is not None else None):
                self.interrupted |= self.poll is not None and self.poll()
        return self.stop

    @contextlib.contextmanager
    def _ctrl_c_interrupts(self) -> Iterator[None]:
        """While the guest runs, SIGINT asks it to stop; an exception must not leave it running unattended."""
        usual = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or usual is None:
            yield
            return
        signal.signal(signal.SIGINT, self._interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, usual)

    def _interrupt(self, number: int, frame: object) -> None:  # noqa: ARG002
        self.interrupted = True

    def abandon(self) -> None:
        """End the thread; the guest executes nothing any more."""
        if self._thread.is_alive():
            self._abandoned = True
            self._resume.release()
            self._thread.join(5)

    # -- the guest's thread ------------------------------------------------------------------------------

    def _main(self) -> None:
        # Whatever happens here, the debugger must not wait for ever.
        end = Stop(StopCause.FAILED, "the emulator failed", status=EXIT_EMULATOR_ERROR)
        try:
            end = self.run_to_end()
        except AbandonedError:
            self.end()
        except UserError as error:
            self.error = error
            end = Stop(StopCause.FAILED, error.message, status=error.status)
        finally:
            self.stop = end
            self._paused.release()

    def pause(
        self,
        task: Thread,
        cause: StopCause,
        text: str,
        fault: PeFault | None = None,
        number: int = 0,
    ) -> None:
        """Stop and wait; `number` is that of a signal. Called in the guest's thread."""
        self.pause_with(Stop(cause, text, self._position(cause), task.tid, task.pe.pc, fault, number), task)

    def _position(self, cause: StopCause) -> int:
        """The instruction that faulted or calls the system was counted but hasn't done anything yet."""
        return self.position - (cause in (StopCause.FAULT, StopCause.SYSCALL))

    def pause_with(self, stop: Stop, task: Thread) -> None:
        """The same with a stop that is already made."""
        self.task, self.stop = task, stop
        self.interrupted = False
        self._paused.release()
        self._resume.acquire()
        if self._abandoned:
            raise AbandonedError
        engine = task.engine
        if isinstance(engine, DebugEngine):
            inside = stop.cause in (StopCause.FAULT, StopCause.SYSCALL, StopCause.SIGNAL)
            self._pass_over = None if inside else (engine, engine.pe.instructions)
            engine.leave()

    def _engines(self) -> Iterable[DebugEngine]:
        for task in self.threads():
            if isinstance(task.engine, DebugEngine):
                yield task.engine

    def task_of(self, engine: DebugEngine) -> Thread:
        """The thread that an engine executes."""
        return next((t for t in self.threads() if t.engine is engine), self.task)

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
                self.pause(self.task_of(engine), StopCause.INTERRUPT, "interrupted")
            elif plan.target is not None and self.position >= plan.target:
                self.pause(self.task_of(engine), StopCause.POSITION, "position reached")
            elif self._stepped(engine):
                self.pause(self.task_of(engine), StopCause.STEP, "stepped")
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
            left.append(self.plan.target - self.position)
        return max(min(left), 1)

    def at_breakpoint(self, engine: DebugEngine) -> None:
        """See `Controller`."""
        decide = self.plan.at_breakpoint
        if decide is None or self._pass_over == (engine, engine.pe.instructions):
            return
        task = self.task_of(engine)
        stop = decide(task, engine.pe.pc) if self.concerns(task) else None
        if stop is not None:
            self.pause_with(stop, task)

    def before_instruction(self, engine: DebugEngine, pc: int, word: int) -> None:
        """See `Controller`."""
        passing = self._pass_over == (engine, engine.pe.instructions)
        task = self.task_of(engine)
        if not self.concerns(task):
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

    def pause_at_fault(self, engine: DebugEngine, fault: PeFault) -> None:
        """Stop before anything is done about a fault."""
        self.pause(self.task_of(engine), StopCause.FAULT, explain(fault, lambda _: ""), fault)


def _nothing() -> None:
    return

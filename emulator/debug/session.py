"""The debugger below its user interfaces: start, stops, stepping, memory, going back. It prints nothing.

>>> debugger = Debugger(Request("program"), Options())     # doctest: +SKIP
>>> debugger.start(); debugger.add_breakpoint("main")       # doctest: +SKIP
>>> stop = debugger.resume()                                # doctest: +SKIP
"""

from __future__ import annotations

import copy
import gc
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from emulator.debug import registers
from emulator.debug.errors import CommandError
from emulator.debug.expression import Scope, Value, evaluate, number
from emulator.debug.guest import Guest, Observer, Plan
from emulator.debug.linux_guest import LinuxGuest
from emulator.debug.names import Names
from emulator.debug.points import Points
from emulator.debug.saved_files import Layout
from emulator.debug.stops import ANY, CatchKind, Stop, StopCause
from emulator.debug.streams import Streams
from emulator.debug.target import Program, Thread
from emulator.debug.unwind import Frame, frames
from emulator.explain import explain
from emulator.faults import MemoryAbort
from emulator.linux.kernel import Options
from emulator.linux.process import Process, Task
from emulator.linux.session import Request, Session
from morello_isa.base import Branch, BranchRegister, classify
from morello_isa.capability import Capability
from morello_isa.decode import decode

if TYPE_CHECKING:
    from emulator.debug.linux_guest import MakeSession

MAX_PEEK = 1 << 20
_STEP_LIMIT = 20_000
"""Instructions of one source line after which `step` gives up looking for its end."""
CALLS = ("BL", "BLR")
_COLLECT_EVERY = 16
"""Guests."""


class DebuggerCore(ABC):
    """What debugging a program and debugging a board have in common: everything but loading."""

    def __init__(self) -> None:
        self.names = Names()
        self.points = Points(self)
        self.guest: Guest
        self.stop = Stop(StopCause.START, "not started")
        self.checkpoints: dict[int, int] = {}
        """Number -> position."""
        self._next_checkpoint = 1
        self._ended = 0
        self.modified = False
        """The user has changed registers or memory since the program was loaded."""
        self.allow_repeat = False
        """Go back even if that repeats the program's changes to files."""
        self.only_process: int | None = None
        """See `Plan.process`."""
        self.poll: Callable[[], bool] | None = None
        """See `Guest.poll`; also while a run is repeated."""
        self.layout: Layout | None = None
        """Files of a saved machine that is gone on with."""
        self.warnings: list[str] = []
        """What the user should be told with the next answer."""

    # -- state ----------------------------------------------------------------------------------------

    @property
    def task(self) -> Thread:
        """The thread that stopped."""
        return self.guest.task

    @property
    def process(self) -> Program:
        """What it runs in."""
        return self.guest.task.process

    @property
    def position(self) -> int:
        """Instructions executed by all threads."""
        return self.stop.position

    @property
    def is_running(self) -> bool:
        """There is a program that can go on."""
        return not self.stop.is_end

    def need_process(self) -> None:
        """CommandError when the program has ended."""
        if self.stop.is_end:
            raise CommandError("the program has ended; 'run' starts it again, 'rstepi' goes back")

    # -- what kinds of guests differ in ----------------------------------------------------------------

    @property
    @abstractmethod
    def name(self) -> str:
        """What is debugged, for messages."""

    @property
    def greeting(self) -> str:
        """What to say when it is loaded."""
        return f"{self.name} is loaded; 'run' starts it, 'help' lists the commands"

    @abstractmethod
    def make_guest(self) -> Guest:
        """A new run, not started."""

    @abstractmethod
    def forget(self) -> None:
        """Forget input and output of earlier runs: the next one is a new run, not a repeated one."""

    @abstractmethod
    def may_repeat(self) -> None:
        """CommandError when the run can't be repeated to go back."""

    # -- starting --------------------------------------------------------------------------------------

    def start(self) -> Stop:
        """Load the program (again), stopped before its first instruction. Raises UserError."""
        self.forget()
        return self.start_again()

    def start_again(self) -> Stop:
        """The same as a run that was seen before: with the input and output of that one."""
        self._end_guest()
        self.modified = False
        return self._load()

    def _load(self) -> Stop:
        self.guest = self.make_guest()
        self.guest.images_changed = self.points.resolve
        self.guest.poll = self.poll
        self.guest.start()
        self.stop = self.guest.stop
        self.points.resolve()
        return self.stop

    def _end_guest(self) -> None:
        if hasattr(self, "guest"):
            self.guest.abandon()
            self._ended += 1
            if self._ended % _COLLECT_EVERY == 0:
                # A guest is full of cycles, and each has some gigabytes of addresses.
                gc.collect()

    def close(self) -> None:
        """End the guest and give everything back."""
        self._end_guest()
        if self.layout is not None:
            self.layout.close()

    # -- running forwards --------------------------------------------------------------------------------

    def plan(self) -> Plan:
        """A plan with all breakpoints, watches and catches."""
        plan = Plan(process=self.only_process)
        self.points.fill(plan)
        return plan

    def resume(self, plan: Plan | None = None) -> Stop:
        """Run to the next stop."""
        self.need_process()
        self.stop = self.guest.resume(plan if plan is not None else self.plan())
        return self.stop

    def stepi(self, count: int = 1) -> Stop:
        """Execute `count` instructions of this thread."""
        plan = self.plan()
        plan.stepping, plan.steps = self.task, count
        return self.resume(plan)

    def nexti(self) -> Stop:
        """One instruction; a call runs to its return."""
        if not self._is_call(self.task.pe.pc):
            return self.stepi()
        return self.run_to(self.task.pe.pc + 4, self._stack_level())

    def run_to(
        self,
        places: int | Iterable[int],
        lowest_sp: tuple[bool, int] | None = None,
        text: str = "stepped",
    ) -> Stop:
        """Run until this thread is at one of `places`, its stack no deeper than given; other stops win."""
        plan = self.plan()
        task, usual = self.task, plan.at_breakpoint
        wanted = {places} if isinstance(places, int) else set(places)
        plan.addresses = plan.addresses | wanted

        def decide(at: Thread, pc: int) -> Stop | None:
            if at is task and pc in wanted and self._at_level(task, lowest_sp):
                return Stop(StopCause.STEP, text, self.guest.position, at.tid, pc)
            return usual(at, pc) if usual is not None else None

        plan.at_breakpoint = decide
        return self.resume(plan)

    def _stack_level(self) -> tuple[bool, int]:
        pe = self.task.pe
        return pe.is_restricted, pe.read_csp().value

    @staticmethod
    def _at_level(task: Thread, level: tuple[bool, int] | None) -> bool:
        pe = task.pe
        return level is None or (pe.is_restricted == level[0] and pe.read_csp().value >= level[1])

    def _is_call(self, pc: int) -> bool:
        try:
            word = int.from_bytes(self.process.space.peek(pc, 4), "little")
        except MemoryAbort:
            return False
        return is_call(word)

    def step(self, into: bool) -> Stop:
        """To another source line: into calls of functions that have lines, or over all calls.

        Without line information at PC it is one instruction (`into`) or `nexti`.
        """
        task = self.task
        row = self.names.line(self.process, task.pe.pc)
        if row is None:
            return self.stepi() if into else self.nexti()
        here = (row.file, row.line)
        function = self.names.function(self.process, task.pe.pc)
        level = self._stack_level()
        for _ in range(_STEP_LIMIT):
            pc, called = task.pe.pc, self._is_call(task.pe.pc)
            stop = self.stepi() if into or not called else self.run_to(pc + 4, self._stack_level())
            if stop.cause is not StopCause.STEP:
                return stop
            if called and into and self.task.pe.pc != pc + 4:
                if self.names.line(self.process, self.task.pe.pc) is not None:
                    return stop
                stop = self.run_to(pc + 4, level)
                if stop.cause is not StopCause.STEP:
                    return stop
            now = self.names.line(self.process, self.task.pe.pc)
            if now is None:
                if self.names.function(self.process, self.task.pe.pc) != function:
                    return stop
                continue
            if (now.file, now.line) != here or self.names.function(self.process, self.task.pe.pc) != function:
                return stop
        return stop

    def select(self, tid: int) -> Thread:
        """Look at another thread, and step that one. CommandError when there is none of that number."""
        self.need_process()
        for thread in self.guest.threads():
            if thread.tid == tid:
                self.guest.task = thread
                return thread
        raise CommandError(f"there is no thread {tid}; 'info threads' lists them")

    def finish(self) -> Stop:
        """Run until the function returns to its caller."""
        self.need_process()
        stack = self.frames()
        if len(stack) < 2:
            raise CommandError("the outermost frame has no caller")
        level = None if stack[1].crossed else self._stack_level()
        return self.run_to(stack[1].pc, level, "the function has returned")

    def frames(self) -> list[Frame]:
        """Call frames of the thread, innermost first."""
        self.need_process()
        return list(frames(self.task, self.names))

    # -- going back ------------------------------------------------------------------------------------

    def goto(self, position: int, observer: Observer | None = None) -> Stop:
        """Repeat the run from its beginning up to a position; `observer` sees every instruction of it."""
        self.may_repeat()
        if self.modified:
            self.warnings.append("what was changed with 'set' is undone by going back")
            self.modified = False
        self._end_guest()
        self._load()
        plan = Plan(target=max(position, 0), stop_at_faults=False)
        if observer is not None:
            plan.observers.append(observer)
        if position > 0:
            self.resume(plan)
        if self.stop.cause in (StopCause.POSITION, StopCause.START):
            self.stop = replace(self.stop, text=f"back at instruction {self.position:,}")
        elif self.stop.cause is StopCause.INTERRUPT:
            self.stop = replace(self.stop, text="interrupted on the way back")
        return self.stop

    def revisit(self, observer: Observer) -> Stop:
        """Come to this stop again with an observer who sees every instruction before it."""
        self.need_process()
        return self._again(self.stop, observer)

    def _again(self, stop: Stop, observer: Observer | None) -> Stop:
        self.return_to(stop, observer)
        self.stop = stop
        return stop

    def return_to(self, stop: Stop, observer: Observer | None = None) -> Stop:
        """Repeat the run up to where an earlier stop was; at a fault or system call, into that."""
        self.goto(stop.position, observer)
        if self.stop.cause is StopCause.INTERRUPT:
            raise CommandError(f"interrupted; the program is now at instruction {self.position:,}")
        if stop.cause in (StopCause.FAULT, StopCause.SYSCALL):
            self.resume(Plan(catches={CatchKind.SYSCALL: frozenset((ANY,))}))
        return self.stop

    def rstepi(self, count: int = 1) -> Stop:
        """Back by `count` instructions."""
        if self.position == 0:
            raise CommandError("this is the beginning of the run")
        return self.goto(self.position - count)

    def rcontinue(self) -> Stop:
        """Back to the last breakpoint or watchpoint before this position, or to the beginning."""
        last = self._last_stop_before(self.position, self.plan)
        return last if last is not None else self.goto(0)

    def rfinish(self) -> Stop:
        """Back to the call of the current function."""
        stack = self.frames()
        if len(stack) < 2:
            raise CommandError("the outermost frame has no caller")
        call = stack[1].pc - 4
        level = None if stack[1].crossed else self._stack_level()

        def decide(task: Thread, pc: int) -> Stop | None:
            if pc == call and self._at_level(task, level):
                return Stop(StopCause.BREAKPOINT, "call", self.guest.position, task.tid, pc)
            return None

        def make() -> Plan:
            return Plan(addresses={call}, at_breakpoint=decide, stop_at_faults=False)

        found = self._last_stop_before(self.position, make)
        if found is None:
            raise CommandError("the call of this function was not found")
        return self.goto(found.position)

    def _last_stop_before(self, position: int, make_plan: Callable[[], Plan]) -> Stop | None:
        """Repeat the run up to `position`, collect the plan's stops, and go to the last of them."""
        last: Stop | None = None
        hits = self.points.hits()
        self.goto(0)
        plan = make_plan()
        plan.target = position
        while True:
            stop = self.resume(plan)
            if stop.cause is StopCause.INTERRUPT:
                return stop
            if stop.is_end or stop.cause is StopCause.POSITION or stop.position >= position:
                break
            last = stop
        self.points.set_hits(hits)
        if last is None:
            return None
        return self._again(last, None)

    def add_checkpoint(self) -> int:
        """Remember this position."""
        self.may_repeat()
        self._next_checkpoint += 1
        self.checkpoints[self._next_checkpoint - 1] = self.position
        return self._next_checkpoint - 1

    # -- values ----------------------------------------------------------------------------------------

    def evaluate(self, text: str, task: Thread | None = None) -> Value:
        """An expression in the stopped thread (or another)."""
        return evaluate(text, self.scope(task))

    def number(self, text: str) -> int:
        """An expression as a 64-bit number."""
        return number(self.evaluate(text))

    def scope(self, task: Thread | None = None) -> Scope:
        """What names in expressions mean."""
        at = task if task is not None else self.task

        def name(text: str) -> Value:
            plain = text.removeprefix("$")
            if registers.is_register(plain):
                return registers.read(at, plain)
            for variable in self.names.variables(at.process, at.pe.pc):
                if variable.name == plain:
                    return variable.read(at, peek, load_capability)
            address = self.names.symbol(at.process, plain)
            if address is None:
                raise CommandError(f"there is no register, variable or symbol '{text}'")
            return address

        def peek(address: int, size: int) -> bytes:
            return self.peek(address, size, at.process)

        def load(address: int) -> int:
            return int.from_bytes(peek(address, 8), "little")

        def load_capability(address: int) -> Capability:
            return self.peek_capability(address, at.process)

        return Scope(name, load, load_capability)

    def peek(self, address: int, size: int, process: Program | None = None) -> bytes:
        """Memory, whatever its permissions. CommandError where nothing is mapped."""
        if size > MAX_PEEK:
            raise CommandError(f"{size:#x} bytes are more than can be shown at once")
        try:
            return (process or self.process).space.peek(address, size)
        except MemoryAbort as abort:
            raise CommandError(f"nothing is mapped at {abort.address:#x}") from None

    def peek_capability(self, address: int, process: Program | None = None) -> Capability:
        """The capability in memory."""
        if address % 16:
            raise CommandError(f"{address:#x} is not a multiple of 16")
        try:
            hi, lo, tag = (process or self.process).space.peek_cap(address)
        except MemoryAbort as abort:
            raise CommandError(f"nothing is mapped at {abort.address:#x}") from None
        return Capability(tag, hi, lo)

    def set_register(self, name: str, value: Value) -> None:
        """Change a register; forging a capability is noted in `warnings`. CommandError for other names."""
        self.need_process()
        if not registers.is_register(name):
            raise CommandError(f"there is no register '{name}'")
        try:
            warning = registers.write(self.task, name, value)
        except KeyError:
            raise CommandError(f"{name} can't be changed") from None
        self.modified = True
        if warning:
            self.warnings.append(warning)

    def poke(self, address: int, data: bytes) -> None:
        """Change memory; tags go."""
        try:
            self.process.space.poke(address, data)
        except MemoryAbort as abort:
            raise CommandError(f"nothing is mapped at {abort.address:#x}") from None
        self.modified = True
        self.task.engine.forget_code()

    def poke_capability(self, address: int, value: Capability) -> None:
        """Store a capability with its tag."""
        self.peek_capability(address)
        self.process.space.poke_cap(address, value.hi, value.value, value.tag)
        self.modified = True
        self.task.engine.forget_code()

    def explain(self, stop: Stop) -> str:
        """The stop in one line; a fault with the names of its places."""
        if stop.fault is not None:
            return explain(stop.fault, lambda address: self.names.where(self.process, address))
        return stop.text


class Debugger(DebuggerCore):
    """The debugger of a Linux program."""

    guest: LinuxGuest

    def __init__(self, request: Request, options: Options | None = None, engine: str = "reference") -> None:
        """`engine` (of `debug_engine`) counts; that of the options is for runs without a debugger."""
        super().__init__()
        self.engine = engine
        self.request = request
        self.streams = Streams()
        self.options = options if options is not None else Options()

    @property
    def task(self) -> Task:
        """The thread that stopped."""
        return self.guest.task

    @property
    def process(self) -> Process:
        """Its process."""
        return self.guest.task.process

    @property
    def name(self) -> str:
        """See `DebuggerCore`."""
        return self.process.name

    def make_guest(self) -> LinuxGuest:
        """See `DebuggerCore`."""
        self.streams.rewind()
        if self.layout is not None and (not hasattr(self, "guest") or self.guest.unrepeatable):
            self.layout.write()
        return LinuxGuest(self._maker(), self.streams, self.engine)

    def _maker(self) -> MakeSession:
        options = copy.copy(self.options)

        def make(engines: object, errors: object) -> Session:
            return Session(self.request, options, errors=errors, engines=engines)  # type: ignore[arg-type]

        return make

    def forget(self) -> None:
        """See `DebuggerCore`."""
        self.streams.forget()

    def may_repeat(self) -> None:
        """See `DebuggerCore`."""
        if self.options.real_time:
            raise CommandError("with --real-time a run can't be repeated, so there is no way back")
        changed = self.guest.unrepeatable
        if changed and not self.allow_repeat and self.layout is None:
            raise CommandError(
                f"the program has changed files ({changed}), and going back would do that again; "
                "--allow-repeat permits it"
            )


def is_call(word: int) -> bool:
    """BL, BLR or a Morello branch that links."""
    record = classify(word)
    if isinstance(record, Branch):
        return record.link
    if isinstance(record, BranchRegister):
        return record.kind.upper() == "BLR"
    instruction = decode(word)
    return instruction is not None and instruction.row.id.upper().startswith(CALLS)

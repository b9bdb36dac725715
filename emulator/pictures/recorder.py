"""From what the kernel and the engines tell about a run to slices and instants of its threads.

A thread is a stack of slices: the side it runs on (Executive or Restricted, entered by a call or jump and
left by a return), system calls, signal handlers. Times are instruction counts of all threads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from emulator.debug.names import Names
from emulator.explain import explain
from emulator.faults import PeFault
from emulator.linux.observer import Observer
from emulator.linux.signals import DUMPING, SignalInfo, signal_name
from emulator.linux.strace import argument_texts, result_text
from emulator.linux.syscalls import TABLE
from emulator.pictures.sink import NO_ARGUMENTS, Arguments, Sink, Track
from morello_isa.base import BranchRegister, classify
from morello_isa.decode import decode

if TYPE_CHECKING:
    from emulator.linux.kernel import Kernel
    from emulator.linux.process import PendingCall, Process, Task
    from emulator.linux.table import Result

DEFAULT_LIMIT = 1_000_000
LONGEST_TEXT = 256
DEEPEST = 500
"""Open slices of a thread; a program that never returns from its calls gets new ones from the top."""
SAMPLE_DISTANCE = 20_000
"""Least number of instructions between two looks at memory; a large memory is looked at less often."""
INSTRUCTIONS_PER_PAGE = 500


Description = tuple[str, str, Arguments]
"""Name, category and arguments of a slice."""


class Kind(Enum):
    """What a slice is."""

    SIDE = "compartment"
    CALL = "system call"
    HANDLER = "signal"


class Transfer(Enum):
    """What a branch does with the call stack."""

    CALL = "call"
    RETURN = "return"
    JUMP = "jump"


@dataclass(slots=True)
class Slice:
    """An open slice. `stack` is where a handler's frame lies, `alternate` that this is sigaltstack's.

    `shown` ones were written and have to be ended.
    """

    kind: Kind
    restricted: bool
    stack: int = 0
    alternate: bool = False
    shown: bool = False


@dataclass(slots=True)
class Lane:
    """The open slices of a thread, outermost first."""

    track: Track
    slices: list[Slice] = field(default_factory=list)


def transfer_of(word: int) -> Transfer:
    """Of a branch instruction that has crossed the border."""
    record = classify(word)
    if isinstance(record, BranchRegister):
        name = record.kind.upper()
    else:
        instruction = decode(word)
        name = instruction.row.id.upper() if instruction is not None else ""
    if name.startswith(("BLR", "LDPBLR")):
        return Transfer.CALL
    return Transfer.RETURN if name.startswith("RET") else Transfer.JUMP


def clipped(text: str) -> str:
    """Guests choose names and strings; a trace keeps their beginning."""
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"


class Recorder(Observer):
    """Turns events into a `Sink`'s. After `limit` events nothing new is recorded, only what is open ends."""

    def __init__(self, sink: Sink, limit: int = DEFAULT_LIMIT) -> None:
        self.limit = limit
        self.events = 0
        self.stopped_at: int | None = None
        """The instruction at which the limit was reached."""
        self._sink = sink
        self._names = Names()
        self._lanes: dict[int, Lane] = {}
        self._processes: dict[int, str] = {}
        self._next_sample = 0
        self._last = 0

    def finish(self, kernel: Kernel) -> None:
        """The run is over: end what is open."""
        self._last = kernel.instructions
        for lane in list(self._lanes.values()):
            self._unwind(lane, 0)
        self._sink.finish()

    def take(self, time: int, track: Track) -> bool:
        """Count one event; False when the limit was reached."""
        self.events += 1
        if self.events <= self.limit:
            return True
        if self.stopped_at is None:
            self.stopped_at = time
            text = f"recording stopped after {self.limit:,} events"
            self._sink.instant(time, track, text, "trace", NO_ARGUMENTS)
        return False

    # -- threads and processes -------------------------------------------------------------------------

    def task_started(self, task: Task) -> None:
        """See `Observer`."""
        process = task.process
        lane = self._lanes[task.tid] = Lane(Track(process.pid, task.tid))
        self._name(task)
        self._enter_side(task, lane, self._now(task), NO_ARGUMENTS)

    def _name(self, task: Task) -> None:
        process = task.process
        if self._processes.get(process.pid) != process.name:
            self._processes[process.pid] = process.name
            self._sink.process(process.pid, clipped(process.name))
        self._sink.thread(Track(process.pid, task.tid), clipped(task.name))

    def task_ended(self, task: Task) -> None:
        """See `Observer`."""
        lane = self._lanes.pop(task.tid, None)
        if lane is not None:
            self._now(task)
            self._unwind(lane, 0)

    def executed(self, task: Task) -> None:
        """See `Observer`."""
        lane = self._lane(task)
        time = self._now(task)
        # The system call that did it is the innermost slice; it ends when the kernel says so.
        calls = [part for part in lane.slices if part.kind is Kind.CALL]
        self._unwind(lane, 0)
        self._name(task)
        self._instant(lane, time, f"execve {clipped(task.process.name)}", "process", NO_ARGUMENTS)
        self._enter_side(task, lane, time, NO_ARGUMENTS)
        lane.slices += [Slice(part.kind, task.pe.is_restricted) for part in calls]

    def exiting(self, process: Process, code: int) -> None:
        """See `Observer`."""
        for task in process.tasks[:1]:
            signal = code & 0x7F
            text = f"killed by {signal_name(signal)}" if signal else f"exited with status {code >> 8}"
            self._instant(self._lane(task), self._now(task), text, "process", NO_ARGUMENTS)

    # -- the border ------------------------------------------------------------------------------------

    def crossing(self, task: Task, pc: int, word: int) -> None:
        """A thread runs on the other side now: by the branch at `pc`, or by a signal that is known."""
        lane, time = self._lane(task), self._now(task)
        self._leave_handlers(task, lane)
        restricted = task.pe.is_restricted
        if lane.slices and lane.slices[-1].restricted == restricted:
            return
        transfer = transfer_of(word)
        returns = transfer is Transfer.RETURN or (transfer is Transfer.JUMP and not restricted)
        back = self._last_on_side(lane, restricted) if returns else None
        if back is not None:
            self._unwind(lane, back + 1)
        else:
            caller = self._names.where(task.process, pc)
            self._enter_side(task, lane, time, {"from": clipped(caller or f"{pc:#x}")})
        self._sample(task, time)

    @staticmethod
    def _last_on_side(lane: Lane, restricted: bool) -> int | None:
        """The innermost slice of that side, but not beyond a handler's."""
        for index in reversed(range(len(lane.slices))):
            if lane.slices[index].restricted == restricted:
                return index
            if lane.slices[index].kind is Kind.HANDLER:
                return None
        return None

    def _enter_side(self, task: Task, lane: Lane, time: int, arguments: Arguments) -> None:
        pe, process = task.pe, task.process
        part = Slice(Kind.SIDE, pe.is_restricted)
        if not process.abi.is_purecap:
            lane.slices.append(part)
            return

        def describe() -> Description:
            found = self._names.function(process, pe.pc)
            place = self._names.where(process, pe.pc) or f"{pe.pc:#x}"
            side = "Restricted" if part.restricted else "Executive"
            more = {"entry": clipped(place), "pcc": pe.pcc.describe(), "csp": pe.read_csp().describe()}
            name = f"{side}: {clipped(found[1] if found else place)}"
            return name, side.lower(), {**arguments, **more}

        self._open(lane, time, part, describe)

    # -- system calls ----------------------------------------------------------------------------------

    def call_started(self, task: Task, call: PendingCall) -> None:
        """See `Observer`."""
        lane = self._lane(task)
        # The instruction that calls is counted already.
        time = self._now(task, 1)
        self._leave_handlers(task, lane)

        def describe() -> Description:
            texts = enumerate(argument_texts(task, call))
            arguments = {name or f"argument {index}": clipped(text) for index, (name, text) in texts}
            return call.row.name, "syscall", arguments

        self._open(lane, time, Slice(Kind.CALL, task.pe.is_restricted), describe)

    def call(self, task: Task, call: PendingCall, result: Result | None) -> None:  # noqa: ARG002
        """See `Observer`."""
        lane = self._lane(task)
        for index in reversed(range(len(lane.slices))):
            if lane.slices[index].kind is Kind.CALL:
                time = self._now(task)
                shown = lane.slices[index].shown
                last = {"result": clipped(result_text(task, result))} if shown else NO_ARGUMENTS
                self._unwind(lane, index, last)
                self._sample(task, time)
                return

    def call_refused(self, task: Task, number: int, reason: str) -> None:
        """See `Observer`."""
        row = TABLE.get(number)
        name = f"{row.name if row is not None else number} refused: {reason}"
        self._instant(self._lane(task), self._now(task), name, "refused", NO_ARGUMENTS)

    # -- faults and signals ----------------------------------------------------------------------------

    def fault(self, task: Task, fault: PeFault) -> None:
        """See `Observer`."""
        time, track = self._now(task), self._lane(task).track
        if self.take(time, track):
            sentence = explain(fault, lambda address: self._names.where(task.process, address))
            arguments = {"explanation": clipped(sentence), "instruction": f"{fault.pc:#x}"}
            self._sink.instant(time, track, f"{fault.kind.value} fault", "fault", arguments)

    def signal(self, task: Task, info: SignalInfo) -> None:
        """See `Observer`."""
        lane, time = self._lane(task), self._now(task)
        self._leave_handlers(task, lane)
        frame = task.pe.stack[0].value
        part = Slice(Kind.HANDLER, task.pe.is_restricted, frame, task.alternate.contains(frame))

        def describe() -> Description:
            handler = self._names.where(task.process, task.pe.pc) or f"{task.pe.pc:#x}"
            arguments: dict[str, str | int] = {"handler": clipped(handler)}
            if info.code_name:
                arguments["code"] = info.code_name
            if info.address is not None:
                arguments["address"] = f"{info.address:#x}"
            return signal_name(info.number), "signal", arguments

        self._open(lane, time, part, describe)

    def signal_returned(self, task: Task) -> None:
        """See `Observer`."""
        lane = self._lane(task)
        self._now(task)
        for index in reversed(range(len(lane.slices))):
            if lane.slices[index].kind is Kind.HANDLER:
                # rt_sigreturn is in progress: it began inside the handler and ends with it.
                self._unwind(lane, index)
                break
        self._settle(task, lane)

    def killed(self, process: Process, info: SignalInfo) -> None:
        """See `Observer`."""
        for task in process.tasks[:1]:
            name = f"{signal_name(info.number)} kills {clipped(process.name)}"
            arguments = (
                {"code": info.code_name} if info.number in DUMPING and info.code_name else NO_ARGUMENTS
            )
            self._instant(self._lane(task), self._now(task), name, "signal", arguments)

    def _leave_handlers(self, task: Task, lane: Lane) -> None:
        """A handler that was left by longjmp: the stack is above its frame now, or is another one.

        Nothing tells when that happened; it is noticed at the thread's next event.
        """
        stack = task.pe.stack[0].value
        for index, part in enumerate(lane.slices):
            if part.kind is not Kind.HANDLER:
                continue
            if task.alternate.contains(stack) != part.alternate or stack > part.stack:
                self._unwind(lane, index)
                self._settle(task, lane)
                return

    def _settle(self, task: Task, lane: Lane) -> None:
        """A thread went on elsewhere: its innermost slice of that side is it."""
        back = self._last_on_side(lane, task.pe.is_restricted)
        if back is not None:
            self._unwind(lane, back + 1)
        else:
            self._enter_side(task, lane, self._now(task), NO_ARGUMENTS)

    # -- memory ----------------------------------------------------------------------------------------

    def _sample(self, task: Task, time: int) -> None:
        if time < self._next_sample or self._is_full:
            return
        space, pid = task.process.space, task.process.pid
        resident = space.resident_bytes()
        self._sink.counter(time, pid, "memory in use", "bytes", resident)
        if task.process.abi.is_purecap:
            self._sink.counter(time, pid, "tagged capabilities", "", space.tag_count())
        self.events += 1
        self._next_sample = time + max(SAMPLE_DISTANCE, (resident >> 12) * INSTRUCTIONS_PER_PAGE)

    # -- writing ---------------------------------------------------------------------------------------

    @property
    def _is_full(self) -> bool:
        return self.events >= self.limit

    def _lane(self, task: Task) -> Lane:
        lane = self._lanes.get(task.tid)
        if lane is None:
            lane = self._lanes[task.tid] = Lane(Track(task.process.pid, task.tid))
        return lane

    def _now(self, task: Task, before: int = 0) -> int:
        """The time of an event that began `before` instructions ago; it never goes back."""
        self._last = max(self._last, task.kernel.instructions - before)
        return self._last

    def _open(self, lane: Lane, time: int, part: Slice, describe: Callable[[], Description]) -> None:
        """Begin a slice; it is described only while there is recording."""
        if len(lane.slices) >= DEEPEST:
            self._unwind(lane, 0)
        if self.take(time, lane.track):
            self._sink.begin(time, lane.track, *describe())
            part.shown = True
        lane.slices.append(part)

    def _instant(self, lane: Lane, time: int, name: str, category: str, arguments: Arguments) -> None:
        if self.take(time, lane.track):
            self._sink.instant(time, lane.track, name, category, arguments)

    def _unwind(self, lane: Lane, depth: int, last: Arguments = NO_ARGUMENTS) -> None:
        """End slices until `depth` are left; `last` is told about the outermost of them."""
        while len(lane.slices) > depth:
            part = lane.slices.pop()
            if part.shown:
                arguments = last if len(lane.slices) == depth else NO_ARGUMENTS
                self._sink.end(self._last, lane.track, arguments)

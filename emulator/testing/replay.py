"""A run that failed, run again with a recorder: the last instructions and where the capability came from.

Runs are deterministic and the reference engine counts as the fast one does, so the same fault comes at the
same instruction; if it doesn't, the report says so instead of showing something else. A long run is repeated
on its own engine, and only its last instructions are noted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.debug.names import Names
from emulator.debug.provenance import Recorder, Thread, describe_chain, register_key
from emulator.debug.text import short
from emulator.engine.reference import ReferenceEngine
from emulator.testing.decode import listing
from emulator.testing.history import TAIL, History
from emulator.testing.process import Launch, ProcessRun
from morello_isa.errors import UserError

if TYPE_CHECKING:
    from emulator.engine.api import Engine, ExceptionHandler
    from emulator.faults import PeFault
    from emulator.linux.process import Task
    from emulator.linux.signals import SignalInfo
    from emulator.memory.interface import Memory
    from emulator.state.pe import Pe
    from emulator.testing.faults import Fault
    from emulator.testing.result import Result


class _FoundError(BaseException):
    """Ends the repeated run; not an `Exception`, so nothing in between takes it for a fault."""


class _Replay:
    def __init__(self, launch: Launch, folder: Path, result: Result, record: bool) -> None:
        self._fault = point_of_interest(result)
        self._taken = 0
        self._tasks: dict[int, Task] = {}
        self._recorder = Recorder() if record else None
        if record:
            self._history = History(self._record)
            self._run = ProcessRun(launch, folder, self._engine, self._told)
        else:
            position = self._fault.position if self._fault is not None else result.instructions
            self._run = ProcessRun(launch, folder, None, self._told, position - TAIL)
            self._history = self._run.history
        self.lines: list[str] = []
        self.position = 0

    def run(self) -> None:
        """To the fault, or to the end when there was none."""
        try:
            self._run.run()
        except _FoundError:
            return
        self.position = self._run.kernel.instructions
        images = self._run.session.process.images
        self.lines = ["last instructions:", *_marked(listing(self._history.tail(), images))]

    def _engine(self, pe: Pe, memory: Memory, handler: ExceptionHandler) -> Engine:
        engine = ReferenceEngine(pe, memory, handler)
        self._history.attach(engine)
        return engine

    def _record(self, engine: Engine, pc: int, word: int) -> None:
        task = self._tasks.get(id(engine))
        if task is None or task.engine is not engine:
            # While the program is being loaded there is no session yet; what runs then is the linker's.
            session = getattr(self._run, "session", None)
            found = [t for t in session.kernel.tasks.values() if t.engine is engine] if session else []
            if not found:
                return
            task = self._tasks[id(engine)] = found[0]
        if self._recorder is not None:
            self._recorder(task, pc, word)

    def _told(self, task: Task, info: SignalInfo) -> None:
        self._taken += 1
        if self._fault is None or self._taken != self._fault.ordinal:
            return
        assert info.fault is not None
        self.position = self._run.kernel.instructions
        shown = listing(self._history.tail(task.engine), task.process.images)
        self.lines = ["last instructions:", *_marked(shown)]
        if self._recorder is not None:
            names = Names()
            self.lines += provenance(
                self._recorder, task, info.fault, lambda address: names.where(task.process, address)
            )
        raise _FoundError


def provenance(
    recorder: Recorder, thread: Thread, fault: PeFault, where: Callable[[int], str]
) -> Iterator[str]:
    """Lines about the capability that a fault is about; none when the fault isn't about one.

    To be called when the fault is taken and nothing has been done about it. `where` names addresses.
    """
    capability = fault.capability
    key = register_key(fault.register) if fault.register else None
    if capability is None or key is None:
        return
    recorder.finish()
    node = recorder.register(thread, key)
    if node is None or (node.capability.tag and not capability.tag):
        yield f"{fault.register} was made of numbers, not of a capability: {short(capability)}"
        return
    yield f"where {fault.register} = {short(capability)} came from:"
    yield from describe_chain(node, where)
    if recorder.forgot:
        yield "  (some of the history was forgotten: it is longer than is kept)"


def _marked(lines: Iterator[str]) -> list[str]:
    """The last line is where it ended."""
    found = list(lines)
    return [f"{'→' if number == len(found) else ' '} {line}" for number, line in enumerate(found, 1)]


def point_of_interest(result: Result) -> Fault | None:
    """Where a repeated run stops: at the fault, or at the end when a signal without one killed it."""
    return result.fatal_fault if result.signal is not None else result.fault


def repeat(launch: Launch, folder: Path, result: Result, record_limit: int) -> list[str]:
    """Lines for the report. Runs of more than `record_limit` instructions are repeated without recording."""
    record = result.instructions <= record_limit
    replay = _Replay(launch, folder, result, record)
    try:
        replay.run()
    except UserError as error:
        return [f"(the run could not be repeated: {error.message})"]
    fault = point_of_interest(result)
    if replay.position != (fault.position if fault is not None else result.instructions):
        return [f"(repeated, the run went another way: it came to instruction {replay.position:,})"]
    if not record:
        count = f"{result.instructions:,} instructions, --morello-replay allows {record_limit:,}"
        replay.lines.append(f"(the provenance is missing: {count})")
    return replay.lines

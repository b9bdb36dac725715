"""A run with a recorder attached to its kernel and its engines."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from emulator.engine.reference import ReferenceEngine
from emulator.linux.session import ENGINES, Session
from emulator.pictures.recorder import Recorder
from emulator.pictures.sink import Track
from emulator.trace import InstructionTrace

if TYPE_CHECKING:
    from emulator.engine.api import Engine, ExceptionHandler
    from emulator.linux.kernel import Options
    from emulator.linux.process import Task
    from emulator.linux.session import Request
    from emulator.memory.interface import Memory
    from emulator.state.pe import Pe

WriteInstruction = Callable[[int, Track, str], None]
"""Takes (instruction count, thread, text)."""


class TracedRun:
    """`session.kernel.run()` runs it; `finish()` ends the recording, however the run ended.

    With `instructions` every instruction and what it changed goes there too, counted as an event.
    """

    def __init__(
        self,
        request: Request,
        options: Options,
        recorder: Recorder,
        instructions: WriteInstruction | None = None,
    ) -> None:
        self._recorder = recorder
        self._instructions = instructions
        self._make = ENGINES[options.engine]
        self._latest: tuple[InstructionTrace, Engine] | None = None
        self.session = Session(request, options, observer=recorder, engines=self._engine)

    def finish(self) -> None:
        """Nothing more will run."""
        # A thread that has ended has no registers to speak of.
        if self._latest is not None and self._task_of(self._latest[1]) is not None:
            self._latest[0].flush()
        self._recorder.finish(self.session.kernel)

    def _engine(self, pe: Pe, memory: Memory, handler: ExceptionHandler) -> Engine:
        engine = self._make(pe, memory, handler)

        def crossed(pc: int, word: int) -> None:
            task = self._task_of(engine)
            if task is not None:
                self._recorder.crossing(task, pc, word)

        engine.on_crossing = crossed
        if self._instructions is not None and isinstance(engine, ReferenceEngine):
            self._trace_instructions(engine)
        return engine

    def _task_of(self, engine: Engine) -> Task | None:
        tasks = self.session.kernel.tasks.values()
        return next((task for task in tasks if task.engine is engine), None)

    def _trace_instructions(self, engine: ReferenceEngine) -> None:
        if self._recorder.stopped_at is not None:
            return
        write = self._instructions
        assert write is not None

        track = Track(0, 0)

        def line(text: str) -> None:
            time = self.session.kernel.instructions
            if self._recorder.take(time, track):
                write(time, track, text)
            else:
                engine.before_instruction = None

        trace = InstructionTrace(engine, line)
        trace.attach()
        observe = engine.before_instruction
        assert observe is not None

        def before(pc: int, word: int) -> None:
            # What another thread's last instruction changed belongs before this one.
            nonlocal track
            if self._latest is not None and self._latest[0] is not trace:
                self._latest[0].flush()
            self._latest = (trace, engine)
            task = self._task_of(engine)
            if task is not None:
                track = Track(task.process.pid, task.tid)
            observe(pc, word)

        engine.before_instruction = before

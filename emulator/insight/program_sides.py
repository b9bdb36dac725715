"""A Linux program on both engines: sessions that can be run to an instruction count again and again."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from typing import TYPE_CHECKING, TextIO

from emulator.faults import MemoryAbort
from emulator.insight.guest_streams import Output, Sink, Source
from emulator.insight.states import Difference, differences
from emulator.linux.explain_signal import explain
from emulator.linux.session import ENGINES, Session

if TYPE_CHECKING:
    from emulator.insight.lockstep import Side
    from emulator.insight.owners import Owners
    from emulator.linux.kernel import EngineFactory, Options
    from emulator.linux.process import Process, Task
    from emulator.linux.session import Request
    from emulator.linux.signals import SignalInfo
    from emulator.state.pe import Pe
    from morello_isa.capability import Capability


class ProgramSide:
    """See `Side`."""

    def __init__(
        self,
        request: Request,
        options: Options,
        engines: EngineFactory,
        source: Source,
        sink: Sink | None,
        errors: TextIO,
    ) -> None:
        self._descriptors = source.open(), os.open(os.devnull, os.O_WRONLY)
        given, null = self._descriptors
        options = replace(options, max_instructions=None)
        self.session = session = Session(
            request, options, streams=(given, null, null), engines=engines, errors=errors
        )
        self.kernel = kernel = session.kernel
        # Files of the host are read only: a change by one machine would be seen by the other.
        session.view.grants = [replace(grant, writable=False) for grant in session.view.grants]
        table = session.process.descriptors
        reads = source.input(given)
        if reads is not None:
            table.put(0, reads)
        for number in (1, 2):
            table.put(number, Output(null, number, sink))
        self.outcome: object = None
        call = kernel.run_call

        def run_call(task: Task) -> Capability:
            """A function that the host calls is not interrupted: its caller could not go on."""
            limit, kernel.options.max_instructions = kernel.options.max_instructions, None
            try:
                return call(task)
            finally:
                kernel.options.max_instructions = limit

        kernel.run_call = run_call  # type: ignore[method-assign]

    def explain_fatal_signals(self, errors: TextIO) -> None:
        """A process killed by a signal is explained there."""

        def tell(process: Process, info: SignalInfo) -> None:
            errors.write(explain(process, info))

        self.kernel.fatal = tell

    @property
    def instructions(self) -> int:
        """See `Side`."""
        return self.kernel.instructions

    def advance(self, count: int) -> None:
        """See `Side`."""
        if self.outcome is not None:
            return
        self.kernel.options.max_instructions = count
        outcome = self.kernel.run()
        if not outcome.limited:
            self.outcome = f"signal {outcome.signal}" if outcome.signal else f"exit status {outcome.status}"

    def current(self) -> tuple[Pe, str] | None:
        """See `Side`: the first thread, by number, that can run."""
        task = self._task()
        return (task.pe, f"thread {task.tid}") if task is not None else None

    def _task(self) -> Task | None:
        return next((task for task in self.kernel.tasks.values() if task.runnable), None)

    def word(self) -> int:
        """See `Side`."""
        task = self._task()
        try:
            return int.from_bytes(task.process.space.peek(task.pe.pc, 4), "little") if task is not None else 0
        except MemoryAbort:
            return 0

    def attach(self, owners: Owners) -> None:
        """See `Side`."""
        owners.kernel = self.kernel

    def close(self) -> None:
        """See `Side`."""
        for descriptor in self._descriptors:
            os.close(descriptor)


class ProgramSubject:
    """See `Subject`. `sink` gets what the reference machine writes, once; `errors` what is told about it."""

    def __init__(
        self, request: Request, options: Options, source: Source, sink: Sink, errors: TextIO
    ) -> None:  # fmt: skip
        self._request = request
        self._options = options
        self._source = source
        self._sink = sink
        self._errors = errors
        self.limit = options.max_instructions

    def reference(self, loud: bool) -> ProgramSide:
        """See `Subject`."""
        errors = self._errors if loud else io.StringIO()
        side = self._side(ENGINES["reference"], self._sink if loud else None, errors)
        if loud:
            side.explain_fatal_signals(errors)
        return side

    def fast(self, engines: EngineFactory | None) -> ProgramSide:
        """See `Subject`."""
        return self._side(engines or ENGINES["fast"], None, io.StringIO())

    def _side(self, engines: EngineFactory, sink: Sink | None, errors: TextIO) -> ProgramSide:
        return ProgramSide(self._request, self._options, engines, self._source, sink, errors)

    def differences(self, reference: Side, fast: Side) -> list[Difference]:
        """See `Subject`."""
        assert isinstance(reference, ProgramSide)
        assert isinstance(fast, ProgramSide)
        return differences(reference.kernel, fast.kernel)

"""Both engines on one program in lockstep, and the search for the instruction where they part.

The machines are two kernels with equal, deterministic state. Each is run to the same instruction count again
and again and compared there. Where a comparison fails, fresh pairs repeat the run: up to the last stop where
all was well exactly as before, then to a stop in between, halving the distance.
"""

from __future__ import annotations

import io
import os
import random
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TextIO

from emulator.engine.translate.observed import Census
from emulator.insight.states import Difference, differences
from emulator.linux.handles import HostFile, Open
from emulator.linux.kernel import Outcome
from emulator.linux.session import ENGINES, Session

if TYPE_CHECKING:
    from emulator.linux.kernel import EngineFactory, Options
    from emulator.linux.process import Task
    from emulator.linux.session import Request
    from morello_isa.capability import Capability

EVERY = 5000
"""Instructions between two comparisons, about: enough for code that runs freely."""

Sink = Callable[[int, bytes], None]
"""Takes (1 or 2, what the guest wrote there)."""


class _Output(HostFile):
    """Standard output or error: the same device for both machines, whose data one of them passes on."""

    def __init__(self, null: int, number: int, sink: Sink | None) -> None:
        super().__init__(null, "/dev/null", Open.WRONLY, owned=False)
        self._number = number
        self._sink = sink

    def write(self, task: Task, data: bytes) -> int:  # noqa: ARG002
        """All of it is written."""
        if self._sink is not None:
            self._sink(self._number, bytes(data))
        return len(data)


class Input:
    """Standard input, which every machine reads anew: a copy of a file or of a pipe's data; never a terminal."""

    def __init__(self, descriptor: int = 0) -> None:
        self.is_terminal = os.isatty(descriptor)
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as this object
        try:
            regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        except OSError:
            self.is_terminal = True
            regular = False
        if not self.is_terminal:
            source = os.dup(descriptor)
            with os.fdopen(source, "rb") as stream:
                start = os.lseek(descriptor, 0, os.SEEK_CUR) if regular else 0
                while chunk := stream.read(1 << 20):
                    self._file.write(chunk)
                if regular:
                    os.lseek(descriptor, start, os.SEEK_SET)
            self._file.flush()

    def open(self) -> int:
        """A descriptor of its own, at the beginning."""
        if self.is_terminal:
            return os.open(os.devnull, os.O_RDONLY)
        return os.open(f"/proc/self/fd/{self._file.fileno()}", os.O_RDONLY)


class Machine:
    """One of the two: a session that can be run to an instruction count again and again."""

    def __init__(
        self, request: Request, options: Options, engines: EngineFactory, source: Input, sink: Sink | None, errors: TextIO
    ) -> None:  # fmt: skip
        self._descriptors = source.open(), os.open(os.devnull, os.O_WRONLY)
        given, null = self._descriptors
        options = replace(options, max_instructions=None)
        self.session = session = Session(
            request, options, streams=(given, null, null), engines=engines, errors=errors
        )
        self.kernel = kernel = session.kernel
        # Files of the host are read only: a change by one machine would be seen by the other.
        session.view.grants = [replace(grant, writable=False) for grant in session.view.grants]
        for number in (1, 2):
            session.process.descriptors.put(number, _Output(null, number, sink))
        self.outcome: Outcome | None = None
        call = kernel.run_call

        def run_call(task: Task) -> Capability:
            """A function that the host calls is not interrupted: its caller could not go on."""
            limit, kernel.options.max_instructions = kernel.options.max_instructions, None
            try:
                return call(task)
            finally:
                kernel.options.max_instructions = limit

        kernel.run_call = run_call  # type: ignore[method-assign]

    def advance(self, count: int) -> None:
        """Run until that many instructions were executed in all, or the end; `outcome` is set at the end."""
        if self.outcome is not None:
            return
        self.kernel.options.max_instructions = count
        outcome = self.kernel.run()
        if not outcome.limited:
            self.outcome = outcome

    def close(self) -> None:
        """Give the descriptors back."""
        for descriptor in self._descriptors:
            os.close(descriptor)


class Pair:
    """The reference machine and the fast one."""

    def __init__(self, reference: Machine, fast: Machine) -> None:
        self.reference = reference
        self.fast = fast

    def advance(self, count: int) -> None:
        """Run both to a count."""
        self.reference.advance(count)
        self.fast.advance(count)

    def differences(self) -> list[Difference]:
        """What differs now."""
        one, other = self.reference, self.fast
        found = differences(one.kernel, other.kernel)
        if one.outcome != other.outcome:
            found.insert(0, Difference("end of the program", _end(one.outcome), _end(other.outcome)))
        return found

    def close(self) -> None:
        """No more is wanted of it."""
        self.reference.close()
        self.fast.close()


def _end(outcome: Outcome | None) -> str:
    if outcome is None:
        return "still running"
    return f"signal {outcome.signal}" if outcome.signal else f"exit status {outcome.status}"


@dataclass
class Found:
    """The engines part at instruction number `at`: equal after `at` - 1, different after it.

    `longest` is the length of blocks with which that was found, None for the ordinary engine's. With 1 it is
    that very instruction; otherwise one of the block that ended there or a little before.
    """

    at: int
    differences: list[Difference]
    longest: int | None


class Lockstep:
    """A comparison of a program. `sink` gets what the reference machine writes, once."""

    def __init__(
        self, request: Request, options: Options, source: Input, sink: Sink, errors: TextIO, every: int = EVERY
    ) -> None:  # fmt: skip
        self._request = request
        self._options = options
        self._source = source
        self._sink = sink
        self._errors = errors
        self._every = every
        self.executed = 0
        self.stops: list[int] = []
        """Counts of instructions where all was equal."""
        self.outcome: Outcome | None = None

    def pair(self, *, first: bool = False, fast: EngineFactory | None = None) -> Pair:
        """A fresh pair, quiet unless it is the `first`."""
        errors = self._errors if first else io.StringIO()
        reference = self._machine(ENGINES["reference"], self._sink if first else None, errors)
        if first:
            from emulator.cli.run import explain_fatal_signals

            explain_fatal_signals(reference.session)
        return Pair(reference, self._machine(fast or ENGINES["fast"], None, io.StringIO()))

    def _machine(self, engines: EngineFactory, sink: Sink | None, errors: TextIO) -> Machine:
        return Machine(self._request, self._options, engines, self._source, sink, errors)

    def run(self, progress: Callable[[int], None]) -> Found | None:
        """Run to the end or the first difference, which is then narrowed down. `progress` gets counts."""
        pair = self.pair(first=True)
        chance = random.Random(self._every)
        limit = self._options.max_instructions
        count = 0
        try:
            while True:
                count += chance.randrange(self._every // 2 + 1, 3 * self._every // 2 + 2)
                count = count if limit is None else min(count, limit)
                pair.advance(count)
                self.executed = pair.reference.kernel.instructions
                found = pair.differences()
                if found:
                    return self._narrow(count, found, progress)
                self.outcome = pair.reference.outcome
                if self.outcome is not None or count == limit:
                    return None
                self.stops.append(count)
                progress(self.executed)
        finally:
            pair.close()

    def _narrow(self, bad: int, found: list[Difference], progress: Callable[[int], None]) -> Found:
        """Look for the instruction, with blocks as short as the difference allows."""
        for longest in (1, 4, 16, None):
            there = self._differences_at(bad, longest) if longest is not None else found
            if there:
                return self._bisect(bad, there, longest, progress)
        raise AssertionError

    def _bisect(
        self, bad: int, found: list[Difference], longest: int | None, progress: Callable[[int], None]
    ) -> Found:  # fmt: skip
        good, bad, found = self._last_good(bad, found, longest)
        while bad - good > 1:
            middle = (good + bad) // 2
            progress(middle)
            there = self._differences_at(middle, longest)
            if there:
                bad, found = middle, there
            else:
                good = middle
        return Found(bad, found, longest)

    def _last_good(
        self, bad: int, found: list[Difference], longest: int | None
    ) -> tuple[int, int, list[Difference]]:  # fmt: skip
        """(good, bad, found): a stop without a difference, and the first one looked at after it that has one.

        The first run's last good stop need not be good with shorter blocks, which show more.
        """
        if longest is None:
            return self.stops[-1] if self.stops else 0, bad, found
        back = 1
        while back <= len(self.stops):
            stop = self.stops[-back]
            there = self._differences_at(stop, longest)
            if not there:
                return stop, bad, found
            bad, found, back = stop, there, 2 * back
        return 0, bad, found

    def _differences_at(self, count: int, longest: int | None) -> list[Difference]:
        pair = self.repeat(count, None if longest is None else Census(lambda _: None, longest).make)
        try:
            return pair.differences()
        finally:
            pair.close()

    def repeat(self, count: int, fast: EngineFactory | None = None) -> Pair:
        """A pair that has run to a count, with the stops that the first run made."""
        pair = self.pair(fast=fast)
        for stop in self.stops:
            if stop < count:
                pair.advance(stop)
        pair.advance(count)
        return pair

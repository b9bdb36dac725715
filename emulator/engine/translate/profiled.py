"""The fast engine with its time attributed: translated code, translation, and each way out by reason."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, ParamSpec, TypeVar, cast

from emulator.engine.translate.exits import ExitKind
from emulator.engine.translate.observed import Census, ObservedEngine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emulator.engine.api import ExceptionHandler
    from emulator.engine.translate.exits import Exit
    from emulator.engine.translate.host import CodeHost
    from emulator.engine.translate.versions import Domain, Translation
    from emulator.faults import PeFault, StopReason
    from emulator.memory.direct import DirectMemory
    from emulator.memory.interface import Memory
    from emulator.state.pe import Pe

P = ParamSpec("P")
R = TypeVar("R")

TRANSLATED, TRANSLATION, PAGES = "translated code", "translation", "pages looked up"
LINKS, REGISTER_BRANCHES = "branches linked", "branches by register"
SINGLES, REFUSED = "instructions of the reference engine", "accesses refused"
ENDS = "ends of turns"
DISPATCH, KERNEL, SAMPLING = "entering and leaving", "kernel", "sampling"


class Clock:
    """Seconds by activity; while one is inside another, only the inner one's clock runs."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._running: list[str] = []
        self._since = perf_counter()

    @contextmanager
    def activity(self, name: str) -> Iterator[None]:
        """The time inside is `name`'s."""
        self._charge()
        self._running.append(name)
        try:
            yield
        finally:
            self._charge()
            self._running.pop()

    def _charge(self) -> None:
        now = perf_counter()
        if self._running:
            name = self._running[-1]
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since = now

    def timed(self, name: str, action: Callable[P, R]) -> Callable[P, R]:
        """The action, its time `name`'s."""

        def inside(*args: P.args, **kwargs: P.kwargs) -> R:
            with self.activity(name):
                return action(*args, **kwargs)

        return inside


class Tally:
    """How often something happened and how long it took in all."""

    __slots__ = ("count", "seconds")

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """Once more."""
        self.count += 1
        self.seconds += seconds


class Timing:
    """What profiled engines measure, shared by those of a run."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.singles: dict[tuple[int, int, bool], Tally] = {}
        """(PC, word, C64) of instructions that the reference engine executed for want of a translation."""
        self.refused: dict[tuple[int, int, bool, str], Tally] = {}
        """(PC, word, C64, fault or "" where nothing was wrong) of accesses refused to translated code."""
        self.branches: dict[tuple[int, int, bool], Tally] = {}
        """Likewise of branches to a register's value whose target was not known."""
        self.ends = Tally()
        """Instructions before a limit or an event that no translation is short enough for."""
        self.translations: dict[int, Tally] = {}
        """PC -> translations that begin there."""


class ProfiledCensus(Census):
    """Makes profiled engines."""

    timing: Timing

    def make(self, pe: Pe, memory: Memory, on_exception: ExceptionHandler) -> ObservedEngine:
        """See `Census.make`."""
        engine = ProfiledEngine(pe, cast("DirectMemory", memory), on_exception)
        engine.observe(self)
        engine.measure(self.timing)
        return engine


class ProfiledEngine(ObservedEngine):
    """`measure` comes before it runs. Kernel time is that of the exception handler."""

    def measure(self, timing: Timing) -> None:
        """Account there."""
        self._timing = timing
        self._clock = timing.clock
        self._last_fault: PeFault | None = None
        handler = self.on_exception

        def exception(pe: Pe, fault: PeFault) -> None:
            self._last_fault = fault
            with self._clock.activity(KERNEL):
                handler(pe, fault)

        self.on_exception = exception
        self._reason = ENDS

    def run(self, max_instructions: int | None = None) -> StopReason:
        """See `Engine.run`."""
        with self._clock.activity(DISPATCH):
            return super().run(max_instructions)

    def _open(self) -> CodeHost:
        code = super()._open()
        timed = self._clock.timed
        code.time(timed(TRANSLATED, code.run), timed(PAGES, code.answer))
        return code

    def _translate(self, domain: Domain, empty: Translation, near: Exit | None = None) -> Translation | None:
        started = perf_counter()
        with self._clock.activity(TRANSLATION):
            made = super()._translate(domain, empty, near)
        self._timing.translations.setdefault(empty.pc, Tally()).add(perf_counter() - started)
        return made

    def _ask(self, number: int) -> int:
        entry = self._exits[number]
        by_register = entry is not None and entry[1].kind is ExitKind.INDIRECT
        with self._clock.activity(REGISTER_BRANCHES if by_register else LINKS):
            return super()._ask(number)

    def _one(self) -> None:
        pe, reason = self.pe, self._reason
        place = pe.pc, self._word(), pe.pstate.c64
        self._last_fault = None
        # The kernel's time, in a system call, isn't the instruction's.
        before = self._clock.seconds.get(reason, 0.0)
        with self._clock.activity(reason):
            super()._one()
        seconds = self._clock.seconds[reason] - before
        fault = self._last_fault
        timing = self._timing
        if reason is REFUSED:
            name = fault.kind.value if fault is not None else ""
            timing.refused.setdefault((*place, name), Tally()).add(seconds)
        elif reason is ENDS:
            timing.ends.add(seconds)
        else:
            tallies = timing.singles if reason is SINGLES else timing.branches
            tallies.setdefault(place, Tally()).add(seconds)

    def _word(self) -> int:
        """The word at PC, 0 where it can't be fetched."""
        if self.pe.context_stale:
            self._refresh()
        return self.fetch_ahead(self.pe.pc) or 0

    def _enter(self, translation: Translation, left: int) -> bool:
        self._reason = SINGLES
        more = super()._enter(translation, left)
        self._reason = ENDS
        return more

    def _refused(self, where: int, left: int) -> None:
        self._reason = REFUSED
        super()._refused(where, left)
        self._reason = SINGLES

    def _indirect(self, translation: Translation, exit_: Exit) -> None:
        self._reason = REGISTER_BRANCHES
        super()._indirect(translation, exit_)
        self._reason = SINGLES

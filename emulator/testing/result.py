"""What a run left: output, how it ended, counters, faults; and the questions that tests ask of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from emulator.testing.faults import Fault, FaultPattern
from emulator.testing.settings import MorelloError, is_for_the_user

__tracebackhide__ = is_for_the_user


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a failure report can show of a run. Lines are ready to print.

    `backtrace` and `last` (instructions) were seen in the run itself; `repeat` runs it again with a recorder
    and gives more lines.
    """

    command: str
    folders: Mapping[str, Path] = field(default_factory=dict)
    """Where the folders of source files, as the program names them, are."""
    backtrace: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    repeat: Callable[[], list[str]] | None = None


@dataclass(slots=True, eq=False)
class Result:
    """One finished run. Texts are decoded as UTF-8; what isn't is shown as \\xNN."""

    stdout_bytes: bytes = field(repr=False)
    """The guest's standard output; on a board what its first console printed."""
    stderr_bytes: bytes = field(repr=False)
    status: int
    """As `morello run` and `boot` exit: the guest's, 128+n for signal n, 124 at the instruction limit."""
    signal: str | None
    """The signal that killed the program ("SIGSEGV"), or None."""
    limited: bool
    """The run was ended by `max_instructions`."""
    instructions: int
    crossings: int
    """Changes between Executive and Restricted."""
    system_calls: int
    faults: tuple[Fault, ...] = field(repr=False)
    """Faults in their order, handled ones included; at most 100 are kept."""
    messages: str = field(repr=False)
    """What the emulator said: explanation of a fatal signal, refused system calls."""
    folder: Path = field(repr=False)
    """The guest's /work: the files it was given and those it made. Lives as long as the test."""
    evidence: Evidence = field(repr=False)
    expected: bool = field(default=False, repr=False)
    """Its fault was asked for, so a failure report need not explain it."""

    @property
    def stdout(self) -> str:
        """Standard output as text."""
        return self.stdout_bytes.decode(errors="backslashreplace")

    @property
    def stderr(self) -> str:
        """Standard error as text."""
        return self.stderr_bytes.decode(errors="backslashreplace")

    @property
    def fault(self) -> Fault | None:
        """The fault that killed the program; else the last that was handled; else None."""
        return self.fatal_fault or (self.faults[-1] if self.faults else None)

    @property
    def fatal_fault(self) -> Fault | None:
        """The fault that killed the program, or None."""
        return next((fault for fault in self.faults if not fault.handled), None)

    def read(self, name: str) -> str:
        """The text of a file that the guest left in /work. MorelloError when it isn't there."""
        try:
            return (self.folder / name).read_text(encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise MorelloError(
                f"the run left no file {name}: {(error.strerror or str(error)).lower()}"
            ) from None

    def expect_fault(
        self,
        kind: str | None = None,
        *,
        register: str | None = None,
        symbol: str | None = None,
        address: int | None = None,
        file: str | None = None,
        line: int | None = None,
        restricted: bool | None = None,
    ) -> Fault:
        """The fault, if there was one like that; AssertionError otherwise.

        A fault that killed the program must be it; if none did, one that the guest handled.
        """
        return self.match(FaultPattern(kind, register, symbol, address, file, line, restricted))

    def match(self, pattern: FaultPattern) -> Fault:
        """`expect_fault` with a pattern."""
        fatal = self.fatal_fault
        for fault in (fatal,) if fatal is not None else reversed(self.faults):
            if pattern.matches(fault):
                self.expected = True
                return fault
        raise AssertionError(f"expected {pattern}; {self._what_happened()}")

    def _what_happened(self) -> str:
        fault = self.fault
        if fault is None:
            return f"there was no fault, {self.end}"
        return f"there was: {fault.text}, {self.end}"

    @property
    def end(self) -> str:
        """`exited with status 3`, `was killed by SIGSEGV`, `reached the limit of … instructions`."""
        if self.limited:
            return f"the run was stopped after {self.instructions:,} instructions (max_instructions)"
        return (
            f"the run was killed by {self.signal}"
            if self.signal
            else f"the run ended with status {self.status}"
        )

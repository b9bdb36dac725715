"""What makes the debugger stop, and what it says about a stop."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from emulator.faults import PeFault


class StopCause(Enum):
    """Why the guest isn't running."""

    START = "start"
    BREAKPOINT = "breakpoint"
    STEP = "step"
    FAULT = "fault"
    SYSCALL = "syscall"
    SIGNAL = "signal"
    COMPARTMENT = "compartment"
    WATCH = "watch"
    INTERRUPT = "interrupt"
    POSITION = "position"
    LIBRARIES = "libraries"
    """The process has other images than before: a library was loaded, or execve."""
    EXITED = "exited"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop. `position` counts the instructions of all threads that were executed before it."""

    cause: StopCause
    text: str
    position: int = 0
    tid: int = 0
    pc: int = 0
    fault: PeFault | None = field(default=None, repr=False)
    signal: int = 0
    status: int = 0
    """Exit status of the program, for EXITED."""
    point: int = 0
    """Number of the breakpoint or watch, for BREAKPOINT and WATCH."""

    @property
    def is_end(self) -> bool:
        """There is nothing left to run."""
        return self.cause in (StopCause.EXITED, StopCause.FAILED)


@dataclass(slots=True)
class Breakpoint:
    """Stops before the instruction at any of `addresses` (none: the place is not loaded yet).

    A temporary one is deleted when it stops.
    """

    number: int
    place: str
    addresses: tuple[int, ...] = ()
    condition: str = ""
    temporary: bool = False
    hits: int = 0
    ignore: int = 0
    """Hits that are passed over before it stops."""
    enabled: bool = True


class WatchKind(Enum):
    """What about memory is watched: its contents, or accesses of instructions to it."""

    DATA = "data"
    TAG = "tag"
    CAPABILITY = "capability"
    READ = "read"
    WRITE = "write"
    ACCESS = "access"


ACCESS_KINDS = frozenset((WatchKind.READ, WatchKind.WRITE, WatchKind.ACCESS))


@dataclass(slots=True)
class Watch:
    """Stops after the instruction that changed the watched bytes, tag or capability; for the kinds of
    `ACCESS_KINDS`, before the one that accesses them."""

    number: int
    kind: WatchKind
    place: str
    address: int
    size: int
    hits: int = 0
    enabled: bool = True


ANY = "*"
"""In the names of a catch at run time: all of its kind."""


class CatchKind(Enum):
    """Events that `catch` stops at."""

    FAULT = "fault"
    SYSCALL = "syscall"
    SIGNAL = "signal"
    COMPARTMENT = "compartment"


@dataclass(slots=True)
class Catch:
    """Stops at an event; `names` narrows it (system calls, signals)."""

    number: int
    kind: CatchKind
    names: frozenset[str] = frozenset()
    enabled: bool = True


Point = Breakpoint | Watch | Catch

"""The debugger as a library; see `emulator.debug.api` and docs/debugging.md, "From Python".

from emulator.debug import debug

with debug("program", "argument") as machine:
    machine.break_at("main")
    machine.run()
    print(machine.explain(), machine.c[0].describe())
"""

from __future__ import annotations

from emulator.debug.api import Machine, boot, debug, load
from emulator.debug.errors import CommandError
from emulator.debug.reach import Reach
from emulator.debug.session import Debugger
from emulator.debug.stops import Breakpoint, Catch, CatchKind, Stop, StopCause, Watch, WatchKind
from emulator.linux.kernel import Options
from emulator.linux.session import Request

__all__ = [
    "Breakpoint",
    "Catch",
    "CatchKind",
    "CommandError",
    "Debugger",
    "Machine",
    "Options",
    "Reach",
    "Request",
    "Stop",
    "StopCause",
    "Watch",
    "WatchKind",
    "boot",
    "debug",
    "load",
]

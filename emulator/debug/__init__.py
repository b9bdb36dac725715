"""The debugger as a library: docs/debugging.md, section "From Python".

from emulator.debug import Debugger, Request

debugger = Debugger(Request("program", ["argument"]))
debugger.start()
debugger.points.add_breakpoint("main")
stop = debugger.resume()
print(stop.cause, debugger.evaluate("base(c0)"))
"""

from __future__ import annotations

from emulator.debug.errors import CommandError
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
    "Options",
    "Request",
    "Stop",
    "StopCause",
    "Watch",
    "WatchKind",
]

"""The moments at which a capability map can be made: a process's end, a fault, an instruction, a place."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from emulator.debug import CommandError, Debugger, Options, Request, StopCause
from emulator.debug.names import Names
from emulator.linux.observer import Observer
from emulator.linux.signals import signal_name
from emulator.pictures.snapshot import Snapshot, take
from morello_isa.errors import EXIT_EMULATOR_ERROR, UserError

if TYPE_CHECKING:
    from emulator.linux.process import Process

Draw = Callable[[Snapshot, Callable[[int], str]], None]
"""Takes the snapshot and a function that names addresses of the process."""
_NUMBER = re.compile(r"[0-9][0-9_]*")
FAULT = "fault"


class LastMoment(Observer):
    """Draws the first process when it ends, while its registers and memory are still there."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self.done = False

    def exiting(self, process: Process, code: int) -> None:
        """See `Observer`."""
        kernel = process.tasks[0].kernel
        if process is not kernel.first:
            return
        signal = code & 0x7F
        how = f"killed by {signal_name(signal)}" if signal else f"at exit with status {code >> 8}"
        self.draw(process, how, kernel.instructions)

    def draw(self, process: Process, moment: str, instructions: int) -> None:
        """Draw a process as it is now."""
        self.done = True
        draw_process(process, moment, instructions, self._draw)


def draw_process(
    process: Process, moment: str, instructions: int, draw: Draw, focus: tuple[int, str] | None = None
) -> None:
    """Give a process's snapshot to `draw`."""
    names = Names()
    snapshot = take(process, moment, instructions)
    snapshot.focus = focus
    draw(snapshot, lambda address: names.where(process, address))


def draw_at(request: Request, options: Options, at: str, draw: Draw) -> None:
    """Run until `at` ("fault", a number of instructions, a place of the debugger) and draw; then it ends.

    UserError when the program ends before, or the place means nothing.
    """
    with contextlib.closing(Debugger(request, options)) as debugger:
        debugger.start()
        moment = _go(debugger, at)
        draw_process(debugger.process, moment, debugger.position, draw, _focus(debugger))


def _focus(debugger: Debugger) -> tuple[int, str] | None:
    """The register that a fault names; CSP by the bank that the thread uses."""
    fault, task = debugger.stop.fault, debugger.task
    if fault is None:
        return None
    if fault.register == "csp":
        return task.tid, "rcsp" if task.pe.is_restricted else "ecsp"
    return task.tid, fault.register


def _go(debugger: Debugger, at: str) -> str:
    """Run to the moment; returns what to call it."""
    wanted, text = StopCause.BREAKPOINT, f"at {at}"
    try:
        if _NUMBER.fullmatch(at):
            debugger.goto(int(at.replace("_", "")))
            wanted, text = StopCause.POSITION, "stopped"
        else:
            if at == FAULT:
                wanted = StopCause.FAULT
            else:
                debugger.points.add_breakpoint(at)
            debugger.resume()
    except CommandError as error:
        raise UserError(f"capmap: --at {at}: {error}", EXIT_EMULATOR_ERROR) from None
    while debugger.stop.cause is not wanted:
        stop = debugger.stop
        if stop.cause is StopCause.INTERRUPT:
            raise KeyboardInterrupt
        if stop.cause is StopCause.FAILED:
            raise UserError(stop.text, stop.status)
        if stop.is_end:
            message = f"the program {stop.text} before '--at {at}' was reached; there is no map"
            raise UserError(message, EXIT_EMULATOR_ERROR)
        debugger.resume()
    if wanted is StopCause.FAULT:
        return debugger.explain(debugger.stop)
    return text

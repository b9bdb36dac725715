"""Call frames."""

from __future__ import annotations

from emulator.debug.commands import Takes, command
from emulator.debug.errors import CommandError
from emulator.debug.shell import Shell
from emulator.debug.unwind import Frame


@command("backtrace", aliases=("bt", "where", "frames"), category="stack")
def backtrace(shell: Shell, arguments: str) -> None:
    """Call frames, also across the boundary between Executive and Restricted code.

    backtrace [N]: the innermost N.
    """
    frames = shell.debugger.frames()
    if arguments:
        frames = frames[: shell.debugger.number(arguments)]
    for frame in frames:
        if frame.crossed:
            outer = "Restricted" if frame.restricted else "Executive"
            shell.write(f"  ── compartment boundary: {outer} below ──")
        shell.write(_line(shell, frame))


def _line(shell: Shell, frame: Frame) -> str:
    debugger = shell.debugger
    # A return address belongs to the function and the line of the call before it.
    call = frame.pc - (4 if frame.number else 0)
    where = debugger.names.where(debugger.process, call)
    row = debugger.names.line(debugger.process, call)
    line = f"  {row.file}:{row.line}" if row is not None else ""
    mark = "→" if frame.number == shell.frame else " "
    side = ""
    if debugger.process.abi.is_purecap:
        side = "  Restricted" if frame.restricted else "  Executive"
    return f"{mark} #{frame.number:<3}{shell.style('address', f'{frame.pc:#x}')}  {where}{side}{line}"


@command("frame", aliases=("f",), category="stack", takes=Takes.EXPRESSION)
def frame(shell: Shell, arguments: str) -> None:
    """Select a frame for list, and show it.

    frame [N]
    """
    frames = shell.debugger.frames()
    if arguments:
        number = shell.debugger.number(arguments)
        if number >= len(frames):
            raise CommandError(f"there is no frame {number}; the outermost is {len(frames) - 1}")
        shell.frame = number
    shell.write(_line(shell, frames[min(shell.frame, len(frames) - 1)]))


@command("thread", category="stack", takes=Takes.EXPRESSION)
def thread(shell: Shell, arguments: str) -> None:
    """Select a thread for all other commands, and show where it is.

    thread [NUMBER]: as `info threads` numbers them
    """
    if arguments:
        if not arguments.isdecimal():
            raise CommandError(f"'{arguments}' is not a thread's number")
        shell.debugger.select(int(arguments))
        shell.frame = 0
    shell.write(f"  thread {shell.debugger.task.tid}")
    shell.write(_line(shell, shell.debugger.frames()[0]))

"""Scripts: commands from a file, and Python."""

from __future__ import annotations

import contextlib
import io
import sys
import traceback
from types import CodeType

from emulator.debug.commands import Needs, Takes, command
from emulator.debug.errors import CommandError
from emulator.debug.shell import Shell, script_lines
from morello_isa.errors import UserError

MAX_DEPTH = 8
END = "end"


@command("source", category="debugger", needs=Needs.NOTHING, takes=Takes.FILE)
def source(shell: Shell, arguments: str) -> None:
    """Execute the commands in a file; a file NAME.py is Python.

    source FILE
    """
    if not arguments:
        raise CommandError("source which file?")
    if shell.depth >= MAX_DEPTH:
        raise CommandError(f"{arguments}: files are sourced {MAX_DEPTH} deep already")
    lines = script_lines(arguments)
    if arguments.endswith(".py"):
        run_python(shell, "\n".join(lines) + "\n", arguments, "exec")
        return
    shell.depth += 1
    try:
        shell.run_lines(lines)
    finally:
        shell.depth -= 1


@command("python", aliases=("py",), category="debugger", needs=Needs.NOTHING)
def python(shell: Shell, arguments: str) -> None:
    """Python, with the debugged machine as `machine` (class emulator.debug.Machine).

    python STATEMENT: one line; the value of an expression is printed
    python: lines up to one that says `end`
    Names stay from one use to the next: machine.c[0].base, machine.memory[0x1000::16], machine.stepi(3), …
    """
    if arguments:
        run_python(shell, arguments, "<python>", "single")
    else:
        shell.collect(END, lambda lines: run_python(shell, "\n".join(lines) + "\n", "<python>", "exec"))


def run_python(shell: Shell, text: str, name: str, mode: str) -> None:
    """Execute Python; whatever it raises becomes one line."""
    try:
        code: CodeType = compile(text, name, mode)
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise CommandError(f"{name}{line}: {reason}") from None
    output = _Lines(shell)
    try:
        with contextlib.redirect_stdout(output):
            exec(code, _names(shell))
    except (CommandError, UserError, KeyboardInterrupt):
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 (the user's code may raise anything)
        where = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == name]
        line = f", line {where[-1].lineno}" if where else ""
        raise CommandError(f"{name}{line}: {type(error).__name__}: {error}") from None
    finally:
        output.finish()


def _names(shell: Shell) -> dict[str, object]:
    from emulator.debug.api import Machine

    if not shell.python:
        shell.python.update(
            __name__="__morello__", machine=Machine(shell.debugger), debugger=shell.debugger, shell=shell
        )
    return shell.python


class _Lines(io.TextIOBase):
    """What Python prints, as lines of the shell."""

    def __init__(self, shell: Shell) -> None:
        super().__init__()
        self._shell = shell
        self._outside = sys.stdout
        self._rest = ""

    def write(self, text: str) -> int:
        """Whole lines are shown at once."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._show(line)
        return len(text)

    def finish(self) -> None:
        """Show a last line without an end."""
        if self._rest:
            self._show(self._rest)
            self._rest = ""

    def _show(self, line: str) -> None:
        # The shell writes to standard output itself, which is this object while Python runs.
        with contextlib.redirect_stdout(self._outside):
            self._shell.write(line)

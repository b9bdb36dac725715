"""Runs command lines: finds the command, prints what it says, turns every mistake into one line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from emulator.debug.commands import Command, Needs, discover
from emulator.debug.context import Panel
from emulator.debug.errors import CommandError
from emulator.debug.session import DebuggerCore
from emulator.debug.stops import Stop, StopCause
from emulator.debug.style import Style
from morello_isa.errors import UserError

PROMPT, BLOCK_PROMPT = "(morello) ", "        > "
MAX_LINE = 4000
_REPEATABLE = ("running", "back")


class Shell:
    """One user's view of a debugger. `write` prints a line."""

    def __init__(
        self, debugger: DebuggerCore, write: Callable[[str], None], style: Style | None = None
    ) -> None:
        self.debugger = debugger
        self.style = style if style is not None else Style(False)
        self.panel = Panel(debugger, self.style)
        self.commands = discover()
        self.done = False
        self.failures = 0
        self.frame = 0
        """Selected call frame."""
        self.next_memory: tuple[int, str] | None = None
        """Where `x` goes on, and its format."""
        self.python: dict[str, object] = {}
        """Names of the `python` command."""
        self.depth = 0
        """How many files are being sourced."""
        self._write = write
        self._last = ""
        self._block: tuple[str, list[str], Callable[[list[str]], None]] | None = None

    def write(self, line: str = "") -> None:
        """Print a line."""
        self._write(line)

    @property
    def prompt(self) -> str:
        """What to show before a line that is typed, or before one of a file that is sourced."""
        if self._block is not None:
            return BLOCK_PROMPT
        return "+ " * self.depth or PROMPT

    def collect(self, end: str, use: Callable[[list[str]], None]) -> None:
        """Lines from now on belong to a block, up to the line `end`; then it is used."""
        self._block = (end, [], use)

    def forget_block(self) -> None:
        """Ctrl-C while a block is typed."""
        self._block = None

    def run_lines(self, lines: Iterable[str]) -> None:
        """Execute lines, each shown behind a prompt as if it had been typed."""
        for line in lines:
            if self.done:
                return
            if line.strip() or self._block:
                self.write(f"{self.prompt}{line.rstrip() if self._block else line.strip()}".rstrip())
                self.execute(line)

    def execute(self, line: str) -> bool:
        """Run one line; False when it failed (what was wrong is printed)."""
        if self._block is None and (not line.strip() or line.lstrip().startswith("#")):
            return True
        try:
            self._execute(line)
        except (CommandError, UserError) as error:
            self.write(self.style("error", f"error: {error}"))
        except RecursionError:
            self.write(self.style("error", "error: the expression is nested too deeply"))
        except KeyboardInterrupt:
            self.write("interrupted")
        else:
            return True
        self.failures += 1
        return False

    def repeat(self) -> bool:
        """An empty line in the prompt: the last running command again."""
        row = self.commands.get(self._last.partition(" ")[0])
        if row is None or row.category not in _REPEATABLE:
            return True
        return self.execute(self._last)

    def _execute(self, line: str) -> None:
        if self._block is not None:
            end, lines, use = self._block
            if line.strip() != end:
                lines.append(line.rstrip())
                return
            self._block = None
            use(lines)
            return
        line = line.strip()
        if len(line) > MAX_LINE and not line.startswith("python"):
            raise CommandError(f"a line of {len(line):,} characters is too long")
        name, _, arguments = line.partition(" ")
        slash = name.find("/")
        if slash > 0:
            name, arguments = name[:slash], f"{name[slash:]} {arguments}"
        row = self.find(name)
        self._last = line
        if row.needs is Needs.PROCESS:
            self.debugger.need_process()
        try:
            row.function(self, arguments.strip())
        finally:
            for warning in self.debugger.warnings:
                self.write(f"warning: {warning}")
            self.debugger.warnings.clear()

    def find(self, name: str) -> Command:
        """By name, alias or unique beginning. CommandError tells what is near."""
        row = self.commands.get(name)
        if row is not None:
            return row
        found = {r.name: r for n, r in self.commands.items() if n.startswith(name)}
        if len(found) == 1:
            return next(iter(found.values()))
        if found:
            raise CommandError(f"'{name}' may be {', '.join(sorted(found))}")
        raise CommandError(f"there is no command '{name}'; 'help' lists them")

    def show_stop(self, stop: Stop) -> None:
        """Print the panel of a stop."""
        self.frame, self.next_memory = 0, None
        if stop.cause is StopCause.FAILED:
            raise CommandError(stop.text)
        for line in self.panel.lines():
            self.write(line)


def print_line(line: str) -> None:
    """To standard output, in order with what the guest writes there."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def script_lines(path: str) -> list[str]:
    """Lines of a command file. Raises UserError."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}") from None

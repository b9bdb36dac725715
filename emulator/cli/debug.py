"""`morello debug`: run a Linux program under the debugger."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from emulator.cli.run import Parser, add_options, options_of, request_of
from morello_isa.errors import EXIT_EMULATOR_ERROR

if TYPE_CHECKING:
    from emulator.debug.session import Debugger


class _Script(argparse.Action):
    """-x FILE and -ex COMMAND in the order in which they are given."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        namespace.script = [*namespace.script, (option_string or "", str(values))]


def parser() -> argparse.ArgumentParser:
    """The options of `morello debug`: its own, and those of `morello run`."""
    p = Parser(prog="morello debug", description=__doc__, allow_abbrev=False)
    p.set_defaults(script=[])
    p.add_argument("--batch", action="store_true", help="only execute the scripts, without a prompt")
    p.add_argument("-x", metavar="FILE", action=_Script, help="execute the commands in FILE")
    p.add_argument("-ex", metavar="CMD", action=_Script, help="execute a command")
    p.add_argument("--source", metavar="DIR", action="append", default=[], help="look for source files there")
    add_options(p)
    return p


def main(argv: Sequence[str]) -> int:
    """Debug a program; 0, or 125 when a command of a script failed in batch mode."""
    arguments = parser().parse_args(argv)
    from emulator.debug.repl import interact, run_script
    from emulator.debug.session import Debugger
    from emulator.debug.shell import Shell, print_line, script_lines
    from emulator.debug.style import Style

    lines: list[str] = []
    for option, value in arguments.script:
        lines += script_lines(value) if option == "-x" else [value]
    debugger = Debugger(request_of(arguments), options_of(arguments))
    debugger.names.folders = arguments.source
    shell = Shell(debugger, print_line, Style(not arguments.batch and sys.stdout.isatty()))
    debugger.start()
    try:
        if not arguments.batch:
            _greet(debugger)
        run_script(shell, lines)
        if not arguments.batch and not shell.done:
            interact(shell)
    finally:
        debugger.close()
    return EXIT_EMULATOR_ERROR if arguments.batch and shell.failures else 0


def _greet(debugger: Debugger) -> None:
    print(f"{debugger.process.name} is loaded; 'run' starts it, 'help' lists the commands", flush=True)

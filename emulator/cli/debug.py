"""`morello debug`: run a Linux program under the debugger."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from emulator.cli.run import Parser, add_options, options_of, request_of
from morello_isa.errors import EXIT_EMULATOR_ERROR, UserError

if TYPE_CHECKING:
    from emulator.debug.session import Debugger

EXIT_INTERRUPTED = 130


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
    p.add_argument(
        "--allow-repeat", action="store_true", help="going back may repeat the program's changes to files"
    )
    add_options(p)
    return p


def check(arguments: argparse.Namespace, name: str) -> None:
    """UserError for options of `morello run` that mean nothing here."""
    for option in ("strace", "stats"):
        if getattr(arguments, option):
            raise UserError(f"{name}: --{option} can't be used while debugging", EXIT_EMULATOR_ERROR)


def main(argv: Sequence[str]) -> int:
    """Debug a program; 0, or 125 when a command of a script failed in batch mode."""
    arguments = parser().parse_args(argv)
    check(arguments, "debug")
    from emulator.debug.repl import interact, run_script
    from emulator.debug.session import Debugger
    from emulator.debug.shell import Shell, print_line, script_lines
    from emulator.debug.style import Style

    lines: list[str] = []
    for option, value in arguments.script:
        lines += script_lines(value) if option == "-x" else [value]
    debugger = Debugger(request_of(arguments), options_of(arguments))
    debugger.names.folders = arguments.source
    debugger.allow_repeat = arguments.allow_repeat
    shell = Shell(debugger, print_line, Style(not arguments.batch and sys.stdout.isatty()))
    try:
        debugger.start()
        if not arguments.batch:
            _greet(debugger)
        run_script(shell, lines)
        if not arguments.batch and not shell.done:
            interact(shell)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Nobody reads any more; the interpreter must not complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_EMULATOR_ERROR
    finally:
        debugger.close()
    return EXIT_EMULATOR_ERROR if arguments.batch and shell.failures else 0


def _greet(debugger: Debugger) -> None:
    print(f"{debugger.process.name} is loaded; 'run' starts it, 'help' lists the commands", flush=True)


def run_until_fault(arguments: argparse.Namespace) -> int:
    """`morello run --debug-on-fault`: the prompt at the first fault; without a terminal its panel on stderr.

    The exit status is the program's.
    """
    check(arguments, "run --debug-on-fault")
    from emulator.debug.repl import interact
    from emulator.debug.session import Debugger
    from emulator.debug.shell import Shell, print_line
    from emulator.debug.stops import StopCause
    from emulator.debug.style import Style

    debugger = Debugger(request_of(arguments), options_of(arguments))
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    debugger.start()
    shell = Shell(debugger, print_line if terminal else _print_error, Style(terminal))
    try:
        stop = debugger.resume()
        if stop.cause is StopCause.FAILED:
            raise UserError(stop.text, stop.status)
        if stop.cause is StopCause.INTERRUPT and not terminal:
            return EXIT_INTERRUPTED
        if not stop.is_end:
            shell.show_stop(stop)
            if terminal:
                interact(shell)
        while not debugger.stop.is_end:
            debugger.resume()
            if debugger.stop.cause is StopCause.INTERRUPT:
                return EXIT_INTERRUPTED
    finally:
        debugger.close()
    return debugger.stop.status


def _print_error(line: str) -> None:
    sys.stderr.write(line + "\n")

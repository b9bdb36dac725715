"""`morello debug`: run a Linux program, or with --boot a board, or a saved machine, under the debugger."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from emulator.cli.run import Parser, add_options, options_of, request_of
from morello_isa.errors import EXIT_EMULATOR_ERROR, EXIT_INTERRUPTED, UserError

if TYPE_CHECKING:
    from emulator.board.devices.base import Console
    from emulator.board.image import Loaded
    from emulator.board.system import MakeEngine, System
    from emulator.debug.board_session import BoardDebugger
    from emulator.debug.session import Debugger, DebuggerCore

EXIT_KILLED = 137
RECIPE = (
    *("image", "board", "kernel", "initrd", "append", "dtb", "drive", "el", "max_instructions"),
    *("console", "serial2", "virtio_console"),
)
"""The options of `morello boot` that say what happens in a run."""


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
    add_debugger_options(p)
    p.add_argument(
        "--allow-repeat", action="store_true", help="going back may repeat the program's changes to files"
    )
    add_options(p)
    return p


def board_parser() -> argparse.ArgumentParser:
    """The options of `morello debug --boot`: the debugger's own, and those of `morello boot`."""
    from emulator.cli.boot import add_boot_options

    p = Parser(prog="morello debug --boot", description=__doc__, allow_abbrev=False)
    add_debugger_options(p)
    add_boot_options(p)
    return p


def add_debugger_options(p: argparse.ArgumentParser) -> None:
    """What the debugger takes whatever it debugs."""
    p.set_defaults(script=[])
    p.add_argument(
        "--boot", action="store_true", help="debug a board: IMAGE and the options of 'morello boot' follow"
    )
    p.add_argument("--batch", action="store_true", help="only execute the scripts, without a prompt")
    p.add_argument("-x", metavar="FILE", action=_Script, help="execute the commands in FILE")
    p.add_argument("-ex", metavar="CMD", action=_Script, help="execute a command")
    p.add_argument("--source", metavar="DIR", action="append", default=[], help="look for source files there")


def check(arguments: argparse.Namespace, name: str) -> None:
    """UserError for options of `morello run` that mean nothing here."""
    for option in ("strace", "stats"):
        if getattr(arguments, option):
            raise UserError(f"{name}: --{option} can't be used while debugging", EXIT_EMULATOR_ERROR)


def main(argv: Sequence[str]) -> int:
    """Debug a program or a board; 0, or 125 when a command of a script failed in batch mode."""
    from emulator.debug.saved import is_saved
    from emulator.debug.shell import script_lines

    debugger: DebuggerCore
    first = Parser(add_help=False, allow_abbrev=False)
    add_debugger_options(first)
    first.add_argument("rest", nargs=argparse.REMAINDER)
    if first.parse_known_args(argv)[0].boot:
        arguments = board_parser().parse_args(argv)
        debugger = board_debugger(arguments)
    else:
        arguments = parser().parse_args(argv)
        saved = is_saved(arguments.program)
        debugger = continued(arguments.program, arguments.engine) if saved else program_debugger(arguments)
    lines: list[str] = []
    for option, value in arguments.script:
        lines += script_lines(value) if option == "-x" else [value]
    debugger.names.folders = arguments.source
    return work(debugger, lines, arguments.batch)


def program_debugger(arguments: argparse.Namespace) -> Debugger:
    """The debugger of a Linux program, not started."""
    check(arguments, "debug")
    if arguments.boot:
        raise UserError("debug: --boot comes before the options of the board", EXIT_EMULATOR_ERROR)
    from emulator.debug.session import Debugger

    debugger = Debugger(request_of(arguments), options_of(arguments), arguments.engine)
    debugger.allow_repeat = arguments.allow_repeat
    return debugger


def board_debugger(options: argparse.Namespace) -> BoardDebugger:
    """The debugger of a board, not started."""
    from emulator.debug.saving import FILES_OF_BOARD

    if options.trace or options.dump_dtb or options.dump_tags:
        raise UserError(
            "debug --boot: --trace, --dump-dtb and --dump-tags are for 'morello boot'", EXIT_EMULATOR_ERROR
        )

    recipe = {name: getattr(options, name) for name in RECIPE} | {"epoch": int(time.time())}
    names = {name: str(recipe[name]) for name in FILES_OF_BOARD if recipe[name]}
    return make_board_debugger(options, recipe, names)


def make_board_debugger(
    options: argparse.Namespace, recipe: Mapping[str, object], names: Mapping[str, str]
) -> BoardDebugger:
    """The debugger of a board; `recipe` and `names` as in `BoardRequest`."""
    from emulator.cli import boot
    from emulator.debug.board_guest import BoardRequest
    from emulator.debug.board_session import BoardDebugger
    from emulator.debug.board_streams import OverlayBlock

    def start(consoles: Mapping[int, Console], engine: MakeEngine) -> tuple[System, Loaded]:
        disks = {number: OverlayBlock(disk) for number, disk in boot.open_disks(options).items()}
        epoch = recipe["epoch"]
        assert isinstance(epoch, int)
        system = boot.make_system(options, consoles, disks, engine, epoch=epoch)
        return system, boot.load(system, options)

    consoles = boot.open_consoles(options)
    limit = options.max_instructions
    request = BoardRequest(start, boot.exit_status, consoles, limit, recipe, names, options.engine)
    return BoardDebugger(request)


def continued(path: str, engine: str = "fast") -> DebuggerCore:
    """The debugger of a saved machine, standing where that was saved. Raises UserError."""
    from emulator.cli.boot import boot_parser
    from emulator.debug.saving import resume_saved

    def board(recipe: Mapping[str, object], names: Mapping[str, str]) -> BoardDebugger:
        options = boot_parser().parse_args([])
        for name, value in recipe.items():
            if value is not None and name in RECIPE:
                setattr(options, name, value)
        options.engine = engine
        return make_board_debugger(options, recipe, names)

    return resume_saved(path, board, engine)


def work(debugger: DebuggerCore, lines: Sequence[str], batch: bool) -> int:
    """Start, execute a script, then (unless `batch`) what is typed."""
    from emulator.debug.repl import interact
    from emulator.debug.shell import Shell, print_line
    from emulator.debug.style import Style

    shell = Shell(debugger, print_line, Style(not batch and sys.stdout.isatty()))
    try:
        if not hasattr(debugger, "guest"):
            debugger.start()
            if not batch:
                print(debugger.greeting, flush=True)
        else:
            shell.execute("context")
        shell.run_lines(lines)
        if not batch and not shell.done:
            interact(shell)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Nobody reads any more; the interpreter must not complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_EMULATOR_ERROR
    finally:
        debugger.close()
    return EXIT_EMULATOR_ERROR if batch and shell.failures else 0


def run_until_fault(arguments: argparse.Namespace) -> int:
    """`morello run --debug-on-fault`: the prompt at the first fault; without a terminal its panel on stderr.

    The exit status is the program's; 137, as for one that was killed, when the user quits before its end.
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
                if shell.done and not debugger.stop.is_end:
                    return EXIT_KILLED
        while not debugger.stop.is_end:
            debugger.resume()
            if debugger.stop.cause is StopCause.INTERRUPT:
                return EXIT_INTERRUPTED
    finally:
        debugger.close()
    return debugger.stop.status


def _print_error(line: str) -> None:
    sys.stderr.write(line + "\n")

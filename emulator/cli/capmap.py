"""`morello capmap`: a program's memory and capabilities at one moment, as one page for a browser."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from emulator.cli.run import (
    Parser,
    add_options,
    exit_status,
    explain_fatal_signals,
    options_of,
    refuse_reports,
    request_of,
    take_trailing,
)
from morello_isa.errors import EXIT_EMULATOR_ERROR, EXIT_INTERRUPTED, UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from emulator.pictures.moments import Draw
    from emulator.pictures.snapshot import Snapshot


def parser() -> argparse.ArgumentParser:
    """The options of `morello capmap`: its own, and those of `morello run`."""
    p = Parser(prog="morello capmap", description=__doc__, allow_abbrev=False)
    p.add_argument("-o", dest="output", metavar="FILE", help="the page; may also be the last argument of all")
    p.add_argument(
        "--at",
        metavar="WHEN",
        default="exit",
        help="exit (default), fault (the first one), a number of instructions, or a place as the debugger's "
        "'break' takes it: SYMBOL, LIBRARY`SYMBOL, FILE:LINE, *ADDRESS; but for exit, the program ends there",
    )
    add_options(p)
    return p


def main(argv: Sequence[str]) -> int:
    """Draw a map; the program's own exit status, or 0 when the map was made before its end."""
    arguments = parser().parse_args(argv)
    refuse_reports("capmap", arguments)
    if arguments.output is None:
        arguments.output = take_trailing(arguments, "-o")
    if arguments.output is None:
        raise UserError("capmap: -o FILE says where the page goes", EXIT_EMULATOR_ERROR)
    from emulator.pictures.moments import draw_at
    from emulator.pictures.output import OutputFile

    with OutputFile(arguments.output) as output:
        draw = _writer(output.stream, arguments.output)
        try:
            if arguments.at == "exit":
                return _at_exit(arguments, draw)
            draw_at(request_of(arguments), options_of(arguments), arguments.at, draw)
            return 0
        except KeyboardInterrupt:
            raise UserError("interrupted before the map was made", EXIT_INTERRUPTED) from None


def _at_exit(arguments: argparse.Namespace, draw: Draw) -> int:
    from emulator.linux.session import Session
    from emulator.pictures.moments import LastMoment

    last = LastMoment(draw)
    session = Session(request_of(arguments), options_of(arguments), observer=last)
    explain_fatal_signals(session)
    outcome = session.kernel.run()
    if not last.done:
        last.draw(session.process, "stopped by --max-instructions", session.kernel.instructions)
    return exit_status(session, outcome)


def _writer(stream: BinaryIO, name: str) -> Draw:
    """Writes the page and says so."""
    from emulator.pictures.page_data import page_data
    from emulator.pictures.page_html import page_html

    def draw(snapshot: Snapshot, where: Callable[[int], str]) -> None:
        stream.write(page_html(page_data(snapshot, where)).encode())
        sys.stderr.write(
            f"── {name}: {snapshot.total:,} capabilities, {len(snapshot.areas)} areas, {snapshot.moment}\n"
        )

    return draw

"""`morello diff`: run a program on both engines in lockstep and explain the first difference between them."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TextIO

from emulator.cli.board_image import add_image_options, image_subject, is_image, write_all
from emulator.cli.run import Parser, add_options, options_of, positive_count, refuse_reports, request_of
from morello_isa.errors import EXIT_EMULATOR_ERROR, UserError

if TYPE_CHECKING:
    from emulator.insight.lockstep import Subject

EXIT_DIFFERENT = 1
_INTERVAL = 0.3
"""Seconds between two lines of progress."""


def parser() -> argparse.ArgumentParser:
    """The options of `morello diff`: its own, and those of `morello run` that make sense here."""
    p = Parser(prog="morello diff", description=__doc__, allow_abbrev=False)
    p.add_argument(
        "--image",
        metavar="FILE",
        help="as the first option: a board's image instead of a program; 'morello diff --image X --help'",
    )
    p.add_argument(
        "--every",
        metavar="N",
        type=positive_count,
        default=None,
        help="compare about every N instructions (5000)",
    )
    add_options(p)
    return p


def image_parser() -> argparse.ArgumentParser:
    """The options of `morello diff --image FILE`."""
    p = Parser(prog="morello diff", description=__doc__, allow_abbrev=False)
    add_image_options(p)
    p.add_argument("--every", metavar="N", type=positive_count, help="compare about every N instructions")
    return p


def main(argv: Sequence[str]) -> int:
    """0: the engines agree; 1: they differ; 125: no comparison could be made."""
    if is_image(argv):
        return _errors_are_ours(_image, image_parser().parse_args(argv))
    arguments = parser().parse_args(argv)
    refuse_reports("diff", arguments)
    if arguments.real_time:
        raise UserError("diff: --real-time makes every run another", EXIT_EMULATOR_ERROR)
    if arguments.image is not None:
        raise UserError("diff: --image comes first, without a program", EXIT_EMULATOR_ERROR)
    if arguments.engine != "fast":
        raise UserError("diff: --engine makes no sense: both engines run", EXIT_EMULATOR_ERROR)
    return _errors_are_ours(_program, arguments)


def _errors_are_ours(
    make: Callable[[argparse.Namespace, Progress], Subject], arguments: argparse.Namespace
) -> int:
    """No status but 125 for what kept the comparison from being made."""
    try:
        progress = Progress(sys.stderr)
        return _compare(make(arguments, progress), arguments.every, progress)
    except UserError as error:
        raise UserError(error.message, EXIT_EMULATOR_ERROR) from None


def _compare(subject: Subject, every: int | None, progress: Progress) -> int:
    from emulator.insight.explanation import explanation
    from emulator.insight.lockstep import EVERY, Lockstep

    lockstep = Lockstep(subject, every or EVERY)
    try:
        found = lockstep.run(progress.show)
    finally:
        progress.clear()
    if found is None:
        sys.stderr.write(f"── no difference in {lockstep.executed:,} instructions\n")
        return 0
    for number, line in enumerate(explanation(lockstep, found)):
        sys.stderr.write(f"{'morello: ' if number == 0 else ''}{line}\n")
    return EXIT_DIFFERENT


def _image(arguments: argparse.Namespace, progress: Progress) -> Subject:
    return image_subject(arguments, lambda data: progress.write(1, data))


def _program(arguments: argparse.Namespace, progress: Progress) -> Subject:
    from emulator.insight.guest_streams import Source
    from emulator.insight.program_sides import ProgramSubject

    return ProgramSubject(request_of(arguments), options_of(arguments), Source(), progress.write, sys.stderr)


class Progress:
    """How far it is, in a line of a terminal that goes away; nothing where `stream` is none."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._since = 0.0
        self._is_shown = False
        self._in_line = False
        """The guest has written a part of a line, which must stay."""

    def show(self, count: int) -> None:
        """So many instructions."""
        now = time.monotonic()
        if self._is_terminal and not self._in_line and now - self._since > _INTERVAL:
            self._since = now
            self._is_shown = True
            self._stream.write(f"\r\x1b[K{count:,} instructions on both engines ")
            self._stream.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._is_shown:
            self._is_shown = False
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def write(self, number: int, data: bytes) -> None:
        """What the guest writes, to our stream of that number."""
        self.clear()
        write_all(number, data)
        if data:
            self._in_line = data[-1:] != b"\n"

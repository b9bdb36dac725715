"""`morello diff`: run a program on both engines in lockstep and explain the first difference between them."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from emulator.cli.board_image import add_image_options, image_subject, is_image, write_all
from emulator.cli.run import Parser, add_options, options_of, positive_count, request_of
from morello_isa.errors import EXIT_EMULATOR_ERROR, UserError

if TYPE_CHECKING:
    from emulator.insight.lockstep import Subject

EXIT_DIFFERENT = 1


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
        return _errors_are_ours(_compare_image, image_parser().parse_args(argv))
    arguments = parser().parse_args(argv)
    for option in ("strace", "stats", "real_time"):
        if getattr(arguments, option):
            name = option.replace("_", "-")
            why = "makes every run another" if option == "real_time" else "belongs to 'morello run'"
            raise UserError(f"diff: --{name} {why}", EXIT_EMULATOR_ERROR)
    if arguments.image is not None:
        raise UserError("diff: --image comes first, without a program", EXIT_EMULATOR_ERROR)
    if arguments.engine != "fast":
        raise UserError("diff: --engine makes no sense: both engines run", EXIT_EMULATOR_ERROR)
    return _errors_are_ours(_compare_program, arguments)


def _errors_are_ours(compare: Callable[[argparse.Namespace], int], arguments: argparse.Namespace) -> int:
    """No status but 125 for what kept the comparison from being made."""
    try:
        return compare(arguments)
    except UserError as error:
        raise UserError(error.message, EXIT_EMULATOR_ERROR) from None


def _compare(subject: Subject, every: int | None) -> int:
    from emulator.insight.explanation import explanation
    from emulator.insight.lockstep import EVERY, Lockstep

    lockstep = Lockstep(subject, every or EVERY)
    progress, done = _progress()
    found = lockstep.run(progress)
    done()
    if found is None:
        sys.stderr.write(f"── no difference in {lockstep.executed:,} instructions\n")
        return 0
    for number, line in enumerate(explanation(lockstep, found)):
        sys.stderr.write(f"{'morello: ' if number == 0 else ''}{line}\n")
    return EXIT_DIFFERENT


def _compare_image(arguments: argparse.Namespace) -> int:
    return _compare(image_subject(arguments), arguments.every)


def _compare_program(arguments: argparse.Namespace) -> int:
    return _compare(_subject(arguments), arguments.every)


def _subject(arguments: argparse.Namespace) -> Subject:
    from emulator.insight.guest_streams import Source
    from emulator.insight.program_sides import ProgramSubject

    return ProgramSubject(request_of(arguments), options_of(arguments), Source(), write_all, sys.stderr)


def _progress() -> tuple[Callable[[int], None], Callable[[], None]]:
    """How far it is, on a terminal; and what removes that."""
    if not sys.stderr.isatty():
        return (lambda _: None), (lambda: None)
    shown = 0.0

    def show(count: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown > 0.3:
            shown = now
            sys.stderr.write(f"\r\x1b[K{count:,} instructions on both engines ")
            sys.stderr.flush()

    def clear() -> None:
        if shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    return show, clear

"""`morello diff`: run a program on both engines in lockstep and explain the first difference between them."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from emulator.cli.run import Parser, add_options, options_of, positive_count, request_of
from morello_isa.errors import EXIT_EMULATOR_ERROR, UserError

if TYPE_CHECKING:
    from emulator.insight.lockstep import Subject

EXIT_DIFFERENT = 1


def parser() -> argparse.ArgumentParser:
    """The options of `morello diff`: its own, and those of `morello run` that make sense here."""
    p = Parser(prog="morello diff", description=__doc__, allow_abbrev=False)
    p.add_argument(
        "--every",
        metavar="N",
        type=positive_count,
        default=None,
        help="compare about every N instructions (5000)",
    )
    add_options(p)
    return p


def main(argv: Sequence[str]) -> int:
    """0: the engines agree; 1: they differ; 125: no comparison could be made."""
    arguments = parser().parse_args(argv)
    for option in ("strace", "stats", "real_time"):
        if getattr(arguments, option):
            name = option.replace("_", "-")
            why = "makes every run another" if option == "real_time" else "belongs to 'morello run'"
            raise UserError(f"diff: --{name} {why}", EXIT_EMULATOR_ERROR)
    if arguments.engine != "fast":
        raise UserError("diff: --engine makes no sense: both engines run", EXIT_EMULATOR_ERROR)
    try:
        return _compare(arguments)
    except UserError as error:
        raise UserError(error.message, EXIT_EMULATOR_ERROR) from None


def _compare(arguments: argparse.Namespace) -> int:
    from emulator.insight.explanation import explanation
    from emulator.insight.lockstep import EVERY, Lockstep

    lockstep = Lockstep(_subject(arguments), arguments.every or EVERY)
    progress, done = _progress()
    found = lockstep.run(progress)
    done()
    if found is None:
        sys.stderr.write(f"── no difference in {lockstep.executed:,} instructions\n")
        return 0
    for number, line in enumerate(explanation(lockstep, found)):
        sys.stderr.write(f"{'morello: ' if number == 0 else ''}{line}\n")
    return EXIT_DIFFERENT


def _subject(arguments: argparse.Namespace) -> Subject:
    from emulator.insight.program_sides import Input, ProgramSubject

    source = Input()
    if source.is_terminal:
        sys.stderr.write("morello: diff: the program's standard input is empty, not the terminal\n")
    return ProgramSubject(request_of(arguments), options_of(arguments), source, _write, sys.stderr)


def _write(number: int, data: bytes) -> None:
    """What the guest writes, to our own streams."""
    while data:
        data = data[os.write(number, data) :]


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

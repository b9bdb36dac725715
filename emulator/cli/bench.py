"""`morello bench`: guest instructions per second of both engines, next to plain A64 on raw Unicorn."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.cli.run import Parser
from morello_isa.errors import EXIT_EMULATOR_ERROR, EXIT_NOT_FOUND, UserError

if TYPE_CHECKING:
    from emulator.bench.loops import Loop
    from emulator.bench.report import Loops

ENGINES = ("reference", "fast")
_SECONDS = 0.1


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="morello bench", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--json",
        metavar="FILE",
        nargs="?",
        const="-",
        help="figures as JSON into FILE; - (or none): to stdout",
    )
    parser.add_argument(
        "--seconds", type=_seconds, default=_SECONDS, help=f"of each of the runs (default {_SECONDS})"
    )
    parser.add_argument("--engine", choices=ENGINES, help="only that one")
    parser.add_argument("--filter", metavar="TEXT", default="", help="only what has TEXT in its name")
    parser.add_argument(
        "--programs", action="store_true", help="measure whole programs on the fast engine (or --engine)"
    )
    parser.add_argument(
        "--module", metavar="FILE", help="WebAssembly module whose start is measured (default: hello.wasm)"
    )
    parser.add_argument(
        "--busybox", metavar="FILE", help="static arm64 busybox (default: Debian's, if apt-get can fetch it)"
    )
    parser.add_argument("--list", action="store_true", help="names of what can be measured, and end")
    return parser


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 60:
        raise argparse.ArgumentTypeError(f"{text} is not a time from 0 to 60 seconds")
    return value


def main(argv: Sequence[str]) -> int:
    """Entry point of the subcommand."""
    options = _parser().parse_args(list(argv))
    from emulator.bench.loops import LOOPS
    from emulator.bench.report import Circumstances, load_average

    if options.list:
        print("\n".join(f"{loop.name:<16} {loop.summary}" for loop in LOOPS))
        return 0
    before = load_average()
    if options.programs:
        content, lines = _programs(options)
    else:
        content, lines = _loops(options)
    circumstances = Circumstances(before, load_average())
    if options.json is not None:
        _write(options.json, json.dumps({**circumstances.data(), **content}, indent=1) + "\n")
    if options.json != "-":
        print("\n".join([*lines, circumstances.line()]))
    return 0


def _loops(options: argparse.Namespace) -> tuple[dict[str, object], list[str]]:
    """The loops' figures for machines and for people."""
    from emulator.bench.loops import LOOPS

    chosen = [loop for loop in LOOPS if options.filter in loop.name]
    if not chosen:
        raise UserError(
            f"bench: nothing is called '{options.filter}'; --list tells the names", EXIT_EMULATOR_ERROR
        )
    loops = measure_loops(chosen, options.engine, options.seconds)
    return loops.data(), loops.lines()


def _programs(options: argparse.Namespace) -> tuple[dict[str, object], list[str]]:
    """The programs' figures for machines and for people."""
    from emulator.bench.programs import Programs, data_of, table
    from emulator.bench.report import Progress

    for name in (options.module, options.busybox):
        if name is not None and not Path(name).is_file():
            raise UserError(f"{name} does not exist", EXIT_NOT_FOUND)
    progress = Progress(None)
    try:
        programs = Programs(options.engine or "fast", progress.step, options.module, options.busybox)
        lines = programs.measure()
    finally:
        progress.end()
    return {"programs": data_of(lines)}, table(lines)


def measure_loops(chosen: Sequence[Loop], engine: str | None, seconds: float) -> Loops:
    """Build and time the loops: in C64 and A64, on raw Unicorn and on the engines (None: on both)."""
    from emulator.bench.images import build
    from emulator.bench.loops import SCALE
    from emulator.bench.report import Loops, Progress, Row
    from emulator.bench.runners import measure_engine, measure_raw

    names = ENGINES if engine is None else (engine,)
    progress = Progress(1 + len(chosen) * (1 + 2 * len(names)))
    try:
        progress.step(f"{SCALE.summary}: raw Unicorn")
        scale = measure_raw(build(SCALE, False), seconds)
        rows = []
        for loop in chosen:
            images = {c64: build(loop, c64) for c64 in (True, False)}
            progress.step(f"{loop.summary}: raw Unicorn")
            raw = measure_raw(images[False], seconds)
            for c64, image in images.items():
                figures = {}
                for name in names:
                    progress.step(f"{loop.summary}, {'C64' if c64 else 'A64'}: {name} engine")
                    figures[name] = measure_engine(image, name, seconds)
                rows.append(Row(loop, c64, figures.get("fast"), raw, figures.get("reference")))
        return Loops(scale, tuple(rows))
    finally:
        progress.end()


def _write(name: str, text: str) -> None:
    if name == "-":
        sys.stdout.write(text)
        return
    try:
        Path(name).write_text(text, encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"{name} can't be written: {reason}", EXIT_EMULATOR_ERROR) from None

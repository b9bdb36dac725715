"""`morello conformance DIR`: run a folder of conformance images and report.

Exit status: 0 if every image passed, 1 if one did not, 125 for wrong options, 126/127 for a bad folder.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from emulator.board.conformance import report
from emulator.board.conformance.image import DEFAULT_LIMIT, Job, Result, Verdict, find_images
from emulator.board.conformance.runner import run_all
from emulator.board.system import ENGINES
from morello_isa.errors import EXIT_EMULATOR_ERROR

_SELF_CHECK_SAMPLE = 24


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_EMULATOR_ERROR, f"{self.prog}: {message}\n")


def _positive(text: str) -> int:
    value = int(text, 0)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="morello conformance", description="Run conformance images on the test board.")
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="folder with *.elf or *.elf.gz, or one image"
    )
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default="reference",
        help="default: reference, which needs no translation for images that run once",
    )
    parser.add_argument("--jobs", type=_positive, default=os.cpu_count() or 1, help="worker processes")
    parser.add_argument("--filter", metavar="PATTERN", help="part of the name, or a shell pattern")
    parser.add_argument("--limit", type=_positive, default=DEFAULT_LIMIT, help="instructions per image")
    parser.add_argument("--explain", type=int, default=20, metavar="N", help="failures explained in full")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write a JUnit XML report")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results as JSON")
    parser.add_argument(
        "--self-check",
        action="store_true",
        help="change one expected value in a sample of images and demand that they fail",
    )
    return parser


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit status."""
    options = _parser().parse_args(argv)
    images = find_images(options.folder, options.filter)
    if options.self_check:
        step = max(len(images) // _SELF_CHECK_SAMPLE, 1)
        images = images[::step]
    jobs = [
        Job(path, name, group, options.engine, options.limit, corrupt=options.self_check)
        for path, name, group in images
    ]
    results = run_all(jobs, options.jobs, report.Progress(len(jobs)))
    if options.junit:
        report.write_junit(options.junit, results)
    if options.json:
        report.write_json(options.json, results)
    if options.self_check:
        return _judge_self_check(results)
    print(report.table(results))
    text = report.explanations(results, options.explain)
    if text:
        print(text)
    return 0 if all(r.verdict is Verdict.PASS for r in results) else 1


def _judge_self_check(results: Sequence[Result]) -> int:
    """A corrupted image has to print FAILED, nothing else."""
    wrong = [r for r in results if r.verdict is not Verdict.FAIL]
    for result in wrong:
        sys.stderr.write(f"{result.name}: {result.verdict.value} although an expectation was changed\n")
    print(f"self-check: {len(results) - len(wrong)} of {len(results)} corrupted images fail as they must")
    return 1 if wrong else 0

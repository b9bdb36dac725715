"""What a conformance run tells: progress bar, table, explanations, JUnit and JSON files."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO
from xml.etree import ElementTree

from emulator.board.conformance.image import Result, Verdict
from morello_isa.errors import UserError

_BAR = 30
_SLOWEST = 3


class Progress:
    """A bar on a terminal, rewritten in place; a line every tenth part otherwise."""

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self._total = max(total, 1)
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._done = self._failed = 0
        self._started = time.monotonic()
        self._next_line = 0.1

    def __call__(self, result: Result) -> None:
        """One more image is done."""
        self._done += 1
        self._failed += result.verdict is not Verdict.PASS
        share = self._done / self._total
        if self._terminal:
            filled = int(share * _BAR)
            bar = "#" * filled + "-" * (_BAR - filled)
            end = "\n" if self._done == self._total else ""
            self._stream.write(f"\r[{bar}] {self._summary()}{end}")
            self._stream.flush()
        elif share >= self._next_line or self._done == self._total:
            self._next_line = share + 0.1
            self._stream.write(f"{self._summary()}\n")
            self._stream.flush()

    def _summary(self) -> str:
        seconds = time.monotonic() - self._started
        return f"{self._done}/{self._total}, {self._failed} not passed, {seconds:.0f} s"


def table(results: Sequence[Result]) -> str:
    """Passed and not passed by group, instructions and time."""
    groups = sorted({r.group for r in results})
    width = max([len(g) for g in groups] + [len("total")])
    lines = [f"{'group':<{width}}  {'passed':>7} {'of':>5}  {'instructions':>12}  {'seconds':>8}"]
    for group in groups:
        lines.append(_row(group, [r for r in results if r.group == group], width))
    lines.append(_row("total", results, width))
    others = Counter(r.verdict.value for r in results if r.verdict is not Verdict.PASS)
    if others:
        lines.append("not passed: " + ", ".join(f"{count} {name}" for name, count in others.most_common()))
    return "\n".join(lines)


def _row(name: str, results: Sequence[Result], width: int) -> str:
    passed = sum(r.verdict is Verdict.PASS for r in results)
    instructions = sum(r.instructions for r in results)
    seconds = sum(r.seconds for r in results)
    return f"{name:<{width}}  {passed:>7} {len(results):>5}  {instructions:>12}  {seconds:>8.1f}"


def explanations(results: Sequence[Result], most: int) -> str:
    """Why images did not pass, at most `most` of them in full; the others by name."""
    failed = [r for r in results if r.verdict is not Verdict.PASS]
    lines = []
    for result in failed[:most]:
        lines.append(f"\n{result.name}: {result.verdict.value}")
        lines += [f"    {line}" for line in result.explanation]
    if len(failed) > most:
        lines.append(f"\nand {len(failed) - most} more:")
        lines += [f"  {r.name}: {r.verdict.value}" for r in failed[most:]]
    return "\n".join(lines)


def write_json(path: Path, results: Sequence[Result]) -> None:
    """All results as a JSON list. UserError if the file can't be written."""
    rows = [
        {
            "name": r.name,
            "group": r.group,
            "verdict": r.verdict.name.lower(),
            "instructions": r.instructions,
            "seconds": round(r.seconds, 4),
            "explanation": r.explanation,
        }
        for r in results
    ]
    _write(path, json.dumps(rows, indent=1) + "\n")


def write_junit(path: Path, results: Sequence[Result]) -> None:
    """A JUnit XML file with one test case for each image. UserError if it can't be written."""
    failed = sum(r.verdict is not Verdict.PASS for r in results)
    suite = ElementTree.Element(
        "testsuite", name="conformance", tests=str(len(results)), failures=str(failed), errors="0"
    )
    for r in results:
        case = ElementTree.SubElement(
            suite, "testcase", classname=r.group, name=r.name, time=f"{r.seconds:.3f}"
        )
        if r.verdict is not Verdict.PASS:
            failure = ElementTree.SubElement(case, "failure", message=r.verdict.value)
            failure.text = "\n".join(r.explanation)
    _write(path, ElementTree.tostring(suite, encoding="unicode") + "\n")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"{path} can't be written: {reason}") from None

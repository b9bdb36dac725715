"""`*.morello.toml` files as pytest collects, runs and reports them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.testing.declarative import COUNTERS, Case, read_cases
from emulator.testing.faults import FaultPattern
from emulator.testing.fixture import Morello
from emulator.testing.plugin import morello_of
from emulator.testing.result import Result
from emulator.testing.settings import MorelloError
from emulator.testing.snapshots import difference


class CaseFailedError(Exception):
    """A case's expectations that weren't met: one text each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))


class MorelloFile(pytest.File):
    """A file of cases."""

    def collect(self) -> Iterator[MorelloItem]:
        """The cases; a malformed file is one sentence."""
        try:
            cases = read_cases(self.path)
        except MorelloError as error:
            raise self.CollectError(str(error)) from None
        for case in cases:
            yield MorelloItem.from_parent(self, name=case.name, case=case)


class MorelloItem(pytest.Item):
    """One case."""

    def __init__(self, *, case: Case, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.case = case
        for mark in _words(case.get("marks")):
            self.add_marker(mark)
        skip, xfail = case.get("skip"), case.get("xfail")
        if skip is not None:
            self.add_marker(pytest.mark.skip(reason=str(skip)))
        if xfail is not None:
            self.add_marker(pytest.mark.xfail(reason=str(xfail), strict=True))

    def setup(self) -> None:
        """Skip where a file that the case requires is not there."""
        for name in _words(self.case.get("requires")):
            if not (self.path.parent / name).exists():
                pytest.skip(f"{name} is not there")

    def runtest(self) -> None:
        """Run it, then look at everything that is expected."""
        morello = morello_of(self)
        result = run_case(morello, self.case)
        problems = [*check(self.case, result, morello)]
        if problems:
            raise CaseFailedError(problems)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **kwargs: Any) -> Any:
        """What wasn't met, without frames of ours."""
        if isinstance(excinfo.value, CaseFailedError | MorelloError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, *args, **kwargs)

    def reportinfo(self) -> tuple[Path, int, str]:
        """File, line (from 0) and name."""
        return self.path, self.case.line - 1, self.name


def _words(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def run_case(morello: Morello, case: Case) -> Result:
    """The one run of a case."""
    options: dict[str, Any] = dict(case.settings)
    options["stdin"] = case.get("stdin", "")
    flags = case.get("flags", [])
    program: str | Path = str(case.get("program") or case.get("image") or "")
    for key, build in (("source", morello.cc), ("assembly", morello.asm)):
        if case.get(key) is not None:
            is_board = ["--board"] if case.get("board") is not None else []
            words = flags.split() if isinstance(flags, str) else _words(flags)
            program = build(*_words(case.get(key)), flags=[*words, *is_board])
    if case.get("image") is not None or case.get("board") is not None:
        return morello.boot(program, board=case.get("board"), el=case.get("el"), **options)  # type: ignore[arg-type]
    arguments: Any = case.get("args", [])
    options["files"] = case.get("files")
    if case.get("wasm") is not None:
        for key in ("runtime", "function", "library"):
            if case.get(key) is not None:
                options[key] = case.get(key)
        return morello.wasm(
            str(case.get("wasm")), *arguments, iwasm_options=_words(case.get("iwasm-options")), **options
        )
    return morello.run(program, *arguments, root=case.get("root"), **options)  # type: ignore[arg-type]


# -- expectations -----------------------------------------------------------------------------------------


def check(case: Case, result: Result, morello: Morello) -> Iterator[str]:
    """A text for each expectation that isn't met. How it ended comes first."""
    expect = case.expect
    yield from _ending(expect, result)
    for stream in ("stdout", "stderr"):
        wanted = expect.get(stream)
        found = getattr(result, stream)
        if wanted is not None and wanted != found:
            yield "\n".join([f"{stream} differs:", *difference(str(wanted).encode(), found.encode())])
    for key, value in expect.items():
        if key in _TEXT_CHECKS:
            stream = key.partition("-")[0]
            yield from _TEXT_CHECKS[key](stream, getattr(result, stream), _words(value))
    for key in COUNTERS:
        span: Any = expect.get(key)
        count = getattr(result, key.replace("-", "_"))
        if span is not None and count not in span:
            yield f"{key}: expected {span}, there were {count:,}"
    files: Any = expect.get("files", {})
    for name, wanted in files.items():
        found = result.read(name)
        if found != wanted:
            yield "\n".join([f"the file {name} differs:", *difference(wanted.encode(), found.encode())])
    if expect.get("snapshot"):
        snapshot = morello.snapshot()
        if snapshot != result.stdout_bytes:
            yield "\n".join(snapshot.difference(result.stdout_bytes))


def _ending(expect: dict[str, object], result: Result) -> Iterator[str]:
    """Signal, fault, status. Without any of them the status must be 0."""
    pattern = expect.get("fault")
    if isinstance(pattern, FaultPattern):
        try:
            result.match(pattern)
        except AssertionError as error:
            yield str(error)
            return
    signal, status = expect.get("signal"), expect.get("status")
    if signal is not None and result.signal != signal:
        yield f"expected {signal}; {result.end}"
    elif status is not None and result.status != status:
        yield f"expected status {status}; {result.end}"
    elif signal is None and status is None and pattern is None and result.status != 0:
        yield f"expected status 0; {result.end}"
    if signal is not None and result.signal == signal:
        result.expected = True


def _contains(stream: str, text: str, wanted: list[str]) -> Iterator[str]:
    for part in wanted:
        if part not in text:
            yield f"{stream} has no {part!r}"


def _matches(stream: str, text: str, wanted: list[str]) -> Iterator[str]:
    for pattern in wanted:
        if not re.search(pattern, text, re.MULTILINE):
            yield f"{stream} has nothing like {pattern!r}"


def _line_by_line(stream: str, text: str, wanted: list[str]) -> Iterator[str]:
    lines = text.splitlines()
    if len(lines) != len(wanted):
        yield f"{stream}: expected {len(wanted)} lines, there are {len(lines)}"
    for number, (pattern, line) in enumerate(zip(wanted, lines, strict=False), 1):
        if not re.fullmatch(pattern, line):
            yield f"{stream}, line {number}: expected {pattern!r}, there is {line!r}"
            return


_TEXT_CHECKS: dict[str, Callable[[str, str, list[str]], Iterator[str]]] = {
    "stdout-contains": _contains,
    "stdout-regex": _matches,
    "stdout-lines": _line_by_line,
    "stderr-contains": _contains,
    "stderr-regex": _matches,
    "messages-contains": _contains,
}

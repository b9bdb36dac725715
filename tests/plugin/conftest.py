"""Test sessions inside a test: `session(…)` runs pytest on files that it is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

# Imported here, so that each inner session doesn't import (and forget) them again.
import emulator.testing.board
import emulator.testing.collect
import emulator.testing.process
import emulator.testing.replay  # noqa: F401

PREAMBLE = '''
import pytest

EXIT_7 = "mov x0, #7\\nmov x8, #94\\nsvc #0\\n"
ECHO = """
    mov x0, #0
    sub csp, csp, #64
    mov c1, csp
    mov x2, #64
    mov x8, #63
    svc #0
    mov x2, x0
    mov x0, #1
    mov x8, #64
    svc #0
    mov x0, #0
    mov x8, #94
    svc #0
"""
OVERFLOW = """
    scbnds c1, csp, #16
    bl store
    mov x0, #0
    mov x8, #94
    svc #0
    .type store, %function
store:
    str x3, [c1, #16]
    ret c30
"""
'''
Session = Callable[..., pytest.RunResult]


@pytest.fixture
def session(pytester: pytest.Pytester) -> Session:
    """`session(python, *options, toml=…, name=…)`: runs the inner tests; `python` gets the programs above."""

    def run(
        python: str | None = None,
        *options: str,
        toml: str | None = None,
        name: str = "cases",
        subprocess: bool = False,
    ) -> pytest.RunResult:
        if python is not None:
            pytester.makepyfile(test_inner=PREAMBLE + python)
        if toml is not None:
            Path(pytester.path, f"{name}.morello.toml").write_text(toml)
        arguments = ("-p", "no:cacheprovider", *options)
        return pytester.runpytest_subprocess(*arguments) if subprocess else pytester.runpytest(*arguments)

    return run


def text_of(result: pytest.RunResult) -> str:
    """All that the inner session printed."""
    return "\n".join([*result.outlines, *result.errlines])

"""A program with loops, recursion and tags that change."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

IMAGES = Path(__file__).resolve().parents[2] / "images"
DEMO = (str(IMAGES / "iwasm"), f"--wamr-lib={IMAGES / 'libiwasm.so'}", str(IMAGES / "hello.wasm"))
RunMorello = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def loops(run_morello: RunMorello, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """loops.c, compiled: prints a line on each stream and ends with status 7."""
    program = tmp_path_factory.mktemp("insight") / "loops"
    done = run_morello("cc", "-g", Path(__file__).parent / "loops.c", "-o", program)
    assert done.returncode == 0, done.stderr
    return program

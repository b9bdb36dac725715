"""A program with loops, recursion and tags that change."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "guest" / "examples" / "baremetal"
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


@pytest.fixture(scope="session")
def image(run_morello: RunMorello, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bare-metal example: console, timer interrupt, capability fault."""
    made = tmp_path_factory.mktemp("board") / "hello.elf"
    sources = EXAMPLE / "start.S", EXAMPLE / "main.c"
    done = run_morello("cc", "-O1", "-ffreestanding", "-nostdlib", "--board", *sources, "-o", made)
    assert done.returncode == 0, done.stderr
    return made

"""The C library: the same program here on the emulator and on the host must print the same.

`libc/X.c` with an `X.expected` beside it is Morello's own; the others are also compiled with the host's gcc.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from emulator.testing.fixture import Morello

RunMorello = Callable[..., "subprocess.CompletedProcess[str]"]

SOURCES = Path(__file__).parent / "libc"


def _host_output(source: Path, tmp_path: Path) -> tuple[str, int]:
    gcc = shutil.which("gcc")
    if gcc is None:
        pytest.skip("the host has no gcc to compare with")
    program = tmp_path / "host"
    subprocess.run([gcc, "-w", "-D_GNU_SOURCE", "-o", program, source, "-lm"], check=True)
    work = tmp_path / "host-work"
    work.mkdir()
    done = subprocess.run([program, work], capture_output=True, text=True, check=False)
    return done.stdout, done.returncode


@pytest.mark.parametrize("source", sorted(SOURCES.glob("*.c")), ids=lambda path: path.stem)
@pytest.mark.morello(max_instructions=100_000_000, memory="2G")
def test_program(source: Path, tmp_path: Path, morello: Morello) -> None:
    result = morello.run(morello.cc(source, flags="-O1"), "/work")
    expected = source.with_suffix(".expected")
    wanted = (expected.read_text(), 0) if expected.exists() else _host_output(source, tmp_path)
    assert (result.stdout, result.status) == wanted, result.stderr

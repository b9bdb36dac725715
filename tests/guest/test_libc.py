"""The C library: the same program here on the emulator and on the host must print the same.

`libc/X.c` with an `X.expected` beside it is Morello's own; the others are also compiled with the host's gcc.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

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
def test_program(source: Path, tmp_path: Path, run_morello: RunMorello) -> None:
    program = tmp_path / "program"
    compiled = run_morello("cc", "-O1", "-o", program, source)
    assert compiled.returncode == 0, compiled.stderr
    work = tmp_path / "work"
    work.mkdir()
    done = run_morello("run", "--dir", work, program, work)
    expected = source.with_suffix(".expected")
    wanted = (expected.read_text(), 0) if expected.exists() else _host_output(source, tmp_path)
    assert (done.stdout, done.returncode) == wanted, done.stderr

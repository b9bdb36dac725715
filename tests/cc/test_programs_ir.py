"""C programs through the front end and the IR interpreter, against the host's gcc on the same source."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import ir_interpreter  # noqa: E402

from guest.cc.compile import compile_c  # noqa: E402
from guest.cc.errors import Diagnostics  # noqa: E402
from guest.cc.preprocess import PreprocessOptions  # noqa: E402

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.c"))
GCC = shutil.which("gcc")


def compiled(text, name="test.c"):
    diagnostics = Diagnostics()
    module, _ = compile_c(text, name, PreprocessOptions(), diagnostics)
    assert module is not None, "\n".join(diagnostics.messages)
    return module


def run_ir(text, name="test.c"):
    machine = ir_interpreter.Machine(compiled(text, name))
    status = machine.run()
    return bytes(machine.out), status


def run_gcc(text, folder):
    source, program = folder / "t.c", folder / "t"
    source.write_text(text)
    flags = ["-w", "-O1", "-funsigned-char", "-fwrapv", "-ffp-contract=off", "-fno-strict-aliasing"]
    subprocess.run([GCC, *flags, "-o", program, source, "-lm"], check=True, timeout=60)
    done = subprocess.run([program], capture_output=True, timeout=20, check=False)
    return done.stdout, done.returncode


@pytest.mark.skipif(GCC is None, reason="needs gcc as the oracle")
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_same_output_and_status_as_gcc(path, tmp_path):
    text = path.read_text()
    assert run_ir(text, path.name) == run_gcc(text, tmp_path)

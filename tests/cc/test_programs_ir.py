"""C programs through the front end and the IR interpreter, against the host's gcc on the same source."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import chain
import ir_interpreter
import random_calls
import random_programs

from guest.cc.compile import compile_c
from guest.cc.errors import Diagnostics
from guest.cc.preprocess import PreprocessOptions

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.c"))
needs_gcc = pytest.mark.skipif(chain.GCC is None, reason="needs gcc as the oracle")


def run_ir(text, name="test.c"):
    diagnostics = Diagnostics()
    module, _ = compile_c(text, name, PreprocessOptions(), diagnostics)
    assert module is not None, "\n".join(diagnostics.messages)
    machine = ir_interpreter.Machine(module)
    status = machine.run()
    return bytes(machine.out), status


@needs_gcc
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_same_output_and_status_as_gcc(path, tmp_path):
    text = path.read_text()
    assert run_ir(text, path.name) == chain.run_gcc(tmp_path, text)


@needs_gcc
@pytest.mark.parametrize("seed", range(12))
def test_random_program(seed, tmp_path):
    text = random_programs.program(seed)
    assert run_ir(text) == chain.run_gcc(tmp_path, text)


@needs_gcc
@pytest.mark.parametrize("seed", range(10))
def test_random_calls(seed, tmp_path):
    text = random_calls.program(seed)
    assert run_ir(text) == chain.run_gcc(tmp_path, text)

"""The same C programs through the complete chain, on the emulator, against the host's gcc."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


import chain
import random_calls
import random_programs

HERE = Path(__file__).parent
PROGRAMS = sorted([*HERE.glob("programs/*.c"), *HERE.glob("programs_libc/*.c")])
needs_gcc = pytest.mark.skipif(chain.GCC is None, reason="needs gcc as the oracle")


@needs_gcc
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_optimised_program_behaves_as_by_gcc(path, tmp_path):
    text = path.read_text()
    out, status, err = chain.run_emulated(tmp_path, text, "-O2")
    assert (out, status) == chain.run_gcc(tmp_path, text), err


@needs_gcc
@pytest.mark.slow
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_unoptimised_program_behaves_as_by_gcc(path, tmp_path):
    text = path.read_text()
    out, status, err = chain.run_emulated(tmp_path, text, "-O0", "-g")
    assert (out, status) == chain.run_gcc(tmp_path, text), err


@needs_gcc
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 104))
def test_random_program_behaves_as_by_gcc(seed, tmp_path):
    text = random_programs.program(seed)
    out, status, err = chain.run_emulated(tmp_path, text, "-O2")
    assert (out, status) == chain.run_gcc(tmp_path, text), err


@needs_gcc
@pytest.mark.parametrize(
    ("seed", "first_level", "second_level"), [(20, "-O2", "-O0"), (21, "-O0", "-O2"), (22, "-O2", "-O2")]
)
def test_random_calls_between_objects(seed, first_level, second_level, tmp_path):
    first, second = random_calls.texts(seed)
    objects = []
    for name, text, level in (("first", first, first_level), ("second", second, second_level)):
        (tmp_path / f"{name}.c").write_text(text)
        done = chain.morello("cc", "-w", "-c", level, f"{name}.c", cwd=tmp_path)
        assert done.returncode == 0, done.stderr.decode()
        objects.append(f"{name}.o")
    assert chain.morello("cc", *objects, "-o", "program", cwd=tmp_path).returncode == 0
    done = chain.morello("run", tmp_path / "program")
    assert (done.stdout, done.returncode) == chain.run_gcc(tmp_path, random_calls.program(seed)), (
        done.stderr.decode()
    )

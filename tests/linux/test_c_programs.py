"""System calls and signals from C, compiled with the project's compiler."""

from __future__ import annotations

from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "programs"
SIGNALS = """sigaction 0
caught 12 addr-p 16
got 2
61
0
caught 2 4096
-1 22
x
0 2
-1 14
"""


@pytest.mark.slow
def test_vectors_polling_mappings_fork_and_sockets(run_morello, tmp_path) -> None:
    program, data = tmp_path / "calls", tmp_path / "data"
    data.mkdir()
    built = run_morello("cc", "-g", PROGRAMS / "calls.c", "-o", program)
    assert built.returncode == 0, built.stderr
    result = run_morello("run", "--dir", f"{data}:/data", program)
    assert (result.stdout, result.stderr, result.returncode) == ("hello\nall good\n", "", 0)
    contents = (data / "f").read_bytes()
    assert len(contents) == 8192 and contents[4096:4102] == b"shared"


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["full", "newer"])
def test_faults_signals_and_owning_capabilities(run_morello, tmp_path, profile) -> None:
    program = tmp_path / "signals"
    built = run_morello("cc", "-g", PROGRAMS / "signals.c", "-o", program)
    assert built.returncode == 0, built.stderr
    result = run_morello("run", "--abi", profile, program)
    assert sorted(result.stdout.splitlines()) == sorted(SIGNALS.splitlines())
    assert (result.stderr, result.returncode) == ("", 5)

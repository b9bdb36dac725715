"""System calls and signals from C, compiled with the project's compiler."""

from __future__ import annotations

import pytest

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
def test_vectors_polling_mappings_fork_and_sockets(morello, tmp_path) -> None:
    result = morello.run(morello.cc("programs/calls.c"), dirs={"/data": tmp_path})
    assert (result.stdout, result.stderr, result.messages) == ("hello\nall good\n", "", "")
    assert result.status == 0
    contents = (tmp_path / "f").read_bytes()
    assert len(contents) == 8192 and contents[4096:4102] == b"shared"


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["full", "newer"])
def test_faults_signals_and_owning_capabilities(morello, profile) -> None:
    result = morello.run(morello.cc("programs/signals.c"), abi=profile)
    assert sorted(result.stdout.splitlines()) == sorted(SIGNALS.splitlines())
    assert (result.stderr, result.messages, result.status) == ("", "", 5)

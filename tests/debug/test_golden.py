"""Scripts and their output. Every command of the debugger appears in one of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.debug.commands import discover
from tests.debug.golden import GOLDEN, PROMPT, replay

FILES = sorted(GOLDEN.glob("*.txt"))


@pytest.mark.parametrize("engine", ("reference", "fast"))
@pytest.mark.parametrize("golden", FILES, ids=lambda path: path.stem)
def test_output_is_what_it_was(golden: Path, engine: str, folder: Path) -> None:
    assert replay(golden, folder, engine) == golden.read_text(encoding="utf-8")


def test_every_command_is_tested() -> None:
    commands = discover()
    used = set()
    for golden in FILES:
        for line in golden.read_text(encoding="utf-8").splitlines():
            if line.startswith(PROMPT):
                word = line.removeprefix(PROMPT).split()[0].partition("/")[0]
                if word in commands:
                    used.add(commands[word].name)
    assert {row.name for row in commands.values()} - used == set()


def test_every_command_has_help() -> None:
    for row in discover().values():
        assert row.summary.endswith("."), row.name
        assert row.name in row.help, row.name

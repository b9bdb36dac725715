"""Own bare-metal images: each states in its head what it examines, runs on a board and reports by itself."""

from __future__ import annotations

import pytest

from emulator.board.boards import BOARDS
from emulator.board.console import MemoryConsole
from emulator.board.image import load_elf
from emulator.board.outcome import OutcomeKind
from emulator.board.system import System
from tests.board.build import build_image

LIMIT = 200_000
TESTBOARD_IMAGES = ("fault_codes", "page_attributes", "restricted", "sealed_pairs", "traps")


def run_on_testboard(name: str) -> str:
    console = MemoryConsole()
    system = System(BOARDS["testboard"], consoles={0: console})
    system.start(load_elf(system.physical, build_image(name), name).entry)
    outcome = system.run(LIMIT)
    assert outcome.kind is OutcomeKind.REPORTED, (outcome, bytes(console.output))
    return console.output.decode()


@pytest.mark.parametrize("name", TESTBOARD_IMAGES)
def test_image(name: str) -> None:
    assert run_on_testboard(name) == "OK\n"

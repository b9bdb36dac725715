"""The bare-metal C program of guest/examples/baremetal, compiled, linked and booted by the project's tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.cli.main import main

pytestmark = pytest.mark.usefixtures("both_engines")

EXAMPLE = Path(__file__).parents[2] / "guest" / "examples" / "baremetal"
EXPECTED = b"""hello from the board
timer interrupt taken
capability fault 0x2a at 0x10 bytes from the start of a buffer of 0x10
OK
"""


@pytest.mark.parametrize("level", ("-O0", "-O1", "-O2"))
def test_example(level: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    image = tmp_path / "hello.elf"
    sources = [str(EXAMPLE / "start.S"), str(EXAMPLE / "main.c")]
    options = [level, "-ffreestanding", "-nostdlib", "--board"]
    assert main(["cc", *options, *sources, "-o", str(image)]) == 0
    capfdbinary.readouterr()
    assert main(["boot", "--board", "morello", "--max-instructions", "1000000", str(image)]) == 0
    assert capfdbinary.readouterr().out == EXPECTED

"""`morello diff --image`: a board's image on both engines."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from emulator.board.boards import BOARDS
from emulator.engine.translate.block import BlockCode
from emulator.insight.board_sides import BoardSubject
from emulator.insight.explanation import explanation
from emulator.insight.lockstep import Lockstep
from tests.insight.conftest import RunMorello


def test_no_difference(run_morello: RunMorello, image: Path) -> None:
    """Interrupts, faults and devices included; the output appears once."""
    done = run_morello("diff", "--image", image, "--every", "300")
    assert done.returncode == 0
    assert done.stdout.startswith("hello from the board\ntimer interrupt taken\n")
    assert done.stdout.count("hello") == 1
    assert re.fullmatch(r"── no difference in [\d,]+ instructions\n", done.stderr)


def test_a_wrong_store_is_found(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BlockCode, "clear_tags", lambda *_: None)
    subject = BoardSubject(BOARDS["morello"], image.read_bytes(), "hello.elf", 3, None, lambda _: None)
    lockstep = Lockstep(subject)
    found = lockstep.run(lambda _: None)
    assert found is not None
    lines = list(explanation(lockstep, found))
    assert re.search(r" in hello\.elf  C64, Executive, EL\d$", lines[1]), lines[1]
    assert re.search(r"  st\w+ ", lines[2]), lines[2]
    assert any(re.search(r"physical tag of 0x[0-9a-f]+: 0 \| 1", line) for line in lines)


def test_conformance_images(shared: Path) -> None:
    """A few of the generated suite, compared in the middle and not only by their own verdict."""
    for file in sorted((shared / "conformance" / "generated").glob("*.elf.gz"))[::200]:
        data = gzip.decompress(file.read_bytes())
        lockstep = Lockstep(BoardSubject(BOARDS["testboard"], data, file.name, 3, None, lambda _: None), 700)
        found = lockstep.run(lambda _: None)
        assert found is None, (file.name, found)
        assert lockstep.executed > 100


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--image", "/no/such/image"], "/no/such/image"),
        (["--image", "IMAGE", "--board", "pc"], "diff: argument --board: invalid choice"),
        (["--every", "5", "--image", "IMAGE", "IMAGE"], "diff: --image comes first, without a program"),
    ],
)
def test_wrong_options(run_morello: RunMorello, image: Path, options: list[str], message: str) -> None:
    done = run_morello("diff", *(str(image) if option == "IMAGE" else option for option in options), input="")
    assert done.returncode == 125
    assert done.stderr.startswith(f"morello: {message}")
    assert done.stderr.count("\n") == 1

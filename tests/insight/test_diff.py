"""`morello diff`: equal programs, a wrong translation found to the instruction, options."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import pytest

from emulator.cli import diff
from emulator.engine.translate import emit_base
from emulator.engine.translate.block import BlockCode
from emulator.insight.explanation import explanation
from emulator.insight.guest_streams import Source
from emulator.insight.lockstep import Lockstep
from emulator.insight.program_sides import ProgramSubject
from emulator.linux.kernel import Options
from emulator.linux.session import Request
from tests.insight.conftest import DEMO, RunMorello


def _lockstep(program: Path, output: list[bytes], every: int = 3000) -> Lockstep:
    nothing = os.open(os.devnull, os.O_RDONLY)
    source = Source(nothing)
    request = Request(str(program), ["x"])
    subject = ProgramSubject(request, Options(), source, lambda _, data: output.append(data), io.StringIO())
    return Lockstep(subject, every)


def test_no_difference(run_morello: RunMorello, loops: Path) -> None:
    """The program's output appears once; its status is not the comparison's."""
    done = run_morello("diff", "--every", "2000", loops, "x", input="hello")
    assert (done.returncode, done.stdout) == (0, "377 17997000 5\n")
    assert re.fullmatch(r"done x\n── no difference in [\d,]+ instructions\n", done.stderr)


def test_input_from_a_file(run_morello: RunMorello, loops: Path, tmp_path: Path) -> None:
    (tmp_path / "input").write_text("12345678")
    with (tmp_path / "input").open() as stream:
        done = run_morello("diff", loops, stdin=stream)
    assert (done.returncode, done.stdout) == (0, "55 17997000 8\n")


def test_input_that_stays_open(run_morello: RunMorello, loops: Path) -> None:
    """Input is read when the program reads it: an open pipe without data is no reason to wait before."""
    reading, writing = os.pipe()
    os.write(writing, b"abc")
    try:
        done = run_morello("diff", loops, stdin=reading)
    finally:
        os.close(reading)
        os.close(writing)
    assert (done.returncode, done.stdout) == (0, "55 17997000 3\n")


def test_the_demonstration(run_morello: RunMorello) -> None:
    done = run_morello("diff", *DEMO)
    assert (done.returncode, done.stdout) == (0, "Hello from WebAssembly inside a Morello compartment\n")


def test_a_limit_ends_the_comparison(run_morello: RunMorello, loops: Path) -> None:
    done = run_morello("diff", "--max-instructions", "30_000", loops, input="")
    assert (done.returncode, done.stderr) == (0, "── no difference in 30,000 instructions\n")


def test_a_wrong_store_is_found(loops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BlockCode, "clear_tags", lambda *_: None)
    output: list[bytes] = []
    lockstep = _lockstep(loops, output)
    found = lockstep.run(lambda _: None)
    assert found is not None
    assert found.longest == 1
    assert any(difference.where.startswith("tag of 0x") for difference in found.differences)
    lines = list(explanation(lockstep, found))
    text = "\n".join(lines)
    assert lines[0] == f"the engines differ after instruction {found.at:,}"
    # The guest's store, its operands, both values, and the code that was made of it.
    assert re.search(r"^    [0-9a-f]{8}  st\w+ x\d+", lines[2]), lines[2]
    assert re.search(r"^    tag of 0x[0-9a-f]+: 0 \| 1$", text, re.M)
    assert re.search(r"csp = 0x[0-9a-f]+ \[0x", text)
    assert re.search(r"0x[0-9a-f]+  st\w+ x.* \d+  ", text)


def test_a_wrong_result_is_found(loops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An instruction that computes with a wrong word: the register, its two values, the instruction."""
    right = emit_base.arithmetic

    def wrong(block, word, operands):
        # ADD (immediate, 32 bits) of 1 adds 2.
        return right(block, word + (1 << 10) if word & 0xFFFFFC00 == 0x11000400 else word, operands)

    monkeypatch.setattr("emulator.engine.translate.translator.arithmetic", wrong)
    output: list[bytes] = []
    lockstep = _lockstep(loops, output, 500)
    found = lockstep.run(lambda _: None)
    assert found is not None
    lines = list(explanation(lockstep, found))
    assert re.search(r"add w\d+, w\d+, #1$", lines[2]), lines
    register = re.search(r"add w(\d+)", lines[2])
    assert register is not None
    assert any(difference.where == f"c{register[1]}" for difference in found.differences)
    assert any(re.search(r"add w\d+, w\d+, #2", line) for line in lines)


def test_the_command_says_that_they_differ(
    loops: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(BlockCode, "clear_tags", lambda *_: None)
    assert diff.main([str(loops)]) == 1
    err = capfd.readouterr().err
    assert "morello: the engines differ after instruction" in err
    assert "what differs: reference | fast" in err


def test_progress_leaves_the_programs_lines_alone(capfd: pytest.CaptureFixture[str]) -> None:
    """On a terminal: shown, taken away before output, and not shown over a line that has begun."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    progress = diff.Progress(terminal)
    progress.show(1000)
    progress.write(1, b"a prompt: ")
    text = "\r\x1b[K1,000 instructions on both engines \r\x1b[K"
    assert terminal.getvalue() == text
    progress._since = 0.0
    progress.show(2000)
    assert terminal.getvalue() == text
    progress.write(1, b"\n")
    progress.show(3000)
    progress.clear()
    assert terminal.getvalue() == text + text.replace("1,000", "3,000")
    assert capfd.readouterr().out == "a prompt: \n"
    plain = io.StringIO()
    diff.Progress(plain).show(5)
    assert not plain.getvalue()


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--engine", "reference"], 125, "diff: --engine makes no sense: both engines run"),
        (["--real-time"], 125, "diff: --real-time makes every run another"),
        (["--strace"], 125, "diff: --strace belongs to 'morello run'"),
        (["--every", "x"], 125, "diff: argument --every: 'x' is not a number from 1"),
        (["/no/such/program"], 125, "/no/such/program does not exist"),
    ],
)
def test_wrong_options(run_morello: RunMorello, options: list[str], status: int, message: str) -> None:
    done = run_morello("diff", *options, *DEMO, stdin=os.open(os.devnull, os.O_RDONLY))
    assert done.returncode == status
    assert done.stderr.startswith(f"morello: {message}")
    assert done.stderr.count("\n") == 1

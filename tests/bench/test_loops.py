"""`morello bench`: the loops compute what they say, on every engine; figures and bars; wrong options."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from emulator.bench.images import HEAP, HEAP_BYTES, Image, build
from emulator.bench.loops import LOOPS, SCALE, Loop
from emulator.bench.report import Loops, Progress, Row
from emulator.bench.runners import (
    Figure,
    engine_on,
    in_process_memory,
    instructions_of,
    measure,
    measure_raw,
    on_board,
)
from emulator.board.outcome import OutcomeKind
from emulator.cli.main import main

BY_NAME = {loop.name: loop for loop in LOOPS}
STATES = pytest.mark.parametrize("c64", (True, False), ids=("C64", "A64"))


@STATES
@pytest.mark.parametrize("name", BY_NAME)
def test_images_run_to_their_end(name: str, c64: bool) -> None:
    image = build(BY_NAME[name], c64)
    system = on_board(image, "reference", 3)
    outcome = system.run(1_000_000)
    assert (outcome.kind, outcome.detail) == (OutcomeKind.EXIT, 0)
    assert system.last_fault is None
    assert system.pe.pstate.c64 == c64
    once, each = instructions_of(image)
    assert system.pe.instructions == once + 3 * each


def _registers(image: Image, instructions: int) -> tuple[list[int], list[int]]:
    """X0 to X30 after that many instructions on a board and in the memory of a process."""
    system = on_board(image, "reference", 1 << 40)
    system.run(instructions)
    engine = in_process_memory(image, 1 << 40)
    engine.run(instructions)
    assert engine.pe.instructions == system.pe.instructions == instructions
    return system.pe.x[:31], engine.pe.x[:31]


@STATES
@pytest.mark.parametrize("name", BY_NAME)
def test_both_engines_compute_the_same(name: str, c64: bool) -> None:
    board, process = _registers(build(BY_NAME[name], c64), 20_000)
    assert board == process


def test_fib_is_right() -> None:
    image = build(BY_NAME["fib"], False)
    machine = on_board(image, "reference", 1)
    while machine.pe.pc != image.done:
        machine.engine.step()
    assert machine.pe.x[0] == 610


def test_the_other_library_has_bounds_of_its_own() -> None:
    """The PLT loop changes PCC: its two sides can't fetch each other's code."""
    system = on_board(build(BY_NAME["plt"], True), "reference", 1 << 40)
    seen = set()
    for _ in range(120):
        system.engine.step()
        bounds = system.pe.pcc.bounds
        seen.add((bounds.base, bounds.limit))
    bounded = sorted(b for b in seen if b[1] - b[0] < 1 << 30)
    assert len(bounded) == 2
    assert bounded[0][1] <= bounded[1][0]


def test_random_loads_reach_all_of_the_memory() -> None:
    system = on_board(build(BY_NAME["random"], False), "reference", 1 << 40)
    addresses = []
    system.engine.before_instruction = lambda _pc, word: (
        addresses.append(8 * system.pe.x[7]) if word >> 21 == 0xF8600000 >> 21 else None
    )
    system.run(5_000)
    assert len(addresses) > 900
    assert max(addresses) < HEAP_BYTES and HEAP % HEAP_BYTES == 0
    assert len({address >> 22 for address in addresses}) == HEAP_BYTES >> 22


def test_raw_unicorn_runs_the_same_image() -> None:
    figure = measure_raw(build(BY_NAME["words"], False), 0.002)
    assert figure.mips > 0
    assert figure.instructions % 2053 == 0  # 3 + 4 * 512 + 2 of a repetition
    assert len(figure.seconds) == 5


def test_measuring_finds_the_amount_of_work() -> None:
    amounts = []

    def run(amount: int) -> None:
        amounts.append(amount)
        sum(range(amount))

    figure = measure(run, 0.01)
    assert amounts[-5:] == [figure.instructions] * 5
    assert figure.mips == figure.instructions / sorted(figure.seconds)[2] / 1e6


def _figure(mips: float) -> Figure:
    return Figure(int(mips * 1e6), (3.0, 1.0, 1.0, 0.5, 0.1))


def _row(loop: Loop, c64: bool, fast: float) -> Row:
    return Row(loop, c64, _figure(fast), _figure(1000), None)


def test_bars_are_scaled_by_the_machine() -> None:
    loops = Loops(_figure(750), (_row(BY_NAME["words"], True, 301), _row(BY_NAME["words"], True, 299)))
    assert loops.factor == 0.5
    assert [row["reached"] for row in loops.data()["loops"]] == [True, False]
    table = "\n".join(loops.lines())
    assert table.count("reached") == table.count("missed") == 1


@pytest.mark.parametrize(
    ("name", "c64", "bar"), [("words", False, 900), ("simd", True, 500), ("alu", True, 3000)]
)
def test_kinds_of_bars(name: str, c64: bool, bar: float) -> None:
    assert _row(BY_NAME[name], c64, 1).bar(1.0) == bar


def test_json_and_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "figures.json"
    assert main(["bench", "--seconds", "0.002", "--filter", "calls", "--json", str(out)]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "machine load" in printed.out
    figures = json.loads(out.read_text())
    assert [(row["name"], row["state"]) for row in figures["loops"]] == [
        ("calls", "C64"), ("calls", "A64"), ("indirect calls", "C64"), ("indirect calls", "A64"),
    ]  # fmt: skip
    for row in figures["loops"]:
        assert row["guest_mips"] > row["reference_mips"] > 0
        assert row["ratio"] == pytest.approx(row["guest_mips"] / row["raw_mips"], rel=0.01)
    assert figures["scale"]["loop"] == SCALE.summary


def test_json_on_stdout_of_one_engine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--seconds", "0.002", "--filter", "alu", "--engine", "reference", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["loops"][0]
    assert row["guest_mips"] is row["reached"] is None
    assert row["reference_mips"] > 0


@pytest.mark.parametrize(
    "options",
    [
        ["--seconds", "0"],
        ["--seconds", "long"],
        ["--nonsense"],
        ["--filter", "nothing like it"],
        ["--filter", "alu", "--engine", "reference", "--seconds", "0.001", "--json", "/nonexistent/x"],
    ],
)
def test_wrong_options(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *options]) == 125
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_an_engine_runs_for_ever() -> None:
    engine = engine_on(build(BY_NAME["calls"], True), "fast")
    engine.run(1_000_000)
    assert engine.pe.instructions == 1_000_000


def test_progress_is_for_terminals_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quiet = Progress(2)
    quiet.step("nothing is told")
    quiet.end()
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown = Progress(2)
    shown.step("first")
    shown.step("second")
    shown.end()
    told = capsys.readouterr().err
    assert "[1/2] first" in told and "[2/2] second" in told
    assert told.endswith("\r\x1b[K")

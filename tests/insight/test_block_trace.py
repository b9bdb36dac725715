"""`morello run --trace blocks`: every executed instruction is in a block, as often as it was executed."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from emulator.engine.translate.observed import Census, ObservedEngine
from emulator.insight.blocks import BlockListing
from emulator.insight.owners import Owners
from tests.emulator.translate.programs import machine, program_of
from tests.insight.conftest import DEMO, RunMorello


def test_the_listing_goes_to_a_file(run_morello: RunMorello, loops: Path, tmp_path: Path) -> None:
    file = tmp_path / "blocks.txt"
    done = run_morello("run", f"--trace=blocks={file}", loops, input="hello")
    assert (done.returncode, done.stderr) == (7, "done \n")
    text = file.read_text()
    first = next(line for line in text.splitlines() if line.startswith("── #"))
    assert re.search(r"  mix\+0x[0-9a-f]+ in loops  0x[0-9a-f]+  C64, Executive", first), first
    # Side by side: guest code with symbols, what was made of it, what lanes hold; facts; ways on.
    assert re.search(r"0x[0-9a-f]+  bl 0x[0-9a-f]+ <fib>", text)
    assert re.search(r"0x[0-9a-f]+  stp c29, c30, \[csp, #-\d+\]! +\d+  mov x28, sp", text)
    assert "; instructions left" in text
    assert "known at entry: csp" in text
    assert re.search(r"→ [\d,]+ times after \d+: 0x[0-9a-f]+ <mix\+0x[0-9a-f]+>, #\d+", text)
    assert re.search(r"exit \d+: (ask|leave)", text)
    executed = [int(n.replace(",", "")) for n in re.findall(r"times, ([\d,]+) instructions", text)]
    assert executed == sorted(executed, reverse=True)


def test_stderr_gets_the_hottest(run_morello: RunMorello, loops: Path) -> None:
    done = run_morello("run", "--trace", "blocks", loops, input="")
    assert done.returncode == 7
    assert done.stderr.count("── #") == 30
    assert "more blocks: --trace blocks=FILE has all" in done.stderr


def test_counts_are_exact(run_morello: RunMorello, tmp_path: Path) -> None:
    """The function fib(n) is entered as often as arithmetic says; all blocks make up the whole run."""
    source = tmp_path / "count.c"
    source.write_text(
        "static long fib(long n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }\nint main(void) { return fib(17) == 1597; }\n"
    )
    program, file = tmp_path / "count", tmp_path / "blocks.json"
    assert run_morello("cc", "-O0", source, "-o", program).returncode == 0
    done = run_morello(
        "run", f"--trace=blocks={file}", "--json", "--stats-json", tmp_path / "stats.json", program
    )
    assert done.returncode == 1, done.stderr
    content = json.loads(file.read_text())
    stats = json.loads((tmp_path / "stats.json").read_text())
    blocks = content["blocks"]
    assert content["instructions"] == stats["instructions"]
    outside = stats["engine"]["singles"] + stats["engine"]["faults"] + stats["engine"]["indirect"]
    translated = sum(block["executed"] for block in blocks)
    # A refused access that was out of budget, or one with a fault, is no instruction of a block.
    assert abs(content["instructions"] - translated - outside) <= 2
    # A block of length L whose ways on are taken after A instructions each: what is left reached its end.
    starts = Counter()
    for block in blocks:
        if block["function"] == "fib" and block["offset"] == 0:
            starts["entries"] += block["entries"]
    assert (
        starts["entries"] <= 2 * 1597 + 2584 + 1
    )  # fib(17) calls itself 5,167 times; some of them inside a block
    for block in blocks:
        for way in block["ways"]:
            assert way["count"] is None or way["count"] <= block["entries"]


@pytest.mark.parametrize("number", range(12))
def test_random_programs_are_the_same_when_they_are_counted(number: int) -> None:
    """Counting changes nothing, flags and scratch registers included, and every instruction is accounted for."""
    program = program_of(f"observed:{number}")
    ordinary = machine(True, program)
    counted = machine(True, program)
    census = Census(lambda _: None)
    engine = census.make(counted.pe, counted.space, counted.fault)
    singles = 0
    one = engine._one

    def counting_one() -> None:
        nonlocal singles
        before = engine.pe.instructions
        one()
        singles += engine.pe.instructions - before

    engine._one = counting_one  # type: ignore[method-assign]
    counted.engine = engine  # type: ignore[assignment]
    for instructions, act in program.runs:
        if instructions < 1024:
            continue
        for twin in (ordinary, counted):
            twin.engine.run(instructions)
            twin.faults, kept = [], twin.faults
            twin.act(act)
            twin.kept = kept  # type: ignore[attr-defined]
        assert ordinary.kept == counted.kept  # type: ignore[attr-defined]
        assert ordinary.state() == counted.state()
    records = census.settle()
    if not records:
        return
    executed = sum(record.executed for record in records)
    # The last few instructions of each run are executed by the reference engine's own blocks.
    rest = counted.pe.instructions - executed - singles
    assert 0 <= rest <= 64 * len(program.runs) + 2
    listing = BlockListing(census, Owners(), counted.pe.instructions)
    assert "".join(listing.text())
    assert json.dumps(listing.json())


def test_a_board(run_morello: RunMorello, image: Path, tmp_path: Path) -> None:
    """The same listing at the end of `morello boot`."""
    file = tmp_path / "blocks"
    done = run_morello("boot", "--trace", "blocks", "--trace-file", file, image)
    assert done.returncode == 0
    assert done.stdout.startswith("hello from the board\n")
    text = file.read_text()
    assert re.search(r"^── #\d+  main\+0x[0-9a-f]+ in hello\.elf  0x8000", text, re.M)
    assert "bl 0x" in text
    done = run_morello("boot", "--trace", "blocks", "--engine", "reference", image)
    assert done.returncode == 125
    assert done.stderr == "morello: --trace blocks shows the fast engine's blocks, not --engine reference's\n"


def test_the_ordinary_engine_counts_nothing() -> None:
    program = program_of("observed:1")
    twin = machine(True, program)
    twin.engine.run(5000)
    assert not isinstance(twin.engine, ObservedEngine)
    assert not twin.engine._code._counts_bytes  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--trace", "calls"], "run: --trace takes 'blocks' or 'blocks=FILE', not 'calls'"),
        (["--trace", "blocks="], "run: --trace takes 'blocks' or 'blocks=FILE', not 'blocks='"),
        (
            ["--trace", "blocks", "--engine", "reference"],
            "run: --trace blocks shows the fast engine's blocks",
        ),
        (["--json"], "run: --json belongs to --trace blocks"),
        (["--trace", "blocks=/nowhere/x"], "/nowhere/x can't be written"),
    ],
)
def test_wrong_options(run_morello: RunMorello, options: list[str], message: str) -> None:
    done = run_morello("run", *options, *DEMO)
    assert done.returncode == 125
    assert done.stderr.startswith(f"morello: {message}")
    assert done.stderr.count("\n") == 1

"""`morello run --stats`: counters of engines are added up and told."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from emulator.cli.statistics import statistics, totals

IMAGES = Path(__file__).resolve().parents[2] / "images"


class _Slotted:
    __slots__ = ("blocks", "links", "why")

    def __init__(self, blocks: int, links: int, why: dict[str, int]) -> None:
        self.blocks, self.links, self.why = blocks, links, why


def test_counters_are_added_and_shared_ones_count_once() -> None:
    shared = _Slotted(3, 4, {"sysreg": 2})
    other = SimpleNamespace(blocks=1, seconds=0.5)
    assert totals([shared, shared, other]) == {"blocks": 4, "links": 4, "why sysreg": 2, "seconds": 0.5}


def _kernel(*engines: object) -> SimpleNamespace:
    counts = SimpleNamespace(crossings=0, restricted_slots=0, syscalls=7, faults=0, engines=engines)
    return SimpleNamespace(instructions=2_000_000, statistics=counts)


def test_lines_of_an_engine_that_translates() -> None:
    counters = SimpleNamespace(
        blocks=10, instructions=50, seconds=0.001, links=3, singles=5, news=2, faults=0
    )
    run, translation = statistics(_kernel(counters), 0.5).splitlines()
    assert run.startswith("── 2.0 M instructions, 0.50 s (4.00 MIPS) · 7 system calls · ")
    assert translation == (
        "── translated 10 blocks, 50 instructions, 0.00 s (20.0 us per instruction) · left for 5 instructions "
        "left to the reference engine, 3 branches linked · 2 news"
    )


def test_an_engine_without_counters_has_one_line() -> None:
    assert len(statistics(_kernel(), 0.5).splitlines()) == 1


@pytest.mark.parametrize(("engine", "lines"), [("reference", 1), ("fast", 2)])
def test_both_engines(
    run_morello: Callable[..., subprocess.CompletedProcess[str]], engine: str, lines: int
) -> None:
    library = f"--wamr-lib={IMAGES / 'libiwasm.so'}"
    options = ["--stats", "--engine", engine]
    done = run_morello("run", *options, IMAGES / "iwasm", library, IMAGES / "hello.wasm")
    told = done.stderr.splitlines()
    assert len(told) == lines
    assert re.search(r"88 compartment crossings .* [1-9]\d* MiB memory$", told[0])
    if engine == "fast":
        assert re.match(r"── translated [1-9][\d,]* blocks", told[1])

"""Random programs on both engines: registers, tags, memory, faults and counts are equal at every stop.

`make fuzz STEPS=…` runs the same programs for as long as wanted.
"""

from __future__ import annotations

import random
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.engine.translate.block import BlockCode
from tests.emulator.translate import fuzz
from tests.emulator.translate.programs import NOP, minimised, program_of
from tests.emulator.translate.twins import difference, random_words, run, twins


@pytest.mark.parametrize("block", range(12))
def test_random_words(block: int) -> None:
    """Short stretches end where every instruction counts, long ones go through free-running code."""
    for seed in range(10 * block, 10 * block + 10):
        chance = random.Random(seed)
        c64 = chance.random() < 0.75
        words = random_words(chance, chance.choice((4, 12, 30)))
        pair = twins(words, c64, chance)
        for steps in (chance.randrange(1, 200), chance.randrange(1030, 2500), chance.randrange(1, 1500)):
            run(pair, steps)
            assert not difference(pair), f"seed {seed}, after {steps} instructions: {difference(pair)}"


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 2**32))
def test_random_programs(number: int) -> None:
    """Loops, calls, other PCCs, atomics, code and rights that change, plain code, hybrid code, Restricted."""
    program = program_of(f"suite:{number}")
    found = fuzz.compare(program)[1]
    assert not found, fuzz.report(program, found)


def test_programs_have_every_kind() -> None:
    programs = [program_of(f"kinds:{n}") for n in range(200)]
    assert {program.state for program in programs} == {"c64", "hybrid", "plain"}
    for name in ("restricted", "writable_code", "bounded_ddc", "cctlr", "fpcr", "repairs"):
        assert {bool(getattr(program, name)) for program in programs} == {False, True}, name
    assert program_of("kinds:7") == programs[7]


def test_a_wrong_translation_is_found_and_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machinery finds what it is for: here, stores that leave tags where they are."""
    monkeypatch.setattr(BlockCode, "clear_tags", lambda *_: None)
    program = next(p for n in range(40) if fuzz.compare(p := program_of(f"bug:{n}"))[1])
    small = minimised(program, lambda other: bool(fuzz.compare(other)[1]))
    assert sum(word != NOP for word in small.words) <= 3
    text = fuzz.report(program, [])
    assert "tags" in text
    assert f"--program {program.seed}" in text
    assert " st" in text  # the store, as assembly


def test_the_command_repeats_a_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["fuzz", "--program", "9:4"])
    assert fuzz.main() == 0
    out = capsys.readouterr().out
    assert out.startswith("seed 9:4: ")
    assert "no difference in" in out
    monkeypatch.setattr(sys, "argv", ["fuzz", "--steps", "20000", "--seed", "9"])
    assert fuzz.main() == 0
    assert "seed 9: no differences" in capsys.readouterr().out

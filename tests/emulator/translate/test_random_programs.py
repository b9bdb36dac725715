"""Random programs on both engines: registers, tags, memory, faults and counts are equal at every stop."""

from __future__ import annotations

import random

import pytest

from tests.emulator.translate.twins import difference, random_words, run, twins


@pytest.mark.parametrize("block", range(12))
def test_random_programs(block: int) -> None:
    """Short stretches end where every instruction counts, long ones go through free-running code."""
    for seed in range(10 * block, 10 * block + 10):
        chance = random.Random(seed)
        c64 = chance.random() < 0.75
        words = random_words(chance, chance.choice((4, 12, 30)))
        pair = twins(words, c64, chance)
        for steps in (chance.randrange(1, 200), chance.randrange(1030, 2500), chance.randrange(1, 1500)):
            run(pair, steps)
            assert not difference(pair), f"seed {seed}, after {steps} instructions: {difference(pair)}"

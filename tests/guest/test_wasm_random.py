"""Random programs compared with wasmtime: results, traps and the contents of memory."""

from __future__ import annotations

import random

import pytest
import wasmtime

from tests.guest.wasm_generator import Generator
from tests.guest.wasm_native import Oracle, Script, compare

VALUES = {"i32": 32, "i64": 64}
FLOATS = {
    "f32": [0, 0x3F800000, 0xC0490FDB, 0x7F800000, 0x80000000],
    "f64": [0, 0x3FF0000000000000, 0xC00921FB54442D18, 0xFFF0000000000000],
}


def arguments(kinds: list[str], source: random.Random) -> list[int]:
    return [
        source.getrandbits(source.choice([1, 8, VALUES[k]])) if k in VALUES else source.choice(FLOATS[k])
        for k in kinds
    ]


@pytest.mark.parametrize("batch", range(6))
def test_random_programs(batch: int) -> None:
    for seed in range(batch * 25, batch * 25 + 25):
        generator = Generator(seed)
        module = wasmtime.wat2wasm(generator.text())
        source = random.Random(seed)
        calls = [
            (f"f{i}", arguments(params, source))
            for i, (params, _) in enumerate(generator.functions)
            for _ in range(4)
        ]
        compare(module, calls)
        oracle = Oracle(module)
        for name, values in calls:
            oracle.call(name, values)
        _, outcomes = Script(calls).run(module, memory=True)
        assert outcomes[-1].bits == [oracle.memory_hash()], f"memory differs, seed {seed}"

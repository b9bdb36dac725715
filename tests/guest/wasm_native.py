"""The runtime built natively with gcc, and wasmtime to compare it with."""

from __future__ import annotations

import functools
import math
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import wasmtime

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = REPOSITORY / "guest" / "wasm"
DRIVERS = Path(__file__).parent / "wasm"
WAT = Path(__file__).parent / "wat"
STRICT = ("-std=c99", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-g")
SANITIZE = ("-O1", "-fsanitize=undefined,address", "-fno-sanitize-recover=all")


@functools.cache
def build(main: str, flags: tuple[str, ...] = SANITIZE) -> Path:
    """Compile the runtime with the driver `main` (in DRIVERS, or plain_main.c) once per session."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not there")
    folder = Path(tempfile.mkdtemp(prefix="wasm-native-"))
    sources = [path for path in sorted(SOURCES.glob("*.c")) if path.name != "plain_main.c"]
    driver = SOURCES / main if main == "plain_main.c" else DRIVERS / main
    includes = (f"-I{SOURCES / 'include'}", f"-I{SOURCES}")
    command = [
        "gcc",
        *STRICT,
        *flags,
        *includes,
        *map(str, sources),
        str(driver),
        "-lm",
        "-o",
        str(folder / "a.out"),
    ]
    subprocess.run(command, check=True)
    return folder / "a.out"


@dataclass
class Outcome:
    """What a call gave: bits of the results, or a trap's text."""

    bits: list[int] | None
    trap: str = ""


@dataclass
class Script:
    """Calls collected for one run of the driver."""

    calls: list[tuple[str, list[int]]] = field(default_factory=list)

    def run(
        self, module: bytes, flags: tuple[str, ...] = SANITIZE, timeout: float = 60, memory: bool = False
    ) -> tuple[str, list[Outcome]]:
        """The driver's first line and one outcome per call (then the memory's hash)."""
        lines = [f"call {name} {' '.join(f'{value:x}' for value in values)}" for name, values in self.calls]
        if memory:
            lines.append("memory")
        with tempfile.NamedTemporaryFile(suffix=".wasm") as file:
            file.write(module)
            file.flush()
            done = subprocess.run(
                [str(build("script_main.c", flags)), file.name],
                input="\n".join(lines) + "\n",
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        assert done.returncode == 0, done.stderr[-3000:]
        first, *rest = done.stdout.splitlines()
        return first, [_outcome(line) for line in rest]


def _outcome(line: str) -> Outcome:
    word, _, tail = line.partition(" ")
    if word == "ok":
        return Outcome([int(text, 16) for text in tail.split()])
    return Outcome(None, tail)


# ---- wasmtime ----


def engine() -> wasmtime.Engine:
    """An engine with the proposals that the runtime knows, and no others where wasmtime can be told."""
    config = wasmtime.Config()
    config.wasm_relaxed_simd = False
    config.wasm_simd = False
    config.wasm_tail_call = False
    config.wasm_threads = False
    config.wasm_multi_memory = False
    config.wasm_memory64 = False
    config.wasm_function_references = False
    config.wasm_gc = False
    config.wasm_exceptions = False
    config.cranelift_opt_level = "none"
    config.max_wasm_stack = 256 * 1024
    return wasmtime.Engine(config)


def to_wasm(value: int, kind: str) -> int | float:
    """Bits to the value which wasmtime takes."""
    if kind == "f32":
        return float(struct.unpack("<f", struct.pack("<I", value))[0])
    if kind == "f64":
        return float(struct.unpack("<d", struct.pack("<Q", value))[0])
    width = 32 if kind == "i32" else 64
    return value - (1 << width) if value >> (width - 1) else value


def to_bits(value: object, kind: str) -> int:
    """The bits of a result of wasmtime."""
    if kind == "f32":
        assert isinstance(value, float)
        return int(struct.unpack("<I", struct.pack("<f", value))[0])
    if kind == "f64":
        assert isinstance(value, float)
        return int(struct.unpack("<Q", struct.pack("<d", value))[0])
    assert isinstance(value, int)
    return value & ((1 << (32 if kind == "i32" else 64)) - 1)


def is_nan(bits: int, kind: str) -> bool:
    return kind in ("f32", "f64") and math.isnan(to_wasm(bits, kind))


# Trap texts of the runtime by what wasmtime says (its first line after "wasm trap: ").
TRAPS = {
    "wasm `unreachable` instruction executed": "unreachable",
    "integer divide by zero": "integer divide by zero",
    "integer overflow": "integer overflow",
    "invalid conversion to integer": "invalid conversion to integer",
    "out of bounds memory access": "out of bounds memory access",
    "undefined element: out of bounds table access": "undefined element",
    "uninitialized element": "uninitialized element",
    "indirect call type mismatch": "indirect call type mismatch",
    "call stack exhausted": "wasm operand stack overflow",
    "out of bounds table access": "out of bounds table access",
}


class Oracle:
    """An instance in wasmtime."""

    def __init__(self, module: bytes) -> None:
        self.engine = engine()
        self.store = wasmtime.Store(self.engine)
        self.module = wasmtime.Module(self.engine, module)
        self.instance = wasmtime.Instance(self.store, self.module, [])
        self.exports = self.instance.exports(self.store)

    def types(self, name: str) -> tuple[list[str], list[str]]:
        function = self.exports[name]
        assert isinstance(function, wasmtime.Func)
        kind = function.type(self.store)
        return [str(t) for t in kind.params], [str(t) for t in kind.results]

    def call(self, name: str, values: Sequence[int]) -> Outcome:
        function = self.exports[name]
        assert isinstance(function, wasmtime.Func)
        params, results = self.types(name)
        try:
            given = function(self.store, *[to_wasm(v, k) for v, k in zip(values, params, strict=True)])
        except wasmtime.Trap as trap:
            text = trap.message.split("wasm trap: ")[-1].splitlines()[0]
            return Outcome(None, TRAPS.get(text, text))
        values_out = [] if given is None else given if isinstance(given, list) else [given]
        return Outcome([to_bits(v, k) for v, k in zip(values_out, results, strict=True)])

    def memory_hash(self) -> int:
        memory = self.exports["memory"]
        assert isinstance(memory, wasmtime.Memory)
        value = 0xCBF29CE484222325
        for byte in memory.read(self.store, 0, None):
            value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
        return value


def compare(module: bytes, calls: list[tuple[str, list[int]]], flags: tuple[str, ...] = SANITIZE) -> None:
    """Every call gives the same bits, or the same trap, in the runtime and in wasmtime."""
    oracle = Oracle(module)
    same_in_wasmtime = {"out of bounds table access": "undefined element"}
    first, outcomes = Script(calls).run(module, flags)
    assert first == "ok"
    assert len(outcomes) == len(calls)
    for (name, values), mine in zip(calls, outcomes, strict=True):
        theirs = oracle.call(name, values)
        where = f"{name}({', '.join(hex(v) for v in values)}): {mine} instead of {theirs}"
        if mine.bits is None or theirs.bits is None:
            trap = same_in_wasmtime.get(mine.trap, mine.trap)
            assert (mine.bits, trap) == (theirs.bits, same_in_wasmtime.get(theirs.trap, theirs.trap)), where
            continue
        kinds = oracle.types(name)[1]
        for a, b, kind in zip(mine.bits, theirs.bits, kinds, strict=True):
            assert a == b or (is_nan(a, kind) and is_nan(b, kind)), where

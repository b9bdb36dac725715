"""The runtime built with `morello cc`, on the emulator, against the same calls in wasmtime: the compiler's arithmetic and
the emulator's instructions through every numeric operation, control flow and calls."""

from __future__ import annotations

import functools
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import wasmtime

from tests.guest.test_wasm_numeric import EDGES, binary_operations, unary_operations
from tests.guest.test_wasm_programs import calls_of
from tests.guest.wasm_native import DRIVERS, SOURCES, WAT, Oracle, is_nan

pytestmark = pytest.mark.slow


def morello(*arguments: object, text: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "emulator.cli.main", *map(str, arguments)]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=500, check=False)


@functools.cache
def driver() -> Path:
    """script_main.c and the runtime as a static purecap program."""
    folder = Path(tempfile.mkdtemp(prefix="wasm-morello-"))
    sources = [path for path in sorted(SOURCES.glob("*.c")) if path.name != "plain_main.c"]
    includes = (f"-I{SOURCES / 'include'}", f"-I{SOURCES}")
    output = folder / "script"
    done = morello("cc", "-O2", "-static", *includes, *sources, DRIVERS / "script_main.c", "-o", output)
    assert done.returncode == 0, done.stderr
    return output


def check(module: bytes, calls: list[tuple[str, list[int]]], tmp_path: Path) -> None:
    (tmp_path / "module.wasm").write_bytes(module)
    script = "".join(f"call {name} {' '.join(f'{value:x}' for value in values)}\n" for name, values in calls)
    done = morello("run", driver(), tmp_path / "module.wasm", text=script)
    assert done.returncode == 0, done.stderr
    first, *lines = done.stdout.splitlines()
    assert first == "ok"
    assert len(lines) == len(calls)
    oracle = Oracle(module)
    for (name, values), line in zip(calls, lines, strict=True):
        theirs = oracle.call(name, values)
        word, _, tail = line.partition(" ")
        where = f"{name}({', '.join(map(hex, values))}): {line} instead of {theirs}"
        assert (word == "trap") == (theirs.bits is None), where
        if theirs.bits is None:
            assert tail == theirs.trap or {tail, theirs.trap} == {
                "out of bounds table access",
                "undefined element",
            }, where
            continue
        bits = [int(text, 16) for text in tail.split()]
        for a, b, kind in zip(bits, theirs.bits, oracle.types(name)[1], strict=True):
            assert a == b or (is_nan(a, kind) and is_nan(b, kind)), where


def test_unary(tmp_path: Path) -> None:
    functions, calls = [], []
    for name, operand, result in unary_operations():
        functions.append(
            f'(func (export "{name}") (param {operand}) (result {result}) ({name} (local.get 0)))'
        )
        calls += [(name, [value]) for value in EDGES[operand][::3]]
    check(wasmtime.wat2wasm(f"(module {' '.join(functions)})"), calls, tmp_path)


def test_binary(tmp_path: Path) -> None:
    functions, calls = [], []
    for index, (name, kind, result) in enumerate(binary_operations()):
        functions.append(
            f'(func (export "{name}") (param {kind} {kind}) (result {result}) ({name} (local.get 0) (local.get 1)))'
        )
        pairs = [(a, b) for a in EDGES[kind] for b in EDGES[kind]]
        calls += [(name, list(pair)) for pair in pairs[index % 11 :: 61]]
    check(wasmtime.wat2wasm(f"(module {' '.join(functions)})"), calls, tmp_path)


@pytest.mark.parametrize("name", ["control", "locals", "memory", "tables", "calls"])
def test_module(tmp_path: Path, name: str) -> None:
    module = wasmtime.wat2wasm((WAT / f"{name}.wat").read_text())
    check(module, calls_of(module, 9), tmp_path)

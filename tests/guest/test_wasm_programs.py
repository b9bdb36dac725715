"""The modules in wat/: every export over edge values, one after the other in one instance, compared with wasmtime."""

from __future__ import annotations

import itertools

import pytest
import wasmtime

from tests.guest.wasm_native import WAT, Oracle, Script, compare

VALUES = {
    "i32": [
        0,
        1,
        2,
        3,
        7,
        16,
        17,
        24,
        65528,
        65532,
        65533,
        65535,
        65536,
        70000,
        0x7FFFFFFF,
        0x80000000,
        0xFFFFFFFF,
    ],
    "i64": [0, 1, 0x8000000080000000, 0xFFFFFFFFFFFFFFFF, 0x0123456789ABCDEF],
    "f32": [0x3F800000, 0x40490FDB, 0x80000000],
    "f64": [0x3FF0000000000000, 0xC00921FB54442D18, 0],
}
SWITCH_DISPATCH = ("-O0", "-DWASM_SWITCH_DISPATCH")


def calls_of(module: bytes, limit: int = 400) -> list[tuple[str, list[int]]]:
    oracle = Oracle(module)
    calls: list[tuple[str, list[int]]] = []
    for export in oracle.module.exports:
        if isinstance(export.type, wasmtime.FuncType):
            params, _ = oracle.types(export.name)
            arguments = [list(row) for row in itertools.product(*[VALUES[kind] for kind in params])]
            step = max(1, len(arguments) // limit)
            calls += [(export.name, row) for row in arguments[::step]]
    return calls


@pytest.mark.parametrize("name", ["control", "locals", "memory", "tables", "calls"])
def test_module(name: str) -> None:
    module = wasmtime.wat2wasm((WAT / f"{name}.wat").read_text())
    compare(module, calls_of(module))


def test_switch_dispatch() -> None:
    """The interpreter without labels as values."""
    for name in ("control", "calls"):
        module = wasmtime.wat2wasm((WAT / f"{name}.wat").read_text())
        compare(module, calls_of(module, 50), SWITCH_DISPATCH)


def test_memory_contents() -> None:
    """After a series of stores and bulk operations linear memory is the same, byte for byte."""
    module = wasmtime.wat2wasm((WAT / "memory.wat").read_text())
    calls = [call for call in calls_of(module, 150) if not call[0].startswith("load")]
    oracle = Oracle(module)
    for name, values in calls:
        oracle.call(name, values)
    _, outcomes = Script(calls).run(module, memory=True)
    assert outcomes[-1].bits == [oracle.memory_hash()]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(module (table 1 funcref) (func $f) (elem (i32.const 1) $f))", "out of bounds table access"),
        ('(module (memory 1) (data (i32.const 65535) "ab"))', "out of bounds memory access"),
        ("(module (func $f (unreachable)) (start $f))", "Exception: unreachable"),
    ],
)
def test_instantiation_fails(text: str, message: str) -> None:
    first, _ = Script().run(wasmtime.wat2wasm(text))
    assert first == f"instantiate WASM module instantiate failed: {message}"


def test_start_function_runs_once() -> None:
    module = wasmtime.wat2wasm(
        "(module (global $g (mut i32) (i32.const 1)) (func $s (global.set $g (i32.mul (global.get $g) (i32.const 3))))"
        '(start $s) (func (export "get") (result i32) (global.get $g)))'
    )
    assert Script([("get", [])]).run(module)[1][0].bits == [3]


def test_natives() -> None:
    """Natives with C parameters, externref through a host table, calls back, range checks of pointers."""
    module = wasmtime.wat2wasm("""(module
        (import "test" "mixed" (func $mixed (param i32 f32 i64 f64 i32) (result i32)))
        (import "test" "half" (func $half (param f64) (result f64)))
        (import "test" "sum_bytes" (func $sum_bytes (param i32 i32) (result i32)))
        (import "test" "length" (func $length (param i32) (result i32)))
        (import "test" "same" (func $same (param externref) (result externref)))
        (import "test" "call_back" (func $call_back (param i32) (result i32)))
        (import "nowhere" "missing" (func $missing (param i32)))
        (import "test" "half" (func $wrong_type (param i32) (result i32)))
        (memory 1) (data (i32.const 100) "hello\\00") (data (i32.const 65533) "end")
        (global $kept (mut externref) (ref.null extern))
        (func (export "mixed") (result i32)
          (call $mixed (i32.const 1) (f32.const 2) (i64.const 3) (f64.const 4) (i32.const 5)))
        (func (export "half") (param f64) (result f64) (call $half (local.get 0)))
        (func (export "sum") (param i32 i32) (result i32) (call $sum_bytes (local.get 0) (local.get 1)))
        (func (export "length") (param i32) (result i32) (call $length (local.get 0)))
        (func (export "keep") (param externref) (global.set $kept (call $same (local.get 0))))
        (func (export "kept") (result externref) (global.get $kept))
        (func (export "callback") (param i32) (result i32)
          (if (result i32) (i32.eq (local.get 0) (i32.const 13)) (then (unreachable))
            (else (i32.add (local.get 0) (i32.const 1)))))
        (func (export "round_trip") (param i32) (result i32) (i32.mul (call $call_back (local.get 0)) (i32.const 2)))
        (func (export "missing") (call $missing (i32.const 1)))
        (func (export "wrong_type") (result i32) (call $wrong_type (i32.const 1))))""")
    calls = [("mixed", []), ("half", [0x4014000000000000]), ("sum", [100, 5]), ("sum", [65530, 7]), ("length", [100]),
             ("length", [65533]), ("kept", []), ("keep", [0x7FFF12345678]), ("kept", []), ("keep", [0]), ("kept", []),
             ("round_trip", [20]), ("round_trip", [13]), ("missing", []), ("wrong_type", [])]  # fmt: skip
    _, outcomes = Script(calls).run(module)
    assert [outcome.trap if outcome.bits is None else outcome.bits for outcome in outcomes] == [
        [1239], [0x4004000000000000], [sum(b"hello")], "out of bounds memory access", [5],
        "out of bounds memory access", [0], [], [0x7FFF12345678], [], [0], [42], "unreachable",
        "failed to call unlinked import function", "failed to call unlinked import function"]  # fmt: skip


def test_natives_calling_back_without_end() -> None:
    """WebAssembly and natives calling each other stop at a depth, and the instance works on."""
    module = wasmtime.wat2wasm("""(module
        (import "test" "call_back" (func $call_back (param i32) (result i32)))
        (func (export "callback") (param i32) (result i32) (call $call_back (local.get 0)))
        (func (export "fine") (result i32) (i32.const 4)))""")
    _, outcomes = Script([("callback", [1]), ("fine", [])]).run(module)
    assert outcomes[0].trap == "native stack overflow"
    assert outcomes[1].bits == [4]

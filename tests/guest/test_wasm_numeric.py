"""Every numeric instruction with edge values, compared with wasmtime: operands in locals, on the stack, constant."""

from __future__ import annotations

import struct

import pytest
import wasmtime

from tests.guest.wasm_native import compare

INTEGERS = "add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr".split()
COMPARISONS = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u".split()
FLOATS = "add sub mul div min max copysign".split()
FLOAT_COMPARISONS = "eq ne lt gt le ge".split()
FLOAT_UNARY = "abs neg ceil floor trunc nearest sqrt".split()


def bits32(value: float) -> int:
    return int(struct.unpack("<I", struct.pack("<f", value))[0])


def bits64(value: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", value))[0])


_FLOAT_VALUES = [0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, -0.9, 3.7, 1e10, -1e10, 2147483647.0, 2147483648.0, -2147483648.0,
                 -2147483649.0, 4294967295.0, 4294967296.0, 9.2e18, 9223372036854775808.0, -9223372036854775808.0,
                 18446744073709551616.0, 1e30, 1e-40, float("inf"), float("-inf"), float("nan")]  # fmt: skip
EDGES = {
    "i32": [0, 1, 2, 7, 31, 32, 33, 0x7F, 0x80, 0xFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFF,
            0x12345678],
    "i64": [0, 1, 3, 63, 64, 65, 0x80, 0x8000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x100000000, 0x7FFFFFFFFFFFFFFF,
            0x8000000000000000, 0xFFFFFFFFFFFFFFFF, 0x123456789ABCDEF0],
    "f32": [bits32(v) for v in _FLOAT_VALUES] + [0x7FC00001, 0xFFC00000, 1],
    "f64": [bits64(v) for v in _FLOAT_VALUES] + [bits64(2147483647.9), bits64(-2147483648.9), bits64(4294967295.9),
            bits64(-0.99), 0xFFF8000000000000, 1],
}  # fmt: skip


def unary_operations() -> list[tuple[str, str, str]]:
    rows = []
    for t in ("i32", "i64"):
        rows += [(f"{t}.{name}", t, t) for name in ("clz", "ctz", "popcnt", "extend8_s", "extend16_s")]
        rows += [(f"{t}.eqz", t, "i32")]
        for f in ("f32", "f64"):
            rows += [(f"{t}.trunc_{f}_{s}", f, t) for s in "su"]
            rows += [(f"{t}.trunc_sat_{f}_{s}", f, t) for s in "su"]
            rows += [(f"{f}.convert_{t}_{s}", t, f) for s in "su"]
    for f in ("f32", "f64"):
        rows += [(f"{f}.{name}", f, f) for name in FLOAT_UNARY]
    rows += [("i64.extend32_s", "i64", "i64"), ("i32.wrap_i64", "i64", "i32")]
    rows += [("i64.extend_i32_s", "i32", "i64"), ("i64.extend_i32_u", "i32", "i64")]
    rows += [("f32.demote_f64", "f64", "f32"), ("f64.promote_f32", "f32", "f64")]
    for a, b in (("i32", "f32"), ("i64", "f64")):
        rows += [(f"{a}.reinterpret_{b}", b, a), (f"{b}.reinterpret_{a}", a, b)]
    return rows


def binary_operations() -> list[tuple[str, str, str]]:
    rows = []
    for t in ("i32", "i64"):
        rows += [(f"{t}.{name}", t, t) for name in INTEGERS]
        rows += [(f"{t}.{name}", t, "i32") for name in COMPARISONS]
    for t in ("f32", "f64"):
        rows += [(f"{t}.{name}", t, t) for name in FLOATS]
        rows += [(f"{t}.{name}", t, "i32") for name in FLOAT_COMPARISONS]
    return rows


def constant(kind: str, bits: int) -> str:
    """Text of a constant by its bits."""
    if kind[0] == "i":
        return f"({kind}.const {bits:#x})"
    return f"({kind}.reinterpret_i{kind[1:]} (i{kind[1:]}.const {bits:#x}))"


def test_unary() -> None:
    functions, calls = [], []
    for name, operand, result in unary_operations():
        functions.append(
            f'(func (export "{name}") (param {operand}) (result {result}) ({name} (local.get 0)))'
        )
        calls += [(name, [value]) for value in EDGES[operand]]
    compare(wasmtime.wat2wasm(f"(module {' '.join(functions)})"), calls)


@pytest.mark.parametrize("kind", ["i32", "i64", "f32", "f64"])
def test_binary(kind: str) -> None:
    functions, calls = [], []
    for name, operand, result in binary_operations():
        if operand == kind:
            functions.append(f'(func (export "{name}") (param {kind} {kind}) (result {result}) '
                             f"({name} (local.get 0) (local.get 1)))")  # fmt: skip
            calls += [(name, [a, b]) for a in EDGES[kind] for b in EDGES[kind]]
    compare(wasmtime.wat2wasm(f"(module {' '.join(functions)})"), calls)


@pytest.mark.parametrize("kind", ["i32", "i64"])
def test_constant_operands(kind: str) -> None:
    """The right operand constant (immediate forms), the left one, and both."""
    functions, calls = [], []
    values = [0, 1, 5, 0x7FFF, 0x8000, (1 << int(kind[1:])) - 1, (1 << int(kind[1:])) - 0x8000,
              (1 << int(kind[1:])) - 0x8001, 1 << (int(kind[1:]) - 1)]  # fmt: skip
    for name, operand, result in binary_operations():
        if operand != kind:
            continue
        for index, value in enumerate(values):
            c = constant(kind, value)
            functions.append(
                f'(func (export "{name}R{index}") (param {kind}) (result {result}) ({name} (local.get 0) {c}))'
            )
            functions.append(
                f'(func (export "{name}L{index}") (param {kind}) (result {result}) ({name} {c} (local.get 0)))'
            )
            functions.append(f'(func (export "{name}B{index}") (result {result}) ({name} {c} {c}))')
            calls += [(f"{name}{side}{index}", [v]) for side in "RL" for v in EDGES[kind][::3]]
            calls.append((f"{name}B{index}", []))
    compare(wasmtime.wat2wasm(f"(module {' '.join(functions)})"), calls)


@pytest.mark.parametrize("kind", ["i32", "i64", "f32", "f64"])
def test_comparisons_fused_with_branches(kind: str) -> None:
    """A comparison as the condition of if, br_if and select, also negated, and with a constant on the right."""
    functions, calls = [], []
    small = [*EDGES[kind][::3], EDGES[kind][-1]]
    for name, operand, result in binary_operations():
        if operand != kind or result != "i32" or name.split(".")[1] not in COMPARISONS + FLOAT_COMPARISONS:
            continue
        plain, with_constant = (
            f"({name} (local.get 0) (local.get 1))",
            f"({name} (local.get 0) {constant(kind, 5)})",
        )
        for tag, test in (("", plain), ("n", f"(i32.eqz {plain})"), ("nn", f"(i32.eqz (i32.eqz {plain}))"),
                          ("c", with_constant), ("nc", f"(i32.eqz {with_constant})")):  # fmt: skip
            head = f"(param {kind} {kind}) (result i32)"
            functions.append(f'(func (export "{name}{tag}.if") {head} (if (result i32) {test} '
                             "(then (i32.const 1)) (else (i32.const 2))))")  # fmt: skip
            functions.append(f'(func (export "{name}{tag}.br") {head} (block (br_if 0 {test}) (return (i32.const 7))) '
                             "(i32.const 8))")  # fmt: skip
            functions.append(f'(func (export "{name}{tag}.value") {head} (block (result i32) (i32.const 3) '
                             f"(br_if 0 {test}) (drop) (i32.const 4)))")  # fmt: skip
            functions.append(f'(func (export "{name}{tag}.select") {head} '
                             f"(select (i32.const 5) (i32.const 6) {test}))")  # fmt: skip
            functions.append(f'(func (export "{name}{tag}.tee") {head} (local i32) (block (br_if 0 (local.tee 2 {test})) '
                             "(return (local.get 2))) (i32.add (local.get 2) (i32.const 10)))")  # fmt: skip
            for shape in ("if", "br", "value", "select", "tee"):
                calls += [(f"{name}{tag}.{shape}", [a, b]) for a in small for b in small[::2]]
    compare(wasmtime.wat2wasm(f"(module {' '.join(functions)})"), calls)

"""Modules that must be refused, each with its reason; mutated modules get the verdict that wasmtime gives."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest
import wasmtime

from tests.guest.wasm_native import WAT, Script, build, engine

HEADER = b"\0asm\1\0\0\0"


def verdict(module: bytes) -> str:
    first, _ = Script().run(module)
    return first.removeprefix("load WASM module load failed: ")


def section(number: int, payload: bytes) -> bytes:
    assert len(payload) < 128
    return bytes([number, len(payload)]) + payload


TYPE_NONE = section(1, b"\1\x60\0\0")
FUNCTION = section(3, b"\1\0")


def code(body: bytes) -> bytes:
    return section(10, b"\1" + bytes([len(body)]) + body)


MALFORMED = {
    "empty": (b"", "magic header not detected"),
    "not wasm": (b"\x7fELF\2\1\1\0", "magic header not detected"),
    "version": (b"\0asm\2\0\0\0", "unknown binary version"),
    "cut header": (b"\0asm\1\0", "unknown binary version"),
    "section id": (HEADER + b"\x0e\0", "invalid section id"),
    "section too long": (HEADER + b"\1\5\1\x60\0\0", "unexpected end"),
    "section too short": (HEADER + b"\1\3\1\x60\0\0", "unexpected end"),
    "junk in section": (HEADER + section(1, b"\1\x60\0\0\0"), "section size mismatch"),
    "order": (
        HEADER + section(5, b"\1\0\1") + section(4, b"\1\x70\0\1"),
        "unexpected content after last section",
    ),
    "twice": (HEADER + TYPE_NONE + TYPE_NONE, "unexpected content after last section"),
    "type flag": (HEADER + section(1, b"\1\x5f\0\0"), "invalid type flag"),
    "value type": (HEADER + section(1, b"\1\x60\1\x7a\0"), "invalid value type"),
    "no code": (HEADER + TYPE_NONE + FUNCTION, "function and code section have inconsistent lengths"),
    "code without function": (
        HEADER + TYPE_NONE + code(b"\0\x0b"),
        "function and code section have inconsistent lengths",
    ),
    "long number": (HEADER + section(1, b"\x81\x80\x80\x80\x80\0"), "integer representation too long"),
    "large number": (HEADER + section(1, b"\x81\x80\x80\x80\x10"), "integer too large"),
    "import kind": (HEADER + section(2, b"\1\1a\1b\5\0"), "invalid import kind"),
    "utf-8": (HEADER + TYPE_NONE + section(2, b"\1\1\xff\1b\0\0"), "invalid UTF-8 encoding"),
    "utf-8 in custom": (HEADER + section(0, b"\2\xc3\x28"), "invalid UTF-8 encoding"),
    "limits flag": (HEADER + section(5, b"\1\2\1"), "integer too large"),
    "mutability": (HEADER + section(6, b"\1\x7f\2\x41\0\x0b"), "invalid mutability"),
    "no end": (HEADER + TYPE_NONE + FUNCTION + code(b"\0\1"), "END opcode expected"),
    "after end": (HEADER + TYPE_NONE + FUNCTION + code(b"\0\x0b\1"), "END opcode expected"),
    "opcode": (HEADER + TYPE_NONE + FUNCTION + code(b"\0\xff\x0b"), "illegal opcode"),
    "simd": (
        HEADER + TYPE_NONE + FUNCTION + code(b"\0\xfd\x0c" + b"\0" * 16 + b"\x1a\x0b"),
        "illegal opcode",
    ),
    "prefixed opcode": (HEADER + TYPE_NONE + FUNCTION + code(b"\0\xfc\x12\x0b"), "illegal opcode"),
    "too many locals": (
        HEADER + TYPE_NONE + FUNCTION + code(b"\1\xff\xff\xff\xff\x0f\x7f\x0b"),
        "too many locals",
    ),
    "data count alone": (
        HEADER + section(12, b"\1"),
        "data count and data section have inconsistent lengths",
    ),
    "element kind": (
        HEADER + section(4, b"\1\x70\0\1") + section(9, b"\1\x08\0"),
        "invalid elements segment kind",
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed(name: str) -> None:
    module, message = MALFORMED[name]
    assert verdict(module) == message


INVALID = {
    "(func (result i32))": "type mismatch",
    "(func (i32.const 1))": "type mismatch",
    "(func (drop))": "type mismatch",
    "(func (result i32) (i64.const 1))": "type mismatch",
    "(func (drop (i32.add (i32.const 1) (f32.const 1))))": "type mismatch",
    "(func (local.set 0 (i32.const 1)))": "unknown local",
    "(func (param i64) (local.set 0 (i32.const 1)))": "type mismatch",
    "(func (br 1))": "unknown label",
    "(func (block (result i32) (br 0)))": "type mismatch",
    "(func (if (result i32) (i32.const 1) (then (i32.const 2))) drop)": "type mismatch",
    "(func (i32.const 0) (if (result i32) (then (i32.const 1)) (else (i64.const 1))) drop)": "type mismatch",
    "(func (block (br_table 0 1 (i32.const 0))) (block (result i32) (br_table 0 1 (i32.const 1) (i32.const 0))) drop)":
        "type mismatch",
    "(func (call 7))": "unknown function",
    "(func (call_indirect (i32.const 0)))": "unknown table",
    "(func (drop (i32.load (i32.const 0))))": "unknown memory",
    "(func (drop (memory.size)))": "unknown memory",
    "(func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0)))": "unknown memory",
    "(memory 1) (func (drop (i32.load align=8 (i32.const 0))))": "alignment must not be larger than natural",
    "(func (global.set 0 (i32.const 1)))": "unknown global",
    "(global i32 (i32.const 1)) (func (global.set 0 (i32.const 1)))": "global is immutable",
    "(global i32 (i64.const 1))": "type mismatch",
    "(global i32 (i32.clz (i32.const 1)))": "constant expression required",
    "(global $a i32 (i32.const 1)) (global i32 (global.get $a))": "unknown global",
    "(memory 1) (memory 1)": "multiple memories",
    "(memory 65537)": "memory size must be at most 65536 pages (4GiB)",
    "(memory 2 1)": "size minimum must not be greater than maximum",
    "(table 2 1 funcref)": "size minimum must not be greater than maximum",
    '(func) (export "a" (func 0)) (export "a" (func 0))': "duplicate export name",
    '(export "a" (func 0))': "unknown function",
    "(func (param i32)) (start 0)": "invalid start function",
    "(func $f) (func (drop (ref.func $f)))": "undeclared function reference",
    "(func (select (ref.null func) (ref.null func) (i32.const 0)) drop)": "type mismatch",
    "(func (drop (ref.is_null (i32.const 0))))": "type mismatch",
    "(table 1 externref) (func (call_indirect (i32.const 0)))": "type mismatch",
    "(table 1 externref) (func $f) (elem (i32.const 0) func $f)": "type mismatch",
    "(table 1 funcref) (table 1 externref) (func (table.copy 0 1 (i32.const 0) (i32.const 0) (i32.const 0)))":
        "type mismatch",
    "(table 1 funcref) (func (table.set 0 (i32.const 0) (ref.null extern)))": "type mismatch",
    "(func (elem.drop 0))": "unknown elem segment",
    "(data (i32.const 0) \"a\")": "unknown memory",
    "(elem (i32.const 0) func)": "unknown table",
    "(func (loop (param i32) (drop)))": "type mismatch",
    "(func (unreachable) (i32.add (i64.const 1)) (drop))": "type mismatch",
    "(func (result i32) (unreachable) (i64.const 1))": "type mismatch",
    '(import "a" "b" (global i32))': "unknown import",
    '(import "env" "memory" (memory 1))': "unknown import",
}  # fmt: skip


@pytest.mark.parametrize("text", INVALID)
def test_invalid(text: str) -> None:
    module = wasmtime.wat2wasm(f"(module {text})")
    assert verdict(module) == INVALID[text]


def test_data_instructions_need_the_data_count_section() -> None:
    module = wasmtime.wat2wasm('(module (memory 1) (data "a") (func (data.drop 0)))')
    assert verdict(module) == "ok"
    start = module.index(b"\x0c\x01\x01")
    assert verdict(module[:start] + module[start + 3 :]) == "data count section required"


def modules(shared: Path) -> list[bytes]:
    texts = [wasmtime.wat2wasm(path.read_text()) for path in sorted(WAT.glob("*.wat"))]
    return texts + [path.read_bytes() for path in sorted((shared / "wasm").glob("*.wasm"))]


@pytest.mark.parametrize("seed", [1, 2])
def test_mutated_modules(shared: Path, tmp_path: Path, seed: int) -> None:
    """No mutation crashes the loader, the translator or instantiation; validity is what wasmtime says it is."""
    judge, valid = engine(), 0
    for module in modules(shared):
        (tmp_path / "module.wasm").write_bytes(module)
        command = [
            str(build("mutate_main.c")),
            str(tmp_path / "module.wasm"),
            str(seed),
            "500",
            str(tmp_path / "dump"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr[-3000:]
        dump, at = (tmp_path / "dump").read_bytes(), 0
        while at < len(dump):
            mine = dump[at] == 1
            (length,) = struct.unpack_from("<I", dump, at + 1)
            copy = dump[at + 5 : at + 5 + length]
            at += 5 + length
            valid += mine
            assert mine == accepts(judge, copy), copy.hex()
    assert valid > 1000


def accepts(judge: wasmtime.Engine, module: bytes) -> bool:
    try:
        wasmtime.Module.validate(judge, module)
    except wasmtime.WasmtimeError:
        return False
    return True

"""iwasm-plain built natively: options, output, exit statuses, the `env` natives, the modules of ../shared/wasm."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import wasmtime

from tests.guest.wasm_native import build

FLAGS = ("-O0", "-fsanitize=undefined", "-fno-sanitize-recover=all")
CASES_MAIN = """Case non-zero|Case 0|Case non-zero|Case 1|Case 2|Case Not 1 or 2|Code branched|Code in loop|Case Not 1 or 2|\
Code in outer loop|Code in loop|Code branched|Code in outer loop|Code in loop|Code branched|Code in outer loop|Code in loop|\
Code in loop|Code in outer loop|Code in loop|Code in loop|Case 0|Case 1|Case 2|Case default|\
Do indirect test calls indirect mult(testvar*2) and returns the result""".replace("|", "\n")


def iwasm(*arguments: object, text: str = "") -> tuple[int, str, str]:
    command = [str(build("plain_main.c", FLAGS)), *map(str, arguments)]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def wat(tmp_path: Path):
    def make(text: str) -> Path:
        (tmp_path / "module.wasm").write_bytes(wasmtime.wat2wasm(text))
        return tmp_path / "module.wasm"

    return make


@pytest.mark.parametrize(
    ("module", "output", "status"),
    [
        ("hello_wamr", 'printf() says "Hello WAMR!"\n', 1),
        ("simple", "", 3),
        ("hello_no_libc", "Hello WAMR!\n", 0),
        ("call_indirect_example", "", 101),
        ("control_instrs", CASES_MAIN + "\n", 0),
    ],
)
def test_shared_modules(shared: Path, module: str, output: str, status: int) -> None:
    assert iwasm(shared / "wasm" / f"{module}.wasm") == (status, output, "")


def test_clock_and_random(shared: Path) -> None:
    status, output, _ = iwasm(shared / "wasm" / "wasi_clock.wasm")
    assert status == 0
    assert [line.split(" [")[0].endswith("PASS") for line in output.splitlines()] == [False, True] * 4
    status, output, _ = iwasm(shared / "wasm" / "wasi_random.wasm")
    assert status == 0
    assert len(re.findall(r"^Random: \d+$", output, re.M)) == 5


@pytest.mark.parametrize(
    ("arguments", "last"),
    [
        ("do_test_if 1", ""),
        ("do_br_table 3", ""),
        ("do_call_indirect 10", "0x14:i32"),
        ("do_test_if_else 0", ""),
    ],
)
def test_functions_of_control_instrs(shared: Path, arguments: str, last: str) -> None:
    name, value = arguments.split()
    status, output, _ = iwasm("-f", name, shared / "wasm" / "control_instrs.wasm", value)
    assert status == 0
    assert not last or last in output.splitlines()


def test_results_are_printed(wat) -> None:  # type: ignore[no-untyped-def]
    module = wat("""(module
        (func (export "all") (param i32 i64 f32 f64) (result i32 i64 f32 f64)
          (local.get 0) (local.get 1) (local.get 2) (local.get 3))
        (func $f (export "refs") (param externref) (result funcref externref funcref externref)
          (ref.func $f) (local.get 0) (ref.null func) (ref.null extern))
        (func (export "none")) (func (export "trap") (unreachable)))""")
    arguments = ("0x10", "-1", "1.5", "3.14159265358979")
    expected = "0x10:i32,0xffffffffffffffff:i64,1.5:f32,3.141593:f64\n"
    assert iwasm("-f", "all", module, *arguments) == (0, expected, "")
    expected = "1:ref.func,0x11:ref.extern,func:ref.null,extern:ref.null\n"
    assert iwasm("-f", "refs", module, "0x11") == (0, expected, "")
    assert iwasm("-f", "none", module) == (0, "\n", "")
    assert iwasm("-f", "trap", module) == (1, "Exception: unreachable\n", "")
    assert iwasm("-f", "nothing", module) == (1, "Exception: lookup function nothing failed\n", "")
    assert iwasm("-f", "all", module, "1") == (1, "Exception: invalid input argument count\n", "")
    assert iwasm("-f", "all", module, "1", "x", "1", "1") == (
        1,
        "Exception: invalid input argument 1: x\n",
        "",
    )
    status, output, _ = iwasm("--repl", module, text="none\n\nall 1 2 3 4\ntrap\nbad\n__exit__\nnone\n")
    assert status == 0
    assert output.replace("webassembly> ", "") == (
        "\n0x1:i32,0x2:i64,3:f32,4:f64\nException: unreachable\nException: lookup function bad failed\n"
    )


GROW = """(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32))) (memory (export "memory") 1) {}
    (func (export "_start") (call $exit (memory.grow (i32.const 1)))))"""


@pytest.mark.parametrize(
    ("options", "extra", "status"),
    [
        ((), "", 2),  # the app heap is one more page
        (("--heap-size=0",), "", 1),
        (("--heap-size=70000",), "", 3),
        (
            (),
            '(func (export "malloc") (param i32) (result i32) (i32.const 0)) (func (export "free") (param i32))',
            1,
        ),
        ((), '(global (export "__heap_base") i32 (i32.const 1024))', 1),
        ((), '(global (export "__heap_base") i32 (i32.const 60000))', 2),
    ],
)
def test_app_heap_pages(wat, options: tuple[str, ...], extra: str, status: int) -> None:  # type: ignore[no-untyped-def]
    assert iwasm(*options, wat(GROW.format(extra)))[0] == status


def test_main_with_arguments(wat) -> None:  # type: ignore[no-untyped-def]
    module = wat("""(module (import "env" "puts" (func $puts (param i32) (result i32))) (memory 1)
        (func (export "main") (param i32 i32) (result i32)
          (loop
            (drop (call $puts (i32.load (local.get 1))))
            (local.set 1 (i32.add (local.get 1) (i32.const 4)))
            (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
          (i32.load (local.get 1))))""")
    assert iwasm(module, "one", "two words") == (0, f"{module}\none\ntwo words\n", "")


def env_program(calls: str, data: str, imports: str) -> str:
    return f"""(module {imports} (memory 1) {data} (func (export "main") {calls}))"""


def test_printf(wat) -> None:  # type: ignore[no-untyped-def]
    formats = r"%d|%5d|%-5d|%05u|%x|%#X|%c|%s|%.3s|%8s|%-8s|%lld|%llx|%f|%.2e|%g|%%|%ld|%p|%*d"
    stores = """(i32.store (i32.const 512) (i32.const -7)) (i32.store (i32.const 516) (i32.const 42))
        (i32.store (i32.const 520) (i32.const 43)) (i32.store (i32.const 524) (i32.const 44))
        (i32.store (i32.const 528) (i32.const 0xbeef)) (i32.store (i32.const 532) (i32.const 0xbeef))
        (i32.store (i32.const 536) (i32.const 65))
        (i32.store (i32.const 540) (i32.const 300)) (i32.store (i32.const 544) (i32.const 300))
        (i32.store (i32.const 548) (i32.const 300)) (i32.store (i32.const 552) (i32.const 300))
        (i64.store (i32.const 560) (i64.const -123456789012)) (i64.store (i32.const 568) (i64.const 0x123456789abc))
        (f64.store (i32.const 576) (f64.const 2.5)) (f64.store (i32.const 584) (f64.const 12345.678))
        (f64.store (i32.const 592) (f64.const 0.0001)) (i32.store (i32.const 600) (i32.const -9))
        (i32.store (i32.const 604) (i32.const 0x1234)) (i32.store (i32.const 608) (i32.const 4))
        (i32.store (i32.const 612) (i32.const 5))"""
    imports = '(import "env" "printf" (func $printf (param i32 i32) (result i32)))'
    data = f'(data (i32.const 1024) "{formats}\\0a\\00") (data (i32.const 300) "hello\\00")'
    module = wat(
        env_program(f"{stores} (drop (call $printf (i32.const 1024) (i32.const 512)))", data, imports)
    )
    expected = (
        "-7|   42|43   |00044|beef|0XBEEF|A|hello|hel|   hello|hello   |-123456789012|123456789abc|2.500000|1.23e+04|0.0001|"
        "%|-9|0x1234|   5\n"
    )
    assert iwasm(module) == (0, expected, "")


STRING_CALLS = [
    ("strlen", "(i32.const 100)", 5), ("strcmp", "(i32.const 100) (i32.const 110)", None),
    ("strncmp", "(i32.const 100) (i32.const 110) (i32.const 3)", 0), ("memcmp", "(i32.const 100) (i32.const 100) (i32.const 6)", 0),
    ("strchr", "(i32.const 100) (i32.const 108)", 102), ("strchr", "(i32.const 100) (i32.const 122)", 0),
    ("memchr", "(i32.const 100) (i32.const 111) (i32.const 6)", 104), ("strstr", "(i32.const 100) (i32.const 120)", 102),
    ("strspn", "(i32.const 100) (i32.const 130)", 2), ("strcspn", "(i32.const 100) (i32.const 120)", 2),
    ("atoi", "(i32.const 140)", -123), ("strtol", "(i32.const 150) (i32.const 0) (i32.const 16)", 0x1F),
    ("strtoul", "(i32.const 160) (i32.const 0) (i32.const 10)", -1), ("isdigit", "(i32.const 55)", 1),
    ("isalpha", "(i32.const 55)", 0), ("isspace", "(i32.const 10)", 1), ("toupper", "(i32.const 97)", 65),
    ("tolower", "(i32.const 90)", 122), ("isxdigit", "(i32.const 70)", 1), ("isprint", "(i32.const 127)", 0),
    ("strcpy", "(i32.const 400) (i32.const 100)", 400), ("strncpy", "(i32.const 400) (i32.const 100) (i32.const 20)", 400),
    ("memset", "(i32.const 400) (i32.const 7) (i32.const 20)", 400), ("memcpy", "(i32.const 400) (i32.const 100) (i32.const 6)", 400),
    ("strcat", "(i32.const 400) (i32.const 100)", 400), ("memmove", "(i32.const 401) (i32.const 400) (i32.const 9)", 401),
]  # fmt: skip


def test_string_functions(wat) -> None:  # type: ignore[no-untyped-def]
    signatures = {name: " ".join(["i32"] * args.count("(")) for name, args, _ in STRING_CALLS}
    imports = " ".join(
        f'(import "env" "{n}" (func ${n} (param {p}) (result i32)))' for n, p in signatures.items()
    )
    strings = {
        100: "hello",
        110: "helicopter",
        120: "ll",
        130: "eh",
        140: " -123x",
        150: "0x1fz",
        160: "99999999999",
    }
    data = " ".join(f'(data (i32.const {at}) "{text}\\00")' for at, text in strings.items())
    functions = " ".join(
        f'(func (export "t{i}") (result i32) (call ${name} {args}))'
        for i, (name, args, _) in enumerate(STRING_CALLS)
    )
    module = wat(f'(module {imports} (memory 1) {data} {functions} (func (export "peek") (param i32) (result i32) '
                 "(i32.load8_u (local.get 0))))")  # fmt: skip
    lines = "".join(f"t{i}\n" for i in range(len(STRING_CALLS))) + "peek 401\npeek 405\n"
    _, output, _ = iwasm("--repl", module, text=lines)
    results = [int(word, 16) for word in re.findall(r"0x([0-9a-f]+):i32", output)]
    assert len(results) == len(STRING_CALLS) + 2, output
    for (name, _, expected), result in zip(STRING_CALLS, results, strict=False):
        if expected is not None:
            assert result == expected & 0xFFFFFFFF, name
    assert results[-2:] == [ord("h"), ord("o")]


def test_app_heap(wat) -> None:  # type: ignore[no-untyped-def]
    """Blocks do not overlap, freed room is found again, realloc keeps contents, bad frees do no harm."""
    module = wat("""(module
        (import "env" "malloc" (func $malloc (param i32) (result i32)))
        (import "env" "calloc" (func $calloc (param i32 i32) (result i32)))
        (import "env" "realloc" (func $realloc (param i32 i32) (result i32)))
        (import "env" "free" (func $free (param i32)))
        (import "env" "abort" (func $abort)) (import "env" "exit" (func $exit (param i32)))
        (memory 1)
        (func (export "malloc") (param i32) (result i32) (call $malloc (local.get 0)))
        (func (export "release") (param i32) (call $free (local.get 0)))
        (func (export "poke") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
        (func (export "peek") (param i32) (result i32) (i32.load (local.get 0)))
        (func (export "calloc") (param i32 i32) (result i32) (call $calloc (local.get 0) (local.get 1)))
        (func (export "realloc") (param i32 i32) (result i32) (call $realloc (local.get 0) (local.get 1)))
        (func (export "abort") (call $abort)) (func (export "exit") (call $exit (i32.const 3))))""")
    lines = "malloc 100\nmalloc 100\npoke 0x10008 77\nrealloc 0x10008 200\npeek 0x100d8\nmalloc 90\ncalloc 4 100000\n"
    lines += "malloc 0x7fffffff\nrelease 12345\nrelease 0x10009\npoke 0x10000 0xffffffff\nmalloc 5000\nabort\nexit\n"
    _, output, _ = iwasm("--repl", module, text=lines)
    found = re.findall(r"0x([0-9a-f]+):i32|(Exception: .*)", output)
    values = [int(a, 16) if a else b for a, b in found]
    assert values == [
        0x10008,
        0x10078,
        0x100E8,
        0,
        0x10008,
        0,
        0,
        0,
        "Exception: env.abort()",
        "Exception: env.exit(3)",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nonsense"], "unknown option: --nonsense"),
        (["--wamr-lib=x", "y"], "unknown option: --wamr-lib=x"),
        ([], "no wasm file given (try --help)"),
        (["-f"], "option needs a value: -f"),
        (["-v=6", "x"], "log level is not 0 to 5: 6"),
        (["--env=novalue", "x"], "environment string is not KEY=VALUE: novalue"),
        (["--stack-size=big", "x"], "stack size is not a number: big"),
    ],
)
def test_wrong_options(arguments: list[str], message: str) -> None:
    assert iwasm(*arguments) == (1, "", f"iwasm: {message}\n")


def test_help_and_version() -> None:
    status, output, _ = iwasm("--help")
    assert status == 1
    assert output.startswith("Usage: iwasm")
    assert iwasm("--version") == (0, "iwasm 0.1.0\n", "")


def test_bad_files(tmp_path: Path, wat) -> None:  # type: ignore[no-untyped-def]
    missing = tmp_path / "missing.wasm"
    assert iwasm(missing) == (255, "", f"iwasm: cannot read {missing}: No such file or directory\n")
    assert iwasm(tmp_path) == (255, "", f"iwasm: cannot read {tmp_path}: Is a directory\n")
    (tmp_path / "text.wasm").write_text("not wasm at all")
    expected = "iwasm: WASM module load failed: magic header not detected\n"
    assert iwasm(tmp_path / "text.wasm") == (255, "", expected)
    (tmp_path / "empty.wasm").write_text("")
    assert iwasm(tmp_path / "empty.wasm") == (255, "", expected)
    module = wat(GROW.format(""))
    expected = f"iwasm: WASM module instantiate failed: error while pre-opening directory {missing}\n"
    assert iwasm(f"--dir={missing}", module) == (255, "", expected)
    message = "lookup the entry point symbol (like _start, main, _main, __main_argc_argv) failed"
    assert iwasm(wat("(module)")) == (1, f"Exception: {message}\n", "")


def test_unlinked_import_warns_and_traps(wat) -> None:  # type: ignore[no-untyped-def]
    module = wat('(module (import "env" "nothing" (func $f)) (func (export "main") (call $f)))')
    status, output, _ = iwasm(module)
    assert status == 1
    warning, exception = output.splitlines()
    assert warning.endswith("warning: failed to link import function (env, nothing)")
    assert exception == "Exception: failed to call unlinked import function"
    assert iwasm("-v=0", module)[1].splitlines() == [exception]

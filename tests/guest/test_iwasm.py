"""The whole system: `iwasm` (Executive) drives `libiwasm.so` (Restricted); `iwasm-plain` does without both."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

RunMorello = Callable[..., "subprocess.CompletedProcess[str]"]
REPOSITORY = Path(__file__).resolve().parents[2]
IMAGES = REPOSITORY / "images"
LIBRARY = f"--wamr-lib={IMAGES / 'libiwasm.so'}"
FLAVOURS = {"iwasm": [IMAGES / "iwasm", LIBRARY], "iwasm-plain": [IMAGES / "iwasm-plain"]}

CONTROL_LINES = """
Case non-zero; Case 0; Case non-zero; Case 1; Case 2; Case Not 1 or 2; Code branched; Code in loop;
Case Not 1 or 2; Code in outer loop; Code in loop; Code branched; Code in outer loop; Code in loop;
Code branched; Code in outer loop; Code in loop; Code in loop; Code in outer loop; Code in loop;
Code in loop; Case 0; Case 1; Case 2; Case default;
Do indirect test calls indirect mult(testvar*2) and returns the result
"""
CLOCK_LINES = [
    title + suffix
    for title in (
        "Test monotonic clock resolution",
        "Test realtime clock resolution",
        "Test monotonic clock delta",
    )
    for suffix in ("", " PASS")
] + ["Test realtime clock value", r"Test realtime clock PASS \[secs=\d+\]"]


@pytest.fixture(params=sorted(FLAVOURS))
def iwasm(request: pytest.FixtureRequest, run_morello: RunMorello) -> RunMorello:
    """`iwasm(arguments…)` on one of the two flavours."""
    command = FLAVOURS[request.param]
    return lambda *arguments: run_morello("run", *command, *arguments)


def _lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.split(";")]


@pytest.mark.parametrize(
    ("module", "arguments", "lines", "status"),
    [
        ("hello_wamr", [], [r'printf\(\) says "Hello WAMR!"'], 1),
        ("simple", [], [], 3),
        ("hello_no_libc", [], ["Hello WAMR!"], 0),
        ("call_indirect_example", [], [], 101),
        ("control_instrs", [], [re.escape(line) for line in _lines(CONTROL_LINES)], 0),
        ("wasi_clock", [], CLOCK_LINES, 0),
        ("wasi_random", [], [r"Random: -?\d+"] * 5, 0),
        ("control_instrs", ["-f", "do_br_table", "3"], ["Case default", "0x0:i32"], 0),
        ("control_instrs", ["-f", "do_call_indirect", "10"], [".*", "0x14:i32"], 0),
    ],
)
def test_modules_of_the_original(
    iwasm: RunMorello, shared: Path, module: str, arguments: list[str], lines: list[str], status: int
) -> None:
    options, rest = (arguments[:2], arguments[2:]) if arguments else ([], [])
    done = iwasm(*options, shared / "wasm" / f"{module}.wasm", *rest)
    assert done.returncode == status, done.stderr
    printed = done.stdout.splitlines()
    assert len(printed) == len(lines), done.stdout
    for wanted, line in zip(lines, printed, strict=True):
        assert re.fullmatch(wanted, line), line


def test_the_runtime_runs_restricted_and_makes_no_system_call(run_morello: RunMorello) -> None:
    hello = IMAGES / "hello.wasm"
    done = run_morello("run", "--strict-restricted=fault", "--stats", IMAGES / "iwasm", LIBRARY, hello)
    assert (done.returncode, done.stdout) == (0, "Hello from WebAssembly inside a Morello compartment\n"), (
        done.stderr
    )
    assert re.search(r"\d+ compartment crossings", done.stderr)


def test_two_runs_are_the_same_instruction_for_instruction(run_morello: RunMorello) -> None:
    command = ["run", "--stats", IMAGES / "iwasm", LIBRARY, IMAGES / "hello.wasm"]
    counts = [
        re.findall(r"[\d.,]+ M instructions|\d+ \w+ crossings", run_morello(*command).stderr)
        for _ in range(2)
    ]
    assert counts[0] == counts[1] != []


def test_relocation_patches_are_shown(run_morello: RunMorello) -> None:
    done = run_morello("run", IMAGES / "iwasm", "-v=6", LIBRARY, "--version")
    assert done.returncode == 0, done.stderr
    for wanted in (
        "Dump libs phdrs:",
        "Dump reloc tables:",
        "Type: LOAD",
        "R_MORELLO_RELATIVE",
        "slots made Restricted",
    ):
        assert wanted in done.stdout, wanted
    patched = re.findall(r"-> (0x[0-9a-f]+ \[\w*)", done.stdout)
    assert len(patched) > 500
    assert not [line for line in patched if "E" in line.split("[")[1]]
    assert re.search(r"^iwasm \d+\.\d+\.\d+$", done.stdout, re.MULTILINE)


@pytest.fixture(scope="module")
def faulty_library(tmp_path_factory: pytest.TempPathFactory, run_morello: RunMorello) -> Path:
    library = tmp_path_factory.mktemp("faulty") / "libfaulty.so"
    sources = [REPOSITORY / "guest/examples/faulty_compartment.c", REPOSITORY / "guest/compartment/entry.S"]
    built = run_morello("cc", "-shared", "-o", library, *sources)
    assert built.returncode == 0, built.stderr
    return library


def test_the_manager_survives_a_fault_in_its_compartment(
    run_morello: RunMorello, faulty_library: Path
) -> None:
    done = run_morello("run", IMAGES / "iwasm", f"--wamr-lib={faulty_library}", IMAGES / "hello.wasm")
    assert (done.returncode, done.stdout) == (70, "")
    assert "the compartment was stopped: capability bounds fault (SIGSEGV, SEGV_CAPBOUNDSERR)" in done.stderr
    assert "the manager goes on" in done.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "WASM module load failed"),
        (b"not wasm at all", "WASM module load failed: magic header not detected"),
        (b"\0asm\1\0\0\0\1", "WASM module load failed"),
        (b"\0asm\2\0\0\0", "WASM module load failed: unknown binary version"),
    ],
)
def test_broken_modules_get_one_sentence(
    iwasm: RunMorello, tmp_path: Path, content: bytes, message: str
) -> None:
    broken = tmp_path / "broken.wasm"
    broken.write_bytes(content)
    done = iwasm(broken)
    assert (done.returncode, done.stdout) == (255, "")
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr


def test_missing_files_and_wrong_options(iwasm: RunMorello, run_morello: RunMorello) -> None:
    done = iwasm("no-such-file.wasm")
    assert (done.returncode, done.stderr.splitlines()) == (
        255,
        ["iwasm: cannot read no-such-file.wasm: No such file or directory"],
    )
    assert iwasm("--no-such-option", IMAGES / "hello.wasm").returncode == 1
    missing = run_morello("run", IMAGES / "iwasm", "--wamr-lib=./nothing.so", IMAGES / "hello.wasm")
    assert missing.returncode == 255
    assert "nothing.so" in missing.stderr and len(missing.stderr.splitlines()) == 1

"""The whole system: `iwasm` (Executive) drives `libiwasm.so` (Restricted); `iwasm-plain` does without both.

What the modules of the CHERI-WAMR tests print is in wasm_modules.morello.toml.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from emulator.testing.fixture import RUNTIMES, Morello

RunMorello = Callable[..., "subprocess.CompletedProcess[str]"]
REPOSITORY = Path(__file__).resolve().parents[2]
IMAGES = REPOSITORY / "images"
LIBRARY = f"--wamr-lib={IMAGES / 'libiwasm.so'}"
FLAVOURS = {"iwasm": [IMAGES / "iwasm", LIBRARY], "iwasm-plain": [IMAGES / "iwasm-plain"]}


@pytest.fixture(params=sorted(FLAVOURS))
def iwasm(request: pytest.FixtureRequest, run_morello: RunMorello) -> RunMorello:
    """`iwasm(arguments…)` on one of the two flavours."""
    command = FLAVOURS[request.param]
    return lambda *arguments: run_morello("run", *command, *arguments)


def test_the_runtime_runs_restricted_and_makes_no_system_call(run_morello: RunMorello) -> None:
    hello = IMAGES / "hello.wasm"
    done = run_morello("run", "--strict-restricted=fault", "--stats", IMAGES / "iwasm", LIBRARY, hello)
    assert (done.returncode, done.stdout) == (0, "Hello from WebAssembly inside a Morello compartment\n"), (
        done.stderr
    )
    assert re.search(r"\d+ compartment crossings", done.stderr)


def test_two_runs_are_the_same_instruction_for_instruction(morello: Morello) -> None:
    first, second = (morello.wasm(IMAGES / "hello.wasm") for _ in range(2))
    assert (first.instructions, first.crossings) == (second.instructions, second.crossings)
    assert first.crossings > 0 and first.stdout == second.stdout


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


def test_the_manager_survives_a_fault_in_its_compartment(morello: Morello) -> None:
    sources = ("../../guest/examples/faulty_compartment.c", "../../guest/compartment/entry.S")
    library = morello.cc(*sources, flags="-shared", name="libfaulty.so")
    done = morello.wasm(IMAGES / "hello.wasm", library=library)
    assert (done.status, done.stdout) == (70, "")
    assert "the compartment was stopped: capability bounds fault (SIGSEGV, SEGV_CAPBOUNDSERR)" in done.stderr
    assert "the manager goes on" in done.stderr
    fault = done.expect_fault("bounds", symbol="write_at", restricted=True)
    assert fault.handled and fault.image == "libfaulty.so"


@pytest.mark.parametrize("runtime", RUNTIMES)
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
    morello: Morello, runtime: str, content: bytes, message: str
) -> None:
    done = morello.wasm(content, runtime=runtime)
    assert (done.status, done.stdout) == (255, "")
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

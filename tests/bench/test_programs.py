"""`morello bench --programs`: snapshots run the same on raw Unicorn, figures and bars, checked results."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from emulator.bench import debian, programs
from emulator.bench.programs import Line, Programs, table
from emulator.bench.snapshot import between_reads
from emulator.cli.main import main
from morello_isa.errors import UserError
from tests.linux.debian import unpacked

REPOSITORY = Path(__file__).resolve().parents[2]

# Reads 4 KiB four times; computes on X and V registers, flags, thread pointer and memory in between.
READER = """
        .arch morello
        .text
        .globl _start
_start: mov     x20, #4
        adrp    x21, buffer
        add     x21, x21, :lo12:buffer
        msr     tpidr_el0, x21
        fmov    d8, #1.5
        mov     x22, #7
1:      mov     x0, #0
        mov     x1, x21
        mov     x2, #4096
        mov     x8, #63
        svc     #0
        mov     x3, #100
2:      madd    x22, x22, x3, x20
        fadd    d8, d8, d8
        fmov    d9, #0.5
        fmul    d8, d8, d9
        mrs     x4, tpidr_el0
        ldr     x5, [x4, #64]
        add     x5, x5, x22
        str     x5, [x4, #64]
        subs    x3, x3, #1
        b.ne    2b
        sub     x20, x20, #1
        cbnz    x20, 1b
        mov     x0, #0
        mov     x8, #93
        svc     #0
        .bss
        .p2align 4
buffer: .zero   4096
"""


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("reader")
    source, obj, program = (folder / name for name in ("reader.s", "reader.o", "reader"))
    source.write_text(READER)
    assert main(["as", "--a64", str(source), "-o", str(obj)]) == 0
    assert main(["ld", "-static", str(obj), "-o", str(program)]) == 0
    program.chmod(0o755)
    return str(program)


def test_a_snapshot_computes_on_raw_unicorn_what_the_process_does(reader: str) -> None:
    first, second = between_reads(reader, [], 1), between_reads(reader, [], 2)
    assert first is not None and second is not None
    assert first.instructions == 1 + 100 * 10 + 2 + 4  # up to the SVC of the next round
    machine = first.machine()
    for _ in range(3):
        machine.set(first.registers)
        machine.run(first.start, first.until)
    buffer = first.registers.x[21]
    machine = first.machine()
    machine.set(first.registers)
    machine.run(first.start, first.until)
    page = next(piece for piece in second.pieces if piece.address <= buffer < piece.address + piece.size)
    wanted = page.data[buffer - page.address :][:4096]
    assert machine.read(buffer, 4096) == wanted
    assert any(wanted[64:72])


def test_a_program_that_reads_too_little_has_no_snapshot(reader: str) -> None:
    assert between_reads(reader, [], 4) is None


@pytest.mark.parametrize(
    ("value", "most", "reached"),
    [(2.0, True, False), (0.5, True, True), (2.0, False, True), (None, True, None)],
)
def test_bars(value: float | None, most: bool, reached: bool | None) -> None:
    line = Line("x", "s", value, 1.0, most, "why")
    assert line.reached is reached
    told = table([line])[1]
    assert ("reached" in told, "missed" in told) == (reached is True, reached is False)
    assert told.endswith("why")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same programs with little to do."""
    monkeypatch.setattr(programs, "RUNS", 1)
    monkeypatch.setattr(programs, "ROUNDS", 1)
    monkeypatch.setattr(programs, "ROUNDS_CRC", "crc 9e58")
    monkeypatch.setattr(programs, "HASHED_BYTES", 1 << 16)
    monkeypatch.setattr(programs, "_CHUNK_RUNS", 2)


@pytest.mark.usefixtures("small")
def test_all_programs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    busybox = str(unpacked("busybox", "busybox-static") / "bin" / "busybox")
    out = tmp_path / "figures.json"
    assert main(["bench", "--programs", "--busybox", busybox, "--json", str(out)]) == 0
    assert "machine load" in capsys.readouterr().out
    lines = json.loads(out.read_text())["programs"]
    by_unit = {line["unit"]: line for line in lines}
    assert by_unit["MiB"]["value"] > 20
    assert by_unit["MIPS"]["value"] > 0
    assert by_unit[""]["value"] > 0
    assert lines[0]["value"] > 0.01


@pytest.mark.usefixtures("small")
def test_without_busybox_a_sentence_stands_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(_folder: Path) -> str:
        raise debian.UnavailableError("no apt on this machine")

    monkeypatch.setattr(debian, "busybox", unavailable)
    steps: list[str] = []
    lines = Programs("reference", steps.append, None, None).measure()
    hashing = next(line for line in lines if line.name.startswith("busybox"))
    assert hashing.value is None
    assert hashing.note.startswith("no apt on this machine; --busybox FILE")
    assert len(steps) >= 3


@pytest.mark.usefixtures("small")
def test_a_wrong_result_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "ROUNDS_CRC", "crc 0000")
    with pytest.raises(UserError, match="printed 'crc 9e58' instead of 'crc 0000'"):
        Programs("fast", lambda _text: None, None, None).measure()


def test_a_program_that_fails_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    module = tmp_path / "broken.wasm"
    module.write_bytes(b"no module")
    assert main(["bench", "--programs", "--module", str(module)]) == 125
    error = capsys.readouterr().err
    assert error.startswith("morello: bench: iwasm failed with status 255: ")
    assert len(error.splitlines()) == 1
    assert main(["bench", "--programs", "--module", str(tmp_path / "none.wasm")]) == 127


def test_the_workload_prints_what_other_engines_print(
    run_morello: Callable[..., object], tmp_path: Path
) -> None:
    """wasmtime runs the same module to the same checksum for the amount of work of the bench."""
    wasmtime = pytest.importorskip("wasmtime")
    engine = wasmtime.Engine()
    store, linker = wasmtime.Store(engine), wasmtime.Linker(engine)
    linker.define_wasi()
    wasi = wasmtime.WasiConfig()
    wasi.argv = ["workload", str(programs.ROUNDS)]
    out = tmp_path / "out"
    wasi.stdout_file = str(out)
    store.set_wasi(wasi)
    module = wasmtime.Module.from_file(engine, str(REPOSITORY / "images" / "workload.wasm"))
    try:
        linker.instantiate(store, module).exports(store)["_start"](store)
    except wasmtime.ExitTrap as end:
        assert end.code == 0
    assert out.read_text().strip() == programs.ROUNDS_CRC


def test_counters_as_json(reader: str, tmp_path: Path) -> None:
    out = tmp_path / "counters.json"
    command = [sys.executable, "-m", "emulator.cli.main", "run", "--stats-json", str(out), reader]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    counters = json.loads(out.read_text())
    assert counters["system_calls"] == 5
    assert counters["instructions"] > 4000
    assert main(["run", "--stats-json", "/nonexistent/x", reader]) == 125

"""Whole programs: start-up of WebAssembly in a compartment, a CPU-bound module, a real Linux program.

Every program runs as a user starts it, as a process of its own. What it computes is checked: a figure of a
wrong result would be worth nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emulator.bench import debian
from emulator.images import image_path
from morello_isa.errors import EXIT_EMULATOR_ERROR, UserError

RUNS = 5
ROUNDS = 350
ROUNDS_CRC = "crc 480d"
"""About 10^9 guest instructions of images/workload.wasm, and what every WebAssembly engine prints then."""
HASHED_BYTES = 64 << 20
_CHUNK_RUNS = 200
BAR_COLD, BAR_WARM = 1.0, 0.6
BAR_MIPS, BAR_RATIO = 300, 0.5
BAR_MEMORY_MIB, BAR_TRANSLATION_US = 300, 25

Step = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Line:
    """One figure: `value` in `unit`, None where it could not be measured (`note` says why)."""

    name: str
    unit: str
    value: float | None
    bar: float
    most: bool
    """The bar is the most that is allowed, not the least."""
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the bar is met."""
        if self.value is None:
            return None
        return self.value <= self.bar if self.most else self.value >= self.bar


@dataclass(frozen=True, slots=True)
class _Run:
    """A finished process: wall seconds from its start to its end, and the counters of the emulator."""

    output: str
    seconds: float
    counters: dict[str, object]

    def number(self, name: str) -> float:
        value = self.counters[name]
        assert isinstance(value, (int, float))
        return value

    @property
    def mips(self) -> float:
        """Million guest instructions per second of CPU time, start of the emulator not included."""
        return self.number("instructions") / max(self.number("cpu_seconds"), 1e-9) / 1e6

    @property
    def memory_mib(self) -> float:
        """Peak resident memory."""
        return self.number("peak_memory") / (1 << 20)

    @property
    def translation_us(self) -> float | None:
        """Of translating one guest instruction; None when the engine doesn't count that or had none to do."""
        engine = self.counters["engine"]
        assert isinstance(engine, dict)
        count, seconds = engine.get("instructions"), engine.get("seconds")
        return 1e6 * seconds / count if count and seconds else None


class Programs:
    """Runs the programs on one engine; `step` is told what begins."""

    def __init__(self, engine: str, step: Step, module: str | None, busybox: str | None) -> None:
        self._engine = engine
        self._step = step
        self._module = module or str(image_path("hello.wasm"))
        self._busybox = busybox
        self._memory: list[float] = []

    def measure(self) -> list[Line]:
        """All figures."""
        with tempfile.TemporaryDirectory(prefix="morello-bench-") as folder:
            lines = [*self._start(Path(folder)), self._workload(Path(folder)), self._hash(Path(folder))]
        most = max(self._memory) if self._memory else None
        return [*lines, Line("memory, the most of all programs", "MiB", most, BAR_MEMORY_MIB, True)]

    def _start(self, folder: Path) -> list[Line]:
        """Cold: with an empty cache folder each time. Warm: again with the last one, if anything is in it."""
        self._step("WebAssembly in a compartment, cold")
        name = f"{Path(self._module).name} through iwasm and libiwasm.so, start included"
        cold = []
        for number in range(RUNS):
            cache = folder / f"cache{number}"
            cache.mkdir()
            cold.append(self._run(folder, cache, *_iwasm(), self._module))
        lines = [Line(f"{name}, cold", "s", _median([r.seconds for r in cold]), BAR_COLD, True)]
        note, warm = "this engine keeps nothing on disk", None
        if any(cache.rglob("*")):
            self._step("WebAssembly in a compartment, warm")
            note, warm = (
                "",
                _median([self._run(folder, cache, *_iwasm(), self._module).seconds for _ in range(RUNS)]),
            )
        lines.append(Line(f"{name}, warm", "s", warm, BAR_WARM, True, note))
        prices = [r.translation_us for r in cold]
        price = _median([p for p in prices if p is not None]) if None not in prices else None
        note = "" if price is not None else "the engine doesn't tell"
        lines.append(Line("translation of a guest instruction", "us", price, BAR_TRANSLATION_US, True, note))
        return lines

    def _workload(self, folder: Path) -> Line:
        self._step("CPU-bound WebAssembly")
        run = self._run(folder, folder / "cache0", *_iwasm(), str(image_path("workload.wasm")), str(ROUNDS))
        _same(run.output.strip(), ROUNDS_CRC, "workload.wasm")
        count = run.number("instructions") / 1e9
        return Line(
            f"workload.wasm, {ROUNDS} rounds, {count:.2f} G instructions", "MIPS", run.mips, BAR_MIPS, False
        )

    def _hash(self, folder: Path) -> Line:
        self._step("busybox sha256sum")
        name = f"busybox sha256sum of {HASHED_BYTES >> 20} MiB, part of raw Unicorn's speed"
        try:
            busybox = self._busybox or debian.busybox(folder)
        except debian.UnavailableError as error:
            return Line(name, "", None, BAR_RATIO, False, f"{error}; --busybox FILE names a static arm64 one")
        data = folder / "data"
        content = bytes(range(256)) * (HASHED_BYTES >> 8)
        data.write_bytes(content)
        raw = raw_hash_mips(busybox, data)
        run = self._run(folder, folder / "cache0", busybox, "sha256sum", str(data))
        _same(run.output.split(" ")[0], hashlib.sha256(content).hexdigest(), "sha256sum")
        return Line(name, "", run.mips / raw, BAR_RATIO, False, f"{run.mips:,.0f} of {raw:,.0f} MIPS")

    def _run(self, folder: Path, cache: Path, *arguments: str) -> _Run:
        counters = folder / "counters.json"
        options = ("--engine", self._engine, "--stats-json", str(counters))
        command = (sys.executable, "-m", "emulator.cli.main", "run", *options, *arguments)
        environment: Mapping[str, str] = {**os.environ, "XDG_CACHE_HOME": str(cache)}
        started = time.perf_counter()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - started
        if done.returncode > 2 or not counters.is_file():
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise UserError(
                f"bench: {Path(arguments[0]).name} failed with status {done.returncode}: {last}",
                EXIT_EMULATOR_ERROR,
            )
        run = _Run(done.stdout, seconds, json.loads(counters.read_text(encoding="utf-8")))
        counters.unlink()
        self._memory.append(run.memory_mib)
        return run


def raw_hash_mips(busybox: str, data: Path) -> float:
    """Million instructions per second of the hashing in raw Unicorn: the code between two read() calls."""
    from emulator.bench.snapshot import between_reads

    snapshot = between_reads(busybox, ["sha256sum", str(data)], 2)
    if snapshot is None:
        raise UserError(f"{busybox} sha256sum doesn't read its file", EXIT_EMULATOR_ERROR)
    machine = snapshot.machine()
    times = []
    for _ in range(RUNS):
        taken = 0.0
        for _ in range(_CHUNK_RUNS):
            machine.set(snapshot.registers)
            started = time.process_time()
            machine.run(snapshot.start, snapshot.until)
            taken += time.process_time() - started
        times.append(taken)
    return snapshot.instructions * _CHUNK_RUNS / _median(times) / 1e6


def _iwasm() -> tuple[str, str]:
    return str(image_path("iwasm")), f"--wamr-lib={image_path('libiwasm.so')}"


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _same(found: str, wanted: str, what: str) -> None:
    if found != wanted:
        raise UserError(f"bench: {what} printed '{found}' instead of '{wanted}'", EXIT_EMULATOR_ERROR)


def table(lines: Sequence[Line]) -> list[str]:
    """For people."""
    width = max(len(line.name) for line in lines)
    rows = [f"{'program':<{width}} {'':>9}      {'bar':>11}"]
    for line in lines:
        value = (
            "-" if line.value is None else f"{line.value:,.2f}" if line.value < 20 else f"{line.value:,.0f}"
        )
        verdict = {None: "", True: "reached", False: "missed"}[line.reached]
        bar = f"{'<=' if line.most else '>='} {line.bar:g} {line.unit}"
        rows.append(
            f"{line.name:<{width}} {value:>9} {line.unit:<4} {bar:>11}  {verdict:<8}{line.note}".rstrip()
        )
    return rows


def data_of(lines: Sequence[Line]) -> list[dict[str, object]]:
    """For `--json`."""
    return [
        {
            "name": line.name,
            "value": round(line.value, 4) if line.value is not None else None,
            "unit": line.unit,
            "bar": line.bar,
            "bar_is": "most" if line.most else "least",
            "reached": line.reached,
            "note": line.note,
        }
        for line in lines
    ]

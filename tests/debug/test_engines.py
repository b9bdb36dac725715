"""Translated code between stops: the same stops at the same instructions, without looking at every one."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.debug import CatchKind, Machine, debug
from emulator.debug.engine import DebugEngine
from emulator.debug.fast_engine import FastDebugEngine
from guest.cc.cli import main as cc
from tests.debug.golden import REPOSITORY

IMAGES = REPOSITORY / "images"
LOOP = """
#include <unistd.h>
volatile unsigned long sum;
__attribute__((noinline)) int step(int i) { sum += i; return sum & 1; }
int main(void)
{
    int odd = 0;
    for (int i = 0; i < ROUNDS; i++) {
        odd += step(i);
        if (i == ROUNDS - 10)
            write(1, "", 0);
    }
    return odd & 7;
}
"""


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that loops 40,000 times."""
    return _compile(tmp_path_factory.mktemp("loop"), 40_000)


def _compile(folder: Path, rounds: int) -> Path:
    (folder / "loop.c").write_text(LOOP)
    options = ["-g", "-O1", f"-DROUNDS={rounds}", "-o", str(folder / "loop")]
    assert cc([*options, str(folder / "loop.c")]) == 0
    return folder / "loop"


def _state(machine: Machine) -> tuple[object, ...]:
    stop = machine.stop
    registers = [machine.c[n] for n in range(32)] if not stop.is_end else []
    return stop.cause, stop.text, stop.position, stop.pc, registers


def _tour(machine: Machine) -> list[tuple[object, ...]]:
    """Stops of all kinds, forwards and back."""
    states = []

    def note(_: object) -> None:
        states.append(_state(machine))

    first = machine.break_at("step", condition="w0 == 20000")
    note(machine.run())
    note(machine.stepi(5))
    note(machine.finish())
    machine.delete(first)
    machine.catch(CatchKind.SYSCALL, "write")
    note(machine.resume())
    note(machine.rstepi(1000))
    machine.break_at("step")
    for _ in range(3):
        note(machine.resume())
    watch = machine.watch(machine.symbol("sum") or 0)
    note(machine.resume())
    machine.delete(watch)
    note(machine.rcontinue())
    machine.debugger.points.clear()
    note(machine.goto(123_456))
    note(machine.resume())
    return states


def test_the_same_stops(loop: Path) -> None:
    with debug(str(loop), engine="reference") as slow, debug(str(loop), engine="fast") as fast:
        assert type(slow.debugger.task.engine) is DebugEngine
        engine = fast.debugger.task.engine
        assert isinstance(engine, FastDebugEngine)
        assert _tour(fast) == _tour(slow)
        fast.run()
        engine = fast.debugger.guest.task.engine
        assert isinstance(engine, FastDebugEngine) and engine.counters.entries > 0, "code was translated"


def test_breakpoints_cost_little_elsewhere(tmp_path: Path) -> None:
    program = _compile(tmp_path, 4_000_000)
    with debug(str(program), engine="fast") as machine:
        machine.break_at("write")
        assert machine.run().text == "breakpoint 1"
        engine = machine.debugger.task.engine
        assert isinstance(engine, FastDebugEngine)
        position = machine.position
        assert position > 50_000_000
        assert engine.counters.singles < position // 10_000, "nearly all of it ran translated"
        machine.rstepi(3)
        assert machine.position == position - 3
        assert machine.resume().position == position


def test_a_compartment_stops_at_the_same_places() -> None:
    def tour(engine: str) -> list[tuple[object, ...]]:
        command = ("iwasm", "libiwasm.so", "hello.wasm")
        program, library, module = (str(IMAGES / name) for name in command)
        with debug(program, f"--wamr-lib={library}", module, engine=engine) as machine:
            machine.break_at("wasm_runtime_instantiate")
            machine.break_at("runtime_alloc", count=4)
            machine.break_at("compartment_call")
            states = []
            while not machine.resume().is_end and len(states) < 12:
                states.append(_state(machine))
            machine.debugger.points.clear()
            machine.catch(CatchKind.COMPARTMENT)
            machine.rstepi(2000)
            machine.resume()
            return [*states, _state(machine)]

    states = tour("fast")
    assert len(states) > 5
    assert states == tour("reference")

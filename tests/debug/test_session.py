"""The debugger as a library: positions, going back, what was shown, compartments."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emulator.debug import CommandError, Debugger, Options, Request, StopCause
from emulator.debug.expression import Scope, evaluate
from emulator.debug.repl import beginning, choices
from emulator.debug.shell import Shell
from emulator.linux.session import Session
from guest.assembler.assembler import assemble_source
from loader.link import cli as linker
from morello_isa.capability import CAP_MAX, Capability

Start = Callable[..., Debugger]
IMAGES = Path(__file__).resolve().parents[2] / "images"


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """`start(arguments…)`: a debugger on the test program, ended after the test."""
    open_debuggers: list[Debugger] = []

    def make(*arguments: str, program: Path | None = None, options: Options | None = None) -> Debugger:
        debugger = Debugger(Request(str(program or folder / "walk"), list(arguments)), options)
        open_debuggers.append(debugger)
        debugger.start()
        return debugger

    yield make
    for debugger in open_debuggers:
        debugger.close()


def _state(debugger: Debugger) -> tuple[object, ...]:
    pe = debugger.task.pe
    return (debugger.position, pe.pcc, pe.nzcv, *(pe.read_c(n) for n in range(31)), pe.read_csp())


def test_stepping_back_meets_every_state_again(start: Start) -> None:
    debugger = start()
    states = [_state(debugger)]
    for _ in range(30):
        debugger.stepi()
        states.append(_state(debugger))
    assert [state[0] for state in states] == list(range(31))
    for wanted in reversed(states[-6:-1]):
        debugger.rstepi()
        assert _state(debugger) == wanted
    debugger.goto(7)
    assert _state(debugger) == states[7]


def test_a_debugged_run_counts_the_instructions_of_a_plain_one(start: Start, folder: Path) -> None:
    plain = Session(Request(str(folder / "walk")))
    plain.kernel.run()
    debugger = start()
    debugger.points.add_breakpoint("fill")
    while not debugger.resume().is_end:
        pass
    assert debugger.position == plain.kernel.instructions
    assert debugger.stop.status == 3


def test_a_fault_stops_before_its_signal(start: Start) -> None:
    debugger = start("too", "long")
    stop = debugger.resume()
    assert stop.cause is StopCause.FAULT
    assert stop.fault is not None and stop.fault.register == "c0"
    assert not debugger.task.pending
    assert "past the end by 1" in debugger.explain(stop)
    assert debugger.resume().status == 139


def test_conditions_and_counts(start: Start) -> None:
    debugger = start()
    debugger.points.add_breakpoint("walk.c:12", "w10 == 3", ignore=1)
    assert debugger.resume().cause is StopCause.BREAKPOINT
    assert debugger.evaluate("w1 == 8") == 0, "the second call of fill"
    with pytest.raises(CommandError, match="nonsense"):
        debugger.points.add_breakpoint("fill", "nonsense == 3")


def test_real_time_runs_have_no_way_back(start: Start) -> None:
    debugger = start(options=Options(real_time=True))
    debugger.stepi(5)
    with pytest.raises(CommandError, match="--real-time"):
        debugger.rstepi()


def test_output_is_not_shown_twice(start: Start, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = """
    .globl _start
    .type _start, %function
_start:
    sub csp, csp, #16
    mov w1, #0x6968
    str w1, [csp]
    mov x0, #1
    mov c1, csp
    mov x2, #2
    mov x8, #64
    svc #0
    mov x0, #7
    mov x8, #94
    svc #0
"""
    debugger = start(program=_assemble(tmp_path, source))
    debugger.resume()
    debugger.rstepi(8)
    assert debugger.resume().status == 7
    assert capfd.readouterr().out == "hi"
    debugger.start()
    debugger.resume()
    assert capfd.readouterr().out == "hi"


def test_files_are_not_changed_twice(start: Start, tmp_path: Path) -> None:
    source = """
    .globl _start
    .type _start, %function
_start:
    sub csp, csp, #16
    mov w1, #0x78
    str w1, [csp]
    mov x0, #-100
    mov c1, csp
    mov x2, #0x41
    mov x3, #0x1a4
    mov x8, #56
    svc #0
    mov x0, #7
    mov x8, #94
    svc #0
"""
    program = _assemble(tmp_path, source)
    request = Request("/p", root=str(tmp_path))
    debugger = Debugger(request)
    debugger.start()
    debugger.stepi(7)
    debugger.rstepi()
    debugger.resume()
    assert (tmp_path / "x").is_file() and program.is_file()
    with pytest.raises(CommandError, match="openat"):
        debugger.rstepi()
    debugger.allow_repeat = True
    assert debugger.rstepi().cause is StopCause.POSITION
    debugger.close()


def _assemble(folder: Path, source: str) -> Path:
    (folder / "p.o").write_bytes(assemble_source(source, "p.S", c64=True))
    assert linker.main([str(folder / "p.o"), "-o", str(folder / "p")]) == 0
    (folder / "p").chmod(0o755)
    return folder / "p"


def test_frames_cross_compartments(start: Start) -> None:
    library = f"--wamr-lib={IMAGES / 'libiwasm.so'}"
    debugger = start(library, str(IMAGES / "hello.wasm"), program=IMAGES / "iwasm")
    assert debugger.points.add_breakpoint("wasm_runtime_load").addresses == ()
    assert debugger.points.add_breakpoint("libiwasm.so`memory_alloc").addresses == ()
    stop = debugger.resume()
    assert stop.cause is StopCause.BREAKPOINT
    assert debugger.task.pe.is_restricted
    names = [debugger.names.where(debugger.process, f.pc - 4 * (f.number > 0)) for f in debugger.frames()]
    assert names[0] == "libiwasm.so`wasm_runtime_load"
    assert names[1].startswith("libiwasm.so`CompartmentEntryPoint")
    assert names[-1].startswith("iwasm`_start")
    assert [f.crossed for f in debugger.frames()].count(True) == 1
    debugger.points.add_breakpoint("CompartmentService")
    assert debugger.resume().cause is StopCause.BREAKPOINT
    debugger.resume()
    assert not debugger.task.pe.is_restricted
    sides = [key for key, _ in itertools.groupby(f.restricted for f in debugger.frames())]
    assert sides == [False, True, False]


def test_expressions() -> None:
    c = CAP_MAX.set_value(0x1000).set_bounds(64, exact=True)

    def name(text: str) -> int | Capability:
        return {"c0": c, "x1": 7}[text]

    scope = Scope(name, lambda address: address + 1, lambda address: Capability.from_int(address))
    assert evaluate("1 + 2 * 3 - 4 / 2", scope) == 5
    assert evaluate("(1 + 2) * 3", scope) == 9
    assert evaluate("-1 >> 60", scope) == 15
    assert evaluate("c0 + 8", scope) == c.add(8)
    assert evaluate("limit(c0 + 8) - base(c0) == length(c0) && !sealed(c0)", scope) == 1
    assert evaluate("*(c0 + x1)", scope) == 0x1008
    assert evaluate("~0 & 0xff | 0x100 ^ 1 << 4", scope) == 0xFF | 0x110


def test_completion(start: Start) -> None:
    shell = Shell(start(), lambda _: None)
    assert choices(shell, "rst") == ["rstepi"]
    assert choices(shell, "break beg") == ["begin"]
    assert "c29" in choices(shell, "print c")
    assert choices(shell, "info br") == ["breakpoints"]
    assert choices(shell, "relocs w") == ["walk"]
    assert choices(shell, "quit x") == []
    assert beginning("print 1+csp") == "csp"


def test_run_enters_the_debugger_on_a_fault(folder: Path, run_morello) -> None:
    done = run_morello("run", "--debug-on-fault", folder / "walk", "a", "b", stdin=subprocess.DEVNULL)
    assert done.returncode == 139
    assert "stopped: capability bounds fault: strb w11" in done.stderr
    done = run_morello("run", "--debug-on-fault", folder / "walk", stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr) == (3, "")
    done = run_morello("debug", "--strace", folder / "walk")
    assert done.returncode == 125 and done.stderr.count("\n") == 1


def test_threads_are_stepped_one_by_one(start: Start, tmp_path: Path) -> None:
    source = (Path(__file__).parent / "program" / "threads.S").read_text()
    debugger = start(program=_assemble(tmp_path, source))
    debugger.points.add_breakpoint("second")
    assert debugger.resume().cause is StopCause.BREAKPOINT
    debugger.points.clear()
    second = debugger.task
    other = next(thread for thread in debugger.guest.threads() if thread is not second)
    before = other.pe.instructions
    debugger.select(other.tid)
    assert debugger.task is other
    assert debugger.evaluate("pc") == other.pe.pc
    stop = debugger.stepi()
    assert (stop.cause, stop.tid) == (StopCause.STEP, other.tid)
    assert other.pe.instructions == before + 1
    assert debugger.stepi(3).tid == other.tid
    assert other.pe.instructions == before + 4
    with pytest.raises(CommandError, match="no thread 9"):
        debugger.select(9)

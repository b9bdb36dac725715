"""`morello bench`: guest instructions per second of both engines, and raw Unicorn for scale."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from morello_isa.errors import EXIT_EMULATOR_ERROR

if TYPE_CHECKING:
    from emulator.state.pe import Pe

_CODE = 0x1000
_FAST_FACTOR = 100
"""The fast engine runs that many times more instructions per loop."""
_DATA = 0x8000
_MEMORY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Loop:
    """A purecap loop without end: its lines in assembly and what it is about (registers: `_registers`)."""

    name: str
    summary: str
    lines: tuple[str, ...]


LOOPS = (
    Loop(
        "alu",
        "ten instructions of integer arithmetic",
        (
            "add x4, x4, x5", "eor x5, x4, x6, lsl #3", "add x6, x5, #7", "lsr x7, x6, #7", "orr x8, x7, x4",
            "sub x9, x8, x5", "and x4, x9, #0xffff", "add x5, x5, x4", "subs x0, x0, #1", "b.ne #-36",
        ),
    ),
    Loop(
        "words",
        "64-bit load and store through capabilities, post-index, 4 KiB",
        (
            "mov c1, c10", "mov c2, c11", "mov x3, #512",
            "ldr x4, [c1], #8", "str x4, [c2], #8", "subs x3, x3, #1", "b.ne #-12", "b #-28",
        ),
    ),
    Loop(
        "capabilities",
        "capability load, store and two capability adds, 4 KiB",
        (
            "mov c1, c10", "mov c2, c11", "mov x3, #256",
            "ldr c4, [c1]", "str c4, [c2]", "add c1, c1, #16", "add c2, c2, #16", "subs x3, x3, #1",
            "b.ne #-20", "b #-36",
        ),
    ),
    Loop("calls", "bl and ret c30", ("bl #12", "subs x0, x0, #1", "b.ne #-8", "add x4, x4, #1", "ret c30")),
    Loop("indirect calls", "blr and ret c30", ("blr c13", "subs x0, x0, #1", "b.ne #-8", "nop", "ret c30")),
    Loop(
        "derivation",
        "capability arithmetic: add, mov",
        (
            "add c1, c10, #16", "add c2, c1, #32", "mov c3, c2", "add c3, c3, #8", "mov c4, c3",
            "add x8, x8, #1", "subs x0, x0, #1", "b.ne #-28",
        ),
    ),
    Loop(
        "frames",
        "a call with a stack frame of capability pairs",
        (
            "bl #12", "subs x0, x0, #1", "b.ne #-8",
            "stp c29, c30, [csp, #-64]!", "stp c19, c20, [csp, #32]", "ldp c19, c20, [csp, #32]",
            "ldp c29, c30, [csp], #64", "ret c30",
        ),
    ),
    Loop(
        "fib",
        "recursive Fibonacci numbers",
        (
            "mov x0, #20", "bl #8", "b #-8",
            "cmp x0, #2", "b.lo #44", "stp c29, c30, [csp, #-48]!", "stp x19, x20, [csp, #32]", "mov x19, x0",
            "sub x0, x0, #1", "bl #-24", "mov x20, x0", "sub x0, x19, #2", "bl #-36", "add x0, x0, x20",
            "b #8", "ret c30", "ldp x19, x20, [csp, #32]", "ldp c29, c30, [csp], #48", "ret c30",
        ),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement; `rate` in instructions per second."""

    name: str
    engine: str
    instructions: int
    seconds: float
    rate: int


def measure_reference(loop: Loop, instructions: int) -> Figure:
    """Run that many instructions of the loop on the reference engine."""
    from emulator.machine import Machine
    from emulator.memory.plain import PlainMemory
    from morello_isa.assemble import assemble

    machine = Machine(PlainMemory(_MEMORY_BYTES))
    pe = machine.pe
    machine.load(_CODE, [assemble(line, _CODE + 4 * i, True).word for i, line in enumerate(loop.lines)])
    machine.start(_CODE, c64=True)
    pe.sysregs.values["CPTR_EL3"] = 1 << 9
    _registers(pe)
    return _measure(loop, "reference", machine.run, instructions)


def _registers(pe: Pe) -> None:
    """c10, c11 point to 4 KiB each, c13 to the fourth instruction, csp into a stack."""
    from morello_isa.capability import CAP_MAX

    for n, offset in ((10, 0), (11, 0x1000)):
        pe.write_c(n, CAP_MAX.set_value(_DATA + offset).set_bounds(0x1000, exact=True))
    pe.write_c(13, pe.pcc.set_value(_CODE + 13))
    pe.write_csp(CAP_MAX.set_value(_DATA + 0x4000).set_bounds(0x2000, exact=False).set_value(_DATA + 0x5800))
    pe.write_x(0, 1 << 62)


def _measure(loop: Loop, engine: str, run: Callable[[int], object], instructions: int) -> Figure:
    """The median of five runs after one to get warm."""
    run(min(instructions, 5000))
    times = []
    for _ in range(5):
        started = time.process_time()
        run(instructions)
        times.append(time.process_time() - started)
    seconds = max(sorted(times)[2], 1e-9)
    return Figure(loop.name, engine, instructions, round(seconds, 4), round(instructions / seconds))


def measure_fast(loop: Loop, instructions: int) -> Figure:
    """The same on the fast engine, in a process's address space."""
    from emulator.engine.translate.engine import FastEngine
    from emulator.exceptions import take_exception
    from emulator.memory.address_space import AddressSpace, Area, Prot
    from emulator.memory.frames import FramePool
    from emulator.state.pe import Pe
    from morello_isa.assemble import assemble

    space = AddressSpace(FramePool(_MEMORY_BYTES))
    space.map(Area(_CODE, _CODE + 0x1000, Prot.READ | Prot.EXEC))
    space.map(Area(_DATA, _DATA + 0x8000, Prot.READ | Prot.WRITE))
    words = [assemble(line, _CODE + 4 * i, True).word for i, line in enumerate(loop.lines)]
    space.poke(_CODE, b"".join(word.to_bytes(4, "little") for word in words))
    pe = Pe()
    pe.pcc = pe.pcc.set_value(_CODE).set_bounds(0x1000, exact=True)
    pe.pstate.c64 = True
    pe.sysregs.values["CPTR_EL3"] = 1 << 9
    _registers(pe)
    engine = FastEngine(pe, space, take_exception)
    return _measure(loop, "fast", engine.run, instructions)


def measure_host(instructions: int) -> Figure:
    """A plain A64 loop directly on Unicorn: what the machine can do at most."""
    from emulator.engine.host import run_plain_loop

    seconds = run_plain_loop(instructions)
    return Figure("plain A64 loop", "unicorn", instructions, round(seconds, 4), round(instructions / seconds))


def main(argv: Sequence[str]) -> int:
    """Entry point of the subcommand."""
    parser = argparse.ArgumentParser(prog="morello bench", description=__doc__, exit_on_error=False)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument(
        "--instructions",
        type=int,
        default=100_000,
        help="per loop and run (default 100000; the fast engine executes 100 times as many)",
    )
    parser.add_argument("--engine", choices=("reference", "fast"), help="only that one")
    parser.add_argument("--filter", default="", help="only loops whose name contains this")
    try:
        options, unknown = parser.parse_known_args(list(argv))
        if unknown:
            raise argparse.ArgumentError(None, f"unknown option {unknown[0]}")
        if options.instructions <= 0:
            raise argparse.ArgumentError(None, "--instructions must be positive")
    except argparse.ArgumentError as error:
        sys.stderr.write(f"morello bench: {error}\n")
        return EXIT_EMULATOR_ERROR
    chosen = [loop for loop in LOOPS if options.filter in loop.name]
    figures = []
    for loop in chosen:
        if options.engine != "fast":
            figures.append(measure_reference(loop, options.instructions))
        if options.engine != "reference":
            figures.append(measure_fast(loop, _FAST_FACTOR * options.instructions))
    if not options.filter:
        figures.append(measure_host(100 * options.instructions))
    if options.json:
        print(json.dumps([asdict(figure) for figure in figures], indent=1))
        return 0
    for figure in figures:
        print(f"{figure.engine:<10} {figure.name:<16} {figure.rate:>14,} instructions/s")
    return 0

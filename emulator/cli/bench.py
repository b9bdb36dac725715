"""`morello bench`: guest instructions per second of the reference engine, and raw Unicorn for scale."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from morello_isa.errors import EXIT_EMULATOR_ERROR

_CODE = 0x1000
_DATA = 0x8000
_MEMORY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Loop:
    """A purecap loop: its lines in assembly and what it is about. x0 counts down, c1 to c3 point to data."""

    name: str
    summary: str
    lines: tuple[str, ...]


LOOPS = (
    Loop(
        "words",
        "64-bit load and store through capabilities",
        ("ldr x4, [c1]", "add x4, x4, #1", "str x4, [c2]", "subs x0, x0, #1", "b.ne #-16"),
    ),
    Loop(
        "capabilities",
        "capability load and store, capability arithmetic",
        (
            "ldr c4, [c1, #16]",
            "str c4, [c2, #32]",
            "add c5, c1, #16",
            "sub c6, c5, #8",
            "subs x0, x0, #1",
            "b.ne #-20",
        ),
    ),
    Loop(
        "calls",
        "bl and ret c30 with a stack frame",
        (
            "bl #12",
            "subs x0, x0, #1",
            "b.ne #-8",
            "stp c29, c30, [csp, #-32]!",
            "ldp c29, c30, [csp], #32",
            "ret c30",
        ),
    ),
    Loop(
        "arithmetic",
        "integer arithmetic only",
        (
            "add x4, x4, x5",
            "eor x5, x4, x6, lsl #3",
            "mul x6, x5, x4",
            "lsr x7, x6, #7",
            "subs x0, x0, #1",
            "b.ne #-20",
        ),
    ),
)


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
    from morello_isa.capability import CAP_MAX

    machine = Machine(PlainMemory(_MEMORY_BYTES))
    pe = machine.pe
    machine.load(_CODE, [assemble(line, _CODE + 4 * i, True).word for i, line in enumerate(loop.lines)])
    machine.start(_CODE, c64=True)
    pe.sysregs.values["CPTR_EL3"] = 1 << 9
    for n, offset in ((1, 0), (2, 0x1000), (3, 0x2000)):
        pe.write_c(n, CAP_MAX.set_value(_DATA + offset).set_bounds(0x1000, exact=True))
    pe.write_csp(CAP_MAX.set_value(_DATA + 0x4000).set_bounds(0x1000, exact=False).set_value(_DATA + 0x4800))
    pe.write_x(0, 1 << 62)
    machine.run(2000)
    started = time.process_time()
    machine.run(instructions)
    seconds = time.process_time() - started
    return Figure(loop.name, "reference", instructions, round(seconds, 4), round(instructions / seconds))


def measure_host(instructions: int) -> Figure:
    """A plain A64 loop directly on Unicorn: what the machine can do at most."""
    from emulator.engine.host import run_plain_loop

    seconds = run_plain_loop(instructions)
    return Figure("plain A64 loop", "unicorn", instructions, round(seconds, 4), round(instructions / seconds))


def main(argv: Sequence[str]) -> int:
    """Entry point of the subcommand."""
    parser = argparse.ArgumentParser(prog="morello bench", description=__doc__, exit_on_error=False)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--instructions", type=int, default=200_000, help="per loop (default 200000)")
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
    figures = [measure_reference(loop, options.instructions) for loop in LOOPS if options.filter in loop.name]
    if not options.filter:
        figures.append(measure_host(100 * options.instructions))
    if options.json:
        print(json.dumps([asdict(figure) for figure in figures], indent=1))
        return 0
    for figure in figures:
        print(f"{figure.engine:<10} {figure.name:<16} {figure.rate:>14,} instructions/s")
    return 0

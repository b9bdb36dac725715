"""Random programs on both engines for as long as wanted: `make fuzz STEPS=10000000`.

    python -m tests.emulator.translate.fuzz --steps 10000000 --seed 7 --jobs 2
    python -m tests.emulator.translate.fuzz --program 7:123

Every program is a function of `SEED:NUMBER`, which is printed for one that behaves differently, together with
the shortest program found that still does.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Iterator
from itertools import count

from emulator.faults import StopKind
from morello_isa.disassemble import disassemble
from tests.emulator.translate.programs import NOP, Program, ProgramTwin, machine, minimised, program_of
from tests.emulator.translate.twins import CODE, difference


def compare(program: Program) -> tuple[int, list[str]]:
    """Instructions executed by each machine, and what differs after the first run that ends differently."""
    pair = machine(False, program), machine(True, program)
    for number, (instructions, act) in enumerate(program.runs):
        outcomes = [_run(twin, instructions) for twin in pair]
        errors = any(isinstance(kind, str) for kind, _ in outcomes)
        found = [f"{outcomes[0]} != {outcomes[1]}"] if errors or outcomes[0] != outcomes[1] else []
        found += difference(pair)
        if found:
            return pair[0].pe.instructions, [f"after run {number} ({instructions} instructions):", *found]
        for twin in pair:
            twin.faults.clear()
            twin.act(act)
    return pair[0].pe.instructions, []


def _run(twin: ProgramTwin, instructions: int) -> tuple[object, object]:
    """What the run ended with; an exception of the emulator's is a result to compare, and to report."""
    try:
        reason = twin.engine.run(instructions)
    except Exception as error:  # noqa: BLE001 - the fuzzer reports it with its program
        return "raised", repr(error)
    return reason.kind, reason.detail if reason.kind is StopKind.REQUESTED else None


def listing(program: Program) -> str:
    """The program as assembly; what became NOP is left out."""
    lines = [program.describe()]
    for i, word in enumerate(program.words):
        if word != NOP:
            at = CODE + 4 * i
            lines.append(f"  {at:#x}  {word:08x}  {disassemble(word, at, program.c64)}")
    return "\n".join(lines)


def report(program: Program, found: list[str]) -> str:
    """A difference, with the shortest program that shows one."""
    small = minimised(program, lambda other: bool(compare(other)[1]))
    lines = compare(small)[1] or found
    return "\n".join(
        [f"DIFFERENCE, --program {program.seed}", *(f"  {x[:400]}" for x in lines), listing(small)]
    )


def _one(seed: str) -> tuple[str, int, str]:
    program = program_of(seed)
    executed, found = compare(program)
    return seed, executed, report(program, found) if found else ""


def _results(seed: int, jobs: int) -> Iterator[tuple[str, int, str]]:
    seeds = (f"{seed}:{n}" for n in count())
    if jobs == 1:
        yield from map(_one, seeds)
    else:
        with multiprocessing.Pool(jobs, maxtasksperchild=300) as pool:
            # `imap` reads all seeds ahead if it may.
            while True:
                yield from pool.map(_one, [next(seeds) for _ in range(50 * jobs)], chunksize=5)


def main() -> int:
    """0: no difference; 1: some; 125: wrong options."""
    p = argparse.ArgumentParser(prog="make fuzz", description=__doc__.splitlines()[0])
    p.add_argument("--steps", type=int, default=1_000_000, help="instructions on each engine")
    p.add_argument("--seed", type=int, default=None, help="default: from the clock")
    p.add_argument("--jobs", type=int, default=1)
    p.add_argument("--program", metavar="SEED:NUMBER", help="only this one")
    p.add_argument("--keep-going", action="store_true", help="don't stop at the first difference")
    options = p.parse_args()
    if options.program:
        program = program_of(options.program)
        print(listing(program))
        executed, found = compare(program)
        print(report(program, found) if found else f"no difference in {executed:,} instructions")
        return bool(found)
    seed = int(time.time()) if options.seed is None else options.seed
    print(f"seed {seed}, {options.steps:,} steps", flush=True)
    steps, programs, failures, shown = 0, 0, 0, time.monotonic()
    for _, executed, text in _results(seed, options.jobs):
        steps, programs = steps + executed, programs + 1
        if text:
            failures += 1
            print(text, flush=True)
            if not options.keep_going:
                break
        if steps >= options.steps:
            break
        if time.monotonic() - shown > 10:
            shown = time.monotonic()
            sys.stderr.write(f"{steps:,} steps, {programs:,} programs, {failures} differences\n")
    print(f"{steps:,} steps of {programs:,} programs, seed {seed}: {failures or 'no'} differences")
    return bool(failures)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)

"""Timing one image: on the reference engine, on the fast engine, on raw Unicorn.

All times are CPU seconds of this process. Every runner is warmed up first: figures are without translation.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from emulator.bench.images import HEAP, HEAP_BYTES, Image
from emulator.board.boards import BOARDS
from emulator.board.image import load_elf
from emulator.board.outcome import OutcomeKind
from emulator.board.system import System
from emulator.engine.api import Engine
from emulator.exceptions import take_exception
from emulator.linux.abi import USER_TOP
from emulator.memory.address_space import AddressSpace, Area, Prot
from emulator.memory.frames import FramePool
from emulator.state.pe import Pe
from morello_isa.capability import CAP_MAX

RUNS = 5
_FOREVER = 1 << 62
_PROBE = 2_000
_GROWTH = 4
_STEADY = 0.9
_ENOUGH = 0.25
"""A probe is believed when it took this part of the wanted time."""
_PAGE = 0x1_0000
_TBI = 1 << 20
"""TCR_EL3.TBI: processes always run with the top byte ignored."""


@dataclass(frozen=True, slots=True)
class Figure:
    """Guest instructions of one run and the CPU seconds of each of the five runs."""

    instructions: int
    seconds: tuple[float, ...]

    @property
    def mips(self) -> float:
        """Million instructions per second in the median run."""
        return self.instructions / max(sorted(self.seconds)[len(self.seconds) // 2], 1e-9) / 1e6


def _timed(run: Callable[[int], object], amount: int) -> float:
    started = time.process_time()
    run(amount)
    return time.process_time() - started


def measure(run: Callable[[int], object], seconds: float, per_unit: int = 1) -> Figure:
    """Five runs of about that many CPU seconds; `run(n)` executes `n` units of `per_unit` instructions.

    Before them it runs until a run is no longer much quicker than the one before: translation, and answers
    about pages, are over then.
    """
    amount = max(_PROBE // per_unit, 1)
    while (taken := _timed(run, amount)) < _ENOUGH * seconds:
        amount *= _GROWTH
    while (again := _timed(run, amount)) < _STEADY * taken or again < _ENOUGH * seconds:
        amount, taken = (amount, again) if again >= _ENOUGH * seconds else (amount * _GROWTH, _GROWTH * again)
    amount = max(round(amount * seconds / again), 1)
    return Figure(amount * per_unit, tuple(_timed(run, amount) for _ in range(RUNS)))


def heap_bytes() -> bytes:
    """What the 64 MiB hold: something, so that every page has memory of its own."""
    return random.Random(1).randbytes(_PAGE) * (HEAP_BYTES // _PAGE)


# --- the engines -----------------------------------------------------------------------------------------


def on_board(image: Image, engine: str, repetitions: int) -> System:
    """The image loaded on the board `morello`, about to start. KeyError for an engine it doesn't have."""
    system = System(BOARDS["morello"], engine=engine)
    loaded = load_elf(system.physical, image.data, image.loop.name)
    if image.loop.fills:
        system.physical.write_bytes(HEAP, heap_bytes())
    system.start(loaded.entry, x0=repetitions)
    system.pe.sysregs.values["TCR_EL3"] |= _TBI
    return system


def in_process_memory(image: Image, repetitions: int) -> Engine:
    """The image on the fast engine in a process's memory, for as long as boards don't have that engine."""
    from emulator.engine.translate.engine import FastEngine

    space = AddressSpace(FramePool(2 * HEAP_BYTES))
    for segment in image.elf.load_segments:
        prot = Prot.READ | (Prot.EXEC if segment.flags & 1 else Prot.NONE)
        prot |= Prot.WRITE if segment.flags & 2 else Prot.NONE
        limit = segment.paddr + (segment.memsz + 0xFFF & ~0xFFF)
        space.map(Area(segment.paddr, limit, prot))
        space.poke(segment.paddr, image.data[segment.offset : segment.offset + segment.filesz])
    space.map(Area(HEAP, HEAP + HEAP_BYTES, Prot.READ | Prot.WRITE))
    if image.loop.fills:
        space.poke(HEAP, heap_bytes())
    pe = Pe()
    pe.ddc = CAP_MAX.set_bounds(USER_TOP, exact=True)
    pe.pcc = pe.ddc.set_value(image.elf.entry & ~1)
    pe.pstate.c64 = image.c64
    pe.sysregs.values["TCR_EL3"] |= _TBI
    pe.write_x(0, repetitions)
    return FastEngine(pe, space, take_exception)


def engine_on(image: Image, name: str) -> Engine:
    """The engine of that name with the loop about to start, for ever."""
    try:
        return on_board(image, name, _FOREVER).engine
    except KeyError:
        return in_process_memory(image, _FOREVER)


def measure_engine(image: Image, name: str, seconds: float) -> Figure:
    """Guest instructions per second on one of the engines."""
    engine = engine_on(image, name)
    return measure(engine.run, seconds)


# --- raw Unicorn -----------------------------------------------------------------------------------------


def instructions_of(image: Image) -> tuple[int, int]:
    """(once, for each repetition): what the loop executes until `done`, counted by the reference engine."""
    counts = []
    for repetitions in (1, 2):
        system = on_board(image, "reference", repetitions)
        outcome = system.run()
        assert outcome.kind is OutcomeKind.EXIT, f"{image.loop.name}: {outcome}"
        counts.append(system.pe.instructions)
    return 2 * counts[0] - counts[1], counts[1] - counts[0]


def measure_raw(image: Image, seconds: float) -> Figure:
    """The same A64 image in raw Unicorn."""
    from emulator.engine.raw import Piece, RawMachine, Registers

    assert not image.c64
    pieces = []
    for segment in image.elf.load_segments:
        data = image.data[segment.offset : segment.offset + segment.filesz]
        pieces.append(Piece(segment.paddr, segment.memsz, data, bool(segment.flags & 1)))
    if image.loop.fills:
        pieces.append(Piece(HEAP, HEAP_BYTES, heap_bytes()))
    machine = RawMachine(pieces)
    _, each = instructions_of(image)

    def run(repetitions: int) -> None:
        machine.set(Registers({0: repetitions}))
        machine.run(image.elf.entry, image.done)

    return measure(run, seconds, each)

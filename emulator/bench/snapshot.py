"""A piece of a real program on raw Unicorn: what a process executes between two read() calls.

`busybox sha256sum` spends its time there: it reads 4 KiB and hashes them. The process runs on the reference
engine until a read() has returned; its registers and memory are copied then, and the very same instructions,
to the next read(), can be timed on raw Unicorn as often as wanted, without an operating system.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.engine.raw import Piece, RawMachine, Registers
from emulator.state.registers import FPCR_SLOT, NZCV_SLOT

if TYPE_CHECKING:
    from emulator.memory.address_space import AddressSpace
    from emulator.state.pe import Pe

_SVC_0 = 0xD4000001
_SYS_READ = 63
_PAGE = 0x1_0000
_MOST_INSTRUCTIONS = 20_000_000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`instructions` of plain A64 code from `start` to `until`, and everything that they need."""

    registers: Registers
    pieces: tuple[Piece, ...]
    start: int
    until: int
    instructions: int

    def machine(self) -> RawMachine:
        """Raw Unicorn with the memory."""
        return RawMachine(self.pieces)


class _Done(Exception):
    pass


def between_reads(program: str, arguments: Sequence[str], number: int) -> Snapshot | None:
    """From the end of the `number`-th read() of at least 4 KiB to the next; None if there are fewer."""
    from emulator.linux.kernel import Options
    from emulator.linux.session import Request, Session

    quiet = os.open(os.devnull, os.O_RDWR)
    try:
        options = Options(engine="reference", max_instructions=_MOST_INSTRUCTIONS)
        session = Session(Request(program, arguments), options, streams=(quiet, quiet, quiet))
        task = next(iter(session.kernel.tasks.values()))
        watch = _Watch(task.pe, session.process.space, number)
        task.engine.before_instruction = watch
        try:
            session.kernel.run()
        except _Done:
            return watch.snapshot
        return None
    finally:
        os.close(quiet)


class _Watch:
    """Called before each instruction; ends the run when the snapshot is complete."""

    def __init__(self, pe: Pe, space: AddressSpace, number: int) -> None:
        self.snapshot: Snapshot | None = None
        self._pe = pe
        self._space = space
        self._left = number
        self._returns_to = -1
        self._begun: tuple[int, int, Registers, tuple[Piece, ...]] | None = None

    def __call__(self, pc: int, word: int) -> None:
        pe = self._pe
        if pc == self._returns_to:
            self._returns_to = -1
            self._begun = pc, pe.instructions, _registers(pe), _pieces(self._space)
        if word != _SVC_0 or pe.x[8] != _SYS_READ or pe.x[2] < 4096:
            return
        if self._begun is not None:
            start, count, registers, pieces = self._begun
            self.snapshot = Snapshot(registers, pieces, start, pc, pe.instructions - count)
            raise _Done
        self._left -= 1
        if not self._left:
            self._returns_to = pc + 4


def _registers(pe: Pe) -> Registers:
    return Registers(
        x={n: pe.x[n] for n in range(31)},
        v=[pe.read_v(n) for n in range(32)],
        sp=pe.read_csp().value,
        nzcv=pe.x[NZCV_SLOT],
        fpcr=pe.x[FPCR_SLOT],
        tpidr=pe.sysregs.capabilities["CTPIDR_EL0"].value,
    )


def _pieces(space: AddressSpace) -> tuple[Piece, ...]:
    """All memory in pages of 64 KiB, as raw Unicorn maps it."""
    from emulator.memory.address_space import Prot

    pages: dict[int, tuple[bytearray, bool]] = {}
    for area in space.areas():
        for at in range(area.start, area.limit, 4096):
            base = at & -_PAGE
            data, executable = pages.get(base, (bytearray(_PAGE), False))
            data[at - base : at - base + 4096] = space.peek(at, 4096)
            pages[base] = data, executable or bool(area.prot & Prot.EXEC)
    return tuple(Piece(base, _PAGE, bytes(data), executable) for base, (data, executable) in pages.items())

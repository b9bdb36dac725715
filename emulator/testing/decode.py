"""From the emulator's faults and addresses to what tests and reports show: symbols, lines, call frames."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.debug.names import Names
from emulator.debug.unwind import frames
from emulator.explain import explain
from emulator.faults import FaultKind, PeFault
from emulator.linux.process import LoadedImage
from emulator.linux.symbols import MALFORMED, image_at, source_line, symbolise
from emulator.testing.faults import Fault, kind_name
from morello_isa.disassemble import disassemble
from morello_isa.permissions import Perm

if TYPE_CHECKING:
    from emulator.linux.process import Task

MAX_FAULTS = 100
"""Faults of one run that are decoded and kept."""
MAX_FRAMES = 20
NO_FAULTS = frozenset(
    (FaultKind.SVC, FaultKind.HVC, FaultKind.SMC, FaultKind.HLT, FaultKind.IRQ, FaultKind.FIQ)
)
"""Exceptions that a program asks for, and interrupts."""


@dataclass(frozen=True, slots=True)
class Executed:
    """An instruction that was executed."""

    pc: int
    word: int
    c64: bool


class FaultLog:
    """The faults of one run, decoded when they are taken. `taken` counts all of them."""

    def __init__(self) -> None:
        self.taken = 0
        self._entries: list[tuple[PeFault, Fault]] = []
        self._lines: dict[int, tuple[str, int]] = {}
        self._fatal: list[PeFault] = []

    def add(self, fault: PeFault, images: Sequence[LoadedImage], position: int, signal: str = "") -> None:
        """A fault of a program made of `images`, `position` instructions into the run."""
        self.taken += 1
        if len(self._entries) >= MAX_FAULTS:
            return
        pc = fault.pc
        if pc not in self._lines:
            self._lines[pc] = source_line(images, pc) or ("", 0)
        file, line = self._lines[pc]
        image, symbol, offset = place_of(images, pc)
        decoded = Fault(
            kind=kind_name(fault.kind),
            register=fault.register,
            address=pc if fault.is_fetch else fault.address,
            pc=pc,
            symbol=symbol,
            offset=offset,
            image=image,
            file=file,
            line=line,
            signal=signal,
            text=explain(fault, lambda address: symbolise(images, address)),
            position=position,
            ordinal=self.taken,
            restricted=fault.pcc is not None and not fault.pcc.has(Perm.EXECUTIVE),
            handled=True,
        )
        self._entries.append((fault, decoded))

    def killed(self, fault: PeFault) -> None:
        """This fault ended the program."""
        self._fatal.append(fault)

    def faults(self) -> tuple[Fault, ...]:
        """All that were kept, in their order."""
        return tuple(
            decoded if not any(fault is f for f in self._fatal) else _unhandled(decoded)
            for fault, decoded in self._entries
        )


def _unhandled(fault: Fault) -> Fault:
    from dataclasses import replace

    return replace(fault, handled=False)


def place_of(images: Iterable[LoadedImage], address: int) -> tuple[str, str, int]:
    """(image, symbol, offset) at a run-time address; "" and 0 for what isn't known."""
    loaded = image_at(images, address)
    if loaded is None:
        return "", "", 0
    image = posixpath.basename(loaded.path)
    try:
        found = loaded.image.symbol_at(address - loaded.bias)
    except MALFORMED:
        found = None
    return (image, found[0].name, found[1]) if found is not None else (image, "", 0)


def listing(executed: Iterable[Executed], images: Sequence[LoadedImage]) -> Iterator[str]:
    """Lines of a disassembly with symbols."""
    for item in executed:
        _, symbol, offset = place_of(images, item.pc)
        name = f"{symbol}+{offset:#x}" if symbol else ""
        yield f"{item.pc:#12x}  {name:<28} {disassemble(item.word, item.pc, item.c64)}"


def backtrace(task: Task) -> list[str]:
    """The call frames of a thread, innermost first."""
    names, lines = Names(), []
    for frame in frames(task, names):
        if frame.number >= MAX_FRAMES:
            lines.append("…")
            break
        if frame.crossed:
            lines.append(
                f"── compartment boundary: {'Restricted' if frame.restricted else 'Executive'} below ──"
            )
        place = names.where(task.process, frame.pc) or hex(frame.pc)
        # A return address may belong to the line after the call.
        row = names.line(task.process, frame.pc - (4 if frame.number else 0))
        lines.append(f"#{frame.number:<2} {place}" + (f"  {row.file}:{row.line}" if row else ""))
    return lines

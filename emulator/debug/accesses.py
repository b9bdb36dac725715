"""Which memory an instruction is about to read or write, and watchpoints on that.

The extent of an access is read off the instruction's text, as provenance does, from registers as they are
before it executes; so a watchpoint can stop *before* the access, as the debug hardware of AArch64 does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from emulator.debug.provenance import SVC, effective_address, shape_of
from emulator.debug.stops import Stop, StopCause, Watch, WatchKind
from emulator.faults import MemoryAbort
from emulator.state.pe import Pe
from morello_isa.capability import MASK64

if TYPE_CHECKING:
    from emulator.debug.target import Thread

ZVA_SIZE = 64
_REGISTER_BYTES = {"w": 4, "x": 8, "c": 16, "q": 16, "d": 8, "s": 4, "h": 2, "b": 1}
_PAIRS = ("ldp", "stp", "ldnp", "stnp", "ldxp", "ldaxp", "stxp", "stlxp", "casp")
_READ_MODIFY_WRITE = (
    *("swp", "cas", "ldadd", "ldclr", "ldeor", "ldset", "ldsmax", "ldsmin", "ldumax", "ldumin"),
    *("stadd", "stclr", "steor", "stset", "stsmax", "stsmin", "stumax", "stumin"),
)
_ARRANGEMENT = re.compile(r"v\d+\.(\d*)([bhsd])")


@dataclass(frozen=True, slots=True)
class Extent:
    """`size` bytes from the effective address on are read, written, or both."""

    size: int
    is_read: bool
    is_write: bool


@lru_cache(maxsize=65536)
def extent_of(word: int, pc: int, c64: bool) -> Extent | None:
    """What an instruction accesses; None when it accesses no memory."""
    shape = shape_of(word, pc, c64)
    mnemonic, _, rest = shape.text.partition(" ")
    if rest.startswith("zva"):
        return Extent(ZVA_SIZE, False, True)
    if shape.memory is None and shape.literal is None:
        return None
    operands = [part.strip() for part in rest.partition("[")[0].split(",") if part.strip()]
    if mnemonic in ("br", "blr"):
        return Extent(16, True, False)
    both = mnemonic.startswith(_READ_MODIFY_WRITE)
    if not both and not mnemonic.startswith(("ld", "st")):
        return None
    size = _size(mnemonic, operands, rest)
    if not size:
        return None
    return Extent(size, both or mnemonic.startswith("ld"), both or mnemonic.startswith("st"))


def _size(mnemonic: str, operands: list[str], rest: str) -> int:
    if mnemonic in ("ldct", "stct"):
        return 4 * 16
    if operands and operands[0].startswith("{"):
        return _structure_size(mnemonic, rest)
    if mnemonic.startswith(("stxr", "stlxr", "stxp", "stlxp")):
        operands = operands[1:]
    if not operands:
        return 0
    if mnemonic in ("ldpbr", "ldpblr"):
        return 2 * 16
    size = _REGISTER_BYTES.get(operands[0][0], 0)
    if mnemonic.startswith(_PAIRS):
        return 8 if mnemonic == "ldpsw" else 2 * size
    if mnemonic.endswith("sw"):
        return 4
    for suffix, narrow in (("b", 1), ("h", 2)):
        if mnemonic.endswith(suffix):
            return narrow
    return size


def _structure_size(mnemonic: str, rest: str) -> int:
    listed = rest[: rest.index("}") + 1]
    registers = _ARRANGEMENT.findall(listed)
    if not registers:
        return 0
    count, element = registers[0]
    width = _REGISTER_BYTES[element]
    if mnemonic.endswith("r") or not count:
        return width * len(registers)
    return width * int(count) * len(registers)


def access_watcher(
    point: Watch, start: Thread, where: Callable[[Thread, int], str]
) -> Callable[[Thread, int, int], Stop | None]:
    """An observer that stops before an instruction that reads or writes what is watched.

    The kernel's stores (a `read` into a watched buffer) can't be seen coming: the stop is after the call.
    `start` is the thread whose next instruction comes first; observers may not be asked about that one.
    """
    kind = point.kind
    pending: tuple[int, bytes] | None = None
    if kind is not WatchKind.READ and _is_system_call(start):
        pending = (start.pe.pc, _contents(start, point))

    def watch(task: Thread, pc: int, word: int) -> Stop | None:
        nonlocal pending
        if pending is not None:
            caller, before = pending
            pending = None
            if before and pc != caller and _contents(task, point) != before:
                return stop(task, pc, f"written by the system call at {caller:#x}")
        if word == SVC and kind is not WatchKind.READ:
            pending = (pc, _contents(task, point))
        pe = task.pe
        extent = extent_of(word, pc, pe.pstate.c64)
        if extent is None:
            return None
        wanted = (extent.is_read and kind is not WatchKind.WRITE) or (
            extent.is_write and kind is not WatchKind.READ
        )
        if not wanted:
            return None
        address = _address(pe, word, pc)
        if address >= point.address + point.size or address + extent.size <= point.address:
            return None
        what = "read" if not extent.is_write else "write" if not extent.is_read else "read and write"
        return stop(task, pc, f"{what} of {extent.size} bytes at {address:#x}")

    def stop(task: Thread, pc: int, what: str) -> Stop:
        point.hits += 1
        text = f"{kind.value} watch {point.number}: {what}, at {pc:#x} ({where(task, pc)})"
        count = task.kernel.instructions
        return Stop(StopCause.WATCH, text, count, task.tid, pc, point=point.number)

    return watch


def _address(pe: Pe, word: int, pc: int) -> int:
    shape = shape_of(word, pc, pe.pstate.c64)
    if " zva, " in shape.text:
        return pe.read_x(int(shape.text.rpartition(", ")[2][1:])) & -ZVA_SIZE & MASK64
    return effective_address(pe, shape)


def _is_system_call(task: Thread) -> bool:
    try:
        return task.process.space.peek(task.pe.pc, 4) == SVC.to_bytes(4, "little")
    except MemoryAbort:
        return False


def _contents(task: Thread, point: Watch) -> bytes:
    try:
        return task.process.space.peek(point.address, point.size)
    except MemoryAbort:
        return b""

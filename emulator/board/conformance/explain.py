"""Why an image failed: the comparison that branched to `comparison_fail`, with both values decoded.

The harness of an image compares with `CHKEQ Cn, Cm`, `CMP Xn, Xm|#imm`, or `CBZ/CBNZ`/`CHKTGD`, followed by a
conditional branch to its symbol `comparison_fail`. An unexpected exception gets there from the EL3 vectors.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise

from emulator.board.outcome import Outcome
from emulator.board.system import System
from emulator.faults import MemoryAbort
from loader.elf import ElfImage
from morello_isa.capability import Capability

_HISTORY = 12
_CHKEQ_MASK, _CHKEQ = 0xFFE0_FC1F, 0xC2C0_A401
_CMP_REGISTER_MASK, _CMP_REGISTER = 0xFFE0_001F, 0xEB00_001F
_CMP_IMMEDIATE_MASK, _CMP_IMMEDIATE = 0xFF80_001F, 0xF100_001F
_CHKTGD_MASK, _CHKTGD = 0xFFFF_FC1F, 0xC2C2_9001 & 0xFFFF_FC1F


class _Symbols:
    """Names of addresses, nearest below."""

    def __init__(self, image: ElfImage | None) -> None:
        self._table: list[tuple[int, str]] = []
        if image is not None:
            self._table = sorted(
                (s.value, s.name) for s in image.symbols if s.name and s.name[0] not in "$/" and s.shndx
            )
        self._by_name = {name: value for value, name in self._table}

    def address(self, name: str) -> int | None:
        return self._by_name.get(name)

    def describe(self, address: int) -> str:
        best = ""
        for value, name in self._table:
            if value > address:
                break
            best = f"{name}+{address - value:#x}" if address - value else name
        return best


def disassemble(word: int, pc: int, c64: bool) -> str:
    """Text of an instruction word."""
    from morello_isa.disassemble import disassemble as to_text

    return to_text(word, pc, c64)


def explain_mismatch(system: System, image: ElfImage | None, outcome: Outcome, limit: int) -> list[str]:
    """Executes until `comparison_fail` is reached (or `limit`), then describes how it came there."""
    symbols = _Symbols(image)
    target = symbols.address("comparison_fail")
    history: deque[tuple[int, int, bool]] = deque(maxlen=_HISTORY)
    exceptions: list[str] = []
    pe = system.pe
    seen = system.last_fault
    reached = False
    while pe.instructions < limit:
        pc, c64 = pe.pc, pe.pstate.c64
        if pc == target and pe.pstate.el == 3:
            reached = True
            break
        try:
            history.append((pc, system.mmu.fetch(pc) if not pc & 3 else 0, c64))
        except MemoryAbort:
            history.append((pc, 0, c64))
        reason = system.engine.run(1)
        if system.last_fault is not seen:
            seen = system.last_fault
            if seen is not None:
                exceptions.append(
                    f"exception: {seen.kind.value} at {seen.pc:#x} ({symbols.describe(seen.pc)}),"
                    f" EL{seen.el}, address {seen.address:#x}, taken to EL{pe.pstate.el}"
                )
        if reason.detail is not None:
            break
    lines = [f"result: {outcome.kind.value} {_text(outcome.detail)}"]
    if reached:
        lines += _comparison(system, history, symbols)
    lines += exceptions[:3] + exceptions[3:][-2:]
    lines.append("last instructions:")
    for pc, word, c64 in history:
        lines.append(f"  {pc:#x} {symbols.describe(pc):<24} {word:08x}  {disassemble(word, pc, c64)}")
    return lines


def _text(detail: object) -> str:
    if isinstance(detail, bytes):
        return repr(detail.decode("ascii", "replace"))
    return str(detail)


def _comparison(system: System, history: deque[tuple[int, int, bool]], symbols: _Symbols) -> list[str]:
    """The comparison before the taken branch: expected and actual value."""
    if len(history) < 2:
        return []
    (compare_pc, word, _), (branch_pc, branch, _) = list(pairwise(history))[-1]
    if branch >> 26 == 5:
        return [f"an unexpected exception reached the EL3 vector at {branch_pc:#x}"]
    place = f"comparison at {compare_pc:#x} ({symbols.describe(compare_pc)})"
    pe = system.pe
    first, second = word >> 5 & 31, word >> 16 & 31
    if word & _CHKEQ_MASK == _CHKEQ:
        left, right = pe.read_c(first), pe.read_c(second)
        return [f"{place} of C{first} and C{second}:", *_capabilities(first, left, second, right)]
    if word & _CMP_REGISTER_MASK == _CMP_REGISTER:
        return [f"{place}: X{first} = {pe.read_x(first):#x}, X{second} = {pe.read_x(second):#x}"]
    if word & _CMP_IMMEDIATE_MASK == _CMP_IMMEDIATE:
        return [f"{place}: X{first} = {pe.read_x(first):#x}, expected {word >> 10 & 0xFFF:#x}"]
    if word & _CHKTGD_MASK == _CHKTGD:
        return [f"{place}: tag of C{first} is {int(pe.read_c(first).tag)}, the other one is expected"]
    return [f"{place}: {disassemble(word, compare_pc, False)}; {disassemble(branch, branch_pc, False)}"]


def _capabilities(first: int, left: Capability, second: int, right: Capability) -> list[str]:
    width = 4
    return [
        f"  C{first:<{width}} {int(left.tag)}:{left.hi:016x}:{left.value:016x}  {left.describe()}",
        f"  C{second:<{width}} {int(right.tag)}:{right.hi:016x}:{right.value:016x}  {right.describe()}",
    ]

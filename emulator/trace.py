"""Instruction trace: what was executed and what it changed. Costs nothing while it isn't attached."""

from __future__ import annotations

from collections.abc import Callable

from emulator.engine.reference import ReferenceEngine
from emulator.state.pe import Pe
from morello_isa.capability import Capability

Write = Callable[[str], None]


class InstructionTrace:
    """Prints one line for each instruction, and one for each register that it changed.

    Use: `InstructionTrace(engine, print).attach()`. The line of an instruction appears before it executes,
    its changes before the next one; `flush()` prints those of the last.
    """

    def __init__(self, engine: ReferenceEngine, write: Write) -> None:
        self._engine = engine
        self._write = write
        self._before: list[Capability] = []
        self._flags = 0

    def attach(self) -> None:
        """Begin tracing."""
        self._before = _registers(self._engine.pe)
        self._flags = self._engine.pe.nzcv
        self._engine.before_instruction = self._instruction

    def detach(self) -> None:
        """End tracing."""
        self.flush()
        self._engine.before_instruction = None

    def flush(self) -> None:
        """Print what changed since the last instruction line."""
        pe = self._engine.pe
        now = _registers(pe)
        for n, (old, new) in enumerate(zip(self._before, now, strict=True)):
            if old != new:
                self._write(f"    {'csp' if n == 31 else f'c{n}'} = {_text(new)}")
        if pe.nzcv != self._flags:
            names = "".join(
                letter if pe.nzcv >> bit & 1 else "-"
                for letter, bit in zip("NZCV", (3, 2, 1, 0), strict=True)
            )
            self._write(f"    nzcv = {names}")
        self._before, self._flags = now, pe.nzcv

    def _instruction(self, pc: int, word: int) -> None:
        from morello_isa.disassemble import disassemble

        self.flush()
        state = self._engine.pe.pstate
        mode = "c64" if state.c64 else "a64"
        self._write(f"{pc:#018x} el{state.el} {mode} {word:08x}  {disassemble(word, pc, state.c64)}")


def _registers(pe: Pe) -> list[Capability]:
    return [*(pe.read_c(n) for n in range(31)), pe.read_csp()]


def _text(value: Capability) -> str:
    """A capability decoded, or just the number for an integer."""
    return value.describe() if value.tag or value.hi else f"{value.value:#x}"

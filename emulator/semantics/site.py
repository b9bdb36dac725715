"""Where an instruction is bound: the operands that semantics functions close over.

A semantics function takes a `Site` and a decoded instruction and returns an `Action`: a closure that
executes it once. Whatever is known when binding (register numbers, immediates, the context, the address of
the instruction) is evaluated then. An action raises `PeFault` or lets `MemoryAbort` through; before it does,
it has changed nothing (except where the specification itself works element by element).
"""

from __future__ import annotations

from collections.abc import Callable

from emulator.engine.context import Context
from emulator.faults import FaultKind, PeFault
from emulator.memory.interface import Memory
from emulator.state.pe import Pe
from morello_isa.capability import CAP_NULL, Capability

Action = Callable[[], None]
ReadCapability = Callable[[], Capability]
WriteCapability = Callable[[Capability], None]
WriteInteger = Callable[[int], None]


class Undefined(Exception):
    """Raised while binding: the word is UNDEFINED here, before any other check."""


class Site:
    """One instruction word at one address under one context."""

    __slots__ = ("c", "context", "memory", "pc", "pe", "word", "x")

    def __init__(self, pe: Pe, memory: Memory, context: Context, pc: int, word: int) -> None:
        self.pe = pe
        self.memory = memory
        self.context = context
        self.pc = pc
        self.word = word
        self.x = pe.x
        self.c = pe.c

    # --- faults ------------------------------------------------------------------------------------

    def fault(self, kind: FaultKind, **details: object) -> PeFault:
        """A fault of this instruction; `details` are fields of `PeFault`."""
        return PeFault(kind, pc=self.pc, word=self.word, **details)  # type: ignore[arg-type]

    def undefined(self) -> PeFault:
        """UNDEFINED (EC 0)."""
        return self.fault(FaultKind.UNDEFINED)

    def undefined_action(self) -> Action:
        """An action that is UNDEFINED, for what is found out only after the capability-enable check."""

        def action() -> None:
            raise self.undefined()

        return action

    def fp_trap_action(self) -> Action:
        """An action that takes the SIMD&FP trap of this context (AArch64_AdvSIMDFPAccessTrap)."""

        def action() -> None:
            raise self.fault(FaultKind.FP_TRAP, target_el=self.context.fp_trap)

        return action

    # --- registers ---------------------------------------------------------------------------------

    def pcc(self) -> Capability:
        """PCC while this instruction executes."""
        return self.pe.pcc_at(self.pc)

    def read_c(self, n: int) -> ReadCapability:
        """Reader of Cn, 31 being CZR."""
        if n == 31:
            return lambda: CAP_NULL
        c, x = self.c, self.x
        return lambda: c[n] or Capability(False, 0, x[n])

    def read_c_or_csp(self, n: int) -> ReadCapability:
        """Reader of Cn, 31 being CSP."""
        if n != 31:
            return self.read_c(n)
        stack, bank = self.pe.stack, self.context.bank
        return lambda: stack[bank]

    def write_c(self, n: int) -> WriteCapability:
        """Writer of Cn, 31 discarding."""
        if n == 31:
            return lambda _: None
        c, x = self.c, self.x

        def write(capability: Capability) -> None:
            c[n] = capability
            x[n] = capability.value

        return write

    def write_c_or_csp(self, n: int) -> WriteCapability:
        """Writer of Cn, 31 being CSP."""
        if n != 31:
            return self.write_c(n)
        stack, bank = self.pe.stack, self.context.bank

        def write(capability: Capability) -> None:
            stack[bank] = capability

        return write

    def write_x(self, n: int) -> WriteInteger:
        """Writer of Xn (the value must be in 64 bits), 31 discarding."""
        if n == 31:
            return lambda _: None
        c, x = self.c, self.x

        def write(value: int) -> None:
            c[n] = None
            x[n] = value

        return write

    def read_sp(self) -> Callable[[], int]:
        """Reader of the selected SP's 64 bits."""
        stack, bank = self.pe.stack, self.context.bank
        return lambda: stack[bank].value

    def extended_register(self, m: int, option: int, shift: int) -> Callable[[], int]:
        """ExtendReg: Xm extended by `option` (0 UXTB … 7 SXTX) and shifted left; 64 bits, unsigned result."""
        x = self.x
        if option in (3, 7) and shift == 0:
            return lambda: x[m]
        width = 8 << (option & 3)
        mask = (1 << width) - 1
        if not option & 4:
            return lambda: (x[m] & mask) << shift & 0xFFFF_FFFF_FFFF_FFFF
        sign = 1 << width - 1
        return lambda: (((x[m] & mask) ^ sign) - sign << shift) & 0xFFFF_FFFF_FFFF_FFFF

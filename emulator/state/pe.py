"""The processing element's registers: what an instruction reads and writes, nothing about how it runs."""

from __future__ import annotations

from emulator.state.pstate import PState
from emulator.state.registers import NZCV_SLOT, RegisterFile
from emulator.state.sysregs import SystemRegisters
from morello_isa.capability import CAP_MAX, CAP_NULL, MASK64, Capability
from morello_isa.permissions import Perm

RESTRICTED_BANK = 4
# Bits of `Pe.attention`.
IRQ, FIQ, SERROR, WAITING = 1, 2, 4, 8
_EXECUTIVE = int(Perm.EXECUTIVE)
_SYSTEM_EXECUTE = int(Perm.SYSTEM | Perm.EXECUTE)


class Pe:
    """Registers of one Morello PE, in their reset state.

    A general register is `x[n]` (its 64-bit value, always valid) plus `c[n]`: the capability with that same
    value, or None for one that is only an integer (tag and upper half zero). `x[31]`/`c[31]` read as zero
    and null and must not be written. `stack` and `data` are the banks of CSP and DDC: 0..3 for EL0..EL3, 4
    for Restricted. `attention` is nonzero while an interrupt is pending or the PE waits. PCC is kept as an
    anchor capability and the current `pc`; use the properties.
    """

    __slots__ = (
        "_anchor",
        "attention",
        "c",
        "context_stale",
        "data",
        "event",
        "exclusive",
        "file",
        "in_block",
        "instructions",
        "pc",
        "pstate",
        "stack",
        "sysregs",
        "translation_stale",
        "v",
        "x",
    )

    def __init__(self) -> None:
        self.file = RegisterFile()
        self.x = self.file.x
        self.v = self.file.v
        self.c: list[Capability | None] = [None] * 32
        self.stack: list[Capability] = [CAP_NULL] * 5
        self.data: list[Capability] = [CAP_MAX] * 5
        self._anchor = CAP_MAX
        self.pc = 0
        self.pstate = PState()
        self.sysregs = SystemRegisters()
        self.exclusive: tuple[int, int] | None = None
        self.instructions = 0
        self.attention = 0
        self.event = False
        # The engine executes several instructions at a stretch: `instructions` is behind.
        self.in_block = False
        # Set by whoever changes what instructions mean, and what addresses mean; the engine looks.
        self.context_stale = self.translation_stale = True

    # --- what makes the engine stop and look -------------------------------------------------------

    @property
    def irq_line(self) -> bool:
        """The interrupt request line, set by the interrupt controller."""
        return bool(self.attention & IRQ)

    @irq_line.setter
    def irq_line(self, on: bool) -> None:
        self._attend(IRQ, on)

    @property
    def fiq_line(self) -> bool:
        """The fast interrupt request line."""
        return bool(self.attention & FIQ)

    @fiq_line.setter
    def fiq_line(self, on: bool) -> None:
        self._attend(FIQ, on)

    @property
    def serror_line(self) -> bool:
        """A pending SError."""
        return bool(self.attention & SERROR)

    @serror_line.setter
    def serror_line(self, on: bool) -> None:
        self._attend(SERROR, on)

    @property
    def waiting(self) -> bool:
        """The PE executed WFI and nothing has woken it."""
        return bool(self.attention & WAITING)

    @waiting.setter
    def waiting(self, on: bool) -> None:
        self._attend(WAITING, on)

    def _attend(self, bit: int, on: bool) -> None:
        self.attention = self.attention | bit if on else self.attention & ~bit

    # --- general registers -------------------------------------------------------------------------

    def read_x(self, n: int) -> int:
        """Xn; 31 is XZR."""
        return self.x[n]

    def write_x(self, n: int, value: int) -> None:
        """Xn := value mod 2^64; tag and metadata of Cn are lost. 31 is discarded."""
        if n != 31:
            self.x[n] = value & MASK64
            self.c[n] = None

    def read_c(self, n: int) -> Capability:
        """Cn; 31 is CZR."""
        return self.c[n] or Capability.from_int(self.x[n])

    def write_c(self, n: int, capability: Capability) -> None:
        """Cn := capability; 31 is discarded."""
        if n != 31:
            self.c[n] = capability
            self.x[n] = capability.value

    def read_v(self, n: int) -> int:
        """Vn, 128 bits."""
        return self.file.read_v(n)

    def write_v(self, n: int, value: int) -> None:
        """Vn := value, 128 bits."""
        self.file.write_v(n, value)

    @property
    def nzcv(self) -> int:
        """The condition flags, N in bit 3."""
        return self.x[NZCV_SLOT] >> 28

    @nzcv.setter
    def nzcv(self, value: int) -> None:
        self.x[NZCV_SLOT] = (value & 0xF) << 28

    # --- PCC, Executive and Restricted -------------------------------------------------------------

    @property
    def pcc(self) -> Capability:
        """PCC with the current program counter as its value."""
        return self.pcc_at(self.pc)

    @pcc.setter
    def pcc(self, capability: Capability) -> None:
        old = self._anchor
        self._anchor = capability
        self.pc = capability.value
        if old.hi != capability.hi or old.tag != capability.tag or old.bounds is not capability.bounds:
            self.context_stale = True

    def pcc_at(self, pc: int) -> Capability:
        """PCC as it is while the instruction at `pc`, reached without leaving PCC's bounds, executes."""
        anchor = self._anchor
        return anchor if anchor.value == pc else anchor.add(pc - anchor.value)

    @property
    def is_restricted(self) -> bool:
        """PCC lacks Executive (Sail: IsInRestricted)."""
        return not self._anchor.has(_EXECUTIVE)

    @property
    def has_system_access(self) -> bool:
        """PCC has System and Execute (Sail: CapIsSystemAccessEnabled)."""
        return self._anchor.has(_SYSTEM_EXECUTE)

    # --- banked registers --------------------------------------------------------------------------

    @property
    def bank(self) -> int:
        """Index into `stack` and `data` of the registers selected now."""
        if self.is_restricted:
            return RESTRICTED_BANK
        return self.pstate.el if self.pstate.sp else 0

    def read_csp(self) -> Capability:
        """The selected stack pointer (Sail: CSP_read)."""
        return self.stack[self.bank]

    def write_csp(self, capability: Capability) -> None:
        """Replace the selected stack pointer."""
        self.stack[self.bank] = capability

    @property
    def ddc(self) -> Capability:
        """The selected default data capability (Sail: DDC_read)."""
        return self.data[self.bank]

    @ddc.setter
    def ddc(self, capability: Capability) -> None:
        self.data[self.bank] = capability
        self.context_stale = True

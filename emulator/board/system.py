"""A running board: PE, MMU, physical memory, devices and the loop that drives them.

    system = System(BOARDS["testboard"], consoles={0: console})
    loaded = load_elf(system.physical, data, "image")
    system.start(loaded.entry)
    outcome = system.run(100_000)

Called by `morello boot`, `morello conformance` and tests. Whatever the guest does ends in an `Outcome`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from emulator.board.boards import Board
from emulator.board.boards import Device as DeviceRow
from emulator.board.clock import InstructionClock
from emulator.board.devices.base import Block, Console, Services, SetLevel, create_device, no_line
from emulator.board.outcome import Outcome, OutcomeKind, Quit
from emulator.board.psci import PowerRequest, Psci
from emulator.board.semihosting import HALT_IMMEDIATE, semihosting_call
from emulator.engine.api import Engine
from emulator.exceptions import take_exception
from emulator.faults import FaultKind, MemoryAbort, PeFault, StopKind
from emulator.memory.interface import Access
from emulator.memory.mmu import Mmu
from emulator.memory.physical import MmioDevice, PhysicalMemory
from emulator.state.pe import Pe
from morello_isa.capability import CAP_MAX

_BRANCH_TO_SELF = 0x1400_0000
_RECURSION_LIMIT = 8
_CHUNK = 1_000_000
_INTERACTIVE_CHUNK = 200_000
_DAIF_I = 2
ENGINES = ("fast", "reference")
DEFAULT_ENGINE = "fast"
INTERRUPTS = (FaultKind.IRQ, FaultKind.FIQ, FaultKind.SERROR)


MakeEngine = Callable[[Pe, Mmu, Callable[[Pe, PeFault], None]], Engine]


def make_engine(name: str, pe: Pe, memory: Mmu, handler: Callable[[Pe, PeFault], None]) -> Engine:
    """The engine called `name`, one of `ENGINES`. Raises KeyError for an unknown name."""
    if name == "fast":
        from emulator.engine.translate.engine import FastEngine

        return FastEngine(pe, memory, handler)
    if name != "reference":
        raise KeyError(name)
    from emulator.engine.reference import ReferenceEngine

    return ReferenceEngine(pe, memory, handler)


class System:
    """One board with one core. Parts are public: `pe`, `mmu`, `physical`, `engine`, `clock`, `devices`."""

    def __init__(
        self,
        board: Board,
        *,
        consoles: Mapping[int, Console] | None = None,
        blocks: Mapping[int, Block] | None = None,
        engine: str | MakeEngine | None = None,
        trace: Callable[[str, str], None] | None = None,
    ) -> None:
        """`engine` is one of `ENGINES` or a maker; `trace(topic, text)` gets topics exc, mmu, dev, psci."""
        self.board = board
        self._trace = trace
        self.physical = PhysicalMemory()
        for ram in board.ram:
            self.physical.add_ram(ram.name, ram.base, ram.size, ram.writable)
        self.pe = Pe()
        self.mmu = Mmu(self.pe, self.physical, self._tracer("mmu"))
        parts = (self.pe, self.mmu, self._on_exception)
        named = engine or DEFAULT_ENGINE
        self.engine = make_engine(named, *parts) if isinstance(named, str) else named(*parts)
        self.clock = InstructionClock(board.counter_hz)
        self.clock.attach(self.engine)
        self.psci: Psci | None = None
        self._console = (consoles or {}).get(0)
        self.wait_for_input: Callable[[], bool] | None = None
        self.poll: Callable[[], None] | None = None
        self.poll_every = _INTERACTIVE_CHUNK
        """Instructions."""
        self.last_fault: PeFault | None = None
        self._repeats = 0
        self._stuck = ""
        self.devices: dict[str, MmioDevice] = {}
        self.pe.sysregs.values["CNTFRQ_EL0"] = board.counter_hz
        self._interrupts = self._make_interrupt_controller()
        for row in board.devices:
            self._add_device(row, consoles or {}, blocks or {})

    def _tracer(self, topic: str) -> Callable[[str], None] | None:
        trace = self._trace
        return None if trace is None else lambda text: trace(topic, text)

    # -- construction ---------------------------------------------------------------------------------

    def _make_interrupt_controller(self) -> Callable[[int], SetLevel] | None:
        """GIC and generic timers, for boards that have them; gives the maker of interrupt lines."""
        gic_row = self.board.gic
        if gic_row is None:
            return None
        from emulator.board.devices.generic_timer import GenericTimers
        from emulator.board.devices.gicv3 import GicV3

        gic = GicV3(self.pe, self._tracer("dev"))
        for name, base, size, device in gic.windows(gic_row.distributor, gic_row.redistributor):
            self.physical.add_device(name, base, size, device)
            self.devices[name] = device
        GenericTimers(self.pe, self.clock, gic.line)
        return gic.line

    def _add_device(
        self, row: DeviceRow, consoles: Mapping[int, Console], blocks: Mapping[int, Block]
    ) -> None:
        if row.block is not None and row.block not in blocks:
            return
        if row.console is not None and row.console > 1 and row.console not in consoles:
            return
        line: SetLevel = no_line
        if row.interrupt is not None and self._interrupts is not None:
            line = self._interrupts(row.interrupt)
        services = Services(
            memory=self.physical,
            clock=self.clock,
            interrupt=line,
            console=consoles.get(row.console) if row.console is not None else None,
            block=blocks.get(row.block) if row.block is not None else None,
            stop=self.engine.request_stop,
            trace=self._tracer("dev"),
            devices=self.devices,
        )
        device = create_device(row.kind, services, row.options)
        self.physical.add_device(row.name, row.base, row.size, device)
        self.devices[row.name] = device

    # -- starting -------------------------------------------------------------------------------------

    def start(self, entry: int, el: int | None = None, x0: int = 0) -> None:
        """Puts the PE at `entry` (bit 0: in C64) at exception level `el`, with `x0` in X0.

        Below EL3 the state is what firmware leaves behind: non-secure, capabilities enabled, and SMC
        answered by PSCI.
        """
        pe = self.pe
        el = self.board.start_el if el is None else el
        if el < 3:
            self._firmware_state(el)
            self.psci = Psci(self.engine.request_stop, self._tracer("psci"))
        pe.pstate.el = el
        pe.pstate.c64 = bool(entry & 1)
        pe.pcc = CAP_MAX.set_value(entry & ~1)
        pe.write_x(0, x0)
        for n in range(1, 4):
            pe.write_x(n, 0)
        self.mmu.context_changed()
        pe.context_stale = True

    def _firmware_state(self, el: int) -> None:
        values = self.pe.sysregs.values
        values["SCR_EL3"] = 1 | 1 << 8 | 1 << 10
        values["CPTR_EL3"] = 1 << 9
        values["CPTR_EL2"] = 0x0000_33FF & ~(1 << 9 | 1 << 10 | 1 << 20)
        values["HCR_EL2"] = 1 << 31 if el == 1 else 0
        values["CNTHCTL_EL2"] = 3
        values["CPACR_EL1"] = 3 << 20 | 3 << 18 if el == 1 else 0

    # -- exceptions -----------------------------------------------------------------------------------

    def _on_exception(self, pe: Pe, fault: PeFault) -> None:
        if self._trace is not None:
            self._trace(
                "exc", f"{fault.kind.value} at {fault.pc:#x}, EL{pe.pstate.el}, far {fault.address:#x}"
            )
        if fault.kind is FaultKind.SMC and self.psci is not None and self.psci.handles(pe):
            pe.pc = fault.pc + 4
            self.psci.call(pe)
            return
        if self._semihosting(pe, fault):
            return
        take_exception(pe, fault)
        if fault.kind not in INTERRUPTS:
            self._watch_recursion(pe, fault)

    def _semihosting(self, pe: Pe, fault: PeFault) -> bool:
        """HLT #0xF000 on boards other than the test board; False if it is an ordinary exception."""
        if fault.kind is not FaultKind.HLT or fault.immediate != HALT_IMMEDIATE or self.board.gic is None:
            return False
        pe.pc = fault.pc + 4
        try:
            outcome = semihosting_call(pe, self.mmu, self._console)
        except MemoryAbort as abort:
            outcome = Outcome(OutcomeKind.STUCK, f"semihosting call with a bad address {abort.address:#x}")
        if outcome is not None:
            self.engine.request_stop(outcome)
        return True

    def _watch_recursion(self, pe: Pe, fault: PeFault) -> None:
        """An exception whose handler's first instruction takes the same exception never ends."""
        last = self.last_fault
        if last is not None and (fault.pc, fault.kind, fault.el) == (last.pc, last.kind, last.el):
            self._repeats += 1
            if self._repeats == _RECURSION_LIMIT and pe.pc == fault.pc:
                self._stuck = (
                    f"{fault.kind.value} at {fault.pc:#x} in EL{fault.el} is taken again "
                    "at once by its own handler"
                )
                self.engine.request_stop(OutcomeKind.STUCK)
        else:
            self._repeats = 0
        self.last_fault = fault

    # -- running --------------------------------------------------------------------------------------

    def run(self, max_instructions: int | None = None) -> Outcome:
        """Runs until the guest ends, is stuck, or has executed `max_instructions` more."""
        done_before = self.pe.instructions
        while True:
            chunk = _CHUNK if self.poll is None else self.poll_every
            if max_instructions is not None:
                left = max_instructions - (self.pe.instructions - done_before)
                if left <= 0:
                    return Outcome(OutcomeKind.LIMIT, f"{max_instructions} instructions were executed")
                chunk = min(chunk, left)
            try:
                if self.poll is not None:
                    self.poll()
                reason = self.engine.run(chunk)
            except Quit:
                return Outcome(OutcomeKind.USER)
            if reason.kind is StopKind.REQUESTED:
                return self._requested(reason.detail)
            if reason.kind is StopKind.IDLE:
                stuck = self._idle()
            else:
                stuck = self._spinning()
            if stuck is not None:
                return stuck

    def _requested(self, detail: object) -> Outcome:
        if detail is OutcomeKind.STUCK:
            return Outcome(OutcomeKind.STUCK, self._stuck)
        if isinstance(detail, Outcome):
            return detail
        if isinstance(detail, OutcomeKind):
            return Outcome(detail)
        if isinstance(detail, PowerRequest):
            return Outcome(OutcomeKind.RESET if detail is PowerRequest.RESET else OutcomeKind.POWER_OFF)
        return Outcome(OutcomeKind.REPORTED, detail)

    def _idle(self) -> Outcome | None:
        """WFI with nothing pending: time passes, or input is awaited, or nothing can ever happen."""
        if self.clock.skip_idle():
            return None
        try:
            if self.wait_for_input is not None and self.wait_for_input():
                return None
        except Quit:
            return Outcome(OutcomeKind.USER)
        return Outcome(OutcomeKind.STUCK, f"waiting at {self.pe.pc:#x} for an interrupt that can't come")

    def _spinning(self) -> Outcome | None:
        """A branch to itself that no interrupt can leave."""
        pe = self.pe
        try:
            word = self.mmu.read(pe.pc, 4, Access.NORMAL) if not pe.pc & 3 else 0
        except MemoryAbort:
            return None
        if word != _BRANCH_TO_SELF:
            return None
        if self._interrupts is not None and not pe.pstate.daif & _DAIF_I:
            return None
        return Outcome(OutcomeKind.STUCK, f"endless loop at {pe.pc:#x} with interrupts masked")

"""GICv3 interrupt controller for one core (Arm IHI 0069): distributor, redistributor, CPU interface.

Modelled with a single security state (GICD_CTLR.DS = 1): group 0 interrupts are FIQs, group 1 are IRQs.
Affinity routing is always on; there is no ITS and there are no LPIs.
"""

from __future__ import annotations

from collections.abc import Callable

from emulator.board.devices.base import Register, RegisterDevice, SetLevel
from emulator.memory.physical import MmioDevice
from emulator.state.pe import Pe

LINES = 288
SPURIOUS = 1023
_IIDR = 0x0000_043B
_PIDR2 = 0x3B
_IDLE_PRIORITY = 0xFF
_PRIORITY_MASK = 0xF8
FRAME_BYTES = 0x1_0000


class GicV3:
    """State of all interrupts (indexed by INTID) and the logic that picks the one to signal."""

    def __init__(self, pe: Pe, trace: Callable[[str], None] | None = None) -> None:
        self._pe = pe
        self._trace = trace
        self.group1 = bytearray(LINES)
        self.enabled = bytearray(LINES)
        self.latched = bytearray(LINES)
        self.level = bytearray(LINES)
        self.active = bytearray(LINES)
        self.edge = bytearray(LINES)
        self.priority = bytearray(LINES)
        self.route = [0] * LINES
        self.edge[:16] = b"\1" * 16
        self._interesting: set[int] = set()
        self.distributor_control = 0
        self._running: list[tuple[int, int]] = []
        self._pmr = 0
        self._group_enable = [0, 0]
        self._bpr = [0, 0]
        self._eoi_mode = 0
        self._connect_registers()

    # -- lines and selection --------------------------------------------------------------------------

    def line(self, interrupt: int) -> SetLevel:
        """The input line of an INTID (16 and up)."""

        def set_level(level: bool) -> None:
            if bool(self.level[interrupt]) == level:
                return
            self.level[interrupt] = level
            if level:
                if self.edge[interrupt]:
                    self.latched[interrupt] = 1
                self._interesting.add(interrupt)
            self.update()

        return set_level

    def pend(self, interrupt: int) -> None:
        """Makes an interrupt pending by software."""
        self.latched[interrupt] = 1
        self._interesting.add(interrupt)
        self.update()

    def is_pending(self, interrupt: int) -> bool:
        """Latched, or level-sensitive with its line high."""
        return bool(self.latched[interrupt] or (self.level[interrupt] and not self.edge[interrupt]))

    def running_priority(self) -> int:
        """Priority of the interrupt being handled, 0xFF when there is none."""
        return self._running[-1][1] if self._running else _IDLE_PRIORITY

    def highest_pending(self, group: int | None = None) -> int:
        """INTID of the most urgent pending and enabled interrupt (of a group), else 1023."""
        best, best_priority = SPURIOUS, _IDLE_PRIORITY + 1
        idle = []
        for interrupt in self._interesting:
            if not self.is_pending(interrupt):
                idle.append(interrupt)
                continue
            of_group = self.group1[interrupt]
            if not self.enabled[interrupt] or self.active[interrupt]:
                continue
            if not self.distributor_control >> of_group & 1 or not self._group_enable[of_group]:
                continue
            if group is not None and of_group != group:
                continue
            rank = (self.priority[interrupt], interrupt)
            if rank < (best_priority, best):
                best, best_priority = interrupt, rank[0]
        self._interesting.difference_update(idle)
        return best

    def update(self) -> None:
        """Drives the PE's IRQ and FIQ inputs."""
        best = self.highest_pending()
        signal = best != SPURIOUS and self._may_preempt(self.priority[best])
        self._pe.irq_line = signal and bool(self.group1[best])
        self._pe.fiq_line = signal and not self.group1[best]

    def _may_preempt(self, priority: int) -> bool:
        if priority >= self._pmr:
            return False
        if not self._running:
            return True
        mask = 0xFF << (self._bpr[1] + 1) & 0xFF
        return priority & mask < self.running_priority() & mask

    # -- CPU interface --------------------------------------------------------------------------------

    def _connect_registers(self) -> None:
        reads, writes = self._pe.sysregs.read_hooks, self._pe.sysregs.write_hooks
        for group in (0, 1):
            reads[f"ICC_IAR{group}_EL1"] = self._acknowledger(group)
            reads[f"ICC_HPPIR{group}_EL1"] = self._highest_reader(group)
            writes[f"ICC_EOIR{group}_EL1"] = self.end_of_interrupt
            reads[f"ICC_IGRPEN{group}_EL1"] = self._enable_reader(group)
            writes[f"ICC_IGRPEN{group}_EL1"] = self._enable_writer(group)
            reads[f"ICC_BPR{group}_EL1"] = self._bpr_reader(group)
            writes[f"ICC_BPR{group}_EL1"] = self._bpr_writer(group)
        reads["ICC_IGRPEN1_EL3"] = lambda: self._group_enable[1] * 3
        writes["ICC_IGRPEN1_EL3"] = self._enable_writer(1)
        writes["ICC_DIR_EL1"] = self._deactivate
        reads["ICC_PMR_EL1"] = lambda: self._pmr
        writes["ICC_PMR_EL1"] = self._set_mask
        reads["ICC_RPR_EL1"] = self.running_priority
        reads["ICC_CTLR_EL1"] = lambda: self._eoi_mode << 1 | 4 << 8 | 1 << 15
        writes["ICC_CTLR_EL1"] = self._set_control
        writes["ICC_SGI1R_EL1"] = self._generate
        writes["ICC_SGI0R_EL1"] = self._generate
        writes["ICC_ASGI1R_EL1"] = self._generate
        for name in ("ICC_SRE_EL1", "ICC_SRE_EL2", "ICC_SRE_EL3"):
            reads[name] = lambda: 0xF

    def acknowledge(self, group: int) -> int:
        """IAR: the interrupt to handle, now active; 1023 when there is none."""
        interrupt = self.highest_pending(group)
        if interrupt == SPURIOUS or not self._may_preempt(self.priority[interrupt]):
            return SPURIOUS
        if self.highest_pending() != interrupt:
            return SPURIOUS
        self.active[interrupt] = 1
        self.latched[interrupt] = 0
        self._running.append((interrupt, self.priority[interrupt]))
        self.update()
        return interrupt

    def end_of_interrupt(self, value: int) -> None:
        """EOIR: priority drop, and deactivation unless EOImode says that DIR does it."""
        interrupt = value & 0xFF_FFFF
        if interrupt >= LINES or not self._running:
            return
        self._running.pop()
        if not self._eoi_mode:
            self.active[interrupt] = 0
            self._interesting.add(interrupt)
        self.update()

    def _deactivate(self, value: int) -> None:
        interrupt = value & 0xFF_FFFF
        if interrupt < LINES:
            self.active[interrupt] = 0
            self._interesting.add(interrupt)
            self.update()

    def _acknowledger(self, group: int) -> Callable[[], int]:
        return lambda: self.acknowledge(group)

    def _highest_reader(self, group: int) -> Callable[[], int]:
        return lambda: self.highest_pending(group)

    def _enable_reader(self, group: int) -> Callable[[], int]:
        return lambda: self._group_enable[group]

    def _enable_writer(self, group: int) -> Callable[[int], None]:
        def write(value: int) -> None:
            self._group_enable[group] = value & 1
            self.update()

        return write

    def _bpr_reader(self, group: int) -> Callable[[], int]:
        return lambda: self._bpr[group]

    def _bpr_writer(self, group: int) -> Callable[[int], None]:
        def write(value: int) -> None:
            self._bpr[group] = max(value & 7, 2)
            self.update()

        return write

    def _set_mask(self, value: int) -> None:
        self._pmr = value & _PRIORITY_MASK
        self.update()

    def _set_control(self, value: int) -> None:
        self._eoi_mode = value >> 1 & 1

    def _generate(self, value: int) -> None:
        """SGI to the target list; the only core has affinity 0.0.0.0."""
        to_others = value >> 40 & 1
        affinity = (value >> 48 & 0xFF, value >> 32 & 0xFF, value >> 16 & 0xFF)
        if not to_others and affinity == (0, 0, 0) and value & 1:
            self.pend(value >> 24 & 0xF)

    # -- memory-mapped frames -------------------------------------------------------------------------

    def windows(self, distributor: int, redistributor: int) -> list[tuple[str, int, int, MmioDevice]]:
        """(name, base, size, device) of the frames."""
        return [
            ("gicd", distributor, FRAME_BYTES, Distributor(self, self._trace)),
            ("gicr", redistributor, FRAME_BYTES, RedistributorControl(self._trace)),
            ("gicr-sgi", redistributor + FRAME_BYTES, FRAME_BYTES, InterruptFrame(self, 0, 32, self._trace)),
        ]


class InterruptFrame(RegisterDevice):
    """Registers with bits or fields per interrupt, for INTIDs [first, last)."""

    def __init__(self, gic: GicV3, first: int, last: int, trace: Callable[[str], None] | None = None) -> None:
        super().__init__(trace)
        self.name = "gicr-sgi" if first == 0 else "gicd"
        self._gic = gic
        for start in range(first, last, 32):
            self._define_bits(start)
        for start in range(first, last, 4):
            self._define_priority(start)
        for start in range(first, last, 16):
            self._define_configuration(start)

    def _define_bits(self, start: int) -> None:
        """The eight one-bit-per-interrupt registers of 32 interrupts."""
        gic = self._gic
        offset = start // 8

        def getter(state: bytearray) -> Callable[[], int]:
            return lambda: sum(state[start + i] << i for i in range(32))

        def setter(state: bytearray, bit: int) -> Callable[[int], None]:
            def write(value: int) -> None:
                for i in range(32):
                    if value >> i & 1:
                        state[start + i] = bit
                        gic._interesting.add(start + i)
                gic.update()

            return write

        def store(value: int) -> None:
            for i in range(32):
                gic.group1[start + i] = value >> i & 1
            gic.update()

        def pending() -> int:
            return sum(gic.is_pending(start + i) << i for i in range(32))

        self.define(
            Register(f"IGROUPR{start // 32}", 0x080 + offset, getter(gic.group1), store),
            Register(f"ISENABLER{start // 32}", 0x100 + offset, getter(gic.enabled), setter(gic.enabled, 1)),
            Register(f"ICENABLER{start // 32}", 0x180 + offset, getter(gic.enabled), setter(gic.enabled, 0)),
            Register(f"ISPENDR{start // 32}", 0x200 + offset, pending, setter(gic.latched, 1)),
            Register(f"ICPENDR{start // 32}", 0x280 + offset, pending, setter(gic.latched, 0)),
            Register(f"ISACTIVER{start // 32}", 0x300 + offset, getter(gic.active), setter(gic.active, 1)),
            Register(f"ICACTIVER{start // 32}", 0x380 + offset, getter(gic.active), setter(gic.active, 0)),
        )

    def _define_priority(self, start: int) -> None:
        gic = self._gic

        def read() -> int:
            return int.from_bytes(gic.priority[start : start + 4], "little")

        def write(value: int) -> None:
            for i in range(4):
                gic.priority[start + i] = value >> 8 * i & _PRIORITY_MASK
            gic.update()

        self.define(Register(f"IPRIORITYR{start // 4}", 0x400 + start, read, write, merge=True))

    def _define_configuration(self, start: int) -> None:
        gic = self._gic

        def read() -> int:
            return sum(gic.edge[start + i] << 2 * i + 1 for i in range(16))

        def write(value: int) -> None:
            if start == 0:
                return
            for i in range(16):
                gic.edge[start + i] = value >> 2 * i + 1 & 1
            gic.update()

        self.define(Register(f"ICFGR{start // 16}", 0xC00 + start // 4, read, write))


class Distributor(InterruptFrame):
    """GICD: SPIs and global control. The registers of SGIs and PPIs are RES0 here."""

    def __init__(self, gic: GicV3, trace: Callable[[str], None] | None = None) -> None:
        super().__init__(gic, 32, LINES, trace)
        self.define(
            Register("GICD_CTLR", 0x0000, self._control, self._set_control),
            Register("GICD_TYPER", 0x0004, lambda: (LINES // 32 - 1) | 9 << 19 | 1 << 25),
            Register("GICD_IIDR", 0x0008, lambda: _IIDR),
            Register("GICD_PIDR2", 0xFFE8, lambda: _PIDR2),
        )
        for interrupt in range(32, LINES):
            self._define_route(interrupt)

    def _control(self) -> int:
        return self._gic.distributor_control | 1 << 4 | 1 << 6

    def _set_control(self, value: int) -> None:
        self._gic.distributor_control = value & 3
        self._gic.update()

    def _define_route(self, interrupt: int) -> None:
        gic = self._gic

        def write(value: int) -> None:
            gic.route[interrupt] = value & 0xFF_80FF_FFFF

        self.define(
            Register(
                f"IROUTER{interrupt}", 0x6000 + 8 * interrupt, lambda: gic.route[interrupt], write, 8, True
            )
        )


class RedistributorControl(RegisterDevice):
    """GICR, first frame: identification and wake-up."""

    def __init__(self, trace: Callable[[str], None] | None = None) -> None:
        super().__init__(trace)
        self.name = "gicr"
        self._waker = 6
        self.define(
            Register("GICR_CTLR", 0x0000, lambda: 0, lambda _: None),
            Register("GICR_IIDR", 0x0004, lambda: _IIDR),
            Register("GICR_TYPER", 0x0008, lambda: 1 << 4, size=8),
            Register("GICR_WAKER", 0x0014, lambda: self._waker, self._set_waker),
            Register("GICR_PIDR2", 0xFFE8, lambda: _PIDR2),
        )

    def _set_waker(self, value: int) -> None:
        """ChildrenAsleep follows ProcessorSleep at once."""
        self._waker = 6 if value & 2 else 0

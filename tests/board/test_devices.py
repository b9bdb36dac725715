"""Devices through their registers: UART, GIC, timers, RTC, watchdog, virtio (emulator/board/devices)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.board.boards import BOARDS
from emulator.board.console import MemoryBlock, MemoryConsole
from emulator.board.devices.base import Block, Services, create_device
from emulator.board.devices.generic_timer import GenericTimers
from emulator.board.devices.gicv3 import GicV3
from emulator.board.outcome import OutcomeKind
from emulator.memory.physical import BusError, MmioDevice, PhysicalMemory
from emulator.state.pe import Pe

RAM = 0x4000_0000


class ManualAlarm:
    def __init__(self, action: Callable[[], None]) -> None:
        self.action = action
        self.tick: int | None = None

    def set(self, tick: int | None) -> None:
        self.tick = tick


class ManualClock:
    """A clock that tests advance."""

    frequency = 100

    def __init__(self) -> None:
        self.now = 0
        self.alarms: list[ManualAlarm] = []

    def ticks(self) -> int:
        return self.now

    def alarm(self, action: Callable[[], None]) -> ManualAlarm:
        self.alarms.append(ManualAlarm(action))
        return self.alarms[-1]

    def advance(self, ticks: int) -> None:
        self.now += ticks
        for alarm in self.alarms:
            if alarm.tick is not None and alarm.tick <= self.now:
                alarm.tick = None
                alarm.action()


class Bench:
    """One device with everything around it."""

    def __init__(self, kind: str, options: Mapping[str, object] | None = None, block: Block | None = None):
        self.memory = PhysicalMemory()
        self.memory.add_ram("ram", RAM, 1 << 20)
        self.clock = ManualClock()
        self.console = MemoryConsole()
        self.line = False
        self.stops: list[object] = []
        self.services = Services(
            memory=self.memory,
            clock=self.clock,
            interrupt=self._set_line,
            console=self.console,
            block=block,
            stop=self.stops.append,
        )
        self.device: MmioDevice = create_device(kind, self.services, options or {})

    def _set_line(self, level: bool) -> None:
        self.line = level

    def read(self, offset: int, size: int = 4) -> int:
        return self.device.read(offset, size)

    def write(self, offset: int, value: int, size: int = 4) -> None:
        self.device.write(offset, size, value)


# -- UART ---------------------------------------------------------------------------------------------


def test_uart_sends_and_receives_with_interrupts() -> None:
    uart = Bench("pl011")
    for byte in b"hi":
        uart.write(0x00, byte, 1)
    assert uart.console.output == b"hi"
    assert uart.read(0x18) & 0x90 == 0x90
    uart.write(0x38, 1 << 4)
    uart.console.feed(b"ab")
    assert uart.line and uart.read(0x40) == 1 << 4
    assert [uart.read(0), uart.read(0)] == [ord("a"), ord("b")]
    assert not uart.line and uart.read(0x18) & 0x10
    assert [uart.read(0xFE0 + 4 * i) for i in range(4)] == [0x11, 0x10, 0x34, 0]
    assert [uart.read(0xFF0 + 4 * i) for i in range(4)] == [0x0D, 0xF0, 0x05, 0xB1]


def test_uart_loopback() -> None:
    uart = Bench("pl011")
    uart.write(0x30, 1 | 1 << 7 | 3 << 8)
    uart.write(0, ord("z"))
    assert uart.console.output == b"" and uart.read(0) == ord("z")


# -- GIC and timers -----------------------------------------------------------------------------------


def gic_with_pe() -> tuple[GicV3, Pe, PhysicalMemory]:
    pe = Pe()
    gic = GicV3(pe)
    memory = PhysicalMemory()
    for name, base, size, device in gic.windows(0x0800_0000, 0x080A_0000):
        memory.add_device(name, base, size, device)
    memory.write(0x0800_0000, 4, 3)
    for name, value in (("ICC_PMR_EL1", 0xF0), ("ICC_IGRPEN1_EL1", 1), ("ICC_IGRPEN0_EL1", 1)):
        pe.sysregs.write(name, value)
    return gic, pe, memory


def test_level_interrupt_from_line_to_end() -> None:
    gic, pe, memory = gic_with_pe()
    line = gic.line(40)
    memory.write(0x0800_0084, 4, 1 << 8)
    memory.write(0x0800_0400 + 40, 1, 0x80)
    line(True)
    assert not pe.irq_line
    memory.write(0x0800_0104, 4, 1 << 8)
    assert pe.irq_line and not pe.fiq_line
    assert pe.sysregs.read("ICC_HPPIR1_EL1") == 40
    assert pe.sysregs.read("ICC_IAR1_EL1") == 40
    assert not pe.irq_line and pe.sysregs.read("ICC_RPR_EL1") == 0x80
    assert memory.read(0x0800_0304, 4) == 1 << 8
    assert pe.sysregs.read("ICC_IAR1_EL1") == 1023
    pe.sysregs.write("ICC_EOIR1_EL1", 40)
    assert pe.irq_line, "the line is still high"
    line(False)
    assert not pe.irq_line and pe.sysregs.read("ICC_RPR_EL1") == 0xFF


def test_priorities_preempt_and_the_mask_blocks() -> None:
    gic, pe, memory = gic_with_pe()
    memory.write(0x0800_0084, 4, 0xFFFF_FFFF)
    memory.write(0x0800_0104, 4, 0xFFFF_FFFF)
    memory.write(0x0800_0400 + 33, 1, 0xA0)
    memory.write(0x0800_0400 + 34, 1, 0x40)
    low, high = gic.line(33), gic.line(34)
    low(True)
    assert pe.sysregs.read("ICC_IAR1_EL1") == 33
    high(True)
    assert pe.irq_line, "more urgent: preempts"
    assert pe.sysregs.read("ICC_IAR1_EL1") == 34
    pe.sysregs.write("ICC_EOIR1_EL1", 34)
    assert pe.sysregs.read("ICC_RPR_EL1") == 0xA0
    pe.sysregs.write("ICC_PMR_EL1", 0x40)
    high(True)
    assert not pe.irq_line, "priority equal to the mask is blocked"


def test_software_generated_and_group0_interrupts() -> None:
    gic, pe, memory = gic_with_pe()
    frame = 0x080B_0000
    memory.write(frame + 0x80, 4, 1 << 5)
    memory.write(frame + 0x100, 4, 1 << 5 | 1 << 6)
    pe.sysregs.write("ICC_SGI1R_EL1", 5 << 24 | 1)
    assert pe.irq_line and pe.sysregs.read("ICC_IAR1_EL1") == 5
    pe.sysregs.write("ICC_EOIR1_EL1", 5)
    pe.sysregs.write("ICC_SGI0R_EL1", 6 << 24 | 1)
    assert pe.fiq_line and not pe.irq_line
    assert pe.sysregs.read("ICC_IAR1_EL1") == 1023
    assert pe.sysregs.read("ICC_IAR0_EL1") == 6
    pe.sysregs.write("ICC_EOIR0_EL1", 6)
    pe.sysregs.write("ICC_SGI1R_EL1", 5 << 24 | 1 << 40)
    assert not pe.irq_line, "to all others: nobody"
    assert gic.running_priority() == 0xFF


def test_timer_condition_mask_and_interrupt() -> None:
    gic, pe, memory = gic_with_pe()
    clock = ManualClock()
    GenericTimers(pe, clock, gic.line)
    memory.write(0x080B_0080, 4, 1 << 30)
    memory.write(0x080B_0100, 4, 1 << 30)
    pe.sysregs.write("CNTP_TVAL_EL0", 100)
    pe.sysregs.write("CNTP_CTL_EL0", 1)
    assert pe.sysregs.read("CNTP_CVAL_EL0") == 100 and pe.sysregs.read("CNTP_CTL_EL0") == 1
    clock.advance(99)
    assert not pe.irq_line and pe.sysregs.read("CNTP_TVAL_EL0") == 1
    clock.advance(1)
    assert pe.irq_line and pe.sysregs.read("CNTP_CTL_EL0") == 5
    pe.sysregs.write("CNTP_CTL_EL0", 3)
    assert not pe.irq_line
    pe.sysregs.write("CNTP_CTL_EL0", 1)
    assert pe.irq_line
    pe.sysregs.write("CNTP_TVAL_EL0", 0xFFFF_FFCE)
    assert pe.irq_line, "a negative timer value lies in the past"
    pe.sysregs.write("CNTVOFF_EL2", 40)
    assert pe.sysregs.read("CNTVCT_EL0") == 60 and pe.sysregs.read("CNTPCT_EL0") == 100


# -- RTC, watchdog ------------------------------------------------------------------------------------


def test_rtc_counts_seconds_and_alarms() -> None:
    rtc = Bench("pl031", {"epoch": 1_000_000})
    assert rtc.read(0) == 1_000_000
    rtc.clock.advance(250)
    assert rtc.read(0) == 1_000_002
    rtc.write(0x10, 1)
    rtc.write(0x04, 1_000_004)
    rtc.clock.advance(149)
    assert not rtc.line
    rtc.clock.advance(1)
    assert rtc.line and rtc.read(0x18) == 1
    rtc.write(0x1C, 1)
    assert not rtc.line
    rtc.write(0x08, 50)
    assert rtc.read(0) == 50


def test_watchdog_warns_then_resets() -> None:
    dog = Bench("watchdog")
    dog.write(0x08, 1000)
    dog.write(0x00, 1)
    dog.clock.advance(999)
    assert not dog.line
    dog.write(0x08, 1000)
    dog.clock.advance(999)
    assert not dog.line, "writing the offset refreshes"
    dog.clock.advance(1)
    assert dog.line and dog.read(0) == 3 and not dog.stops
    dog.clock.advance(1000)
    assert dog.stops == [OutcomeKind.WATCHDOG]


def test_refresh_frame_of_the_watchdog() -> None:
    dog = Bench("watchdog")
    dog.services.devices = {"dog": dog.device}
    frame = create_device("watchdog", dog.services, {"refreshes": "dog"})
    dog.write(0x08, 1000)
    dog.write(0x00, 1)
    dog.clock.advance(1500)
    assert dog.line
    frame.write(0x000, 4, 1)
    assert not dog.line and dog.read(0) == 1 and frame.read(0xFCC, 4) == 0x43B
    dog.clock.advance(999)
    assert not dog.line and not dog.stops


# -- virtio -------------------------------------------------------------------------------------------

DESC, AVAIL, USED, BUFFER = RAM, RAM + 0x1000, RAM + 0x2000, RAM + 0x1_0000
QUEUE_SIZE = 8


class VirtioDriver:
    """What an operating system does: set up one queue, add chains, look at the used ring."""

    def __init__(self, bench: Bench, legacy: bool, queue: int = 0) -> None:
        self.bench = bench
        self.next = 0
        version = bench.read(4)
        assert bench.read(0) == 0x7472_6976 and version == (1 if legacy else 2)
        bench.write(0x70, 3)
        bench.write(0x30, queue)
        bench.write(0x38, QUEUE_SIZE)
        self.desc, self.avail, self.used = DESC, AVAIL, USED
        if legacy:
            bench.write(0x28, 4096)
            bench.write(0x3C, 4096)
            bench.write(0x40, DESC >> 12)
            self.avail = DESC + 16 * QUEUE_SIZE
            self.used = DESC + 4096
        else:
            for offset, address in ((0x80, DESC), (0x90, AVAIL), (0xA0, USED)):
                bench.write(offset, address & 0xFFFF_FFFF)
                bench.write(offset + 4, address >> 32)
            bench.write(0x44, 1)
        bench.write(0x70, 7)

    def add(self, buffers: list[tuple[int, int, bool]], queue: int = 0) -> tuple[int, int]:
        """Adds a chain of (address, size, device writes) and notifies; the used element."""
        memory = self.bench.memory
        for i, (address, size, writes) in enumerate(buffers):
            flags = (2 if writes else 0) | (1 if i + 1 < len(buffers) else 0)
            memory.write_bytes(self.desc + 16 * i, struct.pack("<QIHH", address, size, flags, i + 1))
        memory.write(self.avail + 4 + 2 * (self.next % QUEUE_SIZE), 2, 0)
        self.next += 1
        memory.write(self.avail + 2, 2, self.next)
        self.bench.write(0x50, queue)
        return self.last_used()

    def last_used(self) -> tuple[int, int]:
        memory = self.bench.memory
        index = memory.read(self.used + 2, 2)
        slot = self.used + 4 + 8 * ((index - 1) % QUEUE_SIZE)
        return memory.read(slot, 4), memory.read(slot + 4, 4)


@pytest.mark.parametrize("legacy", (False, True))
def test_block_device_reads_and_writes(legacy: bool) -> None:
    disk = MemoryBlock(bytes(range(256)) * 16)
    bench = Bench("virtio_block", {"legacy": legacy}, disk)
    driver = VirtioDriver(bench, legacy)
    assert bench.read(0x100) == 8, "capacity in sectors"
    header, data, status = BUFFER, BUFFER + 0x100, BUFFER + 0x800
    bench.memory.write_tag(data, 1)
    bench.memory.write_bytes(header, struct.pack("<IIQ", 0, 0, 1))
    bench.memory.write(status, 1, 0xFF)
    assert driver.add([(header, 16, False), (data, 512, True), (status, 1, True)]) == (0, 513)
    assert bench.memory.read_bytes(data, 512) == disk.data[512:1024]
    assert bench.memory.read(status, 1) == 0 and bench.memory.read_tag(data) == 0
    assert bench.line and bench.read(0x60) == 1
    bench.write(0x64, 1)
    assert not bench.line
    bench.memory.write_bytes(header, struct.pack("<IIQ", 1, 0, 7))
    bench.memory.write_bytes(data, b"M" * 512)
    driver.add([(header, 16, False), (data, 512, False), (status, 1, True)])
    assert disk.data[7 * 512 :] == b"M" * 512
    bench.memory.write_bytes(header, struct.pack("<IIQ", 1, 0, 8))
    driver.add([(header, 16, False), (data, 512, False), (status, 1, True)])
    assert bench.memory.read(status, 1) == 1, "past the end: an I/O error"


def test_full_disk_is_an_io_error_for_the_guest() -> None:
    class Full(MemoryBlock):
        def write(self, offset: int, data: bytes) -> None:
            raise OSError(28, f"no space for {len(data)} bytes at {offset}")

    bench = Bench("virtio_block", {}, Full(bytes(4096)))
    driver = VirtioDriver(bench, False)
    bench.memory.write_bytes(BUFFER, struct.pack("<IIQ", 1, 0, 0))
    driver.add([(BUFFER, 16, False), (BUFFER + 0x100, 512, False), (BUFFER + 0x800, 1, True)])
    assert bench.memory.read(BUFFER + 0x800, 1) == 1


def test_console_device_sends_and_receives() -> None:
    bench = Bench("virtio_console")
    driver = VirtioDriver(bench, False, queue=1)
    bench.memory.write_bytes(BUFFER, b"hello")
    driver.add([(BUFFER, 5, False)], queue=1)
    assert bench.console.output == b"hello"
    bench = Bench("virtio_console")
    driver = VirtioDriver(bench, False, queue=0)
    bench.console.feed(b"key")
    assert driver.add([(BUFFER, 64, True)], queue=0) == (0, 3)
    assert bench.memory.read_bytes(BUFFER, 3) == b"key"


@settings(deadline=None, max_examples=80, derandomize=True)
@given(
    descriptors=st.lists(
        st.tuples(
            st.sampled_from((0, 1, BUFFER, RAM + (1 << 20) - 8, 0xFFFF_FFFF_FFFF_FFF0)),
            st.sampled_from((0, 1, 16, 513, 0xFFFF_FFFF)),
            st.integers(0, 7),
            st.integers(0, 9),
        ),
        min_size=1,
        max_size=QUEUE_SIZE,
    ),
    kind=st.sampled_from(("virtio_block", "virtio_console")),
    head=st.integers(0, 9),
)
def test_no_ring_can_break_a_virtio_device(
    descriptors: list[tuple[int, int, int, int]], kind: str, head: int
) -> None:
    """Broken rings stop the device or fail the request, never raise."""
    bench = Bench(kind, {}, MemoryBlock(bytes(4096)))
    queue = 1 if kind == "virtio_console" else 0
    driver = VirtioDriver(bench, False, queue)
    for i, descriptor in enumerate(descriptors):
        bench.memory.write_bytes(DESC + 16 * i, struct.pack("<QIHH", *descriptor))
    bench.memory.write(driver.avail + 4, 2, head)
    bench.memory.write(driver.avail + 2, 2, 1)
    bench.write(0x50, queue)
    assert bench.read(0x70) in (7, 0x47)


DEVICE_KINDS = sorted({d.kind for board in BOARDS.values() for d in board.devices})


@settings(deadline=None, max_examples=100, derandomize=True)
@given(
    kind=st.sampled_from(DEVICE_KINDS),
    accesses=st.lists(
        st.tuples(
            st.booleans(),
            st.one_of(st.integers(0, 0x1FF), st.integers(0, 0xFFFF)),
            st.sampled_from((1, 2, 4, 8)),
            st.integers(0, (1 << 64) - 1),
        ),
        max_size=30,
    ),
)
def test_no_access_can_break_a_device(kind: str, accesses: list[tuple[bool, int, int, int]]) -> None:
    """Any offset, width and value: an answer or a bus error."""
    bench = Bench(kind, {}, MemoryBlock(bytes(4096)))
    for is_write, offset, size, value in accesses:
        try:
            if is_write:
                bench.write(offset, value & ((1 << 8 * size) - 1), size)
            else:
                bench.read(offset, size)
        except BusError:
            pass
    bench.clock.advance(1 << 20)

"""The boards as data: memory map, devices, interrupt numbers, start state.

`testboard` is what the conformance images are linked for; `morello` follows the application processor's map
of the Morello SDP and its FVP; `virt` the map that QEMU users know. Interrupt numbers are GIC INTIDs (SPI n
is 32 + n). To add a board, add a row to `BOARDS`; to add a device to one, a row to its `devices`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

SPI = 32
PPI = 16
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
LEGACY: Mapping[str, object] = {"legacy": True}


@dataclass(frozen=True, slots=True)
class Ram:
    """RAM (or, not writable, flash) at a physical address; bytes. `os` memory goes into the device tree."""

    name: str
    base: int
    size: int
    os: bool = False
    writable: bool = True


@dataclass(frozen=True, slots=True)
class Device:
    """One device window. `interrupt` is an INTID; `console`/`block` connect it to the outside.

    `console` 0 is the main console (stdin and stdout), 1 the second one; `block` numbers disk images.
    """

    name: str
    kind: str
    base: int
    size: int
    interrupt: int | None = None
    console: int | None = None
    block: int | None = None
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gic:
    """Addresses of the GICv3: distributor and the redistributor frames of the one core."""

    distributor: int
    redistributor: int


@dataclass(frozen=True, slots=True)
class Board:
    """One machine. `start_el` is where ELF images start, `kernel_el` where `--kernel` does.

    `kernel_base` is the RAM address below which nothing of a kernel, initrd or device tree is put;
    `counter_hz` the frequency of the system counter, which advances by one with each instruction.
    """

    name: str
    summary: str
    compatible: tuple[str, ...]
    ram: tuple[Ram, ...]
    devices: tuple[Device, ...]
    gic: Gic | None
    start_el: int
    kernel_el: int
    kernel_base: int
    counter_hz: int
    model: str = "Morello"


TESTBOARD = Board(
    name="testboard",
    summary="test board of the conformance images: RAM and the trickbox",
    compatible=("arm,morello-testboard",),
    ram=(
        Ram("ram-low", 0x0, 0x1300_0000),
        Ram("ram", 0x1320_0000, 4 * GIB - 0x1320_0000, os=True),
        Ram("ram-high", 0x8000_0000_0000, 256 * MIB),
        Ram("ram-top", 0xFFFF_FFFE_0000, 128 * KIB),
    ),
    devices=(Device("trickbox", "trickbox", 0x1300_0000, 0x20_0000, console=0),),
    gic=None,
    start_el=3,
    kernel_el=3,
    kernel_base=0x8000_0000,
    counter_hz=50_000_000,
)

MORELLO = Board(
    name="morello",
    summary="Morello SDP/FVP: application processor's map",
    compatible=("arm,morello",),
    ram=(
        Ram("boot-rom", 0x0, 128 * KIB),
        Ram("trusted-sram", 0x0400_0000, 512 * KIB),
        Ram("sram", 0x0600_0000, 64 * KIB),
        Ram("preset", 0x1400_0000, 96 * MIB),
        Ram("flash", 0x1A00_0000, 32 * MIB, writable=False),
        Ram("dram1", 0x8000_0000, 2 * GIB - 16 * MIB, os=True),
        Ram("dram1-secure", 0xFF00_0000, 16 * MIB),
        Ram("dram2", 0x80_8000_0000, 6 * GIB, os=True),
    ),
    devices=(
        Device("uart0", "pl011", 0x2A40_0000, 0x1000, SPI + 63, console=0),
        Device("uart1", "pl011", 0x2A41_0000, 0x1000, SPI + 64, console=1),
        Device("counter-control", "counter", 0x2A43_0000, 0x1_0000, options={"control": True}),
        Device("watchdog", "watchdog", 0x2A44_0000, 0x1_0000, SPI + 93),
        Device("watchdog-refresh", "watchdog", 0x2A45_0000, 0x1_0000, options={"refreshes": "watchdog"}),
        Device("counter-read", "counter", 0x2A80_0000, 0x1_0000),
        Device("iofpga-uart0", "pl011", 0x1C09_0000, 0x1000, options={"clock": 24_000_000}),
        Device("rtc", "pl031", 0x1C10_0000, 0x1000, SPI + 104),
        Device("virtio-block", "virtio_block", 0x1C17_0000, 0x1000, SPI + 96, block=0, options=LEGACY),
        Device("virtio-console", "virtio_console", 0x1C18_0000, 0x1000, SPI + 102, console=2, options=LEGACY),
    ),
    gic=Gic(0x3000_0000, 0x300C_0000),
    start_el=3,
    kernel_el=2,
    kernel_base=0x8000_0000,
    counter_hz=50_000_000,
)

VIRT = Board(
    name="virt",
    summary="the map of QEMU's virt machine with GICv3",
    compatible=("linux,dummy-virt",),
    ram=(
        Ram("flash", 0x0, 128 * MIB, writable=False),
        Ram("ram", 0x4000_0000, 3 * GIB, os=True),
    ),
    devices=(
        Device("uart0", "pl011", 0x0900_0000, 0x1000, SPI + 1, console=0),
        Device("rtc", "pl031", 0x0901_0000, 0x1000, SPI + 2),
        Device("uart1", "pl011", 0x0904_0000, 0x1000, SPI + 8, console=1),
        Device("virtio-block", "virtio_block", 0x0A00_0000, 0x200, SPI + 16, block=0),
        Device("virtio-console", "virtio_console", 0x0A00_0200, 0x200, SPI + 17, console=2),
        Device("watchdog", "watchdog", 0x0C00_1000, 0x1000, SPI + 112),
        Device("watchdog-refresh", "watchdog", 0x0C00_0000, 0x1000, options={"refreshes": "watchdog"}),
    ),
    gic=Gic(0x0800_0000, 0x080A_0000),
    start_el=2,
    kernel_el=2,
    kernel_base=0x4000_0000,
    counter_hz=62_500_000,
    model="linux,dummy-virt",
)


def at_time(board: Board, epoch: int) -> Board:
    """The same board whose real-time clock starts at `epoch`, seconds since 1970, not at the host's time."""
    devices = tuple(
        replace(row, options={"epoch": epoch, **row.options}) if row.kind == "pl031" else row
        for row in board.devices
    )
    return replace(board, devices=devices)


BOARDS: Mapping[str, Board] = {board.name: board for board in (TESTBOARD, MORELLO, VIRT)}

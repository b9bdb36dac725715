"""Own bare-metal images: each states in its head what it examines, runs on a board and reports by itself."""

from __future__ import annotations

import pytest

from emulator.board.boards import BOARDS
from emulator.board.console import MemoryBlock, MemoryConsole
from emulator.board.image import load_elf
from emulator.board.outcome import OutcomeKind
from emulator.board.system import System
from tests.board.build import build_image

pytestmark = pytest.mark.usefixtures("both_engines")

LIMIT = 200_000
TESTBOARD_IMAGES = ("fault_codes", "page_attributes", "restricted", "sealed_pairs", "traps", "stage2", "host")


def run_on_testboard(name: str) -> str:
    console = MemoryConsole()
    system = System(BOARDS["testboard"], consoles={0: console})
    system.start(load_elf(system.physical, build_image(name), name).entry)
    outcome = system.run(LIMIT)
    assert outcome.kind is OutcomeKind.REPORTED, (outcome, bytes(console.output))
    return console.output.decode()


@pytest.mark.parametrize("name", TESTBOARD_IMAGES)
def test_image(name: str) -> None:
    assert run_on_testboard(name) == "OK\n"


DEVICE_BOARDS = {
    "virt": {
        "UART0": 0x0900_0000,
        "UART1": 0x0904_0000,
        "UART_INTID": 33,
        "GICD": 0x0800_0000,
        "GICR": 0x080A_0000,
        "VIRTIO": 0x0A00_0000,
        "VIRTIO_VERSION": 2,
        "VIRTIO_RAM": 0x4800_0000,
        "BASE": 0x4010_0000,
    },
    "morello": {
        "UART0": 0x2A40_0000,
        "UART1": 0x2A41_0000,
        "UART_INTID": 95,
        "GICD": 0x3000_0000,
        "GICR": 0x300C_0000,
        "VIRTIO": 0x1C17_0000,
        "VIRTIO_VERSION": 1,
        "VIRTIO_RAM": 0x8800_0000,
        "BASE": 0x8010_0000,
    },
}


class DeviceRun:
    """A device image on a board with everything connected."""

    def __init__(self, board: str, name: str, el: int, feed: bytes = b"") -> None:
        definitions = DEVICE_BOARDS[board]
        image = build_image(name, definitions["BASE"], tuple(definitions.items()))
        self.uart0, self.uart1 = MemoryConsole(), MemoryConsole()
        self.disk = MemoryBlock(bytes(512) + b"1-MORELLO" + bytes(503) + bytes(1024))
        self.system = System(BOARDS[board], consoles={0: self.uart0, 1: self.uart1}, blocks={0: self.disk})
        self.system.start(load_elf(self.system.physical, image, name).entry, el)
        self.uart0.feed(feed)
        self.outcome = self.system.run(LIMIT)


@pytest.mark.parametrize("board", DEVICE_BOARDS)
def test_interrupts(board: str) -> None:
    run = DeviceRun(board, "interrupts", 1)
    assert (run.uart0.output, run.outcome.kind) == (b"OK\n", OutcomeKind.POWER_OFF), run.outcome


@pytest.mark.parametrize("board", DEVICE_BOARDS)
@pytest.mark.parametrize("el", (1, 2))
def test_psci(board: str, el: int) -> None:
    run = DeviceRun(board, "psci", el)
    assert (run.uart0.output, run.outcome.kind) == (b"OK\n", OutcomeKind.POWER_OFF), run.outcome


@pytest.mark.parametrize("board", DEVICE_BOARDS)
def test_uarts(board: str) -> None:
    run = DeviceRun(board, "uarts", 2, feed=b"ping")
    assert (run.uart0.output, run.outcome.kind) == (b"PINGOK\n", OutcomeKind.POWER_OFF), run.outcome
    assert run.uart1.output == b"second\n"


@pytest.mark.parametrize("board", DEVICE_BOARDS)
def test_virtio(board: str) -> None:
    run = DeviceRun(board, "virtio", 1)
    assert (run.uart0.output, run.outcome.kind) == (b"OK\n", OutcomeKind.POWER_OFF), run.outcome
    assert run.disk.data[1024:1034] == b"CHANG\0\0\0O\0"


def test_a_failing_check_reaches_the_exit_status() -> None:
    """With a wrong expectation the image prints the number of the check and exits with 1."""
    definitions = dict(DEVICE_BOARDS["virt"], VIRTIO_VERSION=1)
    image = build_image("virtio", definitions["BASE"], tuple(definitions.items()))
    console = MemoryConsole()
    system = System(BOARDS["virt"], consoles={0: console}, blocks={0: MemoryBlock(bytes(1024))})
    system.start(load_elf(system.physical, image, "virtio").entry, 1)
    outcome = system.run(LIMIT)
    assert (console.output, outcome.kind, outcome.detail) == (b"check 02\nFAILED\n", OutcomeKind.EXIT, 1)

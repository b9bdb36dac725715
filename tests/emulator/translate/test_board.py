"""Boards on both engines: the same end, output, registers, memory, tags and instruction count."""

from __future__ import annotations

import pytest

from emulator.board.boards import BOARDS, TESTBOARD, Board
from emulator.board.conformance.image import find_images
from emulator.board.console import MemoryBlock, MemoryConsole
from emulator.board.image import load_elf, read_file
from emulator.board.outcome import Outcome
from emulator.board.system import ENGINES, System
from emulator.engine.translate.engine import FastEngine
from emulator.memory.physical import RamRegion
from loader.elf import ElfImage
from tests.board.build import build_image
from tests.board.test_conformance import IMAGES, needs_images
from tests.board.test_images import DEVICE_BOARDS, TESTBOARD_IMAGES

LIMIT = 200_000
_AROUND = 0x1_0000
Ended = tuple[System, Outcome, bytes]


def boot(board: Board, data: bytes, engine: str, el: int | None = None, feed: bytes = b"") -> Ended:
    """Run an image to its end."""
    console = MemoryConsole()
    blocks = {0: MemoryBlock(bytes(512) + b"1-MORELLO" + bytes(503) + bytes(1024))}
    system = System(board, consoles={0: console, 1: MemoryConsole()}, blocks=blocks, engine=engine)
    system.start(load_elf(system.physical, data, "image").entry, el)
    console.feed(feed)
    return system, system.run(LIMIT), bytes(console.output)


def state(ended: Ended) -> dict[str, object]:
    """Everything that must be equal, but memory."""
    system, outcome, output = ended
    pe = system.pe
    registers: dict[str, object] = {f"c{n}": pe.read_c(n) for n in range(31)}
    registers |= {f"v{n}": pe.read_v(n) for n in range(32)}
    return registers | {
        "pcc": pe.pcc, "stack": pe.stack, "data": pe.data, "nzcv": pe.nzcv, "fpsr": pe.x[35], "fpcr": pe.x[34],
        "pstate": [getattr(pe.pstate, name) for name in type(pe.pstate).__slots__],
        "values": pe.sysregs.values, "capabilities": pe.sysregs.capabilities, "exclusive": pe.exclusive,
        "instructions": pe.instructions, "ticks": system.clock.ticks(), "outcome": (outcome.kind, outcome.detail),
        "output": output,
    }  # fmt: skip


def memory(system: System, image: ElfImage) -> list[tuple[bytes, list[int]]]:
    """Bytes and tagged granules of what was loaded, and of the pages around."""
    found = []
    for segment in image.load_segments:
        low = max(segment.paddr - _AROUND, 0) & -_AROUND
        region = system.physical.find(segment.paddr)
        assert isinstance(region, RamRegion)
        low, high = max(low, region.base), min(segment.paddr + segment.memsz + _AROUND, region.limit)
        tags = list(system.physical.tagged_granules(low, high - low))
        found.append((system.physical.read_bytes(low, high - low), tags))
    return found


def assert_equal(board: Board, data: bytes, el: int | None = None, feed: bytes = b"") -> FastEngine:
    """Both engines do the same with the image; the fast one is returned."""
    first, second = (boot(board, data, engine, el, feed) for engine in ENGINES)
    one, two = state(first), state(second)
    assert {k: (one[k], two[k]) for k in one if one[k] != two[k]} == {}
    image = ElfImage.from_bytes(data, "image")
    assert memory(first[0], image) == memory(second[0], image)
    engine = second[0].engine
    assert isinstance(engine, FastEngine)
    return engine


@pytest.mark.parametrize("name", TESTBOARD_IMAGES)
def test_testboard_image(name: str) -> None:
    engine = assert_equal(TESTBOARD, build_image(name))
    assert engine.counters.entries > 20


@pytest.mark.parametrize("board", DEVICE_BOARDS)
@pytest.mark.parametrize(
    ("name", "el"), [("interrupts", 1), ("psci", 1), ("psci", 2), ("uarts", 2), ("virtio", 1)]
)
def test_device_image(board: str, name: str, el: int) -> None:
    """Interrupts, timers and devices: at the same instruction."""
    definitions = DEVICE_BOARDS[board]
    data = build_image(name, definitions["BASE"], tuple(definitions.items()))
    engine = assert_equal(BOARDS[board], data, el, b"ping" if name == "uarts" else b"")
    assert engine.counters.entries > 20


@needs_images
@pytest.mark.parametrize("start", range(0, 77, 11))
def test_conformance_images(start: int) -> None:
    for path, _, _ in find_images(IMAGES)[start::77]:
        assert_equal(TESTBOARD, read_file(path))

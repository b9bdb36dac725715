"""Boards on both engines: the same end, output, registers, memory, tags and instruction count."""

from __future__ import annotations

import pytest

from emulator.board.boards import BOARDS, TESTBOARD, VIRT, Board
from emulator.board.conformance.image import find_images
from emulator.board.console import MemoryBlock, MemoryConsole
from emulator.board.image import load_elf, read_file
from emulator.board.outcome import Outcome, OutcomeKind
from emulator.board.system import System
from emulator.engine.translate.engine import FastEngine
from emulator.engine.translate.layout import CODE, SHADOW, STATE, TABLE
from emulator.memory.physical import RamRegion
from loader.elf import ElfImage
from morello_isa.capability import CAP_MAX
from tests.board.build import build_image
from tests.board.tables import LC_SHIFT, SC, VALID_AF, Tables
from tests.board.test_boot import assemble
from tests.board.test_conformance import IMAGES, needs_images
from tests.board.test_images import DEVICE_BOARDS, TESTBOARD_IMAGES
from tests.board.test_upper_half import enable_translation

BOTH = ("reference", "fast")
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
    first, second = (boot(board, data, engine, el, feed) for engine in BOTH)
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
    assert engine.counters.entries > 10


@pytest.mark.parametrize("board", DEVICE_BOARDS)
@pytest.mark.parametrize(
    ("name", "el"), [("interrupts", 1), ("psci", 1), ("psci", 2), ("uarts", 2), ("virtio", 1)]
)
def test_device_image(board: str, name: str, el: int) -> None:
    """Interrupts, timers and devices: at the same instruction."""
    definitions = DEVICE_BOARDS[board]
    data = build_image(name, definitions["BASE"], tuple(definitions.items()))
    engine = assert_equal(BOARDS[board], data, el, b"ping" if name == "uarts" else b"")
    assert engine.counters.entries > 10


@needs_images
@pytest.mark.parametrize("start", range(0, 77, 11))
def test_conformance_images(start: int) -> None:
    for path, _, _ in find_images(IMAGES)[start::77]:
        assert_equal(TESTBOARD, read_file(path))


DATA = 0x4020_0000
TOP = 0xFFFF_FF80_0000_0000
WILD_PROGRAM = """
        adr x10, vectors
        mrs c1, DDC
        scvalue c10, c1, x10
        msr CVBAR_EL1, c10
        adr x9, addresses
        mov x8, #COUNT
    1:  ldr x1, [x9], #8
        ldr x3, [x1]
        eor x4, x3, x4, ror #7
        str x4, [x1, #8]
        ldrb w3, [x1, x8]
        eor x4, x3, x4, ror #7
        subs x8, x8, #1
        b.ne 1b
        mov w0, #0x18
        adr x1, block
        hlt #0xf000
        .balign 8
    block: .quad 0x20026, 0
    addresses: .quad ADDRESSES
        .balign 2048
    vectors:
        .skip 512
        mrs x5, FAR_EL1
        eor x4, x5, x4, ror #7
        mrs x5, ESR_EL1
        eor x4, x5, x4, ror #7
        mrs c5, CELR_EL1
        add c5, c5, #4
        msr CELR_EL1, c5
        eret
"""


def wild_addresses() -> list[int]:
    """What a guest may try: every kind of top half word before an address that is mapped, or used by the
    translator."""
    own = [STATE, TABLE, CODE, SHADOW + (DATA >> 4), SHADOW + (DATA >> 4) + (0xFFFF << 44)]
    tops = {
        0,
        1,
        0x7F,
        0x80,
        0xFF,
        0x1200,
        0x3FFF,
        0x4034,
        0x6010,
        0x7FFF,
        0x8000,
        0xFF00,
        0xFF7F,
        0xFF80,
        0xFFFF,
    }
    for address in own:
        tops |= {address >> 48 ^ flip for flip in (0, 0x8000, 0xFF00, 0x80, 0x1000)}
    places = [DATA, 0x1000, *(address & (1 << 48) - 1 for address in own), 0xFF80_0000_0000 | DATA]
    return [top << 48 | place + 0x40 for top in sorted(tops) for place in dict.fromkeys(places)]


@pytest.mark.parametrize("tbi", (0, 1 << 37, 1 << 38, 3 << 37))
@pytest.mark.parametrize("top", (0, TOP))
def test_no_address_reaches_what_it_must_not(top: int, tbi: int) -> None:
    """Loads and stores at wild addresses: the same faults, and never the translator's own memory."""
    addresses = wild_addresses()
    text = WILD_PROGRAM.replace("ADDRESSES", ", ".join(map(hex, addresses)))
    data = assemble(text.replace("COUNT", str(len(addresses))))
    ends = []
    for engine in BOTH:
        system = System(VIRT, engine=engine)
        loaded = load_elf(system.physical, data, "program")
        tables = Tables(system.physical, 0x5000_0000, 12, 39)
        for block in range(0x4000_0000, 0x4800_0000, 0x20_0000):
            tables.map(block, block, VALID_AF | SC | 1 << LC_SHIFT | 3 << 8, level=2)
        system.start(loaded.entry, el=1)
        enable_translation(system, tables.root, tbi)
        system.pe.pcc = CAP_MAX.set_value(loaded.entry | top)
        outcome = system.run(100_000)
        assert outcome.kind is OutcomeKind.EXIT, outcome
        ends.append(state((system, outcome, b"")) | {"data": system.physical.read_bytes(DATA, 4096)})
    assert ends[0] == ends[1]


SPACES_PROGRAM = """
        ldr x10, =DATA_AT
        mov x11, #ROUNDS
        mov x0, #0
    1:  mov x12, x10
        mov x13, #SPACES
    2:  ldr x1, [x12], #8
        msr TTBR0_EL1, x1
        isb
        ldr x2, =CODE_AT
        blr x2
        eor x0, x0, x0, ror #9
        subs x13, x13, #1
        b.ne 2b
        subs x11, x11, #1
        b.ne 1b
        mov x3, x0
        mov w0, #0x18
        adr x1, block
        hlt #0xf000
        .balign 8
    block: .quad 0x20026, 0
        .ltorg
"""


def test_many_address_spaces() -> None:
    """Other code at the same address in each: never mixed up, and none makes the others be translated anew."""
    spaces, rounds, code = 100, 6, 0x1_0000
    names = {"DATA_AT": TOP | DATA, "CODE_AT": code, "ROUNDS": rounds, "SPACES": spaces}
    text = SPACES_PROGRAM
    for name, value in names.items():
        text = text.replace(name, hex(value))
    data = assemble(text)
    ends = []
    for engine in BOTH:
        system = System(VIRT, engine=engine)
        physical = system.physical
        loaded = load_elf(physical, data, "program")
        kernel = Tables(physical, 0x5000_0000, 12, 39)
        attributes = VALID_AF | SC | 1 << LC_SHIFT | 3 << 8
        for block in range(0x4000_0000, 0x4800_0000, 0x20_0000):
            kernel.map(block, block, attributes, level=2)
        for n in range(spaces):
            tables = Tables(physical, 0x5100_0000 + n * 0x10_0000, 12, 39)
            page = 0x4600_0000 + n * 0x1000
            tables.map(code, page, attributes)
            loop = f"mov x5, #50\n1: add x0, x0, #{n + 1}\nsubs x5, x5, #1\nb.ne 1b\nret"
            # The code of one page, at its physical address, without the ELF around it.
            image = ElfImage.from_bytes(assemble(loop), "code")
            segment = image.load_segments[0]
            physical.write_bytes(page, image.data[segment.offset : segment.offset + segment.filesz])
            physical.write(DATA + 8 * n, 8, tables.root | n + 1 << 48)
        system.start(loaded.entry, el=1)
        enable_translation(system, kernel.root, 0)
        system.pe.pcc = CAP_MAX.set_value(loaded.entry | TOP)
        outcome = system.run(1_000_000)
        assert outcome.kind is OutcomeKind.EXIT, outcome
        ends.append(state((system, outcome, b"")))
        if isinstance(system.engine, FastEngine):
            assert system.engine.counters.flushes == 0
    assert ends[0] == ends[1]

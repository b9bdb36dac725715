"""Random programs on a board, both engines: every level, both states, MMU on and off, TBI, alignment checks."""

from __future__ import annotations

import os
import random

import pytest

from emulator.board.boards import TESTBOARD, VIRT
from emulator.board.console import MemoryConsole
from emulator.board.outcome import Outcome, OutcomeKind
from emulator.board.system import System
from emulator.engine.translate.engine import FastEngine
from emulator.faults import PeFault
from emulator.state.pe import Pe
from morello_isa.capability import CAP_MAX, MASK64, Capability
from tests.board.tables import LC_SHIFT, SC, VALID_AF, Tables
from tests.board.test_random_words import CODE, DATA, TABLES, map_everything, refresh
from tests.emulator.translate.test_board import BOTH, state
from tests.emulator.translate.twins import random_words

SEED = int(os.environ.get("MORELLO_SEED", "1"))
PROGRAMS = int(os.environ.get("MORELLO_BOARD_PROGRAMS", "25"))
HIGH = 0xFFFF_FF80_0000_0000
AREA = 0x4000


class Side:
    """One board whose exceptions are noted and skipped."""

    def __init__(self, engine: str, el: int) -> None:
        board = VIRT if el < 3 else TESTBOARD
        self.system = System(board, consoles={0: MemoryConsole()}, engine=engine)
        map_everything(self.system)
        if el == 1:
            # What EL0 may write EL1 can't execute.
            tables = Tables(self.system.physical, TABLES, 12, 39)
            for block in range(0x4000_0000, 0x5000_0000, 0x20_0000):
                tables.map(block, block, VALID_AF | SC | 1 << LC_SHIFT, level=2)
        self.system.pe.sysregs.values["TTBR1_EL1"] = self.system.pe.sysregs.values["TTBR0_EL1"]
        self.system.start(CODE, el=3)
        self.system.engine.on_exception = self.note  # type: ignore[attr-defined]
        self.faults: list[tuple[object, ...]] = []

    def note(self, pe: Pe, fault: PeFault) -> None:
        self.faults.append(
            (pe.instructions, fault.kind, fault.pc, fault.word, fault.address, fault.register, fault.is_write)
        )
        if fault.is_fetch or len(self.faults) > 100:
            self.system.engine.request_stop("enough")
        else:
            pe.pc = fault.pc + 4 & MASK64

    def prepare(self, seed: str, el: int, c64: bool) -> None:
        """Code, data and registers that depend on the seed only."""
        chance = random.Random(seed)
        system, pe = self.system, self.system.pe
        self.faults.clear()
        refresh(system, chance, el, c64)
        top = HIGH if el < 2 and chance.random() < 0.4 else 0
        values = pe.sysregs.values
        for name in ("TCR_EL1", "TCR_EL2", "TCR_EL3"):
            bits = 3 << 37 if name == "TCR_EL1" else 1 << 20
            values[name] = values.get(name, 0) & ~bits | chance.getrandbits(64) & bits
        whole = CAP_MAX.set_value(top | DATA)
        choices = [
            whole.add(chance.randrange(0, AREA) & -16),
            whole.add(chance.randrange(0, AREA)),
            whole.set_bounds(AREA, exact=False).add(chance.randrange(0, AREA) & -16),
            whole.add(64).set_bounds(chance.randrange(1, 300), exact=False),
            whole.add(0x100).set_bounds(0x200, exact=False).clear_permissions(1 << chance.randrange(18)),
            whole.with_tag(False),
            Capability.from_int(chance.getrandbits(64)),
            Capability.from_int(top | DATA | chance.choice((0, 0x1200 << 48)) + 0x800),
        ]
        for n in range(31):
            pe.write_c(n, chance.choice(choices) if n < 8 or n in (17, 26) else Capability.from_int(8 * n))
        for bank in range(5):
            pe.stack[bank] = whole.set_bounds(AREA, exact=False).add(AREA // 2)
            if chance.random() < 0.7:
                pe.data[bank] = CAP_MAX
        for at in range(DATA, DATA + AREA, 16):
            pointer = chance.choice(choices)
            bits = pointer.hi << 64 | pointer.value
            system.physical.write_bytes(at, bits.to_bytes(16, "little"))
            system.physical.write_tag(at, pointer.tag)
        words = random_words(chance, 24)
        system.physical.write_bytes(CODE, b"".join(word.to_bytes(4, "little") for word in words))
        pe.pcc = CAP_MAX.set_value(top | CODE)
        pe.pstate.c64 = c64
        pe.context_stale = pe.translation_stale = True

    def result(self) -> dict[str, object]:
        system = self.system
        ended = system, Outcome(OutcomeKind.LIMIT), b""
        tags = list(system.physical.tagged_granules(DATA, AREA))
        memory = system.physical.read_bytes(DATA, AREA)
        return state(ended) | {"memory": memory, "tags": tags, "faults": list(self.faults)}


@pytest.mark.parametrize("c64", (False, True))
@pytest.mark.parametrize("el", range(4))
def test_random_programs(el: int, c64: bool) -> None:
    sides = [Side(engine, el) for engine in BOTH]
    for number in range(PROGRAMS):
        seed = f"{SEED}/{el}/{c64}/{number}"
        for side in sides:
            side.prepare(seed, el, c64)
            side.system.engine.run(2500)
            side.system.engine.run(200)
        one, two = sides[0].result(), sides[1].result()
        differences = {name: (one[name], two[name]) for name in one if one[name] != two[name]}
        assert not differences, f"seed {seed}: {str(differences)[:2000]}"
    engine = sides[1].system.engine
    assert isinstance(engine, FastEngine) and engine.counters.entries > PROGRAMS

"""No instruction word can break the emulator: random words at every level, in both states.

`MORELLO_RANDOM_WORDS` is the count per level and state (default 4,000 here, 100,000 in the slow test),
`MORELLO_SEED` the seed.
"""

from __future__ import annotations

import itertools
import os
import random

import pytest

from emulator.board.boards import TESTBOARD, VIRT
from emulator.board.console import MemoryBlock, MemoryConsole
from emulator.board.system import System
from emulator.faults import StopKind
from morello_isa.capability import CAP_MAX, Capability
from morello_isa.encodings.table import ROWS
from tests.board.tables import AP_USER, LC_SHIFT, SC, TG0, TG1, VALID_AF, Tables

pytestmark = pytest.mark.usefixtures("both_engines")

SEED = int(os.environ.get("MORELLO_SEED", "1"))
QUICK = int(os.environ.get("MORELLO_RANDOM_WORDS", "4000"))
CODE, DATA, TABLES = 0x4400_0000, 0x4800_0000, 0x4C00_0000
REFRESH = 40


def random_capability(rng: random.Random) -> Capability:
    kind = rng.randrange(6)
    value = rng.choice((CODE, DATA)) + rng.randrange(0x1_0000)
    if kind == 0:
        return Capability(True, rng.getrandbits(64), rng.getrandbits(64))
    if kind == 1:
        return Capability(False, rng.getrandbits(64), rng.getrandbits(64))
    if kind == 2:
        return Capability.from_int(rng.choice((value, rng.getrandbits(64), rng.getrandbits(6))))
    cap = CAP_MAX.set_value(value & -16 if rng.randrange(4) else value)
    if kind == 3:
        cap = cap.set_bounds(rng.randrange(0x4000), False)
    if kind == 4:
        cap = cap.with_object_type(rng.randrange(4)) if rng.randrange(2) else cap
    return cap


def refresh(system: System, rng: random.Random, el: int, c64: bool) -> None:
    """New registers; level, state and controls as asked for."""
    pe = system.pe
    for n in range(31):
        pe.write_c(n, random_capability(rng))
    for n in range(32):
        pe.write_v(n, rng.getrandbits(128))
    for bank in range(5):
        pe.stack[bank] = CAP_MAX.set_value(DATA + 16 * rng.randrange(0x800))
        pe.data[bank] = CAP_MAX if rng.randrange(4) else random_capability(rng)
    values = pe.sysregs.values
    values["CPTR_EL3"] = 1 << 9
    values["CPTR_EL2"] = 0x33FF & ~(1 << 9 | 1 << 10)
    values["CPACR_EL1"] = 3 << 20 | 3 << 18
    values["SCR_EL3"] = 1 | 1 << 8 | 1 << 10
    values["HCR_EL2"] = 1 << 31
    values["MAIR_EL1"] = 0xFF
    values["CCTLR_EL1"] = rng.getrandbits(8)
    values["CCTLR_EL0"] = rng.getrandbits(8) & ~0x23
    for level in (1, 2, 3):
        values[f"SCTLR_EL{level}"] = 0x30C5_0830 | (rng.getrandbits(1) << 1)
        pe.sysregs.capabilities[f"CVBAR_EL{level}"] = CAP_MAX.set_value(CODE + 0x800 * level)
    values["SCTLR_EL1"] |= 5 | 1 << 12
    pe.pstate.el, pe.pstate.c64, pe.pstate.sp = el, c64, rng.getrandbits(1) if el else 0
    pe.pstate.il = False
    pe.pstate.daif = 0xF
    pe.waiting = False
    pe.context_stale = pe.translation_stale = True


def map_everything(system: System) -> None:
    """Stage 1 of EL1&0: identity in 2 MiB blocks, readable at EL0, all capability accesses allowed."""
    tables = Tables(system.physical, TABLES, 12, 39)
    for block in range(0x4000_0000, 0x5000_0000, 0x20_0000):
        tables.map(block, block, VALID_AF | AP_USER | SC | 1 << LC_SHIFT, level=2)
    values = system.pe.sysregs.values
    hwu = 0xFF << 43 | 3 << 41
    values["TCR_EL1"] = 25 | 25 << 16 | TG0[12] << 14 | TG1[12] << 30 | 5 << 32 | hwu
    values["TTBR0_EL1"] = tables.root


def random_word(rng: random.Random) -> int:
    """Half of the words are Morello encodings or loads and stores, the others anything."""
    kind = rng.randrange(4)
    word = rng.getrandbits(32)
    if kind == 0:
        row = rng.choice(ROWS)
        return row.match | word & ~row.mask
    if kind == 1:
        return word & ~(5 << 25) | 1 << 27
    if kind == 2:
        return word & 0x003F_FFFF | 0xD500_0000
    return word


def run_random_words(el: int, c64: bool, count: int) -> None:
    rng = random.Random(f"{SEED}/{el}/{c64}")
    board = VIRT if el < 3 else TESTBOARD
    system = System(board, consoles={0: MemoryConsole()}, blocks={0: MemoryBlock(bytes(1 << 16))})
    map_everything(system)
    system.start(CODE, el=3)
    pe, engine = system.pe, system.engine
    for done in range(count):
        if done % REFRESH == 0:
            refresh(system, rng, el, c64)
        slot = CODE + 4 * (done % 4096)
        system.physical.write(slot, 4, random_word(rng))
        pe.pcc = CAP_MAX.set_value(slot)
        if pe.pstate.el != el:
            refresh(system, rng, el, c64)
        pe.pstate.c64 = c64
        pe.context_stale = True
        reason = engine.run(1)
        assert reason.kind in StopKind
        assert 0 <= pe.pc < 1 << 64
        assert all(0 <= pe.x[n] < 1 << 64 for n in range(31))


@pytest.mark.parametrize("c64", (False, True))
@pytest.mark.parametrize("el", range(4))
def test_random_words(el: int, c64: bool) -> None:
    run_random_words(el, c64, QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("c64", (False, True))
@pytest.mark.parametrize("el", range(4))
def test_hundred_thousand_random_words(el: int, c64: bool) -> None:
    run_random_words(el, c64, max(QUICK, 100_000))


def test_holes_in_half_precision_groups_are_undefined() -> None:
    """Words there that Capstone doesn't know would end the process inside Unicorn."""
    from capstone import CS_ARCH_ARM64, Cs

    from emulator.engine.implemented import is_implemented

    decoder = Cs(CS_ARCH_ARM64, 0)
    for u, a, opcode in itertools.product((0, 1), (0, 1), range(32)):
        scalar = 0x5E780841 | u << 29 | a << 23 | opcode << 12
        words = [scalar, scalar ^ 1 << 28]
        if opcode < 8:
            words.append(0x4E420441 | u << 29 | a << 23 | opcode << 11)
        for word in words:
            known = any(True for _ in decoder.disasm(word.to_bytes(4, "little"), 0))
            assert is_implemented(word) == known, f"{word:08x}"

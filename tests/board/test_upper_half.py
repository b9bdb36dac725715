"""Code and data at addresses of the TTBR1 half, with and without TBI (Sail: CheckCapability, AddrTop)."""

from __future__ import annotations

import pytest

from emulator.board.boards import VIRT
from emulator.board.image import load_elf
from emulator.board.outcome import OutcomeKind
from emulator.board.system import System
from morello_isa.capability import CAP_MAX
from tests.board.tables import LC_SHIFT, SC, TG0, TG1, VALID_AF, Tables
from tests.board.test_boot import assemble

pytestmark = pytest.mark.usefixtures("both_engines")

TOP = 0xFFFF_FF80_0000_0000
PROGRAM = """
        mov x4, #100
        adr x5, buf
    1:  ldr x0, [x5]
        add x0, x0, #3
        str x0, [x5]
        mrs c1, DDC
        str c1, [x5, #16]
        ldr c2, [x5, #16]
        subs x4, x4, #1
        b.ne 1b
        gctag x2, c2
        add x2, x2, x0
        adr x1, block
        str x2, [x1, #8]
        mov w0, #0x18
        hlt #0xf000
        .balign 16
    buf: .skip 32
    block: .quad 0x20026, 0
"""


def enable_translation(system: System, root: int, tbi: int) -> None:
    """Both halves by the same tables."""
    pe = system.pe
    pe.sysregs.values.update(
        TTBR0_EL1=root,
        TTBR1_EL1=root,
        MAIR_EL1=0xFF,
        TCR_EL1=25 | 25 << 16 | TG0[12] << 14 | TG1[12] << 30 | 5 << 32 | 0xFF << 43 | 3 << 41 | tbi,
        SCTLR_EL1=0x30C5_183D,
    )
    pe.context_stale = pe.translation_stale = True


@pytest.mark.parametrize("tbi", (0, 1 << 37, 1 << 38, 3 << 37))
@pytest.mark.parametrize("top", (0, TOP))
def test_program_runs_in_either_half(top: int, tbi: int) -> None:
    system = System(VIRT)
    loaded = load_elf(system.physical, assemble(PROGRAM), "program")
    tables = Tables(system.physical, 0x5000_0000, 12, 39)
    for block in range(0x4000_0000, 0x5000_0000, 0x20_0000):
        tables.map(block, block, VALID_AF | SC | 1 << LC_SHIFT | 3 << 8, level=2)
    system.start(loaded.entry, el=1)
    enable_translation(system, tables.root, tbi)
    system.pe.pcc = CAP_MAX.set_value(loaded.entry | top)
    outcome = system.run(10_000)
    assert (outcome.kind, outcome.detail) == (OutcomeKind.EXIT, 301 & 0xFF), outcome

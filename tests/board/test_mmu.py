"""The MMU's caches: TLB maintenance, windows, code tracking, accesses across pages (memory/mmu.py)."""

from __future__ import annotations

import pytest

from emulator.board.boards import VIRT
from emulator.board.system import System
from emulator.faults import FaultKind, MemoryAbort
from emulator.memory.interface import Access
from tests.board.tables import AP_READ_ONLY, LC_SHIFT, SC, TG0, TG1, VALID_AF, Tables

ATTRIBUTES = VALID_AF | SC | 1 << LC_SHIFT | 3 << 8
VA, FAR_VA, TOP = 0x6000_0000, 0x20_0000_0000, 0xFFFF_FF80_0000_0000
ONE, TWO = 0x4100_0000, 0x4200_0000


@pytest.fixture
def system() -> System:
    """EL1 with stage 1 on; VA and FAR_VA map to ONE; the tables are `system.tables`."""
    made = System(VIRT)
    tables = Tables(made.physical, 0x5000_0000, 12, 39)
    for va in (VA, FAR_VA):
        tables.map(va, ONE, ATTRIBUTES)
    made.start(0x4000_0000, el=1)
    made.pe.sysregs.values.update(
        TTBR0_EL1=tables.root,
        TTBR1_EL1=tables.root,
        MAIR_EL1=0xFF,
        TCR_EL1=25 | 25 << 16 | TG0[12] << 14 | TG1[12] << 30 | 5 << 32 | 0xFF << 43 | 3 << 41,
        SCTLR_EL1=0x30C5_183D,
    )
    made.mmu.context_changed()
    made.tables = tables  # type: ignore[attr-defined]
    made.physical.write(ONE, 8, 111)
    made.physical.write(TWO, 8, 222)
    return made


def remap(system: System, va: int, pa: int, attributes: int = ATTRIBUTES) -> None:
    system.tables.map(va, pa, attributes)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "by_address"), [("VAE1", True), ("VALE1IS", True), ("VMALLE1", False), ("ASIDE1", False)]
)
@pytest.mark.parametrize("top", (0, TOP))
def test_maintenance_makes_new_mappings_visible(
    system: System, name: str, by_address: bool, top: int
) -> None:
    mmu = system.mmu
    assert mmu.read(VA | top, 8, Access.NORMAL) == 111
    remap(system, VA, TWO)
    mmu.tlb_maintenance(name, (VA | top) >> 12 & ((1 << 44) - 1) if by_address else 0)
    assert mmu.read(VA | top, 8, Access.NORMAL) == 222
    assert VA >> 12 in mmu.read_pages or top


def test_maintenance_keeps_code_that_stays_where_it_was(system: System) -> None:
    """The code space gets a new number exactly when a page that was fetched from is elsewhere."""
    mmu = system.mmu
    mmu.fetch(FAR_VA)
    before = mmu.code_spaces
    mmu.tlb_maintenance("VMALLE1", 0)
    remap(system, VA, TWO)
    mmu.tlb_maintenance("VAE1", VA >> 12)
    assert mmu.code_spaces == before
    mmu.fetch(VA)
    remap(system, VA, ONE)
    mmu.tlb_maintenance("VAE1", (FAR_VA >> 12) + 5)
    assert mmu.code_spaces == before, "another region"
    mmu.tlb_maintenance("VAE1", (VA >> 12) + 5)
    assert mmu.code_spaces[0] != before[0] and mmu.code_spaces[1] == before[1]
    assert system.pe.context_stale


def test_code_spaces_follow_the_tables(system: System) -> None:
    """TTBR0 decides about the lower half, TTBR1 about the upper one; a new ASID only if code isn't the same there."""
    mmu, values = system.mmu, system.pe.sysregs.values
    mmu.fetch(VA)
    first = mmu.code_spaces
    assert first[0] != first[1]
    values["TTBR0_EL1"] |= 7 << 48
    mmu.context_changed()
    assert mmu.code_spaces == first, "looked up: the same page"
    remap(system, VA, TWO)
    values["TTBR0_EL1"] ^= 15 << 48
    mmu.context_changed()
    second = mmu.code_spaces
    assert second[0] not in first
    values["TTBR0_EL1"] ^= 15 << 48
    mmu.context_changed()
    assert mmu.code_spaces == first, "nobody has invalidated this ASID's"
    other = Tables(system.physical, 0x5100_0000, 12, 39)
    other.map(VA, ONE, ATTRIBUTES)
    values["TTBR0_EL1"] = other.root
    mmu.context_changed()
    assert mmu.code_spaces[0] not in (*first, *second) and mmu.code_spaces[1] == first[1]


RUN = 0x6010_0000
"""64 KiB in one piece."""


def remap_run(system: System, pa: int, attributes: int = ATTRIBUTES) -> None:
    for offset in range(0, 0x1_0000, 0x1000):
        remap(system, RUN + offset, pa + offset, attributes)
    system.mmu.tlb_maintenance("VAE1", RUN >> 12)


def test_answers_to_an_engine(system: System) -> None:
    """`direct` names the place where RAM is, and only where an access has no other effect."""
    mmu, physical = system.mmu, system.physical
    region = physical.ram_at(ONE, 1)
    place = region.place + ONE - region.base
    for write in (False, True):
        assert mmu.direct(VA + 8, write, True) == place
    before = mmu.revision
    mmu.fetch(FAR_VA)
    assert mmu.revision != before and mmu.direct(VA, True, False) is None
    assert mmu.direct(VA, False, True) == place
    remap(system, VA, TWO, VALID_AF | 3 << 8)
    mmu.tlb_maintenance("VAE1", VA >> 12)
    assert mmu.direct(VA, True, True) is None, "a tagged store would fault"
    assert mmu.direct(VA, True, False) is not None and mmu.direct(VA, False, True) is not None
    remap(system, VA, TWO, ATTRIBUTES | AP_READ_ONLY)
    mmu.tlb_maintenance("VAE1", VA >> 12)
    assert mmu.direct(VA, True, True) is None and mmu.direct(VA, False, True) is not None
    remap(system, VA, 0x0900_0000)
    mmu.tlb_maintenance("VAE1", VA >> 12)
    assert mmu.direct(VA, False, True) is None, "a device"


def test_answers_about_tags(system: System) -> None:
    """A page of tags is 64 KiB of addresses: they have to be one piece of RAM, aligned alike, all alike."""
    mmu, region = system.mmu, system.physical.ram_at(ONE, 1)
    assert mmu.direct_tags(VA, False, True) is None, "only 4 KiB are mapped"
    remap_run(system, ONE)
    place = region.tag_place + (ONE - region.base) // 16
    for write in (False, True):
        assert mmu.direct_tags(RUN + 0x5008, write, True) == place
    remap(system, RUN + 0x3000, TWO)
    mmu.tlb_maintenance("VAE1", RUN >> 12)
    assert mmu.direct_tags(RUN, False, True) is None, "one page is elsewhere"
    remap_run(system, ONE + 0x1000)
    assert mmu.direct_tags(RUN, False, True) is None, "aligned otherwise"
    remap_run(system, ONE, VALID_AF | 3 << 8)
    assert mmu.direct_tags(RUN, False, True) is None, "tags read as zero"
    assert mmu.direct_tags(RUN, True, True) is None, "tagged stores fault"
    assert mmu.direct_tags(RUN, True, False) == place, "only cleared"


def test_answers_of_a_level_hold_when_it_comes_back(system: System) -> None:
    mmu, pe = system.mmu, system.pe
    at_el1 = mmu.revision
    pe.pstate.el = 0
    mmu.context_changed()
    assert mmu.revision != at_el1
    pe.pstate.el = 1
    mmu.context_changed()
    assert mmu.revision == at_el1


def test_windows_follow_permissions_and_context(system: System) -> None:
    mmu, pe = system.mmu, system.pe
    mmu.write(VA, 8, 5, Access.NORMAL)
    assert VA >> 12 in mmu.write_pages
    remap(system, VA, ONE, ATTRIBUTES | AP_READ_ONLY)
    mmu.tlb_maintenance("VAE1", VA >> 12)
    assert not mmu.write_pages
    with pytest.raises(MemoryAbort) as caught:
        mmu.write(VA, 8, 5, Access.NORMAL)
    assert (caught.value.kind, caught.value.is_write) == (FaultKind.PERMISSION, True)
    assert mmu.read(VA, 8, Access.NORMAL) == 5 and mmu.read_pages
    pe.pstate.el = 0
    mmu.context_changed()
    assert not mmu.read_pages
    with pytest.raises(MemoryAbort):
        mmu.read(VA, 8, Access.NORMAL)


def test_pages_with_code_have_no_write_window(system: System) -> None:
    """A store to fetched words is seen, also through another virtual address."""
    mmu = system.mmu
    calls: list[int] = []
    mmu.on_code_change = lambda: calls.append(1)
    mmu.write(FAR_VA, 8, 1, Access.NORMAL)
    assert FAR_VA >> 12 in mmu.write_pages
    mmu.fetch(VA)
    assert FAR_VA >> 12 not in mmu.write_pages
    mmu.write(FAR_VA + 64, 8, 1, Access.NORMAL)
    assert not calls and FAR_VA >> 12 not in mmu.write_pages
    mmu.write(FAR_VA, 4, 7, Access.NORMAL)
    assert calls and mmu.fetch(VA) == 7


def test_accesses_across_pages_fault_before_any_effect(system: System) -> None:
    mmu = system.mmu
    remap(system, VA + 0x1000, TWO)
    mmu.write(VA + 0xFFD, 8, 0x1122_3344_5566_7788, Access.NORMAL)
    assert mmu.read(VA + 0xFFD, 8, Access.NORMAL) == 0x1122_3344_5566_7788
    assert system.physical.read(ONE + 0xFFD, 1) == 0x88 and system.physical.read(TWO, 1) == 0x55
    with pytest.raises(MemoryAbort) as caught:
        mmu.write(VA + 0x1FFE, 4, 0, Access.NORMAL)
    assert caught.value.address == VA + 0x2000
    assert system.physical.read(TWO + 0xFFE, 2) == 0


def test_capabilities_and_their_tags(system: System) -> None:
    mmu = system.mmu
    mmu.write_cap(VA + 16, 0xABC, 0xDEF, True, Access.NORMAL)
    assert mmu.read_cap(FAR_VA + 16, Access.NORMAL) == (0xABC, 0xDEF, True)
    mmu.write(VA + 31, 1, 0, Access.NORMAL)
    assert mmu.read_cap(VA + 16, Access.NORMAL)[2] is False

"""Stage 1 and 2 walks, permissions, descriptor updates, capability attributes (memory/translation.py)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.faults import FaultKind, MemoryAbort
from emulator.faults import fault_status as status_code
from emulator.memory.context import AccessType, TranslationContext
from emulator.memory.physical import PhysicalMemory
from emulator.memory.translation import Translator
from tests.board.tables import (
    AP_READ_ONLY,
    AP_USER,
    CDBM,
    DBM,
    LC_SHIFT,
    PXN,
    SC,
    TG0,
    TG1,
    UXN,
    VALID_AF,
    Tables,
)

READ, WRITE, FETCH = AccessType(), AccessType(write=True), AccessType(fetch=True)
CAP_STORE = AccessType(write=True, valid_capability=True)
MAIR = 0x00_04_08_0C_44_FF  # index 0: normal, 1: non-cacheable, 2: GRE, 3: nGRE, 4: nGnRE, 5: nGnRnE


def fault_status(fault: MemoryAbort) -> int:
    return status_code(fault.kind, fault.level)


def machine() -> tuple[PhysicalMemory, Translator]:
    memory = PhysicalMemory()
    memory.add_ram("ram", 0, 1 << 30)
    return memory, Translator(memory)


def context(el: int = 1, **changes: int | bool) -> TranslationContext:
    base = TranslationContext(
        el=el,
        in_host=False,
        secure=False,
        pan=False,
        sctlr=0x1005,
        tcr=0,
        ttbr0=0,
        ttbr1=0,
        mair=MAIR,
        tgen=0,
        hcr=0,
        scr=1,
        vtcr=0,
        vttbr=0,
        sctlr_el2=0,
        has_stage2=el <= 1,
    )
    return replace(base, **changes)


def tcr_el1(granule: int, size: int, extra: int = 0) -> int:
    t = 64 - size
    return t | t << 16 | TG0[granule] << 14 | TG1[granule] << 30 | 5 << 32 | extra


def fault_of(call: object, *arguments: object) -> MemoryAbort:
    with pytest.raises(MemoryAbort) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    granule=st.sampled_from((12, 14, 16)),
    size=st.integers(25, 48),
    upper=st.booleans(),
    page=st.integers(0, (1 << 40) - 1),
    offset=st.integers(0, 0xFFFF),
    target=st.integers(0x100, 0x3FF),
)
def test_every_granule_and_size_translates_both_ranges(
    granule: int, size: int, upper: bool, page: int, offset: int, target: int
) -> None:
    """Spec: AArch64_TranslationTableWalk: levels, strides and base alignment for all TxSZ."""
    memory, translator = machine()
    tables = Tables(memory, 0x10_0000, granule, size)
    va = (page << granule) & ((1 << size) - 1)
    pa = target << 20
    tables.map(va, pa)
    offset &= (1 << granule) - 1
    full = va | offset
    if upper:
        full |= ((1 << 64) - 1) >> size << size
        ctx = context(tcr=tcr_el1(granule, size), ttbr1=tables.root)
    else:
        ctx = context(tcr=tcr_el1(granule, size), ttbr0=tables.root)
    assert translator.translate(ctx, full, READ).pa == pa | offset
    other = full ^ (1 << granule)
    assert fault_of(translator.translate, ctx, other, READ).kind is FaultKind.TRANSLATION


@pytest.mark.parametrize(("granule", "level", "bits"), [(12, 1, 30), (12, 2, 21), (14, 2, 25), (16, 2, 29)])
def test_blocks(granule: int, level: int, bits: int) -> None:
    memory, translator = machine()
    tables = Tables(memory, 0x10_0000, granule, 48)
    tables.map(1 << bits, 0, VALID_AF, level)
    ctx = context(tcr=tcr_el1(granule, 48), ttbr0=tables.root)
    assert translator.translate(ctx, (1 << bits) + 0x12345, READ).pa == 0x12345


def test_fault_levels_and_status_codes() -> None:
    """Translation faults name the level where the walk ended. Spec: EncodeLDFSC."""
    memory, translator = machine()
    tables = Tables(memory, 0x10_0000, 12, 39)
    tables.map(0x1000, 0x20_0000)
    tables.map(0x5000, 0x20_0000, attributes=0)
    ctx = context(tcr=tcr_el1(12, 39), ttbr0=tables.root)
    for va, level in ((0x2000, 3), (0x20_0000, 2), (0x4000_0000, 1)):
        fault = fault_of(translator.translate, ctx, va, READ)
        assert (fault.kind, fault.level) == (FaultKind.TRANSLATION, level)
        assert fault_status(fault) == 4 | level
    outside = fault_of(translator.translate, ctx, 1 << 45, READ)
    assert (outside.kind, outside.level) == (FaultKind.TRANSLATION, 0)
    flag = fault_of(translator.translate, ctx, 0x5000, READ)
    assert (flag.kind, fault_status(flag)) == (FaultKind.ACCESS_FLAG, 0x0B)
    no_tables = context(tcr=tcr_el1(12, 39), ttbr0=1 << 40)
    assert fault_of(translator.translate, no_tables, 0, READ).kind is FaultKind.EXTERNAL_ON_WALK


def test_output_size_is_checked() -> None:
    memory, translator = machine()
    tables = Tables(memory, 0x10_0000, 12, 39)
    tables.map(0x1000, 1 << 40)
    small = tcr_el1(12, 39) & ~(7 << 32)
    fault = fault_of(translator.translate, context(tcr=small, ttbr0=tables.root), 0x1000, READ)
    assert (fault.kind, fault.level) == (FaultKind.ADDRESS_SIZE, 3)
    fault = fault_of(translator.translate, context(tcr=small, ttbr0=1 << 36), 0x1000, READ)
    assert (fault.kind, fault.level) == (FaultKind.ADDRESS_SIZE, 0)


def test_disabled_half_and_top_byte() -> None:
    """EPD0 makes level 0 faults; TBI takes the top byte out. Spec: AddrTop."""
    memory, translator = machine()
    tables = Tables(memory, 0x10_0000, 12, 39)
    tables.map(0x1000, 0x20_0000)
    tcr = tcr_el1(12, 39)
    tagged = 0xAB00_0000_0000_1000
    assert fault_of(translator.translate, context(tcr=tcr, ttbr0=tables.root), tagged, READ)
    tbi = context(tcr=tcr | 1 << 37, ttbr0=tables.root)
    assert translator.translate(tbi, tagged, READ).pa == 0x20_0000
    off = context(tcr=tcr | 1 << 7, ttbr0=tables.root)
    assert fault_of(translator.translate, off, 0x1000, READ).level == 0


PERMISSION_CASES = [
    # attributes, (EL1 r w x), (EL0 r w x)
    (0, "rwx", "--x"),
    (AP_USER, "rw-", "rwx"),
    (AP_READ_ONLY, "r-x", "--x"),
    (AP_READ_ONLY | AP_USER, "r-x", "r-x"),
    (UXN, "rwx", "---"),
    (PXN, "rw-", "--x"),
    (UXN | PXN | AP_USER, "rw-", "rw-"),
]


@pytest.mark.parametrize(("attributes", "privileged", "user"), PERMISSION_CASES)
def test_stage1_permissions(attributes: int, privileged: str, user: str) -> None:
    """Spec: AArch64_CheckPermission."""
    memory, translator = machine()
    tables = Tables(memory, 0x10_0000)
    tables.map(0x1000, 0x20_0000, VALID_AF | attributes)
    for el, expected in ((1, privileged), (0, user)):
        ctx = context(el, tcr=tcr_el1(12, 39), ttbr0=tables.root)
        for access, letter in ((READ, "r"), (WRITE, "w"), (FETCH, "x")):
            if letter in expected:
                translator.translate(ctx, 0x1000, access)
            else:
                fault = fault_of(translator.translate, ctx, 0x1000, access)
                assert (fault.kind, fault.level) == (FaultKind.PERMISSION, 3)
                assert fault.is_write == (letter == "w")
    unprivileged = AccessType(unprivileged=True)
    ctx = context(1, tcr=tcr_el1(12, 39), ttbr0=tables.root)
    if "r" in user:
        translator.translate(ctx, 0x1000, unprivileged)
    else:
        assert fault_of(translator.translate, ctx, 0x1000, unprivileged).kind is FaultKind.PERMISSION


def test_pan_wxn_and_hierarchy() -> None:
    memory, translator = machine()
    tables = Tables(memory, 0x10_0000)
    tables.map(0x1000, 0x20_0000, VALID_AF | AP_USER)
    tables.map(0x2000, 0x20_0000, VALID_AF)
    ctx = context(tcr=tcr_el1(12, 39), ttbr0=tables.root)
    assert fault_of(translator.translate, replace(ctx, pan=True), 0x1000, READ).kind is FaultKind.PERMISSION
    translator.translate(replace(ctx, pan=True), 0x2000, READ)
    wxn = replace(ctx, sctlr=ctx.sctlr | 1 << 19)
    assert fault_of(translator.translate, wxn, 0x2000, FETCH).kind is FaultKind.PERMISSION
    read_only_table = Tables(memory, 0x40_0000)
    read_only_table.map(0x1000, 0x20_0000, VALID_AF, table_bits=1 << 62)
    limited = context(tcr=tcr_el1(12, 39), ttbr0=read_only_table.root)
    assert fault_of(translator.translate, limited, 0x1000, WRITE).kind is FaultKind.PERMISSION
    disabled = replace(limited, tcr=limited.tcr | 1 << 41)
    translator.translate(disabled, 0x1000, WRITE)


def test_access_flag_and_dirty_state_are_written_by_hardware() -> None:
    """Spec: AArch64_CheckAndUpdateDescriptor."""
    memory, translator = machine()
    tables = Tables(memory, 0x10_0000)
    entry = tables.map(0x1000, 0x20_0000, AP_READ_ONLY | DBM)
    ctx = context(tcr=tcr_el1(12, 39, 1 << 39 | 1 << 40), ttbr0=tables.root)
    memory.write_tag(entry & ~15, 1)
    translator.translate(ctx, 0x1000, READ)
    assert memory.read(entry, 8) & (VALID_AF | AP_READ_ONLY) == VALID_AF | AP_READ_ONLY
    assert memory.read_tag(entry & ~15) == 0
    translator.translate(ctx, 0x1000, WRITE)
    assert memory.read(entry, 8) & (VALID_AF | AP_READ_ONLY) == VALID_AF


HWU = 0xF << 43 | 1 << 41


@pytest.mark.parametrize("lc", range(4))
@pytest.mark.parametrize("tgen", (0, 1))
def test_load_attributes(lc: int, tgen: int) -> None:
    """LC: 00 clears tags, 01 keeps them, 10 and 11 fault when TGEN differs from the low bit."""
    memory, translator = machine()
    tables = Tables(memory, 0x10_0000)
    tables.map(0x1000, 0x20_0000, VALID_AF | lc << LC_SHIFT)
    ctx = context(tcr=tcr_el1(12, 39, HWU), ttbr0=tables.root, tgen=tgen)
    result = translator.translate(ctx, 0x1000, READ)
    assert result.tags_read_zero == (lc == 0)
    assert result.tag_load_faults == ((lc == 2 and tgen == 1) or (lc == 3 and tgen == 0))
    without_hpd = replace(ctx, tcr=ctx.tcr & ~(1 << 41))
    assert translator.translate(without_hpd, 0x1000, READ).tags_read_zero


def test_store_attributes_and_hardware_update_of_sc() -> None:
    memory, translator = machine()
    tables = Tables(memory, 0x10_0000)
    tables.map(0x1000, 0x20_0000, VALID_AF)
    tables.map(0x2000, 0x20_0000, VALID_AF | SC)
    entry = tables.map(0x3000, 0x20_0000, VALID_AF | CDBM)
    ctx = context(tcr=tcr_el1(12, 39, HWU), ttbr0=tables.root)
    assert translator.translate(ctx, 0x1000, CAP_STORE).tag_store_faults
    assert not translator.translate(ctx, 0x2000, CAP_STORE).tag_store_faults
    assert not translator.translate(ctx, 0x3000, WRITE).tag_store_faults
    assert not memory.read(entry, 8) & SC
    assert not translator.translate(ctx, 0x3000, CAP_STORE).tag_store_faults
    assert memory.read(entry, 8) & SC


def stage2_setup(attributes: int) -> tuple[PhysicalMemory, Translator, TranslationContext, int]:
    """IPA 0..1 GiB maps to itself in 2 MiB blocks except page 0x20_0000, which has `attributes`."""
    memory, translator = machine()
    tables = Tables(memory, 0x10_0000)
    tables.map(0x1000, 0x20_0000, VALID_AF | 1 << LC_SHIFT | SC)
    second = Tables(memory, 0x800_0000, 12, 39, start_level=1)
    for block in range(0, 0x1000_0000, 0x20_0000):
        if block != 0x20_0000:
            second.map(block, block, VALID_AF | 3 << 6 | 0xF << 2 | 1 << 61 | SC, level=2)
    entry = second.map(0x20_0000, 0x30_0000, attributes)
    vtcr = (64 - 39) | 1 << 6 | 5 << 16 | 0xF << 25
    ctx = context(tcr=tcr_el1(12, 39, HWU), ttbr0=tables.root, hcr=1, vtcr=vtcr, vttbr=second.root)
    return memory, translator, ctx, entry


def test_stage2_translates_and_combines() -> None:
    _, translator, ctx, _ = stage2_setup(VALID_AF | 3 << 6 | 0xF << 2 | 1 << 61 | SC)
    result = translator.translate(ctx, 0x1234, CAP_STORE)
    assert result.pa == 0x30_0234
    assert not result.tags_read_zero and not result.tag_store_faults
    assert not result.is_device
    _, translator, ctx, _ = stage2_setup(VALID_AF | 3 << 6 | 0x1 << 2)
    result = translator.translate(ctx, 0x1000, CAP_STORE)
    assert result.tags_read_zero and result.tag_store_faults and result.tag_store_fault_stage2
    assert result.is_device and result.attributes == 4


def test_stage2_faults_carry_the_ipa() -> None:
    """Faults of stage 2 know the IPA and whether they hit stage 1's walk."""
    _, translator, ctx, _ = stage2_setup(VALID_AF | 1 << 6 | 0xF << 2)
    fault = fault_of(translator.translate, ctx, 0x1008, WRITE)
    assert (fault.kind, fault.stage2, fault.ipa, fault.s1ptw) == (
        FaultKind.PERMISSION,
        True,
        0x20_0008,
        False,
    )
    outside = replace(ctx, ttbr0=0x3000_0000)
    fault = fault_of(translator.translate, outside, 0x1000, WRITE)
    assert (fault.kind, fault.stage2, fault.s1ptw) == (FaultKind.TRANSLATION, True, True)
    assert fault.ipa >> 12 == 0x3000_0000 >> 12


@pytest.mark.parametrize(("xn", "el0", "el1"), [(0, 1, 1), (1, 1, 0), (2, 0, 0), (3, 0, 1)])
def test_stage2_execute_never(xn: int, el0: int, el1: int) -> None:
    """XN[1:0] in bits 54:53 of stage 2. Spec: AArch64_CheckS2Permission."""
    _, translator, ctx, _ = stage2_setup(VALID_AF | 3 << 6 | 0xF << 2 | xn << 53)
    for el, allowed in ((0, el0), (1, el1)):
        changed = replace(ctx, el=el)
        if allowed:
            translator.translate(changed, 0x1000, FETCH)
        else:
            assert fault_of(translator.translate, changed, 0x1000, FETCH).kind is FaultKind.PERMISSION


def test_stage1_off_is_flat_device_memory() -> None:
    """Spec: AArch64_TranslateAddressS1Off."""
    _, translator = machine()
    ctx = context(3, sctlr=0)
    assert translator.translate(ctx, 0x1234, READ).is_device
    assert not translator.translate(ctx, 0x1234, FETCH).is_device
    misaligned = AccessType(aligned=False)
    assert fault_of(translator.translate, ctx, 0x1235, misaligned).kind is FaultKind.ALIGNMENT
    assert fault_of(translator.translate, ctx, 1 << 48, READ).kind is FaultKind.ADDRESS_SIZE
    assert not translator.translate(ctx, 0x1234, READ).tags_read_zero


@settings(deadline=None, max_examples=150, derandomize=True)
@given(
    words=st.lists(st.integers(0, (1 << 64) - 1), min_size=1, max_size=16),
    tcr=st.integers(0, (1 << 64) - 1),
    vtcr=st.integers(0, (1 << 32) - 1),
    va=st.integers(0, (1 << 64) - 1),
    el=st.integers(0, 3),
    hcr=st.sampled_from((0, 1, 1 << 12, 1 << 27)),
    host=st.booleans(),
)
def test_no_registers_or_tables_can_break_the_walker(
    words: list[int], tcr: int, vtcr: int, va: int, el: int, hcr: int, host: bool
) -> None:
    """Whatever is in registers and tables: a translation or a MemoryAbort."""
    memory, translator = machine()
    for index in range(0, 1 << 16, 8):
        memory.write(index, 8, words[index // 8 % len(words)] & ~0xFFFF_C000_0000 | 1)
    stage2 = el <= 1 and not host
    ctx = context(
        el, in_host=host and el in (0, 2), tcr=tcr, vtcr=vtcr, hcr=hcr, has_stage2=stage2, mair=words[0]
    )
    for access in (READ, WRITE, FETCH, CAP_STORE):
        try:
            result = translator.translate(ctx, va, access)
        except MemoryAbort as fault:
            assert 0 <= fault_status(fault) < 64
        else:
            assert 0 <= result.pa < 1 << 48

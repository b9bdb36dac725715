from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader import relocations as rel
from loader.relocations import Expr, RelocationOverflow, StaticRelocation, apply_static

quick = settings(deadline=None, max_examples=60, derandomize=True)

WITH_FIELD = [row for row in rel.STATIC.values() if row.field.size in (2, 4, 8)]


def test_numbers_and_names_are_unique() -> None:
    names = [row.name for row in rel.STATIC.values()]
    assert len(names) == len(set(names))
    for row in (*rel.STATIC.values(), *rel.DYNAMIC.values()):
        assert rel.name_of(row.number) == row.name or row.number in (0, 257)
    assert rel.name_of(99999) == "unknown relocation type 99999"


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("R_MORELLO_CALL26", 57347),
        ("R_MORELLO_LD128_GOT_LO12_NC", 57352),
        ("R_MORELLO_TLSDESC_CALL", 57602),
        ("R_MORELLO_CAPINIT", 0xE800),
        ("R_MORELLO_RELATIVE", 0xE803),
        ("R_MORELLO_TGOT_TLSDESC", 0xE80C),
        ("R_AARCH64_ADD_ABS_LO12_NC", 277),
    ],
)
def test_known_numbers(name: str, number: int) -> None:
    assert rel.NUMBER_OF[name] == number


@pytest.mark.parametrize("row", WITH_FIELD, ids=lambda row: row.name)
def test_only_the_field_changes(row: StaticRelocation) -> None:
    """Bits outside the field survive whatever X is; the same X gives the same field."""
    size = 8 * row.field.size
    ones = (1 << size) - 1
    x = 0 if row.check is None else max(row.check.low, -4096) & -16
    changed = apply_static(row, ones, x) ^ apply_static(row, 0, x)
    field = ones & ~changed
    assert field.bit_count() in (12, 14, 15, 16, 17, 18, 19, 20, 21, 23, 26, 32, 64)
    for other in (0x10, 0x1230):
        if row.check is None or other < row.check.high:
            x = other * row.field.align
            if row.check is None or x < row.check.high:
                assert apply_static(row, 0, x) & ~field & ones == 0


@pytest.mark.parametrize("row", [r for r in WITH_FIELD if r.check is not None], ids=lambda row: row.name)
def test_overflow_is_an_error(row: StaticRelocation) -> None:
    assert row.check is not None
    for bad in (row.check.high, row.check.low - row.field.align):
        with pytest.raises(RelocationOverflow):
            apply_static(row, 0, bad)
    apply_static(row, 0, row.check.high - row.field.align)
    apply_static(row, 0, row.check.low)


def test_misaligned_value_is_an_error() -> None:
    with pytest.raises(RelocationOverflow):
        apply_static(rel.STATIC[57347], 0x94000000, 6)
    with pytest.raises(RelocationOverflow):
        apply_static(rel.STATIC[57352], 0xC2400000, 0x1008)


def _decode_adrp_c64(word: int) -> int:
    imm = (word >> 5 & 0x3FFFF) << 2 | word >> 29 & 3
    return (imm - (1 << 20) if imm & 1 << 19 else imm) << 12


@quick
@given(st.integers(-(1 << 19), (1 << 19) - 1))
def test_c64_adrp_holds_twenty_bits_of_pages(pages: int) -> None:
    word = apply_static(rel.STATIC[57349], 0x90000003, pages << 12)
    assert word & 1 << 23 and word & 0x1F == 3
    assert _decode_adrp_c64(word) == pages << 12


@quick
@given(st.integers(-(1 << 20), (1 << 20) - 1))
def test_adr_holds_twentyone_bits(offset: int) -> None:
    word = apply_static(rel.STATIC[274], 0x10000000, offset)
    imm = (word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3
    assert imm - (1 << 21) * (imm >> 20) == offset


@quick
@given(st.integers(-(1 << 25), (1 << 25) - 1))
def test_branch_holds_twentysix_bits(words: int) -> None:
    word = apply_static(rel.STATIC[57347], 0x94000000, words * 4)
    imm = word & 0x3FFFFFF
    assert word >> 26 == 0b100101
    assert imm - (1 << 26) * (imm >> 25) == words


@quick
@given(st.integers(-(1 << 16), (1 << 16) - 1))
def test_signed_movw_becomes_movn_or_movz(value: int) -> None:
    word = apply_static(rel.STATIC[547], 0xD2800005, value)
    immediate = word >> 5 & 0xFFFF
    is_movz = word >> 29 & 3 == 2
    assert word >> 31 == 1 and word & 0x1F == 5
    assert (immediate if is_movz else ~immediate) == value


def test_every_capability_relocation_of_the_abi_has_a_row() -> None:
    assert set(range(59392, 59405)) <= set(rel.DYNAMIC)
    patched = {row.name.removeprefix("R_MORELLO_") for row in rel.DYNAMIC.values() if row.patched}
    assert {"CAPINIT", "GLOB_DAT", "JUMP_SLOT", "RELATIVE", "IRELATIVE", "TLSDESC"} <= patched
    assert all(row.is_capability and row.slot >= 16 for row in rel.DYNAMIC.values() if row.patched)


def test_markers_have_no_field() -> None:
    assert rel.STATIC[57602].expr is Expr.TLSDESC_CALL
    assert apply_static(rel.STATIC[57602], 0, 0) == 0

"""The Morello instruction table checks itself, and agrees with the shared encoding sheet."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import pytest

from morello_isa.decode import decode
from morello_isa.encodings.table import DECLARED_OVERLAPS, ROWS, row_by_id

SHEET = Path(__file__).parents[3] / "shared" / "facts" / "isa" / "morello_encodings.tsv"


def random_words(row, count, seed=7):
    """Random allocated words of a row, the all-zeros and all-ones fields among them."""
    source = random.Random(f"{row.id}{seed}")
    free = ~row.mask & 0xFFFFFFFF
    candidates = [row.match, row.match | free] + [
        row.match | source.getrandbits(32) & free for _ in range(count)
    ]
    return [word for word in candidates if row.is_allocated(word)]


def test_182_rows_with_distinct_ids():
    assert len(ROWS) == 182
    assert len({row.id for row in ROWS}) == 182


def test_patterns_fill_the_word():
    for row in ROWS:
        covered = row.mask
        for name in row.variable_fields:
            shift, width = row.fields[name]
            bits = ((1 << width) - 1) << shift
            assert covered & bits == 0, row.id
            covered |= bits
        assert covered == 0xFFFFFFFF, row.id
        assert row.match & ~row.mask == 0


def test_no_undeclared_overlap():
    found = set()
    for index, first in enumerate(ROWS):
        for second in ROWS[index + 1 :]:
            both = first.mask & second.mask
            if first.match & both == second.match & both:
                found.add(tuple(sorted((first.id, second.id))))
    assert found == {tuple(sorted(pair)) for pair in DECLARED_OVERLAPS}


@pytest.mark.skipif(not SHEET.exists(), reason="../shared is not there")
def test_masks_and_fields_agree_with_the_sheet():
    with SHEET.open() as file:
        sheet = list(csv.DictReader(file, delimiter="\t"))
    assert {line["id"] for line in sheet} == {row.id for row in ROWS}
    for line in sheet:
        row = row_by_id(line["id"])
        assert (row.mask, row.match) == (int(line["mask"], 16), int(line["match"], 16)), row.id
        for item in line["fields"].split(", "):
            name, _, place = item.partition(":")
            high, low = (int(text) for text in place.split("(")[0].split("-"))
            assert row.fields[name] == (low, high - low + 1), row.id


def test_every_allocated_word_decodes_to_its_row():
    umbrellas = {umbrella for umbrella, _ in DECLARED_OVERLAPS}
    for row in ROWS:
        if row.id in umbrellas:
            continue
        for word in random_words(row, 40):
            insn = decode(word)
            assert insn is not None and insn.row is row
            assert row.encode({name: insn.fields[name] for name in row.variable_fields}) == word


@pytest.mark.parametrize(
    ("word", "row", "fields"),
    [
        (0x62BF7BF0, "STP_C_RIBW_C", {"Ct": 16, "Ct2": 30, "Rn": 31, "imm": -32}),
        (0x100000FE, "ADR_C_I_C", {"Rd": 30, "imm": 28}),
        (0xC24003D0, "LDR_C_RUIB_C", {"Ct": 16, "Rn": 30, "imm": 0}),
        (0xC2C23200, "BLR_C_C", {"Cn": 16}),
        (0x22C17BF0, "LDP_CC_RIAW_C", {"imm": 32}),
        (0xC2C213C0, "BR_C_C", {"Cn": 30}),
        (0xC2C34840, "UNSEAL_C_CC_C", {"Cd": 0, "Cn": 2, "Cm": 3}),
        (0xC2C21023, "BRR_C_C", {"Cn": 1}),
        (0xC2C253C3, "RETR_C_C", {"Cn": 30}),
    ],
)
def test_words_from_real_programs(word, row, fields):
    insn = decode(word)
    assert insn is not None and insn.row.id == row
    assert {name: getattr(insn, name) for name in fields} == fields


@pytest.mark.parametrize(
    "word",
    [
        0xC2C31000,  # SEAL with form 00
        0xC2A01400,  # ADD (extended register) with a shift of 5
        0xC2C27000,  # BX with should-be-one bits clear
        0x8B010000,  # add x0, x0, x1
        0xD503201F,  # nop
        0x00000000,
    ],
)
def test_words_that_are_nobodys_or_the_base_sets(word):
    assert decode(word) is None


def test_a_missing_field_says_so():
    insn = decode(0xC2C213C0)
    assert insn is not None
    with pytest.raises(AttributeError, match="BR_C_C has no field Cm"):
        _ = insn.Cm

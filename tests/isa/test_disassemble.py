"""Text of instructions: golden lines, and words that survive word -> text -> word."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morello_isa.assemble import assemble
from morello_isa.decode import decode
from morello_isa.disassemble import disassemble
from morello_isa.encodings.table import ROWS

GOLDEN_FILE = Path(__file__).parent.parent / "golden" / "disassembly.txt"

GOLDEN_C64 = [
    (0x62BF7BF0, "stp c16, c30, [csp, #-32]!"),
    (0x100000FE, "adr c30, #28"),
    (0xC24003D0, "ldr c16, [c30]"),
    (0xC2C23200, "blr c16"),
    (0x22C17BF0, "ldp c16, c30, [csp], #32"),
    (0xC2C213C0, "br c30"),
    (0xC2C34840, "unseal c0, c2, c3"),
    (0xC2C21023, "brr c1"),
    (0xC2C253C3, "retr c30"),
    (0xC2C253C0, "ret c30"),
    (0xC2C1D3E0, "mov c0, csp"),
    (0xC2E1981F, "cmp c0, c1"),
    (0xC2C57820, "scbnds c0, c1, #10, lsl #4"),
    (0xC2C83820, "scbnds c0, c1, #16"),
    (0xC2C33020, "seal c0, c1, rb"),
    (0xC29BD040, "mrs c0, CTPIDR_EL0"),
    (0xC28B4123, "msr DDC, c3"),
    (0xC2B863FF, "add csp, csp, x24, uxtx"),
    (0x02C00FFF, "sub csp, csp, #3, lsl #12"),
    (0xC2C273E0, "bx #4"),
    (0xC2C67020, "clrperm c0, c1, wx"),
    (0xC2C61020, "clrperm c0, c1, #0"),
    (0x90800000, "adrp c0, #0"),
    (0x90000020, "adrdp c0, #0x4000"),
    (0x82601C20, "ldr x0, [x1, #8]"),
    (0xF9400420, "ldr x0, [c1, #8]"),
    (0xF90013E3, "str x3, [csp, #32]"),
    (0xA9BF7BFD, "stp x29, x30, [csp, #-16]!"),
    (0xD50B7423, "dc zva, c3"),
    (0xD65F03C0, "ret x30"),
    (0x17FFFFFF, "b #-4"),
    (0x54000041, "b.ne #8"),
    (0x58000040, "ldr x0, #8"),
    (0x8B020020, "add x0, x1, x2"),
    (0x92401C20, "and x0, x1, #0xff"),
    (0xD503201F, "nop"),
    (0x0000FFFF, "udf #65535"),
    (0xFFFFFFFF, ".inst 0xffffffff"),
]

GOLDEN_A64 = [
    (0xF9400420, "ldr x0, [x1, #8]"),
    (0x82601C20, "ldr x0, [c1, #8]"),
    (0x62BF7BF0, "stp c16, c30, [sp, #-32]!"),
    (0xD65F03C0, "ret"),
    (0xC2C253C0, "ret c30"),
    (0x90000020, "adrp x0, #16384"),
    (0x100000FE, "adr x30, #28"),
    (0xC2C413E0, "ldpbr c0, [csp]"),
    (0xD50B7423, "dc zva, x3"),
]


@pytest.mark.parametrize(("word", "text"), GOLDEN_C64)
def test_c64_text(word, text):
    assert disassemble(word) == text
    if not text.startswith((".", "udf")):
        assert assemble(text).word == word


@pytest.mark.parametrize(("word", "text"), GOLDEN_A64)
def test_a64_text(word, text):
    assert disassemble(word, c64=False) == text
    assert assemble(text, c64=False).word == word


def test_targets_and_names():
    names = {0x10008: "memcpy", 0xF000: "page"}
    assert disassemble(0x94000002, 0x10000, True, names.get) == "bl 0x10008 <memcpy>"
    assert disassemble(0xF0FFFFE0, 0x10008, True, names.get) == "adrp c0, 0xf000 <page>"
    assert assemble("bl 0x10008 <memcpy>", 0x10000).word == 0x94000002
    assert assemble("adrp c0, 0xf000 <page>", 0x10008).word == 0xF0FFFFE0
    assert disassemble(0x82000040, 0x1000C) == "ldr c0, 0x10020"


def _words(row, count):
    source = random.Random(row.id)
    free = ~row.mask & 0xFFFFFFFF
    words = [row.match, row.match | free]
    for name in row.variable_fields:
        shift, width = row.fields[name]
        words += [row.match | ((1 << width) - 1) << shift, row.match | (row.match | free) & ~(1 << shift)]
    words += [row.match | source.getrandbits(32) & free for _ in range(count)]
    return [word for word in words if row.is_allocated(word)]


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
@pytest.mark.parametrize("c64", [True, False], ids=["C64", "A64"])
def test_every_row_survives_word_text_word(row, c64):
    for word in _words(row, 60):
        for pc in (None, 0x40_0008):
            text = disassemble(word, pc, c64)
            encoded = assemble(text, pc or 0, c64)
            assert (encoded.word, encoded.relocations) == (word, ()), f"{word:#010x} {text}"


@settings(deadline=None, max_examples=1500, derandomize=True)
@given(st.integers(0, len(ROWS) - 1), st.integers(0, 0xFFFFFFFF), st.booleans(), st.integers(0, 1 << 46))
def test_random_fields_survive(index, bits, c64, pc):
    row = ROWS[index]
    word = row.match | bits & ~row.mask
    if row.is_allocated(word):
        assert decode(word) is not None
        assert assemble(disassemble(word, pc * 4, c64), pc * 4, c64).word == word


def test_golden_text_of_every_row():
    """Regenerate with tests/isa/make_disassembly_golden.py after a deliberate change."""
    wrong = []
    for line in GOLDEN_FILE.read_text().splitlines():
        start, in_c64, in_a64 = line.split(" | ")
        word = int(start.split()[1], 16)
        if (disassemble(word), disassemble(word, c64=False)) != (in_c64, in_a64):
            wrong.append(line)
    assert wrong == []
    assert {line.split()[0] for line in GOLDEN_FILE.read_text().splitlines()} == {row.id for row in ROWS}

"""Classification of base A64 words, compared with capstone's reading of random words."""

from __future__ import annotations

import random

import capstone
import pytest

from morello_isa import base
from morello_isa.base import classify
from morello_isa.decode import decode

STORES_AND_LOADS = (
    base.LoadStore, base.LoadStorePair, base.LoadLiteral, base.Exclusive, base.Ordered,
    base.CompareAndSwap, base.Atomic, base.SimdMultiple, base.SimdSingle,
)  # fmt: skip

LATER_EXTENSIONS = (
    "ldapur", "stlur", "ldra", "ldg", "stg", "stz", "st2g", "ld1r", "ldff", "ldnf", "ldnt", "stnt",
    "st64", "ld64",
)  # fmt: skip


@pytest.fixture(scope="module")
def disassembler():
    return capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)


@pytest.mark.parametrize(
    ("word", "record"),
    [
        (0xF9400441, base.LoadStore(0xF9400441, True, 8, False, 64, False, "offset", 1, 2, 8)),
        (0x39000020, base.LoadStore(0x39000020, False, 1, False, 32, False, "offset", 0, 1)),
        (0xB89FC3A9, base.LoadStore(0xB89FC3A9, True, 4, True, 64, False, "unscaled", 9, 29, -4)),
        (0x78C02C41, base.LoadStore(0x78C02C41, True, 2, True, 32, False, "pre", 1, 2, 2)),
        (0xF8627820, base.LoadStore(0xF8627820, True, 8, False, 64, False, "register", 0, 1, 0, 2, 3, 3)),
        (0x3DC00020, base.LoadStore(0x3DC00020, True, 16, False, 0, True, "offset", 0, 1)),
        (0xA9BF7BFD, base.LoadStorePair(0xA9BF7BFD, False, 8, False, False, "pre", 29, 30, 31, -16)),
        (0x69410440, base.LoadStorePair(0x69410440, True, 4, True, False, "offset", 0, 1, 2, 8)),
        (0x58000040, base.LoadLiteral(0x58000040, 8, False, False, 0, 8)),
        (0xC85FFC41, base.Exclusive(0xC85FFC41, True, 8, False, True, 31, 1, 31, 2)),
        (0xC8DFFC41, base.Ordered(0xC8DFFC41, True, 8, "acquire", 1, 2)),
        (0xF8BFC041, base.Ordered(0xF8BFC041, True, 8, "rcpc", 1, 2)),
        (0xC8E3FC44, base.CompareAndSwap(0xC8E3FC44, 8, False, True, True, 3, 4, 2)),
        (0xB8E10062, base.Atomic(0xB8E10062, "ADD", 4, True, True, 1, 2, 3)),
        (0x4C402020, base.SimdMultiple(0x4C402020, True, 4, 1, 1, 16, 0, 1, None)),
        (0x4D40C820, base.SimdSingle(0x4D40C820, True, True, 1, 4, 16, 0, 0, 1, None)),
        (0x97FFFFFF, base.Branch(0x97FFFFFF, True, -4)),
        (0x54000041, base.BranchConditional(0x54000041, 1, 8)),
        (0xB5000040, base.CompareBranch(0xB5000040, 64, True, 0, 8)),
        (0xB7F80040, base.TestBranch(0xB7F80040, 63, True, 0, 8)),
        (0xD65F03C0, base.BranchRegister(0xD65F03C0, "RET", 30)),
        (0xD4000001, base.ExceptionGeneration(0xD4000001, "SVC", 0)),
        (0xD53BD040, base.SystemRegisterMove(0xD53BD040, True, 3, 3, 13, 0, 2, 0)),
        (0xD50B7420, base.SystemInstruction(0xD50B7420, False, 3, 7, 4, 1, 0)),
        (0xD503201F, base.Hint(0xD503201F, 0)),
        (0xD5033BBF, base.Barrier(0xD5033BBF, 5, 11)),
    ],
)
def test_known_words(word, record):
    assert classify(word) == record


def test_arithmetic_and_morello_words_are_not_classified():
    for word in (0x8B010000, 0x1E612800, 0x4EA11C00, 0xC2C213C0, 0x00000000, 0x10000000):
        assert classify(word) is None


def test_classes_agree_with_capstone_on_random_words(disassembler):
    """Whatever capstone reads as a v8.2 load or store is classified, with its size and registers."""
    source = random.Random(11)
    seen = set()
    for _ in range(60000):
        word = source.getrandbits(32) & ~0x02000000 | 0x08000000
        if word & 0x3F000000 == 0x08000000 and source.random() < 0.5:
            word |= 0x001F7C00
        insn = next(disassembler.disasm(word.to_bytes(4, "little"), 0), None)
        record = classify(word)
        assert not (record is not None and decode(word) is not None)
        if record is not None:
            seen.add(type(record))
        if record is None and word & 0x3F000000 == 0x08000000:
            continue  # a should-be-one field is not: see the test below
        if insn is None or insn.mnemonic.startswith(LATER_EXTENSIONS) or "z" in insn.op_str.split(",")[0]:
            continue
        if insn.mnemonic.startswith(("ld", "st", "cas", "swp")):
            assert isinstance(record, STORES_AND_LOADS), (hex(word), insn.mnemonic, insn.op_str)
            assert getattr(record, "is_load", insn.mnemonic.startswith("ld")) == insn.mnemonic.startswith(
                "ld"
            )
        elif insn.mnemonic.startswith("prf"):
            assert isinstance(record, base.Prefetch)
    assert seen >= set(STORES_AND_LOADS)


def test_scalar_offsets_agree_with_capstone(disassembler):
    disassembler.detail = True
    source = random.Random(12)
    checked = 0
    for _ in range(20000):
        word = source.getrandbits(32) & 0xC7FFFFFF | source.choice((0x38000000, 0x39000000, 0x28000000))
        record = classify(word)
        insn = next(disassembler.disasm(word.to_bytes(4, "little"), 0), None)
        if insn is None or not isinstance(record, (base.LoadStore, base.LoadStorePair)):
            continue
        if record.mode == "register":
            continue
        memory = next(op for op in insn.operands if op.type == capstone.arm64.ARM64_OP_MEM)
        displacement = memory.mem.disp
        if record.mode == "post":
            displacement = insn.operands[-1].imm
        assert displacement == record.offset, (hex(word), insn.mnemonic, insn.op_str)
        checked += 1
    assert checked > 5000


def test_address_operations():
    zva = classify(0xD50B7420)
    invalidate_by_set = classify(0xD5087640)
    assert zva.is_address_operation and not invalidate_by_set.is_address_operation
    assert classify(0xD53BD040).key == (3, 3, 13, 0, 2)


def test_should_be_one_fields_are_fixed():
    """Registers without a meaning must be 31, as in the specification's decoder."""
    for word in (0xC85F7C41, 0xC8007C41, 0xC87F0441, 0xC8DFFC41, 0xC8E37C44):
        assert classify(word) is not None, hex(word)
    for word in (0xC85E7C41, 0xC85F7841, 0xC8007841, 0xC87E0441, 0xC8DFF841, 0xC8DEFC41, 0xC8E37844):
        assert classify(word) is None, hex(word)

"""Base loads and stores in A64 state under an unlimited DDC behave as on a plain AArch64: Unicorn is the oracle."""

import os
import random

import pytest
import unicorn
from unicorn import arm64_const as uc_const

from emulator.machine import Machine
from emulator.memory.interface import Access
from emulator.memory.plain import PlainMemory
from morello_isa import base
from morello_isa.capability import CAP_MAX
from morello_isa.decode import decode
from tests.emulator.support import enable_capabilities

CODE, DATA, SPAN, SIZE = 0x1000, 0x10_0000, 0x4_0000, 1 << 21
WORDS = int(os.environ.get("MORELLO_RANDOM_WORDS", "120"))
X = [getattr(uc_const, f"UC_ARM64_REG_X{n}") for n in range(31)]
V = [getattr(uc_const, f"UC_ARM64_REG_V{n}") for n in range(32)]

# (mask, match) that random words are forced into, by class of instruction.
SHAPES = {
    base.LoadStore: ((0x3B000000, 0x38000000), (0x3B000000, 0x39000000)),
    base.LoadStorePair: ((0x3A000000, 0x28000000),),
    base.LoadLiteral: ((0x3B000000, 0x18000000),),
    base.Ordered: ((0x3FA07C00, 0x08807C00), (0x3FFFFC00, 0x38BFC000)),
    base.Atomic: ((0x3F200C00, 0x38200000),),
    base.CompareAndSwap: ((0x3FA07C00, 0x08A07C00), (0xBFA07C00, 0x08207C00)),
    base.SimdMultiple: ((0xBFBF0000, 0x0C000000), (0xBFA00000, 0x0C800000)),
    base.SimdSingle: ((0xBF9F0000, 0x0D000000), (0xBF800000, 0x0D800000)),
}


def random_word(rng, kind):
    while True:
        mask, match = rng.choice(SHAPES[kind])
        word = rng.getrandbits(32) & ~mask | match
        record = base.classify(word)
        if type(record) is kind and decode(word) is None and usable(record):
            return word, record


def usable(record):
    """Leaves out what is CONSTRAINED UNPREDICTABLE or depends on the level."""
    n = record.n if hasattr(record, "n") else 31
    if isinstance(record, base.LoadStore):
        if record.mode == "register" and not record.option & 2:
            return False
        writes_back = record.mode in ("pre", "post") and not record.vector
        return not (writes_back and record.t == n) and record.mode != "unprivileged"
    if isinstance(record, base.LoadStorePair):
        writes_back = record.mode in ("pre", "post") and not record.vector
        same = record.is_load and record.t == record.t2
        return not same and not (writes_back and n in (record.t, record.t2))
    if isinstance(record, base.Ordered):
        return record.kind != "limited"
    if isinstance(record, base.LoadLiteral):
        return 0 <= CODE + record.offset < SIZE - 16
    if isinstance(record, base.Atomic):  # Unicorn 2.1.4 compares short signed values as unsigned ones
        return record.size == 8 or not record.operation.startswith("SM")
    return True


class Oracle:
    def __init__(self):
        self.uc = unicorn.Uc(unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM)
        self.uc.ctl_set_cpu_model(uc_const.UC_CPU_ARM64_MAX)
        self.uc.mem_map(0, SIZE)

    def execute(self, word, machine, data):
        uc, pe = self.uc, machine.pe
        for n in range(31):
            uc.reg_write(X[n], pe.x[n])
        for n in range(32):
            uc.reg_write(V[n], pe.read_v(n))
        uc.reg_write(uc_const.UC_ARM64_REG_SP, pe.read_csp().value)
        uc.mem_write(0, data)
        uc.mem_write(CODE, word.to_bytes(4, "little"))
        uc.ctl_remove_cache(CODE, CODE + 4)
        uc.emu_start(CODE, CODE + 4)
        registers = [uc.reg_read(r) for r in X], [uc.reg_read(r) for r in V]
        return registers, uc.reg_read(uc_const.UC_ARM64_REG_SP), bytes(uc.mem_read(0, SIZE))


@pytest.mark.parametrize("kind", list(SHAPES), ids=lambda kind: kind.__name__)
def test_as_on_a_plain_machine(kind):
    rng = random.Random(kind.__name__)
    oracle = Oracle()
    memory = PlainMemory(SIZE)
    machine = Machine(memory)
    enable_capabilities(machine.pe)
    pe = machine.pe
    faults = []
    machine.engine.on_exception = lambda _, fault: faults.append(fault)
    window = bytearray(rng.randbytes(SPAN))
    for _ in range(WORDS):
        word, record = random_word(rng, kind)
        for n in range(31):
            pe.write_x(n, rng.getrandbits(64))
        for n in range(32):
            pe.write_v(n, rng.getrandbits(128))
        aligned = DATA + SPAN // 2 + 16 * rng.randrange(64)
        stack = aligned + 0x400
        if getattr(record, "n", 31) != 31:
            pe.write_x(record.n, aligned)
        if getattr(record, "mode", "") == "register" and record.m != 31:
            pe.write_x(record.m, rng.randrange(64))
            if record.m == record.n:
                continue
        pe.write_csp(CAP_MAX.set_value(stack))
        for at in range(0, SPAN, 64):
            if abs(at - SPAN // 2) < 0x2000:
                memory.write(DATA + at, 64, int.from_bytes(window[at : at + 64], "little"), Access.NORMAL)
        memory.write(CODE, 4, word, Access.NORMAL)
        image = bytes(memory._data)
        (expected_x, expected_v), expected_sp, expected_memory = oracle.execute(word, machine, image)
        machine.start(CODE, False)
        machine.run(1)
        assert not faults, (hex(word), faults)
        assert [pe.x[n] for n in range(31)] == expected_x, hex(word)
        assert [pe.read_v(n) for n in range(32)] == expected_v, hex(word)
        assert pe.read_csp().value == expected_sp, hex(word)
        assert bytes(memory._data) == expected_memory, hex(word)


@pytest.mark.parametrize(
    ("word", "old", "value", "expected"),
    [
        (0x7861_5008, 0x8000, 0x7FFF, 0x8000),  # ldsminh w1, w8, [x0]
        (0x7861_5008, 0x0001, 0xFFFF, 0xFFFF),
        (0x3861_4008, 0x80, 0x01, 0x01),  # ldsmaxb w1, w8, [x0]
        (0xB861_4008, 0xFFFF_FFFF, 0x8000_0000, 0xFFFF_FFFF),  # ldsmax w1, w8, [x0]
    ],
)
def test_short_signed_minimum_and_maximum(word, old, value, expected):
    memory = PlainMemory(SIZE)
    machine = Machine(memory)
    machine.load(CODE, [word])
    memory.write(DATA, 8, old, Access.NORMAL)
    machine.pe.write_x(0, DATA)
    machine.pe.write_x(1, value)
    machine.start(CODE)
    machine.run(1)
    assert memory.read(DATA, 8, Access.NORMAL) == expected
    assert machine.pe.read_x(8) == old

"""Operand analysis: a stub around a word does to the register file what the word does to a whole machine."""

import os
import random

import pytest
import unicorn
from unicorn import arm64_const as uc_const

from emulator.engine.bind import bind
from emulator.engine.host import ArithmeticHost
from emulator.engine.implemented import is_implemented
from emulator.engine.operands import arithmetic_operands
from emulator.machine import Machine
from emulator.memory.plain import PlainMemory
from emulator.state.registers import FPCR_SLOT, FPSR_SLOT, NZCV_SLOT, SP_SLOT, RegisterFile
from morello_isa.decode import decode

CODE = 0x10_0000
WORDS = int(os.environ.get("MORELLO_RANDOM_WORDS", "400"))
X = [getattr(uc_const, f"UC_ARM64_REG_X{n}") for n in range(31)]
V = [getattr(uc_const, f"UC_ARM64_REG_V{n}") for n in range(32)]


class WholeMachine:
    """Unicorn with all registers loaded and stored through its interface: the oracle."""

    def __init__(self) -> None:
        self.uc = unicorn.Uc(unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM)
        self.uc.ctl_set_cpu_model(uc_const.UC_CPU_ARM64_MAX)
        self.uc.mem_map(CODE, 0x1000)

    def execute(self, word: int, file: RegisterFile) -> bool:
        uc = self.uc
        for n in range(31):
            uc.reg_write(X[n], file.x[n])
        for n in range(32):
            uc.reg_write(V[n], file.read_v(n))
        uc.reg_write(uc_const.UC_ARM64_REG_SP, file.x[SP_SLOT])
        uc.reg_write(uc_const.UC_ARM64_REG_NZCV, file.x[NZCV_SLOT])
        uc.reg_write(uc_const.UC_ARM64_REG_FPCR, file.x[FPCR_SLOT])
        uc.reg_write(uc_const.UC_ARM64_REG_FPSR, file.x[FPSR_SLOT])
        uc.mem_write(CODE, word.to_bytes(4, "little"))
        uc.ctl_remove_cache(CODE, CODE + 4)
        try:
            uc.emu_start(CODE, CODE + 4)
        except unicorn.UcError:
            return False
        return True

    def state(self) -> list[int]:
        uc = self.uc
        return [
            *(uc.reg_read(r) for r in X),
            *(uc.reg_read(r) for r in V),
            uc.reg_read(uc_const.UC_ARM64_REG_SP),
            uc.reg_read(uc_const.UC_ARM64_REG_NZCV) & 0xF000_0000,
        ]


def state_of(file: RegisterFile) -> list[int]:
    return [
        *(file.x[n] for n in range(31)),
        *(file.read_v(n) for n in range(32)),
        file.x[SP_SLOT],
        file.x[NZCV_SLOT] & 0xF000_0000,
    ]


def randomise(file: RegisterFile, rng: random.Random) -> None:
    for n in range(31):
        file.x[n] = rng.getrandbits(64) if rng.random() < 0.7 else rng.randrange(64)
    for n in range(32):
        file.write_v(n, rng.getrandbits(128))
    file.x[SP_SLOT] = rng.getrandbits(64)
    file.x[NZCV_SLOT] = rng.getrandbits(4) << 28
    file.x[FPCR_SLOT] = rng.choice((0, 1 << 24, 1 << 25, 3 << 22))
    file.x[FPSR_SLOT] = 0


def arithmetic_word(rng: random.Random, group: int) -> int:
    while True:
        word = rng.getrandbits(32) & ~(0xF << 25) | group << 25
        if group in (7, 15) and rng.random() < 0.5:
            word = word & ~0x5F20_0000 | 0x1E20_0000
            if rng.random() < 0.5:
                word &= ~(0x3F << 10)
        if arithmetic_operands(word) is not None and is_implemented(word) and decode(word) is None:
            return word


@pytest.mark.parametrize("group", [8, 9, 5, 13, 7, 15])
def test_stub_equals_whole_machine(group):
    rng = random.Random(group)
    file, oracle = RegisterFile(), WholeMachine()
    host = ArithmeticHost(file)
    executed = 0
    for _ in range(WORDS):
        word = arithmetic_word(rng, group)
        randomise(file, rng)
        before = state_of(file)
        allocated = oracle.execute(word, file)
        expected = oracle.state()
        stub = host.compile((word,), arithmetic_operands(word))
        assert (stub() == 0) == allocated, hex(word)
        if allocated:
            executed += 1
            operands = arithmetic_operands(word)
            if not operands.sp_write:
                expected[63] = before[63]
            assert state_of(file) == expected, hex(word)
            for n in range(31):
                assert before[n] == expected[n] or n in operands.x_writes, hex(word)
        else:
            assert state_of(file) == before, hex(word)
    assert executed > 15


def test_x_result_clears_capability_and_batches_are_exact():
    machine = Machine(PlainMemory(1 << 16))
    pe = machine.pe
    machine.load(0x1000, [0x91000421, 0x8B010042, 0xEB02005F, 0x14000000])  # add, add, cmp, b .
    machine.start(0x1000)
    pe.write_c(1, pe.ddc.set_value(5))
    pe.write_c(2, pe.ddc.set_value(7))
    machine.run(3)
    assert (pe.x[1], pe.x[2], pe.nzcv, pe.instructions) == (6, 13, 6, 3)
    assert pe.c[1] is None and pe.c[2] is None


def test_unallocated_word_inside_a_batch_is_precise():
    seen = []
    machine = Machine(PlainMemory(1 << 16), on_exception=lambda pe, fault: seen.append((pe.pc, fault.word)))
    machine.load(0x1000, [0x91000421, 0x13787E13, 0x91000421])  # add x1; bitfield with N mismatch; add x1
    machine.start(0x1000)
    machine.run(2)
    assert seen == [(0x1004, 0x13787E13)]
    assert machine.pe.x[1] == 1 and machine.pe.instructions == 2


def test_bound_words_are_actions_or_arithmetic():
    machine = Machine(PlainMemory(1 << 16))
    rng = random.Random(1)
    for _ in range(2000):
        bound = bind(machine.engine.site(0x1000, rng.getrandbits(32)))
        assert (bound.action is None) != (bound.operands is None)


def test_full_code_area_starts_over_and_old_stubs_stay_valid():
    file, calls = RegisterFile(), []
    host = ArithmeticHost(file, lambda: calls.append(1), code_bytes=0x1_0000)
    first = host.compile((0x91000421,), arithmetic_operands(0x91000421))
    for n in range(4096):
        word = 0x91000021 | n << 10
        host.compile((word,), arithmetic_operands(word))
    assert calls
    file.x[1] = 41
    assert first() == 0 and file.x[1] == 42

"""The engine: exact counts, code changes, events, and that no short cut changes a result."""

import random

import pytest

from emulator.faults import StopKind
from emulator.machine import Machine
from emulator.memory.interface import Access
from emulator.memory.plain import PlainMemory
from emulator.trace import InstructionTrace
from morello_isa.base import classify
from morello_isa.capability import CAP_MAX, Capability
from morello_isa.encodings.table import ROWS
from tests.emulator.support import CODE, DATA, SIZE, bench, buffer, enable_capabilities, words

LOOP = ["add x0, x0, #1", "str x0, [c1]", "add c2, c2, #0", "subs x3, x3, #1", "b.ne #-16"]


def test_limit_is_exact():
    for count in (1, 2, 3, 7, 101):
        result = bench(LOOP)
        result.pe.write_c(1, buffer())
        result.pe.write_x(3, 1000)
        assert result.machine.run(count).kind is StopKind.LIMIT
        assert result.pe.instructions == count
        assert result.pe.read_x(0) == (count + 4) // 5


def test_stores_to_code_take_effect():
    """An instruction is overwritten by the one before the branch to it."""
    lines = ["mov x0, #1", "str w2, [c1]", "isb", "mov x0, #2"]
    result = bench(lines)
    result.machine.run(4)
    result.faults.clear()
    result = bench(lines)
    result.pe.write_c(1, CAP_MAX.set_value(CODE + 12))
    result.pe.write_x(2, words(["mov x0, #9"], True)[0])
    result.machine.run(4)
    assert result.pe.read_x(0) == 9


def test_forgets_code_on_ic():
    result = bench(["mov x0, #1", "b #-4"])
    result.run(4)
    result.machine.load(CODE, words(["mov x0, #3"], True))
    result.run(2)
    assert result.pe.read_x(0) == 3


def test_events_happen_at_their_count():
    result = bench(LOOP)
    result.pe.write_c(1, buffer())
    result.pe.write_x(3, 1000)
    seen = []
    for at in (13, 7, 31):
        result.machine.engine.schedule(at, lambda: seen.append(result.pe.instructions))
    result.run(50)
    assert seen == [7, 13, 31] and result.pe.instructions == 50


def test_request_stop_and_breakpoint():
    result = bench(LOOP)
    result.pe.write_c(1, buffer())
    result.pe.write_x(3, 1000)
    result.machine.engine.schedule(20, lambda: result.machine.stop("enough"))
    reason = result.machine.run()
    assert (reason.kind, reason.detail, result.pe.instructions) == (StopKind.REQUESTED, "enough", 20)
    result.machine.breakpoints.add(CODE + 8)
    assert result.machine.run().detail == CODE + 8 == result.pe.pc


def test_wfi_without_interrupt_is_idle():
    result = bench(["wfi", "nop"])
    assert result.machine.run().kind is StopKind.IDLE
    assert result.pe.pc == CODE + 4


def test_a_fault_leaves_the_instructions_before_it_done():
    result = bench(["mov x0, #5", "add x4, x4, #1", "ldr x1, [c2]", "mov x0, #6"])
    result.run(10)
    assert (result.pe.read_x(0), result.pe.read_x(4), result.pe.pc) == (5, 1, CODE + 8)
    assert result.pe.instructions == 3


def test_trace_names_changes():
    lines = []
    result = bench(["mov c0, c1", "add x2, x2, #7"])
    result.pe.write_c(1, buffer())
    trace = InstructionTrace(result.machine.engine, lines.append)
    trace.attach()
    result.run(2)
    trace.detach()
    assert any("c0 = 0x8000 [0x8000,0x8040)" in line for line in lines)
    assert lines[-1].strip() == "c2 = 0x7" and result.machine.engine.before_instruction is None


# --- one program, several ways of running it -------------------------------------------------------------


def random_program(rng, length):
    """Straight code of loads, stores and capability arithmetic, with some arithmetic in between."""
    program = []
    rows = [row for row in ROWS if row.group not in ("branch", "branch-load", "system")]
    while len(program) < length:
        kind = rng.randrange(3)
        if kind == 0:
            row = rng.choice(rows)
            word = row.match | rng.getrandbits(32) & ~row.mask
            if not row.is_allocated(word):
                continue
        elif kind == 1:
            word = rng.getrandbits(32) & 0xC7FF_FFFF | 0x3800_0000
            if classify(word) is None:
                continue
        else:
            word = (
                rng.choice((0x91000000, 0x8B000000, 0xEB000000, 0xAA000000)) | rng.getrandbits(21) & 0x1F03FF
            )
        program.append(word)
    return program


def prepared(seed, c64, windows=True):
    rng = random.Random(seed)
    memory = PlainMemory(SIZE)
    if not windows:
        memory.read_pages.clear()
        memory.write_pages.clear()
    machine = Machine(memory)
    pe = machine.pe
    enable_capabilities(pe)
    program = random_program(rng, 24)
    machine.load(CODE, program)
    for n in range(31):
        address = DATA + 16 * rng.randrange(0x400)
        value = rng.randrange(6)
        if value == 0:
            pe.write_x(n, rng.randrange(64))
        elif value == 1:
            pe.write_x(n, address)
        elif value == 2:
            pe.write_c(n, CAP_MAX.set_value(address).set_bounds(rng.randrange(256), False))
        elif value == 3:
            pe.write_c(n, Capability(bool(rng.getrandbits(1)), rng.getrandbits(64), address))
        else:
            pe.write_c(n, CAP_MAX.set_value(address))
    pe.write_csp(CAP_MAX.set_value(DATA + 0x8000))
    for _ in range(40):
        at = DATA + 16 * rng.randrange(0x400)
        memory.write_cap(at, rng.getrandbits(64), rng.getrandbits(64), True, Access.NORMAL)

    def skip(faulting, fault):
        faulting.pc = fault.pc + 4

    machine.engine.on_exception = skip
    machine.start(CODE, c64)
    return machine, len(program)


def everything(machine):
    pe = machine.pe
    return (
        [pe.read_c(n) for n in range(31)],
        [pe.read_v(n) for n in range(32)],
        pe.stack,
        pe.pcc,
        pe.nzcv,
        pe.instructions,
        [machine.memory.read_cap(at, Access.NORMAL) for at in range(DATA, DATA + 0x1_0000, 16)],
    )


@pytest.mark.parametrize("c64", [False, True])
def test_blocks_steps_and_slow_memory_agree(c64):
    for seed in range(40):
        outcomes = []
        for windows, stepwise in ((True, False), (True, True), (False, False)):
            machine, length = prepared(seed, c64, windows)
            if stepwise:
                for _ in range(length):
                    machine.step()
            else:
                machine.run(length)
            outcomes.append(everything(machine))
        assert outcomes[0] == outcomes[1], seed
        assert outcomes[0] == outcomes[2], seed


@pytest.mark.parametrize("el", [0, 1, 2, 3])
@pytest.mark.parametrize("c64", [False, True])
def test_random_words_never_raise(el, c64):
    rng = random.Random(17 * el + c64)
    machine, _ = prepared(el, c64)
    pe = machine.pe

    def stay(_, fault):
        assert fault.pcc is not None

    machine.engine.on_exception = stay
    for _ in range(1500):
        word = rng.getrandbits(32)
        if rng.random() < 0.4:
            row = rng.choice(ROWS)
            word = row.match | word & ~row.mask
        pe.pstate.el, pe.pstate.c64, pe.pstate.il = el, c64, False
        pe.pcc = CAP_MAX.set_value(CODE)
        pe.context_stale = True
        machine.load(CODE, [word])
        machine.run(1)
        for n in range(31):
            capability = pe.c[n]
            assert capability is None or capability.value == pe.x[n], hex(word)
        assert pe.x[31] == 0 and pe.c[31] is None, hex(word)


UPPER = 0xFFFF_FF80_0000_0000


class UpperMemory(PlainMemory):
    """The same memory, seen at UPPER: accesses below the window paths subtract it."""

    def __init__(self, size):
        super().__init__(size)
        for pages in (self.read_pages, self.write_pages):
            moved = {page + (UPPER >> 12): window for page, window in pages.items()}
            pages.clear()
            pages.update(moved)

    def read(self, va, size, access):
        return super().read(va - UPPER, size, access)

    def write(self, va, size, value, access):
        super().write(va - UPPER, size, value, access)

    def fetch(self, va):
        return super().fetch(va - UPPER)


@pytest.mark.parametrize("tbi1", [False, True])
def test_upper_half_code_and_data(tbi1):
    machine = Machine(UpperMemory(SIZE))
    pe = machine.pe
    enable_capabilities(pe)
    faults = []
    machine.engine.on_exception = lambda _, fault: faults.append(fault)
    pe.pstate.el = 1
    pe.sysregs.values["TCR_EL1"] = 1 << 38 if tbi1 else 0
    pe.sysregs.values["SCTLR_EL1"] |= 1
    lines = ["bl #8", "b #0", "ldr x0, [c1]", "str x0, [c1, #8]", "stp x0, x0, [c1, #16]", "ret c30"]
    machine.load(UPPER + CODE, words(lines, True, UPPER + CODE))
    machine.start(UPPER + CODE, True)
    machine.memory.write(UPPER + DATA, 8, 77, Access.NORMAL)
    pe.write_c(1, CAP_MAX.set_value(UPPER + DATA).set_bounds(64, exact=True))
    machine.run(6)
    assert not faults, faults
    assert pe.pc == UPPER + CODE + 4
    assert machine.memory.read(UPPER + DATA + 24, 8, Access.NORMAL) == 77

"""Exception entry and return: levels, vectors, banked state, syndromes."""

import pytest

from emulator.exceptions import take_exception
from morello_isa.capability import CAP_MAX
from morello_isa.permissions import Perm
from tests.emulator.support import CODE, DATA, VECTORS, bench, buffer

SYSTEM, EXECUTIVE = int(Perm.SYSTEM), int(Perm.EXECUTIVE)


def system(lines, el, c64=True, **values):
    """A machine that really takes exceptions, with CVBARs at VECTORS."""
    result = bench(lines, c64, el)
    pe = result.pe
    result.machine.engine.on_exception = take_exception
    pe.sysregs.values["SCR_EL3"] = 1 | 1 << 8
    pe.sysregs.values.update(values)
    for level in (1, 2, 3):
        pe.sysregs.capabilities[f"CVBAR_EL{level}"] = CAP_MAX.set_value(VECTORS)
    pe.context_stale = True
    return result


def test_svc_enters_el1_with_capability_state():
    result = system("svc #7", 0)
    pe = result.pe
    pe.nzcv = 5
    result.run(1)
    values = pe.sysregs.values
    assert (pe.pc, pe.pstate.el, pe.pstate.sp, pe.pstate.c64) == (VECTORS + 0x400, 1, 1, False)
    assert values["ESR_EL1"] == 0x15 << 26 | 1 << 25 | 7
    assert pe.sysregs.capabilities["CELR_EL1"] == CAP_MAX.set_value(CODE + 4)
    assert values["SPSR_EL1"] >> 26 & 1 and values["SPSR_EL1"] >> 28 == 5
    assert pe.pstate.daif == 15


def test_c64e_decides_the_state_of_the_handler():
    result = system("svc #0", 0, CCTLR_EL1=1 << 5)
    result.run(1)
    assert result.pe.pstate.c64


def test_capabilities_disabled_at_the_target():
    result = system("svc #0", 0, CPACR_EL1=0x3 << 20)
    result.run(1)
    pe = result.pe
    assert pe.pstate.el == 1 and not pe.pstate.c64
    saved = pe.sysregs.capabilities["CELR_EL1"]
    assert (saved.tag, saved.hi, saved.value) == (False, 0, CODE + 4)
    assert pe.pcc == CAP_MAX.set_value(VECTORS + 0x400)


@pytest.mark.parametrize(("sp", "restricted", "offset"), [(1, False, 0x200), (0, False, 0), (1, True, 0)])
def test_vector_of_the_same_level(sp, restricted, offset):
    result = system("brk #1", 1)
    pe = result.pe
    pe.pstate.sp = sp
    if restricted:
        pe.pcc = pe.pcc.clear_permissions(EXECUTIVE)
    pe.context_stale = True
    result.run(1)
    assert pe.pc == VECTORS + offset
    assert pe.sysregs.values["ESR_EL1"] == 0x3C << 26 | 1 << 25 | 1
    assert pe.sysregs.capabilities["CELR_EL1"].value == CODE


@pytest.mark.parametrize(
    ("base", "code"),
    [
        (buffer().with_tag(False), 0x28),
        (buffer().with_object_type(5), 0x29),
        (buffer(DATA, 8).add(8), 0x2A),
        (buffer(permissions=0), 0x2B),
    ],
)
def test_capability_fault_codes(base, code):
    result = system("str x0, [c1]", 1)
    result.pe.write_c(1, base)
    result.run(1)
    values = result.pe.sysregs.values
    assert values["ESR_EL1"] == 0x25 << 26 | 1 << 25 | 1 << 6 | code
    assert values["FAR_EL1"] == base.value


def test_capability_fault_goes_where_capabilities_are_enabled():
    result = system("ldr x0, [x1]", 1, c64=False, CPACR_EL1=0)
    result.pe.ddc = CAP_MAX.with_tag(False)
    result.run(1)
    assert result.pe.pstate.el == 2
    result = system("ldr x0, [x1]", 1, c64=False, CPTR_EL2=1 << 9)
    result.pe.ddc = CAP_MAX.with_tag(False)
    result.run(1)
    assert result.pe.pstate.el == 3


def test_eret_restores_state_and_capability():
    result = system(["eret"], 1)
    pe = result.pe
    target = CAP_MAX.set_value(0x2000).set_bounds(0x100, exact=True)
    pe.sysregs.capabilities["CELR_EL1"] = target
    pe.sysregs.values["SPSR_EL1"] = 1 << 26 | 6 << 28
    pe.exclusive = (0, 8)
    result.run(1)
    assert pe.pcc == target and pe.pstate.el == 0 and pe.pstate.c64 and pe.nzcv == 6
    assert pe.exclusive is None


def test_eret_without_system_permission_untags():
    result = system(["eret"], 1)
    pe = result.pe
    pe.pcc = pe.pcc.clear_permissions(SYSTEM)
    pe.sysregs.capabilities["CELR_EL1"] = CAP_MAX.set_value(0x2000)
    result.run(1)
    assert pe.pc == 0x2000 and not pe.pcc.tag


def test_illegal_return_sets_il():
    result = system(["eret"], 1)
    pe = result.pe
    pe.sysregs.capabilities["CELR_EL1"] = CAP_MAX.set_value(0x2000)
    pe.sysregs.values["SPSR_EL1"] = 3 << 2
    result.run(1)
    assert pe.pstate.il and pe.pstate.el == 1
    result.run(1)
    assert pe.sysregs.values["ESR_EL1"] >> 26 == 0x0E


def test_link_registers_are_sealed_with_sbl():
    result = system("bl #8", 1, CCTLR_EL1=1 << 7)
    result.run(1)
    link = result.pe.read_c(30)
    assert link.otype == 1 and link.value == CODE + 5 and link.tag


def test_thread_pointer_is_banked_in_restricted():
    result = system(["msr CTPIDR_EL0, c1", "mrs c2, CTPIDR_EL0"], 0)
    pe = result.pe
    pe.pcc = pe.pcc.clear_permissions(EXECUTIVE)
    pe.write_c(1, buffer())
    result.run(2)
    capabilities = pe.sysregs.capabilities
    assert pe.read_c(2) == capabilities["RCTPIDR_EL0"] == buffer()
    assert not capabilities["CTPIDR_EL0"].tag


def test_spsel_switches_csp_and_ddc():
    result = system(["msr spsel, #0", "mrs c0, DDC"], 1)
    pe = result.pe
    pe.data[0], pe.data[1] = buffer(), CAP_MAX
    pe.context_stale = True
    result.run(2)
    assert pe.read_c(0) == buffer() and pe.bank == 0


@pytest.mark.parametrize(
    ("line", "el", "values", "target"),
    [
        ("mrs x0, sctlr_el1", 1, {"HCR_EL2": 1 << 30}, 2),
        ("mrs x0, cpacr_el1", 1, {"CPTR_EL3": 1 << 9 | 1 << 31}, 3),
        ("mrs x0, ctr_el0", 0, {"SCTLR_EL1": 0}, 1),
        ("dc cvac, c1", 0, {"SCTLR_EL1": 0}, 1),
        ("tlbi vmalle1", 1, {"HCR_EL2": 1 << 25}, 2),
        ("msr daifset, #1", 0, {"SCTLR_EL1": 0}, 1),
        ("wfi", 0, {"SCTLR_EL1": 0}, 1),
    ],
)
def test_classic_traps(line, el, values, target):
    result = system(line, el, **values)
    result.pe.write_c(1, CAP_MAX.set_value(DATA))
    result.run(1)
    assert result.pe.pstate.el == target and result.pe.pc & 0x780 == 0x400
    assert result.pe.sysregs.values[f"ESR_EL{target}"] >> 26 in (0x18, 0x01)


def test_irq_is_taken_between_instructions_and_masked():
    result = system(["nop", "nop", "nop"], 1)
    pe = result.pe
    pe.pstate.daif = 0
    pe.irq_line = True
    result.machine.load(VECTORS + 0x280, [0xD503201F])
    result.run(1)
    assert pe.pc == VECTORS + 0x284
    assert pe.sysregs.capabilities["CELR_EL1"].value == CODE
    masked = system(["nop", "nop"], 1)
    masked.pe.pstate.daif = 2
    masked.pe.irq_line = True
    masked.run(2)
    assert masked.pe.pc == CODE + 8


def test_calls_look_at_their_enables_every_time():
    result = system("hvc #3", 1, SCR_EL3=1)
    pe = result.pe
    result.run(1)
    assert pe.sysregs.values["ESR_EL1"] >> 26 == 0
    result.machine.start(CODE, True)
    pe.pstate.el = 1
    pe.sysregs.values["SCR_EL3"] = 1 | 1 << 8
    result.run(1)
    assert pe.pstate.el == 2 and pe.sysregs.values["ESR_EL2"] == 0x16 << 26 | 1 << 25 | 3


def test_numbered_registers_keep_what_is_written():
    lines = ["msr dbgbvr5_el1, x1", "mrs x2, dbgbvr5_el1", "msr pmevcntr3_el0, x1", "msr icc_ap1r0_el1, x1"]
    result = system(lines, 1)
    result.pe.write_x(1, 0x1234)
    result.run(4)
    assert result.pe.read_x(2) == 0x1234 and result.pe.pc == CODE + 16
    trapped = system("msr dbgwcr0_el1, x1", 1, MDCR_EL2=1 << 9)
    trapped.run(1)
    assert trapped.pe.pstate.el == 2
    beyond = system("msr dbgwcr9_el1, x1", 1)
    beyond.run(1)
    assert beyond.pe.sysregs.values["ESR_EL1"] >> 26 == 0

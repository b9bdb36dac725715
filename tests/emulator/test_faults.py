"""Faults: kind, order, address, register, and their explanation."""

import pytest

from emulator.explain import explain
from emulator.faults import FaultKind
from morello_isa.capability import CAP_MAX, CAP_NULL
from morello_isa.permissions import Perm
from tests.emulator.support import CODE, DATA, SIZE, bench, buffer, run

ALL = 0x3FFFF
LOAD, STORE = int(Perm.LOAD), int(Perm.STORE)
STORE_CAP, STORE_LOCAL = int(Perm.STORE_CAP), int(Perm.STORE_LOCAL_CAP)
GLOBAL = int(Perm.GLOBAL)


@pytest.mark.parametrize(
    ("line", "base", "kind", "is_write"),
    [
        ("ldr x0, [c1]", buffer().with_tag(False), FaultKind.CAP_TAG, False),
        ("ldr x0, [c1]", buffer().with_object_type(1), FaultKind.CAP_SEALED, False),
        ("ldr x0, [c1]", buffer(permissions=ALL & ~LOAD), FaultKind.CAP_PERMISSION, False),
        ("str x0, [c1]", buffer(permissions=ALL & ~STORE), FaultKind.CAP_PERMISSION, True),
        ("ldr x0, [c1, #64]", buffer(), FaultKind.CAP_BOUNDS, False),
        ("ldr x0, [c1, #57]", buffer(), FaultKind.CAP_BOUNDS, False),
        ("str c2, [c1, #-16]!", buffer(), FaultKind.CAP_BOUNDS, True),
        ("ldr c0, [c1, x3]", buffer(), FaultKind.ALIGNMENT, False),
        ("ldp x0, x2, [c1, #56]", buffer(), FaultKind.CAP_BOUNDS, False),
        ("ldxr x0, [c1]", buffer().add(1), FaultKind.ALIGNMENT, False),
        ("stxr w0, x2, [c1]", buffer().add(4), FaultKind.ALIGNMENT, True),
        ("ldadd x0, x2, [c1]", buffer().add(4), FaultKind.ALIGNMENT, False),
        ("ldadd x0, x2, [c1]", buffer(permissions=ALL & ~STORE), FaultKind.CAP_PERMISSION, True),
        ("ldct x0, [c1]", buffer(DATA + 16, 64), FaultKind.ALIGNMENT, False),
        ("ldct x0, [c1]", buffer(DATA, 48), FaultKind.CAP_BOUNDS, False),
        ("dc zva, c1", buffer(DATA, 32), FaultKind.CAP_BOUNDS, True),
        ("dc cvac, c1", buffer(permissions=ALL & ~LOAD), FaultKind.CAP_PERMISSION, False),
        ("ldr q0, [c1, #48]", buffer(), None, False),
        ("ldr q0, [c1, #64]", buffer(), FaultKind.CAP_BOUNDS, False),
        ("prfm pldl1keep, [c1]", CAP_NULL, None, False),
    ],
)
def test_data_faults(line, base, kind, is_write):
    result = run(line, c1=base, x3=8)
    if kind is None:
        assert not result.faults
        return
    fault = result.fault
    assert (fault.kind, fault.is_write, fault.pc, fault.pcc.tag) == (kind, is_write, CODE, True)
    if kind is not FaultKind.ALIGNMENT:
        assert (fault.register, fault.capability) == ("c1", base)


def test_bounds_fault_reports_the_first_address():
    assert run("ldr x0, [c1, #57]", c1=buffer()).fault.address == DATA + 57


def test_storing_capabilities_demands_more():
    for missing, value, faults in (
        (STORE_CAP, buffer(), True),
        (STORE_CAP, buffer().with_tag(False), False),
        (STORE_LOCAL, buffer(), False),
        (STORE_LOCAL, buffer(permissions=ALL & ~GLOBAL), True),
    ):
        result = run("str c0, [c1]", c0=value, c1=buffer(permissions=ALL & ~missing))
        assert bool(result.faults) == faults


def test_capability_pair_store_keeps_its_first_half():
    result = bench(["stp c0, c2, [c1]"])
    result.pe.write_c(0, buffer())
    result.pe.write_c(2, buffer())
    result.pe.write_c(1, buffer(DATA, 16))
    result.run(1)
    assert result.fault.address == DATA + 16
    assert result.machine.read_capability(DATA) == buffer()


def test_a64_is_authorised_by_ddc():
    small = buffer(DATA, 64)
    result = run("ldr x0, [x1, #64]", c64=False, x1=DATA, ddc=small)
    assert (result.fault.kind, result.fault.register) == (FaultKind.CAP_BOUNDS, "ddc")
    assert not run("ldr x0, [x1, #56]", c64=False, x1=DATA, ddc=small).faults


def test_literal_loads_are_authorised_by_pcc():
    code_only = CAP_MAX.set_value(CODE).clear_permissions(LOAD)
    assert run("ldr x0, #8", pcc=code_only).fault.register == "pcc"


def test_fetch_faults():
    outside = CAP_MAX.set_value(CODE).set_bounds(4, exact=True)
    result = run(["nop", "nop"], pcc=outside)
    fault = result.fault
    assert (fault.kind, fault.is_fetch, fault.pc, fault.word) == (FaultKind.CAP_BOUNDS, True, CODE + 4, None)
    no_execute = CAP_MAX.set_value(CODE).clear_permissions(int(Perm.EXECUTE))
    assert run("nop", pcc=no_execute).fault.kind is FaultKind.CAP_PERMISSION
    assert run("nop", pcc=CAP_MAX.set_value(CODE).with_tag(False)).fault.kind is FaultKind.CAP_TAG
    assert run("nop", pcc=CAP_MAX.set_value(CODE + 2)).fault.kind is FaultKind.PC_ALIGNMENT
    assert run("nop", pcc=CAP_MAX.set_value(SIZE)).fault.kind is FaultKind.TRANSLATION


def test_bad_branch_faults_at_its_target():
    result = run(["br c1", "nop"], c1=buffer(CODE + 0x100, 64).with_tag(False))
    assert (result.fault.pc, result.fault.kind, result.fault.is_fetch) == (
        CODE + 0x100,
        FaultKind.CAP_TAG,
        True,
    )


def test_sp_alignment_comes_first():
    result = bench("ldr x0, [csp]")
    result.pe.sysregs.values["SCTLR_EL3"] |= 8
    result.pe.write_csp(CAP_NULL.set_value(8))
    result.run(1)
    assert result.fault.kind is FaultKind.SP_ALIGNMENT


@pytest.mark.parametrize(
    ("line", "el"),
    [("sctag c0, c1, x2", 0), ("stct x0, [c1]", 0), ("mrs x0, ttbr0_el1", 0), ("mrs c0, CELR_EL2", 1)],
)
def test_undefined_at_low_levels(line, el):
    assert run(line, el=el, c1=buffer()).fault.kind is FaultKind.UNDEFINED


def test_undefined_in_restricted():
    restricted = CAP_MAX.set_value(CODE).clear_permissions(int(Perm.EXECUTIVE))
    for line in ("brr c1", "blrr c1", "retr c1", "mrs c0, RDDC_EL0", "msr RCSP_EL0, c0"):
        assert run(line, pcc=restricted).fault.kind is FaultKind.UNDEFINED
    assert not run("mrs c0, DDC", pcc=restricted).faults


def test_system_permission():
    plain = CAP_MAX.set_value(CODE).clear_permissions(int(Perm.SYSTEM))
    trapped = run("mrs x0, sctlr_el1", pcc=plain, el=1).fault
    assert (trapped.kind, trapped.target_el) == (FaultKind.TRAP, 1)
    assert run("mrs c0, CVBAR_EL1", pcc=plain, el=1).fault.kind is FaultKind.CAP_SYSREG_TRAP
    assert not run("mrs x0, elr_el1", pcc=plain, el=1).faults
    assert not run("sctag c0, c1, x2", pcc=plain, el=1, c1=buffer(), x2=1).pe.read_c(0).tag


def test_capability_traps_spare_the_pc_relative_forms():
    result = bench(["adr c0, #0", "gctag x0, c1"])
    result.pe.sysregs.values["CPTR_EL3"] = 0
    result.run(2)
    fault = result.fault
    assert (fault.kind, fault.target_el, fault.pc) == (FaultKind.CAP_TRAP, 3, CODE + 4)


def test_fp_trap():
    result = bench("ldr q0, [c1]")
    result.pe.sysregs.values["CPTR_EL3"] |= 1 << 10
    result.run(1)
    assert (result.fault.kind, result.fault.target_el) == (FaultKind.FP_TRAP, 3)


def test_explanation_of_a_bounds_fault():
    fault = run("str x3, [c2, #16]", c2=buffer(0x4100, 16)).fault
    text = explain(fault, lambda pc: f"fill+{pc - CODE:#x} in hello")
    assert text == (
        "capability bounds fault: str x3, [c2, #16] at 0x1000 (fill+0x0 in hello) — "
        "c2 = 0x4100 [0x4100,0x4110) rwxRWE tagged: 8 bytes at 0x4110 are past the end by 8"
    )


def test_other_explanations():
    lacking = run("str x3, [c2]", c2=buffer(permissions=ALL & ~STORE)).fault
    assert explain(lacking).endswith("it lacks Store")
    assert "it has no tag" in explain(run("ldr x0, [c1]", c1=CAP_NULL).fault)
    assert "before the start by 8" in explain(run("ldur x0, [c1, #-8]", c1=buffer()).fault)
    assert explain(run("nop", pcc=CAP_MAX.set_value(SIZE)).fault).startswith(
        "translation fault: instruction fetch"
    )
    assert "can't be read" in explain(run("ldr x0, [c1]", c1=CAP_MAX.set_value(SIZE)).fault)

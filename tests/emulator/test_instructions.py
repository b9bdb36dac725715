"""Morello instructions one by one: results, tags, flags. Facts from the specification's functions."""

import pytest

from morello_isa.capability import CAP_MAX, CAP_NULL, MASK64, Capability
from morello_isa.permissions import Perm
from tests.emulator.support import CODE, DATA, buffer, run

SEALER = CAP_MAX.set_value(0x123)
ALL = 0x3FFFF


def c(n, result):
    return result.pe.read_c(n)


def test_add_moves_within_bounds_and_untags_far_outside():
    assert c(0, run("add c0, c1, #16", c1=buffer())) == buffer().add(16)
    far = run("add c0, c1, #4095, lsl #12", c1=buffer())
    assert c(0, far).value == DATA + 0xFFF000 and not c(0, far).tag


def test_add_of_a_sealed_capability_untags():
    sealed = buffer().with_object_type(1)
    assert c(0, run("add c0, c1, #0", c1=sealed)) == sealed.with_tag(False)


def test_add_extended_register_uses_the_low_part():
    assert c(0, run("add c0, c1, w2, uxtb #1", c1=buffer(), x2=0xFF05)).value == DATA + 10
    assert c(0, run("add c0, c1, w2, sxtw", c1=buffer().add(8), x2=0xFFFF_FFFF)).value == DATA + 7


def test_sp_forms_work_on_csp():
    stack = buffer(DATA, 256).add(256)
    result = run("sub csp, csp, #32", csp=stack)
    assert result.pe.read_csp() == stack.add(-32)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("gcbase x0, c1", DATA),
        ("gclen x0, c1", 64),
        ("gclim x0, c1", DATA + 64),
        ("gcoff x0, c1", 8),
        ("gcvalue x0, c1", DATA + 8),
        ("gctag x0, c1", 1),
        ("gcseal x0, c1", 0),
        ("gctype x0, c1", 0),
        ("gcperm x0, c1", ALL),
        ("gcflgs x0, c1", 0),
        ("cfhi x0, c1", buffer().hi),
    ],
)
def test_reading_fields(line, expected):
    result = run(line, c1=buffer().add(8), c0=buffer())
    assert result.pe.read_x(0) == expected
    assert not c(0, result).tag


def test_length_of_the_whole_space_saturates():
    assert run("gclen x0, c1", c1=CAP_MAX).pe.read_x(0) == MASK64
    assert run("gclim x0, c1", c1=CAP_MAX).pe.read_x(0) == MASK64


def test_set_bounds_exact_and_rounding():
    wide = CAP_MAX.set_value(0x10001)
    assert c(0, run("scbnds c0, c1, #32", c1=wide)).tag
    inexact = run("scbndse c0, c1, x2", c1=wide, x2=0x100000)
    assert not c(0, inexact).tag
    rounded = c(0, run("scbnds c0, c1, x2", c1=wide, x2=0x100000))
    assert rounded.tag and rounded.base <= 0x10001 and rounded.limit >= 0x110001


def test_flags_operations():
    flagged = CAP_MAX.set_flags(0xF0)
    assert c(0, run("bicflgs c0, c1, #0x30", c1=flagged)).flags == 0xC0
    assert c(0, run("eorflgs c0, c1, #0xff", c1=flagged)).flags == 0x0F
    assert c(0, run("orrflgs c0, c1, x2", c1=flagged, x2=0x0A << 56)).flags == 0xFA
    assert c(0, run("scflgs c0, c1, x2", c1=flagged, x2=0x81 << 56)).flags == 0x81


def test_clear_permissions():
    assert c(0, run("clrperm c0, c1, wx", c1=CAP_MAX)).permissions == ALL & ~int(Perm.STORE | Perm.EXECUTE)
    assert c(0, run("clrperm c0, c1, x2", c1=CAP_MAX, x2=0x3)).permissions == ALL & ~3


def test_seal_unseal_round_trip():
    sealed = c(0, run("seal c0, c1, c2", c1=buffer(), c2=SEALER))
    assert sealed.tag and sealed.otype == 0x123
    assert c(0, run("unseal c0, c1, c2", c1=sealed, c2=SEALER)) == buffer()
    assert not c(0, run("unseal c0, c1, c2", c1=sealed, c2=SEALER.add(1))).tag
    local = SEALER.clear_permissions(int(Perm.GLOBAL))
    assert not c(0, run("unseal c0, c1, c2", c1=sealed, c2=local)).has(int(Perm.GLOBAL))


def test_conditional_seal():
    kept = run("cseal c0, c1, c2", c1=buffer(), c2=CAP_MAX.set_value(MASK64))
    assert c(0, kept) == buffer() and kept.pe.nzcv == 1
    refused = run("cseal c0, c1, c2", c1=buffer(), c2=SEALER.with_tag(False))
    assert c(0, refused) == buffer() and refused.pe.nzcv == 0
    assert c(0, run("cseal c0, c1, c2", c1=buffer(), c2=SEALER)).otype == 0x123


def test_build_needs_a_key_that_covers():
    pattern = buffer().with_tag(False)
    assert c(0, run("build c0, c1, c2", c1=pattern, c2=CAP_MAX)) == buffer()
    assert not c(0, run("build c0, c1, c2", c1=pattern, c2=buffer(DATA, 32))).tag
    assert c(0, run("build c0, c1, c2", c1=buffer(), c2=CAP_NULL)).tag
    sealed = buffer().with_object_type(9)
    assert c(0, run("build c0, c1, c2", c1=sealed, c2=CAP_NULL)) == buffer().with_tag(False)


def test_checks_set_flags():
    assert run("chkeq c1, c2", c1=buffer(), c2=buffer()).pe.nzcv == 4
    assert run("chkeq c1, c2", c1=buffer(), c2=buffer().with_tag(False)).pe.nzcv == 0
    assert run("chkss c1, c2", c1=buffer(), c2=CAP_MAX).pe.nzcv == 8
    assert run("chkss c1, c2", c1=CAP_MAX, c2=buffer()).pe.nzcv == 0
    assert run("chktgd c1", c1=buffer()).pe.nzcv == 2
    assert run("chksld c1", c1=buffer().with_object_type(7).with_tag(False)).pe.nzcv == 1


def test_subs_compares_tags_first():
    assert run("subs x0, c1, c2", c1=buffer(), c2=buffer()).pe.nzcv == 6
    tagged = run("subs x0, c1, c2", c1=buffer(), c2=buffer().with_tag(False))
    assert (tagged.pe.read_x(0), tagged.pe.nzcv) == (1, 2)
    untagged = run("subs x0, c1, c2", c1=buffer().with_tag(False), c2=buffer())
    assert (untagged.pe.read_x(0), untagged.pe.nzcv) == (3, 8)


def test_copies():
    assert c(0, run("mov c0, c1", c1=buffer())) == buffer()
    assert c(0, run("clrtag c0, c1", c1=buffer())) == buffer().with_tag(False)
    assert c(0, run("cthi c0, c1, x2", c1=buffer(), x2=5)) == Capability(False, 5, DATA)
    typed = run("cpytype c0, c1, c2", c1=SEALER, c2=buffer().with_object_type(77))
    assert c(0, typed) == SEALER.set_value(77)
    assert c(0, run("cpytype c0, c1, c2", c1=SEALER, c2=buffer())).value == MASK64
    assert c(0, run("cpyvalue c0, c1, c2", c1=CAP_MAX, c2=buffer())).value == DATA


def test_csel_by_flags():
    lines = ["chktgd c1", "csel c0, c1, c2, cs"]
    assert c(0, run(lines, c1=buffer(), c2=CAP_NULL)) == buffer()


def test_conversions():
    assert run("cvt x0, c1, c2", c1=buffer(), c2=CAP_MAX).pe.read_x(0) == DATA
    untagged = run("cvt x0, c1, c2", c1=buffer().with_tag(False), c2=CAP_MAX)
    assert (untagged.pe.read_x(0), untagged.pe.nzcv) == (0, 0)
    assert c(0, run("cvtdz c0, x1", x1=0)) == CAP_NULL
    assert c(0, run("cvtd c0, x1", x1=DATA)) == CAP_MAX.set_value(DATA)
    assert c(0, run("cvtp c0, x1", x1=DATA)) == CAP_MAX.set_value(DATA)


def test_adr_in_both_states():
    assert c(0, run("adr c0, #8", c64=True)) == CAP_MAX.set_value(CODE + 8)
    integer = run("adr x0, #8", c64=False, c0=buffer())
    assert c(0, integer) == Capability.from_int(CODE + 8)


def test_capability_memory_round_trip_and_tag_clearing():
    result = run(["str c1, [c2]", "ldr c3, [c2]", "str w4, [c2, #4]", "ldr c5, [c2]"], c1=SEALER, c2=buffer())
    assert c(3, result) == SEALER
    assert not c(5, result).tag and not result.faults


def test_load_without_load_cap_and_mutable_load():
    store = ["str c1, [c2]", "ldr c3, [c4]"]
    no_cap = buffer(permissions=ALL & ~int(Perm.LOAD_CAP))
    assert not c(3, run(store, c1=SEALER, c2=buffer(), c4=no_cap)).tag
    immutable = buffer(permissions=ALL & ~int(Perm.MUTABLE_LOAD))
    loaded = c(3, run(store, c1=SEALER, c2=buffer(), c4=immutable))
    gone = int(Perm.STORE | Perm.STORE_CAP | Perm.STORE_LOCAL_CAP | Perm.MUTABLE_LOAD)
    assert loaded == SEALER.clear_permissions(gone)


def test_pairs_and_writeback():
    result = run(
        ["stp c1, c2, [csp, #-32]!", "ldp c3, c4, [csp], #32"],
        c1=SEALER,
        c2=buffer(),
        csp=buffer(DATA, 256).add(256),
    )
    assert (c(3, result), c(4, result)) == (SEALER, buffer())
    assert result.pe.read_csp() == buffer(DATA, 256).add(256)


def test_tags_of_four_granules():
    result = run(["str c1, [c2, #16]", "str c1, [c2, #48]", "ldct x3, [c2]"], c1=SEALER, c2=buffer())
    assert result.pe.read_x(3) == 0b1010
    stored = run(["stct x3, [c2]", "ldct x4, [c2]"], c2=buffer(), x3=0b0101)
    assert stored.pe.read_x(4) == 0b0101


def test_swap_and_compare_and_swap():
    swapped = run(["str c1, [c2]", "swp c3, c4, [c2]", "ldr c5, [c2]"], c1=SEALER, c2=buffer(), c3=buffer())
    assert (c(4, swapped), c(5, swapped)) == (SEALER, buffer())
    kept = run(["str c1, [c2]", "cas c3, c4, [c2]", "ldr c5, [c2]"], c1=SEALER, c2=buffer(), c4=buffer())
    assert (c(3, kept), c(5, kept)) == (SEALER, SEALER)
    done = run(["str c1, [c2]", "cas c1, c4, [c2]", "ldr c5, [c2]"], c1=SEALER, c2=buffer(), c4=buffer())
    assert c(5, done) == buffer()


def test_exclusives_by_granule():
    lines = ["ldxr c3, [c2]", "stxr w4, c1, [c2]", "stxr w5, c1, [c2]"]
    result = run(lines, c1=SEALER, c2=buffer())
    assert (result.pe.read_x(4), result.pe.read_x(5)) == (0, 1)
    other = run(["ldxr c3, [c2]", "stxr w4, c1, [c6]"], c1=SEALER, c2=buffer(), c6=buffer(DATA + 64))
    assert other.pe.read_x(4) == 1


def test_alternate_base_is_the_other_kind():
    in_c64 = run("ldr x0, [x1]", c64=True, x1=DATA)
    assert not in_c64.faults
    in_a64 = run("ldr x0, [c1]", c64=False, c1=CAP_NULL)
    assert in_a64.fault.register == "c1"


def test_x_write_clears_and_bounds_survive_mov():
    assert c(1, run("mov x1, x2", c1=buffer(), x2=3)) == Capability.from_int(3)


def test_branch_and_link_to_capability():
    target = CAP_MAX.set_value(CODE + 0x101)
    result = run("blr c1", c1=target)
    assert result.pe.pc == CODE + 0x100 and result.pe.pstate.c64
    assert c(30, result) == CAP_MAX.set_value(CODE + 5)
    to_a64 = run("blr c1", c1=CAP_MAX.set_value(CODE + 0x100))
    assert not to_a64.pe.pstate.c64


def test_branch_opens_a_sentry_and_sealed_others_untag():
    sentry = CAP_MAX.set_value(CODE + 0x101).with_object_type(1)
    assert run("br c1", c1=sentry).pe.pcc == CAP_MAX.set_value(CODE + 0x100)
    other = CAP_MAX.set_value(CODE + 0x101).with_object_type(9)
    assert not run("br c1", c1=other).pe.pcc.tag


def test_sealed_pair_branch():
    code = CAP_MAX.set_value(CODE + 0x101).with_object_type(9)
    data = buffer(permissions=ALL & ~int(Perm.EXECUTE)).with_object_type(9)
    result = run("blrs c29, c1, c2", c1=code, c2=data)
    assert result.pe.pc == CODE + 0x100 and result.pe.pcc.tag
    assert c(29, result) == data.unsealed()
    wrong = run("blrs c29, c1, c2", c1=code, c2=data.with_object_type(8))
    assert not wrong.pe.pcc.tag and c(29, wrong) == data.with_object_type(8)


def test_entering_restricted_needs_brr_and_switches_banks():
    restricted = CAP_MAX.set_value(CODE + 0x101).clear_permissions(int(Perm.EXECUTIVE))
    assert not run("br c1", c1=restricted).pe.pcc.tag
    result = run("brr c1", c1=restricted)
    assert result.pe.pcc.tag and result.pe.is_restricted and result.pe.bank == 4


def test_bx_toggles_the_state():
    result = run("bx #4", c64=True)
    assert result.pe.pc == CODE + 4 and not result.pe.pstate.c64

"""Signals: fault codes, capability frames, return by the merge rule, masks, alternate stacks, termination."""

from __future__ import annotations

import pytest

from emulator.linux.signal_frame import merge
from emulator.linux.usermem import USER_ROOT
from morello_isa.capability import Capability

INSTALL = """
    sub csp, csp, #64
    mov c20, csp
    adr c1, handler
    add c1, c1, #1
    str c1, [c20]
    movz x1, #0x4, lsl #0
    movk x1, #{flags}, lsl #16
    str x1, [c20, #16]
    str xzr, [c20, #48]
    mov x0, #{signal}
    mov c1, c20
    mov x2, #0
    mov x3, #8
    syscall 134
    cbnz x0, failed
"""


def install(signal: int = 11, flags: int = 0) -> str:
    return INSTALL.format(signal=signal, flags=flags)


CODE_IS_STATUS = """
handler:
    ldr w0, [c1, #8]
    syscall 94
"""


@pytest.mark.parametrize(
    ("name", "fault", "code"),
    [
        ("tag", "mov x1, #64\nldr x0, [c1]", 10),
        ("sealed", "adr c1, handler\nseal c1, c1, rb\nldr x0, [c1]", 11),
        ("bounds", "scbnds c1, c20, #8\nldr x0, [c1, #8]", 12),
        ("permission", "adr c1, handler\nstr x0, [c1]", 13),
        (
            "unmapped",
            "mov c1, csp\nsub csp, csp, #8, lsl #12\nldr x0, [csp]\nsub c1, c1, #0x700, lsl #12\nldr x2, [c1]\nexit_with #0",
            0,
        ),
        ("misaligned capability", "add c1, c20, #8\nldr c0, [c1]", 1),
    ],
)
def test_faults_arrive_with_their_code(assemble, run, name, fault, code) -> None:
    signal = 7 if name.startswith("misaligned") else 11
    assert run(assemble(install(signal) + fault + CODE_IS_STATUS)).status == code, name


def test_handler_sees_registers_and_can_continue(assemble, run) -> None:
    """The handler advances the saved PC over the faulting load; c19 and c20 come back with their tags."""
    text = (
        install()
        + """
        mov c19, csp
        mov x1, #0
        mov x21, #5
        ldr x2, [c1]
        gctag x3, c19
        gctag x4, c20
        and x3, x3, x4
        add x0, x3, x21
        syscall 94
    handler:
        ldr x3, [c1, #16]
        cbnz x3, failed
        cmp x0, #11
        b.ne failed
        add c2, c2, #192
        ldr x3, [c2, #264]
        add x3, x3, #4
        str x3, [c2, #264]
        mov x21, #77
        mov x19, #0
        ret c30
    """
    )
    assert run(assemble(text)).status == 6


def test_handler_may_change_an_address_in_a_capability_register(assemble, run) -> None:
    """regs[n] differing from the record's capability: the capability gets that address and keeps its tag."""
    text = (
        install()
        + """
        mov c19, csp
        mov x1, #0
        ldr x2, [c1]
        mov c4, csp
        sub x5, x19, x4
        gctag x6, c19
        cbz x6, failed
        mov x0, x5
        syscall 94
    handler:
        add c2, c2, #192
        ldr x3, [c2, #264]
        add x3, x3, #4
        str x3, [c2, #264]
        ldr x3, [c2, #160]
        add x3, x3, #16
        str x3, [c2, #160]
        ret c30
    """
    )
    assert run(assemble(text)).status == 16


def test_merge_rule() -> None:
    capability = USER_ROOT.set_value(0x4000).set_bounds(64, exact=True)
    assert merge(0x4000, capability) is capability
    assert merge(0x4010, capability) == capability.set_value(0x4010)
    assert not merge(1 << 40, capability).tag
    assert merge(7, Capability.from_int(6)) == Capability.from_int(7)


def test_alternate_stack(assemble, run) -> None:
    text = (
        install(flags=0x0800)
        + """
        mov x0, #0
        mov x1, #16384
        mov x2, #3
        mov x3, #0x22
        mov x4, #-1
        mov x5, #0
        syscall 222
        mov c21, c0
        sub csp, csp, #32
        str c0, [csp]
        str xzr, [csp, #16]
        mov x1, #16384
        str x1, [csp, #24]
        mov c0, csp
        mov x1, #0
        syscall 132
        cbnz x0, failed
        mov x1, #0
        ldr x0, [c1]
    handler:
        mov c3, csp
        sub x0, x3, x21
        lsr x0, x0, #12
        syscall 94
    """
    )
    assert run(assemble(text)).status in (2, 3)


def test_blocked_fault_kills(assemble, run) -> None:
    text = (
        install()
        + """
        mov x1, #1024
        str x1, [c20, #32]
        mov x0, #0
        add c1, c20, #32
        mov x2, #0
        mov x3, #8
        syscall 135
        mov x1, #0
        ldr x0, [c1]
    """
        + CODE_IS_STATUS
    )
    assert run(assemble(text)).status == 139


def test_handlers_need_executive(assemble, run) -> None:
    text = """
        sub csp, csp, #64
        mov c20, csp
        adr c1, failed
        mov x2, #2
        clrperm c1, c1, x2
        str c1, [c20]
        str xzr, [c20, #16]
        str xzr, [c20, #48]
        mov x0, #10
        mov c1, c20
        mov x2, #0
        mov x3, #8
        syscall 134
        neg x0, x0
        syscall 94
    """
    assert run(assemble(text)).status == 22


def test_signals_to_oneself(assemble, run) -> None:
    text = (
        install(10)
        + """
        syscall 172
        mov x1, #10
        syscall 129
        mov x0, x22
        syscall 94
    handler:
        add c2, c2, #192
        mov x3, #33
        str x3, [c2, #184]
        ret c30
    """
    )
    assert run(assemble(text)).status == 33


@pytest.mark.parametrize(("signal", "status"), [(15, 143), (9, 137), (6, 134), (17, 5)])
def test_default_actions(assemble, run, signal, status) -> None:
    text = f"syscall 172\nmov x1, #{signal}\nsyscall 129\nexit_with #5"
    assert run(assemble(text)).status == status


def test_explanation_names_check_instruction_and_function(assemble, run) -> None:
    result = run(assemble("scbnds c1, csp, #8\nstr x0, [c1, #8]"))
    assert result.status == 139
    assert "capability bounds fault: str x0, [c1, #8]" in result.err
    assert "_start+0x4 in program" in result.err and "SEGV_CAPBOUNDSERR" in result.err


def test_undefined_instruction_and_breakpoint(assemble, run) -> None:
    assert run(assemble(".inst 0")).status == 132
    assert run(assemble("brk #1")).status == 133


def test_plain_programs_get_plain_frames(assemble, run) -> None:
    text = """
        sub sp, sp, #64
        adr x1, handler
        str x1, [sp]
        mov x1, #4
        str x1, [sp, #8]
        str xzr, [sp, #24]
        mov x0, #11
        mov x1, sp
        mov x2, #0
        mov x3, #8
        syscall 134
        cbnz x0, failed
        mov x19, #3
        mov x1, #16
        ldr x0, [x1]
        mov x0, x19
        syscall 94
    handler:
        ldr x3, [x1, #16]
        cmp x3, #16
        b.ne failed
        add x2, x2, #176
        ldr x3, [x2, #264]
        add x3, x3, #4
        str x3, [x2, #264]
        mov x19, #0
        ret
    """
    assert run(assemble(text, purecap=False)).status == 3

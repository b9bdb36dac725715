"""fork, pipes, wait, threads, futex, sleeping: scheduling is deterministic."""

from __future__ import annotations

import pytest

from morello_isa.errors import UserError

FORK = """
    mov x0, #17
    mov x1, #0
    mov x2, #0
    mov x3, #0
    mov x4, #0
    syscall 220
"""
WAIT = """
    mov x0, #-1
    mov c1, csp
    mov x2, #0
    mov x3, #0
    syscall 260
    tbnz x0, #63, failed
    ldr w1, [csp]
"""


def test_fork_shares_nothing_and_wait_tells_the_status(assemble, run) -> None:
    text = (
        "sub csp, csp, #64\nmov x20, #1\nstr x20, [csp, #16]\n"
        + FORK
        + """
        cbz x0, child
    """
        + WAIT
        + """
        ldr x2, [csp, #16]
        cmp x2, #1
        b.ne failed
        lsr w0, w1, #8
        syscall 94
    child:
        mov x20, #50
        str x20, [csp, #16]
        exit_with #41
    """
    )
    assert run(assemble(text)).status == 41


def test_capabilities_survive_fork(assemble, run) -> None:
    text = (
        "sub csp, csp, #64\nmov c20, csp\nstr c20, [csp, #32]\n"
        + FORK
        + """
        cbz x0, child
    """
        + WAIT
        + """
        lsr w0, w1, #8
        syscall 94
    child:
        ldr c1, [csp, #32]
        gctag x0, c1
        syscall 94
    """
    )
    assert run(assemble(text)).status == 1


def test_killed_child_is_reported_with_its_signal(assemble, run) -> None:
    text = (
        "sub csp, csp, #64\n"
        + FORK
        + """
        cbz x0, child
    """
        + WAIT
        + """
        and w0, w1, #127
        syscall 94
    child:
        mov x1, #0
        str x0, [c1]
    """
    )
    assert run(assemble(text)).status == 11


def test_pipe_blocks_until_the_other_side_writes(assemble, run) -> None:
    text = (
        "sub csp, csp, #64\nmov c0, csp\nmov x1, #0\nsyscall 59\n"
        + FORK
        + """
        cbz x0, child
        ldr w0, [csp, #4]
        syscall 57
        ldr w0, [csp]
        add c1, csp, #16
        mov x2, #16
        syscall 63
        ldrb w3, [csp, #16]
        ldr w0, [csp]
        add c1, csp, #16
        mov x2, #16
        syscall 63
        add x0, x3, x0
        syscall 94
    child:
        movz x1, #2000
    spin:
        subs x1, x1, #1
        b.ne spin
        mov x1, #7
        strb w1, [csp, #16]
        ldr w0, [csp, #4]
        add c1, csp, #16
        mov x2, #1
        syscall 64
        exit_with #0
    """
    )
    assert run(assemble(text)).status == 7


def test_threads_share_memory_and_join_by_futex(assemble, run) -> None:
    """The child adds 5 to a counter; its exit clears the tid word and wakes the parent."""
    text = """
        sub csp, csp, #4080
        mov c20, csp
        mov x0, #0x0f00
        movk x0, #0x3d, lsl #16
        add c1, csp, #2048
        add c2, csp, #16
        mov c3, csp
        add c4, csp, #16
        syscall 220
        cbz x0, child
        mov x21, x0
    again:
        ldr w2, [c20, #16]
        cbz w2, done
        add c0, c20, #16
        mov x1, #0
        mov x3, #0
        syscall 98
        b again
    done:
        ldr x0, [c20, #32]
        syscall 94
    child:
        mrs c5, ctpidr_el0
        gctag x6, c5
        ldr x1, [c20, #32]
        add x1, x1, #4
        add x1, x1, x6
        str x1, [c20, #32]
        mov x0, #0
        syscall 93
    """
    assert run(assemble(text)).status == 5


def test_sleeping_takes_no_real_time(assemble, run) -> None:
    text = """
        sub csp, csp, #64
        mov x1, #3600
        stp x1, xzr, [csp]
        mov x0, #1
        add c1, csp, #16
        syscall 113
        mov c0, csp
        mov x1, #0
        syscall 101
        cbnz x0, failed
        mov x0, #1
        add c1, csp, #32
        syscall 113
        ldr x1, [csp, #16]
        ldr x2, [csp, #32]
        sub x0, x2, x1
        sub x0, x0, #3600
        syscall 94
    """
    assert run(assemble(text)).status == 0


def test_futex_timeout(assemble, run) -> None:
    text = """
        sub csp, csp, #64
        stp xzr, xzr, [csp]
        mov x1, #1000
        str x1, [csp, #24]
        str xzr, [csp, #16]
        mov c0, csp
        mov x1, #0
        mov x2, #0
        add c3, csp, #16
        syscall 98
        neg x0, x0
        syscall 94
    """
    assert run(assemble(text)).status == 110


def test_deadlock_is_told(assemble, run) -> None:
    text = (
        "sub csp, csp, #64\nstp xzr, xzr, [csp]\nmov c0, csp\nmov x1, #0\nmov x2, #0\nmov x3, #0\nsyscall 98"
    )
    with pytest.raises(UserError, match=r"deadlock.*futex"):
        run(assemble(text))


def test_unknown_call_is_enosys_and_named_once(assemble, run) -> None:
    result = run(assemble("mov x8, #999\nsvc #0\nmov x8, #999\nsvc #0\nneg x0, x0\nsyscall 94"))
    assert result.status == 38
    assert result.err.count("system call 999") == 1


def test_runs_repeat_exactly(assemble, run) -> None:
    text = "sub csp, csp, #64\nmov c0, csp\nmov x1, #8\nmov x2, #0\nsyscall 278\nldrb w0, [csp]\nsyscall 94"
    program = assemble(text)
    first, second = run(program), run(program)
    assert first.status == second.status
    assert first.kernel.instructions == second.kernel.instructions


def test_instruction_limit_is_exact(assemble, run) -> None:
    result = run(assemble("again: b again"), max_instructions=12_345)
    assert result.outcome.limited and result.kernel.instructions == 12_345


RESTRICTED_CALL = """
    mov x1, #2
    adr c0, inside
    add c0, c0, #1
    clrperm c0, c0, x1
    seal c0, c0, rb
    brr c0
inside:
    syscall 172
    tbz x0, #63, allowed
    neg x0, x0
    syscall 94
    .inst 0
allowed:
    exit_with #1
"""


def test_system_calls_from_restricted(assemble, run) -> None:
    program = assemble(RESTRICTED_CALL)
    assert run(program).status == 1
    assert run(program, strict_restricted="fault").status == 159
    assert run(program, strict_restricted="eperm").status == 132
    assert run(program).kernel.statistics.crossings == 1


BAD_POINTERS = [
    ("no tag", "mov x1, #4096"),
    ("too short", "scbnds c1, csp, #4"),
    ("no Load", "mov x3, #1\nlsl x3, x3, #17\nclrperm c1, csp, x3"),
    ("sealed", "seal c1, c22, rb"),
]


@pytest.mark.parametrize(("name", "pointer"), BAD_POINTERS)
def test_bad_capabilities_are_efault_never_a_signal(assemble, run, name, pointer) -> None:
    text = f"adr c22, failed\n{pointer}\nmov x0, #1\nmov x2, #8\nsyscall 64\nneg x0, x0\nsyscall 94"
    assert run(assemble(text)).status == 14, name


def test_trace_decodes_capabilities(assemble, run) -> None:
    text = 'mov x0, #1\nadr c1, text\nmov x2, #3\nsyscall 64\nexit_with #0\ntext: .ascii "abc"\n.balign 4'
    result = run(assemble(text), trace=True)
    assert result.out == "abc"
    assert "write(fd=1, buf='abc' {0x" in result.err and "rxRE tagged}, count=3) = 3" in result.err


@pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, True)])
def test_execve_between_kinds_of_programs(assemble, run, first, second) -> None:
    """argv[1] is executed with argv[1:]; it answers with its argument count."""
    if first:
        start = "ldr c0, [c1, #16]\nadd c1, c1, #16\nsyscall 221\nexit_with #99"
    else:
        start = "ldr x0, [sp, #16]\nadd x1, sp, #16\nmov x2, #0\nsyscall 221\nexit_with #99"
    count = "ldr x0, [csp]\nsyscall 94" if second else "ldr x0, [sp]\nsyscall 94"
    target = assemble(count, name="target", purecap=second)
    assert run(assemble(start, purecap=first), str(target), "x", "y").status == 3


def test_execve_failures_leave_the_program_alive(assemble, run, tmp_path) -> None:
    text = tmp_path / "text"
    text.write_text("not a program")
    text.chmod(0o755)
    plain = tmp_path / "plain"
    plain.write_text("not executable")
    start = "ldr c0, [c1, #16]\nadd c1, c1, #16\nsyscall 221\nneg x0, x0\nsyscall 94"
    program = assemble(start)
    assert run(program, str(text)).status == 8
    assert run(program, str(plain)).status == 13
    assert run(program, str(tmp_path / "missing")).status == 2
    assert run(program, str(tmp_path)).status in (2, 13)


def test_clone3_sets_stack_and_thread_pointer(assemble, run) -> None:
    text = """
        sub csp, csp, #4080
        mov c20, csp
        add c21, csp, #2048
        movz x1, #0x0f00
        movk x1, #0x8, lsl #16
        str x1, [c20]
        stp xzr, xzr, [c20, #64]
        mov x3, #1024
        scbnds c2, c21, x3
        str c2, [c20, #80]
        mov x3, #1024
        str x3, [c20, #96]
        str c21, [c20, #112]
        str xzr, [c20, #144]
        mov c0, c20
        mov x1, #160
        syscall 435
        cbz x0, child
    spin:
        ldr x1, [c20, #1024]
        cbz x1, spin
        mov x0, x1
        syscall 94
    child:
        mov c3, csp
        gclim x4, c3
        cmp x4, x3
        cset x5, eq
        mrs c6, ctpidr_el0
        chkeq c6, c21
        cset x7, eq
        add x5, x5, x7
        str x5, [c20, #1024]
        mov x0, #0
        syscall 93
    """
    assert run(assemble(text)).status == 2

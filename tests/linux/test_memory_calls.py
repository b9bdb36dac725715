"""mmap and its relatives: owning capabilities, reservations, permissions (pcuabi_linux.md section 6.1)."""

from __future__ import annotations

import pytest

ANONYMOUS = 0x22
MAP = """
    mov x0, #0
    mov x1, #{size}
    movz x2, #{prot_low}
    movk x2, #{prot_high}, lsl #16
    mov x3, #{flags}
    mov x4, #-1
    mov x5, #0
    syscall 222
"""


def mapping(size: int = 8192, prot: int = 3, flags: int = ANONYMOUS) -> str:
    return MAP.format(size=size, prot_low=prot & 0xFFFF, prot_high=prot >> 16, flags=flags)


def permissions(run, assemble, prot: int, profile: str = "full", flags: int = ANONYMOUS) -> int:
    """The 18 permission bits of a mapping's capability, told through memory and the status in pieces."""
    text = (
        mapping(prot=prot, flags=flags) + "gcperm x0, c0\nlsr x0, x0, #{shift}\nand x0, x0, #63\nsyscall 94"
    )
    parts = [run(assemble(text.replace("{shift}", str(s))), profile=profile).status for s in (0, 6, 12)]
    return parts[0] | parts[1] << 6 | parts[2] << 12


def test_permissions_follow_the_maximum_protection(assemble, run) -> None:
    owner = 1 | 4
    read, write = 1 << 17 | 1 << 14 | 1 << 6, 1 << 16 | 1 << 13 | 1 << 12
    execute = 1 << 15 | 1 << 9 | 1 << 1
    assert permissions(run, assemble, 3) == owner | read | write
    assert permissions(run, assemble, 1) == owner | read
    assert permissions(run, assemble, 5) == owner | read | execute
    assert permissions(run, assemble, 7 << 16) == owner | read | write | execute
    assert permissions(run, assemble, 1 | 0x2000) == owner | read | 1 << 8
    assert permissions(run, assemble, 3, flags=0x21) == owner | 1 << 17 | 1 << 16
    assert permissions(run, assemble, 3, "transitional") & execute == execute


@pytest.mark.parametrize(
    ("name", "setup", "errno"),
    [
        ("the capability owns the range", "", 0),
        ("a narrowed capability does not own the page", "scbnds c0, c0, #16", 22),
        ("without User0 nothing is owned", "mov x2, #4\nclrperm c0, c0, x2", 22),
        ("an address is no owner", "mov x0, x0", 22),
        ("beyond the bounds", "mov x1, #12288", 22),
        ("not on a page", "add c0, c0, #8", 22),
        (
            "outside every reservation",
            "mov x1, #8192\nmov c20, c0\nsyscall 215\nmov c0, c20\nmov x1, #8192",
            192,
        ),
    ],
)
def test_unmapping_needs_the_owning_capability(assemble, run, name, setup, errno) -> None:
    text = mapping() + f"mov x1, #8192\n{setup}\nsyscall 215\nneg x0, x0\nsyscall 94"
    assert run(assemble(text)).status == errno, name


def test_transitional_profile_checks_nothing(assemble, run) -> None:
    text = mapping() + "mov x0, x0\nmov x1, #8192\nsyscall 215\nneg x0, x0\nsyscall 94"
    assert run(assemble(text), profile="transitional").status == 0


@pytest.mark.parametrize(("prot", "errno"), [(1, 0), (3, 22), (5, 22), (0, 0)])
def test_mprotect_cannot_exceed_the_capability(assemble, run, prot, errno) -> None:
    text = mapping(prot=1) + f"mov x1, #4096\nmov x2, #{prot}\nsyscall 226\nneg x0, x0\nsyscall 94"
    assert run(assemble(text)).status == errno


def test_prot_max_keeps_the_way_open(assemble, run) -> None:
    text = (
        mapping(prot=3 << 16)
        + """
        mov c20, c0
        mov x1, #8192
        mov x2, #3
        syscall 226
        cbnz x0, failed
        mov x1, #42
        str x1, [c20]
        ldr x0, [c20]
        syscall 94
    """
    )
    assert run(assemble(text)).status == 42


def test_guard_pages_fault_with_accerr(assemble, run) -> None:
    text = (
        mapping()
        + """
        mov c20, c0
        add c0, c0, #1, lsl #12
        mov x1, #4096
        mov x2, #0
        syscall 226
        cbnz x0, failed
        str x0, [c20, #4096]
    """
    )
    result = run(assemble(text))
    assert result.status == 139 and "SEGV_ACCERR" in result.err and "can't be written" in result.err


def test_bounds_are_padded_to_representable_lengths_and_reserved(assemble, run) -> None:
    size = (1 << 20) + 4096 * 3
    text = mapping(size=8192).replace(
        "mov x1, #8192", f"movz x1, #{size & 0xFFFF}\nmovk x1, #{size >> 16}, lsl #16"
    )
    text += """
        mov c20, c0
        gclen x1, c20
        rrlen x2, x1
        cmp x1, x2
        b.ne failed
        gcbase x3, c20
        cmp x3, x20
        b.ne failed
        mov x21, x1
        mov x0, #0
        mov x1, #4096
        mov x2, #3
        mov x3, #0x22
        mov x4, #-1
        mov x5, #0
        syscall 222
        add x1, x20, x21
        cmp x0, x1
        b.lo failed
        mov x0, #7
        syscall 94
    """
    assert run(assemble(text)).status == 7


def test_fixed_mapping_over_a_reservation_needs_its_capability(assemble, run) -> None:
    fixed = mapping(size=4096, flags=ANONYMOUS | 0x10).replace("mov x0, #0", "{target}")
    own = fixed.replace("{target}", "mov c0, c20")
    foreign = fixed.replace("{target}", "mov x0, x20")
    start = mapping() + "mov c20, c0\nmov x1, #5\nstr x1, [c20]\n"
    again = start + own + "ldr x1, [c0]\nchkeq c0, c20\nb.ne failed\nadd x0, x1, #1\nsyscall 94"
    assert run(assemble(again)).status == 1
    refused = start + foreign + "neg x0, x0\nsyscall 94"
    assert run(assemble(refused)).status == 192


def test_mremap_moves_tags_and_returns_new_bounds(assemble, run) -> None:
    text = (
        mapping()
        + """
        mov c20, c0
        str c20, [c20, #32]
        mov x1, #8192
        mov x2, #16384
        mov x3, #1
        syscall 216
        gctag x1, c0
        cbz x1, failed
        gclen x1, c0
        cmp x1, #16384
        b.ne failed
        ldr c2, [c0, #32]
        chkeq c2, c20
        b.ne failed
        str x1, [c0, #16376]
        mov x0, #9
        syscall 94
    """
    )
    assert run(assemble(text)).status == 9


def test_shared_memory_refuses_tagged_stores(assemble, run) -> None:
    result = run(assemble(mapping(flags=0x21) + "mov c2, csp\nstr c2, [c0]"))
    assert result.status == 139
    result = run(
        assemble(mapping(flags=0x21).replace("mov x2", "mov x2") + "mov c20, c0\nstr x1, [c20]\nexit_with #3")
    )
    assert result.status == 3


def test_no_program_break_in_purecap(assemble, run) -> None:
    assert run(assemble("mov x0, #0\nsyscall 214\nneg x0, x0\nsyscall 94")).status == 38


def test_memory_limit_is_enomem(assemble, run) -> None:
    text = mapping(size=8192).replace("mov x1, #8192", "movz x1, #0x4000, lsl #16") + "neg x0, x0\nsyscall 94"
    assert run(assemble(text), memory_limit=64 << 20).status == 12

"""What a program finds when it starts (facts/abi/pcuabi_linux.md sections 2 to 5)."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from emulator.linux.abi import Auxv, Profile
from emulator.linux.kernel import Options
from emulator.linux.process import Process
from emulator.linux.session import Request, Session
from emulator.linux.stack_image import STACK_TOP
from emulator.linux.sys_system import STACK_SIZE
from emulator.memory.address_space import Prot
from morello_isa.capability import Capability
from morello_isa.permissions import ObjectType, Perm

R = Perm.LOAD | Perm.LOAD_CAP | Perm.MUTABLE_LOAD
W = Perm.STORE | Perm.STORE_CAP | Perm.STORE_LOCAL_CAP
X = Perm.EXECUTE | Perm.SYSTEM | Perm.EXECUTIVE
ROOT = Perm.GLOBAL | Perm.USER0
BSP = Perm.BRANCH_SEALED_PAIR


def start(program: Path, *arguments: str, profile: Profile = Profile.FULL) -> Session:
    request = Request(str(program), arguments, environment={"A": "1"})
    return Session(request, Options(profile=profile))


def cap(process: Process, address: int) -> Capability:
    hi, lo, tag = process.space.peek_cap(address)
    return Capability(tag, hi, lo)


def auxv(process: Process, at: int) -> dict[int, Capability]:
    entries = {}
    while True:
        kind = struct.unpack("<Q", process.space.peek(at, 8))[0]
        assert process.space.peek(at + 8, 8) == bytes(8)
        entries[kind] = cap(process, at + 16)
        if kind == 0:
            return entries
        at += 32


def string(process: Process, pointer: Capability) -> bytes:
    assert pointer.tag and pointer.length > 0
    return process.space.peek(pointer.value, pointer.length)


def test_full_profile_registers(assemble) -> None:
    session = start(assemble("ret"), "one", "two")
    pe, process = session.process.tasks[0].pe, session.process
    assert pe.read_c(0) == Capability.from_int(3)
    argv, envp, vector = pe.read_c(1), pe.read_c(2), pe.read_c(3)
    assert (argv.length, argv.permissions & (R | W)) == (4 * 16, R | W)
    assert argv.value == argv.base and envp.value == argv.limit and vector.value == envp.limit
    arguments = [string(process, cap(process, argv.value + 16 * i)) for i in range(3)]
    assert arguments[1:] == [b"one\0", b"two\0"]
    assert cap(process, argv.value + 48) == Capability.from_int(0)
    assert b"A=1\0" in [string(process, cap(process, envp.value + 16 * i)) for i in range(4)]
    sp = pe.stack[0]
    assert sp.value % 16 == 0 and cap(process, sp.value) == Capability.from_int(3)
    assert (sp.base, sp.limit) == (STACK_TOP - STACK_SIZE, STACK_TOP)
    assert sp.permissions == Perm.GLOBAL | R | W
    pcc = pe.pcc
    assert pcc.tag and not pcc.is_sealed and pcc.permissions == Perm.GLOBAL | R | X
    assert pe.pstate.c64 and not pe.is_restricted
    assert all(pe.read_c(n) == Capability.from_int(0) for n in range(4, 31))
    assert pe.data[0] == pe.data[4] == pe.stack[4] == Capability.from_int(0)
    assert pe.sysregs.values["CCTLR_EL0"] == 0x80
    assert all(not c.tag for c in pe.sysregs.capabilities.values())


def test_full_profile_auxiliary_vector(assemble) -> None:
    program = assemble("ret\n.data\nx: .quad 1\n")
    session = start(program, "argument")
    process = session.process
    entries = auxv(process, process.tasks[0].pe.read_c(3).value)
    main = process.images[0]
    rw, rx = entries[60], entries[61]
    assert rw.permissions == ROOT | R | W | BSP and rx.permissions == ROOT | R | X | BSP
    assert rx.base <= main.start and rx.limit >= main.limit
    writable = next(s for s in main.image.load_segments if s.flags & 2)
    assert rw.base == writable.vaddr & -4096 and rw.limit >= writable.vaddr + writable.memsz
    assert entries[62] == entries[63] == Capability.from_int(0)
    assert entries[64].permissions == ROOT | R | W and entries[64].length == STACK_SIZE
    seal = entries[65]
    assert (seal.value, seal.base, seal.limit) == (0, 0, 1 << 15)
    assert seal.permissions == Perm.GLOBAL | Perm.SEAL | Perm.UNSEAL
    assert entries[66].permissions == Perm.GLOBAL | Perm.COMPARTMENT_ID
    entry = entries[Auxv.ENTRY.value]
    assert entry.otype == ObjectType.RB and entry.value == main.image.entry and entry.value & 1
    assert entries[80].value == 2 and not entries[80].tag
    assert entries[81] == process.tasks[0].pe.read_c(1) and entries[83] == process.tasks[0].pe.read_c(2)
    assert entries[Auxv.RANDOM.value].length == 16
    assert string(process, entries[Auxv.PLATFORM.value]) == b"aarch64\0"
    assert string(process, entries[Auxv.EXECFN.value]) == process.executable.encode() + b"\0"
    header = entries[Auxv.PHDR.value]
    assert header.permissions == Perm.GLOBAL | Perm.LOAD
    assert header.length == 56 * entries[Auxv.PHNUM.value].value
    assert entries[Auxv.HWCAP2.value].value == 1 << 63


def test_transitional_profile_hands_out_the_user_root(assemble) -> None:
    session = start(assemble("ret"), profile=Profile.TRANSITIONAL)
    process = session.process
    pe = process.tasks[0].pe
    entries = auxv(process, pe.read_c(3).value)
    for root in (entries[60], entries[61]):
        assert (root.base, root.limit) == (0, 1 << 48)
        assert root.has(ROOT | R | W | X | BSP)
        assert not root.permissions & (Perm.SEAL | Perm.UNSEAL | Perm.COMPARTMENT_ID)
    assert not entries[Auxv.ENTRY.value].is_sealed
    assert (pe.pcc.base, pe.pcc.limit) == (0, 1 << 48)
    assert pe.sysregs.values.get("CCTLR_EL0", 0) == 0


def test_plain_programs_start_as_on_arm64(assemble) -> None:
    session = start(assemble("ret", purecap=False), "x")
    process = session.process
    pe = process.tasks[0].pe
    assert not process.abi.is_purecap and not pe.pstate.c64
    assert (pe.pcc.base, pe.pcc.limit, pe.data[0].base, pe.data[0].limit) == (0, 1 << 48, 0, 1 << 48)
    sp = pe.stack[0].value
    count, first = struct.unpack("<QQ", process.space.peek(sp, 16))
    assert count == 2 and process.space.peek(first, 1)
    assert pe.read_x(0) == 0 and sp % 16 == 0


def test_segments_have_the_files_permissions(assemble) -> None:
    session = start(assemble("ret\n.data\nx: .quad 1\n.bss\ny: .space 8192\n"))
    space = session.process.space
    found = {area.prot for area in space.areas() if area.name.endswith("program")}
    assert Prot.READ | Prot.EXEC in found and Prot.READ | Prot.WRITE in found
    assert Prot.READ | Prot.WRITE | Prot.EXEC not in found


@pytest.mark.parametrize("profile", ["full", "transitional"])
def test_argument_count_is_in_c0_and_on_the_stack(assemble, run, profile) -> None:
    program = assemble("ldr x1, [csp]\nsub x1, x1, x0\nadd x0, x0, x1, lsl #4\nsyscall 94")
    assert run(program, "a", "b", profile=profile).status == 3

"""Whatever a guest asks, the emulator answers with an error number, a signal or a result, never an exception."""

from __future__ import annotations

import contextlib
import io
import os
import random

import pytest

from emulator.faults import FaultKind, MemoryAbort, PeFault
from emulator.linux.abi import Profile
from emulator.linux.kernel import Options
from emulator.linux.session import Request, Session
from emulator.linux.syscalls import TABLE
from morello_isa.capability import CAP_NULL, Capability
from morello_isa.errors import UserError

INTERESTING = [
    0,
    1,
    2,
    3,
    7,
    8,
    16,
    100,
    4095,
    4096,
    0x2_0000,
    1 << 31,
    (1 << 32) - 1,
    1 << 47,
    1 << 48,
    1 << 63,
    (1 << 64) - 1,
]


def session_for(program, profile: Profile, tmp_path) -> Session:
    null = os.open(os.devnull, os.O_RDWR)
    folder = tmp_path / "granted"
    folder.mkdir(exist_ok=True)
    request = Request(str(program), directories=[(str(folder), "/data")])
    return Session(
        request,
        Options(profile=profile, memory_limit=32 << 20),
        errors=io.StringIO(),
        streams=(null, null, null),
    )


def argument(dice: random.Random, roots: list[Capability]) -> Capability:
    kind = dice.randrange(6)
    value = dice.choice(INTERESTING) if dice.randrange(2) else dice.getrandbits(64)
    if kind == 0:
        return Capability.from_int(value)
    if kind == 1:
        return Capability.from_int(dice.randrange(-5, 40) & (1 << 64) - 1)
    root = dice.choice(roots)
    if kind == 2:
        return root.add(dice.randrange(0, 512))
    if kind == 3:
        return root.set_bounds(dice.randrange(0, 64), exact=False)
    if kind == 4:
        return root.clear_permissions(dice.getrandbits(18))
    return Capability(bool(dice.randrange(2)), dice.getrandbits(64), value)


@pytest.mark.parametrize(
    ("seed", "profile", "purecap"), [(1, "full", True), (2, "transitional", True), (3, "full", False)]
)
def test_random_system_calls(assemble, tmp_path, seed, profile, purecap) -> None:
    dice = random.Random(seed)
    program = assemble("again: b again", purecap=purecap)
    numbers = sorted(TABLE)
    session = session_for(program, Profile(profile), tmp_path)
    for _ in range(1500):
        alive = [t for t in session.kernel.tasks.values() if t.alive and t.wait is None]
        if not alive or session.process.exit_code is not None or len(session.kernel.tasks) > 20:
            session = session_for(program, Profile(profile), tmp_path)
            alive = list(session.kernel.tasks.values())
        task = dice.choice(alive)
        pe = task.pe
        stack = pe.stack[0] if purecap else Capability.from_int(pe.stack[0].value)
        if purecap:
            roots = [stack.add(-2048), pe.pcc, stack]
        else:
            roots = [Capability.from_int(stack.value - 2048), Capability.from_int(pe.pc), CAP_NULL]
        with contextlib.suppress(MemoryAbort):
            text = dice.choice([b"/data/x", b"/data/y", b"..", b"/proc/self/maps"]) + b"\0"
            task.process.space.poke(stack.value - 2048, text)
        for register in range(6):
            pe.write_c(register, argument(dice, roots))
        pe.write_x(8, dice.choice(numbers) if dice.randrange(20) else dice.getrandbits(32))
        fault = PeFault(FaultKind.SVC, pc=pe.pc, pcc=pe.pcc)
        session.kernel.exception(task, fault)
        for other in list(session.kernel.tasks.values()):
            if dice.randrange(4) == 0:
                session.kernel.wake(other)
    session.kernel.end_everything()
    assert session.kernel.pool.in_use == 0


@pytest.mark.parametrize("seed", range(3))
def test_random_code_ends_or_is_stopped(assemble, run, seed) -> None:
    dice = random.Random(seed)
    words = "\n".join(f".inst {dice.getrandbits(32):#x}" for _ in range(64))
    for purecap in (True, False):
        try:
            result = run(assemble(words, purecap=purecap), max_instructions=5000)
        except UserError as error:
            assert "deadlock" in error.message
            continue
        assert result.outcome.limited or 0 <= result.status < 256


def test_damaged_programs_are_refused_or_run(assemble, run, tmp_path) -> None:
    image = assemble("exit_with #0\n.data\nx: .quad 1").read_bytes()
    dice = random.Random(7)
    for number in range(60):
        data = bytearray(image)
        for _ in range(dice.randrange(1, 6)):
            data[dice.randrange(min(len(data), 600))] = dice.getrandbits(8)
        damaged = tmp_path / f"damaged{number}"
        damaged.write_bytes(data)
        try:
            run(damaged, max_instructions=2000, memory_limit=32 << 20)
        except UserError as error:
            assert error.status in (125, 126, 127) and "\n" not in error.message

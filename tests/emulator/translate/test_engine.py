"""The fast engine beside the reference engine: limits, code that changes, rights that change, contexts, time."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.engine.translate.layout import SHADOW
from emulator.faults import FaultKind, StopKind
from emulator.memory.address_space import Area, Prot
from emulator.memory.interface import Access
from morello_isa.assemble import assemble
from tests.emulator.translate.twins import CODE, DATA, PAGE, RW, STACK, Twin, difference, run, twins

IMAGES = Path(__file__).resolve().parents[3] / "images"


def assembled(lines: list[str], c64: bool = True) -> list[int]:
    return [assemble(line, CODE + 4 * i, c64).word for i, line in enumerate(lines)]


def pair_of(lines: list[str], c64: bool = True) -> tuple[Twin, Twin]:
    return twins(assembled(lines, c64), c64)


def same(pair: tuple[Twin, Twin]) -> None:
    assert not difference(pair), difference(pair)


LOOP = ["add x9, x9, #1", "str x9, [csp, #-16]!", "ldr x10, [csp], #16", "mov c11, csp", "b #-16"]


@pytest.mark.parametrize("count", [1, 2, 5, 63, 64, 65, 1000, 100_003])
def test_the_limit_is_exact(count: int) -> None:
    pair = pair_of(LOOP)
    for twin in pair:
        assert twin.engine.run(count).kind is StopKind.LIMIT
        assert twin.pe.instructions == count
    same(pair)


def test_translated_code_runs() -> None:
    """Not the reference engine in disguise: a long loop enters translated code a few times only."""
    fast = pair_of(LOOP)[1]
    fast.engine.run(1_000_000)
    counters = fast.engine.counters  # type: ignore[union-attr]
    assert counters.entries < 20
    assert counters.faults == counters.singles == 0


def test_code_that_the_kernel_changes_is_not_stale() -> None:
    pair = pair_of(["mov x9, #1", "b #-4"])
    run(pair, 10)
    for twin in pair:
        twin.space.poke(CODE, assembled(["mov x9, #2"])[0].to_bytes(4, "little"))
    run(pair, 10)
    same(pair)
    assert pair[1].pe.x[9] == 2


def test_code_that_stores_to_code() -> None:
    """The page becomes writable; a store changes the next block of the same page."""
    lines = ["str w9, [c0]", "b #4", "mov x10, #1", "b #-12"]
    pair = pair_of(lines)
    changed = assembled(["mov x10, #7"])[0]
    for twin in pair:
        twin.space.protect(CODE, CODE + PAGE, RW | Prot.EXEC)
        twin.pe.write_x(9, assembled(["mov x10, #1"])[0])
        twin.pe.write_c(0, twin.pe.data[0].set_value(CODE + 8))
    run(pair, 40)
    for twin in pair:
        twin.pe.write_x(9, changed)
    run(pair, 40)
    same(pair)
    assert pair[1].pe.x[10] == 7


def test_rights_taken_away_are_missed_at_once() -> None:
    pair = pair_of(["ldr x9, [c0]", "str x9, [c0]", "b #-8"])
    for twin in pair:
        twin.pe.write_c(0, twin.pe.data[0].set_value(DATA).set_bounds(64, exact=True))
    run(pair, 30)
    for twin in pair:
        assert not twin.faults
        twin.space.protect(DATA, DATA + PAGE, Prot.READ)
    run(pair, 9)
    for twin in pair:
        twin.space.unmap(DATA, DATA + PAGE)
    run(pair, 9)
    for twin in pair:
        twin.space.map(Area(DATA, DATA + PAGE, RW))
    same(pair)
    kinds = {fault[1] for fault in pair[1].faults}
    assert kinds == {FaultKind.PERMISSION, FaultKind.TRANSLATION}


def test_a_store_pair_across_a_refused_page_changes_nothing() -> None:
    pair = pair_of(["stp x9, x10, [c0]", "b #-4"])
    for twin in pair:
        twin.pe.write_c(0, twin.pe.data[0].set_value(STACK + 2 * PAGE - 8))
        twin.pe.write_x(9, 0x1234)
    run(pair, 4)
    same(pair)
    assert pair[1].faults


def test_a_data_store_clears_the_tags_it_touches() -> None:
    lines = [
        "str c0, [c0]",
        "str c0, [c0, #16]",
        "stur x9, [c0, #12]",
        "ldr c1, [c0]",
        "ldr c2, [c0, #16]",
        "b #0",
    ]
    pair = pair_of(lines)
    for twin in pair:
        twin.pe.write_c(0, twin.pe.data[0].set_value(DATA).set_bounds(64, exact=True))
    run(pair, 6)
    same(pair)
    assert not pair[1].pe.read_c(1).tag
    assert not pair[1].pe.read_c(2).tag


def test_a_call_into_other_bounds_and_back() -> None:
    """Two PCCs: translated code passes between them and PCC follows."""
    pair = pair_of(["blr c13", "b #-4", "nop", "nop", "add x9, x9, #1", "ret c30"])
    for twin in pair:
        root = twin.pe.data[0]
        twin.pe.write_c(13, root.set_value(CODE + 16).set_bounds(PAGE, exact=False).add(1))
    for count in (3, 4, 5, 1000, 1001, 1002, 1003):
        run(pair, count)
        same(pair)
    assert pair[1].engine.counters.entries < 60  # type: ignore[union-attr]


def test_time_is_the_same_at_every_instruction() -> None:
    pair = pair_of(["add x8, x8, #1", "add x8, x8, #1", "mrs x9, cntvct_el0", "add x10, x10, x9", "b #-16"])
    for twin in pair:
        pe = twin.pe
        pe.sysregs.read_hooks["CNTVCT_EL0"] = lambda pe=pe: pe.instructions
    for count in (7, 100, 33):
        run(pair, count)
        same(pair)


def test_memory_is_shared_with_slow_accesses() -> None:
    """What the kernel writes between two runs is what translated code reads, tags included."""
    pair = pair_of(["ldr c9, [c0]", "b #-4"])
    for twin in pair:
        twin.pe.write_c(0, twin.pe.data[0].set_value(DATA).set_bounds(64, exact=True))
    run(pair, 20)
    for twin in pair:
        pointer = twin.pe.read_c(0)
        twin.space.write_cap(DATA, pointer.hi, pointer.value, True, Access.NORMAL)
    run(pair, 20)
    same(pair)
    assert pair[1].pe.read_c(9).tag


def test_an_error_of_the_host_comes_out_as_itself() -> None:
    fast = pair_of(["ldr x9, [csp]", "b #-4"])[1]

    def fail(*_: object) -> int | None:
        raise OSError("the disk is gone")

    fast.space.direct = fail  # type: ignore[method-assign]
    with pytest.raises(OSError, match="the disk is gone"):
        fast.engine.run(100)


def test_iwasm_is_the_same_program_on_both_engines(tmp_path: Path) -> None:
    import os

    from emulator.linux.kernel import Options
    from emulator.linux.session import Request, Session

    results = []
    for engine in ("reference", "fast"):
        target = tmp_path / engine
        with target.open("wb") as output:
            arguments = [f"--wamr-lib={IMAGES / 'libiwasm.so'}", str(IMAGES / "hello.wasm")]
            nothing = os.open(os.devnull, os.O_RDONLY)
            streams = (nothing, output.fileno(), output.fileno())
            session = Session(
                Request(str(IMAGES / "iwasm"), arguments), Options(engine=engine), streams=streams
            )
            outcome = session.kernel.run()
            os.close(nothing)
        results.append((outcome, session.kernel.instructions, target.read_bytes()))
    assert results[0] == results[1]
    assert results[1][2].startswith(b"Hello")


@pytest.mark.parametrize("top", [0x8000, 0x7FFF, 0xFFFF, 0x4010, 0xC010, 0x4004])
def test_a_refused_address_reaches_nothing(top: int) -> None:
    """Whatever the address of an access that fails its checks: no other memory is read or written instead."""
    lines = ["ldr x9, [c8]", "str x9, [c8, #8]", "ldr x10, [csp, x8]", "nop", "b #-16"]
    for address in (DATA + 0x40, SHADOW + (DATA >> 4) & (1 << 48) - 1, 0x1000):
        pair = pair_of(lines)
        for twin in pair:
            twin.pe.write_x(8, top << 48 | address)
        run(pair, 500)
        same(pair)
        assert len(pair[1].faults) >= 200


@pytest.mark.parametrize("c64", [True, False])
def test_the_thread_pointer_is_read_without_leaving(c64: bool) -> None:
    lines = ["mrs x9, tpidr_el0", "mrs c10, ctpidr_el0", "add x11, x11, #1", "b #-12"]
    pair = pair_of(lines, c64)
    for twin in pair:
        twin.pe.sysregs.capabilities["CTPIDR_EL0"] = twin.pe.data[0].set_value(DATA + 0x40)
        twin.pe.write_c(12, twin.pe.data[0])  # no plain code
    run(pair, 5000)
    same(pair)
    assert pair[1].pe.read_c(10).tag and pair[1].pe.x[9] == DATA + 0x40
    assert pair[1].engine.counters.singles == 0  # type: ignore[union-attr]


def test_the_thread_pointer_of_plain_code() -> None:
    pair = pair_of(["mrs x9, tpidr_el0", "b #-4"], False)
    for twin in pair:
        for n in range(31):
            twin.pe.write_x(n, 0)
        twin.pe.sysregs.capabilities["CTPIDR_EL0"] = twin.pe.data[0].set_value(DATA + 0x40)
    run(pair, 3000)
    same(pair)


@pytest.mark.parametrize("c64", [True, False])
def test_flags_and_floating_point_state_are_read_without_leaving(c64: bool) -> None:
    lines = [
        "mrs x9, nzcv", "mrs x10, fpcr", "mrs x16, fpsr", "fdiv d0, d1, d2", "adds x11, x11, x12",
        "eor x13, x13, x9", "msr nzcv, x13", "b #-28",
    ]  # fmt: skip
    pair = pair_of(lines, c64)
    for twin in pair:
        twin.pe.x[34] = 0x0300_0000
        twin.pe.write_x(12, 0x7123_4567_89AB_CDEF)
    run(pair, 4001)
    same(pair)
    assert pair[1].pe.x[16] and pair[1].pe.x[10] == 0x0300_0000
    assert pair[1].engine.counters.singles == 0  # type: ignore[union-attr]

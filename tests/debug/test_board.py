"""The debugger on a board: positions, going back with interrupts and input, disks, translated memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from emulator.board.console import MemoryBlock
from emulator.debug import CommandError, boot, load
from emulator.debug.board_streams import OverlayBlock
from emulator.debug.stops import CatchKind, StopCause
from guest.cc.cli import main as cc
from tests.debug.golden import REPOSITORY

EXAMPLE = REPOSITORY / "guest" / "examples" / "baremetal"


@pytest.fixture(scope="module")
def timer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bare-metal example: a timer interrupt, then a capability fault."""
    image = tmp_path_factory.mktemp("timer") / "timer.elf"
    options = ["-g", "-O1", "-ffreestanding", "-nostdlib", "--board"]
    assert cc([*options, str(EXAMPLE / "start.S"), str(EXAMPLE / "main.c"), "-o", str(image)]) == 0
    return image


def test_a_debugged_run_is_the_plain_one(timer: Path) -> None:
    with boot("--board", "morello", "--console", "none", str(timer)) as plain:
        end = plain.run()
    with boot("--board", "morello", "--console", "none", str(timer)) as machine:
        for kind in (CatchKind.FAULT, CatchKind.SYSCALL, CatchKind.COMPARTMENT):
            machine.catch(kind)
        machine.catch(CatchKind.FAULT, "irq")
        machine.break_at("print_number")
        causes = [machine.run().cause]
        while not machine.stop.is_end:
            causes.append(machine.resume().cause)
        assert (machine.position, machine.stop.status) == (end.position, end.status)
        assert causes.count(StopCause.FAULT) == 2
        assert causes.count(StopCause.BREAKPOINT) == 3


def test_interrupts_come_again_at_the_same_place(timer: Path) -> None:
    with boot("--board", "morello", "--console", "none", str(timer)) as machine:
        machine.catch(CatchKind.FAULT, "irq")
        machine.run()
        first = (machine.position, machine.pc, [machine.c[n] for n in range(32)])
        assert machine.explain().startswith("IRQ before the instruction at")
        assert machine.stepi().cause is StopCause.STEP
        assert "vectors" in machine.where(machine.pc), "the handler has begun"
        machine.goto(0)
        machine.resume()
        assert (machine.position, machine.pc, [machine.c[n] for n in range(32)]) == first
        machine.debugger.points.clear()
        machine.catch(CatchKind.FAULT)
        machine.resume()
        machine.rstepi(50)
        machine.resume()
        assert machine.stop.fault is not None and machine.stop.fault.register == "c20"
        assert machine.whence("c20")[-1].text == "given to the thread at its start"


def test_stepping_back_meets_every_state_again(folder: Path) -> None:
    with boot("--board", "morello", "--console", "none", str(folder / "board.elf")) as machine:
        states = []
        for _ in range(90):
            states.append((machine.position, machine.pc, [machine.c[n] for n in range(32)]))
            machine.stepi()
        for wanted in reversed(states[-8:]):
            machine.rstepi()
            assert (machine.position, machine.pc, [machine.c[n] for n in range(32)]) == wanted


def test_the_clock_starts_at_the_same_time_again(folder: Path, tmp_path: Path) -> None:
    clock = 0x1C10_0000
    with boot("--board", "morello", "--console", "none", str(folder / "board.elf")) as machine:
        epoch = machine.debugger.request.options["epoch"]
        machine.debugger.request = replace(
            machine.debugger.request, options=machine.debugger.request.options | {"epoch": 12345}
        )
        machine.stepi(3)
        machine.goto(0)
        assert machine.debugger.guest.system.physical.read(clock, 4) == epoch
        machine.save(str(tmp_path / "m"))
    with load(str(tmp_path / "m")) as machine:
        assert machine.debugger.guest.system.physical.read(clock, 4) == 12345


def test_memory_is_seen_through_the_translation(folder: Path) -> None:
    with boot("--board", "morello", "--console", "none", str(folder / "board.elf")) as machine:
        machine.break_at("echo")
        machine.run()
        space = machine.debugger.process.space
        assert [r[3] for r in space.regions(0, 1 << 64)][-1] == "dram1"
        assert next(iter(space.regions(0x8000_0000, 1 << 64)))[1] == 0xC000_0000, "what is mapped, no more"
        with pytest.raises(CommandError, match="nothing is mapped at 0x2a400000"):
            machine.memory[0x2A40_0000]
        with pytest.raises(CommandError, match="nothing is mapped"):
            machine.memory[0x8080_0000_0000]
        address = machine.evaluate("csp")
        assert machine.tags(0x8000_2000, 0x8000_3000) == [0x8000_2FF0]
        assert machine.reach("csp").is_complete
        machine.memory[0x8000_3000:] = b"changed"
        assert machine.memory[0x8000_3000::7] == b"changed"
        machine.set_capability(0x8000_3000, machine.c[31])
        assert machine.capability(0x8000_3000) == address
        assert machine.warnings


def test_a_disk_is_not_changed() -> None:
    disk = MemoryBlock(bytes(range(256)) * 8)
    overlay = OverlayBlock(disk)
    before = bytes(disk.data)
    overlay.write(512 + 100, b"x" * 1000)
    overlay.write(0, b"y")
    wanted = bytearray(before)
    wanted[612:1612] = b"x" * 1000
    wanted[0:1] = b"y"
    assert overlay.read(0, 2048) == bytes(wanted)
    assert overlay.read(600, 30) == bytes(wanted[600:630])
    assert disk.data == before
    assert (overlay.size, overlay.read_only) == (disk.size, False)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--boot",), "give an image or --kernel"),
        (("--boot", "nothing.elf"), "nothing.elf does not exist"),
        (("--boot", "--trace", "isa", "x"), "for 'morello boot'"),
        (("--boot", "--board", "mars", "x"), "invalid choice: 'mars'"),
        (("--root", ".", "--boot", "x"), "--boot comes before"),
    ],
)
def test_wrong_options(run_morello, arguments: tuple[str, ...], reason: str) -> None:
    done = run_morello("debug", *arguments)
    assert reason in done.stderr and done.stderr.count("\n") == 1
    assert done.returncode in (125, 127)

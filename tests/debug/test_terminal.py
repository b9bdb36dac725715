"""The prompt in a pseudo-terminal: every command, completion, Ctrl-C stops the guest and not the debugger."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emulator.debug.commands import discover
from guest.assembler.assembler import assemble_source
from guest.cc.cli import main as cc
from loader.link import cli as linker
from tests.debug.golden import debug
from tests.debug.terminal import PROMPT, Terminal

SPIN = """
    .globl _start
    .type _start, %function
_start:
1:  add x1, x1, #1
    b 1b
"""
WALK = (
    ("help whence", "The chain of instructions that a capability came from."),
    ("break fill if x1 > 8", "Breakpoint 1 at 0x2101b4"),
    ("ignore 1 0", "passes over the next 0 hits"),
    ("condition 1 x1 > 9", "stops if x1 > 9"),
    ("tbreak begin", "Temporary breakpoint 2"),
    ("run", "stopped: temporary breakpoint 2"),
    ("context", "stopped: temporary breakpoint 2"),
    ("stepi", "stopped: stepped"),
    ("nexti 2", "stopped: stepped"),
    ("step", "stopped: stepped"),
    ("next", "walk.c:28"),
    ("until narrow", "stopped: at narrow"),
    ("finish", "stopped: the function has returned"),
    ("checkpoint", "Checkpoint 1 at instruction 25"),
    ("watch tag 0x40000010", "Watch 3 of tag"),
    ("continue", "the tag at 0x40000010 was set"),
    ("disable 3", PROMPT),
    ("enable 3", PROMPT),
    ("delete 3", PROMPT),
    ("catch syscall exit_group", "Catch 4 of syscall exit_group"),
    ("info breakpoints", "catch syscall exit_group"),
    ("info tlb", "pages at hand"),
    ("continue", "stopped: breakpoint 1"),
    ("backtrace", "walk.c:32"),
    ("frame 1", "walk.c:32"),
    ("thread", "thread 100"),
    ("frame 1", "walk.c:32"),
    ("list", "fill(slots[1], 15 + argc);"),
    ("disas", "strb w11, [c0, w10, sxtw]"),
    ("print x1", "= 18"),
    ("creg c0", "0x40000040 [0x40000040,0x40000050) rwRW tagged"),
    ("cap c0", "dc11400040500040:0000000040000040"),
    ("set x7 = 5", PROMPT),
    ("set tag c1 1", "is forged"),
    ("x/2gc c0", "0x7878787878787878"),
    ("tags c0 64", "0 tagged of 4 granules"),
    ("ptrs 0x40000000 64", "0x40000040 [0x40000040,0x40000050)"),
    ("reach c0", "readable 16 bytes"),
    ("compartments", "thread 100 runs Executive"),
    ("relocs walk", "0 of 0 slots"),
    ("whence c0", "returned by the system call mmap"),
    ("wholost 0x40000000", "tag cleared by"),
    ("continue", "1 byte at 0x40000050 is past the end by 1"),
    ("rstepi", "stopped: back at instruction 165"),
    ("rcontinue", "stopped: breakpoint 1"),
    ("rfinish", "stopped: back at instruction 80"),
    ("restart 1", "stopped: back at instruction 25"),
    ("save machine", "saved in machine, at instruction 25"),
    ("source commands", "rwRW tagged"),
    ("python 6 * 7 + machine.position", "67"),
    ("symbols board.elf 0x70000000", "board.elf: "),
)
"""Lines and what they have to show; the program is `walk a b`."""
MISTAKES = (
    *("break", "tbreak", "condition", "ignore", "enable x", "disable 99", "delete x", "watch", "catch"),
    *("run now", "continue x", "stepi 0", "nexti -1", "step x", "next x", "finish x", "until nowhere"),
    *("context x", "checkpoint x", "restart 9", "rstepi x", "rcontinue x", "rfinish x", "print", "cap x0"),
    *(
        "creg c99",
        "set",
        "info",
        "x/zz 0",
        "tags",
        "ptrs",
        "reach x0",
        "compartments x",
        "relocs",
        "disas 0 x",
    ),
    *(
        "list nowhere",
        "backtrace x",
        "frame 99",
        "whence",
        "wholost",
        "help nothing",
        "python (",
        "source",
        "save",
    ),
    "symbols",
    "thread 7",
)
"""One wrong line for each command (quit takes anything)."""


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """`terminal(folder, arguments…)`, ended after the test."""
    started: list[Terminal] = []

    def start(folder: Path, *arguments: str, **options: str) -> Terminal:
        started.append(Terminal(folder, *arguments, **options))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def spin(tmp_path: Path) -> Path:
    """A folder with the endless program `spin`."""
    (tmp_path / "spin.o").write_bytes(assemble_source(SPIN, "spin.S", c64=True))
    assert linker.main([str(tmp_path / "spin.o"), "-o", str(tmp_path / "spin")]) == 0
    (tmp_path / "spin").chmod(0o755)
    return tmp_path


def test_every_command(terminal: Callable[..., Terminal], folder: Path) -> None:
    session = terminal(folder, "--root", ".", "./walk", "a", "b")
    session.expect(PROMPT)
    for line, expected in WALK:
        if expected == PROMPT:
            session.send(line + "\r")
            session.expect(PROMPT)
        else:
            session.command(line, expected)
    session.send("python\r")
    session.send("for n in range(2):\r    print('n is', n)\r\rend\r")
    session.expect("n is 1")
    session.expect(PROMPT)
    session.send("quit\r")
    assert session.wait() == 0
    commands = discover()
    used = {commands[line.split()[0].partition("/")[0]].name for line, _ in WALK} | {"quit"}
    assert used == {row.name for row in commands.values()}


def test_wrong_input_is_one_line(terminal: Callable[..., Terminal], folder: Path) -> None:
    session = terminal(folder, "--root", ".", "./walk")
    session.expect(PROMPT)
    for line in MISTAKES:
        if line in ("break", "tbreak"):
            line += " walk.c:12 if nonsense"
        shown = session.command(line, "error: ")
        assert "Traceback" not in shown
        assert shown.partition("error: ")[2].count("\n") == 1, shown
    commands = discover()
    tried = {commands[line.split()[0].partition("/")[0]].name for line in MISTAKES} | {"quit"}
    assert tried == {row.name for row in commands.values()}


def test_ctrl_c_stops_the_guest(terminal: Callable[..., Terminal], spin: Path) -> None:
    session = terminal(spin, "spin")
    session.expect(PROMPT)
    session.send("run\r")
    session.expect("run")
    time.sleep(3)
    session.interrupt("stopped: interrupted")
    session.expect(PROMPT)
    session.send("pri\t")
    session.expect("print")
    session.command(" pc", "spin`_start")
    session.command("nonsense", "there is no command 'nonsense'")
    session.send("\x03")
    session.command("stepi", "stopped: stepped")
    session.send("rcontinue\r")
    session.expect("rcontinue")
    time.sleep(0.5)
    session.interrupt("interrupted")
    session.expect(PROMPT)
    session.command("print 6 * 7", "= 42")
    session.send("quit\r")
    assert session.wait() == 0


def test_ctrl_c_stops_a_board(terminal: Callable[..., Terminal], spin: Path) -> None:
    assert linker.main(["--board", str(spin / "spin.o"), "-o", str(spin / "spin.elf")]) == 0
    session = terminal(spin, "--boot", "--board", "morello", "spin.elf")
    session.expect(PROMPT)
    session.send("run\r")
    session.expect("run")
    session.interrupt("stopped: interrupted")
    session.expect(PROMPT)
    session.command("print pc", "spin.elf`_start")
    session.command("stepi 3", "stopped: stepped")
    session.command("rstepi 2", "stopped: back at instruction")
    session.send("quit\r")
    assert session.wait() == 0


def test_what_is_typed_goes_to_a_board_that_runs(terminal: Callable[..., Terminal], folder: Path) -> None:
    session = terminal(folder, "--boot", "--board", "morello", "board.elf")
    session.expect(PROMPT)
    session.command("break echo", "Breakpoint 1")
    session.command("run", "stopped: breakpoint 1")
    session.send("continue\r")
    session.expect("continue")
    session.send("Z\r")
    session.expect(f"stopped: exited with status {ord('Z')}")
    session.expect(PROMPT)
    session.command("rcontinue", "stopped: breakpoint 1")
    session.command("continue", f"stopped: exited with status {ord('Z')}")
    session.send("quit\r")
    assert session.wait() == 0


def test_what_was_saved_in_a_terminal_goes_on_without_one(
    terminal: Callable[..., Terminal], tmp_path: Path
) -> None:
    (tmp_path / "ask.c").write_text(
        "#include <stdio.h>\n"
        'int main(void) { char name[80]; printf("name? "); fflush(stdout); fgets(name, 80, stdin);\n'
        'printf("hello %s", name); puts("bye"); return 3; }\n'
    )
    assert cc(["-O1", "-o", str(tmp_path / "ask"), str(tmp_path / "ask.c")]) == 0
    session = terminal(tmp_path, "./ask")
    session.expect(PROMPT)
    session.command("break puts", "Breakpoint 1")
    session.send("run\r")
    session.expect("name? ")
    session.send("Ada\r")
    session.expect("stopped: breakpoint 1")
    session.expect(PROMPT)
    session.command("save saved", "saved in saved")
    session.send("quit\r")
    assert session.wait() == 0
    done = debug(tmp_path, "--batch", "-ex", "continue", "saved")
    assert "warning" not in done.stdout, "a terminal decides how a program buffers: it is remembered"
    assert done.stdout.startswith("stopped: continued at instruction")
    assert done.stdout.endswith("(morello) continue\nbye\nstopped: exited with status 3\n")


def test_files_complete(terminal: Callable[..., Terminal], folder: Path) -> None:
    session = terminal(folder, "--root", ".", "./walk")
    session.expect(PROMPT)
    session.send("source itse\t")
    # What was typed may be on the screen before what completes it.
    session.expect("lf")
    session.command("", "error: itself: files are sourced 8 deep already")
    session.send("quit\r")
    assert session.wait() == 0


@pytest.mark.parametrize(("last", "status"), [("quit", 137), ("continue", 139)])
def test_a_run_enters_the_debugger_at_its_fault(
    terminal: Callable[..., Terminal], folder: Path, last: str, status: int
) -> None:
    session = terminal(folder, "--debug-on-fault", "--root", ".", "./walk", "a", "b", command="run")
    session.expect("1 byte at 0x40000050 is past the end by 1")
    session.expect(PROMPT)
    session.command("print length(c0)", "= 16")
    session.command("whence c0", "returned by the system call mmap")
    session.send(f"{last}\r")
    if last == "continue":
        session.expect("stopped: killed by SIGSEGV")
        session.send("quit\r")
    assert session.wait() == status

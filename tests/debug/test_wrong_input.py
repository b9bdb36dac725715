"""Whatever is typed: one line or a result, never a Python exception."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator.debug import Debugger, Request, boot
from emulator.debug.commands import discover
from emulator.debug.shell import Shell

SLOW = {
    "run",
    "continue",
    "rstepi",
    "rcontinue",
    "rfinish",
    "restart",
    "whence",
    "wholost",
    "finish",
    "until",
}
SLOW |= {"step", "next", "stepi", "nexti", "quit"}
# These reach beyond the guest: files would appear where the tests run.
SLOW |= {"save", "python", "source"}
NAMES = sorted(name for name, row in discover().items() if row.name not in SLOW)
WORDS = [
    *(
        "c0",
        "csp",
        "pcc",
        "x1",
        "v3",
        "nzcv",
        "sp",
        "rcsp",
        "begin",
        "walk.c:12",
        "12",
        "*0x2101b4",
        "nothing",
    ),
    *(
        "0",
        "1",
        "16",
        "-1",
        "0xffffffffffffffff",
        "0x40000000",
        "1 << 63",
        "18446744073709551616",
        "/4gc",
        "/s",
    ),
    *("/8xb", "if", "count", "=", "+", "*", "(", ")", "cap(", "base(c0)", "tag", "data", "syscall", "signal"),
    *(
        "registers",
        "tlb",
        "devices",
        "restricted",
        "to",
        "maps",
        "threads",
        "sysregs",
        "compartments",
        "walk",
        "\x00",
        "é",
        "'",
        '"',
        "$c0",
        "$",
        "&&",
    ),
]


@pytest.fixture(scope="module", autouse=True)
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A line that makes a file after all makes it in a folder of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        yield


@pytest.fixture(scope="module")
def shell(folder: Path) -> Iterator[Shell]:
    debugger = Debugger(Request(str(folder / "walk")))
    debugger.start()
    debugger.points.add_breakpoint("fill")
    debugger.resume()
    yield Shell(debugger, lambda _: None)
    debugger.close()


@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.sampled_from(NAMES), st.lists(st.sampled_from(WORDS) | st.text(max_size=4), max_size=5))
def test_any_line(shell: Shell, name: str, words: list[str]) -> None:
    shell.execute(" ".join([name, *words]).replace("\n", " "))


@pytest.fixture(scope="module")
def board_shell(folder: Path) -> Iterator[Shell]:
    with boot("--board", "morello", "--console", "none", str(folder / "board.elf")) as machine:
        machine.break_at("echo")
        machine.run()
        yield Shell(machine.debugger, lambda _: None)


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.sampled_from(NAMES), st.lists(st.sampled_from(WORDS) | st.text(max_size=4), max_size=5))
def test_any_line_on_a_board(board_shell: Shell, name: str, words: list[str]) -> None:
    board_shell.execute(" ".join([name, *words]).replace("\n", " "))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(max_size=30))
def test_any_text(shell: Shell, text: str) -> None:
    if text.split(" ")[0].strip() not in discover():
        shell.execute(text)

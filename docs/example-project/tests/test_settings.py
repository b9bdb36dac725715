"""Tests in Python: the fixture `morello` compiles and runs; every run has a machine of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.testing import Result
from emulator.testing.fixture import Morello

SOURCES = ("../src/main.c", "../src/settings.c")


@pytest.fixture
def program(morello: Morello) -> Path:
    """Compiled at the first use; the other tests get the same file."""
    return morello.cc(*SOURCES, flags="-DNDEBUG", name="settings")


def read(morello: Morello, program: Path, *options: str, text: str) -> Result:
    """`settings OPTIONS file`, with the text in the file."""
    return morello.run(program, *options, "file", files={"file": text})


def test_settings_are_printed(morello: Morello, program: Path) -> None:
    result = read(morello, program, text="width=80\nheight=25\n")
    assert result.status == 0
    assert result.stdout == "width is 80\nheight is 25\n"


def test_report_of_a_long_file(morello: Morello, program: Path) -> None:
    text = "".join(f"n{number}={number * number}\n" for number in range(20)) + "nonsense\n"
    assert read(morello, program, text=text).stdout == morello.snapshot()


def test_names_that_are_too_long_are_refused(morello: Morello, program: Path) -> None:
    result = read(morello, program, text="a_name_that_is_much_too_long_for_it=1\n")
    assert (result.status, result.stdout) == (1, "1 lines are no settings\n")
    assert result.fault is None


def test_without_the_check_the_hardware_refuses_them(morello: Morello, program: Path) -> None:
    with morello.faults("bounds", symbol="copy_name") as fault:
        read(morello, program, "-u", text="a_name_that_is_much_too_long_for_it=1\n")
    assert fault.value.file.endswith("src/settings.c")
    assert fault.result.signal == "SIGSEGV"


@pytest.mark.morello(engine="fast", max_instructions=100_000)
def test_cost(morello: Morello, program: Path) -> None:
    """Instruction counts are exact: they may be asserted, within the tolerance that you like."""
    counts = [read(morello, program, text="n=1\n" * lines).instructions for lines in (1, 2, 3)]
    assert 0 < counts[1] - counts[0] < 2000
    assert counts == [read(morello, program, text="n=1\n" * lines).instructions for lines in (1, 2, 3)]


def test_a_library_function_alone(morello: Morello) -> None:
    driver = """
        #include "../src/settings.h"
        #include <stdio.h>
        int main(void) {
            struct setting s;
            printf("%d %d %d\\n", parse_setting("a=1", &s), parse_setting("=1", &s), parse_setting("a", &s));
            return 0;
        }
    """
    assert morello.run(morello.cc(driver, "../src/settings.c")).stdout == "1 0 0\n"

"""The installed command ends without the interpreter's clean-up: status and output are not lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-c", "from emulator.cli.main import command; command()"]


def test_status_and_output_arrive() -> None:
    done = subprocess.run([*COMMAND, "help"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: morello SUBCOMMAND")
    done = subprocess.run([*COMMAND, "nonsense"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (125, "")
    assert "there is no subcommand 'nonsense'" in done.stderr


@pytest.mark.parametrize("unbuffered", ("", "1"))
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_output_that_could_not_be_written_is_told(unbuffered: str) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment
        )
    assert (done.returncode, done.stderr) == (
        125, "morello: the output can't be written: no space left on device\n",
    )  # fmt: skip


@pytest.mark.parametrize("unbuffered", ("", "1"))
def test_a_reader_who_goes_away(unbuffered: str) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*COMMAND, "help"], stdout=write, stderr=subprocess.PIPE, text=True, check=False, env=environment
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")

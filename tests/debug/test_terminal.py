"""The prompt in a pseudo-terminal: completion, Ctrl-C stops the guest and not the debugger."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from guest.assembler.assembler import assemble_source
from loader.link import cli as linker
from tests.debug.golden import REPOSITORY

SPIN = """
    .globl _start
    .type _start, %function
_start:
1:  add x1, x1, #1
    b 1b
"""


class Terminal:
    """`morello debug PROGRAM` in a pseudo-terminal."""

    def __init__(self, program: Path, home: Path) -> None:
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.environ.update(
                TERM="xterm", XDG_STATE_HOME=str(home), PYTHONPATH=str(REPOSITORY), PROMPT_TOOLKIT_NO_CPR="1"
            )
            os.execv(sys.executable, [sys.executable, "-m", "emulator.cli.main", "debug", str(program)])
        self._seen = b""

    def send(self, text: str) -> None:
        """Type."""
        os.write(self._fd, text.encode())

    def expect(self, text: str, seconds: float = 60) -> str:
        """Wait until `text` appears; what came up to it."""
        wanted, end = text.encode(), time.monotonic() + seconds
        while wanted not in self._seen:
            assert time.monotonic() < end, f"{text!r} didn't come: {self._seen[-2000:]!r}"
            if select.select([self._fd], [], [], 0.5)[0]:
                self._seen += os.read(self._fd, 65536)
        before, _, self._seen = self._seen.partition(wanted)
        return before.decode(errors="replace")

    def end(self) -> int:
        """Exit status."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    (tmp_path / "spin.o").write_bytes(assemble_source(SPIN, "spin.S", c64=True))
    assert linker.main([str(tmp_path / "spin.o"), "-o", str(tmp_path / "spin")]) == 0
    (tmp_path / "spin").chmod(0o755)
    started = Terminal(tmp_path / "spin", tmp_path)
    yield started
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(started.pid, signal.SIGKILL)
        os.waitpid(started.pid, 0)


def test_a_session(terminal: Terminal) -> None:
    terminal.expect("(morello)")
    terminal.send("run\r")
    terminal.expect("run")
    time.sleep(1.5)
    terminal.send("\x03")
    terminal.expect("stopped: interrupted")
    terminal.expect("(morello)")
    terminal.send("pri\t")
    terminal.expect("print")
    terminal.send(" pc\r")
    terminal.expect("spin`_start")
    terminal.expect("(morello)")
    terminal.send("nonsense\r")
    terminal.expect("there is no command 'nonsense'")
    terminal.expect("(morello)")
    terminal.send("\x03")
    terminal.send("stepi\r")
    terminal.expect("stopped: stepped")
    terminal.expect("(morello)")
    terminal.send("quit\r")
    assert terminal.end() == 0

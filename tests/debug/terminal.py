"""`morello debug`, or another command, in a pseudo-terminal, as a person has it."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import sys
import time
from pathlib import Path

from tests.debug.golden import REPOSITORY

PROMPT = "(morello)"


class Terminal:
    """`morello COMMAND ARGUMENTS` in `folder`."""

    def __init__(self, folder: Path, *arguments: str, command: str = "debug") -> None:
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.environ.update(
                TERM="xterm",
                XDG_STATE_HOME=str(folder),
                PYTHONPATH=str(REPOSITORY),
                PROMPT_TOOLKIT_NO_CPR="1",
            )
            os.execv(sys.executable, [sys.executable, "-m", "emulator.cli.main", command, *arguments])
        self._seen = b""

    def send(self, text: str) -> None:
        """Type."""
        os.write(self._fd, text.encode())

    def expect(self, text: str, seconds: float = 60) -> str:
        """Wait until `text` appears; what came up to it."""
        end = time.monotonic() + seconds
        while text.encode() not in self._seen:
            assert time.monotonic() < end, f"{text!r} didn't come: {self._seen[-2000:]!r}"
            self._read(0.5)
        before, _, self._seen = self._seen.partition(text.encode())
        return before.decode(errors="replace")

    def _read(self, timeout: float) -> None:
        if select.select([self._fd], [], [], timeout)[0]:
            self._seen += os.read(self._fd, 65536)

    def command(self, line: str, expected: str) -> str:
        """Type a line at the prompt; `expected` has to come before the next prompt. All that came."""
        self.send(line + "\r")
        before = self.expect(expected)
        return before + expected + self.expect(PROMPT)

    def interrupt(self, expected: str) -> None:
        """Ctrl-C, again and again until `expected` comes: the guest may not run yet when the first is typed."""
        end = time.monotonic() + 60
        while expected.encode() not in self._seen:
            assert time.monotonic() < end, f"{expected!r} didn't come: {self._seen[-2000:]!r}"
            self.send("\x03")
            pause = time.monotonic() + 1
            while expected.encode() not in self._seen and time.monotonic() < pause:
                self._read(0.1)
        self.expect(expected)

    def wait(self) -> int:
        """Exit status, once it has ended."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def close(self) -> None:
        """End it if it hasn't."""
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._fd)

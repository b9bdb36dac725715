"""Where the characters of a board's consoles go to and come from: terminal, file, pty, nothing."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from emulator.board.outcome import Quit
from morello_isa.errors import UserError

_ESCAPE = 0x01  # Ctrl-A
_READ_BYTES = 4096
_READER_SECONDS = 1.0
Receiver = Callable[[bytes], None]


class _Output(Protocol):
    """A binary stream to write to."""

    def write(self, data: bytes, /) -> int | None: ...

    def flush(self) -> None: ...


class MemoryConsole:
    """Keeps the output in `output`; input is given with `feed` (for tests and library users)."""

    def __init__(self) -> None:
        self.output = bytearray()
        self._receiver: Receiver | None = None

    def write(self, data: bytes) -> None:
        """Appends to `output`."""
        self.output += data

    def listen(self, receiver: Receiver) -> None:
        """Remembers who gets the input."""
        self._receiver = receiver

    def feed(self, data: bytes) -> None:
        """Input as if typed."""
        if self._receiver is not None:
            self._receiver(data)


class StreamConsole:
    """Output to a binary stream (stdout or a file), input from a file descriptor if there is one.

    On a terminal, input is raw and Ctrl-A is an escape: Ctrl-A x leaves, Ctrl-A Ctrl-A sends one Ctrl-A,
    Ctrl-A h prints help.
    """

    def __init__(self, output: _Output, input_fd: int | None = None, follower: int | None = None) -> None:
        """`follower`: the descriptor of the other end of a pseudo-terminal."""
        self._output: _Output = output
        self._follower = follower
        self._input_fd = input_fd
        self._receiver: Receiver | None = None
        self._escaped = False
        self._saved: list[object] | None = None
        self._terminal = input_fd is not None and os.isatty(input_fd)

    def write(self, data: bytes) -> None:
        """Writes at once; a closed pipe ends the run like Ctrl-A x."""
        try:
            self._output.write(data)
            self._output.flush()
        except (BrokenPipeError, ValueError):
            raise Quit from None
        except OSError:
            self._output = _Discard()

    def listen(self, receiver: Receiver) -> None:
        """Input goes to `receiver` from the next `poll` on."""
        self._receiver = receiver

    def open(self) -> None:
        """Puts a terminal into raw mode, with output processing kept."""
        if self._terminal and self._input_fd is not None:
            self._saved = termios.tcgetattr(self._input_fd)
            tty.setraw(self._input_fd, termios.TCSANOW)
            modes = termios.tcgetattr(self._input_fd)
            modes[1] |= termios.OPOST
            termios.tcsetattr(self._input_fd, termios.TCSANOW, modes)

    def close(self) -> None:
        """Gives the terminal back as it was; whoever reads from a pseudo-terminal gets the time to."""
        if self._follower is not None:
            _wait_for_reader(self._follower)
        if self._saved is not None and self._input_fd is not None:
            termios.tcsetattr(self._input_fd, termios.TCSADRAIN, self._saved)  # type: ignore[arg-type]
            self._saved = None

    def poll(self, timeout: float = 0.0) -> bool:
        """Passes on waiting input; False when no more can come. Raises Quit for Ctrl-A x."""
        if self._input_fd is None or self._receiver is None:
            return False
        ready, _, _ = select.select([self._input_fd], [], [], timeout)
        if not ready:
            return True
        data = self.read_input()
        if not data:
            return False
        data = self._filter(data) if self._terminal else data
        if data:
            self._receiver(data)
        return True

    @property
    def descriptor(self) -> int | None:
        """Where input comes from; None when there is none, or no more."""
        return self._input_fd

    def read_input(self) -> bytes:
        """Waiting input as it is; b"" when no more will come."""
        assert self._input_fd is not None
        try:
            data = os.read(self._input_fd, _READ_BYTES)
        except OSError:
            data = b""
        if not data:
            self._input_fd = None
        return data

    def _filter(self, data: bytes) -> bytes:
        """Takes the escape sequences out of terminal input."""
        kept = bytearray()
        for byte in data:
            if not self._escaped:
                if byte == _ESCAPE:
                    self._escaped = True
                else:
                    kept.append(byte)
                continue
            self._escaped = False
            if byte in b"xX":
                raise Quit
            if byte == _ESCAPE:
                kept.append(byte)
            elif byte in b"h?":
                sys.stderr.write("\r\nCtrl-A x: leave   Ctrl-A Ctrl-A: send Ctrl-A\r\n")
        return bytes(kept)


def _wait_for_reader(follower: int) -> None:
    """What nobody has read when the process ends is lost, so wait a little while."""
    deadline = time.monotonic() + _READER_SECONDS
    while time.monotonic() < deadline:
        unread = fcntl.ioctl(follower, termios.FIONREAD, bytes(4))
        if not int.from_bytes(unread, sys.byteorder):
            break
        time.sleep(0.005)


class _Discard:
    """A stream that takes everything."""

    def write(self, data: bytes) -> int:
        return len(data)

    def flush(self) -> None:
        """Nothing to do."""


def open_console(text: str) -> StreamConsole:
    """`stdio`, `none`, `pty` or `file:PATH`. UserError for anything else or if it can't be opened."""
    if text == "stdio":
        return StreamConsole(sys.stdout.buffer, _descriptor_of_stdin())
    if text == "none":
        return StreamConsole(_Discard())
    if text == "pty":
        return _open_pty()
    if text.startswith("file:"):
        path = Path(text[5:])
        try:
            return StreamConsole(path.open("wb"))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UserError(f"{path} can't be written: {reason}") from None
    raise UserError(f"'{text}' is not a console; use stdio, none, pty or file:PATH")


def _descriptor_of_stdin() -> int | None:
    """None when this process has no real standard input."""
    try:
        return sys.stdin.fileno()
    except (AttributeError, ValueError, OSError):
        return None


def _open_pty() -> StreamConsole:
    try:
        leader, follower = os.openpty()
    except OSError:
        raise UserError("this system gives no pseudo-terminal") from None
    with contextlib.suppress(termios.error):
        tty.setraw(follower)
    sys.stderr.write(f"morello boot: console on {os.ttyname(follower)}\n")
    return StreamConsole(os.fdopen(leader, "wb", buffering=0), leader, follower)


class FileBlock:
    """A disk image file. Raises UserError if it can't be opened or is no multiple of 512 bytes."""

    def __init__(self, path: Path, read_only: bool = False) -> None:
        try:
            self._file = path.open("rb" if read_only else "r+b")
        except FileNotFoundError:
            raise UserError(f"{path} does not exist", 127) from None
        except PermissionError:
            raise UserError(f"{path} can't be written (append ',readonly' to use it read-only)") from None
        except OSError as error:
            raise UserError(f"{path} can't be opened: {(error.strerror or str(error)).lower()}") from None
        self.size = self._file.seek(0, os.SEEK_END)
        self.read_only = read_only
        if self.size == 0 or self.size % 512:
            raise UserError(f"{path} is no disk image: its {self.size} bytes are not a multiple of 512")

    def read(self, offset: int, size: int) -> bytes:
        """Bytes of the image; raises OSError."""
        self._file.seek(offset)
        return self._file.read(size)

    def write(self, offset: int, data: bytes) -> None:
        """Stores in the file at once; raises OSError (a full host disk, for one)."""
        self._file.seek(offset)
        self._file.write(data)
        self._file.flush()


class MemoryBlock:
    """A disk in memory."""

    def __init__(self, data: bytes | bytearray, read_only: bool = False) -> None:
        self.data = bytearray(data)
        self.size = len(self.data)
        self.read_only = read_only

    def read(self, offset: int, size: int) -> bytes:
        """Bytes of the disk."""
        return bytes(self.data[offset : offset + size])

    def write(self, offset: int, data: bytes) -> None:
        """Stores bytes."""
        self.data[offset : offset + len(data)] = data

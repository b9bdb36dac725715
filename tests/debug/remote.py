"""A running `morello gdbserver`, packets by hand, and the real GDB."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from emulator.debug.rsp.packets import checksum
from tests.debug.golden import REPOSITORY

GDB = shutil.which("gdb-multiarch")
ENGINES = ("reference", "fast")
needs_gdb = pytest.mark.skipif(GDB is None, reason="gdb-multiarch is not installed")


class Served:
    """A running server."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "emulator.cli.main", "gdbserver", *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(os.environ, PYTHONPATH=str(REPOSITORY)),
        )
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert line.startswith("morello: waiting for gdb on 127.0.0.1:"), line
        self.port = int(line.rpartition(":")[2])

    def end(self) -> tuple[str, str]:
        """Stop it; what it has written to standard output and error."""
        self.process.kill()
        return self.process.communicate(timeout=30)


class Client:
    """Packets by hand. `console` collects the text of O packets."""

    def __init__(self, port: int) -> None:
        self.link = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.console = ""
        self._data = b""

    def ask(self, text: str) -> str:
        """Send a packet and return the reply's data."""
        self.send(text)
        return self.reply()

    def send(self, text: str) -> None:
        """Send a packet."""
        data = text.encode("latin-1")
        self.link.sendall(b"$" + data + b"#" + checksum(data))

    def reply(self) -> str:
        """The next packet that is no text for the console."""
        while True:
            data = self._packet()
            if data[:1] != "O" or data == "OK":
                return data
            self.console += bytes.fromhex(data[1:]).decode()

    def _packet(self) -> str:
        while True:
            start = self._data.find(b"$")
            end = self._data.find(b"#", start)
            if start >= 0 and end >= 0 and len(self._data) >= end + 3:
                data = self._data[start + 1 : end]
                assert self._data[end + 1 : end + 3] == checksum(data)
                self._data = self._data[end + 3 :]
                self.link.sendall(b"+")
                return data.decode("latin-1")
            part = self.link.recv(65536)
            assert part, "the server closed the connection"
            self._data += part


def run_gdb(folder: Path, port: int, *commands: str, program: str = "") -> str:
    """What a GDB prints that connects and executes commands; `program` is a local file that it gets."""
    options = [part for command in commands for part in ("-ex", command)]
    first = ["-ex", "set confirm off", "-ex", f"target remote 127.0.0.1:{port}"]
    return _gdb(folder, ["-batch", *first, *options, *([program] if program else [])], "")


def run_machine_interface(folder: Path, script: str) -> str:
    """What a GDB prints whose commands are lines of GDB/MI, as VS Code and Visual Studio send them."""
    return _gdb(folder, ["--interpreter=mi2"], script)


def _gdb(folder: Path, options: list[str], text: str) -> str:
    assert GDB is not None
    command = [GDB, "-nx", "-q", *options]
    done = subprocess.run(
        command,
        cwd=folder,
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )
    return done.stdout

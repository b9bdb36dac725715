"""`morello gdbserver` with a real GDB, and with packets by hand."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.debug.rsp.packets import checksum, escape, unescape
from tests.debug.golden import REPOSITORY

GDB = shutil.which("gdb-multiarch")


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

    def end(self) -> None:
        """Stop it."""
        self.process.kill()
        self.process.communicate(timeout=30)


class Client:
    """Packets by hand."""

    def __init__(self, port: int) -> None:
        self.link = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._data = b""

    def ask(self, text: str) -> str:
        """Send a packet and return the reply's data."""
        data = text.encode("latin-1")
        self.link.sendall(b"$" + data + b"#" + checksum(data))
        return self.reply()

    def reply(self) -> str:
        """The next packet."""
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


@pytest.fixture
def served(folder: Path) -> Iterator[Served]:
    server = Served(folder, "0", "--root", ".", "./walk", "a", "b")
    yield server
    server.end()


def _gdb(folder: Path, port: int, *commands: str) -> str:
    assert GDB is not None
    options = [part for command in commands for part in ("-ex", command)]
    first = ["-ex", "set confirm off", "-ex", f"target remote 127.0.0.1:{port}"]
    done = subprocess.run(
        [GDB, "-nx", "-q", "-batch", *first, *options, "walk"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout + done.stderr


@pytest.mark.skipif(GDB is None, reason="gdb-multiarch is not installed")
def test_a_real_gdb(served: Served, folder: Path) -> None:
    out = _gdb(
        folder,
        served.port,
        "break *0x2101b4",
        "continue",
        "info registers pc x1 c0 tag_map",
        "x/1i $pc",
        "stepi",
        "stepi",
        "p/x $pc",
        "reverse-stepi",
        "p/x $pc",
        "x/2gx $x0",
        "set var $x5 = 77",
        "p $x5",
        "monitor print c0",
        "continue",
        "p $x1",
        "reverse-continue",
        "p $x1",
        "delete",
        "watch *(long*)0x40000048",
        "continue",
        "delete",
        "continue",
        "reverse-stepi",
        "info threads",
        "info auxv",
        "info mem",
        "continue",
        "continue",
    )
    for wanted in (
        "Breakpoint 1, fill",
        "0xdc114000405000400000000040000040",
        "=> 0x2101b4 <fill>:\tmov\tw10, #0x0",
        "$1 = 0x2101c8",
        "$2 = 0x2101b8",
        "0x40000040:\t0x0000000000000000\t0x0000000000000000",
        "$3 = 77",
        "0x40000040 [0x40000040,0x40000050) rwRW tagged",
        "$4 = 18",
        "$5 = 8",
        "Hardware watchpoint 2",
        "Old value = 0",
        "New value = 120",
        "Thread 100",
        "AT_PAGESZ",
        "0x0001000000000000 rw",
        "Program received signal SIGSEGV",
        "0x00000000002101c0",
        "Program terminated with signal SIGSEGV",
    ):
        assert wanted in out, out
    assert "E01" not in out


def test_packets(served: Served) -> None:
    client = Client(served.port)
    assert "ReverseStep+" in client.ask("qSupported:swbreak+")
    assert client.ask("?").startswith("T05")
    assert client.ask("nonsense") == ""
    assert client.ask("m0,10") == "E01"
    assert client.ask("mzz") == "E01"
    assert client.ask("p9999") == "E01"
    assert client.ask("Zx") == "E01"
    assert client.ask("qXfer:features:read:target.xml:0,40").startswith('m<?xml version="1.0"?>')
    assert client.ask("qXfer:exec-file:read::0,400").endswith("walk")
    assert client.ask("Z0,2101b4,4") == "OK"
    assert "swbreak:" in client.ask("vCont;c")
    assert client.ask("p20") == (0x2101B4).to_bytes(8, "little").hex()
    assert client.ask("P5=" + "11" * 8) == "OK"
    assert client.ask("p5") == "11" * 8
    assert client.ask("M40000040,2:4142") == "OK"
    assert client.ask("m40000040,2") == "4142"
    assert client.ask("X40000040,1:}\x03") == "OK"
    assert client.ask("m40000040,2") == "2342"
    assert client.ask("z0,2101b4,4") == "OK"
    assert client.ask("bs").startswith("T05")
    assert "replaylog:begin" in client.ask("bc")
    assert client.ask("bs").endswith("replaylog:begin;")
    assert client.ask("c").startswith("T0b"), "the fault, before its signal"
    assert client.ask("c") == "X0b"
    assert client.ask("qRcmd," + b"continue".hex()) == b"'continue' is a command of GDB here\n".hex()


def test_a_broken_connection_leaves_the_server_waiting(served: Served) -> None:
    first = Client(served.port)
    assert first.ask("?").startswith("T05")
    first.link.sendall(b"$vCo")
    first.link.close()
    second = Client(served.port)
    second.link.sendall(b"garbage$m0,4#00")
    assert second.link.recv(1) == b"-", "a bad checksum is refused"
    assert second.ask("?").startswith("T05")
    assert second.ask("D") == "OK"
    third = Client(served.port)
    assert third.ask("qC") == "QC64"


def test_wrong_options(run_morello) -> None:
    for arguments, reason in (
        (("nothing", "walk"), "not [HOST:]PORT"),
        (("99999", "walk"), "not [HOST:]PORT"),
        (("0", "does-not-exist"), "does not exist"),
    ):
        done = run_morello("gdbserver", *arguments)
        assert reason in done.stderr and done.stderr.count("\n") == 1
        assert done.returncode in (125, 127)


def test_escapes() -> None:
    data = bytes(range(256))
    assert unescape(escape(data)) == data
    assert not set(escape(data)) & set(b"#$*")

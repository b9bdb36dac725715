"""`morello gdbserver`: packets by hand, wrong ones included. (With a real GDB: test_gdbserver.py.)"""

from __future__ import annotations

import random
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emulator.cli.debug import parser as debug_parser
from emulator.cli.gdbserver import debugger_of, parser
from emulator.debug.engine import DebugEngine
from emulator.debug.fast_engine import FastDebugEngine
from emulator.debug.rsp.packets import PACKET_SIZE, Connection, checksum, escape, hexadecimal, unescape
from emulator.debug.rsp.signals import UNKNOWN, from_gdb, to_gdb
from emulator.debug.stops import StopCause
from guest.assembler.assembler import assemble_source
from loader.link import cli as linker
from tests.debug.golden import HERE
from tests.debug.remote import ENGINES, Client, Served

RunMorello = Callable[..., "subprocess.CompletedProcess[str]"]
FILL, OBJECT = 0x2101B4, 0x40000040
"""The function `fill` of `walk`, and what it fills."""


@pytest.fixture(params=ENGINES)
def served(folder: Path, request: pytest.FixtureRequest) -> Iterator[Served]:
    server = Served(folder, "0", "--engine", request.param, "--root", ".", "./walk", "a", "b")
    yield server
    server.end()


def _assemble(folder: Path, name: str, text: str) -> Path:
    target = folder / f"{name}.o"
    target.write_bytes(assemble_source(text, f"{name}.S", c64=True))
    assert linker.main([str(target), "-o", str(folder / name)]) == 0
    (folder / name).chmod(0o755)
    return folder / name


def test_packets(served: Served) -> None:
    client = Client(served.port)
    assert "ReverseStep+" in client.ask("qSupported:swbreak+;hwbreak+")
    assert client.ask("?").startswith("T05")
    assert client.ask("nonsense") == ""
    assert client.ask("m0,10") == "E0e"
    assert client.ask("mzz") == "E01"
    assert client.ask("p9999") == "E01"
    assert client.ask("Zx") == "E01"
    assert client.ask("qXfer:features:read:target.xml:0,40").startswith('m<?xml version="1.0"?>')
    assert client.ask("qXfer:exec-file:read::0,400").endswith("walk")
    assert client.ask(f"Z0,{FILL:x},4") == "OK"
    assert "swbreak:" in client.ask("vCont;c")
    assert client.ask("p20") == FILL.to_bytes(8, "little").hex()
    assert client.ask("P5=" + "11" * 8) == "OK"
    assert client.ask("p5") == "11" * 8
    assert client.ask(f"M{OBJECT:x},2:4142") == "OK"
    assert client.ask(f"m{OBJECT:x},2") == "4142"
    assert client.ask(f"X{OBJECT:x},1:}}\x03") == "OK"
    assert client.ask(f"m{OBJECT:x},2") == "2342"
    assert client.ask(f"X{OBJECT:x},5:ab") == "E16", "a size that isn't the data's"
    assert client.ask(f"z0,{FILL:x},4") == "OK"
    assert client.ask(f"Z1,{FILL:x},4") == "OK"
    assert "hwbreak:" in client.ask("vCont;c:-1")
    assert client.ask(f"z1,{FILL:x},4") == "OK"
    assert client.ask("bs").startswith("T05")
    assert "replaylog:begin" in client.ask("bc")
    assert client.ask("bs").endswith("replaylog:begin;")
    assert client.ask("c").startswith("T0b"), "the fault, before its signal"
    assert "capability bounds fault: strb w11" in client.console
    assert client.ask("qXfer:siginfo:read::0,14")[:5] == "m\x0b\0\0\0"
    assert client.ask("C0b") == "X0b"
    assert client.ask("g") == "E03"
    assert client.ask("?") == "X0b"


def test_the_registers_of_the_description_are_those_of_the_g_packet(served: Served) -> None:
    import xml.etree.ElementTree as ElementTree

    client, text, offset = Client(served.port), "", 0
    while True:
        part = client.ask(f"qXfer:features:read:target.xml:{offset:x},800")
        text += part[1:]
        offset += len(part) - 1
        if part[0] == "l":
            break
    root = ElementTree.fromstring(text)
    features = [feature.get("name") for feature in root.iter("feature")]
    assert "org.gnu.gdb.aarch64.core" in features and "org.gnu.gdb.aarch64.capability" in features
    rows = list(root.iter("reg"))
    assert [int(row.get("regnum", "")) for row in rows] == list(range(len(rows)))
    names = [row.get("name") for row in rows]
    first = names.index("c0")
    assert names[first : first + 41] == [
        *(f"c{n}" for n in range(31)),
        *("csp", "pcc", "ddc", "ctpidr", "rcsp", "rddc", "rctpidr", "cid", "tag_map", "cctlr"),
    ]
    assert len(client.ask("g")) == sum(int(row.get("bitsize", "")) // 4 for row in rows)
    at = names.index("tag_map")
    tags = int.from_bytes(bytes.fromhex(client.ask(f"p{at:x}")), "little")
    assert tags >> 31 & 3 == 3, "PCC and CSP"
    assert client.ask(f"P{at:x}=" + (tags & ~(1 << 32)).to_bytes(8, "little").hex()) == "OK"
    assert int.from_bytes(bytes.fromhex(client.ask(f"p{at:x}")), "little") == tags & ~(1 << 32), "CSP's tag"
    pcc = names.index("pcc")
    assert client.ask(f"p{pcc:x}")[:16] == client.ask("p20"), "its lower half is PC"


def test_capabilities_in_memory(served: Served) -> None:
    client = Client(served.port)
    assert client.ask(f"Z0,{FILL:x},4") == "OK"
    client.ask("c")
    slots = OBJECT - 0x40
    first = client.ask(f"qXfer:capa:read:{slots:x}:0,11").encode("latin-1")
    assert first[:1] == b"l"
    data = unescape(first[1:])
    assert len(data) == 17 and data[0] == 1 and data[1:9] == slots.to_bytes(8, "little")
    assert client.ask(f"qMemTags:{slots:x},40:2") == "m01010000"
    assert client.ask(f"qMemTags:{slots:x},40:1") == "E16", "MTE's allocation tags"
    assert client.ask("qMemTags:0,40:2") == "E0e"
    assert client.ask(f"QMemTags:{slots:x},20:2:00") == "OK"
    assert client.ask(f"qMemTags:{slots:x},40:2") == "m00000000"
    written = escape(data).decode("latin-1")
    assert client.ask(f"qXfer:capa:write:{slots + 0x20:x}:0:{written}") == "11"
    assert client.ask(f"qMemTags:{slots:x},40:2") == "m00000100"
    assert client.ask(f"qXfer:capa:read:{slots + 0x20:x}:0,11").encode("latin-1") == first
    assert client.ask(f"qXfer:capa:read:{slots + 1:x}:0,11") == "E01"
    assert client.ask(f"M{slots + 0x20:x},1:00") == "OK"
    assert client.ask(f"qMemTags:{slots:x},40:2") == "m00000000", "a store of bytes clears the tag"


@pytest.mark.parametrize("engine", ENGINES)
def test_threads(tmp_path: Path, engine: str) -> None:
    program = _assemble(tmp_path, "threads", (HERE / "program" / "threads.S").read_text())
    server = Served(tmp_path, "0", "--engine", engine, str(program))
    try:
        client = Client(server.port)
        client.ask("qSupported:multiprocess+")
        assert client.ask("qC") == "QCp64.64"
        assert client.ask("qfThreadInfo") == "mp64.64"
        symbol = client.ask("qXfer:exec-file:read::0,400")[1:]
        assert symbol == str(program)
        steps = 0
        while client.ask("qfThreadInfo") == "mp64.64":
            client.ask("vCont;s:p64.64")
            steps += 1
            assert steps < 100
        assert client.ask("qfThreadInfo") == "mp64.64,p64.65"
        assert '<thread id="p64.65" name="threads">' in client.ask("qXfer:threads:read::0,1000")
        assert bytes.fromhex(client.ask("qThreadExtraInfo,p64.65")) == b"C64, Executive"
        assert client.ask("Tp64.65") == "OK" and client.ask("Tp64.66") == "E03" and client.ask("T66") == "E03"
        assert client.ask("Hgp64.65") == "OK"
        before = client.ask("p20")
        reply = client.ask("vCont;s:p64.65;c")
        assert "thread:p64.65;" in reply, "the thread that has made its step"
        assert client.ask("p20") != before
        after = int.from_bytes(bytes.fromhex(client.ask("p20")), "little")
        assert client.ask("Hgp64.64") == "OK"
        first = int.from_bytes(bytes.fromhex(client.ask("p20")), "little")
        assert first != after
        assert client.ask("qRcmd," + b"print pc".hex()) == "OK"
        assert f"{first:#x}" in client.console, "monitor is about the thread that GDB has selected"
        assert "thread:p64.65;" in client.ask("?"), "that is no stop of it"
        assert client.ask("Hgp64.65") == "OK"
        reply = client.ask(f"vCont;r{after:x},{after + 8:x}:p64.65")
        assert "thread:p64.65;" in reply
        assert client.ask("vCont;s:p64.99") == "E03"
        assert client.ask("vCont;x") == "E16"
        assert client.ask("c") == "W28;process:64"
    finally:
        server.end()


@pytest.mark.parametrize("engine", ENGINES)
def test_an_interrupt_stops_an_endless_loop(tmp_path: Path, engine: str) -> None:
    program = _assemble(tmp_path, "spin", ".text\n.globl _start\n_start:\nspin:\n add x5, x5, #1\n b spin\n")
    server = Served(tmp_path, "0", "--engine", engine, str(program))
    try:
        client = Client(server.port)
        for _ in range(2):
            client.send("vCont;c")
            client.link.sendall(b"\x03")
            assert client.reply().startswith("T02")
        assert client.ask("p5") != "00" * 8
        client.send("vCont;c")
        client.link.close()
        second = Client(server.port)
        assert second.ask("?").startswith("T"), "a broken connection has stopped the program"
        assert second.ask("vKill;64") == "OK"
        third = Client(server.port)
        assert third.ask("p5") == "00" * 8, "killed: loaded again"
        assert third.ask("D;64") == "OK", "it goes on by itself"
        fourth = Client(server.port)
        assert fourth.ask("p5") != "00" * 8, "stopped by the new connection"
        assert fourth.ask("!") == "OK"
        assert fourth.ask("vRun;").startswith("T05")
        assert fourth.ask("p5") == "00" * 8
    finally:
        server.end()


def test_a_fault_that_is_not_delivered_repeats_the_instruction(served: Served) -> None:
    """`signal 0` after the register was put right."""
    client = Client(served.port)
    assert client.ask("c").startswith("T0b")
    fault = client.ask("p20")
    assert client.ask("c").startswith("T0b"), "nothing was put right"
    assert client.ask("p20") == fault
    assert client.ask("P0a=" + "00" * 8) == "OK"
    assert client.ask("s").startswith("T05")
    assert client.ask("p20") == (0x2101C4).to_bytes(8, "little").hex()


def test_monitor(served: Served) -> None:
    client = Client(served.port)
    for line, answer in (
        ("print pc", "0x21017c"),
        ("continue", "'continue' is a command of GDB here"),
        ("rstepi", "'rstepi' is a command of GDB here"),
        ("thread 100", "'thread' is a command of GDB here"),
        ("python 1", "'python' is only for 'morello debug'"),
        ("save /tmp/machine", "'save' is only for 'morello debug'"),
        ("symbols walk", "'symbols' is only for 'morello debug'"),
        ("nonsense", "there is no command 'nonsense'"),
        ("print nonsense", "error: there is no register, variable or symbol 'nonsense'"),
        ("", "break"),
        ("help whence", "whence"),
    ):
        client.console = ""
        assert client.ask("qRcmd," + line.encode().hex()) == "OK"
        assert answer in client.console, (line, client.console)
    assert client.ask("qRcmd,zz") == "E01"
    client.console = ""
    assert client.ask("qRcmd," + b"break fill".hex()) == "OK"
    assert client.ask("qSupported:swbreak+")
    assert "swbreak" not in client.ask("c"), "GDB knows nothing of that breakpoint"
    assert "breakpoint 1" in client.console


def test_watchpoints(served: Served) -> None:
    client = Client(served.port)
    assert client.ask(f"Z3,{OBJECT - 0x30:x},8") == "OK"
    assert f"rwatch:{OBJECT - 0x30:x};" in client.ask("c"), "the pointer is read to be passed on"
    assert client.ask(f"z3,{OBJECT - 0x30:x},8") == "OK"
    assert client.ask(f"Z2,{OBJECT + 8:x},1") == "OK"
    assert f"watch:{OBJECT + 8:x};" in client.ask("c")
    assert client.ask("p20") == (0x2101C0).to_bytes(8, "little").hex(), "before the store"
    assert client.ask(f"m{OBJECT + 8:x},1") == "00"
    assert client.ask("s").startswith("T05")
    assert client.ask(f"m{OBJECT + 8:x},1") == "78"
    assert f"watch:{OBJECT + 8:x};" in client.ask("bc"), (
        "backwards: after the store, which is yet to be undone"
    )
    assert client.ask(f"m{OBJECT + 8:x},1") == "78"
    assert client.ask("bs").startswith("T05")
    assert client.ask(f"m{OBJECT + 8:x},1") == "00"
    assert client.ask(f"Z2,{OBJECT:x},10000") == "E01", "too long"
    assert client.ask("Z5,0,1") == ""


def test_host_files(served: Served, folder: Path) -> None:
    client = Client(served.port)
    assert client.ask("vFile:setfs:0") == "F0"
    assert client.ask("vFile:open:" + b"/etc/passwd".hex() + ",0,0") == "F-1,2"
    name = client.ask("qXfer:exec-file:read::0,400")[1:].encode().hex()
    assert client.ask(f"vFile:open:{name},1,1b6") == "F-1,d", "not for writing"
    number = client.ask(f"vFile:open:{name},0,0")[1:]
    size = int.from_bytes(_attachment(client.ask(f"vFile:fstat:{number}"))[28:36], "big")
    data = b""
    while len(data) < size:
        data += _attachment(client.ask(f"vFile:pread:{number},1000,{len(data):x}"))
    assert _attachment(client.ask(f"vFile:pread:{number},1000,{size:x}")) == b""
    original = (folder / "walk").read_bytes()
    assert data[:16] == original[:16] and b".debug_frame" in data
    assert client.ask(f"vFile:close:{number}") == "F0"
    assert client.ask(f"vFile:close:{number}") == "F-1,9"
    assert client.ask(f"vFile:pread:{number},10,0") == "F-1,9"
    assert client.ask("vFile:pwrite:3,0,x") == "F-1,9"
    assert client.ask("vFile:nonsense:") == ""


def _attachment(reply: str) -> bytes:
    head, _, data = reply.encode("latin-1").partition(b";")
    content = unescape(data)
    assert int(head[1:], 16) == len(content)
    return content


def test_a_broken_connection_leaves_the_server_waiting(served: Served) -> None:
    first = Client(served.port)
    assert first.ask("?").startswith("T05")
    first.link.sendall(b"$vCo")
    first.link.close()
    second = Client(served.port)
    second.link.sendall(b"garbage$m0,4#00")
    assert second.link.recv(1) == b"-", "a bad checksum is refused"
    assert second.ask("?").startswith("T05")
    second.link.close()
    third = Client(served.port)
    assert third.ask("qC") == "QC64"
    assert third.ask("QStartNoAckMode") == "OK"
    third.link.sendall(b"$qC#00")
    assert third.reply() == "QC64", "checksums don't matter any more"


@pytest.mark.parametrize(("engine", "kind"), [("reference", DebugEngine), ("fast", FastDebugEngine)])
def test_the_engine_is_the_one_that_was_asked_for(folder: Path, engine: str, kind: type[DebugEngine]) -> None:
    option = f"--engine={engine}"
    board = ["--boot", option, "--board", "morello", "--console", "none", str(folder / "board.elf")]
    for arguments in ([option, str(folder / "walk")], board):
        _, debugger = debugger_of(["0", *arguments])
        debugger.start()
        assert type(debugger.task.engine) is kind
        debugger.close()
    assert parser().get_default("engine") == debug_parser().get_default("engine")


def test_wrong_options(run_morello: RunMorello) -> None:
    for arguments, reason in (
        (("nothing", "walk"), "not [HOST:]PORT"),
        (("99999", "walk"), "not [HOST:]PORT"),
        (("0", "does-not-exist"), "does not exist"),
        (("0", "--boot", "does-not-exist"), "does-not-exist"),
        (("0", "--root", ".", "--boot", "walk"), "--boot"),
        (("203.0.113.1:9", "images/iwasm"), "can't listen on 203.0.113.1:9"),
    ):
        done = run_morello("gdbserver", *arguments)
        assert reason in done.stderr and done.stderr.count("\n") == 1
        assert done.returncode in (125, 127)


# -- random bytes --------------------------------------------------------------------------------------------

WORDS = (
    *(
        "g",
        "G",
        "p",
        "P",
        "m",
        "M",
        "X",
        "H",
        "T",
        "Z",
        "z",
        "v",
        "q",
        "Q",
        "?",
        "!",
        "R",
        "D",
        "k",
        "b",
        "bs",
    ),
    *(
        "vCont;",
        "vCont;r",
        "vCont;s:",
        "vFile:open:",
        "vFile:pread:",
        "vFile:fstat:",
        "vFile:close:",
        "vRun;",
    ),
    *("qXfer:features:read:target.xml:", "qXfer:capa:read:", "qXfer:capa:write:", "qXfer:siginfo:read::"),
    *("qXfer:libraries-svr4:read::", "qXfer:threads:read::", "qXfer:auxv:read::", "qMemTags:", "QMemTags:"),
    *("qRcmd,", "QPassSignals:", "qThreadExtraInfo,", "qSupported:", "Hg", "Hc", "bc", "s", "c", "C", "S"),
)
LETTERS = "0123456789abcdef,:;=-p.#$}*xXzZ \x00\xff\x03"


def _junk(rng: random.Random) -> bytes:
    """A packet that is wrong somewhere, framed or not."""
    if rng.random() < 0.2:
        data = rng.randbytes(rng.randrange(60))
    elif rng.random() < 0.3:
        address = rng.choice((FILL, OBJECT, 0, (1 << 64) - 1, 0x0123456789ABCDEF))
        size = rng.choice((0, 1, 4, 4096, 65536, 1 << 63))
        word = rng.choice(("m", "M", "X", "Z0,", "Z2,", "Z3,", "Z4,", "z0,", "qMemTags:", "vCont;r"))
        data = f"{word}{address:x},{size:x}{rng.choice(('', ':2', ':2:01', ':41', ':p64.64'))}".encode()
    elif rng.random() < 0.1:
        line = rng.choice(("x/999gc ", "tags ", "watch ", "print ", "info ", "relocs ", "disas ", "set "))
        line += "".join(rng.choice("0123456789abcx+-*/()[]`' ") for _ in range(rng.randrange(12)))
        data = b"qRcmd," + line.encode().hex().encode()
    else:
        tail = "".join(rng.choice(LETTERS) for _ in range(rng.randrange(14)))
        data = (rng.choice(WORDS) + tail).encode("latin-1")
    if rng.random() < 0.1:
        return data
    return b"$" + data + b"#" + (checksum(data) if rng.random() < 0.95 else b"zz")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_bytes_never_end_the_server(folder: Path, seed: int) -> None:
    rng = random.Random(seed)
    server = Served(folder, "0", "--max-instructions", "100000", "--root", ".", "./walk", "a", "b")
    try:
        link = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        for _ in range(400):
            try:
                link.sendall(_junk(rng))
                if rng.random() < 0.05:
                    raise ConnectionError
            except OSError:
                link.close()
                link = socket.create_connection(("127.0.0.1", server.port), timeout=60)
            link.setblocking(False)
            try:
                while link.recv(1 << 16):
                    pass
            except OSError:
                pass
            link.settimeout(60)
        link.close()
        client = Client(server.port)
        assert client.ask("?")[0] in "TWX"
        assert server.process.poll() is None
    finally:
        err = server.end()[1]
    assert "Traceback" not in err, err


def test_packets_are_found_in_noise() -> None:
    near, far = socket.socketpair()
    with near, far:
        connection = Connection(near)
        far.sendall(b"x" * 50_000 + b"+++$junk$?#3f-\x03$m0,4#00$g#67")
        assert connection.receive() == b"?"
        assert connection.receive() == b"\x03"
        assert connection.receive() == b"g"
        assert far.recv(10) == b"+-+"
        far.sendall(b"\x03")
        assert connection.interrupted() and not connection.interrupted()
        far.close()
        assert connection.interrupted(), "a lost connection is one"


def test_escapes() -> None:
    data = bytes(range(256))
    assert unescape(escape(data)) == data
    assert not set(escape(data)) & set(b"#$*")
    assert len(escape(data[: PACKET_SIZE // 2])) <= PACKET_SIZE


@pytest.mark.parametrize("text", ["", "-1", "0x1", "1_0", " 1", "1" * 17, "g", "１"])
def test_numbers_are_hexadecimal_digits(text: str) -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        hexadecimal(text)


def test_signal_numbers() -> None:
    assert [to_gdb(number) for number in (2, 7, 10, 11, 12, 31, 34, 64)] == [2, 10, 30, 11, 31, 12, 46, 78]
    numbers = [to_gdb(number) for number in range(1, 65)]
    assert sorted(n for n in numbers if n != UNKNOWN) == sorted({n for n in numbers if n != UNKNOWN})
    assert all(from_gdb(to_gdb(n)) == n for n in range(1, 65) if to_gdb(n) != UNKNOWN)
    assert from_gdb(UNKNOWN) is None and StopCause.LIBRARIES.value == "libraries"

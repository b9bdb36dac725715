"""WASI preview1 call by call, with direct host services and through the gate."""

from __future__ import annotations

import re
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import wasmtime

from tests.guest.wasm_native import SOURCES, build

BADF, EXIST, FAULT, ILSEQ, INVAL, ISDIR, LOOP = 8, 20, 21, 25, 28, 31, 32
NAMETOOLONG, NOENT, NOSYS, NOTDIR, NOTEMPTY, NOTSOCK, NOTCAPABLE = 37, 44, 52, 54, 55, 57, 76
READ, SEEK, TELL, WRITE, ALL = 1 << 1, 1 << 2, 1 << 5, 1 << 6, (1 << 28) - 1
CREAT, DIRECTORY, EXCL, TRUNC = 1, 2, 4, 8
LETTERS = {"i": "i32", "I": "i64"}


def rows() -> list[tuple[str, str, str]]:
    """Name, parameter and result letters of every call, from the runtime's own table."""
    text = (SOURCES / "wasi.c").read_text()
    pattern = r'(?:ROW\((\w+), |\{ "(\w+)", )"\((\w*)\)(\w*)"'
    return [(a or b, params, result) for a, b, params, result in re.findall(pattern, text)]


def wrapper_module() -> bytes:
    """A module which imports every WASI call and exports it again."""
    imports, functions = [], []
    for name, params, result in rows():
        types = " ".join(LETTERS[c] for c in params)
        signature = f"(param {types}) (result {' '.join(LETTERS[c] for c in result)})"
        gets = " ".join(f"(local.get {i})" for i in range(len(params)))
        imports.append(f'(import "wasi_snapshot_preview1" "{name}" (func ${name} {signature}))')
        functions.append(f'(func (export "{name}") {signature} (call ${name} {gets}))')
    return bytes(
        wasmtime.wat2wasm(f'(module {" ".join(imports)} (memory (export "memory") 2) {" ".join(functions)})')
    )


class Program:
    """A running driver; calls return the WASI errno."""

    PATH, PATH2, OUT, IOV, BUFFER = 0x100, 0x1200, 0x2400, 0x2500, 0x3000

    def __init__(self, module: Path, folder: Path, *options: str) -> None:
        command = [str(build("script_main.c")), *options, str(module), f"/sandbox::{folder}"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.line() == "ok"

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def send(self, text: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        return self.line()

    def call(self, name: str, *values: int) -> int:
        word, _, tail = self.send(
            f"call {name} {' '.join(f'{v & (2**64 - 1):x}' for v in values)}"
        ).partition(" ")
        assert word == "ok", tail
        return int(tail, 16)

    def write(self, address: int, data: bytes) -> None:
        assert self.send(f"write {address:x} {data.hex()}") == "ok"

    def read(self, address: int, length: int) -> bytes:
        return bytes.fromhex(self.send(f"read {address:x} {length:x}")[3:])

    def u32(self, address: int) -> int:
        return int(struct.unpack("<I", self.read(address, 4))[0])

    def u64(self, address: int) -> int:
        return int(struct.unpack("<Q", self.read(address, 8))[0])

    def path(self, text: str, at: int = PATH) -> tuple[int, int]:
        data = text.encode()
        if data:
            self.write(at, data)
        return at, len(data)

    def open(self, text: str, oflags: int = 0, rights: int = ALL, fd: int = 3, follow: int = 1, fdflags: int = 0,
             inheriting: int = ALL) -> int:  # fmt: skip
        """The new descriptor, or minus the errno."""
        error = self.call(
            "path_open", fd, follow, *self.path(text), oflags, rights, inheriting, fdflags, self.OUT
        )
        return -error if error else self.u32(self.OUT)

    def transfer(self, name: str, fd: int, parts: list[tuple[int, int]], *offset: int) -> int:
        """Bytes moved, or minus the errno."""
        self.write(self.IOV, b"".join(struct.pack("<II", *part) for part in parts))
        error = self.call(name, fd, self.IOV, len(parts), *offset, self.OUT)
        return -error if error else self.u32(self.OUT)

    def put(self, fd: int, data: bytes, *offset: int) -> int:
        self.write(self.BUFFER, data)
        return self.transfer("fd_pwrite" if offset else "fd_write", fd, [(self.BUFFER, len(data))], *offset)

    def get(self, fd: int, length: int, *offset: int) -> bytes | int:
        count = self.transfer("fd_pread" if offset else "fd_read", fd, [(self.BUFFER, length)], *offset)
        return count if count < 0 else self.read(self.BUFFER, count)

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(timeout=30) == 0  # no leak, no sanitizer report


@pytest.fixture(params=["direct", "gate"])
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Program]:
    (tmp_path / "module.wasm").write_bytes(wrapper_module())
    (tmp_path / "sandbox").mkdir()
    (tmp_path / "outside.txt").write_text("secret")
    options = ["--gate"] if request.param == "gate" else []
    running = Program(tmp_path / "module.wasm", tmp_path / "sandbox", *options)
    yield running
    running.close()


@pytest.fixture
def sandbox(tmp_path: Path) -> Path:
    return tmp_path / "sandbox"


def test_every_call_is_linked() -> None:
    names = [name for name, _, _ in rows()]
    assert len(names) == len(set(names)) == 46


def test_arguments_and_environment(program: Program) -> None:
    assert program.call("args_sizes_get", 0, 4) == 0
    assert (program.u32(0), program.u32(4)) == (3, 15)
    assert program.call("args_get", 0x10, 0x80) == 0
    assert program.read(0x80, 15) == b"program\0first\0\0"
    assert [program.u32(0x10 + 4 * i) for i in range(3)] == [0x80, 0x88, 0x8E]
    assert program.call("environ_sizes_get", 0, 4) == 0
    assert (program.u32(0), program.u32(4)) == (2, 17)
    assert program.call("environ_get", 0x10, 0x80) == 0
    assert program.read(0x80, 17) == b"KEY=value\0EMPTY=\0"
    assert program.call("args_get", 0x1FFFE, 0x80) == FAULT


def test_preopen(program: Program) -> None:
    assert program.call("fd_prestat_get", 3, 0) == 0
    assert (program.u32(0), program.u32(4)) == (0, 8)
    assert program.call("fd_prestat_dir_name", 3, 0x10, 8) == 0
    assert program.read(0x10, 8) == b"/sandbox"
    assert program.call("fd_prestat_dir_name", 3, 0x10, 7) == NAMETOOLONG
    assert program.call("fd_prestat_get", 4, 0) == BADF
    assert program.call("fd_prestat_get", 1, 0) == BADF
    assert program.call("fd_fdstat_get", 3, 0) == 0
    assert program.read(0, 1)[0] == 3
    assert program.call("fd_fdstat_get", 1, 0) == 0
    assert program.u64(8) & (SEEK | TELL) == 0


def test_file(program: Program, sandbox: Path) -> None:
    fd = program.open("file.txt", CREAT)
    assert fd == 4
    assert program.put(fd, b"hello, world") == 12
    assert program.call("fd_seek", fd, 7, 0, 0) == 0
    assert program.u64(0) == 7
    assert program.get(fd, 100) == b"world"
    assert program.call("fd_tell", fd, 0) == 0
    assert program.u64(0) == 12
    assert program.call("fd_seek", fd, -3, 2, 0) == 0
    assert program.get(fd, 100) == b"rld"
    assert program.call("fd_seek", fd, -30, 1, 0) == INVAL
    assert program.call("fd_seek", fd, 0, 3, 0) == INVAL
    assert program.put(fd, b"HELLO", 0) == 5
    assert program.get(fd, 5, 0) == b"HELLO"
    assert program.get(fd, 5, -1) == -INVAL
    program.write(program.BUFFER, b"abcdefgh")
    parts = [(program.BUFFER + 4, 4), (program.BUFFER, 0), (program.BUFFER, 4)]
    assert program.transfer("fd_pwrite", fd, parts, 2) == 8
    assert (sandbox / "file.txt").read_bytes() == b"HEefghabcdld"
    assert program.call("fd_filestat_get", fd, 0) == 0
    assert (program.read(16, 1)[0], program.u64(24), program.u64(32)) == (4, 1, 12)
    assert program.u64(8) == (sandbox / "file.txt").stat().st_ino
    assert program.u64(48) == (sandbox / "file.txt").stat().st_mtime_ns
    assert program.call("fd_filestat_set_size", fd, 4) == 0
    assert program.call("fd_allocate", fd, 0, 100) == 0
    assert (sandbox / "file.txt").stat().st_size == 100
    assert program.call("fd_advise", fd, 0, 10, 1) == 0
    assert program.call("fd_advise", fd, 0, 10, 6) == INVAL
    assert program.call("fd_sync", fd) == program.call("fd_datasync", fd) == 0
    assert program.call("fd_filestat_set_times", fd, 5_000_000_001, 7_000_000_002, 1 | 4) == 0
    assert (sandbox / "file.txt").stat().st_mtime_ns == 7_000_000_002
    assert program.call("fd_filestat_set_times", fd, 0, 0, 3) == INVAL
    assert program.call("fd_close", fd) == 0
    assert program.call("fd_close", fd) == BADF


def test_open_flags(program: Program, sandbox: Path) -> None:
    (sandbox / "there").write_text("0123456789")
    (sandbox / "folder").mkdir()
    assert program.open("missing") == -NOENT
    assert program.open("there", CREAT | EXCL) == -EXIST
    assert program.open("there", DIRECTORY) == -NOTDIR
    assert program.open("there/") == -NOTDIR
    assert program.open("folder", rights=READ | WRITE) == -ISDIR
    assert program.open("there", 16) == -INVAL
    fd = program.open("there", rights=READ)
    assert program.get(fd, 4) == b"0123"
    assert program.put(fd, b"x") == -NOTCAPABLE
    fd = program.open("there", TRUNC)
    assert (sandbox / "there").read_text() == ""
    append = program.open("there", fdflags=1)
    assert program.put(fd, b"ab") == 2
    assert program.put(append, b"cd") == 2
    assert (sandbox / "there").read_text() == "abcd"
    assert program.call("fd_fdstat_get", append, 0) == 0
    assert struct.unpack("<H", program.read(2, 2))[0] == 1
    assert program.call("fd_fdstat_set_flags", append, 0) == 0
    assert program.call("fd_fdstat_get", append, 0) == 0
    assert struct.unpack("<H", program.read(2, 2))[0] == 0


def test_rights(program: Program) -> None:
    fd = program.open("file", CREAT)
    assert program.call("fd_fdstat_set_rights", fd, READ | SEEK, 0) == 0
    assert program.put(fd, b"x") == -NOTCAPABLE
    assert program.call("fd_tell", fd, 0) == NOTCAPABLE
    assert program.call("fd_fdstat_set_rights", fd, READ | WRITE, 0) == NOTCAPABLE
    assert program.call("fd_fdstat_set_rights", 3, 1 << 13, READ) == 0  # of the directory: open, for reading
    assert program.open("file", rights=READ, inheriting=0) == 5
    assert program.open("file", rights=READ) == -NOTCAPABLE
    assert program.open("file", rights=READ | WRITE, inheriting=0) == -NOTCAPABLE
    assert program.open("new", CREAT, rights=READ, inheriting=0) == -NOTCAPABLE
    assert program.call("path_create_directory", 3, *program.path("d")) == NOTCAPABLE


def test_no_escape(program: Program, sandbox: Path) -> None:
    (sandbox / "a" / "b").mkdir(parents=True)
    (sandbox / "in.txt").write_text("inside")
    (sandbox / "absolute").symlink_to(sandbox.parent / "outside.txt")
    (sandbox / "up").symlink_to("../outside.txt")
    (sandbox / "a" / "upup").symlink_to("../../outside.txt")
    (sandbox / "a" / "rootdir").symlink_to("..")
    (sandbox / "parent").symlink_to("..")
    (sandbox / "loop").symlink_to("loop")
    (sandbox / "a" / "fine").symlink_to("../in.txt")
    (sandbox / "chain").symlink_to("a/fine")
    for path in ("../outside.txt", "/etc/passwd", "a/../../outside.txt", "absolute", "up", "a/upup", "parent/outside.txt",
                 "a/b/../../../outside.txt", "a/rootdir/../outside.txt", "..", "a/../..", "absolute/"):  # fmt: skip
        assert program.open(path, rights=READ) == -NOTCAPABLE, path
        assert program.call("path_filestat_get", 3, 1, *program.path(path), 0) == NOTCAPABLE, path
    assert program.open("loop", rights=READ) == -LOOP
    assert program.open("up", rights=READ, follow=0) == -LOOP
    for path in (
        "a/fine",
        "chain",
        "a/../in.txt",
        "./a/./b/.././../in.txt",
        "a/rootdir/in.txt",
        "a//b///../fine",
    ):
        fd = program.open(path, rights=READ)
        assert program.get(fd, 100) == b"inside", path
    inner = program.open("a", rights=READ)
    assert program.open("../in.txt", fd=inner, rights=READ) == -NOTCAPABLE
    assert program.open("fine", fd=inner, rights=READ) == -NOTCAPABLE
    assert program.open("in.txt/x", rights=READ) == -NOTDIR
    assert program.open("", rights=READ) == -NOENT
    assert program.open("in\0txt", rights=READ) == -ILSEQ
    assert program.open("x" * 300, rights=READ) == -NAMETOOLONG
    assert (
        program.call("path_symlink", *program.path("/etc"), 3, *program.path("l", Program.PATH2))
        == NOTCAPABLE
    )
    assert program.call("path_unlink_file", 3, *program.path("../outside.txt")) == NOTCAPABLE
    two = (*program.path("in.txt"), 3, *program.path("../moved", Program.PATH2))
    assert program.call("path_rename", 3, *two) == NOTCAPABLE
    assert program.call("path_link", 3, 0, *two) == NOTCAPABLE
    assert (sandbox.parent / "outside.txt").read_text() == "secret"


def test_paths(program: Program, sandbox: Path) -> None:
    second = Program.PATH2
    assert program.call("path_create_directory", 3, *program.path("d")) == 0
    assert program.call("path_create_directory", 3, *program.path("d/e/")) == 0
    assert program.call("path_create_directory", 3, *program.path("d")) == EXIST
    assert program.call("path_remove_directory", 3, *program.path("d")) == NOTEMPTY
    assert program.call("path_remove_directory", 3, *program.path("d/e")) == 0
    (sandbox / "f").write_text("content")
    assert program.call("path_link", 3, 0, *program.path("f"), 3, *program.path("d/g", second)) == 0
    assert program.call("path_filestat_get", 3, 0, *program.path("d/g"), 0) == 0
    assert (program.read(16, 1)[0], program.u64(24), program.u64(32)) == (4, 2, 7)
    assert program.call("path_filestat_get", 3, 0, *program.path("f/"), 0) == NOTDIR
    assert program.call("path_rename", 3, *program.path("d/g"), 3, *program.path("h", second)) == 0
    assert sorted(path.name for path in sandbox.iterdir()) == ["d", "f", "h"]
    assert program.call("path_symlink", *program.path("f"), 3, *program.path("link", second)) == 0
    assert (sandbox / "link").readlink() == Path("f")
    assert program.call("path_readlink", 3, *program.path("link"), Program.BUFFER, 10, 0) == 0
    assert program.read(Program.BUFFER, program.u32(0)) == b"f"
    assert program.call("path_readlink", 3, *program.path("f"), Program.BUFFER, 10, 0) == INVAL
    assert program.call("path_filestat_get", 3, 0, *program.path("link"), 0) == 0
    assert program.read(16, 1)[0] == 7
    assert program.call("path_filestat_get", 3, 1, *program.path("link"), 0) == 0
    assert program.read(16, 1)[0] == 4
    assert program.call("path_filestat_set_times", 3, 0, *program.path("h"), 0, 3_000_000_000, 4) == 0
    assert (sandbox / "h").stat().st_mtime == 3
    assert program.call("path_unlink_file", 3, *program.path("link")) == 0
    assert program.call("path_unlink_file", 3, *program.path("d")) in (ISDIR, 63)
    assert program.call("path_unlink_file", 3, *program.path("d/")) == ISDIR
    assert program.call("path_unlink_file", 3, *program.path("nothing")) == NOENT
    assert program.call("path_create_directory", 1, *program.path("x")) == NOTCAPABLE


def test_readdir(program: Program, sandbox: Path) -> None:
    names = [f"entry{i:02}" for i in range(40)]
    for name in names:
        (sandbox / name).write_text("")
    (sandbox / "sub").mkdir()
    found: dict[str, int] = {}
    cookie = 0
    while True:
        assert program.call("fd_readdir", 3, Program.BUFFER, 300, cookie, 0) == 0
        used = program.u32(0)
        data, at = program.read(Program.BUFFER, used), 0
        while at + 24 <= used:
            following, _, length, kind = struct.unpack_from("<QQIB", data, at)
            if at + 24 + length > used:
                break
            found[data[at + 24 : at + 24 + length].decode()] = kind
            cookie, at = following, at + 24 + length
        if used < 300:
            break
    assert found == {**dict.fromkeys(names, 4), "sub": 3, ".": 3, "..": 3}
    assert program.call("fd_readdir", program.open("entry00"), Program.BUFFER, 300, 0, 0) == NOTCAPABLE


def test_renumber(program: Program) -> None:
    first, second = program.open("one", CREAT), program.open("two", CREAT)
    program.put(first, b"1")
    assert program.call("fd_renumber", first, second) == 0
    assert program.call("fd_close", first) == BADF
    assert program.get(second, 1, 0) == b"1"
    assert program.call("fd_renumber", second, 50) == BADF


def test_clock_random_poll(program: Program) -> None:
    assert program.call("clock_res_get", 1, 0) == 0
    assert program.u64(0) > 0
    assert program.call("clock_time_get", 1, 0, 0) == 0
    before = program.u64(0)
    relative = struct.pack("<QB7xI4xQQH6x", 0xABCD, 0, 1, 20_000_000, 0, 0)
    writable = struct.pack("<QB7xI28x", 0x1234, 2, program.open("file", CREAT))
    program.write(0x100, relative)
    assert program.call("poll_oneoff", 0x100, 0x200, 1, 0) == 0
    assert (program.u32(0), program.u64(0x200), program.read(0x208, 3)) == (1, 0xABCD, b"\0\0\0")
    assert program.call("clock_time_get", 1, 0, 0) == 0
    assert program.u64(0) - before >= 20_000_000
    program.write(0x100, relative + writable)
    assert program.call("poll_oneoff", 0x100, 0x200, 2, 0) == 0
    assert (program.u32(0), program.u64(0x200), program.read(0x20A, 1)) == (1, 0x1234, b"\2")
    assert program.call("poll_oneoff", 0x100, 0x200, 0, 0) == INVAL
    assert program.call("clock_time_get", 9, 0, 0) == INVAL
    assert program.call("random_get", 0x100, 32) == 0
    first = program.read(0x100, 32)
    assert program.call("random_get", 0x100, 32) == 0
    assert first != program.read(0x100, 32)
    assert program.call("sched_yield") == 0
    assert program.call("proc_raise", 6) == NOSYS
    assert program.call("sock_shutdown", 1, 0) == NOTSOCK
    assert program.call("sock_shutdown", 77, 0) == BADF


def test_bad_pointers(program: Program) -> None:
    end = 0x20000
    assert program.transfer("fd_write", 1, [(end - 1, 2)]) == -FAULT
    assert program.call("fd_write", 1, end - 4, 1, 0) == FAULT
    assert program.call("fd_write", 1, 0, 0x20000000, 0) == FAULT
    assert program.call("random_get", end - 3, 4) == FAULT
    assert program.call("clock_time_get", 0, 0, end - 7) == FAULT
    assert program.call("path_open", 3, 0, end - 1, 2, 0, 0, 0, 0, 0) == FAULT
    assert program.call("fd_readdir", 3, 0xFFFFFFFF, 2, 0, 0) == FAULT
    assert program.call("poll_oneoff", 0, end - 10, 1, 0) == FAULT

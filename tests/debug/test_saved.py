"""Saved machines: they go on elsewhere, and a wrong file is one sentence."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulator.debug import CommandError, Request, boot, debug, load
from emulator.debug.saved import MAGIC
from morello_isa.errors import UserError
from tests.debug.golden import REPOSITORY

IMAGES = REPOSITORY / "images"
_HEADER = struct.Struct("<16sIQQ32s")


@pytest.fixture
def saved(folder: Path, tmp_path: Path) -> Path:
    """`walk a b`, saved at its fault with breakpoints and a checkpoint, in a folder without its files."""
    with debug(str(folder / "walk"), "a", "b") as machine:
        machine.break_at("fill", count=2)
        machine.watch(machine.evaluate("csp"))
        machine.run()
        machine.debugger.add_checkpoint()
        assert machine.resume().fault is not None
        machine.save(str(tmp_path / "m"))
    return tmp_path / "m"


def _unpack(path: Path) -> tuple[dict[str, Any], bytes]:
    data = path.read_bytes()
    raw = zlib.decompress(data[_HEADER.size :])
    length = int.from_bytes(raw[:4], "little")
    return json.loads(raw[4 : 4 + length]), raw[4 + length :]


def _pack(path: Path, description: object, blobs: bytes, **header: object) -> None:
    """A file with a right checksum and whatever contents."""
    text = description if isinstance(description, bytes) else json.dumps(description).encode()
    raw = struct.pack("<I", len(text)) + text + blobs
    packed = zlib.compress(raw)
    fields = {
        "version": 1,
        "size": len(raw),
        "packed": len(packed),
        "digest": hashlib.sha256(packed).digest(),
    }
    fields |= header
    path.write_bytes(_HEADER.pack(MAGIC, *fields.values()) + packed)


def test_it_stands_where_it_stood(saved: Path, folder: Path) -> None:
    with debug(str(folder / "walk"), "a", "b") as first:
        first.run()
        with load(str(saved)) as machine:
            assert machine.explain() == first.explain()
            assert machine.position == first.position
            assert [machine.c[n] for n in range(32)] == [first.c[n] for n in range(32)]
            assert not machine.warnings
            assert [point.number for point in machine.debugger.points] == [1, 2]
            assert len(machine.debugger.checkpoints) == 1
            assert machine.rcontinue().text == "breakpoint 1"
            assert machine.resume().fault is not None
            assert machine.resume().status == 139


def test_it_can_be_saved_again(saved: Path, tmp_path: Path) -> None:
    with load(str(saved)) as machine:
        machine.rstepi(20)
        position = machine.position
        machine.save(str(tmp_path / "again"))
    saved.unlink()
    with load(str(tmp_path / "again")) as machine:
        assert machine.position == position
        assert machine.explain() == f"continued at instruction {position:,}"


def test_the_command_goes_on(
    saved: Path, run_morello: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = run_morello("debug", "--batch", "-ex", "info breakpoints", "-ex", "continue", saved)
    assert "stopped: capability bounds fault: strb w11" in done.stdout
    assert "break fill (0x2101b4) from hit 2 on  hits 2" in done.stdout
    assert done.stdout.endswith("stopped: killed by SIGSEGV\n")
    assert done.returncode == 0


def test_a_compartment_goes_on_in_another_folder(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    for name in ("iwasm", "libiwasm.so", "hello.wasm"):
        shutil.copy(IMAGES / name, there)
    command = [sys.executable, "-m", "emulator.cli.main", "debug", "--batch"]
    environment = dict(os.environ, PYTHONPATH=str(REPOSITORY))

    def run(folder: Path, *arguments: str) -> str:
        done = subprocess.run(
            [*command, *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        return done.stdout

    program = ("iwasm", "--wamr-lib=./libiwasm.so", "hello.wasm")
    stop = run(there, "-ex", "break wasm_runtime_instantiate", "-ex", "run", "-ex", "save m", *program)
    shutil.move(there / "m", tmp_path / "m")
    shutil.rmtree(there)
    out = run(tmp_path, "-ex", "backtrace", "-ex", "continue", "m")
    assert "stopped: breakpoint 1" in stop
    assert "libiwasm.so`CompartmentEntryPoint" in out
    assert "Hello from WebAssembly inside a Morello compartment\nstopped: exited with status 0\n" in out


def test_input_and_output_go_along(tmp_path: Path, folder: Path) -> None:
    command = [sys.executable, "-m", "emulator.cli.main", "debug", "--batch"]
    environment = dict(os.environ, PYTHONPATH=str(REPOSITORY))

    def run(text: str, *arguments: str) -> str:
        done = subprocess.run(
            [*command, *arguments],
            cwd=tmp_path,
            env=environment,
            input=text,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        return done.stdout

    board = ("--boot", "--board", "morello", str(folder / "board.elf"))
    first = run("Q", "-ex", "break leave", "-ex", "run", "-ex", "save m", *board)
    assert "hello\nQstopped: breakpoint 1" in first
    again = run("", "-ex", "rstepi 5", "-ex", "continue", "-ex", "continue", "m")
    assert "hello" not in again, "what was shown before isn't shown again"
    assert again.endswith(f"stopped: exited with status {ord('Q')}\n")


def test_files_of_the_guest_are_its_own(tmp_path: Path) -> None:
    source = tmp_path / "p.c"
    source.write_text(
        "#include <fcntl.h>\n#include <unistd.h>\n"
        'int main(void) { char c = 0; int fd = open("/d/f", O_RDWR); read(fd, &c, 1); c++;\n'
        "lseek(fd, 0, SEEK_SET); write(fd, &c, 1); return c; }\n"
    )
    from guest.cc.cli import main as cc

    assert cc(["-O1", "-o", str(tmp_path / "p"), str(source)]) == 0
    data = tmp_path / "d"
    data.mkdir()
    (data / "f").write_text("A")
    request = Request(str(tmp_path / "p"), directories=[(str(data), "/d")])
    with debug("p", request=request) as machine:
        machine.save(str(tmp_path / "m"))
        assert machine.resume().status == ord("B")
        with pytest.raises(CommandError, match="has changed files"):
            machine.rstepi()
    assert (data / "f").read_text() == "B"
    (data / "f").unlink()
    with load(str(tmp_path / "m")) as machine:
        assert machine.resume().status == ord("B"), "the file as it was"
        machine.rstepi(1000)
        assert machine.resume().status == ord("B"), "and again"
    assert not (data / "f").exists()


def test_a_program_that_has_changed_files_is_not_saved(tmp_path: Path) -> None:
    # What it started from is gone: another run would read what this one has written.
    source = tmp_path / "p.c"
    source.write_text(
        "#include <fcntl.h>\n#include <unistd.h>\n"
        'int main(void) { close(open("/d/f", O_RDWR | O_CREAT, 0644)); getpid(); return 0; }\n'
    )
    from guest.cc.cli import main as cc

    assert cc(["-O1", "-o", str(tmp_path / "p"), str(source)]) == 0
    (tmp_path / "d").mkdir()
    request = Request(str(tmp_path / "p"), directories=[(str(tmp_path / "d"), "/d")])
    with debug("p", request=request) as machine:
        machine.break_at("getpid")
        machine.resume()
        with pytest.raises(CommandError, match="changed files"):
            machine.save(str(tmp_path / "m"))
        machine.debugger.allow_repeat = True
        with pytest.raises(CommandError, match="what it started from is gone"):
            machine.save(str(tmp_path / "m"))


def test_a_board_goes_on(folder: Path, tmp_path: Path) -> None:
    image = tmp_path / "b.elf"
    shutil.copy(folder / "board.elf", image)
    with boot("--board", "morello", "--console", "none", str(image)) as machine:
        machine.break_at("echo")
        machine.run()
        machine.save(str(tmp_path / "m"))
        registers = [machine.c[n] for n in range(32)]
    image.unlink()
    with load(str(tmp_path / "m")) as machine:
        assert [machine.c[n] for n in range(32)] == registers
        assert machine.where(machine.pc) == "b.elf`echo"
        assert machine.resume().status == 0


def _changed(saved: Path, change: Callable[[dict[str, Any]], object], reason: str) -> None:
    description, blobs = _unpack(saved)
    change(description)
    _pack(saved, description, blobs)
    with pytest.raises(UserError, match=reason) as caught:
        load(str(saved))
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.update(kind="cat"), "holds a 'cat'"),
        (lambda d: d.pop("position"), "'position' is missing"),
        (lambda d: d.update(position=-1), "'position' is out of range"),
        (lambda d: d.update(position=True), "'position' is missing or of the wrong kind"),
        (lambda d: d.update(cause="boredom"), "boredom"),
        (lambda d: d.update(points=[{"kind": "pin", "number": 1, "enabled": True}]), "no kind of breakpoint"),
        (lambda d: d.update(points=3), "'points' is missing"),
        (lambda d: d.update(checkpoints=[[1]]), "not a list of pairs"),
        (lambda d: d.update(arguments=[3]), "not a list of strings"),
        (lambda d: d["options"].update(profile="old"), "old"),
        (lambda d: d["options"].update(strict_restricted="maybe"), "no way to refuse"),
        (lambda d: d["grants"][0].update(guest="/a/../b"), "is no path"),
        (lambda d: d["grants"][0]["tree"][0].update(path="x"), "no proper place"),
        (lambda d: d["grants"][0]["tree"][0].update(kind="link", target="/etc"), "no proper place"),
        (lambda d: d["grants"][0]["tree"][0].update(size=1 << 40), "contents are missing"),
        (lambda d: d["grants"][0].update(tree=[]), "is empty"),
        (lambda d: d["streams"].update(input=5), "contents are missing"),
        (lambda d: d["streams"].update(sizes=[5]), "another size than its pieces"),
        (lambda d: d["streams"].update(shown=[1]), "not a pair"),
        (lambda d: d["streams"]["kinds"][0].update(terminal=True), "an object is missing"),
        (
            lambda d: d["streams"]["kinds"][0].update(
                terminal={"numbers": [1], "characters": [1], "lines": 1, "columns": 1}
            ),
            "settings of a terminal are incomplete",
        ),
        (lambda d: d.update(place="/nowhere"), "does not exist"),
    ],
)
def test_a_wrong_description(saved: Path, change: Callable[[dict[str, Any]], object], reason: str) -> None:
    _changed(saved, change, reason)


@pytest.mark.parametrize(
    "tree",
    [
        [("", "directory"), ("..", "directory")],
        [("", "directory"), ("a/../../b", "file")],
        [("", "directory"), ("/etc/passwd", "file")],
        [("", "directory"), ("l", "link"), ("l/x", "file")],
        [("", "directory"), ("f", "file"), ("f", "file")],
        [("", "file"), ("f", "file")],
        [("", "directory"), ("", "directory")],
        [("", "directory"), ("p", "pipe")],
    ],
)
def test_trees_stay_inside(saved: Path, tree: list[tuple[str, str]]) -> None:
    rows = [
        {"path": path, "kind": kind, "mode": 0o700, "modified": 0, "target": "/", "size": 0}
        for path, kind in tree
    ]
    _changed(
        saved, lambda d: d["grants"].append({"guest": "/x", "writable": True, "tree": rows}), "proper place"
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: data[:20], "isn't a saved machine"),
        (lambda data: data[:-3], "bytes of contents instead of"),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "checksum is wrong"),
        (lambda data: data[:16] + b"\x02" + data[17:], "its format is 2, this version reads 1"),
        (lambda data: data[:20] + b"\xff" * 8 + data[28:], "too large"),
        (lambda data: data[:20] + b"\x01" + data[21:], "another size than it says"),
    ],
)
def test_a_damaged_file(
    saved: Path,
    change: Callable[[bytes], bytes],
    reason: str,
    run_morello: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    saved.write_bytes(change(saved.read_bytes()))
    done = run_morello("debug", "--batch", saved)
    assert reason in done.stderr and done.stderr.count("\n") == 1
    assert done.returncode == 125


def test_a_description_that_is_no_json(saved: Path) -> None:
    for text in (b"{", b"[" * 100_000, b"3", b"\xff\xfe"):
        _pack(saved, text, b"")
        with pytest.raises(UserError, match="no machine that can be continued"):
            load(str(saved))


def test_another_run_is_noticed(saved: Path) -> None:
    description, blobs = _unpack(saved)
    description["arguments"] = []
    _pack(saved, description, blobs)
    with load(str(saved)) as machine:
        assert machine.warnings == ["the run went another way than the saved one: the registers here differ"]

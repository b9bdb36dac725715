"""`morello boot`: options, exit statuses, bad inputs, device trees."""

from __future__ import annotations

import gzip
import os
import pty
import struct
import subprocess
import sys
import time
import tty
from pathlib import Path

import pytest

from emulator.board.boards import BOARDS
from emulator.board.fdt import BootInfo, board_tree, check_blob, to_blob
from emulator.cli.boot import EXIT_STUCK, EXIT_WATCHDOG
from emulator.cli.main import main
from guest.assembler.assembler import assemble_source
from loader.link.linker import link
from loader.link.options import LinkInput, LinkOptions
from morello_isa.errors import UserError
from tests.board.build import build_image
from tests.board.test_images import DEVICE_BOARDS

pytestmark = pytest.mark.usefixtures("both_engines")


def assemble(text: str, base: int = 0x4010_0000) -> bytes:
    """A linked image of a few lines of A64 assembly."""
    data = assemble_source(f".arch morello\n.globl _start\n_start:\n{text}\n", "t.S", c64=False)
    script = f"ENTRY(_start) SECTIONS {{ . = {base:#x}; .text : {{ *(.text) }} .data : {{ *(.data) }} }}"
    options = LinkOptions(static=True, board=True, script=script, script_name="t.ld")
    return link(options, [LinkInput("t.o", data)])


def boot(path: Path, *options: str) -> int:
    return main(["boot", *options, str(path)])


@pytest.fixture
def image(tmp_path: Path):
    def write(data: bytes, name: str = "image.elf") -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


QUIET = ("--console", "none")


def test_pass_and_fail_reach_the_exit_status(image, capfdbinary) -> None:
    path = image(build_image("sealed_pairs"))
    assert boot(path, "--board", "testboard") == 0
    assert capfdbinary.readouterr().out == b"OK\n"
    failing = build_image("sealed_pairs").replace(b"OK\n\x04", b"NO\n\x04")
    assert boot(image(failing), "--board", "testboard") == 1


def test_images_may_be_compressed(image) -> None:
    path = image(gzip.compress(build_image("sealed_pairs")), "image.elf.gz")
    assert boot(path, "--board", "testboard", *QUIET) == 0


def test_semihosting_exit_status(image) -> None:
    text = "adr x1, block\n mov w0, #0x18\n hlt #0xf000\n.balign 8\nblock: .quad 0x20026, 37"
    assert boot(image(assemble(text)), "--board", "virt", *QUIET) == 37


def test_limit_stuck_and_watchdog(image, capsys) -> None:
    loop = assemble("1: add x0, x0, #1\n b 1b")
    assert boot(image(loop), "--board", "virt", "--max-instructions", "10_000", *QUIET) == 124
    assert "10000 instructions" in capsys.readouterr().err
    assert boot(image(assemble("b .")), "--board", "virt", *QUIET) == EXIT_STUCK
    assert "endless loop" in capsys.readouterr().err
    assert boot(image(assemble("wfi")), "--board", "virt", *QUIET) == EXIT_STUCK
    assert "interrupt that can't come" in capsys.readouterr().err
    assert boot(image(assemble(".inst 0")), "--board", "virt", *QUIET) == EXIT_STUCK
    assert "taken again" in capsys.readouterr().err
    dog = "ldr x1, =0x0c001000\n mov w0, #100\n str w0, [x1, #8]\n mov w0, #1\n str w0, [x1]\n1: b 1b"
    text = dog.replace("1: b 1b", "1: nop\n b 1b")
    assert boot(image(assemble(text)), "--board", "virt", *QUIET) == EXIT_WATCHDOG


def test_unmapped_and_wrongly_sized_accesses_are_external_aborts(image, capsys) -> None:
    """The guest gets a synchronous external abort (DFSC 0x10); without a handler it is stuck."""
    for text in ("ldr x1, =0x10000000\n ldr x0, [x1]", "ldr x1, =0x09000000\n ldr x0, [x1]"):
        path = image(assemble(f"{text}\n"))
        assert boot(path, "--board", "virt", "--trace", "exc", *QUIET) == EXIT_STUCK
        assert "external abort at 0x4010000" in capsys.readouterr().err


BAD_FILES = [
    (b"", "is not an ELF file"),
    (b"\x7fELF", "broken ELF"),
    (b"hello world" * 10, "is not an ELF file"),
    (b"\x1f\x8b\x08broken", "damaged gzip"),
    (gzip.compress(b"x" * 5000, mtime=0)[:30], "ends early"),
]


@pytest.mark.parametrize(("data", "reason"), BAD_FILES)
def test_bad_files_are_told_in_one_line(image, capsys, data: bytes, reason: str) -> None:
    assert boot(image(data), "--board", "virt") == 126
    error = capsys.readouterr().err
    assert reason in error and len(error.strip().splitlines()) == 1


def test_missing_file_and_folder(tmp_path: Path, capsys) -> None:
    assert boot(tmp_path / "none", "--board", "virt") == 127
    assert boot(tmp_path, "--board", "virt") == 126
    assert "is a directory" in capsys.readouterr().err


def patch_segment(data: bytes, index: int, field: int, value: int) -> bytes:
    """Changes a 64-bit field of a program header (byte offset `field`)."""
    phoff = struct.unpack_from("<Q", data, 32)[0]
    place = phoff + 56 * index + field
    return data[:place] + struct.pack("<Q", value) + data[place + 8 :]


def test_segments_outside_ram_or_overlapping(image, capsys) -> None:
    good = assemble("nop\n.data\n.quad 1")
    assert boot(image(patch_segment(good, 0, 24, 0x1000_0000)), "--board", "virt") == 126
    assert "has no RAM" in capsys.readouterr().err
    outside = assemble("nop", base=0x1_0000_0000_0000 - 0x1000)
    assert boot(image(outside), "--board", "virt") == 126
    clash = build_image("fault_codes")
    first = struct.unpack_from("<Q", clash, struct.unpack_from("<Q", clash, 32)[0] + 24)[0]
    count = struct.unpack_from("<H", clash, 56)[0]
    assert count >= 2
    assert boot(image(patch_segment(clash, 1, 24, first)), "--board", "testboard") == 126
    assert "overlapping segments" in capsys.readouterr().err


WRONG_OPTIONS = [
    [],
    ["--board", "pc", "x"],
    ["--max-instructions", "many", "x"],
    ["--trace", "everything", "x"],
    ["--engine", "warp", "x"],
    ["--el", "4", "x"],
    ["--serial", "printer", "x"],
    ["a", "--kernel", "b"],
    ["--drive", "disk,fast", "--board", "virt", "x"],
]


@pytest.mark.parametrize("options", WRONG_OPTIONS)
def test_wrong_options_exit_125(options: list[str], capsys) -> None:
    try:
        status = main(["boot", *options])
    except SystemExit as caught:
        status = caught.code
    assert status == 125
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_disk_images(image, tmp_path: Path, capsys) -> None:
    definitions = DEVICE_BOARDS["virt"]
    path = image(build_image("virtio", definitions["BASE"], tuple(definitions.items())))
    disk = image(bytes(512) + b"1-MORELLO" + bytes(503) + bytes(1024), "disk")
    assert boot(path, "--board", "virt", "--el", "1", "--drive", str(disk), *QUIET) == 0
    assert disk.read_bytes()[1024:1029] == b"CHANG"
    odd = image(b"x" * 100, "odd")
    assert boot(path, "--board", "virt", "--drive", str(odd)) == 125
    assert "not a multiple of 512" in capsys.readouterr().err
    assert boot(path, "--board", "virt", "--drive", str(tmp_path / "none")) == 127
    assert boot(path, "--board", "testboard", "--drive", str(disk)) == 125
    assert boot(path, "--board", "virt", "--el", "1", "--drive", f"{disk},readonly", *QUIET) == 1


def test_serial_to_a_file(image, tmp_path: Path) -> None:
    out = tmp_path / "log"
    path = image(build_image("sealed_pairs"))
    assert boot(path, "--board", "testboard", "--serial", f"file:{out}") == 0
    assert out.read_bytes() == b"OK\n"
    assert boot(path, "--serial", f"file:{tmp_path}/no/such") == 125


def test_trace_of_instructions(image, capsys) -> None:
    text = "adr x1, b\n mov w0, #0x18\n hlt #0xf000\n.balign 8\nb: .quad 0x20026, 0"
    assert boot(image(assemble(text)), "--board", "virt", "--trace", "isa", *QUIET) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("isa: EL2 A64 0x40100000") and "adr" in lines[0] and len(lines) == 3


def test_trace_of_system_registers(image, capsys) -> None:
    """Also registers without behaviour: each access with its value."""
    text = """
        mov x1, #0x77
        msr actlr_el2, x1
        mrs x2, actlr_el2
        mrs c3, DDC
        b .
    """
    boot(image(assemble(text)), "--board", "virt", "--trace", "sys", *QUIET)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("sys: EL2 A64 0x40100004 msr actlr_el2, x1 = 0x77")
    assert lines[1].endswith("mrs x2, actlr_el2 = 0x77")
    assert "mrs c3, DDC = 0x0 [0x0" in lines[2]


def test_reserved_identification_registers_read_as_zero(image) -> None:
    """S3_0_C0_C6_2 (a later ID register): software probes it, the answer is 0."""
    text = """
        mov x2, #9
        .inst 0xd5380642
        adr x1, block
        str x2, [x1, #8]
        mov w0, #0x18
        hlt #0xf000
        .balign 8
    block: .quad 0x20026, 7
    """
    assert boot(image(assemble(text)), "--board", "virt", "--el", "1", *QUIET) == 0


def test_dump_of_tags(image, tmp_path: Path) -> None:
    text = "mrs c1, DDC\n ldr x2, =0x40200000\n str c1, [x2, #16]\n b ."
    out = tmp_path / "tags"
    options = ("--board", "virt", "--dump-tags", str(out), *QUIET)
    assert boot(image(assemble(text)), *options) == EXIT_STUCK
    (line,) = out.read_text().splitlines()
    assert line.startswith("0x40200010 ffffc00000010005") and line.endswith("tagged")


# -- kernels and device trees -------------------------------------------------------------------------


@pytest.mark.parametrize("name", BOARDS)
def test_generated_trees_are_well_formed(name: str) -> None:
    board = BOARDS[name]
    blob = to_blob(board_tree(board, BootInfo("quiet", (1, 2)), [d.name for d in board.devices]))
    check_blob(blob, "tree")
    assert b"quiet\0" in blob and board.compatible[0].encode() in blob
    if board.gic:
        assert b"arm,gic-v3\0" in blob and b"arm,pl011\0" in blob


def test_generated_tree_compiles_with_dtc(tmp_path: Path) -> None:
    blob = to_blob(board_tree(BOARDS["virt"], BootInfo(), ["uart0", "rtc", "virtio-block"]))
    path = tmp_path / "t.dtb"
    path.write_bytes(blob)
    try:
        done = subprocess.run(
            ["dtc", "-I", "dtb", "-O", "dts", str(path)], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("no dtc here")
    assert done.returncode == 0 and "virtio_mmio" not in done.stderr and "uart@9000000" in done.stdout


def test_broken_trees_are_refused(image, capsys) -> None:
    blob = to_blob(board_tree(BOARDS["virt"], BootInfo(), []))
    kernel = image(assemble("b ."), "kernel")
    for data in (b"", b"not a tree" * 9, blob[:50], blob[:56] + b"\xff" * 40 + blob[96:]):
        path = image(data, "t.dtb")
        assert main(["boot", "--board", "virt", "--kernel", str(kernel), "--dtb", str(path)]) == 126
        assert "device tree" in capsys.readouterr().err


def test_kernel_gets_the_tree_the_initrd_and_the_command_line(image) -> None:
    """A raw kernel that checks X0 (device tree), EL2, and answers with its own exit status."""
    text = """
        ldr w1, [x0]
        ldr w2, =0xedfe0dd0
        cmp w1, w2
        b.ne bad
        mrs x1, currentel
        cmp x1, #8
        b.ne bad
        ldr x3, =0x84000008
        mov x0, x3
        smc #0
    bad: adr x1, block
        mov w0, #0x18
        hlt #0xf000
        .balign 8
    block: .quad 0x20026, 9
    """
    kernel = image(assemble(text), "kernel")
    initrd = image(b"INITRD" * 100, "initrd")
    common = ["boot", "--board", "virt", "--kernel", str(kernel), *QUIET]
    assert main([*common, "--initrd", str(initrd), "--append", "console=ttyAMA0"]) == 0


def test_kernel_image_header_decides_the_place(image, capsys) -> None:
    """The arm64 Image header: text_offset from the start of RAM; a senseless one is refused."""
    exit_code = assemble("adr x1, block\n mov w0, #0x18\n hlt #0xf000\n.balign 8\nblock: .quad 0x20026, 5")
    offset = struct.unpack_from("<Q", exit_code, struct.unpack_from("<Q", exit_code, 32)[0] + 8)[0]
    code = exit_code[offset : offset + 64]
    branch = (0x1400_0000 | 16).to_bytes(4, "little") + bytes(4)
    for text_offset, expected in ((0x20_0000, 5), (1 << 40, 126)):
        header = branch + struct.pack("<QQQ", text_offset, 4096, 0) + bytes(24) + b"ARM\x64" + bytes(4)
        path = image(header + code, "Image")
        assert main(["boot", "--board", "virt", "--kernel", str(path), *QUIET]) == expected
    assert "broken header" in capsys.readouterr().err


def test_dump_of_the_tree(image, tmp_path: Path) -> None:
    out = tmp_path / "out.dtb"
    kernel = image(assemble("b ."), "kernel")
    assert main(["boot", "--board", "morello", "--kernel", str(kernel), "--dump-dtb", str(out)]) == 0
    check_blob(out.read_bytes(), "out")
    with pytest.raises(UserError):
        check_blob(out.read_bytes()[:-20], "out")


# -- terminal -----------------------------------------------------------------------------------------


def test_ctrl_a_x_leaves(image) -> None:
    """On a terminal: characters reach the UART, Ctrl-A x ends the run with status 0."""
    text = """
        ldr x1, =0x09000000
    1:  ldr w2, [x1, #0x18]
        tbnz w2, #4, 1b
        ldr w2, [x1]
        str w2, [x1]
        b 1b
    """
    path = image(assemble(text))
    leader, follower = pty.openpty()
    tty.setraw(follower)
    command = [sys.executable, "-m", "emulator.cli.main", "boot", "--board", "virt", str(path)]
    process = subprocess.Popen(command, stdin=follower, stdout=follower, stderr=subprocess.DEVNULL)
    os.close(follower)
    os.write(leader, b"hi")
    seen = b""
    deadline = time.monotonic() + 60
    while b"hi" not in seen and time.monotonic() < deadline:
        seen += os.read(leader, 100)
    os.write(leader, b"\x01x")
    assert process.wait(60) == 0
    os.close(leader)


def test_console_on_a_pseudo_terminal(image) -> None:
    """--serial pty: the name is told on stderr; whoever opens it talks to the UART."""
    definitions = DEVICE_BOARDS["virt"]
    path = image(build_image("uarts", definitions["BASE"], tuple(definitions.items())))
    command = [
        sys.executable,
        "-m",
        "emulator.cli.main",
        "boot",
        "--board",
        "virt",
        "--serial",
        "pty",
        str(path),
    ]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    name = process.stderr.readline().split()[-1]
    terminal = os.open(name, os.O_RDWR | os.O_NOCTTY)
    os.write(terminal, b"ping")
    time.sleep(0.3)  # a slow reader: the guest has ended meanwhile
    assert os.read(terminal, 100)[:1] == b"P"
    assert process.wait(60) == 0
    os.close(terminal)
    process.stderr.close()


def test_virtio_console_and_second_uart(image, tmp_path: Path) -> None:
    """The virtio console appears when it is connected; both UARTs have their own outlets."""
    definitions = DEVICE_BOARDS["virt"]
    path = image(build_image("uarts", definitions["BASE"], tuple(definitions.items())))
    first, second = tmp_path / "first", tmp_path / "second"
    command = [sys.executable, "-m", "emulator.cli.main", "boot", "--board", "virt"]
    command += ["--serial", "stdio", "--serial2", f"file:{second}", "--virtio-console", f"file:{first}"]
    done = subprocess.run([*command, str(path)], input=b"ping", capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, b"PINGOK\n"), done
    assert second.read_bytes() == b"second\n" and first.read_bytes() == b""

"""`morello gdbserver` with a real GDB. (Packets by hand: test_gdb_packets.py.)"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guest.assembler.assembler import assemble_source
from loader.link import cli as linker
from tests.debug.golden import HERE, REPOSITORY
from tests.debug.remote import ENGINES, Served, needs_gdb, run_gdb, run_machine_interface

RunMorello = Callable[..., "subprocess.CompletedProcess[str]"]
Serve = Callable[..., Served]
pytestmark = needs_gdb


@pytest.fixture
def serve() -> Iterator[Serve]:
    """`serve(folder, arguments…)`: a server that ends with the test."""
    running: list[Served] = []

    def start(folder: Path, *arguments: str) -> Served:
        running.append(Served(folder, "0", *arguments))
        return running[-1]

    yield start
    for server in running:
        server.end()


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory, run_morello: RunMorello) -> Path:
    """A folder with `list` and `events`, compiled, and `threads`."""
    folder = tmp_path_factory.mktemp("programs")
    for name in ("list", "events"):
        (folder / f"{name}.c").write_text((HERE / "program" / f"{name}.c").read_text())
        done = run_morello("cc", "-g", f"{name}.c", "-o", name, **_inside(folder))
        assert done.returncode == 0, done.stderr
    target = folder / "threads.o"
    target.write_bytes(assemble_source((HERE / "program" / "threads.S").read_text(), "threads.S", c64=True))
    assert linker.main([str(target), "-o", str(folder / "threads")]) == 0
    (folder / "threads").chmod(0o755)
    return folder


def _inside(folder: Path) -> dict[str, object]:
    """Settings of `run_morello` for another working directory."""
    return {"cwd": folder, "env": dict(os.environ, PYTHONPATH=str(REPOSITORY))}


def _contains(out: str, *wanted: str) -> None:
    """All texts, in this order."""
    at = 0
    for text in wanted:
        found = out.find(text, at)
        assert found >= 0, f"{text!r} is not in what follows:\n{out[at:]}\n--- all:\n{out}"
        at = found + len(text)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_real_gdb(serve: Serve, folder: Path, engine: str) -> None:
    out = run_gdb(
        folder,
        serve(folder, "--engine", engine, "--root", ".", "./walk", "a", "b").port,
        *("break *0x2101b4", "continue", "info registers pc x1 cpsr c0 tag_map cctlr sctlr_el1 ecsp"),
        *("x/1i $pc", "stepi", "stepi", "p/x $pc", "reverse-stepi", "p/x $pc", "x/2gx $x0"),
        *("set var $x5 = 77", "p $x5", "monitor print c0", "continue", "p $x1", "reverse-continue"),
        *("p $x1", "delete", "watch *(long*)0x40000048", "continue", "delete", "continue"),
        *("p $_siginfo.si_code", "reverse-stepi", "info threads", "info auxv", "info mem"),
        *("continue", "continue"),
        program="walk",
    )
    _contains(
        out,
        "Breakpoint 1, fill",
        "[ C64 EL=0 ]",
        "0xdc114000405000400000000040000040",
        "cctlr          0x80",
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
        "morello: capability bounds fault: strb w11, [c0, w10, sxtw]",
        "Program received signal SIGSEGV",
        "0x00000000002101c0",
        "$6 = 12",
        "Thread 100",
        "AT_PAGESZ",
        "0x0001000000000000 rw",
        "Program terminated with signal SIGSEGV",
    )
    assert "E01" not in out


def test_without_a_local_file(serve: Serve, programs: Path) -> None:
    """What GDB reads from the server has even symbols, call frames and pointers that it can show."""
    server = serve(programs, "./list")
    out = run_gdb(
        programs,
        server.port,
        *("break square", "continue", "backtrace", "up", "p *n", "p n->next->name", "delete", "finish"),
        *("next", "p list->value", "reverse-next", "backtrace", "p list->value"),
    )
    _contains(
        out,
        "Reading symbols from target:",
        "Breakpoint 1, square (x=9)",
        "#0  square (x=9)",
        "#1  0x",
        "in sum (n=0x",
        "#2  0x",
        "in main () at",
        "value = 3, next = 0x",
        '"even"',
        "main () at list.c:35",
        "$3 = 14",
        "35\t    list->value = total;",
        "#0  main () at list.c:35",
        "$4 = 3",
    )
    assert "Backtrace stopped" not in out and "error reading" not in out, out


@pytest.mark.parametrize("engine", ENGINES)
def test_watchpoints_in_both_directions(serve: Serve, programs: Path, engine: str) -> None:
    """List nodes are at 0x40001010, 0x40001050 and 0x40001090; their values are set, then read by `sum`."""
    out = run_gdb(
        programs,
        serve(programs, "--engine", engine, "./list").port,
        *("watch *(int*)0x40001090", "rwatch *(int*)0x40001050", "awatch *(int*)0x40001010", "continue"),
        *("backtrace 1", "continue", "continue", "continue", "backtrace 1", "continue", "backtrace 1"),
        *("reverse-continue", "reverse-continue", "reverse-continue", "delete", "continue"),
    )
    _contains(
        out,
        "Hardware access (read/write) watchpoint 3",
        "Value = 1\nmain () at list.c:30",
        "#0  main ()",
        "Hardware watchpoint 1",
        "New value = 3",
        "Hardware read watchpoint 2",
        "Value = 2",
        "Hardware access (read/write) watchpoint 3",
        "Value = 1\nsum (",
        "#0  sum",
        "Hardware watchpoint 1",
        "Old value = 3",
        "New value = 14",
        "Hardware watchpoint 1",
        "Old value = 14",
        "New value = 3",
        "Hardware access (read/write) watchpoint 3",
        "Hardware read watchpoint 2",
        "exited with code 016",
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_signals_children_and_execve(serve: Serve, programs: Path, engine: str) -> None:
    server = serve(programs, "--engine", engine, "./events", "./list")
    out = run_gdb(
        programs,
        server.port,
        *(
            "handle SIGCHLD nostop noprint",
            "break handler",
            "break child_work",
            "delete 1",
            "watch seen",
            "continue",
        ),
        *(
            "p $_siginfo.si_signo",
            "continue",
            "backtrace 1",
            "delete",
            "watch received[0]",
            "continue",
            "p received",
        ),
        *("delete", "continue"),
    )
    _contains(
        out,
        "Program received signal SIGUSR1",
        "$1 = 10",
        "Hardware watchpoint 3: seen",
        "New value = 10",
        "handler (number=10)",
        "Hardware watchpoint 4: received[0]",
        "New value = 97 'a'",
        '"abcd',
        "is executing new program",
        "exited with code 016",
    )
    assert "Breakpoint 2, child_work" not in out, "children run by themselves"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_dropped_signal(serve: Serve, programs: Path, engine: str) -> None:
    out = run_gdb(
        programs,
        serve(programs, "--engine", engine, "./events").port,
        *("handle SIGUSR1 nopass", "handle SIGCHLD nostop noprint", "continue", "continue"),
    )
    _contains(out, "Program received signal SIGUSR1", "exited with code 05")


@pytest.mark.parametrize("engine", ENGINES)
def test_threads(serve: Serve, programs: Path, engine: str) -> None:
    out = run_gdb(
        programs,
        serve(programs, "--engine", engine, "./threads").port,
        *("break second", "continue", "info threads", "p $x4", "stepi", "thread 1", "stepi", "info threads"),
        *("thread 2", "delete", "continue"),
    )
    _contains(
        out,
        'Thread 2 "threads" hit Breakpoint 1, 0x',
        "in second ()",
        "  1    Thread 100.100",
        "* 2    Thread 100.101",
        "[Switching to thread 1",
        "exited with code 050",
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_libraries_of_a_compartment(serve: Serve, tmp_path: Path, engine: str) -> None:
    images = REPOSITORY / "images"
    server = serve(
        tmp_path,
        "--engine",
        engine,
        str(images / "iwasm"),
        f"--wamr-lib={images / 'libiwasm.so'}",
        str(images / "hello.wasm"),
    )
    out = run_gdb(
        tmp_path,
        server.port,
        *("set breakpoint pending on", "break wasm_runtime_load", "continue", "info sharedlibrary"),
        *("backtrace 2", "monitor backtrace", "finish", "delete", "detach"),
    )
    _contains(
        out,
        "Breakpoint 1 (wasm_runtime_load) pending",
        "Breakpoint 1, 0x",
        "in wasm_runtime_load () from target:",
        "libiwasm.so",
        "#1  0x",
        "in CompartmentEntryPoint ()",
        "compartment boundary: Executive below",
        "in CompartmentEntryPoint ()",
        "detached",
    )
    assert server.process.stderr is not None
    assert server.process.stderr.readline() == "morello: the program exited with status 0\n"
    assert "Hello from WebAssembly" in server.end()[0]


def test_a_dynamic_program(serve: Serve, tmp_path: Path, run_morello: RunMorello) -> None:
    (tmp_path / "twice.c").write_text(
        "int counter;\nint twice(int x)\n{\n    counter++;\n    return 2 * x;\n}\n"
    )
    (tmp_path / "start.c").write_text(
        "int twice(int);\nvoid leave(int status);\nvoid _start(void)\n{\n    leave(twice(twice(3)));\n}\n"
    )
    (tmp_path / "leave.S").write_text(
        ".text\n.globl leave\n.type leave, %function\nleave:\n  mov x8, #94\n  svc #0\n"
    )
    library = run_morello("cc", "-g", "-shared", "-fPIC", "twice.c", "-o", "libtwice.so", **_inside(tmp_path))
    assert library.returncode == 0, library.stderr
    done = run_morello(
        *("cc", "-g", "-nostdlib", "-pie", "start.c", "leave.S", "-L.", "-ltwice", "-o", "start"),
        "-Wl,-dynamic-linker,/lib/ld-not-there.so",
        **_inside(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    out = run_gdb(
        tmp_path,
        serve(tmp_path, "--library-path", ".", "./start").port,
        *("break twice", "continue", "p counter", "backtrace", "continue", "p counter", "finish", "continue"),
    )
    _contains(
        out,
        "Breakpoint 1, twice (x=3) at twice.c",
        "#1  0x",
        "in _start () at start.c:5",
        "Breakpoint 1, twice (x=6)",
        "exited with code 014",
    )


def test_extended_remote(serve: Serve, programs: Path) -> None:
    port = serve(programs, "./list").port
    out = run_gdb(
        programs,
        port,
        *("disconnect", f"target extended-remote 127.0.0.1:{port}", "break sum", "continue", "delete"),
        *("continue", "break main", "run", "backtrace", "kill", "run", "info breakpoints", "detach"),
    )
    _contains(
        out,
        "Breakpoint 1, sum",
        "exited with code 016",
        "Breakpoint 2, main",
        "#0  main () at list.c",
        "killed",
        "Breakpoint 2, main",
        "detached",
    )
    assert "closed" not in out


@pytest.mark.parametrize("engine", ENGINES)
def test_a_board(serve: Serve, tmp_path: Path, run_morello: RunMorello, engine: str) -> None:
    """The example image at EL3: breakpoints, a fault's handler, back over an interrupt."""
    example = REPOSITORY / "guest" / "examples" / "baremetal"
    for name in ("start.S", "main.c"):
        (tmp_path / name).write_text((example / name).read_text())
    done = run_morello(
        *(
            "cc",
            "-g",
            "-O1",
            "-ffreestanding",
            "-nostdlib",
            "--board",
            "start.S",
            "main.c",
            "-o",
            "hello.elf",
        ),
        **_inside(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    server = serve(tmp_path, "--boot", "--engine", engine, "--board", "morello", "hello.elf")
    out = run_gdb(
        tmp_path,
        server.port,
        *("break main", "continue", "next", "info registers cpsr", "info threads", "break fault", "continue"),
        *("backtrace", "monitor info sysregs ESR_EL3", "watch interrupts", "reverse-continue", "delete"),
        "continue",
    )
    _contains(
        out,
        "Reading symbols from target:",
        "Breakpoint 1, main",
        "uart = device",
        "C64 ",
        "EL=3 ]",
        "(EL3, C64) main",
        "Breakpoint 2, fault",
        "#1  0x",
        "ESR_EL3            0x9600006a",
        "Old value = 1",
        "New value = 0",
        "in interrupt () at main.c",
        "exited normally",
    )
    written = server.end()[0]
    assert written.count("hello from the board") == 1, "what was shown isn't shown again"


def test_the_machine_interface(serve: Serve, programs: Path) -> None:
    """What VS Code's and Visual Studio's launch configurations in docs/debugging.md make GDB do."""
    port = serve(programs, "./list").port
    program = programs / "list"
    out = run_machine_interface(
        programs,
        f"""1-gdb-set mi-async off
2-enable-pretty-printing
3-file-exec-and-symbols {program}
4-target-select remote 127.0.0.1:{port}
5-file-exec-and-symbols target:{program}
6-break-insert -f square
7-exec-continue
8-thread-info
9-stack-list-frames 0 20
10-stack-select-frame 1
16-break-delete 1
11-var-create - * n
12-var-list-children --simple-values var1
13-exec-finish
14-exec-next --reverse
15-gdb-exit
""",
    )
    _contains(
        out,
        "2^done",
        "4^connected",
        "5^done",
        '6^done,bkpt={number="1"',
        'reason="breakpoint-hit"',
        'func="square",args=[{name="x",value="9"}]',
        "8^done,threads=[",
        'level="1",addr="0x',
        'func="sum"',
        'level="2"',
        'func="main"',
        '11^done,name="var1",numchild="3",value="0x',
        'exp="value",numchild="0",value="3"',
        'reason="function-finished"',
        'reason="end-stepping-range"',
        "15^exit",
    )

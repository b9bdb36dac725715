"""The fixture `morello` and its marker."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.plugin.conftest import Session, text_of


def test_nothing_heavy_is_imported_before_it_is_used() -> None:
    """The entry point is loaded in every pytest session of the environment, whatever it tests."""
    code = """
import sys
import emulator.testing.plugin
heavy = [m for m in sys.modules if m.startswith(("unicorn", "capstone", "keystone", "pcpp", "prompt_toolkit", "elftools",
         "emulator.linux", "emulator.board", "emulator.engine", "emulator.debug", "morello_isa", "loader", "guest"))]
assert heavy == [], heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_emulator_does_not_need_pytest() -> None:
    code = """
import sys
sys.modules["pytest"] = None
import emulator.cli.main, emulator.cli.run, emulator.cli.boot, emulator.linux.session
import emulator.testing
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_output_status_and_counters(session: Session) -> None:
    session("""
def test_it(morello):
    echo = morello.asm(ECHO)
    result = morello.run(echo, stdin="h\\u00fc\\n")
    assert (result.stdout, result.stderr, result.messages, result.status) == ("h\\u00fc\\n", "", "", 0)
    assert (result.signal, result.limited, result.fault, result.faults) == (None, False, None, ())
    assert (result.instructions, result.system_calls, result.crossings) == (13, 3, 0)
    assert morello.run(echo, stdin=b"\\xff").stdout == "\\\\xff"
    seven = morello.run(morello.asm(EXIT_7))
    assert (seven.status, seven.stdout_bytes, seven.instructions) == (7, b"", 3)
    assert morello.runs[0] is result and len(morello.runs) == 3
""").assert_outcomes(passed=1)


def test_arguments_files_and_folders(session: Session, pytester: pytest.Pytester) -> None:
    """What the guest sees doesn't depend on where the test is; nothing of the host is there unasked."""
    pytester.path.joinpath("data.txt").write_text("from the host")
    session(r'''
CAT = """
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    char text[100];
    printf("%s in %s:", argv[0], getcwd(text, sizeof text));
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "r");
        if (file == NULL || fgets(text, sizeof text, file) == NULL)
            strcpy(text, "nothing");
        printf(" %s=%s", argv[i], text);
    }
    FILE *file = fopen("out/made", "w");
    if (file == NULL || fputs("made", file) < 0)
        return 1;
    return 0;
}
"""

def test_it(morello, tmp_path):
    from pathlib import Path
    import os
    cat = morello.cc(CAT)
    host = Path("data.txt")
    result = morello.run(cat, host, "in", 5, os.path.abspath("data.txt"), files={"in": "given", "out/x": b""})
    absolute = os.path.abspath("data.txt")
    assert result.stdout == f"program in /work: /host/data.txt=from the host in=given 5=nothing {absolute}=nothing"
    assert result.read("out/made") == "made"
    with pytest.raises(Exception, match="the run left no file other"):
        result.read("other")
    other = tmp_path / "data.txt"
    other.write_text("another")
    result = morello.run(cat, host, other, name="cat", files={"out/x": ""})
    assert result.stdout == "cat in /work: /host/data.txt=from the host /host/1/data.txt=another"
    again = morello.run(cat, host, other, name="cat", files={"out/x": ""})
    assert again.instructions == result.instructions and again.folder != result.folder
    assert morello.run(cat, host).status == 1

def test_folders(morello, tmp_path):
    cat = morello.cc(CAT)
    (tmp_path / "f").write_text("in a folder")
    (tmp_path / "out").mkdir()
    result = morello.run(cat, "/data/f", dirs={"/data": tmp_path, "/work/out": tmp_path / "out"})
    assert result.stdout.endswith("/data/f=in a folder")
    assert (tmp_path / "out" / "made").read_text() == "made"
    rooted = morello.run(cat, "/f", root=tmp_path, files={"out/x": ""})
    assert rooted.stdout == "program in /work: /f=in a folder"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "tool").write_bytes(cat.read_bytes())
    (tmp_path / "bin" / "link").symlink_to("tool")
    linked = morello.run(tmp_path / "bin" / "link", "/f", root=tmp_path, files={"out/x": ""})
    assert linked.stdout == "/bin/link in /work: /f=in a folder"
''').assert_outcomes(passed=2)


def test_folders_of_runs_go_with_their_test(session: Session) -> None:
    session("""
FOLDERS = []
def test_there(morello):
    result = morello.run(morello.asm(EXIT_7), files={"a/b": "c"})
    FOLDERS.append(result.folder)
    assert result.read("a/b") == "c"

def test_gone():
    assert FOLDERS and not FOLDERS[0].exists()
""").assert_outcomes(passed=2)


def test_expected_faults(session: Session) -> None:
    session(r"""
def test_met(morello):
    program = morello.asm(OVERFLOW)
    with morello.faults("bounds", register="c1", symbol="store") as fault:
        morello.run(program)
    assert fault.value.signal == "SIGSEGV" and not fault.value.handled
    assert (fault.value.image, fault.value.file, fault.value.line, fault.value.restricted) == ("program", "", 0, False)
    assert fault.value.position == fault.result.instructions == 3
    found = fault.result.expect_fault("bounds", address=fault.value.address, restricted=False)
    assert found is fault.result.fault
    assert "are past the end by 8" in found.text and found.place == "store"

def test_line(morello):
    program = morello.cc("void fill(char *p) {\n  p[4] = 1;\n}\nint main(void) {\n  char b[4]; fill(b);\n  return 0;\n}\n")
    fault = morello.run(program).expect_fault("bounds", file="program.c", line=2)
    assert (fault.file, fault.place.split()[1]) == ("<text>/program.c", "(<text>/program.c:2)")

@pytest.mark.parametrize("wanted", [dict(kind="tag"), dict(register="c2"), dict(symbol="main"), dict(address=1),
                                    dict(line=8), dict(file="other.S"), dict(file="gram.S"), dict(restricted=True)])
def test_not_met(morello, wanted):
    with pytest.raises(AssertionError, match="expected .*; there was: capability bounds fault"):
        with morello.faults(**wanted):
            morello.run(morello.asm(OVERFLOW))

def test_none(morello):
    with pytest.raises(AssertionError, match="expected a bounds fault of c1 in store at line 3; there was no fault, "
                                             "the run ended with status 7"):
        morello.run(morello.asm(EXIT_7)).expect_fault("bounds", register="c1", symbol="store", line=3)
    with pytest.raises(AssertionError, match="nothing was run"):
        with morello.faults("bounds"):
            pass

def test_unknown_kind(morello):
    with pytest.raises(Exception, match="there is no kind of fault 'bound'; did you mean 'bounds'"):
        with morello.faults("bound"):
            pass

def test_before_the_end_of_the_block(morello):
    with morello.faults("bounds") as fault:
        with pytest.raises(Exception, match="after the block"):
            fault.value
        morello.run(morello.asm(OVERFLOW))

def test_an_exception_in_the_block_is_not_hidden(morello):
    with pytest.raises(ZeroDivisionError):
        with morello.faults("bounds"):
            1 / 0
""").assert_outcomes(passed=14)


def test_handled_faults(session: Session) -> None:
    """Faults that the guest's own handler took are there; the one that killed it counts first."""
    session(r'''
HANDLER = """
#include <signal.h>
#include <setjmp.h>
#include <stdlib.h>
static jmp_buf back;
static void caught(int number) { (void)number; longjmp(back, 1); }
__attribute__((noinline)) static void store(volatile char *p, int i) { p[i] = 1; }
__attribute__((noinline)) static void untagged(volatile long *p) { *p = 1; }
int main(int argc, char **argv)
{
    char *block = malloc(16);
    struct sigaction action = {.sa_handler = caught, .sa_flags = SA_NODEFER};
    sigaction(SIGSEGV, &action, NULL);
    if (!setjmp(back))
        store(block, 16);
    if (!setjmp(back))
        untagged((long *)0x1000);
    if (argc > 1) {
        signal(SIGSEGV, SIG_DFL);
        store(block, -1);
    }
    return 4;
}
"""

def test_it(morello):
    program = morello.cc(HANDLER)
    result = morello.run(program)
    assert (result.status, [f.kind for f in result.faults]) == (4, ["bounds", "tag"])
    assert all(f.handled for f in result.faults) and result.fault.kind == "tag"
    result.expect_fault("bounds", symbol="store")
    result.expect_fault("tag", symbol="untagged")
    killed = morello.run(program, "x")
    assert killed.fault.kind == "bounds" and not killed.fault.handled and killed.fault.ordinal == 3
    with pytest.raises(AssertionError):
        killed.expect_fault("tag")
''').assert_outcomes(passed=1)


def test_markers_and_limits(session: Session) -> None:
    session("""
pytestmark = pytest.mark.morello(max_instructions=1000, memory="64M")
LOOP = "again: b again\\n"

@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_a_guest_that_hangs_ends(morello, engine):
    result = morello.run(morello.asm(LOOP), engine=engine)
    assert (result.status, result.limited, result.instructions, result.signal) == (124, True, 1000, None)

@pytest.mark.morello(max_instructions=500)
def test_nearest_wins(morello):
    assert morello.settings.memory == 64 << 20
    assert morello.run(morello.asm(LOOP)).instructions == 500
    assert morello.run(morello.asm(LOOP), max_instructions="2_0").instructions == 20
    assert morello.run(morello.asm(LOOP), max_instructions=1).instructions == 1

@pytest.mark.morello(env={"A": "1"})
def test_environment(morello):
    program = morello.cc('''
        #include <stdio.h>
        #include <stdlib.h>
        int main(void) { printf("%s %s", getenv("A"), getenv("B")); return 0; }''')
    assert morello.run(program, env={"B": "2"}, max_instructions=100000).stdout == "1 2"

def test_wrong_options_of_calls(morello):
    for option, value in dict(abi="old", engine="warp", memory="1K", max_instructions=0, strict_restricted="x",
                              env=3, speed=1).items():
        with pytest.raises(Exception, match=f"morello.run: .*{option}"):
            morello.run(morello.asm(LOOP), **{option: value})
""").assert_outcomes(passed=5)


@pytest.mark.parametrize(
    ("marker", "sentence"),
    [
        ("abbi='full'", "@pytest.mark.morello: there is no option 'abbi'; did you mean 'abi'?"),
        ("abi='x'", "@pytest.mark.morello: abi = 'x' is not one of 'full', 'transitional', 'newer'"),
        ("'full'", "@pytest.mark.morello takes named options only, such as abi='full'"),
    ],
)
def test_wrong_markers_are_one_sentence(session: Session, marker: str, sentence: str) -> None:
    result = session(f"@pytest.mark.morello({marker})\ndef test_it(morello): pass")
    result.assert_outcomes(errors=1)
    assert sentence in result.outlines and "Traceback" not in text_of(result)


def test_engine_of_the_session(session: Session) -> None:
    python = """
def test_default(morello): assert morello.settings.engine == "fast"
@pytest.mark.morello(engine="reference")
def test_marker(morello): assert morello.settings.engine == "reference"
"""
    session(python, "--morello-engine=fast").assert_outcomes(passed=2)
    session(python, "-o", "morello_engine=fast").assert_outcomes(passed=2)
    wrong = session(python, "-o", "morello_memory=much")
    assert wrong.ret == pytest.ExitCode.USAGE_ERROR
    assert "the ini option: memory = 'much' is not a size from 16M to 256G" in text_of(wrong)


def test_what_cannot_be_run_is_one_sentence(session: Session) -> None:
    result = session("""
def test_missing(morello): morello.run("no-such-program")
def test_text(morello):
    morello.run(__file__)
def test_argument(morello):
    import pathlib
    morello.run(morello.asm(EXIT_7), pathlib.Path("missing"))
def test_source(morello): morello.cc("missing.c")
def test_compile(morello): morello.cc("int main(void) { return x; }\\n")
def test_outside(morello): morello.run(morello.asm(EXIT_7), files={"../x": ""})
""")
    result.assert_outcomes(failed=6)
    result.stdout.fnmatch_lines(
        [
            "E  *the program */no-such-program does not exist",
            "E  *test_inner.py is not an ELF file*",
            "E  *the argument */missing does not exist",
            "E  *there is no source file */missing.c (source text has a line break in it)",
            "E  *program.c does not compile:",
            "E  *program.c:1:25: error: *'x'*",
            "E  *the file '../x' is outside the run's folder",
        ]
    )
    assert "kernel.py" not in text_of(result) and "process.py" not in text_of(result)


def test_a_deadlock_is_a_result(session: Session) -> None:
    session(r'''
def test_it(morello):
    program = morello.cc("""
        #include <unistd.h>
        int main(void) { int ends[2]; char c; pipe(ends); return (int)read(ends[0], &c, 1); }""")
    result = morello.run(program)
    assert result.status == 125 and "deadlock" in result.messages
''').assert_outcomes(passed=1)


def test_endless_output_ends(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emulator.testing.process.OUTPUT_LIMIT", 1000)
    session(r"""
def test_it(morello):
    text = "again: mov x0, #1\n adr c1, again\n mov x2, #16\n mov x8, #64\n svc #0\n cmp x0, #16\n b.eq again\n"
    result = morello.run(morello.asm(text + "neg w0, w0\n mov x8, #94\n svc #0\n"))
    assert result.status == 27 and len(result.stdout_bytes) == 992
""").assert_outcomes(passed=1)


def test_compiled_once(session: Session, pytester: pytest.Pytester) -> None:
    """Same source, flags and headers: the same file. Anything else: another one."""
    pytester.path.joinpath("part.c").write_text('#include "value.h"\nint part(void) { return VALUE; }\n')
    session(r'''
from pathlib import Path
MAIN = "int part(void);\nint main(void) { return part(); }\n"

def test_it(morello, tmp_path):
    Path("value.h").write_text("#define VALUE 3\n")
    first = morello.cc(MAIN, "part.c")
    written = first.stat().st_mtime_ns
    assert morello.cc(MAIN, "part.c") == first and first.stat().st_mtime_ns == written
    assert morello.run(first).status == 3
    Path("value.h").write_text("#define VALUE 4\n")
    second = morello.cc(MAIN, "part.c")
    assert morello.run(second).status == 4 and morello.run(first).status == 3
    assert len({first, second, morello.cc(MAIN, "part.c", flags="-O1"), morello.cc(MAIN, "part.c", name="p")}) == 4
    (tmp_path / "value.h").write_text("#define VALUE 5\n")
    (tmp_path / "part.c").write_text(Path("part.c").read_text())
    assert morello.run(morello.cc(MAIN, tmp_path / "part.c")).status == 5
    with pytest.raises(Exception, match="-o can't be given"):
        morello.cc(MAIN, flags="-o x")

def test_file_name_and_module_shadowing(morello):
    """__FILE__ is the same in every session; a Python file beside the test is not imported by the compiler."""
    Path("string.py").write_text("raise SystemExit('imported')")
    program = morello.cc('#include <stdio.h>\nint main(void) { puts(__FILE__); return 0; }\n')
    assert morello.run(program).stdout == "<text>/program.c\n"
''').assert_outcomes(passed=2)


def test_boards(session: Session) -> None:
    session(r'''
EXIT = """
    adr c1, block
    gcvalue x1, c1
    mov w0, #0x18
    hlt #0xf000
    .balign 8
block: .quad 0x20026, 5
"""

def test_exit(morello):
    image = morello.asm(EXIT, flags="--board")
    result = morello.boot(image, board="morello", el=1)
    assert (result.status, result.limited, result.signal, result.stdout) == (5, False, None, "")

def test_limit_and_stuck(morello):
    image = morello.asm("add x0, x0, #1\n b _start\n", flags="--board")
    result = morello.boot(image, max_instructions=1000)
    assert (result.status, result.limited, result.instructions) == (124, True, 1000)
    stuck = morello.boot(morello.asm("b _start\n", flags="--board"))
    assert stuck.status == 122 and "endless loop" in stuck.messages

def test_wrong(morello):
    image = morello.asm(EXIT_7)
    with pytest.raises(Exception, match="there is no board 'pc'; there are"):
        morello.boot(image, board="pc")
    with pytest.raises(Exception, match="el = 4"):
        morello.boot(image, el=4)
    with pytest.raises(Exception, match="has no RAM"):
        morello.boot(image)

def test_echo(morello):
    text = """
        mrs c1, DDC
        mov x2, #0x2a400000
        scvalue c1, c1, x2
    1:  ldr w2, [c1, #0x18]
        tbnz w2, #4, 1b
        ldr w2, [c1]
        str w2, [c1]
        cmp w2, #'.'
        b.ne 1b
    """
    image = morello.asm(text + EXIT, flags="--board")
    first, second = (morello.boot(image, el=1, stdin="hello.rest") for _ in range(2))
    assert first.stdout == second.stdout == "hello." and first.instructions == second.instructions
''').assert_outcomes(passed=4)


def test_wasm(session: Session) -> None:
    session(r"""
@pytest.mark.parametrize("runtime", ["iwasm", "iwasm-plain"])
def test_it(morello, runtime):
    from emulator.images import image_path
    path = image_path("hello.wasm")
    by_path, by_bytes = morello.wasm(path, runtime=runtime), morello.wasm(path.read_bytes(), runtime=runtime)
    assert by_path.stdout == by_bytes.stdout == "Hello from WebAssembly inside a Morello compartment\n"
    assert (by_path.status, bool(by_path.crossings)) == (0, runtime == "iwasm")
    with_files = morello.wasm(path, runtime=runtime, files={"a": "b"}, iwasm_options=["--heap-size=4096"])
    assert (with_files.status, with_files.read("a")) == (0, "b")
    assert morello.wasm(b"", runtime=runtime).status == 255
    with pytest.raises(Exception, match="there is no runtime 'wasmer'"):
        morello.wasm(path, runtime="wasmer")
    with pytest.raises(Exception, match="the module .* does not exist"):
        morello.wasm("missing.wasm")
""").assert_outcomes(passed=2)

"""What a failed test shows: the decoded fault, the last instructions, the provenance."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Session, text_of

NARROWED = r'''
PROGRAM = """
#include <cheriintrin.h>
#include <stdio.h>
static char buffer[64];
__attribute__((noinline)) static void fill(char *p, int n)
{
    for (int i = 0; i < n; i++)
        p[i] = 'x';
}
int main(void)
{
    puts("before");
    fflush(stdout);
    fill(cheri_bounds_set(buffer, 16), 17);
    return 0;
}
"""
'''
EXPLAINED = [
    "*morello run 1*",
    "$ program",
    "the run was killed by SIGSEGV; * instructions, * system calls",
    "stdout:",
    "  before",
    "morello: capability bounds fault: strb *past the end by 1",
    "  SIGSEGV (SEGV_CAPBOUNDSERR) · C64, Executive · <text>/program.c:8*",
    "→    8          p[[]i] = 'x';",
    "backtrace:",
    "  #0  program`fill*program.c:8",
    "  #1  program`main*program.c:14",
    "last instructions:",
    "* fill+0x* cmp *",
    "→ * fill+0x* strb *",
    "where c*rwRW* came from:",
    "  ← scbnds*program`main*64 bytes → 16 bytes",
]


@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_a_fault_is_explained(session: Session, engine: str) -> None:
    python = (
        NARROWED
        + f"""
@pytest.mark.morello(engine="{engine}")
def test_it(morello):
    assert morello.run(morello.cc(PROGRAM)).status == 0
"""
    )
    result = session(python)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(EXPLAINED)


def test_a_fault_in_a_toml_case_is_explained(session: Session) -> None:
    source = NARROWED.split('"""')[1]
    result = session(toml=f"[case.x]\nsource = '''\n{source}'''\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["expected status 0; the run was killed by SIGSEGV", *EXPLAINED])


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (
            "char b[8]; char *p = b; p += 1l << 40; p -= 1l << 40; *p = 1;",
            ["where c* untagged came from:", "*add c*tag cleared", "*scbnds*"],
        ),
        (
            "long x = 0x1234; ((void (*)(void))x)();",
            ["→ *blr*", "pcc was made of numbers, not of a capability: *"],
        ),
        ("abort();", ["*was killed by SIGABRT*", "*#?  program`abort*", "→ * svc #0"]),
        (
            "if (fork() == 0) { char b[4]; volatile int i = 4; b[i] = 1; } wait(NULL); abort();",
            ["*SIGABRT*", "faults that the guest handled: 1*", "*program`abort*", "→ * svc #0"],
        ),
    ],
    ids=["tag", "number", "abort", "child"],
)
def test_other_ends(session: Session, body: str, lines: list[str]) -> None:
    result = session(f'''
SOURCE = """
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {{ {body} return 0; }}
"""
def test_it(morello):
    assert morello.run(morello.cc(SOURCE)).status == 0
''')
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(lines)


def test_a_hung_guest_shows_its_loop(session: Session) -> None:
    result = session("""
def test_it(morello):
    text = "mov x0, #1\\nagain:\\nadd x0, x0, #1\\nb again\\n"
    assert morello.run(morello.asm(text), max_instructions=1001).status == 0
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "the run was stopped after 1,001 instructions (max_instructions)*",
            "backtrace:",
            "  #0  program`again",
            "last instructions:",
            "* again+0x0  * add x0, x0, #1",
            "* again+0x4  * b 0x*",
        ]
    )
    assert text_of(result).count(" add x0, x0, #1") == 8


def test_only_the_failure_is_repeated(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that ended well, or faulted as expected, are told in short; passing tests cost nothing."""

    def never(*_: object) -> list[str]:
        raise AssertionError("repeated")

    monkeypatch.setattr("emulator.testing.replay.repeat", never)
    result = session("""
def test_passes(morello):
    morello.run(morello.asm(OVERFLOW))

def test_it(morello):
    morello.run(morello.asm(EXIT_7))
    with morello.faults("bounds"):
        morello.run(morello.asm(OVERFLOW))
    assert False
""")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["the run ended with status 7; 3 instructions*", "the run was killed by SIGSEGV; 3*"]
    )


@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_long_runs_are_repeated_without_provenance(session: Session, engine: str) -> None:
    python = """
def test_it(morello):
    text = "mov x5, #1000\\n1: subs x5, x5, #1\\nb.ne 1b\\nmov x6, #5\\n" + OVERFLOW
    assert morello.run(morello.asm(text)).status == 0
"""
    long = session(python, "--morello-replay=2003", f"--morello-engine={engine}")
    long.stdout.fnmatch_lines(
        [
            "*b.ne*",
            "* mov x6, #5",
            "* scbnds c1, csp, #16",
            "* bl *",
            "→ * store+0x0 * str x3, [[]c1, #16]",
            "(the provenance is missing: 2,005 instructions, --morello-replay allows 2,003)",
        ]
    )
    assert "came from:" not in text_of(long)
    short = session(None, "--morello-replay=2005", f"--morello-engine={engine}")
    short.stdout.fnmatch_lines(
        ["→ * store+0x0 * str x3, [[]c1, #16]", "where c1 = * came from:", "  ← scbnds c1, csp, #16*"]
    )
    never = text_of(session(None, "--morello-replay=0"))
    assert "are missing: --morello-replay=0)" in never and "last instructions:" not in never


def test_runs_that_changed_files_of_the_host_are_not_repeated(session: Session) -> None:
    result = session(r'''
def test_it(morello, tmp_path):
    program = morello.cc("""
        #include <stdio.h>
        int main(void) { char b[4]; volatile int i = 4; FILE *f = fopen("/data/log", "a"); fputs("x", f); fclose(f); b[i] = 1; return b[0]; }""")
    result = morello.run(program, dirs={"/data": tmp_path})
    assert (tmp_path / "log").read_text() == "y"
''')
    result.stdout.fnmatch_lines(["E  *assert 'x' == 'y'"])
    assert "provenance are missing: it changed files (openat)" in text_of(result)


def test_a_handled_fault_in_a_compartment(session: Session, pytester: pytest.Pytester) -> None:
    """The manager lives on; the report names the fault in the library and where its capability came from."""
    from tests.conftest import REPOSITORY

    result = session(f"""
GUEST = "{REPOSITORY}/guest/"
def test_it(morello):
    from emulator.images import image_path
    library = morello.cc(GUEST + "examples/faulty_compartment.c", GUEST + "compartment/entry.S", flags="-shared", name="libfaulty.so")
    assert morello.wasm(image_path("hello.wasm"), library=library).status == 0
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "the run ended with status 70; * compartment crossings",
            "faults that the guest handled: 1; the last: capability bounds fault: strb *libfaulty.so*",
            "→ *to[[]index] = 1;",
            "last instructions:",
            "→ * write_at* strb *",
            "where c0 = *came from:",
            "  ← *libfaulty.so`*",
        ]
    )


def test_boards(session: Session) -> None:
    result = session(r"""
def test_it(morello):
    image = morello.asm("mov x2, #3\n nop\nstop: b stop\n", flags="--board")
    assert morello.boot(image, el=1).status == 0
""")
    result.stdout.fnmatch_lines(
        [
            "$ program",
            "the run ended with status 122*",
            "morello boot: *endless loop*",
            "last instructions:",
            "* stop+0x0 * b 0x80000008",
        ]
    )


def test_a_fault_on_a_board(session: Session) -> None:
    """Without vectors the fault is taken again and again; the instructions before it are shown."""
    result = session(r"""
def test_it(morello):
    image = morello.asm("mrs c1, DDC\n scbnds c1, c1, #16\n str x2, [c1, #16]\n", flags="--board")
    assert morello.boot(image, el=1).status == 0
""")
    result.stdout.fnmatch_lines(
        [
            "faults that the guest handled: *; the last: capability tag fault: instruction fetch at 0x0*",
            "the first was: capability bounds fault: str x2, *",
            "last instructions before the bounds fault:",
            "*_start+0x8 * str x2, *",
            "where c1 = * came from:",
            "  ← scbnds c1, c1, #16 *_start+0x4 *→ 16 bytes",
            "  ← mrs c1, DDC *",
        ]
    )


def test_expected_failures_have_no_report(session: Session) -> None:
    result = session("""
@pytest.mark.xfail(strict=True)
def test_it(morello):
    assert morello.run(morello.asm(EXIT_7)).status == 0
""")
    result.assert_outcomes(xfailed=1)
    assert "morello run" not in text_of(result)


def test_output_is_cut(session: Session) -> None:
    result = session(r'''
def test_it(morello):
    program = morello.cc("""
        #include <stdio.h>
        int main(void) { for (int i = 0; i < 100; i++) printf("line %d\\n", i); return 1; }""")
    assert morello.run(program).status == 0
''')
    assert "stdout (the last 30 of 100 lines):" in text_of(result)
    assert "  line 99" in result.outlines and "  line 69" not in result.outlines

"""`*.morello.toml`: what is collected, what is expected, and how malformed files are told."""

from __future__ import annotations

import pytest

from emulator.testing.declarative import read_cases
from emulator.testing.settings import MorelloError
from emulator.testing.toml_lines import line_of
from tests.plugin.conftest import PREAMBLE, Session, text_of

PROGRAMS: dict[str, str] = {}
exec(PREAMBLE.replace("import pytest", ""), PROGRAMS)
EXIT_7, ECHO, OVERFLOW = (PROGRAMS[name] for name in ("EXIT_7", "ECHO", "OVERFLOW"))


def test_a_file_without_cases_is_one(session: Session) -> None:
    result = session(None, "-v", toml=f"assembly = '''{EXIT_7}'''\nexpect.status = 7\n", name="seven")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["seven.morello.toml::seven PASSED*"])


def test_defaults_variants_and_overriding(session: Session) -> None:
    result = session(
        None,
        "-v",
        toml=f"""
assembly = '''{ECHO}'''
stdin = "default"
expect.stdout = "default"
env = {{A = "1"}}

[case.default]
[case.other]
stdin = "other"
expect.stdout = "other"
[case.program]
assembly = '''{EXIT_7}'''
expect = {{status = 7, stdout = ""}}
[case.engines]
engine = ["reference", "fast"]
abi = ["full", "newer"]
expect.instructions = 13
expect.system-calls = "3..3"
""",
    )
    result.assert_outcomes(passed=7)
    result.stdout.fnmatch_lines(["*::engines[[]full-reference] PASSED*", "*::engines[[]newer-fast] PASSED*"])


def test_all_expectations_can_fail(session: Session) -> None:
    """A check that can't fail is none: each is met once and missed once."""
    rows = {
        "stdout": ('"a\\nb\\n"', '"a\\nc\\n"', "stdout differs:"),
        "stdout-contains": ('["a", "b"]', '["a", "z"]', "stdout has no 'z'"),
        "stdout-regex": ("'^b$'", "'^ab$'", "stdout has nothing like '^ab$'"),
        "stdout-lines": ("['.', 'b']", "['a', 'bb']", "stdout, line 2: expected 'bb', there is 'b'"),
        "stderr": ('""', '"x"', "stderr differs:"),
        "stderr-contains": ('""', '"x"', "stderr has no 'x'"),
        "stderr-regex": ('"^$"', '"x"', "stderr has nothing like 'x'"),
        "messages-contains": ('""', '"x"', "messages has no 'x'"),
        "status": ("0", "1", "expected status 1; the run ended with status 0"),
        "instructions": ('"10..20"', '"..12"', "instructions: expected at most 12, there were 13"),
        "crossings": ("0", '"1.."', "crossings: expected at least 1, there were 0"),
        "system-calls": ("3", '"4..5"', "system-calls: expected 4 to 5, there were 3"),
        "files": ('{in = "x"}', '{in = "y"}', "the file in differs:"),
        "signal": (None, '"SIGSEGV"', "expected SIGSEGV; the run ended with status 0"),
        "fault": (
            None,
            '"bounds"',
            "expected a bounds fault; there was no fault, the run ended with status 0",
        ),
        "snapshot": (None, "true", "there is no snapshot *; --morello-update writes it"),
    }
    text = f"assembly = '''{ECHO}'''\nstdin = \"a\\nb\\n\"\nfiles = {{in = \"x\"}}\n"
    good = sum(met is not None for met, _, _ in rows.values())
    for key, (met, missed, _) in rows.items():
        text += f"[case.bad-{key}]\nexpect.{key} = {missed}\n"
        text += f"[case.good-{key}]\nexpect.{key} = {met}\n" if met is not None else ""
    result = session(toml=text)
    result.assert_outcomes(passed=good, failed=len(rows))
    for _, _, message in rows.values():
        result.stdout.fnmatch_lines([message])
    assert "Traceback" not in text_of(result) and "collect.py" not in text_of(result)


def test_faults_and_signals(session: Session) -> None:
    result = session(
        toml=f"""
assembly = '''{OVERFLOW}'''
[case.kind]
expect.fault = "bounds"
[case.all]
expect.fault = {{kind = "bounds", register = "c1", symbol = "store", restricted = false}}
expect.signal = "SIGSEGV"
expect.status = 139
[case.wrong-register]
expect.fault = {{register = "c2"}}
[case.wrong-signal]
expect.signal = "SIGBUS"
expect.fault = "bounds"
[case.unexpected]
"""
    )
    result.assert_outcomes(passed=2, failed=3)
    result.stdout.fnmatch_lines(["expected a fault of c2; there was: capability bounds fault*"])
    result.stdout.fnmatch_lines(["expected SIGBUS; the run was killed by SIGSEGV"])
    result.stdout.fnmatch_lines(["expected status 0; the run was killed by SIGSEGV"])


def test_skip_xfail_requires_marks(session: Session) -> None:
    text = f"""
assembly = '''{EXIT_7}'''
[case.skipped]
skip = "not today"
[case.fails]
xfail = "known"
[case.passes-unexpectedly]
xfail = "known"
expect.status = 7
[case.missing]
requires = ["nowhere/file"]
[case.there]
requires = ["cases.morello.toml"]
expect.status = 7
[case.marked]
marks = ["special"]
expect.status = 7
"""
    result = session(None, "-rs", "-o", "markers=special: mine", toml=text)
    result.assert_outcomes(passed=2, failed=1, skipped=2, xfailed=1)
    result.stdout.fnmatch_lines(
        ["*[[]XPASS(strict)] known*", "SKIPPED*not today", "SKIPPED*nowhere/file is not there"]
    )
    chosen = session(None, "-m", "special", "-o", "markers=special: mine", toml=text)
    chosen.assert_outcomes(passed=1, deselected=5)


def test_snapshots(session: Session, pytester: pytest.Pytester) -> None:
    text = f"assembly = '''{ECHO}'''\nstdin = 'text'\n[case.x]\nengine = ['fast', 'reference']\nexpect.snapshot = true\n"
    session(None, "--morello-update", toml=text).assert_outcomes(passed=2)
    session(toml=text).assert_outcomes(passed=2)
    session(toml=text.replace("'text'", "'other'")).assert_outcomes(failed=2)
    folder = pytester.path / "__snapshots__" / "cases"
    assert sorted(path.name for path in folder.iterdir()) == ["x[fast].txt", "x[reference].txt"]


def test_sources_wasm_and_boards(session: Session, pytester: pytest.Pytester) -> None:
    from tests.conftest import REPOSITORY

    pytester.path.joinpath("cat.c").write_text(
        '#include <stdio.h>\nint main(int argc, char **argv) { puts(argv[1]); return fopen(argv[1], "r") == NULL; }\n'
    )
    baremetal = REPOSITORY / "guest/examples/baremetal"
    session(
        toml=f"""
[case.path]
source = "cat.c"
args = [{{path = "cat.c"}}, 5]
expect.stdout = "/host/cat.c\\n"
[case.wasm]
wasm = "{REPOSITORY}/images/hello.wasm"
runtime = ["iwasm", "iwasm-plain"]
iwasm-options = ["--heap-size=4096"]
expect.stdout-contains = "Hello"
[case.board]
source = ["{baremetal}/start.S", "{baremetal}/main.c"]
flags = [["-O0", "-ffreestanding", "-nostdlib"], ["-O2", "-ffreestanding", "-nostdlib"]]
board = "morello"
expect.stdout-contains = "capability fault 0x2a"
expect.fault = "bounds"
"""
    ).assert_outcomes(passed=5)


def test_compilation_errors_are_short(session: Session) -> None:
    result = session(toml="source = '''\nint main(void) { return x; }\n'''\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["program.c does not compile:", "program.c:1:*error: *"])
    assert ".py" not in text_of(result).split("FAILURES")[1]


MALFORMED = [
    ("x = = 1", "line 1, column 5: not TOML: *"),
    ("[case.a]\nprogram = 'x'\n[case.a]\n", "line 3, column *: not TOML: *"),
    ("", "1: nothing to run; one of program, source, assembly, wasm, image says what"),
    ("[case.a]\nprogram='x'\n\n[case.b]\nargs=[]", "4: nothing to run; *"),
    ("program = 3", "1: 'program' is not a text"),
    ("program = 'x'\nprogramm = 'y'", "2: there is no key 'programm'; did you mean 'program'?"),
    ("program = 'x'\n\nwasm = 'y'", "3: 'program' and 'wasm' can't both be run"),
    ("program = 'x'\nflags = '-O1'", "2: 'flags' means nothing with 'program'"),
    ("program = 'x'\nboard = 'virt'", "2: 'board' means nothing with 'program'"),
    ("image = 'x'\nargs = ['y']", "2: 'args' means nothing with 'image'"),
    ("image = 'x'\nroot = '/'", "2: 'root' means nothing with 'image'"),
    ("program = 'x'\nargs = 'y'", "2: 'args' is not a list"),
    ("program = 'x'\nargs = [{file = 'y'}]", "2: 'args' has something else than texts, numbers and *path = FILE*"),
    ("program = 'x'\nengine = 'warp'", "2: engine = 'warp' is not one of 'reference', 'fast'"),
    ("program = 'x'\nengine = ['fast', 'warp']", "2: engine = 'warp' is not one of 'reference', 'fast'"),
    ("program = 'x'\nmax-instructions = -1", "2: max-instructions = -1 is not a positive number"),
    ("program = 'x'\nmemory = '1T'", "2: memory = '1T' is not a size from 16M to 256G"),
    ("program = 'x'\n[env]\nA = 1", "2: env = *"),
    ("wasm = 'x'\nruntime = 'wasmer'", "2: there is no runtime 'wasmer'; there are iwasm, iwasm-plain"),
    ("program = 'x'\nexpect = 3", "2: 'expect' is not a table"),
    ("program = 'x'\n[expect]\nstats = 3", "3: there is no key 'stats'; did you mean 'status'?"),
    ("program = 'x'\nexpect.status = '0'", "2: 'status' is not a whole number"),
    ("program = 'x'\nexpect.status = true", "2: 'status' is not a whole number"),
    ("program = 'x'\nexpect.stdout-regex = '('", "2: 'stdout-regex' has a wrong regular expression '(': *"),
    ("program = 'x'\nexpect.instructions = '1-2'", "2: 'instructions' is neither a number nor a range *"),
    ("program = 'x'\nexpect.signal = 'SIGSEV'", "2: there is no signal 'SIGSEV'; did you mean 'SIGSEGV'?"),
    ("program = 'x'\nexpect.fault = 'bound'", "2: there is no kind of fault 'bound'; did you mean 'bounds'?"),
    ("program = 'x'\n[expect.fault]\nkind = 'tag'\nregistr = 'c0'", "4: there is no key 'registr'; did you mean 'register'?"),
    ("program = 'x'\nexpect = {fault = {line = 'x'}}", "2: 'line' is not a whole number"),
    ("program = 'x'\ncase = 3", "2: 'case' is not a table of cases, *"),
    ("program = 'x'\n[case]\na = 3", "3: the case 'a' is not a table"),
    ("program = 'x'\nfiles = {a = 1}", "2: 'files' is not a table of names and texts"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_files_are_one_sentence(tmp_path, text: str, message: str) -> None:
    from fnmatch import fnmatchcase

    path = tmp_path / "bad.morello.toml"
    path.write_text(text)
    with pytest.raises(MorelloError) as caught:
        read_cases(path)
    found = str(caught.value)
    separator = " " if message.startswith("line ") else ""
    assert fnmatchcase(found, f"{path}:{separator}{message}".replace("[", "[[]")), found
    assert "\n" not in found


def test_malformed_files_stop_the_session_without_a_traceback(
    session: Session, pytester: pytest.Pytester
) -> None:
    result = session(toml="program = 3\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"{pytester.path}/cases.morello.toml:1: 'program' is not a text"])
    assert "Traceback" not in text_of(result) and "declarative.py" not in text_of(result)
    pytester.path.joinpath("cases.morello.toml").write_bytes(b"program = '\xff'")
    session().stdout.fnmatch_lines(["*cases.morello.toml is not UTF-8 (byte 11)"])


def test_lines_of_keys() -> None:
    text = """
a = 1
b.c = '''
a = 2
d = 3'''
["case"."x y"]     # comment
"quoted key" = 1
inline = { k = 1 }
[[list]]
a = 1
"""
    assert [
        line_of(text, path)
        for path in (
            ("a",),
            ("b", "c"),
            ("d",),
            ("case", "x y"),
            ("case", "x y", "quoted key"),
            ("case", "x y", "inline", "k"),
            ("case", "x y", "missing"),
            ("list", "a"),
        )
    ] == [2, 3, 1, 6, 7, 8, 6, 10]

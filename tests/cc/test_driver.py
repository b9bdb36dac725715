"""`morello cc` as a command: stages, several inputs, libraries, dependency files, errors."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import chain

HERE = Path(__file__).parent


def cc(folder, *arguments, status=0):
    done = chain.morello("cc", *arguments, cwd=folder)
    assert done.returncode == status, done.stderr.decode()
    return done.stdout.decode(), done.stderr.decode()


def run(folder, program):
    done = chain.morello("run", program, cwd=folder)
    return done.stdout.decode(), done.returncode


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "main.c").write_text(
        '#include "part.h"\n#include <stdio.h>\n'
        'int main(void) { struct Pair p = { 3, "x" }; printf("%d %s\\n", total(p, 1.5), NAME); return 4; }\n'
    )
    (tmp_path / "part.h").write_text(
        "struct Pair { int n; const char *s; };\nint total(struct Pair, double);\n"
    )
    (tmp_path / "part.c").write_text(
        '#include "part.h"\nint helper(int);\n'
        "int total(struct Pair p, double d) { return helper(p.n) + (int)(d * 2) + *p.s; }\n"
    )
    (tmp_path / "helper.S").write_text(
        "#define FORTY 40\n.globl helper\n.type helper, %function\nhelper:\n add w0, w0, #FORTY\n ret c30\n"
    )
    return tmp_path


def test_several_inputs_to_a_program(folder):
    cc(folder, "-O1", '-DNAME="ok"', "main.c", "part.c", "helper.S", "-o", "program", "-lm")
    assert run(folder, "program") == ("166 ok\n", 4)


def test_stages_and_objects(folder):
    text, _ = cc(folder, "-E", "part.c")
    assert "struct Pair" in text and "#define" not in text
    cc(folder, "-S", "-O2", "part.c")
    assert "total:" in (folder / "part.s").read_text()
    cc(folder, "-c", "part.s", "-o", "part.o")
    cc(folder, "-c", "-MMD", "-MP", '-DNAME="n"', "main.c", "helper.S")
    assert "part.h" in (folder / "main.d").read_text() and "stdio.h" not in (folder / "main.d").read_text()
    cc(folder, "main.o", "part.o", "helper.o", "-o", "program")
    assert run(folder, "program") == ("166 n\n", 4)


def test_archive_and_library_search(folder):
    cc(folder, "-c", "part.c", "helper.S")
    assert chain.morello("ar", "rcs", "libpart.a", "part.o", "helper.o", cwd=folder).returncode == 0
    cc(folder, '-DNAME="lib"', "main.c", "-L.", "-lpart", "-o", "program")
    assert run(folder, "program")[1] == 4


def test_output_does_not_depend_on_the_folder(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("elsewhere")
    for name in ("part.c", "part.h"):
        (other / name).write_text((folder / name).read_text())
    cc(folder, "-O2", "-g", "-c", "part.c")
    cc(other, "-O2", "-g", "-c", "part.c")
    assert (folder / "part.o").read_bytes() == (other / "part.o").read_bytes()


def test_inline_assembly(tmp_path):
    for level in ("-O0", "-O2"):
        out, status, err = chain.run_emulated(tmp_path, (HERE / "inline_assembly.c").read_text(), level)
        assert (out, status) == (b"9\n5 -4 16 1 3 6 42 1 1\n", 0), err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no input files"),
        (["absent.c"], "absent.c can't be read"),
        (["--no-such-option", "x.c"], "there is no option '--no-such-option'"),
        (["-c", "part.c", "main.c", "-o", "x"], "-o cannot name the output of several inputs"),
        (["-x", "fortran", "part.c"], "there is no language 'fortran'"),
        (["-o"], "option -o needs a value"),
        (["-c", "part.c", "-o", "absent/x.o"], "absent/x.o can't be written"),
        (["part.c"], "undefined"),
    ],
)
def test_errors_are_one_sentence_and_status_one(folder, arguments, message):
    _, err = cc(folder, *arguments, status=1)
    assert message in err and "Traceback" not in err

"""What the compiler says about wrong programs: place, sentence, source line and caret."""

from __future__ import annotations

import pytest

from guest.cc.compile import compile_c
from guest.cc.errors import Diagnostics
from guest.cc.preprocess import PreprocessOptions


def messages(text, tmp_path, **options):
    path = tmp_path / "t.c"
    path.write_text(text)
    diagnostics = Diagnostics(**options)
    module, _ = compile_c(text, str(path), PreprocessOptions(), diagnostics)
    return [m.replace(str(path), "t.c") for m in diagnostics.messages], module


ERRORS = [
    ("int f(int a) { return b; }", "1:23: error: 'b' is not declared"),
    ("int f(int a) { return g(a); }", "1:23: error: the function 'g' is not declared"),
    ("int f(int a) { return a }", "1:25: error: expected ';' before '}'"),
    ("int f(int a) { a = ; }", "1:20: error: expected an expression before ';'"),
    ("int f(int a) { 5 = a; }", "1:16: error: this expression cannot be assigned to"),
    ("int f(const int a) { a = 1; }", "1:22: error: a 'const int' object cannot be assigned to"),
    ("int *f(long a) { return a; }", "makes a pointer from an integer without a cast"),
    ("int f(int *a) { return a; }", "makes an integer from a pointer without a cast"),
    ("struct S { int x; }; int f(struct S *s) { return s->y; }", "'struct S' has no member 'y'"),
    ("int f(struct T *s) { return s->y; }", "'struct T' is not defined here"),
    ("int g(int, int); int f(int a) { return g(a); }", "'g' takes 2 arguments, not 1"),
    ("int g(int, ...); int f(int a) { return g(); }", "'g' takes at least 1 argument, not 0"),
    ("int f(int a) { return *a; }", "'*' needs a pointer, not 'int'"),
    ("int f(float a) { return a % 2; }", "'%' cannot combine 'float' and 'int'"),
    ("int g(int); int g(long);", "'g' was declared as 'int (int)'"),
    ("int printf(const char *, ...); int printf(const char *);", "'printf' was declared as"),
    ("int f(int a) { int a[2]; { int b; int b; } return 0; }", "'b' is declared twice in this scope"),
    ("int f(int a) { return 0; } int f(int a) { return 1; }", "'f' is defined twice"),
    ("int f(int a) { goto x; }", "the label 'x' is not defined in this function"),
    ("int f(int a) { break; }", "'break' is outside of any loop or switch"),
    ("int f(int a) { switch (a) { case 1: case 1: ; } }", "the case 1 occurs twice in this switch"),
    ("int f(int a) { case 1: ; }", "'case' is outside of any switch"),
    ("int x = y_;", "'y_' is not declared"),
    ("int g(void); int x = g();", "the initialiser is not a constant expression"),
    ("long x = (long)&x;", "an address cannot be converted to an integer at compile time"),
    ("int a[-1];", "an array cannot have -1 elements"),
    ("struct S { int a; int a; };", "member 'a' is declared twice"),
    ("struct S { int a : 40; };", "a bit-field of 'int' cannot be 40 bits wide"),
    ("void f(void) { return 1; }", "returns void, this return has a value"),
    ("_Static_assert(sizeof(void *) == 8, \"small\");", "static assertion failed: small"),
    ("int f(int a) { return \"x\" + 1.5; }", "'+' cannot combine"),
    ("#error no way\n", "1:1: error: #error no way"),
    ("#include <nowhere.h>\n", "1:1: error: the file 'nowhere.h' was not found"),
    ("int f(int a) { return 09; }", "is not a number"),
    ("int f(int a) { return 'ab\n; }", "unexpected character"),
    ("int x; }", "expected a declaration before '}'"),
    ("int f(void) { va_list x; }", "1:15: error: 'va_list' is not a type"),
    ("static size_t x;", "1:8: error: 'size_t' is not a type"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), ERRORS, ids=[e[1][:40] for e in ERRORS])
def test_error(text, expected, tmp_path):
    found, module = messages(text, tmp_path)
    assert module is None
    assert any(expected in m for m in found), found


def test_layout_of_a_diagnostic(tmp_path):
    found, _ = messages("int f(void)\n{\n\treturn missing + 1;\n}\n", tmp_path)
    assert found == ["t.c:3:9: error: 'missing' is not declared\n    \treturn missing + 1;\n    \t       ^"]


def test_columns_do_not_count_what_macros_became(tmp_path):
    text = "#define LONGISH (1 + 2 + 3 + 4)\n#define BAD missing\nint f(int a) {\n  return LONGISH * b + BAD;\n}\n"
    found, _ = messages(text.replace(" + BAD", ""), tmp_path)
    assert found[0].split("\n")[0] == "t.c:4:20: error: 'b' is not declared"
    found, _ = messages(text.replace("* b", "* a"), tmp_path)
    assert found[0].split("\n")[0] == "t.c:4:24: error: 'missing' is not declared"


def test_every_statement_with_an_error_is_reported(tmp_path):
    found, _ = messages("int f(void) { a; b; return c; }\nint g(void) { return d; }", tmp_path)
    assert len(found) == 4


def test_warnings_and_werror(tmp_path):
    text = "char *f(int *p) { return p; }"
    found, module = messages(text, tmp_path)
    assert module is not None and "warning" in found[0] and "incompatible pointer types" in found[0]
    assert messages(text, tmp_path, quiet=True)[0] == []
    found, module = messages(text, tmp_path, warnings_are_errors=True)
    assert module is None and "error" in found[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("char *f(unsigned long a) { return (char *)a; }", "gives a pointer without a tag"),
        ("int g(int, ...); int (*f(void))(int) { return (int (*)(int))g; }", "arguments in different places"),
        ("void f(const char *a) { char *b = a; (void)b; }", "discards a qualifier"),
        ("int f(int *a, long *b) { return a == b; }", "are different pointer types"),
        ("int a[2] = { 1, 2, 3 };", "this initialiser is one too many"),
        ("int f(int a) { return; }", "'f' returns no value here"),
    ],
)
def test_warning(text, expected, tmp_path):
    found, module = messages(text, tmp_path)
    assert module is not None
    assert [expected in m and "warning" in m for m in found] == [True], found


def test_no_warning_for_usual_pointer_constants(tmp_path):
    text = "typedef __uintcap_t uintptr_t; char *f(uintptr_t a) { return a ? (char *)a : (char *)-1L; }"
    assert messages(text, tmp_path)[0] == []


def test_place_inside_an_include(tmp_path):
    (tmp_path / "h.h").write_text("\n\nint broken(;\n")
    found, _ = messages('#include "h.h"\n', tmp_path)
    assert "h.h:3:12: error: expected a parameter's type before ';'" in found[0]

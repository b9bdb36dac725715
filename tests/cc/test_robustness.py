"""Wrong input of any kind ends in diagnostics, never in a Python exception."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from guest.cc.compile import compile_c, compile_preprocessed
from guest.cc.errors import Diagnostics
from guest.cc.lexer import tokenize
from guest.cc.preprocess import PreprocessOptions, preprocess

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.c"))
TYPES = ["int", "long", "char", "short", "float", "double", "void", "_Bool", "unsigned"]
OPERATORS = [
    "+",
    "-",
    "*",
    "/",
    "%",
    "&",
    "|",
    "^",
    "<<",
    "<",
    "==",
    "&&",
    "||",
    "=",
    "+=",
    "-=",
    "->",
    ".",
    "?",
    ":",
]


def token_class(text):
    if text in TYPES:
        return "type"
    if re.match(r"[A-Za-z_]", text):
        return "word"
    return "number" if text[0].isdigit() else "operator" if text in OPERATORS else ""


def mutants(path, seed, count):
    """Texts of one program with a token or two replaced by others of their kind."""
    text, _ = preprocess(path.read_text(), str(path), PreprocessOptions(), Diagnostics())
    tokens = [t.text for t in tokenize(text, "t.c")[:-1]]
    kinds = {"type": TYPES, "operator": OPERATORS}
    for kind in ("word", "number"):
        kinds[kind] = [t for t in tokens if token_class(t) == kind]
    r = random.Random(seed)
    for _ in range(count):
        mutant = list(tokens)
        for _ in range(r.randint(1, 2)):
            place = r.randrange(len(mutant))
            kind = token_class(mutant[place])
            if kind:
                mutant[place] = r.choice(kinds[kind])
        yield " ".join(mutant)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_mutated_program(path):
    for text in mutants(path, 7, 25):
        diagnostics = Diagnostics()
        module = compile_preprocessed(text, "t.c", diagnostics)
        assert (module is None) == bool(diagnostics.errors)


@pytest.mark.parametrize(
    "text",
    [
        "#if\nint x;\n#endif\n", "#if (\n#endif\n", "#define\n", "#define 3\n", "#define f(\n", "#define f(a,,b) a\n",
        "#include\n", "#include \"\n", "#include <\n", "#ifdef\n#endif\n", "#ifndef\n#endif\n", "#undef\n", "#endif\n",
        "#else\n", "#elif 1\n", "#if 1\n", "#if 0\n#else\n#else\n#endif\n", "#define f(x) x\nint a = f(1;\n",
        "#define f(x) x\nint a = f(1,2);\n", "#line\n", "#pragma\n", "#\n", "#if 1/0\n#endif\n", "#if 1 +\n#endif\n",
        "#error\n", "#unknown\n", "\"open\n", "'\n", "/* open", "\\\n", "\x00", "\xff", "int a = 0x;", "int a = 1e;",
        "#define a a b\n#define b b a\nint a;", "#if defined(\n#endif\n", "#define f(...) __VA_ARGS__\nint a = f(;",
        "@", "int \u00e9;", "{", "}", "(", ")", ";", "int", "int a[", "struct", "enum {", "typedef", "\"\\q\"", "''",
        "int a = '\\xffffffffffff';", "int a:3;", "void f(void) { __asm__(", "__attribute__((", "_Static_assert(",
        "int f(int a, a) { }", "int f(a, b) int c; { return 0; }", "case 1:;", "struct { struct S s; } x;",
        "struct S { struct S s; };", "int a[sizeof(a)];", "int f(void) { return f; }", "void v; int x = v;",
        "int a[1000000000000]; ", "char a[3] = { [5] = 1 };", "int a = { 1, { 2 } };", "struct S; struct S s;",
        "void f(void) { int a[]; }", "int f(void) { return sizeof(struct Q); }", "int f(void) { ({ 1; }) = 2; }",
        "int f(void) { goto *3; }", "int *p = &3;", "int x = (int){ 3 };", "union { } u = { 1 };", "enum { A = B };",
        "int f(void) { return __builtin_va_arg(1, int); }", "int f(void) { return __builtin_clz(); }",
        "int f(void) { return __builtin_offsetof(int, x); }", "int f(void) { return _Generic(1, long: 2); }",
        "int f(int x) { switch (x) { case x: ; } }", "int f(int x) { return x.y; }", "int f(int x) { return x->y; }",
        "_Thread_local int x = 1; int *p = &x;", "int f(void) { int x; __asm__(\"\" : \"=m\"(x)); }",
        "int f(void) { __asm__(\"%[a]\" : : [b] \"r\"(1)); }", "int f(void) { int x; __asm__(\"\" : \"r\"(x)); }",
    ],
)  # fmt: skip
def test_malformed_text(text, tmp_path):
    path = tmp_path / "t.c"
    path.write_text(text)
    diagnostics = Diagnostics()
    module, _ = compile_c(text, str(path), PreprocessOptions(), diagnostics)
    assert (module is None) == bool(diagnostics.errors)
    assert all("\n" not in m.split("\n    ")[0] for m in diagnostics.messages)

"""Sizes, layout and argument places against the facts of the Morello procedure call standard."""

from __future__ import annotations

import pytest

from guest.cc import types as ct
from guest.cc.abi import Assigner, result_passing
from guest.cc.check import check
from guest.cc.compile import compile_c
from guest.cc.errors import Diagnostics
from guest.cc.ir import RegFile
from guest.cc.lexer import tokenize
from guest.cc.parse import parse
from guest.cc.preprocess import PreprocessOptions

PREAMBLE = """
typedef struct { void *p; } P1; typedef struct { void *p, *q; } P2; typedef struct { void *p; long n; } PL;
typedef struct { long n; void *p; } LP; typedef struct { void *p; long a, b; } PLL;
typedef struct { void *p, *q, *r; } P3; typedef struct { char c[3]; } C3; typedef struct { long a, b; } L2;
typedef struct { long a, b, c; } L3; typedef struct { float f[3]; } F3; typedef struct { double d[4]; } D4;
typedef struct { double d[5]; } D5; typedef struct { float f; double d; } FD; typedef struct { int i; float f; } IF;
typedef union { void *p; long n; } UP; typedef struct { _Alignas(16) long a; long b; } A16;
typedef struct { void *p; int a; int b; } PII;
"""


def types_of(names):
    """C types by declaring one variable of each."""
    text = PREAMBLE + "".join(f"{name} v{i};" for i, name in enumerate(names))
    diagnostics = Diagnostics()
    unit = check(parse(tokenize(text, "t.c")), diagnostics)
    assert not diagnostics.messages
    by_name = {s.name: s.type for s in unit.symbols}
    return [by_name[f"v{i}"] for i in range(len(names))]


def places(names):
    """Pieces of named parameters as text: x0, c1, v0, stack16; * marks a reference to a copy."""
    assigner = Assigner()
    out = []
    for t in types_of(names):
        passing = assigner.named(t)
        pieces = [
            f"{'stack' if p.place.file is RegFile.STACK else p.place.file.value}{p.place.index}"
            for p in passing.pieces
        ]
        out.append("+".join(pieces) + ("*" if passing.by_reference else ""))
    return " ".join(out)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("int|char *|long|double|float", "x0 c1 x2 v0 v1"),
        ("P1|P2|PL|LP", "c0 c1+c2 c3+c4 c5+c6"),
        ("PLL|P3|L3|D5", "c0* c1* c2* c3*"),
        ("PII", "c0+c1"),
        ("C3|L2|IF|UP", "x0 x1+x2 x3 c4"),
        ("F3|D4|FD", "v0+v1+v2 v3+v4+v5+v6 x0+x1"),
        ("D4|D4|double", "v0+v1+v2+v3 v4+v5+v6+v7 stack0"),
        ("F3|F3|F3|float", "v0+v1+v2 v3+v4+v5 stack0+stack4+stack8 stack16"),
        ("int|A16|int", "x0 x2+x3 x4"),
        ("long|long|long|long|long|long|long|L2|long", "x0 x1 x2 x3 x4 x5 x6 stack0+stack8 stack16"),
        ("long|long|long|long|long|long|long|P2|int", "x0 x1 x2 x3 x4 x5 x6 stack0+stack16 stack32"),
        (
            "long|long|long|long|long|long|long|int|int|char *|char",
            "x0 x1 x2 x3 x4 x5 x6 x7 stack0 stack16 stack32",
        ),
    ],
)
def test_places_of_named_arguments(names, expected):
    assert places(names.split("|")) == expected


@pytest.mark.parametrize(
    ("name", "by_reference", "count"),
    [
        ("P2", False, 2),
        ("PL", False, 2),
        ("P3", True, 1),
        ("L2", False, 2),
        ("L3", True, 1),
        ("D4", False, 4),
    ],
)
def test_results(name, by_reference, count):
    (t,) = types_of([name])
    passing = result_passing(t)
    assert (passing.by_reference, len(passing.pieces)) == (by_reference, count)


def test_anonymous_arguments_take_one_slot_each():
    assigner = Assigner()
    found = [assigner.anonymous(t) for t in types_of(["int", "double", "L2", "L3", "PL", "char *"])]
    assert [p.pieces[0].place.index for p in found] == list(range(6))
    assert [p.by_reference for p in found] == [False, False, False, True, True, False]
    assert all(p.pieces[0].place.file is RegFile.VARARG for p in found)


def test_call_sets_number_of_anonymous_slots():
    text = "int v(int, ...); int p(int); int f(void) { return v(1) + v(1, 2, 3.0) + p(1); }"
    module, _ = compile_c(text, "t.c", PreprocessOptions(), Diagnostics())
    calls = [op for b in module.functions[0].blocks for op in b.ops if type(op).__name__ == "Call"]
    assert [c.varargs for c in calls] == [0, 2, None]


SIZES = {
    "char": (1, 1),
    "long": (8, 8),
    "long long": (8, 8),
    "void *": (16, 16),
    "__intcap_t": (16, 16),
    "__uintcap_t": (16, 16),
    "float": (4, 4),
    "double": (8, 8),
    "_Bool": (1, 1),
    "struct { char c; void *p; }": (32, 16),
    "struct { char c; long n; char d; }": (24, 8),
    "union { void *p; char c[17]; }": (32, 16),
    "struct { int a : 3; char b; }": (4, 4),
    "struct { char a; int b : 28; }": (8, 4),
    "struct { int n; void *v[]; }": (16, 16),
    "enum { A, B }": (4, 4),
    "enum { C = 0x100000000 }": (8, 8),
}


@pytest.mark.parametrize("name", SIZES)
def test_size_and_alignment(name):
    diagnostics = Diagnostics()
    unit = check(parse(tokenize(f"typedef {name} T; T *v;", "t.c")), diagnostics)
    pointer = next(s.type for s in unit.symbols if s.name == "v")
    assert isinstance(pointer, ct.PointerType)
    assert (pointer.target.size, pointer.target.align) == SIZES[name]

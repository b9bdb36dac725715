"""Parts of the back end by themselves: immediates, division, analyses, debug information."""

from __future__ import annotations

import importlib.util
import io
import os
import subprocess
import sys
from pathlib import Path

from elftools.elf.elffile import ELFFile
from hypothesis import given, settings
from hypothesis import strategies as st

from guest.assembler.assembler import assemble_source
from guest.cc import ir
from guest.cc.backend import flow
from guest.cc.backend.immediates import is_logical_immediate, move_sequence
from guest.cc.backend.mir import Template
from guest.cc.backend.passes import divide, fold
from guest.cc.ir import BinOp, Imm, Ty, VReg
from morello_isa.asm.immediates import encode_bitmask

_spec = importlib.util.spec_from_file_location("compiled", Path(__file__).with_name("compiled.py"))
compiled = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(compiled)

words = st.one_of(
    st.integers(0, (1 << 64) - 1),
    st.integers(-300, 300),
    st.builds(lambda n, s: ((1 << n) - 1) << s, st.integers(1, 64), st.integers(0, 63)),
)
quick = settings(max_examples=300, deadline=None, derandomize=True)


@quick
@given(words, st.sampled_from([32, 64]))
def test_logical_immediates_are_those_of_the_assembler(value, bits):
    value &= (1 << bits) - 1
    assert is_logical_immediate(value, bits) == (encode_bitmask(value, bits) is not None)


@quick
@given(words, st.sampled_from([32, 64]))
def test_move_sequences_give_the_value(value, bits):
    mask = (1 << bits) - 1
    register = 0
    for mnemonic, immediate, shift in move_sequence(value, bits):
        if mnemonic == "movz":
            register = immediate << shift
        elif mnemonic == "movn":
            register = ~(immediate << shift)
        elif mnemonic == "orr":
            assert is_logical_immediate(immediate, bits)
            register = immediate
        else:
            register = register & ~(0xFFFF << shift) | immediate << shift
        register &= mask
    assert register == value & mask


def _evaluate(bits, x, strategy, divisor):
    register = VReg(0, Ty.I32 if bits == 32 else Ty.I64)
    values = {register: x}

    def value(operand):
        return operand.value if isinstance(operand, Imm) else values[operand]

    def emit(op, a, b):
        result = VReg(len(values), register.ty)
        values[result] = fold.binary(op, value(a), value(b), bits)
        return result

    op, a, b = strategy(emit, register, divisor, bits)
    return fold.binary(op, value(a), value(b), bits)


@settings(max_examples=1500, deadline=None, derandomize=True)
@given(words, st.one_of(st.integers(2, 3000), words), st.sampled_from([32, 64]), st.integers(-1, 1))
def test_division_by_constants(x, divisor, bits, near):
    divisor = fold.wrap(divisor, bits)
    unsigned = divisor & (1 << bits) - 1
    for dividend in (fold.wrap(x, bits), fold.wrap(x * divisor + near, bits)):
        if unsigned > 1 and unsigned & (unsigned - 1):
            expected = fold.binary(BinOp.UDIV, dividend, divisor, bits)
            assert _evaluate(bits, dividend, divide.divide_unsigned, divisor) == expected
        if abs(divisor) > 1 and divisor != -(1 << (bits - 1)):
            expected = fold.binary(BinOp.SDIV, dividend, divisor, bits)
            assert _evaluate(bits, dividend, divide.divide_signed, divisor) == expected
        if divisor > 1 and divisor & (divisor - 1) == 0:
            expected = fold.binary(BinOp.SREM, dividend, divisor, bits)
            assert _evaluate(bits, dividend, divide.remainder_power_of_two, divisor) == expected


graphs = st.integers(1, 9).flatmap(
    lambda n: st.lists(st.lists(st.integers(0, n - 1), max_size=3, unique=True), min_size=n, max_size=n)
)


def _reachable(graph, without):
    seen, work = set(), [] if without == 0 else [0]
    while work:
        block = work.pop()
        if block not in seen:
            seen.add(block)
            work += [s for s in graph[block] if s != without]
    return seen


@quick
@given(graphs)
def test_dominators_by_definition(graph):
    result = flow.analyse(graph)
    for b in _reachable(graph, None):
        dominators = {a for a in range(len(graph)) if a == b or b not in _reachable(graph, a)}
        assert {a for a in range(len(graph)) if result.dominates(a, b)} == dominators
    for loop in result.loops:
        assert all(result.dominates(loop.header, b) for b in loop.blocks)


def test_templates():
    template = Template("ldr =$w, [+$c], #$#\n\tadd @0x, @1c, ~$x")
    assert (template.defs, template.uses, template.lines) == ((0, 1), (1, 3), 2)
    assert template.text == "ldr %s, [%s], #%s\n\tadd %s, %s, "


def test_switch_default_that_cannot_happen():
    text = "int g(int); int f(int x) { switch (x) { case 0: return g(3); case 1: return g(1); case 2: return g(4);"
    text += " case 3: return g(1); case 4: return g(5); default: __builtin_unreachable(); } }"
    assert not any(line.startswith("cmp") for line in compiled.body(text))


DEBUGGED = """
struct point { int x, y; unsigned flag : 3; struct point *next; };
enum color { RED, GREEN = 7 };
static long total(struct point *p, int n, const char *name) {
    long sum = name[0]; enum color c = GREEN; int local[4] = { n };
    for (int i = 0; i < n; i++) sum += p->x + local[i & 3] + c;
    return sum;
}
long main(void) { struct point p = { 1, 2, 3, 0 }; return total(&p, 4, "n"); }
"""


def test_debug_information():
    text = compiled.assembly(DEBUGGED, optimize=0, debug=True)
    elf = ELFFile(io.BytesIO(assemble_source(text, "t.c")))
    info = elf.get_dwarf_info()
    unit = next(info.iter_CUs())
    entries = list(unit.iter_DIEs())

    def named(name):
        return next(
            d for d in entries if d.attributes.get("DW_AT_name") and d.attributes["DW_AT_name"].value == name
        )

    total = named(b"total")
    children = {d.attributes["DW_AT_name"].value: d for d in total.iter_children()}
    assert set(children) >= {b"p", b"n", b"name", b"sum", b"c", b"local", b"i"}
    assert children[b"p"].tag == "DW_TAG_formal_parameter"
    assert "DW_AT_location" in children[b"local"].attributes
    point = named(b"point")
    members = {d.attributes["DW_AT_name"].value: d for d in point.iter_children()}
    assert members[b"next"].attributes["DW_AT_data_member_location"].value == 16
    assert members[b"flag"].attributes["DW_AT_bit_size"].value == 3
    pointer = members[b"next"].get_DIE_from_attribute("DW_AT_type")
    assert pointer.attributes["DW_AT_byte_size"].value == 16
    color = {
        d.attributes["DW_AT_name"].value: d.attributes["DW_AT_const_value"].value
        for d in named(b"color").iter_children()
    }
    assert color == {b"RED": 0, b"GREEN": 7}
    lines = info.line_program_for_CU(unit).get_entries()
    assert {e.state.line for e in lines if e.state} >= {5, 6, 7, 9}


def test_same_text_whatever_the_hash_seed():
    script = (
        "import sys; sys.path[:0] = [sys.argv[1]]; import compiled;"
        "print(compiled.assembly(open(sys.argv[2]).read()))"
    )
    here = Path(__file__).parent
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script, str(here), str(here / "programs" / "structs.c")],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_module_level_things():
    module = ir.Module(
        "m.c",
        data=[
            ir.Data("zero", 24, 8, None),
            ir.Data("table", 32, 16, bytes(32), [ir.DataCap(16, "zero", 8)], is_static=True, is_const=True),
            ir.Data("common", 4, 4, None, is_common=True),
            ir.Data("big", 100_001, 1, None, is_hidden=True),
        ],
        aliases={"other": "zero"},
        undefined_weak=["maybe"],
        init_functions=["setup"],
    )
    text = compiled.compile_module(module)
    for line in (
        '.section .bss.zero,"aw",%nobits',
        ".chericap zero+8",
        '.section .data.rel.ro.table,"aw",%progbits',
        ".comm common, 4, 4",
        ".hidden big",
        ".zero 100032",
        ".set other, zero",
        ".weak maybe",
        ".chericap setup",
    ):
        assert f"\t{line}\n" in text, line
    assert "\t.globl table" not in text

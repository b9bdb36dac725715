"""Assembler expressions: against Python's arithmetic, and as linear forms over symbols."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morello_isa.asm.errors import AssemblyError
from morello_isa.asm.expression import Linear, parse_expression

numbers = st.integers(0, 1 << 40).map(lambda n: (n, hex(n) if n % 3 == 0 else str(n)))


def _binary(children):
    def combine(parts):
        (left, a), operator, (right, b) = parts
        value = {
            "+": left + right, "-": left - right, "*": left * right, "&": left & right,
            "|": left | right, "^": left ^ right,
        }[operator]  # fmt: skip
        return value, f"({a} {operator} {b})"

    return st.tuples(children, st.sampled_from("+-*&|^"), children).map(combine)


def _unary(children):
    return st.tuples(st.sampled_from("-~"), children).map(
        lambda parts: (-parts[1][0] if parts[0] == "-" else ~parts[1][0], f"{parts[0]}({parts[1][1]})")
    )


@settings(deadline=None, max_examples=300, derandomize=True)
@given(st.recursive(numbers, lambda children: _binary(children) | _unary(children), max_leaves=12))
def test_constants(case):
    value, text = case
    assert parse_expression(text).absolute() == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7),
        ("2 * 3 + 1", 7),
        ("10 - 4 - 3", 3),
        ("1 << 4 + 1", 17),
        ("-7 / 2", -3),
        ("-7 % 2", -1),
        ("0b101", 5),
        ("017", 15),
        ("'A'", 65),
        ("'\\n' + 1", 11),
        ("3 == 3", -1),
        ("3 < 2 || 1 && 2", 1),
        ("~0 & 0xff", 255),
        ("!5", 0),
    ],
)
def test_precedence_and_literals(text, value):
    assert parse_expression(text).absolute() == value


def test_symbols():
    value = parse_expression("a + 4 - (b - 2) + 3 * c - c - c")
    assert (value.constant, value.terms) == (6, {"a": 1, "b": -1, "c": 1})
    assert parse_expression("a - a + 1").absolute() == 1
    assert parse_expression("n * 2 + x", {"n": Linear(21)}.get).constant == 42
    assert parse_expression("1f - 1b").terms == {"1f": 1, "1b": -1}


@pytest.mark.parametrize("text", ["", "1 +", "(1", "1)", "a * b", "a & 1", "1 / 0", "@", "1 2", "09"])
def test_errors(text):
    with pytest.raises(AssemblyError):
        parse_expression(text)

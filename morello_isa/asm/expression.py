"""Integer expressions of assembler source: linear forms over symbols.

Grammar, loosest first (as in GNU as, every level left-associative):
  ||   &&   == != <> < <= > >=   + - |&^ …   see `_LEVELS`;   unary - + ~ !;   ( )  number  'c'  symbol  .
Numbers: decimal, 0x, 0b, 0 followed by octal digits; `1f` and `1b` are symbols (local labels).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from morello_isa.asm.errors import AssemblyError

_TOKEN = re.compile(
    r"\s*(?:(0[xX][0-9a-fA-F]+|0[bB][01]+(?![0-9a-fA-F])|\d+[fb](?![\w$])|\d+)|([A-Za-z_.$][\w.$@]*)"
    r"|\"([^\"]*)\"|'(\\?.)'?|(<<|>>|<=|>=|==|!=|<>|&&|\|\||[-+*/%&|^~!<>()]))"
)
_LOCAL_LABEL = re.compile(r"\d+[fb]$")
_LEVELS: dict[str, int] = {
    "||": 1, "&&": 2, "==": 3, "!=": 3, "<>": 3, "<": 3, "<=": 3, ">": 3, ">=": 3,
    "+": 4, "-": 4, "|": 5, "&": 5, "^": 5, "*": 6, "/": 6, "%": 6, "<<": 6, ">>": 6,
}  # fmt: skip
_MAX_DEPTH = 100
_ESCAPES = {"n": 10, "t": 9, "r": 13, "0": 0, "\\": 92, "'": 39, '"': 34}


class Linear:
    """constant + sum of coefficient * symbol; `terms` never holds a zero coefficient."""

    __slots__ = ("constant", "terms")

    def __init__(self, constant: int = 0, terms: dict[str, int] | None = None) -> None:
        self.constant = constant
        self.terms = terms or {}

    def plus(self, other: Linear, sign: int) -> Linear:
        """self + sign * other."""
        terms = dict(self.terms)
        for name, coefficient in other.terms.items():
            total = terms.get(name, 0) + sign * coefficient
            if total:
                terms[name] = total
            else:
                terms.pop(name, None)
        return Linear(self.constant + sign * other.constant, terms)

    def absolute(self) -> int:
        """The constant of an expression without symbols."""
        if self.terms:
            raise AssemblyError(f"'{next(iter(self.terms))}' is not a constant here")
        return self.constant


Resolve = Callable[[str], "Linear | None"]


def parse_number(text: str) -> int:
    """A number literal of assembler source; AssemblyError if it isn't one."""
    try:
        return int(text, 8 if len(text) > 1 and text[0] == "0" and text[1].isdigit() else 0)
    except ValueError:
        raise AssemblyError(f"'{text}' is not a number") from None


def parse_expression(text: str, resolve: Resolve | None = None) -> Linear:
    """The value of the whole text. `resolve` may replace a symbol by its value; else it stays a term."""
    tokens: list[tuple[str, str]] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise AssemblyError(f"'{text.strip()}' is not an expression")
        position = match.end()
        number, name, quoted, character, operator = match.groups()
        if number is not None:
            tokens.append(("symbol" if _LOCAL_LABEL.match(number) else "number", number))
        elif name is not None or quoted is not None:
            tokens.append(("symbol", name if name is not None else quoted))
        elif character is not None:
            code = _ESCAPES.get(character[1], ord(character[1])) if character[0] == "\\" else ord(character)
            tokens.append(("number", str(code)))
        else:
            tokens.append(("operator", operator))
    parser = _Parser(tokens, text.strip(), resolve)
    value = parser.binary(1)
    if parser.position != len(tokens):
        raise AssemblyError(f"unexpected '{parser.peek()[1]}' in the expression '{text.strip()}'")
    return value


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]], text: str, resolve: Resolve | None) -> None:
        self.tokens = tokens
        self.text = text
        self.resolve = resolve
        self.position = 0
        self.depth = 0

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.position] if self.position < len(self.tokens) else ("end", "")

    def binary(self, level: int) -> Linear:
        left = self.unary()
        while True:
            kind, operator = self.peek()
            precedence = _LEVELS.get(operator, 0) if kind == "operator" else 0
            if precedence < level:
                return left
            self.position += 1
            left = _apply(operator, left, self.binary(precedence + 1))

    def unary(self) -> Linear:
        kind, text = self.peek()
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise AssemblyError("the expression is nested too deeply")
        value = self._unary(kind, text)
        self.depth -= 1
        return value

    def _unary(self, kind: str, text: str) -> Linear:
        self.position += 1
        if kind == "number":
            return Linear(parse_number(text))
        if kind == "symbol":
            known = self.resolve(text) if self.resolve else None
            return known if known is not None else Linear(0, {text: 1})
        if text == "(":
            value = self.binary(1)
            if self.peek()[1] != ")":
                raise AssemblyError(f"missing ')' in the expression '{self.text}'")
            self.position += 1
            return value
        if text in ("-", "+", "~", "!"):
            value = self.unary()
            if text == "-":
                return Linear().plus(value, -1)
            if text == "+":
                return value
            return Linear(~value.absolute() if text == "~" else int(not value.absolute()))
        if kind == "end":
            raise AssemblyError(f"the expression '{self.text}' is incomplete")
        raise AssemblyError(f"unexpected '{text}' in the expression '{self.text}'")


def _apply(operator: str, left: Linear, right: Linear) -> Linear:
    if operator == "+":
        return left.plus(right, 1)
    if operator == "-":
        return left.plus(right, -1)
    if operator == "*" and (not left.terms or not right.terms):
        factor, value = (left.constant, right) if not left.terms else (right.constant, left)
        terms = {name: coefficient * factor for name, coefficient in value.terms.items() if factor}
        return Linear(value.constant * factor, terms)
    a, b = left.absolute(), right.absolute()
    if operator in ("/", "%"):
        if b == 0:
            raise AssemblyError("division by zero")
        quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        return Linear(quotient if operator == "/" else a - quotient * b)
    return Linear(_INTEGER_OPERATORS[operator](a, b))


_INTEGER_OPERATORS: dict[str, Callable[[int, int], int]] = {
    "*": lambda a, b: a * b,
    "<<": lambda a, b: a << min(b, 128) if b >= 0 else 0,
    ">>": lambda a, b: a >> b if b >= 0 else 0,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    # GNU as: comparisons give -1 for true
    "==": lambda a, b: -int(a == b),
    "!=": lambda a, b: -int(a != b),
    "<>": lambda a, b: -int(a != b),
    "<": lambda a, b: -int(a < b),
    "<=": lambda a, b: -int(a <= b),
    ">": lambda a, b: -int(a > b),
    ">=": lambda a, b: -int(a >= b),
    "&&": lambda a, b: int(bool(a) and bool(b)),
    "||": lambda a, b: int(bool(a) or bool(b)),
}

"""Expressions of the command line: registers, symbols, numbers, C's operators, capabilities' fields.

    c0 + 16        *(csp + 8)        base(c0) <= x1 && tag(c1)        main + 0x10        cap(csp)

A number is 64 bits wide. Adding to a capability or subtracting from it gives a capability (CapAdd); every
other operator takes its value. `*E` reads 8 bytes, `cap(E)` the capability in memory at E.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from emulator.debug.errors import CommandError
from morello_isa.capability import MASK64, Capability

Value = int | Capability

_TOKEN = re.compile(
    r"\s*(?:(0[xX][0-9a-fA-F_]+|\d[\d_]*)|(\$?[A-Za-z_.][\w.$]*(?:`[\w.$]+)?)|(<<|>>|==|!=|<=|>=|&&|\|\||[-+*/%&|^~!<>()]))"
)
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("||",),
    ("&&",),
    ("|",),
    ("^",),
    ("&",),
    ("==", "!="),
    ("<", ">", "<=", ">="),
    ("<<", ">>"),
    ("+", "-"),
    ("*", "/", "%"),
)
_OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "||": lambda a, b: int(bool(a or b)),
    "&&": lambda a, b: int(bool(a and b)),
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "&": lambda a, b: a & b,
    "==": lambda a, b: int(a == b),
    "!=": lambda a, b: int(a != b),
    "<": lambda a, b: int(a < b),
    ">": lambda a, b: int(a > b),
    "<=": lambda a, b: int(a <= b),
    ">=": lambda a, b: int(a >= b),
    "<<": lambda a, b: a << min(b, 64),
    ">>": lambda a, b: a >> min(b, 64),
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a // b,
    "%": lambda a, b: a % b,
}
_FIELDS: dict[str, Callable[[Capability], int]] = {
    "base": lambda c: c.base,
    "limit": lambda c: c.limit,
    "length": lambda c: c.length,
    "offset": lambda c: c.offset,
    "perms": lambda c: c.permissions,
    "otype": lambda c: c.otype,
    "tag": lambda c: int(c.tag),
    "value": lambda c: c.value,
    "sealed": lambda c: int(c.is_sealed),
}
FUNCTIONS = (*_FIELDS, "cap")
MAX_TOKENS = 400


class Scope:
    """Where names get their values. Each function raises CommandError or KeyError for what it can't do."""

    def __init__(
        self,
        name: Callable[[str], Value],
        load: Callable[[int], int],
        load_capability: Callable[[int], Capability],
    ) -> None:
        self.name = name
        self.load = load
        self.load_capability = load_capability


def number(value: Value) -> int:
    """The 64-bit number of a value."""
    return value.value if isinstance(value, Capability) else value & MASK64


def evaluate(text: str, scope: Scope) -> Value:
    """The value of an expression; CommandError says what is wrong with it."""
    parser = _Parser(_tokens(text), scope)
    value = parser.binary(0)
    parser.end()
    return value


def _tokens(text: str) -> list[str]:
    tokens, position = [], 0
    while position < len(text.rstrip()):
        match = _TOKEN.match(text, position)
        if match is None:
            raise CommandError(f"'{text[position:].strip()[:20]}' is not an expression")
        tokens.append(match.group().strip())
        position = match.end()
    if not tokens:
        raise CommandError("an expression is missing")
    if len(tokens) > MAX_TOKENS:
        raise CommandError("the expression is too long")
    return tokens


class _Parser:
    def __init__(self, tokens: list[str], scope: Scope) -> None:
        self._tokens = tokens
        self._next = 0
        self._scope = scope

    def _peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        if not token:
            raise CommandError("the expression ends too early")
        self._next += 1
        return token

    def end(self) -> None:
        if self._peek():
            raise CommandError(f"'{self._peek()}' is not expected in the expression")

    def binary(self, level: int) -> Value:
        if level == len(_LEVELS):
            return self._unary()
        left = self.binary(level + 1)
        while self._peek() in _LEVELS[level]:
            left = self._apply(self._take(), left, self.binary(level + 1))
        return left

    def _apply(self, operator: str, left: Value, right: Value) -> Value:
        if isinstance(left, Capability) and operator in "+-" and not isinstance(right, Capability):
            return left.add(right & MASK64 if operator == "+" else -right & MASK64)
        if operator in "/%" and number(right) == 0:
            raise CommandError("division by zero")
        return _OPERATIONS[operator](number(left), number(right)) & MASK64

    def _unary(self) -> Value:
        operators = []
        while self._peek() in ("-", "~", "!", "*", "&") and self._peek():
            operators.append(self._take())
        value = self._primary()
        for operator in reversed(operators):
            if operator == "*":
                value = self._scope.load(number(value))
            elif operator == "-":
                value = -number(value) & MASK64
            elif operator == "~":
                value = ~number(value) & MASK64
            elif operator == "!":
                value = int(not number(value))
        return value

    def _primary(self) -> Value:
        token = self._take()
        if token == "(":
            value = self.binary(0)
            self._close()
            return value
        if token[0].isdigit():
            return self._number(token)
        if not (token[0].isalpha() or token[0] in "_.$"):
            raise CommandError(f"'{token}' is not expected in the expression")
        if self._peek() == "(" and token in FUNCTIONS:
            return self._call(token)
        return self._scope.name(token)

    @staticmethod
    def _number(token: str) -> int:
        try:
            return int(token.replace("_", ""), 16 if token[:2] in ("0x", "0X") else 10) & MASK64
        except ValueError:
            raise CommandError(f"'{token}' is not a number") from None

    def _call(self, function: str) -> Value:
        self._take()
        argument = self.binary(0)
        self._close()
        if function == "cap":
            return self._scope.load_capability(number(argument))
        if not isinstance(argument, Capability):
            argument = Capability.from_int(argument)
        return _FIELDS[function](argument)

    def _close(self) -> None:
        if self._take() != ")":
            raise CommandError("a ')' is missing")

"""Tokens and expressions of linker scripts."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from loader.link.errors import LinkError
from loader.link.model import OutputSection, align_up

_PATTERN = re.compile(r'"[^"]*"|[^\s(){};,]+|.')
_EXPRESSION_TOKEN = re.compile(
    r'"[^"]*"|[A-Za-z_.$][\w.$]*|0[xX][0-9a-fA-F]+|\d+[KkMm]?|<<=|>>=|<<|>>|[-+*/&|]=|==|!=|<=|>=|&&|\|\||.'
)


class Lexer:
    """Hands out tokens; the same text reads differently as an expression and as a file pattern."""

    def __init__(self, text: str, name: str) -> None:
        blank = lambda m: re.sub(r"[^\n]", " ", m.group())  # noqa: E731
        self._text = re.sub(r"/\*.*?\*/", blank, text, flags=re.DOTALL)
        self._position = 0
        self.name = name

    def error(self, reason: str) -> LinkError:
        """An error at the current line."""
        line = self._text.count("\n", 0, self._position) + 1
        return LinkError(f"{self.name}:{line}: {reason}")

    def _skip(self) -> None:
        while self._position < len(self._text) and self._text[self._position].isspace():
            self._position += 1

    def peek(self, pattern: re.Pattern[str] = _EXPRESSION_TOKEN) -> str:
        """The next token, "" at the end."""
        self._skip()
        match = pattern.match(self._text, self._position)
        return match.group() if match else ""

    def next(self, pattern: re.Pattern[str] = _EXPRESSION_TOKEN) -> str:
        """Take the next token; an error at the end."""
        token = self.peek(pattern)
        if not token:
            raise self.error("unexpected end of the script")
        self._position += len(token)
        return token

    def next_name(self) -> str:
        """Take a section, region or file name (may hold `*`, `/`, `-`)."""
        return self.next(_PATTERN).strip('"')

    def peek_name(self) -> str:
        """The next word as a pattern."""
        return self.peek(_PATTERN)

    def accept(self, token: str) -> bool:
        """Take the next token when it is `token`."""
        if self.peek() == token:
            self.next()
            return True
        return False

    def expect(self, token: str) -> None:
        """Take `token` or raise."""
        found = self.next()
        if found != token:
            raise self.error(f"expected '{token}', found '{found}'")


@dataclass(slots=True)
class Region:
    """A line of MEMORY."""

    origin: int
    length: int
    cursor: int = 0
    load_cursor: int = 0


def _unknown(_name: str) -> int | None:
    return None


@dataclass(slots=True)
class Context:
    """What an expression can ask for while sections are being placed."""

    dot: int = 0
    symbols: dict[str, int] = field(default_factory=dict)
    sections: dict[str, OutputSection] = field(default_factory=dict)
    regions: dict[str, Region] = field(default_factory=dict)
    lookup: Callable[[str], int | None] = _unknown
    headers_size: int = 0


Expression = Callable[[Context], int]

_LEVELS: tuple[dict[str, Callable[[int, int], int]], ...] = (
    {"||": lambda a, b: int(bool(a or b))},
    {"&&": lambda a, b: int(bool(a and b))},
    {"|": lambda a, b: a | b},
    {"&": lambda a, b: a & b},
    {"==": lambda a, b: int(a == b), "!=": lambda a, b: int(a != b)},
    {
        "<": lambda a, b: int(a < b),
        ">": lambda a, b: int(a > b),
        "<=": lambda a, b: int(a <= b),
        ">=": lambda a, b: int(a >= b),
    },
    {"<<": lambda a, b: a << (b & 63), ">>": lambda a, b: a >> (b & 63)},
    {"+": lambda a, b: a + b, "-": lambda a, b: a - b},
    {"*": lambda a, b: a * b, "/": lambda a, b: a // b if b else 0, "%": lambda a, b: a % b if b else 0},
)


def parse_expression(lexer: Lexer, level: int = 0) -> Expression:
    """One expression with C's precedence, `?:` included."""
    if level == 0:
        condition = _parse_level(lexer, 0)
        if not lexer.accept("?"):
            return condition
        yes = parse_expression(lexer)
        lexer.expect(":")
        no = parse_expression(lexer)
        return lambda c: yes(c) if condition(c) else no(c)
    return _parse_level(lexer, level)


def _parse_level(lexer: Lexer, level: int) -> Expression:
    if level == len(_LEVELS):
        return _parse_unary(lexer)
    left = _parse_level(lexer, level + 1)
    operators = _LEVELS[level]
    while lexer.peek() in operators:
        operate = operators[lexer.next()]
        right = _parse_level(lexer, level + 1)
        left = _binary(operate, left, right)
    return left


def _binary(operate: Callable[[int, int], int], left: Expression, right: Expression) -> Expression:
    return lambda c: operate(left(c), right(c))


def _parse_unary(lexer: Lexer) -> Expression:
    token = lexer.next()
    if token == "(":
        inner = parse_expression(lexer)
        lexer.expect(")")
        return inner
    if token in ("-", "~", "!"):
        operand = _parse_unary(lexer)
        if token == "-":
            return lambda c: -operand(c)
        return (lambda c: ~operand(c)) if token == "~" else (lambda c: int(not operand(c)))
    if token[0].isdigit():
        value = _number(token, lexer)
        return _constant(value)
    if token == ".":
        return lambda c: c.dot
    if lexer.peek() == "(" and token in _FUNCTIONS:
        return _FUNCTIONS[token](lexer)
    if re.match(r"[A-Za-z_.$]", token):
        return _symbol(token.strip('"'), lexer)
    raise lexer.error(f"'{token}' can't be in an expression")


def _constant(value: int) -> Expression:
    def constant(_context: Context) -> int:
        return value

    return constant


def _number(token: str, lexer: Lexer) -> int:
    """Hexadecimal, octal with a leading 0, decimal; K and M scale."""
    scale = {"k": 1 << 10, "m": 1 << 20}.get(token[-1].lower(), 1)
    digits = token[:-1] if scale > 1 else token
    try:
        is_octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
        return int(digits, 8 if is_octal else 0) * scale
    except ValueError:
        raise lexer.error(f"'{token}' is not a number") from None


def _symbol(name: str, lexer: Lexer) -> Expression:
    error = lexer.error(f"symbol '{name}' is not defined")

    def value(context: Context) -> int:
        found = context.symbols.get(name)
        if found is None:
            found = context.lookup(name)
        if found is None:
            raise error
        return found

    return value


def _align(lexer: Lexer) -> Expression:
    lexer.expect("(")
    first = parse_expression(lexer)
    second = parse_expression(lexer) if lexer.accept(",") else None
    lexer.expect(")")
    if second is None:
        return lambda c: align_up(c.dot, first(c))
    return lambda c: align_up(first(c), second(c))


def _min_max(choose: Callable[[int, int], int]) -> Callable[[Lexer], Expression]:
    def parse(lexer: Lexer) -> Expression:
        lexer.expect("(")
        left = parse_expression(lexer)
        lexer.expect(",")
        right = parse_expression(lexer)
        lexer.expect(")")
        return _binary(choose, left, right)

    return parse


def _named(value: Callable[[Context, str], int | None]) -> Callable[[Lexer], Expression]:
    def parse(lexer: Lexer) -> Expression:
        lexer.expect("(")
        name = lexer.next_name()
        lexer.expect(")")
        error = lexer.error(f"there is no '{name}'")

        def evaluate(context: Context) -> int:
            found = value(context, name)
            if found is None:
                raise error
            return found

        return evaluate

    return parse


def _section_value(get: Callable[[OutputSection], int], default: int | None) -> Callable[[Lexer], Expression]:
    def value(context: Context, name: str) -> int | None:
        section = context.sections.get(name)
        return get(section) if section is not None else default

    return _named(value)


def _region_value(get: Callable[[Region], int]) -> Callable[[Lexer], Expression]:
    def value(context: Context, name: str) -> int | None:
        region = context.regions.get(name)
        return get(region) if region is not None else None

    return _named(value)


def _absolute(lexer: Lexer) -> Expression:
    lexer.expect("(")
    inner = parse_expression(lexer)
    lexer.expect(")")
    return inner


def _load_address(section: OutputSection) -> int:
    return section.load_address if section.load_address is not None else section.address


_FUNCTIONS: dict[str, Callable[[Lexer], Expression]] = {
    "ALIGN": _align,
    "ABSOLUTE": _absolute,
    "MAX": _min_max(max),
    "MIN": _min_max(min),
    "ADDR": _section_value(lambda s: s.address, None),
    "LOADADDR": _section_value(_load_address, None),
    "SIZEOF": _section_value(lambda s: s.size, 0),
    "ALIGNOF": _section_value(lambda s: s.align, 1),
    "ORIGIN": _region_value(lambda r: r.origin),
    "LENGTH": _region_value(lambda r: r.length),
    "DEFINED": _named(lambda c, name: int(name in c.symbols or c.lookup(name) is not None)),
}

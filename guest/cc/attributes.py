"""GNU attributes: one row per attribute that has an effect; unknown ones are ignored.

`apply(attributes, syntax list, evaluate)` fills an `Attributes`; `evaluate` turns an argument's syntax
into an integer (constant expression) for the few attributes that take one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from guest.cc import syntax as s
from guest.cc.errors import CompileError
from guest.cc.parse import string_text

BIGGEST_ALIGNMENT = 16

Evaluate = Callable[[s.Node], int]


@dataclass(slots=True)
class Attributes:
    align: int = 0
    packed: bool = False
    section: str | None = None
    weak: bool = False
    alias: str | None = None
    hidden: bool = False
    used: bool = False
    noreturn: bool = False
    constructor: bool = False
    destructor: bool = False
    noinline: bool = False
    always_inline: bool = False
    returns_twice: bool = False


def _text(a: s.Attribute) -> str:
    if a.args and isinstance(a.args[0], s.StringLiteral):
        return string_text(a.args[0])
    if a.args and isinstance(a.args[0], s.Name):
        return a.args[0].at.text
    raise CompileError(a.at.loc, f"attribute '{a.name}' takes a string")


def _aligned(out: Attributes, a: s.Attribute, evaluate: Evaluate) -> None:
    out.align = max(out.align, evaluate(a.args[0]) if a.args else BIGGEST_ALIGNMENT)


def _section(out: Attributes, a: s.Attribute, _evaluate: Evaluate) -> None:
    out.section = _text(a)


def _alias(out: Attributes, a: s.Attribute, _evaluate: Evaluate) -> None:
    out.alias = _text(a)


def _visibility(out: Attributes, a: s.Attribute, _evaluate: Evaluate) -> None:
    out.hidden = _text(a) in ("hidden", "internal")


_WITH_ARGUMENTS: dict[str, Callable[[Attributes, s.Attribute, Evaluate], None]] = {
    "aligned": _aligned,
    "section": _section,
    "alias": _alias,
    "visibility": _visibility,
}
_FLAGS = frozenset(
    [
        "packed",
        "weak",
        "used",
        "noreturn",
        "constructor",
        "destructor",
        "noinline",
        "always_inline",
        "returns_twice",
    ]
)


def apply(out: Attributes, found: Iterable[s.Attribute], evaluate: Evaluate) -> None:
    """Record the attributes `found` in `out`; raises CompileError for an unusable argument."""
    for a in found:
        if a.name in _WITH_ARGUMENTS:
            _WITH_ARGUMENTS[a.name](out, a, evaluate)
        elif a.name in _FLAGS:
            setattr(out, a.name, True)

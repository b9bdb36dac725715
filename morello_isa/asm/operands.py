"""Instruction text to mnemonic and operands.

Operands are plain values: Register, int (`Bare` when written without "#"), float, Symbolic (a symbol with
modifier and addend), Modifier (shift or extension), Memory, and Raw for what only the fallback assembler
understands (vector arrangements, register lists).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from morello_isa.asm.errors import AssemblyError
from morello_isa.asm.expression import parse_expression


@dataclass(frozen=True, slots=True)
class Register:
    """`kind`: x w c b h s d q. Number 31 is the stack pointer when `is_sp`, else the zero register."""

    kind: str
    number: int
    is_sp: bool
    name: str


class Bare(int):
    """An integer written without "#": as a branch target it is an absolute address."""


@dataclass(frozen=True, slots=True)
class Symbolic:
    """`:modifier:symbol+addend`; modifier "" for a plain symbol."""

    symbol: str
    addend: int = 0
    modifier: str = ""


@dataclass(frozen=True, slots=True)
class Modifier:
    """`lsl #3`, `uxtw`, `sxtx #1`, …; `amount` None when not written."""

    kind: str
    amount: int | None


@dataclass(frozen=True, slots=True)
class Memory:
    """`[base, offset]`; `mode` is offset, pre or post."""

    base: Register
    mode: str
    offset: int | Symbolic | Register
    extend: Modifier | None = None


@dataclass(frozen=True, slots=True)
class Raw:
    """Text for the fallback."""

    text: str


Operand = Register | int | float | Symbolic | Modifier | Memory | Raw

MODIFIERS: Final = frozenset(
    ("lsl", "lsr", "asr", "ror", "msl", "uxtb", "uxth", "uxtw", "uxtx", "sxtb", "sxth", "sxtw", "sxtx")
)


def _register_names() -> dict[str, Register]:
    names: dict[str, Register] = {}
    for kind in "xwc":
        for number in range(31):
            names[f"{kind}{number}"] = Register(kind, number, False, f"{kind}{number}")
        names[f"{kind}zr"] = Register(kind, 31, False, f"{kind}zr")
    for kind, stack in (("x", "sp"), ("w", "wsp"), ("c", "csp")):
        names[stack] = Register(kind, 31, True, stack)
    for kind in "bhsdq":
        for number in range(32):
            names[f"{kind}{number}"] = Register(kind, number, False, f"{kind}{number}")
    names["lr"], names["fp"] = names["x30"], names["x29"]
    names["clr"], names["cfp"] = names["c30"], names["c29"]
    return names


REGISTERS: Final = _register_names()


def split_operands(text: str) -> list[str]:
    """Cut at the commas outside brackets, braces, parentheses and quotes."""
    if "[" not in text and "{" not in text and "(" not in text and '"' not in text:
        return [part.strip() for part in text.split(",")] if text else []
    parts, depth, start, quoted = [], 0, 0, False
    for index, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif character in "[{(":
            depth += 1
        elif character in "]})":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(text[start:index].strip())
            start = index + 1
    parts.append(text[start:].strip())
    return parts


def parse_operand(text: str) -> Operand:
    """One operand; AssemblyError when it is malformed."""
    register = REGISTERS.get(text) or REGISTERS.get(text.lower())
    if register is not None:
        return register
    if not text:
        raise AssemblyError("an operand is missing")
    first = text[0]
    if first == "#":
        return _immediate(text[1:].strip())
    if first == "[":
        return _memory(text)
    if first == "{" or _is_vector(text):
        return Raw(text)
    lowered = text[:4].lower()
    if (lowered if len(lowered) == 4 and lowered[3].isalnum() else lowered[:3]) in MODIFIERS:
        modifier = _modifier(text)
        if modifier is not None:
            return modifier
    if " <" in text:
        text = text[: text.index(" <")]
    value = _immediate(text)
    return Bare(value) if isinstance(value, int) else value


def _is_vector(text: str) -> bool:
    return text[0] in "vV" and text[1:3].strip(".").isdigit() and "." in text


def _immediate(text: str) -> int | float | Symbolic:
    try:
        return int(text, 0)
    except ValueError:
        pass
    modifier = ""
    if text.startswith(":"):
        modifier, separator, text = text[1:].partition(":")
        if not separator:
            raise AssemblyError(f"':{modifier}' is not a relocation modifier")
        modifier = modifier.lower()
    elif text and (text[0].isdigit() or text[0] in "-+.") and ("." in text or "e" in text):
        try:
            return float(text)
        except ValueError:
            pass
    value = parse_expression(text)
    if not value.terms and not modifier:
        return value.constant
    if len(value.terms) != 1 or next(iter(value.terms.values())) != 1:
        raise AssemblyError(
            f"'{text}' can't be an operand: it must be a constant or one symbol and a constant"
        )
    return Symbolic(next(iter(value.terms)), value.constant, modifier)


def _modifier(text: str) -> Modifier | None:
    kind, _, rest = text.partition(" ")
    if "#" in kind:
        kind, _, rest = text.partition("#")
    kind = kind.lower()
    if kind not in MODIFIERS:
        return None
    rest = rest.strip()
    if not rest:
        return Modifier(kind, None)
    amount = _immediate(rest[1:].strip() if rest[0] == "#" else rest)
    if not isinstance(amount, int):
        raise AssemblyError(f"the amount of '{kind}' must be a constant")
    return Modifier(kind, amount)


def _memory(text: str) -> Memory | Raw:
    closing = text.rfind("]")
    tail = text[closing + 1 :].strip()
    if closing < 0 or tail not in ("", "!"):
        raise AssemblyError(f"'{text}' is not a memory operand")
    parts = split_operands(text[1:closing].strip()) or [""]
    base = parse_operand(parts[0])
    if not isinstance(base, Register) or base.kind not in "xc":
        raise AssemblyError(f"'{parts[0]}' can't be a base register")
    mode = "pre" if tail else "offset"
    if len(parts) == 1:
        return Memory(base, mode, 0)
    offset = parse_operand(parts[1])
    if len(parts) > 3 or not isinstance(offset, (int, Symbolic, Register)):
        raise AssemblyError(f"'{text}' is not a memory operand")
    extend = None
    if len(parts) == 3:
        modifier = parse_operand(parts[2])
        if not isinstance(modifier, Modifier):
            raise AssemblyError(f"'{parts[2]}' is not an extension")
        extend = modifier
    return Memory(base, mode, offset, extend)


def parse_operands(text: str) -> list[Operand]:
    """All operands of an instruction; a memory operand followed by an offset becomes post-indexed."""
    operands: list[Operand] = []
    for index, part in enumerate(split_operands(text)):
        try:
            operand = parse_operand(part)
        except AssemblyError as error:
            raise AssemblyError(error.message, index) from None
        previous = operands[-1] if operands else None
        if isinstance(previous, Memory) and previous.mode == "offset" and previous.offset == 0 and index:
            if isinstance(operand, int) or (isinstance(operand, Register) and operand.kind == "x"):
                operands[-1] = Memory(previous.base, "post", operand)
                continue
            raise AssemblyError("nothing but an offset may follow the memory operand", index)
        operands.append(operand)
    return operands

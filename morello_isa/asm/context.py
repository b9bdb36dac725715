"""What encoders share: the state of one line, and checked access to its operands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from morello_isa.asm.errors import AssemblyError
from morello_isa.asm.operands import Memory, Modifier, Operand, Register, Symbolic


class Relocation(NamedTuple):
    """A request to fill a field of the word at link time; `type` is the ABI's name (R_MORELLO_CALL26).

    `symbol` "" asks for the absolute address `addend`.
    """

    type: str
    symbol: str
    addend: int


class Context:
    """One line being encoded: the instruction set state and the relocations found so far."""

    __slots__ = ("c64", "relocations")

    def __init__(self, c64: bool) -> None:
        self.c64 = c64
        self.relocations: list[Relocation] = []

    def relocate(self, name: str, target: Symbolic) -> None:
        """Ask for relocation `name` against the symbol."""
        self.relocations.append(Relocation(name, target.symbol, target.addend))


Encoder = Callable[[Sequence[Operand], Context], int]

CONDITIONS: Final[dict[str, int]] = {
    "eq": 0, "ne": 1, "cs": 2, "hs": 2, "cc": 3, "lo": 3, "mi": 4, "pl": 5, "vs": 6, "vc": 7,
    "hi": 8, "ls": 9, "ge": 10, "lt": 11, "gt": 12, "le": 13, "al": 14, "nv": 15,
}  # fmt: skip
CONDITION_NAMES: Final = (
    "eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "al", "nv",
)  # fmt: skip

EXTENDS: Final[dict[str, int]] = {
    "uxtb": 0, "uxth": 1, "uxtw": 2, "uxtx": 3, "sxtb": 4, "sxth": 5, "sxtw": 6, "sxtx": 7,
}  # fmt: skip


class NotEncodable(Exception):
    """This encoder doesn't know the form; the fallback may."""


def need(operands: Sequence[Operand], low: int, high: int | None = None) -> None:
    """The number of operands is within low..high."""
    if not low <= len(operands) <= (low if high is None else high):
        raise NotEncodable


def register(operands: Sequence[Operand], index: int, kinds: str, sp: bool = False) -> Register:
    """Operand `index` as a register of one of these kinds; 31 must be the stack pointer iff `sp` allows it.

    With `sp` the zero register is refused, without it the stack pointer.
    """
    operand = operands[index] if index < len(operands) else None
    if not isinstance(operand, Register) or operand.kind not in kinds:
        raise NotEncodable
    if operand.number == 31 and operand.kind in "xwc" and operand.is_sp != sp:
        raise AssemblyError(f"'{operand.name}' is not allowed here", index)
    return operand


def immediate(operands: Sequence[Operand], index: int, low: int, high: int) -> int:
    """Operand `index` as a constant within low..high."""
    operand = operands[index] if index < len(operands) else None
    if not isinstance(operand, int):
        raise NotEncodable
    if not low <= operand <= high:
        raise AssemblyError(f"the immediate {int(operand)} is not in {low}..{high}", index)
    return int(operand)


def condition(operands: Sequence[Operand], index: int) -> int:
    """Operand `index` as a condition code 0..15."""
    operand = operands[index] if index < len(operands) else None
    if not isinstance(operand, Symbolic):
        raise NotEncodable
    code = CONDITIONS.get(operand.symbol.lower())
    if code is None:
        raise AssemblyError(f"'{operand.symbol}' is not a condition", index)
    return code


def memory(operands: Sequence[Operand], index: int) -> Memory:
    """Operand `index` as a memory operand."""
    operand = operands[index] if index < len(operands) else None
    if not isinstance(operand, Memory):
        raise NotEncodable
    return operand


def modifier(operands: Sequence[Operand], index: int) -> Modifier | None:
    """Operand `index` as shift or extension, None when there is no such operand."""
    if index >= len(operands):
        return None
    operand = operands[index]
    if not isinstance(operand, Modifier):
        raise NotEncodable
    return operand

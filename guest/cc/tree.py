"""The typed tree: what the checker produces and `lower` consumes.

Every expression carries its C type; every implicit conversion is a `Convert`; arrays and functions in
value context are `AddressOf`. An lvalue node (SymbolRef, Deref, MemberOf, CompoundLiteral) in value
context means its contents.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from guest.cc.ir import SourceLoc
from guest.cc.symbols import Symbol
from guest.cc.types import CType, Field, FunctionType, IntType

# ---------------------------------------------------------------- expressions


@dataclass(slots=True)
class Expr:
    type: CType
    loc: SourceLoc


@dataclass(slots=True)
class IntConst(Expr):
    """An integer, enumeration, pointer or `__intcap_t` constant (the latter two without provenance)."""

    value: int


@dataclass(slots=True)
class FloatConst(Expr):
    value: float


@dataclass(slots=True)
class Bytes(Expr):
    """The contents of a character array, in initialisers only."""

    data: bytes


@dataclass(slots=True)
class SymbolRef(Expr):
    symbol: Symbol


@dataclass(slots=True)
class Deref(Expr):
    operand: Expr


@dataclass(slots=True)
class MemberOf(Expr):
    """`base` is a record, an lvalue or a value (a call's result)."""

    base: Expr
    field: Field


@dataclass(slots=True)
class AddressOf(Expr):
    operand: Expr


@dataclass(slots=True)
class Convert(Expr):
    operand: Expr


@dataclass(slots=True)
class Unary(Expr):
    """`op`: - ~ (on `type`), ! (int result)."""

    op: str
    operand: Expr


@dataclass(slots=True)
class Arithmetic(Expr):
    """`op` on two operands of `type` (a shift's right operand has its own). For `__intcap_t`,
    `provenance` says whose capability the result keeps: "left", "right" or "" (neither)."""

    op: str
    left: Expr
    right: Expr
    provenance: str = ""


@dataclass(slots=True)
class Compare(Expr):
    """Two operands of the same arithmetic or pointer type; int result."""

    op: str
    left: Expr
    right: Expr


@dataclass(slots=True)
class PointerAdd(Expr):
    """pointer + index * scale bytes; `index` is a 64-bit integer; `negative` subtracts."""

    pointer: Expr
    index: Expr
    scale: int
    negative: bool = False


@dataclass(slots=True)
class PointerDiff(Expr):
    left: Expr
    right: Expr
    scale: int


@dataclass(slots=True)
class Logical(Expr):
    """`&&` or `||`."""

    op: str
    left: Expr
    right: Expr


@dataclass(slots=True)
class Conditional(Expr):
    condition: Expr
    then: Expr
    otherwise: Expr


@dataclass(slots=True)
class Comma(Expr):
    left: Expr
    right: Expr


@dataclass(slots=True)
class Assign(Expr):
    target: Expr
    value: Expr


@dataclass(slots=True)
class OldValue(Expr):
    """In an `Update`'s result: what the target held."""


@dataclass(slots=True)
class Update(Expr):
    """target = result, where `result` speaks of the old value; the value is the old or the new one."""

    target: Expr
    old: OldValue
    result: Expr
    yields_old: bool


@dataclass(slots=True)
class Call(Expr):
    function: Expr
    signature: FunctionType
    args: list[Expr]


@dataclass(slots=True)
class Builtin(Expr):
    """A `__builtin_…` with checked arguments; `extra` is its compile-time parameter, if any."""

    name: str
    args: list[Expr]
    extra: int = 0


@dataclass(slots=True)
class VaArg(Expr):
    """`ap` is the va_list lvalue."""

    ap: Expr


@dataclass(slots=True)
class StatementExpr(Expr):
    body: list[Stmt]
    value: Expr | None


@dataclass(slots=True)
class CompoundLiteral(Expr):
    """A block-scope compound literal: initialises `symbol` each time, then denotes it."""

    symbol: Symbol
    init: Init


@dataclass(slots=True)
class LabelAddress(Expr):
    label: str


# ---------------------------------------------------------------- initialisers


@dataclass(slots=True)
class InitPiece:
    """`value` (converted to the element's type) goes to byte `offset`; `field` for a bit-field."""

    offset: int
    value: Expr
    field: Field | None = None


@dataclass(slots=True)
class Init:
    """An object's initialiser, flattened; bytes no piece covers are zero if `zero_rest`."""

    size: int
    pieces: list[InitPiece] = field(default_factory=list)
    zero_rest: bool = True


# ---------------------------------------------------------------- statements


@dataclass(slots=True)
class Stmt:
    loc: SourceLoc


@dataclass(slots=True)
class ExprStmt(Stmt):
    expression: Expr


@dataclass(slots=True)
class LocalDecl(Stmt):
    """Start of life of an automatic object; `length` is a VLA's size in bytes."""

    symbol: Symbol
    init: Init | None
    length: Expr | None = None


@dataclass(slots=True)
class Block(Stmt):
    body: list[Stmt]


@dataclass(slots=True)
class If(Stmt):
    condition: Expr
    then: Stmt
    otherwise: Stmt | None


@dataclass(slots=True)
class Loop(Stmt):
    """while, do and for: `test_first` is False for do; a missing condition is None (forever)."""

    condition: Expr | None
    step: Expr | None
    body: Stmt
    test_first: bool


@dataclass(slots=True)
class Switch(Stmt):
    value: Expr
    body: Stmt
    cases: list[tuple[int, int, Case]]
    default: Case | None


@dataclass(slots=True)
class Case(Stmt):
    """The place a `case` or `default` label marks."""

    body: Stmt


@dataclass(slots=True)
class Label(Stmt):
    name: str
    body: Stmt


@dataclass(slots=True)
class Goto(Stmt):
    label: str


@dataclass(slots=True)
class ComputedGoto(Stmt):
    address: Expr


@dataclass(slots=True)
class Break(Stmt):
    pass


@dataclass(slots=True)
class Continue(Stmt):
    pass


@dataclass(slots=True)
class Return(Stmt):
    value: Expr | None


@dataclass(slots=True)
class AsmOperand:
    """`constraint` without its `=`/`+`; `tied` is an input's output number."""

    constraint: str
    expression: Expr
    tied: int | None = None


@dataclass(slots=True)
class Asm(Stmt):
    """`template` has named operands replaced by numbers; a `+` output occurs among inputs, tied."""

    template: str
    outputs: list[AsmOperand]
    inputs: list[AsmOperand]
    clobbers: list[str]


# ---------------------------------------------------------------- external definitions


@dataclass(slots=True)
class Function:
    symbol: Symbol
    params: list[Symbol]
    body: list[Stmt]
    loc: SourceLoc
    address_taken_labels: list[str]


@dataclass(slots=True)
class Unit:
    """A checked translation unit: function bodies, objects with static storage, and the rest."""

    functions: list[Function] = field(default_factory=list)
    objects: list[Symbol] = field(default_factory=list)
    symbols: list[Symbol] = field(default_factory=list)
    asm: list[str] = field(default_factory=list)


def int_type(e: Expr) -> IntType:
    """The expression's integer type (the caller knows that it has one)."""
    assert isinstance(e.type, IntType)
    return e.type

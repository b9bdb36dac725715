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


@dataclass(slots=True, eq=False, repr=False)
class Expr:
    type: CType
    loc: SourceLoc


@dataclass(slots=True, eq=False, repr=False)
class IntConst(Expr):
    """An integer, enumeration, pointer or `__intcap_t` constant (the latter two without provenance)."""

    value: int


@dataclass(slots=True, eq=False, repr=False)
class FloatConst(Expr):
    value: float


@dataclass(slots=True, eq=False, repr=False)
class Bytes(Expr):
    """The contents of a character array, in initialisers only."""

    data: bytes


@dataclass(slots=True, eq=False, repr=False)
class SymbolRef(Expr):
    symbol: Symbol


@dataclass(slots=True, eq=False, repr=False)
class Deref(Expr):
    operand: Expr


@dataclass(slots=True, eq=False, repr=False)
class MemberOf(Expr):
    """`base` is a record, an lvalue or a value (a call's result)."""

    base: Expr
    field: Field


@dataclass(slots=True, eq=False, repr=False)
class AddressOf(Expr):
    operand: Expr


@dataclass(slots=True, eq=False, repr=False)
class Convert(Expr):
    operand: Expr


@dataclass(slots=True, eq=False, repr=False)
class Unary(Expr):
    """`op`: - ~ (on `type`), ! (int result)."""

    op: str
    operand: Expr


@dataclass(slots=True, eq=False, repr=False)
class Arithmetic(Expr):
    """`op` on two operands of `type` (a shift's right operand has its own). For `__intcap_t`,
    `provenance` says whose capability the result keeps: "left", "right" or "" (neither)."""

    op: str
    left: Expr
    right: Expr
    provenance: str = ""


@dataclass(slots=True, eq=False, repr=False)
class Compare(Expr):
    """Two operands of the same arithmetic or pointer type; int result."""

    op: str
    left: Expr
    right: Expr


@dataclass(slots=True, eq=False, repr=False)
class PointerAdd(Expr):
    """pointer + index * scale bytes; `index` is a 64-bit integer; `negative` subtracts."""

    pointer: Expr
    index: Expr
    scale: int
    negative: bool = False


@dataclass(slots=True, eq=False, repr=False)
class PointerDiff(Expr):
    left: Expr
    right: Expr
    scale: int


@dataclass(slots=True, eq=False, repr=False)
class Logical(Expr):
    """`&&` or `||`."""

    op: str
    left: Expr
    right: Expr


@dataclass(slots=True, eq=False, repr=False)
class Conditional(Expr):
    condition: Expr
    then: Expr
    otherwise: Expr


@dataclass(slots=True, eq=False, repr=False)
class Comma(Expr):
    left: Expr
    right: Expr


@dataclass(slots=True, eq=False, repr=False)
class Assign(Expr):
    target: Expr
    value: Expr


@dataclass(slots=True, eq=False, repr=False)
class OldValue(Expr):
    """In an `Update`'s result: what the target held."""


@dataclass(slots=True, eq=False, repr=False)
class Update(Expr):
    """target = result, where `result` speaks of the old value; the value is the old or the new one."""

    target: Expr
    old: OldValue
    result: Expr
    yields_old: bool


@dataclass(slots=True, eq=False, repr=False)
class Call(Expr):
    function: Expr
    signature: FunctionType
    args: list[Expr]


@dataclass(slots=True, eq=False, repr=False)
class Builtin(Expr):
    """A `__builtin_…` with checked arguments; `extra` is its compile-time parameter, if any."""

    name: str
    args: list[Expr]
    extra: int = 0


@dataclass(slots=True, eq=False, repr=False)
class VaArg(Expr):
    """`ap` is the va_list lvalue."""

    ap: Expr


@dataclass(slots=True, eq=False, repr=False)
class StatementExpr(Expr):
    body: list[Stmt]
    value: Expr | None


@dataclass(slots=True, eq=False, repr=False)
class CompoundLiteral(Expr):
    """A block-scope compound literal: initialises `symbol` each time, then denotes it."""

    symbol: Symbol
    init: Init


@dataclass(slots=True, eq=False, repr=False)
class LabelAddress(Expr):
    label: str


# ---------------------------------------------------------------- initialisers


@dataclass(slots=True, eq=False, repr=False)
class InitPiece:
    """`value` (converted to the element's type) goes to byte `offset`; `field` for a bit-field."""

    offset: int
    value: Expr
    field: Field | None = None


@dataclass(slots=True, eq=False, repr=False)
class Init:
    """An object's initialiser, flattened; bytes no piece covers are zero if `zero_rest`."""

    size: int
    pieces: list[InitPiece] = field(default_factory=list)
    zero_rest: bool = True


# ---------------------------------------------------------------- statements


@dataclass(slots=True, eq=False, repr=False)
class Stmt:
    loc: SourceLoc


@dataclass(slots=True, eq=False, repr=False)
class ExprStmt(Stmt):
    expression: Expr


@dataclass(slots=True, eq=False, repr=False)
class LocalDecl(Stmt):
    """Start of life of an automatic object; `length` is a VLA's size in bytes."""

    symbol: Symbol
    init: Init | None
    length: Expr | None = None


@dataclass(slots=True, eq=False, repr=False)
class Block(Stmt):
    body: list[Stmt]


@dataclass(slots=True, eq=False, repr=False)
class If(Stmt):
    condition: Expr
    then: Stmt
    otherwise: Stmt | None


@dataclass(slots=True, eq=False, repr=False)
class Loop(Stmt):
    """while, do and for: `test_first` is False for do; a missing condition is None (forever)."""

    condition: Expr | None
    step: Expr | None
    body: Stmt
    test_first: bool


@dataclass(slots=True, eq=False, repr=False)
class Switch(Stmt):
    value: Expr
    body: Stmt
    cases: list[tuple[int, int, Case]]
    default: Case | None


@dataclass(slots=True, eq=False, repr=False)
class Case(Stmt):
    """The place a `case` or `default` label marks."""

    body: Stmt


@dataclass(slots=True, eq=False, repr=False)
class Label(Stmt):
    name: str
    body: Stmt


@dataclass(slots=True, eq=False, repr=False)
class Goto(Stmt):
    label: str


@dataclass(slots=True, eq=False, repr=False)
class ComputedGoto(Stmt):
    address: Expr


@dataclass(slots=True, eq=False, repr=False)
class Break(Stmt):
    pass


@dataclass(slots=True, eq=False, repr=False)
class Continue(Stmt):
    pass


@dataclass(slots=True, eq=False, repr=False)
class Return(Stmt):
    value: Expr | None


@dataclass(slots=True, eq=False, repr=False)
class AsmOperand:
    """`constraint` without its `=`/`+`; `tied` is an input's output number."""

    constraint: str
    expression: Expr
    tied: int | None = None


@dataclass(slots=True, eq=False, repr=False)
class Asm(Stmt):
    """`template` has named operands replaced by numbers; a `+` output occurs among inputs, tied."""

    template: str
    outputs: list[AsmOperand]
    inputs: list[AsmOperand]
    clobbers: list[str]


# ---------------------------------------------------------------- external definitions


@dataclass(slots=True, eq=False, repr=False)
class Function:
    symbol: Symbol
    params: list[Symbol]
    body: list[Stmt]
    loc: SourceLoc
    address_taken_labels: list[str]


@dataclass(slots=True, eq=False, repr=False)
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

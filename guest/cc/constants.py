"""Compile-time evaluation: folding of typed expressions and constants of static initialisers."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from guest.cc import tree as t
from guest.cc import types as ct
from guest.cc.errors import CompileError
from guest.cc.symbols import Kind, Symbol
from guest.cc.types import FloatType, IntType


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a symbol plus bytes."""

    symbol: Symbol
    offset: int


@dataclass(frozen=True, slots=True)
class LabelConst:
    """`&&label` of the function being checked."""

    label: str


@dataclass(frozen=True, slots=True)
class LabelDifference:
    """`&&label - &&base`."""

    label: str
    base: str


Constant = int | float | Address | LabelConst | LabelDifference


def round_to(value: float, ty: ct.CType) -> float:
    """`value` as the type represents it (float: rounded to 32 bits)."""
    if ty.size == 4:
        try:
            return float(struct.unpack("<f", struct.pack("<f", value))[0])
        except OverflowError:
            return math.copysign(math.inf, value)
    return value


def fold(e: t.Expr) -> t.Expr:
    """`e` as an IntConst or FloatConst when its operands are constants; otherwise `e` itself."""
    match e:
        case t.Convert():
            return _fold_convert(e)
        case t.Unary():
            return _fold_unary(e)
        case t.Arithmetic(left=t.IntConst() as a, right=t.IntConst() as b):
            value = integer_operation(e.op, a.value, b.value, t.int_type(e))
            return e if value is None else t.IntConst(e.type, e.loc, value)
        case t.Arithmetic(left=t.FloatConst() as x, right=t.FloatConst() as y):
            result = _float_operation(e.op, x.value, y.value)
            return e if result is None else t.FloatConst(e.type, e.loc, round_to(result, e.type))
        case t.Compare(left=t.IntConst() as a, right=t.IntConst() as b):
            u, v = a.value, b.value
            if a.type.is_pointer:
                u, v = u & ~(-1 << 64), v & ~(-1 << 64)
            return t.IntConst(e.type, e.loc, int(_COMPARE[e.op](u, v)))
        case t.Compare(left=t.FloatConst() as x, right=t.FloatConst() as y):
            return t.IntConst(e.type, e.loc, int(_COMPARE[e.op](x.value, y.value)))
        case t.Logical():
            return _fold_logical(e)
        case t.Conditional(condition=condition):
            known = truth(condition)
            return e if known is None else (e.then if known else e.otherwise)
    return e


_COMPARE = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def truth(e: t.Expr) -> bool | None:
    """Whether a constant expression is true; None when it isn't constant."""
    if isinstance(e, (t.IntConst, t.FloatConst)):
        return e.value != 0
    return None


def integer_operation(op: str, a: int, b: int, ty: IntType) -> int | None:
    """a op b in `ty`; None for a division by zero or an impossible shift (left to run time)."""
    if op in ("/", "%"):
        if b == 0:
            return None
        quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        return ty.wrap(quotient if op == "/" else a - quotient * b)
    if op in ("<<", ">>"):
        if not 0 <= b < ty.bits:
            return None
        return ty.wrap(a << b if op == "<<" else a >> b)
    match op:
        case "+":
            value = a + b
        case "-":
            value = a - b
        case "*":
            value = a * b
        case "&":
            value = a & b
        case "|":
            value = a | b
        case _:
            value = a ^ b
    return ty.wrap(value)


def _float_operation(op: str, a: float, b: float) -> float | None:
    match op:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "/" if b != 0:
            return a / b
        case "/" if a == 0 or math.isnan(a):
            return None  # the sign of a NaN is the hardware's
        case "/":
            return math.copysign(math.inf, a) * math.copysign(1.0, b)
    return None


def _fold_convert(e: t.Convert) -> t.Expr:
    source, target = e.operand, e.type
    if isinstance(source, t.IntConst):
        if isinstance(target, IntType):
            return t.IntConst(target, e.loc, target.wrap(source.value))
        if isinstance(target, FloatType):
            return t.FloatConst(target, e.loc, round_to(_int_to_float(source.value, target), target))
        if target.is_pointer:
            return t.IntConst(target, e.loc, source.value)
    elif isinstance(source, t.FloatConst):
        if isinstance(target, FloatType):
            return t.FloatConst(target, e.loc, round_to(source.value, target))
        if isinstance(target, IntType):
            return t.IntConst(target, e.loc, float_to_int(source.value, target))
    return e


def _int_to_float(value: int, target: FloatType) -> float:
    """Correctly rounded once, also to 32 bits (a detour through double could round twice)."""
    if target.size == 8 or abs(value) < 1 << 53:
        return float(value)
    magnitude = abs(value)
    shift = magnitude.bit_length() - 25
    sticky = int(magnitude & ((1 << shift) - 1) != 0)
    kept = magnitude >> shift
    return math.copysign(float((kept << 1 | sticky) << (shift - 1)), value)


def float_to_int(value: float, target: IntType) -> int:
    """As FCVTZS/FCVTZU: truncated, saturated to the type's 32 or 64 bits; NaN is 0."""
    if target.rank == 0:
        return int(value != 0)
    if math.isnan(value):
        return 0
    low, high = (-(1 << (target.bits - 1)), (1 << (target.bits - 1)) - 1)
    if not target.signed:
        low, high = 0, (1 << target.bits) - 1
    if math.isinf(value):
        return high if value > 0 else low
    return target.wrap(min(max(int(value), low), high))


def _fold_unary(e: t.Unary) -> t.Expr:
    operand = e.operand
    if e.op == "!":
        known = truth(operand)
        return e if known is None else t.IntConst(e.type, e.loc, int(not known))
    if isinstance(operand, t.IntConst):
        value = -operand.value if e.op == "-" else ~operand.value
        return t.IntConst(e.type, e.loc, t.int_type(e).wrap(value))
    if isinstance(operand, t.FloatConst):
        return t.FloatConst(e.type, e.loc, -operand.value)
    return e


def _fold_logical(e: t.Logical) -> t.Expr:
    left, right = truth(e.left), truth(e.right)
    decisive = e.op == "||"
    if left is decisive:
        return t.IntConst(e.type, e.loc, int(decisive))
    if left is not None and right is not None:
        return t.IntConst(e.type, e.loc, int(right))
    return e


def evaluate(e: t.Expr) -> Constant:
    """The value of a static initialiser's expression; raises CompileError when it isn't constant."""
    match e:
        case t.IntConst() | t.FloatConst():
            return e.value
        case t.AddressOf(operand=operand):
            return _address(operand)
        case t.Convert(operand=operand):
            value = evaluate(operand)
            if isinstance(value, (Address, LabelConst)) and not e.type.in_capability:
                if e.type.is_integer and isinstance(operand, t.LabelAddress):
                    return value
                raise CompileError(e.loc, "an address cannot be converted to an integer at compile time")
            return value
        case t.PointerAdd(pointer=pointer, index=index):
            base, count = evaluate(pointer), evaluate(index)
            if isinstance(count, int):
                step = -count * e.scale if e.negative else count * e.scale
                if isinstance(base, Address):
                    return Address(base.symbol, base.offset + step)
                if isinstance(base, int):
                    return base + step
        case t.PointerDiff(left=left, right=right):
            a, b = evaluate(left), evaluate(right)
            if isinstance(a, LabelConst) and isinstance(b, LabelConst):
                return LabelDifference(a.label, b.label)
            if isinstance(a, Address) and isinstance(b, Address) and a.symbol is b.symbol:
                return (a.offset - b.offset) // e.scale
        case t.Arithmetic() if e.provenance:
            return _intcap_arithmetic(e)
        case t.LabelAddress(label=label):
            return LabelConst(label)
    raise CompileError(e.loc, "the initialiser is not a constant expression")


def _intcap_arithmetic(e: t.Arithmetic) -> Constant:
    a, b = evaluate(e.left), evaluate(e.right)
    if e.op == "-" and isinstance(a, Address) and isinstance(b, int):
        return Address(a.symbol, a.offset - b)
    if e.op == "+" and isinstance(a, Address) and isinstance(b, int):
        return Address(a.symbol, a.offset + b)
    if e.op == "+" and isinstance(b, Address) and isinstance(a, int):
        return Address(b.symbol, b.offset + a)
    raise CompileError(e.loc, "the initialiser is not a constant expression")


def _address(e: t.Expr) -> Constant:
    match e:
        case t.SymbolRef(symbol=symbol):
            if symbol.kind in (Kind.OBJECT, Kind.FUNCTION) and not symbol.is_thread_local:
                return Address(symbol, 0)
        case t.CompoundLiteral(symbol=symbol) if symbol.kind is Kind.OBJECT:
            return Address(symbol, 0)
        case t.Deref(operand=operand):
            return evaluate(operand)
        case t.MemberOf(base=base, field=member):
            value = _address(base)
            if isinstance(value, Address):
                return Address(value.symbol, value.offset + member.offset)
            if isinstance(value, int):
                return value + member.offset
    raise CompileError(e.loc, "the initialiser is not a constant expression")

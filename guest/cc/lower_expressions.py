"""Lowering, part 5: expressions. One method per node of the typed tree, found by its class.

`value` gives a scalar in a register, `operand` the same or an immediate, `record` a struct's place in
memory, `place` where an lvalue is, and `branch_on` turns a condition into control flow.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import ClassVar

from guest.cc import ir
from guest.cc import tree as t
from guest.cc import types as ct
from guest.cc.abi import SLOT, anonymous_by_reference, register_class
from guest.cc.constants import truth
from guest.cc.errors import CompileError
from guest.cc.ir import BinOp, CapOp, Cond, Imm, Operand, Ty, UnOp, VReg
from guest.cc.lower_conversions import keeps_truth
from guest.cc.lower_emit import signed64
from guest.cc.lower_memory import BitField, Mem, signed32
from guest.cc.lower_places import Place, PlaceLowering
from guest.cc.symbols import Kind

_INTEGER_OPS = {
    "+": (BinOp.ADD, BinOp.ADD),
    "-": (BinOp.SUB, BinOp.SUB),
    "*": (BinOp.MUL, BinOp.MUL),
    "/": (BinOp.SDIV, BinOp.UDIV),
    "%": (BinOp.SREM, BinOp.UREM),
    "&": (BinOp.AND, BinOp.AND),
    "|": (BinOp.OR, BinOp.OR),
    "^": (BinOp.XOR, BinOp.XOR),
    "<<": (BinOp.SHL, BinOp.SHL),
    ">>": (BinOp.ASHR, BinOp.LSHR),
}
_FLOAT_OPS = {"+": BinOp.FADD, "-": BinOp.FSUB, "*": BinOp.FMUL, "/": BinOp.FDIV}
_COMMUTATIVE = frozenset("+*&|^")
_SIGNED = {"==": Cond.EQ, "!=": Cond.NE, "<": Cond.SLT, "<=": Cond.SLE, ">": Cond.SGT, ">=": Cond.SGE}
_UNSIGNED = {"==": Cond.EQ, "!=": Cond.NE, "<": Cond.ULT, "<=": Cond.ULE, ">": Cond.UGT, ">=": Cond.UGE}
_FLOAT = {"==": Cond.FEQ, "!=": Cond.FNE, "<": Cond.FLT, "<=": Cond.FLE, ">": Cond.FGT, ">=": Cond.FGE}
_SWAPPED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


class ExpressionLowering(PlaceLowering):
    """Knows how each expression computes."""

    def __init__(self, function: ir.Function, labels_taken: list[str]) -> None:
        super().__init__(function)
        self.old_values: dict[int, VReg] = {}
        self.labels_taken = labels_taken

    # -------------------------------------------------------- services of the later parts

    def call(self, e: t.Call, home: Mem | None = None) -> VReg | Mem | None:
        raise NotImplementedError

    def builtin(self, e: t.Builtin) -> VReg | None:
        raise NotImplementedError

    def statements(self, body: list[t.Stmt]) -> None:
        raise NotImplementedError

    def label_block(self, name: str) -> str:
        return f"label.{name}"

    # -------------------------------------------------------- entry points

    def value(self, e: t.Expr) -> VReg:
        """A scalar expression's value in a register."""
        operand = self.operand(e)
        return self.register(operand, register_class(e.type)) if isinstance(operand, Imm) else operand

    def operand(self, e: t.Expr) -> Operand:
        """As `value`, but an integer constant stays an immediate."""
        if isinstance(e, t.IntConst):
            if register_class(e.type) is Ty.I32:
                return Imm(signed32(e.value))
            if register_class(e.type) is Ty.I64:
                return Imm(signed64(e.value))
        result = self.compute(e)
        assert isinstance(result, VReg), e
        return result

    def effect(self, e: t.Expr) -> None:
        """Evaluate for side effects only."""
        self.compute(e, wanted=False)

    def compute(self, e: t.Expr, wanted: bool = True) -> VReg | Mem | None:
        """Any expression: a register, a record's place, or None for void."""
        outer, self.loc = self.loc, e.loc
        if isinstance(e, (t.SymbolRef, t.Deref, t.MemberOf, t.CompoundLiteral)):
            result = self.contents(e, wanted)
        elif isinstance(e, t.Update):
            result = self._update(e, wanted)
        else:
            result = self._EXPRESSIONS[type(e)](self, e)
        self.loc = outer
        return result

    def record(self, e: t.Expr) -> Mem:
        """Where a record value is in memory."""
        result = self.compute(e)
        assert isinstance(result, Mem), e
        return result

    # -------------------------------------------------------- constants and addresses

    def _int_const(self, e: t.IntConst) -> VReg:
        ty = register_class(e.type)
        if ty is not Ty.CAP:
            return self.constant(ty, signed32(e.value) if ty is Ty.I32 else e.value)
        if e.value == 0:
            return self.constant(Ty.CAP, 0)
        return self.unary(UnOp.INT_TO_CAP, Ty.CAP, self.constant(Ty.I64, e.value))

    def _float_const(self, e: t.FloatConst) -> VReg:
        dst = self.vreg(register_class(e.type))
        form, bits = ("<f", "<I") if e.type.size == 4 else ("<d", "<Q")
        self.emit(ir.FConst(dst, struct.unpack(bits, struct.pack(form, e.value))[0]))
        return dst

    def _address_of(self, e: t.AddressOf) -> VReg:
        if isinstance(e.operand, t.SymbolRef) and e.operand.symbol.kind is Kind.FUNCTION:
            self.need(e.operand.symbol)
            return self.global_address(e.operand.symbol.link_name)
        place = self.place(e.operand)
        if isinstance(place, VReg):
            raise CompileError(e.loc, "this value has no address")
        assert isinstance(place, Mem)
        return self.cap_of(place)

    def _label_address(self, e: t.LabelAddress) -> VReg:
        dst = self.vreg(Ty.CAP)
        self.emit(ir.BlockAddr(dst, self.label_block(e.label)))
        return dst

    def _pointer_add(self, e: t.PointerAdd) -> VReg:
        if isinstance(e.index, t.IntConst):
            offset = e.index.value * e.scale * (-1 if e.negative else 1)
            if isinstance(e.pointer, t.AddressOf):
                place = self.place(e.pointer.operand)
                if isinstance(place, Mem):
                    return self.cap_of(place.plus(signed64(offset)))
            return self.cap(CapOp.ADD, self.value(e.pointer), Imm(signed64(offset)))
        base = self.value(e.pointer)
        offset_register = self.scaled(self.value(e.index), e.scale)
        if e.negative:
            offset_register = self.unary(UnOp.NEG, Ty.I64, offset_register)
        return self.cap(CapOp.ADD, base, offset_register)

    def _pointer_diff(self, e: t.PointerDiff) -> VReg:
        a, b = self.address(self.value(e.left)), self.address(self.value(e.right))
        bytes_ = self.binary(BinOp.SUB, Ty.I64, a, b)
        if e.scale == 1:
            return bytes_
        if e.scale & (e.scale - 1) == 0:
            return self.binary(BinOp.ASHR, Ty.I64, bytes_, Imm(e.scale.bit_length() - 1))
        return self.binary(BinOp.SDIV, Ty.I64, bytes_, Imm(e.scale))

    # -------------------------------------------------------- conversions

    def _convert(self, e: t.Convert) -> VReg | Mem | None:
        if e.type.is_void:
            self.effect(e.operand)
            return None
        if e.type.is_record:
            return self.record(e.operand)
        return self.converted(self.value(e.operand), e.operand.type, e.type)

    # -------------------------------------------------------- arithmetic

    def _unary(self, e: t.Unary) -> VReg:
        if e.op == "!":
            return self._as_value(e)
        v = self.value(e.operand)
        if e.type.is_float:
            return self.unary(UnOp.FNEG, v.ty, v)
        op = UnOp.NEG if e.op == "-" else UnOp.NOT
        if e.type.is_intcap:
            return self.cap(CapOp.SET_ADDRESS, v, self.unary(op, Ty.I64, self.address(v)))
        return self.unary(op, v.ty, v)

    def _arithmetic(self, e: t.Arithmetic) -> VReg:
        if e.type.is_float:
            a, b = self.value(e.left), self.value(e.right)
            return self.binary(_FLOAT_OPS[e.op], a.ty, a, b)
        if e.type.is_intcap:
            return self._intcap_arithmetic(e)
        ty = register_class(e.type)
        op = _INTEGER_OPS[e.op][0 if t.int_type(e).signed else 1]
        left, right = e.left, e.right
        if e.op in _COMMUTATIVE and isinstance(left, t.IntConst):
            left, right = right, left
        x = self.operand(left)
        y = self._shift_amount(right, ty) if e.op in ("<<", ">>") else self.operand(right)
        if isinstance(x, Imm) and isinstance(y, Imm):
            x = self.constant(ty, x.value)
        return self.binary(op, ty, x, y)

    def _shift_amount(self, e: t.Expr, ty: Ty) -> Operand:
        amount = self.operand(e)
        if isinstance(amount, Imm) or amount.ty is ty:
            return amount
        return self.unary(UnOp.ZEXT32 if ty is Ty.I64 else UnOp.TRUNC, ty, amount)

    def _intcap_arithmetic(self, e: t.Arithmetic) -> VReg:
        """Arithmetic on addresses; the result keeps the capability of the operand that has one."""
        left = self.value(e.left)
        signed = t.int_type(e).signed
        if e.op in ("<<", ">>"):
            right: VReg | None = None
            b = self._shift_amount(e.right, Ty.I64)
        else:
            right = self.value(e.right)
            if e.op == "+" and e.provenance:
                base, other = (left, right) if e.provenance == "left" else (right, left)
                return self.cap(CapOp.ADD, base, self.address(other))
            b = self.address(right)
        result = self.binary(_INTEGER_OPS[e.op][0 if signed else 1], Ty.I64, self.address(left), b)
        if e.provenance == "left":
            return self.cap(CapOp.SET_ADDRESS, left, result)
        if e.provenance == "right" and right is not None:
            return self.cap(CapOp.SET_ADDRESS, right, result)
        return self.unary(UnOp.INT_TO_CAP, Ty.CAP, result)

    # -------------------------------------------------------- conditions

    def _as_value(self, e: t.Expr) -> VReg:
        """A condition as 0 or 1."""
        if isinstance(e, t.Compare):
            cond, a, b = self._compared(e)
            return self.set_cond(cond, a, b)
        if isinstance(e, t.Unary) and e.op == "!" and not isinstance(e.operand, (t.Logical, t.Unary)):
            if isinstance(e.operand, t.Compare):
                cond, a, b = self._compared(e.operand)
                inverse = _INVERSE.get(cond)
                if inverse is not None:
                    return self.set_cond(inverse, a, b)
            elif not e.operand.type.is_float:
                v = self.value(e.operand)
                return self.set_cond(Cond.EQ, self.address(v) if v.ty is Ty.CAP else v, Imm(0))
        dst = self.vreg(Ty.I32)
        yes, no, end = self.label("true"), self.label("false"), self.label("join")
        self.branch_on(e, yes, no)
        self.start(yes)
        self.emit(ir.Const(dst, 1))
        self.jump(end)
        self.start(no)
        self.emit(ir.Const(dst, 0))
        self.start(end)
        return dst

    def _compared(self, e: t.Compare) -> tuple[Cond, Operand, Operand]:
        """Condition and operands of a comparison, pointers by address, constants on the right."""
        op, left, right = e.op, e.left, e.right
        if isinstance(left, t.IntConst) and not isinstance(right, t.IntConst):
            op, left, right = _SWAPPED[op], right, left
        ty = left.type
        if ty.is_float:
            return _FLOAT[op], self.value(left), self.value(right)
        signed = isinstance(ty, ct.IntType) and ty.signed
        a: Operand = self.value(left)
        if ty.in_capability:
            assert isinstance(a, VReg)
            a = self.address(a)
            b: Operand = (
                Imm(signed64(right.value))
                if isinstance(right, t.IntConst)
                else self.address(self.value(right))
            )
        else:
            b = self.operand(right)
        return (_SIGNED if signed else _UNSIGNED)[op], a, b

    def branch_on(self, e: t.Expr, if_true: str, if_false: str) -> None:
        """Jump to one of two blocks by a condition."""
        known = truth(e)
        match e:
            case _ if known is not None:
                self.jump(if_true if known else if_false)
            case t.Unary(op="!", operand=operand):
                self.branch_on(operand, if_false, if_true)
            case t.Logical(op=op, left=left, right=right):
                middle = self.label("and" if op == "&&" else "or")
                if op == "&&":
                    self.branch_on(left, middle, if_false)
                else:
                    self.branch_on(left, if_true, middle)
                self.start(middle)
                self.branch_on(right, if_true, if_false)
            case t.Compare():
                self.branch(*self._compared(e), if_true, if_false)
            case t.Convert(operand=operand) if keeps_truth(operand.type, e.type):
                self.branch_on(operand, if_true, if_false)
            case t.Comma(left=left, right=right):
                self.effect(left)
                self.branch_on(right, if_true, if_false)
            case _:
                self._branch_on_value(e, if_true, if_false)

    def _branch_on_value(self, e: t.Expr, if_true: str, if_false: str) -> None:
        v = self.value(e)
        if e.type.is_float:
            zero = self.vreg(v.ty)
            self.emit(ir.FConst(zero, 0))
            self.branch(Cond.FNE, v, zero, if_true, if_false)
            return
        self.branch(Cond.NE, self.address(v) if v.ty is Ty.CAP else v, Imm(0), if_true, if_false)

    def _conditional(self, e: t.Conditional) -> VReg | Mem | None:
        yes, no, end = self.label("then"), self.label("else"), self.label("join")
        scalar = e.type.is_scalar
        dst = self.vreg(register_class(e.type)) if scalar else None
        result = None
        if e.type.is_record:
            result = Mem(self.new_slot(*self.padded(e.type.size, e.type.align)))
        self.branch_on(e.condition, yes, no)
        for block, arm in ((yes, e.then), (no, e.otherwise)):
            self.start(block)
            if dst is not None:
                self.assign(dst, self.value(arm))
            elif result is not None:
                self.copy_record(result, self.record(arm), e.type)
            else:
                self.effect(arm)
            if block == yes:
                self.jump(end)
        self.start(end)
        return dst or result

    def _comma(self, e: t.Comma) -> VReg | Mem | None:
        self.effect(e.left)
        return self.compute(e.right)

    # -------------------------------------------------------- assignments

    def _assign(self, e: t.Assign) -> VReg | Mem | None:
        if e.target.type.is_record:
            return self._assign_record(e)
        if isinstance(e.target, t.SymbolRef):
            home = self.homes.get(e.target.symbol)
            if isinstance(home, VReg):
                self.assign(home, self.operand(e.value))
                return home
        place, operand = self._place_and_value(e)
        if isinstance(place, VReg):
            self.assign(place, operand)
            return place
        self.store(place, e.target.type, operand)
        register = self.register(operand, register_class(e.value.type))
        if isinstance(place, BitField):
            return self.bit_field_value(register, place.field)
        return register

    def _place_and_value(self, e: t.Assign) -> tuple[Place, Operand]:
        """The value first when it may call or branch, so that addresses need not live across that."""
        if _is_simple(e.target):
            value = self.operand(e.value)
            return self.place(e.target), value
        place = self.place(e.target)
        return place, self.operand(e.value)

    def _assign_record(self, e: t.Assign) -> Mem:
        source = self.record(e.value)
        target = self.place(e.target)
        assert isinstance(target, Mem)
        target = self.simple(target)
        self.copy_record(target, source, e.target.type)
        return target

    def _old_value(self, e: t.OldValue) -> VReg:
        return self.old_values[id(e)]

    def _update(self, e: t.Update, wanted: bool) -> VReg:
        target = self.place(e.target)
        if isinstance(target, Mem) and e.target.type.quals & ct.ATOMIC:
            return self._atomic_update(e, target)
        if isinstance(target, VReg):
            old = target
            if e.yields_old and wanted:
                old = self.vreg(target.ty)
                self.emit(ir.Unary(UnOp.COPY, old, target))
            self.old_values[id(e.old)] = old if wanted and e.yields_old else target
            self.assign(target, self.operand(e.result))
            return old
        old = self.load(target, e.target.type)
        self.old_values[id(e.old)] = old
        new = self.operand(e.result)
        self.store(target, e.target.type, new)
        if e.yields_old:
            return old
        if not wanted:
            return old
        register = self.register(new, register_class(e.type))
        return self.bit_field_value(register, target.field) if isinstance(target, BitField) else register

    def _atomic_update(self, e: t.Update, target: Mem) -> VReg:
        """Compare-and-exchange loop around the operation."""
        ty = e.target.type
        address = self.cap_of(target)
        current, old = self.vreg(register_class(ty)), self.vreg(register_class(ty))
        self.assign(current, self.atomic_load(address, ty))
        again, done = self.label("retry"), self.label("done")
        self.start(again)
        self.emit(ir.Unary(UnOp.COPY, old, current))
        self.old_values[id(e.old)] = old
        new = self.value(e.result)
        seen = self.vreg(register_class(ty))
        self.atomic(ir.AtomicOp.COMPARE_EXCHANGE, ty, seen, address, new, old)
        self.assign(current, self.extended(seen, ty))
        cond = Cond.CAP_EXACT_EQ if ty.in_capability else Cond.EQ
        if ty.in_capability:
            same = self.set_cond(cond, current, old)
            self.branch(Cond.NE, same, Imm(0), done, again)
        else:
            self.branch(cond, current, old, done, again)
        self.start(done)
        return old if e.yields_old else new

    # -------------------------------------------------------- other forms

    def _statement_expression(self, e: t.StatementExpr) -> VReg | Mem | None:
        self.statements(e.body)
        if e.value is None:
            return None
        result = self.compute(e.value)
        if isinstance(result, VReg) and result.name:
            copied = self.vreg(result.ty)
            self.emit(ir.Unary(UnOp.COPY, copied, result))
            return copied
        return result

    def _va_arg(self, e: t.VaArg) -> VReg | Mem:
        place = self.place(e.ap)
        ap = self.loaded(place, e.ap.type)
        assert isinstance(ap, VReg)
        slot = self.vreg(Ty.CAP)
        self.emit(ir.Unary(UnOp.COPY, slot, ap))
        following = self.cap(CapOp.ADD, ap, Imm(SLOT))
        if isinstance(place, VReg):
            self.assign(place, following)
        else:
            self.store(place, e.ap.type, following)
        if anonymous_by_reference(e.type):
            slot = self.load_width(ir.Width.CAP, Ty.CAP, Mem(slot))
        return Mem(slot) if e.type.is_record else self.load(Mem(slot), e.type)

    _EXPRESSIONS: ClassVar[dict[type[t.Expr], Callable[..., VReg | Mem | None]]] = {
        t.IntConst: _int_const,
        t.FloatConst: _float_const,
        t.AddressOf: _address_of,
        t.LabelAddress: _label_address,
        t.PointerAdd: _pointer_add,
        t.PointerDiff: _pointer_diff,
        t.Convert: _convert,
        t.Unary: _unary,
        t.Arithmetic: _arithmetic,
        t.Compare: _as_value,
        t.Logical: _as_value,
        t.Conditional: _conditional,
        t.Comma: _comma,
        t.Assign: _assign,
        t.OldValue: _old_value,
        t.StatementExpr: _statement_expression,
        t.VaArg: _va_arg,
        t.Call: lambda self, e: self.call(e),
        t.Builtin: lambda self, e: self.builtin(e),
    }


_INVERSE = {
    Cond.EQ: Cond.NE,
    Cond.NE: Cond.EQ,
    Cond.SLT: Cond.SGE,
    Cond.SGE: Cond.SLT,
    Cond.SLE: Cond.SGT,
    Cond.SGT: Cond.SLE,
    Cond.ULT: Cond.UGE,
    Cond.UGE: Cond.ULT,
    Cond.ULE: Cond.UGT,
    Cond.UGT: Cond.ULE,
    Cond.FEQ: Cond.FNE,
    Cond.FNE: Cond.FEQ,
}


def _is_simple(e: t.Expr) -> bool:
    """An lvalue whose place has no effects and depends on nothing an operand could change."""
    match e:
        case t.SymbolRef():
            return True
        case t.MemberOf(base=base):
            return _is_simple(base)
    return False

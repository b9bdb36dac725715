"""Algebraic simplification of one operation, given what value numbering knows about its operands.

One function per operation class; each returns the operation itself or a simpler one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from guest.cc import ir
from guest.cc.backend.passes import divide, fold
from guest.cc.backend.passes.fold import BITS, INVERSE, unsigned, wrap
from guest.cc.ir import BinOp, CapOp, Cond, Imm, Ty, UnOp, VReg, Width

if TYPE_CHECKING:
    from guest.cc.backend.passes.values import ValueNumbering

COMMUTATIVE_INT = frozenset({BinOp.ADD, BinOp.MUL, BinOp.AND, BinOp.OR, BinOp.XOR, BinOp.UMULH, BinOp.SMULH})
SHIFTS = frozenset({BinOp.SHL, BinOp.LSHR, BinOp.ASHR})
EXTENSION_BITS = {
    UnOp.SEXT8: 8,
    UnOp.ZEXT8: 8,
    UnOp.SEXT16: 16,
    UnOp.ZEXT16: 16,
    UnOp.SEXT32: 32,
    UnOp.ZEXT32: 32,
}
SIGNED_EXTENSIONS = frozenset({UnOp.SEXT8, UnOp.SEXT16, UnOp.SEXT32})


def simplify(v: ValueNumbering, op: ir.Op) -> ir.Op:
    """The simplest equivalent of `op` found; helper operations are emitted through `v`."""
    handler = _HANDLERS.get(type(op))
    return op if handler is None else handler(v, op)


def _copy(dst: VReg, operand: ir.Operand) -> ir.Op:
    if isinstance(operand, Imm):
        return ir.Const(dst, wrap(operand.value, BITS.get(dst.ty, 64)))
    return ir.Unary(UnOp.COPY, dst, operand)


def max_bits(v: ValueNumbering, operand: ir.Operand, depth: int = 3) -> int:
    """An upper bound of the significant bits of an unsigned value."""
    if isinstance(operand, Imm):
        return 64 if operand.value < 0 else operand.value.bit_length()
    limit = BITS.get(operand.ty, 64)
    d = v.definition(operand)
    if d is None or depth == 0:
        return limit
    if isinstance(d, ir.Load):
        return {Width.U8: 8, Width.U16: 16, Width.W32: 32}.get(d.width, limit)
    if isinstance(d, ir.SetCond):
        return 1
    if isinstance(d, ir.Unary):
        if d.op in (UnOp.ZEXT8, UnOp.ZEXT16, UnOp.ZEXT32):
            return min(EXTENSION_BITS[d.op], max_bits(v, d.a, depth - 1))
        if d.op in (UnOp.COPY, UnOp.TRUNC):
            return min(limit, max_bits(v, d.a, depth - 1))
    if isinstance(d, ir.Binary):
        if d.op is BinOp.AND:
            return min(max_bits(v, d.a, depth - 1), max_bits(v, d.b, depth - 1), limit)
        if d.op in (BinOp.OR, BinOp.XOR):
            return min(limit, max(max_bits(v, d.a, depth - 1), max_bits(v, d.b, depth - 1)))
        if d.op is BinOp.LSHR and isinstance(d.b, Imm):
            return max(0, max_bits(v, d.a, depth - 1) - (d.b.value & (limit - 1)))
        if d.op is BinOp.SHL and isinstance(d.b, Imm):
            return min(limit, max_bits(v, d.a, depth - 1) + (d.b.value & (limit - 1)))
    return limit


# -- binary ------------------------------------------------------------------------------------------


def _binary(v: ValueNumbering, op: ir.Binary) -> ir.Op:
    bits = BITS.get(op.dst.ty)
    if bits is None:
        return op
    if isinstance(op.a, Imm) and isinstance(op.b, Imm):
        value = fold.binary(op.op, op.a.value, op.b.value, bits)
        return op if value is None else ir.Const(op.dst, value)
    if isinstance(op.a, Imm) and op.op in COMMUTATIVE_INT:
        op.a, op.b = op.b, op.a
    if isinstance(op.b, Imm):
        op.b = Imm(wrap(op.b.value, bits))
        return _with_constant(v, op, op.b.value, bits)
    if isinstance(op.a, Imm) and op.a.value == 0:
        if op.op is BinOp.SUB and isinstance(op.b, VReg):
            return ir.Unary(UnOp.NEG, op.dst, op.b)
        if op.op in SHIFTS or op.op in (BinOp.UDIV, BinOp.SDIV):
            return ir.Const(op.dst, 0)
    if op.a == op.b and isinstance(op.a, VReg):
        if op.op in (BinOp.SUB, BinOp.XOR):
            return ir.Const(op.dst, 0)
        if op.op in (BinOp.AND, BinOp.OR):
            return _copy(op.dst, op.a)
    return op


def _with_constant(v: ValueNumbering, op: ir.Binary, value: int, bits: int) -> ir.Op:
    """x op constant."""
    kind, a = op.op, op.a
    if value == 0 and kind in (BinOp.ADD, BinOp.SUB, BinOp.OR, BinOp.XOR, *SHIFTS):
        return _copy(op.dst, a)
    if value == 0 and kind in (BinOp.MUL, BinOp.AND):
        return ir.Const(op.dst, 0)
    if kind is BinOp.SUB:
        op.op, op.b = BinOp.ADD, Imm(wrap(-value, bits))
        return _reassociate(v, op, bits)
    if kind in (BinOp.ADD, BinOp.AND, BinOp.OR, BinOp.XOR):
        if kind is BinOp.AND and value == -1:
            return _copy(op.dst, a)
        if kind is BinOp.XOR and value == -1 and isinstance(a, VReg):
            return ir.Unary(UnOp.NOT, op.dst, a)
        low_ones = kind is BinOp.AND and value >= 0 and value & (value + 1) == 0
        if low_ones and max_bits(v, a) <= value.bit_length():
            return _copy(op.dst, a)
        return _reassociate(v, op, bits)
    if kind in SHIFTS:
        return _shift(v, op, unsigned(value, bits) & (bits - 1), bits)
    if isinstance(a, VReg):
        return _multiply_or_divide(v, op, a, value, bits)
    return op


def _reassociate(v: ValueNumbering, op: ir.Binary, bits: int) -> ir.Op:
    """(x op c1) op c2 -> x op (c1 op c2)."""
    d = v.local_definition(op.a)
    if isinstance(d, ir.Binary) and d.op is op.op and isinstance(d.b, Imm) and isinstance(op.b, Imm):
        combined = fold.binary(op.op, d.b.value, op.b.value, bits)
        assert combined is not None
        op.a, op.b = d.a, Imm(combined)
        if combined == 0 and op.op in (BinOp.ADD, BinOp.XOR, BinOp.OR):
            return _copy(op.dst, op.a)
    return op


def _shift(v: ValueNumbering, op: ir.Binary, amount: int, bits: int) -> ir.Op:
    op.b = Imm(amount)
    if amount == 0:
        return _copy(op.dst, op.a)
    d = v.local_definition(op.a)
    if isinstance(d, ir.Binary) and d.op is op.op and isinstance(d.b, Imm):
        total = (d.b.value & (bits - 1)) + amount
        if total < bits:
            op.a, op.b = d.a, Imm(total)
        elif op.op is not BinOp.ASHR:
            return ir.Const(op.dst, 0)
        else:
            op.a, op.b = d.a, Imm(bits - 1)
    return op


def _multiply_or_divide(v: ValueNumbering, op: ir.Binary, a: VReg, value: int, bits: int) -> ir.Op:
    def emit(kind: BinOp, x: ir.Operand, y: ir.Operand) -> VReg:
        return v.compute(kind, x, y, op.dst.ty)

    kind = op.op
    if kind in (BinOp.MUL, BinOp.UDIV, BinOp.SDIV) and value == 1:
        return _copy(op.dst, a)
    if kind is BinOp.MUL:
        if value == -1:
            return ir.Unary(UnOp.NEG, op.dst, a)
        product = divide.multiply(emit, a, value, bits)
        return op if product is None else ir.Binary(product[0], op.dst, product[1], product[2])
    size = unsigned(value, bits)
    power = size & (size - 1) == 0
    if size == 0:
        return op
    if kind is BinOp.UDIV:
        if power:
            return ir.Binary(BinOp.LSHR, op.dst, a, Imm(size.bit_length() - 1))
        return ir.Binary(*_placed(op.dst, divide.divide_unsigned(emit, a, size, bits)))
    if kind is BinOp.UREM:
        if power:
            return ir.Binary(BinOp.AND, op.dst, a, Imm(size - 1))
        quotient = emit(*divide.divide_unsigned(emit, a, size, bits))
        return ir.Binary(BinOp.SUB, op.dst, a, emit(BinOp.MUL, quotient, Imm(value)))
    if value in (0, 1, -1) or value == -(1 << (bits - 1)):
        return op
    if kind is BinOp.SDIV:
        return ir.Binary(*_placed(op.dst, divide.divide_signed(emit, a, value, bits)))
    if kind is BinOp.SREM:
        if abs(value) & (abs(value) - 1) == 0:
            return ir.Binary(*_placed(op.dst, divide.remainder_power_of_two(emit, a, abs(value), bits)))
        quotient = emit(*divide.divide_signed(emit, a, value, bits))
        return ir.Binary(BinOp.SUB, op.dst, a, emit(BinOp.MUL, quotient, Imm(value)))
    return op


def _placed(
    dst: VReg, form: tuple[BinOp, ir.Operand, ir.Operand]
) -> tuple[BinOp, VReg, ir.Operand, ir.Operand]:
    return form[0], dst, form[1], form[2]


# -- unary -------------------------------------------------------------------------------------------


def _unary(v: ValueNumbering, op: ir.Unary) -> ir.Op:
    kind = op.op
    if kind is UnOp.COPY and op.a.ty is not op.dst.ty:
        kind = op.op = UnOp.TRUNC
    constant = v.resolve(op.a)
    if isinstance(constant, Imm):
        value = fold.unary(kind, constant.value, op.a.ty, op.dst.ty)
        if value is not None:
            return ir.Const(op.dst, value)
        if kind is UnOp.INT_TO_CAP and constant.value == 0:
            return ir.Const(op.dst, 0)
    d = v.definition(op.a)
    if kind in EXTENSION_BITS:
        return _extension(v, op, d)
    if kind is UnOp.TRUNC and isinstance(d, ir.Unary) and d.op in (UnOp.SEXT32, UnOp.ZEXT32):
        return _copy(op.dst, d.a)
    if kind is UnOp.TRUNC and isinstance(d, ir.Unary) and d.op in EXTENSION_BITS and d.a.ty is Ty.I32:
        return ir.Unary(d.op, op.dst, d.a)
    inverse = {UnOp.NOT: UnOp.NOT, UnOp.NEG: UnOp.NEG, UnOp.BITS: UnOp.BITS, UnOp.BSWAP: UnOp.BSWAP}.get(kind)
    if inverse is not None and isinstance(d, ir.Unary) and d.op is inverse and d.a.ty is op.dst.ty:
        return _copy(op.dst, d.a)
    if kind is UnOp.CAP_ADDRESS:
        return _address(v, op, d)
    return op


def _address(v: ValueNumbering, op: ir.Unary, d: ir.Op | None) -> ir.Op:
    """The address of a capability built from an integer, or of NULL."""
    if isinstance(d, ir.Unary) and d.op is UnOp.INT_TO_CAP:
        return _copy(op.dst, d.a)
    if isinstance(d, ir.Const):
        return ir.Const(op.dst, 0)
    if isinstance(d, ir.CapBinary) and d.op is CapOp.SET_ADDRESS:
        return _copy(op.dst, v.resolve(d.b) if isinstance(d.b, VReg) else d.b)
    return op


def _extension(v: ValueNumbering, op: ir.Unary, d: ir.Op | None) -> ir.Op:
    """Extensions of values that are already that narrow."""
    bits = EXTENSION_BITS[op.op]
    known = max_bits(v, op.a)
    if op.op in SIGNED_EXTENSIONS:
        if known < bits:
            if op.a.ty is op.dst.ty:
                return _copy(op.dst, op.a)
            if op.dst.ty is Ty.I64:
                return ir.Unary(UnOp.ZEXT32, op.dst, op.a)
        if isinstance(d, ir.Unary) and d.op in SIGNED_EXTENSIONS and EXTENSION_BITS[d.op] <= bits:
            if d.dst.ty is op.dst.ty:
                return _copy(op.dst, op.a)
            return ir.Unary(d.op, op.dst, d.a)
        loaded = {Width.S8: 8, Width.S16: 16}.get(d.width, 64) if isinstance(d, ir.Load) else 64
        if loaded <= bits and op.a.ty is op.dst.ty:
            return _copy(op.dst, op.a)
    elif known <= bits and op.op is not UnOp.ZEXT32 and op.a.ty is op.dst.ty:
        return _copy(op.dst, op.a)
    elif known <= bits and op.op is not UnOp.ZEXT32 and op.dst.ty is Ty.I64 and op.a.ty is Ty.I32:
        return ir.Unary(UnOp.ZEXT32, op.dst, op.a)
    narrow = bits < 32 and isinstance(d, ir.Unary) and EXTENSION_BITS.get(d.op, 0) >= bits
    if narrow and isinstance(d, ir.Unary) and d.a.ty in BITS:
        return ir.Unary(op.op, op.dst, d.a)  # only the low bits count
    return op


# -- capabilities --------------------------------------------------------------------------------


def _cap_binary(v: ValueNumbering, op: ir.CapBinary) -> ir.Op:
    if op.op is not CapOp.ADD or not isinstance(op.b, Imm):
        return op
    if op.b.value == 0:
        return _copy(op.dst, op.a)
    d = v.local_definition(op.a)
    if isinstance(d, ir.CapBinary) and d.op is CapOp.ADD and isinstance(d.b, Imm):
        op.a, op.b = d.a, Imm(d.b.value + op.b.value)
        if op.b.value == 0:
            return _copy(op.dst, op.a)
    return op


def _offset_address(v: ValueNumbering, op: ir.GlobalAddr | ir.LocalAddr | ir.TlsAddr) -> ir.Op:
    """symbol + offset as an addition, so that all uses of the symbol share its capability."""
    if op.offset == 0:
        return op
    whole = v.fresh.new(Ty.CAP)
    v.stable.add(whole)
    if isinstance(op, ir.LocalAddr):
        base: ir.Op = ir.LocalAddr(whole, op.slot)
    else:
        base = type(op)(whole, op.symbol)
    v.emit(base)
    known = v.resolve(whole)
    assert isinstance(known, VReg)
    return ir.CapBinary(CapOp.ADD, op.dst, known, Imm(op.offset))


# -- conditions ----------------------------------------------------------------------------------

Comparison = tuple[Cond, "ir.Operand", "ir.Operand"]
SWAPPED = {
    Cond.EQ: Cond.EQ,
    Cond.NE: Cond.NE,
    Cond.SLT: Cond.SGT,
    Cond.SLE: Cond.SGE,
    Cond.SGT: Cond.SLT,
    Cond.SGE: Cond.SLE,
    Cond.ULT: Cond.UGT,
    Cond.ULE: Cond.UGE,
    Cond.UGT: Cond.ULT,
    Cond.UGE: Cond.ULE,
}


def _comparison(v: ValueNumbering, cond: Cond, a: ir.Operand, b: ir.Operand) -> Comparison | bool:
    """A simpler comparison, or its known result."""
    for _ in range(4):
        if isinstance(a, Imm) and cond in SWAPPED and isinstance(b, VReg):
            a, b, cond = b, a, SWAPPED[cond]
        ty = a.ty if isinstance(a, VReg) else b.ty if isinstance(b, VReg) else Ty.I64
        bits = BITS.get(ty, 64)
        if isinstance(a, Imm) and isinstance(b, Imm):
            known = fold.condition(cond, a.value, b.value, bits)
            return (cond, a, b) if known is None else known
        if a == b and ty in BITS:
            return cond in (Cond.EQ, Cond.SLE, Cond.SGE, Cond.ULE, Cond.UGE)
        if not isinstance(b, Imm) or not isinstance(a, VReg):
            return cond, a, b
        step = _against_constant(v, cond, a, wrap(b.value, bits), bits)
        if step is None or isinstance(step, bool):
            return (cond, a, Imm(wrap(b.value, bits))) if step is None else step
        cond, a, b = step
    return cond, a, b


def _against_constant(
    v: ValueNumbering, cond: Cond, a: VReg, value: int, bits: int
) -> Comparison | bool | None:
    """One simplification step of `a cond value`."""
    if value == 1 and cond in (Cond.SLT, Cond.ULT):
        return (Cond.SLE if cond is Cond.SLT else Cond.EQ), a, Imm(0)
    if value == 1 and cond is Cond.UGE:
        return Cond.NE, a, Imm(0)
    if value == 0 and cond in (Cond.UGT, Cond.ULE):
        return (Cond.NE if cond is Cond.UGT else Cond.EQ), a, Imm(0)
    if value == 0 and cond in (Cond.UGE, Cond.ULT):
        return cond is Cond.UGE
    if value == -1 and cond in (Cond.SGT, Cond.SLE):
        return (Cond.SGE if cond is Cond.SGT else Cond.SLT), a, Imm(0)
    d = v.definition(a)
    if isinstance(d, ir.SetCond) and cond in (Cond.EQ, Cond.NE) and value in (0, 1):
        if (cond is Cond.NE) == (value == 0):
            return d.cond, d.a, d.b
        if d.cond in INVERSE:
            return INVERSE[d.cond], d.a, d.b
    widened = isinstance(d, ir.Unary) and d.op in (UnOp.SEXT32, UnOp.ZEXT32) and d.a.ty is Ty.I32
    if widened and isinstance(d, ir.Unary) and cond in (Cond.EQ, Cond.NE):
        fits = wrap(value, 32) == value if d.op is UnOp.SEXT32 else 0 <= value < 1 << 32
        return (cond, d.a, Imm(wrap(value, 32))) if fits else cond is Cond.NE
    if isinstance(d, ir.Binary) and d.op is BinOp.XOR and value == 0 and cond in (Cond.EQ, Cond.NE):
        return cond, d.a, d.b
    if isinstance(d, ir.Binary) and d.op is BinOp.SUB and value == 0 and cond in (Cond.EQ, Cond.NE):
        return cond, d.a, d.b
    known = max_bits(v, a)
    if value >= 0 and known < bits and value >> known:  # the value is always smaller
        return {
            Cond.EQ: False,
            Cond.NE: True,
            Cond.ULT: True,
            Cond.ULE: True,
            Cond.SLT: True,
            Cond.SLE: True,
        }.get(cond, False)
    return None


def _set_cond(v: ValueNumbering, op: ir.SetCond) -> ir.Op:
    result = _comparison(v, op.cond, op.a, op.b)
    if isinstance(result, bool):
        return ir.Const(op.dst, int(result))
    op.cond, op.a, op.b = result
    is_test = op.cond is Cond.NE and op.b == Imm(0)
    if is_test and isinstance(op.a, VReg) and op.a.ty is Ty.I32 and max_bits(v, op.a) <= 1:
        return _copy(op.dst, op.a)
    return op


def _select(v: ValueNumbering, op: ir.Select) -> ir.Op:
    result = _comparison(v, op.cond, op.a, op.b)
    if isinstance(result, bool):
        return _copy(op.dst, op.if_true if result else op.if_false)
    op.cond, op.a, op.b = result
    if op.if_true == op.if_false:
        return _copy(op.dst, op.if_true)
    return op


def _cond_branch(v: ValueNumbering, op: ir.CondBranch) -> ir.Op:
    result = _comparison(v, op.cond, op.a, op.b)
    if isinstance(result, bool):
        return ir.Jump(op.if_true if result else op.if_false)
    op.cond, op.a, op.b = result
    d = v.definition(op.a)
    if isinstance(d, ir.SetCond) and op.b == Imm(0) and op.cond is Cond.EQ:
        # A floating comparison has no exact inverse: exchange the targets instead.
        return ir.CondBranch(d.cond, d.a, d.b, op.if_false, op.if_true)
    return op


def _switch(v: ValueNumbering, op: ir.Switch) -> ir.Op:
    constant = v.resolve(op.value)
    if isinstance(constant, Imm):
        return ir.Jump(op.cases.get(unsigned(constant.value, BITS[op.value.ty]), op.default))
    limit = max_bits(v, op.value)
    if limit <= TABLE_BITS:
        return _whole_table(op, limit)
    return op


TABLE_BITS = 8


def _whole_table(op: ir.Switch, bits: int) -> ir.Op:
    """A switch on a byte: drop impossible cases; with most values listed, list them all."""
    cases = {k: b for k, b in op.cases.items() if k < 1 << bits}
    if len(cases) * 2 >= 1 << bits:
        op.is_total = True
        cases = {k: cases.get(k, op.default) for k in range(1 << bits)}
    op.cases = cases
    return op


# -- memory --------------------------------------------------------------------------------------


def _load(v: ValueNumbering, op: ir.Load | ir.LocalLoad) -> ir.Op:
    if isinstance(op, ir.Load) and op.volatile:
        return op
    known = v.memory.find(v, op)
    return op if known is None else _copy(op.dst, known)


_HANDLERS: dict[type[ir.Op], Callable[[Any, Any], ir.Op]] = {
    ir.Binary: _binary,
    ir.Unary: _unary,
    ir.CapBinary: _cap_binary,
    ir.GlobalAddr: _offset_address,
    ir.LocalAddr: _offset_address,
    ir.TlsAddr: _offset_address,
    ir.SetCond: _set_cond,
    ir.Select: _select,
    ir.CondBranch: _cond_branch,
    ir.Switch: _switch,
    ir.Load: _load,
    ir.LocalLoad: _load,
}

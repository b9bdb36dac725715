"""Integer operations."""

from __future__ import annotations

from guest.cc import ir
from guest.cc.backend.immediates import is_add_immediate, is_logical_immediate
from guest.cc.backend.mir import V_SCRATCH
from guest.cc.backend.select.core import Selector, selects
from guest.cc.ir import BinOp, UnOp

SHIFT_NAMES = {BinOp.SHL: "lsl", BinOp.LSHR: "lsr", BinOp.ASHR: "asr"}
EXTENDS = {
    UnOp.SEXT32: "sxtw",
    UnOp.ZEXT32: "uxtw",
    UnOp.SEXT16: "sxth",
    UnOp.ZEXT16: "uxth",
    UnOp.SEXT8: "sxtb",
    UnOp.ZEXT8: "uxtb",
}
LOGICAL = {BinOp.AND: ("and", "bic"), BinOp.OR: ("orr", "orn"), BinOp.XOR: ("eor", "eon")}


def width_of(vreg: ir.VReg) -> tuple[str, int]:
    """(view, bits) of an integer register."""
    return ("w", 32) if vreg.ty is ir.Ty.I32 else ("x", 64)


def signed(value: int, bits: int) -> int:
    """`value` as a signed integer of `bits` bits."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


@selects(ir.Const)
def select_const(s: Selector, op: ir.Const) -> None:
    view = "w" if op.dst.ty is ir.Ty.I32 else "x"  # a zero in X is also the null capability
    s.move_immediate(s.reg(op.dst), op.value, view)


@selects(ir.Binary)
def select_binary(s: Selector, op: ir.Binary) -> None:
    if op.dst.ty in (ir.Ty.F32, ir.Ty.F64):
        from guest.cc.backend.select.floating import select_float_binary

        select_float_binary(s, op)
    else:
        _BINARY[op.op](s, op)


def shifted(s: Selector, operand: ir.Operand, bits: int) -> tuple[ir.VReg, str] | None:
    """Operand as `register, shift #n` if its single-use definition is a constant shift."""
    d = s.folded(operand, ir.Binary)
    if d is not None and d.op in SHIFT_NAMES and isinstance(d.a, ir.VReg) and isinstance(d.b, ir.Imm):
        s.take(d)
        return d.a, f"{SHIFT_NAMES[d.op]} #{d.b.value & (bits - 1)}"
    return None


def extended(s: Selector, operand: ir.Operand) -> tuple[ir.VReg, str] | None:
    """Operand as `w register, extend` if its single-use definition is an extension."""
    d = s.folded(operand, ir.Unary)
    if d is not None and d.op in EXTENDS and d.a.ty is ir.Ty.I32:
        if d.op is UnOp.ZEXT32 and d.a not in s.dirty:
            return None  # free anyway
        s.take(d)
        return d.a, EXTENDS[d.op]
    return None


def _add(s: Selector, op: ir.Binary) -> None:
    _add_sub(s, op, op.a, op.b, "add", "sub")


def _sub(s: Selector, op: ir.Binary) -> None:
    _add_sub(s, op, op.a, op.b, "sub", "add")


def _add_sub(s: Selector, op: ir.Binary, a: ir.Operand, b: ir.Operand, name: str, inverse: str) -> None:
    v, bits = width_of(op.dst)
    dst = s.reg(op.dst)
    if name == "add" and isinstance(a, ir.Imm):
        a, b = b, a
    if isinstance(b, ir.Imm):
        value = signed(b.value, bits)
        for mnemonic, immediate in ((name, value), (inverse, -value)):
            if is_add_immediate(immediate):
                s.emit(f"{mnemonic} =${v}, ${v}, #$#", dst, s.gpr(a, v, zero_ok=False), immediate)
                return
    orders = [(a, b), (b, a)] if name == "add" else [(a, b)]
    for x, y in orders:
        product = s.folded(y, ir.Binary)
        if product is not None and product.op is BinOp.MUL and isinstance(product.b, ir.VReg):
            s.take(product)
            mnemonic = "madd" if name == "add" else "msub"
            ops = (s.gpr(product.a, v), s.gpr(product.b, v), s.gpr(x, v))
            s.emit(f"{mnemonic} =${v}, ${v}, ${v}, ${v}", dst, *ops)
            return
    for x, y in orders:
        found = shifted(s, y, bits)
        if found:
            s.emit(f"{name} =${v}, ${v}, ${v}, {found[1]}", dst, s.gpr(x, v), s.use(found[0]))
            return
        ext = extended(s, y)
        if ext:
            s.emit(f"{name} =${v}, ${v}, $w, {ext[1]}", dst, s.gpr(x, v, zero_ok=False), s.use(ext[0]))
            return
    s.emit(f"{name} =${v}, ${v}, ${v}", dst, s.gpr(a, v), s.gpr(b, v))


def _mul(s: Selector, op: ir.Binary) -> None:
    v, _ = width_of(op.dst)
    if v == "x":
        pair = [s.folded(o, ir.Unary) for o in (op.a, op.b)]
        for kind, name in ((UnOp.SEXT32, "smull"), (UnOp.ZEXT32, "umull")):
            x, y = pair
            if x and y and x.op is kind and y.op is kind:
                s.take(x)
                s.take(y)
                s.emit(f"{name} =$x, $w, $w", s.reg(op.dst), s.use(x.a), s.use(y.a))
                return
    s.emit(f"mul =${v}, ${v}, ${v}", s.reg(op.dst), s.gpr(op.a, v), s.gpr(op.b, v))


def _divide(s: Selector, op: ir.Binary) -> None:
    v, _ = width_of(op.dst)
    s.emit(f"{op.op.value} =${v}, ${v}, ${v}", s.reg(op.dst), s.gpr(op.a, v), s.gpr(op.b, v))


def _remainder(s: Selector, op: ir.Binary) -> None:
    v, _ = width_of(op.dst)
    a, b = s.gpr(op.a, v), s.gpr(op.b, v)
    quotient = s.temp(v)
    s.emit(f"{'s' if op.op is BinOp.SREM else 'u'}div =${v}, ${v}, ${v}", quotient, a, b)
    s.emit(f"msub =${v}, ${v}, ${v}, ${v}", s.reg(op.dst), quotient, b, a)


def _multiply_high(s: Selector, op: ir.Binary) -> None:
    v, _ = width_of(op.dst)
    letter = op.op.value[0]
    if v == "x":
        s.emit(f"{op.op.value} =$x, $x, $x", s.reg(op.dst), s.gpr(op.a, v), s.gpr(op.b, v))
        return
    product = s.temp("x")
    s.emit(f"{letter}mull =$x, $w, $w", product, s.gpr(op.a, v), s.gpr(op.b, v))
    s.emit("lsr =$x, $x, #32", s.reg(op.dst), product)


def _logical(s: Selector, op: ir.Binary) -> None:
    v, bits = width_of(op.dst)
    dst = s.reg(op.dst)
    name, negated = LOGICAL[op.op]
    a, b = (op.b, op.a) if isinstance(op.a, ir.Imm) else (op.a, op.b)
    if isinstance(b, ir.Imm):
        if op.op is BinOp.AND and _bit_field(s, op, a, b.value, v, bits):
            return
        if is_logical_immediate(b.value, bits):
            s.emit(f"{name} =${v}, ${v}, #$#", dst, s.gpr(a, v), b.value & ((1 << bits) - 1))
            return
    for x, y in ((a, b), (b, a)):
        inverted = s.folded(y, ir.Unary)
        if inverted is not None and inverted.op is UnOp.NOT:
            s.take(inverted)
            s.emit(f"{negated} =${v}, ${v}, ${v}", dst, s.gpr(x, v), s.use(inverted.a))
            return
    for x, y in ((a, b), (b, a)):
        found = shifted(s, y, bits)
        if found:
            s.emit(f"{name} =${v}, ${v}, ${v}, {found[1]}", dst, s.gpr(x, v), s.use(found[0]))
            return
    s.emit(f"{name} =${v}, ${v}, ${v}", dst, s.gpr(a, v), s.gpr(b, v))


def _bit_field(s: Selector, op: ir.Binary, a: ir.Operand, mask: int, v: str, bits: int) -> bool:
    """AND of a constant shift with a mask of low ones: UBFX; of a left shift: UBFIZ."""
    mask &= (1 << bits) - 1
    d = s.folded(a, ir.Binary)
    if d is None or not isinstance(d.a, ir.VReg) or not isinstance(d.b, ir.Imm):
        return False
    amount = d.b.value & (bits - 1)
    if d.op is BinOp.LSHR and mask and mask & (mask + 1) == 0:
        width = min(mask.bit_length(), bits - amount)
        s.take(d)
        s.emit(f"ubfx =${v}, ${v}, #$#, #$#", s.reg(op.dst), s.use(d.a), amount, width)
        return True
    if d.op is BinOp.SHL and amount:
        field = mask >> amount
        if field and field & (field + 1) == 0:
            s.take(d)
            width = min(field.bit_length(), bits - amount)
            s.emit(f"ubfiz =${v}, ${v}, #$#, #$#", s.reg(op.dst), s.use(d.a), amount, width)
            return True
    return False


def _shift(s: Selector, op: ir.Binary) -> None:
    v, bits = width_of(op.dst)
    name = SHIFT_NAMES[op.op]
    if not isinstance(op.b, ir.Imm):
        s.emit(f"{name} =${v}, ${v}, ${v}", s.reg(op.dst), s.gpr(op.a, v), _shift_amount(s, op.b, bits))
        return
    amount = op.b.value & (bits - 1)
    if _shift_pair(s, op, amount, v, bits) or _shift_product(s, op, amount):
        return
    s.emit(f"{name} =${v}, ${v}, #$#", s.reg(op.dst), s.gpr(op.a, v), amount)


def _shift_product(s: Selector, op: ir.Binary, amount: int) -> bool:
    """The high half of a 32-bit product shifted right: one shift of the whole product."""
    d = s.folded(op.a, ir.Binary)
    if d is None or op.dst.ty is not ir.Ty.I32:
        return False
    if (d.op, op.op) not in ((BinOp.UMULH, BinOp.LSHR), (BinOp.SMULH, BinOp.ASHR)):
        return False
    s.take(d)
    product = s.temp("x")
    s.emit(f"{d.op.value[0]}mull =$x, $w, $w", product, s.gpr(d.a, "w"), s.gpr(d.b, "w"))
    s.emit(f"{SHIFT_NAMES[op.op]} =$x, $x, #$#", s.reg(op.dst), product, 32 + amount)
    return True


def _shift_amount(s: Selector, amount: ir.Operand, bits: int) -> int:
    """Register holding a shift amount; a mask to the width is what the hardware does anyway."""
    d = s.folded(amount, ir.Binary)
    masks = d is not None and d.op is BinOp.AND and isinstance(d.b, ir.Imm)
    if masks and d is not None and isinstance(d.a, ir.VReg) and isinstance(d.b, ir.Imm):
        whole = d.b.value & (bits - 1) == bits - 1
        if whole:
            s.take(d)
            return s.use(d.a)
    return s.gpr(amount, "w")


def _shift_pair(s: Selector, op: ir.Binary, amount: int, v: str, bits: int) -> bool:
    """Shifts of shifts and of extensions as one bit-field move."""
    ext = s.folded(op.a, ir.Unary)
    widening = ext is not None and op.op is BinOp.SHL and v == "x"
    if (
        widening
        and ext is not None
        and (ext.op is UnOp.SEXT32 or (ext.op is UnOp.ZEXT32 and ext.a in s.dirty))
    ):
        s.take(ext)
        name = "sbfiz" if ext.op is UnOp.SEXT32 else "ubfiz"
        s.emit(f"{name} =$x, $x, #$#, #$#", s.reg(op.dst), s.use(ext.a), amount, min(32, 64 - amount))
        return True
    d = s.folded(op.a, ir.Binary)
    if d is None or d.op is not BinOp.SHL or op.op is BinOp.SHL:
        return False
    if not isinstance(d.a, ir.VReg) or not isinstance(d.b, ir.Imm):
        return False
    left = d.b.value & (bits - 1)
    letter = "u" if op.op is BinOp.LSHR else "s"
    s.take(d)
    if amount >= left:
        s.emit(f"{letter}bfx =${v}, ${v}, #$#, #$#", s.reg(op.dst), s.use(d.a), amount - left, bits - amount)
    else:
        s.emit(f"{letter}bfiz =${v}, ${v}, #$#, #$#", s.reg(op.dst), s.use(d.a), left - amount, bits - left)
    return True


_BINARY = {
    BinOp.ADD: _add,
    BinOp.SUB: _sub,
    BinOp.MUL: _mul,
    BinOp.SDIV: _divide,
    BinOp.UDIV: _divide,
    BinOp.SREM: _remainder,
    BinOp.UREM: _remainder,
    BinOp.AND: _logical,
    BinOp.OR: _logical,
    BinOp.XOR: _logical,
    BinOp.SHL: _shift,
    BinOp.LSHR: _shift,
    BinOp.ASHR: _shift,
    BinOp.UMULH: _multiply_high,
    BinOp.SMULH: _multiply_high,
}


@selects(ir.Unary)
def select_unary(s: Selector, op: ir.Unary) -> None:
    handler = UNARY.get(op.op)
    if handler is not None:
        handler(s, op)
        return
    if op.op.value.startswith("cap_") or op.op is UnOp.INT_TO_CAP:
        from guest.cc.backend.select.capability import select_cap_unary

        select_cap_unary(s, op)
    else:
        from guest.cc.backend.select.floating import select_float_unary

        select_float_unary(s, op)


def _copy(s: Selector, op: ir.Unary) -> None:
    view = {ir.Ty.I32: "w", ir.Ty.I64: "x", ir.Ty.CAP: "c", ir.Ty.F32: "s", ir.Ty.F64: "d"}[op.a.ty]
    s.copy(s.reg(op.dst), s.use(op.a), view)


def _neg(s: Selector, op: ir.Unary) -> None:
    if op.dst.ty in (ir.Ty.F32, ir.Ty.F64):
        from guest.cc.backend.select.floating import select_float_unary

        select_float_unary(s, op)
        return
    v, bits = width_of(op.dst)
    d = s.folded(op.a, ir.Binary)
    if d is not None and d.op is BinOp.MUL and isinstance(d.a, ir.VReg) and isinstance(d.b, ir.VReg):
        s.take(d)
        s.emit(f"mneg =${v}, ${v}, ${v}", s.reg(op.dst), s.use(d.a), s.use(d.b))
        return
    found = shifted(s, op.a, bits)
    if found:
        s.emit(f"neg =${v}, ${v}, {found[1]}", s.reg(op.dst), s.use(found[0]))
        return
    s.emit(f"neg =${v}, ${v}", s.reg(op.dst), s.use(op.a))


def _not(s: Selector, op: ir.Unary) -> None:
    v, _ = width_of(op.dst)
    s.emit(f"mvn =${v}, ${v}", s.reg(op.dst), s.use(op.a))


def _extend(s: Selector, op: ir.Unary) -> None:
    v, _ = width_of(op.dst)
    kind = op.op
    if kind is UnOp.ZEXT32:
        if op.a not in s.dirty:
            s.copy(s.reg(op.dst), s.use(op.a), "x")
        else:
            s.emit("mov =$w, $w", s.reg(op.dst), s.use(op.a))
    elif kind in (UnOp.ZEXT8, UnOp.ZEXT16):
        s.emit(f"{EXTENDS[kind]} =$w, $w", s.reg(op.dst), s.use(op.a))
    else:
        s.emit(f"{EXTENDS[kind]} =${v}, $w", s.reg(op.dst), s.use(op.a))


def _trunc(s: Selector, op: ir.Unary) -> None:
    s.copy(s.reg(op.dst), s.use(op.a), "x")


def _count_zeros(s: Selector, op: ir.Unary) -> None:
    v = width_of(op.a)[0]
    source = s.use(op.a)
    if op.op is UnOp.CTZ:
        reversed_ = s.temp(v)
        s.emit(f"rbit =${v}, ${v}", reversed_, source)
        source = reversed_
    s.emit(f"clz =${v}, ${v}", s.reg(op.dst), source)


def _popcount(s: Selector, op: ir.Unary) -> None:
    v = width_of(op.a)[0]
    bank = "s" if v == "w" else "d"
    s.emit(f"fmov =${bank}, ${v}", V_SCRATCH, s.use(op.a))
    s.emit("cnt +$v.8b, @0v.8b\n\taddv @0b, @0v.8b\n\tfmov =$w, @0s", V_SCRATCH, s.reg(op.dst))


def _bit_reversal(s: Selector, op: ir.Unary) -> None:
    v = width_of(op.dst)[0]
    name = "rev" if op.op is UnOp.BSWAP else "rbit"
    s.emit(f"{name} =${v}, ${v}", s.reg(op.dst), s.use(op.a))


UNARY = {
    UnOp.COPY: _copy,
    UnOp.NEG: _neg,
    UnOp.NOT: _not,
    UnOp.SEXT8: _extend,
    UnOp.SEXT16: _extend,
    UnOp.SEXT32: _extend,
    UnOp.ZEXT8: _extend,
    UnOp.ZEXT16: _extend,
    UnOp.ZEXT32: _extend,
    UnOp.TRUNC: _trunc,
    UnOp.CLZ: _count_zeros,
    UnOp.CTZ: _count_zeros,
    UnOp.POPCOUNT: _popcount,
    UnOp.BSWAP: _bit_reversal,
    UnOp.RBIT: _bit_reversal,
}

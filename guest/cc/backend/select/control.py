"""Comparisons, branches and jump tables."""

from __future__ import annotations

from guest.cc import ir
from guest.cc.backend.immediates import is_add_immediate, is_logical_immediate
from guest.cc.backend.select.arithmetic import shifted, signed
from guest.cc.backend.select.core import Selector, selects
from guest.cc.ir import BinOp, Cond, Ty, UnOp

CONDITION = {
    Cond.EQ: "eq",
    Cond.NE: "ne",
    Cond.SLT: "lt",
    Cond.SLE: "le",
    Cond.SGT: "gt",
    Cond.SGE: "ge",
    Cond.ULT: "lo",
    Cond.ULE: "ls",
    Cond.UGT: "hi",
    Cond.UGE: "hs",
    Cond.FEQ: "eq",
    Cond.FNE: "ne",
    Cond.FLT: "mi",
    Cond.FLE: "ls",
    Cond.FGT: "gt",
    Cond.FGE: "ge",
    Cond.CAP_EXACT_EQ: "eq",
    Cond.CAP_EXACT_NE: "ne",
}
SWAPPED = {
    Cond.SLT: Cond.SGT,
    Cond.SLE: Cond.SGE,
    Cond.SGT: Cond.SLT,
    Cond.SGE: Cond.SLE,
    Cond.ULT: Cond.UGT,
    Cond.ULE: Cond.UGE,
    Cond.UGT: Cond.ULT,
    Cond.UGE: Cond.ULE,
}
INVERSE = {"eq": "ne", "lt": "ge", "le": "gt", "lo": "hs", "ls": "hi", "mi": "pl", "vs": "vc"}
INVERSE.update({v: k for k, v in INVERSE.items()})
FLOATING = frozenset({Cond.FEQ, Cond.FNE, Cond.FLT, Cond.FLE, Cond.FGT, Cond.FGE})
EXACT = frozenset({Cond.CAP_EXACT_EQ, Cond.CAP_EXACT_NE})


def type_of(a: ir.Operand, b: ir.Operand) -> Ty:
    """Type of a comparison's operands."""
    for operand in (a, b):
        if isinstance(operand, ir.VReg):
            return operand.ty
    return Ty.I64


def compare(s: Selector, cond: Cond, a: ir.Operand, b: ir.Operand) -> str:
    """Emit the flag-setting instruction; returns the condition code."""
    if cond in FLOATING:
        return _compare_float(s, cond, a, b)
    if cond in EXACT:
        assert isinstance(a, ir.VReg) and isinstance(b, ir.VReg)
        s.emit("chkeq $c, $c", s.use(a), s.use(b))
        return CONDITION[cond]
    if isinstance(a, ir.Imm) and not isinstance(b, ir.Imm):
        a, b, cond = b, a, SWAPPED.get(cond, cond)
    v, bits = ("w", 32) if type_of(a, b) is Ty.I32 else ("x", 64)
    if isinstance(b, ir.Imm):
        value = signed(b.value, bits)
        if value == 0 and cond in (Cond.EQ, Cond.NE) and _test(s, a, v, bits):
            return CONDITION[cond]
        for mnemonic, immediate in (("cmp", value), ("cmn", -value)):
            if is_add_immediate(immediate):
                s.emit(f"{mnemonic} ${v}, #$#", s.gpr(a, v, zero_ok=False), immediate)
                return CONDITION[cond]
    found = shifted(s, b, bits)
    if found:
        s.emit(f"cmp ${v}, ${v}, {found[1]}", s.gpr(a, v), s.use(found[0]))
    else:
        s.emit(f"cmp ${v}, ${v}", s.gpr(a, v), s.gpr(b, v))
    return CONDITION[cond]


def _compare_float(s: Selector, cond: Cond, a: ir.Operand, b: ir.Operand) -> str:
    assert isinstance(a, ir.VReg) and isinstance(b, ir.VReg)
    v = "s" if a.ty is Ty.F32 else "d"
    zero = s.definition(b)
    if isinstance(zero, ir.FConst) and zero.bits == 0:
        s.take(zero)
        s.emit(f"fcmp ${v}, #0.0", s.use(a))
    else:
        s.emit(f"fcmp ${v}, ${v}", s.use(a), s.use(b))
    return CONDITION[cond]


def _test(s: Selector, a: ir.Operand, v: str, bits: int) -> bool:
    """TST for a comparison of an AND with zero."""
    d = s.folded(a, ir.Binary)
    if d is None or d.op is not BinOp.AND or not isinstance(d.a, ir.VReg):
        return False
    if isinstance(d.b, ir.Imm):
        if not is_logical_immediate(d.b.value, bits):
            return False
        s.take(d)
        s.emit(f"tst ${v}, #$#", s.use(d.a), d.b.value & ((1 << bits) - 1))
        return True
    s.take(d)
    s.emit(f"tst ${v}, ${v}", s.use(d.a), s.use(d.b))
    return True


@selects(ir.SetCond)
def select_set_cond(s: Selector, op: ir.SetCond) -> None:
    code = compare(s, op.cond, op.a, op.b)
    s.emit("cset =$w, $#", s.reg(op.dst), code)


@selects(ir.Select)
def select_select(s: Selector, op: ir.Select) -> None:
    # Operands are read before the flags are set: nothing they need may come in between.
    ty = op.dst.ty
    view = {Ty.I32: "w", Ty.I64: "x", Ty.CAP: "c", Ty.F32: "s", Ty.F64: "d"}[ty]
    dst = s.reg(op.dst)
    if view in "sd":
        if_true, if_false = s.use(op.if_true), s.use(op.if_false)
        code = compare(s, op.cond, op.a, op.b)
        s.emit(f"fcsel =${view}, ${view}, ${view}, $#", dst, if_true, if_false, code)
        return
    if_false_form, if_false = _select_operand(s, op.if_false, view)
    if if_false_form == "csel":
        swapped_form, if_true = _select_operand(s, op.if_true, view)
        if swapped_form != "csel":  # the derived operand must be the false one: invert
            code = INVERSE[compare(s, op.cond, op.a, op.b)]
            s.emit(f"{swapped_form} =${view}, ${view}, ${view}, $#", dst, if_false, if_true, code)
            return
    else:
        if_true = _plain(s, op.if_true, view)
    code = compare(s, op.cond, op.a, op.b)
    s.emit(f"{if_false_form} =${view}, ${view}, ${view}, $#", dst, if_true, if_false, code)


def _plain(s: Selector, value: ir.VReg, view: str) -> int:
    """Register of a select operand; a known zero costs nothing."""
    d = s.definition(value)
    if isinstance(d, ir.Const) and d.value == 0:
        s.take(d)
        return s.gpr(ir.Imm(0), "x" if view == "c" else view)
    return s.use(value)


def _select_operand(s: Selector, value: ir.VReg, view: str) -> tuple[str, int]:
    """(mnemonic, register): CSINC for x + 1 and 1, CSNEG for -x, CSINV for ~x."""
    d = s.definition(value)
    if view != "c":
        if isinstance(d, ir.Const) and d.value == 1:
            s.take(d)
            return "csinc", s.gpr(ir.Imm(0), view)
        if isinstance(d, ir.Binary) and s.single(d) and d.op is BinOp.ADD and d.b == ir.Imm(1):
            s.take(d)
            return "csinc", s.gpr(d.a, view)
        if isinstance(d, ir.Unary) and s.single(d) and d.op in (UnOp.NEG, UnOp.NOT):
            s.take(d)
            return ("csneg" if d.op is UnOp.NEG else "csinv"), s.use(d.a)
    return "csel", _plain(s, value, view)


# -- terminators ---------------------------------------------------------------------------------


@selects(ir.Jump)
def select_jump(s: Selector, op: ir.Jump) -> None:
    s.emit("b $#", s.block_label(op.target))


@selects(ir.Unreachable)
def select_unreachable(s: Selector, op: ir.Unreachable) -> None:  # noqa: ARG001
    s.emit("brk #0x1")


@selects(ir.CondBranch)
def select_cond_branch(s: Selector, op: ir.CondBranch) -> None:
    a, b, cond = op.a, op.b, op.cond
    if_true, if_false = s.block_label(op.if_true), s.block_label(op.if_false)
    if if_true == if_false:
        s.emit("b $#", if_true)
        return
    if isinstance(a, ir.Imm) and isinstance(b, ir.VReg):
        a, b, cond = b, a, SWAPPED.get(cond, cond)
    if isinstance(a, ir.VReg) and b == ir.Imm(0) and _branch_on_zero(s, cond, a, if_true):
        s.emit("b $#", if_false)
        return
    code = compare(s, cond, a, b)
    s.emit("b.$# $#", code, if_true)
    s.emit("b $#", if_false)


def _branch_on_zero(s: Selector, cond: Cond, a: ir.VReg, target: str) -> bool:
    v, bits = ("w", 32) if a.ty is Ty.I32 else ("x", 64)
    if cond in (Cond.SLT, Cond.SGE):
        name = "tbnz" if cond is Cond.SLT else "tbz"
        s.emit(f"{name} ${v}, #$#, $#", s.use(a), bits - 1, target)
        return True
    if cond in (Cond.EQ, Cond.ULE, Cond.NE, Cond.UGT):
        zero = cond in (Cond.EQ, Cond.ULE)
        d = s.folded(a, ir.Binary)
        if d is not None and d.op is BinOp.AND and isinstance(d.b, ir.Imm) and isinstance(d.a, ir.VReg):
            mask = d.b.value & ((1 << bits) - 1)
            if mask.bit_count() == 1:
                s.take(d)
                bit = mask.bit_length() - 1
                s.emit(f"{'tbz' if zero else 'tbnz'} ${v}, #$#, $#", s.use(d.a), bit, target)
                return True
        if d is not None and d.op is BinOp.AND:
            return False  # TST
        s.emit(f"{'cbz' if zero else 'cbnz'} ${v}, $#", s.use(a), target)
        return True
    return False


@selects(ir.IndirectJump)
def select_indirect_jump(s: Selector, op: ir.IndirectJump) -> None:
    s.emit("br $c", s.use(op.address))


@selects(ir.Switch)
def select_switch(s: Selector, op: ir.Switch) -> None:
    """A dense switch (the others were split before): bounds check, table of 32-bit offsets, branch."""
    low, high = min(op.cases), max(op.cases)
    v = "w" if op.value.ty is Ty.I32 else "x"
    value = s.use(op.value)
    default = s.block_label(op.default)
    if low:
        index = s.temp(v)
        if is_add_immediate(low):
            s.emit(f"sub =${v}, ${v}, #$#", index, value, low)
        else:
            base = s.temp(v)
            s.move_immediate(base, low, v)
            s.emit(f"sub =${v}, ${v}, ${v}", index, value, base)
    else:
        index = value
    span = high - low
    if not op.is_total:
        if is_add_immediate(span):
            s.emit(f"cmp ${v}, #$#", index, span)
        else:
            limit = s.temp(v)
            s.move_immediate(limit, span, v)
            s.emit(f"cmp ${v}, ${v}", index, limit)
        s.emit("b.hi $#", default)
    table = s.label("table")
    s.out.tables.append((table, [s.block_label(op.cases.get(low + n, op.default)) for n in range(span + 1)]))
    base, offset, target = s.temp("c"), s.temp("x"), s.temp("c")
    s.emit("adr =$c, $#", base, table)
    if v == "w":
        s.emit("ldrsw =$x, [$c, $w, uxtw #2]", offset, base, index)
    else:
        s.emit("ldrsw =$x, [$c, $x, lsl #2]", offset, base, index)
    s.emit("add =$c, $c, $x, uxtx", target, base, offset)
    s.emit("br $c", target)

"""Floating-point operations."""

from __future__ import annotations

from guest.cc import ir
from guest.cc.backend.immediates import float_text, is_fmov_immediate, move_sequence
from guest.cc.backend.mir import SCRATCH, Operand
from guest.cc.backend.select.core import Selector, selects
from guest.cc.ir import BinOp, Ty, UnOp

VIEWS = {Ty.I32: "w", Ty.I64: "x", Ty.F32: "s", Ty.F64: "d"}
BINARY = {
    BinOp.FADD: "fadd",
    BinOp.FSUB: "fsub",
    BinOp.FMUL: "fmul",
    BinOp.FDIV: "fdiv",
    BinOp.FMIN: "fmin",
    BinOp.FMAX: "fmax",
}
UNARY = {
    UnOp.NEG: "fneg",
    UnOp.FNEG: "fneg",
    UnOp.FABS: "fabs",
    UnOp.FSQRT: "fsqrt",
    UnOp.FCEIL: "frintp",
    UnOp.FFLOOR: "frintm",
    UnOp.FTRUNC: "frintz",
    UnOp.FNEAREST: "frintn",
    UnOp.FCVT: "fcvt",
    UnOp.S2F: "scvtf",
    UnOp.U2F: "ucvtf",
    UnOp.F2S: "fcvtzs",
    UnOp.F2U: "fcvtzu",
    UnOp.BITS: "fmov",
}


@selects(ir.FConst)
def select_fconst(s: Selector, op: ir.FConst) -> None:
    double = op.dst.ty is Ty.F64
    view, general = ("d", "x") if double else ("s", "w")
    dst = s.reg(op.dst)
    if op.bits == 0:
        s.emit(f"fmov =${view}, {general}zr", dst)
    elif is_fmov_immediate(op.bits, double):
        s.emit(f"fmov =${view}, #$#", dst, float_text(op.bits, double))
    else:
        lines = []
        ops: list[Operand] = [dst]
        scratch = f"{general}{SCRATCH}"
        for mnemonic, immediate, shift in move_sequence(op.bits, 64 if double else 32):
            zero = f"{general}zr, " if mnemonic == "orr" else ""
            lines.append(f"{mnemonic} {scratch}, {zero}#$#" + (f", lsl #{shift}" if shift else ""))
            ops.append(immediate)
        text = "\n\t".join(lines).replace("$#", "$#")
        s.emit(f"{text}\n\tfmov =${view}, {scratch}", *ops[1:], dst)


def select_float_binary(s: Selector, op: ir.Binary) -> None:
    """Arithmetic on F32 and F64."""
    v = VIEWS[op.dst.ty]
    assert isinstance(op.a, ir.VReg) and isinstance(op.b, ir.VReg)
    if op.op is BinOp.FCOPYSIGN:
        _copysign(s, s.reg(op.dst), s.use(op.a), s.use(op.b), v)
        return
    s.emit(f"{BINARY[op.op]} =${v}, ${v}, ${v}", s.reg(op.dst), s.use(op.a), s.use(op.b))


def _copysign(s: Selector, dst: int, magnitude: int, sign: int, v: str) -> None:
    general, top = ("x", 63) if v == "d" else ("w", 31)
    bits, sign_bits, result = s.temp(general), s.temp(general), s.temp(general)
    s.emit(f"fmov =${general}, ${v}", bits, magnitude)
    s.emit(f"fmov =${general}, ${v}", sign_bits, sign)
    s.emit(f"lsr =${general}, ${general}, #{top}", result, sign_bits)
    s.emit(f"bfi +${general}, ${general}, #{top}, #1", bits, result)
    s.emit(f"fmov =${v}, ${general}", dst, bits)


def select_float_unary(s: Selector, op: ir.Unary) -> None:
    """Everything with a floating source or destination."""
    d, a = VIEWS[op.dst.ty], VIEWS[op.a.ty]
    s.emit(f"{UNARY[op.op]} =${d}, ${a}", s.reg(op.dst), s.use(op.a))


@selects(ir.Fma)
def select_fma(s: Selector, op: ir.Fma) -> None:
    v = VIEWS[op.dst.ty]
    s.emit(f"fmadd =${v}, ${v}, ${v}, ${v}", s.reg(op.dst), s.use(op.a), s.use(op.b), s.use(op.c))

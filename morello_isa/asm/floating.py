"""Encoders of scalar floating-point instructions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from morello_isa.asm.context import Context, Encoder, NotEncodable, condition, immediate, need, register
from morello_isa.asm.errors import AssemblyError
from morello_isa.asm.immediates import encode_float8
from morello_isa.asm.operands import Operand, Register

ENCODERS: Final[dict[str, Encoder]] = {}

_TYPE = {"s": 0, "d": 1, "h": 3}


def _type(r: Register) -> int:
    return _TYPE[r.kind] << 22


def _make_two_source(opcode: int) -> Encoder:
    def encode(operands: Sequence[Operand], _context: Context) -> int:
        need(operands, 3)
        d = register(operands, 0, "sdh")
        n, m = register(operands, 1, d.kind), register(operands, 2, d.kind)
        return 0x1E200800 | _type(d) | m.number << 16 | opcode << 12 | n.number << 5 | d.number

    return encode


def _make_one_source(opcode: int) -> Encoder:
    def encode(operands: Sequence[Operand], _context: Context) -> int:
        need(operands, 2)
        d = register(operands, 0, "sdh")
        n = register(operands, 1, d.kind)
        return 0x1E204000 | _type(d) | opcode << 15 | n.number << 5 | d.number

    return encode


def _make_three_source(o1: int, o0: int) -> Encoder:
    def encode(operands: Sequence[Operand], _context: Context) -> int:
        need(operands, 4)
        d = register(operands, 0, "sdh")
        n, m, a = (register(operands, index, d.kind) for index in (1, 2, 3))
        return (
            0x1F000000 | _type(d) | o1 << 21 | m.number << 16 | o0 << 15
            | a.number << 10 | n.number << 5 | d.number
        )  # fmt: skip

    return encode


def _make_compare(opcode: int) -> Encoder:
    def encode(operands: Sequence[Operand], _context: Context) -> int:
        need(operands, 2)
        n = register(operands, 0, "sdh")
        word = 0x1E202000 | _type(n) | opcode << 3 | n.number << 5
        if isinstance(operands[1], (int, float)):
            if operands[1] != 0:
                raise AssemblyError("only #0.0 can be compared with", 1)
            return word | 8
        return word | register(operands, 1, n.kind).number << 16

    return encode


def _make_integer_conversion(rmode: int, opcode: int, to_integer: bool) -> Encoder:
    def encode(operands: Sequence[Operand], _context: Context) -> int:
        if len(operands) == 3 and (rmode == 3 or not to_integer):
            return _fixed_point(operands, opcode, to_integer)
        need(operands, 2)
        d = register(operands, 0, "xw" if to_integer else "sdh")
        n = register(operands, 1, "sdh" if to_integer else "xw")
        integer, real = (d, n) if to_integer else (n, d)
        sf = 0x80000000 if integer.kind == "x" else 0
        return sf | 0x1E200000 | _type(real) | rmode << 19 | opcode << 16 | n.number << 5 | d.number

    return encode


def _fixed_point(operands: Sequence[Operand], opcode: int, to_integer: bool) -> int:
    d = register(operands, 0, "xw" if to_integer else "sdh")
    n = register(operands, 1, "sdh" if to_integer else "xw")
    integer, real = (d, n) if to_integer else (n, d)
    bits = immediate(operands, 2, 1, 64 if integer.kind == "x" else 32)
    sf = 0x80000000 if integer.kind == "x" else 0
    rmode = 3 if to_integer else 0
    return (
        sf
        | 0x1E000000
        | _type(real)
        | rmode << 19
        | opcode << 16
        | (64 - bits) << 10
        | n.number << 5
        | d.number
    )


def _fcvt(operands: Sequence[Operand], _context: Context) -> int:
    need(operands, 2)
    d, n = register(operands, 0, "sdh"), register(operands, 1, "sdh")
    if d.kind == n.kind:
        raise AssemblyError("'fcvt' needs two different widths")
    return 0x1E224000 | _type(n) | _TYPE[d.kind] << 15 | n.number << 5 | d.number


def _fmov(operands: Sequence[Operand], _context: Context) -> int:
    need(operands, 2)
    d, source = operands[0], operands[1]
    if not isinstance(d, Register):
        raise NotEncodable
    if isinstance(source, (int, float)):
        d = register(operands, 0, "sdh")
        field = encode_float8(float(source))
        if field is None:
            if source == 0 and d.kind in "sd":
                return (0x1E2703E0 if d.kind == "s" else 0x9E6703E0) | d.number
            raise AssemblyError(f"{source} is not a floating-point immediate", 1)
        return 0x1E201000 | _type(d) | field << 13 | d.number
    if not isinstance(source, Register):
        raise NotEncodable
    pair = d.kind + source.kind
    if pair in ("ss", "dd", "hh"):
        return 0x1E204000 | _type(d) | source.number << 5 | d.number
    bits = {"ws": 0x1E260000, "sw": 0x1E270000, "xd": 0x9E660000, "dx": 0x9E670000}.get(pair)
    if bits is None or d.is_sp or source.is_sp:
        raise NotEncodable
    return bits | source.number << 5 | d.number


def _fcsel(operands: Sequence[Operand], _context: Context) -> int:
    need(operands, 4)
    d = register(operands, 0, "sdh")
    n, m = register(operands, 1, d.kind), register(operands, 2, d.kind)
    cond = condition(operands, 3)
    return 0x1E200C00 | _type(d) | m.number << 16 | cond << 12 | n.number << 5 | d.number


for _opcode, _name in enumerate(
    ("fmul", "fdiv", "fadd", "fsub", "fmax", "fmin", "fmaxnm", "fminnm", "fnmul")
):
    ENCODERS[_name] = _make_two_source(_opcode)
for _name, _opcode in (
    ("fabs", 1), ("fneg", 2), ("fsqrt", 3), ("frintn", 8), ("frintp", 9), ("frintm", 10),
    ("frintz", 11), ("frinta", 12), ("frintx", 14), ("frinti", 15),
):  # fmt: skip
    ENCODERS[_name] = _make_one_source(_opcode)
for _name, _o1, _o0 in (("fmadd", 0, 0), ("fmsub", 0, 1), ("fnmadd", 1, 0), ("fnmsub", 1, 1)):
    ENCODERS[_name] = _make_three_source(_o1, _o0)
ENCODERS["fcmp"], ENCODERS["fcmpe"] = _make_compare(0), _make_compare(2)
for _rmode, _letter in enumerate("npmz"):
    ENCODERS[f"fcvt{_letter}s"] = _make_integer_conversion(_rmode, 0, True)
    ENCODERS[f"fcvt{_letter}u"] = _make_integer_conversion(_rmode, 1, True)
ENCODERS["fcvtas"] = _make_integer_conversion(0, 4, True)
ENCODERS["fcvtau"] = _make_integer_conversion(0, 5, True)
ENCODERS["scvtf"] = _make_integer_conversion(0, 2, False)
ENCODERS["ucvtf"] = _make_integer_conversion(0, 3, False)
ENCODERS["fcvt"], ENCODERS["fmov"], ENCODERS["fcsel"] = _fcvt, _fmov, _fcsel

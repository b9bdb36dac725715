"""Encoders of base branches, PC-relative addresses, exceptions, barriers, hints and system moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from morello_isa.asm.context import CONDITIONS, Context, Encoder, NotEncodable, immediate, need, register
from morello_isa.asm.errors import AssemblyError
from morello_isa.asm.memory import pc_relative
from morello_isa.asm.operands import Operand, Symbolic
from morello_isa.sysregs import key_of_name

ENCODERS: Final[dict[str, Encoder]] = {}


def _prefix(context: Context) -> str:
    return "R_MORELLO_" if context.c64 else "R_AARCH64_"


def _make_branch(word: int, relocation: str) -> Encoder:
    def encode(operands: Sequence[Operand], context: Context) -> int:
        need(operands, 1)
        return word | pc_relative(operands[0], _prefix(context) + relocation, 0, 26, 4, context, 0)

    return encode


def _make_conditional_branch(cond: int) -> Encoder:
    def encode(operands: Sequence[Operand], context: Context) -> int:
        need(operands, 1)
        field = pc_relative(operands[0], _prefix(context) + "CONDBR19", 5, 19, 4, context, 0)
        return 0x54000000 | cond | field

    return encode


def _make_compare_branch(nonzero: int) -> Encoder:
    def encode(operands: Sequence[Operand], context: Context) -> int:
        need(operands, 2)
        t = register(operands, 0, "xw")
        field = pc_relative(operands[1], _prefix(context) + "CONDBR19", 5, 19, 4, context, 1)
        return (0x80000000 if t.kind == "x" else 0) | 0x34000000 | nonzero << 24 | field | t.number

    return encode


def _make_test_branch(nonzero: int) -> Encoder:
    def encode(operands: Sequence[Operand], context: Context) -> int:
        need(operands, 3)
        t = register(operands, 0, "xw")
        bit = immediate(operands, 1, 0, 63 if t.kind == "x" else 31)
        field = pc_relative(operands[2], _prefix(context) + "TSTBR14", 5, 14, 4, context, 2)
        return bit >> 5 << 31 | 0x36000000 | nonzero << 24 | (bit & 31) << 19 | field | t.number

    return encode


def _make_branch_register(word: int, default: int | None = None) -> Encoder:
    def encode(operands: Sequence[Operand], context: Context) -> int:
        if default is not None and not operands and not context.c64:
            return word | default << 5
        need(operands, 1)
        return word | register(operands, 0, "x").number << 5

    return encode


def _adr(operands: Sequence[Operand], context: Context) -> int:
    need(operands, 2)
    d = register(operands, 0, "c" if context.c64 else "x")
    field = pc_relative(operands[1], "R_AARCH64_ADR_PREL_LO21", 0, 21, 1, context, 1)
    return 0x10000000 | (field & 3) << 29 | (field >> 2) << 5 | d.number


_PAGE_RELOCATIONS = {
    ("", True): "R_MORELLO_ADR_PREL_PG_HI20", ("", False): "R_AARCH64_ADR_PREL_PG_HI21",
    ("pg_hi21", True): "R_MORELLO_ADR_PREL_PG_HI20", ("pg_hi21", False): "R_AARCH64_ADR_PREL_PG_HI21",
    ("pg_hi21_nc", True): "R_MORELLO_ADR_PREL_PG_HI20_NC",
    ("pg_hi21_nc", False): "R_AARCH64_ADR_PREL_PG_HI21_NC",
    ("got", True): "R_MORELLO_ADR_GOT_PAGE", ("got", False): "R_AARCH64_ADR_GOT_PAGE",
    ("tlsdesc", True): "R_MORELLO_TLSDESC_ADR_PAGE20", ("tlsdesc", False): "R_AARCH64_TLSDESC_ADR_PAGE21",
    ("gottprel", True): "R_MORELLO_TLSIE_ADR_GOTTPREL_PAGE20",
    ("gottprel", False): "R_AARCH64_TLSIE_ADR_GOTTPREL_PAGE21",
}  # fmt: skip


def _adrp(operands: Sequence[Operand], context: Context) -> int:
    need(operands, 2)
    c64 = context.c64
    d = register(operands, 0, "c" if c64 else "x")
    word = (0x90800000 if c64 else 0x90000000) | d.number
    target = operands[1]
    if isinstance(target, Symbolic):
        name = _PAGE_RELOCATIONS.get((target.modifier, c64))
        if name is None:
            raise AssemblyError(f"the modifier ':{target.modifier}:' doesn't go with 'adrp'", 1)
        context.relocate(name, target)
        return word
    if not isinstance(target, int):
        raise NotEncodable
    if type(target) is not int:
        context.relocate(_PAGE_RELOCATIONS["", c64], Symbolic("", int(target)))
        return word
    limit = 1 << (19 if c64 else 20)
    if target & 0xFFF or not -limit <= target >> 12 < limit:
        raise AssemblyError(f"the page offset {target} can't be encoded", 1)
    return word | page_fields(target >> 12, c64)


def page_fields(pages: int, c64: bool) -> int:
    """The immediate bits of ADRP for a signed page count: 20 bits in C64, 21 (with bit 23) in A64."""
    field = (pages & 3) << 29 | (pages >> 2 & 0x3FFFF) << 5
    return field if c64 else field | (pages >> 20 & 1) << 23


def _adrdp(operands: Sequence[Operand], _context: Context) -> int:
    need(operands, 2)
    d = register(operands, 0, "c")
    offset = operands[1]
    if not isinstance(offset, int):
        raise NotEncodable
    if offset & 0xFFF or not 0 <= offset < 1 << 32:
        raise AssemblyError(f"the page offset {int(offset)} can't be encoded", 1)
    return 0x90000000 | page_fields(offset >> 12, True) | d.number


def _make_exception(word: int) -> Encoder:
    def encode(operands: Sequence[Operand], _context: Context) -> int:
        need(operands, 1)
        return word | immediate(operands, 0, 0, 0xFFFF) << 5

    return encode


def _make_plain(word: int) -> Encoder:
    def encode(operands: Sequence[Operand], _context: Context) -> int:
        need(operands, 0)
        return word

    return encode


def _hint(operands: Sequence[Operand], _context: Context) -> int:
    need(operands, 1)
    return 0xD503201F | immediate(operands, 0, 0, 127) << 5


_BARRIERS = {
    "oshld": 1, "oshst": 2, "osh": 3, "nshld": 5, "nshst": 6, "nsh": 7,
    "ishld": 9, "ishst": 10, "ish": 11, "ld": 13, "st": 14, "sy": 15,
}  # fmt: skip


def _make_barrier(word: int, default: int | None) -> Encoder:
    def encode(operands: Sequence[Operand], _context: Context) -> int:
        if not operands and default is not None:
            return word | default << 8
        need(operands, 1)
        operand = operands[0]
        if isinstance(operand, Symbolic):
            option = _BARRIERS.get(operand.symbol.lower())
            if option is None:
                raise AssemblyError(f"'{operand.symbol}' is not a barrier option", 0)
            return word | option << 8
        return word | immediate(operands, 0, 0, 15) << 8

    return encode


def _system_key(operand: Operand) -> int:
    if not isinstance(operand, Symbolic):
        raise NotEncodable
    key = key_of_name(operand.symbol, "integer")
    if key is None:
        raise NotEncodable
    op0, op1, crn, crm, op2 = key
    return (op0 & 1) << 19 | op1 << 16 | crn << 12 | crm << 8 | op2 << 5


def _mrs(operands: Sequence[Operand], _context: Context) -> int:
    need(operands, 2)
    t = register(operands, 0, "x")
    return 0xD5300000 | _system_key(operands[1]) | t.number


def _msr(operands: Sequence[Operand], _context: Context) -> int:
    need(operands, 2)
    t = register(operands, 1, "x")
    return 0xD5100000 | _system_key(operands[0]) | t.number


ENCODERS["b"], ENCODERS["bl"] = _make_branch(0x14000000, "JUMP26"), _make_branch(0x94000000, "CALL26")
for _name, _cond in CONDITIONS.items():
    ENCODERS["b." + _name] = ENCODERS["b" + _name] = _make_conditional_branch(_cond)
ENCODERS["cbz"], ENCODERS["cbnz"] = _make_compare_branch(0), _make_compare_branch(1)
ENCODERS["tbz"], ENCODERS["tbnz"] = _make_test_branch(0), _make_test_branch(1)
ENCODERS["br"], ENCODERS["blr"] = _make_branch_register(0xD61F0000), _make_branch_register(0xD63F0000)
ENCODERS["ret"] = _make_branch_register(0xD65F0000, 30)
ENCODERS["adr"], ENCODERS["adrp"], ENCODERS["adrdp"] = _adr, _adrp, _adrdp
for _name, _word in (
    ("svc", 0xD4000001), ("hvc", 0xD4000002), ("smc", 0xD4000003), ("brk", 0xD4200000), ("hlt", 0xD4400000),
):  # fmt: skip
    ENCODERS[_name] = _make_exception(_word)
for _number, _name in enumerate(("nop", "yield", "wfe", "wfi", "sev", "sevl")):
    ENCODERS[_name] = _make_plain(0xD503201F | _number << 5)
ENCODERS["eret"], ENCODERS["hint"] = _make_plain(0xD69F03E0), _hint
ENCODERS["dsb"], ENCODERS["dmb"] = _make_barrier(0xD503309F, None), _make_barrier(0xD50330BF, None)
ENCODERS["isb"], ENCODERS["clrex"] = _make_barrier(0xD50330DF, 15), _make_barrier(0xD503305F, 15)
ENCODERS["mrs"], ENCODERS["msr"] = _mrs, _msr

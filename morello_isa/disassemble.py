"""A word as text, in LLVM's Morello syntax, for the given state.

Morello rows are printed from the instruction table; base instructions come from capstone, with the registers
that C64 turns into capabilities renamed. What is printed assembles to the same word.

>>> disassemble(0xC2C34840)
'unseal c0, c2, c3'
>>> disassemble(0xF9400820), disassemble(0xF9400820, c64=False)
('ldr x0, [c1, #16]', 'ldr x0, [x1, #16]')
>>> disassemble(0x94000002, pc=0x10000)
'bl 0x10008'
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from morello_isa import base
from morello_isa.asm.context import CONDITION_NAMES, EXTENDS
from morello_isa.asm.rows import SEAL_FORMS
from morello_isa.base import classify
from morello_isa.decode import Instruction, decode
from morello_isa.encodings.row import MemoryOperand
from morello_isa.sysregs import find_register, generic_name

SymbolName = Callable[[int], "str | None"]
"""Name of an address, such as "memcpy+0x10", or None."""

_MASK64: Final = (1 << 64) - 1
_EXTEND_NAMES: Final = tuple(EXTENDS)
_FORM_NAMES: Final = {number: name for name, number in SEAL_FORMS.items()}


class _Place:
    """Where the instruction is: state, address (None: print offsets), names of addresses."""

    __slots__ = ("c64", "pc", "symbols")

    def __init__(self, pc: int | None, c64: bool, symbols: SymbolName | None) -> None:
        self.pc = pc
        self.c64 = c64
        self.symbols = symbols

    def target(self, offset: int, align: int = 1) -> str:
        """A PC-relative operand; `align` is what the PC is rounded down to first."""
        if self.pc is None:
            return f"#{offset}"
        address = (self.pc & -align) + offset & _MASK64
        name = self.symbols(address) if self.symbols else None
        return f"{address:#x} <{name}>" if name else f"{address:#x}"


def disassemble(word: int, pc: int | None = None, c64: bool = True, symbols: SymbolName | None = None) -> str:
    """Text of one instruction; `.inst 0x…` for an unallocated word.

    With `pc` the operands of PC-relative instructions are addresses, named through `symbols` if given;
    without it they are offsets (`#8`).
    """
    place = _Place(pc, c64, symbols)
    insn = decode(word)
    if insn is not None:
        return _morello(insn, place)
    record = classify(word)
    text = _pc_relative(record, place) if record is not None else None
    return text if text is not None else _from_capstone(word, c64, record)


# --- Morello rows ----------------------------------------------------------------------------------


def _morello(insn: Instruction, place: _Place) -> str:
    row = insn.row
    if row.group == "pc-relative":
        return _address(insn, place)
    mnemonic = row.mnemonic
    operands = row.operands
    if row.id == "CPY_C_C_C":
        mnemonic = "mov"
    elif row.id == "SUBS_R_CC_C" and insn.Rd == 31:
        mnemonic, operands = "cmp", operands[1:]
    return f"{mnemonic} {', '.join(_operand(text, insn, place) for text in operands)}"


def _address(insn: Instruction, place: _Place) -> str:
    kind = "c" if place.c64 else "x"
    register = f"{kind}{insn.Rd}" if insn.Rd != 31 else f"{kind}zr"
    if insn.row.mnemonic == "adr":
        return f"adr {register}, {place.target(insn.imm)}"
    if not place.c64:
        return f"adrp {register}, {place.target(insn.imm_a64, 4096)}"
    if insn.row.mnemonic == "adrdp":
        return f"adrdp {register}, #{insn.imm:#x}"
    return f"adrp {register}, {place.target(insn.imm, 4096)}"


def _operand(text: str, insn: Instruction, place: _Place) -> str:
    special = _PRINTERS.get(text)
    if special is not None:
        return special(insn, place)
    if text[0] == "[":
        assert insn.row.memory is not None
        return _memory(insn, insn.row.memory, place)
    if text == "C29":
        return "c29"
    name, _, stack = text.partition("|")
    number = getattr(insn, name if name in insn.row.fields else "R" + name[1:])
    return register_name(name[0].lower(), number, bool(stack))


def register_name(kind: str, number: int, stack: bool) -> str:
    """Register 0..31 of kind x w c b h s d q; 31 is the stack pointer if `stack`."""
    if number != 31 or kind in "bhsdq":
        return f"{kind}{number}"
    if stack:
        return {"x": "sp", "w": "wsp", "c": "csp"}[kind]
    return f"{kind}zr"


def _memory(insn: Instruction, memory: MemoryOperand, place: _Place) -> str:
    capability = memory.base == "cap" or (memory.base == "base") == place.c64
    base_register = register_name(
        "c" if capability else "x", insn.Cn if memory.base == "cap" else insn.Rn, True
    )
    if memory.mode == "register":
        return f"[{base_register}, {_offset_register(insn)}]"
    if memory.mode == "post":
        return f"[{base_register}], #{insn.imm}"
    if memory.mode == "pre":
        return f"[{base_register}, #{insn.imm}]!"
    return f"[{base_register}, #{insn.imm}]" if insn.imm else f"[{base_register}]"


def _offset_register(insn: Instruction) -> str:
    assert insn.row.memory is not None
    shift = f" #{insn.row.memory.shift}" if insn.S else ""
    name = register_name("x" if insn.sz else "w", insn.Rm, False)
    if insn.sz and not insn.sign:
        return f"{name}, lsl{shift}" if insn.S else name
    extension = _EXTEND_NAMES[insn.sign << 2 | 2 | insn.sz]
    return f"{name}, {extension}{shift}"


def _added_register(insn: Instruction, _place: _Place) -> str:
    name = register_name("x" if insn.option_name & 3 == 3 else "w", insn.Rm, False)
    amount = f" #{insn.imm3}" if insn.imm3 else ""
    return f"{name}, {_EXTEND_NAMES[insn.option_name]}{amount}"


def _add_immediate(insn: Instruction, _place: _Place) -> str:
    return f"#{insn.imm12}, lsl #12" if insn.sh else f"#{insn.imm12}"


def _permissions(insn: Instruction, _place: _Place) -> str:
    letters = "".join(letter for letter, bit in (("r", 4), ("w", 2), ("x", 1)) if insn.perm & bit)
    return letters or "#0"


def _system_register(insn: Instruction, _place: _Place) -> str:
    key = (2 + insn.o0, insn.op1, insn.CRn, insn.CRm, insn.op2)
    register = find_register(key, "capability")
    return register.name if register else generic_name(key)


_PRINTERS: Final[dict[str, Callable[[Instruction, _Place], str]]] = {
    "#imm6": lambda insn, _: f"#{insn.imm6}",
    "#imm8": lambda insn, _: f"#{insn.imm8}",
    "#imm6:lsl4": lambda insn, _: f"#{insn.imm6}, lsl #4",
    "#4": lambda _insn, _: "#4",
    "#addimm": _add_immediate,
    "Rm:add": _added_register,
    "cond": lambda insn, _: CONDITION_NAMES[insn.cond],
    "form": lambda insn, _: _FORM_NAMES[insn.form],
    "perm": _permissions,
    "sysreg": _system_register,
    "label17": lambda insn, place: place.target(insn.imm, 16),
}


# --- base instructions -----------------------------------------------------------------------------


def _pc_relative(record: base.BaseInstruction, place: _Place) -> str | None:
    """Base branches and literal loads, whose targets capstone would print its own way."""
    if isinstance(record, base.Branch):
        return f"{'bl' if record.link else 'b'} {place.target(record.offset)}"
    if isinstance(record, base.BranchConditional):
        return f"b.{CONDITION_NAMES[record.cond]} {place.target(record.offset)}"
    if isinstance(record, base.CompareBranch):
        register = register_name("x" if record.width == 64 else "w", record.t, False)
        return f"{'cbnz' if record.nonzero else 'cbz'} {register}, {place.target(record.offset)}"
    if isinstance(record, base.TestBranch):
        register = register_name("x" if record.bit > 31 else "w", record.t, False)
        mnemonic = "tbnz" if record.nonzero else "tbz"
        return f"{mnemonic} {register}, #{record.bit}, {place.target(record.offset)}"
    if isinstance(record, base.LoadLiteral):
        if record.vector:
            kind = {4: "s", 8: "d", 16: "q"}[record.size]
        else:
            kind = "x" if record.size == 8 or record.signed else "w"
        mnemonic = "ldrsw" if record.signed else "ldr"
        return f"{mnemonic} {register_name(kind, record.t, False)}, {place.target(record.offset)}"
    if isinstance(record, base.BranchRegister) and record.kind == "RET" and record.n == 30:
        return "ret x30" if place.c64 else "ret"
    return None


@lru_cache(maxsize=1)
def _engine() -> Any:
    import capstone

    return capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_LITTLE_ENDIAN)


_BASE_REGISTER: Final = re.compile(r"\[(x(\d+)|sp)")
_HEX: Final = re.compile(r"#(-?)0x([0-9a-f]+)")
_LAST_X: Final = re.compile(r", x(\d+|zr)$")
_LOGICAL: Final = ("and", "ands", "orr", "eor", "tst", "bic", "movi", "mvni")
_MEMORY_RECORDS: Final = (
    base.LoadStore, base.LoadStorePair, base.Exclusive, base.Ordered, base.CompareAndSwap, base.Atomic,
    base.SimdMultiple, base.SimdSingle, base.Prefetch,
)  # fmt: skip


def _decimal(match: re.Match[str]) -> str:
    number = int(match[2], 16)
    return f"#{match[1]}{number - (1 << 64) if number >> 63 else number}"


@lru_cache(maxsize=16384)
def _from_capstone(word: int, c64: bool, record: base.BaseInstruction | None) -> str:
    insn = next(_engine().disasm_lite(word.to_bytes(4, "little"), 0), None)
    if insn is None:
        return f".inst {word:#010x}"
    mnemonic, operands = insn[2], insn[3]
    if not operands:
        return str(mnemonic)
    if mnemonic not in _LOGICAL:
        operands = _HEX.sub(_decimal, operands)
    if c64 and isinstance(record, _MEMORY_RECORDS):
        operands = _BASE_REGISTER.sub(lambda match: f"[c{match[2]}" if match[2] else "[csp", operands)
    elif c64 and isinstance(record, base.SystemInstruction) and record.is_address_operation:
        operands = _LAST_X.sub(r", c\1", operands)
    return f"{mnemonic} {operands}"

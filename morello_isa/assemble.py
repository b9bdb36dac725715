"""One instruction of assembler text to a word.

The syntax is LLVM's for Morello. The state matters: in C64 the base of a load is `[c1]`, and `[x1]` selects
the alternate-base encoding; in A64 it is the other way round. `ret` is `ret c30` in C64.

Branch targets: a symbol becomes a relocation, `#8` is an offset from the instruction, and a number without
"#" is an address (what the disassembler prints).

>>> hex(assemble("unseal c0, c2, c3").word)
'0xc2c34840'
>>> assemble("bl memcpy").relocations
(Relocation(type='R_MORELLO_CALL26', symbol='memcpy', addend=0),)
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from morello_isa.asm import control, floating, integer, memory
from morello_isa.asm.context import Context, Encoder, NotEncodable, Relocation
from morello_isa.asm.errors import AssemblyError
from morello_isa.asm.fallback import encode_with_keystone
from morello_isa.asm.operands import parse_operands
from morello_isa.asm.rows import encode_row

__all__ = ["AssemblyError", "Encoded", "Relocation", "assemble", "encode_line"]


class Encoded(NamedTuple):
    """The word, its relocated fields zero, and the relocations it needs."""

    word: int
    relocations: tuple[Relocation, ...]


_ENCODERS: Final[dict[str, Encoder]] = {
    **integer.ENCODERS,
    **memory.ENCODERS,
    **control.ENCODERS,
    **floating.ENCODERS,
}

# relocation -> (lowest bit, width, scale) of the PC-relative fields that need no linker
_PC_FIELDS: Final = {
    "JUMP26": (0, 26, 4),
    "CALL26": (0, 26, 4),
    "CONDBR19": (5, 19, 4),
    "TSTBR14": (5, 14, 4),
    "LD_PREL_LO19": (5, 19, 4),
    "LD_PREL_LO17": (5, 17, 16),
}


@lru_cache(maxsize=65536)
def encode_line(text: str, c64: bool) -> Encoded:
    """The word of one instruction wherever it is placed; AssemblyError if it is not an instruction.

    `text` has no label and no comment. Absolute targets come back as relocations against symbol "".
    """
    parts = text.split(None, 1)
    if not parts:
        raise AssemblyError("there is no instruction")
    mnemonic = parts[0].lower()
    rest = parts[1].strip() if len(parts) == 2 else ""
    operands = parse_operands(rest)
    context = Context(c64)
    word = encode_row(mnemonic, operands, context)
    if word is None:
        encoder = _ENCODERS.get(mnemonic)
        if encoder is not None:
            try:
                return Encoded(encoder(operands, context), tuple(context.relocations))
            except NotEncodable:
                context.relocations.clear()
        word = encode_with_keystone(mnemonic, rest, c64)
    return Encoded(word, tuple(context.relocations))


def assemble(text: str, pc: int = 0, c64: bool = True) -> Encoded:
    """Encode one instruction that will be at address `pc`.

    Raises AssemblyError: not an instruction, operand out of range, or an absolute target out of reach.
    """
    encoded = encode_line(text.partition("//")[0].strip(), c64)
    if not any(relocation.symbol == "" for relocation in encoded.relocations):
        return encoded
    word = encoded.word
    for relocation in encoded.relocations:
        if relocation.symbol == "":
            word |= _pc_field(relocation, pc, c64)
    return Encoded(word, tuple(r for r in encoded.relocations if r.symbol))


def _pc_field(relocation: Relocation, pc: int, c64: bool) -> int:
    """The bits of an absolute target."""
    name = relocation.type.split("_", 2)[2]
    target = relocation.addend
    if name.startswith("ADR_PREL_PG"):
        pages, rest = divmod(_distance(target, pc & ~0xFFF), 4096)
        limit = 1 << (19 if c64 else 20)
        if rest or not -limit <= pages < limit:
            raise AssemblyError(f"the page {target:#x} can't be reached")
        return control.page_fields(pages, c64)
    if name == "ADR_PREL_LO21":
        offset = _distance(target, pc)
        if not -(1 << 20) <= offset < 1 << 20:
            raise AssemblyError(f"the address {target:#x} can't be reached")
        return (offset & 3) << 29 | (offset >> 2 & 0x7FFFF) << 5
    low, width, scale = _PC_FIELDS[name]
    units, rest = divmod(_distance(target, pc & ~15 if name == "LD_PREL_LO17" else pc), scale)
    if rest or not -(1 << width - 1) <= units < 1 << width - 1:
        raise AssemblyError(f"the address {target:#x} can't be reached")
    return (units & (1 << width) - 1) << low


def _distance(target: int, start: int) -> int:
    """target - start in 64-bit arithmetic, signed."""
    return (target - start + (1 << 63) & (1 << 64) - 1) - (1 << 63)

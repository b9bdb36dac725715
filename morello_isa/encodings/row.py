"""The shape of one row of the instruction table.

A row says everything the tools need: the decoder reads the bit pattern, the disassembler prints the
operands, the assembler parses them and puts them back into the pattern.

Bit pattern, from bit 31 down, items separated by blanks:
  0110      fixed bits
  name:5    a field of 5 bits
  opc=01    a named field with a fixed value
  (11111)   should-be-one bits; any other value is unallocated

Operands, in assembler order (register names as in the manual: the letter is the width, the rest the field):
  Cd Cn Cm Ct Ct2 Cs   capability register, 31 = CZR        Cd|CSP …  the same, 31 = CSP
  Xd Xn Xm Xt Wt Ws    integer register from field Rd, Rn…   Bt Ht St Dt Qt  vector register from field Rt
  C29                  that register, not encoded
  #imm6 #imm8          unsigned immediates                   #imm6:lsl4     printed with ", lsl #4"
  #addimm              imm12 with optional ", lsl #12"       Rm:add         register with extension
  cond form perm sysreg #4                                   what the names say
  label21 page pagedp label17                                PC-relative
  [base] [alt] [cap]   memory operand; base is Xn|SP in A64 and Cn|CSP in C64, alt the other way round,
                       cap always Cn|CSP
  [base+s9*16]         signed 9-bit offset scaled by 16 (u = unsigned); "!" pre-index; "[base]+…" post-index
  [base+Rm<<4]         register offset, optionally shifted left by 4
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MemoryOperand:
    """A parsed `[base+s9*16]!` operand; `offset_field` is "" without an immediate offset."""

    base: str
    mode: str  # "offset", "pre", "post" or "register"
    offset_field: str = ""
    signed: bool = False
    bits: int = 0
    scale: int = 1
    shift: int = 0


_MEMORY = re.compile(
    r"\[(base|alt|cap)(?:\+([su])(\d+)(?:\*(\d+))?|\+Rm<<(\d))?\](!)?(?:\+([su])(\d+)\*(\d+))?$"
)


def parse_memory_operand(text: str) -> MemoryOperand:
    """The fields of an operand description that starts with "["."""
    match = _MEMORY.match(text)
    if match is None:
        raise ValueError(f"malformed memory operand {text!r} in the instruction table")
    base, sign, bits, scale, shift, bang, post_sign, post_bits, post_scale = match.groups()
    if shift is not None:
        return MemoryOperand(base, "register", shift=int(shift))
    if post_bits is not None:
        return MemoryOperand(
            base, "post", f"imm{post_bits}", post_sign == "s", int(post_bits), int(post_scale)
        )
    if bits is None:
        return MemoryOperand(base, "offset")
    return MemoryOperand(
        base, "pre" if bang else "offset", f"imm{bits}", sign == "s", int(bits), int(scale or 1)
    )


@dataclass(frozen=True)
class Row:
    """One architectural encoding. `fields` maps a field's name to (lowest bit, width).

    `unallocated` is "field=low..high" for values of a variable field that do not decode.
    """

    id: str
    group: str
    mnemonic: str
    syntax: str
    pattern: str
    unallocated: str = ""
    mask: int = field(init=False, default=0)
    match: int = field(init=False, default=0)
    fields: dict[str, tuple[int, int]] = field(init=False, default_factory=dict, hash=False)
    variable_fields: tuple[str, ...] = field(init=False, default=())
    operands: tuple[str, ...] = field(init=False, default=())
    memory: MemoryOperand | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        mask = match = 0
        bit = 32
        variable = []
        for item in self.pattern.split():
            name, separator, rest = item.partition("=")
            if separator:
                literal = rest
            elif ":" in item:
                name, _, rest = item.partition(":")
                bit -= int(rest)
                self.fields[name] = (bit, int(rest))
                variable.append(name)
                continue
            else:
                name, literal = "", item.strip("()")
            bit -= len(literal)
            mask |= ((1 << len(literal)) - 1) << bit
            match |= int(literal, 2) << bit
            if name:
                self.fields[name] = (bit, len(literal))
        if bit != 0:
            raise ValueError(f"the bit pattern of {self.id} has {32 - bit} bits")
        operands = tuple(self.syntax.split())
        memory = next((parse_memory_operand(text) for text in operands if text.startswith("[")), None)
        for name, value in (
            ("mask", mask),
            ("match", match),
            ("variable_fields", tuple(variable)),
            ("operands", operands),
            ("memory", memory),
        ):
            object.__setattr__(self, name, value)

    def is_allocated(self, word: int) -> bool:
        """The word has this row's fixed bits and no unallocated field value."""
        if word & self.mask != self.match:
            return False
        if self.unallocated:
            name, _, values = self.unallocated.partition("=")
            low, _, high = values.partition("..")
            shift, width = self.fields[name]
            return not int(low) <= (word >> shift & (1 << width) - 1) <= int(high)
        return True

    def encode(self, values: dict[str, int]) -> int:
        """The word with these variable fields (unsigned, in range); missing ones are zero."""
        word = self.match
        for name, value in values.items():
            shift, width = self.fields[name]
            word |= (value & (1 << width) - 1) << shift
        return word

"""From a 32-bit word to its row of the Morello table.

>>> insn = decode(0xC2C34840)
>>> insn.row.id, insn.Cd, insn.Cn, insn.Cm
('UNSEAL_C_CC_C', 0, 2, 3)
"""

from __future__ import annotations

from functools import lru_cache

from morello_isa.encodings.row import Row
from morello_isa.encodings.table import DECLARED_OVERLAPS, ROWS


class Instruction:
    """A decoded word: `row`, `word`, and every field of the row as an unsigned attribute.

    `imm` is the immediate in its meaning: byte offset of a label or of a memory operand (signed,
    scaled; 0 where there is none), the shifted immediate of ADD, SUB and SCBNDS, else the field itself.
    ADRP and ADRDP: the page offset in bytes as C64 reads it (20 bits); `imm_a64` as A64 reads it (21 bits).
    """

    row: Row
    word: int
    imm: int
    imm_a64: int

    def __init__(self, row: Row, word: int) -> None:
        self.row = row
        self.word = word
        values = self.__dict__
        for name, (shift, width) in row.fields.items():
            values[name] = word >> shift & (1 << width) - 1
        self.imm = self.imm_a64 = 0
        _set_immediate(self, values)

    @property
    def fields(self) -> dict[str, int]:
        """The row's fields by name, unsigned."""
        return {name: self.__dict__[name] for name in self.row.fields}

    def __getattr__(self, name: str) -> int:
        raise AttributeError(f"{self.row.id} has no field {name}")

    def __repr__(self) -> str:
        return f"Instruction({self.row.id}, {self.word:#010x})"


def sign_extend(value: int, bits: int) -> int:
    """`value` (unsigned, `bits` wide) as a signed integer."""
    return value - (1 << bits) if value >> bits - 1 else value


def _set_immediate(insn: Instruction, values: dict[str, int]) -> None:
    memory = insn.row.memory
    if memory is not None:
        if memory.offset_field:
            raw = values[memory.offset_field]
            insn.imm = (sign_extend(raw, memory.bits) if memory.signed else raw) * memory.scale
        return
    for operand in insn.row.operands:
        if operand == "label17":
            insn.imm = sign_extend(values["imm17"], 17) << 4
        elif operand == "label21":
            joined = values["P"] << 20 | values["immhi"] << 2 | values["immlo"]
            insn.imm = insn.imm_a64 = sign_extend(joined, 21)
        elif operand in ("page", "pagedp"):
            joined = values["immhi"] << 2 | values["immlo"]
            insn.imm = (sign_extend(joined, 20) if operand == "page" else joined) << 12
            insn.imm_a64 = sign_extend(values["P"] << 20 | joined, 21) << 12
        elif operand == "#addimm":
            insn.imm = values["imm12"] << 12 * values["sh"]
        elif operand == "#imm6:lsl4":
            insn.imm = values["imm6"] << 4
        elif operand in ("#imm6", "#imm8"):
            insn.imm = values[operand[1:]]


def _bucket_keys(row: Row) -> list[int]:
    """Every value of word bits 31:21 that a word of this row can have."""
    keys = [row.match >> 21]
    for bit in range(11):
        if not row.mask >> 21 + bit & 1:
            keys += [key | 1 << bit for key in keys]
    return keys


def _build_buckets() -> tuple[tuple[Row, ...], ...]:
    umbrellas = {umbrella for umbrella, _ in DECLARED_OVERLAPS}
    buckets: list[list[Row]] = [[] for _ in range(1 << 11)]
    for row in ROWS:
        if row.id not in umbrellas:
            for key in _bucket_keys(row):
                buckets[key].append(row)
    return tuple(tuple(bucket) for bucket in buckets)


_BUCKETS = _build_buckets()


@lru_cache(maxsize=65536)
def decode(word: int) -> Instruction | None:
    """The Morello instruction, or None when the word belongs to the base instruction set or to nobody.

    Results are shared between equal words; treat them as immutable. Spec: __DecodeA64.
    """
    for row in _BUCKETS[word >> 21]:
        if word & row.mask == row.match:
            return Instruction(row, word) if row.is_allocated(word) else None
    return None

"""Branches to a register's value: predictions compared with constants, then a table, then the dispatcher."""

from __future__ import annotations

from collections.abc import Callable

from emulator.engine.translate import encode as a64
from emulator.engine.translate.block import BlockCode, Exit, ExitKind
from emulator.engine.translate.layout import (
    BAD,
    LOW,
    META,
    TABLE,
    TABLE_BYTES,
    TABLE_ENTRIES,
    TEMP,
    TEMP2,
    VALUE,
    get_meta,
    get_tag,
    meta_lane,
    tag_lane,
)
from morello_isa.permissions import ObjectType

SENTRY = int(ObjectType.RB) << 31
NO_ADDRESS = 2
"""A value that no branch target in a table or prediction has."""
PREDICTIONS = 2
PREDICTED_VALUE, PREDICTED_META, PREDICTED_BRANCH = 0, 5, 12
"""Word numbers in a prediction's code: constants of four words each, and the branch."""
_SPARE = 31


def branch_to_register(
    block: BlockCode, n: int, links: bool, link: Callable[[BlockCode], None], capability: bool
) -> None:  # fmt: skip
    """BR, BLR, RET of Cn or, in A64, of Xn. What isn't known goes to the reference engine, C30 unchanged."""
    source = LOW if links and n == 30 else block.read(n, VALUE)
    if links:
        block.emit(a64.mov(LOW, 30))
        block.emit(a64.copy_d(_SPARE, 0, *meta_lane(30)), a64.copy_b(_SPARE, 8, *tag_lane(30)))
    if capability:
        block.emit(get_meta(META, n), a64.and_imm(META, META, ~SENTRY), get_tag(BAD, n))
        block.emit(a64.add_imm(BAD, BAD, -1))
    else:
        block.emit(*a64.mov_imm(META, block.context.pcc_hi), a64.and_imm(BAD, source, 1))
    if links:
        link(block)
    predictions = []
    for _ in range(PREDICTIONS):
        predictions.append(len(block.words))
        block.emit(*a64.mov_imm_full(TEMP, NO_ADDRESS), a64.eor(TEMP, TEMP, source))
        block.emit(*a64.mov_imm_full(TEMP2, 0), a64.eor(TEMP2, TEMP2, META))
        block.emit(a64.orr(TEMP, TEMP, TEMP2))
        block.emit(a64.orr(TEMP, TEMP, BAD), a64.cbz(TEMP, 4))
    block.emit(a64.eor_lsr(TEMP, source, source, 12), a64.and_imm(TEMP, TEMP, TABLE_ENTRIES - 1 << 2))
    block.emit(*a64.mov_imm(TEMP2, TABLE + block.table * TABLE_BYTES), a64.add(TEMP2, TEMP2, TEMP, 3))
    block.emit(a64.ldr(TEMP, TEMP2), a64.eor(TEMP, TEMP, source), a64.orr(BAD, BAD, TEMP))
    block.emit(a64.ldr(TEMP, TEMP2, 8), a64.eor(TEMP, TEMP, META), a64.orr(BAD, BAD, TEMP))
    block.emit(a64.ldr(TEMP2, TEMP2, 16))
    block.emit(a64.cbnz(BAD, 8), a64.ret(TEMP2))
    if links:
        block.emit(a64.mov(30, LOW))
        block.emit(a64.copy_d(*meta_lane(30), _SPARE, 0), a64.copy_b(*tag_lane(30), _SPARE, 8))
    exit_ = Exit(ExitKind.INDIRECT, block.pc, block.done, -1, n, capability, tuple(predictions))
    block.leave(a64.b(0), exit_)
    block.ended = True


def table_index(value: int) -> int:
    """Number of the first 64-bit word of the entry for a target value."""
    return ((value ^ value >> 12) >> 2 & TABLE_ENTRIES - 1) * 4

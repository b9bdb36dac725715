"""Branches to a register's value: predictions compared with constants, then a table, then the dispatcher."""

from __future__ import annotations

from collections.abc import Callable

from emulator.engine.translate import encode as a64
from emulator.engine.translate.block import BlockCode, Exit, ExitKind
from emulator.engine.translate.layout import (
    ASK_BAD,
    ASK_META,
    ASK_VALUE,
    BAD,
    HIGH,
    META,
    STATE,
    TABLE,
    TABLE_BYTES,
    TABLE_ENTRIES,
    TEMP,
    TEMP2,
    VALUE,
    get_meta,
    get_tag,
)
from morello_isa.permissions import ObjectType

SENTRY = int(ObjectType.RB) << 31
NO_ADDRESS = 2
"""A value that no branch target in a table or prediction has."""
PREDICTIONS = 3
PREDICTED_VALUE, PREDICTED_META, PREDICTED_BRANCH = 0, 5, 12
"""Word numbers in a prediction's code: constants of four words each, and the branch."""


def branch_to_register(
    block: BlockCode, n: int, links: bool, link: Callable[[BlockCode], None], capability: bool
) -> None:  # fmt: skip
    """BR, BLR, RET of Cn or, in A64, of Xn (with `links` not 30). What isn't known goes to the dispatcher,
    which executes the instruction: that C30 has been written already makes no difference to it.
    """
    block.charge_for_branch()
    block.emit(a64.asr_imm(BAD, BAD, 63))
    source = block.read(n, VALUE)
    if capability:
        block.emit(get_meta(META, n), a64.and_imm(META, META, ~SENTRY), get_tag(TEMP, n))
        block.emit(a64.add_imm(TEMP, TEMP, -1), a64.orr(BAD, BAD, TEMP))
    else:
        block.emit(*a64.mov_imm(META, block.context.pcc_hi), a64.and_imm(TEMP, source, 1))
        block.emit(a64.orr(BAD, BAD, TEMP))
    if links:
        if source != VALUE:
            block.emit(a64.mov(VALUE, source))
            source = VALUE
        link(block)
    predictions = []
    for _ in range(PREDICTIONS):
        predictions.append(len(block.words))
        block.emit(*a64.mov_imm_full(TEMP, NO_ADDRESS), a64.eor(TEMP, TEMP, source))
        block.emit(*a64.mov_imm_full(TEMP2, 0), a64.eor(TEMP2, TEMP2, META))
        block.emit(a64.orr(TEMP, TEMP, TEMP2))
        block.emit(a64.orr(TEMP, TEMP, BAD), a64.cbz(TEMP, 4))
    gate = len(block.words)
    block.emit(a64.NOP)
    block.emit(a64.eor_lsr(TEMP, source, source, 12), a64.and_imm(TEMP, TEMP, TABLE_ENTRIES - 1 << 2))
    block.emit(*a64.mov_imm(TEMP2, TABLE + block.table * TABLE_BYTES), a64.add(TEMP2, TEMP2, TEMP, 3))
    block.emit(a64.ldr(TEMP, TEMP2), a64.eor(TEMP, TEMP, source), a64.orr(HIGH, BAD, TEMP))
    block.emit(a64.ldr(TEMP, TEMP2, 8), a64.eor(TEMP, TEMP, META), a64.orr(HIGH, HIGH, TEMP))
    block.emit(a64.ldr(TEMP2, TEMP2, 16))
    block.emit(a64.cbnz(HIGH, 8), a64.ret(TEMP2))
    # Until the predictions are in use, the table isn't asked.
    block.words[gate] = a64.b(4 * (len(block.words) - gate))
    block.emit(*a64.mov_imm(TEMP, STATE), a64.str_(source, TEMP, ASK_VALUE))
    block.emit(a64.str_(META, TEMP, ASK_META), a64.str_(BAD, TEMP, ASK_BAD))
    exit_ = Exit(
        ExitKind.INDIRECT, block.pc, -1,
        register=n, capability=capability, predictions=tuple(predictions), gate=gate,
    )  # fmt: skip
    block.leave(a64.b(0), exit_)
    block.ended = True


def table_index(value: int) -> int:
    """Number of the first 64-bit word of the entry for a target value."""
    return ((value ^ value >> 12) >> 2 & TABLE_ENTRIES - 1) * 4

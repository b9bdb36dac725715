"""Branches to a register's value: predictions compared with constants, then a table, then the dispatcher."""

from __future__ import annotations

from collections.abc import Callable

from emulator.engine.translate import encode as a64
from emulator.engine.translate.block import BlockCode
from emulator.engine.translate.exits import Exit, ExitKind
from emulator.engine.translate.layout import (
    ASK_BAD,
    ASK_META,
    ASK_VALUE,
    BAD,
    HIGH,
    LOW,
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
PREDICTIONS = 2
_VENEER_REGISTERS = (16, 17)
"""Jumps to them are calls of other libraries (PLT)."""
PREDICTED_BRANCH = 6
"""Word number in a prediction's code, which begins with a constant of four words: the branch."""


def branch_to_register(
    block: BlockCode, n: int, links: bool, link: Callable[[BlockCode], None], capability: bool, jump: bool
) -> None:  # fmt: skip
    """BR, BLR, RET of Cn or, in A64, of Xn (with `links` not 30). What isn't known goes to the dispatcher,
    which executes the instruction: that C30 has been written already makes no difference to it. `jump`: it is
    inside a function, so that what is known about registers is of use at its target.
    """
    block.charge_for_branch()
    block.emit(a64.asr_imm(BAD, BAD, 63))
    source = block.read(n, VALUE)
    if capability:
        block.emit(get_meta(META, n), a64.and_imm(META, META, ~SENTRY), get_tag(TEMP, n))
        block.emit(a64.add_imm(TEMP, TEMP, -1), a64.orr(BAD, BAD, TEMP))
    else:
        block.emit(a64.and_imm(TEMP, source, 1), a64.orr(BAD, BAD, TEMP))
    if links:
        if source != VALUE:
            block.emit(a64.mov(VALUE, source))
            source = VALUE
        link(block)
    wrong, hi_at = BAD, -1
    if capability:
        hi_at = len(block.words)
        block.emit(*a64.mov_imm_full(TEMP2, 0), a64.eor(TEMP2, TEMP2, META), a64.orr(HIGH, BAD, TEMP2))
        wrong = HIGH
    predictions = []
    carries = jump and n not in _VENEER_REGISTERS
    for _ in range(0 if carries else PREDICTIONS):
        predictions.append(len(block.words))
        block.emit(*_prediction(source, wrong))
    exit_ = Exit(
        ExitKind.INDIRECT, block.pc, -1, register=n, capability=capability, predictions=tuple(predictions),
        hi_at=hi_at, hi=block.context.pcc_hi, gate=len(block.words), table=block.table,
    )  # fmt: skip
    if carries:
        exit_.table, exit_.facts = block.jump_facts()
        exit_.facts_only = exit_.table != block.table
    # Until the predictions are in use, the table isn't asked.
    block.to_cold.append((len(block.words), len(block.cold)))
    block.emit(a64.b(0))
    if not capability:
        block.emit(*a64.mov_imm(META, block.context.pcc_hi))
    if capability and exit_.facts_only:
        block.words[hi_at : hi_at + 4] = a64.mov_imm_full(TEMP2, block.context.pcc_hi)
    _look_up(block, exit_, source, wrong)
    block.cold += [*a64.mov_imm(TEMP, STATE), a64.str_(source, TEMP, ASK_VALUE)]
    if not capability:
        block.cold += a64.mov_imm(META, block.context.pcc_hi)
    block.cold += [a64.str_(META, TEMP, ASK_META), a64.str_(BAD, TEMP, ASK_BAD)]
    block.leave_cold(a64.b(0), exit_)
    block.ended = True


def _prediction(source: int, wrong: int) -> list[int]:
    constant = a64.mov_imm_full(TEMP, NO_ADDRESS)
    return [*constant, a64.eor(TEMP, TEMP, source), a64.orr(TEMP, TEMP, wrong), a64.cbz(TEMP, 4)]


def _look_up(block: BlockCode, exit_: Exit, source: int, wrong: int) -> None:
    """Go where the table says, or, if it doesn't, to the cold part. Entries: value, metadata, host."""
    block.emit(a64.eor_lsr(TEMP, source, source, 12), a64.and_imm(TEMP, TEMP, TABLE_ENTRIES - 1 << 2))
    block.emit(*a64.mov_imm(TEMP2, TABLE + exit_.table * TABLE_BYTES), a64.add(TEMP2, TEMP2, TEMP, 3))
    block.emit(a64.ldr(TEMP, TEMP2), a64.eor(TEMP, TEMP, source))
    if exit_.facts_only:
        block.emit(a64.orr(HIGH, wrong, TEMP))
    else:
        block.emit(a64.orr(HIGH, BAD, TEMP))
        block.emit(a64.ldr(TEMP, TEMP2, 8), a64.eor(TEMP, TEMP, META), a64.orr(HIGH, HIGH, TEMP))
    block.emit(a64.ldr(TEMP2, TEMP2, 16), a64.sub(TEMP, a64.XZR, HIGH), a64.orr(TEMP, TEMP, HIGH))
    block.to_cold.append((len(block.words), len(block.cold)))
    block.emit(a64.adr(LOW), a64.and_asr(LOW, LOW, TEMP, 63), a64.bic_asr(TEMP2, TEMP2, TEMP, 63))
    block.emit(a64.orr(TEMP2, TEMP2, LOW), a64.ret(TEMP2))


def table_index(value: int) -> int:
    """Number of the first 64-bit word of the entry for a target value."""
    return ((value ^ value >> 12) >> 2 & TABLE_ENTRIES - 1) * 4

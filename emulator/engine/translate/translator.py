"""From guest words to host words: one block."""

from __future__ import annotations

from collections.abc import Callable

from emulator.engine.implemented import is_implemented
from emulator.engine.operands import arithmetic_operands
from emulator.engine.translate import encode as a64
from emulator.engine.translate.block import BlockCode, Exit, ExitKind
from emulator.engine.translate.emit_base import BASE_EMITTERS, arithmetic
from emulator.engine.translate.emit_capability import ROW_EMITTERS
from emulator.engine.translate.layout import BAD, LEFT_LANE
from emulator.memory.interface import PAGE_MASK
from emulator.semantics.table import ROW_GROUP_NEVER_TRAPPED
from morello_isa.base import classify
from morello_isa.decode import decode

MAX_BLOCK = 64


def translate(block: BlockCode, first: int, fetch: Callable[[int], int | None]) -> BlockCode:
    """Translate the (empty) block, whose first word is `first`; `fetch` gives further words or None."""
    block.emit(a64.get_d(BAD, *LEFT_LANE), a64.NOP, a64.set_d(*LEFT_LANE, BAD))
    block.leave(a64.tbnz63(BAD, 0), Exit(ExitKind.BUDGET, block.start, 0))
    word: int | None = first
    while word is not None:
        block.word = word
        block.starts.append(len(block.words))
        if not _instruction(block, word):
            block.single()
        block.done += 1
        if block.ended:
            break
        block.pc += 4
        if block.done >= MAX_BLOCK or not block.pc & PAGE_MASK:
            break
        word = fetch(block.pc)
    if not block.ended:
        block.fall_through()
    block.finish_checks()
    block.words[1] = a64.add_imm(BAD, BAD, -block.done)
    return block


def _instruction(block: BlockCode, word: int) -> bool:
    """Emit one instruction; False if it is the reference engine's."""
    context = block.context
    row_instruction = decode(word)
    if row_instruction is not None:
        row = row_instruction.row
        emitter = ROW_EMITTERS.get(row.id)
        if emitter is None or (context.cap_trap is not None and row.group != ROW_GROUP_NEVER_TRAPPED):
            return False
        return emitter(block, row_instruction)
    record = classify(word)
    if record is not None:
        base_emitter = BASE_EMITTERS.get(type(record))
        return base_emitter is not None and base_emitter(block, record)
    operands = arithmetic_operands(word)
    if operands is None or not is_implemented(word):
        return False
    if operands.floating and context.fp_trap is not None:
        return False
    return arithmetic(block, word, operands)

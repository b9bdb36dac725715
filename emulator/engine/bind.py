"""Binding: from one word at one place to what executing it means."""

from __future__ import annotations

from dataclasses import dataclass

from emulator.engine.implemented import is_implemented
from emulator.engine.operands import Operands, arithmetic_operands
from emulator.faults import FaultKind
from emulator.semantics.site import Action, Site, Undefined
from emulator.semantics.table import (
    BASE_SEMANTICS,
    BLOCK_ENDS,
    ROW_GROUP_NEVER_TRAPPED,
    ROW_GROUPS_ENDING_BLOCKS,
    ROW_SEMANTICS,
)
from morello_isa.base import classify
from morello_isa.decode import decode


@dataclass(frozen=True, slots=True)
class Bound:
    """Either an action, or the operands of a word that the arithmetic host executes."""

    action: Action | None
    operands: Operands | None
    ends_block: bool


def _raising(site: Site, kind: FaultKind, target_el: int | None = None) -> Bound:
    def action() -> None:
        raise site.fault(kind, target_el=target_el)

    return Bound(action, None, True)


def bind(site: Site) -> Bound:
    """What the word at the site does. Order: decode, UNDEFINED, capability enable, FP trap."""
    context, word = site.context, site.word
    row_instruction = decode(word)
    if row_instruction is not None:
        row = row_instruction.row
        try:
            action = ROW_SEMANTICS[row.id](site, row_instruction)
        except Undefined:
            return _raising(site, FaultKind.UNDEFINED)
        if context.cap_trap is not None and row.group != ROW_GROUP_NEVER_TRAPPED:
            return _raising(site, FaultKind.CAP_TRAP, context.cap_trap)
        return Bound(action, None, row.group in ROW_GROUPS_ENDING_BLOCKS)
    record = classify(word)
    if record is not None:
        return Bound(BASE_SEMANTICS[type(record)](site, record), None, isinstance(record, BLOCK_ENDS))
    operands = arithmetic_operands(word)
    if operands is None or not is_implemented(word):
        return _raising(site, FaultKind.UNDEFINED)
    if operands.floating and context.fp_trap is not None:
        return _raising(site, FaultKind.FP_TRAP, context.fp_trap)
    return Bound(None, operands, False)

"""From guest words to host words: one stretch of code."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from emulator.engine.implemented import is_implemented
from emulator.engine.operands import arithmetic_operands
from emulator.engine.translate.block import BlockCode
from emulator.engine.translate.draft import Draft
from emulator.engine.translate.emit_base import BASE_EMITTERS, arithmetic
from emulator.engine.translate.emit_capability import ROW_EMITTERS
from emulator.memory.interface import PAGE_MASK
from emulator.semantics.table import ROW_GROUP_NEVER_TRAPPED
from morello_isa import base
from morello_isa.base import classify
from morello_isa.decode import Instruction, decode

MAX_STRETCH = 64
MAX_WORDS = 850
"""Host words of a stretch, about: it should fit into a page."""
MAX_LEAF = 12
"""Instructions of a function that is written down where it is called."""
_BRANCHES = (base.Branch, base.BranchConditional, base.CompareBranch, base.TestBranch)
Fetch = Callable[[int], int | None]


@lru_cache(maxsize=65536)
def decoded(word: int) -> Instruction | object | None:
    """The Morello instruction or the base record of a word; None for arithmetic and the unknown."""
    return decode(word) or classify(word)


def translate(block: BlockCode, first: int, fetch: Fetch) -> Draft:
    """Translate the (empty) block, whose first word is `first`; `fetch` gives further words or None."""
    word: int | None = first
    while word is not None:
        block.begin(word)
        if not _instruction(block, word):
            block.single()
        if block.ended:
            break
        if block.followed:
            block.followed = False
        else:
            block.advance()
            if not block.pc & PAGE_MASK:
                break
        if block.done >= MAX_STRETCH or len(block.words) > MAX_WORDS:
            break
        word = fetch(block.pc)
    if not block.ended:
        block.fall_through()
    return block.finish()


def is_leaf(pc: int, fetch: Fetch) -> bool:
    """A short function without other branches than its RET, in one page."""
    for at in range(pc, pc + 4 * MAX_LEAF, 4):
        word = fetch(at)
        if word is None:
            return False
        what = decoded(word)
        if isinstance(what, Instruction):
            if what.row.id == "RET_C_C":
                return bool(what.Cn == 30)
            if what.row.group.startswith("branch") or what.row.id not in ROW_EMITTERS:
                return False
        elif isinstance(what, base.BranchRegister):
            return what.kind == "RET" and what.n == 30
        elif isinstance(what, _BRANCHES) or (what is not None and type(what) not in BASE_EMITTERS):
            return False
        if not at + 4 & PAGE_MASK:
            return False
    return False


def _instruction(block: BlockCode, word: int) -> bool:
    """Emit one instruction; False if it is the reference engine's."""
    context = block.context
    what = decoded(word)
    if isinstance(what, Instruction):
        row = what.row
        emitter = ROW_EMITTERS.get(row.id)
        if emitter is None:
            return False
        if row.group != ROW_GROUP_NEVER_TRAPPED and (block.plain or context.cap_trap is not None):
            return False
        return emitter(block, what)
    if what is not None:
        base_emitter = BASE_EMITTERS.get(type(what))
        return base_emitter is not None and base_emitter(block, what)
    operands = arithmetic_operands(word)
    if operands is None or not is_implemented(word):
        return False
    if operands.floating and context.fp_trap is not None:
        return False
    return arithmetic(block, word, operands)

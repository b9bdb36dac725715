"""Emitters of the base instruction set: arithmetic, loads and stores, direct branches.

Each takes the block and the decoded instruction and returns False, with nothing emitted, where the
instruction has no translation here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emulator.engine.context import CCTLR_PCCBO
from emulator.engine.operands import Operands
from emulator.engine.translate import encode as a64
from emulator.engine.translate.arithmetic import named_vectors, register_fields
from emulator.engine.translate.block import BlockCode
from emulator.engine.translate.emit_atomic import ATOMIC_EMITTERS
from emulator.engine.translate.emit_jump import branch_to_register
from emulator.engine.translate.layout import (
    EVICTED,
    HIGH,
    LOW,
    STATE,
    SWAP,
    TEMP,
    TEMP2,
    THREAD_POINTER,
    VALUE,
    set_meta,
    set_tag,
)
from emulator.engine.translate.stretch import LOAD, STORE
from emulator.semantics.jump import link_capability
from emulator.state.registers import FPCR_SLOT, VECTORS_OFFSET
from morello_isa import base

_SCRATCH = (VALUE, TEMP2, TEMP, HIGH)


# --- arithmetic ------------------------------------------------------------------------------------------


def arithmetic(block: BlockCode, word: int, operands: Operands) -> bool:
    """A word that computes on registers only."""
    if operands.floating:
        return _vector_arithmetic(block, word, operands)
    renamed = _rename(block, word, register_fields(word), operands)
    block.emit(renamed[0])
    step = _step(word)
    if step is None:
        _results(block, operands, renamed[1])
    else:
        d, n, amount = step
        block.written_value(d, renamed[1].get(d, d))
        block.moved_integer(d, n, amount)
    if operands.sp_write:
        block.stack_moved(_stack_step(word))
    return True


def _rename(
    block: BlockCode, word: int, fields: tuple[int, ...], operands: Operands
) -> tuple[int, dict[int, int]]:
    """The word with evicted registers replaced, those it reads loaded; and the replacements."""
    homes: dict[int, int] = {}
    for field in fields:
        n = word >> field & 31
        if n in EVICTED:
            if n not in homes:
                homes[n] = _SCRATCH[len(homes)]
                if n in operands.x_reads:
                    block.read(n, homes[n])
            word = word & ~(31 << field) | homes[n] << field
    return word, homes


def _results(block: BlockCode, operands: Operands, homes: dict[int, int]) -> None:
    for n in operands.x_writes:
        block.written(n, homes.get(n, n))


def _step(word: int) -> tuple[int, int, int] | None:
    """(d, n, amount) of a 64-bit ADD or SUB of a small constant without flags, neither register being SP."""
    if word & 0xBFC00000 != 0x91000000 or 31 in (word & 31, word >> 5 & 31):
        return None
    amount = word >> 10 & 0xFFF
    return word & 31, word >> 5 & 31, -amount if word >> 30 & 1 else amount


def _stack_step(word: int) -> int | None:
    """The constant that an ADD or SUB (immediate) moves SP by."""
    if word & 0x9F8003FF != 0x910003FF:
        return None
    amount = (word >> 10 & 0xFFF) << 12 * (word >> 22 & 1)
    return -amount if word >> 30 & 1 else amount


def _vector_arithmetic(block: BlockCode, word: int, operands: Operands) -> bool:
    # `x_reads` is generous: a word with an integer result has no integer source.
    fields = (0,) if operands.x_writes else (5,) if operands.x_reads else ()
    word, homes = _rename(block, word, fields, operands)
    lent = sorted(n for n in named_vectors(word) if n >= block.shared_vectors)
    if lent:
        # LOW and BAD are never homes of a renamed register.
        block.emit(*a64.mov_imm(LOW, STATE))
        for n in lent:
            block.emit(a64.str_q(n, LOW, SWAP + 16 * n), a64.ldr_q(n, LOW, VECTORS_OFFSET + 16 * n))
        block.swaps[len(block.words)] = tuple(lent)
        block.emit(word)
        for n in lent:
            if n in operands.v_writes:
                block.emit(a64.str_q(n, LOW, VECTORS_OFFSET + 16 * n))
            block.emit(a64.ldr_q(n, LOW, SWAP + 16 * n))
    else:
        block.emit(word)
    _results(block, operands, homes)
    return True


# --- loads and stores ------------------------------------------------------------------------------------


def _access(
    block: BlockCode, insn: base.LoadStore | base.LoadStorePair, size: int, one_page: bool
) -> int | None:  # fmt: skip
    """The address register of a load or store, None where it isn't translated.

    A store that isn't in one granule, because it isn't aligned, is rare: at first it is the reference
    engine's, and once that happened the instruction is translated to its general form.
    """
    permissions = LOAD if insn.is_load else STORE
    if not block.may_access(permissions):
        return None
    align = insn.size if block.aligned else 1
    if not (block.aligned or insn.is_load or block.is_general):
        pair = isinstance(insn, base.LoadStorePair)
        if pair and size == 16 and insn.offset % 16 == 0:
            align = 16
        elif not block.plain:
            align = min(insn.size, 8 if pair else 16)
    if insn.mode == "register":
        assert isinstance(insn, base.LoadStore)
        return block.indexed_address(
            insn.n, insn.m, insn.option, insn.shift, size, permissions, align=align, one_page=one_page
        )
    offset = 0 if insn.mode == "post" else insn.offset
    result = insn.offset if insn.mode in ("pre", "post") else 0
    return block.address(insn.n, offset, size, permissions, align=align, one_page=one_page, result=result)


def load_store(block: BlockCode, insn: base.LoadStore) -> bool:
    """LDR, STR and relatives."""
    if insn.mode == "unprivileged" or (insn.mode == "register" and not insn.option & 2):
        return False
    moves = insn.mode in ("pre", "post")
    if moves and not insn.vector and insn.t == insn.n:
        return False
    if insn.vector and block.context.fp_trap is not None:
        return False
    at = _access(block, insn, insn.size, insn.vector and insn.size == 16 and not insn.is_load)
    if at is None:
        return False
    if insn.vector:
        _vector_transfer(block, insn, at)
    else:
        opcode = 0x39000000 | insn.size.bit_length() - 1 << 30 | at << 5
        if insn.is_load:
            kind = (2 if insn.width == 64 else 3) if insn.signed else 1
            target = block.target(insn.t, LOW) if insn.t != 31 else 31
            block.emit(opcode | kind << 22 | target)
            if insn.t != 31:
                block.written(insn.t, target)
        else:
            source = block.read(insn.t, LOW) if insn.t != 31 else 31
            block.emit(opcode | source)
            block.clear_tags(at, insn.size)
    if moves:
        block.writeback(insn.n, insn.offset)
    return True


def _vector_transfer(block: BlockCode, insn: base.LoadStore, at: int) -> None:
    """One SIMD register: its own where the host's is the guest's, else through the state page."""
    log_size, t = insn.size.bit_length() - 1, insn.t
    # size and opc fields of LDR/STR (SIMD&FP, unsigned offset)
    opcode = 0x3D000000 | (log_size & 3) << 30 | (2 if log_size == 4 else 0) << 22 | at << 5
    if t < block.shared_vectors:
        block.emit(opcode | insn.is_load << 22 | t)
    elif insn.is_load:
        _load_vector(block, at, 0, insn.size, LOW, HIGH)
        _store_state(block, t, LOW, HIGH if insn.size == 16 else 31)
    else:
        block.emit(*a64.mov_imm(TEMP, STATE + VECTORS_OFFSET + 16 * t))
        block.emit(a64.ldp(LOW, HIGH, TEMP) if insn.size == 16 else a64.ldr(LOW, TEMP))
        _store_integer(block, at, 0, insn.size, LOW, HIGH)
    if not insn.is_load:
        block.clear_tags(at, insn.size)


def _load_vector(block: BlockCode, at: int, offset: int, size: int, low: int, high: int) -> None:
    if size == 16:
        block.emit(a64.ldp(low, high, at, offset))
    else:
        block.emit(0x39400000 | size.bit_length() - 1 << 30 | offset // size << 10 | at << 5 | low)


def _store_integer(block: BlockCode, at: int, offset: int, size: int, low: int, high: int) -> None:
    if size == 16:
        block.emit(a64.stp(low, high, at, offset))
    else:
        block.emit(0x39000000 | size.bit_length() - 1 << 30 | offset // size << 10 | at << 5 | low)


def _store_state(block: BlockCode, t: int, low: int, high: int) -> None:
    """Guest Vt := high:low, in the host or in the state page."""
    if t < block.shared_vectors:
        block.emit(a64.set_d(t, 0, low), a64.set_d(t, 1, high))
    else:
        block.emit(*a64.mov_imm(TEMP, STATE + VECTORS_OFFSET + 16 * t), a64.stp(low, high, TEMP))


def load_store_pair(block: BlockCode, insn: base.LoadStorePair) -> bool:
    """LDP, STP and relatives."""
    moves = insn.mode in ("pre", "post")
    if insn.is_load and insn.t == insn.t2:
        return False
    if insn.vector and block.context.fp_trap is not None:
        return False
    if moves and not insn.vector and insn.n in (insn.t, insn.t2) and insn.n != 31:
        return False
    size = insn.size
    at = _access(block, insn, 2 * size, not insn.is_load)
    if at is None:
        return False
    if insn.is_load:
        _load_pair(block, insn, at)
    else:
        _store_pair(block, insn, at)
        block.clear_tags(at, 2 * size)
    if moves:
        block.writeback(insn.n, insn.offset)
    return True


def _load_pair(block: BlockCode, insn: base.LoadStorePair, at: int) -> None:
    size = insn.size
    if insn.vector and max(insn.t, insn.t2) < block.shared_vectors:
        block.emit((0x2D400000 | (size.bit_length() - 3) << 30) | insn.t2 << 10 | at << 5 | insn.t)
        return
    if insn.vector:
        low2, high2 = TEMP2, VALUE
        if size == 16:
            block.emit(a64.ldp(LOW, HIGH, at), a64.ldp(low2, high2, at, 16))
        else:
            block.emit((0x29400000 if size == 4 else 0xA9400000) | low2 << 10 | at << 5 | LOW)
        wide = size == 16
        _store_state(block, insn.t, LOW, HIGH if wide else 31)
        _store_state(block, insn.t2, low2, high2 if wide else 31)
        return
    first = block.target(insn.t, LOW) if insn.t != 31 else 31
    second = block.target(insn.t2, HIGH) if insn.t2 != 31 else 31
    opcode = 0xA9400000 if size == 8 else 0x69400000 if insn.signed else 0x29400000
    block.emit(opcode | second << 10 | at << 5 | first)
    for t, home in ((insn.t, first), (insn.t2, second)):
        if t != 31:
            block.written(t, home)


def _store_pair(block: BlockCode, insn: base.LoadStorePair, at: int) -> None:
    size = insn.size
    if not insn.vector:
        first = block.read(insn.t, LOW) if insn.t != 31 else 31
        second = block.read(insn.t2, HIGH) if insn.t2 != 31 else 31
        block.emit((0xA9000000 if size == 8 else 0x29000000) | second << 10 | at << 5 | first)
        return
    if max(insn.t, insn.t2) < block.shared_vectors:
        block.emit((0x2D000000 | (size.bit_length() - 3) << 30) | insn.t2 << 10 | at << 5 | insn.t)
        return
    for i, t in enumerate((insn.t, insn.t2)):
        if t < block.shared_vectors:
            block.emit(a64.get_d(LOW, t, 0), a64.get_d(HIGH, t, 1))
        else:
            block.emit(*a64.mov_imm(TEMP, STATE + VECTORS_OFFSET + 16 * t), a64.ldp(LOW, HIGH, TEMP))
        _store_integer(block, at, i * size, size, LOW, HIGH)


def ordered(block: BlockCode, insn: base.Ordered) -> bool:
    """LDAR, STLR and relatives: memory is in order anyway, they demand alignment."""
    permissions = LOAD if insn.is_load else STORE
    if not block.may_access(permissions):
        return False
    at = block.address(insn.n, 0, insn.size, permissions, align=insn.size)
    assert at is not None
    opcode = 0x39000000 | insn.size.bit_length() - 1 << 30 | at << 5
    if insn.is_load:
        target = block.target(insn.t, LOW) if insn.t != 31 else 31
        block.emit(opcode | 1 << 22 | target)
        if insn.t != 31:
            block.written(insn.t, target)
    else:
        source = block.read(insn.t, LOW) if insn.t != 31 else 31
        block.emit(opcode | source)
        block.clear_tags(at, insn.size)
    return True


_TPIDR_EL0, _NZCV = (3, 3, 13, 0, 2), (3, 3, 4, 2, 0)
_FPCR, _FPSR = (3, 3, 4, 4, 0), (3, 3, 4, 4, 1)


def system_register_move(block: BlockCode, insn: base.SystemRegisterMove) -> bool:
    """MRS of what is at hand: TPIDR_EL0 (where a thread of EL0 finds its data) and FPCR in the
    state page, NZCV and FPSR in the host's own; and MSR NZCV."""
    key, context = insn.key, block.context
    if key == _NZCV and not insn.is_read:
        source = 31 if insn.t == 31 else block.read(insn.t, VALUE)
        block.emit(a64.MSR_NZCV | source)
        return True
    if not insn.is_read or (key in (_FPCR, _FPSR) and context.fp_trap is not None):
        return False
    if key == _TPIDR_EL0 and not context.el:
        words = [*a64.mov_imm(TEMP, STATE), a64.ldr(0, TEMP, THREAD_POINTER)]
    elif key == _FPCR:
        words = [*a64.mov_imm(TEMP, STATE), a64.ldr(0, TEMP, 8 * FPCR_SLOT)]
    elif key in (_NZCV, _FPSR):
        words = [a64.MRS_NZCV if key == _NZCV else a64.MRS_FPSR]
    else:
        return False
    if insn.t != 31:
        block.emit(*words[:-1], words[-1] | block.target(insn.t, VALUE))
        block.written(insn.t, VALUE)
    return True


def _no_effect(_block: BlockCode, _insn: Any) -> bool:
    return True


def _hint(_block: BlockCode, insn: base.Hint) -> bool:
    return insn.number not in (2, 3, 4, 5)


def _barrier(_block: BlockCode, insn: base.Barrier) -> bool:
    return insn.op2 != 2


# --- branches --------------------------------------------------------------------------------------------


def _reachable(block: BlockCode, target: int) -> bool:
    """A direct branch to `target` stays within PCC."""
    low, high = block.fetch_window
    return low <= target < high


def branch(block: BlockCode, insn: base.Branch) -> bool:
    """B, BL."""
    target = block.pc + insn.offset
    if not _reachable(block, target):
        return False
    if insn.link:
        link(block)
    block.branch_to(target, insn.link)
    return True


def link(block: BlockCode) -> None:
    """C30 := the link value, a constant."""
    context, site = block.context, block.site
    if context.c64:
        capability = link_capability(site)
        block.emit(*a64.mov_imm(30, capability.value), *a64.mov_imm(TEMP, capability.hi), set_meta(30, TEMP))
        block.emit(*a64.mov_imm(TEMP, int(capability.tag)), set_tag(30, TEMP))
        block.holds_capability(30)
    else:
        start = context.pcc_base if context.cctlr & CCTLR_PCCBO else 0
        block.emit(*a64.mov_imm(30, site.pc + 4 - start))
        block.kill(30)


def branch_conditional(block: BlockCode, insn: base.BranchConditional) -> bool:
    """B.cond."""
    if not _reachable(block, block.pc + insn.offset):
        return False
    if insn.cond >= 14:
        block.branch_to(block.pc + insn.offset)
        return True
    block.branch_if(0x54000000 | insn.cond, 0x54000000 | insn.cond ^ 1, block.pc + insn.offset)
    return True


def compare_branch(block: BlockCode, insn: base.CompareBranch) -> bool:
    """CBZ, CBNZ."""
    if not _reachable(block, block.pc + insn.offset):
        return False
    register = block.read(insn.t, VALUE)
    word = 0x34000000 | (insn.width == 64) << 31 | insn.nonzero << 24 | register
    block.branch_if(word, word ^ 1 << 24, block.pc + insn.offset)
    return True


def test_branch(block: BlockCode, insn: base.TestBranch) -> bool:
    """TBZ, TBNZ."""
    if not _reachable(block, block.pc + insn.offset):
        return False
    register = block.read(insn.t, VALUE)
    word = 0x36000000 | insn.bit >> 5 << 31 | insn.nonzero << 24 | (insn.bit & 31) << 19 | register
    block.branch_if(word, word ^ 1 << 24, block.pc + insn.offset)
    return True


def branch_register(block: BlockCode, insn: base.BranchRegister) -> bool:
    """BR, BLR, RET Xn in A64: the target lies within PCC."""
    if block.context.c64 or block.context.cctlr & CCTLR_PCCBO:
        return False
    if insn.kind == "RET" and insn.n == 30 and block.return_inside():
        return True
    if insn.kind == "BLR" and insn.n == 30:
        return False
    branch_to_register(block, insn.n, insn.kind == "BLR", link, capability=False, jump=insn.kind == "BR")
    return True


BASE_EMITTERS: dict[type, Callable[[BlockCode, Any], bool]] = {
    base.LoadStore: load_store,
    base.LoadStorePair: load_store_pair,
    base.Ordered: ordered,
    base.Prefetch: _no_effect,
    base.SystemRegisterMove: system_register_move,
    base.Hint: _hint,
    base.Barrier: _barrier,
    base.Branch: branch,
    base.BranchConditional: branch_conditional,
    base.CompareBranch: compare_branch,
    base.TestBranch: test_branch,
    base.BranchRegister: branch_register,
    **ATOMIC_EMITTERS,
}

"""Emitters of exclusives, atomics and SIMD structures of the base instruction set.

With one PE an atomic is a load and a store. What has no short form (a failing compare, an exclusive store
without its load) makes the address of the store one that is refused: the reference engine does it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emulator.engine.translate import encode as a64
from emulator.engine.translate.block import BlockCode
from emulator.engine.translate.layout import (
    EXCLUSIVE_ADDRESS,
    EXCLUSIVE_SIZE,
    HIGH,
    LOW,
    META,
    NO_RESERVATION,
    STATE,
    TEMP,
    TEMP2,
)
from emulator.engine.translate.stretch import LOAD, STORE
from emulator.semantics.access import RESERVATION_SHIFT
from morello_isa import base

_LARGEST_STORE = 32
"""Bytes whose tags `clear_tags` can clear."""
_OPERATIONS: dict[str, Callable[[int, int, int], int]] = {
    "ADD": a64.add, "CLR": a64.bic, "EOR": a64.eor, "SET": a64.orr, "SWP": lambda d, _old, s: a64.mov(d, s),
}  # fmt: skip


def _transfer(t: int, at: int, size: int, is_load: bool) -> int:
    return 0x39000000 | size.bit_length() - 1 << 30 | is_load << 22 | at << 5 | t


def _source(block: BlockCode, n: int, scratch: int) -> int:
    return 31 if n == 31 else block.read(n, scratch)


def _deliver(block: BlockCode, t: int, value: int) -> None:
    """Xt := host register `value`."""
    if t != 31:
        target = block.target(t, value)
        if target != value:
            block.emit(a64.mov(target, value))
        block.written(t, value)


def _refuse_if_not_zero(block: BlockCode, at: int, register: int, scratch: int) -> int:
    """The address `at` again, refused if a host register is not zero."""
    block.emit(a64.sub(scratch, a64.XZR, register), a64.orr(scratch, scratch, register))
    block.emit(a64.orr_asr(META, at, scratch, 63))
    return META


def atomic(block: BlockCode, insn: base.Atomic) -> bool:
    """LD<op>, ST<op>, SWP; minimum and maximum are the reference engine's."""
    operation = _OPERATIONS.get(insn.operation)
    if operation is None or not block.may_access(LOAD | STORE):
        return False
    at = block.address(insn.n, 0, insn.size, LOAD | STORE, align=insn.size)
    assert at is not None
    block.emit(_transfer(LOW, at, insn.size, True))
    block.emit(operation(HIGH, LOW, _source(block, insn.s, HIGH)), _transfer(HIGH, at, insn.size, False))
    block.clear_tags(at, insn.size)
    _deliver(block, insn.t, LOW)
    return True


def compare_and_swap(block: BlockCode, insn: base.CompareAndSwap) -> bool:
    """CAS; a failing one, and CASP, are the reference engine's."""
    if insn.pair or not block.may_access(LOAD | STORE):
        return False
    at = block.address(insn.n, 0, insn.size, LOAD | STORE, align=insn.size)
    assert at is not None
    block.emit(_transfer(LOW, at, insn.size, True), a64.eor(TEMP, LOW, _source(block, insn.s, TEMP)))
    if insn.size < 8:
        block.emit(a64.ubfx(TEMP, TEMP, 0, 8 * insn.size))
    at = _refuse_if_not_zero(block, at, TEMP, TEMP2)
    block.emit(_transfer(_source(block, insn.t, HIGH), at, insn.size, False))
    block.clear_tags(at, insn.size)
    _deliver(block, insn.s, LOW)
    return True


def exclusive(block: BlockCode, insn: base.Exclusive) -> bool:
    """LDXR, STXR and their acquire and release forms of one register."""
    permissions = LOAD if insn.is_load else STORE
    if insn.pair or not block.may_access(permissions):
        return False
    if not insn.is_load and insn.s != 31 and insn.s in (insn.n, insn.t):
        return False
    at = block.address(insn.n, 0, insn.size, permissions, align=insn.size)
    assert at is not None
    if insn.is_load:
        block.emit(_transfer(LOW, at, insn.size, True), *a64.mov_imm(TEMP, STATE))
        block.emit(a64.str_(block.base_value(insn.n, TEMP2), TEMP, EXCLUSIVE_ADDRESS))
        block.emit(*a64.mov_imm(TEMP2, insn.size), a64.str_(TEMP2, TEMP, EXCLUSIVE_SIZE))
        _deliver(block, insn.t, LOW)
        return True
    base_value = block.base_value(insn.n, TEMP2)
    block.emit(*a64.mov_imm(TEMP, STATE), a64.ldr(LOW, TEMP, EXCLUSIVE_ADDRESS))
    block.emit(a64.eor(LOW, LOW, base_value), a64.lsr_imm(LOW, LOW, RESERVATION_SHIFT))
    at = _refuse_if_not_zero(block, at, LOW, HIGH)
    block.emit(_transfer(_source(block, insn.t, HIGH), at, insn.size, False))
    block.clear_tags(at, insn.size)
    block.emit(*a64.mov_imm(TEMP, STATE), *a64.mov_imm(TEMP2, NO_RESERVATION))
    block.emit(a64.str_(TEMP2, TEMP, EXCLUSIVE_ADDRESS), a64.mov(LOW, a64.XZR))
    _deliver(block, insn.s, LOW)
    return True


def simd_multiple(block: BlockCode, insn: base.SimdMultiple) -> bool:
    """LD1 to LD4 and ST1 to ST4 of whole registers, where the host's are the guest's."""
    count = insn.repeat * insn.structure
    if (
        block.context.fp_trap is not None
        or insn.t + count > block.shared_vectors
        or insn.post not in (None, 31)
    ):
        return False
    permissions = LOAD if insn.is_load else STORE
    size = insn.total_size
    if not block.may_access(permissions):
        return False
    if not insn.is_load and not block.plain and size > _LARGEST_STORE:
        return False
    result = size if insn.post == 31 else 0
    align = insn.element_size if block.aligned else 1
    at = block.address(insn.n, 0, size, permissions, align=align, one_page=True, result=result)
    if at is None:
        return False
    # The form without writeback: bit 23 and Rm are zero.
    block.emit(insn.word & ~(1 << 23 | 31 << 16 | 31 << 5) | at << 5)
    if not insn.is_load:
        block.clear_tags(at, size)
    if result:
        block.writeback(insn.n, result)
    return True


ATOMIC_EMITTERS: dict[type, Callable[[BlockCode, Any], bool]] = {
    base.Atomic: atomic,
    base.CompareAndSwap: compare_and_swap,
    base.Exclusive: exclusive,
    base.SimdMultiple: simd_multiple,
}

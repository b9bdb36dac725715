"""Emitters of Morello rows: capability loads and stores, arithmetic, copies, branches."""

from __future__ import annotations

from collections.abc import Callable

from emulator.engine.translate import encode as a64
from emulator.engine.translate.block import BlockCode
from emulator.engine.translate.checks import SEALED_FIELD, add_verdict
from emulator.engine.translate.emit_base import link
from emulator.engine.translate.emit_jump import branch_to_register
from emulator.engine.translate.layout import (
    BAD,
    CSP,
    EVICTED,
    HIGH,
    LOW,
    META,
    STATE,
    TEMP,
    TEMP2,
    THREAD_POINTER,
    VALUE,
    get_meta,
    get_tag,
    get_value,
    set_meta,
    set_tag,
    set_value,
)
from emulator.engine.translate.stretch import LOAD_CAPABILITY, STORE_CAPABILITY
from emulator.semantics.table import ROW_SEMANTICS
from morello_isa.capability import MASK64, Capability
from morello_isa.decode import Instruction

Emitter = Callable[[BlockCode, Instruction], bool]


# --- loads and stores ------------------------------------------------------------------------------------


def _address(
    block: BlockCode, insn: Instruction, size: int, permissions: int, one_page: bool = False
) -> int | None:  # fmt: skip
    operand = insn.row.memory
    if not block.may_access(permissions):
        return None
    if operand is not None and operand.mode == "register":
        option = insn.sign << 2 | 2 | insn.sz
        shift = operand.shift if insn.S else 0
        return block.indexed_address(
            insn.Rn, insn.Rm, option, shift, size, permissions, align=16, one_page=one_page
        )
    mode = operand.mode if operand is not None else "offset"
    result = insn.imm if mode in ("pre", "post") else 0
    offset = 0 if mode == "post" else insn.imm
    return block.address(insn.Rn, offset, size, permissions, align=16, one_page=one_page, result=result)


def _writes_back(insn: Instruction) -> bool:
    operand = insn.row.memory
    return operand is not None and operand.mode in ("pre", "post")


def _deliver(block: BlockCode, t: int, value: int, meta: int, tag: int) -> None:
    """Ct := what was loaded into three host registers."""
    if t == 31:
        return
    block.emit(set_value(t, value) if t in EVICTED else a64.mov(t, value))
    block.emit(set_meta(t, meta), set_tag(t, tag))
    block.holds_capability(t)


def load(block: BlockCode, insn: Instruction) -> bool:
    """LDR Ct and relatives."""
    if _writes_back(insn) and insn.Ct == insn.Rn:
        return False
    at = _address(block, insn, 16, LOAD_CAPABILITY)
    if at is None:
        return False
    block.shadow(at, TEMP)
    block.emit(a64.ldp(LOW, HIGH, at), a64.ldrb(TEMP, TEMP))
    _deliver(block, insn.Ct, LOW, HIGH, TEMP)
    if _writes_back(insn):
        block.writeback(insn.Rn, insn.imm)
    return True


def load_pair(block: BlockCode, insn: Instruction) -> bool:
    """LDP Ct, Ct2 and relatives."""
    if insn.Ct == insn.Ct2 or (_writes_back(insn) and insn.Rn in (insn.Ct, insn.Ct2) and insn.Rn != 31):
        return False
    at = _address(block, insn, 32, LOAD_CAPABILITY)
    if at is None:
        return False
    block.shadow(at, TEMP)
    block.emit(a64.ldp(LOW, HIGH, at), a64.ldp(VALUE, BAD, at, 16))
    block.emit(a64.ldrh(TEMP, TEMP), a64.lsr_imm(TEMP2, TEMP, 8))
    _deliver(block, insn.Ct, LOW, HIGH, TEMP)
    _deliver(block, insn.Ct2, VALUE, BAD, TEMP2)
    if _writes_back(insn):
        block.writeback(insn.Rn, insn.imm)
    return True


def _store_half(block: BlockCode, t: int, at: int, offset: int) -> None:
    """Data of Ct to `at` + offset. Changes LOW, HIGH."""
    if t == 31:
        block.emit(a64.stp(31, 31, at, offset))
        return
    value = block.read(t, LOW)
    if block.is_integer(t):
        block.emit(a64.stp(value, 31, at, offset))
        return
    block.emit(get_meta(HIGH, t), a64.stp(value, HIGH, at, offset))


def _tag_of(block: BlockCode, t: int, register: int) -> int:
    """The host register with the tag of Ct: XZR, or `register`."""
    if t == 31 or block.is_integer(t):
        return 31
    block.emit(get_tag(register, t))
    return register


def store(block: BlockCode, insn: Instruction) -> bool:
    """STR Ct and relatives."""
    at = _address(block, insn, 16, STORE_CAPABILITY)
    if at is None:
        return False
    block.shadow(at, TEMP)
    tag = _tag_of(block, insn.Ct, TEMP2)
    _store_half(block, insn.Ct, at, 0)
    block.emit(a64.strb(tag, TEMP))
    if _writes_back(insn):
        block.writeback(insn.Rn, insn.imm)
    return True


def store_pair(block: BlockCode, insn: Instruction) -> bool:
    """STP Ct, Ct2 and relatives."""
    at = _address(block, insn, 32, STORE_CAPABILITY, one_page=True)
    if at is None:
        return False
    block.shadow(at, TEMP)
    first, second = _tag_of(block, insn.Ct, TEMP2), _tag_of(block, insn.Ct2, BAD)
    if second != 31:
        block.emit(a64.orr(TEMP2, first, second, 8))
        first = TEMP2
    _store_half(block, insn.Ct, at, 0)
    _store_half(block, insn.Ct2, at, 16)
    block.emit(a64.strh(first, TEMP))
    if _writes_back(insn):
        block.writeback(insn.Rn, insn.imm)
    return True


# --- values ----------------------------------------------------------------------------------------------


def _add(block: BlockCode, d: int, n: int, increment: int | None, register: int) -> None:
    """Cd|CSP := CapAdd(Cn|CSP, increment), the increment being a constant or in a host register."""
    constant = block.constant(n)
    if constant is not None and increment is not None and d != CSP:
        result = constant.add(increment & MASK64)
        _constant(block, d, result.with_tag(False) if constant.is_sealed else result)
        return
    integer = n != CSP and block.is_integer(n)
    if increment is not None and abs(increment) < 4096 and not integer:
        if block.prefers_window(n):
            block.ensure_range(n, min(increment, 0), max(increment, 0))
        if block.move_known(d, n, increment):
            _add_value(block, d, n, increment)
            return
    if increment is not None:
        block.emit(*a64.mov_imm(VALUE, increment))
    source = block.base_value(n, BAD)
    if integer:
        block.kill(d)
        _sum(block, d, source, register)
        return
    block.emit(get_meta(META, n), *add_verdict(source, register))
    block.emit(get_tag(TEMP, n), a64.bic_asr(TEMP, TEMP, LOW, 63), set_tag(d, TEMP))
    if d != n:
        block.emit(set_meta(d, META))
    _sum(block, d, source, register)
    block.moved_exactly(d, n)
    if d == CSP:
        block.refresh_stack_window()


def _sum(block: BlockCode, d: int, source: int, register: int) -> None:
    if d == CSP:
        block.emit(a64.add(TEMP, source, register), a64.mov_to_sp(TEMP))
    else:
        target = block.target(d, TEMP)
        block.emit(a64.add(target, source, register))
        block.written_value(d, TEMP)


def _add_value(block: BlockCode, d: int, n: int, increment: int) -> None:
    source = block.read(n, VALUE) if n != CSP else CSP
    target = block.target(d, VALUE) if d != CSP else CSP
    block.emit(a64.add_imm(target, source, increment))
    if d != CSP:
        block.written_value(d, VALUE)
    elif n != CSP:
        block.refresh_stack_window()


def add_immediate(block: BlockCode, insn: Instruction) -> bool:
    """ADD Cd, Cn, #imm."""
    _add(block, insn.Cd, insn.Cn, insn.imm, VALUE)
    return True


def sub_immediate(block: BlockCode, insn: Instruction) -> bool:
    """SUB Cd, Cn, #imm."""
    _add(block, insn.Cd, insn.Cn, -insn.imm, VALUE)
    return True


def add_register(block: BlockCode, insn: Instruction) -> bool:
    """ADD Cd, Cn, Rm, extend."""
    if insn.imm3 > 4:
        return False
    index = block.read(insn.Rm, VALUE)
    # The extension as an addition to zero: XZR is not a first operand of the extended form, so shift by hand.
    block.emit(*_extended(VALUE, index, insn.option_name, insn.imm3))
    _add(block, insn.Cd, insn.Cn, None, VALUE)
    return True


def _extended(d: int, m: int, option: int, shift: int) -> list[int]:
    width = 8 << (option & 3)
    if width == 64:
        return [a64.lsl_imm(d, m, shift)] if shift else [a64.orr(d, a64.XZR, m)]
    low = a64.sbfx(d, m, 0, width) if option & 4 else a64.ubfx(d, m, 0, width)
    return [low, a64.lsl_imm(d, d, shift)] if shift else [low]


def copy(block: BlockCode, insn: Instruction) -> bool:
    """CPY: MOV Cd|CSP, Cn|CSP."""
    d, n = insn.Cd, insn.Cn
    if d == n:
        return True
    source = CSP if n == CSP else block.read(n, VALUE)
    if CSP in (d, n):
        block.emit(a64.add_imm(CSP if d == CSP else block.target(d, VALUE), source, 0))
    else:
        target = block.target(d, VALUE)
        if target != source:
            block.emit(a64.mov(target, source))
    if d != CSP:
        block.written_value(d, VALUE)
    block.copy_capability(d, n)
    if d == CSP:
        block.refresh_stack_window()
    return True


def clear_tag(block: BlockCode, insn: Instruction) -> bool:
    """CLRTAG Cd, Cn (not CSP)."""
    if CSP in (insn.Cd, insn.Cn):
        return False
    copy(block, insn)
    block.emit(set_tag(insn.Cd, a64.XZR))
    known = block.is_integer(insn.Cd)
    block.holds_capability(insn.Cd)
    if known:
        block.kill(insn.Cd)
    return True


def set_bounds_immediate(block: BlockCode, insn: Instruction) -> bool:
    """SCBNDS Cd, Cn, #imm (always below 2^14)."""
    d, n = insn.Cd, insn.Cn
    if d == CSP:
        return False
    block.ensure_range(n, 0, insn.imm)
    source = block.base_value(n, VALUE)
    block.emit(get_meta(META, n), a64.add_imm(TEMP, source, insn.imm))
    _small_bounds(block, d, n, source)
    return True


def set_bounds_register(block: BlockCode, insn: Instruction) -> bool:
    """SCBNDS and SCBNDSE Cd, Cn, Xm for lengths below 2^14; longer ones are the reference engine's."""
    d, n, m = insn.Cd, insn.Cn, insn.Rm
    if d == CSP or m == 31:
        return False
    source, poisoned = block.window(n)
    length = block.read(m, META)
    block.emit(a64.sub(TEMP, source, LOW), a64.orr(BAD, BAD if poisoned else a64.XZR, TEMP))
    block.emit(a64.sub(TEMP, HIGH, source), a64.sub(TEMP, TEMP, length), a64.orr(BAD, BAD, TEMP))
    block.emit(a64.lsr_imm(TEMP2, length, 14), a64.sub(TEMP2, a64.XZR, TEMP2), a64.orr(BAD, BAD, TEMP2))
    block.single_if_bad()
    block.emit(a64.add(TEMP, source, length), get_meta(META, n))
    _small_bounds(block, d, n, source)
    return True


def _set_value(block: BlockCode, insn: Instruction, compute: Callable[[int], list[int]]) -> bool:
    """Cd := Cn with the value that the words of `compute` (from the host register with the old one) put into
    META, where old and new lie in Cn's window; the rest is the reference engine's."""
    d, n = insn.Cd, insn.Cn
    if CSP in (d, n):
        return False
    if block.is_integer(n):
        block.emit(*compute(block.read(n, VALUE)))
        block.kill(d)
    else:
        value, poisoned = block.window(n)
        block.emit(*compute(value))
        for at in (value, META):
            block.emit(a64.sub(TEMP, at, LOW), a64.orr(BAD, BAD if poisoned else a64.XZR, TEMP))
            block.emit(a64.sub(TEMP, HIGH, at), a64.orr(BAD, BAD, TEMP))
            poisoned = True
        block.single_if_bad()
        block.copy_capability(d, n)
        block.moved_exactly(d, d)
    block.emit(set_value(d, META) if d in EVICTED else a64.mov(d, META))
    return True


def set_value_register(block: BlockCode, insn: Instruction) -> bool:
    """SCVALUE Cd, Cn, Xm."""
    return _set_value(block, insn, lambda _: _value_in(META, insn.Rm))


def _value_in(d: int, n: int) -> list[int]:
    return [get_value(d, n)] if n in EVICTED else [a64.mov(d, n)]


def align_down(block: BlockCode, insn: Instruction) -> bool:
    """ALIGND."""
    low = (1 << insn.imm6) - 1
    if not low:
        return False
    return _set_value(block, insn, lambda value: [a64.and_imm(META, value, ~low)])


def align_up(block: BlockCode, insn: Instruction) -> bool:
    """ALIGNU."""
    low = (1 << insn.imm6) - 1
    if not low:
        return False
    words = [*a64.mov_imm(META, low)]
    return _set_value(
        block, insn, lambda value: [*words, a64.add(META, META, value), a64.and_imm(META, META, ~low)]
    )


def _clear_permissions(block: BlockCode, d: int, n: int) -> bool:
    """Cd := Cn without the permissions in bits 63:46 of TEMP2; sealed sources lose their tag."""
    block.emit(get_meta(META, n), a64.and_imm(TEMP, META, SEALED_FIELD), a64.sub(TEMP, a64.XZR, TEMP))
    block.emit(get_tag(LOW, n), a64.bic_asr(LOW, LOW, TEMP, 63), a64.bic(META, META, TEMP2))
    if d != n:
        source, target = block.read(n, VALUE), block.target(d, VALUE)
        if source != target:
            block.emit(a64.mov(target, source))
        block.written_value(d, VALUE)
    block.emit(set_meta(d, META), set_tag(d, LOW))
    block.holds_capability(d)
    return True


def clear_permissions_register(block: BlockCode, insn: Instruction) -> bool:
    """CLRPERM Cd, Cn, Xm."""
    if CSP in (insn.Cd, insn.Cn):
        return False
    mask = 31 if insn.Rm == 31 else block.read(insn.Rm, TEMP2)
    block.emit(a64.lsl_imm(TEMP2, mask, 46))
    return _clear_permissions(block, insn.Cd, insn.Cn)


def clear_permissions_immediate(block: BlockCode, insn: Instruction) -> bool:
    """CLRPERM Cd, Cn, letters: Load, Store, Execute."""
    if CSP in (insn.Cd, insn.Cn):
        return False
    block.emit(*a64.mov_imm(TEMP2, insn.perm << 61))
    return _clear_permissions(block, insn.Cd, insn.Cn)


def get_sealed(block: BlockCode, insn: Instruction) -> bool:
    """GCSEAL."""
    if insn.Rd != 31:
        target = block.target(insn.Rd, VALUE)
        block.emit(get_meta(TEMP, insn.Cn), a64.ubfx(TEMP, TEMP, 31, 15), a64.sub(TEMP, a64.XZR, TEMP))
        block.emit(a64.lsr_imm(target, TEMP, 63))
        block.written(insn.Rd, VALUE)
    return True


def _small_bounds(block: BlockCode, d: int, n: int, source: int) -> None:
    """Cd := Cn with bounds [source, TEMP), META being Cn's metadata; Cn is tagged."""
    block.emit(a64.lsr_imm(TEMP2, META, 31), a64.lsl_imm(TEMP2, TEMP2, 31))
    block.emit(a64.orr_imm(TEMP2, TEMP2, 1 << 30), a64.bfi(TEMP2, TEMP, 16, 14))
    block.emit(a64.bfxil(TEMP2, source, 0, 16), set_meta(d, TEMP2))
    if d != n:
        block.emit(*a64.mov_imm(TEMP, 1), set_tag(d, TEMP))
        target = block.target(d, source)
        if target != source:
            block.emit(a64.mov(target, source))
        block.written_value(d, source)
    block.holds_capability(d)


# --- fields and comparisons ------------------------------------------------------------------------------


def get_field(low: int, width: int) -> Emitter:
    """Xd := a bit field of the metadata."""

    def emit(block: BlockCode, insn: Instruction) -> bool:
        if insn.Rd == 31:
            return True
        target = block.target(insn.Rd, VALUE)
        block.emit(get_meta(target, insn.Cn), a64.ubfx(target, target, low, width))
        block.written(insn.Rd, VALUE)
        return True

    return emit


def get_tag_bit(block: BlockCode, insn: Instruction) -> bool:
    """GCTAG."""
    if insn.Rd != 31:
        block.emit(get_tag(block.target(insn.Rd, VALUE), insn.Cn))
        block.written(insn.Rd, VALUE)
    return True


def get_value_field(block: BlockCode, insn: Instruction) -> bool:
    """GCVALUE (not of CSP)."""
    if insn.Cn == CSP or insn.Rd == 31:
        return False
    source, target = block.read(insn.Cn, VALUE), block.target(insn.Rd, VALUE)
    if source != target:
        block.emit(a64.mov(target, source))
    block.written(insn.Rd, VALUE)
    return True


def _bounds_result(block: BlockCode, insn: Instruction, register: int) -> bool:
    target = block.target(insn.Rd, VALUE)
    block.emit(a64.mov(target, register))
    block.written(insn.Rd, VALUE)
    return True


def get_base(block: BlockCode, insn: Instruction) -> bool:
    """GCBASE of a tagged, unsealed capability with a plain window; others are the reference engine's."""
    if insn.Rd == 31 or insn.Cn == CSP:
        return False
    if block.window(insn.Cn)[1]:
        block.single_if_bad()
    return _bounds_result(block, insn, LOW)


def get_limit(block: BlockCode, insn: Instruction) -> bool:
    """GCLIM, likewise."""
    if insn.Rd == 31 or insn.Cn == CSP:
        return False
    if block.window(insn.Cn)[1]:
        block.single_if_bad()
    return _bounds_result(block, insn, HIGH)


def get_length(block: BlockCode, insn: Instruction) -> bool:
    """GCLEN, likewise."""
    if insn.Rd == 31 or insn.Cn == CSP:
        return False
    if block.window(insn.Cn)[1]:
        block.single_if_bad()
    block.emit(a64.sub(TEMP, HIGH, LOW))
    return _bounds_result(block, insn, TEMP)


def get_offset(block: BlockCode, insn: Instruction) -> bool:
    """GCOFF, likewise."""
    if insn.Rd == 31 or insn.Cn == CSP:
        return False
    value, poisoned = block.window(insn.Cn)
    if poisoned:
        block.single_if_bad()
    block.emit(a64.sub(TEMP, value, LOW))
    return _bounds_result(block, insn, TEMP)


def compare(block: BlockCode, insn: Instruction) -> bool:
    """SUBS Xd, Cn, Cm where the tags are equal."""
    n, m, d = insn.Cn, insn.Cm, insn.Rd
    tags = [r for r in (n, m) if r != 31 and not block.is_integer(r)]
    if tags and n != m:
        block.emit(get_tag(BAD, tags[0]))
        if len(tags) == 2:
            block.emit(get_tag(TEMP2, tags[1]), a64.eor(BAD, BAD, TEMP2))
        block.emit(a64.sub(BAD, a64.XZR, BAD))
        block.single_if_bad()
    first = block.read(n, TEMP) if n != 31 else 31
    second = block.read(m, TEMP2) if m != 31 else 31
    block.emit(a64.subs(block.target(d, VALUE) if d != 31 else 31, first, second))
    if d != 31:
        block.written(d, VALUE)
    return True


def check_tag(block: BlockCode, insn: Instruction) -> bool:
    """CHKTGD: C if tagged."""
    block.emit(get_tag(TEMP, insn.Cn), a64.lsl_imm(TEMP, TEMP, 29), a64.MSR_NZCV | TEMP)
    return True


def select(block: BlockCode, insn: Instruction) -> bool:
    """CSEL Cd, Cn, Cm, cond."""
    d, n, m, cond = insn.Cd, insn.Cn, insn.Cm, insn.cond
    if 31 in (d, n, m):
        return False
    block.emit(get_meta(TEMP, n), get_meta(TEMP2, m), a64.csel(TEMP, TEMP, TEMP2, cond))
    block.emit(get_tag(LOW, n), get_tag(TEMP2, m), a64.csel(LOW, LOW, TEMP2, cond))
    first, second = block.read(n, VALUE), block.read(m, TEMP2)
    block.emit(a64.csel(block.target(d, VALUE), first, second, cond))
    block.written_value(d, VALUE)
    block.emit(set_meta(d, TEMP), set_tag(d, LOW))
    block.holds_capability(d)
    return True


def pc_relative(block: BlockCode, insn: Instruction) -> bool:
    """ADR and ADRP: constants of the place, evaluated by the reference semantics."""
    # ADRP of C64 with P=0 starts from a register; in A64 the two rows are one instruction.
    if block.context.c64 and insn.row.id in ("ADRP_C_I_C", "ADRDP_C_ID_C"):
        return False
    d = insn.Rd
    if d == 31:
        return True
    pe = block.site.pe
    saved = pe.c[d], pe.x[d]
    ROW_SEMANTICS[insn.row.id](block.site, insn)()
    capability = pe.read_c(d)
    is_integer = pe.c[d] is None
    pe.c[d], pe.x[d] = saved
    if is_integer:
        block.emit(*a64.mov_imm(block.target(d, VALUE), capability.value))
        block.written(d, VALUE)
        return True
    _constant(block, d, capability)
    return True


def _constant(block: BlockCode, d: int, capability: Capability) -> None:
    """Cd := a capability known when translating."""
    block.emit(*a64.mov_imm(block.target(d, VALUE), capability.value))
    block.written_value(d, VALUE)
    block.emit(*a64.mov_imm(TEMP, capability.hi), set_meta(d, TEMP))
    block.emit(*a64.mov_imm(TEMP, int(capability.tag)), set_tag(d, TEMP))
    block.holds_constant(d, capability)


_CTPIDR_EL0 = (3, 3, 13, 0, 2)


def read_thread_pointer(block: BlockCode, insn: Instruction) -> bool:
    """MRS Ct, CTPIDR_EL0; see `emit_base.system_register_move`."""
    key = (2 + insn.o0, insn.op1, insn.CRn, insn.CRm, insn.op2)
    if block.context.el or key != _CTPIDR_EL0:
        return False
    block.emit(*a64.mov_imm(TEMP, STATE), a64.ldr(LOW, TEMP, THREAD_POINTER))
    block.emit(a64.ldr(HIGH, TEMP, THREAD_POINTER + 8), a64.ldr(TEMP, TEMP, THREAD_POINTER + 16))
    _deliver(block, insn.Ct, LOW, HIGH, TEMP)
    return True


# --- branches --------------------------------------------------------------------------------------------


def _branch(block: BlockCode, insn: Instruction) -> bool:
    if insn.Cn == 31:
        return False
    if insn.row.id == "RET_C_C" and insn.Cn == 30 and block.context.c64 and block.return_inside():
        return True
    branch_to_register(block, insn.Cn, False, link, capability=True, jump=insn.row.id == "BR_C_C")
    return True


def _branch_link(block: BlockCode, insn: Instruction) -> bool:
    if insn.Cn in (30, 31) or not block.context.c64:
        return False
    branch_to_register(block, insn.Cn, True, link, capability=True, jump=False)
    return True


ROW_EMITTERS: dict[str, Emitter] = {
    **dict.fromkeys(
        ("LDR_C_RIAW_C", "LDR_C_RUIB_C", "LDR_C_RIBW_C", "LDR_C_RRB_C", "LDUR_C_RI_C", "LDAR_C_R_C"), load
    ),
    **dict.fromkeys(
        ("STR_C_RIAW_C", "STR_C_RUIB_C", "STR_C_RIBW_C", "STR_C_RRB_C", "STUR_C_RI_C", "STLR_C_R_C"), store
    ),
    **dict.fromkeys(("LDNP_C_RIB_C", "LDP_C_RIB_C", "LDP_C_RIBW_C", "LDP_CC_RIAW_C"), load_pair),
    **dict.fromkeys(("STNP_C_RIB_C", "STP_C_RIB_C", "STP_C_RIBW_C", "STP_CC_RIAW_C"), store_pair),
    "ADD_C_CIS_C": add_immediate,
    "SUB_C_CIS_C": sub_immediate,
    "ADD_C_CRI_C": add_register,
    "CPY_C_C_C": copy,
    "CLRTAG_C_C_C": clear_tag,
    "SCBNDS_C_CI_C": set_bounds_immediate,
    "SCBNDS_C_CI_S": set_bounds_immediate,
    "SCBNDS_C_CR_C": set_bounds_register,
    "SCBNDSE_C_CR_C": set_bounds_register,
    "SCVALUE_C_CR_C": set_value_register,
    "ALIGND_C_CI_C": align_down,
    "ALIGNU_C_CI_C": align_up,
    "CLRPERM_C_CR_C": clear_permissions_register,
    "CLRPERM_C_CI_C": clear_permissions_immediate,
    "GCSEAL_R_C_C": get_sealed,
    "GCPERM_R_C_C": get_field(46, 18),
    "GCTYPE_R_C_C": get_field(31, 15),
    "CFHI_R_C_C": get_field(0, 64),
    "GCTAG_R_C_C": get_tag_bit,
    "GCVALUE_R_C_C": get_value_field,
    "GCBASE_R_C_C": get_base,
    "GCLIM_R_C_C": get_limit,
    "GCLEN_R_C_C": get_length,
    "GCOFF_R_C_C": get_offset,
    "MRS_C_I_C": read_thread_pointer,
    "SUBS_R_CC_C": compare,
    "CHKTGD_C_C": check_tag,
    "CSEL_C_CI_C": select,
    "ADR_C_I_C": pc_relative,
    "ADRP_C_I_C": pc_relative,
    "ADRP_C_IP_C": pc_relative,
    "ADRDP_C_ID_C": pc_relative,
    "BR_C_C": _branch,
    "RET_C_C": _branch,
    "BLR_C_C": _branch_link,
}

"""Loads and stores of the base instruction set under Morello's rules."""

from __future__ import annotations

from collections.abc import Callable

from emulator.memory.interface import Access
from emulator.semantics.access import (
    LOAD,
    STORE,
    alignment_fault,
    authorise,
    base_register,
    monitor_passes,
)
from emulator.semantics.capability_memory import pcc_base, unprivileged_kind
from emulator.semantics.site import Action, Site
from emulator.semantics.transfers import (
    NORMAL,
    Address,
    Kind,
    load,
    load_pair,
    load_x,
    load_x_pair,
    sign_extension,
    store,
    store_pair,
    store_x,
    store_x_pair,
)
from morello_isa import base
from morello_isa.capability import MASK64

_MODES = {"offset": "offset", "unscaled": "offset", "unprivileged": "offset", "nontemporal": "offset"}


def _source(site: Site, t: int, size: int) -> Callable[[], int]:
    x, mask = site.x, (1 << 8 * size) - 1
    return lambda: x[t] & mask


def _vector_source(site: Site, t: int, size: int) -> Callable[[], int]:
    read_v, mask = site.pe.file.read_v, (1 << 8 * size) - 1
    return lambda: read_v(t) & mask


def _vector_target(site: Site, t: int) -> Callable[[int], None]:
    write_v = site.pe.file.write_v
    return lambda value: write_v(t, value)


def load_store(site: Site, insn: base.LoadStore) -> Action:
    """LDR, STR and relatives of every size and mode."""
    if insn.mode == "register" and not insn.option & 2:
        return site.undefined_action()
    if insn.vector and site.context.fp_trap is not None:
        return site.fp_trap_action()
    kind = unprivileged_kind(site) if insn.mode == "unprivileged" else NORMAL
    register = base_register(site, insn.n)
    if insn.mode == "register":
        where = Address(register, site.extended_register(insn.m, insn.option, insn.shift))
    else:
        overlap = insn.is_load and not insn.vector and insn.t == insn.n != 31
        where = Address(register, insn.offset, _MODES.get(insn.mode, insn.mode), writeback=not overlap)
    if insn.vector:
        if insn.is_load:
            return load(site, where, insn.size, _vector_target(site, insn.t))
        return store(site, where, insn.size, _vector_source(site, insn.t, insn.size))
    if not insn.is_load:
        return store_x(site, where, insn.size, insn.t, kind)
    extend = sign_extension(insn.size, insn.width) if insn.signed else None
    return load_x(site, where, insn.size, insn.t, kind, extend)


def load_store_pair(site: Site, insn: base.LoadStorePair) -> Action:
    """LDP, STP, LDNP, STNP, LDPSW. A load of a register twice is UNDEFINED."""
    if insn.vector and site.context.fp_trap is not None:
        return site.fp_trap_action()
    if insn.is_load and insn.t == insn.t2:
        return site.undefined_action()
    overlap = insn.is_load and not insn.vector and insn.n != 31 and insn.n in (insn.t, insn.t2)
    where = Address(
        base_register(site, insn.n), insn.offset, _MODES.get(insn.mode, insn.mode), writeback=not overlap
    )
    if insn.is_load:
        extend = sign_extension(insn.size, 64) if insn.signed else None
        if not insn.vector:
            return load_x_pair(site, where, insn.size, insn.t, insn.t2, extend)
        targets = (_vector_target(site, insn.t), _vector_target(site, insn.t2))
        return load_pair(site, where, insn.size, targets)
    if not insn.vector:
        return store_x_pair(site, where, insn.size, insn.t, insn.t2)
    sources = (_vector_source(site, insn.t, insn.size), _vector_source(site, insn.t2, insn.size))
    return store_pair(site, where, insn.size, sources)


def load_literal(site: Site, insn: base.LoadLiteral) -> Action:
    """PC-relative load authorised by PCC in both states."""
    if insn.vector and site.context.fp_trap is not None:
        return site.fp_trap_action()
    write = _vector_target(site, insn.t) if insn.vector else site.write_x(insn.t)
    extend = sign_extension(insn.size, 64) if insn.signed else None
    return load(site, Address(pcc_base(site), insn.offset), insn.size, write, extend=extend)


def prefetch(_site: Site, _insn: base.Prefetch) -> Action:
    """PRFM: no effect, no check."""
    return _nothing


def _nothing() -> None:
    return None


def ordered(site: Site, insn: base.Ordered) -> Action:
    """LDAR, STLR, LDLAR, STLLR, LDAPR: always aligned."""
    where = Address(base_register(site, insn.n))
    kind = Kind(Access.ORDERED, always_aligned=True)
    if insn.is_load:
        return load(site, where, insn.size, site.write_x(insn.t), kind)
    return store(site, where, insn.size, _source(site, insn.t, insn.size), kind)


# --- exclusives ----------------------------------------------------------------------------------------


def exclusive(site: Site, insn: base.Exclusive) -> Action:
    """LDXR, STXR and their pair forms; see capability_atomics for the monitor."""
    if insn.is_load:
        return _load_exclusive(site, insn)
    return _store_exclusive(site, insn)


def _load_exclusive(site: Site, insn: base.Exclusive) -> Action:
    if insn.pair and insn.t == insn.t2:
        return site.undefined_action()
    total = insn.size * 2 if insn.pair else insn.size
    register, read, pe = base_register(site, insn.n), site.memory.read, site.pe
    first = site.write_x(insn.t)
    second = site.write_x(insn.t2) if insn.pair else None
    shift, mask = 8 * insn.size, (1 << 8 * insn.size) - 1

    def action() -> None:
        authority, address = register.read()
        authorise(site, authority, register.register, address, total, LOAD)
        if address & total - 1:
            raise alignment_fault(site, address, total, False)
        value = read(address, total, Access.ORDERED)
        pe.exclusive = (address, total)
        first(value & mask)
        if second:
            second(value >> shift)

    return action


def _store_exclusive(site: Site, insn: base.Exclusive) -> Action:
    total = insn.size * 2 if insn.pair else insn.size
    register, write, pe = base_register(site, insn.n), site.memory.write, site.pe
    status, source = site.write_x(insn.s), _source(site, insn.t, insn.size)
    source2 = _source(site, insn.t2, insn.size) if insn.pair else None
    shift = 8 * insn.size

    def action() -> None:
        value = source()
        if source2:
            value |= source2() << shift
        authority, address = register.read()
        authorise(site, authority, register.register, address, total, STORE)
        if address & total - 1:
            raise alignment_fault(site, address, total, True)
        if not monitor_passes(pe, address):
            status(1)
            return
        write(address, total, value, Access.ORDERED)
        status(0)

    return action


# --- atomics -------------------------------------------------------------------------------------------


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> bits - 1 else value


def _operation(name: str, bits: int) -> Callable[[int, int], int]:
    """new = f(old, operand), unsigned `bits`-wide values."""
    mask = (1 << bits) - 1
    operations: dict[str, Callable[[int, int], int]] = {
        "ADD": lambda old, value: old + value & mask,
        "CLR": lambda old, value: old & ~value & mask,
        "EOR": lambda old, value: old ^ value,
        "SET": lambda old, value: old | value,
        "SMAX": lambda old, value: old if _signed(old, bits) > _signed(value, bits) else value,
        "SMIN": lambda old, value: value if _signed(old, bits) > _signed(value, bits) else old,
        "UMAX": max,
        "UMIN": min,
        "SWP": lambda _, value: value,
    }
    return operations[name]


def atomic(site: Site, insn: base.Atomic) -> Action:
    """LD<op>, ST<op>, SWP: Load check, Store check, alignment (reported as a read), then the access."""
    register, memory, size = base_register(site, insn.n), site.memory, insn.size
    source, write = _source(site, insn.s, size), site.write_x(insn.t)
    compute = _operation(insn.operation, 8 * size)

    def action() -> None:
        value = source()
        authority, address = register.read()
        authorise(site, authority, register.register, address, size, LOAD)
        authorise(site, authority, register.register, address, size, STORE)
        if address & size - 1:
            raise alignment_fault(site, address, size, False)
        memory.check(address, size, True, Access.ATOMIC)
        old = memory.read(address, size, Access.ATOMIC)
        memory.write(address, size, compute(old, value), Access.ATOMIC)
        write(old)

    return action


def compare_and_swap(site: Site, insn: base.CompareAndSwap) -> Action:
    """CAS, CASP: as the atomics; memory is written, and its tag cleared, only on success."""
    size = insn.size * 2 if insn.pair else insn.size
    register, memory = base_register(site, insn.n), site.memory
    expected, new = _pair_value(site, insn.s, insn), _pair_value(site, insn.t, insn)
    writes = (site.write_x(insn.s), site.write_x(insn.s + 1 & 31))
    shift, mask = 8 * insn.size, (1 << 8 * insn.size) - 1

    def action() -> None:
        compare, value = expected(), new()
        authority, address = register.read()
        authorise(site, authority, register.register, address, size, LOAD)
        authorise(site, authority, register.register, address, size, STORE)
        if address & size - 1:
            raise alignment_fault(site, address, size, False)
        memory.check(address, size, True, Access.ATOMIC)
        old = memory.read(address, size, Access.ATOMIC)
        if old == compare:
            memory.write(address, size, value, Access.ATOMIC)
        writes[0](old & mask)
        if insn.pair:
            writes[1](old >> shift)

    return action


def _pair_value(site: Site, n: int, insn: base.CompareAndSwap) -> Callable[[], int]:
    """Xn, or X(n+1):Xn for CASP."""
    low = _source(site, n, insn.size)
    if not insn.pair:
        return low
    high, shift = _source(site, n + 1 & 31, insn.size), 8 * insn.size
    return lambda: high() << shift | low()


# --- SIMD structures -----------------------------------------------------------------------------------


def _structure_writeback(site: Site, n: int, post: int | None, total: int) -> Callable[[], None] | None:
    if post is None:
        return None
    register, x = base_register(site, n), site.x
    return (lambda: register.add(total)) if post == 31 else (lambda: register.add(x[post]))


def _elements(insn: base.SimdMultiple) -> list[tuple[int, int]]:
    """(register, lane) in memory order."""
    lanes = insn.register_size // insn.element_size
    return [
        ((insn.t + repeat + s) & 31, lane)
        for repeat in range(insn.repeat)
        for lane in range(lanes)
        for s in range(insn.structure)
    ]


def simd_multiple(site: Site, insn: base.SimdMultiple) -> Action:
    """LD1..LD4, ST1..ST4 (multiple structures): one check, then element by element."""
    if site.context.fp_trap is not None:
        return site.fp_trap_action()
    register, memory, file = base_register(site, insn.n), site.memory, site.pe.file
    total, size, elements = insn.total_size, insn.element_size, _elements(insn)
    after = _structure_writeback(site, insn.n, insn.post, total)
    check = site.context.check_alignment
    mask, bits = (1 << 8 * size) - 1, 8 * size
    register_mask = (1 << 8 * insn.register_size) - 1

    def action() -> None:
        authority, address = register.read()
        authorise(site, authority, register.register, address, total, LOAD if insn.is_load else STORE)
        if check and address & size - 1:
            raise alignment_fault(site, address, size, not insn.is_load)
        if insn.is_load:
            for v, lane in elements:
                value = memory.read(address, size, Access.NORMAL)
                old = file.read_v(v) & register_mask
                file.write_v(v, old & ~(mask << lane * bits) | value << lane * bits)
                address = address + size & MASK64
        else:
            for v, lane in elements:
                memory.write(address, size, file.read_v(v) >> lane * bits & mask, Access.NORMAL)
                address = address + size & MASK64
        if after:
            after()

    return action


def simd_single(site: Site, insn: base.SimdSingle) -> Action:
    """LD1..LD4, ST1..ST4 (one lane) and LD1R..LD4R."""
    if site.context.fp_trap is not None:
        return site.fp_trap_action()
    register, memory, file = base_register(site, insn.n), site.memory, site.pe.file
    total, size = insn.total_size, insn.element_size
    after = _structure_writeback(site, insn.n, insn.post, total)
    check = site.context.check_alignment
    bits, mask = 8 * size, (1 << 8 * size) - 1
    position = insn.lane * bits
    replication = sum(1 << bits * lane for lane in range(insn.register_size // size))

    def action() -> None:
        authority, address = register.read()
        authorise(site, authority, register.register, address, total, LOAD if insn.is_load else STORE)
        if check and address & size - 1:
            raise alignment_fault(site, address, size, not insn.is_load)
        for s in range(insn.structure):
            v = insn.t + s & 31
            if not insn.is_load:
                memory.write(address, size, file.read_v(v) >> position & mask, Access.NORMAL)
            else:
                value = memory.read(address, size, Access.NORMAL)
                if insn.replicate:
                    file.write_v(v, value * replication)
                else:
                    file.write_v(v, file.read_v(v) & ~(mask << position) | value << position)
            address = address + size & MASK64
        if after:
            after()

    return action

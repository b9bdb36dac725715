"""Loads and stores of one register or a pair, for every addressing mode and both kinds of base.

The base instruction set and the Morello encodings share these; they differ in operands only. `Address`
says where, the function says what.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from emulator.memory.interface import Access
from emulator.semantics.access import (
    LOAD,
    STORE,
    Authority,
    Base,
    alignment_fault,
    authorise,
    squash,
    store_permissions,
)
from emulator.semantics.quick import (
    LOAD_CAPABILITY,
    STORE_CAPABILITY,
    Probe,
    probe,
    quick_load,
    quick_load_capabilities,
    quick_load_pair,
    quick_store,
    quick_store_capabilities,
    quick_store_pair,
)
from emulator.semantics.site import Action, Site
from morello_isa.capability import MASK64

Offset = int | Callable[[], int]


@dataclass(frozen=True, slots=True)
class Address:
    """base + offset. `mode` is "offset", "pre" or "post"; `writeback` False suppresses the update."""

    base: Base
    offset: Offset = 0
    mode: str = "offset"
    writeback: bool = True

    def bind(self) -> tuple[Callable[[], Authority], Callable[[], None] | None]:
        """(reader of authority and final address, writeback action or None)."""
        read, offset = self.base.read, self.offset
        updates = self.mode != "offset" and self.writeback
        if callable(offset):
            delta = offset

            def resolve_register() -> Authority:
                authority, address = read()
                return authority, address + delta() & MASK64

            add = self.base.add
            return resolve_register, (lambda: add(delta())) if updates else None
        constant = offset
        after = (lambda: self.base.add(constant)) if updates else None
        if constant == 0 or self.mode == "post":
            return read, after

        def resolve() -> Authority:
            authority, address = read()
            return authority, address + constant & MASK64

        return resolve, after


def _probe(site: Site, where: Address, size: int, permissions: int) -> Probe | None:
    offset = 0 if where.mode == "post" else where.offset
    return probe(site, where.base, offset, size, permissions)


@dataclass(frozen=True, slots=True)
class Kind:
    """How the access behaves: `always_aligned` for ordered and atomic ones, `el` for unprivileged ones."""

    access: Access = Access.NORMAL
    always_aligned: bool = False
    el: int | None = None


NORMAL = Kind()
ORDERED = Kind(Access.ORDERED, always_aligned=True)
UNPRIVILEGED = Kind(Access.UNPRIVILEGED, el=0)


def sign_extension(size: int, width: int) -> Callable[[int], int]:
    """From `size` bytes, sign-extended to `width` bits, zero-extended to 64."""
    sign = 1 << 8 * size - 1
    mask = (1 << width) - 1
    return lambda value: (value ^ sign) - sign & mask


def load_x(
    site: Site,
    where: Address,
    size: int,
    t: int,
    kind: Kind = NORMAL,
    extend: Callable[[int], int] | None = None,
) -> Action:
    """Xt := `size` bytes, extended."""
    general = load(site, where, size, site.write_x(t), kind, extend)
    quick = _probe(site, where, size, LOAD) if kind is NORMAL and t != 31 else None
    return general if quick is None else quick_load(site, quick, size, t, extend, where.bind()[1], general)


def store_x(site: Site, where: Address, size: int, t: int, kind: Kind = NORMAL) -> Action:
    """`size` bytes := the low part of Xt."""
    x, mask = site.x, (1 << 8 * size) - 1
    general = store(site, where, size, lambda: x[t] & mask, kind)
    quick = _probe(site, where, size, STORE) if kind is NORMAL else None
    return general if quick is None else quick_store(site, quick, size, t, where.bind()[1], general)


def load_x_pair(
    site: Site, where: Address, size: int, t: int, t2: int, extend: Callable[[int], int] | None
) -> Action:
    """Xt, Xt2 := two adjacent elements."""
    general = load_pair(site, where, size, (site.write_x(t), site.write_x(t2)), extend)
    quick = _probe(site, where, 2 * size, LOAD) if extend is None and 31 not in (t, t2) else None
    return general if quick is None else quick_load_pair(site, quick, size, t, t2, where.bind()[1], general)


def store_x_pair(site: Site, where: Address, size: int, t: int, t2: int) -> Action:
    """Two adjacent elements := Xt, Xt2."""
    x, mask = site.x, (1 << 8 * size) - 1
    general = store_pair(site, where, size, (lambda: x[t] & mask, lambda: x[t2] & mask))
    quick = _probe(site, where, 2 * size, STORE)
    return general if quick is None else quick_store_pair(site, quick, size, t, t2, where.bind()[1], general)


def load(
    site: Site,
    where: Address,
    size: int,
    write: Callable[[int], None],
    kind: Kind = NORMAL,
    extend: Callable[[int], int] | None = None,
) -> Action:
    """Read `size` bytes, extend, hand them to `write`, then write the base back."""
    resolve, after = where.bind()
    register = where.base.register
    read, access, el = site.memory.read, kind.access, kind.el
    check = kind.always_aligned or site.context.check_alignment
    low = size - 1

    def action() -> None:
        authority, address = resolve()
        authorise(site, authority, register, address, size, LOAD, el)
        if check and address & low:
            raise alignment_fault(site, address, size, False)
        value = read(address, size, access)
        write(extend(value) if extend else value)
        if after:
            after()

    return action


def store(site: Site, where: Address, size: int, source: Callable[[], int], kind: Kind = NORMAL) -> Action:
    """Write `size` bytes of `source()`, then write the base back."""
    resolve, after = where.bind()
    register = where.base.register
    write, access, el = site.memory.write, kind.access, kind.el
    check = kind.always_aligned or site.context.check_alignment
    low = size - 1

    def action() -> None:
        value = source()
        authority, address = resolve()
        authorise(site, authority, register, address, size, STORE, el)
        if check and address & low:
            raise alignment_fault(site, address, size, True)
        write(address, size, value, access)
        if after:
            after()

    return action


def load_pair(
    site: Site,
    where: Address,
    size: int,
    writes: tuple[Callable[[int], None], Callable[[int], None]],
    extend: Callable[[int], int] | None = None,
) -> Action:
    """Read two adjacent elements; one check for both, two accesses."""
    resolve, after = where.bind()
    register = where.base.register
    read = site.memory.read
    check, low = site.context.check_alignment, size - 1
    first, second = writes

    def action() -> None:
        authority, address = resolve()
        authorise(site, authority, register, address, 2 * size, LOAD)
        if check and address & low:
            raise alignment_fault(site, address, size, False)
        one = read(address, size, Access.NORMAL)
        two = read(address + size & MASK64, size, Access.NORMAL)
        first(extend(one) if extend else one)
        second(extend(two) if extend else two)
        if after:
            after()

    return action


def store_pair(
    site: Site, where: Address, size: int, sources: tuple[Callable[[], int], Callable[[], int]]
) -> Action:
    """Write two adjacent elements; one check for both, two accesses."""
    resolve, after = where.bind()
    register = where.base.register
    write = site.memory.write
    check, low = site.context.check_alignment, size - 1
    first, second = sources

    def action() -> None:
        one, two = first(), second()
        authority, address = resolve()
        authorise(site, authority, register, address, 2 * size, STORE)
        if check and address & low:
            raise alignment_fault(site, address, size, True)
        write(address, size, one, Access.NORMAL)
        write(address + size & MASK64, size, two, Access.NORMAL)
        if after:
            after()

    return action


def load_capability(site: Site, where: Address, t: int, kind: Kind = NORMAL) -> Action:
    """Ct := squashed capability at the address; 16-byte alignment always."""
    resolve, after = where.bind()
    register = where.base.register
    read, access, el = site.memory.read_cap, kind.access, kind.el
    write = site.write_c(t)

    def action() -> None:
        authority, address = resolve()
        authorise(site, authority, register, address, 16, LOAD, el)
        if address & 15:
            raise alignment_fault(site, address, 16, False)
        write(squash(authority, *read(address, access)))
        if after:
            after()

    quick = _probe(site, where, 16, LOAD_CAPABILITY) if kind is NORMAL and t != 31 else None
    return action if quick is None else quick_load_capabilities(site, quick, (t,), after, action)


def store_capability(site: Site, where: Address, t: int, kind: Kind = NORMAL) -> Action:
    """Store Ct with its tag; a tagged one demands StoreCap and perhaps StoreLocalCap."""
    resolve, after = where.bind()
    register = where.base.register
    write, access, el = site.memory.write_cap, kind.access, kind.el
    source = site.read_c(t)

    def action() -> None:
        value = source()
        authority, address = resolve()
        authorise(site, authority, register, address, 16, store_permissions(value), el)
        if address & 15:
            raise alignment_fault(site, address, 16, True)
        write(address, value.hi, value.value, value.tag, access)
        if after:
            after()

    quick = _probe(site, where, 16, STORE_CAPABILITY) if kind is NORMAL else None
    return action if quick is None else quick_store_capabilities(site, quick, (t,), after, action)


def load_capability_pair(site: Site, where: Address, t: int, t2: int) -> Action:
    """Ct, Ct2 := two adjacent capabilities; one 32-byte check, each squashed on its own."""
    resolve, after = where.bind()
    register = where.base.register
    read = site.memory.read_cap
    write, write2 = site.write_c(t), site.write_c(t2)

    def action() -> None:
        authority, address = resolve()
        authorise(site, authority, register, address, 32, LOAD)
        if address & 15:
            raise alignment_fault(site, address, 16, False)
        one = read(address, Access.NORMAL)
        two = read(address + 16 & MASK64, Access.NORMAL)
        write(squash(authority, *one))
        write2(squash(authority, *two))
        if after:
            after()

    quick = _probe(site, where, 32, LOAD_CAPABILITY) if 31 not in (t, t2) else None
    return action if quick is None else quick_load_capabilities(site, quick, (t, t2), after, action)


def store_capability_pair(site: Site, where: Address, t: int, t2: int) -> Action:
    """Per half: check, then store. The first half stays in memory when the second faults."""
    resolve, after = where.bind()
    register = where.base.register
    write = site.memory.write_cap
    sources = (site.read_c(t), site.read_c(t2))

    def action() -> None:
        values = [source() for source in sources]
        authority, address = resolve()
        for value in values:
            authorise(site, authority, register, address, 16, store_permissions(value))
            if address & 15:
                raise alignment_fault(site, address, 16, True)
            write(address, value.hi, value.value, value.tag, Access.NORMAL)
            address = address + 16 & MASK64
        if after:
            after()

    quick = _probe(site, where, 32, STORE_CAPABILITY)
    return action if quick is None else quick_store_capabilities(site, quick, (t, t2), after, action)

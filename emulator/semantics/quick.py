"""Short cuts for the accesses that programs consist of: nothing wrong, nothing special, page window at hand.

Each takes the general action and returns one that tries the short way first. The short way is taken only
when the outcome is the same: the authority passes every check, the access is aligned and lies within one
page that has a window. Anything else, faults included, is the general action's business.
"""

from __future__ import annotations

from collections.abc import Callable

from emulator.memory.interface import PAGE_MASK, PAGE_SHIFT
from emulator.semantics.access import (
    HIGH_HALF,
    LOAD,
    LOAD_CAP,
    LOW_HALF,
    MUTABLE_LOAD,
    STORE,
    STORE_CAP,
    STORE_LOCAL,
    Base,
)
from emulator.semantics.site import Action, Site
from morello_isa.capability import MASK64, OTYPE_FIELD, PERMISSIONS_SHIFT, Capability

Offset = int | Callable[[], int]
Probe = Callable[[], int]
"""The address of an access that passes the checks, or -1."""

LOAD_CAPABILITY = LOAD | LOAD_CAP | MUTABLE_LOAD
STORE_CAPABILITY = STORE | STORE_CAP | STORE_LOCAL
_WHOLE = 1 << 64
_LONGEST_ACCESS = 64
"""Bytes."""


def probe(site: Site, base: Base, offset: Offset, size: int, permissions: int) -> Probe | None:
    """A quick check of [base + offset, + size) for these permissions; None where none is worth while."""
    if site.context.check_alignment and size > 16:
        return None
    if base.is_capability:
        return _capability_probe(site, base, offset, size, permissions)
    return _integer_probe(site, base, offset, permissions)


def _capability_probe(site: Site, base: Base, offset: Offset, size: int, permissions: int) -> Probe:
    bank, index = base.bank, base.index
    wanted = permissions << PERMISSIONS_SHIFT
    mask = wanted | OTYPE_FIELD
    # CSP's own alignment check is the general action's; a misaligned CSP goes there.
    low = 15 if base.register == "csp" and site.context.check_sp else 0
    high = HIGH_HALF if site.context.high_kept else _WHOLE

    def constant_offset() -> int:
        capability = bank[index]
        if capability is None or capability.hi & mask != wanted or not capability.tag:
            return -1
        address = capability.value + constant
        bounds = capability.bounds
        if (
            bounds.base <= address
            and address + size <= bounds.limit
            and (address < LOW_HALF or address >= high)
        ):
            return address if bounds.valid and not capability.value & low else -1
        return -1

    def register_offset() -> int:
        capability = bank[index]
        if capability is None or capability.hi & mask != wanted or not capability.tag:
            return -1
        address = capability.value + delta() & MASK64
        bounds = capability.bounds
        if (
            bounds.base <= address
            and address + size <= bounds.limit
            and (address < LOW_HALF or address >= high)
        ):
            return address if bounds.valid and not capability.value & low else -1
        return -1

    if callable(offset):
        delta = offset
        return register_offset
    constant = offset
    return constant_offset


def _integer_probe(site: Site, base: Base, offset: Offset, permissions: int) -> Probe | None:
    """Only for a DDC that starts at 0 and isn't added to addresses."""
    context = site.context
    wanted = permissions << PERMISSIONS_SHIFT
    if (
        not context.ddc_tag
        or context.ddc_hi & (wanted | OTYPE_FIELD) != wanted
        or context.ddc_base
        or context.ddc_limit < _LONGEST_ACCESS
        or context.cctlr & 4
    ):
        return None
    x, n, stack, bank = site.x, base.index, site.pe.stack, context.bank
    low = 15 if context.check_sp else 0
    top = min(LOW_HALF, context.ddc_limit - _LONGEST_ACCESS)
    high = HIGH_HALF if context.ddc_limit == _WHOLE and context.high_kept else _WHOLE

    def from_register() -> int:
        address = x[n] + (delta() if delta else constant) & MASK64
        return address if address < top or address >= high else -1

    def from_sp() -> int:
        start = stack[bank].value
        address = start + (delta() if delta else constant) & MASK64
        return address if (address < top or address >= high) and not start & low else -1

    delta = offset if callable(offset) else None
    constant = 0 if callable(offset) else offset
    return from_sp if n == 31 else from_register


def quick_load(
    site: Site, probe_address: Probe, size: int, t: int, extend: Callable[[int], int] | None,
    after: Action | None, general: Action,
) -> Action:  # fmt: skip
    """Xt := `size` bytes (1, 2, 4 or 8)."""
    pages, x, c, low, view = site.memory.read_pages, site.x, site.c, size - 1, size.bit_length() - 1

    def action() -> None:
        address = probe_address()
        page = pages.get(address >> PAGE_SHIFT)
        if page is None or address & low:
            general()
            return
        value = page.views[view][(address & PAGE_MASK) >> view]
        x[t] = extend(value) if extend else value
        c[t] = None
        if after:
            after()

    return action


def quick_store(
    site: Site, probe_address: Probe, size: int, t: int, after: Action | None, general: Action
) -> Action:
    """`size` bytes (1, 2, 4 or 8) := Xt."""
    pages, x, low, view = site.memory.write_pages, site.x, size - 1, size.bit_length() - 1
    mask = (1 << 8 * size) - 1

    def action() -> None:
        address = probe_address()
        page = pages.get(address >> PAGE_SHIFT)
        if page is None or address & low:
            general()
            return
        offset = address & PAGE_MASK
        page.views[view][offset >> view] = x[t] & mask
        page.tags[offset >> 4] = 0
        if after:
            after()

    return action


def quick_load_pair(
    site: Site, probe_address: Probe, size: int, t: int, t2: int, after: Action | None, general: Action
) -> Action:
    """Xt, Xt2 := two elements of 4 or 8 bytes within one page."""
    pages, x, c, low, view = site.memory.read_pages, site.x, site.c, size - 1, size.bit_length() - 1
    last = PAGE_MASK + 1 - 2 * size

    def action() -> None:
        address = probe_address()
        page = pages.get(address >> PAGE_SHIFT)
        offset = address & PAGE_MASK
        if page is None or address & low or offset > last:
            general()
            return
        elements, index = page.views[view], offset >> view
        x[t], x[t2] = elements[index], elements[index + 1]
        c[t] = c[t2] = None
        if after:
            after()

    return action


def quick_store_pair(
    site: Site, probe_address: Probe, size: int, t: int, t2: int, after: Action | None, general: Action
) -> Action:
    """Two elements of 4 or 8 bytes within one page := Xt, Xt2."""
    pages, x, low, view = site.memory.write_pages, site.x, size - 1, size.bit_length() - 1
    last = PAGE_MASK + 1 - 2 * size
    mask = (1 << 8 * size) - 1

    def action() -> None:
        address = probe_address()
        page = pages.get(address >> PAGE_SHIFT)
        offset = address & PAGE_MASK
        if page is None or address & low or offset > last:
            general()
            return
        elements, index = page.views[view], offset >> view
        elements[index], elements[index + 1] = x[t] & mask, x[t2] & mask
        page.tags[offset >> 4] = page.tags[offset + size >> 4] = 0
        if after:
            after()

    return action


def quick_load_capabilities(
    site: Site, probe_address: Probe, targets: tuple[int, ...], after: Action | None, general: Action
) -> Action:
    """Ct (and Ct2) := capabilities from one page, by an authority with LoadCap and MutableLoad."""
    pages, x, c = site.memory.read_pages, site.x, site.c
    last = PAGE_MASK + 1 - 16 * len(targets)

    def action() -> None:
        address = probe_address()
        page = pages.get(address >> PAGE_SHIFT)
        offset = address & PAGE_MASK
        if page is None or address & 15 or offset > last or not page.capabilities:
            general()
            return
        words, index = page.u64, offset >> 3
        for t in targets:
            lo, hi = words[index], words[index + 1]
            x[t] = lo
            tag = page.tags[index >> 1]
            c[t] = Capability(bool(tag), hi, lo) if hi or tag else None
            index += 2
        if after:
            after()

    return action


def quick_store_capabilities(
    site: Site, probe_address: Probe, sources: tuple[int, ...], after: Action | None, general: Action
) -> Action:
    """Capabilities in one page := Ct (and Ct2), by an authority with every store permission."""
    memory, x, c = site.memory, site.x, site.c
    pages = memory.write_pages
    last = PAGE_MASK + 1 - 16 * len(sources)

    def action() -> None:
        address = probe_address()
        page = pages.get(address >> PAGE_SHIFT)
        offset = address & PAGE_MASK
        if page is None or address & 15 or offset > last or not page.capabilities or not memory.tagged:
            general()
            return
        words, index = page.u64, offset >> 3
        for t in sources:
            capability = c[t]
            words[index] = x[t]
            if capability is None:
                words[index + 1] = page.tags[index >> 1] = 0
            else:
                words[index + 1] = capability.hi
                page.tags[index >> 1] = capability.tag
            index += 2
        if after:
            after()

    return action

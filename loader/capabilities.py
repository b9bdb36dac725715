"""How a loader manufactures capabilities: from a root, always by narrowing.

The permission sets are those of `__cap_relocs` (facts: aaelf64-morello): code keeps Executive and System as
far as the root has them, data never does.
"""

from __future__ import annotations

from dataclasses import dataclass

from loader.fragments import (
    CAP_RELOC_EXECUTABLE,
    CAP_RELOC_READ_ONLY,
    CAP_RELOC_READ_WRITE,
    PERM_EXECUTABLE,
    PERM_READ_WRITE,
)
from morello_isa.capability import CAP_NULL, Capability
from morello_isa.permissions import PERM_ALL, ObjectType, Perm, permission_letters

EXECUTABLE = PERM_ALL & ~CAP_RELOC_EXECUTABLE | Perm.BRANCH_SEALED_PAIR
READ_WRITE = PERM_ALL & ~CAP_RELOC_READ_WRITE
READ_ONLY = PERM_ALL & ~CAP_RELOC_READ_ONLY


@dataclass(frozen=True, slots=True)
class Roots:
    """What everything is derived from: `rx` for code, `rw` for data (it also serves read-only data)."""

    rx: Capability
    rw: Capability

    def narrowed(self, base: int, length: int) -> Roots:
        """Both roots bounded to one object (bytes; rounded outwards when not representable)."""
        return Roots(
            self.rx.set_value(base).set_bounds(length, exact=False),
            self.rw.set_value(base).set_bounds(length, exact=False),
        )


def derive(root: Capability, base: int, length: int, address: int, permissions: int) -> Capability:
    """`root` bounded to [base, base+length), address set after bounding, permissions masked."""
    bounded = root.set_value(base).set_bounds(length, exact=False)
    return bounded.clear_permissions(PERM_ALL & ~permissions).set_value(address)


def code_pointer(root: Capability, base: int, length: int, address: int) -> Capability:
    """A sentry (RB) to `address`, whose bit 0 is the instruction set."""
    return derive(root, base, length, address, EXECUTABLE).with_object_type(ObjectType.RB)


def from_code(roots: Roots, permission: int, base: int, length: int, address: int) -> Capability:
    """By the permission code of a fragment: 4 code, 2 read-write, anything else read-only."""
    if permission == PERM_EXECUTABLE:
        return code_pointer(roots.rx, base, length, address)
    if permission == PERM_READ_WRITE:
        return derive(roots.rw, base, length, address, READ_WRITE)
    return derive(roots.rw, base, length, address, READ_ONLY)


def restricted(
    old: Capability,
    root: Capability,
    limit: tuple[int, int] | None = None,
    dropped: int = Perm.EXECUTIVE,
) -> Capability:
    """`old` re-derived from `root` without the `dropped` permissions: same address, no new permission.

    Bounds stay, or are tightened to `limit` ([low, high)) when they reach outside it. A sentry stays one.
    The result is untagged when the old bounds are not inside the root's.
    """
    base, end = old.base, old.limit
    if limit is not None and (base < limit[0] or end > limit[1]):
        base, end = max(base, limit[0]), min(end, limit[1])
        if end < base:
            return CAP_NULL
    new = derive(root, base, end - base, old.value, old.permissions & ~dropped)
    return new.with_object_type(ObjectType.RB) if old.otype == ObjectType.RB else new


def executive(old: Capability, root: Capability) -> Capability:
    """The inverse, for finalisers that run in Executive: Executive comes back as far as `root` has it."""
    new = derive(root, old.base, old.length, old.value, old.permissions | Perm.EXECUTIVE)
    return new.with_object_type(ObjectType.RB) if old.otype == ObjectType.RB else new


def format_capability(capability: Capability) -> str:
    """C's `%#p`: `0x401235 [rxRE,0x400000-0x420000] (sentry)`."""
    if capability == CAP_NULL:
        return "0x0"
    bounds = capability.bounds
    letters = permission_letters(capability.permissions)
    notes = []
    if not capability.tag:
        notes.append("invalid")
    if capability.otype == ObjectType.RB:
        notes.append("sentry")
    elif capability.is_sealed:
        notes.append("sealed")
    suffix = f" ({','.join(notes)})" if notes else ""
    return f"{capability.value:#x} [{letters},{bounds.base:#x}-{bounds.limit:#x}]{suffix}"

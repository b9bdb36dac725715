"""Capability permissions and the fixed object types (Sail: CAP_PERM_*, CAP_SEAL_TYPE_*).

Bit k here is permission bit k as GCPERM returns it and as a CLRPERM mask names it.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class Perm(IntFlag):
    """The 18 permission bits of a Morello capability."""

    GLOBAL = 1 << 0
    EXECUTIVE = 1 << 1
    USER0 = 1 << 2
    USER1 = 1 << 3
    USER2 = 1 << 4
    USER3 = 1 << 5
    MUTABLE_LOAD = 1 << 6
    COMPARTMENT_ID = 1 << 7
    BRANCH_SEALED_PAIR = 1 << 8
    SYSTEM = 1 << 9
    UNSEAL = 1 << 10
    SEAL = 1 << 11
    STORE_LOCAL_CAP = 1 << 12
    STORE_CAP = 1 << 13
    LOAD_CAP = 1 << 14
    EXECUTE = 1 << 15
    STORE = 1 << 16
    LOAD = 1 << 17


PERM_ALL = (1 << 18) - 1


class ObjectType(IntEnum):
    """Object types with a meaning of their own; 4..32767 belong to software."""

    UNSEALED = 0
    RB = 1
    LPB = 2
    LB = 3


OTYPE_MAX = (1 << 15) - 1

_LETTERS = (
    (Perm.LOAD, "r"),
    (Perm.STORE, "w"),
    (Perm.EXECUTE, "x"),
    (Perm.LOAD_CAP, "R"),
    (Perm.STORE_CAP, "W"),
    (Perm.EXECUTIVE, "E"),
)

_NAMES = {
    Perm.LOAD: "Load",
    Perm.STORE: "Store",
    Perm.EXECUTE: "Execute",
    Perm.LOAD_CAP: "LoadCap",
    Perm.STORE_CAP: "StoreCap",
    Perm.STORE_LOCAL_CAP: "StoreLocalCap",
    Perm.SEAL: "Seal",
    Perm.UNSEAL: "Unseal",
    Perm.SYSTEM: "System",
    Perm.BRANCH_SEALED_PAIR: "BranchSealedPair",
    Perm.COMPARTMENT_ID: "CompartmentID",
    Perm.MUTABLE_LOAD: "MutableLoad",
    Perm.USER3: "User3",
    Perm.USER2: "User2",
    Perm.USER1: "User1",
    Perm.USER0: "User0",
    Perm.EXECUTIVE: "Executive",
    Perm.GLOBAL: "Global",
}


def permission_letters(permissions: int) -> str:
    """`rwxRWE` shorthand of an 18-bit permission word; "-" when none of the six is present."""
    return "".join(letter for bit, letter in _LETTERS if permissions & bit) or "-"


def permission_names(permissions: int) -> list[str]:
    """The specification's names of the set bits, from bit 17 downwards."""
    return [name for bit, name in _NAMES.items() if permissions & bit]


def object_type_name(otype: int) -> str:
    """ "unsealed", "sentry" (RB), "sealed LPB", "sealed LB" or "sealed 0x1234"."""
    if otype == ObjectType.UNSEALED:
        return "unsealed"
    if otype == ObjectType.RB:
        return "sentry"
    if otype in (ObjectType.LPB, ObjectType.LB):
        return f"sealed {ObjectType(otype).name}"
    return f"sealed {otype:#x}"

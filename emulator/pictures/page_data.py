"""A snapshot as the JSON that the page draws: columns and tables, so that 100,000 capabilities stay small.

Numbers of 2^53 and more are hexadecimal strings, since JavaScript's numbers end there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emulator.pictures.snapshot import MappedArea, Snapshot
from morello_isa.capability import OTYPE_SHIFT, PERMISSIONS_SHIFT
from morello_isa.permissions import OTYPE_MAX, Perm, permission_letters, permission_names

Where = Callable[[int], str]
"""From an address to "libiwasm.so`malloc+0x4", or "" when nothing is known about it."""
LONGEST_NAME = 200
_EXACT = 1 << 53


class Strings:
    """A table of strings; equal ones share a number. Number 0 is ""."""

    def __init__(self) -> None:
        self.items = [""]
        self._numbers = {"": 0}

    def number(self, text: str) -> int:
        """The number of a string, cut to `LONGEST_NAME` characters."""
        text = text[:LONGEST_NAME]
        found = self._numbers.get(text)
        if found is None:
            found = self._numbers[text] = len(self.items)
            self.items.append(text)
        return found


def exact(value: int) -> int | str:
    """A number, or its hexadecimal digits when JavaScript could not hold it."""
    return value if value < _EXACT else f"{value:x}"


def page_data(snapshot: Snapshot, where: Where) -> dict[str, Any]:
    """The object that `page/model.js` reads; the keys are explained there."""
    strings = Strings()
    names = _Names(strings, where)
    shapes: dict[tuple[int, int, int, int], int] = {}
    columns: dict[str, list[Any]] = {
        "at": [],
        "register": [],
        "thread": [],
        "shape": [],
        "value": [],
        "reach": [],
        "atName": [],
        "toName": [],
    }
    for held in snapshot.capabilities:
        value = held.value
        bounds = value.bounds
        base, limit = (bounds.base, bounds.limit) if bounds.valid else (0, 0)
        shape = (base, limit, value.hi, int(bounds.valid))
        columns["at"].append(held.address if held.address is not None else -1)
        columns["register"].append(strings.number(held.register))
        columns["thread"].append(held.thread)
        columns["shape"].append(shapes.setdefault(shape, len(shapes)))
        columns["value"].append(exact(value.value))
        columns["reach"].append(int(held.reachable))
        columns["atName"].append(names.number(held.address) if held.address is not None else 0)
        # Bit 0 of a code capability is the state (C64) that a branch selects.
        state = 1 if value.has(int(Perm.EXECUTE)) else 0
        columns["toName"].append(names.number(value.value & ~state))
    return {
        "program": snapshot.program[:LONGEST_NAME],
        "arguments": " ".join(snapshot.arguments)[: 4 * LONGEST_NAME],
        "moment": snapshot.moment,
        "instructions": snapshot.instructions,
        "purecap": snapshot.purecap,
        "restricted": snapshot.restricted_libraries,
        "resident": snapshot.resident_bytes,
        "total": snapshot.total,
        "focus": _focus(snapshot),
        "permissions": _permissions(),
        "areas": [_area(area) for area in snapshot.areas],
        "shapes": [
            [
                exact(base),
                exact(limit),
                hi >> PERMISSIONS_SHIFT,
                hi >> OTYPE_SHIFT & OTYPE_MAX,
                valid,
                f"{hi:016x}",
            ]
            for base, limit, hi, valid in shapes
        ],
        "strings": strings.items,
        "capabilities": columns,
    }


def _focus(snapshot: Snapshot) -> int:
    """The number of the capability that the page shows first, or -1."""
    for index, held in enumerate(snapshot.capabilities):
        if held.address is None and (held.thread, held.register) == snapshot.focus:
            return index
    return -1


class _Names:
    """Names of addresses, each looked up once."""

    def __init__(self, strings: Strings, where: Where) -> None:
        self._strings = strings
        self._where = where
        self._known: dict[int, int] = {}

    def number(self, address: int) -> int:
        found = self._known.get(address)
        if found is None:
            found = self._known[address] = self._strings.number(self._where(address))
        return found


def _permissions() -> list[list[Any]]:
    """[bit mask, name, letter or ""] of each permission, from bit 17 downwards."""
    rows = []
    for bit in reversed(range(18)):
        letter = permission_letters(1 << bit)
        rows.append([1 << bit, permission_names(1 << bit)[0], "" if letter == "-" else letter])
    return rows


def _area(area: MappedArea) -> dict[str, Any]:
    return {
        "start": exact(area.start),
        "limit": exact(area.limit),
        "rights": area.rights,
        "label": area.label[:LONGEST_NAME],
        "group": area.group[:LONGEST_NAME],
        "shared": area.shared,
        "pages": list(area.tags),
        "tags": list(area.tags.values()),
    }

"""All Morello encodings, one row each, in one tuple."""

from __future__ import annotations

from typing import Final

from morello_isa.encodings import (
    alternate_base,
    arithmetic,
    atomics,
    bounds,
    branch,
    compare,
    convert,
    copy,
    exclusive,
    fields,
    load,
    pair,
    pc_relative,
    seal,
    store,
    system,
    tags,
)
from morello_isa.encodings.row import Row

_MODULES = (
    arithmetic,
    copy,
    fields,
    bounds,
    seal,
    convert,
    compare,
    branch,
    load,
    store,
    pair,
    exclusive,
    atomics,
    tags,
    alternate_base,
    pc_relative,
    system,
)

ROWS: Final[tuple[Row, ...]] = tuple(row for module in _MODULES for row in module.ROWS)

# Pairs of rows whose words may coincide, with the reason; every other overlap is an error.
DECLARED_OVERLAPS: Final[dict[tuple[str, str], str]] = {
    ("ADRP_C_I_C", "ADRP_C_IP_C"): "the A64 reading of ADRP; decode() returns the C64 row",
    ("ADRP_C_I_C", "ADRDP_C_ID_C"): "the A64 reading of ADRP; decode() returns the C64 row",
}


def row_by_id(name: str) -> Row:
    """The row with this id; KeyError if there is none."""
    for row in ROWS:
        if row.id == name:
            return row
    raise KeyError(name)

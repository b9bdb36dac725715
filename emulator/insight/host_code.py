"""Emitted A64 as text: instructions, what the lanes hold that they touch, where branches go."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from emulator.engine.translate import encode as a64
from emulator.engine.translate.layout import (
    CSP,
    CSP_SLOT,
    EVICTED,
    LEFT_LANE,
    META,
    SLOTS,
    TEMP,
    get_value,
    meta_lane,
    tag_lane,
    window_register,
)
from morello_isa.disassemble import disassemble

_LANE = re.compile(r"v(\d+)\.([bd])\[(0x[0-9a-f]+|\d+)\]")
_NAMED = re.compile(r"0x[0-9a-f]+ <([^>]*)>")
"""A branch target with a name: the name says more than an address in the code buffer."""
_NAME = r"\1"
_COUNTING = [a64.ldr(TEMP, META), a64.add_imm(TEMP, TEMP, 1), a64.str_(TEMP, META)]


@dataclass(frozen=True, slots=True)
class HostLine:
    """One emitted word: index in its part, address, text, what the lanes are."""

    index: int
    address: int
    word: int
    text: str
    comment: str


@lru_cache(maxsize=1)
def _lanes() -> dict[tuple[int, str, int], str]:
    """(V register, element size, element) -> what it holds."""
    names = {(LEFT_LANE[0], "d", LEFT_LANE[1]): "instructions left"}
    for n in range(CSP + 1):
        name = "csp" if n == CSP else f"c{n}"
        v, i = meta_lane(n)
        names[v, "d", i] = f"{name} metadata"
        v, i = tag_lane(n)
        names[v, "b", i] = f"{name} tag"
    for slot in (*range(SLOTS), CSP_SLOT):
        name = "csp" if slot == CSP_SLOT else f"window {slot}"
        names[window_register(slot), "d", 0] = f"{name} base"
        names[window_register(slot), "d", 1] = f"{name} limit"
    for n in EVICTED:
        found = _LANE.search(disassemble(get_value(0, n), c64=False))
        assert found is not None
        names[int(found[1]), found[2], int(found[3], 0)] = f"x{n}"
    return names


def host_lines(
    words: Sequence[int], address: int, plain: bool, target: Callable[[int], str | None]
) -> list[HostLine]:
    """The words from a host address on; counting (only there when counts are wanted) is left out.

    `target` names host addresses that branches go to. In plain code only x registers have lanes.
    """
    hidden = _counting(words)
    lines = []
    for index, word in enumerate(words):
        if index in hidden:
            continue
        at = address + 4 * index
        if _is_stub(words, index):
            hidden |= {index + 1, index + 2}
            how = disassemble(words[index + 2], at + 8, c64=False, symbols=target)
            number = (word >> 5 & 0xFFFF) | (words[index + 1] >> 5 & 0xFFFF) << 16
            lines.append(HostLine(index, at, word, f"exit {number}: {_NAMED.sub(_NAME, how)[2:]}", ""))
            continue
        text = _NAMED.sub(_NAME, disassemble(word, at, c64=False, symbols=target))
        known = [
            name
            for v, size, i in _LANE.findall(text)
            if (name := _lanes().get((int(v), size, int(i, 0)))) and (not plain or int(v) >= LEFT_LANE[0])
        ]
        lines.append(HostLine(index, at, word, text, ", ".join(known)))
    return lines


def _is_stub(words: Sequence[int], at: int) -> bool:
    """The number of an exit in x16, and a branch."""
    return (
        at + 2 < len(words)
        and words[at] & 0xFFE0001F == 0xD2800010
        and words[at + 1] & 0xFFE0001F == 0xF2A00010
        and words[at + 2] >> 26 == 5
    )


def _counting(words: Sequence[int]) -> set[int]:
    """Indices of the words that count."""
    found: set[int] = set()
    for at in range(len(words) - 2):
        if list(words[at : at + 3]) == _COUNTING:
            found |= {at, at + 1, at + 2}
            first = at - 1
            # The constant's MOVZ and MOVKs.
            while first >= 0 and words[first] & 0x9F80001F == 0x92800000 & 0x9F800000 | META:
                found.add(first)
                first -= 1
    return found

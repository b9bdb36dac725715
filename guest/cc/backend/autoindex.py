"""Pre- and post-indexed accesses: a pointer update becomes part of a load or store next to it.

Works inside a block before register allocation. For an update `add p, p, #n`:

* `mov t, p; add p, p, #n; … [t]`    becomes `[p], #n`   (*p++)
* `… [p]; add p, p, #n`              becomes `[p], #n`
* `add p, p, #n; … [p]`              becomes `[p, #n]!`  (*--p)

Accesses `[p, #k]` in between get their offsets corrected.
"""

from __future__ import annotations

import re
from collections import Counter

from guest.cc.backend.mir import FIRST_VREG, MI, MFunction, Templates

_ACCESS = re.compile(r"(ld|st)u?r(\w*) (=?)\$(\w), \[\$c(, #\$#)?\]$")
_SIZES = {"b": 1, "sb": 1, "h": 2, "sh": 2, "sw": 4}
_VIEW_SIZES = {"w": 4, "x": 8, "c": 16, "s": 4, "d": 8}
WINDOW = 24  # instructions looked at around an update


class _Access:
    """A load or store `[base, #offset]` taken apart."""

    __slots__ = ("base", "is_load", "mnemonic", "offset", "size", "value", "view")

    def __init__(self, mi: MI, match: re.Match[str]) -> None:
        self.is_load = match.group(1) == "ld"
        self.mnemonic = match.group(2)  # after "ldr"/"str"
        self.view = match.group(4)
        self.value = mi.ops[0]
        self.base = mi.ops[1]
        offset = mi.ops[2] if match.group(5) else 0
        assert isinstance(offset, int)
        self.offset = offset
        self.size = _SIZES.get(self.mnemonic) or _VIEW_SIZES[self.view]

    def rewritten(self, mi: MI, offset: int, templates: Templates) -> bool:
        """Give the access another offset; False if it cannot be encoded."""
        scaled = offset % self.size == 0 and 0 <= offset < 4096 * self.size
        if not scaled and not -256 <= offset < 256:
            return False
        unscaled = "" if scaled else "u"
        mode = "=" if self.is_load else ""
        where = "[$c, #$#]" if offset else "[$c]"
        mi.t = templates[
            f"{'ld' if self.is_load else 'st'}{unscaled}r{self.mnemonic} {mode}${self.view}, {where}"
        ]
        mi.ops = [self.value, self.base, offset] if offset else [self.value, self.base]
        return True

    def can_index(self, amount: int) -> bool:
        """True if the access may write back base + amount."""
        if self.value == self.base:
            return False
        if self.view == "c":
            return amount % 16 == 0 and -4096 <= amount < 4096
        return -256 <= amount < 256

    def indexed(self, mi: MI, amount: int, pre: bool, templates: Templates) -> None:
        mode = "=" if self.is_load else ""
        where = "[+$c, #$#]!" if pre else "[+$c], #$#"
        mi.t = templates[f"{'ld' if self.is_load else 'st'}r{self.mnemonic} {mode}${self.view}, {where}"]
        mi.ops = [self.value, self.base, amount]


class _Matcher:
    """Recognises accesses by template, remembering the result per template."""

    def __init__(self) -> None:
        self.known: dict[int, re.Match[str] | None] = {}

    def access(self, mi: MI) -> _Access | None:
        key = id(mi.t)
        if key not in self.known:
            self.known[key] = _ACCESS.match(mi.t.source)
        match = self.known[key]
        return None if match is None else _Access(mi, match)


def form_indexed(function: MFunction, templates: Templates) -> None:
    """Apply the transformation to all blocks."""
    matcher = _Matcher()
    uses: Counter[object] = Counter()
    for mi in function.instructions():
        for n in (*mi.t.uses, *mi.t.defs):
            uses[mi.ops[n]] += 1
    for block in function.blocks:
        code = block.code
        dead: set[int] = set()
        for n, mi in enumerate(code):
            amount = _update(mi)
            if amount is not None and _fold(code, n, amount, uses, matcher, templates, dead):
                dead.add(id(mi))
        if dead:
            block.code = [mi for mi in code if id(mi) not in dead]


def _update(mi: MI) -> int | None:
    """The constant of `add p, p, #n` on a virtual capability register."""
    source = mi.t.source
    if source in ("add =$c, $c, #$#", "sub =$c, $c, #$#") and mi.ops[0] == mi.ops[1]:
        amount, register = mi.ops[2], mi.ops[0]
        assert isinstance(amount, int) and isinstance(register, int)
        if register >= FIRST_VREG:
            return amount if source[0] == "a" else -amount
    return None


def _mentions(mi: MI, register: object) -> bool:
    return any(mi.ops[n] == register for n in (*mi.t.uses, *mi.t.defs))


def _fold(
    code: list[MI],
    at: int,
    amount: int,
    uses: Counter[object],
    matcher: _Matcher,
    templates: Templates,
    dead: set[int],
) -> bool:
    p = code[at].ops[0]
    return (
        _after_copy(code, at, p, amount, uses, matcher, templates, dead)
        or _before(code, at, p, amount, matcher, templates, dead)
        or _after(code, at, p, amount, matcher, templates, dead)
    )


def _after_copy(
    code: list[MI],
    at: int,
    p: object,
    amount: int,
    uses: Counter[object],
    matcher: _Matcher,
    templates: Templates,
    dead: set[int],
) -> bool:
    """`mov t, p; add p, p, #n; … [t]`, t used nowhere else."""
    copy = _previous(code, at, p, dead)
    if copy is None or not copy.t.is_copy or copy.ops[1] != p or uses[copy.ops[0]] != 2:
        return False
    t = copy.ops[0]
    if not isinstance(t, int) or t < FIRST_VREG:
        return False
    for k in range(at + 1, min(len(code), at + WINDOW)):
        mi = code[k]
        if id(mi) in dead:
            continue
        if _mentions(mi, t):
            access = matcher.access(mi)
            if access is None or access.base != t or access.offset or access.value == t:
                return False
            access.base = p
            if not access.can_index(amount):
                return False
            access.indexed(mi, amount, False, templates)
            dead.add(id(copy))
            return True
        if _mentions(mi, p):
            return False
    return False


def _previous(code: list[MI], at: int, register: object, dead: set[int]) -> MI | None:
    """The nearest earlier instruction that mentions `register`."""
    for k in range(at - 1, max(-1, at - WINDOW), -1):
        if id(code[k]) not in dead and _mentions(code[k], register):
            return code[k]
    return None


def _before(
    code: list[MI], at: int, p: object, amount: int, matcher: _Matcher, templates: Templates, dead: set[int]
) -> bool:
    """`… [p]; … [p, #k] …; add p, p, #n`: post-index the earliest plain access."""
    between: list[tuple[MI, _Access]] = []
    for k in range(at - 1, max(-1, at - WINDOW), -1):
        mi = code[k]
        if id(mi) in dead or not _mentions(mi, p):
            continue
        access = matcher.access(mi)
        if access is None or access.base != p or access.value == p:
            return False
        if access.offset == 0 and access.can_index(amount) and _shift_all(between, -amount, templates):
            access.indexed(mi, amount, False, templates)
            return True
        between.append((mi, access))
    return False


def _after(
    code: list[MI], at: int, p: object, amount: int, matcher: _Matcher, templates: Templates, dead: set[int]
) -> bool:
    """`add p, p, #n; … [p, #k] …; … [p]`: pre-index the plain access."""
    between: list[tuple[MI, _Access]] = []
    for k in range(at + 1, min(len(code), at + WINDOW)):
        mi = code[k]
        if id(mi) in dead or not _mentions(mi, p):
            continue
        access = matcher.access(mi)
        if access is None or access.base != p or access.value == p:
            return False
        if access.offset == 0 and access.can_index(amount) and _shift_all(between, amount, templates):
            access.indexed(mi, amount, True, templates)
            return True
        between.append((mi, access))
    return False


def _shift_all(between: list[tuple[MI, _Access]], amount: int, templates: Templates) -> bool:
    """Correct the offsets of accesses that now see another value of the pointer; all or none."""
    for _, access in between:
        offset = access.offset + amount
        scaled = offset % access.size == 0 and 0 <= offset < 4096 * access.size
        if not scaled and not -256 <= offset < 256:
            return False
    for mi, access in between:
        access.rewritten(mi, access.offset + amount, templates)
    return True

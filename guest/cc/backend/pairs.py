"""LDP and STP: neighbouring loads or stores of neighbouring places, after register allocation."""

from __future__ import annotations

import re

from guest.cc.backend.mir import MI, MFunction, Templates

_SIZES = {"x": 8, "w": 4, "c": 16, "d": 8, "s": 4}
_REGISTER_BASE = re.compile(r"(ldr|str|ldur|stur) =?\$([xwcds]), \[\$c(, #\$#)?\]$")
_TEXT_BASE = re.compile(r"(ldr|str|ldur|stur) =?\$([xwcds]), \$#$")
_TEXT_ADDRESS = re.compile(r"\[(csp|c29)(?:, #(-?\d+))?\]$")


class _Access:
    """One access: kind ("ld" or "st"), view, data register, base (register number or name), offset."""

    __slots__ = ("base", "kind", "offset", "register", "view")

    def __init__(self, kind: str, view: str, register: int, base: int | str, offset: int) -> None:
        self.kind = kind
        self.view = view
        self.register = register
        self.base = base
        self.offset = offset


def _access(mi: MI) -> _Access | None:
    match = _REGISTER_BASE.match(mi.t.source)
    register = mi.ops[0] if mi.ops else None
    if match is not None:
        base = mi.ops[1]
        offset = mi.ops[2] if match.group(3) else 0
        assert isinstance(register, int) and isinstance(base, int) and isinstance(offset, int)
        return _Access(match.group(1)[:2], match.group(2), register, base, offset)
    match = _TEXT_BASE.match(mi.t.source)
    if match is None:
        return None
    address = _TEXT_ADDRESS.match(str(mi.ops[1]))
    if address is None or not isinstance(register, int):
        return None
    return _Access(match.group(1)[:2], match.group(2), register, address.group(1), int(address.group(2) or 0))


def form_pairs(function: MFunction, templates: Templates) -> None:
    """Replace pairs in all blocks."""
    for block in function.blocks:
        out: list[MI] = []
        last: _Access | None = None
        for mi in block.code:
            access = _access(mi)
            if last is not None and access is not None:
                pair = _pair(last, access, mi, templates)
                if pair is not None:
                    out[-1] = pair
                    last = None
                    continue
            out.append(mi)
            last = access
        block.code = out


def _pair(a: _Access, b: _Access, mi: MI, templates: Templates) -> MI | None:
    if (a.kind, a.view, a.base) != (b.kind, b.view, b.base):
        return None
    size = _SIZES[a.view]
    low, high = (a, b) if a.offset < b.offset else (b, a)
    if high.offset - low.offset != size or low.offset % size or not -64 <= low.offset // size <= 63:
        return None
    mode = "=" if a.kind == "ld" else ""
    if a.kind == "ld" and (a.register == b.register or (a.view in "xwc" and a.register == a.base)):
        return None
    first, second = low.register, high.register
    v = a.view
    if isinstance(a.base, int):
        text = f"{a.kind}p {mode}${v}, {mode}${v}, [$c, #$#]"
        return MI(templates[text], [first, second, a.base, low.offset], mi.loc)
    text = f"{a.kind}p {mode}${v}, {mode}${v}, [{a.base}, #$#]"
    return MI(templates[text], [first, second, low.offset], mi.loc)

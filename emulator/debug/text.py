"""Capabilities, numbers and memory as text."""

from __future__ import annotations

from emulator.debug.style import Style
from morello_isa.capability import MASK64, Capability
from morello_isa.permissions import ObjectType, Perm, object_type_name, permission_names

_RULER = 48


def short(value: int | Capability) -> str:
    """A capability decoded, or the number of an integer."""
    if isinstance(value, Capability):
        return value.describe() if value.tag or value.hi else f"{value.value:#x}"
    return f"{value:#x}"


def full(capability: Capability, style: Style, where: str = "", keys: str = "") -> list[str]:
    """Every field, bounds drawn to scale, permissions by name, representable window.

    `where` names what it points to, `keys` what can unseal it.
    """
    bounds = capability.bounds
    place = f"  {where}" if where else ""
    if not capability.is_sealed:
        seal = "unsealed"
    elif capability.otype > ObjectType.LB:
        seal = f"sealed with object type {capability.otype:#x}"
    else:
        seal = f"{object_type_name(capability.otype)} (object type {capability.otype})"
    rows = [
        ("value", f"{capability.value:#x}{place}"),
        ("tag", "1, valid" if capability.tag else "0, not a valid capability"),
        ("bits", f"{capability.hi:016x}:{capability.value:016x}"),
    ]
    if bounds.valid:
        length = capability.length
        offset = capability.value - bounds.base
        rows += [
            ("base", f"{bounds.base:#x}"),
            ("limit", f"{bounds.limit:#x}"),
            ("length", f"{length:#x} ({size(length)})"),
            ("offset", f"{offset:#x}" if offset >= 0 else f"-{-offset:#x}"),
            ("exponent", str(capability.exponent)),
            ("scale", drawing(capability, style)),
            ("window", _window(capability)),
        ]
    else:
        rows.append(("bounds", "invalid"))
    names = permission_names(capability.permissions)
    absent = [n for n in permission_names((1 << 18) - 1) if n not in names]
    rows += [
        ("permissions", f"{capability.permissions:#07x} {' '.join(names) if names else 'none'}"),
        ("lacks", " ".join(absent) if absent else "nothing"),
        ("state", "Executive" if capability.has(int(Perm.EXECUTIVE)) else "not Executive"),
        ("sealed", f"{seal}; {keys}" if keys else seal),
        ("flags", f"{capability.flags:#04x}"),
    ]
    return [f"  {style('name', f'{name:<12}')}{text}" for name, text in rows]


def drawing(capability: Capability, style: Style) -> str:
    """`|....^.......|`: where the value is between base and limit, or on which side of them."""
    bounds = capability.bounds
    value, length = capability.value, capability.length
    inside = bounds.base <= value < bounds.limit
    if inside:
        at = (value - bounds.base) * _RULER // max(length, 1)
        ruler = "─" * at + style("arrow", "^") + "─" * (_RULER - 1 - at)
        return f"├{ruler}┤"
    ruler = "─" * _RULER
    if value < bounds.base:
        return f"{style('changed', '^')} {size(bounds.base - value)} before ├{ruler}┤"
    return f"├{ruler}┤ {size(value - bounds.limit)} past {style('changed', '^')}"


def _window(capability: Capability) -> str:
    """How far the value can go without the bounds becoming others (found by bisection)."""
    bounds = capability.bounds
    if capability.exponent >= 50:
        return "every address"
    low = _edge(capability, bounds.base, -1)
    high = _edge(capability, max(bounds.limit - 1, bounds.base), 1)
    return f"[{low:#x},{high + 1:#x}) keeps the bounds"


def _edge(capability: Capability, start: int, direction: int) -> int:
    """The last representable address from `start` in a direction."""
    reach = 0
    for bit in reversed(range(min(capability.exponent + 17, 55))):
        step = reach + (1 << bit)
        address = start + direction * step
        if 0 <= address <= MASK64 and capability.is_representable(address):
            reach = step
    return start + direction * reach


def size(count: int) -> str:
    """Bytes for a human: `16 bytes`, `64 KiB`."""
    if count >= 1 << 64:
        return "all of memory"
    for shift, unit in ((40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")):
        if count >= 1 << shift:
            whole = count / (1 << shift)
            return f"{whole:.0f} {unit}" if count % (1 << shift) == 0 else f"{whole:.1f} {unit}"
    return f"{count} byte" if count == 1 else f"{count} bytes"

"""Reachability on a memory made for it: what the rules of loads give, and that work is bounded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emulator.debug import reach as module
from emulator.debug.reach import reach
from emulator.memory.address_space import Prot
from morello_isa.capability import CAP_MAX, Capability
from morello_isa.permissions import Perm


class Plain:
    """Mapped from 0x1000 to 0x9000; [0x8000,0x9000) is read-only."""

    def __init__(self) -> None:
        self.capabilities: dict[int, Capability] = {}

    def peek_cap(self, va: int) -> tuple[int, int, bool]:
        value = self.capabilities[va]
        return value.hi, value.value, value.tag

    def tagged_granules(self, start: int, limit: int) -> Iterator[int]:
        return (a for a in sorted(self.capabilities) if start <= a < limit and self.capabilities[a].tag)

    def regions(self, start: int, limit: int) -> Iterator[tuple[int, int, Prot, str]]:
        for low, high, prot, name in (
            (0x1000, 0x8000, Prot.READ | Prot.WRITE, "data"),
            (0x8000, 0x9000, Prot.READ, "fixed"),
        ):
            if max(start, low) < min(limit, high):
                yield max(start, low), min(limit, high), prot, name


def _data(base: int, size: int, without: int = 0) -> Capability:
    wide = CAP_MAX.clear_permissions(
        int(Perm.EXECUTE | Perm.SEAL | Perm.UNSEAL | Perm.EXECUTIVE) | int(without)
    )
    return wide.set_value(base).set_bounds(size, exact=True)


def _pieces(space: Plain, **roots: Capability) -> list[tuple[int, int, str]]:
    found = reach(space, roots)  # type: ignore[arg-type]
    assert found.is_complete
    return [(p.start, p.limit, p.rights) for p in found.pieces]


def test_through_memory_and_back_again() -> None:
    space = Plain()
    space.capabilities[0x1000] = _data(0x2000, 32)
    space.capabilities[0x2010] = _data(0x1000, 16)
    space.capabilities[0x3000] = _data(0x4000, 16)
    assert _pieces(space, c0=_data(0x1000, 16)) == [(0x1000, 0x1010, "rwRW"), (0x2000, 0x2020, "rwRW")]
    found = reach(space, {"c0": _data(0x1000, 16)})  # type: ignore[arg-type]
    assert [step.place for step in found.way_to(0x2018)] == ["c0", "0x1000"]
    assert found.way_to(0x4000) == []


def test_without_load_capability_nothing_is_loaded() -> None:
    space = Plain()
    space.capabilities[0x1000] = _data(0x2000, 32)
    assert _pieces(space, c0=_data(0x1000, 16, Perm.LOAD_CAP)) == [(0x1000, 0x1010, "rwW")]


def test_without_mutable_load_what_is_loaded_is_read_only() -> None:
    space = Plain()
    space.capabilities[0x1000] = _data(0x2000, 32)
    space.capabilities[0x2000] = _data(0x3000, 16)
    only = _data(0x1000, 16, Perm.MUTABLE_LOAD)
    expected = [(0x1000, 0x1010, "rwRW"), (0x2000, 0x2020, "rR"), (0x3000, 0x3010, "rR")]
    assert _pieces(space, c0=only) == expected
    both = {"c0": only, "c1": _data(0x1000, 16)}
    assert _pieces(space, **both)[1:] == [(0x2000, 0x2020, "rwRW"), (0x3000, 0x3010, "rwRW")]


def test_pages_have_their_say() -> None:
    assert _pieces(Plain(), c0=_data(0x7FF0, 32)) == [(0x7FF0, 0x8000, "rwRW"), (0x8000, 0x8010, "rR")]
    assert _pieces(Plain(), c0=_data(0, 1 << 16)) == [(0x1000, 0x8000, "rwRW"), (0x8000, 0x9000, "rR")]


def test_sealed_capabilities_lead_nowhere_without_their_key() -> None:
    space = Plain()
    sealed = _data(0x2000, 16).with_object_type(77)
    sentry = CAP_MAX.set_value(0x3000).set_bounds(16, exact=True).with_object_type(1)
    space.capabilities[0x1000] = sealed
    space.capabilities[0x1010] = sentry
    found = reach(space, {"c0": _data(0x1000, 32)})  # type: ignore[arg-type]
    assert [s.capability for s in found.opaque] == [sealed]
    assert [s.capability for s in found.entries] == [sentry]
    assert found.size("r") == 32
    key = CAP_MAX.clear_permissions(int(Perm.LOAD | Perm.STORE | Perm.EXECUTE)).set_value(70)
    roots = {"c0": _data(0x1000, 32), "c1": key.set_bounds(8, exact=True)}
    found = reach(space, roots)  # type: ignore[arg-type]
    assert found.opaque == [] and found.size("w") == 48
    assert [s.place for s in found.seals] == ["c1"]


def test_untagged_roots_are_nothing() -> None:
    assert _pieces(Plain(), c0=_data(0x1000, 16).with_tag(False)) == []


def test_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    space = Plain()
    for index in range(64):
        space.capabilities[0x1000 + 16 * index] = _data(0x4000 + 32 * index, 16)
    roots = {"c0": _data(0x1000, 1024)}
    assert len(reach(space, roots).steps) == 65  # type: ignore[arg-type]
    monkeypatch.setattr(module, "MAX_CAPABILITIES", 10)
    found = reach(space, roots)  # type: ignore[arg-type]
    assert len(found.steps) == 10 and not found.is_complete
    monkeypatch.setattr(module, "MAX_GRANULES", 5)
    found = reach(space, roots)  # type: ignore[arg-type]
    assert len(found.steps) == 6 and not found.is_complete

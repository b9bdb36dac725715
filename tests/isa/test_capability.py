"""morello_isa.capability against the stored vectors, the shared reference vectors and its own laws."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from morello_isa.capability import (
    CAP_MAX,
    CAP_NULL,
    MASK64,
    Capability,
    decode_bounds,
    representable_length,
    representable_mask,
    sign_extend_address,
)
from morello_isa.permissions import PERM_ALL, ObjectType, Perm, permission_names

REPOSITORY = Path(__file__).parents[2]
OWN_VECTORS = REPOSITORY / "tests" / "vectors" / "capability.tsv"
SHARED_VECTORS = REPOSITORY.parent / "shared" / "facts" / "isa" / "capability_vectors.tsv"
LAWS = settings(deadline=None, max_examples=300, derandomize=True)

values = st.one_of(
    st.integers(0, MASK64),
    st.integers(0, 1 << 20),
    st.integers(0, 64).map(lambda n: (1 << n) - 1 & MASK64),
    st.integers(MASK64 - (1 << 20), MASK64),
)
lengths = st.one_of(
    st.integers(0, 1 << 64), st.integers(0, 1 << 16), st.integers(0, 64).map(lambda n: 1 << n)
)
raw_capabilities = st.builds(Capability, st.booleans(), st.integers(0, MASK64), values)


@st.composite
def derived_capabilities(draw: st.DrawFn) -> Capability:
    """A tagged capability reached from CMAX the way software does it: address, then bounds, then inside."""
    start = sign_extend_address(draw(values))
    length = min(draw(lengths), (1 << 64) - start)
    capability = CAP_MAX.set_value(start).set_bounds(length, exact=False)
    inside = capability.base + draw(st.integers(0, 1 << 64)) % (capability.length + 1)
    moved = capability.set_value(inside & MASK64)
    return moved if moved.tag else capability


def read(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_own_vectors() -> None:
    rows = read(OWN_VECTORS)
    assert len(rows) == 800
    for row in rows:
        n = {name: int(text, 16) for name, text in row.items()}
        c = Capability(True, n["hi"], n["value"])
        bounded, new = c.set_bounds(n["length"], exact=False), n["new_value"]
        assert (c.base, c.limit, c.bounds.valid) == (n["base"], n["limit"], bool(n["valid"])), row
        assert (bounded.hi, bounded.tag) == (n["bounds_hi"], bool(n["bounds_tag"])), row
        assert c.set_bounds(n["length"], exact=True).tag == bool(n["exact_tag"]), row
        assert c.is_representable(new) == bool(n["precise"]), row
        assert c.is_representable_fast(new - c.value) == bool(n["fast"]), row
        assert c.set_value(new).tag == bool(n["set_value_tag"]), row
        assert c.add(new - c.value).tag == bool(n["add_tag"]), row
        assert representable_mask(n["length"]) == n["mask"], row


@pytest.mark.skipif(not SHARED_VECTORS.exists(), reason="../shared is not there")
def test_shared_vectors() -> None:
    rows = read(SHARED_VECTORS)
    assert len(rows) == 2000
    for row in rows:
        c = Capability(True, int(row["hi"], 16), int(row["lo"], 16))
        length, new = int(row["req_len"], 16), int(row["new_value"], 16)
        bounded = c.set_bounds(length, exact=False)
        expected = (row["base"], row["limit"], row["scbnds_hi"], row["rrmask_len"], row["rrlen_len"])
        numbers = (c.base, c.limit, bounded.hi, representable_mask(length), representable_length(length))
        assert numbers == tuple(int(text, 16) for text in expected), row
        names = (
            "exponent", "bounds_valid", "value_in_bounds", "scbnds_tag", "scbndse_tag",
            "representable_precise", "representable_fast", "scvalue_tag", "add_tag",
        )  # fmt: skip
        small = (
            c.exponent, c.bounds.valid, c.value_in_bounds(), bounded.tag,
            c.set_bounds(length, exact=True).tag,
            c.is_representable(new), c.is_representable_fast(new - c.value), c.set_value(new).tag,
            c.add(new - c.value).tag,
        )  # fmt: skip
        assert small == tuple(int(row[name]) for name in names), row


def test_null_and_max() -> None:
    assert (CAP_NULL.bits, CAP_NULL.tag, CAP_NULL.base, CAP_NULL.limit) == (0, False, 0, 1 << 64)
    assert CAP_NULL.exponent == 63 and CAP_NULL.permissions == 0
    assert CAP_MAX.tag and CAP_MAX.permissions == PERM_ALL and CAP_MAX.exponent == 50
    assert (CAP_MAX.base, CAP_MAX.limit, CAP_MAX.length) == (0, 1 << 64, 1 << 64)
    assert CAP_MAX.bits == 0xFFFFC00000010005_0000000000000000


@pytest.mark.parametrize(
    ("value", "length", "hi", "exact"),
    [
        (0x1000, 0x10, 0xFFFFC00050101000, True),
        (0x1001, 0x3FFF, 0xFFFFC00050001001, True),
        (0x1000, 0x4000, 0xFFFFC00010071007, True),
        (0x1004, 0x4000, 0xFFFFC000100F1007, False),
        (0x1000, 0x4001, 0xFFFFC000100F1007, False),
        (1, 0x7FFF, 0xFFFFC00000070006, False),
        (0, 1 << 32, 0xFFFFC00000050005, True),
        (0x1000, (1 << 48) + 1, 0xFFFFC000000B0005, False),
        (0, 1 << 64, 0xFFFFC00000010005, True),
    ],
)
def test_bounds_encodings_worked_by_hand(value: int, length: int, hi: int, exact: bool) -> None:
    bounded = CAP_MAX.set_value(value).set_bounds(length, exact=False)
    assert bounded.tag and bounded.hi == hi
    assert CAP_MAX.set_value(value).set_bounds(length, exact=True).tag is exact


def test_precise_keeps_what_fast_drops() -> None:
    c = Capability(True, 0xFFFFC00026EF4005, 0x4B018C9FA7ECC7EE)
    assert c.is_representable(0x18C9FA7EC8001) and not c.is_representable_fast(0x18C9FA7EC8001 - c.value)


def test_bit_55_may_not_flip() -> None:
    c = Capability(True, 0xFFFFC0004000F000, 0x007FFFFFFFFFF000)
    assert c.is_representable_fast(0x1000) and not c.add(0x1000).tag


def test_flags_in_the_way_of_small_bounds() -> None:
    assert not CAP_MAX.set_value(0x5A00000000001000).set_bounds(0x100, exact=False).tag


@LAWS
@given(raw_capabilities)
def test_memory_form_round_trip(c: Capability) -> None:
    assert Capability.from_bytes(c.to_bytes(), c.tag) == c
    assert Capability.from_bits(c.bits, c.tag) == c
    rebuilt = c.clear_permissions(0).with_object_type(c.otype).set_flags(c.flags)
    assert rebuilt == c and hash(rebuilt) == hash(c)


@LAWS
@given(values, lengths)
@example(0x8, 0x7FF8)
@example(1, 0x7FFF)
@example(1, 1 << 64)
def test_set_bounds_covers_and_says_when_exact(value: int, length: int) -> None:
    start = sign_extend_address(value)
    bounded = CAP_MAX.set_value(start).set_bounds(length, exact=False)
    if not bounded.tag:
        assert start + length > 1 << 64
        return
    assert bounded.base <= start and bounded.limit >= start + length
    is_exact = CAP_MAX.set_value(start).set_bounds(length, exact=True).tag
    assert is_exact == ((bounded.base, bounded.limit) == (start, start + length))


@LAWS
@given(derived_capabilities(), lengths)
def test_set_bounds_never_grows(c: Capability, length: int) -> None:
    bounded = c.set_bounds(length, exact=False)
    if bounded.tag:
        assert c.base <= bounded.base and bounded.limit <= c.limit


@LAWS
@given(values, lengths)
def test_set_bounds_is_the_tightest_at_its_exponent(value: int, length: int) -> None:
    bounded = CAP_MAX.set_value(sign_extend_address(value)).set_bounds(length, exact=False)
    if bounded.tag:
        step = 1 << bounded.exponent + 3
        assert sign_extend_address(value) - bounded.base < step
        assert bounded.limit - (sign_extend_address(value) + length) < step


@LAWS
@given(derived_capabilities(), values)
def test_fast_implies_precise_on_derived_capabilities(c: Capability, value: int) -> None:
    for target in (value, c.base + value % (c.length + 1) & MASK64, c.limit + value % 4096 & MASK64):
        if c.add(target - c.value).tag:
            assert c.set_value(target).tag


@LAWS
@given(raw_capabilities, st.integers(-(1 << 20), 1 << 20), values)
def test_carried_bounds_are_the_decoded_ones(c: Capability, step: int, value: int) -> None:
    """The shortcut inside add and set_value changes neither tag nor bounds."""
    for start in (c, Capability(True, c.hi, c.base), Capability(True, c.hi, c.limit & MASK64)):
        for length in (step, (value % (start.length + 1)) - start.offset):
            cold = Capability(start.tag, start.hi, start.value)
            moved = cold.add(length)
            assert moved.bounds == decode_bounds(moved.hi, moved.value)
            keeps = cold.is_representable_fast(length) and not 51 <= c.exponent <= 62
            flips = c.exponent < 48 and bool((moved.value ^ cold.value) >> 55 & 1)
            assert moved.tag == (start.tag and keeps and not flips)
            placed = cold.set_value(moved.value)
            same = decode_bounds(c.hi, placed.value) == decode_bounds(c.hi, cold.value)
            assert placed.tag == (start.tag and cold.bounds.valid and same and not flips)
            assert placed.bounds == decode_bounds(placed.hi, placed.value)


@LAWS
@given(derived_capabilities(), st.integers(0, PERM_ALL), st.integers(0, PERM_ALL))
def test_clearing_permissions_is_monotone(c: Capability, first: int, second: int) -> None:
    weaker = c.clear_permissions(first)
    assert weaker.permissions == c.permissions & ~first
    assert weaker.clear_permissions(second).permissions & ~weaker.permissions == 0
    assert weaker.tag == c.tag and weaker.bounds == c.bounds


@LAWS
@given(lengths.filter(lambda n: n <= MASK64))
def test_representable_length_is_exact_on_its_mask(length: int) -> None:
    mask, rounded = representable_mask(length), representable_length(length)
    assert mask & rounded == rounded
    if rounded >= length and rounded < 1 << 63:
        start = 0x1234_5678_9ABC & mask
        assert CAP_MAX.set_value(start).set_bounds(rounded, exact=True).tag


def test_sealing_and_description() -> None:
    c = (
        CAP_MAX.set_value(0x41000010)
        .set_bounds(16, exact=True)
        .clear_permissions(Perm.EXECUTE | Perm.EXECUTIVE)
    )
    assert c.describe() == "0x41000010 [0x41000010,0x41000020) rwRW tagged"
    sentry = c.with_object_type(ObjectType.RB)
    assert sentry.is_sealed and sentry.describe() == "0x41000010 [0x41000010,0x41000020) rwRW sentry tagged"
    assert c.with_object_type(0x1234).with_tag(False).describe().endswith("rwRW sealed 0x1234 untagged")
    assert sentry.unsealed() == c
    assert permission_names(0x24041) == ["Load", "LoadCap", "MutableLoad", "Global"]


def test_in_bounds_add_takes_less_than_a_microsecond() -> None:
    c = CAP_MAX.set_value(0x10000).set_bounds(0x1000, exact=True)
    best = min(_seconds_per_add(c) for _ in range(5))
    assert best < 1.5e-6  # measured 0.4 us; the slack is for a busy machine


def _seconds_per_add(c: Capability) -> float:
    begin = time.process_time()
    for _ in range(20000):
        c.add(8)
    return (time.process_time() - begin) / 20000

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.capabilities import READ_ONLY, READ_WRITE
from loader.fragments import (
    MAX_LENGTH,
    PERM_EXECUTABLE,
    PERM_READ_ONLY,
    PERM_READ_WRITE,
    CapReloc,
    Fragment,
)

quick = settings(deadline=None, max_examples=100, derandomize=True)
addresses = st.integers(0, (1 << 64) - 1)


@quick
@given(addresses, st.integers(0, MAX_LENGTH), st.integers(0, 255))
def test_round_trip(address: int, length: int, permission: int) -> None:
    fragment = Fragment(address, length, permission)
    data = fragment.pack()
    assert len(data) == 16 and data[15] == permission
    assert Fragment.unpack(data) == fragment


def test_layout_of_the_bytes() -> None:
    data = Fragment(0x1122334455667788, 0x00AABBCCDDEEFF, PERM_READ_WRITE).pack()
    assert data.hex() == "8877665544332211" + "ffeeddccbbaa00" + "02"


def test_too_long_a_length_is_refused() -> None:
    with pytest.raises(ValueError, match="56 bits"):
        Fragment(0, MAX_LENGTH + 1, PERM_READ_ONLY).pack()


@quick
@given(addresses, addresses, addresses, st.sampled_from([1, 2, 4]))
def test_cap_relocs_round_trip(location: int, base: int, offset: int, code: int) -> None:
    record = CapReloc.for_fragment(location, Fragment(base, 32, code), offset)
    assert list(CapReloc.unpack_all(record.pack() * 2)) == [record, record]
    assert record.is_executable == (code == PERM_EXECUTABLE)


def test_permission_words_of_the_abi() -> None:
    kept = {c: CapReloc.for_fragment(0, Fragment(0, 0, c), 0).kept_permissions for c in (1, 2, 4)}
    assert kept == {1: 0x24041, 2: 0x37041, 4: 0x2C243}
    assert (READ_ONLY, READ_WRITE) == (0x24041, 0x37041)

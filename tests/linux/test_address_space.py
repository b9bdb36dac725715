"""The address space against a plain dictionary model: data, tags, permissions, fork, mapping changes."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from emulator.faults import FaultKind, MemoryAbort
from emulator.memory.address_space import AddressSpace, Area, BytesBacking, Prot, SharedPages
from emulator.memory.frames import FramePool
from emulator.memory.interface import Access

PAGE = 4096
BASE = 0x1_0000
RW = Prot.READ | Prot.WRITE
NORMAL = Access.NORMAL


def space_with(size: int, prot: Prot = RW, **options: object) -> AddressSpace:
    space = AddressSpace(FramePool(1 << 20))
    space.map(Area(BASE, BASE + size, prot, **options))  # type: ignore[arg-type]
    return space


def aborted(action) -> MemoryAbort:
    with pytest.raises(MemoryAbort) as caught:
        action()
    return caught.value


def test_untouched_memory_is_zero_and_untagged() -> None:
    space = space_with(PAGE)
    assert space.read(BASE + 5, 8, NORMAL) == 0
    assert space.read_cap(BASE, NORMAL) == (0, 0, False)
    assert space.pool.in_use == PAGE


def test_stores_clear_tags_of_every_granule_touched() -> None:
    space = space_with(2 * PAGE)
    for offset in (0, 16, PAGE - 16, PAGE):
        space.write_cap(BASE + offset, 7, 9, True, NORMAL)
    space.write(BASE + 15, 2, 0, NORMAL)
    space.write(BASE + PAGE - 1, 2, 0xABCD, NORMAL)
    assert [space.read_cap(BASE + o, NORMAL)[2] for o in (0, 16, PAGE - 16, PAGE)] == [False] * 4
    assert space.read(BASE + PAGE - 1, 2, NORMAL) == 0xABCD


def test_faults_have_kind_address_and_direction() -> None:
    space = space_with(PAGE, Prot.READ)
    abort = aborted(lambda: space.write(BASE + 8, 8, 1, NORMAL))
    assert (abort.kind, abort.address, abort.is_write) == (FaultKind.PERMISSION, BASE + 8, True)
    abort = aborted(lambda: space.read(BASE + PAGE - 4, 8, NORMAL))
    assert (abort.kind, abort.address) == (FaultKind.TRANSLATION, BASE + PAGE)
    assert aborted(lambda: space.fetch(BASE)).kind is FaultKind.PERMISSION


def test_a_store_over_two_pages_is_all_or_nothing() -> None:
    space = space_with(2 * PAGE)
    space.protect(BASE + PAGE, BASE + 2 * PAGE, Prot.READ)
    aborted(lambda: space.write(BASE + PAGE - 4, 8, -1, NORMAL))
    assert space.read(BASE + PAGE - 4, 4, NORMAL) == 0


def test_windows_disappear_when_permissions_change() -> None:
    space = space_with(PAGE)
    space.write(BASE, 8, 1, NORMAL)
    assert BASE >> 12 in space.write_pages and BASE >> 12 in space.read_pages
    space.protect(BASE, BASE + PAGE, Prot.READ)
    assert BASE >> 12 not in space.write_pages
    space.unmap(BASE, BASE + PAGE)
    assert BASE >> 12 not in space.read_pages and space.pool.in_use == 0


def test_stores_to_code_are_reported_and_never_have_a_window() -> None:
    space = space_with(PAGE, RW | Prot.EXEC)
    changes = []
    space.on_code_change = lambda: changes.append(1)
    space.write(BASE, 4, 0xD503201F, NORMAL)
    assert space.fetch(BASE) == 0xD503201F
    assert BASE >> 12 not in space.write_pages
    space.write(BASE, 4, 0xD65F03C0, NORMAL)
    assert changes and space.fetch(BASE) == 0xD65F03C0
    assert BASE >> 12 not in space.write_pages


def test_shared_memory_has_no_tags() -> None:
    pool = FramePool(1 << 20)
    space = AddressSpace(pool)
    pages = SharedPages(pool, None)
    space.map(Area(BASE, BASE + PAGE, RW, shared=pages))
    space.map(Area(BASE + PAGE, BASE + 2 * PAGE, RW, shared=pages))
    assert aborted(lambda: space.write_cap(BASE, 1, 2, True, NORMAL)).kind is FaultKind.CAP_PAGE
    space.write_cap(BASE, 1, 2, False, NORMAL)
    assert space.read_cap(BASE + PAGE, NORMAL) == (1, 2, False)
    assert not space.read_pages[BASE >> 12].capabilities
    child = space.fork()
    child.write(BASE, 8, 77, NORMAL)
    assert space.read(BASE + PAGE, 8, NORMAL) == 77


def test_fork_copies_on_write_and_keeps_tags() -> None:
    parent = space_with(2 * PAGE)
    parent.write_cap(BASE, 5, 6, True, NORMAL)
    parent.write(BASE + PAGE, 8, 1, NORMAL)
    child = parent.fork()
    assert parent.pool.in_use == 2 * PAGE
    parent.write(BASE + 8, 8, 99, NORMAL)
    assert child.read_cap(BASE, NORMAL) == (5, 6, True)
    assert parent.read_cap(BASE, NORMAL) == (99, 6, False)
    child.write(BASE + PAGE, 8, 2, NORMAL)
    assert parent.read(BASE + PAGE, 8, NORMAL) == 1
    child.clear()
    parent.clear()
    assert parent.pool.in_use == 0


def test_moving_keeps_tags_and_contents() -> None:
    space = space_with(2 * PAGE)
    space.write_cap(BASE + PAGE, 3, 4, True, NORMAL)
    space.move(BASE, BASE + 2 * PAGE, 0x9_0000)
    assert space.read_cap(0x9_0000 + PAGE, NORMAL) == (3, 4, True)
    assert space.area(BASE) is None


def test_backing_is_read_where_it_is_touched() -> None:
    space = space_with(2 * PAGE, backing=BytesBacking(b"x" * PAGE + b"yz"))
    assert space.read(BASE + PAGE, 4, NORMAL) == int.from_bytes(b"yz\0\0", "little")
    space.discard_pages(BASE, BASE + 2 * PAGE)
    assert space.read(BASE, 1, NORMAL) == ord("x")


def test_the_memory_limit_is_a_fault_not_a_crash() -> None:
    space = AddressSpace(FramePool(2 * PAGE))
    space.map(Area(BASE, BASE + 8 * PAGE, RW))
    space.write(BASE, 1, 1, NORMAL)
    space.write(BASE + PAGE, 1, 1, NORMAL)
    assert aborted(lambda: space.write(BASE + 2 * PAGE, 1, 1, NORMAL)).kind is FaultKind.EXTERNAL


def test_find_free_respects_alignment_and_areas() -> None:
    space = space_with(PAGE)
    assert space.find_free(PAGE, PAGE, BASE, 1 << 30) == BASE + PAGE
    assert space.find_free(PAGE, 1 << 16, BASE + 1, 1 << 30) == 0x2_0000
    assert space.find_free(PAGE, PAGE, BASE, BASE + PAGE) is None


PAGES = 6
addresses = st.integers(0, PAGES * PAGE - 16)
ranges = st.tuples(st.integers(0, PAGES - 1), st.integers(1, PAGES)).map(
    lambda pair: (BASE + pair[0] * PAGE, BASE + min(pair[0] + pair[1], PAGES) * PAGE)
)


class AgainstModel(RuleBasedStateMachine):
    """Bytes, tags and permissions after any sequence of operations equal a dictionary's."""

    def __init__(self) -> None:
        super().__init__()
        self.space = AddressSpace(FramePool(1 << 20))
        self.prot: dict[int, Prot] = {}
        self.data: dict[int, int] = {}
        self.tags: set[int] = set()

    def _drop(self, start: int, limit: int) -> None:
        self.data = {a: v for a, v in self.data.items() if not start <= a < limit}
        self.tags = {a for a in self.tags if not start <= a < limit}

    @rule(span=ranges, prot=st.sampled_from([RW, Prot.READ, Prot.NONE]))
    def map(self, span: tuple[int, int], prot: Prot) -> None:
        self.space.map(Area(*span, prot))
        self._drop(*span)
        self.prot.update(dict.fromkeys(range(span[0], span[1], PAGE), prot))

    @rule(span=ranges)
    def unmap(self, span: tuple[int, int]) -> None:
        self.space.unmap(*span)
        self._drop(*span)
        for page in range(*span, PAGE):
            self.prot.pop(page, None)

    @rule(span=ranges, prot=st.sampled_from([RW, Prot.READ]))
    def protect(self, span: tuple[int, int], prot: Prot) -> None:
        self.space.protect(*span, prot)
        for page in range(*span, PAGE):
            if page in self.prot:
                self.prot[page] = prot

    @rule(offset=addresses, size=st.sampled_from([1, 2, 4, 8, 16, 64]), value=st.integers(0, 1 << 64))
    def store(self, offset: int, size: int, value: int) -> None:
        at = BASE + offset
        pages = {at & -PAGE, (at + size - 1) & -PAGE}
        if all(self.prot.get(page, Prot.NONE) & Prot.WRITE for page in pages):
            self.space.write(at, size, value, NORMAL)
            for i in range(size):
                self.data[at + i] = value >> 8 * i & 255
                self.tags.discard((at + i) & -16)
        else:
            aborted(lambda: self.space.write(at, size, value, NORMAL))

    @rule(offset=addresses, tag=st.booleans())
    def store_capability(self, offset: int, tag: bool) -> None:
        at = BASE + offset & -16
        if self.prot.get(at & -PAGE, Prot.NONE) & Prot.WRITE:
            self.space.write_cap(at, 1, 2, tag, NORMAL)
            self.data.update({at + i: v for i, v in enumerate(b"\2" + bytes(7) + b"\1" + bytes(7))})
            (self.tags.add if tag else self.tags.discard)(at)

    @rule()
    def fork_and_scribble(self) -> None:
        child = self.space.fork()
        for page, prot in self.prot.items():
            if prot & Prot.WRITE:
                child.write(page + 32, 8, 0xFFFF, NORMAL)
        child.clear()

    @invariant()
    def memory_equals_model(self) -> None:
        for page, prot in self.prot.items():
            if prot & Prot.READ:
                found = self.space.read_bytes(page, PAGE)
                assert found == bytes(self.data.get(page + i, 0) for i in range(PAGE))
                tags = {page + o for o in range(0, PAGE, 16) if self.space.read_cap(page + o, NORMAL)[2]}
                assert tags == {t for t in self.tags if page <= t < page + PAGE}


TestAgainstModel = AgainstModel.TestCase
TestAgainstModel.settings = settings(max_examples=15, stateful_step_count=12, deadline=None, derandomize=True)

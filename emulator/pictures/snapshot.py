"""What a capability map shows: areas, tagged capabilities in memory and registers, and who can get at them.

Taken from a process while it is stopped; nothing of the guest is changed.
"""

from __future__ import annotations

import posixpath
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emulator.debug.registers import read
from emulator.memory.address_space import Area, Prot
from emulator.memory.interface import GRANULE, PAGE_SIZE
from emulator.state.pe import RESTRICTED_BANK
from morello_isa.capability import Capability
from morello_isa.permissions import ObjectType, Perm

if TYPE_CHECKING:
    from emulator.linux.process import LoadedImage, Process, Task

MOST_CAPABILITIES = 250_000
"""Kept one by one; beyond that a page becomes too large for a browser. Tag counts are always complete."""
_FOLLOWED = int(Perm.LOAD | Perm.LOAD_CAP)
RESTRICTED_REGISTERS = ("rcsp", "rddc", "rctpidr")
EXECUTIVE_REGISTERS = ("ecsp", "ddc", "ctpidr")
REGISTERS = ("pcc", *(f"c{n}" for n in range(31)), "ecsp", "rcsp", "ddc", "rddc", "ctpidr", "rctpidr", "cid")


@dataclass(frozen=True, slots=True)
class HeldCapability:
    """A tagged capability and where it is: an address, or a register of a thread (address None).

    `reachable`: Restricted code can load it without anybody's help.
    """

    address: int | None
    value: Capability
    reachable: bool
    register: str = ""
    thread: int = 0


@dataclass(frozen=True, slots=True)
class MappedArea:
    """[start, limit) of the memory map. `group` is what it belongs to: a library's name, [stack], or "".

    `tags` maps a touched page's number within the area to how many of its 256 granules are tagged.
    """

    start: int
    limit: int
    rights: str
    label: str
    group: str
    shared: bool
    tags: dict[int, int]


@dataclass(slots=True)
class Snapshot:
    """Everything."""

    program: str
    arguments: list[str]
    moment: str
    instructions: int
    purecap: bool
    restricted_libraries: list[str]
    areas: list[MappedArea] = field(default_factory=list)
    capabilities: list[HeldCapability] = field(default_factory=list)
    total: int = 0
    """Capabilities found; more than there are in `capabilities` when those were too many."""
    resident_bytes: int = 0
    focus: tuple[int, str] | None = None
    """(thread, register) of the capability that a fault is about."""


def take(process: Process, moment: str, instructions: int) -> Snapshot:
    """The state of a process now. `moment` says in words when that is."""
    space = process.space
    libraries = list(_restricted_libraries(process))
    snapshot = Snapshot(
        posixpath.basename(process.executable) or process.name,
        [argument.decode(errors="replace") for argument in process.arguments],
        moment,
        instructions,
        process.abi.is_purecap,
        [posixpath.basename(image.path) for image in libraries],
        resident_bytes=space.resident_bytes(),
    )
    if process.abi.is_purecap:
        _add_capabilities(snapshot, process, libraries)
    snapshot.areas = list(_areas(process))
    return snapshot


def _add_capabilities(snapshot: Snapshot, process: Process, libraries: list[LoadedImage]) -> None:
    space = process.space
    places = list(space.tagged_granules())
    values = []
    for place in places:
        hi, lo, tag = space.peek_cap(place)
        values.append(Capability(tag, hi, lo))
    reach = Reach(places, values, [a for a in space.areas() if a.prot & Prot.READ])
    for image in libraries:
        reach.follow_range(image.start, image.limit)
    registers = [held for task in process.tasks for held in _registers(task)]
    for held in registers:
        if held.reachable:
            reach.follow(held.value)
    reached = reach.finish()
    snapshot.total = len(registers) + len(places)
    memory = (
        HeldCapability(place, value, index in reached)
        for index, (place, value) in enumerate(zip(places, values, strict=True))
    )
    snapshot.capabilities = registers + list(_thinned(memory, len(places), MOST_CAPABILITIES))


def _thinned(held: Iterable[HeldCapability], count: int, most: int) -> Iterator[HeldCapability]:
    """All, or evenly chosen ones of too many."""
    step = max(-(-count // most), 1)
    for index, item in enumerate(held):
        if index % step == 0:
            yield item


def _registers(task: Task) -> Iterator[HeldCapability]:
    restricted = task.pe.is_restricted
    for name in REGISTERS:
        value = read(task, name)
        if not isinstance(value, Capability) or not value.tag:
            continue
        # What isn't banked belongs to the side that runs; `ddc` names the other bank's register there.
        if not (name == "ddc" and restricted):
            reachable = name in RESTRICTED_REGISTERS or (restricted and name not in EXECUTIVE_REGISTERS)
            yield HeldCapability(None, value, reachable, name, task.tid)


def _restricted_libraries(process: Process) -> Iterator[LoadedImage]:
    handles = process.loader.handles.values() if process.loader is not None else ()
    paths = {handle.item.path for handle in handles if handle.is_restricted}
    for image in process.images:
        if image.path in paths:
            yield image


class Reach:
    """Which capabilities in memory Restricted code gets at by loading, from what it holds.

    Nothing is unsealed. A sentry without Executive is followed too: entering it reads its code's own memory.
    Each capability is visited once: `_next` leads past those that were.
    """

    def __init__(self, places: list[int], values: list[Capability], readable: list[Area]) -> None:
        self._places = places
        self._values = values
        self._starts = [area.start for area in readable]
        self._limits = [area.limit for area in readable]
        self._next = list(range(len(places) + 1))
        self._waiting: list[tuple[int, int]] = []
        self._known: set[tuple[int, int]] = set()
        self._found: set[int] = set()

    def follow(self, value: Capability) -> None:
        """From a capability that Restricted code holds."""
        sealed = value.otype not in (ObjectType.UNSEALED, ObjectType.RB)
        executive_entry = value.otype == ObjectType.RB and value.has(int(Perm.EXECUTIVE))
        if sealed or executive_entry or not value.has(_FOLLOWED) or not value.bounds.valid:
            return
        self.follow_range(value.base, value.limit)

    def follow_range(self, start: int, limit: int) -> None:
        """From memory that Restricted code can read."""
        if (start, limit) not in self._known:
            self._known.add((start, limit))
            self._waiting.append((start, limit))

    def finish(self) -> set[int]:
        """Indexes of all that were found."""
        while self._waiting:
            start, limit = self._waiting.pop()
            first = max(bisect_right(self._starts, start) - 1, 0)
            last = bisect_left(self._starts, limit)
            for area in range(first, last):
                self._visit(max(start, self._starts[area]), min(limit, self._limits[area]))
        return self._found

    def _visit(self, start: int, limit: int) -> None:
        index = self._unvisited(bisect_left(self._places, start)) if start < limit else len(self._places)
        while index < len(self._places) and self._places[index] + GRANULE <= limit:
            self._next[index] = index + 1
            self._found.add(index)
            self.follow(self._values[index])
            index = self._unvisited(index)

    def _unvisited(self, index: int) -> int:
        """The first capability from `index` on that was not visited, halving the way for the next time."""
        following = self._next
        while following[index] != index:
            following[index] = following[following[index]]
            index = following[index]
        return index


def _areas(process: Process) -> Iterator[MappedArea]:
    space = process.space
    labels = dict(_stack_labels(process))
    pages: dict[int, int] = dict.fromkeys(space.touched_pages(), 0)
    for place in space.tagged_granules():
        pages[place & -PAGE_SIZE] += 1
    touched = sorted(pages)
    for area in space.areas():
        first, last = bisect_left(touched, area.start), bisect_left(touched, area.limit)
        tags = {(page - area.start) // PAGE_SIZE: pages[page] for page in touched[first:last]}
        group = _group(process, area)
        yield MappedArea(
            area.start,
            area.limit,
            "".join(letter if area.prot & bit else "-" for letter, bit in _RIGHTS),
            labels.get(area.start, ""),
            group,
            area.shared is not None,
            tags,
        )


_RIGHTS = (("r", Prot.READ), ("w", Prot.WRITE), ("x", Prot.EXEC))


def _group(process: Process, area: Area) -> str:
    for image in process.images:
        if image.start < area.limit and area.start < image.limit:
            return posixpath.basename(image.path)
    return posixpath.basename(area.name) if "/" in area.name else area.name


def _stack_labels(process: Process) -> Iterator[tuple[int, str]]:
    """Names of areas that a thread's stack pointers lie in (at their end, when the stack is empty)."""
    for task in process.tasks:
        for bank, name in ((0, "stack"), (RESTRICTED_BANK, "Restricted stack")):
            pointer = task.pe.stack[bank]
            if not pointer.tag:
                continue
            area = process.space.area(pointer.value) or process.space.area(pointer.value - 1)
            if area is not None:
                yield area.start, f"{name} of thread {task.tid}"

"""What memory can be reached from some capabilities: loads through them, and through what those loads give.

The rules are the PE's own: a load needs Load and LoadCap and the page's permission to read; what is loaded
through a capability without MutableLoad loses its store permissions; a sealed capability can be jumped to or
passed on but not used, unless some reached capability may unseal its object type. What is reached by jumping
into another domain is that domain's own and isn't counted.

Work is bounded by `MAX_CAPABILITIES` and `MAX_GRANULES`; `Reach.is_complete` tells whether that was enough.
The order of the search is fixed, so that the same machine always gives the same answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from emulator.debug.target import Space, TooMuchError
from emulator.memory.address_space import Prot
from morello_isa.capability import Capability
from morello_isa.permissions import OTYPE_MAX, ObjectType, Perm

MAX_CAPABILITIES = 200_000
MAX_GRANULES = 1_000_000
_NOT_MUTABLE = int(Perm.STORE | Perm.STORE_CAP | Perm.STORE_LOCAL_CAP | Perm.MUTABLE_LOAD)
_LOAD_CAPABILITIES = int(Perm.LOAD | Perm.LOAD_CAP)
_LETTERS = (
    ("r", int(Perm.LOAD), Prot.READ),
    ("w", int(Perm.STORE), Prot.WRITE),
    ("x", int(Perm.EXECUTE), Prot.EXEC),
    ("R", _LOAD_CAPABILITIES, Prot.READ),
    ("W", int(Perm.STORE | Perm.STORE_CAP), Prot.WRITE),
)
"""Letter, permissions of the capability, permission of the page."""


@dataclass(frozen=True, slots=True)
class Step:
    """A capability that was reached: from a register (`place` is its name) or loaded from memory."""

    capability: Capability
    place: str
    by: Step | None = None
    """The capability that it was loaded through."""


@dataclass(frozen=True, slots=True)
class Piece:
    """[start, limit) can be used as `rights` says (of "rwxRW"); `name` is that of the mapping."""

    start: int
    limit: int
    rights: str
    name: str


@dataclass
class Reach:
    """The answer. `entries` are sealed capabilities that can be jumped to, `opaque` other sealed ones."""

    pieces: list[Piece] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    entries: list[Step] = field(default_factory=list)
    opaque: list[Step] = field(default_factory=list)
    seals: list[Step] = field(default_factory=list)
    """Capabilities that can seal or unseal object types in their bounds."""
    is_complete: bool = True

    def size(self, right: str) -> int:
        """Bytes that can be used with a right."""
        return sum(piece.limit - piece.start for piece in self.pieces if right in piece.rights)

    def way_to(self, address: int) -> list[Step]:
        """The first capability found whose bounds hold an address, and those it was reached through."""
        step = next((s for s in self.steps if s.capability.in_bounds(address, 1)), None)
        way = []
        while step is not None:
            way.append(step)
            step = step.by
        return way[::-1]


def reach(space: Space, roots: Mapping[str, Capability]) -> Reach:
    """Everything reachable from the named capabilities."""
    search = _Search(space)
    for name, capability in roots.items():
        search.found(Step(capability, name))
    search.run()
    result = search.result
    try:
        for piece in _pieces(space, result.steps):
            result.pieces.append(piece)
    except TooMuchError:
        result.is_complete = False
    return result


class _Search:
    def __init__(self, space: Space) -> None:
        self._space = space
        self.result = Reach()
        self._queue: deque[Step] = deque()
        self._seen: set[tuple[int, int, int, int]] = set()
        self._scanned = {True: _Ranges(), False: _Ranges()}
        """Where capabilities were loaded from, by whether with MutableLoad."""
        self._granules = 0

    def found(self, step: Step) -> None:
        """A capability was reached: sort it in, once for each authority."""
        capability = step.capability
        if not capability.tag or not capability.bounds.valid:
            return
        sealed = capability.is_sealed
        value = capability.value if sealed else 0
        key = (capability.base, capability.limit, capability.permissions | capability.otype << 18, value)
        if key in self._seen:
            return
        if len(self._seen) >= MAX_CAPABILITIES:
            self.result.is_complete = False
            return
        self._seen.add(key)
        if not sealed:
            self._usable(step)
        elif capability.otype <= ObjectType.LB:
            self.result.entries.append(step)
        else:
            self.result.opaque.append(step)

    def _usable(self, step: Step) -> None:
        self.result.steps.append(step)
        self._queue.append(step)
        is_key = step.capability.permissions & (Perm.SEAL | Perm.UNSEAL)
        if is_key and step.capability.base <= OTYPE_MAX:
            self.result.seals.append(step)

    def run(self) -> None:
        """Load until nothing new comes."""
        while self._queue:
            while self._queue:
                self._load_through(self._queue.popleft())
            self._unseal()

    def _load_through(self, step: Step) -> None:
        authority = step.capability
        if not authority.has(_LOAD_CAPABILITIES):
            return
        mutable = authority.has(int(Perm.MUTABLE_LOAD))
        wanted = [(authority.base, authority.limit)]
        for scanned in (True,) if mutable else (True, False):
            wanted = [rest for part in wanted for rest in self._scanned[scanned].missing(*part)]
        self._scanned[mutable].add(authority.base, authority.limit)
        try:
            for start, limit in wanted:
                for low, high, rights, _ in self._space.regions(start, limit):
                    if rights & Prot.READ:
                        self._scan(low, high, step, mutable)
        except TooMuchError:
            self.result.is_complete = False

    def _scan(self, start: int, limit: int, by: Step, mutable: bool) -> None:
        for address in self._space.tagged_granules(start + 15 & -16, limit & -16):
            self._granules += 1
            if self._granules > MAX_GRANULES:
                self.result.is_complete = False
                return
            hi, lo, tag = self._space.peek_cap(address)
            loaded = Capability(tag, hi, lo)
            if not mutable and not loaded.is_sealed:
                loaded = loaded.clear_permissions(_NOT_MUTABLE)
            self.found(Step(loaded, f"{address:#x}", by))

    def _unseal(self) -> None:
        """What is sealed with a type that a reached capability may unseal is usable after all."""
        keys = [s.capability for s in self.result.seals if s.capability.has(int(Perm.UNSEAL))]
        for step in list(self.result.opaque):
            otype = step.capability.otype
            if any(key.base <= otype < key.limit for key in keys):
                self.result.opaque.remove(step)
                self.found(Step(step.capability.unsealed(), step.place, step.by))


class _Ranges:
    """A set of addresses, as sorted ranges that don't touch."""

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int]] = []

    def missing(self, start: int, limit: int) -> Iterator[tuple[int, int]]:
        """The parts of [start, limit) that are not in the set."""
        for low, high in self._ranges:
            if low >= limit:
                break
            if high <= start:
                continue
            if start < low:
                yield start, low
            start = max(start, high)
        if start < limit:
            yield start, limit

    def add(self, start: int, limit: int) -> None:
        """Put [start, limit) into the set."""
        kept = []
        for low, high in self._ranges:
            if high < start or low > limit:
                kept.append((low, high))
            else:
                start, limit = min(start, low), max(limit, high)
        self._ranges = sorted([*kept, (start, limit)])


def _pieces(space: Space, steps: Iterable[Step]) -> Iterator[Piece]:
    """Mapped memory in the bounds of the capabilities, cut where rights change."""
    events: dict[int, list[int]] = {}
    for step in steps:
        capability = step.capability
        for index, (_, needed, _) in enumerate(_LETTERS):
            if capability.has(needed) and capability.base < capability.limit:
                events.setdefault(capability.base, [0] * len(_LETTERS))[index] += 1
                events.setdefault(capability.limit, [0] * len(_LETTERS))[index] -= 1
    counts = [0] * len(_LETTERS)
    cuts = sorted(events)
    last: Piece | None = None
    for start, limit in pairwise(cuts):
        counts = [a + b for a, b in zip(counts, events[start], strict=True)]
        if not any(counts):
            continue
        for low, high, prot, name in space.regions(start, limit):
            rights = "".join(
                letter
                for (letter, _, page), count in zip(_LETTERS, counts, strict=True)
                if count and prot & page
            )
            if not rights:
                continue
            if last is not None and (last.limit, last.rights, last.name) == (low, rights, name):
                last = Piece(last.start, high, rights, name)
                continue
            if last is not None:
                yield last
            last = Piece(low, high, rights, name)
    if last is not None:
        yield last

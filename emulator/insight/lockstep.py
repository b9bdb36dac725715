"""Both engines on one program or image in lockstep, and the search for the instruction where they part.

Two sides with equal, deterministic state are run to the same instruction count again and again and compared
there. Where a comparison fails, fresh pairs repeat the run: up to the last stop where all was well exactly as
before, then to a stop in between, halving the distance.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from emulator.engine.translate.observed import Census
from emulator.insight.states import Difference

if TYPE_CHECKING:
    from emulator.insight.owners import Owners
    from emulator.linux.kernel import EngineFactory
    from emulator.state.pe import Pe

EVERY = 5000
"""Instructions between two comparisons, about: enough for code that runs freely."""


class Side(Protocol):
    """One of the two machines. `outcome` is None until the end, then something to compare and to show."""

    outcome: object

    @property
    def instructions(self) -> int:
        """Executed so far."""

    def advance(self, count: int) -> None:
        """Run until that many instructions were executed in all, or the end."""

    def current(self) -> tuple[Pe, str] | None:
        """The PE that runs next, and what to call it."""

    def word(self) -> int:
        """The instruction that it runs next; 0 if it can't be fetched."""

    def attach(self, owners: Owners) -> None:
        """Let names be found."""

    def close(self) -> None:
        """No more is wanted of it."""


class Subject(Protocol):
    """What is run. `limit`: instructions at most."""

    limit: int | None

    def reference(self, loud: bool) -> Side:
        """A side with the reference engine; `loud`: what the guest writes is passed on."""

    def fast(self, engines: EngineFactory | None) -> Side:
        """A quiet side with these engines, or the fast one as it is."""

    def differences(self, reference: Side, fast: Side) -> list[Difference]:
        """Between the two states."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The reference machine and the fast one."""

    subject: Subject
    reference: Side
    fast: Side

    def advance(self, count: int) -> None:
        """Run both to a count."""
        self.reference.advance(count)
        self.fast.advance(count)

    def differences(self) -> list[Difference]:
        """What differs now."""
        one, other = self.reference, self.fast
        found = self.subject.differences(one, other)
        if one.outcome != other.outcome:
            ends = [
                str(side.outcome) if side.outcome is not None else "still running" for side in (one, other)
            ]
            found.insert(0, Difference("the end", *ends))
        return found

    def close(self) -> None:
        """No more is wanted of it."""
        self.reference.close()
        self.fast.close()


@dataclass
class Found:
    """The engines part at instruction number `at`: equal after `at` - 1, different after it.

    `longest` is the length of blocks with which that was found, None for the ordinary engine's. With 1 it is
    that very instruction; otherwise one of the block that ended there or a little before.
    """

    at: int
    differences: list[Difference]
    longest: int | None


class Lockstep:
    """A comparison of a subject's two sides."""

    def __init__(self, subject: Subject, every: int = EVERY) -> None:
        self._subject = subject
        self._every = every
        self.executed = 0
        self.stops: list[int] = []
        """Counts of instructions where all was equal."""

    def run(self, progress: Callable[[int], None]) -> Found | None:
        """Run to the end or the first difference, which is then narrowed down. `progress` gets counts."""
        pair = Pair(self._subject, self._subject.reference(loud=True), self._subject.fast(None))
        chance = random.Random(self._every)
        limit = self._subject.limit
        count = 0
        try:
            while True:
                count += chance.randrange(self._every // 2 + 1, 3 * self._every // 2 + 2)
                count = count if limit is None else min(count, limit)
                pair.advance(count)
                self.executed = pair.reference.instructions
                found = pair.differences()
                if found:
                    return self._narrow(count, found, progress)
                if pair.reference.outcome is not None or count == limit:
                    return None
                self.stops.append(count)
                progress(self.executed)
        finally:
            pair.close()

    def _narrow(self, bad: int, found: list[Difference], progress: Callable[[int], None]) -> Found:
        """Look for the instruction, with blocks as short as the difference allows."""
        for longest in (1, 4, 16, None):
            there = self._differences_at(bad, longest) if longest is not None else found
            if there:
                return self._bisect(bad, there, longest, progress)
        raise AssertionError

    def _bisect(
        self, bad: int, found: list[Difference], longest: int | None, progress: Callable[[int], None]
    ) -> Found:  # fmt: skip
        good, bad, found = self._last_good(bad, found, longest)
        while bad - good > 1:
            middle = (good + bad) // 2
            progress(middle)
            there = self._differences_at(middle, longest)
            if there:
                bad, found = middle, there
            else:
                good = middle
        return Found(bad, found, longest)

    def _last_good(
        self, bad: int, found: list[Difference], longest: int | None
    ) -> tuple[int, int, list[Difference]]:  # fmt: skip
        """(good, bad, found): a stop without a difference, and the first one looked at after it that has one.

        The first run's last good stop need not be good with shorter blocks, which show more.
        """
        if longest is None:
            return self.stops[-1] if self.stops else 0, bad, found
        back = 1
        while back <= len(self.stops):
            stop = self.stops[-back]
            there = self._differences_at(stop, longest)
            if not there:
                return stop, bad, found
            bad, found, back = stop, there, 2 * back
        return 0, bad, found

    def _differences_at(self, count: int, longest: int | None) -> list[Difference]:
        pair = self.repeat(count, None if longest is None else Census(lambda _: None, longest).make)
        try:
            return pair.differences()
        finally:
            pair.close()

    def repeat(self, count: int, fast: EngineFactory | None = None) -> Pair:
        """A pair that has run to a count, with the stops that the first run made."""
        pair = Pair(self._subject, self._subject.reference(loud=False), self._subject.fast(fast))
        for stop in self.stops:
            if stop < count:
                pair.advance(stop)
        pair.advance(count)
        return pair

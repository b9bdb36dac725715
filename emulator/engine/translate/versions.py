"""Translations: found by context, address and facts; which of a block's versions an edge goes to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from emulator.engine.context import Context
from emulator.engine.translate.contexts import family_of
from emulator.engine.translate.exits import Exit
from emulator.engine.translate.facts import Facts, common, covers
from emulator.engine.translate.stretch import Frame
from morello_isa.capability import Capability

LONGEST_PATH = 1024
"""No more instructions than that are executed between two budget tests."""
_PATH_STEP = 128
_VERSIONS = 3
"""Versions of a block for different facts, before one is made that needs none."""
_NEIGHBOURHOOD = 8
"""log2 of the bytes of guest code that are likely to belong together."""
_IMPROVED_VERSIONS = 2
"""Versions of a block for loops and jumps that know more."""


class Translation:
    """A translated stretch. `host` is where its code is entered; `checked` tests the budget first.

    `starts` are the host addresses of its instructions' code, ascending; `places` their (PC, `Exit.ahead`).
    """

    __slots__ = (
        "checked", "domain", "facts", "forms", "host", "improved", "path", "pc", "places", "starts", "swaps",
        "tested",
    )  # fmt: skip

    def __init__(self, domain: Domain, pc: int, facts: Facts, tested: bool, path: int) -> None:
        self.domain = domain
        self.forms = len(domain.changed_forms)
        self.pc = pc
        self.facts = facts
        self.tested = tested
        self.improved = False
        """It was made because an edge knew more than others."""
        self.path = path
        self.host = self.checked = 0
        self.starts: list[int] = []
        self.places: list[tuple[int, int]] = []
        self.swaps: dict[int, tuple[int, ...]] = {}

    def entry(self, exit_: Exit) -> int:
        """Where an edge that this translation covers enters it."""
        if self.domain.frame.exact:
            return self.checked
        if self.tested or (not exit_.tested and exit_.path <= self.path):
            return self.host
        return self.checked


class Domain:
    """The translations under one context in one code space; `anchor` is a PCC of that context, `window` where
    it may fetch."""

    __slots__ = (
        "_places", "anchor", "blocks", "changed_forms", "context", "digest", "family", "frame", "general",
        "key", "last_use", "narrow", "plain", "space", "window",
    )  # fmt: skip

    def __init__(
        self, context: Context, space: int, plain: bool, exact: bool, anchor: Capability,
        window: tuple[int, int], table: int,
    ) -> None:  # fmt: skip
        self.window = window
        self.context = context
        self.space = space
        self.plain = plain
        self.anchor = anchor
        self.key = context, space, plain, exact
        self.last_use = 0
        """Number of the entry into translated code at which it was wanted last."""
        self.blocks: dict[int, list[Translation]] = {}
        self._places: dict[int, int] = {}
        self.narrow: set[int] = set()
        self.general: set[int] = set()
        self.changed_forms: list[int] = []
        """PCs of instructions whose quick form has failed, as they became narrow and then general."""
        self.family = family_of(context, space, plain, exact)
        self.digest = hashlib.blake2b(repr((context, plain, exact, window)).encode(), digest_size=32).digest()
        """Stands for all that translations depend on but instructions."""
        self.frame = Frame(context, window, table, plain, exact, self.narrow, self.general)

    def add(self, made: Translation) -> None:
        """A new translation has its place."""
        self.blocks.setdefault(made.pc, []).append(made)
        self._places[made.pc >> _NEIGHBOURHOOD] = made.host

    def neighbour(self, pc: int) -> int | None:
        """Where code of the same neighbourhood has been put last: probably of the same function."""
        here = pc >> _NEIGHBOURHOOD
        for place in (here, here - 1, here + 1):
            host = self._places.get(place)
            if host is not None:
                return host
        return None

    def other_form(self, pc: int) -> bool:
        """Give an instruction another form, if there is one."""
        if pc in self.general:
            return False
        (self.general if pc in self.narrow else self.narrow).add(pc)
        self.changed_forms.append(pc)
        return True

    def find(self, exit_: Exit) -> Translation | None:
        """The translation that an edge goes to, if a good one is there."""
        versions = self.blocks.get(exit_.pc)
        if not versions:
            return None
        best = None
        for version in versions:
            if covers(exit_.facts, version.facts) and (
                best is None or _rank(version, exit_) > _rank(best, exit_)
            ):
                best = version
        if best is not None and exit_.improves:
            better = (exit_.tested and not best.tested) or len(exit_.facts) > len(best.facts)
            if better and sum(version.improved for version in versions) < _IMPROVED_VERSIONS:
                return None
        return best

    def new_version(self, exit_: Exit) -> Translation:
        """An empty translation for an edge that has none."""
        versions = self.blocks.get(exit_.pc, [])
        facts = exit_.facts
        same = [version for version in versions if version.tested == exit_.tested]
        if exit_.improves:
            pass
        elif len(versions) >= _VERSIONS:
            facts = {}
        elif same:
            facts = _shared(facts, same)
        path = exit_.path + _PATH_STEP - 1 & -_PATH_STEP
        tested = exit_.tested or path > LONGEST_PATH - 2 * _PATH_STEP
        made = Translation(self, exit_.pc, facts, tested, 0 if tested else path)
        made.improved = exit_.improves
        return made


def _rank(version: Translation, exit_: Exit) -> tuple[bool, int]:
    return version.tested == exit_.tested, len(version.facts)


def _shared(facts: Facts, versions: Iterable[Translation]) -> Facts:
    for version in versions:
        facts = common(facts, version.facts)
    return facts

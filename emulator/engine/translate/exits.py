"""The ways out of a translated stretch."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from emulator.engine.translate.facts import Facts


class ExitKind(IntEnum):
    """Why translated code leaves: see `Exit`."""

    EDGE = 0
    """A direct branch or the end of the stretch: go on at `pc`, and link `site` to it."""
    SINGLE = 1
    """The instruction at `pc` is for the reference engine."""
    BUDGET = 2
    """No instructions are left, or soon none will be."""
    INDIRECT = 3
    """A branch to a register's value that isn't in the tables: the reference engine's, then entered there."""


@dataclass(slots=True)
class Exit:
    """`ahead`: instructions executed and not yet taken from the count (-1: taken, but not executed).

    `site` is the word (an index, then an address) that brought us here, `stub` where the exit's code is.
    EDGE: `facts` hold, the target needs a budget test (`tested`) or not, and `path` is the length of the way
    since the last one; `call`: it goes to a function. INDIRECT: `register`, `capability` (Cn or only Xn),
    `predictions` (addresses of prediction code) and the `targets` in them, all with metadata `hi` (whose
    constant is at `hi_at`), `gate` (the word before the code that looks into `table`); `facts` hold, too;
    `facts_only`: the table is for them, and for targets under the same PCC.
    """

    kind: ExitKind
    pc: int
    ahead: int
    site: int = -1
    stub: int = 0
    call: bool = False
    register: int = -1
    capability: bool = False
    predictions: tuple[int, ...] = ()
    hi_at: int = -1
    hi: int = 0
    gate: int = -1
    targets: tuple[int, ...] = ()
    facts: Facts = field(default_factory=dict)
    tested: bool = False
    path: int = 0
    table: int = 0
    facts_only: bool = False

    @property
    def improves(self) -> bool:
        """A version for more facts is worth making: loops and jumps."""
        return self.tested or self.kind is ExitKind.INDIRECT

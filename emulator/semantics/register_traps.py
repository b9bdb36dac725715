"""The classic traps of system registers: which control bit sends which access to which level."""

from __future__ import annotations

from enum import IntEnum

from emulator.state.pe import Pe


class Outcome(IntEnum):
    """What stops an access: UNDEFINED, or a trap (EC 0x18) to that level."""

    UNDEFINED = 0
    TRAP_EL1 = 1
    TRAP_EL2 = 2
    TRAP_EL3 = 3


def trap_of(pe: Pe, name: str, kind: str, is_read: bool, el: int) -> Outcome | None:
    """The first control that stops this access, or None."""
    return None

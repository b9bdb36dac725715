"""From which registers reachability starts."""

from __future__ import annotations

from emulator.debug import registers
from emulator.debug.expression import Value
from emulator.debug.target import Thread
from morello_isa.capability import Capability

_GENERAL = tuple(f"c{n}" for n in range(31))
_OF_EXECUTIVE = ("csp", "pcc", "ddc", "ctpidr", "rcsp", "rddc", "rctpidr")
_OF_RESTRICTED = ("rcsp", "rddc", "rctpidr")


def roots_of(thread: Thread, side: str = "") -> dict[str, Capability]:
    """The tagged registers that code can use: all of the side that runs, or "restricted": its own banks.

    Executive code can also read the registers of the Restricted bank.
    """
    if side:
        names: tuple[str, ...] = _OF_RESTRICTED
    else:
        banked = ("csp", "pcc", *_OF_RESTRICTED[1:]) if thread.pe.is_restricted else _OF_EXECUTIVE
        names = (*_GENERAL, *banked)
    found: dict[str, Capability] = {}
    for name in names:
        value: Value = registers.read(thread, name)
        if isinstance(value, Capability) and value.tag:
            found[name] = value
    return found

"""Storage of system registers by name: 64-bit ones and capability-wide ones.

A capability-wide register is known by its capability name (CELR_EL1); its 64-bit view (ELR_EL1) reads and
writes through it. SP, DDC and PSTATE fields are not here: the PE holds them.
"""

from __future__ import annotations

from collections.abc import Callable

from emulator.state.reset import RESET_VALUES
from morello_isa.capability import CAP_NULL, Capability

CAPABILITY_REGISTERS = (
    "CELR_EL1",
    "CELR_EL2",
    "CELR_EL3",
    "CVBAR_EL1",
    "CVBAR_EL2",
    "CVBAR_EL3",
    "CTPIDR_EL0",
    "CTPIDRRO_EL0",
    "CTPIDR_EL1",
    "CTPIDR_EL2",
    "CTPIDR_EL3",
    "RCTPIDR_EL0",
    "CID_EL0",
)

ReadHook = Callable[[], int]
WriteHook = Callable[[int], None]


class SystemRegisters:
    """`values[name]` and `capabilities[name]`; devices put functions into `read_hooks` and `write_hooks`.

    A read hook supplies the value of a register whose state is elsewhere (timers, the interrupt
    controller); a write hook is called with the value written, after it was stored.
    """

    __slots__ = ("capabilities", "read_hooks", "values", "write_hooks")

    def __init__(self) -> None:
        self.values: dict[str, int] = dict(RESET_VALUES)
        self.capabilities: dict[str, Capability] = dict.fromkeys(CAPABILITY_REGISTERS, CAP_NULL)
        self.read_hooks: dict[str, ReadHook] = {}
        self.write_hooks: dict[str, WriteHook] = {}

    def read(self, name: str) -> int:
        """The 64-bit register `name` (as in sysregs.tsv), 0 for one that was never written."""
        hook = self.read_hooks.get(name)
        return hook() if hook else self.values.get(name, 0)

    def write(self, name: str, value: int) -> None:
        """`name` := value; the caller has applied the access rules and RES0 mask."""
        self.values[name] = value
        hook = self.write_hooks.get(name)
        if hook:
            hook(value)

"""The engine under a debugger, on translated code between stops: `morello debug --engine fast`.

A translation ends before a breakpoint and none begins at one, so translated code never runs over one; near a
stop, and while every instruction is looked at, the reference engine executes, as in `DebugEngine`.
"""

from __future__ import annotations

from emulator.debug.engine import DebugEngine
from emulator.engine.reference import Block
from emulator.engine.translate.engine import FastEngine
from emulator.engine.translate.versions import Domain, Translation


class _BreakpointReached(Exception):
    """Leaves the loop that runs blocks: PC is at a breakpoint, and its instruction is next."""


class FastDebugEngine(DebugEngine, FastEngine):
    """See `DebugEngine`; what it inherits from it comes before what the translating engine does.

    `memory` is what the translating engine can map: an address space or a board's MMU.
    """

    def _run_blocks(self) -> None:
        try:
            super()._run_blocks()
        except _BreakpointReached:
            return

    def _find(self, exact: bool) -> Translation | None:
        if self.pe.pc in self.controller.addresses:
            raise _BreakpointReached
        return super()._find(exact)

    def _translate(self, domain: Domain, empty: Translation, *more: object) -> Translation | None:
        if empty.pc in self.controller.addresses:
            return None
        return super()._translate(domain, empty, *more)  # type: ignore[arg-type]

    def _make(self, cache: dict[int, Block], maximum: int) -> Block | None:
        if maximum > 1 and self.pe.pc in self.controller.addresses:
            raise _BreakpointReached
        return super()._make(cache, maximum)

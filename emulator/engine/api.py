"""What every engine offers; the machine, the debugger and the boards hold one through this protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from emulator.faults import PeFault, StopReason
from emulator.memory.interface import Memory
from emulator.state.pe import Pe

ExceptionHandler = Callable[[Pe, PeFault], None]
"""Takes a synchronous exception: `emulator.exceptions.take_exception` on a board, the Linux personality for
a process. On return PC is where execution goes on; it may call `request_stop`."""


class Engine(Protocol):
    """Runs instructions. `pe.instructions` counts those that were started, faulting ones included."""

    pe: Pe
    memory: Memory
    crossings: int
    """Changes between Executive and Restricted so far."""
    on_crossing: Callable[[int, int], None] | None
    """Called with (pc, word) of the branch after a change between Executive and Restricted while set.
    It has to be set before the engine runs."""
    before_instruction: Callable[[int, int], None] | None
    """Called with (pc, word) before each instruction while set."""

    def run(self, max_instructions: int | None = None) -> StopReason:
        """Run until a stop is requested or that many more instructions were executed (exactly)."""

    def step(self) -> StopReason:
        """Execute one instruction (or take one exception)."""

    def request_stop(self, detail: object) -> None:
        """Make `run` return REQUESTED with `detail` after the current instruction."""

    def close(self) -> None:
        """Give the host's resources back; the engine doesn't run again."""

    def forget_code(self) -> None:
        """Drop everything derived from instruction words (code or translations changed)."""

    def schedule(self, instruction_count: int, action: Callable[[], None]) -> None:
        """Call `action` once, when `pe.instructions` reaches that count."""

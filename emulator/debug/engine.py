"""The engine under a debugger: the reference engine, which asks its controller at the right moments.

A program that isn't debugged runs on the plain reference engine, so all of this costs nothing then. With only
breakpoints set, code runs in blocks as always: a block ends before a breakpoint, and one at a breakpoint
is never bound.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from emulator.engine.api import ExceptionHandler
from emulator.engine.reference import Block, ReferenceEngine
from emulator.faults import PeFault, StopKind, StopReason
from emulator.memory.interface import Memory
from emulator.state.pe import Pe

_NEVER = 1 << 62


class Controller(Protocol):
    """What the engine asks. Each method may keep the guest's thread for as long as the user likes."""

    @property
    def addresses(self) -> set[int]:
        """Where breakpoints are."""

    @property
    def observing(self) -> bool:
        """`before_instruction` is wanted."""

    def before_slice(self, engine: DebugEngine) -> None:
        """The engine begins to run, or has run as far as `distance` said."""

    def distance(self, engine: DebugEngine) -> int:
        """Instructions (1 or more) until `before_slice` has to be called again."""

    def at_breakpoint(self, engine: DebugEngine) -> None:
        """PC is one of `addresses` and its instruction is next."""

    def before_instruction(self, engine: DebugEngine, pc: int, word: int) -> None:
        """Called before each instruction while `observing`."""

    def exception(self, engine: DebugEngine, fault: PeFault) -> bool:
        """A fault or system call, before anything is done about it; False: nothing shall be."""

    def after_exception(self, engine: DebugEngine, fault: PeFault) -> None:
        """The personality has acted on it."""


MakeEngine = Callable[[Pe, Memory, ExceptionHandler, Controller], "DebugEngine"]


def debug_engine(name: str | None) -> MakeEngine:
    """The maker of engines under a debugger: "reference", or one that translates between stops."""
    if name == "reference":
        return DebugEngine
    from emulator.debug.fast_engine import FastDebugEngine

    return FastDebugEngine


class DebugEngine(ReferenceEngine):
    """See `emulator.engine.api.Engine`. `stop_at` is an instruction count of this PE to stop at."""

    def __init__(
        self, pe: Pe, memory: Memory, on_exception: ExceptionHandler, controller: Controller
    ) -> None:
        super().__init__(pe, memory, self._exception)
        self._personality = on_exception
        self.controller = controller
        self.stop_at: int | None = None
        self.known_addresses: frozenset[int] = frozenset()
        """Breakpoints that bound code takes account of."""
        self.was_restricted = pe.is_restricted
        self.observe(controller.observing)

    def observe(self, on: bool) -> None:
        """Ask the controller before each instruction, or no longer."""
        self.before_instruction = self._before if on else None

    def take_account(self) -> None:
        """Forget code that was bound for other breakpoints."""
        if self.known_addresses != self.controller.addresses:
            self.known_addresses = frozenset(self.controller.addresses)
            self.forget_code()

    def leave(self) -> None:
        """After a pause: begin anew with `before_slice`, since what to stop at may have changed."""
        if self._stop is None:
            self.request_stop(self)

    def run(self, max_instructions: int | None = None) -> StopReason:
        """See `Engine.run`."""
        pe, controller = self.pe, self.controller
        limit = _NEVER if max_instructions is None else pe.instructions + max_instructions
        while True:
            controller.before_slice(self)
            chunk = min(limit - pe.instructions, controller.distance(self))
            reason = super().run(chunk)
            if reason.detail is self or (reason.kind is StopKind.LIMIT and pe.instructions < limit):
                continue
            return reason

    def fetch_ahead(self, pc: int) -> int | None:
        """See `ReferenceEngine.fetch_ahead`; a block ends before a breakpoint."""
        return None if pc in self.controller.addresses else super().fetch_ahead(pc)

    def _run_blocks(self) -> None:
        if self.pe.pc in self.controller.addresses:
            self.controller.at_breakpoint(self)
            self._one()
        else:
            super()._run_blocks()

    def _make(self, cache: dict[int, Block], maximum: int) -> Block | None:
        if maximum > 1 and self.pe.pc in self.controller.addresses:
            return None
        return super()._make(cache, maximum)

    def _before(self, pc: int, word: int) -> None:
        self.controller.before_instruction(self, pc, word)

    def _exception(self, pe: Pe, fault: PeFault) -> None:
        if self.controller.exception(self, fault):
            self._personality(pe, fault)
        self.controller.after_exception(self, fault)

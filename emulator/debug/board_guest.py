"""A board as a guest of the debugger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from emulator.board.console import StreamConsole
from emulator.board.devices.base import Console
from emulator.board.image import Loaded
from emulator.board.outcome import Outcome
from emulator.board.system import INTERRUPTS, MakeEngine, System
from emulator.debug.board_streams import BoardLog, Inputs, ReplayedConsole
from emulator.debug.board_target import BoardProgram, BoardThread
from emulator.debug.engine import DebugEngine, debug_engine
from emulator.debug.guest import LONGEST_RUN, Guest
from emulator.debug.stops import ANY, CatchKind, Stop, StopCause
from emulator.explain import explain
from emulator.faults import FaultKind, PeFault
from emulator.memory.mmu import Mmu
from emulator.state.pe import Pe

CALLS = (FaultKind.SVC, FaultKind.HVC, FaultKind.SMC)
_ORDINARY = (*CALLS, *INTERRUPTS, FaultKind.HLT)
"""Exceptions that are no faults; HLT is how an image talks to the outside."""


def fault_name(kind: FaultKind) -> str:
    """`cap-bounds`: how `catch fault` names a kind."""
    return kind.name.lower().replace("_", "-")


FAULT_NAMES = frozenset(fault_name(kind) for kind in FaultKind)


@dataclass(frozen=True)
class BoardRequest:
    """What to boot. `boot` makes the board with these consoles and engine, and loads the image.

    `status` gives exit status and sentence of an outcome. `options` are the recipe for a saved machine, as
    options of `morello boot` and the real-time clock's "epoch"; `names` are those of its files as the user
    knows them.
    """

    boot: Callable[[Mapping[int, Console], MakeEngine], tuple[System, Loaded]]
    status: Callable[[Outcome], tuple[int, str]]
    consoles: Mapping[int, StreamConsole]
    max_instructions: int | None
    options: Mapping[str, object]
    names: Mapping[str, str]
    engine: str | None = None
    """See `debug_engine`."""

    @property
    def name(self) -> str:
        """Of the image."""
        return self.names.get("image") or self.names["kernel"]


class BoardGuest(Guest):
    """One run of a board. `system` is there once the image is loaded."""

    task: BoardThread

    def __init__(self, request: BoardRequest, log: BoardLog) -> None:
        super().__init__()
        self.system: System
        self._request = request
        self._log = log

    @property
    def position(self) -> int:
        """See `Guest`."""
        return self.system.pe.instructions

    def threads(self) -> Iterable[BoardThread]:
        """See `Guest`."""
        return (self.task,)

    @property
    def unrepeatable(self) -> str:
        """Nothing: disks are copies in memory, consoles are remembered."""
        return ""

    def end(self) -> None:
        """See `Guest`."""
        self.system.physical.close()

    def run_to_end(self) -> Stop:
        """See `Guest`."""
        request = self._request
        consoles = {n: ReplayedConsole(n, self._log, outside) for n, outside in request.consoles.items()}

        make = debug_engine(request.engine)

        def engine(pe: Pe, memory: Mmu, handler: Callable[[Pe, PeFault], None]) -> DebugEngine:
            return make(pe, memory, handler, self)

        system, loaded = request.boot(consoles, engine)
        self.system = system
        inputs = Inputs(self._log, consoles, request.consoles, lambda: self.interrupted)
        system.poll, system.wait_for_input = inputs.poll, inputs.wait
        system.poll_every = LONGEST_RUN
        self.task = BoardThread(system, BoardProgram(system, loaded, request.name))
        self.pause(self.task, StopCause.START, "image loaded")
        outcome = system.run(request.max_instructions)
        status, text = request.status(outcome)
        text = f"{text} (status {status})" if text else f"exited with status {status}"
        return Stop(StopCause.EXITED, text, self.position, self.task.tid, self.task.pe.pc, status=status)

    def exception(self, engine: DebugEngine, fault: PeFault) -> bool:  # noqa: ARG002
        """See `Controller`."""
        kind, plan = fault.kind, self.plan
        if kind in CALLS and (plan.stop_at_faults or CatchKind.SYSCALL in plan.catches):
            self.pause(self.task, StopCause.SYSCALL, f"{kind.value} #{fault.immediate:#x}")
        elif plan.stop_at_faults or self._is_wanted(kind):
            sentence = explain(fault, lambda _: "")
            # An interrupt comes between two instructions, so none was counted for it.
            position = self.position - (kind not in INTERRUPTS)
            stop = Stop(StopCause.FAULT, sentence, position, self.task.tid, fault.pc, fault)
            self.pause_with(stop, self.task)
        return True

    def _is_wanted(self, kind: FaultKind) -> bool:
        names = self.plan.catches.get(CatchKind.FAULT)
        if names is None:
            return False
        return fault_name(kind) in names or (ANY in names and kind not in _ORDINARY)

    def after_exception(self, engine: DebugEngine, fault: PeFault) -> None:
        """Nothing is loaded by an exception."""

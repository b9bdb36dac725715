"""The debugger of a board."""

from __future__ import annotations

from emulator.board.system import INTERRUPTS
from emulator.debug.board_guest import BoardGuest, BoardRequest
from emulator.debug.board_streams import BoardLog
from emulator.debug.board_target import BoardProgram, BoardThread
from emulator.debug.guest import Plan
from emulator.debug.session import DebuggerCore
from emulator.debug.stops import Stop


class BoardDebugger(DebuggerCore):
    """One debugged board. An exception is the image's own business unless `catch fault` asks for it."""

    guest: BoardGuest

    def __init__(self, request: BoardRequest) -> None:
        super().__init__()
        self.request = request
        self.log = BoardLog()

    @property
    def task(self) -> BoardThread:
        """The core."""
        return self.guest.task

    @property
    def process(self) -> BoardProgram:
        """What it executes."""
        return self.guest.task.process

    @property
    def name(self) -> str:
        """See `DebuggerCore`."""
        return self.request.name

    @property
    def greeting(self) -> str:
        """See `DebuggerCore`."""
        board = self.guest.system.board.name
        return (
            f"{self.name} is loaded on the board {board}; 'run' starts it, 'catch fault' stops at exceptions"
        )

    def make_guest(self) -> BoardGuest:
        """See `DebuggerCore`."""
        return BoardGuest(self.request, self.log)

    def forget(self) -> None:
        """See `DebuggerCore`."""
        self.log.forget()

    def may_repeat(self) -> None:
        """Always."""

    def explain(self, stop: Stop) -> str:
        """See `DebuggerCore`."""
        if stop.fault is not None and stop.fault.kind in INTERRUPTS:
            where = self.names.where(self.process, stop.pc)
            return f"{stop.fault.kind.value} before the instruction at {stop.pc:#x}" + (
                f" ({where})" if where else ""
            )
        return super().explain(stop)

    def plan(self) -> Plan:
        """See `DebuggerCore`."""
        plan = super().plan()
        plan.stop_at_faults = False
        return plan

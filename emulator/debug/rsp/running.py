"""Letting the guest go on, forwards and backwards, and what the client is told about the stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.debug.guest import Observer, Plan
from emulator.debug.rsp import registers
from emulator.debug.rsp.client import Client
from emulator.debug.rsp.inserted import Inserted
from emulator.debug.rsp.packets import PacketError, hexadecimal
from emulator.debug.rsp.signals import INTERRUPT, TRAP, from_gdb, to_gdb
from emulator.debug.stops import Stop, StopCause
from emulator.linux.signals import Sig, SignalInfo, fault_signal

if TYPE_CHECKING:
    from emulator.debug.session import DebuggerCore
    from emulator.debug.target import Thread

EINVAL = 22
_EXPEDITED = (registers.NUMBERS["sp"], registers.NUMBERS["pc"])
"""Registers whose values are in every stop reply."""


@dataclass(frozen=True, slots=True)
class Action:
    """One action of vCont. `signal` is GDB's number, `within` the range to step through."""

    is_step: bool
    signal: int = 0
    within: tuple[int, int] | None = None
    thread: str = "-1"


def parse_actions(text: str) -> list[Action]:
    """`c`, `Cnn`, `s`, `Snn`, `rSTART,END`, each with `:THREAD` or without, separated by `;`. PacketError."""
    actions = []
    for part in text.split(";"):
        letter, _, thread = part.partition(":")
        letter, rest = letter[:1], letter[1:]
        thread = thread or "-1"
        if letter in ("c", "s") and not rest:
            actions.append(Action(letter == "s", thread=thread))
        elif letter in ("C", "S"):
            actions.append(Action(letter == "S", hexadecimal(rest), thread=thread))
        elif letter == "r":
            start, _, limit = rest.partition(",")
            actions.append(Action(True, within=(hexadecimal(start), hexadecimal(limit)), thread=thread))
        else:
            raise PacketError(EINVAL)
    return actions


class Running:
    """Runs the guest for one client."""

    def __init__(
        self, debugger: DebuggerCore, client: Client, inserted: Inserted, tell: Callable[[str], None]
    ) -> None:
        self._debugger = debugger
        self._client = client
        self._inserted = inserted
        self._tell = tell

    # -- forwards --------------------------------------------------------------------------------------

    def resume(self, actions: list[Action]) -> bytes:
        """Obey vCont; the stop reply. Threads without an action go on, too: the schedule is the run's own."""
        debugger = self._debugger
        if debugger.stop.is_end:
            return self.reply(debugger.stop)
        chosen = [(action, self._client.find(action.thread)) for action in actions]
        plan = self._plan()
        self._signals(plan, chosen)
        for action, task in chosen:
            if action.is_step:
                self._step(plan, task if task is not None else self._client.current(), action)
                break
        self._client.moves()
        return self.reply(debugger.resume(plan))

    def _plan(self) -> Plan:
        plan = self._debugger.plan()
        plan.stop_at_images = True
        plan.at_signal = self._wants
        return plan

    def _wants(self, info: SignalInfo) -> bool:
        return info.number not in self._client.passed_signals and info.number != Sig.SIGKILL

    @staticmethod
    def _step(plan: Plan, task: Thread, action: Action) -> None:
        if action.within is None:
            plan.stepping, plan.steps = task, 1
        else:
            plan.observers.append(_leaves(task, *action.within))

    def _signals(self, plan: Plan, chosen: list[tuple[Action, Thread | None]]) -> None:
        """Deliver, drop or replace the signal at which the guest stopped."""
        debugger, stop = self._debugger, self._debugger.stop
        if stop.fault is not None:
            waiting: int | None = fault_signal(stop.fault).number
        else:
            waiting = stop.signal if stop.cause is StopCause.SIGNAL else None
        current = self._client.current()
        mine = next((action for action, task in chosen if task in (None, current)), None)
        wanted = from_gdb(mine.signal) if mine is not None and mine.signal else None
        if waiting == wanted:
            return
        # The run is another one from here on than the one that could be repeated.
        debugger.modified = True
        plan.deliver = False
        if wanted is not None:
            self._client.inferior.send_signal(current, wanted)

    # -- backwards -------------------------------------------------------------------------------------

    def reverse(self, text: str) -> bytes:
        """bs and bc."""
        debugger = self._debugger
        if text not in ("s", "c"):
            return b""
        self._client.moves()
        if debugger.position == 0:
            return self._trap("replaylog:begin;")
        if text == "s":
            return self.reply(debugger.rstepi())
        stop = debugger.rcontinue()
        if stop.cause is StopCause.WATCH and self._inserted.is_clients(stop):
            # The client will undo the access by a step of its own, as forwards it would make it by one.
            debugger.goto(stop.position + 1)
        elif stop.position == 0 and stop.cause not in (StopCause.BREAKPOINT, StopCause.INTERRUPT):
            return self._trap("replaylog:begin;")
        return self.reply(stop)

    # -- replies ---------------------------------------------------------------------------------------

    def reply(self, stop: Stop) -> bytes:
        """The stop reply; what no packet can say goes to the client's console."""
        if stop.is_end:
            return self._end(stop)
        reason = self._inserted.reason(stop)
        if stop.fault is not None:
            self._tell(f"morello: {self._debugger.explain(stop)}\n")
            return self._trap("", to_gdb(fault_signal(stop.fault).number))
        if stop.cause is StopCause.SIGNAL:
            return self._trap("", to_gdb(stop.signal))
        if stop.cause is StopCause.INTERRUPT:
            return self._trap("", INTERRUPT)
        if stop.cause is StopCause.LIBRARIES:
            return self._trap(self._images())
        if stop.cause in _POINTS and not self._inserted.is_clients(stop):
            self._tell(f"morello: {stop.text}\n")
        return self._trap(reason)

    def _images(self) -> str:
        path = self._client.inferior.executable
        if path != self._client.executable and "exec-events" in self._client.features:
            self._client.executable = path
            return f"exec:{path.encode(errors='surrogateescape').hex()};"
        return "library:;"

    def _trap(self, reason: str, signal: int = TRAP) -> bytes:
        task = self._client.current()
        values = "".join(
            f"{number:x}:{self._client.register(registers.ROWS[number]).hex()};" for number in _EXPEDITED
        )
        return f"T{signal:02x}{values}thread:{self._client.name(task)};{reason}".encode()

    def _end(self, stop: Stop) -> bytes:
        process = f";process:{self._client.inferior.pid:x}" if self._client.is_multiprocess else ""
        if stop.cause is StopCause.FAILED:
            self._tell(f"morello: {stop.text}\n")
        if stop.signal:
            return f"X{to_gdb(stop.signal):02x}{process}".encode()
        return f"W{stop.status & 0xFF:02x}{process}".encode()


_POINTS = (StopCause.BREAKPOINT, StopCause.WATCH, StopCause.SYSCALL, StopCause.COMPARTMENT)
"""Stops at something that the client, or its user by `monitor`, has asked for."""


def _leaves(task: Thread, start: int, limit: int) -> Observer:
    """Stops when a thread, after one instruction at least, is outside [start, limit)."""
    before = task.pe.instructions

    def observe(at: Thread, pc: int, word: int) -> Stop | None:  # noqa: ARG001
        if at is not task or at.pe.instructions == before or start <= pc < limit:
            return None
        return Stop(StopCause.STEP, "stepped", at.kernel.instructions, at.tid, pc)

    return observe

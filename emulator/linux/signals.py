"""Signals: numbers, actions, pending sets, delivery, and which fault becomes which signal.

Source: facts/abi/pcuabi_linux.md sections 6.4 and 7; frames are in `signal_frame.py`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from emulator.faults import FaultKind, PeFault
from emulator.linux.errors import Errno, SyscallError
from emulator.linux.signal_frame import SIGINFO_SIZE, UNBLOCKABLE, FrameReader, FrameWriter
from emulator.linux.usermem import USER_ROOT
from morello_isa.capability import CAP_NULL, MASK64, Capability
from morello_isa.permissions import ObjectType

if TYPE_CHECKING:
    from emulator.linux.kernel import Kernel
    from emulator.linux.process import Process, Task


class Sig(IntEnum):
    """Signal numbers of arm64 Linux."""

    SIGHUP = 1
    SIGINT = 2
    SIGQUIT = 3
    SIGILL = 4
    SIGTRAP = 5
    SIGABRT = 6
    SIGBUS = 7
    SIGFPE = 8
    SIGKILL = 9
    SIGUSR1 = 10
    SIGSEGV = 11
    SIGUSR2 = 12
    SIGPIPE = 13
    SIGALRM = 14
    SIGTERM = 15
    SIGSTKFLT = 16
    SIGCHLD = 17
    SIGCONT = 18
    SIGSTOP = 19
    SIGTSTP = 20
    SIGTTIN = 21
    SIGTTOU = 22
    SIGURG = 23
    SIGXCPU = 24
    SIGXFSZ = 25
    SIGVTALRM = 26
    SIGPROF = 27
    SIGWINCH = 28
    SIGIO = 29
    SIGPWR = 30
    SIGSYS = 31


SIGNAL_MAX = 64
IGNORED_BY_DEFAULT = frozenset((Sig.SIGCHLD, Sig.SIGCONT, Sig.SIGURG, Sig.SIGWINCH))
STOPPING = frozenset((Sig.SIGSTOP, Sig.SIGTSTP, Sig.SIGTTIN, Sig.SIGTTOU))
DUMPING = frozenset(
    (Sig.SIGQUIT, Sig.SIGILL, Sig.SIGTRAP, Sig.SIGABRT, Sig.SIGBUS, Sig.SIGFPE, Sig.SIGSEGV, Sig.SIGSYS)
)

SA_SIGINFO, SA_RESTORER, SA_ONSTACK, SA_RESTART, SA_NODEFER, SA_RESETHAND = (
    0x4,
    0x0400_0000,
    0x0800_0000,
    0x1000_0000,
    0x4000_0000,
    0x8000_0000,
)
SA_NOCLDSTOP, SA_NOCLDWAIT = 1, 2
SIG_DFL, SIG_IGN = 0, 1

SI_USER, SI_KERNEL, SI_TKILL, SI_QUEUE = 0, 0x80, -6, -1

SEGV_CODES = {
    FaultKind.CAP_TAG: (10, "SEGV_CAPTAGERR"),
    FaultKind.CAP_SEALED: (11, "SEGV_CAPSEALEDERR"),
    FaultKind.CAP_BOUNDS: (12, "SEGV_CAPBOUNDSERR"),
    FaultKind.CAP_PERMISSION: (13, "SEGV_CAPPERMERR"),
    FaultKind.CAP_PAGE: (14, "SEGV_CAPACCESSERR"),
    FaultKind.TRANSLATION: (1, "SEGV_MAPERR"),
    FaultKind.ADDRESS_SIZE: (1, "SEGV_MAPERR"),
    FaultKind.PERMISSION: (2, "SEGV_ACCERR"),
    FaultKind.ACCESS_FLAG: (2, "SEGV_ACCERR"),
}


def signal_name(number: int) -> str:
    """SIGSEGV, SIGRT_3, or the number."""
    if 1 <= number <= 31:
        return Sig(number).name
    return f"SIGRT_{number - 32}" if 32 <= number <= SIGNAL_MAX else str(number)


@dataclass(frozen=True, slots=True)
class Action:
    """sigaction. `handler` is SIG_DFL (0), SIG_IGN (1) or code."""

    handler: Capability = CAP_NULL
    flags: int = 0
    restorer: Capability = CAP_NULL
    mask: int = 0

    @property
    def is_default(self) -> bool:
        """SIG_DFL."""
        return self.handler.value == SIG_DFL

    @property
    def is_ignore(self) -> bool:
        """SIG_IGN."""
        return self.handler.value == SIG_IGN


DEFAULT_ACTION = Action()


@dataclass(slots=True)
class SignalInfo:
    """A signal on its way. `forced`: raised by an instruction, can't be blocked or ignored."""

    number: int
    code: int = SI_USER
    pid: int = 0
    uid: int = 0
    status: int = 0
    address: int | None = None
    value: Capability | None = None
    code_name: str = ""
    forced: bool = False
    fault: PeFault | None = field(default=None, repr=False)

    def pack(self, status_offset: int) -> bytes:
        """siginfo without its pointer-sized value."""
        data = bytearray(SIGINFO_SIZE)
        struct.pack_into("<iii", data, 0, self.number, 0, self.code)
        if self.address is not None:
            data[16:24] = (self.address & MASK64).to_bytes(8, "little")
        else:
            struct.pack_into("<iI", data, 16, self.pid, self.uid)
            struct.pack_into("<i", data, status_offset, self.status)
        return bytes(data)


class Signals:
    """Sending, delivery and return; one per kernel."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    # -- sending ---------------------------------------------------------------------------------------

    def send_to_task(self, task: Task, number: int, info: SignalInfo | None = None) -> None:
        """A signal for one thread."""
        info = info or SignalInfo(number, SI_KERNEL)
        if self._discard(task.process, info):
            return
        if number >= 32 or all(other.number != number for other in task.pending):
            task.pending.append(info)

    def send(self, process: Process, info: SignalInfo) -> None:
        """A signal for a process; any thread that doesn't block it takes it."""
        if not process.alive:
            return
        if info.number == Sig.SIGCONT or info.number == Sig.SIGKILL:
            process.pending = [p for p in process.pending if p.number not in STOPPING]
            if process.stopped:
                process.stopped = False
        if self._discard(process, info):
            return
        if info.number >= 32 or all(other.number != info.number for other in process.pending):
            process.pending.append(info)

    def _discard(self, process: Process, info: SignalInfo) -> bool:
        action = process.actions.get(info.number, DEFAULT_ACTION)
        blocked = all(task.signal_mask >> (info.number - 1) & 1 for task in process.tasks)
        ignored = action.is_ignore or (action.is_default and info.number in IGNORED_BY_DEFAULT)
        return ignored and not info.forced and not blocked and info.number not in (Sig.SIGKILL, Sig.SIGSTOP)

    def force(self, task: Task, info: SignalInfo) -> None:
        """A fault's signal: a blocked or ignored one kills."""
        process = task.process
        action = process.actions.get(info.number, DEFAULT_ACTION)
        if action.is_ignore or task.signal_mask >> (info.number - 1) & 1:
            process.actions[info.number] = DEFAULT_ACTION
            task.signal_mask &= ~(1 << (info.number - 1))
        info.forced = True
        task.pending.insert(0, info)

    def fault(self, task: Task, fault: PeFault) -> None:
        """The signal that Linux makes of a fault."""
        self.force(task, fault_signal(fault))

    # -- delivery --------------------------------------------------------------------------------------

    def waiting(self, task: Task) -> bool:
        """A signal is pending that the thread doesn't block."""
        mask = task.signal_mask
        return any(
            not mask >> (info.number - 1) & 1 or info.forced or UNBLOCKABLE >> (info.number - 1) & 1
            for queue in (task.pending, task.process.pending)
            for info in queue
        )

    def take(self, task: Task, mask: int) -> SignalInfo | None:
        """Remove and return the next signal that `mask` lets through."""
        for queue in (task.pending, task.process.pending):
            for info in sorted(queue, key=lambda i: (not i.forced, i.number)):
                bit = 1 << (info.number - 1)
                if info.forced or not mask & bit or UNBLOCKABLE & bit:
                    queue.remove(info)
                    return info
        return None

    def deliver(self, task: Task) -> None:
        """Act on pending signals until none is left or a handler was entered (each nests)."""
        while task.alive and not task.process.stopped:
            info = self.take(task, task.signal_mask)
            if info is None:
                break
            self._act(task, info)
        if task.saved_mask is not None and task.call is None:
            task.signal_mask, task.saved_mask = task.saved_mask, None

    def _act(self, task: Task, info: SignalInfo) -> None:
        process = task.process
        action = process.actions.get(info.number, DEFAULT_ACTION)
        if info.number in (Sig.SIGKILL, Sig.SIGSTOP):
            action = DEFAULT_ACTION
        if action.is_ignore:
            return
        if action.is_default:
            self._default(task, info)
            return
        self._interrupt_call(task, bool(action.flags & SA_RESTART))
        if action.flags & SA_RESETHAND:
            process.actions[info.number] = DEFAULT_ACTION
        try:
            self._enter_handler(task, info, action)
        except SyscallError:
            self._kernel.kill(process, SignalInfo(Sig.SIGSEGV, SI_KERNEL, fault=info.fault))
            return
        blocked = action.mask
        if not action.flags & SA_NODEFER:
            blocked |= 1 << (info.number - 1)
        task.signal_mask = (task.signal_mask | blocked) & ~UNBLOCKABLE
        if self._kernel.tracer is not None:
            self._kernel.tracer.signal(task, info)

    def _default(self, task: Task, info: SignalInfo) -> None:
        process = task.process
        if info.number in IGNORED_BY_DEFAULT and not info.forced:
            return
        if info.number in STOPPING:
            self._kernel.stop(process, info.number)
            return
        self._kernel.kill(process, info)

    def _interrupt_call(self, task: Task, restart: bool) -> None:
        """A handler interrupts the blocked call: it is repeated afterwards or fails with EINTR."""
        call = task.call
        if call is None:
            return
        if task.wait is not None and task.wait.cancel is not None:
            task.wait.cancel()
        if restart and call.row.restart:
            task.pe.write_c(0, call.first)
            task.pe.pc -= 4
            self._kernel.finish_call(task, None)
        else:
            self._kernel.finish_call(task, -Errno.EINTR)

    def _enter_handler(self, task: Task, info: SignalInfo, action: Action) -> None:
        pe, process = task.pe, task.process
        purecap = process.abi.is_purecap
        sp = pe.stack[0]
        if action.flags & SA_ONSTACK and task.alternate.size and not task.alternate.contains(sp.value):
            top = task.alternate.sp
            sp = top.set_value(top.value + task.alternate.size)
        elif not purecap:
            sp = USER_ROOT.set_value(sp.value)
        writer = FrameWriter(task, sp)
        frame = writer.write(info)
        ucontext = frame.set_value(frame.value + SIGINFO_SIZE)
        record = frame.set_value(frame.value + SIGINFO_SIZE + process.abi.ucontext.size)
        restorer = action.restorer if action.flags & SA_RESTORER and not purecap else process.trampoline
        if purecap:
            pe.pcc = _enterable(action.handler)
            pe.pstate.c64 = bool(action.handler.value & 1)
            pe.write_x(0, info.number)
            pe.write_c(1, frame)
            pe.write_c(2, ucontext)
            pe.write_c(29, record)
            pe.write_c(30, restorer)
            pe.stack[0] = frame
        else:
            pe.pcc = USER_ROOT.set_value(action.handler.value)
            pe.pstate.c64 = False
            for register, value in ((0, info.number), (1, frame.value), (2, ucontext.value)):
                pe.write_x(register, value)
            pe.write_x(29, record.value)
            pe.write_x(30, restorer.value)
            pe.stack[0] = Capability.from_int(frame.value)
        pe.context_stale = True

    # -- return ----------------------------------------------------------------------------------------

    def return_from_handler(self, task: Task) -> None:
        """rt_sigreturn: restore everything from the frame at SP; a bad frame kills."""
        pe = task.pe
        sp = pe.stack[0] if task.process.abi.is_purecap else USER_ROOT.set_value(pe.stack[0].value)
        try:
            FrameReader(task, sp).restore()
        except SyscallError:
            self.force(task, SignalInfo(Sig.SIGSEGV, SI_KERNEL, address=0))
            return
        if self._kernel.tracer is not None:
            self._kernel.tracer.signal_returned(task)


def _enterable(handler: Capability) -> Capability:
    """PCC for a handler capability: a sentry is unsealed, bit 0 selects the state."""
    if handler.otype == ObjectType.RB:
        handler = handler.unsealed()
    return handler.set_value(handler.value & ~1)


def fault_signal(fault: PeFault) -> SignalInfo:
    """Signal, code and si_addr of a fault (facts/abi/pcuabi_linux.md section 7)."""
    address = fault.pc if fault.is_fetch else fault.address
    kind = fault.kind
    if kind in SEGV_CODES:
        code, name = SEGV_CODES[kind]
        if not fault.is_data_access and not fault.is_fetch and kind is FaultKind.CAP_PERMISSION:
            address = fault.pc
        return SignalInfo(Sig.SIGSEGV, code, address=address, code_name=name, fault=fault)
    if kind in (FaultKind.ALIGNMENT, FaultKind.PC_ALIGNMENT, FaultKind.SP_ALIGNMENT):
        if kind is FaultKind.PC_ALIGNMENT:
            address = fault.pc
        return SignalInfo(Sig.SIGBUS, 1, address=address, code_name="BUS_ADRALN", fault=fault)
    if kind is FaultKind.BRK:
        return SignalInfo(Sig.SIGTRAP, 1, address=fault.pc, code_name="TRAP_BRKPT", fault=fault)
    if kind is FaultKind.FP_EXCEPTION:
        return SignalInfo(Sig.SIGFPE, 8, address=fault.pc, code_name="FPE_FLTUNK", fault=fault)
    if kind in (FaultKind.EXTERNAL, FaultKind.DOMAIN, FaultKind.SERROR):
        return SignalInfo(Sig.SIGBUS, 3, address=address, code_name="BUS_OBJERR", fault=fault)
    return SignalInfo(Sig.SIGILL, 1, address=fault.pc, code_name="ILL_ILLOPC", fault=fault)

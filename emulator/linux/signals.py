"""Signals: numbers, actions, pending sets, delivery with capability frames, and return from a handler.

The frame is `siginfo` (128 bytes), `ucontext` with `sigcontext`, records (FPSIMD, ESR and, in purecap
programs, the Morello record with all capabilities), then a frame record {fp, lr} that c29 points to.
Source: facts/abi/pcuabi_linux.md sections 6.4, 7 and 8.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from emulator.faults import FaultKind, PeFault
from emulator.linux.errors import Errno, SyscallError
from emulator.linux.usermem import USER_ROOT
from emulator.state.registers import FPCR_SLOT, FPSR_SLOT
from morello_isa.capability import CAP_NULL, MASK64, Capability
from morello_isa.permissions import ObjectType, Perm

if TYPE_CHECKING:
    from emulator.linux.kernel import Kernel
    from emulator.linux.process import Process, Task
    from emulator.state.pe import Pe


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
UNBLOCKABLE = 1 << (Sig.SIGKILL - 1) | 1 << (Sig.SIGSTOP - 1)

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

FPSIMD_MAGIC, FPSIMD_SIZE = 0x4650_8001, 528
ESR_MAGIC, ESR_SIZE = 0x4553_5201, 16
MORELLO_MAGIC, MORELLO_SIZE = 0x4D52_4C01, 560
SIGINFO_SIZE = 128
SIGCONTEXT_RECORDS = 288
"""Offset of the records in sigcontext."""
PSR_USER_MASK = 0xF400_0000
"""NZCV and C64: what a handler may change in pstate."""


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


def _enterable(handler: Capability) -> Capability:
    """PCC for a handler capability: a sentry is unsealed, bit 0 selects the state."""
    if handler.otype == ObjectType.RB:
        handler = handler.unsealed()
    return handler.set_value(handler.value & ~1)


class FrameWriter:
    """Builds a signal frame below a stack pointer."""

    def __init__(self, task: Task, sp: Capability) -> None:
        self._task = task
        self._sp = sp

    def write(self, info: SignalInfo) -> Capability:
        """Write the frame; returns its capability. SyscallError EFAULT when the stack can't take it."""
        task, pe = self._task, self._task.pe
        memory, abi = task.memory, task.process.abi
        record_size = 2 * abi.pointer
        size = SIGINFO_SIZE + abi.ucontext.size + record_size
        frame = self._sp.set_value((self._sp.value - size) & ~15)
        memory.check(frame, size, True)
        memory.write(frame, info.pack(abi.siginfo_status).ljust(SIGINFO_SIZE, b"\0"))
        if abi.is_purecap and info.address is not None:
            memory.write_pointer(frame.add(16), Capability.from_int(info.address))
        if info.value is not None:
            memory.write_pointer(frame.add(abi.siginfo_value), info.value)
        context = frame.add(SIGINFO_SIZE)
        memory.write(context, self._ucontext(info))
        stack = context.add(abi.ucontext.offset("stack"))
        memory.write_pointer(stack, task.alternate.sp)
        if abi.is_purecap:
            self._write_capabilities(context.add(abi.ucontext.offset("sigcontext")))
        record = context.add(abi.ucontext.size)
        for index, register in enumerate((29, 30)):
            value = pe.read_c(register) if abi.is_purecap else Capability.from_int(pe.read_x(register))
            memory.write_pointer(record.add(index * abi.pointer), value)
        return frame

    def _ucontext(self, info: SignalInfo) -> bytes:
        task, pe = self._task, self._task.pe
        abi = task.process.abi
        layout = abi.ucontext
        data = bytearray(layout.size)
        stack_layout = abi.stack_t
        at = layout.offset("stack")
        struct.pack_into("<i", data, at + stack_layout.offset("flags"), task.alternate.flags)
        struct.pack_into("<Q", data, at + stack_layout.offset("size"), task.alternate.size)
        mask = task.signal_mask if task.saved_mask is None else task.saved_mask
        task.saved_mask = None
        struct.pack_into("<Q", data, layout.offset("sigmask"), mask)
        at = layout.offset("sigcontext")
        struct.pack_into("<Q", data, at, info.address or 0)
        struct.pack_into("<31Q", data, at + 8, *(pe.read_x(n) for n in range(31)))
        struct.pack_into("<QQQ", data, at + 256, pe.read_csp().value, pe.pc, pe.pstate.to_spsr(pe.nzcv))
        self._records(data, at + SIGCONTEXT_RECORDS, info)
        return bytes(data)

    def _records(self, data: bytearray, at: int, info: SignalInfo) -> None:
        pe = self._task.pe
        struct.pack_into("<II", data, at, FPSIMD_MAGIC, FPSIMD_SIZE)
        struct.pack_into("<II", data, at + 8, pe.x[FPSR_SLOT] & 0xFFFF_FFFF, pe.x[FPCR_SLOT] & 0xFFFF_FFFF)
        for n in range(32):
            data[at + 16 + 16 * n : at + 32 + 16 * n] = pe.read_v(n).to_bytes(16, "little")
        at += FPSIMD_SIZE
        if info.fault is not None:
            esr = info.fault.ec << 26 | 1 << 25 | info.fault.syndrome
            struct.pack_into("<IIQ", data, at, ESR_MAGIC, ESR_SIZE, esr)
            at += ESR_SIZE
        if self._task.process.abi.is_purecap:
            struct.pack_into("<II", data, at, MORELLO_MAGIC, MORELLO_SIZE)

    def _write_capabilities(self, sigcontext: Capability) -> None:
        memory, pe = self._task.memory, self._task.pe
        record = _find_record(memory.read(sigcontext, 4384), MORELLO_MAGIC)
        if record is None:
            return
        base = sigcontext.add(record)
        values = [pe.read_c(n) for n in range(31)]
        for index, value in enumerate((*values, pe.stack[0], pe.stack[4], pe.pcc)):
            memory.write_pointer(base.add(16 + 16 * index), value)


class FrameReader:
    """Restores a thread from the signal frame at its stack pointer."""

    def __init__(self, task: Task, sp: Capability) -> None:
        self._task = task
        self._context = sp.add(SIGINFO_SIZE)

    def restore(self) -> None:
        """Registers, mask and alternate stack; SyscallError when the frame can't be read."""
        task, pe = self._task, self._task.pe
        memory, abi = task.memory, task.process.abi
        layout = abi.ucontext
        data = memory.read(self._context, layout.size)
        at = layout.offset("sigcontext")
        sigcontext = data[at : at + 4384]
        integers = struct.unpack_from("<31Q", sigcontext, 8)
        sp, pc, spsr = struct.unpack_from("<QQQ", sigcontext, 256)
        record = _find_record(sigcontext, MORELLO_MAGIC)
        if abi.is_purecap and record is not None:
            self._restore_capabilities(self._context.add(at + record), integers, sp, pc)
        else:
            for n, value in enumerate(integers):
                pe.write_x(n, value)
            pe.stack[0] = Capability.from_int(sp)
            pe.pcc = USER_ROOT.set_value(pc)
        pe.nzcv = spsr >> 28
        pe.pstate.c64 = bool(spsr >> 26 & 1)
        self._restore_vectors(sigcontext)
        task.signal_mask = struct.unpack_from("<Q", data, layout.offset("sigmask"))[0] & ~UNBLOCKABLE
        pe.context_stale = True

    def _restore_vectors(self, sigcontext: bytes) -> None:
        pe = self._task.pe
        at = _find_record(sigcontext, FPSIMD_MAGIC)
        if at is None:
            return
        fpsr, fpcr = struct.unpack_from("<II", sigcontext, at + 8)
        pe.x[FPSR_SLOT] = fpsr
        pe.x[FPCR_SLOT] = fpcr
        for n in range(32):
            start = at + 16 + 16 * n
            pe.write_v(n, int.from_bytes(sigcontext[start : start + 16], "little"))

    def _restore_capabilities(self, record: Capability, integers: tuple[int, ...], sp: int, pc: int) -> None:
        memory, pe = self._task.memory, self._task.pe
        values = [memory.read_pointer(record.add(16 + 16 * index)) for index in range(34)]
        for n, value in enumerate(integers):
            merge_register(pe, n, value, values[n])
        csp, rcsp, pcc = values[31], values[32], values[33]
        executive = pcc.has(Perm.EXECUTIVE)
        pe.stack[0] = merge(sp, csp) if executive else csp
        pe.stack[4] = rcsp if executive else merge(sp, rcsp)
        pe.pcc = merge(pc, pcc)


def merge(value: int, capability: Capability) -> Capability:
    """sigreturn's rule: an unchanged address keeps the capability, a new one is set in it."""
    return capability if capability.value == value else capability.set_value(value)


def merge_register(pe: Pe, n: int, value: int, capability: Capability) -> None:
    """Apply `merge` to a general register."""
    pe.write_c(n, merge(value, capability))


def _find_record(sigcontext: bytes, magic: int) -> int | None:
    """Offset of a record in sigcontext."""
    at = SIGCONTEXT_RECORDS
    while at + 8 <= len(sigcontext):
        found, size = struct.unpack_from("<II", sigcontext, at)
        if found == magic:
            return at
        if found == 0 or size < 8 or size % 16:
            return None
        at += size
    return None


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

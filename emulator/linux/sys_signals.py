"""Signal calls: rt_sigaction, masks, sigreturn, kill and its relatives, sigaltstack."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from emulator.linux.errors import Errno, SyscallError
from emulator.linux.process import AlternateStack, Process, ReplacedError
from emulator.linux.signal_frame import UNBLOCKABLE
from emulator.linux.signals import (
    DEFAULT_ACTION,
    SA_RESTORER,
    SI_QUEUE,
    SI_TKILL,
    SIGNAL_MAX,
    Action,
    Sig,
    SignalInfo,
)
from emulator.linux.table import Family, Int, Pointer, Signal, Size
from morello_isa.capability import CAP_NULL, Capability
from morello_isa.permissions import Perm

if TYPE_CHECKING:
    from emulator.linux.process import Task

FAMILY = Family()
SIGSET_BYTES = 8
SS_ONSTACK, SS_DISABLE = 1, 2
MINIMUM_STACK = {8: 2048, 16: 6144}
"""Smallest alternate stack in bytes, by pointer size."""


def _check_number(number: int) -> None:
    if not 1 <= number <= SIGNAL_MAX:
        raise SyscallError(Errno.EINVAL)


@FAMILY.syscall(134, "rt_sigaction", Signal("signum"), Pointer("act"), Pointer("oldact"), Size("sigsetsize"))
def rt_sigaction(task: Task, number: int, new: Capability, old: Capability, size: int) -> int:
    """Set or ask what a signal does. Purecap: only Executive code may, and only Executive code handles."""
    _check_number(number)
    process, memory = task.process, task.memory
    if size != SIGSET_BYTES:
        raise SyscallError(Errno.EINVAL)
    layout = process.abi.sigaction
    purecap = process.abi.is_purecap
    if purecap and not task.pe.pcc.has(Perm.EXECUTIVE):
        raise SyscallError(Errno.EPERM)
    action = None
    if not memory.is_null(new):
        if number in (Sig.SIGKILL, Sig.SIGSTOP):
            raise SyscallError(Errno.EINVAL)
        record = memory.load(new, layout)
        action = Action(
            record.pointer("handler"),
            record.integer("flags"),
            record.pointer("restorer"),
            record.integer("mask") & ~UNBLOCKABLE,
        )
        if purecap and action.flags & SA_RESTORER:
            raise SyscallError(Errno.EINVAL)
        if purecap and action.handler.value > 1 and not action.handler.has(Perm.EXECUTIVE):
            raise SyscallError(Errno.EINVAL)
    if not memory.is_null(old):
        previous = process.actions.get(number, DEFAULT_ACTION)
        values: dict[str, int | Capability] = {
            "handler": previous.handler,
            "flags": previous.flags,
            "restorer": previous.restorer,
            "mask": previous.mask,
        }
        memory.store(old, layout, values)
    if action is not None:
        process.actions[number] = action
    return 0


@FAMILY.syscall(135, "rt_sigprocmask", Int("how"), Pointer("set"), Pointer("oldset"), Size("sigsetsize"))
def rt_sigprocmask(task: Task, how: int, new: Capability, old: Capability, size: int) -> int:
    """Change the thread's mask."""
    if size != SIGSET_BYTES:
        raise SyscallError(Errno.EINVAL)
    previous = task.signal_mask
    if not task.memory.is_null(new):
        value = task.memory.read_u64(new)
        masks = {0: previous | value, 1: previous & ~value, 2: value}
        if how not in masks:
            raise SyscallError(Errno.EINVAL)
        task.signal_mask = masks[how] & ~UNBLOCKABLE
    if not task.memory.is_null(old):
        task.memory.write_u64(old, previous)
    return 0


@FAMILY.syscall(136, "rt_sigpending", Pointer("set"), Size("sigsetsize"))
def rt_sigpending(task: Task, pointer: Capability, size: int) -> int:
    """Signals that wait because they are blocked."""
    if size > SIGSET_BYTES:
        raise SyscallError(Errno.EINVAL)
    mask = 0
    for info in (*task.pending, *task.process.pending):
        mask |= 1 << (info.number - 1)
    task.memory.write(pointer, (mask & task.signal_mask).to_bytes(8, "little")[:size])
    return 0


@FAMILY.syscall(133, "rt_sigsuspend", Pointer("mask"), Size("sigsetsize"), restart=False)
def rt_sigsuspend(task: Task, pointer: Capability, size: int) -> int:
    """Wait for a signal with another mask."""
    if size != SIGSET_BYTES:
        raise SyscallError(Errno.EINVAL)
    if task.call_state is None:
        mask = task.memory.read_u64(pointer)
        task.call_state = True
        task.saved_mask, task.signal_mask = task.signal_mask, mask & ~UNBLOCKABLE
    task.block(_never)
    return 0


def _never() -> bool:
    return False


@FAMILY.syscall(
    137,
    "rt_sigtimedwait",
    Pointer("set"),
    Pointer("info"),
    Pointer("timeout"),
    Size("sigsetsize"),
    restart=False,
)
def rt_sigtimedwait(task: Task, pointer: Capability, info: Capability, timeout: Capability, size: int) -> int:
    """Take a signal without its handler."""
    if size != SIGSET_BYTES:
        raise SyscallError(Errno.EINVAL)
    wanted = task.memory.read_u64(pointer)
    found = task.kernel.signals.take(task, ~wanted | UNBLOCKABLE)
    if found is None:
        limit = None if task.memory.is_null(timeout) else task.memory.read_timespec(timeout)
        task.block(lambda: _has_signal(task, wanted), limit)
        raise SyscallError(Errno.EAGAIN)
    if not task.memory.is_null(info):
        abi = task.process.abi
        task.memory.write(info, found.pack(abi.siginfo_status))
    return found.number


def _has_signal(task: Task, wanted: int) -> bool:
    return any(wanted >> (info.number - 1) & 1 for info in (*task.pending, *task.process.pending))


@FAMILY.syscall(139, "rt_sigreturn")
def rt_sigreturn(task: Task) -> None:
    """Return from a handler."""
    task.kernel.signals.return_from_handler(task)
    raise ReplacedError


@FAMILY.syscall(132, "sigaltstack", Pointer("ss"), Pointer("old_ss"))
def sigaltstack(task: Task, new: Capability, old: Capability) -> int:
    """Set or ask for the alternate stack."""
    memory, abi = task.memory, task.process.abi
    current = task.alternate
    on_stack = current.contains(task.pe.stack[0].value)
    replacement = None
    if not memory.is_null(new):
        record = memory.load(new, abi.stack_t)
        flags = record.integer("flags")
        if on_stack:
            raise SyscallError(Errno.EPERM)
        if flags & ~(SS_DISABLE | SS_ONSTACK | 1 << 31) and flags & 0x7FFF_FFFF not in (
            0,
            SS_DISABLE,
            SS_ONSTACK,
        ):
            raise SyscallError(Errno.EINVAL)
        if flags & SS_DISABLE:
            replacement = AlternateStack(CAP_NULL, 0, SS_DISABLE)
        else:
            if record.integer("size") < MINIMUM_STACK[abi.pointer]:
                raise SyscallError(Errno.ENOMEM)
            replacement = AlternateStack(record.pointer("sp"), record.integer("size"), 0)
    if not memory.is_null(old):
        state = SS_DISABLE if not current.size else SS_ONSTACK if on_stack else 0
        memory.store(old, abi.stack_t, {"sp": current.sp, "flags": state, "size": current.size})
    if replacement is not None:
        task.alternate = replacement
    return 0


def _targets(task: Task, pid: int) -> list[Process]:
    processes = [p for p in task.kernel.processes.values() if p.alive]
    if pid > 0:
        return [p for p in task.kernel.processes.values() if p.pid == pid]
    if pid == -1:
        return [p for p in processes if p is not task.process and p is not task.kernel.first]
    group = task.process.group if pid == 0 else -pid
    return [p for p in processes if p.group == group]


@FAMILY.syscall(129, "kill", Int("pid"), Signal("sig"))
def kill(task: Task, pid: int, number: int) -> int:
    """A signal for a process or group of this run."""
    if number:
        _check_number(number)
    targets = _targets(task, pid)
    if not targets:
        raise SyscallError(Errno.ESRCH)
    if number:
        for process in targets:
            task.kernel.signals.send(process, SignalInfo(number, 0, task.process.pid))
    return 0


def _send_to_thread(task: Task, group: int | None, tid: int, info: SignalInfo) -> int:
    if tid <= 0:
        raise SyscallError(Errno.EINVAL)
    if info.number:
        _check_number(info.number)
    target = task.kernel.tasks.get(tid)
    if target is None or (group is not None and target.process.pid != group):
        raise SyscallError(Errno.ESRCH)
    if info.number:
        task.kernel.signals.send_to_task(target, info.number, info)
    return 0


@FAMILY.syscall(130, "tkill", Int("tid"), Signal("sig"))
def tkill(task: Task, tid: int, number: int) -> int:
    """A signal for a thread."""
    return _send_to_thread(task, None, tid, SignalInfo(number, SI_TKILL, task.process.pid))


@FAMILY.syscall(131, "tgkill", Int("tgid"), Int("tid"), Signal("sig"))
def tgkill(task: Task, group: int, tid: int, number: int) -> int:
    """A signal for a thread of a process."""
    if group <= 0:
        raise SyscallError(Errno.EINVAL)
    return _send_to_thread(task, group, tid, SignalInfo(number, SI_TKILL, task.process.pid))


def _queued(task: Task, number: int, pointer: Capability) -> SignalInfo:
    """The caller's siginfo; its sigval keeps its tag within the process."""
    abi = task.process.abi
    data = task.memory.read(pointer, 128)
    code = struct.unpack_from("<i", data, 8)[0]
    if code >= 0 or code == SI_TKILL:
        raise SyscallError(Errno.EPERM)
    value = task.memory.read_pointer(pointer.add(abi.siginfo_value))
    pid, uid = struct.unpack_from("<iI", data, 16)
    return SignalInfo(number, code or SI_QUEUE, pid, uid, value=value)


@FAMILY.syscall(138, "rt_sigqueueinfo", Int("pid"), Signal("sig"), Pointer("uinfo"))
def rt_sigqueueinfo(task: Task, pid: int, number: int, info: Capability) -> int:
    """A signal with a value; a capability in it loses its tag on the way to another process."""
    _check_number(number)
    process = task.kernel.processes.get(pid)
    if process is None:
        raise SyscallError(Errno.ESRCH)
    queued = _queued(task, number, info)
    if process is not task.process and queued.value is not None:
        queued.value = queued.value.with_tag(False)
    task.kernel.signals.send(process, queued)
    return 0


@FAMILY.syscall(240, "rt_tgsigqueueinfo", Int("tgid"), Int("tid"), Signal("sig"), Pointer("uinfo"))
def rt_tgsigqueueinfo(task: Task, group: int, tid: int, number: int, info: Capability) -> int:
    """As rt_sigqueueinfo, for a thread."""
    _check_number(number)
    return _send_to_thread(task, group, tid, _queued(task, number, info))

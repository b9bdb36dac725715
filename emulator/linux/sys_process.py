"""Processes and threads: clone, execve, exit, wait4, identities, scheduling calls."""

# ruff: noqa: ARG001  (a handler takes all arguments of its call)

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.linux.errors import Errno, SyscallError
from emulator.linux.kernel_limits import TASK_LIMIT
from emulator.linux.paths import AT_FDCWD, AT_FLAG_NAMES, locate
from emulator.linux.process import Process, ReplacedError, Task
from emulator.linux.registers import copy_pe
from emulator.linux.start import execute
from emulator.linux.table import (
    DirFd,
    Family,
    Flags,
    Int,
    Path,
    Pointer,
    Size,
    UInt,
)
from morello_isa.capability import Capability
from morello_isa.permissions import Perm

if TYPE_CHECKING:
    from emulator.state.pe import Pe

FAMILY = Family()

CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_SIGHAND = 0x100, 0x200, 0x400, 0x800
CLONE_PIDFD, CLONE_VFORK, CLONE_PARENT, CLONE_THREAD = 0x1000, 0x4000, 0x8000, 0x10000
CLONE_SYSVSEM, CLONE_SETTLS, CLONE_PARENT_SETTID = 0x40000, 0x80000, 0x100000
CLONE_CHILD_CLEARTID, CLONE_DETACHED, CLONE_CHILD_SETTID = 0x200000, 0x400000, 0x1000000
CLONE_NAMES = {
    "CLONE_VM": CLONE_VM, "CLONE_FS": CLONE_FS, "CLONE_FILES": CLONE_FILES, "CLONE_SIGHAND": CLONE_SIGHAND,
    "CLONE_PIDFD": CLONE_PIDFD, "CLONE_VFORK": CLONE_VFORK, "CLONE_PARENT": CLONE_PARENT,
    "CLONE_THREAD": CLONE_THREAD, "CLONE_SYSVSEM": CLONE_SYSVSEM, "CLONE_SETTLS": CLONE_SETTLS,
    "CLONE_PARENT_SETTID": CLONE_PARENT_SETTID, "CLONE_CHILD_CLEARTID": CLONE_CHILD_CLEARTID,
    "CLONE_CHILD_SETTID": CLONE_CHILD_SETTID,
}  # fmt: skip
CLONE_SUPPORTED = sum(CLONE_NAMES.values()) | CLONE_DETACHED
ARGUMENT_BYTES = 2 << 20
"""Most that arguments and environment of execve take together."""
WNOHANG, WUNTRACED, WEXITED, WCONTINUED, WNOWAIT = 1, 2, 4, 8, 0x0100_0000
WALL_FLAGS = 0xE000_0000
CPU_MASK = b"\1" + bytes(7)


@dataclass(frozen=True, slots=True)
class CloneRequest:
    """Arguments of clone and clone3 in one form."""

    flags: int
    stack: Capability
    parent_tid: Capability
    tls: Capability
    child_tid: Capability
    exit_signal: int


@FAMILY.syscall(
    220, "clone", Flags("flags", CLONE_NAMES), Pointer("stack"), Pointer("parent_tid"), Pointer("tls"),
    Pointer("child_tid"),
)  # fmt: skip
def clone(
    task: Task, flags: int, stack: Capability, parent_tid: Capability, tls: Capability, child_tid: Capability
) -> int:
    """A new thread or process."""
    return _clone(task, CloneRequest(flags & ~0xFF, stack, parent_tid, tls, child_tid, flags & 0xFF))


@FAMILY.syscall(435, "clone3", Pointer("args"), Size("size"))
def clone3(task: Task, args: Capability, size: int) -> int:
    """clone with a structure; the stack grows down from its end."""
    abi = task.process.abi
    if size < abi.clone_args_sizes[0]:
        raise SyscallError(Errno.EINVAL)
    if size > 4096:
        raise SyscallError(Errno.E2BIG)
    record = task.memory.load_prefix(args, abi.clone_args, min(size, abi.clone_args.size))
    if record.integer("set_tid_size") or record.integer("flags") & 0xFF:
        raise SyscallError(Errno.EINVAL)
    stack = record.pointer("stack")
    if not task.memory.is_null(stack):
        stack = stack.add(record.integer("stack_size"))
    request = CloneRequest(
        record.integer("flags"),
        stack,
        record.pointer("parent_tid"),
        record.pointer("tls"),
        record.pointer("child_tid"),
        record.integer("exit_signal"),
    )
    return _clone(task, request)


def _clone(task: Task, request: CloneRequest) -> int:
    kernel, flags = task.kernel, request.flags
    if task.call_state is not None:
        return _vfork_done(task)
    if flags & ~CLONE_SUPPORTED or flags & CLONE_PIDFD or request.exit_signal > 64:
        raise SyscallError(Errno.EINVAL)
    if flags & CLONE_THREAD and flags & (CLONE_SIGHAND | CLONE_VM) != CLONE_SIGHAND | CLONE_VM:
        raise SyscallError(Errno.EINVAL)
    if len(kernel.tasks) >= TASK_LIMIT:
        raise SyscallError(Errno.EAGAIN)
    pe = copy_pe(task.pe)
    _prepare_child(task, pe, request)
    tid = kernel.new_pid()
    process = task.process if flags & CLONE_THREAD else _new_process(task, tid, request)
    child = Task(kernel, process, tid, pe)
    child.signal_mask = task.signal_mask
    child.name = task.name
    if not flags & CLONE_VM or flags & CLONE_VFORK:
        child.alternate = task.alternate
    if flags & CLONE_PARENT_SETTID:
        task.memory.write_u32(request.parent_tid, tid)
    if flags & CLONE_CHILD_SETTID:
        _ignore_fault(lambda: child.memory.write_u32(request.child_tid, tid))
    if flags & CLONE_CHILD_CLEARTID:
        child.clear_child_tid = request.child_tid
    if not flags & CLONE_THREAD:
        kernel.add_process(process)
        task.process.children.append(process)
    kernel.add_task(child)
    if flags & CLONE_VFORK:
        process.vfork_parent = task
        task.call_state = process
        _vfork_done(task)
    return tid


def _vfork_done(task: Task) -> int:
    """The parent of a vfork waits until the child has called execve or ended."""
    child = task.call_state
    assert isinstance(child, Process)
    if child.vfork_parent is task and child.alive:
        task.block(lambda: child.vfork_parent is not task or not child.alive)
    return child.pid


def _ignore_fault(action: Callable[[], None]) -> None:
    try:
        action()
    except SyscallError:
        return


def _prepare_child(task: Task, pe: Pe, request: CloneRequest) -> None:
    """Registers of the child: result 0, stack and thread pointer in the bank of the caller."""
    pe.write_x(0, 0)
    purecap = task.process.abi.is_purecap
    if not task.memory.is_null(request.stack):
        stack = request.stack if purecap else Capability.from_int(request.stack.value)
        pe.write_csp(stack)
    if request.flags & CLONE_SETTLS:
        tls = request.tls if purecap else Capability.from_int(request.tls.value)
        name = "CTPIDR_EL0" if pe.pcc.has(Perm.EXECUTIVE) else "RCTPIDR_EL0"
        pe.sysregs.capabilities[name] = tls


def _new_process(task: Task, pid: int, request: CloneRequest) -> Process:
    parent, flags = task.process, request.flags
    space = parent.space if flags & CLONE_VM else parent.space.fork()
    process = Process(
        pid=pid,
        parent=parent.parent if flags & CLONE_PARENT and parent.parent else parent,
        space=space,
        abi=parent.abi,
        profile=parent.profile,
        descriptors=parent.descriptors if flags & CLONE_FILES else parent.descriptors.copy(),
        actions=parent.actions if flags & CLONE_SIGHAND else dict(parent.actions),
        group=parent.group,
        session=parent.session,
        cwd=parent.cwd,
        umask=parent.umask,
        images=list(parent.images),
        executable=parent.executable,
        arguments=parent.arguments,
        environment=parent.environment,
        auxv=parent.auxv,
        name=parent.name,
        reservations=parent.reservations if flags & CLONE_VM else dict(parent.reservations),
        trampoline=parent.trampoline,
        exit_signal=request.exit_signal,
        limits=dict(parent.limits),
    )
    process.heap = parent.heap if flags & CLONE_VM else parent.heap.copy()
    return process


# -- execve ------------------------------------------------------------------------------------------


def _strings(task: Task, array: Capability) -> list[bytes]:
    """A NULL-terminated array of strings; a null array is empty."""
    if task.memory.is_null(array):
        return []
    size = task.process.abi.pointer
    strings: list[bytes] = []
    total = 0
    while True:
        pointer = task.memory.read_pointer(array.add(len(strings) * size))
        if task.memory.is_null(pointer):
            return strings
        strings.append(task.memory.string(pointer, 131072))
        total += len(strings[-1]) + 1 + size
        if total > ARGUMENT_BYTES:
            raise SyscallError(Errno.E2BIG)


@FAMILY.syscall(221, "execve", Path("path"), Pointer("argv"), Pointer("envp"))
def execve(task: Task, path: Capability, argv: Capability, envp: Capability) -> None:
    """Replace the program; the file must be visible in the view."""
    place = locate(task, AT_FDCWD, task.memory.path(path))
    arguments, environment = _strings(task, argv), _strings(task, envp)
    execute(task, place, arguments or [b""], environment)
    raise ReplacedError


@FAMILY.syscall(
    281,
    "execveat",
    DirFd("dirfd"),
    Path("path"),
    Pointer("argv"),
    Pointer("envp"),
    Flags("flags", AT_FLAG_NAMES),
)
def execveat(
    task: Task, dirfd: int, path: Capability, argv: Capability, envp: Capability, flags: int
) -> None:
    """execve relative to a directory."""
    name = task.memory.path(path)
    if not name and flags & 0x1000:
        name = task.descriptors.get(dirfd).path
    place = locate(task, dirfd, name)
    execute(task, place, _strings(task, argv) or [b""], _strings(task, envp))
    raise ReplacedError


# -- the end -----------------------------------------------------------------------------------------


@FAMILY.syscall(93, "exit", Int("status"))
def exit_thread(task: Task, status: int) -> None:
    """End the calling thread."""
    task.kernel.exit_task(task, status)
    raise ReplacedError


@FAMILY.syscall(94, "exit_group", Int("status"))
def exit_group(task: Task, status: int) -> None:
    """End the process."""
    task.kernel.exit_process(task.process, (status & 0xFF) << 8)
    raise ReplacedError


def _children(task: Task, pid: int) -> list[Process]:
    process = task.process
    if pid > 0:
        chosen = [c for c in process.children if c.pid == pid]
    elif pid == -1:
        chosen = list(process.children)
    else:
        group = process.group if pid == 0 else -pid
        chosen = [c for c in process.children if c.group == group]
    if not chosen:
        raise SyscallError(Errno.ECHILD)
    return chosen


def _reportable(children: list[Process], options: int) -> Process | None:
    for child in children:
        if child.exit_code is not None and options & WEXITED:
            return child
        if child.stopped and not child.stop_reported and options & WUNTRACED:
            return child
    return None


def _collect(task: Task, child: Process, options: int) -> int:
    """Wait status of a child; an ended one is removed."""
    if child.exit_code is None:
        if not options & WNOWAIT:
            child.stop_reported = True
        return 0x137F
    if not options & WNOWAIT:
        task.process.children.remove(child)
        task.kernel.processes.pop(child.pid, None)
        task.process.instructions += child.instructions
    return child.exit_code


def _await_child(task: Task, pid: int, options: int) -> Process | None:
    """A child with something to report; None with WNOHANG and no such child."""
    children = _children(task, pid)
    child = _reportable(children, options)
    if child is None and not options & WNOHANG:
        task.block(lambda: _reportable(list(task.process.children), options) is not None)
    return child


@FAMILY.syscall(260, "wait4", Int("pid"), Pointer("wstatus"), UInt("options"), Pointer("rusage"))
def wait4(task: Task, pid: int, wstatus: Capability, options: int, rusage: Capability) -> int:
    """Wait for a child to end (or stop)."""
    options = options & ~WALL_FLAGS | WEXITED
    if options & ~(WNOHANG | WUNTRACED | WCONTINUED | WEXITED):
        raise SyscallError(Errno.EINVAL)
    child = _await_child(task, pid, options)
    if child is None:
        return 0
    code = _collect(task, child, options)
    if not task.memory.is_null(wstatus):
        task.memory.write_u32(wstatus, code)
    if not task.memory.is_null(rusage):
        user = child.instructions
        times = struct.pack("<qq", user // 1_000_000_000, user // 1000 % 1_000_000)
        task.memory.write(rusage, times.ljust(144, b"\0"))
    return child.pid


@FAMILY.syscall(95, "waitid", Int("idtype"), Int("id"), Pointer("infop"), UInt("options"), Pointer("rusage"))
def waitid(task: Task, kind: int, number: int, info: Capability, options: int, rusage: Capability) -> int:
    """Wait for a child, with a siginfo."""
    selector = {0: -1, 1: number, 2: -number if number else 0}.get(kind)
    if selector is None or not options & (WEXITED | WUNTRACED | WCONTINUED):
        raise SyscallError(Errno.EINVAL)
    child = _await_child(task, selector, options & ~WALL_FLAGS)
    record = bytearray(128)
    if child is not None:
        code = _collect(task, child, options)
        signal = code & 0x7F
        reason, status = (5, 19) if signal == 0x7F else (2, signal) if signal else (1, code >> 8)
        struct.pack_into("<iii", record, 0, 17, 0, reason)
        struct.pack_into("<iIi", record, 16, child.pid, 0, status)
    if not task.memory.is_null(info):
        task.memory.write(info, bytes(record))
    return 0

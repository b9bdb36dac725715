"""Who a process is: numbers, groups, sessions; scheduling parameters; prctl."""

# ruff: noqa: ARG001  (a handler takes all arguments of its call)

from __future__ import annotations

from emulator.linux.errors import Errno, SyscallError
from emulator.linux.process import Process, Task
from emulator.linux.table import Family, Hex, Int, OutBuffer, Pointer, Size
from morello_isa.capability import Capability

FAMILY = Family()
CPU_MASK = b"\1" + bytes(7)


# -- identities --------------------------------------------------------------------------------------


@FAMILY.syscall(172, "getpid")
def getpid(task: Task) -> int:
    """The process's number."""
    return task.process.pid


@FAMILY.syscall(173, "getppid")
def getppid(task: Task) -> int:
    """The parent's number; 0 for the first process."""
    return task.process.parent.pid if task.process.parent else 0


@FAMILY.syscall(178, "gettid")
def gettid(task: Task) -> int:
    """The thread's number."""
    return task.tid


@FAMILY.syscall(96, "set_tid_address", Pointer("tidptr"))
def set_tid_address(task: Task, pointer: Capability) -> int:
    """Where to write 0 when the thread ends."""
    task.clear_child_tid = pointer
    return task.tid


def _root(task: Task) -> int:
    """The guest's user and group are 0."""
    return 0


for _number, _name in ((174, "getuid"), (175, "geteuid"), (176, "getgid"), (177, "getegid")):
    FAMILY.syscall(_number, _name)(_root)


def _become(task: Task, *wanted: int) -> int:
    """Only the identity 0 exists (-1: leave it)."""
    if any(number not in (0, -1) for number in wanted):
        raise SyscallError(Errno.EPERM)
    return 0


for _number, _name, _count in (
    (143, "setregid", 2), (144, "setgid", 1), (145, "setreuid", 2), (146, "setuid", 1),
    (147, "setresuid", 3), (149, "setresgid", 3),
):  # fmt: skip
    FAMILY.syscall(_number, _name, *(Int("id") for _ in range(_count)))(_become)


def _get_three(task: Task, real: Capability, effective: Capability, saved: Capability) -> int:
    """getresuid, getresgid: all 0."""
    for pointer in (real, effective, saved):
        task.memory.write_u32(pointer, 0)
    return 0


for _number, _name in ((148, "getresuid"), (150, "getresgid")):
    FAMILY.syscall(_number, _name, Pointer("real"), Pointer("effective"), Pointer("saved"))(_get_three)


@FAMILY.syscall(158, "getgroups", Int("size"), Pointer("list"))
def getgroups(task: Task, size: int, groups: Capability) -> int:
    """No supplementary groups."""
    return 0


@FAMILY.syscall(159, "setgroups", Size("size"), Pointer("list"))
def setgroups(task: Task, size: int, groups: Capability) -> int:
    """Only the empty set."""
    if size:
        raise SyscallError(Errno.EPERM)
    return 0


def _process(task: Task, pid: int) -> Process:
    process = task.process if pid == 0 else task.kernel.processes.get(pid)
    if process is None:
        raise SyscallError(Errno.ESRCH)
    return process


@FAMILY.syscall(154, "setpgid", Int("pid"), Int("pgid"))
def setpgid(task: Task, pid: int, group: int) -> int:
    """Move a process to a group."""
    process = _process(task, pid)
    if group < 0:
        raise SyscallError(Errno.EINVAL)
    if process is not task.process and process.parent is not task.process:
        raise SyscallError(Errno.ESRCH)
    if process.session == process.pid:
        raise SyscallError(Errno.EPERM)
    process.group = group or process.pid
    return 0


@FAMILY.syscall(155, "getpgid", Int("pid"))
def getpgid(task: Task, pid: int) -> int:
    """The group of a process."""
    return _process(task, pid).group


@FAMILY.syscall(156, "getsid", Int("pid"))
def getsid(task: Task, pid: int) -> int:
    """The session of a process."""
    return _process(task, pid).session


@FAMILY.syscall(157, "setsid")
def setsid(task: Task) -> int:
    """Start a session."""
    process = task.process
    if process.group == process.pid:
        raise SyscallError(Errno.EPERM)
    process.group = process.session = process.pid
    return process.pid


# -- scheduling --------------------------------------------------------------------------------------


@FAMILY.syscall(124, "sched_yield")
def sched_yield(task: Task) -> int:
    """Let another thread run."""
    if len(task.kernel.tasks) > 1 and task.call_state is None:
        task.call_state = True
        task.block(lambda: True)
    return 0


@FAMILY.syscall(123, "sched_getaffinity", Int("pid"), Size("cpusetsize"), OutBuffer("mask"))
def sched_getaffinity(task: Task, pid: int, size: int, mask: Capability) -> int:
    """One processor."""
    if size < 8 or size % 8:
        raise SyscallError(Errno.EINVAL)
    task.memory.write(mask, CPU_MASK)
    return len(CPU_MASK)


@FAMILY.syscall(122, "sched_setaffinity", Int("pid"), Size("cpusetsize"), Pointer("mask"))
def sched_setaffinity(task: Task, pid: int, size: int, mask: Capability) -> int:
    """The set must contain the one processor."""
    if not size or not task.memory.read(mask, 1)[0] & 1:
        raise SyscallError(Errno.EINVAL)
    return 0


@FAMILY.syscall(120, "sched_getscheduler", Int("pid"))
def sched_getscheduler(task: Task, pid: int) -> int:
    """SCHED_OTHER."""
    return 0


@FAMILY.syscall(119, "sched_setscheduler", Int("pid"), Int("policy"), Pointer("param"))
def sched_setscheduler(task: Task, pid: int, policy: int, parameter: Capability) -> int:
    """Only SCHED_OTHER."""
    if policy != 0:
        raise SyscallError(Errno.EPERM)
    return 0


@FAMILY.syscall(121, "sched_getparam", Int("pid"), Pointer("param"))
def sched_getparam(task: Task, pid: int, parameter: Capability) -> int:
    """Priority 0."""
    task.memory.write_u32(parameter, 0)
    return 0


@FAMILY.syscall(125, "sched_get_priority_max", Int("policy"))
def sched_get_priority_max(task: Task, policy: int) -> int:
    """Linux's numbers: 99 for the real-time policies, 0 else."""
    return 99 if policy in (1, 2) else 0


@FAMILY.syscall(126, "sched_get_priority_min", Int("policy"))
def sched_get_priority_min(task: Task, policy: int) -> int:
    """1 for the real-time policies, 0 else."""
    return 1 if policy in (1, 2) else 0


@FAMILY.syscall(140, "setpriority", Int("which"), Int("who"), Int("prio"))
def setpriority(task: Task, which: int, who: int, priority: int) -> int:
    """Priorities have no effect here."""
    return 0


@FAMILY.syscall(141, "getpriority", Int("which"), Int("who"))
def getpriority(task: Task, which: int, who: int) -> int:
    """Nice value 0, in the kernel's encoding 20 - nice."""
    return 20


@FAMILY.syscall(168, "getcpu", Pointer("cpu"), Pointer("node"))
def getcpu(task: Task, cpu: Capability, node: Capability) -> int:
    """Processor 0 of node 0."""
    for pointer in (cpu, node):
        if not task.memory.is_null(pointer):
            task.memory.write_u32(pointer, 0)
    return 0


@FAMILY.syscall(
    167, "prctl", Int("option"), Pointer("arg2"), Pointer("arg3"), Pointer("arg4"), Pointer("arg5")
)
def prctl(task: Task, option: int, second: Capability, *_: Capability) -> int:
    """Thread name, dumpable, parent-death signal, no-new-privileges."""
    if option == 15:
        task.name = task.memory.string(second, 4096)[:15].decode(errors="replace")
        if task is task.process.tasks[0]:
            task.process.name = task.name
        return 0
    if option == 16:
        task.memory.write(second, task.name.encode()[:15].ljust(16, b"\0"))
        return 0
    if option in (1, 4, 38):
        return 0
    if option in (3, 39):
        return 1 if option == 3 else 0
    raise SyscallError(Errno.EINVAL)


@FAMILY.syscall(92, "personality", Hex("persona"))
def personality(task: Task, persona: int) -> int:
    """PER_LINUX, queried or set."""
    if persona & 0xFFFF_FFFF not in (0, 0xFFFF_FFFF):
        raise SyscallError(Errno.EINVAL)
    return 0

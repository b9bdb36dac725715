"""The system as a whole: uname, sysinfo, random, limits, and calls that only root on hardware could use."""

# ruff: noqa: ARG001  (a handler takes all arguments of its call)

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from emulator.linux.errors import Errno, SyscallError
from emulator.linux.table import Family, Int, OutBuffer, Pointer, Size, UInt
from morello_isa.capability import CAP_NULL, Capability

if TYPE_CHECKING:
    from emulator.linux.process import Task

FAMILY = Family()
RELEASE = "6.7.0-morello"
INFINITY = (1 << 64) - 1
RLIMITS = 16
RLIMIT_FSIZE, RLIMIT_STACK, RLIMIT_NPROC, RLIMIT_NOFILE, RLIMIT_AS = 1, 3, 6, 7, 9
STACK_SIZE = 8 << 20


@FAMILY.syscall(160, "uname", Pointer("buf"))
def uname(task: Task, buffer: Capability) -> int:
    """Names of the system."""
    fields = ("Linux", "morello", RELEASE, "#1 SMP PREEMPT", "aarch64", "(none)")
    task.memory.write(buffer, b"".join(field.encode().ljust(65, b"\0") for field in fields))
    return 0


@FAMILY.syscall(179, "sysinfo", Pointer("info"))
def sysinfo(task: Task, info: Capability) -> int:
    """Uptime and memory."""
    kernel = task.kernel
    pool = kernel.pool
    record = struct.pack(
        "<q3Q6QHH4xQQI4x",
        kernel.clock.monotonic() // 1_000_000_000, 0, 0, 0,
        pool.limit, pool.limit - pool.in_use, 0, 0, 0, 0, len(kernel.processes), 0, 0, 0, 1,
    )  # fmt: skip
    task.memory.write(info, record)
    return 0


@FAMILY.syscall(278, "getrandom", OutBuffer("buf"), Size("buflen"), UInt("flags"))
def getrandom(task: Task, buffer: Capability, size: int, flags: int) -> int:
    """Random bytes; the same in every run unless `--real-time`."""
    if flags & ~7:
        raise SyscallError(Errno.EINVAL)
    size = min(size, 1 << 20)
    task.memory.check(buffer, size, True)
    task.memory.write(buffer, task.kernel.random_bytes(size))
    return size


def default_limit(task: Task, resource: int) -> tuple[int, int]:
    """(soft, hard) limits of a new process."""
    fixed = {
        RLIMIT_STACK: (STACK_SIZE, INFINITY),
        RLIMIT_NOFILE: (1024, 1024),
        RLIMIT_NPROC: (256, 256),
        RLIMIT_FSIZE: (4 << 30, 4 << 30),
        RLIMIT_AS: (INFINITY, INFINITY),
        4: (0, INFINITY),
    }
    return fixed.get(resource, (INFINITY, INFINITY))


@FAMILY.syscall(261, "prlimit64", Int("pid"), Int("resource"), Pointer("new"), Pointer("old"))
def prlimit64(task: Task, pid: int, resource: int, new: Capability, old: Capability) -> int:
    """Ask for and remember limits (the emulator's own limits stay)."""
    if not 0 <= resource < RLIMITS:
        raise SyscallError(Errno.EINVAL)
    process = task.process if pid == 0 else task.kernel.processes.get(pid)
    if process is None:
        raise SyscallError(Errno.ESRCH)
    current = process.limits.get(resource, default_limit(task, resource))
    wanted = None
    if not task.memory.is_null(new):
        wanted = struct.unpack("<QQ", task.memory.read(new, 16))
        if wanted[0] > wanted[1]:
            raise SyscallError(Errno.EINVAL)
        if wanted[1] > current[1]:
            raise SyscallError(Errno.EPERM)
    if not task.memory.is_null(old):
        task.memory.write(old, struct.pack("<QQ", *current))
    if wanted is not None:
        process.limits[resource] = (wanted[0], wanted[1])
    return 0


@FAMILY.syscall(163, "getrlimit", Int("resource"), Pointer("rlim"))
def getrlimit(task: Task, resource: int, limit: Capability) -> int:
    """The old form of prlimit64."""
    if not 0 <= resource < RLIMITS:
        raise SyscallError(Errno.EINVAL)
    task.memory.write(
        limit, struct.pack("<QQ", *task.process.limits.get(resource, default_limit(task, resource)))
    )
    return 0


@FAMILY.syscall(164, "setrlimit", Int("resource"), Pointer("rlim"))
def setrlimit(task: Task, resource: int, limit: Capability) -> int:
    """The old form of prlimit64."""
    return prlimit64(task, 0, resource, limit, CAP_NULL)


@FAMILY.syscall(161, "sethostname", Pointer("name"), Size("len"))
def sethostname(task: Task, name: Capability, length: int) -> int:
    """The name is fixed."""
    raise SyscallError(Errno.EPERM)


@FAMILY.syscall(116, "syslog", Int("type"), Pointer("bufp"), Int("len"))
def syslog(task: Task, kind: int, buffer: Capability, length: int) -> int:
    """The kernel's log is empty."""
    return 0


@FAMILY.syscall(90, "capget", Pointer("hdrp"), Pointer("datap"))
def capget(task: Task, header: Capability, data: Capability) -> int:
    """POSIX capabilities (not CHERI ones): the guest's user 0 has none that matter."""
    version = task.memory.read_u32(header)
    if version != 0x2008_0522:
        task.memory.write_u32(header, 0x2008_0522)
        if not task.memory.is_null(data):
            raise SyscallError(Errno.EINVAL)
        return 0
    if not task.memory.is_null(data):
        task.memory.write(data, bytes(24))
    return 0


@FAMILY.syscall(91, "capset", Pointer("hdrp"), Pointer("datap"))
def capset(task: Task, header: Capability, data: Capability) -> int:
    """Only giving up, which changes nothing."""
    task.memory.read_u32(header)
    return 0


@FAMILY.syscall(293, "rseq", Pointer("rseq"), UInt("rseq_len"), Int("flags"), UInt("sig"))
def rseq(task: Task, area: Capability, length: int, flags: int, signature: int) -> int:
    """Restartable sequences are not offered; libraries then do without."""
    raise SyscallError(Errno.ENOSYS)

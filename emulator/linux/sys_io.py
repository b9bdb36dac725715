"""Reading, writing and descriptors: read, write, lseek, dup, pipe, fcntl, ioctl…"""

# ruff: noqa: ARG001  (a handler takes all arguments of its call)

from __future__ import annotations

import os
import struct
import sys
import tempfile
from typing import TYPE_CHECKING

from emulator.linux import terminal
from emulator.linux.errors import Errno, SyscallError, guest_errno
from emulator.linux.handles import (
    STATUS_FLAGS,
    Directory,
    HostFile,
    Open,
    OpenFile,
)
from emulator.linux.pipes import EventCounter, PipeBuffer, PipeEnd
from emulator.linux.table import (
    Family,
    Fd,
    Flags,
    Hex,
    InBuffer,
    Int,
    Long,
    OutBuffer,
    Path,
    Pointer,
    Result,
    Size,
    UInt,
)
from emulator.linux.usermem import RW_MAX
from morello_isa.capability import Capability

if TYPE_CHECKING:
    from emulator.linux.process import Task

FAMILY = Family()

OPEN_NAMES = {f"O_{flag.name}": int(flag) for flag in Open if flag.name}
F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW = range(8)
F_SETOWN, F_GETOWN, F_DUPFD_CLOEXEC, F_SETPIPE_SZ, F_GETPIPE_SZ = 8, 9, 1030, 1031, 1032
F_UNLCK = 2
FIONREAD, FIONBIO, FIOCLEX, FIONCLEX = 0x541B, 0x5421, 0x5451, 0x5450


@FAMILY.syscall(63, "read", Fd("fd"), OutBuffer("buf"), Size("count"))
def read(task: Task, fd: int, buf: Capability, count: int) -> int:
    """Data at the position; data only, tags of the buffer are cleared."""
    file = task.descriptors.get(fd)
    file.require_readable()
    count = min(count, RW_MAX)
    task.memory.check_bounds(buf, count, True)
    task.memory.check(buf, min(count, 1), True)
    data = file.read(task, count)
    task.memory.write(buf, data)
    return len(data)


@FAMILY.syscall(64, "write", Fd("fd"), InBuffer("buf"), Size("count"))
def write(task: Task, fd: int, buf: Capability, count: int) -> int:
    """Data only, no tags."""
    file = task.descriptors.get(fd)
    file.require_writable()
    return file.write(task, task.memory.read_some(buf, min(count, RW_MAX)))


@FAMILY.syscall(65, "readv", Fd("fd"), Pointer("iov"), Int("iovcnt"))
def readv(task: Task, fd: int, iov: Capability, count: int) -> int:
    """Scatter input."""
    file = task.descriptors.get(fd)
    file.require_readable()
    vectors = task.memory.iovec(iov, count)
    data = file.read(task, sum(length for _, length in vectors))
    task.memory.scatter(vectors, data)
    return len(data)


@FAMILY.syscall(66, "writev", Fd("fd"), Pointer("iov"), Int("iovcnt"))
def writev(task: Task, fd: int, iov: Capability, count: int) -> int:
    """Gather output."""
    file = task.descriptors.get(fd)
    file.require_writable()
    return file.write(task, task.memory.gather(task.memory.iovec(iov, count)))


@FAMILY.syscall(67, "pread64", Fd("fd"), OutBuffer("buf"), Size("count"), Long("offset"))
def pread64(task: Task, fd: int, buf: Capability, count: int, offset: int) -> int:
    """Read at an offset."""
    file = task.descriptors.get(fd)
    file.require_readable()
    if offset < 0:
        raise SyscallError(Errno.EINVAL)
    task.memory.check_bounds(buf, min(count, RW_MAX), True)
    data = file.read_at(offset, min(count, RW_MAX))
    task.memory.write(buf, data)
    return len(data)


@FAMILY.syscall(68, "pwrite64", Fd("fd"), InBuffer("buf"), Size("count"), Long("offset"))
def pwrite64(task: Task, fd: int, buf: Capability, count: int, offset: int) -> int:
    """Write at an offset."""
    file = task.descriptors.get(fd)
    file.require_writable()
    if offset < 0:
        raise SyscallError(Errno.EINVAL)
    return file.write_at(offset, task.memory.read_some(buf, min(count, RW_MAX)))


@FAMILY.syscall(69, "preadv", Fd("fd"), Pointer("iov"), Int("iovcnt"), Long("offset"))
def preadv(task: Task, fd: int, iov: Capability, count: int, offset: int) -> int:
    """Scatter input at an offset."""
    file = task.descriptors.get(fd)
    file.require_readable()
    if offset < 0:
        raise SyscallError(Errno.EINVAL)
    vectors = task.memory.iovec(iov, count)
    data = file.read_at(offset, sum(length for _, length in vectors))
    task.memory.scatter(vectors, data)
    return len(data)


@FAMILY.syscall(70, "pwritev", Fd("fd"), Pointer("iov"), Int("iovcnt"), Long("offset"))
def pwritev(task: Task, fd: int, iov: Capability, count: int, offset: int) -> int:
    """Gather output at an offset."""
    file = task.descriptors.get(fd)
    file.require_writable()
    if offset < 0:
        raise SyscallError(Errno.EINVAL)
    return file.write_at(offset, task.memory.gather(task.memory.iovec(iov, count)))


@FAMILY.syscall(
    286, "preadv2", Fd("fd"), Pointer("iov"), Int("iovcnt"), Long("offset"), Long("high"), Int("flags")
)
def preadv2(task: Task, fd: int, iov: Capability, count: int, offset: int, high: int, flags: int) -> Result:
    """preadv, at the position for offset -1; no flags."""
    if flags:
        raise SyscallError(Errno.EOPNOTSUPP)
    return readv(task, fd, iov, count) if offset == -1 else preadv(task, fd, iov, count, offset)


@FAMILY.syscall(
    287, "pwritev2", Fd("fd"), Pointer("iov"), Int("iovcnt"), Long("offset"), Long("high"), Int("flags")
)
def pwritev2(task: Task, fd: int, iov: Capability, count: int, offset: int, high: int, flags: int) -> Result:
    """pwritev, at the position for offset -1; no flags."""
    if flags:
        raise SyscallError(Errno.EOPNOTSUPP)
    return writev(task, fd, iov, count) if offset == -1 else pwritev(task, fd, iov, count, offset)


@FAMILY.syscall(
    285, "copy_file_range", Fd("fd_in"), Pointer("off_in"), Fd("fd_out"), Pointer("off_out"), Size("len"),
    UInt("flags"),
)  # fmt: skip
def copy_file_range(
    task: Task, source: int, off_in: Capability, target: int, off_out: Capability, size: int, flags: int
) -> int:
    """Copy between two regular files, at most 1 MiB at a time."""
    one, two = task.descriptors.get(source), task.descriptors.get(target)
    one.require_readable()
    two.require_writable()
    if flags or not isinstance(one, HostFile) or not isinstance(two, HostFile):
        raise SyscallError(Errno.EINVAL)
    memory = task.memory
    size = min(size, 1 << 20)
    if memory.is_null(off_in):
        data = one.read(task, size)
    else:
        start = memory.read_u64(off_in)
        data = one.read_at(start, size)
        memory.write_u64(off_in, start + len(data))
    if memory.is_null(off_out):
        return two.write(task, data)
    start = memory.read_u64(off_out)
    done = two.write_at(start, data)
    memory.write_u64(off_out, start + done)
    return done


@FAMILY.syscall(279, "memfd_create", Path("name"), UInt("flags"))
def memfd_create(task: Task, name: Capability, flags: int) -> int:
    """An unnamed file of the host's temporary directory."""
    text = task.memory.string(name, 250).decode(errors="replace")
    if flags & ~3:
        raise SyscallError(Errno.EINVAL)
    try:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    except OSError as error:
        raise SyscallError(guest_errno(error)) from None
    return task.descriptors.add(HostFile(descriptor, f"/memfd:{text}", Open.RDWR), bool(flags & 1))


@FAMILY.syscall(71, "sendfile", Fd("out_fd"), Fd("in_fd"), Pointer("offset"), Size("count"))
def sendfile(task: Task, out_fd: int, in_fd: int, offset: Capability, count: int) -> int:
    """Copy between descriptors, at most 64 KiB at a time."""
    source, target = task.descriptors.get(in_fd), task.descriptors.get(out_fd)
    source.require_readable()
    target.require_writable()
    count = min(count, 65536)
    if task.memory.is_null(offset):
        data = task.call_state if isinstance(task.call_state, bytes) else source.read(task, count)
        task.call_state = data
        return target.write(task, data)
    start = task.memory.read_u64(offset)
    done = target.write(task, source.read_at(start, count))
    task.memory.write_u64(offset, start + done)
    return done


@FAMILY.syscall(62, "lseek", Fd("fd"), Long("offset"), Int("whence"))
def lseek(task: Task, fd: int, offset: int, whence: int) -> int:
    """Move the position."""
    return task.descriptors.get(fd).seek(offset, whence)


@FAMILY.syscall(57, "close", Fd("fd"))
def close(task: Task, fd: int) -> int:
    """Close a descriptor."""
    task.descriptors.close(fd)
    return 0


@FAMILY.syscall(436, "close_range", UInt("first"), UInt("last"), UInt("flags"))
def close_range(task: Task, first: int, last: int, flags: int) -> int:
    """Close or mark a range of descriptors."""
    if first > last or flags & ~4:
        raise SyscallError(Errno.EINVAL)
    for number, _ in list(task.descriptors):
        if first <= number <= last:
            if flags & 4:
                task.descriptors.set_close_on_exec(number, True)
            else:
                task.descriptors.close(number)
    return 0


@FAMILY.syscall(23, "dup", Fd("fd"))
def dup(task: Task, fd: int) -> int:
    """A second number."""
    return task.descriptors.add(task.descriptors.get(fd))


@FAMILY.syscall(24, "dup3", Fd("oldfd"), Fd("newfd"), Flags("flags", OPEN_NAMES))
def dup3(task: Task, old: int, new: int, flags: int) -> int:
    """A second number of one's choice."""
    if old == new or flags & ~Open.CLOEXEC:
        raise SyscallError(Errno.EINVAL)
    task.descriptors.put(new, task.descriptors.get(old), bool(flags & Open.CLOEXEC))
    return new


@FAMILY.syscall(59, "pipe2", Pointer("pipefd"), Flags("flags", OPEN_NAMES))
def pipe2(task: Task, pipefd: Capability, flags: int) -> int:
    """A pipe."""
    if flags & ~(Open.CLOEXEC | Open.NONBLOCK | Open.DIRECT):
        raise SyscallError(Errno.EINVAL)
    task.memory.check(pipefd, 8, True)
    buffer = PipeBuffer()
    reader, writer = (
        PipeEnd(buffer, flags & Open.NONBLOCK),
        PipeEnd(buffer, flags & Open.NONBLOCK | Open.WRONLY),
    )
    numbers = add_pair(task, reader, writer, bool(flags & Open.CLOEXEC))
    task.memory.write(pipefd, struct.pack("<ii", *numbers))
    return 0


def add_pair(task: Task, first: OpenFile, second: OpenFile, close_on_exec: bool) -> tuple[int, int]:
    """Numbers for both ends of something, or for neither."""
    one = task.descriptors.add(first, close_on_exec)
    try:
        return one, task.descriptors.add(second, close_on_exec)
    except SyscallError:
        task.descriptors.close(one)
        raise


@FAMILY.syscall(19, "eventfd2", UInt("initval"), Flags("flags", OPEN_NAMES))
def eventfd2(task: Task, initial: int, flags: int) -> int:
    """A counter to wait for."""
    if flags & ~(Open.CLOEXEC | Open.NONBLOCK | 1):
        raise SyscallError(Errno.EINVAL)
    counter = EventCounter(initial, bool(flags & 1), flags & Open.NONBLOCK)
    return task.descriptors.add(counter, bool(flags & Open.CLOEXEC))


@FAMILY.syscall(25, "fcntl", Fd("fd"), Int("cmd"), Pointer("arg"))
def fcntl(task: Task, fd: int, command: int, argument: Capability) -> int:
    """Descriptor and status flags, duplication, record locks (always free: see docs/process.md)."""
    table = task.descriptors
    file = table.get(fd)
    value = argument.value & 0xFFFF_FFFF
    if command in (F_DUPFD, F_DUPFD_CLOEXEC):
        if value >= 1024:
            raise SyscallError(Errno.EINVAL)
        return table.add(file, command == F_DUPFD_CLOEXEC, value)
    if command == F_GETFD:
        return int(table.is_close_on_exec(fd))
    if command == F_SETFD:
        table.set_close_on_exec(fd, bool(value & 1))
        return 0
    if command == F_GETFL:
        return file.flags | Open.LARGEFILE
    if command == F_SETFL:
        file.flags = file.flags & ~STATUS_FLAGS | value & STATUS_FLAGS
        return 0
    if command in (F_GETLK, F_SETLK, F_SETLKW):
        return _record_lock(task, command, argument)
    if command == F_GETPIPE_SZ and isinstance(file, PipeEnd):
        return 65536
    if command in (F_SETOWN, F_GETOWN):
        return 0
    raise SyscallError(Errno.EINVAL)


def _record_lock(task: Task, command: int, lock: Capability) -> int:
    """Guest processes of one run do not contend for files: every lock is granted."""
    task.memory.check(lock, 32, True)
    if command == F_GETLK:
        task.memory.write(lock, struct.pack("<h", F_UNLCK))
    return 0


@FAMILY.syscall(32, "flock", Fd("fd"), Int("operation"))
def flock(task: Task, fd: int, operation: int) -> int:
    """Whole-file locks: granted like record locks."""
    task.descriptors.get(fd)
    if operation & ~4 not in (1, 2, 8):
        raise SyscallError(Errno.EINVAL)
    return 0


@FAMILY.syscall(29, "ioctl", Fd("fd"), Hex("request"), Pointer("argp"))
def ioctl(task: Task, fd: int, request: int, argument: Capability) -> int:
    """Terminal calls on a host terminal, FIONREAD, FIONBIO and close-on-exec; ENOTTY otherwise."""
    file = task.descriptors.get(fd)
    request &= 0xFFFF_FFFF
    if request in (FIOCLEX, FIONCLEX):
        task.descriptors.set_close_on_exec(fd, request == FIOCLEX)
        return 0
    if request == FIONBIO:
        on = task.memory.read_u32(argument)
        file.flags = file.flags | Open.NONBLOCK if on else file.flags & ~Open.NONBLOCK
        return 0
    if request == FIONREAD and isinstance(file, PipeEnd):
        task.memory.write_u32(argument, file.available)
        return 0
    if file.is_terminal and sys.platform == "linux":
        return terminal.control(task, file, request, argument)
    raise SyscallError(Errno.ENOTTY)


@FAMILY.syscall(82, "fsync", Fd("fd"))
def fsync(task: Task, fd: int) -> int:
    """To the host's disk."""
    task.descriptors.get(fd).synchronise()
    return 0


@FAMILY.syscall(83, "fdatasync", Fd("fd"))
def fdatasync(task: Task, fd: int) -> int:
    """To the host's disk."""
    task.descriptors.get(fd).synchronise()
    return 0


@FAMILY.syscall(81, "sync")
def sync(task: Task) -> int:
    """The host does that when it likes."""
    return 0


def _checked_only(task: Task, fd: int, *_: object) -> int:
    """readahead, sync_file_range: hints."""
    task.descriptors.get(fd)
    return 0


FAMILY.syscall(213, "readahead", Fd("fd"), Long("offset"), Size("count"))(_checked_only)
FAMILY.syscall(84, "sync_file_range", Fd("fd"), Long("offset"), Long("nbytes"), UInt("flags"))(_checked_only)


@FAMILY.syscall(46, "ftruncate", Fd("fd"), Long("length"))
def ftruncate(task: Task, fd: int, length: int) -> int:
    """Change a file's size."""
    file = task.descriptors.get(fd)
    file.require_writable()
    if length < 0:
        raise SyscallError(Errno.EINVAL)
    file.truncate(length)
    return 0


@FAMILY.syscall(47, "fallocate", Fd("fd"), Int("mode"), Long("offset"), Long("len"))
def fallocate(task: Task, fd: int, mode: int, offset: int, length: int) -> int:
    """Extend a file; other modes are not supported."""
    file = task.descriptors.get(fd)
    file.require_writable()
    if offset < 0 or length <= 0:
        raise SyscallError(Errno.EINVAL)
    if mode & ~1:
        raise SyscallError(Errno.EOPNOTSUPP)
    if isinstance(file, Directory):
        raise SyscallError(Errno.EISDIR)
    if not isinstance(file, HostFile):
        raise SyscallError(Errno.ENODEV)
    if not mode and file.status().size < offset + length:
        file.truncate(offset + length)
    return 0


@FAMILY.syscall(223, "fadvise64", Fd("fd"), Long("offset"), Long("len"), Int("advice"))
def fadvise64(task: Task, fd: int, offset: int, length: int, advice: int) -> int:
    """Advice is accepted and has no effect."""
    file = task.descriptors.get(fd)
    if isinstance(file, PipeEnd):
        raise SyscallError(Errno.ESPIPE)
    if not 0 <= advice <= 5:
        raise SyscallError(Errno.EINVAL)
    return 0

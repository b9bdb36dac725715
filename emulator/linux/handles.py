"""Open file descriptions: what a descriptor number refers to (host files, pipes, devices, text files…)."""

# ruff: noqa: ARG002  (implementations share one signature)

from __future__ import annotations

import os
import select
import stat
from collections.abc import Callable
from enum import IntFlag
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.linux.errors import Errno, SyscallError, guest_errno
from emulator.linux.files import Node
from emulator.linux.status import FileStatus, file_status

if TYPE_CHECKING:
    from emulator.linux.process import Task

FILE_SIZE_LIMIT = 4 << 30
"""Largest file that a guest may make (bytes)."""
PIPE_CAPACITY = 65536
PIPE_ATOMIC = 4096
READ_CHUNK = 1 << 24
"""Most that one read returns (bytes); Linux may also return less than was asked."""


class Open(IntFlag):
    """arm64's O_* flags."""

    WRONLY = 0o1
    RDWR = 0o2
    CREAT = 0o100
    EXCL = 0o200
    NOCTTY = 0o400
    TRUNC = 0o1000
    APPEND = 0o2000
    NONBLOCK = 0o4000
    DSYNC = 0o10000
    DIRECTORY = 0o40000
    NOFOLLOW = 0o100000
    DIRECT = 0o200000
    LARGEFILE = 0o400000
    NOATIME = 0o1000000
    CLOEXEC = 0o2000000
    PATH = 0o10000000


ACCESS_MODE = 3
STATUS_FLAGS = Open.APPEND | Open.NONBLOCK | Open.NOATIME | Open.DIRECT
"""What F_SETFL can change."""


class Poll(IntFlag):
    """Readiness, in poll's and epoll's numbering."""

    IN = 0x001
    PRI = 0x002
    OUT = 0x004
    ERR = 0x008
    HUP = 0x010
    NVAL = 0x020
    RDNORM = 0x040
    WRNORM = 0x100


class OpenFile:
    """An open file description. Descriptors and mappings count as users; the last one closes it.

    This base class is a file on which every operation fails as on an object of unknown kind.
    """

    path: str = "anon_inode:"
    """Guest path, for /proc/self/fd."""

    def __init__(self, flags: int) -> None:
        self.flags = flags & ~(Open.CREAT | Open.EXCL | Open.NOCTTY | Open.TRUNC | Open.CLOEXEC)
        self.users = 0

    # -- life ------------------------------------------------------------------------------------------

    def retain(self) -> OpenFile:
        """One more descriptor."""
        self.users += 1
        return self

    def release(self) -> None:
        """One descriptor less."""
        self.users -= 1
        if self.users <= 0:
            self.closed()

    def closed(self) -> None:
        """The last descriptor went away."""

    # -- checks for callers ----------------------------------------------------------------------------

    def require_readable(self) -> None:
        """EBADF when opened for writing only."""
        if self.flags & ACCESS_MODE == Open.WRONLY or self.flags & Open.PATH:
            raise SyscallError(Errno.EBADF)

    def require_writable(self) -> None:
        """EBADF when opened for reading only."""
        if self.flags & ACCESS_MODE == 0 or self.flags & Open.PATH:
            raise SyscallError(Errno.EBADF)

    @property
    def nonblocking(self) -> bool:
        """O_NONBLOCK."""
        return bool(self.flags & Open.NONBLOCK)

    # -- operations -------------------------------------------------------------------------------------

    def read(self, task: Task, size: int) -> bytes:
        """Read from the current position."""
        raise SyscallError(Errno.EINVAL)

    def write(self, task: Task, data: bytes) -> int:
        """Write at the current position; the number of bytes taken."""
        raise SyscallError(Errno.EINVAL)

    def read_at(self, offset: int, size: int) -> bytes:
        """pread."""
        raise SyscallError(Errno.ESPIPE)

    def write_at(self, offset: int, data: bytes) -> int:
        """pwrite."""
        raise SyscallError(Errno.ESPIPE)

    def seek(self, offset: int, whence: int) -> int:
        """lseek; the new position."""
        raise SyscallError(Errno.ESPIPE)

    def status(self) -> FileStatus:
        """fstat."""
        return file_status(self.path, 0, stat.S_IFREG | 0o600)

    def truncate(self, size: int) -> None:
        """ftruncate."""
        raise SyscallError(Errno.EINVAL)

    def synchronise(self) -> None:
        """fsync."""
        raise SyscallError(Errno.EINVAL)

    def poll(self) -> Poll:
        """Readiness now."""
        return Poll.IN | Poll.OUT | Poll.RDNORM | Poll.WRNORM

    def host_descriptor(self) -> int | None:
        """The host's descriptor, for terminal calls and for waiting on input."""
        return None

    @property
    def is_terminal(self) -> bool:
        """A terminal of the host."""
        return False


class HostFile(OpenFile):
    """A regular file (or pipe, socket, device reached as stdin/stdout/stderr) of the host."""

    def __init__(self, descriptor: int, path: str, flags: int, owned: bool = True) -> None:
        super().__init__(flags)
        self.descriptor = descriptor
        self.path = path
        self._owned = owned
        self._mode = os.fstat(descriptor).st_mode

    def closed(self) -> None:
        """Close the host's descriptor; standard streams stay open."""
        if self._owned:
            os.close(self.descriptor)

    def host_descriptor(self) -> int | None:
        """The host's descriptor."""
        return self.descriptor

    @property
    def is_regular(self) -> bool:
        """A regular file (standard streams may be others)."""
        return stat.S_ISREG(self._mode)

    @property
    def is_terminal(self) -> bool:
        """isatty."""
        return stat.S_ISCHR(self._mode) and os.isatty(self.descriptor)

    def read(self, task: Task, size: int) -> bytes:
        """Read; a terminal or pipe of the host blocks the whole emulator, which keeps runs deterministic."""
        try:
            if self.nonblocking and not stat.S_ISREG(self._mode) and not self._input_ready():
                raise SyscallError(Errno.EAGAIN)
            return os.read(self.descriptor, min(size, READ_CHUNK))
        except OSError as error:
            raise SyscallError(guest_errno(error)) from None

    def write(self, task: Task, data: bytes) -> int:
        """Write; a broken pipe also sends SIGPIPE."""
        try:
            if stat.S_ISREG(self._mode):
                here = os.lseek(self.descriptor, 0, os.SEEK_END if self.flags & Open.APPEND else os.SEEK_CUR)
                if self._owned and here + len(data) > FILE_SIZE_LIMIT:
                    raise SyscallError(Errno.EFBIG)
            return os.write(self.descriptor, data)
        except BrokenPipeError:
            task.broken_pipe()
            raise SyscallError(Errno.EPIPE) from None
        except OSError as error:
            raise SyscallError(guest_errno(error)) from None

    def read_at(self, offset: int, size: int) -> bytes:
        """pread."""
        try:
            return os.pread(self.descriptor, min(size, READ_CHUNK), offset)
        except OSError as error:
            raise SyscallError(guest_errno(error)) from None

    def write_at(self, offset: int, data: bytes) -> int:
        """pwrite."""
        if offset + len(data) > FILE_SIZE_LIMIT:
            raise SyscallError(Errno.EFBIG)
        try:
            return os.pwrite(self.descriptor, data, offset)
        except OSError as error:
            raise SyscallError(guest_errno(error)) from None

    def seek(self, offset: int, whence: int) -> int:
        """lseek, SEEK_DATA and SEEK_HOLE included where the host has them."""
        if whence not in range(5):
            raise SyscallError(Errno.EINVAL)
        try:
            return os.lseek(self.descriptor, offset, whence)
        except OSError as error:
            raise SyscallError(guest_errno(error)) from None
        except OverflowError:
            raise SyscallError(Errno.EINVAL) from None

    def status(self) -> FileStatus:
        """fstat."""
        return FileStatus.from_host(os.fstat(self.descriptor))

    def truncate(self, size: int) -> None:
        """ftruncate."""
        if size > FILE_SIZE_LIMIT:
            raise SyscallError(Errno.EFBIG)
        try:
            os.ftruncate(self.descriptor, size)
        except OSError as error:
            raise SyscallError(guest_errno(error)) from None

    def synchronise(self) -> None:
        """fsync."""
        try:
            os.fsync(self.descriptor)
        except OSError as error:
            raise SyscallError(guest_errno(error)) from None

    def _input_ready(self) -> bool:
        return bool(select.select([self.descriptor], [], [], 0)[0])

    def poll(self) -> Poll:
        """Regular files are always ready; others as the host says."""
        ready = Poll.OUT | Poll.WRNORM
        if stat.S_ISREG(self._mode) or self._input_ready():
            ready |= Poll.IN | Poll.RDNORM
        return ready

    # -- a file as contents of memory ------------------------------------------------------------------

    def page(self, offset: int) -> bytes:
        """First contents of a page of a mapping."""
        try:
            return os.pread(self.descriptor, 4096, offset)
        except OSError:
            return b""

    def write_page(self, offset: int, data: bytes) -> None:
        """A changed page of a shared mapping; the file does not grow."""
        try:
            room = os.fstat(self.descriptor).st_size - offset
            if room > 0:
                os.pwrite(self.descriptor, data[:room], offset)
        except OSError:
            return


class HostMapping:
    """The backing of a mapped host file: keeps a descriptor of its own while mappings exist."""

    def __init__(self, file: HostFile) -> None:
        self._file = HostFile(os.dup(file.descriptor), file.path, file.flags)
        self.page = self._file.page
        self.write_page = self._file.write_page

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.closed()


class Directory(OpenFile):
    """An open directory: a snapshot of its entries taken at the first read or rewind."""

    def __init__(
        self, path: str, node: Node, entries: Callable[[], list[tuple[str, int, int]]], flags: int
    ) -> None:
        super().__init__(flags)
        self.path = path
        self._node = node
        self._list = entries
        self._entries: list[tuple[str, int, int]] | None = None
        self.position = 0

    def status(self) -> FileStatus:
        """Status of the directory."""
        return self._node.status()

    def read(self, task: Task, size: int) -> bytes:
        """Directories are read with getdents64."""
        raise SyscallError(Errno.EISDIR)

    def seek(self, offset: int, whence: int) -> int:
        """Rewind, or return to a position that getdents64 told."""
        if whence not in (0, 1) or (whence == 1 and offset) or offset < 0:
            raise SyscallError(Errno.EINVAL)
        if whence == 0:
            self.position = offset
            self._entries = None
        return self.position

    def synchronise(self) -> None:
        """Entries reach the disk when the host likes."""

    def entries(self) -> list[tuple[str, int, int]]:
        """(name, inode, DT_ type) from `.` on."""
        if self._entries is None:
            self._entries = self._list()
        return self._entries


class TextFile(OpenFile):
    """A read-only file whose contents the emulator made when it was opened (/proc)."""

    def __init__(self, path: str, data: bytes, flags: int) -> None:
        super().__init__(flags)
        self.path = path
        self._data = data
        self._position = 0

    def read(self, task: Task, size: int) -> bytes:
        """The next bytes."""
        part = self._data[self._position : self._position + size]
        self._position += len(part)
        return part

    def read_at(self, offset: int, size: int) -> bytes:
        """pread."""
        return self._data[offset : offset + size]

    def seek(self, offset: int, whence: int) -> int:
        """lseek."""
        start = {0: 0, 1: self._position, 2: len(self._data)}.get(whence)
        if start is None or start + offset < 0:
            raise SyscallError(Errno.EINVAL)
        self._position = start + offset
        return self._position

    def status(self) -> FileStatus:
        """A file of size 0, as in /proc."""
        return file_status(self.path, 0)


class PathHandle(OpenFile):
    """O_PATH: names a place, allows no data."""

    def __init__(self, path: str, node: Node, flags: int) -> None:
        super().__init__(flags | Open.PATH)
        self.path = path
        self._node = node

    def status(self) -> FileStatus:
        """Status of the place."""
        return self._node.status()


class PipeBuffer:
    """The bytes between the two ends of a pipe."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.readers = 0
        self.writers = 0

    def accepts(self, size: int) -> bool:
        """A blocked writer of `size` bytes can go on (or nobody will ever read)."""
        return not self.readers or PIPE_CAPACITY - len(self.data) >= size


class PipeEnd(OpenFile):
    """One end of a pipe. A reader sees end of file when the last writer is gone; a writer gets SIGPIPE."""

    def __init__(self, buffer: PipeBuffer, flags: int) -> None:
        super().__init__(flags)
        self._buffer = buffer
        self._writes = bool(flags & Open.WRONLY)
        self.path = "pipe:[1]"
        if self._writes:
            buffer.writers += 1
        else:
            buffer.readers += 1

    @property
    def available(self) -> int:
        """Bytes that can be read now."""
        return len(self._buffer.data)

    def closed(self) -> None:
        """One end less."""
        if self._writes:
            self._buffer.writers -= 1
        else:
            self._buffer.readers -= 1

    def read(self, task: Task, size: int) -> bytes:
        """What is there, blocking while it is nothing and somebody may write."""
        buffer = self._buffer
        if not buffer.data and buffer.writers and size:
            if self.nonblocking:
                raise SyscallError(Errno.EAGAIN)
            task.block(lambda: bool(buffer.data) or not buffer.writers)
        part = bytes(buffer.data[:size])
        del buffer.data[:size]
        return part

    def write(self, task: Task, data: bytes) -> int:
        """All of it; up to 4096 bytes go in one piece."""
        buffer = self._buffer
        done = task.progress
        while done < len(data):
            if not buffer.readers:
                task.broken_pipe()
                raise SyscallError(Errno.EPIPE)
            room = PIPE_CAPACITY - len(buffer.data)
            needed = len(data) if len(data) <= PIPE_ATOMIC else 1
            if room < needed:
                if self.nonblocking:
                    if done:
                        return done
                    raise SyscallError(Errno.EAGAIN)
                task.progress = done
                task.block(partial(buffer.accepts, needed))
            part = data[done : done + room]
            buffer.data += part
            done += len(part)
        return done

    def status(self) -> FileStatus:
        """A FIFO."""
        return file_status(self.path, 0, stat.S_IFIFO | 0o600)

    def poll(self) -> Poll:
        """Readiness of this end."""
        buffer = self._buffer
        if self._writes:
            ready = Poll.OUT | Poll.WRNORM if PIPE_CAPACITY - len(buffer.data) >= PIPE_ATOMIC else Poll(0)
            return ready if buffer.readers else ready | Poll.ERR
        ready = Poll.IN | Poll.RDNORM if buffer.data else Poll(0)
        return ready if buffer.writers else ready | Poll.HUP


class SocketPairEnd(OpenFile):
    """One end of socketpair(AF_UNIX, SOCK_STREAM): two pipes."""

    path = "socket:[1]"
    _output_ended = False

    def __init__(self, incoming: PipeBuffer, outgoing: PipeBuffer, flags: int) -> None:
        super().__init__(flags | Open.RDWR)
        self._in = PipeEnd(incoming, flags)
        self._out = PipeEnd(outgoing, flags | Open.WRONLY)

    def closed(self) -> None:
        """Both directions end."""
        self._in.closed()
        self.end_output()

    def end_output(self) -> None:
        """shutdown(SHUT_WR): the other end reads an end of file."""
        if not self._output_ended:
            self._output_ended = True
            self._out.closed()

    def read(self, task: Task, size: int) -> bytes:
        """Receive."""
        self._in.flags = self.flags & Open.NONBLOCK
        return self._in.read(task, size)

    def write(self, task: Task, data: bytes) -> int:
        """Send; EPIPE and SIGPIPE after shutdown."""
        if self._output_ended:
            task.broken_pipe()
            raise SyscallError(Errno.EPIPE)
        self._out.flags = self.flags & Open.NONBLOCK | Open.WRONLY
        return self._out.write(task, data)

    def status(self) -> FileStatus:
        """A socket."""
        return file_status(self.path, 0, stat.S_IFSOCK | 0o777)

    def poll(self) -> Poll:
        """Both directions."""
        return self._in.poll() | self._out.poll()


class EventCounter(OpenFile):
    """eventfd."""

    path = "anon_inode:[eventfd]"

    def __init__(self, value: int, semaphore: bool, flags: int) -> None:
        super().__init__(flags | Open.RDWR)
        self._value = value
        self._semaphore = semaphore

    def read(self, task: Task, size: int) -> bytes:
        """The counter (or 1 of it); blocks while it is 0."""
        if size < 8:
            raise SyscallError(Errno.EINVAL)
        if not self._value:
            if self.nonblocking:
                raise SyscallError(Errno.EAGAIN)
            task.block(lambda: self._value > 0)
        taken = 1 if self._semaphore else self._value
        self._value -= taken
        return taken.to_bytes(8, "little")

    def write(self, task: Task, data: bytes) -> int:
        """Add to the counter; blocks while it would overflow."""
        amount = int.from_bytes(data[:8], "little")
        if len(data) < 8 or amount == 0xFFFF_FFFF_FFFF_FFFF:
            raise SyscallError(Errno.EINVAL)
        if self._value + amount > 0xFFFF_FFFF_FFFF_FFFE:
            if self.nonblocking:
                raise SyscallError(Errno.EAGAIN)
            task.block(lambda: self._value + amount <= 0xFFFF_FFFF_FFFF_FFFE)
        self._value += amount
        return 8

    def poll(self) -> Poll:
        """Readable when not 0."""
        return (Poll.IN if self._value else Poll(0)) | Poll.OUT


def open_host(path: str, guest_path: str, flags: int, mode: int) -> HostFile:
    """Open a host file that the view has resolved; links are never followed here."""
    wanted = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NOCTTY | os.O_NONBLOCK
    wanted |= (os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR)[flags & ACCESS_MODE]
    for guest, host in (
        (Open.CREAT, os.O_CREAT),
        (Open.EXCL, os.O_EXCL),
        (Open.TRUNC, os.O_TRUNC),
        (Open.APPEND, os.O_APPEND),
    ):
        if flags & guest:
            wanted |= host
    try:
        descriptor = os.open(path, wanted, mode & 0o7777)
    except OSError as error:
        raise SyscallError(guest_errno(error)) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SyscallError(Errno.EACCES)
    return HostFile(descriptor, guest_path, flags)


def host_entries(path: str, extra: set[str]) -> list[tuple[str, int, int]]:
    """Entries of a host directory in byte order (hosts differ), then `.` and `..` in front."""
    try:
        with os.scandir(path) as scan:
            found = {entry.name: (entry.inode(), _type(entry)) for entry in scan}
    except OSError as error:
        raise SyscallError(guest_errno(error)) from None
    for name in extra:
        found.setdefault(name, (1, 4))
    here = Path(path).lstat().st_ino
    ordered = sorted(found.items(), key=lambda item: item[0].encode(errors="surrogateescape"))
    return [(".", here, 4), ("..", here, 4), *((name, inode, kind) for name, (inode, kind) in ordered)]


def _type(entry: os.DirEntry[str]) -> int:
    if entry.is_symlink():
        return 10
    if entry.is_dir():
        return 4
    return 8 if entry.is_file() else 0

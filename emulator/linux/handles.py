"""Open file descriptions: what a descriptor number refers to (host files, pipes, devices, text files…)."""

# ruff: noqa: ARG002  (implementations share one signature)

from __future__ import annotations

import os
import select
import stat
import termios
from collections.abc import Callable
from enum import IntFlag
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator.linux.errors import Errno, SyscallError, guest_errno
from emulator.linux.files import Node
from emulator.linux.status import FileStatus, file_status

if TYPE_CHECKING:
    from emulator.linux.process import Task

FILE_SIZE_LIMIT = 4 << 30
"""Largest file that a guest may make (bytes)."""
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

    def terminal_settings(self) -> list[Any]:
        """tcgetattr's list; OSError or termios.error."""
        raise SyscallError(Errno.ENOTTY)

    def set_terminal(self, when: int, settings: list[Any]) -> None:
        """tcsetattr; OSError or termios.error."""
        raise SyscallError(Errno.ENOTTY)

    def window_size(self) -> tuple[int, int]:
        """(lines, columns); OSError."""
        raise SyscallError(Errno.ENOTTY)


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

    def terminal_settings(self) -> list[Any]:
        """See `OpenFile`."""
        return termios.tcgetattr(self.descriptor)

    def set_terminal(self, when: int, settings: list[Any]) -> None:
        """See `OpenFile`."""
        termios.tcsetattr(self.descriptor, when, settings)

    def window_size(self) -> tuple[int, int]:
        """See `OpenFile`."""
        size = os.get_terminal_size(self.descriptor)
        return size.lines, size.columns

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

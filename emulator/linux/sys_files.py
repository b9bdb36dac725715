"""Names and status: openat, stat, getdents, mkdir, unlink, rename, links, access, chdir…"""

# ruff: noqa: ARG001  (a handler takes all arguments of its call)

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable
from pathlib import Path as HostPath
from typing import TYPE_CHECKING

from emulator.linux.errors import Errno, SyscallError, guest_errno
from emulator.linux.files import HostNode, Place
from emulator.linux.handles import Directory, HostFile, Open, PathHandle
from emulator.linux.paths import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_FLAG_NAMES,
    AT_REMOVEDIR,
    AT_SYMLINK_FOLLOW,
    AT_SYMLINK_NOFOLLOW,
    locate,
    open_place,
)
from emulator.linux.sys_io import OPEN_NAMES
from emulator.linux.table import (
    DirFd,
    Family,
    Fd,
    Flags,
    Int,
    Long,
    Mode,
    OutBuffer,
    Path,
    Pointer,
    Size,
    UInt,
)
from morello_isa.capability import Capability

if TYPE_CHECKING:
    from emulator.linux.process import Task
    from emulator.linux.status import FileStatus

FAMILY = Family()
R_OK, W_OK, X_OK = 4, 2, 1
UTIME_NOW, UTIME_OMIT = 0x3FFF_FFFF, 0x3FFF_FFFE
STATFS_SIZE = 120


def _host(action: Callable[[], object]) -> int:
    """Run a host operation; its error becomes the guest's."""
    try:
        action()
    except OSError as error:
        raise SyscallError(guest_errno(error)) from None
    except ValueError:
        raise SyscallError(Errno.EINVAL) from None
    return 0


@FAMILY.syscall(
    56, "openat", DirFd("dirfd"), Path("path"), Flags("flags", OPEN_NAMES, "O_RDONLY"), Mode("mode")
)
def openat(task: Task, dirfd: int, path: Capability, flags: int, mode: int) -> int:
    """Open or create a file of the view."""
    follow = not flags & Open.NOFOLLOW and flags & (Open.CREAT | Open.EXCL) != Open.CREAT | Open.EXCL
    place = locate(task, dirfd, task.memory.path(path), follow)
    file = open_place(task, place, flags, mode)
    return task.descriptors.add(file, bool(flags & Open.CLOEXEC))


@FAMILY.syscall(437, "openat2", DirFd("dirfd"), Path("path"), Pointer("how"), Size("size"))
def openat2(task: Task, dirfd: int, path: Capability, how: Capability, size: int) -> int:
    """openat with a structure; RESOLVE_ flags beyond none are not supported."""
    if size < 24:
        raise SyscallError(Errno.EINVAL)
    flags, mode, resolve = struct.unpack("<QQQ", task.memory.read(how, 24))
    if resolve or flags >> 32:
        raise SyscallError(Errno.EINVAL)
    return openat(task, dirfd, path, flags, mode & 0xFFFF)


def _status(task: Task, dirfd: int, path: str, flags: int) -> FileStatus:
    if not path and flags & AT_EMPTY_PATH:
        if dirfd == AT_FDCWD:
            return locate(task, dirfd, ".").existing().status()
        return task.descriptors.get(dirfd).status()
    return locate(task, dirfd, path, not flags & AT_SYMLINK_NOFOLLOW).existing().status()


@FAMILY.syscall(
    79, "newfstatat", DirFd("dirfd"), Path("path"), Pointer("statbuf"), Flags("flags", AT_FLAG_NAMES)
)
def newfstatat(task: Task, dirfd: int, path: Capability, buffer: Capability, flags: int) -> int:
    """stat, lstat and fstat in one."""
    name = "" if flags & AT_EMPTY_PATH and task.memory.is_null(path) else task.memory.path(path)
    task.memory.write(buffer, _status(task, dirfd, name, flags).pack())
    return 0


@FAMILY.syscall(80, "fstat", Fd("fd"), Pointer("statbuf"))
def fstat(task: Task, fd: int, buffer: Capability) -> int:
    """Status of an open file."""
    task.memory.write(buffer, task.descriptors.get(fd).status().pack())
    return 0


@FAMILY.syscall(
    291,
    "statx",
    DirFd("dirfd"),
    Path("path"),
    Flags("flags", AT_FLAG_NAMES),
    UInt("mask"),
    Pointer("statxbuf"),
)
def statx(task: Task, dirfd: int, path: Capability, flags: int, mask: int, buffer: Capability) -> int:
    """stat with more fields; the basic ones are filled in."""
    name = "" if flags & AT_EMPTY_PATH and task.memory.is_null(path) else task.memory.path(path)
    task.memory.write(buffer, _status(task, dirfd, name, flags).pack_statx())
    return 0


@FAMILY.syscall(43, "statfs", Path("path"), Pointer("buf"))
def statfs(task: Task, path: Capability, buffer: Capability) -> int:
    """File system of a path."""
    place = locate(task, AT_FDCWD, task.memory.path(path))
    node = place.existing()
    task.memory.write(buffer, _statfs(node.path if isinstance(node, HostNode) else None))
    return 0


@FAMILY.syscall(44, "fstatfs", Fd("fd"), Pointer("buf"))
def fstatfs(task: Task, fd: int, buffer: Capability) -> int:
    """File system of an open file."""
    task.descriptors.get(fd)
    task.memory.write(buffer, _statfs(None))
    return 0


def _statfs(host: str | None) -> bytes:
    blocks = free = files = 0
    if host is not None:
        try:
            info = os.statvfs(host)
        except OSError as error:
            raise SyscallError(guest_errno(error)) from None
        scale = max(info.f_frsize, 1)
        blocks, free, files = info.f_blocks * scale // 4096, info.f_bavail * scale // 4096, info.f_files
    record = struct.pack("<7Q2iQQQ", 0xEF53, 4096, blocks, free, free, files, files, 0, 0, 255, 4096, 0)
    return record.ljust(STATFS_SIZE, b"\0")


@FAMILY.syscall(61, "getdents64", Fd("fd"), OutBuffer("dirp"), Size("count"))
def getdents64(task: Task, fd: int, buffer: Capability, count: int) -> int:
    """The next directory entries that fit; EINVAL when not even one does."""
    directory = task.descriptors.get(fd)
    if not isinstance(directory, Directory):
        raise SyscallError(Errno.ENOTDIR)
    entries = directory.entries()
    count = min(count, 1 << 20)
    data = bytearray()
    position = directory.position
    while position < len(entries):
        name, inode, kind = entries[position]
        encoded = name.encode(errors="surrogateescape") + b"\0"
        size = (19 + len(encoded) + 7) & ~7
        if len(data) + size > count:
            break
        head = struct.pack("<QqHB", inode, position + 1, size, kind)
        data += (head + encoded).ljust(size, b"\0")
        position += 1
    if not data and position < len(entries):
        raise SyscallError(Errno.EINVAL)
    task.memory.write(buffer, bytes(data))
    directory.position = position
    return len(data)


@FAMILY.syscall(78, "readlinkat", DirFd("dirfd"), Path("path"), OutBuffer("buf"), Size("bufsiz"))
def readlinkat(task: Task, dirfd: int, path: Capability, buffer: Capability, size: int) -> int:
    """Text of a symbolic link."""
    name = task.memory.path(path)
    if not name:
        node = locate(task, AT_FDCWD, task.descriptors.get(dirfd).path, False).existing()
    else:
        node = locate(task, dirfd, name, False).existing()
    target = node.target()
    if target is None and name.startswith("/proc/") and "/fd/" in name:
        target = getattr(getattr(node, "file", None), "path", None)
    if target is None or size == 0:
        raise SyscallError(Errno.EINVAL)
    data = target.encode(errors="surrogateescape")[: min(size, 4096)]
    task.memory.write(buffer, data)
    return len(data)


def _access(task: Task, dirfd: int, path: str, mode: int, flags: int) -> int:
    if mode & ~7:
        raise SyscallError(Errno.EINVAL)
    place = locate(task, dirfd, path, not flags & AT_SYMLINK_NOFOLLOW)
    node = place.existing()
    if mode & W_OK and isinstance(node, HostNode):
        if not node.writable:
            raise SyscallError(Errno.EROFS)
        if not os.access(node.path, os.W_OK):
            raise SyscallError(Errno.EACCES)
    if mode & R_OK and isinstance(node, HostNode) and not os.access(node.path, os.R_OK):
        raise SyscallError(Errno.EACCES)
    if mode & X_OK and not node.status().mode & 0o111:
        raise SyscallError(Errno.EACCES)
    return 0


@FAMILY.syscall(48, "faccessat", DirFd("dirfd"), Path("path"), Int("mode"))
def faccessat(task: Task, dirfd: int, path: Capability, mode: int) -> int:
    """May the file be used so?"""
    return _access(task, dirfd, task.memory.path(path), mode, 0)


@FAMILY.syscall(439, "faccessat2", DirFd("dirfd"), Path("path"), Int("mode"), Flags("flags", AT_FLAG_NAMES))
def faccessat2(task: Task, dirfd: int, path: Capability, mode: int, flags: int) -> int:
    """faccessat with flags."""
    return _access(task, dirfd, task.memory.path(path), mode, flags)


@FAMILY.syscall(17, "getcwd", OutBuffer("buf"), Size("size"))
def getcwd(task: Task, buffer: Capability, size: int) -> int:
    """The working directory; the length with NUL."""
    data = task.process.cwd.encode(errors="surrogateescape") + b"\0"
    if len(data) > size:
        raise SyscallError(Errno.ERANGE)
    task.memory.write(buffer, data)
    return len(data)


@FAMILY.syscall(49, "chdir", Path("path"))
def chdir(task: Task, path: Capability) -> int:
    """Change the working directory."""
    place = locate(task, AT_FDCWD, task.memory.path(path))
    if not stat.S_ISDIR(place.existing().status().mode):
        raise SyscallError(Errno.ENOTDIR)
    task.process.cwd = place.path
    return 0


@FAMILY.syscall(50, "fchdir", Fd("fd"))
def fchdir(task: Task, fd: int) -> int:
    """Change the working directory to an open one."""
    file = task.descriptors.get(fd)
    if not isinstance(file, Directory | PathHandle) or not stat.S_ISDIR(file.status().mode):
        raise SyscallError(Errno.ENOTDIR)
    task.process.cwd = file.path
    return 0


def _new_entry(task: Task, dirfd: int, path: str) -> tuple[Place, str]:
    """Place and host path of an entry that must not exist yet."""
    place = locate(task, dirfd, path.rstrip("/") or "/", False)
    if place.node is not None:
        raise SyscallError(Errno.EEXIST)
    return place, place.host_parent_writable()


@FAMILY.syscall(34, "mkdirat", DirFd("dirfd"), Path("path"), Mode("mode"))
def mkdirat(task: Task, dirfd: int, path: Capability, mode: int) -> int:
    """Make a directory."""
    _, host = _new_entry(task, dirfd, task.memory.path(path))
    return _host(lambda: HostPath(host).mkdir(mode & 0o7777 & ~task.process.umask))


@FAMILY.syscall(33, "mknodat", DirFd("dirfd"), Path("path"), Mode("mode"), UInt("dev"))
def mknodat(task: Task, dirfd: int, path: Capability, mode: int, device: int) -> int:
    """Regular files only; devices, FIFOs and sockets can't be made on the host."""
    _, host = _new_entry(task, dirfd, task.memory.path(path))
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise SyscallError(Errno.EPERM)
    return _host(lambda: HostPath(host).touch(mode & 0o7777 & ~task.process.umask, exist_ok=False))


@FAMILY.syscall(35, "unlinkat", DirFd("dirfd"), Path("path"), Flags("flags", AT_FLAG_NAMES))
def unlinkat(task: Task, dirfd: int, path: Capability, flags: int) -> int:
    """Remove a file or an empty directory."""
    place = locate(task, dirfd, task.memory.path(path).rstrip("/") or "/", False)
    place.existing()
    host = HostPath(place.host_parent_writable())
    _not_a_grant(task, place)
    return _host(host.rmdir if flags & AT_REMOVEDIR else host.unlink)


def _not_a_grant(task: Task, place: Place) -> None:
    """The top of a grant can't be removed or renamed."""
    if any(grant.guest == place.path for grant in task.kernel.view.grants):
        raise SyscallError(Errno.EBUSY)


@FAMILY.syscall(36, "symlinkat", Path("target"), DirFd("newdirfd"), Path("linkpath"))
def symlinkat(task: Task, target: Capability, dirfd: int, path: Capability) -> int:
    """Make a symbolic link; its text is only ever interpreted in the view."""
    _, host = _new_entry(task, dirfd, task.memory.path(path))
    text = task.memory.path(target)
    if not text:
        raise SyscallError(Errno.ENOENT)
    return _host(lambda: HostPath(host).symlink_to(text))


@FAMILY.syscall(
    37,
    "linkat",
    DirFd("olddirfd"),
    Path("oldpath"),
    DirFd("newdirfd"),
    Path("newpath"),
    Flags("flags", AT_FLAG_NAMES),
)
def linkat(task: Task, olddir: int, old: Capability, newdir: int, new: Capability, flags: int) -> int:
    """A second name for a file of a writable grant."""
    source = locate(task, olddir, task.memory.path(old), bool(flags & AT_SYMLINK_FOLLOW))
    source.existing()
    source_host = source.host_parent_writable()
    _, host = _new_entry(task, newdir, task.memory.path(new))
    return _host(lambda: os.link(source_host, host, follow_symlinks=False))


def _rename(task: Task, olddir: int, old: str, newdir: int, new: str, flags: int) -> int:
    source = locate(task, olddir, old.rstrip("/") or "/", False)
    source.existing()
    target = locate(task, newdir, new.rstrip("/") or "/", False)
    if flags & ~1:
        raise SyscallError(Errno.EINVAL)
    if flags & 1 and target.node is not None:
        raise SyscallError(Errno.EEXIST)
    source_host, target_host = source.host_parent_writable(), target.host_parent_writable()
    _not_a_grant(task, source)
    _not_a_grant(task, target)
    return _host(lambda: HostPath(source_host).rename(target_host))


@FAMILY.syscall(38, "renameat", DirFd("olddirfd"), Path("oldpath"), DirFd("newdirfd"), Path("newpath"))
def renameat(task: Task, olddir: int, old: Capability, newdir: int, new: Capability) -> int:
    """Rename within writable grants."""
    return _rename(task, olddir, task.memory.path(old), newdir, task.memory.path(new), 0)


@FAMILY.syscall(
    276, "renameat2", DirFd("olddirfd"), Path("oldpath"), DirFd("newdirfd"), Path("newpath"), UInt("flags")
)
def renameat2(task: Task, olddir: int, old: Capability, newdir: int, new: Capability, flags: int) -> int:
    """renameat with RENAME_NOREPLACE."""
    return _rename(task, olddir, task.memory.path(old), newdir, task.memory.path(new), flags)


def _writable_node(task: Task, dirfd: int, path: str, follow: bool = True) -> HostNode:
    node = locate(task, dirfd, path, follow).existing()
    if not isinstance(node, HostNode) or not node.writable:
        raise SyscallError(Errno.EROFS)
    return node


@FAMILY.syscall(45, "truncate", Path("path"), Long("length"))
def truncate(task: Task, path: Capability, length: int) -> int:
    """Change a file's size by name."""
    if length < 0:
        raise SyscallError(Errno.EINVAL)
    file = open_place(task, locate(task, AT_FDCWD, task.memory.path(path)), Open.WRONLY, 0).retain()
    try:
        file.truncate(length)
    finally:
        file.release()
    return 0


@FAMILY.syscall(53, "fchmodat", DirFd("dirfd"), Path("path"), Mode("mode"))
def fchmodat(task: Task, dirfd: int, path: Capability, mode: int) -> int:
    """Change permission bits (set-user-ID bits are dropped)."""
    node = _writable_node(task, dirfd, task.memory.path(path))
    return _host(lambda: HostPath(node.path).chmod(mode & 0o1777))


@FAMILY.syscall(52, "fchmod", Fd("fd"), Mode("mode"))
def fchmod(task: Task, fd: int, mode: int) -> int:
    """Change permission bits of an open file."""
    file = task.descriptors.get(fd)
    node = _writable_node(task, AT_FDCWD, file.path, False)
    return _host(lambda: HostPath(node.path).chmod(mode & 0o1777))


@FAMILY.syscall(
    54, "fchownat", DirFd("dirfd"), Path("path"), Int("owner"), Int("group"), Flags("flags", AT_FLAG_NAMES)
)
def fchownat(task: Task, dirfd: int, path: Capability, owner: int, group: int, flags: int) -> int:
    """Only "change" to the owner that every file has: the guest's user 0."""
    _writable_node(task, dirfd, task.memory.path(path), not flags & AT_SYMLINK_NOFOLLOW)
    return _chown(owner, group)


@FAMILY.syscall(55, "fchown", Fd("fd"), Int("owner"), Int("group"))
def fchown(task: Task, fd: int, owner: int, group: int) -> int:
    """As fchownat."""
    task.descriptors.get(fd)
    return _chown(owner, group)


def _chown(owner: int, group: int) -> int:
    if owner not in (0, -1) or group not in (0, -1):
        raise SyscallError(Errno.EPERM)
    return 0


@FAMILY.syscall(
    88, "utimensat", DirFd("dirfd"), Path("path"), Pointer("times"), Flags("flags", AT_FLAG_NAMES)
)
def utimensat(task: Task, dirfd: int, path: Capability, times: Capability, flags: int) -> int:
    """Set access and modification times."""
    memory = task.memory
    if memory.is_null(path):
        file = task.descriptors.get(dirfd)
        if not isinstance(file, HostFile):
            raise SyscallError(Errno.EROFS)
        node = _writable_node(task, AT_FDCWD, file.path, False)
    else:
        node = _writable_node(task, dirfd, memory.path(path), not flags & AT_SYMLINK_NOFOLLOW)
    now = task.kernel.clock.realtime()
    wanted = [now, now]
    if not memory.is_null(times):
        old = (node.info.st_atime_ns, node.info.st_mtime_ns)
        fields = struct.unpack("<qqqq", memory.read(times, 32))
        for index, (seconds, nanoseconds) in enumerate((fields[:2], fields[2:])):
            if nanoseconds == UTIME_OMIT:
                wanted[index] = old[index]
            elif nanoseconds != UTIME_NOW:
                if not 0 <= nanoseconds < 1_000_000_000 or abs(seconds) >> 34:
                    raise SyscallError(Errno.EINVAL)
                wanted[index] = seconds * 1_000_000_000 + nanoseconds
    return _host(lambda: os.utime(node.path, ns=(wanted[0], wanted[1]), follow_symlinks=False))


@FAMILY.syscall(166, "umask", Mode("mask"))
def umask(task: Task, mask: int) -> int:
    """Set the creation mask; the old one."""
    old = task.process.umask
    task.process.umask = mask & 0o777
    return old


def _no_attributes(task: Task, *_: object) -> int:
    """Extended attributes are not supported."""
    raise SyscallError(Errno.EOPNOTSUPP)


for _number, _name in (
    (8, "getxattr"),
    (9, "lgetxattr"),
    (10, "fgetxattr"),
    (5, "setxattr"),
    (6, "lsetxattr"),
):
    FAMILY.syscall(_number, _name)(_no_attributes)
for _number, _name in ((7, "fsetxattr"), (11, "listxattr"), (12, "llistxattr"), (13, "flistxattr")):
    FAMILY.syscall(_number, _name)(_no_attributes)

"""From the arguments of the *at calls to a place in the view, and opening what is there."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from emulator.linux.devices import DeviceNode
from emulator.linux.errors import Errno, SyscallError
from emulator.linux.files import HostNode, Node, Place
from emulator.linux.handles import ACCESS_MODE, Directory, Open, OpenFile, PathHandle, host_entries, open_host
from emulator.linux.procfs import DescriptorLink, TextNode

if TYPE_CHECKING:
    from emulator.linux.process import Process, Task

AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH = 0x100, 0x200, 0x400, 0x1000
AT_FLAG_NAMES = {
    "AT_SYMLINK_NOFOLLOW": 0x100,
    "AT_REMOVEDIR": 0x200,
    "AT_SYMLINK_FOLLOW": 0x400,
    "AT_NO_AUTOMOUNT": 0x800,
    "AT_EMPTY_PATH": 0x1000,
}


def locate(task: Task, dirfd: int, path: str, follow: bool = True) -> Place:
    """Resolve a path relative to a directory descriptor."""
    process = task.process
    start = process.cwd
    if not path.startswith("/") and dirfd != AT_FDCWD:
        file = task.descriptors.get(dirfd)
        if not isinstance(file, Directory | PathHandle) or not stat.S_ISDIR(file.status().mode):
            raise SyscallError(Errno.ENOTDIR)
        start = file.path
    return task.kernel.view.walk(path, start, follow, task.kernel.synthetic(process))


def open_place(task: Task, place: Place, flags: int, mode: int) -> OpenFile:
    """open(): a new description of what is at `place`, created if asked for."""
    node = place.node
    if node is None:
        if not flags & Open.CREAT:
            raise SyscallError(Errno.ENOENT)
        host = place.host_parent_writable()
        return open_host(host, place.path, flags, mode & ~task.process.umask)
    if flags & Open.CREAT and flags & Open.EXCL:
        raise SyscallError(Errno.EEXIST)
    kind = node.status().mode
    if stat.S_ISLNK(kind) and not flags & Open.PATH:
        raise SyscallError(Errno.ELOOP)
    if flags & Open.DIRECTORY and not stat.S_ISDIR(kind):
        raise SyscallError(Errno.ENOTDIR)
    if flags & Open.PATH:
        return PathHandle(place.path, node, flags)
    if stat.S_ISDIR(kind):
        return _open_directory(task, place, node, flags)
    if isinstance(node, DeviceNode | TextNode | DescriptorLink):
        if isinstance(node, TextNode) and flags & ACCESS_MODE:
            raise SyscallError(Errno.EACCES)
        return node.open(flags)
    if not isinstance(node, HostNode):
        raise SyscallError(Errno.EACCES)
    if flags & (ACCESS_MODE | Open.TRUNC) and not node.writable:
        raise SyscallError(Errno.EROFS)
    return open_host(node.path, place.path, flags & ~Open.CREAT, mode)


def _open_directory(task: Task, place: Place, node: Node, flags: int) -> Directory:
    if flags & (ACCESS_MODE | Open.CREAT):
        raise SyscallError(Errno.EISDIR)
    process = task.process
    return Directory(place.path, node, lambda: directory_entries(task, process, place.path), flags)


def directory_entries(task: Task, process: Process, path: str) -> list[tuple[str, int, int]]:
    """(name, inode, DT_ type) of a guest directory: the host's entries, grants below it, made ones."""
    view = task.kernel.view
    synthetic = task.kernel.synthetic(process)
    node, _, _ = view.node(path, synthetic)
    made = {name for provider in synthetic for name in provider.names(path)} | view.extra_names(path)
    if isinstance(node, HostNode):
        return host_entries(node.path, made)
    entries = [(".", 1, 4), ("..", 1, 4)]
    for name in sorted(made):
        child, _, _ = view.node(f"{path.rstrip('/')}/{name}", synthetic)
        if child is not None:
            status = child.status()
            entries.append((name, status.inode, status.mode >> 12))
    return entries

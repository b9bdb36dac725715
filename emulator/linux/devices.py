"""The few devices of /dev that programs expect. Adding one = one class and one row in `DEVICES`."""

# ruff: noqa: ARG002  (implementations share one signature)

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.linux.errors import Errno, SyscallError
from emulator.linux.files import Link, Node, VirtualDirectory
from emulator.linux.handles import OpenFile
from emulator.linux.status import FileStatus, file_status

if TYPE_CHECKING:
    from emulator.linux.process import Task

RandomSource = Callable[[int], bytes]


class Device(OpenFile):
    """A character device; reads end at once, writes are swallowed (/dev/null)."""

    def __init__(self, node: DeviceNode, flags: int) -> None:
        super().__init__(flags)
        self.path = node.path
        self._node = node

    def read(self, task: Task, size: int) -> bytes:
        """End of file."""
        return b""

    def write(self, task: Task, data: bytes) -> int:
        """Everything is taken."""
        return len(data)

    def read_at(self, offset: int, size: int) -> bytes:
        """End of file."""
        return b""

    def write_at(self, offset: int, data: bytes) -> int:
        """Everything is taken."""
        return len(data)

    def seek(self, offset: int, whence: int) -> int:
        """Always at 0."""
        return 0

    def status(self) -> FileStatus:
        """A character device."""
        return self._node.status()


class Zero(Device):
    """/dev/zero."""

    def read(self, task: Task, size: int) -> bytes:
        """Zeros."""
        return bytes(min(size, 1 << 20))

    def read_at(self, offset: int, size: int) -> bytes:
        """Zeros."""
        return bytes(min(size, 1 << 20))

    def page(self, offset: int) -> bytes:
        """A mapping of /dev/zero is anonymous memory."""
        return b""


class Full(Zero):
    """/dev/full."""

    def write(self, task: Task, data: bytes) -> int:
        """No space."""
        raise SyscallError(Errno.ENOSPC)


class Random(Device):
    """/dev/random and /dev/urandom: the kernel's generator."""

    def read(self, task: Task, size: int) -> bytes:
        """Random bytes (deterministic unless the run is not)."""
        return task.kernel.random_bytes(min(size, 1 << 20))


DEVICES: dict[str, tuple[type[Device], int, int]] = {
    "/dev/null": (Device, 1, 3),
    "/dev/zero": (Zero, 1, 5),
    "/dev/full": (Full, 1, 7),
    "/dev/random": (Random, 1, 8),
    "/dev/urandom": (Random, 1, 9),
}
LINKS = {
    "/dev/fd": "/proc/self/fd",
    "/dev/stdin": "/proc/self/fd/0",
    "/dev/stdout": "/proc/self/fd/1",
    "/dev/stderr": "/proc/self/fd/2",
}


@dataclass(frozen=True, slots=True)
class DeviceNode:
    """A device's name in the file system."""

    path: str
    kind: type[Device]
    rdev: int

    def status(self) -> FileStatus:
        """A character device that anyone may use."""
        return file_status(self.path, 0, stat.S_IFCHR | 0o666, self.rdev)

    def target(self) -> str | None:
        """Not a link."""
        return None

    def open(self, flags: int) -> OpenFile:
        """A new description."""
        return self.kind(self, flags)


class DeviceTree:
    """Provider of /dev."""

    def lookup(self, path: str) -> Node | None:
        """A device, one of the links, or /dev itself."""
        row = DEVICES.get(path)
        if row is not None:
            return DeviceNode(path, row[0], os.makedev(row[1], row[2]))
        if path in LINKS:
            return Link(path, LINKS[path])
        if path == "/dev":
            return VirtualDirectory(path, tuple(self.names(path)))
        return None

    def names(self, path: str) -> Sequence[str]:
        """Entries of /dev, and /dev itself in `/`."""
        if path == "/":
            return ("dev",)
        return sorted(entry[5:] for entry in (*DEVICES, *LINKS)) if path == "/dev" else ()

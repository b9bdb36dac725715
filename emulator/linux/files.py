"""The granted view of the host's file system: which guest path is which host file.

A view is a list of grants, each a host file or directory that appears at a guest path, read-only or
read-write; nothing else of the host is reachable. Paths are walked one component at a time in the guest's
own name space: `..` stops at the guest's `/`, and symbolic links are followed by the walk itself (never by
the host), so a link that points outside leads to a guest path that is not granted. Directories above a
grant exist and list only what leads to grants. `/dev` and `/proc` are made by `devices.py` and `procfs.py`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from emulator.linux.errors import Errno, SyscallError, guest_errno
from emulator.linux.status import FileStatus, directory_status, link_status
from morello_isa.errors import EXIT_EMULATOR_ERROR, UserError

LINK_LIMIT = 40
PATH_LIMIT = 4096
NAME_LIMIT = 255


class Node(Protocol):
    """Something that a guest path names."""

    def status(self) -> FileStatus:
        """stat() of the thing itself (links not followed)."""

    def target(self) -> str | None:
        """What a symbolic link points to; None if it is none."""


@dataclass(frozen=True, slots=True)
class HostNode:
    """A host file. `path` has no symbolic link before its last component."""

    path: str
    writable: bool
    info: os.stat_result

    def status(self) -> FileStatus:
        """The host's status with the guest's owner numbers."""
        return FileStatus.from_host(self.info)

    def target(self) -> str | None:
        """What the host's link says; it is interpreted as a guest path."""
        return str(Path(self.path).readlink()) if stat.S_ISLNK(self.info.st_mode) else None

    def read(self) -> bytes:
        """The whole contents of a regular file; SyscallError when it can't be read."""
        if not stat.S_ISREG(self.info.st_mode):
            raise SyscallError(Errno.EACCES)
        try:
            return Path(self.path).read_bytes()
        except OSError as error:
            raise SyscallError(guest_errno(error)) from None


@dataclass(frozen=True, slots=True)
class VirtualDirectory:
    """A directory that exists because something is granted below it. `names` are its entries."""

    path: str
    names: tuple[str, ...]

    def status(self) -> FileStatus:
        """A read-only directory."""
        return directory_status(self.path)

    def target(self) -> str | None:
        """Not a link."""
        return None


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link made by the emulator."""

    path: str
    to: str

    def status(self) -> FileStatus:
        """Status of a link."""
        return link_status(self.path, len(self.to))

    def target(self) -> str | None:
        """Where it points."""
        return self.to


class Synthetic(Protocol):
    """Provider of nodes that exist on no host: `/dev`, `/proc`."""

    def lookup(self, path: str) -> Node | None:
        """The node at a canonical guest path, if this provider has one there."""

    def names(self, path: str) -> Sequence[str]:
        """Entries that this provider adds to the directory `path`."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A host file or directory (absolute, links resolved) at a guest path (absolute, canonical)."""

    guest: str
    host: str
    writable: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Result of a walk: canonical guest path, the node there (None: nothing), and the host path of a
    missing file that could be made (None: not in a granted directory) with its directory's writability."""

    path: str
    node: Node | None
    host: str | None
    writable: bool

    def existing(self) -> Node:
        """The node; SyscallError ENOENT when there is none."""
        if self.node is None:
            raise SyscallError(Errno.ENOENT)
        return self.node

    def host_parent_writable(self) -> str:
        """The host path for a change of the directory entry (create, remove, rename), or EROFS."""
        if self.host is None:
            raise SyscallError(Errno.EROFS if self.node is not None else Errno.ENOENT)
        if not self.writable:
            raise SyscallError(Errno.EROFS)
        return self.host


@dataclass
class View:
    """The guest's file name space. `synthetic` providers come before grants."""

    grants: list[Grant] = field(default_factory=list)
    _directories: dict[str, set[str]] = field(default_factory=dict)

    def grant(self, host: str | Path, guest: str, writable: bool) -> None:
        """Make `host` appear at `guest` (absolute). UserError when the host has no such file."""
        try:
            resolved = Path(host).resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise UserError(f"cannot grant {host}: {_reason(error)}", EXIT_EMULATOR_ERROR) from None
        guest = canonical(guest)
        self.grants.append(Grant(guest, str(resolved), writable))
        self.grants.sort(key=lambda g: -len(g.guest))
        self._add_ancestors(guest)

    def add_directory(self, guest: str) -> None:
        """Make a directory exist without granting anything in it (the working directory)."""
        self._add_ancestors(guest)
        self._directories.setdefault(guest, set())

    def _add_ancestors(self, guest: str) -> None:
        while guest != "/":
            parent, name = split(guest)
            self._directories.setdefault(parent, set()).add(name)
            guest = parent

    def guest_path(self, host: str | Path) -> str | None:
        """The canonical guest path at which a host file is visible, if it is."""
        path = os.path.realpath(host)
        for grant in self.grants:
            if path == grant.host:
                return grant.guest
            if path.startswith(grant.host.rstrip("/") + "/"):
                return join(grant.guest, path[len(grant.host.rstrip("/")) + 1 :])
        return None

    def node(self, path: str, synthetic: Sequence[Synthetic] = ()) -> tuple[Node | None, str | None, bool]:
        """(node, host path, writable) at a canonical guest path whose parents are no links."""
        for provider in synthetic:
            found = provider.lookup(path)
            if found is not None:
                return found, None, False
        for grant in self.grants:
            prefix = grant.guest.rstrip("/")
            if path == grant.guest or path.startswith(prefix + "/"):
                host = grant.host.rstrip("/") + path[len(prefix) :] if path != grant.guest else grant.host
                try:
                    return HostNode(host, grant.writable, os.lstat(host)), host, grant.writable
                except (FileNotFoundError, NotADirectoryError):
                    if path in self._directories:
                        break
                    return None, host, grant.writable
                except OSError as error:
                    raise SyscallError(guest_errno(error)) from None
        if path == "/" or path in self._directories:
            return VirtualDirectory(path, tuple(sorted(self._directories.get(path, ())))), None, False
        return None, None, False

    def walk(self, path: str, start: str, follow: bool = True, synthetic: Sequence[Synthetic] = ()) -> Place:
        """Resolve a guest path against the directory `start` (canonical).

        `follow`: a link in the last component is followed. Raises SyscallError ENOENT, ENOTDIR, ELOOP,
        ENAMETOOLONG; a missing last component is no error (`Place.node` is None).
        """
        if not path:
            raise SyscallError(Errno.ENOENT)
        if len(path) >= PATH_LIMIT or "\0" in path:
            raise SyscallError(Errno.ENAMETOOLONG)
        current = "/" if path.startswith("/") else start
        pending = [part for part in reversed(path.split("/")) if part not in ("", ".")]
        must_be_directory = path.endswith(("/", "/."))
        links = 0
        while pending:
            name = pending.pop()
            if name == "..":
                current = split(current)[0]
                continue
            if len(name.encode(errors="surrogateescape")) > NAME_LIMIT:
                raise SyscallError(Errno.ENAMETOOLONG)
            candidate = join(current, name)
            node, host, writable = self.node(candidate, synthetic)
            if node is None:
                if pending:
                    raise SyscallError(Errno.ENOENT)
                return Place(candidate, None, host, writable)
            target = node.target() if pending or follow or must_be_directory else None
            if target is not None:
                links += 1
                if links > LINK_LIMIT:
                    raise SyscallError(Errno.ELOOP)
                if target.startswith("/"):
                    current = "/"
                pending.extend(part for part in reversed(target.split("/")) if part not in ("", "."))
                continue
            if (pending or must_be_directory) and not stat.S_ISDIR(node.status().mode):
                raise SyscallError(Errno.ENOTDIR)
            current = candidate
        node, host, writable = self.node(current, synthetic)
        return Place(current, node, host, writable)

    def extra_names(self, path: str) -> set[str]:
        """Entries of the directory `path` that exist because of grants below it."""
        return self._directories.get(path, set())


def canonical(path: str) -> str:
    """An absolute path without `.`, `..` and repeated slashes (links are not looked at)."""
    return "/" + os.path.normpath("/" + path).lstrip("/")


def split(path: str) -> tuple[str, str]:
    """(parent, name) of a canonical path; the parent of `/` is `/`."""
    head, _, tail = path.rpartition("/")
    return head or "/", tail


def join(directory: str, name: str) -> str:
    """A canonical path below a canonical directory."""
    return f"/{name}" if directory == "/" else f"{directory}/{name}"


def _reason(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return text[:1].lower() + text[1:]

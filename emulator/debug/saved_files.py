"""Files of the host inside a saved machine: collected when it is saved, laid out again when it goes on."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from emulator.debug.saved import Blobs, DamagedError, Fields
from morello_isa.errors import EXIT_EMULATOR_ERROR, UserError

_PERMISSIONS = 0o777
_KINDS = ("file", "directory", "link")


@dataclass(frozen=True)
class Entry:
    """A file, directory or symbolic link; `path` is relative to the tree's root, "" for the root itself."""

    path: str
    kind: str
    mode: int = 0o644
    modified: int = 0
    """ns since 1970."""
    target: str = ""
    data: bytes = b""

    def describe(self) -> dict[str, object]:
        """For the description; `data` goes into the blobs."""
        return {
            "path": self.path,
            "kind": self.kind,
            "mode": self.mode,
            "modified": self.modified,
            "target": self.target,
            "size": len(self.data),
        }


def collect(root: str) -> Iterator[Entry]:
    """A host file, or a directory with everything below it. Special files are left out. Raises UserError."""
    pending = [""]
    while pending:
        path = pending.pop()
        host = Path(root) / path
        try:
            info = host.lstat()
            yield from _entry(path, host, info)
            if stat.S_ISDIR(info.st_mode):
                names = sorted((child.name for child in host.iterdir()), reverse=True)
                pending += [f"{path}/{name}" if path else name for name in names]
        except OSError as error:
            raise UserError(f"{host} can't be saved: {error.strerror}", EXIT_EMULATOR_ERROR) from None


def _entry(path: str, host: Path, info: os.stat_result) -> Iterator[Entry]:
    mode = info.st_mode & _PERMISSIONS
    if stat.S_ISREG(info.st_mode):
        yield Entry(path, "file", mode, info.st_mtime_ns, data=host.read_bytes())
    elif stat.S_ISDIR(info.st_mode):
        yield Entry(path, "directory", mode, info.st_mtime_ns)
    elif stat.S_ISLNK(info.st_mode):
        yield Entry(path, "link", mode, info.st_mtime_ns, str(host.readlink()))


def read_tree(rows: Iterator[Fields], blobs: Blobs) -> list[Entry]:
    """The entries of one tree, checked so that laying them out stays inside the tree."""
    entries: list[Entry] = []
    directories: set[str] = set()
    seen: set[str] = set()
    for row in rows:
        path, kind = row.text("path"), row.text("kind")
        mode = row.number("mode", 0, _PERMISSIONS)
        modified = row.number("modified", -(1 << 63), (1 << 63) - 1)
        target, data = row.text("target"), blobs.take(row.number("size"))
        parts = path.split("/") if path else []
        parent = "/".join(parts[:-1])
        # A link as the root would lead out of the tree: what is granted is resolved by the host.
        proper = (
            kind in _KINDS[: 3 if parts else 2]
            and all(part not in ("", ".", "..") for part in parts)
            and path not in seen
        )
        if not proper or (parts and parent not in directories) or bool(parts) != bool(entries):
            raise DamagedError(f"it has no proper place for the file '{path}'")
        if kind == "directory":
            directories.add(path)
        seen.add(path)
        entries.append(Entry(path, kind, mode, modified, target, data))
    if not entries:
        raise DamagedError("a tree of files is empty")
    return entries


class Layout:
    """Trees of files in a temporary folder of their own."""

    def __init__(self, trees: Sequence[Sequence[Entry]]) -> None:
        self._trees = trees
        self._folder = tempfile.TemporaryDirectory(prefix="morello-")

    def path(self, index: int) -> str:
        """Where a tree's root is."""
        return str(Path(self._folder.name) / str(index) / "root")

    def write(self) -> None:
        """Lay out everything as it was. Raises UserError."""
        try:
            for index, tree in enumerate(self._trees):
                root = Path(self.path(index))
                shutil.rmtree(root.parent, ignore_errors=True)
                root.parent.mkdir()
                for entry in tree:
                    _write(root / entry.path if entry.path else root, entry)
                for entry in reversed(tree):
                    _finish(root / entry.path if entry.path else root, entry)
        except (OSError, ValueError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UserError(f"the saved files can't be laid out: {reason}", EXIT_EMULATOR_ERROR) from None

    def close(self) -> None:
        """Remove them."""
        self._folder.cleanup()


def _write(path: Path, entry: Entry) -> None:
    if entry.kind == "directory":
        path.mkdir()
    elif entry.kind == "link":
        path.symlink_to(entry.target)
    else:
        path.write_bytes(entry.data)


def _finish(path: Path, entry: Entry) -> None:
    if entry.kind != "link":
        path.chmod(entry.mode)
    os.utime(path, ns=(entry.modified, entry.modified), follow_symlinks=False)

"""Stored texts that tests compare output with: `__snapshots__/…`, written only with --morello-update."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = "__snapshots__"
_LONGEST_NAME = 100
_MAX_DIFFERENCE = 200


@dataclass(slots=True)
class SnapshotStore:
    """What this process did with snapshots; `update` permits writing."""

    update: bool = False
    changes: list[tuple[str, str]] = field(default_factory=list)
    """(path, "written" or "rewritten")."""
    _written: dict[Path, bytes] = field(default_factory=dict)

    def compare(self, path: Path, found: bytes) -> bool:
        """Equal to what is stored, or (with `update`) stored now. What was written stays for this session."""
        stored = read(path)
        if stored == found:
            return True
        if not self.update or path in self._written:
            return False
        _write(path, found)
        self._written[path] = found
        self.changes.append((str(path), "written" if stored is None else "rewritten"))
        return True


class Snapshot:
    """Equal to a text or bytes that are in its file."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, store: SnapshotStore, path: Path) -> None:
        self._store = store
        self.path = path

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return self._store.compare(self.path, other.encode(errors="surrogateescape"))
        if isinstance(other, bytes):
            return self._store.compare(self.path, other)
        return NotImplemented

    def __repr__(self) -> str:
        return f"<snapshot {self.path.name}>"

    def difference(self, found: str | bytes) -> list[str]:
        """Why it isn't equal, for a failure report."""
        stored = read(self.path)
        if stored is None:
            return [f"there is no snapshot {self.path}; --morello-update writes it"]
        if isinstance(found, str):
            found = found.encode(errors="surrogateescape")
        head = f"output differs from the snapshot {self.path} (--morello-update rewrites it)"
        return [head, *difference(stored, found)]


def difference(wanted: bytes, found: bytes) -> list[str]:
    """A unified diff of two outputs; ends of lines that print alike are spelt out."""
    before, after = (_lines(text) for text in (wanted, found))
    lines = list(difflib.unified_diff(before, after, "expected", "found", lineterm=""))
    more = len(lines) - _MAX_DIFFERENCE
    return [*lines[:_MAX_DIFFERENCE], f"… and {more} more lines"] if more > 0 else lines


def _lines(text: bytes) -> list[str]:
    lines = text.decode(errors="backslashreplace").split("\n")
    if lines[-1]:
        lines[-1] += " (no line break at the end)"
    else:
        lines.pop()
    return [line.replace("\r", "\\r") for line in lines]


def read(path: Path) -> bytes | None:
    """The stored bytes; None when there are none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _write(path: Path, content: bytes) -> None:
    """Another process sees the old text or the new one, nothing between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:50]}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def snapshot_path(test_file: Path, name: str) -> Path:
    """Where the snapshot called `name` of a test file is; different names have different files."""
    plain = re.sub(r"[^\w.,=\[\]-]", "_", name)
    if plain != name or len(plain) > _LONGEST_NAME or plain.startswith("."):
        digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()
        plain = f"{plain[:_LONGEST_NAME].lstrip('.')}-{digest[:8]}"
    stem = test_file.name.removesuffix(".py").removesuffix(".morello.toml")
    return test_file.parent / FOLDER / stem / f"{plain}.txt"

"""Translations kept on disk, so that the second start of a program is quick.

One file belongs to one program (by content) and one state of this emulator's sources. It is read whole and
believed only if it belongs to this user, nobody else may write it, and its checksum is right; a translation
in it is used only if the instructions in memory are those that it was made from. Everything here can be
deleted at any time. Two processes may share a file: it is replaced as a whole, the last one to end wins.

File: magic, SHA-256 of the rest, then records: 16 bytes of key, length (4 bytes), `Draft.to_bytes`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import struct
import tempfile
from functools import cache
from pathlib import Path

from emulator.engine.translate.draft import Draft
from emulator.engine.translate.facts import Facts
from emulator.engine.translate.host import UNICORN_VERSION

_MAGIC = b"morello translations 1\n"
_DIGEST_BYTES = 32
_KEY_BYTES = 16
_RECORD = struct.Struct(f"<{_KEY_BYTES}sI")
_FILE_LIMIT = 64 << 20
_FOLDER_LIMIT = 512 << 20
"""Bytes; the oldest files go first."""
_SUFFIX = ".translations"


def default_folder() -> Path:
    """$XDG_CACHE_HOME/morello or ~/.cache/morello."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "morello"


@cache
def sources_digest() -> bytes:
    """Identifies what translations depend on: this package, the instruction tables, and Unicorn."""
    digest = hashlib.sha256(UNICORN_VERSION.encode())
    here = Path(__file__).resolve().parent
    for folder in (here, here.parent, here.parent.parent / "semantics", here.parents[2] / "morello_isa"):
        for source in sorted(folder.glob("*.py")):
            digest.update(source.read_bytes())
    return digest.digest()


def translation_key(domain: bytes, pc: int, facts: Facts, tested: bool, path: int, forms: int) -> bytes:
    """The key of a translation: what it was made for. `domain` stands for context, `forms` for the number of
    instructions that have another form there."""
    text = f"{pc} {sorted(facts.items())} {tested} {path} {forms}".encode()
    return hashlib.blake2b(text, digest_size=_KEY_BYTES, key=domain).digest()


class TranslationCache:
    """The translations of one program; `program` are bytes that stand for its content."""

    def __init__(self, folder: Path, program: bytes) -> None:
        name = hashlib.sha256(program + sources_digest()).hexdigest()[:40]
        self.path = folder / (name + _SUFFIX)
        self.hits = 0
        self._records: dict[bytes, bytes] = {}
        self._new = 0
        with contextlib.suppress(OSError, ValueError, struct.error):
            self._read()

    def _read(self) -> None:
        with self.path.open("rb") as file:
            status = os.fstat(file.fileno())
            owned = not hasattr(os, "getuid") or status.st_uid == os.getuid()
            if not owned or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or status.st_size > _FILE_LIMIT:
                return
            data = file.read()
        start = len(_MAGIC) + _DIGEST_BYTES
        digest = hashlib.sha256(memoryview(data)[start:]).digest()
        if data[:start] != _MAGIC + digest:
            return
        at = start
        while at < len(data):
            key, size = _RECORD.unpack_from(data, at)
            at += _RECORD.size
            self._records[key] = data[at : at + size]
            at += size

    def get(self, key: bytes) -> Draft | None:
        """The translation with that key. Whoever uses it compares `guest` with memory."""
        data = self._records.get(key)
        if data is None:
            return None
        try:
            return Draft.from_bytes(data)
        except (ValueError, struct.error, StopIteration, RuntimeError):
            del self._records[key]
            return None

    def put(self, key: bytes, draft: Draft) -> None:
        """Keep a new translation."""
        self._records[key] = draft.to_bytes()
        self._new += 1

    def save(self) -> None:
        """Write the file if there is something new. A full or read-only disk is no error: next time then."""
        if not self._new:
            return
        body = b"".join(_RECORD.pack(key, len(data)) + data for key, data in self._records.items())
        if len(body) > _FILE_LIMIT - 4096:
            return
        with contextlib.suppress(OSError):
            folder = self.path.parent
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, name = tempfile.mkstemp(dir=folder, suffix=".new")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(_MAGIC + hashlib.sha256(body).digest())
                    file.write(body)
                Path(name).replace(self.path)
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise
            self._new = 0
            _make_room(folder)


def _make_room(folder: Path) -> None:
    files = sorted(folder.glob("*" + _SUFFIX), key=lambda path: path.stat().st_mtime, reverse=True)
    total = 0
    for path in files:
        total += path.stat().st_size
        if total > _FOLDER_LIMIT:
            path.unlink(missing_ok=True)

"""Where shared libraries are looked for, in the guest's file system."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

DEFAULT_DIRECTORIES = ("/purecap-lib", "/lib", "/usr/lib")

ReadFile = Callable[[str], "bytes | None"]
"""Contents of a guest path, or None when there is no such regular file."""


def host_files(root: Path | None) -> ReadFile:
    """Guest paths below `root` (the host's own tree for None); nothing outside the root is ever opened."""

    def read(path: str) -> bytes | None:
        if root is None:
            target = Path(path)
        else:
            target = (root / posixpath.normpath("/" + path).lstrip("/")).resolve()
            if not target.is_relative_to(root.resolve()):
                return None
        try:
            return target.read_bytes() if target.is_file() else None
        except OSError:
            return None

    return read


@dataclass(slots=True)
class LibraryPath:
    """The search order: RPATH (without RUNPATH), LD_LIBRARY_PATH, RUNPATH, `--library-path`, defaults."""

    read: ReadFile
    environment: Sequence[str] = ()
    """LD_LIBRARY_PATH, split."""
    extra: Sequence[str] = ()
    """`--library-path`."""
    defaults: Sequence[str] = DEFAULT_DIRECTORIES

    def find(
        self, name: str, rpath: str | None, runpath: str | None, origin: str
    ) -> tuple[str, bytes] | None:
        """Guest path and contents of a library; `origin` is the directory of the object that needs it."""
        if "/" in name:
            return self._open(_expand(name, origin))
        for directory in self._directories(rpath, runpath):
            found = self._open(posixpath.join(_expand(directory, origin), name))
            if found is not None:
                return found
        return None

    def _directories(self, rpath: str | None, runpath: str | None) -> Iterator[str]:
        if rpath is not None and runpath is None:
            yield from _split(rpath)
        yield from self.environment
        if runpath is not None:
            yield from _split(runpath)
        yield from self.extra
        yield from self.defaults

    def _open(self, path: str) -> tuple[str, bytes] | None:
        path = posixpath.normpath(path)
        data = self.read(path)
        return None if data is None else (path, data)

    def describe(self) -> str:
        """The places, for a message."""
        first = self.defaults[0] if self.defaults else "the default directories"
        return f"{first}, --library-path or the program's RPATH"


def _split(text: str) -> list[str]:
    return [part for part in text.split(":") if part]


def _expand(text: str, origin: str) -> str:
    return text.replace("${ORIGIN}", origin).replace("$ORIGIN", origin)

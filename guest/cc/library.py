"""Where the C library is: its headers, and `libc.a` and `crt1.o`, built on first use."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from morello_isa.errors import EXIT_DIAGNOSTICS, UserError

GUEST = Path(__file__).resolve().parent.parent
LIBC_INCLUDE = GUEST / "libc" / "include"
LIBC_SOURCE = GUEST / "libc" / "src"

Build = Callable[[Path], bytes]


def library_folder(build_object: Build) -> Path:
    """The folder with libc.a and crt1.o: a cache, filled when this version's are not in it.

    `build_object` compiles one source of the library to an object file's bytes.
    """
    sources = (
        sorted(p for p in LIBC_SOURCE.iterdir() if p.suffix in (".c", ".S")) if LIBC_SOURCE.is_dir() else []
    )
    if not sources:
        raise UserError("cc: the C library's sources are missing (use -nostdlib)", EXIT_DIAGNOSTICS)
    folder = _cache_root() / f"libc-{_fingerprint()}"
    if not (folder / "libc.a").is_file():
        _build_library(folder, sources, build_object)
    return folder


def _cache_root() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "morello"


def _fingerprint() -> str:
    """Changes with the library's sources and headers and with the tools that compile them."""
    digest = hashlib.sha256()
    for folder in (
        LIBC_SOURCE,
        LIBC_INCLUDE,
        GUEST / "cc",
        GUEST / "assembler",
        GUEST.parent / "morello_isa",
    ):
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".c", ".S", ".h", ".py"):
                digest.update(str(path.relative_to(folder)).encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _build_library(folder: Path, sources: list[Path], build_object: Build) -> None:
    from loader.link.archive import write_archive

    members = [(f"{p.stem}.o", build_object(p)) for p in sources]
    start = dict(members).get("crt1.o", b"")
    archive = write_archive([(name, data) for name, data in members if name != "crt1.o"])
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            made = Path(scratch) / "new"
            made.mkdir()
            (made / "crt1.o").write_bytes(start)
            (made / "libc.a").write_bytes(archive)
            if not folder.is_dir():
                made.rename(folder)
    except OSError as error:
        raise UserError(f"cc: {folder} can't be written: {error.strerror}", EXIT_DIAGNOSTICS) from error

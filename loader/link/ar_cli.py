"""`morello ar`: `ar rcs lib.a a.o b.o` (create or replace), `ar t lib.a` (list), `ar x lib.a [member…]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from loader.link.archive import is_archive, read_archive, write_archive
from loader.link.errors import LinkError
from morello_isa.errors import EXIT_DIAGNOSTICS

USAGE = "usage: morello ar rcs|q|t|x|p ARCHIVE [FILE…]"
_OPERATIONS = frozenset("rqtxpd")
_MODIFIERS = frozenset("csuvSDUoT")


def main(argv: Sequence[str]) -> int:
    """Exit status 0, or 1 with one line on stderr."""
    try:
        return _run(list(argv))
    except LinkError as error:
        sys.stderr.write(f"morello ar: {error.message}\n")
        return EXIT_DIAGNOSTICS


def _run(argv: list[str]) -> int:
    if argv[:1] in (["-h"], ["--help"]):
        sys.stdout.write(USAGE + "\n")
        return 0
    if len(argv) < 2:
        raise LinkError(USAGE)
    letters = argv[0].lstrip("-")
    operations = set(letters) & _OPERATIONS
    if len(operations) != 1 or set(letters) - _OPERATIONS - _MODIFIERS:
        raise LinkError(f"'{argv[0]}' is not an operation; {USAGE}")
    operation = operations.pop()
    archive, names = Path(argv[1]), argv[2:]
    if operation in "rq":
        _replace(archive, names)
    elif operation == "d":
        _write(archive, [m for m in _members(archive) if m[0] not in names])
    else:
        _show(archive, names, operation)
    return 0


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LinkError(f"{path} can't be read: {(error.strerror or str(error)).lower()}") from None


def _members(archive: Path) -> list[tuple[str, bytes]]:
    data = _read(archive)
    if not is_archive(data):
        raise LinkError(f"{archive} is not an archive")
    return [(m.name, m.data) for m in read_archive(data, str(archive))]


def _write(archive: Path, members: list[tuple[str, bytes]]) -> None:
    try:
        archive.write_bytes(write_archive(members))
    except OSError as error:
        raise LinkError(f"{archive} can't be written: {(error.strerror or str(error)).lower()}") from None


def _replace(archive: Path, names: Sequence[str]) -> None:
    members = _members(archive) if archive.exists() else []
    positions = {name: i for i, (name, _) in enumerate(members)}
    for name in names:
        path = Path(name)
        entry = (path.name, _read(path))
        if path.name in positions:
            members[positions[path.name]] = entry
        else:
            positions[path.name] = len(members)
            members.append(entry)
    _write(archive, members)


def _show(archive: Path, names: Sequence[str], operation: str) -> None:
    members = _members(archive)
    known = {name for name, _ in members}
    for name in names:
        if name not in known:
            raise LinkError(f"{archive} has no member {name}")
    for name, body in members:
        if names and name not in names:
            continue
        if operation == "t":
            sys.stdout.write(name + "\n")
        elif operation == "p":
            sys.stdout.buffer.write(body)
        else:
            Path(Path(name).name).write_bytes(body)

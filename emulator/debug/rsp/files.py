"""Host I/O packets (vFile): GDB reads the program and its libraries from here.

Only the images of the guest's processes can be opened, by the names under which the guest has them, and
only for reading; nothing else of the host is visible. It gets copies that a stock GDB understands
(`debug_copy.py`).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from emulator.debug.rsp.debug_copy import debug_copy
from emulator.debug.rsp.packets import PACKET_SIZE, escape, hexadecimal

if TYPE_CHECKING:
    from emulator.debug.rsp.inferior import Inferior

# Error numbers and flags of the File-I/O protocol, which are not the system's.
_ENOENT, _EBADF, _EACCES, _EINVAL, _EROFS = 2, 9, 13, 22, 30
_WRITING = 0x3
_REGULAR = 0o100444
_MAX_OPEN = 256


class Files:
    """Open files of one client."""

    def __init__(self, inferior: Inferior) -> None:
        self._inferior = inferior
        self._open: dict[int, bytes] = {}
        self._copies: dict[str, tuple[object, bytes]] = {}
        self._operations: Mapping[str, Callable[[list[str]], bytes]] = {
            "setfs": lambda _: b"F0",
            "open": self._open_file,
            "close": self._close,
            "pread": self._read,
            "fstat": self._status,
            "pwrite": lambda _: _failed(_EBADF),
            "unlink": lambda _: _failed(_EROFS),
            "readlink": lambda _: _failed(_EINVAL),
        }

    def answer(self, text: str) -> bytes:
        """A packet without its `vFile:`; empty for an operation that isn't known. ValueError."""
        name, _, rest = text.partition(":")
        operation = self._operations.get(name)
        return operation(rest.split(",")) if operation is not None else b""

    def _open_file(self, parts: list[str]) -> bytes:
        path = bytes.fromhex(parts[0]).decode("utf-8", "surrogateescape")
        if hexadecimal(parts[1]) & _WRITING:
            return _failed(_EACCES)
        data = self._contents(path)
        if data is None or len(self._open) >= _MAX_OPEN:
            return _failed(_ENOENT)
        number = next(n for n in range(3, 4 + _MAX_OPEN) if n not in self._open)
        self._open[number] = data
        return b"F%x" % number

    def _contents(self, path: str) -> bytes | None:
        """The copy of an image; also of one that a process had before it ended."""
        for name, loaded in self._inferior.images():
            known = self._copies.get(path)
            if name == path and (known is None or known[0] is not loaded.image):
                self._copies[path] = loaded.image, debug_copy(loaded.image)
        found = self._copies.get(path)
        return found[1] if found is not None else None

    def _file(self, text: str) -> bytes | None:
        return self._open.get(hexadecimal(text))

    def _close(self, parts: list[str]) -> bytes:
        return b"F0" if self._open.pop(hexadecimal(parts[0]), None) is not None else _failed(_EBADF)

    def _read(self, parts: list[str]) -> bytes:
        data = self._file(parts[0])
        if data is None:
            return _failed(_EBADF)
        size, offset = hexadecimal(parts[1]), hexadecimal(parts[2])
        part = data[offset : offset + min(size, PACKET_SIZE // 2)]
        return b"F%x;" % len(part) + escape(part)

    def _status(self, parts: list[str]) -> bytes:
        data = self._file(parts[0])
        if data is None:
            return _failed(_EBADF)
        # File-I/O's struct stat: dev ino mode nlink uid gid rdev, size blksize blocks (64), 3 times.
        fields = (0, 1, _REGULAR, 1, 0, 0, 0, len(data), 4096, -(-len(data) // 512), 0, 0, 0)
        packed = struct.pack(">7I3Q3I", *fields)
        return b"F%x;" % len(packed) + escape(packed)


def _failed(number: int) -> bytes:
    return b"F-1,%x" % number

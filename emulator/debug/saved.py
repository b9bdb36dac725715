"""Saved machines as files: a checked envelope around a description (JSON) and the bytes of files.

    16 bytes   "MORELLO-MACHINE" and a zero byte
     4 bytes   version, little-endian like everything here
     8 bytes   size of the payload, unpacked
     8 bytes   size of the payload as it follows
    32 bytes   SHA-256 of the payload as it follows
     …         payload, zlib: 4 bytes size of the JSON text, the JSON text, blobs one after the other

Nothing of a file is executed or trusted: `read` checks sizes and the checksum, and `Fields` the type of
whatever is taken out of the description. A wrong file is a `UserError` with one sentence.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from morello_isa.errors import EXIT_EMULATOR_ERROR, EXIT_NOT_FOUND, UserError

MAGIC = b"MORELLO-MACHINE\0"
VERSION = 1
MAX_PAYLOAD = 1 << 30
_HEADER = struct.Struct("<16sIQQ32s")
_SIZE = struct.Struct("<I")
T = TypeVar("T")


class DamagedError(Exception):
    """The description isn't what this version writes."""


class Fields:
    """A JSON object whose values are taken out with their types checked."""

    def __init__(self, value: object) -> None:
        if not isinstance(value, dict):
            raise DamagedError("an object is missing")
        self._values: dict[str, object] = value

    def _get(self, name: str, kind: type[T]) -> T:
        value = self._values.get(name)
        if type(value) is not kind:
            raise DamagedError(f"'{name}' is missing or of the wrong kind")
        return value

    def number(self, name: str, lowest: int = 0, highest: int = 1 << 64) -> int:
        """An integer of a range."""
        value = self._get(name, int)
        if not lowest <= value <= highest:
            raise DamagedError(f"'{name}' is out of range")
        return value

    def text(self, name: str) -> str:
        """A string without NUL."""
        value = self._get(name, str)
        if "\0" in value:
            raise DamagedError(f"'{name}' has a zero byte")
        return value

    def flag(self, name: str) -> bool:
        """A boolean."""
        return self._get(name, bool)

    def maybe(self, name: str, read: Callable[[str], T]) -> T | None:
        """A value that may be null."""
        return None if self._values.get(name) is None else read(name)

    def object(self, name: str) -> Fields:
        """An object."""
        return Fields(self._values.get(name))

    def objects(self, name: str) -> Iterator[Fields]:
        """A list of objects."""
        return (Fields(item) for item in self._get(name, list))

    def lists(self, name: str) -> Iterator[list[int]]:
        """A list of lists of natural numbers."""
        for item in self._get(name, list):
            yield Fields({name: item}).numbers(name)

    def texts(self, name: str) -> list[str]:
        """A list of strings without NUL."""
        items: list[object] = self._get(name, list)
        if not all(isinstance(item, str) and "\0" not in item for item in items):
            raise DamagedError(f"'{name}' is not a list of strings")
        return [str(item) for item in items]

    def numbers(self, name: str) -> list[int]:
        """A list of natural numbers."""
        items: list[object] = self._get(name, list)
        numbers = [item for item in items if type(item) is int and 0 <= item < 1 << 64]
        if len(numbers) != len(items):
            raise DamagedError(f"'{name}' is not a list of numbers")
        return numbers

    def names(self) -> list[str]:
        """The names of its values."""
        return list(self._values)


class Blobs:
    """The bytes behind the description, taken in the order in which they were put."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if size > len(self._data) - self._at:
            raise DamagedError("contents are missing")
        self._at += size
        return bytes(self._data[self._at - size : self._at])


def is_saved(path: str) -> bool:
    """The file begins like a saved machine."""
    try:
        with Path(path).open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except (OSError, ValueError):
        return False


def write(path: str, description: dict[str, object], blobs: Sequence[bytes]) -> int:
    """Write a file; its size. Raises UserError."""
    text = json.dumps(description, sort_keys=True, separators=(",", ":")).encode()
    raw = b"".join((_SIZE.pack(len(text)), text, *blobs))
    if len(raw) > MAX_PAYLOAD:
        raise UserError(
            f"{path}: the files that the program may see are {len(raw) >> 20} MiB, more than the "
            f"{MAX_PAYLOAD >> 20} MiB that a saved machine holds",
            EXIT_EMULATOR_ERROR,
        )
    packed = zlib.compress(raw, 6)
    header = _HEADER.pack(MAGIC, VERSION, len(raw), len(packed), hashlib.sha256(packed).digest())
    try:
        Path(path).write_bytes(header + packed)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "a zero byte in its name"
        raise UserError(f"{path} can't be written: {reason}", EXIT_EMULATOR_ERROR) from None
    return len(header) + len(packed)


def read(path: str) -> tuple[Fields, Blobs]:
    """Description and contents. Raises UserError."""
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path} does not exist", EXIT_NOT_FOUND) from None
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}", EXIT_EMULATOR_ERROR) from None
    try:
        return _unpack(data)
    except DamagedError as error:
        raise damaged(path, error) from None


def damaged(path: str, error: DamagedError) -> UserError:
    """The sentence about a wrong file."""
    return UserError(f"{path} is no machine that can be continued: {error}", EXIT_EMULATOR_ERROR)


def _unpack(data: bytes) -> tuple[Fields, Blobs]:
    if len(data) < _HEADER.size or data[: len(MAGIC)] != MAGIC:
        raise DamagedError("it isn't a saved machine")
    _, version, size, packed_size, digest = _HEADER.unpack_from(data)
    if version != VERSION:
        raise DamagedError(f"its format is {version}, this version reads {VERSION}")
    packed = data[_HEADER.size :]
    if len(packed) != packed_size:
        raise DamagedError(f"it has {len(packed)} bytes of contents instead of {packed_size}")
    if hashlib.sha256(packed).digest() != digest:
        raise DamagedError("its checksum is wrong")
    if size > MAX_PAYLOAD:
        raise DamagedError("it is too large")
    raw = _decompress(packed, size)
    (length,) = _SIZE.unpack_from(raw)
    try:
        description: object = json.loads(raw[_SIZE.size : _SIZE.size + length])
    except (ValueError, RecursionError):
        raise DamagedError("its description is no JSON") from None
    return Fields(description), Blobs(memoryview(raw)[_SIZE.size + length :])


def _decompress(packed: bytes, size: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        raw = stream.decompress(packed, size + 1)
    except zlib.error:
        raise DamagedError("its contents can't be unpacked") from None
    if len(raw) != size or not stream.eof or size < _SIZE.size:
        raise DamagedError("its contents have another size than it says")
    return raw

"""`ar` archives: reading (GNU and BSD long names, thin archives are refused) and deterministic writing."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from loader import elf_constants as ec
from loader.elf import ElfImage
from loader.link.errors import LinkError
from morello_isa.errors import UserError

MAGIC = b"!<arch>\n"
THIN_MAGIC = b"!<thin>\n"
_HEADER = 60


@dataclass(frozen=True, slots=True)
class Member:
    """One file in an archive; `offset` is where its header starts."""

    name: str
    data: bytes
    offset: int


def is_archive(data: bytes) -> bool:
    """Whether the bytes start like an archive (thin ones too)."""
    return data[:8] in (MAGIC, THIN_MAGIC)


def read_archive(data: bytes, name: str) -> Iterator[Member]:
    """The members in order, without symbol index and name table. Raises LinkError when broken."""
    if data[:8] == THIN_MAGIC:
        raise LinkError(f"{name} is a thin archive, which holds no object code")
    position = 8
    long_names = b""
    while position + _HEADER <= len(data):
        header = data[position : position + _HEADER]
        if header[58:60] != b"`\n":
            raise LinkError(f"{name} is a broken archive: no member header at byte {position}")
        try:
            size = int(header[48:58])
        except ValueError:
            raise LinkError(f"{name} is a broken archive: bad size at byte {position}") from None
        start = position + _HEADER
        body = data[start : start + size]
        if len(body) < size:
            raise LinkError(f"{name} is a broken archive: it ends inside a member")
        raw_name = header[:16].rstrip()
        if raw_name == b"//":
            long_names = body
        elif raw_name not in (b"/", b"/SYM64/", b"__.SYMDEF"):
            member_name, body = _member_name(raw_name, body, long_names)
            yield Member(member_name, body, position)
        position = start + size + (size & 1)


def _member_name(raw: bytes, body: bytes, long_names: bytes) -> tuple[str, bytes]:
    if raw.startswith(b"#1/"):
        length = int(raw[3:])
        return body[:length].rstrip(b"\0").decode("utf-8", "replace"), body[length:]
    if raw.startswith(b"/") and raw[1:].isdigit():
        start = int(raw[1:])
        end = long_names.find(b"\n", start)
        return long_names[start:end].rstrip(b"/").decode("utf-8", "replace"), body
    return raw.rstrip(b"/").decode("utf-8", "replace"), body


def write_archive(members: Sequence[tuple[str, bytes]]) -> bytes:
    """An archive with a GNU symbol index; dates, owners and modes are fixed: equal input, equal bytes."""
    long_names = b""
    name_fields: list[bytes] = []
    for name, _ in members:
        encoded = name.encode()
        if len(encoded) < 16:
            name_fields.append(encoded + b"/")
        else:
            name_fields.append(b"/%d" % len(long_names))
            long_names += encoded + b"/\n"
    symbols = [(name, i) for i, (_, body) in enumerate(members) for name in _exported(body)]
    index_size = 4 + 4 * len(symbols) + sum(len(name) + 1 for name, _ in symbols)
    index_size += index_size & 1
    position = 8 + _HEADER + index_size
    if long_names:
        position += _HEADER + len(long_names) + (len(long_names) & 1)
    offsets = []
    for _, body in members:
        offsets.append(position)
        position += _HEADER + len(body) + (len(body) & 1)
    index = struct.pack(">I", len(symbols)) + b"".join(struct.pack(">I", offsets[i]) for _, i in symbols)
    index += b"".join(name + b"\0" for name, _ in symbols)
    out = [MAGIC, _member(b"/", index.ljust(index_size, b"\0"))]
    if long_names:
        out.append(_member(b"//", long_names))
    out.extend(_member(field, body) for field, (_, body) in zip(name_fields, members, strict=True))
    return b"".join(out)


def _exported(body: bytes) -> Iterator[bytes]:
    """Names of the global definitions of an object, for the index."""
    try:
        image = ElfImage.from_bytes(body, "member")
        symbols = image.symbols
    except UserError:
        return
    for symbol in symbols:
        if symbol.binding != ec.STB_LOCAL and symbol.is_defined:
            yield symbol.name.encode()


def _member(name: bytes, body: bytes) -> bytes:
    header = b"%-16s%-12d%-6d%-6d%-8o%-10d`\n" % (name, 0, 0, 0, 0o644, len(body))
    return header + body + (b"\n" if len(body) & 1 else b"")

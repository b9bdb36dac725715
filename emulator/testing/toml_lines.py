"""On which line of a TOML file a key is: the parser doesn't tell, and messages should."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_HEADER = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_ASSIGNMENT = re.compile(r"\s*((?:[\w-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[\w-]+|\"[^\"]*\"|'[^']*'))*)\s*=")
_PART = re.compile(r"[\w-]+|\"[^\"]*\"|'[^']*'")
_QUOTES = ('"""', "'''")


def line_of(text: str, path: Sequence[str]) -> int:
    """The line (from 1) of the key, of the nearest table around it, or 1."""
    best, line = 0, 1
    for number, keys in _keys(text):
        shared = 0
        while shared < min(len(keys), len(path)) and keys[shared] == path[shared]:
            shared += 1
        # An inline table has its keys on its own line, so a beginning of the path is good too.
        if shared > best and shared in (len(keys), len(path)):
            best, line = shared, number
    return line


def _keys(text: str) -> Iterator[tuple[int, list[str]]]:
    table: list[str] = []
    closing = ""
    for number, line in enumerate(text.splitlines(), 1):
        if closing:
            if closing in line:
                closing = ""
            continue
        header = _HEADER.match(line)
        if header:
            table = _parts(header[1])
            yield number, table
            continue
        assignment = _ASSIGNMENT.match(line)
        if assignment:
            yield number, [*table, *_parts(assignment[1])]
            rest = line[assignment.end() :].strip()
            for quotes in _QUOTES:
                if rest.startswith(quotes) and quotes not in rest[3:]:
                    closing = quotes


def _parts(key: str) -> list[str]:
    return [part.strip("\"'") for part in _PART.findall(key)]

"""Columns of diagnostics: from preprocessed text, where macros are expanded, back to the source line."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

from guest.cc.ir import SourceLoc

_WORD = re.compile(r"\w+|\S")
_LINE_MARKER = re.compile(r'#\s*(?:line\s+)?(\d+)(?:\s+"((?:[^"\\]|\\.)*)")?')


def original_column(preprocessed: str, name: str, loc: SourceLoc, source_line: str) -> int:
    """Column in `source_line` of what is at `loc` in the preprocessed text of the file `name`.

    A token that came out of a macro is at the macro's name.
    """
    line = _line_at(preprocessed, name, loc)
    if line is None or line == source_line:
        return loc.column
    expanded, original = list(_WORD.finditer(line)), list(_WORD.finditer(source_line))
    here = next((i for i, m in enumerate(expanded) if m.end() >= loc.column), None)
    if here is None or not original:
        return loc.column
    matcher = SequenceMatcher(None, [m.group() for m in expanded], [m.group() for m in original], False)
    following = 0
    for block in matcher.get_matching_blocks():
        if block.a <= here < block.a + block.size:
            return original[block.b + here - block.a].start() + 1
        if block.a > here:
            break
        following = block.b + block.size
    return original[min(following, len(original) - 1)].start() + 1


def _line_at(preprocessed: str, name: str, loc: SourceLoc) -> str | None:
    """The line of preprocessed text that stands for `loc`; the first long enough if several do."""
    file, number = name, 0
    for line in preprocessed.split("\n"):
        number += 1
        marker = _LINE_MARKER.match(line) if line.startswith("#") else None
        if marker:
            number = int(marker.group(1)) - 1
            file = marker.group(2) or file
        elif number == loc.line and file == loc.file and len(line) >= loc.column:
            return line
    return None

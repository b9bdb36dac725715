"""Lines of assembler source: files, includes, macro expansions, conditionals.

`Source` delivers statements one after the other; macros, repetitions and conditionals are resolved here, so
the assembler proper sees plain labels, directives and instructions only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from guest.assembler.diagnostics import Place, SourceError
from morello_isa.asm.operands import split_operands

_MARKER = re.compile(r"#\s*(?:line\s+)?(\d+)(?:\s+\"([^\"]*)\")?")
_BLOCK_COMMENT = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|/\*.*?\*/|//[^\n]*", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_.$][\w.$]*")
_MAX_DEPTH = 64
_MAX_REPEAT = 1 << 20

Evaluate = Callable[[str], int]
IsDefined = Callable[[str], bool]


def strip_comments(text: str) -> str:
    """The text without /* */ comments; lines keep their numbers."""
    if "/*" not in text:
        return text

    def replacement(match: re.Match[str]) -> str:
        found = match[0]
        return " " + "\n" * found.count("\n") if found.startswith("/*") else found

    return _BLOCK_COMMENT.sub(replacement, text)


def strip_line_comment(line: str) -> str:
    """The line up to a // that is not inside a string."""
    if '"' not in line:
        return line.partition("//")[0]
    quoted = False
    for index, character in enumerate(line):
        if character == '"' and (index == 0 or line[index - 1] != "\\"):
            quoted = not quoted
        elif not quoted and line.startswith("//", index):
            return line[:index]
    return line


def split_statements(line: str) -> list[str]:
    """Cut at the semicolons outside strings."""
    if ";" not in line:
        return [line]
    parts, start, quoted = [], 0, False
    for index, character in enumerate(line):
        if character == '"' and (index == 0 or line[index - 1] != "\\"):
            quoted = not quoted
        elif character == ";" and not quoted:
            parts.append(line[start:index])
            start = index + 1
    parts.append(line[start:])
    return parts


class _Frame:
    """A file, or the lines of an expansion (`fixed`: every line has the place of the invocation)."""

    __slots__ = ("file", "fixed", "lines", "number", "position")

    def __init__(self, file: str, lines: Sequence[str], fixed: Place | None = None) -> None:
        self.file = file
        self.lines = lines
        self.position = 0
        self.number = 0
        self.fixed = fixed


class _Macro:
    def __init__(self, name: str, parameters: list[tuple[str, str | None, str]], body: list[str]) -> None:
        self.name = name
        self.parameters = parameters
        self.body = body


class Source:
    """Iterates over (statement, place). `evaluate` computes the conditions of .if and counts of .rept."""

    def __init__(
        self, text: str, name: str, include_dirs: Sequence[Path], evaluate: Evaluate, is_defined: IsDefined
    ) -> None:
        self.include_dirs = include_dirs
        self.evaluate = evaluate
        self.is_defined = is_defined
        self.macros: dict[str, _Macro] = {}
        self.expansions = 0
        self.place = Place(name, 0, "")
        self._frames = [_Frame(name, strip_comments(text).split("\n"))]
        self._conditions: list[bool] = []

    # --- lines -------------------------------------------------------------------------------------

    def _next_line(self) -> str | None:
        """The next line of the innermost frame, its place in `self.place`; None at the very end."""
        while self._frames:
            frame = self._frames[-1]
            if frame.position >= len(frame.lines):
                self._frames.pop()
                continue
            line = frame.lines[frame.position]
            frame.position += 1
            frame.number += 1
            if "#" in line and line.lstrip()[:1] == "#":
                marker = _MARKER.match(line.lstrip())
                if marker is not None:
                    frame.number = int(marker[1]) - 1
                    frame.file = marker[2] or frame.file
                continue
            if frame.fixed is not None:
                self.place = Place(frame.fixed.file, frame.fixed.line, line)
            else:
                self.place = Place(frame.file, frame.number, line)
            return strip_line_comment(line) if "//" in line else line
        return None

    def statements(self) -> Iterator[str]:
        """Statements outside macros and false conditions; SourceError comes out of `next`."""
        while (line := self._next_line()) is not None:
            for part in split_statements(line):
                yield part.strip()

    # --- macro-level directives --------------------------------------------------------------------

    def handle(self, name: str, arguments: str) -> bool:
        """Obey a directive of this level; False when `name` isn't one."""
        handler = _HANDLERS.get(name)
        if handler is not None:
            handler(self, arguments)
            return True
        macro = self.macros.get(name)
        if macro is not None:
            self._expand(macro, arguments)
            return True
        return False

    def unclosed(self) -> SourceError | None:
        """What is wrong if a condition is still open at the end."""
        return SourceError("there is an .if without .endif") if self._conditions else None

    def _push(self, lines: Sequence[str], file: str | None = None) -> None:
        if len(self._frames) >= _MAX_DEPTH:
            del self._frames[1:]
            raise SourceError("macros or includes are nested too deeply")
        if file is None:
            self._frames.append(_Frame("", lines, self.place))
        else:
            self._frames.append(_Frame(file, lines))

    def _include(self, arguments: str) -> None:
        path = self.find_file(arguments)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise SourceError(f"'{path}' can't be read") from None
        self._push(strip_comments(text).split("\n"), str(path))

    def find_file(self, quoted: str) -> Path:
        """The file of an .include or .incbin operand."""
        name = quoted.strip().strip('"')
        for directory in (Path(self.place.file).parent, *self.include_dirs):
            if (directory / name).is_file():
                return directory / name
        raise SourceError(f"there is no file '{name}' in the include directories")

    def _collect(self, opening: tuple[str, ...], closing: str) -> list[str]:
        """Lines up to the matching closing directive, which is consumed."""
        begin = self.place
        depth = 1
        body: list[str] = []
        while (line := self._next_line()) is not None:
            word = line.split(None, 1)[0].lower() if line.strip() else ""
            if word in opening:
                depth += 1
            elif word == closing:
                depth -= 1
                if depth == 0:
                    return body
            body.append(line)
        self.place = begin
        raise SourceError(f"{closing} is missing")

    def _macro(self, arguments: str) -> None:
        match = _NAME.match(arguments)
        if match is None:
            raise SourceError(".macro needs a name")
        parameters: list[tuple[str, str | None, str]] = []
        rest = arguments[match.end() :].strip().lstrip(",").strip()
        for item in re.split(r"\s*,\s*|\s+(?![=:])", rest) if rest else []:
            name, equals, default = item.partition("=")
            name, _, qualifier = name.partition(":")
            parameters.append((name.strip(), default if equals else None, qualifier.strip()))
        self.macros[match[0].lower()] = _Macro(match[0], parameters, self._collect((".macro",), ".endm"))

    def _purge(self, arguments: str) -> None:
        for name in arguments.split(","):
            self.macros.pop(name.strip().lower(), None)

    def _expand(self, macro: _Macro, arguments: str) -> None:
        values = self._bind(macro, _macro_arguments(arguments))
        self.expansions += 1
        values["@"] = str(self.expansions)
        self._push([_substitute(line, values) for line in macro.body])

    def _bind(self, macro: _Macro, given: list[str]) -> dict[str, str]:
        values: dict[str, str] = {}
        names = {name for name, _, _ in macro.parameters}
        positional = []
        for text in given:
            name, equals, value = text.partition("=")
            if equals and name.strip() in names:
                values[name.strip()] = value.strip()
            else:
                positional.append(text)
        for name, default, qualifier in macro.parameters:
            if name in values:
                continue
            if qualifier == "vararg":
                values[name] = ", ".join(positional)
                positional = []
            elif positional:
                values[name] = positional.pop(0) or default or ""
            elif default is not None:
                values[name] = default
            elif qualifier == "req":
                raise SourceError(f"the macro '{macro.name}' needs its parameter '{name}'")
            else:
                values[name] = ""
        if positional:
            raise SourceError(f"the macro '{macro.name}' takes {len(macro.parameters)} arguments")
        return values

    def _repeat(self, arguments: str) -> None:
        count = self.evaluate(arguments)
        if count > _MAX_REPEAT:
            raise SourceError(f"{count} repetitions are too many")
        body = self._collect((".rept", ".irp", ".irpc"), ".endr")
        self._push(body * max(count, 0))

    def _repeat_each(self, arguments: str) -> None:
        name, *values = _macro_arguments(arguments) or [""]
        body = self._collect((".rept", ".irp", ".irpc"), ".endr")
        self._push([_substitute(line, {name: value}) for value in values or [""] for line in body])

    def _repeat_characters(self, arguments: str) -> None:
        name, _, text = arguments.partition(",")
        body = self._collect((".rept", ".irp", ".irpc"), ".endr")
        self._push([_substitute(line, {name.strip(): c}) for c in text.strip().strip('"') for line in body])

    # --- conditionals ------------------------------------------------------------------------------

    def _if(self, condition: bool) -> None:
        self._conditions.append(condition)
        if not condition:
            self._skip()

    def _skip(self) -> None:
        """Skip to the branch that is taken: .else, a true .elseif, or .endif."""
        begin, depth = self.place, 0
        while (line := self._next_line()) is not None:
            word, _, rest = line.strip().replace("\t", " ").partition(" ")
            word = word.lower()
            if word.startswith(".if"):
                depth += 1
            elif word == ".endif":
                if depth == 0:
                    self._conditions.pop()
                    return
                depth -= 1
            elif depth > 0 or self._conditions[-1]:
                continue
            elif word == ".else" or (word == ".elseif" and self.evaluate(rest)):
                self._conditions[-1] = True
                return
        self.place = begin
        raise SourceError(".endif is missing")

    def _else(self, _arguments: str) -> None:
        if not self._conditions:
            raise SourceError("there is no .if for this")
        self._skip()

    def _endif(self, _arguments: str) -> None:
        if not self._conditions:
            raise SourceError("there is no .if for this .endif")
        self._conditions.pop()

    def _compare_strings(self, arguments: str, equal: bool) -> None:
        left, _, right = arguments.partition(",")
        self._if((left.strip().strip("'\"") == right.strip().strip("'\"")) == equal)

    def _error(self, arguments: str) -> None:
        raise SourceError(arguments.strip().strip('"') or "an .error was reached")


def _macro_arguments(text: str) -> list[str]:
    """Arguments separated by commas, or by blanks where there are no commas."""
    text = text.strip()
    if not text:
        return []
    parts = split_operands(text)
    if len(parts) == 1 and not text.startswith(('"', "[", "{", "(")):
        parts = text.split()
    return [part[1:-1] if len(part) > 1 and part[0] == part[-1] == '"' else part for part in parts]


def _substitute(line: str, values: dict[str, str]) -> str:
    """`\\name` replaced by its value; `\\()` is nothing."""
    if "\\" not in line:
        return line

    def value(match: re.Match[str]) -> str:
        name = match[1]
        return values.get(name, match[0])

    return re.sub(r"\\(@|[A-Za-z_$][\w$]*)", value, line).replace("\\()", "")


_HANDLERS: dict[str, Callable[[Source, str], None]] = {
    ".include": Source._include,
    ".macro": Source._macro,
    ".purgem": Source._purge,
    ".rept": Source._repeat,
    ".irp": Source._repeat_each,
    ".irpc": Source._repeat_characters,
    ".if": lambda s, a: s._if(s.evaluate(a) != 0),
    ".ifne": lambda s, a: s._if(s.evaluate(a) != 0),
    ".ifeq": lambda s, a: s._if(s.evaluate(a) == 0),
    ".ifgt": lambda s, a: s._if(s.evaluate(a) > 0),
    ".ifge": lambda s, a: s._if(s.evaluate(a) >= 0),
    ".iflt": lambda s, a: s._if(s.evaluate(a) < 0),
    ".ifle": lambda s, a: s._if(s.evaluate(a) <= 0),
    ".ifdef": lambda s, a: s._if(s.is_defined(a.strip())),
    ".ifndef": lambda s, a: s._if(not s.is_defined(a.strip())),
    ".ifnotdef": lambda s, a: s._if(not s.is_defined(a.strip())),
    ".ifb": lambda s, a: s._if(not a.strip()),
    ".ifnb": lambda s, a: s._if(bool(a.strip())),
    ".ifc": lambda s, a: s._compare_strings(a, True),
    ".ifnc": lambda s, a: s._compare_strings(a, False),
    ".ifeqs": lambda s, a: s._compare_strings(a, True),
    ".ifnes": lambda s, a: s._compare_strings(a, False),
    ".else": Source._else,
    ".elseif": Source._else,
    ".endif": Source._endif,
    ".error": Source._error,
    ".err": Source._error,
}

"""What is wrong with an assembler source: place, sentence, the line, a caret."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Place(NamedTuple):
    """A line of a source file; `text` is the line as written (or as a macro produced it)."""

    file: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One error; `column` counts from 1."""

    place: Place
    column: int
    message: str

    def render(self) -> str:
        """`file:line:column: error: sentence`, the source line and a caret under the column."""
        head = f"{self.place.file}:{self.place.line}:{self.column}: error: {self.message}"
        text = self.place.text
        caret = "".join("\t" if c == "\t" else " " for c in text[: self.column - 1]) + "^"
        return f"{head}\n    {text}\n    {caret}" if text.strip() else head


class AssemblyFailure(Exception):
    """All errors of one source file, in the order of its lines."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        super().__init__(diagnostics[0].message)
        self.diagnostics = diagnostics

    def render(self) -> str:
        """All of them as text, one newline at the end of each."""
        return "".join(diagnostic.render() + "\n" for diagnostic in self.diagnostics)


class SourceError(Exception):
    """Raised while a statement is handled; the assembler adds the place. `column` None: the statement."""

    def __init__(self, message: str, column: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.column = column

"""Diagnostics of the C compiler: where, what, the source line and a caret."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from guest.cc.columns import original_column
from guest.cc.ir import SourceLoc


class CompileError(Exception):
    """One fault in the user's program: `loc` (None when it has no place) and one sentence."""

    def __init__(self, loc: SourceLoc | None, message: str) -> None:
        super().__init__(message)
        self.loc = loc
        self.message = message


class TooManyErrors(Exception):
    """Raised to stop the checker after `Diagnostics.limit` errors."""


@dataclass(slots=True)
class Diagnostics:
    """Collects errors and warnings of one translation unit, as text ready to print.

    `preprocessed`: (text, file name) that columns refer to once macros are expanded.
    """

    warnings_are_errors: bool = False
    quiet: bool = False
    limit: int = 20
    messages: list[str] = field(default_factory=list)
    errors: int = 0
    preprocessed: tuple[str, str] | None = None
    _files: dict[str, list[str]] = field(default_factory=dict)

    def error(self, loc: SourceLoc | None, message: str) -> None:
        self.messages.append(self._render(loc, "error", message))
        self.errors += 1
        if self.errors >= self.limit:
            raise TooManyErrors

    def warning(self, loc: SourceLoc | None, message: str) -> None:
        if self.warnings_are_errors:
            self.error(loc, message)
        elif not self.quiet:
            self.messages.append(self._render(loc, "warning", message))

    def _render(self, loc: SourceLoc | None, severity: str, message: str) -> str:
        if loc is None:
            return f"{severity}: {message}"
        text = self._source_line(loc)
        column = loc.column
        if self.preprocessed is not None and text is not None:
            column = original_column(*self.preprocessed, loc, text)
        head = f"{loc.file}:{loc.line}:{column}: {severity}: {message}"
        if text is None:
            return head
        before = text[: column - 1].rstrip() if column > len(text) else text[: column - 1]
        caret = "".join("\t" if c == "\t" else " " for c in before) + "^"
        return f"{head}\n    {text}\n    {caret}"

    def _source_line(self, loc: SourceLoc) -> str | None:
        lines = self._files.get(loc.file)
        if lines is None:
            try:
                lines = Path(loc.file).read_text(encoding="utf-8", errors="replace").splitlines()
            except OSError:
                lines = []
            self._files[loc.file] = lines
        return lines[loc.line - 1] if 0 < loc.line <= len(lines) else None

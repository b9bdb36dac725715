"""What the static linker says when it can't link."""

from __future__ import annotations

from collections.abc import Sequence

from morello_isa.errors import EXIT_DIAGNOSTICS, UserError


class LinkError(UserError):
    """One or more diagnostics, each a sentence that names the input; exit status 1."""

    def __init__(self, diagnostics: str | Sequence[str]) -> None:
        self.diagnostics = [diagnostics] if isinstance(diagnostics, str) else list(diagnostics)
        super().__init__("\n".join(self.diagnostics), EXIT_DIAGNOSTICS)

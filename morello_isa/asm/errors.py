"""What the assembler raises for a line it can't encode."""

from __future__ import annotations


class AssemblyError(Exception):
    """One sentence about one line; `operand` is the index of the operand it is about, or None."""

    def __init__(self, message: str, operand: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.operand = operand

"""The one exception that the command line turns into a sentence and an exit status."""

from __future__ import annotations

EXIT_EMULATOR_ERROR = 125
EXIT_CANNOT_EXECUTE = 126
EXIT_NOT_FOUND = 127
EXIT_LIMIT = 124
EXIT_DIAGNOSTICS = 1
EXIT_INTERRUPTED = 130


class UserError(Exception):
    """Something the user can mend: a bad file, a wrong option, a missing library.

    `message` is one sentence that names the file and the reason; `status` is the exit status
    documented in README.md ("Exit status").
    """

    def __init__(self, message: str, status: int = EXIT_EMULATOR_ERROR) -> None:
        super().__init__(message)
        self.message = message
        self.status = status

"""Result files: complete under their name or not there at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from morello_isa.errors import EXIT_EMULATOR_ERROR, UserError


class OutputFile:
    """A file that appears under its name when everything is written; what was there before stays until then.

    Use as a context manager; `stream` takes bytes. An exception leaves the old file and no new one.
    UserError, at once, when the folder isn't there or can't be written.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._target = Path(name)
        if self._target.exists() and not self._target.is_file():
            raise UserError(f"{name} is not a regular file", EXIT_EMULATOR_ERROR)
        try:
            # Through a link, the file that it names is replaced, not the link.
            self._target = self._target.resolve()
            number, temporary = tempfile.mkstemp(prefix=f".{self._target.name}.", dir=self._target.parent)
        except (OSError, RuntimeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "too many levels of links"
            raise UserError(f"{name} can't be written: {reason}", EXIT_EMULATOR_ERROR) from None
        self._temporary = Path(temporary)
        self.stream: BinaryIO = os.fdopen(number, "wb", buffering=1 << 18)

    def __enter__(self) -> OutputFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._commit()
            elif isinstance(error, OSError):
                raise UserError(f"{self.name} can't be written: {error.strerror}", EXIT_EMULATOR_ERROR)
        finally:
            self._discard()

    def _commit(self) -> None:
        try:
            self.stream.flush()
            os.fsync(self.stream.fileno())
            # mkstemp gives 0600: as any other new file, by the user's mask.
            mask = os.umask(0)
            os.umask(mask)
            os.fchmod(self.stream.fileno(), 0o666 & ~mask)
            self._temporary.replace(self._target)
        except OSError as error:
            raise UserError(f"{self.name} can't be written: {error.strerror}", EXIT_EMULATOR_ERROR) from None

    def _discard(self) -> None:
        with contextlib.suppress(OSError):
            self.stream.close()
        self._temporary.unlink(missing_ok=True)

"""Notices when the guest changes files of the host: repeating the run would change them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.linux.handles import ACCESS_MODE, HostFile
from emulator.linux.observer import Observer
from emulator.linux.table import Result

if TYPE_CHECKING:
    from emulator.linux.process import PendingCall, Task

_OPENING = frozenset(("openat", "openat2"))
_CHANGING = frozenset(
    (
        "mkdirat",
        "mknodat",
        "unlinkat",
        "symlinkat",
        "renameat",
        "renameat2",
        "truncate",
        "fchmodat",
        "fchmod",
        "fchownat",
        "fchown",
        "utimensat",
    )
)


class FileChanges(Observer):
    """An observer that prints nothing; `first` names the first system call that changed files, or is ""."""

    def __init__(self) -> None:
        self.first = ""

    def call(self, task: Task, call: PendingCall, result: Result | None) -> None:
        """A call that has ended."""
        if self.first or not isinstance(result, int) or result < 0:
            return
        name = call.row.name
        if name in _CHANGING or (name in _OPENING and self._is_writable(task, result)):
            self.first = name

    @staticmethod
    def _is_writable(task: Task, number: int) -> bool:
        file = dict(task.descriptors).get(number)
        return isinstance(file, HostFile) and bool(file.flags & ACCESS_MODE)

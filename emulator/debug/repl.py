"""The prompt: history, completion, Ctrl-C; and scripts without a terminal."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.debug import registers
from emulator.debug.commands import Takes
from emulator.debug.expression import FUNCTIONS
from emulator.debug.shell import PROMPT, Shell

if TYPE_CHECKING:
    from prompt_toolkit.completion import Completion
    from prompt_toolkit.document import Document

MAX_CHOICES = 200


def interact(shell: Shell) -> None:
    """Read lines until `quit` or the end of input."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import Completer
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    class Adapter(Completer):
        """`choices` as prompt_toolkit wants it."""

        def get_completions(self, document: Document, complete_event: object) -> Iterator[Completion]:  # noqa: ARG002
            from prompt_toolkit.completion import Completion

            text = document.text_before_cursor
            begun = beginning(text) if not takes_file(shell, text) else text.rpartition(" ")[2]
            for choice in choices(shell, text):
                yield Completion(choice, start_position=-len(begun))

    path = history_file()
    session: PromptSession[str] = PromptSession(
        history=FileHistory(str(path)) if path is not None else InMemoryHistory(),
        completer=Adapter(),
        complete_while_typing=False,
    )
    ctrl_c = CtrlC()
    usual = signal.signal(signal.SIGINT, ctrl_c)
    try:
        while not shell.done:
            try:
                line = session.prompt(shell.prompt)
                ctrl_c.armed = True
                try:
                    if line.strip() or shell.prompt != PROMPT:
                        shell.execute(line)
                    else:
                        shell.repeat()
                finally:
                    ctrl_c.armed = False
            except KeyboardInterrupt:
                shell.forget_block()
            except EOFError:
                return
    finally:
        signal.signal(signal.SIGINT, usual)


class CtrlC:
    """A handler of SIGINT that raises KeyboardInterrupt once for each command, however often it is pressed.

    Between two commands there is nothing to stop.
    """

    def __init__(self) -> None:
        self.armed = False

    def __call__(self, number: int, frame: object) -> None:  # noqa: ARG002
        """SIGINT has come."""
        if self.armed:
            self.armed = False
            raise KeyboardInterrupt


def history_file() -> Path | None:
    """In the user's state directory; None when that can't be written."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    folder = Path(base) / "morello"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "debug_history"
        path.touch()
    except OSError:
        return None
    return path


def takes_file(shell: Shell, text: str) -> bool:
    """What is being typed is the name of a file."""
    name, space, _ = text.lstrip().partition(" ")
    row = shell.commands.get(name)
    return bool(space) and row is not None and row.takes is Takes.FILE


def file_choices(begun: str) -> list[str]:
    """Files and folders whose path begins like that."""
    folder, slash, name = begun.rpartition("/")
    try:
        found = [
            f"{folder}{slash}{path.name}{'/' if path.is_dir() else ''}"
            for path in Path(f"{folder}{slash}" or ".").iterdir()
            if path.name.startswith(name) and (name or not path.name.startswith("."))
        ]
    except (OSError, ValueError):
        return []
    return sorted(found)[:MAX_CHOICES]


def beginning(text: str) -> str:
    """The word that is being typed."""
    start = len(text)
    while start and (text[start - 1].isalnum() or text[start - 1] in "_.$`"):
        start -= 1
    return text[start:]


def choices(shell: Shell, text: str) -> list[str]:
    """What the last word of a line may become."""
    begun = beginning(text)
    head = text.lstrip()
    name, space, _ = head.partition(" ")
    if not space:
        return _starting(shell.commands, begun)
    row = shell.commands.get(name.partition("/")[0])
    if row is None or row.takes is Takes.NOTHING:
        return []
    if row.takes is Takes.COMMAND:
        return _starting(shell.commands, begun)
    if row.takes is Takes.WORDS:
        return _starting(row.words, begun)
    if row.takes is Takes.FILE:
        return file_choices(text.rpartition(" ")[2])
    if not shell.debugger.is_running:
        return []
    process = shell.debugger.process
    if row.takes is Takes.LIBRARY:
        return _starting((Path(image.path).name for image in process.images), begun)
    names: list[str] = list(shell.debugger.names.symbol_names(process))
    if row.takes is Takes.EXPRESSION:
        local = (v.name for v in shell.debugger.names.variables(process, shell.debugger.task.pe.pc))
        names = [*registers.NAMES, *FUNCTIONS, *local, *names]
    return _starting(names, begun.removeprefix("$"))


def _starting(names: Iterable[str], begun: str) -> list[str]:
    return sorted({name for name in names if name.startswith(begun)})[:MAX_CHOICES]

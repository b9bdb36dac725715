"""The commands. One command is one function with a `command` row above it; its docstring is its help.

A new one goes into the module of its subject here (or a new module, which is found by itself):

    @command("name", aliases=("n",), category="running", needs=Needs.PROCESS, takes=Takes.NOTHING)
    def name(shell: Shell, arguments: str) -> None:
        \"\"\"One line that `help` lists.

        name ARGUMENTS: more, shown by `help name`.
        \"\"\"
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.debug.shell import Shell

Function = Callable[["Shell", str], None]


class Needs(Enum):
    """What has to be there for a command."""

    NOTHING = "nothing"
    PROCESS = "process"
    """A program that hasn't ended."""


class Takes(Enum):
    """What its arguments are, for completion."""

    NOTHING = "nothing"
    EXPRESSION = "expression"
    PLACE = "place"
    COMMAND = "command"
    LIBRARY = "library"
    FILE = "file"
    WORDS = "words"


@dataclass(frozen=True, slots=True)
class Command:
    """One row. `words` completes arguments of kind WORDS."""

    name: str
    aliases: tuple[str, ...]
    category: str
    needs: Needs
    takes: Takes
    words: tuple[str, ...]
    function: Function

    @property
    def summary(self) -> str:
        """First line of the docstring."""
        return (self.function.__doc__ or "").strip().splitlines()[0]

    @property
    def help(self) -> str:
        """The docstring without its indentation."""
        lines = (self.function.__doc__ or "").strip().splitlines()
        return "\n".join([lines[0], *(line.removeprefix("    ") for line in lines[1:])])


def command(
    name: str,
    *,
    category: str,
    aliases: tuple[str, ...] = (),
    needs: Needs = Needs.PROCESS,
    takes: Takes = Takes.NOTHING,
    words: tuple[str, ...] = (),
) -> Callable[[Function], Function]:
    """Make a function a command."""

    def mark(function: Function) -> Function:
        row = Command(name, aliases, category, needs, takes, words, function)
        function.command = row  # type: ignore[attr-defined]
        return function

    return mark


def discover() -> Mapping[str, Command]:
    """Every command by each of its names. ValueError if two have the same one."""
    found: dict[str, Command] = {}
    for info in pkgutil.iter_modules(__path__):
        for row in _rows(import_module(f"{__name__}.{info.name}")):
            for name in (row.name, *row.aliases):
                if name in found:
                    raise ValueError(f"two debugger commands are called {name}")
                found[name] = row
    return found


def _rows(module: ModuleType) -> list[Command]:
    rows = (getattr(item, "command", None) for item in vars(module).values())
    return [row for row in rows if isinstance(row, Command) and row.function.__module__ == module.__name__]

"""The debugger itself."""

from __future__ import annotations

from emulator.debug.commands import Command, Needs, Takes, command
from emulator.debug.shell import Shell


@command("help", aliases=("h",), category="debugger", needs=Needs.NOTHING, takes=Takes.COMMAND)
def help_(shell: Shell, arguments: str) -> None:
    """What the commands do.

    help [COMMAND]
    """
    if arguments:
        row = shell.find(arguments)
        names = ", ".join((row.name, *row.aliases))
        shell.write(f"{names}: {row.help}")
        return
    by_category: dict[str, dict[str, Command]] = {}
    for row in shell.commands.values():
        by_category.setdefault(row.category, {})[row.name] = row
    for category in sorted(by_category):
        shell.write(shell.style("title", category))
        for name, row in sorted(by_category[category].items()):
            shell.write(f"  {shell.style('name', f'{name:<13}')} {row.summary}")


@command("quit", aliases=("q", "exit"), category="debugger", needs=Needs.NOTHING)
def quit_(shell: Shell, arguments: str) -> None:  # noqa: ARG001
    """End the program and the debugger.

    quit
    """
    shell.done = True

"""The debugger itself."""

from __future__ import annotations

from emulator.debug.commands import Command, Needs, Takes, command
from emulator.debug.errors import CommandError
from emulator.debug.saving import save
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


@command("save", category="debugger", takes=Takes.FILE)
def save_(shell: Shell, arguments: str) -> None:
    """Save the machine, to go on with it elsewhere.

    save FILE: program, libraries and files with their contents, input so far, position, breakpoints and
    checkpoints. `morello debug FILE` goes on, on any machine.
    """
    if not arguments:
        raise CommandError("save to which file?")
    save(shell.debugger, arguments)
    shell.write(f"saved in {arguments}, at instruction {shell.debugger.position:,}")


@command("quit", aliases=("q", "exit"), category="debugger", needs=Needs.NOTHING)
def quit_(shell: Shell, arguments: str) -> None:  # noqa: ARG001
    """End the program and the debugger.

    quit
    """
    shell.done = True

"""Back in time, by repeating the run from its beginning (runs are deterministic)."""

from __future__ import annotations

from emulator.debug.commands import Needs, Takes, command
from emulator.debug.commands.running import count_of, no_arguments
from emulator.debug.errors import CommandError
from emulator.debug.shell import Shell


@command("rstepi", aliases=("rsi",), category="back", needs=Needs.NOTHING, takes=Takes.EXPRESSION)
def rstepi(shell: Shell, arguments: str) -> None:
    """Back by one instruction.

    rstepi [N]: N instructions.
    """
    shell.show_stop(shell.debugger.rstepi(count_of(shell, arguments)))


@command("rcontinue", aliases=("rc",), category="back", needs=Needs.NOTHING)
def rcontinue(shell: Shell, arguments: str) -> None:
    """Back to the last breakpoint, watch or catch, or to the beginning.

    rcontinue
    """
    no_arguments(arguments)
    shell.show_stop(shell.debugger.rcontinue())


@command("rfinish", aliases=("rfin",), category="back")
def rfinish(shell: Shell, arguments: str) -> None:
    """Back to the call of this function.

    rfinish
    """
    no_arguments(arguments)
    shell.show_stop(shell.debugger.rfinish())


@command("checkpoint", category="back", needs=Needs.NOTHING)
def checkpoint(shell: Shell, arguments: str) -> None:
    """Remember this position for `restart`.

    checkpoint
    """
    no_arguments(arguments)
    number = shell.debugger.add_checkpoint()
    shell.write(f"Checkpoint {number} at instruction {shell.debugger.position:,}")


@command("restart", category="back", needs=Needs.NOTHING, takes=Takes.EXPRESSION)
def restart(shell: Shell, arguments: str) -> None:
    """Go to a checkpoint.

    restart NUMBER
    """
    position = shell.debugger.checkpoints.get(int(arguments)) if arguments.isdecimal() else None
    if position is None:
        raise CommandError(f"there is no checkpoint '{arguments}'")
    shell.show_stop(shell.debugger.goto(position))

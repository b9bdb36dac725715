"""Running and stepping."""

from __future__ import annotations

from emulator.debug.commands import Needs, Takes, command
from emulator.debug.errors import CommandError
from emulator.debug.shell import Shell
from emulator.debug.stops import Stop, StopCause
from emulator.debug.text import short

MAX_COUNT = 1_000_000_000


def count_of(shell: Shell, arguments: str, default: int = 1) -> int:
    """A count argument: a number or expression from 1 on."""
    if not arguments:
        return default
    count = shell.debugger.number(arguments)
    if not 1 <= count <= MAX_COUNT:
        raise CommandError(f"{arguments} is not a count")
    return count


def repeat(shell: Shell, arguments: str, once: object, causes: tuple[StopCause, ...]) -> Stop:
    """Do a step several times, until it stops for another reason."""
    stop = shell.debugger.stop
    for _ in range(count_of(shell, arguments)):
        stop = once()  # type: ignore[operator]
        if stop.cause not in causes:
            break
    shell.show_stop(stop)
    return stop


@command("run", aliases=("r",), category="running", needs=Needs.NOTHING)
def run(shell: Shell, arguments: str) -> None:
    """Run the program from its beginning to the first stop.

    run
    """
    no_arguments(arguments)
    debugger = shell.debugger
    if debugger.position or debugger.stop.is_end:
        debugger.start()
    shell.show_stop(debugger.resume())


@command("continue", aliases=("c",), category="running", takes=Takes.EXPRESSION)
def continue_(shell: Shell, arguments: str) -> None:
    """Go on to the next stop.

    continue [N]: pass N-1 stops.
    """
    stop = shell.debugger.stop
    for _ in range(count_of(shell, arguments)):
        stop = shell.debugger.resume()
        if stop.is_end or stop.cause is StopCause.INTERRUPT:
            break
    shell.show_stop(stop)


@command("stepi", aliases=("si",), category="running", takes=Takes.EXPRESSION)
def stepi(shell: Shell, arguments: str) -> None:
    """Execute one instruction.

    stepi [N]: N instructions.
    """
    shell.show_stop(shell.debugger.stepi(count_of(shell, arguments)))


@command("nexti", aliases=("ni",), category="running", takes=Takes.EXPRESSION)
def nexti(shell: Shell, arguments: str) -> None:
    """Execute one instruction; a call runs to its return.

    nexti [N]
    """
    repeat(shell, arguments, shell.debugger.nexti, (StopCause.STEP,))


@command("step", aliases=("s",), category="running", takes=Takes.EXPRESSION)
def step(shell: Shell, arguments: str) -> None:
    """Go on to another source line, also into functions.

    step [N]. Without line information it is stepi.
    """
    repeat(shell, arguments, lambda: shell.debugger.step(into=True), (StopCause.STEP,))


@command("next", aliases=("n",), category="running", takes=Takes.EXPRESSION)
def next_(shell: Shell, arguments: str) -> None:
    """Go on to another source line of this function.

    next [N]. Without line information it is nexti.
    """
    repeat(shell, arguments, lambda: shell.debugger.step(into=False), (StopCause.STEP,))


@command("finish", aliases=("fin",), category="running")
def finish(shell: Shell, arguments: str) -> None:
    """Run until this function has returned, and show its result.

    finish
    """
    no_arguments(arguments)
    stop = shell.debugger.finish()
    shell.show_stop(stop)
    if stop.cause is StopCause.STEP:
        shell.write(f" result     c0 = {short(shell.debugger.evaluate('c0'))}")


@command("until", aliases=("u",), category="running", takes=Takes.PLACE)
def until(shell: Shell, arguments: str) -> None:
    """Run until a place is reached, once.

    until PLACE: a symbol, FILE:LINE, LINE or *ADDRESS. Without PLACE: the next line, not backwards in a loop.
    """
    debugger = shell.debugger
    if arguments:
        addresses = debugger.points.places(arguments)
        if not addresses:
            raise CommandError(f"there is no place '{arguments}'")
        shell.show_stop(debugger.run_to(addresses, text=f"at {arguments}"))
        return
    start = debugger.task.pe.pc
    function = debugger.names.function(debugger.process, start)
    stop = debugger.step(into=False)
    while (
        stop.cause is StopCause.STEP
        and debugger.task.pe.pc <= start
        and debugger.names.function(debugger.process, debugger.task.pe.pc) == function
    ):
        stop = debugger.step(into=False)
    shell.show_stop(stop)


@command("context", aliases=("ctx",), category="running", needs=Needs.NOTHING)
def context(shell: Shell, arguments: str) -> None:
    """Show the panel of the present stop again.

    context
    """
    no_arguments(arguments)
    shell.show_stop(shell.debugger.stop)


def no_arguments(arguments: str) -> None:
    """CommandError when there are any."""
    if arguments:
        raise CommandError(f"'{arguments}' is not expected here")

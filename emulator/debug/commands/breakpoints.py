"""What to stop at."""

from __future__ import annotations

import re
from collections.abc import Collection

from emulator.debug.board_guest import FAULT_NAMES
from emulator.debug.board_session import BoardDebugger
from emulator.debug.commands import Needs, Takes, command
from emulator.debug.errors import CommandError
from emulator.debug.shell import Shell
from emulator.debug.stops import Breakpoint, CatchKind, WatchKind
from emulator.linux.signals import SIGNAL_MAX, signal_name
from emulator.linux.syscalls import TABLE

_BREAK = re.compile(r"(?P<place>.+?)(?:\s+if\s+(?P<condition>.+?))?(?:\s+count\s+(?P<count>\d+))?$")


def _add(shell: Shell, arguments: str, temporary: bool) -> None:
    debugger = shell.debugger
    match = _BREAK.match(arguments or f"*{debugger.task.pe.pc:#x}")
    assert match is not None
    count = int(match["count"] or 1)
    point = debugger.points.add_breakpoint(
        match["place"], match["condition"] or "", temporary, max(count - 1, 0)
    )
    shell.write(_added(shell, point))


def _added(shell: Shell, point: Breakpoint) -> str:
    kind = "Temporary breakpoint" if point.temporary else "Breakpoint"
    if not point.addresses:
        return f"{kind} {point.number} at {point.place} (pending: nothing loaded has it yet)"
    names = shell.debugger.names
    places = ", ".join(f"{a:#x} {names.where(shell.debugger.process, a)}".rstrip() for a in point.addresses)
    row = names.line(shell.debugger.process, point.addresses[0])
    line = f"  {row.file}:{row.line}" if row is not None else ""
    return f"{kind} {point.number} at {places}{line}"


@command("break", aliases=("b",), category="stops", needs=Needs.NOTHING, takes=Takes.PLACE)
def break_(shell: Shell, arguments: str) -> None:
    """Stop before the instruction at a place.

    break PLACE [if CONDITION] [count N]: PLACE is SYMBOL[+N], FILE:LINE, LINE, 0xADDRESS or *EXPRESSION
    (default: here); it stops from the Nth time on that the condition holds. A place that isn't loaded yet
    stays pending.
    """
    _add(shell, arguments, temporary=False)


@command("tbreak", aliases=("tb",), category="stops", needs=Needs.NOTHING, takes=Takes.PLACE)
def tbreak(shell: Shell, arguments: str) -> None:
    """Stop at a place once.

    tbreak PLACE [if CONDITION] [count N]
    """
    _add(shell, arguments, temporary=True)


@command("delete", aliases=("d",), category="stops", needs=Needs.NOTHING, takes=Takes.EXPRESSION)
def delete(shell: Shell, arguments: str) -> None:
    """Delete breakpoints, watches and catches.

    delete [NUMBER…]: all without numbers.
    """
    if not arguments:
        shell.debugger.points.clear()
        shell.write("all breakpoints deleted")
        return
    for word in arguments.split():
        shell.debugger.points.delete(_number(word))


@command("condition", category="stops", needs=Needs.NOTHING, takes=Takes.EXPRESSION)
def condition(shell: Shell, arguments: str) -> None:
    """Change the condition of a breakpoint.

    condition NUMBER [EXPRESSION]: without an expression it always stops.
    """
    number, _, text = arguments.partition(" ")
    point = shell.debugger.points.set_condition(_number(number), text.strip())
    when = f"if {point.condition}" if point.condition else "always"
    shell.write(f"Breakpoint {point.number} stops {when}")


@command("ignore", category="stops", needs=Needs.NOTHING, takes=Takes.EXPRESSION)
def ignore(shell: Shell, arguments: str) -> None:
    """Pass over the next hits of a breakpoint.

    ignore NUMBER COUNT
    """
    number, _, count = arguments.partition(" ")
    point = shell.debugger.points.get(_number(number))
    if not isinstance(point, Breakpoint) or not count.strip().isdecimal():
        raise CommandError("ignore BREAKPOINT COUNT")
    point.ignore = point.hits + int(count)
    shell.write(f"Breakpoint {point.number} passes over the next {int(count):,} hits")


@command("enable", category="stops", needs=Needs.NOTHING, takes=Takes.EXPRESSION)
def enable(shell: Shell, arguments: str) -> None:
    """Let breakpoints, watches and catches stop again.

    enable [NUMBER…]: all without numbers.
    """
    _switch(shell, arguments, True)


@command("disable", category="stops", needs=Needs.NOTHING, takes=Takes.EXPRESSION)
def disable(shell: Shell, arguments: str) -> None:
    """Keep breakpoints, watches and catches, but don't stop at them.

    disable [NUMBER…]: all without numbers.
    """
    _switch(shell, arguments, False)


def _switch(shell: Shell, arguments: str, on: bool) -> None:
    points = shell.debugger.points
    chosen = [points.get(_number(word)) for word in arguments.split()] if arguments else list(points)
    for point in chosen:
        point.enabled = on


def _number(text: str) -> int:
    if not text.isdecimal():
        raise CommandError(f"'{text}' is not a breakpoint's number")
    return int(text)


@command("watch", category="stops", takes=Takes.EXPRESSION)
def watch(shell: Shell, arguments: str) -> None:
    """Stop when memory changes: its data, a tag, or a capability.

    watch [data|tag|cap] ADDRESS [SIZE]: SIZE in bytes, 8 for data and 16 for tags and capabilities if not
    given. Runs one instruction at a time, so it is slower.
    """
    first, _, rest = arguments.partition(" ")
    kinds = {"data": WatchKind.DATA, "tag": WatchKind.TAG, "cap": WatchKind.CAPABILITY}
    kind = kinds.get(first, WatchKind.DATA)
    place = rest if first in kinds else arguments
    address, size = address_and_size(shell, place, 8 if kind is WatchKind.DATA else 16)
    point = shell.debugger.points.add_watch(kind, place, address, size)
    end = point.address + point.size
    shell.write(f"Watch {point.number} of {kind.value} at [{point.address:#x},{end:#x})")


@command(
    "catch",
    category="stops",
    needs=Needs.NOTHING,
    takes=Takes.WORDS,
    words=("fault", "syscall", "compartment", "signal"),
)
def catch(shell: Shell, arguments: str) -> None:
    """Stop at events: system calls, signals, faults, crossings between compartments.

    catch syscall [NAME…] | signal [NAME…] | compartment | fault: a fault of a Linux program always stops it,
    before its signal. On a board: catch fault [KIND…], before the exception is taken (all but calls and
    interrupts; or kinds like cap-bounds, translation, irq), and catch syscall for SVC, HVC and SMC.
    """
    words = arguments.split()
    kinds = {kind.value: kind for kind in CatchKind}
    if not words or words[0] not in kinds:
        raise CommandError("catch what? fault, syscall, compartment or signal")
    kind, names = kinds[words[0]], frozenset(words[1:])
    if isinstance(shell.debugger, BoardDebugger):
        _check_board_names(kind, names)
    elif kind is CatchKind.SYSCALL:
        _check_names(names, {row.name for row in TABLE.values()}, "system call")
    elif kind is CatchKind.SIGNAL:
        _check_names(names, {signal_name(n) for n in range(1, SIGNAL_MAX + 1)}, "signal")
    elif names:
        raise CommandError(f"catch {kind.value} takes no names")
    point = shell.debugger.points.add_catch(kind, names)
    shell.write(f"Catch {point.number} of {kind.value}" + (f" {' '.join(sorted(names))}" if names else ""))


def _check_board_names(kind: CatchKind, names: frozenset[str]) -> None:
    if kind is CatchKind.SIGNAL:
        raise CommandError("a board has no signals; catch fault stops at exceptions")
    if kind is CatchKind.FAULT:
        _check_names(names, FAULT_NAMES, "kind of exception")
    elif names:
        raise CommandError(f"catch {kind.value} takes no names on a board")


def _check_names(names: frozenset[str], known: Collection[str], what: str) -> None:
    for name in names:
        if name not in known:
            raise CommandError(f"there is no {what} '{name}'")


def address_and_size(shell: Shell, text: str, default: int) -> tuple[int, int]:
    """`ADDRESS [SIZE]`: two expressions; the size is the last word if that leaves a valid address."""
    if not text:
        raise CommandError("an address is missing")
    head, _, tail = text.rpartition(" ")
    if head and not head.rstrip().endswith(tuple("+-*/%&|^<>=(!~")) and tail[0].isalnum():
        return shell.debugger.number(head), shell.debugger.number(tail)
    return shell.debugger.number(text), default

"""`info …`: tables about the program and the debugger."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from emulator.debug import board_tables, linux_tables, registers
from emulator.debug.board_session import BoardDebugger
from emulator.debug.commands import Needs, Takes, command
from emulator.debug.commands.compartments import compartments
from emulator.debug.commands.running import no_arguments
from emulator.debug.commands.values import creg, decimal
from emulator.debug.errors import CommandError
from emulator.debug.session import Debugger
from emulator.debug.shell import Shell
from emulator.debug.stops import Breakpoint, Catch, Point, Watch
from emulator.debug.text import short

Topic = Callable[[Shell, str], None]


def _breakpoints(shell: Shell, _: str) -> None:
    points = list(shell.debugger.points)
    for point in points:
        hits = "" if isinstance(point, Catch) else f"  hits {point.hits}"
        state = "" if point.enabled else "  disabled"
        shell.write(f"  {point.number:<3} {_point(point)}{hits}{state}")
    if not points:
        shell.write("  no breakpoints")


def _point(point: Point) -> str:
    if isinstance(point, Watch):
        return f"watch {point.kind.value} [{point.address:#x},{point.address + point.size:#x})"
    if isinstance(point, Catch):
        return f"catch {point.kind.value} {' '.join(sorted(point.names))}".rstrip()
    return _breakpoint(point)


def _breakpoint(point: Breakpoint) -> str:
    where = ", ".join(f"{address:#x}" for address in point.addresses) or "pending"
    text = f"{'tbreak' if point.temporary else 'break'} {point.place} ({where})"
    if point.condition:
        text += f" if {point.condition}"
    if point.ignore:
        text += f" from hit {point.ignore + 1} on"
    return text


def _registers(shell: Shell, arguments: str) -> None:
    if arguments:
        creg(shell, arguments)
        return
    task = shell.debugger.task
    for first in range(0, 31, 4):
        cells = (f"x{n:<2} {task.pe.read_x(n):#018x}" for n in range(first, min(first + 4, 31)))
        shell.write("  " + "  ".join(cells))
    sp, pc, nzcv = (registers.read(task, name) for name in ("sp", "pc", "nzcv"))
    shell.write(f"  sp  {short(sp)}  pc {short(pc)}  nzcv {short(nzcv)}")


def _lines(
    of_program: Callable[[Debugger], Iterable[str]], of_board: Callable[[BoardDebugger], Iterable[str]]
) -> Topic:
    """A topic whose lines a Linux program and a board tell each in its own way."""

    def topic(shell: Shell, arguments: str) -> None:
        no_arguments(arguments)
        debugger = shell.debugger
        lines: Iterable[str] = ()
        if isinstance(debugger, Debugger):
            lines = of_program(debugger)
        elif isinstance(debugger, BoardDebugger):
            lines = of_board(debugger)
        for line in lines:
            shell.write(f"  {line}" if not line.startswith("→") else line)

    return topic


def _sysregs(shell: Shell, arguments: str) -> None:
    pe = shell.debugger.task.pe
    wanted = arguments.upper().split()
    rows: list[tuple[str, str]] = [
        (name, short(value)) for name, value in sorted(pe.sysregs.capabilities.items())
    ]
    names = sorted({*pe.sysregs.values, *pe.sysregs.read_hooks})
    rows += [(name, f"{pe.sysregs.read(name):#x}") for name in names if board_tables.readable(name)]
    if isinstance(shell.debugger, BoardDebugger):
        rows[:0] = board_tables.state_registers(shell.debugger)
    known = {name.upper() for name, _ in rows}
    wanted = [name if name in known else f"C{name}" if f"C{name}" in known else name for name in wanted]
    for name in wanted:
        if name not in known:
            raise CommandError(f"there is no system register '{name}'")
    for name, text in rows:
        if name.upper() in wanted or (not wanted and text != "0x0"):
            shell.write(f"  {shell.style('name', f'{name:<18}')} {text}")


def _checkpoints(shell: Shell, _: str) -> None:
    for number, position in shell.debugger.checkpoints.items():
        shell.write(f"  {number:<3} instruction {position:,}")
    if not shell.debugger.checkpoints:
        shell.write("  no checkpoints")


def _libraries(shell: Shell, _: str) -> None:
    for image in shell.debugger.names.images(shell.debugger.process):
        shell.write(f"  [{image.start:#x},{image.limit:#x})  {image.path}")


def _locals(shell: Shell, _: str) -> None:
    debugger = shell.debugger
    found = debugger.names.variables(debugger.process, debugger.task.pe.pc)
    for variable in found:
        value = variable.read(debugger.task, debugger.peek, debugger.peek_capability)
        shell.write(f"  {shell.style('name', variable.name)} = {decimal(value)}")
    if not found:
        shell.write("  no variables with a known place here")


TOPICS: dict[str, Topic] = {
    "breakpoints": _breakpoints,
    "registers": _registers,
    "maps": _lines(linux_tables.maps, board_tables.maps),
    "files": _lines(linux_tables.files, board_tables.files),
    "threads": _lines(linux_tables.threads, board_tables.threads),
    "tlb": _lines(linux_tables.tlb, board_tables.tlb),
    "devices": _lines(linux_tables.devices, board_tables.devices),
    "compartments": compartments,
    "sysregs": _sysregs,
    "libraries": _libraries,
    "checkpoints": _checkpoints,
    "locals": _locals,
}


@command(
    "info", aliases=("i",), category="values", needs=Needs.NOTHING, takes=Takes.WORDS, words=tuple(TOPICS)
)
def info(shell: Shell, arguments: str) -> None:
    """Tables about the program.

    info breakpoints | registers [NAME…] | maps | files | threads | compartments | sysregs [NAME…] | libraries
    tlb: translations at hand; devices: of the board; checkpoints: for restart
    locals: variables of this function, where DWARF tells their place
    """
    topic, _, rest = arguments.partition(" ")
    found = [name for name in TOPICS if name.startswith(topic)] if topic else []
    if topic in TOPICS:
        found = [topic]
    if len(found) != 1:
        raise CommandError(f"info what? {', '.join(TOPICS)}")
    if found[0] not in ("breakpoints", "checkpoints"):
        shell.debugger.need_process()
    TOPICS[found[0]](shell, rest.strip())

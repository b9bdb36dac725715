"""`info …`: tables about the program and the debugger."""

from __future__ import annotations

from collections.abc import Callable

from emulator.debug import registers
from emulator.debug.commands import Needs, Takes, command
from emulator.debug.commands.compartments import compartments
from emulator.debug.commands.values import creg, decimal
from emulator.debug.errors import CommandError
from emulator.debug.shell import Shell
from emulator.debug.stops import Breakpoint, Catch, Point, Watch
from emulator.debug.text import short, size
from emulator.linux.process import Task
from emulator.memory.address_space import Prot


def _breakpoints(shell: Shell, _: str) -> None:
    points = list(shell.debugger.points)
    for point in points:
        hits = "" if isinstance(point, Catch) else f"  hits {point.hits}"
        shell.write(f"  {point.number:<3} {_point(point)}{hits}")
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


def _maps(shell: Shell, _: str) -> None:
    for area in shell.debugger.process.space.areas():
        letters = "".join(
            letter if area.prot & bit else "-"
            for bit, letter in ((Prot.READ, "r"), (Prot.WRITE, "w"), (Prot.EXEC, "x"))
        )
        kind = "shared" if area.shared is not None else "private"
        shell.write(
            f"  {area.start:#x}-{area.limit:#x} {letters} {kind} {size(area.size):<9} {area.name}".rstrip()
        )


def _files(shell: Shell, _: str) -> None:
    for number, file in shell.debugger.process.descriptors:
        name = getattr(file, "path", "") or type(file).__name__.lower()
        shell.write(f"  {number:<3} {name}")


def _threads(shell: Shell, _: str) -> None:
    for task in shell.debugger.guest.kernel.tasks.values():
        mark = "→" if task is shell.debugger.task else " "
        where = shell.debugger.names.where(task.process, task.pe.pc)
        shell.write(f"{mark} {task.tid}  {task.pe.pc:#x}  {where}  {_activity(task)}")


def _activity(task: Task) -> str:
    if task.call is not None and task.wait is not None:
        return f"waits in {task.call.row.name}"
    return "runs" if task.runnable else "waits"


def _sysregs(shell: Shell, arguments: str) -> None:
    pe = shell.debugger.task.pe
    wanted = arguments.upper().split()
    rows: list[tuple[str, str]] = [
        (name, short(value)) for name, value in sorted(pe.sysregs.capabilities.items())
    ]
    rows += [(name, f"{pe.sysregs.read(name):#x}") for name in sorted(pe.sysregs.values)]
    known = {name for name, _ in rows}
    for name in wanted:
        if name not in known:
            raise CommandError(f"there is no system register '{name}'")
    for name, text in rows:
        if name in wanted or (not wanted and text != "0x0"):
            shell.write(f"  {shell.style('name', f'{name:<18}')} {text}")


def _libraries(shell: Shell, _: str) -> None:
    for image in shell.debugger.process.images:
        shell.write(f"  [{image.start:#x},{image.limit:#x})  {image.path}")


def _locals(shell: Shell, _: str) -> None:
    debugger = shell.debugger
    found = debugger.names.variables(debugger.process, debugger.task.pe.pc)
    for variable in found:
        value = variable.read(debugger.task, debugger.peek, debugger.peek_capability)
        shell.write(f"  {shell.style('name', variable.name)} = {decimal(value)}")
    if not found:
        shell.write("  no variables with a known place here")


TOPICS: dict[str, Callable[[Shell, str], None]] = {
    "breakpoints": _breakpoints,
    "registers": _registers,
    "maps": _maps,
    "files": _files,
    "threads": _threads,
    "compartments": compartments,
    "sysregs": _sysregs,
    "libraries": _libraries,
    "locals": _locals,
}


@command(
    "info", aliases=("i",), category="values", needs=Needs.NOTHING, takes=Takes.WORDS, words=tuple(TOPICS)
)
def info(shell: Shell, arguments: str) -> None:
    """Tables about the program.

    info breakpoints | registers [NAME…] | maps | files | threads | compartments | sysregs [NAME…] | libraries
    locals: variables of this function, where DWARF tells their place
    """
    topic, _, rest = arguments.partition(" ")
    found = [name for name in TOPICS if name.startswith(topic)] if topic else []
    if topic in TOPICS:
        found = [topic]
    if len(found) != 1:
        raise CommandError(f"info what? {', '.join(TOPICS)}")
    if found[0] != "breakpoints":
        shell.debugger.need_process()
    TOPICS[found[0]](shell, rest.strip())

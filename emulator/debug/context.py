"""The panel after each stop: code, changed registers, stack, state, and why it stopped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from emulator.debug.board_session import BoardDebugger
from emulator.debug.errors import CommandError
from emulator.debug.linux_tables import crossings
from emulator.debug.session import Debugger
from emulator.debug.style import Style
from emulator.debug.text import short, size
from emulator.faults import MemoryAbort
from emulator.state.pe import RESTRICTED_BANK
from morello_isa.capability import Capability
from morello_isa.disassemble import disassemble

if TYPE_CHECKING:
    from emulator.debug.session import DebuggerCore
    from emulator.debug.target import Thread

CODE_BEFORE, CODE_AFTER = 2, 4
STACK_SLOTS = 4


class Panel:
    """Remembers the registers of the last stop, so that changes can be shown."""

    def __init__(self, debugger: DebuggerCore, style: Style) -> None:
        self._debugger = debugger
        self._style = style
        self._before: dict[int, list[Capability]] = {}

    def lines(self) -> Iterator[str]:
        """The panel for the present stop."""
        debugger, style = self._debugger, self._style
        stop = debugger.stop
        yield f"stopped: {debugger.explain(stop)}"
        if stop.is_end:
            return
        task = debugger.task
        yield from self._section("code", self._code(task))
        yield from self._section("registers", self._registers(task))
        yield from self._section("stack", self._stack(task))
        if isinstance(debugger, Debugger) and debugger.process.loader is not None:
            yield from self._section("compartment", compartment(debugger))
        yield f" {style('title', 'state')}      {state(debugger, task)}"

    def _section(self, name: str, lines: Iterator[str]) -> Iterator[str]:
        first = True
        for line in lines:
            yield f" {self._style('title', f'{name:<10}')} {line}" if first else f"   {line}"
            first = False

    def _code(self, task: Thread) -> Iterator[str]:
        debugger, style, pc = self._debugger, self._style, task.pe.pc
        where = debugger.names.where(task.process, pc)
        row = debugger.names.line(task.process, pc)
        head = where or f"{pc:#x}"
        if row is not None:
            text = debugger.names.source_line(row.file, row.line)
            head += f"  {row.file}:{row.line}" + (f"  {style('source', text)}" if text else "")
        yield head
        yield from code_lines(
            debugger, pc - 4 * CODE_BEFORE, CODE_BEFORE + 1 + CODE_AFTER, style, only_function_of=pc
        )

    def _registers(self, task: Thread) -> Iterator[str]:
        now = [*(task.pe.read_c(n) for n in range(31)), task.pe.read_csp()]
        before = self._before.get(task.tid)
        self._before[task.tid] = now
        if before is None:
            yield from (register_line(self._debugger, n, now[n], self._style) for n in (0, 29, 30, 31))
            return
        changed = [n for n in range(32) if before[n] != now[n]]
        if not changed:
            yield "unchanged"
        else:
            yield "changed"
        for n in changed:
            yield register_line(self._debugger, n, now[n], self._style)

    def _stack(self, task: Thread) -> Iterator[str]:
        csp = task.pe.read_csp()
        yield f"csp {csp.describe()}" if csp.hi else f"sp {csp.value:#x}"
        base = csp.value & -16
        for address in range(base, base + 16 * STACK_SLOTS, 16):
            try:
                value = self._debugger.peek_capability(address)
            except CommandError:
                return
            yield granule_line(self._debugger, address, value, self._style)


def compartment(debugger: Debugger) -> Iterator[str]:
    """Which side runs where, on which stack, and where the other side is."""
    pe, names = debugger.task.pe, debugger.names
    side = "Restricted" if pe.is_restricted else "Executive"
    own, other = (RESTRICTED_BANK, 0) if pe.is_restricted else (0, RESTRICTED_BANK)
    count = crossings(debugger)
    yield f"{side}{_stack_use(pe.stack[own])}, {count:,} crossing{'s' if count != 1 else ''}"
    if pe.stack[other].tag and pe.is_restricted:
        outer = next((frame for frame in debugger.frames() if not frame.restricted), None)
        where = f", waits in {names.where(debugger.process, outer.pc - 4)}" if outer is not None else ""
        yield f"Executive{_stack_use(pe.stack[other])}{where}"


def _stack_use(stack: Capability) -> str:
    if not stack.tag or not stack.bounds.valid:
        return ""
    return f" on a stack of {size(stack.length)}, {size(stack.limit - stack.value)} used"


def state(debugger: DebuggerCore, task: Thread) -> str:
    """`C64, Restricted · thread 100 · 1,234 instructions`."""
    pe = task.pe
    mode = "C64" if pe.pstate.c64 else "A64"
    if isinstance(debugger, BoardDebugger):
        mode = f"EL{pe.pstate.el}, {mode}"
    if isinstance(debugger, BoardDebugger) or task.process.abi.is_purecap:
        mode += ", Restricted" if pe.is_restricted else ", Executive"
    flags = "".join(n if pe.nzcv >> b & 1 else "-" for n, b in zip("NZCV", (3, 2, 1, 0), strict=True))
    thread = "core 0" if isinstance(debugger, BoardDebugger) else f"thread {task.tid}"
    return f"{mode} · {flags} · {thread} · {debugger.position:,} instructions"


def register_line(debugger: DebuggerCore, n: int, value: Capability, style: Style) -> str:
    """One capability register, with the name of what it points to."""
    name = "csp" if n == 31 else f"c{n}"
    where = debugger.names.where(debugger.process, value.value & ~1) if value.value else ""
    return f"{style('name', f'{name:<4}')} {short(value)}" + (f"  {where}" if where else "")


def granule_line(debugger: DebuggerCore, address: int, value: Capability, style: Style) -> str:
    """16 bytes of memory: a tagged capability decoded, or two numbers."""
    head = style("address", f"{address:#x}")
    if value.tag:
        where = debugger.names.where(debugger.process, value.value & ~1)
        return f"{head}  {style('tag', '●')} {value.describe()}" + (f"  {where}" if where else "")
    return f"{head}    {value.value:#018x} {value.hi:#018x}"


def code_lines(
    debugger: DebuggerCore, start: int, count: int, style: Style, only_function_of: int | None = None
) -> Iterator[str]:
    """Disassembly, with an arrow at PC, source lines above and symbols where they begin."""
    process, task = debugger.process, debugger.task
    names = debugger.names
    limit = names.function(process, only_function_of) if only_function_of is not None else None
    c64 = task.pe.pstate.c64 if process.abi.is_purecap else False
    for address in range(start, start + 4 * count, 4):
        if (
            only_function_of is not None
            and address != task.pe.pc
            and names.function(process, address) != limit
        ):
            continue
        try:
            word = int.from_bytes(process.space.peek(address, 4), "little")
        except MemoryAbort:
            if only_function_of is None:
                yield f"   {address:#x}  nothing is mapped here"
                return
            continue
        arrow = style("arrow", "→") if address == task.pe.pc else " "
        place = names.short(process, address) or ""
        text = disassemble(word, address, c64, lambda a: names.short(process, a))
        yield f"{arrow} {style('address', f'{address:#x}')} {style('dim', f'<{place}>'.ljust(20))} {text}"

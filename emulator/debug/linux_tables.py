"""What `info` and `compartments` tell about a Linux program, line by line."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING

from emulator.debug.session import Debugger
from emulator.debug.text import size
from emulator.linux.process import Task
from emulator.memory.address_space import Prot
from emulator.memory.interface import PAGE_SHIFT

if TYPE_CHECKING:
    from emulator.linux.loader_service import Handle


def maps(debugger: Debugger) -> Iterator[str]:
    """Mappings with permissions."""
    for area in debugger.process.space.areas():
        letters = "".join(
            letter if area.prot & bit else "-"
            for bit, letter in ((Prot.READ, "r"), (Prot.WRITE, "w"), (Prot.EXEC, "x"))
        )
        kind = "shared" if area.shared is not None else "private"
        yield f"{area.start:#x}-{area.limit:#x} {letters} {kind} {size(area.size):<9} {area.name}".rstrip()


def files(debugger: Debugger) -> Iterator[str]:
    """Open descriptors."""
    for number, file in debugger.process.descriptors:
        yield f"{number:<3} {getattr(file, 'path', '') or type(file).__name__.lower()}"


def threads(debugger: Debugger) -> Iterator[str]:
    """All threads of all processes, and what they do."""
    for task in debugger.guest.threads():
        mark = "→" if task is debugger.task else " "
        where = debugger.names.where(task.process, task.pe.pc)
        yield f"{mark} {task.tid}  {task.pe.pc:#x}  {where}  {_activity(task)}"


def _activity(task: Task) -> str:
    if task.call is not None and task.wait is not None:
        return f"waits in {task.call.row.name}"
    return "runs" if task.runnable else "waits"


def tlb(debugger: Debugger) -> Iterator[str]:
    """Pages that the engine reaches without asking: a process has no other TLB."""
    space = debugger.process.space
    pages = sorted({*space.read_pages, *space.write_pages})
    for page in pages:
        letters = ("r" if page in space.read_pages else "-") + ("w" if page in space.write_pages else "-")
        window = space.write_pages.get(page) or space.read_pages[page]
        area = space.area(page << PAGE_SHIFT)
        tags = sum(window.tags)
        yield f"{page << PAGE_SHIFT:#x} {letters}  {tags:>3} tags  {area.name if area else ''}".rstrip()
    yield f"{len(pages)} pages at hand; a process has one flat mapping, 'info maps' shows it"


def devices(debugger: Debugger) -> Iterator[str]:
    """A process has devices as files only."""
    for number, file in debugger.process.descriptors:
        name = str(getattr(file, "path", ""))
        if name.startswith("/dev/"):
            yield f"{name:<14} descriptor {number}" + ("  terminal" if file.is_terminal else "")
    yield "a Linux program sees devices as files in /dev; a board has more (morello debug --boot)"


def libraries_of_compartments(debugger: Debugger) -> Iterator[str]:
    """Libraries that were opened through the loader service."""
    process = debugger.process
    handles = process.loader.handles if process.loader is not None else {}
    for number, handle in sorted(handles.items()):
        yield from _library(number, handle)
    if not handles:
        yield "no library was opened through the loader service"


def _library(number: int, handle: Handle) -> Iterator[str]:
    image = handle.item.image
    low, high = image.span()
    bias = handle.item.bias
    state = "Restricted" if handle.is_restricted else "Executive"
    yield f"{number}  {posixpath.basename(handle.item.path)}  [{low + bias:#x},{high + bias:#x})  {state}"
    lines = handle.texts[2].splitlines()
    if lines:
        yield f"   {lines[-1]}"
    exported = [s.name for s in image.dynamic_symbols if s.is_defined and s.is_function]
    more = ", …" if len(exported) > 4 else ""
    yield f"   {len(exported)} exported functions: {', '.join(exported[:4])}{more}"


def crossings(debugger: Debugger) -> int:
    """Changes between Executive and Restricted so far."""
    return debugger.guest.kernel.statistics.crossings + debugger.task.engine.crossings

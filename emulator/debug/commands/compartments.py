"""Compartments: libraries that run Restricted, and what the manager did to them."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from emulator.debug import linux_tables, registers
from emulator.debug.commands import Takes, command
from emulator.debug.commands.running import no_arguments
from emulator.debug.errors import CommandError
from emulator.debug.session import Debugger
from emulator.debug.shell import Shell
from emulator.debug.text import short, size
from loader.compartment import capability_relocations
from morello_isa.capability import Capability

if TYPE_CHECKING:
    from emulator.linux.process import LoadedImage


@command("compartments", aliases=("comp",), category="compartments")
def compartments(shell: Shell, arguments: str) -> None:
    """Which side runs, the libraries of compartments, their registers and crossings.

    compartments
    """
    no_arguments(arguments)
    debugger = shell.debugger
    task = debugger.task
    if isinstance(debugger, Debugger) and not debugger.process.abi.is_purecap:
        shell.write("  this program has no capabilities, so it has no compartments")
        return
    side = "Restricted" if task.pe.is_restricted else "Executive"
    shell.write(f"  thread {task.tid} runs {side}")
    for name in ("ecsp", "rcsp", "rddc", "rctpidr"):
        value = registers.read(task, name)
        if isinstance(value, Capability) and (value.value or value.hi):
            shell.write(f"  {name:<8} {short(value)}{_stack_use(name, value)}")
    if isinstance(debugger, Debugger):
        for line in linux_tables.libraries_of_compartments(debugger):
            shell.write(f"  {line}")
        crossings = linux_tables.crossings(debugger)
    else:
        crossings = task.engine.crossings
    shell.write(f"  {crossings:,} crossings so far")


def _stack_use(name: str, value: Capability) -> str:
    if name not in ("ecsp", "rcsp") or not value.bounds.valid or not value.tag:
        return ""
    return f"  stack of {size(value.length)}, {size(value.limit - value.value)} used"


@command("relocs", category="compartments", takes=Takes.LIBRARY)
def relocs(shell: Shell, arguments: str) -> None:
    """Relocated capability slots of a library or the program, as they are now.

    relocs LIBRARY [START [COUNT]]: slots from number START on, 32 if no count is given.
    """
    words = arguments.split()
    if not words:
        raise CommandError("of which library? 'info libraries' lists them")
    loaded = _image(shell, words[0])
    rows = list(capability_relocations(loaded.image))
    start = shell.debugger.number(words[1]) if len(words) > 1 else 0
    count = shell.debugger.number(words[2]) if len(words) > 2 else 32
    for relocation, kind in rows[start : start + count]:
        address = relocation.offset + loaded.bias
        value = shell.debugger.peek_capability(address) if address % 16 == 0 else None
        text = short(value) if value is not None else "not aligned"
        where = (
            shell.debugger.names.where(shell.debugger.process, value.value & ~1) if value is not None else ""
        )
        shell.write(f"  {address:#x}  {kind.name:<22} {text}  {where}".rstrip())
    shown = max(min(len(rows) - start, count), 0)
    shell.write(f"  {shown} of {len(rows)} slots")


def _image(shell: Shell, name: str) -> LoadedImage:
    for image in shell.debugger.process.images:
        if name in (image.path, posixpath.basename(image.path)):
            return image
    raise CommandError(f"there is no library '{name}'; 'info libraries' lists them")

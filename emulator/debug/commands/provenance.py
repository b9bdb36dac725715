"""Where a capability came from, and who destroyed one. Both repeat the run up to here and watch it."""

from __future__ import annotations

from emulator.debug import registers
from emulator.debug.commands import Takes, command
from emulator.debug.errors import CommandError
from emulator.debug.provenance import (
    DATA,
    OWN_DATA,
    OWN_STACK,
    PCC,
    STACK,
    SYSTEM,
    Node,
    Recorder,
    TagLosses,
    chain,
    difference,
)
from emulator.debug.session import Debugger
from emulator.debug.shell import Shell
from emulator.debug.text import short
from emulator.state.pe import RESTRICTED_BANK
from emulator.state.sysregs import CAPABILITY_REGISTERS
from morello_isa.capability import Capability
from morello_isa.disassemble import disassemble

MAX_SHOWN = 40
_KEYS = {
    **{"csp": OWN_STACK, "sp": OWN_STACK, "ecsp": STACK, "rcsp": STACK + RESTRICTED_BANK},
    **{"ddc": OWN_DATA, "rddc": DATA + RESTRICTED_BANK, "pcc": PCC, "pc": PCC},
    **{"clr": 30, "lr": 30, "cfp": 29, "fp": 29},
    **{
        name: SYSTEM + CAPABILITY_REGISTERS.index(registers.SYSTEM_CAPABILITIES[name])
        for name in registers.SYSTEM_CAPABILITIES
    },
}


@command("whence", category="provenance", takes=Takes.EXPRESSION)
def whence(shell: Shell, arguments: str) -> None:
    """The chain of instructions that a capability came from.

    whence REGISTER, or whence ADDRESS for a capability in memory: newest first, down to the system call,
    the loader or the start of the program. The run is repeated up to here to find out.
    """
    debugger = shell.debugger
    if not arguments:
        raise CommandError("whence which? A register or an address")
    name = arguments.lower().removeprefix("$")
    recorder = Recorder(isinstance(debugger, Debugger))
    if registers.is_register(name):
        value = registers.read(debugger.task, name)
        key = _KEYS.get(name, int(name[1:]) if name[0] in "cx" and name[1:].isdecimal() else None)
        if key is None:
            raise CommandError(f"{name} is not recorded; capability registers are")
        head = f"{name} = {short(value)}"
    else:
        address = debugger.number(arguments) & -16
        value, key = debugger.peek_capability(address), None
        head = f"{address:#x}: {short(value)}"
    debugger.revisit(recorder)
    recorder.finish()
    node = recorder.register(debugger.task, key) if key is not None else recorder.memory.get(address)
    shell.write(head)
    if not isinstance(value, Capability) or not value.tag:
        raise CommandError(
            "that is no capability: its tag is clear ('wholost' tells who cleared one in memory)"
        )
    if node is None or (key is None and node.capability != value):
        shell.write("  ← in memory since the system or the loader put it there")
        return
    _show(shell, node)
    if recorder.forgot:
        shell.write("  (some of the history was forgotten: it is longer than is kept)")


def _show(shell: Shell, node: Node) -> None:
    nodes = chain(node)
    for item in nodes[:MAX_SHOWN]:
        where = shell.debugger.names.where(shell.debugger.process, item.pc) if item.pc else ""
        parts = [f"  ← {item.text:<28}", f"{where:<34}", item.note, difference(item)]
        if item.count > 1:
            parts.append(f"({item.count} times)")
        if item.parent is None:
            parts.append(item.capability.describe())
        shell.write(" ".join(part for part in parts if part.strip()).rstrip())
    if len(nodes) > MAX_SHOWN:
        shell.write(f"  … and {len(nodes) - MAX_SHOWN} before them; the root: {nodes[-1].text}")


@command("wholost", category="provenance", takes=Takes.EXPRESSION)
def wholost(shell: Shell, arguments: str) -> None:
    """Which instruction cleared the tag in memory.

    wholost ADDRESS. The run is repeated up to here to find out.
    """
    debugger = shell.debugger
    address = debugger.number(arguments) & -16
    if debugger.peek_capability(address).tag:
        raise CommandError(f"{address:#x} holds a capability with its tag; nobody lost it")
    losses = TagLosses(address)
    debugger.revisit(losses)
    losses.look(debugger.task)
    if losses.lost is None:
        reason = "but was never seen to lose it" if losses.was_tagged else "so nothing was lost"
        shell.write(f"  {address:#x} held {'a' if losses.was_tagged else 'no'} capability, {reason}")
        return
    pc, word, position, old = losses.lost
    where = debugger.names.where(debugger.process, pc)
    text = disassemble(word, pc, debugger.task.pe.pstate.c64)
    shell.write(f"  {address:#x} held {old.describe()}")
    shell.write(f"  tag cleared by {text}  at {pc:#x} {where}, instruction {position:,}")

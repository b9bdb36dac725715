"""Where a capability came from, and who destroyed one. Both repeat the run up to here and watch it."""

from __future__ import annotations

from emulator.debug import registers
from emulator.debug.commands import Takes, command
from emulator.debug.errors import CommandError
from emulator.debug.provenance import Recorder, TagLosses, describe_chain, register_key
from emulator.debug.shell import Shell
from emulator.debug.text import short
from morello_isa.capability import Capability
from morello_isa.disassemble import disassemble


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
    recorder = Recorder()
    if registers.is_register(name):
        value = registers.read(debugger.task, name)
        key = register_key(name)
        if key is None:
            raise CommandError(f"{name} is not recorded; c0 to c30, csp and pcc are")
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
    for line in describe_chain(node, lambda place: debugger.names.where(debugger.process, place)):
        shell.write(line)
    if recorder.forgot:
        shell.write("  (some of the history was forgotten: it is longer than is kept)")


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

"""Where a capability came from, and who destroyed one. Both repeat the run up to here and watch it."""

from __future__ import annotations

from emulator.debug import questions
from emulator.debug.commands import Takes, command
from emulator.debug.errors import CommandError
from emulator.debug.provenance import describe_chain
from emulator.debug.shell import Shell
from emulator.debug.text import short
from morello_isa.disassemble import disassemble


@command("whence", category="provenance", takes=Takes.EXPRESSION)
def whence(shell: Shell, arguments: str) -> None:
    """The chain of instructions that a capability came from.

    whence REGISTER|VARIABLE, or whence ADDRESS for a capability in memory: newest first, down to the system
    call, the loader or the start of the program. The run is repeated up to here to find out.
    """
    if not arguments:
        raise CommandError("whence which? A register or an address")
    found = questions.whence(shell.debugger, arguments)
    is_address = found.place.startswith("0x")
    shell.write(f"{found.place}{':' if is_address else ' ='} {short(found.capability)}")
    debugger = shell.debugger
    for line in describe_chain(found.links[0], lambda place: debugger.names.where(debugger.process, place)):
        shell.write(line)
    if found.forgot:
        shell.write("  (some of the history was forgotten: it is longer than is kept)")


@command("wholost", category="provenance", takes=Takes.EXPRESSION)
def wholost(shell: Shell, arguments: str) -> None:
    """Which instruction cleared the tag in memory.

    wholost ADDRESS. The run is repeated up to here to find out.
    """
    debugger = shell.debugger
    address = debugger.number(arguments) & -16
    loss, was_tagged = questions.wholost(debugger, address)
    if loss is None:
        reason = "but was never seen to lose it" if was_tagged else "so nothing was lost"
        shell.write(f"  {address:#x} held {'a' if was_tagged else 'no'} capability, {reason}")
        return
    where = debugger.names.where(debugger.process, loss.pc)
    text = disassemble(loss.word, loss.pc, debugger.task.pe.pstate.c64)
    shell.write(f"  {address:#x} held {loss.capability.describe()}")
    shell.write(f"  tag cleared by {text}  at {loss.pc:#x} {where}, instruction {loss.position:,}")

"""Questions about the past, answered by repeating the run: whence came a capability, who lost a tag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.debug import registers
from emulator.debug.errors import CommandError
from emulator.debug.provenance import Node, Recorder, TagLosses, chain, register_key
from emulator.debug.session import Debugger
from morello_isa.capability import Capability

if TYPE_CHECKING:
    from emulator.debug.session import DebuggerCore

_FROM_OUTSIDE = "in memory since the system or the loader put it there"


@dataclass(frozen=True)
class Provenance:
    """`links` lead from the newest instruction to the root; `forgot` when some of the history wasn't kept."""

    place: str
    capability: Capability
    links: list[Node]
    forgot: bool


@dataclass(frozen=True)
class Loss:
    """The instruction at `pc` cleared the tag of `capability`; it was number `position`."""

    pc: int
    word: int
    position: int
    capability: Capability


def whence(debugger: DebuggerCore, what: str) -> Provenance:
    """The history of the capability in a register or at an address. The run is repeated up to here."""
    place, key, address = _place(debugger, what)
    if key is not None:
        value = registers.read(debugger.task, place)
    else:
        value = debugger.peek_capability(address)
    no_capability = CommandError(
        f"{place} holds no capability: its tag is clear ('wholost' tells who cleared one in memory)"
    )
    if not isinstance(value, Capability) or not (value.tag or value.hi):
        raise no_capability
    recorder = Recorder(isinstance(debugger, Debugger))
    debugger.revisit(recorder)
    recorder.finish()
    node = recorder.register(debugger.task, key) if key is not None else recorder.memory.get(address)
    if node is None or (key is None and node.capability != value):
        if not value.tag:
            raise no_capability
        node = Node(value, _FROM_OUTSIDE, 0, 0)
    return Provenance(place, value, chain(node), recorder.forgot)


def _place(debugger: DebuggerCore, what: str) -> tuple[str, int | None, int]:
    """(name, key of a register, or None and an address): a register, a local variable, or an address."""
    name = what.strip().removeprefix("$")
    if registers.is_register(name):
        key = register_key(name.lower())
        if key is None:
            raise CommandError(f"{name} is not recorded; capability registers are")
        return name.lower(), key, 0
    for variable in debugger.names.variables(debugger.process, debugger.task.pe.pc):
        if variable.name == name and variable.register is not None:
            return f"c{variable.register}", variable.register, 0
        if variable.name == name:
            return name, None, debugger.task.pe.read_csp().value + variable.offset & -16
    address = debugger.number(what) & -16
    return f"{address:#x}", None, address


def wholost(debugger: DebuggerCore, address: int) -> tuple[Loss | None, bool]:
    """(who cleared the tag of a granule last, was it ever tagged). The run is repeated up to here."""
    address &= -16
    if debugger.peek_capability(address).tag:
        raise CommandError(f"{address:#x} holds a capability with its tag; nobody lost it")
    losses = TagLosses(address)
    debugger.revisit(losses)
    losses.look(debugger.task)
    return (Loss(*losses.lost) if losses.lost is not None else None), losses.was_tagged

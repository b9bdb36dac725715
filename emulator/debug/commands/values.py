"""Registers, capabilities and expressions."""

from __future__ import annotations

from emulator.debug import registers
from emulator.debug.commands import Takes, command
from emulator.debug.context import register_line
from emulator.debug.errors import CommandError
from emulator.debug.expression import number
from emulator.debug.reach import reach
from emulator.debug.roots import roots_of
from emulator.debug.shell import Shell
from emulator.debug.text import full, short
from morello_isa.capability import Capability
from morello_isa.permissions import ObjectType, permission_names


@command("creg", aliases=("cregs",), category="values", takes=Takes.EXPRESSION)
def creg(shell: Shell, arguments: str) -> None:
    """Capability registers, decoded.

    creg [NAME…]: all that are not zero if none is named.
    """
    task = shell.debugger.task
    names = arguments.replace("$", "").split()
    for name in names:
        if not registers.is_register(name):
            raise CommandError(f"there is no register '{name}'")
        value = registers.read(task, name)
        shell.write(_line(shell, name, value))
    if names:
        return
    for n in range(31):
        if task.pe.read_x(n) or task.pe.read_c(n).hi:
            shell.write("  " + register_line(shell.debugger, n, task.pe.read_c(n), shell.style))
    for name in ("csp", "pcc", "ddc", "rcsp", "ctpidr", "rctpidr"):
        capability = registers.read(task, name)
        if isinstance(capability, Capability) and (capability.value or capability.hi):
            shell.write(_line(shell, name, capability))


def _line(shell: Shell, name: str, value: int | Capability) -> str:
    where = shell.debugger.names.where(shell.debugger.process, number(value) & ~1)
    return f"  {shell.style('name', f'{name:<7}')} {short(value)}" + (f"  {where}" if where else "")


@command("cap", category="values", takes=Takes.EXPRESSION)
def cap(shell: Shell, arguments: str) -> None:
    """A capability with every field.

    cap EXPRESSION: a register, or cap(ADDRESS) for one in memory, or a sum of such a thing and a number.
    """
    value = shell.debugger.evaluate(arguments)
    if not isinstance(value, Capability):
        raise CommandError(f"{arguments} is a number ({value:#x}); cap(ADDRESS) is the capability in memory")
    where = shell.debugger.names.where(shell.debugger.process, value.value & ~1)
    shell.write(value.describe())
    for line in full(value, shell.style, where, _keys(shell, value)):
        shell.write(line)


def _keys(shell: Shell, value: Capability) -> str:
    """Which capabilities that the thread can reach seal and unseal this one's object type."""
    if value.otype <= ObjectType.LB:
        return ""
    found = reach(shell.debugger.process.space, roots_of(shell.debugger.task))
    parts = []
    for step in found.seals:
        key = step.capability
        if key.base <= value.otype < key.limit:
            names = [n for n in permission_names(key.permissions) if n in ("Seal", "Unseal")]
            parts.append(f"{key.describe()} in {step.place} ({', '.join(names)})")
    return " and ".join(parts[:2]) if parts else "nothing that the thread can reach unseals it"


@command("print", aliases=("p",), category="values", takes=Takes.EXPRESSION)
def print_(shell: Shell, arguments: str) -> None:
    """The value of an expression.

    print[/x|/d|/c] EXPRESSION: registers, variables, symbols, numbers, C's operators, *E (8 bytes of memory),
    cap(E), base(E) limit(E) length(E) offset(E) perms(E) otype(E) tag(E) value(E) sealed(E).
    """
    form = ""
    if arguments.startswith("/"):
        form, _, arguments = arguments[1:].partition(" ")
        if form not in ("x", "d", "c"):
            raise CommandError(f"print/{form} is not a format; x, d and c are")
    value = shell.debugger.evaluate(arguments)
    if form:
        shell.write(_formatted(number(value), form))
        return
    where = shell.debugger.names.where(shell.debugger.process, number(value) & ~1)
    shell.write(decimal(value) + (f"  {where}" if where else ""))


def decimal(value: int | Capability) -> str:
    """A capability decoded, or a number in both bases."""
    if isinstance(value, Capability) and (value.tag or value.hi):
        return value.describe()
    return f"{number(value):#x} = {_signed(number(value))}"


def _formatted(value: int, form: str) -> str:
    if form == "c":
        return f"{value & 0xFF} {chr(value & 0x7F)!r}"
    return f"{value:#x}" if form == "x" else str(_signed(value))


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


@command("set", category="values", takes=Takes.EXPRESSION)
def set_(shell: Shell, arguments: str) -> None:
    """Change a register, memory or a tag.

    set REGISTER = EXPRESSION
    set *ADDRESS = EXPRESSION: 8 bytes, which clears the tag; a capability is stored with its tag
    set tag REGISTER|ADDRESS 0|1: setting a tag forges a capability, which a program can't do
    """
    debugger = shell.debugger
    if arguments.startswith("tag "):
        _set_tag(shell, arguments[4:])
        return
    left, equals, right = arguments.partition("=")
    left = left.strip().removeprefix("$")
    if not equals or not left:
        raise CommandError("set REGISTER = VALUE, set *ADDRESS = VALUE, or set tag PLACE 0|1")
    value = debugger.evaluate(right)
    if left.startswith("*"):
        address = debugger.number(left[1:])
        if isinstance(value, Capability):
            debugger.poke_capability(address, value)
            _warn(shell, value, f"memory at {address:#x}")
        else:
            debugger.poke(address, value.to_bytes(8, "little"))
        return
    debugger.set_register(left, value)


def _warn(shell: Shell, value: Capability, place: str) -> None:
    if value.tag:
        shell.write(f"warning: {place} now holds a tagged capability that no instruction has put there")


def _set_tag(shell: Shell, text: str) -> None:
    debugger = shell.debugger
    place, _, bit = text.strip().rpartition(" ")
    if bit not in ("0", "1") or not place:
        raise CommandError("set tag REGISTER|ADDRESS 0|1")
    tag, name = bit == "1", place.strip().removeprefix("$")
    if registers.is_register(name):
        old = registers.read(debugger.task, name)
        if not isinstance(old, Capability):
            raise CommandError(f"{name} holds no capability")
        registers.write(debugger.task, name, old.with_tag(tag))
        debugger.modified = True
    else:
        address = debugger.number(place)
        debugger.poke_capability(address, debugger.peek_capability(address).with_tag(tag))
    if tag:
        shell.write(f"warning: the tag of {place} is forged; no program could have made this capability")

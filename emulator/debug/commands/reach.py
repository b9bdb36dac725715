"""What a compartment or thread can reach."""

from __future__ import annotations

from emulator.debug.commands import Takes, command
from emulator.debug.errors import CommandError
from emulator.debug.reach import Reach, Step, reach
from emulator.debug.roots import roots_of
from emulator.debug.shell import Shell
from emulator.debug.text import short, size
from morello_isa.capability import Capability
from morello_isa.permissions import Perm

MAX_ROWS = 40
_TOTALS = (("readable", "r"), ("writable", "w"), ("executable", "x"))
_POWERS = (("Executive", Perm.EXECUTIVE), ("System", Perm.SYSTEM))


@command("reach", category="compartments", takes=Takes.EXPRESSION)
def reach_(shell: Shell, arguments: str) -> None:
    """What memory can be reached, directly and through capabilities in memory.

    reach: from all registers of the code that runs (a compartment, when it is Restricted)
    reach restricted: from the Restricted side's own registers (CSP, DDC, CTPIDR), while Executive code runs
    reach REGISTER|EXPRESSION, …: from these capabilities only
    reach … to ADDRESS: through which capabilities an address is reached
    """
    debugger = shell.debugger
    what, to, target = arguments.rpartition("to ") if _has_target(arguments) else (arguments, "", "")
    roots = _roots(shell, what.strip())
    if not roots:
        raise CommandError("no register holds a tagged capability")
    found = reach(debugger.process.space, roots)
    if to:
        _show_way(shell, found, debugger.number(target))
        return
    side = "Restricted" if debugger.task.pe.is_restricted else "Executive"
    shell.write(f"  from {' '.join(roots)}" + ("" if what.strip() else f" ({side})"))
    _show(shell, found)


def _has_target(arguments: str) -> bool:
    return arguments.startswith("to ") or " to " in arguments


def _roots(shell: Shell, what: str) -> dict[str, Capability]:
    if what in ("", "restricted"):
        return roots_of(shell.debugger.task, what)
    found = {}
    for text in what.split(","):
        value = shell.debugger.evaluate(text)
        if not isinstance(value, Capability):
            raise CommandError(f"{text.strip()} is a number; cap(ADDRESS) is the capability in memory")
        if value.tag:
            found[text.strip()] = value
    return found


def _show(shell: Shell, found: Reach) -> None:
    for piece in found.pieces[:MAX_ROWS]:
        place = shell.debugger.names.where(shell.debugger.process, piece.start)
        name = piece.name or place.partition("`")[0]
        span = f"[{piece.start:#x},{piece.limit:#x})"
        rights = f"{piece.rights:<5} {size(piece.limit - piece.start):<10} {name}"
        shell.write(f"  {shell.style('address', f'{span:<34}')} {rights}".rstrip())
    if len(found.pieces) > MAX_ROWS:
        shell.write(f"  … and {len(found.pieces) - MAX_ROWS} more pieces")
    totals = [f"{word} {size(found.size(right))}" for word, right in _TOTALS if found.size(right)]
    count = len(found.steps)
    capabilities = "1 capability" if count == 1 else f"{count:,} capabilities"
    shell.write(f"  {', '.join(totals) if totals else 'no memory'} · {capabilities}")
    out = [s for s in found.entries if s.capability.has(int(Perm.EXECUTIVE))]
    within = [s for s in found.entries if not s.capability.has(int(Perm.EXECUTIVE))]
    _show_sealed(shell, "entries into Executive code", out)
    _show_sealed(shell, "entries into Restricted code", within)
    _show_sealed(shell, "sealed, can't be used", found.opaque)
    _show_sealed(shell, "can seal or unseal object types", found.seals)
    powers = {name for s in found.steps for name, bit in _POWERS if s.capability.has(int(bit))}
    if powers:
        shell.write(f"  some have {' and '.join(sorted(powers))}")
    if not found.is_complete:
        shell.write("  (not everything was looked at: there is more than the search allows)")


def _show_sealed(shell: Shell, what: str, steps: list[Step]) -> None:
    if not steps:
        return
    shell.write(f"  {what}: {len(steps)}")
    for step in steps[:4]:
        where = shell.debugger.names.where(shell.debugger.process, step.capability.value & ~1)
        shell.write(f"    {short(step.capability)}  {where}  in {step.place}")
    if len(steps) > 4:
        shell.write("    …")


def _show_way(shell: Shell, found: Reach, address: int) -> None:
    way = found.way_to(address)
    if not way:
        shell.write(f"  {address:#x} can't be reached")
    for step in way:
        where = shell.debugger.names.where(shell.debugger.process, step.capability.value & ~1)
        shell.write(
            f"  {'→ ' if step.by else '  '}{step.place:<14} {short(step.capability)}  {where}".rstrip()
        )

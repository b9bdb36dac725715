"""Registers of a thread by name, for expressions, `set`, completion and the remote protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from emulator.state.pe import RESTRICTED_BANK, Pe
from morello_isa.capability import MASK64, Capability

if TYPE_CHECKING:
    from emulator.debug.target import Thread

Value = int | Capability

SYSTEM_CAPABILITIES = {
    "ctpidr": "CTPIDR_EL0",
    "rctpidr": "RCTPIDR_EL0",
    "cid": "CID_EL0",
}
_READ: dict[str, Callable[[Pe], Value]] = {
    "pcc": lambda pe: pe.pcc,
    "pc": lambda pe: pe.pc,
    "csp": lambda pe: pe.read_csp(),
    "sp": lambda pe: pe.read_csp().value,
    "ddc": lambda pe: pe.ddc,
    "ecsp": lambda pe: pe.stack[0],
    "rcsp": lambda pe: pe.stack[RESTRICTED_BANK],
    "rddc": lambda pe: pe.data[RESTRICTED_BANK],
    "czr": lambda _: 0,
    "xzr": lambda _: 0,
    "nzcv": lambda pe: pe.nzcv,
    "clr": lambda pe: pe.read_c(30),
    "lr": lambda pe: pe.read_x(30),
    "cfp": lambda pe: pe.read_c(29),
    "fp": lambda pe: pe.read_x(29),
}
SPECIAL = (*_READ, *SYSTEM_CAPABILITIES)
NAMES = (
    *(f"c{n}" for n in range(31)),
    *(f"x{n}" for n in range(31)),
    *(f"w{n}" for n in range(31)),
    *(f"v{n}" for n in range(32)),
    *SPECIAL,
)
_KNOWN = frozenset(NAMES)


def is_register(name: str) -> bool:
    """The name means a register."""
    return name.lower() in _KNOWN


def read(task: Thread, name: str) -> Value:
    """The value: a capability for capability registers, else a number. KeyError for other names."""
    name, pe = name.lower(), task.pe
    if name in _READ:
        return _READ[name](pe)
    if name in SYSTEM_CAPABILITIES:
        return pe.sysregs.capabilities[SYSTEM_CAPABILITIES[name]]
    if name not in _KNOWN:
        raise KeyError(name)
    number = int(name[1:])
    if name[0] == "c":
        return pe.read_c(number)
    if name[0] == "v":
        return pe.read_v(number)
    value = pe.read_x(number)
    return value & 0xFFFF_FFFF if name[0] == "w" else value


def write(task: Thread, name: str, value: Value) -> str | None:
    """Change a register; returns a warning if that made a capability that the guest could not have made.

    A number given to a capability register replaces its value as SCVALUE does (the tag may go); a
    capability is stored with its tag.
    """
    name, pe = name.lower(), task.pe
    if name not in _KNOWN or name in ("czr", "xzr"):
        raise KeyError(name)
    number = value.value if isinstance(value, Capability) else value & MASK64
    if name == "nzcv":
        pe.nzcv = number
    elif name == "pc":
        pe.pc = number
        pe.context_stale = True
    elif name[0] == "v" and name[1:].isdecimal():
        pe.write_v(int(name[1:]), number)
    elif name[0] in "xw" and name[1:].isdecimal():
        pe.write_x(int(name[1:]), number & 0xFFFF_FFFF if name[0] == "w" else number)
    elif name in ("sp", "fp", "lr"):
        return write(task, {"sp": "csp", "fp": "c29", "lr": "c30"}[name], number)
    else:
        return _write_capability(task, name, value)
    return None


def _write_capability(task: Thread, name: str, value: Value) -> str | None:
    pe = task.pe
    name = {"clr": "c30", "cfp": "c29"}.get(name, name)
    old = read(task, name)
    assert isinstance(old, Capability)
    new = value if isinstance(value, Capability) else old.set_value(value)
    if name == "pcc":
        pe.pcc = new
        pe.context_stale = True
    elif name == "csp":
        pe.write_csp(new)
    elif name in ("ecsp", "rcsp"):
        pe.stack[0 if name == "ecsp" else RESTRICTED_BANK] = new
    elif name == "ddc":
        pe.ddc = new
    elif name == "rddc":
        pe.data[RESTRICTED_BANK] = new
        pe.context_stale = True
    elif name in SYSTEM_CAPABILITIES:
        pe.sysregs.capabilities[SYSTEM_CAPABILITIES[name]] = new
    else:
        pe.write_c(int(name[1:]), new)
    if new.tag and isinstance(value, Capability):
        return f"{name} now holds a tagged capability that no instruction of the guest has put there"
    return None

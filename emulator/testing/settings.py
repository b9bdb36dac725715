"""How a test's machines are made: limits, ABI, engine.

The call wins over the marker, that over command line, ini file and the defaults here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches

ABIS = ("full", "transitional", "newer")
ENGINES = ("reference", "fast")
REFUSALS = ("", "eperm", "fault")
SMALLEST_MEMORY = 16 << 20
LARGEST_MEMORY = 1 << 38
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class MorelloError(Exception):
    """A test asks for something that can't be: a missing file, a wrong option, source that doesn't compile.

    The message is one sentence (and a compiler's diagnostics below it).
    """


def is_for_the_user(excinfo: object) -> bool:
    """For `__tracebackhide__`: our own frames say nothing about what a test did wrong."""
    return isinstance(getattr(excinfo, "value", None), MorelloError | AssertionError)


__tracebackhide__ = is_for_the_user


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of the marker, of every call, and of `*.morello.toml` files.

    `engine` "" is the emulator's default. `memory` is in bytes. `strict_restricted`: "" allows system calls
    from Restricted code, "eperm" and "fault" refuse them.
    """

    abi: str = "full"
    engine: str = ""
    memory: int = 256 << 20
    max_instructions: int = 20_000_000
    strict_restricted: str = ""
    env: Mapping[str, str] = field(default_factory=dict)

    def changed(self, values: Mapping[str, object], where: str) -> Settings:
        """These settings with some replaced; MorelloError, beginning with `where`, for wrong ones."""
        checked: dict[str, object] = {}
        for name, value in values.items():
            if name not in _CHECKS:
                raise MorelloError(f"{where}: there is no option '{name}'{suggestion(name, _CHECKS)}")
            try:
                checked[name] = _CHECKS[name](value)
            except ValueError as error:
                raise MorelloError(f"{where}: {name} = {value!r} {error}") from None
        if "env" in checked:
            checked["env"] = {**self.env, **_env(checked["env"])}
        return replace(self, **checked)  # type: ignore[arg-type]


def suggestion(name: str, known: Mapping[str, object]) -> str:
    """ "; did you mean …?" for a misspelt name, else the list of names."""
    close = get_close_matches(name, list(known), 1)
    return f"; did you mean '{close[0]}'?" if close else f"; there are {', '.join(known)}"


def _choice(*values: str) -> Callable[[object], object]:
    def check(value: object) -> str:
        if not isinstance(value, str) or value not in values:
            raise ValueError(f"is not one of {', '.join(repr(v) for v in values if v)}")
        return value

    return check


def _count(value: object) -> int:
    try:
        number = int(value.replace("_", "")) if isinstance(value, str) else value
    except ValueError:
        number = None
    if not isinstance(number, int) or isinstance(number, bool) or number <= 0:
        raise ValueError("is not a positive number")
    return number


def _memory(value: object) -> int:
    number: object = value
    if isinstance(value, str):
        digits, unit = (value[:-1], _UNITS.get(value[-1:].upper(), 0)) if value[-1:].isalpha() else (value, 1)
        number = int(digits) * unit if digits.isdecimal() else 0
    if not isinstance(number, int) or not SMALLEST_MEMORY <= number <= LARGEST_MEMORY:
        raise ValueError("is not a size from 16M to 256G")
    return number


def _refusal(value: object) -> str:
    if isinstance(value, bool):
        return "eperm" if value else ""
    if not isinstance(value, str) or value not in REFUSALS:
        raise ValueError("is not true, false, 'eperm' or 'fault'")
    return value


def _env(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ValueError("is not a table of names and values")
    for name, text in value.items():
        if not isinstance(name, str) or not name or "=" in name or not isinstance(text, str):
            raise ValueError("has something else than names and texts in it")
    return dict(value)


_CHECKS: dict[str, Callable[[object], object]] = {
    "abi": _choice(*ABIS),
    "engine": _choice("", *ENGINES),
    "memory": _memory,
    "max_instructions": _count,
    "strict_restricted": _refusal,
    "env": _env,
}
assert set(_CHECKS) == {item.name for item in fields(Settings)}

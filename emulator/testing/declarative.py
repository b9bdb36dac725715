"""The form of `*.morello.toml` files: what a case runs and what it expects. docs/testing.md describes it.

Keys at the top of a file are the defaults of its cases `[case.NAME]`; without cases the file is one.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from emulator.testing.settings import MorelloError, Settings, suggestion
from emulator.testing.toml_lines import line_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

WHAT = ("program", "source", "assembly", "wasm", "image")
"""One of them says what is run."""
SETTINGS = ("abi", "engine", "memory", "max-instructions", "strict-restricted", "env")
VARIANTS = ("abi", "engine", "runtime", "flags")
"""A list of values makes one case for each (of lists, for `flags`)."""
COUNTERS = ("instructions", "crossings", "system-calls")


@dataclass(frozen=True, slots=True)
class Span:
    """How large a counter may be; None: no limit."""

    least: int | None
    most: int | None

    def __contains__(self, value: int) -> bool:
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def __str__(self) -> str:
        if self.least == self.most:
            return f"{self.least:,}"
        if self.least is None:
            return f"at most {self.most:,}"
        return f"at least {self.least:,}" if self.most is None else f"{self.least:,} to {self.most:,}"


@dataclass(slots=True)
class Case:
    """One test. `values` and `expect` are the file's, checked; `variant` is the choice of each listed key."""

    name: str
    line: int
    values: dict[str, object]
    expect: dict[str, object]
    variant: dict[str, object] = field(default_factory=dict)

    def get(self, key: str, default: object = None) -> object:
        """A value of the case."""
        return self.variant.get(key, self.values.get(key, default))

    @property
    def settings(self) -> dict[str, object]:
        """The options of the machine, named as in Python."""
        return {k.replace("-", "_"): self.get(k) for k in SETTINGS if self.get(k) is not None}


def read_cases(path: Path) -> list[Case]:
    """The cases of a file. MorelloError, one sentence with file and line, for a malformed one."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise MorelloError(f"{path} can't be read: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError as error:
        raise MorelloError(f"{path} is not UTF-8 (byte {error.start})") from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MorelloError(f"{path}: {_toml_sentence(str(error))}") from None
    except RecursionError:
        raise MorelloError(f"{path}: nested too deeply") from None
    try:
        return [*_cases(text, data, path)]
    except _ProblemError as problem:
        raise MorelloError(f"{path}:{line_of(text, problem.path)}: {problem}") from None


def _toml_sentence(message: str) -> str:
    found = re.search(r"\(at line (\d+), column (\d+)\)$", message)
    if found is None:
        return f"not TOML: {message}"
    return f"line {found[1]}, column {found[2]}: not TOML: {message[: found.start()].strip()}"


class _ProblemError(Exception):
    """`path` is the key that is wrong."""

    def __init__(self, path: tuple[str, ...], message: str) -> None:
        super().__init__(message)
        self.path = path


def _cases(text: str, data: dict[str, object], path: Path) -> Iterator[Case]:
    tables = data.pop("case", None)
    _check_keys(data, _KEYS, ())
    if tables is None:
        yield from _variants(path.name.removesuffix(".morello.toml"), text, (), data, {})
        return
    if not isinstance(tables, dict) or not tables:
        raise _ProblemError(("case",), "'case' is not a table of cases, as [case.NAME] makes one")
    for name, table in tables.items():
        place = ("case", name)
        if not isinstance(table, dict):
            raise _ProblemError(place, f"the case '{name}' is not a table")
        _check_keys(table, _KEYS, place)
        yield from _variants(name, text, place, table, data)


def _variants(
    name: str, text: str, place: tuple[str, ...], own: Mapping[str, object], defaults: Mapping[str, object]
) -> Iterator[Case]:
    inherited = dict(defaults)
    if any(key in own for key in WHAT):
        for key in WHAT:
            inherited.pop(key, None)
    values = {**inherited, **own}
    for key in ("env", "files", "expect"):
        if isinstance(inherited.get(key), dict) and isinstance(own.get(key), dict):
            values[key] = {**inherited[key], **own[key]}  # type: ignore[dict-item]
    expect = values.pop("expect", {})
    assert isinstance(expect, dict)
    _check_case(values, expect, place)
    lists: list[tuple[str, Any]] = [(k, values[k]) for k in VARIANTS if _is_choice(k, values.get(k))]
    for chosen in product(*[choices for _, choices in lists]):
        variant = dict(zip((key for key, _ in lists), chosen, strict=True))
        _check_settings(values | variant, place)
        label = f"{name}[{'-'.join(_label(v) for v in chosen)}]" if chosen else name
        yield Case(label, line_of(text, place), values, expect, variant)


def _label(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _is_choice(key: str, value: object) -> bool:
    if not isinstance(value, list):
        return False
    return key != "flags" or any(isinstance(item, list) for item in value)


def _check_case(values: Mapping[str, object], expect: Mapping[str, object], place: tuple[str, ...]) -> None:
    given = [key for key in WHAT if key in values]
    if not given:
        raise _ProblemError(place, f"nothing to run; one of {', '.join(WHAT)} says what")
    if len(given) > 1:
        raise _ProblemError((*place, given[1]), f"'{given[0]}' and '{given[1]}' can't both be run")
    what = "image" if "board" in values else given[0]
    for key, users in _ONLY.items():
        if key in values and given[0] not in users and what not in users:
            raise _ProblemError((*place, key), f"'{key}' means nothing with '{given[0]}'")
    if what == "image" and (given[0] in ("program", "wasm") or "args" in values):
        key = "args" if "args" in values else "board"
        raise _ProblemError((*place, key), f"'{key}' means nothing with '{given[0]}'")
    if expect.get("fault") is not None and expect.get("status") == 0 and "signal" in expect:
        raise _ProblemError((*place, "expect"), "a run that is killed by a signal has no status 0")


def _check_settings(values: Mapping[str, object], place: tuple[str, ...]) -> None:
    for key in SETTINGS:
        if key in values:
            try:
                Settings().changed({key.replace("-", "_"): values[key]}, "")
            except MorelloError as error:
                message = str(error).removeprefix(": ").replace("_", "-", 1)
                raise _ProblemError((*place, key), message) from None


# -- keys -------------------------------------------------------------------------------------------------


Check = Callable[[object, tuple[str, ...]], object]


def _check_keys(table: dict[str, object], known: Mapping[str, Check], place: tuple[str, ...]) -> None:
    """Every key is known and its value is of its kind; values are replaced by checked ones."""
    for key, value in table.items():
        if key not in known:
            raise _ProblemError((*place, key), f"there is no key '{key}'{suggestion(key, known)}")
        table[key] = known[key](value, (*place, key))


def _of(kind: type, text: str) -> Check:
    def check(value: object, place: tuple[str, ...]) -> object:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise _ProblemError(place, f"'{place[-1]}' is not {text}")
        return value

    return check


_text = _of(str, "a text")
_whole = _of(int, "a whole number")
_flag = _of(bool, "true or false")


def _words(value: object, place: tuple[str, ...]) -> object:
    """A text, or a list of texts."""
    if isinstance(value, list):
        return [_text(item, place) for item in value]
    return [_text(value, place)]


def _arguments(value: object, place: tuple[str, ...]) -> object:
    """A list of texts, numbers and {path = FILE}."""
    if not isinstance(value, list):
        raise _ProblemError(place, f"'{place[-1]}' is not a list")
    for item in value:
        is_path = isinstance(item, dict) and set(item) == {"path"} and isinstance(item["path"], str)
        if not is_path and (not isinstance(item, str | int) or isinstance(item, bool)):
            raise _ProblemError(
                place, f"'{place[-1]}' has something else than texts, numbers and {{path = FILE}}"
            )
    return [Path(item["path"]) if isinstance(item, dict) else item for item in value]


def _texts(value: object, place: tuple[str, ...]) -> object:
    """A table of texts."""
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise _ProblemError(place, f"'{place[-1]}' is not a table of names and texts")
    return value


def _patterns(value: object, place: tuple[str, ...]) -> object:
    """Regular expressions."""
    words = _words(value, place)
    assert isinstance(words, list)
    for word in words:
        try:
            re.compile(word)
        except re.error as error:
            raise _ProblemError(
                place, f"'{place[-1]}' has a wrong regular expression {word!r}: {error}"
            ) from None
    return words


def _span(value: object, place: tuple[str, ...]) -> object:
    """A number, or "1000..2000", "..2000", "1000.."."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Span(value, value)
    found = re.fullmatch(r"([\d_]*)\.\.([\d_]*)", value) if isinstance(value, str) else None
    if found is None or not (found[1] or found[2]):
        raise _ProblemError(place, f"'{place[-1]}' is neither a number nor a range such as \"1000..2000\"")
    ends = [int(end) if end else None for end in found.groups()]
    return Span(ends[0], ends[1])


def _fault(value: object, place: tuple[str, ...]) -> object:
    """A kind, or a table as for `expect_fault`."""
    from emulator.testing.faults import FaultPattern

    table = {"kind": value} if isinstance(value, str) else value
    if not isinstance(table, dict):
        raise _ProblemError(place, f"'{place[-1]}' is neither a kind of fault nor a table")
    _check_keys(table, _FAULT_KEYS, place)
    try:
        return FaultPattern(**table)
    except MorelloError as error:
        raise _ProblemError((*place, "kind"), str(error)) from None


def _signal(value: object, place: tuple[str, ...]) -> object:
    """A signal's name."""
    from emulator.linux.signals import Sig

    names = {signal.name: signal for signal in Sig}
    if not isinstance(value, str) or value not in names:
        raise _ProblemError(place, f"there is no signal {value!r}{suggestion(str(value), names)}")
    return value


def _expect(value: object, place: tuple[str, ...]) -> object:
    if not isinstance(value, dict):
        raise _ProblemError(place, "'expect' is not a table")
    _check_keys(value, _EXPECT_KEYS, place)
    return value


def _runtime(value: object, place: tuple[str, ...]) -> object:
    from emulator.testing.fixture import RUNTIMES

    words = _words(value, place)
    assert isinstance(words, list)
    for word in words:
        if word not in RUNTIMES:
            raise _ProblemError(place, f"there is no runtime '{word}'; there are {', '.join(RUNTIMES)}")
    return words if isinstance(value, list) else value


def _flags(value: object, place: tuple[str, ...]) -> object:
    if isinstance(value, list) and any(isinstance(item, list) for item in value):
        return [_words(item, place) for item in value]
    return value if isinstance(value, str) else _words(value, place)


def _any(value: object, _: tuple[str, ...]) -> object:
    return value


_FAULT_KEYS: dict[str, Check] = {
    "kind": _text,
    "register": _text,
    "symbol": _text,
    "address": _whole,
    "file": _text,
    "line": _whole,
    "restricted": _flag,
}
_EXPECT_KEYS: dict[str, Check] = {
    "stdout": _text,
    "stdout-contains": _words,
    "stdout-regex": _patterns,
    "stdout-lines": _patterns,
    "stderr": _text,
    "stderr-contains": _words,
    "stderr-regex": _patterns,
    "messages-contains": _words,
    "status": _whole,
    "signal": _signal,
    "fault": _fault,
    "snapshot": _flag,
    "files": _texts,
    **dict.fromkeys(COUNTERS, _span),
}
_KEYS: dict[str, Check] = {
    "program": _text,
    "source": _words,
    "assembly": _words,
    "wasm": _text,
    "image": _text,
    "flags": _flags,
    "board": _text,
    "el": _whole,
    "runtime": _runtime,
    "function": _text,
    "library": _text,
    "iwasm-options": _words,
    "args": _arguments,
    "stdin": _text,
    "files": _texts,
    "root": _text,
    **dict.fromkeys(SETTINGS, _any),
    "skip": _text,
    "xfail": _text,
    "requires": _words,
    "marks": _words,
    "expect": _expect,
}
_ONLY = {
    "flags": ("source", "assembly"),
    "el": ("image",),
    "board": ("image", "source", "assembly"),
    "runtime": ("wasm",),
    "function": ("wasm",),
    "library": ("wasm",),
    "iwasm-options": ("wasm",),
    "root": ("program",),
}

"""A fault as a test sees it, and what a test expects of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.testing.settings import MorelloError, suggestion

if TYPE_CHECKING:
    from emulator.faults import FaultKind

_NAMES = {"PERMISSION": "page permission", "CAP_PAGE": "capability page"}


def kind_name(kind: FaultKind) -> str:
    """`bounds`, `tag`, `sealed`, `permission` for capability faults; others as in explanations."""
    return _NAMES.get(kind.name, kind.value.removeprefix("capability ").lower())


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that the guest took, decoded while its process was complete.

    `register` is the authorising one ("c0", "csp", "pcc", "ddc", or ""), `address` the data address or that
    of the failed fetch. `symbol`+`offset` in `image` and `file`:`line` belong to `pc`; they are "" and
    0 where nothing is known. `position` counts the run's instructions, this one included.
    """

    kind: str
    register: str
    address: int
    pc: int
    symbol: str
    offset: int
    image: str
    file: str
    line: int
    signal: str
    """"SIGSEGV" and so on; "" on a board."""
    text: str
    """The explanation in one sentence."""
    position: int
    ordinal: int
    """This is the run's n-th fault, from 1."""
    restricted: bool
    """Taken in a Restricted compartment."""
    handled: bool
    """The program went on: a signal handler, a board's vector, or only a child was killed."""

    @property
    def place(self) -> str:
        """`fill+0x8 (overflow.c:13)`, or the address."""
        name = f"{self.symbol}+{self.offset:#x}" if self.offset else self.symbol
        line = f"{self.file}:{self.line}" if self.file else ""
        return f"{name or hex(self.pc)} ({line})" if line else name or hex(self.pc)


@dataclass(frozen=True, slots=True)
class FaultPattern:
    """What is expected of a fault; None means anything. `file` may leave out leading folders."""

    kind: str | None = None
    register: str | None = None
    symbol: str | None = None
    address: int | None = None
    file: str | None = None
    line: int | None = None
    restricted: bool | None = None

    def __post_init__(self) -> None:
        from emulator.faults import FaultKind

        names = {kind_name(kind): kind for kind in FaultKind}
        if self.kind is not None and self.kind not in names:
            raise MorelloError(f"there is no kind of fault '{self.kind}'{suggestion(self.kind, names)}")

    def matches(self, fault: Fault) -> bool:
        """The fault is as expected."""
        pairs = (
            (self.kind, fault.kind),
            (self.register, fault.register),
            (self.symbol, fault.symbol),
            (self.address, fault.address),
            (self.line, fault.line),
            (self.restricted, fault.restricted),
        )
        same_file = self.file is None or f"/{fault.file}".endswith(f"/{self.file}")
        return same_file and all(wanted is None or wanted == found for wanted, found in pairs)

    def __str__(self) -> str:
        words = [f"a {self.kind} fault" if self.kind else "a fault"]
        words += [f"of {self.register}"] if self.register else []
        words += [f"in {self.symbol}"] if self.symbol else []
        words += [f"of address {self.address:#x}"] if self.address is not None else []
        place = [str(part) for part in (self.file, self.line) if part is not None]
        words += [f"at {'' if self.file else 'line '}{':'.join(place)}"] if place else []
        if self.restricted is not None:
            words.append(f"from {'Restricted' if self.restricted else 'Executive'} code")
        return " ".join(words)

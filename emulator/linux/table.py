"""The system call table: one decorated function per call, with its number, name and kinds of arguments.

    @syscall(63, "read", Fd("fd"), OutBuffer("buf"), Size("count"))
    def read(task: Task, fd: int, buf: Capability, count: int) -> int: ...

The kinds convert the registers (32-bit arguments are truncated and sign-extended, pointers stay
capabilities) and print the argument for `--strace`. A handler returns an integer or a capability, or
raises `SyscallError`.
"""

# ruff: noqa: ARG002  (implementations share one signature)

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from emulator.linux.errors import SyscallError
from morello_isa.capability import Capability

if TYPE_CHECKING:
    from emulator.linux.process import Task

Result = int | Capability
Handler = Callable[..., Any]
AnyHandler = TypeVar("AnyHandler", bound=Handler)


def signed(value: int, bits: int) -> int:
    """Two's complement of the low `bits` bits."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


@dataclass(frozen=True)
class Argument:
    """Kind of an argument; `name` is its name in traces. This one is an unsigned 64-bit integer."""

    name: str = ""
    is_pointer: ClassVar[bool] = False

    def value(self, raw: int) -> int:
        """From the 64-bit register."""
        return raw

    def text(self, task: Task, value: Any) -> str:
        """For `--strace`."""
        return str(value)


class Size(Argument):
    """size_t and other 64-bit unsigned."""


class Hex(Argument):
    """A 64-bit value best read in hexadecimal."""

    def text(self, task: Task, value: Any) -> str:
        """Hexadecimal."""
        return f"{value:#x}"


class Long(Argument):
    """A signed 64-bit integer (off_t)."""

    def value(self, raw: int) -> int:
        """Sign-extended."""
        return signed(raw, 64)


class Int(Argument):
    """A C int: the upper half of the register is ignored."""

    def value(self, raw: int) -> int:
        """Sign-extended from 32 bits."""
        return signed(raw, 32)


class UInt(Argument):
    """An unsigned int."""

    def value(self, raw: int) -> int:
        """The low 32 bits."""
        return raw & 0xFFFF_FFFF

    def text(self, task: Task, value: Any) -> str:
        """Hexadecimal above 9."""
        return f"{value:#x}" if value > 9 else str(value)


class Mode(UInt):
    """File mode bits."""

    def text(self, task: Task, value: Any) -> str:
        """Octal."""
        return f"0{value:o}"


class Fd(Int):
    """A file descriptor."""


class DirFd(Int):
    """A directory's descriptor or AT_FDCWD."""

    def text(self, task: Task, value: Any) -> str:
        """Name for the special value."""
        return "AT_FDCWD" if value == -100 else str(value)


class Signal(Int):
    """A signal number."""

    def text(self, task: Task, value: Any) -> str:
        """Its name."""
        from emulator.linux.signals import signal_name

        return signal_name(value)


@dataclass(frozen=True)
class Flags(UInt):
    """An int made of named bits. `zero` is printed for 0."""

    names: Mapping[str, int] = field(default_factory=dict)
    zero: str = "0"

    def text(self, task: Task, value: Any) -> str:
        """NAME|NAME|0xrest."""
        return flag_text(value, self.names, self.zero)


class Pointer(Argument):
    """A user pointer: a capability in purecap programs."""

    is_pointer: ClassVar[bool] = True

    def text(self, task: Task, value: Any) -> str:
        """The capability decoded; in compat64 the address."""
        if task.memory.is_null(value):
            return "NULL"
        if not task.process.abi.is_purecap:
            return f"{value.value:#x}"
        return f"{{{value.describe()}}}"


class OutBuffer(Pointer):
    """A pointer that the call writes through."""


class InBuffer(Pointer):
    """A pointer to data that the call reads; the next argument is its length."""


class Path(Pointer):
    """A pointer to a string."""

    def text(self, task: Task, value: Any) -> str:
        """The string (and the capability, if it is one)."""
        if task.memory.is_null(value):
            return "NULL"
        try:
            content = repr(task.memory.path(value))
        except SyscallError as error:
            content = error.errno.name
        return f"{content} {super().text(task, value)}" if task.process.abi.is_purecap else content


@dataclass(frozen=True)
class Syscall:
    """One row of the table. `restart` tells what a signal does to the blocked call: repeat it when the
    handler has SA_RESTART (True) or always fail with EINTR (False)."""

    number: int
    name: str
    arguments: tuple[Argument, ...]
    handler: Handler
    restart: bool = True


def flag_text(value: int, names: Mapping[str, int], zero: str = "0") -> str:
    """`A|B|0x80` for a set of named bits."""
    parts = []
    rest = value
    for name, bits in names.items():
        if bits and rest & bits == bits:
            parts.append(name)
            rest &= ~bits
    if rest:
        parts.append(f"{rest:#x}")
    return "|".join(parts) or zero


class Family:
    """The calls of one module; `syscall` is the decorator that adds to it."""

    def __init__(self) -> None:
        self.rows: list[Syscall] = []

    def syscall(
        self, number: int, name: str, *arguments: Argument, restart: bool = True
    ) -> Callable[[AnyHandler], AnyHandler]:
        """Register the decorated handler under its arm64 number."""

        def register(handler: AnyHandler) -> AnyHandler:
            self.rows.append(Syscall(number, name, arguments, handler, restart))
            return handler

        return register


def build_table(families: tuple[Family, ...]) -> dict[int, Syscall]:
    """number -> row; ValueError when two rows claim one number."""
    table: dict[int, Syscall] = {}
    for family in families:
        for row in family.rows:
            if row.number in table:
                raise ValueError(f"system call {row.number} is both {table[row.number].name} and {row.name}")
            table[row.number] = row
    return table

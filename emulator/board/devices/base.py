"""What all devices share: the register table, the services of the board, and how a device is made.

A device is one module `emulator/board/devices/<kind>.py` with a function
`create(services: Services, options: Mapping[str, object]) -> MmioDevice`. A board row names the kind; nothing
else has to be changed to add a device.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Protocol

from emulator.memory.physical import BusError, MmioDevice, PhysicalMemory

SetLevel = Callable[[bool], None]
"""An interrupt line: called with True while the device requests service."""


def no_line(level: bool) -> None:
    """An interrupt line that is connected to nothing."""
    del level


class Alarm(Protocol):
    """An event that can be moved; setting it again replaces the earlier time."""

    def set(self, tick: int | None) -> None:
        """Goes off when the counter reaches `tick` (at an instruction boundary); None: never."""


class Clock(Protocol):
    """Time of the board: the system counter, which advances with executed instructions."""

    frequency: int

    def ticks(self) -> int:
        """The counter now, in ticks of `frequency` per second."""

    def alarm(self, action: Callable[[], None]) -> Alarm:
        """A new alarm that calls `action` when it goes off; not set yet."""


class Console(Protocol):
    """A character stream to the outside: terminal, file, pty, or a list in a test."""

    def write(self, data: bytes) -> None:
        """Sends bytes out; never blocks for long, never raises."""

    def listen(self, receiver: Callable[[bytes], None]) -> None:
        """Input arriving later is passed to `receiver`."""


class Block(Protocol):
    """A disk image as sectors of 512 bytes."""

    size: int
    read_only: bool

    def read(self, offset: int, size: int) -> bytes: ...

    def write(self, offset: int, data: bytes) -> None: ...


@dataclass(slots=True)
class Services:
    """What the board gives to one device; `devices` are those created before it, by name."""

    memory: PhysicalMemory
    clock: Clock
    interrupt: SetLevel = no_line
    console: Console | None = None
    block: Block | None = None
    stop: Callable[[object], None] = lambda _: None
    trace: Callable[[str], None] | None = None
    devices: Mapping[str, MmioDevice] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Register:
    """One register: `offset` in bytes, `size` bytes; without `write` it is read-only, writes are ignored.

    A narrower write is zero-extended, or, with `merge`, replaces only the bytes that it covers.
    """

    name: str
    offset: int
    read: Callable[[], int]
    write: Callable[[int], None] | None = None
    size: int = 4
    merge: bool = False


class RegisterDevice:
    """A device made of a table of registers.

    A narrow access reaches the register that contains it; one that is wider than its register is a bus
    error. Offsets without a register read as zero and ignore writes, and a trace tells.
    """

    name = "device"

    def __init__(self, trace: Callable[[str], None] | None = None) -> None:
        self._registers: dict[int, Register] = {}
        self._trace = trace

    def define(self, *registers: Register) -> None:
        """Adds registers to the table."""
        for register in registers:
            self._registers[register.offset] = register

    def constants(self, values: Mapping[int, int]) -> None:
        """Adds read-only registers with fixed values (identification)."""
        for offset, value in values.items():
            self.define(Register(f"id{offset:x}", offset, _constant(value)))

    def read(self, offset: int, size: int) -> int:
        """Value of `size` bytes at `offset`."""
        register, shift = self._find(offset, size)
        value = 0 if register is None else register.read() >> shift
        if self._trace is not None:
            label = register.name if register else f"offset {offset:#x}"
            self._trace(f"{self.name}: read {label} = {value & ((1 << 8 * size) - 1):#x}")
        return value

    def write(self, offset: int, size: int, value: int) -> None:
        """Writes `size` bytes at `offset`; narrow writes reach the register zero-extended in place."""
        register, shift = self._find(offset, size)
        if self._trace is not None:
            label = register.name if register else f"offset {offset:#x}"
            self._trace(f"{self.name}: write {label} = {value:#x}")
        if register is not None and register.write is not None:
            value <<= shift
            if register.merge and size < register.size:
                value |= register.read() & ~(((1 << 8 * size) - 1) << shift)
            register.write(value)

    def _find(self, offset: int, size: int) -> tuple[Register | None, int]:
        register = self._registers.get(offset)
        if register is None:
            for base in (offset & ~3, offset & ~7):
                candidate = self._registers.get(base)
                if candidate is not None and base + candidate.size > offset:
                    register = candidate
                    break
        if register is None:
            return None, 0
        if offset + size > register.offset + register.size:
            raise BusError(offset, size, f"{self.name} has no register of this width")
        return register, 8 * (offset - register.offset)


def _constant(value: int) -> Callable[[], int]:
    return lambda: value


PRIMECELL_ID = (0x0D, 0xF0, 0x05, 0xB1)


def primecell_identification(part: int, designer: int = 0x41, revision: int = 0) -> dict[int, int]:
    """The eight identification registers of an Arm PrimeCell peripheral, at 0xFE0..0xFFC."""
    peripheral = (
        part & 0xFF,
        part >> 8 & 0xF | (designer & 0xF) << 4,
        designer >> 4 & 7 | revision << 4,
        0,
    )
    table = {0xFE0 + 4 * i: value for i, value in enumerate(peripheral)}
    table.update({0xFF0 + 4 * i: value for i, value in enumerate(PRIMECELL_ID)})
    return table


def create_device(kind: str, services: Services, options: Mapping[str, object]) -> MmioDevice:
    """Makes a device of `kind` (the name of a module of this package)."""
    module = import_module(f"emulator.board.devices.{kind}")
    device: MmioDevice = module.create(services, options)
    return device

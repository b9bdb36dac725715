"""What differs between two machines that should be equal: registers, tags, metadata, memory, tag memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.memory.interface import PAGE_SIZE
from emulator.state.registers import FPCR_SLOT, FPSR_SLOT
from morello_isa.capability import Capability

if TYPE_CHECKING:
    from emulator.linux.kernel import Kernel
    from emulator.memory.address_space import AddressSpace
    from emulator.state.pe import Pe

_MOST_PLACES = 8
_GRANULE = 16


@dataclass(frozen=True, slots=True)
class Difference:
    """A name (register, address) and its value in either machine, decoded."""

    where: str
    reference: str
    fast: str

    def __str__(self) -> str:
        return f"{self.where}: {self.reference} | {self.fast}"


def differences(reference: Kernel, fast: Kernel) -> list[Difference]:
    """Everything that differs; empty when the machines are equal."""
    found = list(_threads(reference, fast))
    for name, one, other in (
        ("instructions", reference.instructions, fast.instructions),
        ("system calls", reference.statistics.syscalls, fast.statistics.syscalls),
        ("faults", reference.statistics.faults, fast.statistics.faults),
    ):
        if one != other:
            found.append(Difference(name, f"{one:,}", f"{other:,}"))
    for pid, process in reference.processes.items():
        twin = fast.processes.get(pid)
        if twin is not None:
            prefix = f"process {pid}, " if len(reference.processes) > 1 else ""
            found += _memory(process.space, twin.space, prefix)
    return found


def _threads(reference: Kernel, fast: Kernel) -> Iterator[Difference]:
    if reference.tasks.keys() != fast.tasks.keys():
        yield Difference("threads", str(sorted(reference.tasks)), str(sorted(fast.tasks)))
    for tid, task in reference.tasks.items():
        twin = fast.tasks.get(tid)
        if twin is not None:
            prefix = f"thread {tid}, " if len(reference.tasks) > 1 else ""
            yield from register_differences(task.pe, twin.pe, prefix)


def register_differences(pe: Pe, twin: Pe, prefix: str) -> Iterator[Difference]:
    """Between two PEs."""
    one, other = registers(pe), registers(twin)
    for name, value in one.items():
        if value != other.get(name):
            yield Difference(prefix + name, decoded(value), decoded(other.get(name)))


def registers(pe: Pe) -> dict[str, object]:
    """Every register of a PE by name."""
    result: dict[str, object] = {f"c{n}": pe.read_c(n) for n in range(31)}
    result |= {"csp": pe.read_csp(), "pcc": pe.pcc, "ddc": pe.ddc, "nzcv": f"{pe.nzcv:04b}"}
    result |= {f"v{n}": pe.read_v(n) for n in range(32)}
    result |= {"fpcr": pe.x[FPCR_SLOT], "fpsr": pe.x[FPSR_SLOT], "instructions": pe.instructions}
    result |= {f"csp bank {i}": value for i, value in enumerate(pe.stack)}
    result |= {f"ddc bank {i}": value for i, value in enumerate(pe.data)}
    result |= {f"pstate.{name}": getattr(pe.pstate, name) for name in type(pe.pstate).__slots__}
    result |= {"exclusive monitor": pe.exclusive}
    return result | pe.sysregs.values | pe.sysregs.capabilities


def decoded(value: object) -> str:
    """A register's value for people."""
    if isinstance(value, Capability):
        return value.describe() if value.tag or value.hi else f"{value.value:#x}"
    return f"{value:#x}" if type(value) is int else str(value)


def _memory(one: AddressSpace, other: AddressSpace, prefix: str) -> Iterator[Difference]:
    found = MemoryDifferences(prefix)
    for page in sorted({*one.touched_pages(), *other.touched_pages()}):
        first, second = one.contents(page), other.contents(page)
        if first == second:
            continue
        # A page that only one machine has touched has its first contents in the other.
        first = one.peek(page, PAGE_SIZE) if first is None else first
        second = other.peek(page, PAGE_SIZE) if second is None else second
        yield from found.in_bytes(page, first, second)
    one_runs, other_runs, nothing = one.tag_runs(), other.tag_runs(), bytes(PAGE_SIZE)
    for run in sorted({*one_runs, *other_runs}):
        first, second = one_runs.get(run, nothing), other_runs.get(run, nothing)
        if first != second:
            yield from found.in_tags(run, first, second)


class MemoryDifferences:
    """The first few differences of memory and of tags."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._bytes_left = self._tags_left = _MOST_PLACES

    def in_bytes(self, address: int, one: bytes, other: bytes) -> Iterator[Difference]:
        """Of two pages at an address."""
        for at in range(0, len(one), _GRANULE):
            a, b = one[at : at + _GRANULE], other[at : at + _GRANULE]
            if a != b and self._bytes_left:
                self._bytes_left -= 1
                yield Difference(f"{self._prefix}memory {address + at:#x}", _bytes(a), _bytes(b))

    def in_tags(self, address: int, one: bytes, other: bytes) -> Iterator[Difference]:
        """Of two pages of tags that begin with that of an address."""
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            if a != b and self._tags_left:
                self._tags_left -= 1
                yield Difference(f"{self._prefix}tag of {address + _GRANULE * i:#x}", str(a), str(b))


def _bytes(data: bytes) -> str:
    high, low = int.from_bytes(data[8:], "little"), int.from_bytes(data[:8], "little")
    return f"{high:016x}:{low:016x}"

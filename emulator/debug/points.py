"""The table of breakpoints, watches and catches, and what each says when the guest gets there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from emulator.debug.accesses import access_watcher
from emulator.debug.errors import CommandError
from emulator.debug.expression import number
from emulator.debug.guest import Observer, Plan
from emulator.debug.stops import (
    ACCESS_KINDS,
    ANY,
    Breakpoint,
    Catch,
    CatchKind,
    Point,
    Stop,
    StopCause,
    Watch,
    WatchKind,
)
from emulator.faults import MemoryAbort
from morello_isa.capability import Capability

if TYPE_CHECKING:
    from emulator.debug.session import DebuggerCore
    from emulator.debug.target import Thread

_FILE_LINE = re.compile(r"(.+):(\d+)$")
MAX_WATCH = 4096
Contents = tuple[bytes, tuple[bool, ...]]
"""Bytes (empty for tag watches) and tags (none for data watches)."""
UNMAPPED: Contents = (b"", ())


class Points:
    """All of them, by number."""

    def __init__(self, debugger: DebuggerCore) -> None:
        self._debugger = debugger
        self._points: dict[int, Point] = {}
        self._next = 1

    def __iter__(self) -> Iterator[Point]:
        return iter(list(self._points.values()))

    def add_breakpoint(
        self, place: str, condition: str = "", temporary: bool = False, ignore: int = 0
    ) -> Breakpoint:
        """A breakpoint at `symbol`, `file:line`, `line` or `*expression`; pending if it isn't loaded yet."""
        point = Breakpoint(self._number(), place, self.places(place), condition, temporary, 0, ignore)
        if condition:
            self._check_condition(condition)
        self._points[point.number] = point
        return point

    def _check_condition(self, condition: str) -> None:
        debugger = self._debugger
        if debugger.is_running:
            debugger.evaluate(condition)

    def add_watch(self, kind: WatchKind, place: str, address: int, size: int) -> Watch:
        """Watch [address, address+size)."""
        if not 0 < size <= MAX_WATCH:
            raise CommandError(f"a watch is 1 to {MAX_WATCH} bytes long")
        if kind in (WatchKind.TAG, WatchKind.CAPABILITY):
            address, size = address & -16, (size + (address & 15) + 15) & -16
        if kind not in ACCESS_KINDS:
            self._debugger.peek(address, size)
        point = Watch(self._number(), kind, place, address, size)
        self._points[point.number] = point
        return point

    def add_catch(self, kind: CatchKind, names: frozenset[str]) -> Catch:
        """Stop at an event."""
        point = Catch(self._number(), kind, names)
        self._points[point.number] = point
        return point

    def _number(self) -> int:
        self._next += 1
        return self._next - 1

    def get(self, number: int) -> Point:
        """CommandError when there is none of that number."""
        point = self._points.get(number)
        if point is None:
            raise CommandError(f"there is no breakpoint {number}")
        return point

    def set_condition(self, number: int, condition: str) -> Breakpoint:
        """Change a breakpoint's condition; "" removes it."""
        point = self.get(number)
        if not isinstance(point, Breakpoint):
            raise CommandError(f"{number} is no breakpoint, so it has no condition")
        if condition:
            self._check_condition(condition)
        point.condition = condition
        return point

    def restore(self, points: Iterable[Point]) -> None:
        """Put in points that an earlier debugger had, with their numbers."""
        for point in points:
            self._points[point.number] = point
            self._next = max(self._next, point.number + 1)
        self.resolve()

    def delete(self, number: int) -> None:
        """CommandError when there is none of that number."""
        self.get(number)
        del self._points[number]

    def clear(self) -> None:
        """Delete all."""
        self._points.clear()

    def hits(self) -> dict[int, int]:
        """Counters by number."""
        return {point.number: point.hits for point in self if not isinstance(point, Catch)}

    def set_hits(self, hits: dict[int, int]) -> None:
        """Counters as they were before a repeated run."""
        for point in self:
            if not isinstance(point, Catch):
                point.hits = hits.get(point.number, 0)

    def places(self, place: str) -> tuple[int, ...]:
        """Addresses of a place; empty when its symbol or file isn't known (yet)."""
        debugger = self._debugger
        process = debugger.process
        if place.startswith(("*", "0x")):
            return (debugger.number(place.removeprefix("*")) & ~1,)
        match = _FILE_LINE.match(place)
        if match is not None:
            return debugger.names.addresses_of_line(process, match[1], int(match[2]))[1]
        if place.isdecimal():
            row = debugger.names.line(process, debugger.task.pe.pc)
            if row is None:
                raise CommandError("no line table says which file this is; use FILE:LINE")
            return debugger.names.addresses_of_line(process, row.file, int(place))[1]
        symbol, _, offset = place.partition("+")
        distance = debugger.number(offset) if offset else 0
        found = debugger.names.symbol_addresses(process, symbol.strip())
        return tuple((address & ~1) + distance for address in found)

    def resolve(self) -> None:
        """Images were loaded: places that are symbols or lines may have an address now."""
        for point in self:
            if isinstance(point, Breakpoint) and not point.place.startswith(("*", "0x")):
                point.addresses = self.places(point.place)
        guest = self._debugger.guest
        guest.plan.addresses |= self.addresses()

    def addresses(self) -> set[int]:
        """Where all breakpoints are."""
        points = (p for p in self if isinstance(p, Breakpoint) and p.enabled)
        return {address for point in points for address in point.addresses}

    # -- at run time -----------------------------------------------------------------------------------

    def fill(self, plan: Plan) -> None:
        """Put everything into a plan."""
        plan.addresses = self.addresses()
        plan.at_breakpoint = self.decide
        for point in self:
            if not point.enabled:
                continue
            if isinstance(point, Watch):
                plan.observers.append(self._watcher(point))
            elif isinstance(point, Catch):
                old = plan.catches.get(point.kind, frozenset())
                plan.catches[point.kind] = old | (point.names or {ANY})

    def decide(self, task: Thread, pc: int) -> Stop | None:
        """The guest is at a breakpoint's address: conditions and counts."""
        for point in self:
            is_here = isinstance(point, Breakpoint) and point.enabled and pc in point.addresses
            if is_here and isinstance(point, Breakpoint) and self._holds(point, task):
                point.hits += 1
                if point.hits <= point.ignore:
                    continue
                if point.temporary:
                    self._points.pop(point.number, None)
                kind = "temporary breakpoint" if point.temporary else "breakpoint"
                text = f"{kind} {point.number}"
                count = task.kernel.instructions
                return Stop(StopCause.BREAKPOINT, text, count, task.tid, pc, point=point.number)
        return None

    def _holds(self, point: Breakpoint, task: Thread) -> bool:
        if not point.condition:
            return True
        try:
            return bool(number(self._debugger.evaluate(point.condition, task)))
        except (CommandError, RecursionError):
            return True

    def _watcher(self, point: Watch) -> Observer:
        if point.kind in ACCESS_KINDS:
            names = self._debugger.names
            return access_watcher(point, self._debugger.task, lambda task, pc: names.where(task.process, pc))
        before = _contents(point, self._debugger.task)
        last_pc = self._debugger.task.pe.pc

        def watch(task: Thread, pc: int, word: int) -> Stop | None:  # noqa: ARG001
            nonlocal before, last_pc
            by, last_pc = last_pc, pc
            now = _contents(point, task)
            if now == before:
                return None
            old, before = before, now
            if UNMAPPED in (old, now):
                return None
            point.hits += 1
            where = self._debugger.names.where(task.process, by)
            text = (
                f"{point.kind.value} watch {point.number}: {_change(point, old, now)}, by {by:#x} ({where})"
            )
            count = task.kernel.instructions
            return Stop(StopCause.WATCH, text, count, task.tid, pc, point=point.number)

        return watch


def _contents(point: Watch, task: Thread) -> Contents:
    """What is there now."""
    space = task.process.space
    try:
        if point.kind is WatchKind.DATA:
            return space.peek(point.address, point.size), ()
        granules = range(point.address, point.address + point.size, 16)
        tags = tuple(space.peek_cap(address)[2] for address in granules)
        data = space.peek(point.address, point.size) if point.kind is WatchKind.CAPABILITY else b""
    except MemoryAbort:
        return UNMAPPED
    return data, tags


def _change(point: Watch, old: Contents, new: Contents) -> str:
    if point.kind is WatchKind.DATA and point.size <= 8:
        return f"{int.from_bytes(old[0], 'little'):#x} → {int.from_bytes(new[0], 'little'):#x}"
    for index, (a, b) in enumerate(zip(old[1], new[1], strict=False)):
        at = slice(16 * index, 16 * index + 16)
        if a != b or old[0][at] != new[0][at]:
            place = f"{point.address + 16 * index:#x}"
            if point.kind is WatchKind.TAG:
                return f"the tag at {place} was {'set' if b else 'cleared'}"
            before, after = Capability.from_bytes(old[0][at], a), Capability.from_bytes(new[0][at], b)
            return f"{before.describe()} → {after.describe()} at {place}"
    for index, (x, y) in enumerate(zip(old[0], new[0], strict=False)):
        if x != y:
            return f"byte {point.address + index:#x}: {x:#04x} → {y:#04x}"
    return "changed"

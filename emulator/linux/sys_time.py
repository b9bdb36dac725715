"""Clocks, sleeping, interval timers, resource usage."""

# ruff: noqa: ARG001  (a handler takes all arguments of its call)

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from emulator.linux.errors import Errno, SyscallError
from emulator.linux.table import Family, Flags, Int, Pointer
from morello_isa.capability import Capability

if TYPE_CHECKING:
    from emulator.linux.process import Task

FAMILY = Family()

CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS, CLOCK_THREAD = 0, 1, 2, 3
REALTIME_CLOCKS = frozenset((0, 5, 8, 11))
MONOTONIC_CLOCKS = frozenset((1, 4, 6, 7, 9))
TIMER_ABSTIME = 1
TICKS = 100
"""Clock ticks per second (AT_CLKTCK)."""


def read_clock(task: Task, clock: int) -> int:
    """A clock in nanoseconds; EINVAL for one that is not there."""
    if clock in REALTIME_CLOCKS:
        return task.kernel.clock.realtime()
    if clock in MONOTONIC_CLOCKS:
        return task.kernel.clock.monotonic()
    if clock == CLOCK_PROCESS or clock < 0:
        return process_time(task)
    if clock == CLOCK_THREAD:
        return task.pe.instructions
    raise SyscallError(Errno.EINVAL)


def process_time(task: Task) -> int:
    """CPU time of the process: a nanosecond per instruction."""
    return max(task.process.instructions, task.pe.instructions)


@FAMILY.syscall(113, "clock_gettime", Int("clockid"), Pointer("tp"))
def clock_gettime(task: Task, clock: int, pointer: Capability) -> int:
    """Read a clock."""
    task.memory.write_timespec(pointer, read_clock(task, clock))
    return 0


@FAMILY.syscall(114, "clock_getres", Int("clockid"), Pointer("res"))
def clock_getres(task: Task, clock: int, pointer: Capability) -> int:
    """Every clock has a resolution of 1 ns."""
    read_clock(task, clock)
    if not task.memory.is_null(pointer):
        task.memory.write_timespec(pointer, 1)
    return 0


@FAMILY.syscall(112, "clock_settime", Int("clockid"), Pointer("tp"))
def clock_settime(task: Task, clock: int, pointer: Capability) -> int:
    """Clocks can't be set."""
    raise SyscallError(Errno.EPERM)


def _sleep(task: Task, duration: int, remainder: Capability | None) -> int:
    if remainder is not None and not task.memory.is_null(remainder):
        left = remainder

        def interrupted() -> None:
            try:
                task.memory.write_timespec(left, task.time_left())
            except SyscallError:
                return

        task.block(_never, duration, interrupted)
    else:
        task.block(_never, duration)
    return 0


def _never() -> bool:
    return False


@FAMILY.syscall(101, "nanosleep", Pointer("req"), Pointer("rem"), restart=False)
def nanosleep(task: Task, request: Capability, remainder: Capability) -> int:
    """Sleep; with virtual time this is instant when nothing else runs."""
    return _sleep(task, task.memory.read_timespec(request), remainder)


@FAMILY.syscall(
    115, "clock_nanosleep", Int("clockid"), Flags("flags", {"TIMER_ABSTIME": 1}), Pointer("req"),
    Pointer("rem"), restart=False,
)  # fmt: skip
def clock_nanosleep(task: Task, clock: int, flags: int, request: Capability, remainder: Capability) -> int:
    """Sleep for a time or until a time."""
    time = task.memory.read_timespec(request)
    now = read_clock(task, clock)
    if flags & TIMER_ABSTIME:
        return _sleep(task, max(time - now, 0), None) if not task.timed_out else 0
    return _sleep(task, time, remainder)


@FAMILY.syscall(169, "gettimeofday", Pointer("tv"), Pointer("tz"))
def gettimeofday(task: Task, tv: Capability, tz: Capability) -> int:
    """Time of day in microseconds, UTC."""
    now = task.kernel.clock.realtime()
    if not task.memory.is_null(tv):
        task.memory.write(tv, struct.pack("<qq", now // 1_000_000_000, now // 1000 % 1_000_000))
    if not task.memory.is_null(tz):
        task.memory.write(tz, bytes(8))
    return 0


@FAMILY.syscall(153, "times", Pointer("buf"))
def times(task: Task, buffer: Capability) -> int:
    """CPU times in clock ticks; the ticks since boot."""
    user = process_time(task) * TICKS // 1_000_000_000
    if not task.memory.is_null(buffer):
        task.memory.write(buffer, struct.pack("<4q", user, 0, 0, 0))
    return task.kernel.clock.monotonic() * TICKS // 1_000_000_000


@FAMILY.syscall(165, "getrusage", Int("who"), Pointer("usage"))
def getrusage(task: Task, who: int, usage: Capability) -> int:
    """CPU time; the other fields are zero."""
    if who not in (0, 1, -1):
        raise SyscallError(Errno.EINVAL)
    user = process_time(task) if who != -1 else 0
    record = struct.pack("<qq", user // 1_000_000_000, user // 1000 % 1_000_000)
    task.memory.write(usage, record.ljust(144, b"\0"))
    return 0


def _timeval(data: bytes) -> int:
    seconds, microseconds = struct.unpack("<qq", data)
    if seconds < 0 or not 0 <= microseconds < 1_000_000:
        raise SyscallError(Errno.EINVAL)
    return int(seconds * 1_000_000_000 + microseconds * 1000)


def _pack_timeval(value: int) -> bytes:
    return struct.pack("<qq", value // 1_000_000_000, value // 1000 % 1_000_000)


def _timer(task: Task) -> bytes:
    process = task.process
    left = 0 if process.alarm is None else max(process.alarm - task.kernel.clock.monotonic(), 1000)
    return _pack_timeval(process.alarm_interval) + _pack_timeval(left)


@FAMILY.syscall(102, "getitimer", Int("which"), Pointer("curr"))
def getitimer(task: Task, which: int, current: Capability) -> int:
    """ITIMER_REAL only."""
    if which != 0:
        raise SyscallError(Errno.EINVAL)
    task.memory.write(current, _timer(task))
    return 0


@FAMILY.syscall(103, "setitimer", Int("which"), Pointer("new"), Pointer("old"))
def setitimer(task: Task, which: int, new: Capability, old: Capability) -> int:
    """ITIMER_REAL only: SIGALRM after a time, then at an interval."""
    if which != 0:
        raise SyscallError(Errno.EINVAL)
    data = task.memory.read(new, 32)
    interval, value = _timeval(data[:16]), _timeval(data[16:])
    if not task.memory.is_null(old):
        task.memory.write(old, _timer(task))
    process = task.process
    process.alarm_interval = interval
    process.alarm = task.kernel.clock.monotonic() + value if value else None
    task.kernel.share_time()
    return 0

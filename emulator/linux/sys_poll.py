"""Waiting for descriptors: ppoll, pselect6, epoll."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.linux.errors import Errno, SyscallError
from emulator.linux.handles import Open, OpenFile, Poll
from emulator.linux.signal_frame import UNBLOCKABLE
from emulator.linux.table import Family, Fd, Int, Pointer, Size, UInt
from morello_isa.capability import Capability

if TYPE_CHECKING:
    from emulator.linux.process import Task

FAMILY = Family()
POLL_LIMIT = 1024
ALWAYS = Poll.ERR | Poll.HUP | Poll.NVAL
EPOLLONESHOT, EPOLLET = 1 << 30, 1 << 31
EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD = 1, 2, 3


def _set_mask(task: Task, pointer: Capability, size: int) -> None:
    """The temporary signal mask of ppoll and its relatives; restored when the call ends."""
    if task.memory.is_null(pointer) or task.saved_mask is not None:
        return
    if size != 8:
        raise SyscallError(Errno.EINVAL)
    mask = task.memory.read_u64(pointer)
    task.saved_mask, task.signal_mask = task.signal_mask, mask & ~UNBLOCKABLE


def _wait(task: Task, scan: Callable[[], bool], timeout: int | None) -> None:
    """Return when `scan()` finds something or the time is over."""
    if scan() or timeout == 0:
        return
    task.block(scan, timeout)


@FAMILY.syscall(
    73,
    "ppoll",
    Pointer("fds"),
    UInt("nfds"),
    Pointer("tmo"),
    Pointer("sigmask"),
    Size("sigsetsize"),
    restart=False,
)
def ppoll(task: Task, fds: Capability, count: int, timeout: Capability, mask: Capability, size: int) -> int:
    """Wait until one of some descriptors is ready."""
    if count > POLL_LIMIT:
        raise SyscallError(Errno.EINVAL)
    limit = None if task.memory.is_null(timeout) else task.memory.read_timespec(timeout)
    data = bytearray(task.memory.read(fds, 8 * count)) if count else bytearray()
    _set_mask(task, mask, size)

    def scan() -> bool:
        ready = False
        for index in range(count):
            fd, events = struct.unpack_from("<ih", data, 8 * index)
            found = 0 if fd < 0 else _readiness(task, fd) & (events | ALWAYS)
            struct.pack_into("<h", data, 8 * index + 6, int(found))
            ready = ready or bool(found)
        return ready

    _wait(task, scan, limit)
    if count:
        task.memory.write(fds, bytes(data))
    return sum(1 for index in range(count) if data[8 * index + 6] or data[8 * index + 7])


def _readiness(task: Task, fd: int) -> Poll:
    try:
        return task.descriptors.get(fd).poll()
    except SyscallError:
        return Poll.NVAL


@FAMILY.syscall(
    72, "pselect6", Int("nfds"), Pointer("readfds"), Pointer("writefds"), Pointer("exceptfds"),
    Pointer("timeout"), Pointer("sigmask"), restart=False,
)  # fmt: skip
def pselect6(
    task: Task, count: int, reads: Capability, writes: Capability, excepts: Capability, timeout: Capability,
    mask: Capability,
) -> int:  # fmt: skip
    """select with a signal mask."""
    memory = task.memory
    if not 0 <= count <= POLL_LIMIT:
        raise SyscallError(Errno.EINVAL)
    size = (count + 63) // 64 * 8
    sets = [(reads, Poll.IN | Poll.HUP | Poll.ERR), (writes, Poll.OUT | Poll.ERR), (excepts, Poll.PRI)]
    wanted = [
        (pointer, events, int.from_bytes(memory.read(pointer, size), "little"))
        for pointer, events in sets
        if not memory.is_null(pointer)
    ]
    limit = None if memory.is_null(timeout) else memory.read_timespec(timeout)
    if not memory.is_null(mask):
        pair = memory.load(mask, task.process.abi.pselect_sigset)
        _set_mask(task, pair.pointer("ptr"), pair.integer("len"))
    for fd in range(count):
        if any(bits >> fd & 1 for _, _, bits in wanted):
            task.descriptors.get(fd)
    results: list[int] = []

    def scan() -> bool:
        results.clear()
        for _, events, bits in wanted:
            ready = 0
            for fd in range(count):
                if bits >> fd & 1 and _readiness(task, fd) & events:
                    ready |= 1 << fd
            results.append(ready)
        return any(results)

    _wait(task, scan, limit)
    for (pointer, _, _), ready in zip(wanted, results, strict=True):
        memory.write(pointer, ready.to_bytes(size, "little"))
    return sum(ready.bit_count() for ready in results)


@dataclass(slots=True)
class Interest:
    """One descriptor in an epoll set. `data` comes back as it was given, with its tag."""

    file: OpenFile
    events: int
    data: Capability
    last: int = 0


class EpollSet(OpenFile):
    """epoll instance; edge-triggered interests report when readiness has grown."""

    path = "anon_inode:[eventpoll]"

    def __init__(self) -> None:
        super().__init__(Open.RDWR)
        self.interests: dict[int, Interest] = {}

    def ready(self) -> list[tuple[Interest, int]]:
        """Interests with something to report."""
        found = []
        for interest in self.interests.values():
            now = int(interest.file.poll()) & (interest.events | int(ALWAYS)) & 0xFFFF
            fresh = now & ~interest.last if interest.events & EPOLLET else now
            interest.last &= now
            if fresh and interest.events & 0xFFFF:
                found.append((interest, now))
        return found

    def poll(self) -> Poll:
        """Readable when something is ready."""
        return Poll.IN if self.ready() else Poll(0)


def _epoll(task: Task, fd: int) -> EpollSet:
    file = task.descriptors.get(fd)
    if not isinstance(file, EpollSet):
        raise SyscallError(Errno.EINVAL)
    return file


@FAMILY.syscall(20, "epoll_create1", Int("flags"))
def epoll_create1(task: Task, flags: int) -> int:
    """An empty set."""
    if flags & ~Open.CLOEXEC:
        raise SyscallError(Errno.EINVAL)
    return task.descriptors.add(EpollSet(), bool(flags & Open.CLOEXEC))


@FAMILY.syscall(21, "epoll_ctl", Fd("epfd"), Int("op"), Fd("fd"), Pointer("event"))
def epoll_ctl(task: Task, epfd: int, operation: int, fd: int, event: Capability) -> int:
    """Add, change or remove an interest."""
    interests = _epoll(task, epfd).interests
    file = task.descriptors.get(fd)
    if isinstance(file, EpollSet):
        raise SyscallError(Errno.EINVAL)
    if operation == EPOLL_CTL_DEL:
        if fd not in interests:
            raise SyscallError(Errno.ENOENT)
        del interests[fd]
        return 0
    record = task.memory.load(event, task.process.abi.epoll_event)
    if operation == EPOLL_CTL_ADD and fd in interests:
        raise SyscallError(Errno.EEXIST)
    if operation == EPOLL_CTL_MOD and fd not in interests:
        raise SyscallError(Errno.ENOENT)
    if operation not in (EPOLL_CTL_ADD, EPOLL_CTL_MOD):
        raise SyscallError(Errno.EINVAL)
    if file.is_terminal is False and getattr(file, "is_regular", False):
        raise SyscallError(Errno.EPERM)
    interests[fd] = Interest(file, record.integer("events"), record.pointer("data"))
    return 0


@FAMILY.syscall(
    22, "epoll_pwait", Fd("epfd"), Pointer("events"), Int("maxevents"), Int("timeout"), Pointer("sigmask"),
    Size("sigsetsize"), restart=False,
)  # fmt: skip
def epoll_pwait(
    task: Task, epfd: int, events: Capability, count: int, timeout: int, mask: Capability, size: int
) -> int:
    """Wait for events."""
    instance = _epoll(task, epfd)
    if not 0 < count <= 1 << 16:
        raise SyscallError(Errno.EINVAL)
    _set_mask(task, mask, size)
    _wait(task, lambda: bool(instance.ready()), None if timeout < 0 else timeout * 1_000_000)
    layout = task.process.abi.epoll_event
    found = instance.ready()[:count]
    for index, (interest, now) in enumerate(found):
        values: dict[str, int | Capability] = {"events": now, "data": interest.data}
        task.memory.store(events.add(index * layout.size), layout, values)
        interest.last = now
        if interest.events & EPOLLONESHOT:
            interest.events = 0
    return len(found)

"""Processes and threads: what belongs to each, and how a thread waits.

A `Process` owns an address space, descriptors, signal actions and its threads; a `Task` is one thread with
its PE and engine. Both are only data and small operations; `kernel.py` schedules them.

Blocking calls are restartable: a handler calls `task.block(ready, timeout)`, which leaves the handler; when
`ready()` holds the handler runs again from its beginning, and when the time is over `block` simply returns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emulator.linux.abi import Abi, Profile
from emulator.linux.errors import Errno, SyscallError
from emulator.linux.handles import OpenFile
from emulator.linux.table import Syscall
from emulator.linux.usermem import UserMemory
from emulator.memory.address_space import AddressSpace
from morello_isa.capability import CAP_NULL, Capability

if TYPE_CHECKING:
    from emulator.engine.api import Engine
    from emulator.linux.kernel import Kernel
    from emulator.linux.linking import ProcessLinker
    from emulator.linux.loader_service import LoaderService
    from emulator.linux.signals import Action, SignalInfo
    from emulator.state.pe import Pe
    from loader.elf import ElfImage

DESCRIPTOR_LIMIT = 1024


class BlockedError(Exception):
    """Leaves a system call handler whose thread has to wait."""


class ReplacedError(Exception):
    """Leaves a system call handler that returns nothing: execve, exit, rt_sigreturn."""


@dataclass(slots=True)
class Wait:
    """What a blocked thread waits for. `deadline` is virtual time in ns; `cancel` undoes queueing."""

    ready: Callable[[], bool]
    deadline: int | None
    cancel: Callable[[], None] | None = None


@dataclass(slots=True)
class PendingCall:
    """A system call in progress: its row, the converted arguments and the thread's c0 before it."""

    row: Syscall
    arguments: list[int | Capability]
    first: Capability


class DescriptorTable:
    """Descriptor numbers of a process (shared by CLONE_FILES)."""

    def __init__(self) -> None:
        self._files: dict[int, OpenFile] = {}
        self._close_on_exec: set[int] = set()

    def get(self, number: int) -> OpenFile:
        """The description behind a number; EBADF."""
        file = self._files.get(number)
        if file is None:
            raise SyscallError(Errno.EBADF)
        return file

    def add(self, file: OpenFile, close_on_exec: bool = False, lowest: int = 0) -> int:
        """Give a description the lowest free number from `lowest` on; EMFILE."""
        for number in range(lowest, DESCRIPTOR_LIMIT):
            if number not in self._files:
                self.put(number, file, close_on_exec)
                return number
        if file.users == 0:
            file.retain().release()
        raise SyscallError(Errno.EMFILE)

    def put(self, number: int, file: OpenFile, close_on_exec: bool = False) -> None:
        """Install at `number`, closing what was there; EBADF beyond the limit."""
        if not 0 <= number < DESCRIPTOR_LIMIT:
            raise SyscallError(Errno.EBADF)
        file.retain()
        if number in self._files:
            self.close(number)
        self._files[number] = file
        self.set_close_on_exec(number, close_on_exec)

    def close(self, number: int) -> None:
        """Close a number; EBADF."""
        file = self.get(number)
        del self._files[number]
        self._close_on_exec.discard(number)
        file.release()

    def close_all(self) -> None:
        """The process ends."""
        for number in list(self._files):
            self.close(number)

    def is_close_on_exec(self, number: int) -> bool:
        """FD_CLOEXEC."""
        return number in self._close_on_exec

    def set_close_on_exec(self, number: int, value: bool) -> None:
        """Change FD_CLOEXEC."""
        if value:
            self._close_on_exec.add(number)
        else:
            self._close_on_exec.discard(number)

    def executed(self) -> None:
        """execve: close what is marked."""
        for number in list(self._close_on_exec):
            self.close(number)

    def copy(self) -> DescriptorTable:
        """fork: the same descriptions under the same numbers."""
        table = DescriptorTable()
        for number, file in self._files.items():
            table.put(number, file, number in self._close_on_exec)
        return table

    def __iter__(self) -> Iterator[tuple[int, OpenFile]]:
        return iter(sorted(self._files.items()))


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """An ELF file in a process's memory; run-time address = file address + `bias`."""

    image: ElfImage
    bias: int
    path: str

    @property
    def start(self) -> int:
        """Lowest address."""
        return self.image.span()[0] + self.bias

    @property
    def limit(self) -> int:
        """Past the highest address."""
        return self.image.span()[1] + self.bias


@dataclass(slots=True)
class Heap:
    """The compat64 program break: [start, end) is the heap, and it may grow to `limit`."""

    start: int = 0
    end: int = 0
    limit: int = 0

    def copy(self) -> Heap:
        """For a forked process."""
        return Heap(self.start, self.end, self.limit)


@dataclass(eq=False)
class Process:
    """One process. `exit_code` is a wait status (None while it lives)."""

    pid: int
    parent: Process | None
    space: AddressSpace
    abi: Abi
    profile: Profile
    descriptors: DescriptorTable
    actions: dict[int, Action] = field(default_factory=dict)
    group: int = 0
    session: int = 0
    cwd: str = "/"
    umask: int = 0o022
    tasks: list[Task] = field(default_factory=list)
    children: list[Process] = field(default_factory=list)
    images: list[LoadedImage] = field(default_factory=list)
    executable: str = ""
    arguments: list[bytes] = field(default_factory=list)
    environment: list[bytes] = field(default_factory=list)
    auxv: bytes = b""
    name: str = ""
    heap: Heap = field(default_factory=Heap)
    reservations: dict[int, int] = field(default_factory=dict)
    """Purecap, full profile: base -> length in bytes."""
    trampoline: Capability = CAP_NULL
    """Where a signal handler returns to."""
    exit_code: int | None = None
    exit_signal: int = 17
    stopped: bool = False
    stop_reported: bool = True
    pending: list[SignalInfo] = field(default_factory=list)
    vfork_parent: Task | None = None
    instructions: int = 0
    alarm: int | None = None
    """Virtual time (ns) at which SIGALRM comes (setitimer, alarm)."""
    alarm_interval: int = 0
    limits: dict[int, tuple[int, int]] = field(default_factory=dict)
    linker: ProcessLinker | None = None
    """The host-side dynamic linker, once something has used it; a forked child has none."""
    loader: LoaderService | None = None
    """State of the loader service, likewise."""

    @property
    def alive(self) -> bool:
        """Not yet exited."""
        return self.exit_code is None


@dataclass(slots=True)
class AlternateStack:
    """sigaltstack; `size` 0 means none."""

    sp: Capability = CAP_NULL
    size: int = 0
    flags: int = 0

    def contains(self, address: int) -> bool:
        """The thread runs on it."""
        return self.size > 0 and self.sp.value < address <= self.sp.value + self.size


class Task:
    """One thread: registers, engine, signal mask, and what it waits for."""

    def __init__(self, kernel: Kernel, process: Process, tid: int, pe: Pe) -> None:
        self.kernel = kernel
        self.process = process
        self.tid = tid
        self.pe = pe
        self.engine: Engine = kernel.make_engine(self, pe)
        self.memory = UserMemory(process.space, process.abi)
        self.signal_mask = 0
        self.saved_mask: int | None = None
        self.pending: list[SignalInfo] = []
        self.alternate = AlternateStack()
        self.clear_child_tid = CAP_NULL
        self.robust_list = CAP_NULL
        self.alive = True
        self.name = process.name
        self.call: PendingCall | None = None
        self.wait: Wait | None = None
        self.timed_out = False
        self.deadline: int | None = None
        self.progress = 0
        """Bytes already done by a blocked write."""
        self.call_state: object = None
        """What a blocked handler has to remember."""

    @property
    def descriptors(self) -> DescriptorTable:
        """The process's descriptor table."""
        return self.process.descriptors

    @property
    def runnable(self) -> bool:
        """May execute instructions now."""
        return self.alive and self.wait is None and not self.process.stopped

    def block(
        self, ready: Callable[[], bool], timeout: int | None = None, cancel: Callable[[], None] | None = None
    ) -> None:
        """Wait until `ready()`; leaves the handler. Returns if `timeout` (ns) is over."""
        if self.timed_out:
            return
        if timeout is not None and self.deadline is None:
            self.deadline = self.kernel.clock.monotonic() + timeout
        self.wait = Wait(ready, self.deadline if timeout is not None else None, cancel)
        raise BlockedError

    def time_left(self) -> int:
        """Nanoseconds until the deadline of the call in progress; 0 without one."""
        if self.deadline is None:
            return 0
        return max(self.deadline - self.kernel.clock.monotonic(), 0)

    def broken_pipe(self) -> None:
        """SIGPIPE for this thread."""
        self.kernel.signals.send_to_task(self, 13)

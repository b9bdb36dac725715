"""/proc as a process sees it: made from the emulator's own tables, never from the host's /proc.

Adding a per-process file = one function and one row in `FILES`; a system-wide one goes in `SYSTEM`.
"""

# ruff: noqa: ARG001  (a handler takes all arguments of its call)

# ruff: noqa: ARG002  (implementations share one signature)

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.linux.files import Link, Node, VirtualDirectory
from emulator.linux.handles import OpenFile, TextFile
from emulator.linux.status import FileStatus, file_status
from emulator.memory.address_space import Prot

if TYPE_CHECKING:
    from emulator.linux.kernel import Kernel
    from emulator.linux.process import Process


@dataclass(frozen=True, slots=True)
class TextNode:
    """A file whose text is made when it is opened."""

    path: str
    make: Callable[[], bytes]

    def status(self) -> FileStatus:
        """Read-only, size 0."""
        return file_status(self.path, 0)

    def target(self) -> str | None:
        """Not a link."""
        return None

    def open(self, flags: int) -> OpenFile:
        """A snapshot."""
        return TextFile(self.path, self.make(), flags)


@dataclass(frozen=True, slots=True)
class DescriptorLink:
    """/proc/PID/fd/N: opening it gives the same description (stdin of a pipe has no path)."""

    path: str
    file: OpenFile

    def status(self) -> FileStatus:
        """Status of what the descriptor refers to."""
        return self.file.status()

    def target(self) -> str | None:
        """Followed by `open` itself, so that a walk cannot leave the grants through it."""
        return None

    def open(self, flags: int) -> OpenFile:
        """The same open file."""
        return self.file


def _maps(process: Process) -> bytes:
    lines = []
    for area in process.space.areas():
        letters = "".join(
            letter if area.prot & bit else "-"
            for bit, letter in ((Prot.READ, "r"), (Prot.WRITE, "w"), (Prot.EXEC, "x"))
        )
        kind = "s" if area.shared is not None else "p"
        head = f"{area.start:08x}-{area.limit:08x} {letters}{kind} {area.offset:08x} 00:00 0"
        lines.append(f"{head:<73}{area.name}\n" if area.name else head + "\n")
    return "".join(lines).encode(errors="surrogateescape")


def _status(process: Process) -> bytes:
    size = sum(area.size for area in process.space.areas()) // 1024
    parent = process.parent.pid if process.parent else 0
    return (
        f"Name:\t{process.name}\nUmask:\t{process.umask:04o}\nState:\t{_state(process)}\nTgid:\t{process.pid}\n"
        f"Ngid:\t0\nPid:\t{process.pid}\nPPid:\t{parent}\nTracerPid:\t0\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n"
        f"FDSize:\t64\nGroups:\t\nVmPeak:\t{size} kB\nVmSize:\t{size} kB\nVmRSS:\t{size} kB\n"
        f"Threads:\t{len(process.tasks)}\n"
    ).encode()


def _state(process: Process) -> str:
    if not process.alive:
        return "Z (zombie)"
    if process.stopped:
        return "T (stopped)"
    return "R (running)" if any(t.runnable for t in process.tasks) else "S (sleeping)"


def _stat(process: Process) -> bytes:
    parent = process.parent.pid if process.parent else 0
    size = sum(area.size for area in process.space.areas())
    ticks = process.instructions // 10_000_000
    fields = [parent, process.group, process.session, 0, -1, 0, 0, 0, 0, 0, ticks, 0, 0, 0, 20, 0]
    fields += [len(process.tasks), 0, 0, size, size // 4096, -1] + [0] * 27
    return f"{process.pid} ({process.name}) {_state(process)[0]} {' '.join(map(str, fields))}\n".encode()


FILES: dict[str, Callable[[Process], bytes]] = {
    "maps": _maps,
    "status": _status,
    "stat": _stat,
    "statm": lambda p: (f"{sum(a.size for a in p.space.areas()) // 4096} " * 3 + "0 0 0 0\n").encode(),
    "cmdline": lambda p: b"".join(a + b"\0" for a in p.arguments),
    "environ": lambda p: b"".join(e + b"\0" for e in p.environment),
    "auxv": lambda p: p.auxv,
    "comm": lambda p: p.name.encode() + b"\n",
    "mounts": lambda _: b"board / morello rw 0 0\n",
    "mountinfo": lambda _: b"1 1 0:1 / / rw - morello board rw\n",
    "limits": lambda _: b"Limit Soft Limit Hard Limit Units\nMax open files 1024 1024 files\n",
}


def _cpuinfo(kernel: Kernel) -> bytes:
    return (
        b"processor\t: 0\nBogoMIPS\t: 100.00\nFeatures\t: fp asimd morello\nCPU implementer\t: 0x3f\n"
        b"CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0x412\nCPU revision\t: 0\n\n"
    )


def _meminfo(kernel: Kernel) -> bytes:
    total, used = kernel.pool.limit // 1024, kernel.pool.in_use // 1024
    free = total - used
    return (
        f"MemTotal: {total:>14} kB\nMemFree: {free:>15} kB\nMemAvailable: {free:>10} kB\n"
        f"Buffers: {0:>15} kB\nCached: {0:>16} kB\nSwapTotal: {0:>13} kB\nSwapFree: {0:>14} kB\n"
    ).encode()


def _uptime(kernel: Kernel) -> bytes:
    seconds = kernel.clock.monotonic() / 1e9
    return f"{seconds:.2f} 0.00\n".encode()


def _system_stat(kernel: Kernel) -> bytes:
    ticks = kernel.instructions // 10_000_000
    boot = (kernel.clock.realtime() - kernel.clock.monotonic()) // 1_000_000_000
    return f"cpu  {ticks} 0 0 0 0 0 0 0 0 0\nbtime {boot}\nprocesses {len(kernel.processes)}\n".encode()


SYSTEM: dict[str, Callable[[Kernel], bytes]] = {
    "/proc/cpuinfo": _cpuinfo,
    "/proc/meminfo": _meminfo,
    "/proc/uptime": _uptime,
    "/proc/stat": _system_stat,
    "/proc/loadavg": lambda _: b"0.00 0.00 0.00 1/1 1\n",
    "/proc/version": lambda _: b"Linux version 6.7.0-morello (emulated)\n",
    "/proc/filesystems": lambda _: b"nodev\tmorello\n",
    "/proc/sys/kernel/ostype": lambda _: b"Linux\n",
    "/proc/sys/kernel/osrelease": lambda _: b"6.7.0-morello\n",
    "/proc/sys/kernel/hostname": lambda _: b"morello\n",
    "/proc/sys/kernel/pid_max": lambda _: b"32768\n",
    "/proc/sys/kernel/ngroups_max": lambda _: b"65536\n",
    "/proc/sys/vm/overcommit_memory": lambda _: b"0\n",
}
DIRECTORIES = ("/proc/sys", "/proc/sys/kernel", "/proc/sys/vm")
LINKS = {"/proc/mounts": "self/mounts", "/proc/thread-self": "self"}
ENTRIES = ("cwd", "exe", "root", "fd")


class ProcTree:
    """Provider of /proc for one process."""

    def __init__(self, kernel: Kernel, process: Process) -> None:
        self._kernel = kernel
        self._process = process

    def lookup(self, path: str) -> Node | None:
        """The node at a canonical path in /proc."""
        if not path.startswith("/proc"):
            return None
        if path == "/proc" or path in DIRECTORIES:
            return VirtualDirectory(path, tuple(self.names(path)))
        if path in SYSTEM:
            make = SYSTEM[path]
            return TextNode(path, lambda: make(self._kernel))
        if path == "/proc/self":
            return Link(path, str(self._process.pid))
        if path in LINKS:
            return Link(path, LINKS[path])
        parts = path.split("/")
        if len(parts) < 3 or not (parts[2].isascii() and parts[2].isdecimal()) or len(parts[2]) > 9:
            return None
        process = self._kernel.processes.get(int(parts[2]))
        return self._of_process(path, process, parts[3:]) if process is not None else None

    def _of_process(self, path: str, process: Process, rest: Sequence[str]) -> Node | None:
        if not rest:
            return VirtualDirectory(path, tuple(self.names(path)))
        name = rest[0]
        if name == "fd":
            return self._descriptor(path, process, rest[1:])
        if len(rest) > 1:
            return None
        if name == "exe":
            return Link(path, process.executable)
        if name == "cwd":
            return Link(path, process.cwd)
        if name == "root":
            return Link(path, "/")
        if name in FILES:
            make = FILES[name]
            return TextNode(path, lambda: make(process))
        return None

    def _descriptor(self, path: str, process: Process, rest: Sequence[str]) -> Node | None:
        if not rest:
            return VirtualDirectory(path, tuple(self.names(path)))
        if len(rest) > 1 or not rest[0].isdecimal():
            return None
        for number, file in process.descriptors:
            if number == int(rest[0]):
                return DescriptorLink(path, file)
        return None

    def names(self, path: str) -> Sequence[str]:
        """Entries of a directory in /proc."""
        if path == "/proc":
            pids = [str(pid) for pid in sorted(self._kernel.processes)]
            top = [name.split("/")[2] for name in (*SYSTEM, *LINKS)]
            return sorted({*top, "self"}) + pids
        if path in DIRECTORIES:
            below = [n for n in (*SYSTEM, *DIRECTORIES) if n.startswith(path + "/")]
            return sorted({name[len(path) + 1 :].split("/")[0] for name in below})
        if path == "/":
            return ["proc"]
        parts = path.split("/")
        if parts[1] != "proc":
            return []
        if len(parts) == 3:
            return sorted((*FILES, *ENTRIES))
        if len(parts) == 4 and parts[3] == "fd":
            process = self._kernel.processes.get(int(parts[2]))
            return [str(number) for number, _ in process.descriptors] if process else []
        return []

"""Pipes, socket pairs and event counters: open files that live in the kernel only."""

from __future__ import annotations

import stat
from functools import partial
from typing import TYPE_CHECKING

from emulator.linux.errors import Errno, SyscallError
from emulator.linux.handles import Open, OpenFile, Poll
from emulator.linux.status import FileStatus, file_status

if TYPE_CHECKING:
    from emulator.linux.process import Task

PIPE_CAPACITY = 65536
PIPE_ATOMIC = 4096


class PipeBuffer:
    """The bytes between the two ends of a pipe."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.readers = 0
        self.writers = 0

    def accepts(self, size: int) -> bool:
        """A blocked writer of `size` bytes can go on (or nobody will ever read)."""
        return not self.readers or PIPE_CAPACITY - len(self.data) >= size


class PipeEnd(OpenFile):
    """One end of a pipe. A reader sees end of file when the last writer is gone; a writer gets SIGPIPE."""

    def __init__(self, buffer: PipeBuffer, flags: int) -> None:
        super().__init__(flags)
        self._buffer = buffer
        self._writes = bool(flags & Open.WRONLY)
        self.path = "pipe:[1]"
        if self._writes:
            buffer.writers += 1
        else:
            buffer.readers += 1

    @property
    def available(self) -> int:
        """Bytes that can be read now."""
        return len(self._buffer.data)

    def closed(self) -> None:
        """One end less."""
        if self._writes:
            self._buffer.writers -= 1
        else:
            self._buffer.readers -= 1

    def read(self, task: Task, size: int) -> bytes:
        """What is there, blocking while it is nothing and somebody may write."""
        buffer = self._buffer
        if not buffer.data and buffer.writers and size:
            if self.nonblocking:
                raise SyscallError(Errno.EAGAIN)
            task.block(lambda: bool(buffer.data) or not buffer.writers)
        part = bytes(buffer.data[:size])
        del buffer.data[:size]
        return part

    def write(self, task: Task, data: bytes) -> int:
        """All of it; up to 4096 bytes go in one piece."""
        buffer = self._buffer
        done = task.progress
        while done < len(data):
            if not buffer.readers:
                task.broken_pipe()
                raise SyscallError(Errno.EPIPE)
            room = PIPE_CAPACITY - len(buffer.data)
            needed = len(data) if len(data) <= PIPE_ATOMIC else 1
            if room < needed:
                if self.nonblocking:
                    if done:
                        return done
                    raise SyscallError(Errno.EAGAIN)
                task.progress = done
                task.block(partial(buffer.accepts, needed))
            part = data[done : done + room]
            buffer.data += part
            done += len(part)
        return done

    def status(self) -> FileStatus:
        """A FIFO."""
        return file_status(self.path, 0, stat.S_IFIFO | 0o600)

    def poll(self) -> Poll:
        """Readiness of this end."""
        buffer = self._buffer
        if self._writes:
            ready = Poll.OUT | Poll.WRNORM if PIPE_CAPACITY - len(buffer.data) >= PIPE_ATOMIC else Poll(0)
            return ready if buffer.readers else ready | Poll.ERR
        ready = Poll.IN | Poll.RDNORM if buffer.data else Poll(0)
        return ready if buffer.writers else ready | Poll.HUP


class SocketPairEnd(OpenFile):
    """One end of socketpair(AF_UNIX, SOCK_STREAM): two pipes."""

    path = "socket:[1]"
    _output_ended = False

    def __init__(self, incoming: PipeBuffer, outgoing: PipeBuffer, flags: int) -> None:
        super().__init__(flags | Open.RDWR)
        self._in = PipeEnd(incoming, flags)
        self._out = PipeEnd(outgoing, flags | Open.WRONLY)

    def closed(self) -> None:
        """Both directions end."""
        self._in.closed()
        self.end_output()

    def end_output(self) -> None:
        """shutdown(SHUT_WR): the other end reads an end of file."""
        if not self._output_ended:
            self._output_ended = True
            self._out.closed()

    def read(self, task: Task, size: int) -> bytes:
        """Receive."""
        self._in.flags = self.flags & Open.NONBLOCK
        return self._in.read(task, size)

    def write(self, task: Task, data: bytes) -> int:
        """Send; EPIPE and SIGPIPE after shutdown."""
        if self._output_ended:
            task.broken_pipe()
            raise SyscallError(Errno.EPIPE)
        self._out.flags = self.flags & Open.NONBLOCK | Open.WRONLY
        return self._out.write(task, data)

    def status(self) -> FileStatus:
        """A socket."""
        return file_status(self.path, 0, stat.S_IFSOCK | 0o777)

    def poll(self) -> Poll:
        """Both directions."""
        return self._in.poll() | self._out.poll()


class EventCounter(OpenFile):
    """eventfd."""

    path = "anon_inode:[eventfd]"

    def __init__(self, value: int, semaphore: bool, flags: int) -> None:
        super().__init__(flags | Open.RDWR)
        self._value = value
        self._semaphore = semaphore

    def read(self, task: Task, size: int) -> bytes:
        """The counter (or 1 of it); blocks while it is 0."""
        if size < 8:
            raise SyscallError(Errno.EINVAL)
        if not self._value:
            if self.nonblocking:
                raise SyscallError(Errno.EAGAIN)
            task.block(lambda: self._value > 0)
        taken = 1 if self._semaphore else self._value
        self._value -= taken
        return taken.to_bytes(8, "little")

    def write(self, task: Task, data: bytes) -> int:
        """Add to the counter; blocks while it would overflow."""
        amount = int.from_bytes(data[:8], "little")
        if len(data) < 8 or amount == 0xFFFF_FFFF_FFFF_FFFF:
            raise SyscallError(Errno.EINVAL)
        if self._value + amount > 0xFFFF_FFFF_FFFF_FFFE:
            if self.nonblocking:
                raise SyscallError(Errno.EAGAIN)
            task.block(lambda: self._value + amount <= 0xFFFF_FFFF_FFFF_FFFE)
        self._value += amount
        return 8

    def poll(self) -> Poll:
        """Readable when not 0."""
        return (Poll.IN if self._value else Poll(0)) | Poll.OUT

"""Socket calls. There is no network: only AF_UNIX stream pairs exist, other descriptors are no sockets."""

# ruff: noqa: ARG001  (a handler takes all arguments of its call)

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from emulator.linux.errors import Errno, SyscallError
from emulator.linux.handles import Open
from emulator.linux.pipes import PipeBuffer, SocketPairEnd
from emulator.linux.sys_io import add_pair
from emulator.linux.table import Family, Fd, InBuffer, Int, OutBuffer, Pointer, Size
from emulator.linux.usermem import RW_MAX
from morello_isa.capability import Capability

if TYPE_CHECKING:
    from emulator.linux.process import Task

FAMILY = Family()
AF_UNIX = 1
SOL_SOCKET, SO_TYPE, SO_ERROR = 1, 3, 4


@FAMILY.syscall(199, "socketpair", Int("family"), Int("type"), Int("protocol"), Pointer("sv"))
def socketpair(task: Task, family: int, kind: int, protocol: int, sv: Capability) -> int:
    """AF_UNIX stream pairs; there is no network."""
    if family != AF_UNIX:
        raise SyscallError(Errno.EAFNOSUPPORT)
    if kind & 0xF != 1 or protocol not in (0, 1):
        raise SyscallError(Errno.EPROTONOSUPPORT)
    task.memory.check(sv, 8, True)
    there, back = PipeBuffer(), PipeBuffer()
    flags = kind & Open.NONBLOCK
    pair = SocketPairEnd(there, back, flags), SocketPairEnd(back, there, flags)
    numbers = add_pair(task, *pair, bool(kind & Open.CLOEXEC))
    task.memory.write(sv, struct.pack("<ii", *numbers))
    return 0


@FAMILY.syscall(198, "socket", Int("family"), Int("type"), Int("protocol"))
def socket(task: Task, family: int, kind: int, protocol: int) -> int:
    """There is no network: no address family is supported."""
    raise SyscallError(Errno.EAFNOSUPPORT)


def _pair_end(task: Task, fd: int) -> SocketPairEnd:
    file = task.descriptors.get(fd)
    if not isinstance(file, SocketPairEnd):
        raise SyscallError(Errno.ENOTSOCK)
    return file


def _connected(task: Task, fd: int, *_: object) -> int:
    """bind, listen, connect and accept make no sense on a connected pair."""
    _pair_end(task, fd)
    raise SyscallError(Errno.EINVAL)


for _number, _name in ((200, "bind"), (201, "listen"), (202, "accept"), (203, "connect"), (242, "accept4")):
    FAMILY.syscall(_number, _name, Fd("sockfd"), Pointer("addr"), Pointer("addrlen"))(_connected)


def _name_of(task: Task, fd: int, address: Capability, length: Capability) -> int:
    """getsockname, getpeername: an unnamed AF_UNIX address."""
    _pair_end(task, fd)
    room = task.memory.read_u32(length)
    task.memory.write(address, AF_UNIX.to_bytes(2, "little")[:room])
    task.memory.write_u32(length, 2)
    return 0


for _number, _name in ((204, "getsockname"), (205, "getpeername")):
    FAMILY.syscall(_number, _name, Fd("sockfd"), Pointer("addr"), Pointer("addrlen"))(_name_of)


@FAMILY.syscall(
    206, "sendto", Fd("sockfd"), InBuffer("buf"), Size("len"), Int("flags"), Pointer("dest"), Int("addrlen")
)
def sendto(
    task: Task, fd: int, buffer: Capability, size: int, flags: int, address: Capability, length: int
) -> int:
    """Send on a pair."""
    return _pair_end(task, fd).write(task, task.memory.read_some(buffer, min(size, RW_MAX)))


@FAMILY.syscall(
    207,
    "recvfrom",
    Fd("sockfd"),
    OutBuffer("buf"),
    Size("len"),
    Int("flags"),
    Pointer("src"),
    Pointer("addrlen"),
)
def recvfrom(
    task: Task, fd: int, buffer: Capability, size: int, flags: int, address: Capability, length: Capability
) -> int:
    """Receive on a pair."""
    task.memory.check_bounds(buffer, min(size, RW_MAX), True)
    data = _pair_end(task, fd).read(task, min(size, RW_MAX))
    task.memory.write(buffer, data)
    return len(data)


@FAMILY.syscall(208, "setsockopt", Fd("sockfd"), Int("level"), Int("name"), Pointer("val"), Int("len"))
def setsockopt(task: Task, fd: int, level: int, name: int, value: Capability, length: int) -> int:
    """Options of a pair have no effect."""
    _pair_end(task, fd)
    return 0


@FAMILY.syscall(209, "getsockopt", Fd("sockfd"), Int("level"), Int("name"), Pointer("val"), Pointer("len"))
def getsockopt(task: Task, fd: int, level: int, name: int, value: Capability, length: Capability) -> int:
    """SO_TYPE is SOCK_STREAM, SO_ERROR is 0."""
    _pair_end(task, fd)
    if level != SOL_SOCKET or name not in (SO_TYPE, SO_ERROR):
        raise SyscallError(Errno.ENOPROTOOPT)
    task.memory.write_u32(value, 1 if name == SO_TYPE else 0)
    task.memory.write_u32(length, 4)
    return 0


@FAMILY.syscall(210, "shutdown", Fd("sockfd"), Int("how"))
def shutdown(task: Task, fd: int, how: int) -> int:
    """End the sending direction of a pair (receiving ends with the last byte)."""
    end = _pair_end(task, fd)
    if how not in (0, 1, 2):
        raise SyscallError(Errno.EINVAL)
    if how:
        end.end_output()
    return 0


@FAMILY.syscall(211, "sendmsg", Fd("sockfd"), Pointer("msg"), Int("flags"))
def sendmsg(task: Task, fd: int, message: Capability, flags: int) -> int:
    """Send an iovec on a pair; descriptors are not passed."""
    end = _pair_end(task, fd)
    record = task.memory.load(message, task.process.abi.msghdr)
    if record.integer("controllen"):
        raise SyscallError(Errno.EOPNOTSUPP)
    vectors = task.memory.iovec(record.pointer("iov"), record.integer("iovlen"))
    return end.write(task, task.memory.gather(vectors))


@FAMILY.syscall(212, "recvmsg", Fd("sockfd"), Pointer("msg"), Int("flags"))
def recvmsg(task: Task, fd: int, message: Capability, flags: int) -> int:
    """Receive into an iovec from a pair."""
    end = _pair_end(task, fd)
    layout = task.process.abi.msghdr
    record = task.memory.load(message, layout)
    vectors = task.memory.iovec(record.pointer("iov"), record.integer("iovlen"))
    data = end.read(task, sum(length for _, length in vectors))
    task.memory.scatter(vectors, data)
    task.memory.write_u32(message.add(layout.offset("flags")), 0)
    task.memory.write_u64(message.add(layout.offset("controllen")), 0)
    return len(data)

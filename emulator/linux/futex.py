"""futex, robust lists and the wake-up of joined threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.linux.errors import Errno, SyscallError
from emulator.linux.table import Family, Int, Pointer, Size, UInt
from emulator.memory.address_space import ADDRESS_MASK
from morello_isa.capability import Capability

if TYPE_CHECKING:
    from emulator.linux.process import Task

FAMILY = Family()

WAIT, WAKE, REQUEUE, CMP_REQUEUE, WAKE_OP = 0, 1, 3, 4, 5
LOCK_PI, UNLOCK_PI, TRYLOCK_PI, WAIT_BITSET, WAKE_BITSET = 6, 7, 8, 9, 10
PRIVATE, CLOCK_REALTIME = 128, 256
ALL_BITS = 0xFFFF_FFFF
WAITERS, OWNER_DIED, TID_MASK = 0x8000_0000, 0x4000_0000, 0x3FFF_FFFF
ROBUST_LIST_LIMIT = 2048


@dataclass(eq=False, slots=True)
class Waiter:
    """A thread in a futex queue."""

    key: object
    bits: int
    woken: bool = False


def _key(task: Task, pointer: Capability) -> object:
    """Private memory: the address in this address space; shared memory: the place in the object."""
    address = pointer.value & ADDRESS_MASK
    if address % 4:
        raise SyscallError(Errno.EINVAL)
    task.memory.check(pointer, 4, False)
    area = task.process.space.area(address)
    if area is not None and area.shared is not None:
        return (id(area.shared), area.offset + address - area.start)
    return (id(task.process.space), address)


def _queue(task: Task, key: object) -> list[object]:
    return task.kernel.futexes.setdefault(key, [])


def _leave(task: Task, waiter: Waiter) -> None:
    queue = task.kernel.futexes.get(waiter.key, [])
    if waiter in queue:
        queue.remove(waiter)
    if not queue:
        task.kernel.futexes.pop(waiter.key, None)


def _wake(task: Task, key: object, count: int, bits: int = ALL_BITS) -> int:
    """Wake up to `count` waiters in order of arrival; how many."""
    woken = 0
    for waiter in list(task.kernel.futexes.get(key, ())):
        if woken >= count:
            break
        if isinstance(waiter, Waiter) and waiter.bits & bits:
            waiter.woken = True
            _leave(task, waiter)
            woken += 1
    return woken


def wake_address(task: Task, pointer: Capability, count: int) -> int:
    """FUTEX_WAKE at an address, for the kernel's own wake-ups."""
    return _wake(task, _key(task, pointer), count)


def _wait(task: Task, pointer: Capability, value: int, timeout: int | None, bits: int) -> int:
    waiter = task.call_state
    if not isinstance(waiter, Waiter):
        if not bits:
            raise SyscallError(Errno.EINVAL)
        key = _key(task, pointer)
        if task.memory.read_u32(pointer) != value:
            raise SyscallError(Errno.EAGAIN)
        waiter = task.call_state = Waiter(key, bits)
        _queue(task, key).append(waiter)
    if waiter.woken:
        return 0
    queued = waiter
    task.block(lambda: queued.woken, timeout, lambda: _leave(task, queued))
    _leave(task, waiter)
    raise SyscallError(Errno.ETIMEDOUT)


def _timeout(task: Task, pointer: Capability, operation: int, flags: int) -> int | None:
    if task.memory.is_null(pointer):
        return None
    time = task.memory.read_timespec(pointer)
    if operation == WAIT:
        return time
    clock = task.kernel.clock
    return max(time - (clock.realtime() if flags & CLOCK_REALTIME else clock.monotonic()), 0)


def _requeue(task: Task, source: Capability, target: Capability, wake: int, move: int) -> int:
    first, second = _key(task, source), _key(task, target)
    woken = _wake(task, first, wake)
    moved = 0
    for waiter in list(task.kernel.futexes.get(first, ())):
        if moved >= move or not isinstance(waiter, Waiter):
            break
        _leave(task, waiter)
        waiter.key = second
        _queue(task, second).append(waiter)
        moved += 1
    return woken + moved


def _wake_op(task: Task, first: Capability, second: Capability, wake: int, wake2: int, encoded: int) -> int:
    operation, comparison = encoded >> 28 & 7, encoded >> 24 & 15
    operand, compared = _sign12(encoded >> 12), _sign12(encoded)
    if encoded >> 31:
        operand = 1 << (operand & 31)
    old = task.memory.read_u32(second)
    new = {0: operand, 1: old + operand, 2: old | operand, 3: old & ~operand, 4: old ^ operand}.get(operation)
    if new is None:
        raise SyscallError(Errno.ENOSYS)
    task.memory.write_u32(second, new)
    value = old - (1 << 32) if old >> 31 else old
    holds = (
        value == compared,
        value != compared,
        value < compared,
        value <= compared,
        value > compared,
        value >= compared,
    )
    woken = _wake(task, _key(task, first), wake)
    if comparison < len(holds) and holds[comparison]:
        woken += _wake(task, _key(task, second), wake2)
    return woken


def _sign12(value: int) -> int:
    value &= 0xFFF
    return value - 0x1000 if value >> 11 else value


@FAMILY.syscall(
    98, "futex", Pointer("uaddr"), Int("op"), UInt("val"), Pointer("timeout"), Pointer("uaddr2"),
    UInt("val3"), restart=False,
)  # fmt: skip
def futex(
    task: Task, uaddr: Capability, op: int, val: int, timeout: Capability, uaddr2: Capability, val3: int
) -> int:
    """Wait, wake, requeue and wake-op; priority inheritance is not offered."""
    operation, flags = op & 0x7F, op & ~0x7F
    count2 = timeout.value & 0x7FFF_FFFF
    if operation in (WAIT, WAIT_BITSET):
        bits = ALL_BITS if operation == WAIT else val3
        limit = None if task.call_state else _timeout(task, timeout, operation, flags)
        if task.call_state and not task.memory.is_null(timeout):
            limit = task.time_left()
        return _wait(task, uaddr, val, limit, bits)
    if operation in (WAKE, WAKE_BITSET):
        return _wake(task, _key(task, uaddr), max(val, 1), val3 if operation == WAKE_BITSET else ALL_BITS)
    if operation == CMP_REQUEUE and task.memory.read_u32(uaddr) != val3:
        raise SyscallError(Errno.EAGAIN)
    if operation in (REQUEUE, CMP_REQUEUE):
        return _requeue(task, uaddr, uaddr2, val, count2)
    if operation == WAKE_OP:
        return _wake_op(task, uaddr, uaddr2, val, count2, val3)
    raise SyscallError(Errno.ENOSYS)


@FAMILY.syscall(99, "set_robust_list", Pointer("head"), Size("len"))
def set_robust_list(task: Task, head: Capability, length: int) -> int:
    """Remember the list of locks that a dying thread leaves."""
    if length != task.process.abi.robust_list_head.size:
        raise SyscallError(Errno.EINVAL)
    task.robust_list = head
    return 0


@FAMILY.syscall(100, "get_robust_list", Int("pid"), Pointer("head_ptr"), Pointer("len_ptr"))
def get_robust_list(task: Task, pid: int, head_ptr: Capability, len_ptr: Capability) -> int:
    """The list of a thread of this process."""
    other = task if pid == 0 else task.kernel.tasks.get(pid)
    if other is None or other.process is not task.process:
        raise SyscallError(Errno.ESRCH)
    task.memory.write_pointer(head_ptr, other.robust_list)
    task.memory.write_u64(len_ptr, task.process.abi.robust_list_head.size)
    return 0


def release_robust_list(task: Task) -> None:
    """The thread ends: mark the locks on its list as ownerless and wake a waiter of each."""
    if task.memory.is_null(task.robust_list):
        return
    try:
        head = task.memory.load(task.robust_list, task.process.abi.robust_list_head)
        entry = head.pointer("list")
        offset = head.integer("futex_offset")
        for _ in range(ROBUST_LIST_LIMIT):
            if entry.value == task.robust_list.value or task.memory.is_null(entry):
                break
            following = task.memory.read_pointer(entry)
            _release_lock(task, entry.add(offset))
            entry = following
        pending = head.pointer("pending")
        if not task.memory.is_null(pending):
            _release_lock(task, pending.add(offset))
    except SyscallError:
        return


def _release_lock(task: Task, pointer: Capability) -> None:
    value = task.memory.read_u32(pointer)
    if value & TID_MASK == task.tid:
        task.memory.write_u32(pointer, value & WAITERS | OWNER_DIED)
        if value & WAITERS:
            wake_address(task, pointer, 1)

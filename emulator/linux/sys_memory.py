"""The address space: mmap and its relatives, with reservations and owning capabilities.

Full profile (facts/abi/pcuabi_linux.md section 6.1): every mapping made at an address that is no capability
is a reservation; mmap returns the capability that owns it (exact bounds, Global and User0, permissions from
the maximum protection) and every later call on the range needs a capability that owns it.
Transitional profile: mmap returns the user root with bounds and nothing is checked.
"""

# ruff: noqa: ARG001  (a handler takes all arguments of its call)

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.linux.abi import PAGE, USER_TOP, Profile
from emulator.linux.devices import Zero
from emulator.linux.errors import Errno, SyscallError
from emulator.linux.handles import HostFile, HostMapping, Open
from emulator.linux.table import Family, Fd, Flags, Hex, Int, Long, OutBuffer, Pointer, Size
from emulator.linux.usermem import USER_ROOT
from emulator.memory.address_space import Area, Backing, Prot, SharedPages
from morello_isa.capability import CAP_NULL, Capability, representable_length, representable_mask
from morello_isa.permissions import Perm

if TYPE_CHECKING:
    from emulator.linux.process import Process, Task

FAMILY = Family()

MMAP_LOW = 0x4000_0000
"""Mappings without a wish are placed from here upwards."""
MMAP_HIGH = 0xFFFF_0000_0000
MMAP_MINIMUM = 0x1_0000
"""Lowest address that MAP_FIXED may use."""

PROT_CAP_INVOKE, PROT_CAP, PROT_NO_CAP = 0x2000, 0x4000, 0x8000
PROT_MAX_SHIFT = 16
RWX = 7
PROT_NAMES = {
    "PROT_READ": 1, "PROT_WRITE": 2, "PROT_EXEC": 4, "PROT_CAP_INVOKE": 0x2000,
    "PROT_MAX(READ)": 1 << 16, "PROT_MAX(WRITE)": 2 << 16, "PROT_MAX(EXEC)": 4 << 16,
}  # fmt: skip
MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE = 1, 2, 3
MAP_FIXED, MAP_ANONYMOUS, MAP_GROWSDOWN, MAP_FIXED_NOREPLACE = 0x10, 0x20, 0x100, 0x10_0000
MAP_NAMES = {
    "MAP_SHARED": 1, "MAP_PRIVATE": 2, "MAP_FIXED": 0x10, "MAP_ANONYMOUS": 0x20, "MAP_GROWSDOWN": 0x100,
    "MAP_DENYWRITE": 0x800, "MAP_LOCKED": 0x2000, "MAP_NORESERVE": 0x4000, "MAP_POPULATE": 0x8000,
    "MAP_STACK": 0x2_0000, "MAP_FIXED_NOREPLACE": 0x10_0000,
}  # fmt: skip
MREMAP_MAYMOVE, MREMAP_FIXED = 1, 2
MADV_DONTNEED, MADV_FREE = 4, 8
OWNER = Perm.GLOBAL | Perm.USER0


def page_up(value: int) -> int:
    """Rounded up to a page."""
    return (value + PAGE - 1) & -PAGE


def owns(process: Process) -> bool:
    """The process's mappings are reservations."""
    return process.abi.is_purecap and process.profile.owns_mappings


# -- capabilities of mappings ------------------------------------------------------------------------


def mapping_permissions(task: Task, prot: int, tags: bool) -> int:
    """Capability permissions for PROT_ bits; Executive and System only if the caller's PCC has them."""
    permissions = int(OWNER)
    if prot & Prot.READ:
        permissions |= Perm.LOAD | (Perm.LOAD_CAP | Perm.MUTABLE_LOAD if tags else 0)
    if prot & Prot.WRITE:
        permissions |= Perm.STORE | (Perm.STORE_CAP | Perm.STORE_LOCAL_CAP if tags else 0)
    if prot & Prot.EXEC:
        permissions |= Perm.EXECUTE | task.pe.pcc.permissions & (Perm.SYSTEM | Perm.EXECUTIVE)
    if prot & PROT_CAP_INVOKE:
        permissions |= Perm.BRANCH_SEALED_PAIR
    return permissions


def mapping_capability(task: Task, base: int, length: int, prot: int, tags: bool) -> Capability:
    """What mmap returns for a new mapping of `length` (representable) bytes."""
    process = task.process
    if not process.abi.is_purecap:
        return USER_ROOT.set_value(base)
    bounded = USER_ROOT.set_value(base).set_bounds(length, exact=True)
    if not owns(process):
        return bounded
    return bounded.clear_permissions(~mapping_permissions(task, prot, tags))


# -- reservations ------------------------------------------------------------------------------------


def reservation_at(process: Process, start: int, limit: int) -> int | None:
    """Base of the reservation that contains [start, limit)."""
    for base, length in process.reservations.items():
        if base <= start and limit <= base + length:
            return base
    return None


def meets_reservation(process: Process, start: int, limit: int) -> bool:
    """Some reservation overlaps [start, limit)."""
    return any(base < limit and start < base + length for base, length in process.reservations.items())


def owned_range(task: Task, pointer: Capability, length: int) -> tuple[int, int]:
    """The page range [start, limit) of a call on existing memory, after the owning checks.

    EINVAL for an unaligned or wrapping range or a capability that doesn't own it; ERESERVATION for a range
    outside every reservation.
    """
    start, size = pointer.value, page_up(length)
    if start % PAGE or start + size > USER_TOP:
        raise SyscallError(Errno.EINVAL)
    if owns(task.process):
        if not (
            pointer.tag and not pointer.is_sealed and pointer.has(OWNER) and pointer.in_bounds(start, size)
        ):
            raise SyscallError(Errno.EINVAL)
        if reservation_at(task.process, start, start + size) is None:
            raise SyscallError(Errno.ERESERVATION)
    return start, start + size


def find_place(process: Process, length: int, alignment: int, hint: int) -> int:
    """A free range, at the hint if that is free; ENOMEM."""
    space = process.space
    if hint:
        start = (hint + alignment - 1) & -alignment
        if start >= MMAP_MINIMUM and start + length <= MMAP_HIGH and _is_free(process, start, start + length):
            return start
    low = MMAP_LOW
    while True:
        start_or_none = space.find_free(length, alignment, low, MMAP_HIGH)
        if start_or_none is None:
            raise SyscallError(Errno.ENOMEM)
        limit = start_or_none + length
        blocking = [
            base + size
            for base, size in process.reservations.items()
            if base < limit and start_or_none < base + size
        ]
        if not blocking:
            return start_or_none
        low = max(blocking)


def _is_free(process: Process, start: int, limit: int) -> bool:
    return next(process.space.overlapping(start, limit), None) is None and not meets_reservation(
        process, start, limit
    )


def require_memory(task: Task, length: int) -> None:
    """ENOMEM when `length` more bytes would pass the memory limit."""
    if task.process.space.mapped_bytes() + length > task.kernel.options.memory_limit:
        raise SyscallError(Errno.ENOMEM)


# -- the calls ---------------------------------------------------------------------------------------


@FAMILY.syscall(
    222, "mmap", Pointer("addr"), Size("length"), Flags("prot", PROT_NAMES, "PROT_NONE"),
    Flags("flags", MAP_NAMES), Fd("fd"), Long("offset"),
)  # fmt: skip
def mmap(
    task: Task, addr: Capability, length: int, prot: int, flags: int, fd: int, offset: int
) -> Capability:
    """Map memory or a file."""
    process = task.process
    if not 0 < length <= USER_TOP or offset % PAGE or offset < 0:
        raise SyscallError(Errno.EINVAL)
    kind = flags & 0xF
    if kind not in (MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE):
        raise SyscallError(Errno.EINVAL)
    if flags & MAP_GROWSDOWN and process.abi.is_purecap:
        raise SyscallError(Errno.EOPNOTSUPP)
    maximum = prot >> PROT_MAX_SHIFT & RWX or prot & RWX
    if prot & RWX & ~maximum:
        raise SyscallError(Errno.EINVAL)
    if prot & PROT_CAP and (prot & PROT_NO_CAP or process.profile is not Profile.NEWER):
        raise SyscallError(Errno.EINVAL)
    size = page_up(length)
    shared = kind != MAP_PRIVATE
    area = _contents(task, size, prot & RWX, shared, flags, fd, offset)
    if prot & RWX:
        require_memory(task, size)
    owning = owns(process)
    if owning and addr.tag:
        return _map_inside(task, addr, area, flags, prot, maximum)
    start = _choose_start(task, addr.value, size, flags)
    reserved = size
    if process.abi.is_purecap:
        reserved = page_up(representable_length(size))
    _install(process, area, start)
    if owning:
        process.reservations[start] = reserved
    tags = not shared and not prot & PROT_NO_CAP
    return mapping_capability(task, start, reserved, maximum | prot & PROT_CAP_INVOKE, tags)


def _choose_start(task: Task, hint: int, size: int, flags: int) -> int:
    """Where a new mapping goes; MAP_FIXED replaces unless the range is reserved."""
    process = task.process
    alignment = PAGE
    reserved = size
    if process.abi.is_purecap:
        alignment = max(PAGE, (~representable_mask(size) & (1 << 64) - 1) + 1)
        reserved = page_up(representable_length(size))
    if not flags & (MAP_FIXED | MAP_FIXED_NOREPLACE):
        return find_place(process, reserved, alignment, hint & -PAGE)
    if hint % PAGE or hint < MMAP_MINIMUM or hint + size > USER_TOP:
        raise SyscallError(Errno.EINVAL if hint % PAGE else Errno.ENOMEM if hint else Errno.EPERM)
    if owns(process):
        if hint % alignment:
            raise SyscallError(Errno.ERESERVATION)
        if meets_reservation(process, hint, hint + reserved):
            raise SyscallError(Errno.ERESERVATION)
    if flags & MAP_FIXED_NOREPLACE and not _is_free(process, hint, hint + size):
        raise SyscallError(Errno.EEXIST)
    return hint


def _map_inside(task: Task, addr: Capability, area: Area, flags: int, prot: int, maximum: int) -> Capability:
    """mmap at an owning capability: replaces pages of its reservation and returns the same capability."""
    process = task.process
    if not flags & MAP_FIXED or addr.is_sealed or not addr.has(OWNER):
        raise SyscallError(Errno.EINVAL)
    start, limit = addr.value, addr.value + area.size
    if start % PAGE or not addr.in_bounds(start, area.size):
        raise SyscallError(Errno.EINVAL)
    if reservation_at(process, start, limit) is None:
        raise SyscallError(Errno.ERESERVATION)
    wanted = mapping_permissions(task, maximum | prot & PROT_CAP_INVOKE, False)
    if not addr.has(wanted & ~(Perm.SYSTEM | Perm.EXECUTIVE)):
        raise SyscallError(Errno.EINVAL)
    if not process.space.is_mapped(start, limit):
        raise SyscallError(Errno.ENOMEM)
    _install(process, area, start)
    return addr


def _install(process: Process, area: Area, start: int) -> None:
    process.space.map(
        Area(
            start,
            start + area.size,
            area.prot,
            area.name,
            area.backing,
            area.shared,
            area.offset,
            area.may,
        )
    )


def _contents(task: Task, size: int, prot: int, shared: bool, flags: int, fd: int, offset: int) -> Area:
    """The area of a new mapping, at address 0 for now."""
    kernel = task.kernel
    if flags & MAP_ANONYMOUS:
        pages = SharedPages(kernel.pool, None) if shared else None
        return Area(0, size, Prot(prot), shared=pages)
    file = task.descriptors.get(fd)
    if file.flags & Open.PATH:
        raise SyscallError(Errno.EBADF)
    if isinstance(file, Zero):
        return Area(0, size, Prot(prot), shared=SharedPages(kernel.pool, None) if shared else None)
    if not isinstance(file, HostFile) or not file.is_regular:
        raise SyscallError(Errno.ENODEV if not isinstance(file, HostFile) else Errno.EACCES)
    if file.flags & 3 == Open.WRONLY:
        raise SyscallError(Errno.EACCES)
    writable = file.flags & 3 == Open.RDWR
    if shared and prot & Prot.WRITE and not writable:
        raise SyscallError(Errno.EACCES)
    backing: Backing = HostMapping(file)
    if not shared:
        return Area(0, size, Prot(prot), file.path, backing, None, offset)
    status = file.status()
    key = (status.device, status.inode)
    pages = kernel.shared_files.get(key)
    if pages is None:
        pages = kernel.shared_files[key] = SharedPages(kernel.pool, backing)
    may = Prot(RWX) if writable else Prot.READ | Prot.EXEC
    return Area(0, size, Prot(prot), file.path, backing, pages, offset, may)


@FAMILY.syscall(215, "munmap", Pointer("addr"), Size("length"))
def munmap(task: Task, addr: Capability, length: int) -> int:
    """Unmap pages; a reservation ends when none of its pages is left."""
    if not 0 < length <= USER_TOP:
        raise SyscallError(Errno.EINVAL)
    start, limit = owned_range(task, addr, length)
    process = task.process
    process.space.unmap(start, limit)
    base = reservation_at(process, start, limit)
    if (
        base is not None
        and next(process.space.overlapping(base, base + process.reservations[base]), None) is None
    ):
        del process.reservations[base]
    return 0


@FAMILY.syscall(226, "mprotect", Pointer("addr"), Size("length"), Flags("prot", PROT_NAMES, "PROT_NONE"))
def mprotect(task: Task, addr: Capability, length: int, prot: int) -> int:
    """Change page permissions, not beyond the capability; no capability changes."""
    if length > USER_TOP or prot & 0xFFFF & ~(RWX | PROT_CAP_INVOKE):
        raise SyscallError(Errno.EINVAL)
    start, limit = owned_range(task, addr, length)
    if start == limit:
        return 0
    process = task.process
    wanted = Prot(prot & RWX)
    if owns(process) and not addr.has(
        (Perm.LOAD if wanted & Prot.READ else 0)
        | (Perm.STORE if wanted & Prot.WRITE else 0)
        | (Perm.EXECUTE if wanted & Prot.EXEC else 0)
    ):
        raise SyscallError(Errno.EINVAL)
    if not process.space.is_mapped(start, limit):
        raise SyscallError(Errno.ENOMEM)
    for area in process.space.overlapping(start, limit):
        if wanted & ~area.may:
            raise SyscallError(Errno.EACCES)
    if wanted:
        closed = sum(
            min(area.limit, limit) - max(area.start, start)
            for area in process.space.overlapping(start, limit)
            if not area.prot
        )
        require_memory(task, closed)
    process.space.protect(start, limit, wanted)
    return 0


@FAMILY.syscall(
    216, "mremap", Pointer("old"), Size("old_size"), Size("new_size"),
    Flags("flags", {"MREMAP_MAYMOVE": 1, "MREMAP_FIXED": 2}), Pointer("new"),
)  # fmt: skip
def mremap(
    task: Task, old: Capability, old_size: int, new_size: int, flags: int, new: Capability
) -> Capability:
    """Shrink, grow in place, or move. The result's bounds are those of the new size."""
    if not 0 < new_size <= USER_TOP or not 0 < old_size <= USER_TOP or flags & ~3:
        raise SyscallError(Errno.EINVAL)
    if flags & MREMAP_FIXED and not flags & MREMAP_MAYMOVE:
        raise SyscallError(Errno.EINVAL)
    process, space = task.process, task.process.space
    start, limit = owned_range(task, old, old_size)
    size, new_pages = limit - start, page_up(new_size)
    if not space.is_mapped(start, limit):
        raise SyscallError(Errno.EFAULT)
    if not flags & MREMAP_FIXED:
        if new_pages <= size:
            if new_pages < size:
                space.unmap(start + new_pages, limit)
            return _remapped(task, old, start, size if owns(process) else new_pages)
        if not owns(process) and _grow_in_place(task, start, limit, new_pages):
            return _remapped(task, old, start, new_pages)
    if not flags & MREMAP_MAYMOVE:
        raise SyscallError(Errno.ENOMEM)
    return _move(task, old, (start, limit), new_pages, new if flags & MREMAP_FIXED else CAP_NULL)


def _grow_in_place(task: Task, start: int, limit: int, new_pages: int) -> bool:
    space = task.process.space
    area = space.area(limit - PAGE)
    end = start + new_pages
    if area is None or end > USER_TOP or not _is_free(task.process, limit, end):
        return False
    if task.process.abi.is_purecap and representable_length(new_pages) != new_pages:
        return False
    require_memory(task, end - limit)
    space.map(area.part(limit, end))
    return True


def _remapped(task: Task, old: Capability, start: int, size: int) -> Capability:
    """The capability for a mapping that stays where it is."""
    process = task.process
    if not process.abi.is_purecap:
        return USER_ROOT.set_value(start)
    if owns(process):
        return old.set_value(start)
    return USER_ROOT.set_value(start).set_bounds(size, exact=False)


def _move(
    task: Task, old: Capability, source: tuple[int, int], new_pages: int, wish: Capability
) -> Capability:
    process, space = task.process, task.process.space
    start, limit = source
    require_memory(task, max(new_pages - (limit - start), 0))
    if wish.value:
        if wish.value < limit and start < wish.value + new_pages:
            raise SyscallError(Errno.EINVAL)
        if owns(process) and wish.tag:
            owned_range(task, wish, new_pages)
            target = wish.value
        else:
            target = _choose_start(task, wish.value, new_pages, MAP_FIXED)
        space.unmap(target, target + new_pages)
    else:
        target = _choose_start(task, 0, new_pages, 0)
    kept = min(limit, start + new_pages)
    tail = space.area(kept - PAGE)
    assert tail is not None
    old_end = limit - start
    space.move(start, kept, target)
    if new_pages > old_end:
        space.map(tail.part(limit, limit + new_pages - old_end).shifted(target - start))
    if kept < limit:
        space.unmap(kept, limit)
    if not process.abi.is_purecap:
        return USER_ROOT.set_value(target)
    if owns(process) and wish.tag:
        return wish
    reserved = page_up(representable_length(new_pages))
    if owns(process):
        base = reservation_at(process, start, limit)
        if base is not None and not list(space.overlapping(base, base + process.reservations[base])):
            del process.reservations[base]
        process.reservations[target] = reserved
    bounded = USER_ROOT.set_value(target).set_bounds(reserved, exact=True)
    return bounded.clear_permissions(~old.permissions) if owns(process) else bounded


@FAMILY.syscall(233, "madvise", Pointer("addr"), Size("length"), Int("advice"))
def madvise(task: Task, addr: Capability, length: int, advice: int) -> int:
    """DONTNEED and FREE drop the contents of private memory; other advice has no effect."""
    if length > USER_TOP:
        raise SyscallError(Errno.EINVAL)
    start, limit = owned_range(task, addr, length)
    if not task.process.space.is_mapped(start, limit):
        raise SyscallError(Errno.ENOMEM)
    if advice in (MADV_DONTNEED, MADV_FREE):
        task.process.space.discard_pages(start, limit)
    return 0


@FAMILY.syscall(227, "msync", Pointer("addr"), Size("length"), Int("flags"))
def msync(task: Task, addr: Capability, length: int, flags: int) -> int:
    """Write shared file mappings back."""
    if length > USER_TOP or flags & ~7 or flags & 5 == 5:
        raise SyscallError(Errno.EINVAL)
    start, limit = owned_range(task, addr, length)
    if not task.process.space.is_mapped(start, limit):
        raise SyscallError(Errno.ENOMEM)
    for area in task.process.space.overlapping(start, limit):
        if area.shared is not None:
            area.shared.synchronise()
    return 0


def _lock(task: Task, addr: Capability, length: int) -> int:
    if length > USER_TOP:
        raise SyscallError(Errno.EINVAL)
    start, limit = owned_range(
        task, Capability(addr.tag, addr.hi, addr.value & -PAGE), length + addr.value % PAGE
    )
    if not task.process.space.is_mapped(start, limit):
        raise SyscallError(Errno.ENOMEM)
    return 0


@FAMILY.syscall(228, "mlock", Pointer("addr"), Size("length"))
def mlock(task: Task, addr: Capability, length: int) -> int:
    """Guest memory is never paged out by the guest's kernel."""
    return _lock(task, addr, length)


@FAMILY.syscall(229, "munlock", Pointer("addr"), Size("length"))
def munlock(task: Task, addr: Capability, length: int) -> int:
    """As mlock."""
    return _lock(task, addr, length)


@FAMILY.syscall(230, "mlockall", Int("flags"))
def mlockall(task: Task, flags: int) -> int:
    """As mlock."""
    if not flags or flags & ~7:
        raise SyscallError(Errno.EINVAL)
    return 0


@FAMILY.syscall(231, "munlockall")
def munlockall(task: Task) -> int:
    """As mlock."""
    return 0


@FAMILY.syscall(232, "mincore", Pointer("addr"), Size("length"), OutBuffer("vec"))
def mincore(task: Task, addr: Capability, length: int, vector: Capability) -> int:
    """Every mapped page is resident."""
    if length > USER_TOP:
        raise SyscallError(Errno.EINVAL)
    start, limit = owned_range(task, addr, length)
    if not task.process.space.is_mapped(start, limit):
        raise SyscallError(Errno.ENOMEM)
    task.memory.write(vector, b"\1" * min((limit - start) // PAGE, 1 << 24))
    return 0


@FAMILY.syscall(283, "membarrier", Int("cmd"), Hex("flags"))
def membarrier(task: Task, command: int, flags: int) -> int:
    """One thread runs at a time and in order: every barrier has happened."""
    if flags & 0xFFFF_FFFF:
        raise SyscallError(Errno.EINVAL)
    supported = 0x1FF
    if command == 0:
        return supported
    if command < 0 or command & ~supported or command & (command - 1):
        raise SyscallError(Errno.EINVAL)
    return 0


@FAMILY.syscall(214, "brk", Pointer("addr"))
def brk(task: Task, addr: Capability) -> Capability | int:
    """compat64 only; purecap programs have no program break."""
    process = task.process
    if process.abi.is_purecap:
        raise SyscallError(Errno.ENOSYS)
    heap, wish = process.heap, addr.value
    if heap.start <= wish <= heap.limit:
        old_end, new_end = page_up(heap.end), page_up(wish)
        if new_end > old_end:
            over = process.space.mapped_bytes() + new_end - old_end > task.kernel.options.memory_limit
            if over or not _is_free(process, old_end, new_end):
                return USER_ROOT.set_value(heap.end)
            process.space.map(Area(old_end, new_end, Prot.READ | Prot.WRITE, "[heap]"))
        elif new_end < old_end:
            process.space.unmap(new_end, old_end)
        heap.end = wish
    return USER_ROOT.set_value(heap.end)

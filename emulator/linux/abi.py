"""What a process sees of the kernel: ABI profiles, structure layouts and auxiliary vector numbers.

Two families exist: `COMPAT64` (plain and hybrid AArch64, 8-byte pointers) and the purecap ABI with
16-byte capabilities, which has three generations (`Profile`). A structure that contains a pointer has
one `Layout` per family; structures without pointers are packed where they are used.
Source: facts/abi/pcuabi_linux.md sections 2-4 and 8.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from types import MappingProxyType

USER_TOP = 1 << 48
"""End of the user's virtual addresses, and limit of the user root capability."""

PAGE = 4096


class Profile(Enum):
    """Generation of the purecap ABI. `FULL` and later check ownership of mappings."""

    TRANSITIONAL = "transitional"
    FULL = "full"
    NEWER = "newer"

    @property
    def owns_mappings(self) -> bool:
        """mmap makes reservations and the memory calls need owning capabilities."""
        return self is not Profile.TRANSITIONAL


class Kind(Enum):
    """Kind of a structure field: size in bytes (0 = a pointer of the ABI) and `struct` code."""

    POINTER = (0, "")
    U64 = (8, "Q")
    S64 = (8, "q")
    U32 = (4, "I")
    S32 = (4, "i")

    @property
    def code(self) -> str:
        """The letter that `struct` uses for an integer of this kind."""
        return self.value[1]


@dataclass(frozen=True)
class Layout:
    """A structure: its size in bytes, and name -> (offset, kind) of the fields that matter."""

    name: str
    size: int
    fields: Mapping[str, tuple[int, Kind]]

    @cached_property
    def integers(self) -> tuple[tuple[str, int, struct.Struct], ...]:
        """(name, offset, packer) of the integer fields."""
        return tuple(
            (name, offset, struct.Struct("<" + kind.code))
            for name, (offset, kind) in self.fields.items()
            if kind is not Kind.POINTER
        )

    @cached_property
    def pointers(self) -> tuple[tuple[str, int], ...]:
        """(name, offset) of the pointer fields."""
        return tuple((name, offset) for name, (offset, kind) in self.fields.items() if kind is Kind.POINTER)

    def offset(self, field: str) -> int:
        """Byte offset of `field`."""
        return self.fields[field][0]


def _layout(_name: str, _size: int, /, **fields: tuple[int, Kind]) -> Layout:
    return Layout(_name, _size, MappingProxyType(fields))


P, U64, S64, U32, S32 = Kind.POINTER, Kind.U64, Kind.S64, Kind.U32, Kind.S32


@dataclass(frozen=True)
class Abi:
    """One family of structure layouts. `pointer` is the size of a pointer in bytes."""

    name: str
    pointer: int
    iovec: Layout
    msghdr: Layout
    sigaction: Layout
    stack_t: Layout
    pselect_sigset: Layout
    robust_list_head: Layout
    epoll_event: Layout
    clone_args: Layout
    ucontext: Layout
    clone_args_sizes: tuple[int, ...]
    siginfo_value: int
    """Offset of si_value (a pointer) in siginfo."""
    siginfo_status: int
    """Offset of si_status."""

    @property
    def is_purecap(self) -> bool:
        """Pointers are capabilities."""
        return self.pointer == 16


COMPAT64 = Abi(
    name="compat64",
    pointer=8,
    iovec=_layout("iovec", 16, base=(0, P), len=(8, U64)),
    msghdr=_layout(
        "msghdr", 56, name=(0, P), namelen=(8, U32), iov=(16, P), iovlen=(24, U64), control=(32, P),
        controllen=(40, U64), flags=(48, U32),
    ),
    sigaction=_layout("sigaction", 32, handler=(0, P), flags=(8, U64), restorer=(16, P), mask=(24, U64)),
    stack_t=_layout("stack_t", 24, sp=(0, P), flags=(8, S32), size=(16, U64)),
    pselect_sigset=_layout("pselect_sigset", 16, ptr=(0, P), len=(8, U64)),
    robust_list_head=_layout("robust_list_head", 24, list=(0, P), futex_offset=(8, S64), pending=(16, P)),
    epoll_event=_layout("epoll_event", 16, events=(0, U32), data=(8, P)),
    clone_args=_layout(
        "clone_args", 88, flags=(0, U64), pidfd=(8, P), child_tid=(16, P), parent_tid=(24, P),
        exit_signal=(32, U64), stack=(40, P), stack_size=(48, U64), tls=(56, P), set_tid=(64, P),
        set_tid_size=(72, U64), cgroup=(80, U64),
    ),
    ucontext=_layout(
        "ucontext", 4560,
        flags=(0, U64), link=(8, P), stack=(16, U64), sigmask=(40, U64), sigcontext=(176, U64),
    ),
    clone_args_sizes=(64, 80, 88),
    siginfo_value=24,
    siginfo_status=24,
)  # fmt: skip

PURECAP = Abi(
    name="purecap",
    pointer=16,
    iovec=_layout("iovec", 32, base=(0, P), len=(16, U64)),
    msghdr=_layout(
        "msghdr", 96, name=(0, P), namelen=(16, U32), iov=(32, P), iovlen=(48, U64), control=(64, P),
        controllen=(80, U64), flags=(88, U32),
    ),
    sigaction=_layout("sigaction", 64, handler=(0, P), flags=(16, U64), restorer=(32, P), mask=(48, U64)),
    stack_t=_layout("stack_t", 32, sp=(0, P), flags=(16, S32), size=(24, U64)),
    pselect_sigset=_layout("pselect_sigset", 32, ptr=(0, P), len=(16, U64)),
    robust_list_head=_layout("robust_list_head", 48, list=(0, P), futex_offset=(16, S64), pending=(32, P)),
    epoll_event=_layout("epoll_event", 32, events=(0, U32), data=(16, P)),
    clone_args=_layout(
        "clone_args", 160, flags=(0, U64), pidfd=(16, P), child_tid=(32, P), parent_tid=(48, P),
        exit_signal=(64, U64), stack=(80, P), stack_size=(96, U64), tls=(112, P), set_tid=(128, P),
        set_tid_size=(144, U64), cgroup=(152, U64),
    ),
    ucontext=_layout(
        "ucontext", 4576,
        flags=(0, U64), link=(16, P), stack=(32, U64), sigmask=(64, U64), sigcontext=(192, U64),
    ),
    clone_args_sizes=(128, 152, 160),
    siginfo_value=32,
    siginfo_status=24,
)  # fmt: skip


class Auxv(Enum):
    """Auxiliary vector entry numbers (AT_*)."""

    NULL = 0
    PHDR = 3
    PHENT = 4
    PHNUM = 5
    PAGESZ = 6
    BASE = 7
    FLAGS = 8
    ENTRY = 9
    UID = 11
    EUID = 12
    GID = 13
    EGID = 14
    PLATFORM = 15
    HWCAP = 16
    CLKTCK = 17
    SECURE = 23
    BASE_PLATFORM = 24
    RANDOM = 25
    HWCAP2 = 26
    HWCAP3 = 29
    EXECFN = 31
    MINSIGSTKSZ = 51
    CHERI_EXEC_RW_CAP = 60
    CHERI_EXEC_RX_CAP = 61
    CHERI_INTERP_RW_CAP = 62
    CHERI_INTERP_RX_CAP = 63
    CHERI_STACK_CAP = 64
    CHERI_SEAL_CAP = 65
    CHERI_CID_CAP = 66
    ARGC = 80
    ARGV = 81
    ENVC = 82
    ENVP = 83


# AArch64 AT_HWCAP bits that the machine offers (Linux: Documentation/arch/arm64/elf_hwcaps).
HWCAP_FP, HWCAP_ASIMD, HWCAP_ATOMICS = 1 << 0, 1 << 1, 1 << 8
HWCAP = HWCAP_FP | HWCAP_ASIMD

HWCAP2_MORELLO = {Profile.TRANSITIONAL: 1 << 31 | 1 << 19, Profile.FULL: 1 << 63, Profile.NEWER: 0}
HWCAP3_MORELLO = 1 << 63
"""In AT_HWCAP3, NEWER only."""

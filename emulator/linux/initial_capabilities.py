"""How the kernel derives the capabilities that a program starts with (pcuabi_linux.md section 3)."""

from __future__ import annotations

from emulator.linux.abi import PAGE
from emulator.linux.process import LoadedImage
from emulator.linux.sys_memory import page_up
from emulator.linux.usermem import USER_ROOT
from morello_isa.capability import CAP_NULL, Capability
from morello_isa.permissions import Perm

R = Perm.LOAD | Perm.LOAD_CAP | Perm.MUTABLE_LOAD
W = Perm.STORE | Perm.STORE_CAP | Perm.STORE_LOCAL_CAP
X = Perm.EXECUTE | Perm.SYSTEM | Perm.EXECUTIVE
BSP = Perm.BRANCH_SEALED_PAIR


def restricted_root(permissions: int) -> Capability:
    """The user root with only some permissions."""
    return USER_ROOT.clear_permissions(~permissions)


def bounded(permissions: int, start: int, limit: int) -> Capability:
    """[start, limit), rounded outwards if it must be."""
    return restricted_root(permissions).set_value(start).set_bounds(limit - start, exact=False)


def image_capability(loaded: LoadedImage, permissions: int) -> Capability:
    """The whole image, page-rounded."""
    return bounded(permissions, loaded.start & -PAGE, page_up(loaded.limit))


def writable_capability(loaded: LoadedImage, permissions: int) -> Capability:
    """The span of the writable segments, page-rounded; null without any."""
    writable = [s for s in loaded.image.load_segments if s.flags & 2]
    if not writable:
        return CAP_NULL
    start = min(s.vaddr for s in writable) + loaded.bias
    limit = max(s.vaddr + s.memsz for s in writable) + loaded.bias
    return bounded(permissions, start & -PAGE, page_up(limit))

"""System calls of the loader service: dlopen for static programs, and the dl* stubs of host-linked ones.

Not Linux: private numbers, served to Executive purecap code only (docs/loader-service.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from emulator.linux.errors import Errno, SyscallError
from emulator.linux.process import ReplacedError
from emulator.linux.table import Family, Int, Pointer
from morello_isa.capability import Capability

if TYPE_CHECKING:
    from emulator.linux.process import Task

FAMILY = Family()
LOADER = 0x4D4C
GUEST_RETURN = 0x4D4E
DL_FUNCTIONS = ("dlopen", "dlsym", "dlvsym", "dlclose", "dlerror", "dladdr", "dlmopen")
FIRST_DL_FUNCTION = 0x4D00
"""Numbers of the stubs (`loader.runtime_code.SERVICE_NUMBERS`), in this order."""


@FAMILY.syscall(
    LOADER,
    "morello_loader",
    Int("operation"),
    Pointer("1"),
    Pointer("2"),
    Pointer("3"),
    Pointer("4"),
    Pointer("5"),
)
def morello_loader(task: Task, operation: int, *arguments: Capability) -> Capability | int:
    """One operation of the service."""
    from emulator.linux.loader_service import perform

    return perform(task, operation, list(arguments))


def _dl_function(number: int) -> Callable[..., Capability]:
    def call(task: Task, *arguments: Capability) -> Capability:
        """A dl* function of a host-linked program, called through its stub."""
        linker = task.process.linker
        if linker is None:
            raise SyscallError(Errno.ENOSYS)
        if task.pe.is_restricted:
            raise SyscallError(Errno.EPERM)
        linker.calls.template = task.pe
        result = linker.service.handle(number, list(arguments), task.pe.read_x(30))
        linker.note_images()
        return result

    return call


for _index, _name in enumerate(DL_FUNCTIONS):
    _number = FIRST_DL_FUNCTION + _index
    FAMILY.syscall(_number, _name, Pointer("1"), Pointer("2"), Pointer("3"))(_dl_function(_number))


@FAMILY.syscall(GUEST_RETURN, "morello_return", Pointer("result"))
def morello_return(task: Task, result: Capability) -> None:
    """A function that the host called has returned."""
    if not task.kernel.end_call(task, result):
        raise SyscallError(Errno.ENOSYS)
    raise ReplacedError

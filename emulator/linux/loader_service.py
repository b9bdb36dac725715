"""The work behind the loader service: libraries, symbols, compartments (docs/loader-service.md).

`sys_loader.py` has the system calls; this module is imported when one of them is first used.
"""

# ruff: noqa: ARG001  (operations share one signature)

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from emulator.linux.errors import Errno, SyscallError
from emulator.linux.linking import ProcessLinker
from emulator.linux.table import signed
from loader.capabilities import restricted
from loader.compartment import (
    Patcher,
    PatchReport,
    PatchTarget,
    SlotMemory,
    dump_program_headers,
    dump_relocations,
)
from loader.dynamic import Namespace
from loader.loaded import GuestMemoryError, LoadedObject
from morello_isa.capability import Capability
from morello_isa.errors import EXIT_NOT_FOUND, UserError
from morello_isa.permissions import Perm

if TYPE_CHECKING:
    from emulator.linux.process import Task

RTLD_GLOBAL = 0x100
TEXT_ERROR, TEXT_HEADERS, TEXT_TABLES, TEXT_PATCHES = range(4)
COMPARTMENT_LOSES = int(Perm.EXECUTIVE | Perm.SYSTEM)
"""Permissions that nothing in a compartment keeps."""


class Restriction:
    """What LOADER_RESTRICT did to a library; texts about it are made when somebody reads them."""

    def __init__(self, targets: list[PatchTarget], root: Capability, report: PatchReport) -> None:
        self._targets = targets
        self._root = root
        self._report = report

    @cached_property
    def texts(self) -> tuple[str, str, str]:
        """Headers and relocation tables from before, and what happened to each slot."""
        headers, tables = _dump(self._targets, self._root, self._report.before())
        return headers, tables, _lines(self._report.lines())


@dataclass(slots=True)
class Handle:
    """An open library."""

    item: LoadedObject
    namespace: Namespace
    constructors: list[Capability]
    destructors: list[Capability] | None = None
    restriction: Restriction | None = None
    dumped: tuple[str, str] = ("", "")
    """Headers and tables as they were when the guest began to read one of them."""

    @property
    def is_restricted(self) -> bool:
        """It is a compartment."""
        return self.restriction is not None

    @property
    def texts(self) -> tuple[str, str, str]:
        """Headers, tables and patches of a compartment, empty for any other library."""
        return self.restriction.texts if self.restriction is not None else ("", "", "")


class LoaderService:
    """State of the service in one process."""

    def __init__(self, linker: ProcessLinker) -> None:
        self.process_linker = linker
        self.linker = linker.linker
        self.handles: dict[int, Handle] = {}
        self.error = ""

    def handle(self, number: int) -> Handle:
        """EINVAL for a number that is no handle."""
        found = self.handles.get(number)
        if found is None:
            self.error = f"{number} is not the handle of a library"
            raise SyscallError(Errno.EINVAL)
        return found

    def targets(self, handle: Handle) -> list[PatchTarget]:
        """The library and what it needs, without the program itself."""
        program = self.linker.base.objects[0]
        items = self.linker.closure(handle.item)
        return [PatchTarget(i.image, i.path, i.bias) for i in items if i is not program]

    def dump(self, handle: Handle) -> tuple[str, str]:
        """Texts 1 and 2 as they are now."""
        return _dump(self.targets(handle), self.process_linker.root, self.process_linker.memory)


def _dump(targets: list[PatchTarget], root: Capability, memory: SlotMemory) -> tuple[str, str]:
    return _lines(dump_program_headers(targets, root)[1:]), _lines(dump_relocations(targets, memory)[1:])


def _service(task: Task) -> LoaderService:
    """The process's service, made when it is first used. EPERM for Restricted code."""
    process = task.process
    if not process.abi.is_purecap:
        raise SyscallError(Errno.ENOSYS)
    if task.pe.is_restricted:
        raise SyscallError(Errno.EPERM)
    if process.loader is None:
        linker = process.linker
        if linker is None:
            linker = process.linker = ProcessLinker(task.kernel, process)
            linker.adopt()
            linker.linker.tls.limit = linker.linker.tls.used
        process.loader = LoaderService(linker)
    process.loader.process_linker.calls.template = task.pe
    return process.loader


def _open(task: Task, service: LoaderService, arguments: list[Capability]) -> int:
    path, flags, where = arguments[0], arguments[1].value, signed(arguments[2].value, 64)
    linker = service.linker
    try:
        if task.memory.is_null(path):
            item, namespace, constructors = linker.base.objects[0], linker.base, []
        else:
            if where not in (0, -1):
                raise SyscallError(Errno.EINVAL)
            namespace = linker.new_namespace() if where == -1 else linker.base
            caller = linker.base.objects[0]
            item = linker.open(task.memory.path(path), namespace, caller, bool(flags & RTLD_GLOBAL))
            constructors = linker.constructors(item)
    except UserError as error:
        service.error = error.message
        raise SyscallError(Errno.ENOENT if error.status == EXIT_NOT_FOUND else Errno.ENOEXEC) from None
    service.process_linker.note_images()
    number = len(service.handles) + 1
    service.handles[number] = Handle(item, namespace, constructors)
    return number


def _symbol(task: Task, service: LoaderService, arguments: list[Capability]) -> Capability | int:
    handle = service.handle(arguments[0].value)
    name = task.memory.string(arguments[1]).decode(errors="replace")
    definition = service.linker.resolve(name, None, service.linker.closure(handle.item))
    if definition is None:
        service.error = f"{handle.item.path} has no symbol {name}"
        return 0
    try:
        found = service.linker.capability_of(definition)
    except UserError as error:
        service.error = error.message
        return 0
    if handle.is_restricted:
        return restricted(found, service.process_linker.root, None, COMPARTMENT_LOSES)
    return found


def _close(task: Task, service: LoaderService, arguments: list[Capability]) -> int:
    handle = service.handle(arguments[0].value)
    _finalisers(service, handle)
    del service.handles[arguments[0].value]
    return 0


def _init(task: Task, service: LoaderService, arguments: list[Capability]) -> Capability | int:
    handle = service.handle(arguments[0].value)
    return _nth(handle.constructors, arguments[1].value)


def _fini(task: Task, service: LoaderService, arguments: list[Capability]) -> Capability | int:
    handle = service.handle(arguments[0].value)
    return _nth(_finalisers(service, handle), arguments[1].value)


def _finalisers(service: LoaderService, handle: Handle) -> list[Capability]:
    """What dlclose has to call; asking is closing."""
    if handle.destructors is None:
        handle.destructors = service.linker.close(handle.item, handle.namespace)
    return handle.destructors


def _nth(functions: list[Capability], index: int) -> Capability | int:
    return functions[index] if index < len(functions) else 0


def _restrict(task: Task, service: LoaderService, arguments: list[Capability]) -> int:
    handle = service.handle(arguments[0].value)
    linker = service.process_linker
    targets = service.targets(handle)
    report = Patcher(linker.memory, linker.root, dropped=COMPARTMENT_LOSES).patch(targets)
    handle.restriction = Restriction(targets, linker.root, report)
    count = len(report.patched)
    task.kernel.statistics.restricted_slots += count
    return count


def _lines(lines: list[str]) -> str:
    return "".join(line + "\n" for line in lines)


def _text(task: Task, service: LoaderService, arguments: list[Capability]) -> int:
    number, which, buffer = arguments[0].value, arguments[1].value, arguments[2]
    size, offset = arguments[3].value, arguments[4].value
    if which == TEXT_ERROR:
        text = service.error
    elif which in (TEXT_HEADERS, TEXT_TABLES, TEXT_PATCHES):
        handle = service.handle(number)
        if not handle.is_restricted and not (offset and any(handle.dumped)):
            handle.dumped = service.dump(handle)
        text = (handle.texts if handle.is_restricted else (*handle.dumped, ""))[which - 1]
    else:
        raise SyscallError(Errno.EINVAL)
    data = text.encode(errors="replace")
    part = data[offset : offset + min(size, 1 << 20)]
    task.memory.write(buffer, part)
    return len(part)


Operation = Callable[["Task", LoaderService, list[Capability]], Capability | int]
OPERATIONS: tuple[Operation, ...] = (_open, _symbol, _close, _init, _fini, _restrict, _text)


def perform(task: Task, operation: int, arguments: list[Capability]) -> Capability | int:
    """One operation for a thread; every mistake of the guest is a SyscallError."""
    service = _service(task)
    if not 0 <= operation < len(OPERATIONS):
        raise SyscallError(Errno.EINVAL)
    try:
        return OPERATIONS[operation](task, service, arguments)
    except GuestMemoryError as error:
        service.error = str(error)
        raise SyscallError(Errno.EFAULT) from None

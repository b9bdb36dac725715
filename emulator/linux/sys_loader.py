"""The loader service: dlopen and its family for static programs, and compartments (docs/loader-service.md).

One private system call, `SYS_morello_loader`; the work is `loader.dynamic` and `loader.compartment`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.linux.errors import Errno, SyscallError
from emulator.linux.files import HostNode
from emulator.linux.guest_memory import ProcessMemory
from emulator.linux.process import LoadedImage
from emulator.linux.table import Family, Int, Pointer
from emulator.linux.usermem import USER_ROOT
from loader.capabilities import Roots, restricted
from loader.compartment import Patcher, PatchReport, PatchTarget, dump_program_headers, dump_relocations
from loader.dynamic import DynamicLinker
from loader.elf_constants import DT
from loader.library_path import LibraryPath
from loader.loaded import GuestMemoryError, LoadedObject
from morello_isa.capability import CAP_NULL, Capability
from morello_isa.errors import UserError
from morello_isa.permissions import Perm

if TYPE_CHECKING:
    from emulator.linux.process import Task

FAMILY = Family()
RTLD_GLOBAL = 0x100
DROPPED = Perm.EXECUTIVE | Perm.SYSTEM
"""What nothing in a compartment keeps."""


@dataclass(slots=True)
class Library:
    """What a handle stands for."""

    item: LoadedObject
    init: list[Capability]
    headers: str = ""
    tables: str = ""
    report: PatchReport | None = None


@dataclass(slots=True)
class LoaderState:
    """The loader of one process; handles are indexes into `libraries` plus one."""

    linker: DynamicLinker
    memory: ProcessMemory
    libraries: list[Library | None] = field(default_factory=list)
    error: str = ""


def _state(task: Task) -> LoaderState:
    process = task.process
    state = process.loader
    if state is None:
        memory = ProcessMemory(process)
        library_path = LibraryPath(_reader(task), extra=task.kernel.options.library_path)
        roots = Roots(rx=USER_ROOT, rw=USER_ROOT)
        state = process.loader = LoaderState(DynamicLinker(memory, roots, library_path), memory)
    return state


def _reader(task: Task) -> Callable[[str], bytes | None]:
    """Contents of files that the guest may see; None for everything else."""
    kernel, process = task.kernel, task.process

    def read(path: str) -> bytes | None:
        try:
            node = kernel.view.walk(path, process.cwd).existing()
            return Path(node.path).read_bytes() if isinstance(node, HostNode) else None
        except (SyscallError, OSError):
            return None

    return read


def _library(state: LoaderState, handle: int) -> Library:
    found = state.libraries[handle - 1] if 0 < handle <= len(state.libraries) else None
    if found is None:
        state.error = f"{handle} is not a handle of the loader"
        raise SyscallError(Errno.EINVAL)
    return found


def _targets(state: LoaderState, library: Library) -> list[PatchTarget]:
    return [PatchTarget(o.image, o.path, o.bias) for o in state.linker.closure(library.item)]


# -- operations: (task, state, arguments) -> result ----------------------------------------------------


def _open(task: Task, state: LoaderState, arguments: tuple[Capability, ...]) -> int:
    path = task.memory.path(arguments[0])
    flags, namespace_id = arguments[1].value, arguments[2].value
    namespace = state.linker.base if namespace_id == 0 else state.linker.new_namespace()
    state.memory.name = path
    item = state.linker.open(path, namespace, None, bool(flags & RTLD_GLOBAL))
    for loaded in state.linker.closure(item):
        image = LoadedImage(loaded.image, loaded.bias, loaded.path)
        if image not in task.process.images:
            task.process.images.append(image)
    state.libraries.append(Library(item, state.linker.constructors(item)))
    return len(state.libraries)


def _symbol(task: Task, state: LoaderState, arguments: tuple[Capability, ...]) -> Capability:
    library = _library(state, arguments[0].value)
    name = task.memory.string(arguments[1]).decode("utf-8", "replace")
    definition = state.linker.resolve(name, None, state.linker.closure(library.item))
    if definition is None:
        state.error = f"{library.item.path} has no symbol {name}"
        return CAP_NULL
    capability = state.linker.capability_of(definition)
    return capability if library.report is None else restricted(capability, USER_ROOT, None, DROPPED)


def _close(_task: Task, state: LoaderState, arguments: tuple[Capability, ...]) -> int:
    library = _library(state, arguments[0].value)
    state.libraries[arguments[0].value - 1] = None
    for namespace in state.linker.namespaces:
        if library.item in namespace.objects:
            state.linker.close(library.item, namespace)
    return 0


def _init(_task: Task, state: LoaderState, arguments: tuple[Capability, ...]) -> Capability:
    functions = _library(state, arguments[0].value).init
    return _nth(functions, arguments[1].value)


def _fini(_task: Task, state: LoaderState, arguments: tuple[Capability, ...]) -> Capability:
    item = _library(state, arguments[0].value).item
    info = item.image.dynamic
    if info is None or not info.get(DT.FINI_ARRAYSZ):
        return CAP_NULL
    start, count = info.get(DT.FINI_ARRAY) + item.bias, info.get(DT.FINI_ARRAYSZ) // 16
    functions = [state.memory.read_capability(start + 16 * i) for i in reversed(range(count))]
    return _nth(functions, arguments[1].value)


def _nth(functions: list[Capability], n: int) -> Capability:
    return functions[n] if n < len(functions) else CAP_NULL


def _restrict(_task: Task, state: LoaderState, arguments: tuple[Capability, ...]) -> int:
    library = _library(state, arguments[0].value)
    targets = _targets(state, library)
    library.headers = "\n".join(dump_program_headers(targets, USER_ROOT)[1:]) + "\n"
    library.tables = "\n".join(dump_relocations(targets, state.memory)[1:]) + "\n"
    library.report = Patcher(state.memory, USER_ROOT, dropped=DROPPED).patch(targets)
    return len(library.report.patched)


def _text(task: Task, state: LoaderState, arguments: tuple[Capability, ...]) -> int:
    which, size, offset = arguments[1].value, arguments[3].value, arguments[4].value
    if which == 0:
        text = state.error
    else:
        library = _library(state, arguments[0].value)
        targets = _targets(state, library)
        if which == 1:
            text = library.headers or "\n".join(dump_program_headers(targets, USER_ROOT)[1:]) + "\n"
        elif which == 2:
            text = library.tables or "\n".join(dump_relocations(targets, state.memory)[1:]) + "\n"
        else:
            text = "\n".join(library.report.lines()) + "\n" if library.report is not None else ""
    part = text.encode()[offset : offset + size]
    task.memory.write(arguments[2], part)
    return len(part)


OPERATIONS: tuple[Callable[[Task, LoaderState, tuple[Capability, ...]], int | Capability], ...] = (
    _open,
    _symbol,
    _close,
    _init,
    _fini,
    _restrict,
    _text,
)


@FAMILY.syscall(
    0x4D4C, "morello_loader", Int("operation"), Pointer("a"), Pointer("b"), Pointer("c"), Pointer("d"),
    Pointer("e"),
)  # fmt: skip
def morello_loader(
    task: Task, operation: int, a: Capability, b: Capability, c: Capability, d: Capability, e: Capability
) -> int | Capability:
    """One operation of the loader service; its number is an index into OPERATIONS."""
    if not task.process.abi.is_purecap or not 0 <= operation < len(OPERATIONS):
        raise SyscallError(Errno.ENOSYS)
    if task.pe.is_restricted:
        raise SyscallError(Errno.EPERM)
    state = _state(task)
    try:
        return OPERATIONS[operation](task, state, (a, b, c, d, e))
    except UserError as error:
        state.error = error.message
        raise SyscallError(Errno.ENOENT) from None
    except GuestMemoryError:
        raise SyscallError(Errno.EFAULT) from None

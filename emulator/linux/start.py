"""Starting a program: segments, stack image, auxiliary vector and registers, as the kernel leaves them.

Source: facts/abi/pcuabi_linux.md sections 2 to 5 (purecap, both profiles); plain and hybrid programs get the
normal arm64 start with PCC and DDC covering the whole user address space.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.faults import MemoryAbort
from emulator.linux.abi import (
    COMPAT64,
    PAGE,
    PURECAP,
    Profile,
)
from emulator.linux.errors import Errno, SyscallError
from emulator.linux.files import HostNode, Place
from emulator.linux.initial_capabilities import R, W, X, bounded, image_capability
from emulator.linux.process import Heap, LoadedImage, Process, Task
from emulator.linux.registers import RETURN_OFFSET, new_pe
from emulator.linux.stack_image import STACK_TOP, StackImage, auxiliary_entries, build_stack
from emulator.linux.sys_memory import MMAP_HIGH, MMAP_LOW, find_place, page_up
from emulator.linux.sys_system import STACK_SIZE
from emulator.linux.usermem import USER_ROOT
from emulator.memory.address_space import AddressSpace, Area, BytesBacking, Prot
from emulator.state.pe import Pe
from loader.elf import ElfImage, Segment
from morello_isa.capability import (
    Capability,
    representable_length,
    representable_mask,
)
from morello_isa.errors import EXIT_CANNOT_EXECUTE, EXIT_NOT_FOUND, UserError
from morello_isa.permissions import ObjectType, Perm

if TYPE_CHECKING:
    from emulator.linux.kernel import Kernel

PIE_BASE = 0x1000_0000
TRAMPOLINE = 0xFFFF_FFFF_1000
"""The page with the return from signal handlers, and from functions that the host calls."""
TRAMPOLINE_CODE = struct.pack("<II", 0xD2801168, 0xD4000001).ljust(RETURN_OFFSET, b"\0") + struct.pack(
    "<II", 0xD2800008 | 0x4D4E << 5, 0xD4000001
)
"""mov x8, #139; svc #0; mov x8, #0x4d4e; svc #0."""
SCRIPT_DEPTH = 4
CCTLR_SBL = 0x80


# -- finding the program -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Program:
    """What execve has found: the image, its interpreter if it has one, and the final arguments."""

    image: ElfImage
    path: str
    interpreter: LoadedFile | None
    arguments: list[bytes]


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """An ELF file and its guest path."""

    image: ElfImage
    path: str


def find_program(kernel: Kernel, process: Process, place: Place, arguments: list[bytes]) -> Program:
    """Read the program at `place`, following `#!` lines. Raises SyscallError or, for bad files, UserError."""
    for _ in range(SCRIPT_DEPTH):
        data = _read(place)
        if data[:2] != b"#!":
            image = ElfImage.from_bytes(data, place.path)
            return Program(image, place.path, _interpreter(kernel, process, image), arguments)
        words = data[2:256].split(b"\n", 1)[0].strip().split(None, 1)
        if not words:
            raise SyscallError(Errno.ENOEXEC)
        script = place.path.encode(errors="surrogateescape")
        arguments = [*words, script, *arguments[1:]]
        name = words[0].decode(errors="surrogateescape")
        place = kernel.view.walk(name, process.cwd, True, kernel.synthetic(process))
    raise SyscallError(Errno.ELOOP)


def _read(place: Place) -> bytes:
    node = place.existing()
    if not isinstance(node, HostNode):
        raise SyscallError(Errno.EACCES)
    return node.read()


def _interpreter(kernel: Kernel, process: Process, image: ElfImage) -> LoadedFile | None:
    """The file named by PT_INTERP, if the guest can see it."""
    name = image.interp
    if name is None:
        return None
    try:
        place = kernel.view.walk(name, process.cwd, True, kernel.synthetic(process))
        return LoadedFile(ElfImage.from_bytes(_read(place), place.path), place.path)
    except SyscallError:
        if image.is_purecap:
            return None
        raise UserError(
            f"{image.name} needs the interpreter {name}, which the program can't see (use --root)",
            EXIT_NOT_FOUND,
        ) from None


# -- mapping -------------------------------------------------------------------------------------------


def map_image(space: AddressSpace, image: ElfImage, bias: int, path: str) -> LoadedImage:
    """Map the LOAD segments at file address + `bias`, zero-filled beyond their file bytes."""
    low, high = image.span()
    if low == high:
        raise UserError(f"{path} has nothing to load", EXIT_CANNOT_EXECUTE)
    if low + bias < PAGE or page_up(high + bias) > MMAP_HIGH:
        raise UserError(
            f"{path} wants to be loaded at {low + bias:#x}, outside user space", EXIT_CANNOT_EXECUTE
        )
    for segment in image.load_segments:
        _map_segment(space, image, segment, bias, path)
    return LoadedImage(image, bias, path)


def _map_segment(space: AddressSpace, image: ElfImage, segment: Segment, bias: int, path: str) -> None:
    prot = Prot(
        (Prot.READ if segment.flags & 4 else 0)
        | (Prot.WRITE if segment.flags & 2 else 0)
        | (Prot.EXEC if segment.flags & 1 else 0)
    )
    start = segment.vaddr + bias
    if not segment.memsz:
        return
    first, last = start & -PAGE, page_up(start + segment.memsz)
    filled = page_up(start + segment.filesz) if segment.filesz else first
    lead = start - first
    if segment.filesz:
        end = segment.offset + segment.filesz
        if segment.memsz == segment.filesz:
            end = segment.offset - lead + filled - first
        data = b"\0" * max(lead - segment.offset, 0) + image.data[max(segment.offset - lead, 0) : end]
        existing = space.area(first)
        if existing is not None and lead:
            data = space.peek(first, lead) + data[lead:]
        space.map(Area(first, filled, prot, path, BytesBacking(data)))
    if filled < last:
        space.map(Area(filled, last, prot, path))


def _bias(process: Process, image: ElfImage) -> int:
    """0 for fixed images; otherwise an aligned place for a position-independent one."""
    if not image.is_position_independent:
        return 0
    low, high = image.span()
    size = page_up(high) - (low & -PAGE)
    align = max([PAGE, *(s.align for s in image.load_segments)])
    if process.abi.is_purecap:
        align = max(align, (~representable_mask(size) & (1 << 64) - 1) + 1)
    start = process.space.find_free(size, align, PIE_BASE, MMAP_LOW)
    if start is None:
        start = find_place(process, size, align, 0)
    return start - (low & -PAGE)


def _reserve(process: Process, start: int, limit: int) -> None:
    if process.abi.is_purecap and process.profile.owns_mappings:
        mask = representable_mask(limit - start)
        base = start & mask
        process.reservations[base] = page_up(representable_length(limit - base))


# -- registers -----------------------------------------------------------------------------------------


def _set_registers(pe: Pe, process: Process, started: LoadedImage, stack: StackImage, count: int) -> None:
    entry = started.image.entry + started.bias
    pe.pstate.c64 = bool(entry & 1)
    if not process.abi.is_purecap:
        pe.pcc = USER_ROOT.set_value(entry & ~1)
        pe.data[0] = USER_ROOT
        pe.stack[0] = stack.pointer
        return
    sp = stack.pointer.value
    if process.profile.owns_mappings:
        pcc = image_capability(started, int(Perm.GLOBAL | R | X))
        csp = bounded(int(Perm.GLOBAL | R | W), STACK_TOP - STACK_SIZE, STACK_TOP)
        pe.sysregs.values["CCTLR_EL0"] = CCTLR_SBL
    else:
        pcc = csp = USER_ROOT
    pe.pcc = pcc.set_value(entry & ~1)
    pe.stack[0] = csp.set_value(sp)
    pe.write_x(0, count)
    pe.write_c(1, stack.argv)
    pe.write_c(2, stack.envp)
    pe.write_c(3, stack.auxv)


# -- putting it together -------------------------------------------------------------------------------


def load_program(
    kernel: Kernel, process: Process, program: Program, environment: list[bytes], profile: Profile
) -> Pe:
    """Give `process` (whose space is empty) the program's memory; returns the registers to start with."""
    image = program.image
    process.abi = PURECAP if image.is_purecap else COMPAT64
    process.profile = profile
    process.reservations = {}
    process.images = []
    space = process.space
    main = map_image(space, image, _bias(process, image), program.path)
    process.images.append(main)
    _reserve(process, main.start & -PAGE, page_up(main.limit))
    interpreter = None
    if program.interpreter is not None:
        file = program.interpreter
        interpreter = map_image(space, file.image, _bias(process, file.image), file.path)
        process.images.append(interpreter)
        _reserve(process, interpreter.start & -PAGE, page_up(interpreter.limit))
    heap = page_up(main.limit)
    process.heap = Heap(heap, heap, MMAP_LOW if heap < MMAP_LOW else heap + (1 << 30))
    space.map(Area(STACK_TOP - STACK_SIZE, STACK_TOP, Prot.READ | Prot.WRITE, "[stack]"))
    _reserve(process, STACK_TOP - STACK_SIZE, STACK_TOP)
    _map_trampoline(process)
    process.executable, process.environment = program.path, environment
    process.arguments = program.arguments
    process.name = program.path.rsplit("/", 1)[-1][:15]
    entries = auxiliary_entries(process, main, interpreter)
    stack = build_stack(process, program, environment, entries, kernel.random_bytes(16))
    pe = new_pe(kernel)
    _set_registers(pe, process, interpreter or main, stack, len(program.arguments))
    if image.is_purecap and image.interp is not None and interpreter is None:
        _link(kernel, process, pe)
    return pe


def _link(kernel: Kernel, process: Process, pe: Pe) -> None:
    """The interpreter is not there: the host-side linker does its work, constructors included."""
    from emulator.linux.linking import ProcessLinker

    linker = process.linker = ProcessLinker(kernel, process, pe)
    item = linker.adopt()
    linker.start_main_thread(pe)
    linker.run_constructors(item)


def _map_trampoline(process: Process) -> None:
    area = Area(TRAMPOLINE, TRAMPOLINE + PAGE, Prot.READ | Prot.EXEC, "[vdso]", BytesBacking(TRAMPOLINE_CODE))
    process.space.map(area)
    if process.abi.is_purecap:
        code = bounded(int(Perm.GLOBAL | R | X), TRAMPOLINE, TRAMPOLINE + PAGE)
        process.trampoline = code.with_object_type(ObjectType.RB)
    else:
        process.trampoline = Capability.from_int(TRAMPOLINE)


def execute(task: Task, place: Place, arguments: list[bytes], environment: list[bytes]) -> None:
    """execve: nothing of the old program is touched before the new one is known to be loadable."""
    kernel, process = task.kernel, task.process
    node = place.existing()
    if not node.status().mode & 0o111:
        raise SyscallError(Errno.EACCES)
    fresh = Process(
        pid=process.pid,
        parent=None,
        space=AddressSpace(kernel.pool),
        abi=process.abi,
        profile=process.profile,
        descriptors=process.descriptors,
        cwd=process.cwd,
    )
    try:
        program = find_program(kernel, process, place, arguments)
        pe = load_program(kernel, fresh, program, environment, kernel.options.profile)
    except (UserError, MemoryAbort, SyscallError) as error:
        fresh.space.clear()
        raise error if isinstance(error, SyscallError) else SyscallError(Errno.ENOEXEC) from None
    kernel.remove_other_tasks(task)
    old_engine = task.engine
    kernel.release_space(process)
    for name in _PROGRAM_ATTRIBUTES:
        setattr(process, name, getattr(fresh, name))
    if process.linker is not None:
        process.linker.attach(process)
    process.descriptors.executed()
    process.actions = {n: a for n, a in process.actions.items() if a.is_ignore}
    process.vfork_parent = None
    kernel.replace_registers(task, pe)
    old_engine.request_stop(None)


_PROGRAM_ATTRIBUTES = (
    "space",
    "abi",
    "profile",
    "images",
    "executable",
    "arguments",
    "environment",
    "auxv",
    "name",
    "heap",
    "reservations",
    "trampoline",
    "linker",
    "loader",
)

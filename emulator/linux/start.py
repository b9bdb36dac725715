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
    HWCAP,
    HWCAP2_MORELLO,
    HWCAP3_MORELLO,
    PAGE,
    PURECAP,
    USER_TOP,
    Auxv,
    Profile,
)
from emulator.linux.errors import Errno, SyscallError
from emulator.linux.files import HostNode, Place
from emulator.linux.process import Heap, LoadedImage, Process, Task
from emulator.linux.registers import RETURN_OFFSET, new_pe
from emulator.linux.sys_memory import MMAP_HIGH, MMAP_LOW, OWNER, find_place, page_up
from emulator.linux.sys_system import STACK_SIZE
from emulator.linux.sys_time import TICKS
from emulator.linux.usermem import USER_ROOT
from emulator.memory.address_space import AddressSpace, Area, BytesBacking, Prot
from emulator.state.pe import Pe
from loader.elf import ElfImage, Segment
from loader.elf_constants import PT
from morello_isa.capability import (
    CAP_MAX,
    CAP_NULL,
    Capability,
    representable_length,
    representable_mask,
)
from morello_isa.errors import EXIT_CANNOT_EXECUTE, EXIT_NOT_FOUND, UserError
from morello_isa.permissions import ObjectType, Perm

if TYPE_CHECKING:
    from emulator.linux.kernel import Kernel

R = Perm.LOAD | Perm.LOAD_CAP | Perm.MUTABLE_LOAD
W = Perm.STORE | Perm.STORE_CAP | Perm.STORE_LOCAL_CAP
X = Perm.EXECUTE | Perm.SYSTEM | Perm.EXECUTIVE
BSP = Perm.BRANCH_SEALED_PAIR

PIE_BASE = 0x1000_0000
STACK_TOP = 0xFFFF_FFFF_0000
TRAMPOLINE = 0xFFFF_FFFF_1000
"""The page with the return from signal handlers, and from functions that the host calls."""
TRAMPOLINE_CODE = struct.pack("<II", 0xD2801168, 0xD4000001).ljust(RETURN_OFFSET, b"\0") + struct.pack(
    "<II", 0xD2800008 | 0x4D4E << 5, 0xD4000001
)
"""mov x8, #139; svc #0; mov x8, #0x4d4e; svc #0."""
SCRIPT_DEPTH = 4
PLATFORM = b"aarch64"
MINIMUM_SIGNAL_STACK = {8: 4720, 16: 6144}
SEAL_TYPES = 1 << 15
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


# -- capabilities --------------------------------------------------------------------------------------


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


# -- the stack image -----------------------------------------------------------------------------------


class StackWriter:
    """Writes strings and arrays downwards from the top of the stack."""

    def __init__(self, process: Process) -> None:
        self.space = process.space
        self.pointer = process.abi.pointer
        self.purecap = process.abi.is_purecap
        self.address = STACK_TOP - 16

    def string(self, data: bytes, permissions: int = int(Perm.GLOBAL | Perm.LOAD | Perm.STORE)) -> Capability:
        """NUL-terminated; the capability is exact where that is representable."""
        return self.block(data + b"\0", 1, permissions)

    def block(self, data: bytes, align: int, permissions: int) -> Capability:
        """Raw bytes."""
        self.address = (self.address - len(data)) & -align
        self.space.poke(self.address, data)
        if not self.purecap:
            return Capability.from_int(self.address)
        return bounded(permissions, self.address, self.address + len(data))

    def slots(self, values: list[Capability]) -> int:
        """Store values in consecutive pointer slots ending at the current (16-aligned) address."""
        self.address -= len(values) * self.pointer
        for index, value in enumerate(values):
            at = self.address + index * self.pointer
            if self.purecap:
                self.space.poke_cap(at, value.hi, value.value, value.tag)
            else:
                self.space.poke(at, value.value.to_bytes(8, "little"))
        return self.address


@dataclass(frozen=True, slots=True)
class StackImage:
    """Addresses and capabilities of what was put on the stack."""

    pointer: Capability
    argv: Capability
    envp: Capability
    auxv: Capability


def _integer(value: int) -> Capability:
    return Capability.from_int(value)


def build_stack(
    process: Process,
    program: Program,
    environment: list[bytes],
    entries: dict[Auxv, Capability],
    random: bytes,
) -> StackImage:
    """Fill the stack; `entries` are the auxiliary vector's entries that do not live on the stack."""
    writer = StackWriter(process)
    read_only = int(Perm.GLOBAL | Perm.LOAD)
    entries[Auxv.EXECFN] = writer.string(program.path.encode(errors="surrogateescape"), read_only)
    envp = [writer.string(e) for e in reversed(environment)][::-1]
    argv = [writer.string(a) for a in reversed(program.arguments)][::-1]
    entries[Auxv.PLATFORM] = entries[Auxv.BASE_PLATFORM] = writer.string(PLATFORM, read_only)
    entries[Auxv.RANDOM] = writer.block(random, 16, read_only)
    pointer = writer.pointer
    pad = 4 if process.abi.is_purecap else 0
    count = len(argv) + len(envp) + 3 + 2 * (len(entries) + 1 + pad)
    total = count * pointer
    writer.address &= -16
    start = (writer.address - total) & -16
    argv_at = start + pointer
    envp_at = argv_at + (len(argv) + 1) * pointer
    auxv_at = envp_at + (len(envp) + 1) * pointer
    array = int(Perm.GLOBAL | R | W)
    argv_cap = bounded(array, argv_at, envp_at)
    envp_cap = bounded(array, envp_at, auxv_at)
    if process.abi.is_purecap:
        entries |= {
            Auxv.ARGC: _integer(len(argv)),
            Auxv.ARGV: argv_cap,
            Auxv.ENVC: _integer(len(envp)),
            Auxv.ENVP: envp_cap,
        }
    auxv_end = auxv_at + 2 * (len(entries) + 1) * pointer
    values = [_integer(len(argv)), *argv, CAP_NULL, *envp, CAP_NULL]
    for kind, value in sorted(entries.items(), key=lambda item: item[0].value):
        values += [_integer(kind.value), value]
    values += [CAP_NULL, CAP_NULL]
    writer.address = start + len(values) * pointer
    assert writer.slots(values) == start
    process.auxv = process.space.peek(auxv_at, auxv_end - auxv_at)
    return StackImage(_integer(start), argv_cap, envp_cap, bounded(array, auxv_at, auxv_end))


def auxiliary_entries(
    process: Process, main: LoadedImage, interpreter: LoadedImage | None
) -> dict[Auxv, Capability]:
    """The auxiliary vector but for what lives on the stack."""
    image = main.image
    purecap = process.abi.is_purecap
    phdr = _program_headers(image) + main.bias
    size = image.header.phnum * image.header.phentsize
    hwcap2 = HWCAP2_MORELLO[process.profile] if purecap else 0
    entries = {
        Auxv.PHDR: bounded(int(Perm.GLOBAL | Perm.LOAD), phdr, phdr + size) if purecap else _integer(phdr),
        Auxv.PHENT: _integer(image.header.phentsize),
        Auxv.PHNUM: _integer(image.header.phnum),
        Auxv.PAGESZ: _integer(PAGE),
        Auxv.BASE: _integer(interpreter.bias if interpreter else 0),
        Auxv.FLAGS: _integer(0),
        Auxv.ENTRY: _integer(image.entry + main.bias),
        Auxv.UID: _integer(0),
        Auxv.EUID: _integer(0),
        Auxv.GID: _integer(0),
        Auxv.EGID: _integer(0),
        Auxv.HWCAP: _integer(HWCAP),
        Auxv.HWCAP2: _integer(hwcap2),
        Auxv.CLKTCK: _integer(TICKS),
        Auxv.SECURE: _integer(0),
        Auxv.MINSIGSTKSZ: _integer(MINIMUM_SIGNAL_STACK[process.abi.pointer]),
    }
    if purecap:
        if process.profile is Profile.NEWER:
            entries[Auxv.HWCAP3] = _integer(HWCAP3_MORELLO)
        entries |= _capability_entries(process, main, interpreter)
    return entries


def _program_headers(image: ElfImage) -> int:
    """Unbiased address of the program headers."""
    own = image.segment_of_type(PT.PHDR)
    if own is not None:
        return own.vaddr
    for segment in image.load_segments:
        if segment.offset <= image.header.phoff < segment.offset + segment.filesz:
            return segment.vaddr + image.header.phoff - segment.offset
    return 0


def _capability_entries(
    process: Process, main: LoadedImage, interpreter: LoadedImage | None
) -> dict[Auxv, Capability]:
    """AT_CHERI_*: image-bounded in the full profile, the user root in the transitional one."""
    entry = main.image.entry + main.bias
    root = int(OWNER)
    if not process.profile.owns_mappings:
        exec_rw = exec_rx = USER_ROOT
        interp_rw = interp_rx = USER_ROOT if interpreter else CAP_NULL
        entry_cap = USER_ROOT.set_value(entry)
    else:
        exec_rw = writable_capability(main, int(root | R | W | BSP))
        exec_rx = image_capability(main, int(root | R | X | BSP))
        interp_rw = writable_capability(interpreter, int(root | R | W | BSP)) if interpreter else CAP_NULL
        interp_rx = image_capability(interpreter, int(root | R | X | BSP)) if interpreter else CAP_NULL
        entry_cap = exec_rx.set_value(entry).with_object_type(ObjectType.RB)
    seal = CAP_MAX.set_bounds(SEAL_TYPES, exact=True)
    return {
        Auxv.ENTRY: entry_cap,
        Auxv.CHERI_EXEC_RW_CAP: exec_rw,
        Auxv.CHERI_EXEC_RX_CAP: exec_rx,
        Auxv.CHERI_INTERP_RW_CAP: interp_rw,
        Auxv.CHERI_INTERP_RX_CAP: interp_rx,
        Auxv.CHERI_STACK_CAP: bounded(int(root | R | W), STACK_TOP - STACK_SIZE, STACK_TOP),
        Auxv.CHERI_SEAL_CAP: seal.clear_permissions(~int(Perm.GLOBAL | Perm.SEAL | Perm.UNSEAL)),
        Auxv.CHERI_CID_CAP: CAP_MAX.set_bounds(USER_TOP, exact=True).clear_permissions(
            ~int(Perm.GLOBAL | Perm.COMPARTMENT_ID)
        ),
    }


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

"""The initial stack: strings, argument and environment arrays, auxiliary vector.

Source: facts/abi/pcuabi_linux.md sections 4 and 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.linux.abi import HWCAP, HWCAP2_MORELLO, HWCAP3_MORELLO, PAGE, USER_TOP, Auxv, Profile
from emulator.linux.initial_capabilities import BSP, R, W, X, bounded, image_capability, writable_capability
from emulator.linux.process import LoadedImage, Process
from emulator.linux.sys_memory import OWNER
from emulator.linux.sys_system import STACK_SIZE
from emulator.linux.sys_time import TICKS
from emulator.linux.usermem import USER_ROOT
from loader.elf import ElfImage
from loader.elf_constants import PT
from morello_isa.capability import CAP_MAX, CAP_NULL, Capability
from morello_isa.permissions import ObjectType, Perm

if TYPE_CHECKING:
    from emulator.linux.start import Program

STACK_TOP = 0xFFFF_FFFF_0000
PLATFORM = b"aarch64"
MINIMUM_SIGNAL_STACK = {8: 4720, 16: 6144}
SEAL_TYPES = 1 << 15


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

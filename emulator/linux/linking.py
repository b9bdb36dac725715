"""The host-side dynamic linker at work in a process: its view of guest memory, and calls into the guest.

Used for dynamic purecap programs whose interpreter the guest can't see, and by the loader service
(`sys_loader.py`, docs/loader-service.md) for static programs that open libraries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from emulator.faults import MemoryAbort
from emulator.linux.errors import SyscallError
from emulator.linux.files import HostNode
from emulator.linux.process import LoadedImage, Process, Task
from emulator.linux.registers import RETURN_OFFSET, copy_pe
from emulator.linux.sys_memory import find_place, page_up
from emulator.linux.usermem import USER_ROOT
from emulator.memory.address_space import Area, Prot
from loader.capabilities import Roots
from loader.dl_service import DlService
from loader.dynamic import DynamicLinker
from loader.library_path import LibraryPath
from loader.loaded import GuestMemoryError, LoadedObject
from morello_isa.capability import CAP_NULL, Capability, representable_length
from morello_isa.errors import EXIT_CANNOT_EXECUTE, UserError
from morello_isa.permissions import ObjectType

if TYPE_CHECKING:
    from emulator.linux.kernel import Kernel
    from emulator.state.pe import Pe


class SpaceMemory:
    """`loader.loaded.GuestMemory` on a process's address space."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def attach(self, process: Process) -> None:
        """See `ProcessLinker.attach`."""
        self._process = process

    def reserve(self, size: int, alignment: int, address: int | None) -> int:
        """See `GuestMemory.reserve`."""
        process = self._process
        size = page_up(size)
        try:
            start = find_place(process, size, alignment, address or 0)
        except SyscallError:
            raise UserError(
                f"there is no room for {size} bytes in the program's memory", EXIT_CANNOT_EXECUTE
            ) from None
        if process.profile.owns_mappings:
            process.reservations[start] = page_up(representable_length(size))
        process.space.map(Area(start, start + size, Prot.NONE))
        return start

    def map(self, address: int, size: int, flags: int) -> None:
        """See `GuestMemory.map`."""
        self._process.space.map(Area(address, address + page_up(size), _prot(flags)))

    def protect(self, address: int, size: int, flags: int) -> None:
        """See `GuestMemory.protect`."""
        self._process.space.protect(address, address + page_up(size), _prot(flags))

    def release(self, address: int, size: int) -> None:
        """See `GuestMemory.release`."""
        self._process.space.unmap(address, address + page_up(size))
        self._process.reservations.pop(address, None)

    def read(self, address: int, size: int) -> bytes:
        """See `GuestMemory.read`."""
        try:
            return self._process.space.peek(address, size)
        except MemoryAbort as abort:
            raise GuestMemoryError(f"nothing is mapped at {abort.address:#x}") from None

    def write(self, address: int, data: bytes) -> None:
        """See `GuestMemory.write`."""
        try:
            self._process.space.poke(address, data)
        except MemoryAbort as abort:
            raise GuestMemoryError(f"nothing is mapped at {abort.address:#x}") from None

    def read_capability(self, address: int) -> Capability:
        """See `GuestMemory.read_capability`."""
        try:
            hi, lo, tag = self._process.space.peek_cap(address)
        except MemoryAbort as abort:
            raise GuestMemoryError(f"nothing is mapped at {abort.address:#x}") from None
        return Capability(tag, hi, lo)

    def write_capability(self, address: int, capability: Capability) -> None:
        """See `GuestMemory.write_capability`."""
        try:
            self._process.space.poke_cap(address, capability.hi, capability.value, capability.tag)
        except MemoryAbort as abort:
            raise GuestMemoryError(f"nothing is mapped at {abort.address:#x}") from None


def _prot(flags: int) -> Prot:
    """ELF segment flags as page permissions."""
    return Prot(
        (Prot.READ if flags & 4 else 0) | (Prot.WRITE if flags & 2 else 0) | (Prot.EXEC if flags & 1 else 0)
    )


class GuestCaller:
    """Runs guest functions for the linker (IFUNC resolvers, constructors) to their return.

    A call has registers of its own: a copy of `template` (the thread that asked, or the fresh registers of
    a program that has not started) with the arguments and a return capability filled in.
    """

    def __init__(self, kernel: Kernel, process: Process) -> None:
        self._kernel = kernel
        self._process = process
        self.template: Pe | None = None

    def attach(self, process: Process) -> None:
        """See `ProcessLinker.attach`."""
        self._process = process

    def call(self, function: Capability, arguments: Sequence[Capability]) -> Capability:
        """See `loader.dynamic.GuestCalls`. UserError when the function doesn't come back."""
        if self.template is None:
            raise UserError("guest code can't be called before the program is loaded", EXIT_CANNOT_EXECUTE)
        pe = copy_pe(self.template)
        pe.instructions = 0
        for index, value in enumerate(arguments):
            pe.write_c(index, value)
        home = self._process.trampoline.unsealed()
        pe.write_c(30, home.set_value(home.value + RETURN_OFFSET).with_object_type(ObjectType.RB))
        target = function.unsealed() if function.otype == ObjectType.RB else function
        pe.pcc = target.set_value(target.value & ~1)
        pe.pstate.c64 = bool(target.value & 1)
        task = Task(self._kernel, self._process, self._kernel.new_pid(), pe)
        return self._kernel.run_call(task)


class ProcessLinker:
    """The dynamic linker of one process, and the dl* services on it."""

    def __init__(self, kernel: Kernel, process: Process, template: Pe | None = None) -> None:
        self._kernel = kernel
        self._process = process
        self.memory = SpaceMemory(process)
        self.calls = GuestCaller(kernel, process)
        self.calls.template = template
        self.root = USER_ROOT
        paths = LibraryPath(self._read, self._environment(), kernel.options.library_path)
        self.linker = DynamicLinker(self.memory, Roots(USER_ROOT, USER_ROOT), paths, self.calls)
        self.service = DlService(self.linker)

    def attach(self, process: Process) -> None:
        """execve: the program was loaded into a process object of its own; it belongs to `process` now."""
        self._process = process
        self.memory.attach(process)
        self.calls.attach(process)

    def _environment(self) -> list[str]:
        for item in self._process.environment:
            name, _, value = item.partition(b"=")
            if name == b"LD_LIBRARY_PATH":
                return [part for part in value.decode(errors="surrogateescape").split(":") if part]
        return []

    def _read(self, path: str) -> bytes | None:
        """A file of the granted view; None when the guest can't see it."""
        kernel, process = self._kernel, self._process
        try:
            node = kernel.view.walk(path, process.cwd, True, kernel.synthetic(process)).node
            return node.read() if isinstance(node, HostNode) else None
        except SyscallError:
            return None

    def adopt(self) -> LoadedObject:
        """Take over the program that is mapped already, with what it needs."""
        main = self._process.images[0]
        item = self.linker.adopt_program(main.image, main.path, main.bias)
        self.note_images()
        return item

    def note_images(self) -> None:
        """Let the process know newly loaded objects (names in /proc and explanations)."""
        known = {(image.path, image.bias) for image in self._process.images}
        for namespace in self.linker.namespaces:
            for item in namespace.objects:
                if (item.path, item.bias) not in known:
                    self._process.images.append(LoadedImage(item.image, item.bias, item.path))
                    self._process.space.rename(item.start, page_up(item.end), item.path)

    def start_main_thread(self, pe: Pe) -> None:
        """Thread-local storage of the first thread: CTPIDR points at the block."""
        tls = self.linker.tls
        size = tls.block_size()
        start = self.memory.reserve(page_up(representable_length(size)), max(tls.alignment, 4096), None)
        self.memory.map(start, page_up(size), 6)
        tls.start_thread(start, self.memory)
        block = USER_ROOT.set_value(start).set_bounds(representable_length(size), exact=True)
        pe.sysregs.capabilities["CTPIDR_EL0"] = block.clear_permissions(~_DATA)

    def run_constructors(self, item: LoadedObject) -> None:
        """Call what must run before the program's entry."""
        for function in self.linker.constructors(item):
            self.calls.call(function, [CAP_NULL] * 4)


_DATA = 0x37041
"""Load, Store, LoadCap, StoreCap, StoreLocalCap, MutableLoad, Global."""

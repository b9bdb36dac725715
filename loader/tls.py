"""Thread-local storage, variant 1: TP points at a 32-byte TCB, the modules' blocks follow.

Every module lives in the static block; libraries opened later use its surplus, so that one descriptor
resolver (TP + offset, bounded) serves all.
"""

from __future__ import annotations

from loader.link.model import align_up
from loader.loaded import GuestMemory, LoadedObject, TlsModule
from morello_isa.errors import EXIT_CANNOT_EXECUTE, UserError

TCB_SIZE = 32
SURPLUS = 0x4000


class TlsLayout:
    """Gives modules their place; knows the threads so that late modules reach them, too."""

    def __init__(self) -> None:
        self.used = TCB_SIZE
        self.alignment = 64
        """Of TP, in bytes; libraries that come late can't ask for more."""
        self.limit: int | None = None
        """Size of the static block once threads exist."""
        self._modules: list[TlsModule] = []
        self._threads: list[int] = []

    def add(self, item: LoadedObject, memory: GuestMemory) -> None:
        """Place the object's PT_TLS; UserError 126 when the surplus is used up."""
        segment = item.image.tls
        if segment is None:
            return
        align = max(segment.align, 1)
        offset = align_up(self.used, align)
        if self.limit is not None and (offset + segment.memsz > self.limit or align > self.alignment):
            text = f"{item.path} needs {segment.memsz} bytes of thread-local storage, which are not left"
            raise UserError(text, EXIT_CANNOT_EXECUTE)
        self.alignment = max(self.alignment, align)
        self.used = offset + segment.memsz
        template = item.image.data[segment.offset : segment.offset + segment.filesz]
        item.tls = TlsModule(len(self._modules) + 1, offset, segment.memsz, template)
        self._modules.append(item.tls)
        for thread in self._threads:
            self._fill(item.tls, thread, memory)

    def block_size(self) -> int:
        """Bytes to allocate per thread, from TP on; fixes the surplus."""
        if self.limit is None:
            self.limit = align_up(self.used + SURPLUS, 16)
        return self.limit

    def start_thread(self, thread_pointer: int, memory: GuestMemory) -> None:
        """Initialise the zero-filled block of a new thread (`block_size()` bytes at TP)."""
        self.block_size()
        self._threads.append(thread_pointer)
        for module in self._modules:
            self._fill(module, thread_pointer, memory)

    def end_thread(self, thread_pointer: int) -> None:
        """Forget a thread's block."""
        self._threads.remove(thread_pointer)

    @staticmethod
    def _fill(module: TlsModule, thread_pointer: int, memory: GuestMemory) -> None:
        start = thread_pointer + module.offset
        if module.template:
            memory.write(start, module.template)
        rest = module.size - len(module.template)
        if rest:
            memory.write(start + len(module.template), bytes(rest))

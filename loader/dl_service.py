"""dlopen, dlsym, dlclose, dladdr, dlerror, dlmopen on top of `DynamicLinker`, as the guest calls them.

Process mode calls `handle` for the private numbers of `runtime_code`; constructors and destructors run in
the guest through `GuestCalls`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loader.capabilities import READ_ONLY, derive
from loader.dynamic import Definition, DynamicLinker, Namespace
from loader.elf_constants import PF_R, PF_W
from loader.loaded import PAGE, GuestMemoryError, LoadedObject
from loader.runtime_code import SERVICE_NUMBERS
from morello_isa.capability import CAP_NULL, Capability
from morello_isa.errors import UserError
from morello_isa.permissions import Perm

RTLD_GLOBAL = 0x100
RTLD_NOLOAD = 4
RTLD_DEFAULT, RTLD_NEXT = 0, (1 << 64) - 1
LM_ID_BASE, LM_ID_NEWLM = 0, (1 << 64) - 1

_NUMBER_TO_NAME = {number: name for name, number in SERVICE_NUMBERS.items()}


@dataclass(slots=True)
class _Handle:
    item: LoadedObject
    namespace: Namespace


class DlError(Exception):
    """What dlerror reports."""


class DlService:
    """The services of one process. Handles are small integers in a null-derived capability."""

    def __init__(self, linker: DynamicLinker) -> None:
        self.linker = linker
        self._handles: dict[int, _Handle] = {}
        self._error: str | None = None
        self._strings: dict[str, Capability] = {}
        self._free: tuple[int, int] = (0, 0)

    # --- as the guest calls it ------------------------------------------------------------------------

    def handle(self, number: int, arguments: Sequence[Capability], caller: int) -> Capability:
        """One private system call: arguments c0..c2, the address that called; the result for c0.

        Never raises for what a guest can do wrong: the text goes to dlerror.
        """
        name = _NUMBER_TO_NAME[number]
        services: dict[str, Callable[[Sequence[Capability], int], Capability]] = {
            "dlopen": self._guest_dlopen,
            "dlsym": self._guest_dlsym,
            "dlvsym": self._guest_dlsym,
            "dlclose": self._guest_dlclose,
            "dlerror": self._guest_dlerror,
            "dladdr": self._guest_dladdr,
            "dlmopen": self._guest_dlmopen,
        }
        try:
            return services[name](arguments, caller)
        except (DlError, UserError) as error:
            self._error = str(error)
            return Capability.from_int((1 << 64) - 1) if name == "dlclose" else CAP_NULL
        except GuestMemoryError:
            self._error = f"{name}: an argument points to memory that is not there"
            return Capability.from_int((1 << 64) - 1) if name == "dlclose" else CAP_NULL

    def _guest_dlopen(self, arguments: Sequence[Capability], caller: int) -> Capability:
        name = self._text(arguments[0]) if arguments[0].tag else None
        return Capability.from_int(self.dlopen(name, arguments[1].value, caller))

    def _guest_dlmopen(self, arguments: Sequence[Capability], caller: int) -> Capability:
        identifier = arguments[0].value
        namespaces = self.linker.namespaces
        if identifier == LM_ID_NEWLM:
            namespace = self.linker.new_namespace()
        elif identifier < len(namespaces):
            namespace = namespaces[identifier]
        else:
            raise DlError(f"dlmopen: there is no namespace {identifier}")
        name = self._text(arguments[1])
        return Capability.from_int(self.dlopen(name, arguments[2].value, caller, namespace))

    def _guest_dlsym(self, arguments: Sequence[Capability], caller: int) -> Capability:
        version = self._text(arguments[2]) if len(arguments) > 2 and arguments[2].tag else None
        return self.dlsym(arguments[0].value, self._text(arguments[1]), caller, version)

    def _guest_dlclose(self, arguments: Sequence[Capability], _caller: int) -> Capability:
        self.dlclose(arguments[0].value)
        return Capability.from_int(0)

    def _guest_dlerror(self, _arguments: Sequence[Capability], _caller: int) -> Capability:
        text, self._error = self._error, None
        return self._string(text) if text is not None else CAP_NULL

    def _guest_dladdr(self, arguments: Sequence[Capability], _caller: int) -> Capability:
        """Fills Dl_info {dli_fname, dli_fbase, dli_sname, dli_saddr}: four capabilities."""
        found = self.dladdr(arguments[0].value)
        if found is None:
            return Capability.from_int(0)
        item, definition = found
        info = arguments[1]
        is_usable = info.tag and not info.is_sealed and info.has(Perm.STORE | Perm.STORE_CAP)
        if not is_usable or not info.in_bounds(info.value, 64) or info.value % 16:
            raise DlError("dladdr: the result buffer can't hold four capabilities")
        low = item.start
        base = derive(self.linker.roots.rw, low, item.end - low, low, READ_ONLY)
        name, address = CAP_NULL, CAP_NULL
        if definition is not None:
            name = self._string(definition.symbol.name)
            address = self.linker.capability_of(definition)
        for i, value in enumerate((self._string(item.path), base, name, address)):
            self.linker.memory.write_capability(info.value + 16 * i, value)
        return Capability.from_int(1)

    # --- the services ---------------------------------------------------------------------------------

    def dlopen(self, name: str | None, flags: int, caller: int, namespace: Namespace | None = None) -> int:
        """Handle of a library (of the program itself for None); DlError or UserError when it can't be had."""
        from_object = self.linker.object_at(caller)
        if namespace is None:
            namespace = self._namespace_of(from_object)
        if name is None:
            item = namespace.objects[0]
        elif flags & RTLD_NOLOAD:
            present = namespace.find(name)
            if present is None:
                raise DlError(f"{name} is not loaded")
            item = present
            item.reference_count += 1
        else:
            item = self.linker.open(name, namespace, from_object, bool(flags & RTLD_GLOBAL))
            self._call_all(self.linker.constructors(item))
        number = len(self._handles) + 1
        self._handles[number] = _Handle(item, namespace)
        return number

    def dlsym(self, handle: int, name: str, caller: int = 0, version: str | None = None) -> Capability:
        """A symbol by handle, or by RTLD_DEFAULT / RTLD_NEXT; DlError when there is none."""
        definition = self.linker.resolve(name, version, self._scope(handle, caller))
        if definition is None:
            service = self.linker.code.service(name) if handle == RTLD_DEFAULT else None
            if service is None:
                raise DlError(f"undefined symbol: {name}")
            return service
        return self.linker.capability_of(definition)

    def dlclose(self, handle: int) -> None:
        """Drop a reference; the last one runs the finalisers."""
        found = self._handles.pop(handle, None)
        if found is None:
            raise DlError(f"dlclose: {handle} is not a handle")
        self._call_all(self.linker.close(found.item, found.namespace))

    def dladdr(self, address: int) -> tuple[LoadedObject, Definition | None] | None:
        """Object and nearest exported symbol at an address."""
        item = self.linker.object_at(address)
        if item is None:
            return None
        unbiased = address - item.bias
        best = None
        for symbol in (s for symbols in item.by_name.values() for s in symbols):
            if symbol.address <= unbiased and (best is None or symbol.address > best.address):
                best = symbol
        return item, Definition(item, best) if best is not None else None

    # --- helpers --------------------------------------------------------------------------------------

    def _namespace_of(self, item: LoadedObject | None) -> Namespace:
        for namespace in self.linker.namespaces:
            if item in namespace.objects:
                return namespace
        return self.linker.base

    def _scope(self, handle: int, caller: int) -> list[LoadedObject]:
        from_object = self.linker.object_at(caller)
        namespace = self._namespace_of(from_object)
        if handle == RTLD_DEFAULT:
            return namespace.global_scope
        if handle == RTLD_NEXT:
            order = namespace.objects
            return order[order.index(from_object) + 1 :] if from_object in order else order
        found = self._handles.get(handle)
        if found is None:
            raise DlError(f"dlsym: {handle} is not a handle")
        if found.item is found.namespace.objects[0]:
            return found.namespace.global_scope
        return self.linker.closure(found.item)

    def _call_all(self, functions: Sequence[Capability]) -> None:
        for function in functions:
            if self.linker.calls is None:
                raise DlError("constructors can't be called before the guest runs")
            self.linker.calls.call(function, [])

    def _text(self, pointer: Capability) -> str:
        """A guest string of at most a page, read within the pointer's bounds."""
        if not pointer.tag or pointer.is_sealed or not pointer.has(Perm.LOAD):
            raise DlError("a name is not a valid pointer")
        text = b""
        address, end = pointer.value, min(pointer.limit, pointer.value + PAGE)
        while address < end and b"\0" not in text:
            following = min(end, (address | 63) + 1)
            text += self.linker.memory.read(address, following - address)
            address = following
        if b"\0" not in text:
            raise DlError("a name is not terminated")
        return text.split(b"\0", 1)[0].decode("utf-8", "replace")

    def _string(self, text: str) -> Capability:
        """A read-only copy of a string in guest memory, kept for the life of the process."""
        found = self._strings.get(text)
        if found is None:
            data = text.encode() + b"\0"
            address = self._allocate(len(data))
            self.linker.memory.write(address, data)
            found = derive(self.linker.roots.rw, address, len(data), address, READ_ONLY)
            self._strings[text] = found
        return found

    def _allocate(self, size: int) -> int:
        address, room = self._free
        if size > room:
            room = (size + PAGE - 1) & -PAGE
            address = self.linker.memory.reserve(room, PAGE, None)
            self.linker.memory.map(address, room, PF_R | PF_W)
        self._free = (address + size, room - size)
        return address

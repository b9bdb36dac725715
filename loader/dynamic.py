"""A dynamic linker that runs on the host: finds libraries, binds symbols, relocates, orders constructors.

For dynamic executables whose interpreter is not in the guest's file system, and the reference for the
loader written in C that runs in the guest. It touches the guest only through `GuestMemory` and `GuestCalls`.

    linker = DynamicLinker(memory, roots, LibraryPath(host_files(root)), calls)
    program = linker.load_program(image, "/app")
    for function in linker.constructors(program): …call it in the guest…
"""

from __future__ import annotations

import posixpath
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from loader import elf_constants as ec
from loader.capabilities import READ_ONLY, READ_WRITE, Roots, code_pointer, derive, from_code
from loader.elf import ElfImage, Relocation, Symbol
from loader.elf_constants import DT
from loader.fragments import Fragment
from loader.library_path import LibraryPath
from loader.loaded import GuestMemory, GuestMemoryError, LoadedObject, footprint, map_image, protect_relro
from loader.relocations import DYNAMIC, DynamicRelocation, Recipe, name_of
from loader.runtime_code import RuntimeCode
from loader.tls import TlsLayout
from morello_isa.capability import CAP_NULL, Capability
from morello_isa.errors import EXIT_CANNOT_EXECUTE, EXIT_NOT_FOUND, UserError


class GuestCalls(Protocol):
    """Runs guest code for the loader."""

    def call(self, function: Capability, arguments: Sequence[Capability]) -> Capability:
        """Call a function of the guest to its return; the result is c0."""


@dataclass(slots=True)
class Namespace:
    """Objects that see each other; dlmopen makes new ones."""

    objects: list[LoadedObject] = field(default_factory=list)
    global_scope: list[LoadedObject] = field(default_factory=list)

    def find(self, name: str) -> LoadedObject | None:
        """A loaded object by DT_SONAME, file name or path."""
        for item in self.objects:
            if name in (item.name, item.path, posixpath.basename(item.path)):
                return item
        return None


@dataclass(frozen=True, slots=True)
class Definition:
    """Where a symbol is bound."""

    item: LoadedObject
    symbol: Symbol


class DynamicLinker:
    """All loaded objects of one process."""

    def __init__(
        self, memory: GuestMemory, roots: Roots, library_path: LibraryPath, calls: GuestCalls | None = None
    ) -> None:
        self.memory = memory
        self.roots = roots
        self.library_path = library_path
        self.calls = calls
        self.tls = TlsLayout()
        self.base = Namespace()
        self.namespaces = [self.base]
        self.code = RuntimeCode(memory, roots)
        self._recipes: dict[Recipe, Callable[[_Slot], None]] = {
            Recipe.SYMBOL_CAPABILITY: self._symbol_capability,
            Recipe.FUNCTION_CAPABILITY: self._symbol_capability,
            Recipe.FRAGMENT_CAPABILITY: self._fragment_capability,
            Recipe.RESOLVER_CAPABILITY: self._resolver_capability,
            Recipe.TLS_DESCRIPTOR: self._tls_descriptor,
            Recipe.TLS_OFFSET_SIZE: self._tls_offset_size,
            Recipe.SYMBOL_ADDRESS: self._symbol_address,
            Recipe.BIASED_ADDRESS: self._biased_address,
            Recipe.TLS_MODULE: self._tls_module,
            Recipe.TLS_MODULE_OFFSET: self._tls_module_offset,
            Recipe.TLS_OFFSET: self._tls_offset,
            Recipe.COPY: self._copy,
        }

    # --- loading ------------------------------------------------------------------------------------

    def load_program(self, image: ElfImage, path: str) -> LoadedObject:
        """Map a program with everything it needs and relocate all of it."""
        return self.load(image, path, self.base, is_global=True)

    def adopt_program(self, image: ElfImage, path: str, bias: int) -> LoadedObject:
        """Like `load_program` for an image that the caller has mapped already."""
        item = LoadedObject(image, path, posixpath.basename(path), bias, reference_count=1)
        return self._load_all(item, self.base, is_global=True)

    def load(self, image: ElfImage, path: str, namespace: Namespace, is_global: bool) -> LoadedObject:
        """Map an object and its dependencies into a namespace, relocate the new ones."""
        item = self._map(image, path)
        return self._load_all(item, namespace, is_global)

    def open(
        self, name: str, namespace: Namespace, caller: LoadedObject | None, is_global: bool
    ) -> LoadedObject:
        """dlopen: an object that is already there, or found in the search path."""
        item = namespace.find(name)
        if item is None:
            path, image = self._find(name, caller)
            item = self.load(image, path, namespace, is_global)
        elif is_global:
            _extend(namespace.global_scope, self.closure(item))
        item.reference_count += 1
        return item

    def _load_all(self, item: LoadedObject, namespace: Namespace, is_global: bool) -> LoadedObject:
        first_new = len(namespace.objects)
        namespace.objects.append(item)
        try:
            self._load_dependencies(namespace, first_new)
            for new in namespace.objects[first_new:]:
                self.tls.add(new, self.memory)
            scope = self.closure(item)
            if is_global:
                _extend(namespace.global_scope, scope)
            for new in namespace.objects[first_new:]:
                new.scope = scope
            for new in reversed(namespace.objects[first_new:]):
                self.relocate(new, namespace)
        except UserError:
            for new in namespace.objects[first_new:]:
                if new in namespace.global_scope:
                    namespace.global_scope.remove(new)
                self._unmap(new)
            del namespace.objects[first_new:]
            raise
        return item

    def _load_dependencies(self, namespace: Namespace, first: int) -> None:
        """Breadth first, so that the order of objects is the lookup order."""
        position = first
        while position < len(namespace.objects):
            item = namespace.objects[position]
            position += 1
            for name in item.image.needed:
                needed = namespace.find(name)
                if needed is None:
                    path, image = self._find(name, item)
                    needed = self._map(image, path)
                    namespace.objects.append(needed)
                item.dependencies.append(needed)

    def _find(self, name: str, caller: LoadedObject | None) -> tuple[str, ElfImage]:
        info = caller.image.dynamic if caller is not None else None
        origin = posixpath.dirname(caller.path) if caller is not None else "/"
        rpath, runpath = (info.rpath, info.runpath) if info is not None else (None, None)
        found = self.library_path.find(name, rpath, runpath, origin)
        if found is None:
            who = f"{caller.image.name} needs {name}" if caller is not None else name
            places = "" if "/" in name else f" in {self.library_path.describe()}"
            raise UserError(f"{who}, not found{places}", EXIT_NOT_FOUND)
        path, data = found
        image = ElfImage.from_bytes(data, path)
        if image.header.type != ec.ET_DYN or image.dynamic is None:
            raise UserError(f"{path} is not a shared library", EXIT_CANNOT_EXECUTE)
        if caller is not None and image.is_purecap != caller.image.is_purecap:
            kind = "purecap" if image.is_purecap else "not purecap"
            raise UserError(f"{path} is {kind}, unlike {caller.image.name}", EXIT_CANNOT_EXECUTE)
        return path, image

    def _map(self, image: ElfImage, path: str) -> LoadedObject:
        bias = map_image(image, self.memory)
        soname = image.dynamic.soname if image.dynamic is not None else None
        return LoadedObject(image, path, soname or posixpath.basename(path), bias)

    def _unmap(self, item: LoadedObject) -> None:
        self.memory.release(item.start, footprint(item.image)[0])

    def close(self, item: LoadedObject, namespace: Namespace) -> list[Capability]:
        """dlclose: the finalisers to call; the memory stays mapped (as in musl), so pointers keep working."""
        item.reference_count -= 1
        if item.reference_count > 0 or item not in namespace.objects or not item.is_initialised:
            return []
        item.is_initialised = False
        return self._array(item, DT.FINI_ARRAY, DT.FINI_ARRAYSZ)[::-1]

    def closure(self, item: LoadedObject) -> list[LoadedObject]:
        """The object and its dependencies, breadth first."""
        found = [item]
        for current in found:
            found.extend(d for d in current.dependencies if d not in found)
        return found

    # --- symbols ------------------------------------------------------------------------------------

    def resolve(self, name: str, version: str | None, scope: Sequence[LoadedObject]) -> Definition | None:
        """The first definition in a scope."""
        for item in scope:
            symbol = item.lookup(name, version)
            if symbol is not None:
                return Definition(item, symbol)
        return None

    def _bind(self, slot: _Slot) -> Definition | None:
        """The definition a relocation refers to; None for undefined weak. UserError 127 when missing."""
        item, symbol = slot.item, slot.symbol
        if symbol is None:
            raise self._broken(
                item, f"{slot.row.name} names symbol {slot.relocation.symbol}, which does not exist"
            )
        if symbol.binding == ec.STB_LOCAL or (symbol.visibility != ec.STV_DEFAULT and symbol.is_defined):
            return Definition(item, symbol) if symbol.is_defined else None
        info = item.image.dynamic
        is_symbolic = info is not None and (DT.SYMBOLIC in info.tags or info.get(DT.FLAGS) & ec.DF_SYMBOLIC)
        name, version = symbol.name, symbol.version
        found = self.resolve(name, version, [item]) if is_symbolic else None
        found = found or self.resolve(name, version, slot.namespace.global_scope)
        found = found or self.resolve(name, version, item.scope)
        if found is not None:
            return found
        if symbol.binding == ec.STB_WEAK:
            return None
        raise _UndefinedError(item, symbol)

    def capability_of(self, found: Definition) -> Capability:
        """What dlsym returns: sentry for functions, exact bounds for objects (null for TLS symbols)."""
        symbol, item = found.symbol, found.item
        if symbol.type == ec.STT_GNU_IFUNC:
            base, length = item.code_bounds
            resolver = code_pointer(self.roots.rx, base, length, symbol.value + item.bias)
            return self._call_resolver(resolver)
        return self._pointer(item, symbol, 0)

    def _pointer(self, item: LoadedObject, symbol: Symbol, addend: int) -> Capability:
        address = symbol.value + item.bias + addend
        if symbol.is_function:
            base, length = item.code_bounds
            return code_pointer(self.roots.rx, base, length, address)
        start = symbol.value + item.bias
        if symbol.shndx == ec.SHN_ABS:
            return Capability.from_int(symbol.value + addend)
        writable = symbol.type != ec.STT_NOTYPE and item.is_writable(start)
        permissions = READ_WRITE if writable else READ_ONLY
        return derive(self.roots.rw, start, symbol.size, address, permissions)

    # --- relocation ---------------------------------------------------------------------------------

    def relocate(self, item: LoadedObject, namespace: Namespace) -> None:
        """Apply all dynamic relocations of one object, IRELATIVE last, then protect RELRO."""
        if item.image.dynamic is None:
            return
        postponed: list[_Slot] = []
        symbols = item.image.dynamic_symbols
        for relocation in item.image.relocations:
            row = DYNAMIC.get(relocation.type)
            if row is None:
                where = f"at {relocation.offset:#x}"
                raise self._broken(item, f"{name_of(relocation.type)} {where} is not a dynamic relocation")
            if row.number == 0:
                continue
            symbol = symbols[relocation.symbol] if relocation.symbol < len(symbols) else None
            slot = _Slot(item, namespace, row, relocation, symbol)
            self._check_slot(slot)
            if row.recipe in (Recipe.RESOLVER_CAPABILITY, Recipe.RESOLVER_ADDRESS):
                postponed.append(slot)
                continue
            self._apply(slot)
        for slot in postponed:
            self._apply(slot)
        protect_relro(item.image, item.bias, self.memory)

    def _apply(self, slot: _Slot) -> None:
        handler = self._recipes.get(slot.row.recipe)
        if handler is None:
            raise self._broken(slot.item, f"{slot.row.name} is not supported")
        try:
            handler(slot)
        except _UndefinedError as error:
            fallback = self._fallback(slot, error.symbol)
            if fallback is None:
                raise error.as_user_error() from None
            self.memory.write_capability(slot.address, fallback)
        except GuestMemoryError:
            where = f"{slot.row.name} at {slot.relocation.offset:#x}"
            raise self._broken(slot.item, f"{where} is not in a mapped segment") from None

    def _fallback(self, slot: _Slot, symbol: Symbol) -> Capability | None:
        return self.code.service(symbol.name) if slot.row.is_capability else None

    def _check_slot(self, slot: _Slot) -> None:
        relocation = slot.relocation
        low, high = slot.item.image.span()
        if not low <= relocation.offset or relocation.offset + slot.row.slot > high:
            raise self._broken(slot.item, f"{slot.row.name} at {relocation.offset:#x} is outside the image")
        if slot.row.slot >= 16 and slot.address % 16:
            raise self._broken(slot.item, f"{slot.row.name} at {relocation.offset:#x} is not 16-byte aligned")

    @staticmethod
    def _broken(item: LoadedObject, reason: str) -> UserError:
        return UserError(f"{item.image.name} can't be relocated: {reason}", EXIT_CANNOT_EXECUTE)

    # --- one handler per recipe -----------------------------------------------------------------------

    def _symbol_capability(self, slot: _Slot) -> None:
        found = self._bind(slot)
        if found is None:
            capability = CAP_NULL.add(slot.relocation.addend)
        elif found.symbol.type == ec.STT_GNU_IFUNC:
            capability = self.capability_of(found)
        else:
            capability = self._pointer(found.item, found.symbol, slot.relocation.addend)
        self.memory.write_capability(slot.address, capability)

    def _from_fragment(self, slot: _Slot) -> Capability:
        fragment = Fragment.unpack(self.memory.read(slot.address, 16))
        base, length = fragment.address + slot.item.bias, fragment.length
        address = base + slot.relocation.addend
        if fragment.is_executable and length == 0:
            base, length = slot.item.code_bounds
        return from_code(self.roots, fragment.permission, base, length, address)

    def _fragment_capability(self, slot: _Slot) -> None:
        self.memory.write_capability(slot.address, self._from_fragment(slot))

    def _resolver_capability(self, slot: _Slot) -> None:
        self.memory.write_capability(slot.address, self._call_resolver(self._from_fragment(slot)))

    def _call_resolver(self, resolver: Capability) -> Capability:
        if self.calls is None:
            raise UserError("an IFUNC resolver can't be called before the guest runs", EXIT_CANNOT_EXECUTE)
        return self.calls.call(resolver, [CAP_NULL] * 8)

    def _tls_place(self, slot: _Slot) -> tuple[int, int]:
        """(offset from TP, size) of the variable; symbol 0 means the object's own block."""
        item, symbol = slot.item, slot.symbol
        offset, size = slot.relocation.addend, 0
        if slot.relocation.symbol:
            found = self._bind(slot)
            if found is None:
                return 0, 0
            item, symbol = found.item, found.symbol
            offset, size = offset + symbol.value, symbol.size
        if item.tls is None:
            raise self._broken(slot.item, f"{slot.row.name} refers to {item.path}, which has no TLS segment")
        return item.tls.offset + offset, size

    def _tls_descriptor(self, slot: _Slot) -> None:
        hint = struct.unpack("<Q", self.memory.read(slot.address + 24, 8))[0]
        offset, size = self._tls_place(slot)
        self.memory.write_capability(slot.address, self.code.tls_resolver())
        self._write_pair(slot.address + 16, offset, size or hint)

    def _tls_offset_size(self, slot: _Slot) -> None:
        hint = struct.unpack("<Q", self.memory.read(slot.address + 8, 8))[0]
        offset, size = self._tls_place(slot)
        self._write_pair(slot.address, offset, size or hint)

    def _tls_offset(self, slot: _Slot) -> None:
        self._write64(slot.address, self._tls_place(slot)[0])

    def _tls_module(self, slot: _Slot) -> None:
        found = self._bind(slot) if slot.relocation.symbol else None
        item = found.item if found is not None else slot.item
        self._write64(slot.address, item.tls.module_id if item.tls is not None else 0)

    def _tls_module_offset(self, slot: _Slot) -> None:
        found = self._bind(slot) if slot.relocation.symbol else None
        value = found.symbol.value if found is not None else 0
        self._write64(slot.address, value + slot.relocation.addend)

    def _symbol_address(self, slot: _Slot) -> None:
        found = self._bind(slot)
        value = found.symbol.value + found.item.bias if found is not None else 0
        self._write64(slot.address, value + slot.relocation.addend)

    def _biased_address(self, slot: _Slot) -> None:
        self._write64(slot.address, slot.item.bias + slot.relocation.addend)

    def _copy(self, slot: _Slot) -> None:
        """Initial contents of a variable that the program owns but a library defines."""
        symbol = slot.symbol
        if symbol is None:
            raise self._broken(slot.item, "R_AARCH64_COPY without a symbol")
        others = [i for i in self.closure(slot.item) if i is not slot.item]
        found = self.resolve(symbol.name, symbol.version, others)
        if found is None:
            raise _UndefinedError(slot.item, symbol).as_user_error()
        start = found.symbol.address + found.item.bias
        self.memory.write(slot.address, self.memory.read(start, min(symbol.size, found.symbol.size)))

    def _write_pair(self, address: int, first: int, second: int) -> None:
        self._write64(address, first)
        self._write64(address + 8, second)

    def _write64(self, address: int, value: int) -> None:
        self.memory.write(address, struct.pack("<Q", value & (1 << 64) - 1))

    # --- constructors -------------------------------------------------------------------------------

    def constructors(self, item: LoadedObject) -> list[Capability]:
        """Functions to call, in order, before `item` is used: dependencies first, each object once."""
        functions: list[Capability] = []
        for current in self._initialisation_order(item):
            current.is_initialised = True
            if current is self.base.objects[0]:
                functions += self._array(current, DT.PREINIT_ARRAY, DT.PREINIT_ARRAYSZ)
            functions += self._array(current, DT.INIT_ARRAY, DT.INIT_ARRAYSZ)
        return functions

    def _initialisation_order(self, item: LoadedObject) -> Iterator[LoadedObject]:
        visited: set[int] = set()
        stack: list[tuple[LoadedObject, int]] = [(item, 0)]
        visited.add(id(item))
        while stack:
            current, position = stack.pop()
            if position < len(current.dependencies):
                stack.append((current, position + 1))
                following = current.dependencies[position]
                if id(following) not in visited:
                    visited.add(id(following))
                    stack.append((following, 0))
            elif not current.is_initialised:
                yield current

    def destructors(self) -> list[Capability]:
        """Functions to call at exit, in reverse order of initialisation."""
        functions: list[Capability] = []
        for namespace in reversed(self.namespaces):
            for item in namespace.objects:
                if item.is_initialised:
                    item.is_initialised = False
                    functions += self._array(item, DT.FINI_ARRAY, DT.FINI_ARRAYSZ)[::-1]
        return functions

    def _array(self, item: LoadedObject, tag: DT, size_tag: DT) -> list[Capability]:
        info = item.image.dynamic
        if info is None or not info.get(size_tag):
            return []
        start, count = info.get(tag) + item.bias, info.get(size_tag) // 16
        low, high = item.image.span()
        if start % 16 or not low <= info.get(tag) <= info.get(tag) + 16 * count <= high:
            raise self._broken(item, f"its {tag.name} is not inside the image")
        try:
            found = [self.memory.read_capability(start + 16 * i) for i in range(count)]
        except GuestMemoryError:
            raise self._broken(item, f"its {tag.name} is not in a mapped segment") from None
        return [c for c in found if c.tag]

    # --- addresses ----------------------------------------------------------------------------------

    def object_at(self, address: int) -> LoadedObject | None:
        """The object that contains an address."""
        for namespace in self.namespaces:
            for item in namespace.objects:
                if item.contains(address):
                    return item
        return None

    def new_namespace(self) -> Namespace:
        """For dlmopen(LM_ID_NEWLM)."""
        namespace = Namespace()
        self.namespaces.append(namespace)
        return namespace


@dataclass(frozen=True, slots=True)
class _Slot:
    """One relocation of one object."""

    item: LoadedObject
    namespace: Namespace
    row: DynamicRelocation
    relocation: Relocation
    symbol: Symbol | None

    @property
    def address(self) -> int:
        return self.relocation.offset + self.item.bias


class _UndefinedError(Exception):
    """No object defines a symbol; the host may still offer it."""

    def __init__(self, item: LoadedObject, symbol: Symbol) -> None:
        super().__init__(symbol.name)
        self.item = item
        self.symbol = symbol

    def as_user_error(self) -> UserError:
        version = f" (version {self.symbol.version})" if self.symbol.version else ""
        wanted = f"symbol '{self.symbol.name}'{version}"
        text = f"{self.item.image.name} needs {wanted}, which no loaded library defines"
        return UserError(text, EXIT_NOT_FOUND)


def _extend(scope: list[LoadedObject], items: Sequence[LoadedObject]) -> None:
    scope.extend(item for item in items if item not in scope)

"""Tables that a loader or start-up code reads: dynamic section, dynamic symbols, hashes, versions,
run-time relocations, `__cap_relocs`.

Sizes are fixed by `DynamicTables.__init__` (after the scan), contents by `build` (after layout).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from loader import elf_constants as ec
from loader import relocations as rel
from loader.elf_constants import DT, SHT
from loader.fragments import CAP_RELOC_SIZE, CapReloc, Fragment
from loader.link.model import Chunk, DynamicRelocationRecord, OutputSection, State, Symbol, Table
from loader.link.objects import SharedFile
from loader.link.options import LinkOptions
from loader.link.scan import Needs

_ALLOC, _WRITE = ec.SHF_ALLOC, ec.SHF_WRITE
_MASK64 = (1 << 64) - 1


class StringTable(Table):
    """A string table; `add` returns the offset, equal strings share one."""

    __slots__ = ("_bytes", "_offsets")

    def __init__(self, name: str, flags: int = 0) -> None:
        super().__init__(name, SHT.STRTAB, flags, 1)
        self._bytes = bytearray(b"\0")
        self._offsets: dict[str, int] = {"": 0}
        self.size = 1

    def add(self, text: str) -> int:
        """Offset of `text`, added when new."""
        offset = self._offsets.get(text)
        if offset is None:
            offset = self._offsets[text] = len(self._bytes)
            self._bytes += text.encode() + b"\0"
            self.size = len(self._bytes)
            self.data = bytes(self._bytes) if self.size < 4096 else b""
        return offset

    def build(self) -> None:
        """Fix the contents."""
        self.data = bytes(self._bytes)


def section_index(symbol: Symbol) -> int:
    """`st_shndx` of a symbol in the output."""
    if symbol.state is State.UNDEFINED or symbol.state in (State.SHARED, State.LAZY):
        return ec.SHN_UNDEF
    section = symbol.section
    if section is None:
        return ec.SHN_ABS
    output = section if isinstance(section, OutputSection) else section.output
    return output.index if output is not None else ec.SHN_ABS


def symbol_record(symbol: Symbol, name: int, value: int) -> bytes:
    """The 24 bytes of a symbol-table entry."""
    info = symbol.binding << 4 | symbol.type
    index = section_index(symbol)
    return struct.pack("<IBBHQQ", name, info, symbol.visibility, index, value & _MASK64, symbol.size)


Recipe = Callable[[Symbol, int, int], tuple[Fragment, int]]
"""(symbol, addend, size hint) -> (fragment, addend of the RELATIVE record)."""


class DynamicTables:
    """All of them; those with `size` 0 are not put into the output (see `chunks`)."""

    def __init__(
        self,
        options: LinkOptions,
        needs: Needs,
        symbols: Sequence[Symbol],
        shared: Sequence[SharedFile],
        has_dynamic: bool,
    ) -> None:
        self.options = options
        self.needs = needs
        self.has_dynamic = has_dynamic
        self.shared = [file for file in shared if file.is_used]
        self.dynstr = StringTable(".dynstr", _ALLOC)
        self.dynsym = Table(".dynsym", SHT.DYNSYM, _ALLOC, 8, ec.SYM_SIZE)
        self.gnu_hash = Table(".gnu.hash", SHT.GNU_HASH, _ALLOC, 8)
        self.hash = Table(".hash", SHT.HASH, _ALLOC, 8, 4)
        self.versym = Table(".gnu.version", SHT.GNU_VERSYM, _ALLOC, 2, 2)
        self.verneed = Table(".gnu.version_r", SHT.GNU_VERNEED, _ALLOC, 8)
        self.rela_dyn = Table(".rela.dyn", SHT.RELA, _ALLOC, 8, ec.RELA_SIZE)
        self.rela_plt = Table(".rela.plt", SHT.RELA, _ALLOC | ec.SHF_INFO_LINK, 8, ec.RELA_SIZE)
        self.rela_iplt = Table(".rela.iplt", SHT.RELA, _ALLOC, 8, ec.RELA_SIZE)
        self.cap_relocs = Table("__cap_relocs", SHT.PROGBITS, _ALLOC | _WRITE, 8, CAP_RELOC_SIZE)
        self.dynamic = Table(".dynamic", SHT.DYNAMIC, _ALLOC | _WRITE, 16, ec.DYN_SIZE)
        self.interp = Table(".interp", SHT.PROGBITS, _ALLOC, 1)
        self.uses_cap_relocs = not has_dynamic and not options.static_caps_elf
        self._entries: list[tuple[int, Callable[[], int]]] = []
        self._version_indices: dict[tuple[int, str], int] = {}
        self._symbols = self._order(symbols) if has_dynamic else []
        self._size_relocations()
        if has_dynamic:
            self._size_symbols()

    # --- sizes --------------------------------------------------------------------------------------

    def _order(self, symbols: Sequence[Symbol]) -> list[Symbol]:
        """Undefined ones first, then the defined ones by GNU hash bucket; dynamic indices follow."""
        undefined = [s for s in symbols if s.state not in (State.DEFINED, State.COMMON)]
        defined = [s for s in symbols if s.state in (State.DEFINED, State.COMMON)]
        self._bucket_count = max(1, len(defined) // 4)
        defined.sort(key=lambda s: ec.gnu_hash(s.name.encode()) % self._bucket_count)
        self._first_hashed = 1 + len(undefined)
        ordered = undefined + defined
        for i, symbol in enumerate(ordered, 1):
            symbol.dynamic_index = i
        return ordered

    def _size_relocations(self) -> None:
        jump_slots = len(self.needs.plt.symbols)
        others = len(self.needs.records) - jump_slots
        sites, resolvers = len(self.needs.sites), len(self.needs.resolver_sites)
        self.rela_plt.size = jump_slots * ec.RELA_SIZE
        if self.uses_cap_relocs:
            self.cap_relocs.size = sites * CAP_RELOC_SIZE
        else:
            others += sites
        if self.has_dynamic:
            others += resolvers
        else:
            self.rela_iplt.size = resolvers * ec.RELA_SIZE
        self.rela_dyn.size = others * ec.RELA_SIZE

    def _size_symbols(self) -> None:
        self._name_offsets = [self.dynstr.add(s.name) for s in self._symbols]
        self.dynsym.size = ec.SYM_SIZE * (1 + len(self._symbols))
        if "gnu" in self.options.hash_styles:
            hashed = len(self._symbols) + 1 - self._first_hashed
            self._bloom_words = _power_of_two(max(1, hashed // 6))
            self.gnu_hash.size = 16 + 8 * self._bloom_words + 4 * (self._bucket_count + hashed)
        if "sysv" in self.options.hash_styles:
            count = len(self._symbols) + 1
            self.hash.size = 4 * (2 + count + count)
        self._plan_versions()
        if self.options.interpreter and not self.options.shared and not self.options.static:
            self.interp.data = self.options.interpreter.encode() + b"\0"
            self.interp.size = len(self.interp.data)

    def _plan_versions(self) -> None:
        versions: dict[str, list[str]] = {}
        for symbol in self._symbols:
            if symbol.state is State.SHARED and symbol.version and symbol.shared is not None:
                names = versions.setdefault(symbol.shared.soname, [])
                if symbol.version not in names:
                    names.append(symbol.version)
        if not versions:
            return
        self.versym.size = 2 * (1 + len(self._symbols))
        index = 2
        blocks: list[bytes] = []
        self._versions = {}
        for n, (soname, names) in enumerate(versions.items()):
            following = 16 + 16 * len(names) if n + 1 < len(versions) else 0
            blocks.append(struct.pack("<HHIII", 1, len(names), self.dynstr.add(soname), 16, following))
            for i, name in enumerate(names):
                self._versions[(soname, name)] = index
                following = 16 if i + 1 < len(names) else 0
                name_hash = ec.sysv_hash(name.encode())
                blocks.append(struct.pack("<IHHII", name_hash, 0, index, self.dynstr.add(name), following))
                index += 1
        self.verneed.data = b"".join(blocks)
        self.verneed.size = len(self.verneed.data)
        self._verneed_count = len(versions)

    def plan_dynamic(
        self, output_of: Callable[[str], OutputSection | None], symbol_of: Callable[[str], Symbol | None]
    ) -> None:
        """Fix the entries of `.dynamic`; values are looked up when it is built."""
        if not self.has_dynamic:
            return
        add = self._entries.append
        for file in self.shared:
            add((DT.NEEDED, _constant(self.dynstr.add(file.soname))))
        if self.options.soname:
            add((DT.SONAME, _constant(self.dynstr.add(self.options.soname))))
        if self.options.rpaths:
            add((DT.RUNPATH, _constant(self.dynstr.add(":".join(self.options.rpaths)))))
        for name, tag in ((self.options.init, DT.INIT), (self.options.fini, DT.FINI)):
            symbol = symbol_of(name)
            if symbol is not None and symbol.is_defined:
                add((tag, lambda s=symbol: s.address_with_isa))  # type: ignore[misc]
        arrays = (
            (".preinit_array", DT.PREINIT_ARRAY, DT.PREINIT_ARRAYSZ),
            (".init_array", DT.INIT_ARRAY, DT.INIT_ARRAYSZ),
            (".fini_array", DT.FINI_ARRAY, DT.FINI_ARRAYSZ),
        )
        for section_name, tag, size_tag in arrays:
            section = output_of(section_name)
            if section is not None:
                add((tag, lambda s=section: s.address))  # type: ignore[misc]
                add((size_tag, lambda s=section: s.size))  # type: ignore[misc]
        self._plan_tables(add)
        self._plan_flags(add)
        add((DT.NULL, _constant(0)))
        self.dynamic.size = ec.DYN_SIZE * len(self._entries)

    def _plan_tables(self, add: Callable[[tuple[int, Callable[[], int]]], None]) -> None:
        def table(tag: DT, chunk: Chunk, size_tag: DT | None = None) -> None:
            if chunk.size:
                add((tag, lambda: chunk.address))
                if size_tag is not None:
                    add((size_tag, lambda: chunk.size))

        table(DT.HASH, self.hash)
        table(DT.GNU_HASH, self.gnu_hash)
        table(DT.STRTAB, self.dynstr, DT.STRSZ)
        table(DT.SYMTAB, self.dynsym)
        add((DT.SYMENT, _constant(ec.SYM_SIZE)))
        if self.rela_dyn.size:
            table(DT.RELA, self.rela_dyn, DT.RELASZ)
            add((DT.RELAENT, _constant(ec.RELA_SIZE)))
            add((DT.RELACOUNT, lambda: self._relative_count))
        if self.rela_plt.size:
            table(DT.PLTGOT, self.needs.plt.slots)
            table(DT.JMPREL, self.rela_plt, DT.PLTRELSZ)
            add((DT.PLTREL, _constant(DT.RELA)))
        table(DT.VERSYM, self.versym)
        if self.verneed.size:
            table(DT.VERNEED, self.verneed)
            add((DT.VERNEEDNUM, _constant(self._verneed_count)))

    def _plan_flags(self, add: Callable[[tuple[int, Callable[[], int]]], None]) -> None:
        flags = ec.DF_BIND_NOW if self.options.bind_now else 0
        flags |= ec.DF_SYMBOLIC if self.options.bsymbolic else 0
        flags |= ec.DF_STATIC_TLS if self.needs.uses_static_tls else 0
        if flags:
            add((DT.FLAGS, _constant(flags)))
        flags_1 = (ec.DF_1_NOW if self.options.bind_now else 0) | (ec.DF_1_PIE if self.options.pie else 0)
        if flags_1:
            add((DT.FLAGS_1, _constant(flags_1)))
        if not self.options.shared:
            add((DT.DEBUG, _constant(0)))

    def chunks(self) -> list[Chunk]:
        """The tables that go into the output."""
        tables: list[Chunk] = [self.cap_relocs, self.rela_iplt, self.rela_dyn]
        if self.has_dynamic:
            self.rela_dyn.link_of = self.rela_plt.link_of = self.dynsym
            self.rela_plt.info_of = self.needs.plt.slots
            self.dynsym.link_of = self.verneed.link_of = self.dynamic.link_of = self.dynstr
            self.versym.link_of = self.gnu_hash.link_of = self.hash.link_of = self.dynsym
            tables += [
                self.interp, self.dynsym, self.versym, self.verneed, self.gnu_hash, self.hash,
                self.dynstr, self.rela_plt, self.dynamic,
            ]  # fmt: skip
        return [t for t in tables if t.size or t is self.dynamic]

    # --- contents -----------------------------------------------------------------------------------

    def build(self, recipe: Recipe, value_of: Callable[[Symbol], int], tls_start: int) -> dict[int, bytes]:
        """Fill the tables. Returns fragments (16 bytes) by the address of their place."""
        fragments: dict[int, bytes] = {}
        relative: list[tuple[int, int, int]] = []
        cap_relocs: list[CapReloc] = []
        for site in self.needs.sites:
            fragment, addend = recipe(site.symbol, site.addend, site.size_hint)
            if self.uses_cap_relocs:
                cap_relocs.append(CapReloc.for_fragment(site.address, fragment, addend))
            else:
                fragments[site.address] = fragment.pack()
                relative.append((site.address, rel.R_MORELLO_RELATIVE, addend))
        resolvers: list[tuple[int, int, int]] = []
        for site in self.needs.resolver_sites:
            fragment, addend = recipe(site.symbol, site.addend, 0)
            fragments[site.address] = fragment.pack()
            resolvers.append((site.address, rel.R_MORELLO_IRELATIVE, addend))
        cap_relocs.sort(key=lambda c: c.location)
        self.cap_relocs.data = b"".join(c.pack() for c in cap_relocs)
        symbolic, jump_slots = self._records(relative, tls_start)
        relative.sort()
        self._relative_count = len(relative)
        null_symbol = [(place, number, 0, addend) for place, number, addend in relative]
        irelative = [(place, number, 0, addend) for place, number, addend in sorted(resolvers)]
        if self.has_dynamic:
            self.rela_dyn.data = _pack_rela(null_symbol + sorted(symbolic) + irelative)
        else:
            self.rela_dyn.data = _pack_rela(null_symbol + sorted(symbolic))
            self.rela_iplt.data = _pack_rela(irelative)
        self.rela_plt.data = _pack_rela(jump_slots)
        if self.has_dynamic:
            self._build_symbols(value_of)
            self.dynstr.build()
            values = [(tag, value()) for tag, value in self._entries]
            self.dynamic.data = b"".join(struct.pack("<qQ", tag, value & _MASK64) for tag, value in values)
        return fragments

    def _records(
        self, relative: list[tuple[int, int, int]], tls_start: int
    ) -> tuple[list[tuple[int, int, int, int]], list[tuple[int, int, int, int]]]:
        symbolic: list[tuple[int, int, int, int]] = []
        jump_slots: list[tuple[int, int, int, int]] = []
        for record in self.needs.records:
            place = record.chunk.address + record.offset
            if record.type == rel.R_AARCH64_RELATIVE:
                assert record.target is not None
                relative.append((place, record.type, record.target.address + record.addend))
                continue
            index, addend = self._reference(record, tls_start)
            chosen = jump_slots if record.type == rel.R_MORELLO_JUMP_SLOT else symbolic
            chosen.append((place, record.type, index, addend))
        return symbolic, jump_slots

    @staticmethod
    def _reference(record: DynamicRelocationRecord, tls_start: int) -> tuple[int, int]:
        """Symbol index and addend; a TLS symbol that is not exported becomes an offset in our block."""
        symbol = record.symbol
        assert symbol is not None
        if symbol.dynamic_index:
            return symbol.dynamic_index, record.addend
        return 0, symbol.address - tls_start + record.addend

    def _build_symbols(self, value_of: Callable[[Symbol], int]) -> None:
        records = [bytes(ec.SYM_SIZE)]
        for symbol, name in zip(self._symbols, self._name_offsets, strict=True):
            records.append(symbol_record(symbol, name, value_of(symbol)))
        self.dynsym.data = b"".join(records)
        if self.versym.size:
            self.versym.data = self._build_versym()
        if self.gnu_hash.size:
            self.gnu_hash.data = self._build_gnu_hash()
        if self.hash.size:
            self.hash.data = self._build_hash()

    def _build_versym(self) -> bytes:
        indices = [ec.VER_NDX_LOCAL]
        for symbol in self._symbols:
            soname = symbol.shared.soname if symbol.shared is not None else ""
            indices.append(self._versions.get((soname, symbol.version or ""), ec.VER_NDX_GLOBAL))
        return struct.pack(f"<{len(indices)}H", *indices)

    def _build_gnu_hash(self) -> bytes:
        hashed = self._symbols[self._first_hashed - 1 :]
        hashes = [ec.gnu_hash(s.name.encode()) for s in hashed]
        shift = 26
        bloom = [0] * self._bloom_words
        buckets = [0] * self._bucket_count
        chain: list[int] = []
        for i, value in enumerate(hashes):
            bloom[(value >> 6) % self._bloom_words] |= 1 << (value & 63) | 1 << ((value >> shift) & 63)
            bucket = value % self._bucket_count
            if not buckets[bucket]:
                buckets[bucket] = self._first_hashed + i
            is_last = i + 1 == len(hashes) or hashes[i + 1] % self._bucket_count != bucket
            chain.append((value & ~1) | is_last)
        head = struct.pack("<4I", self._bucket_count, self._first_hashed, self._bloom_words, shift)
        words = struct.pack(f"<{len(bloom)}Q", *bloom)
        return head + words + struct.pack(f"<{len(buckets) + len(chain)}I", *buckets, *chain)

    def _build_hash(self) -> bytes:
        count = len(self._symbols) + 1
        buckets, chain = [0] * count, [0] * count
        for i, symbol in enumerate(self._symbols, 1):
            bucket = ec.sysv_hash(symbol.name.encode()) % count
            chain[i] = buckets[bucket]
            buckets[bucket] = i
        return struct.pack(f"<{2 + 2 * count}I", count, count, *buckets, *chain)


def _constant(value: int) -> Callable[[], int]:
    return lambda: value


def _power_of_two(n: int) -> int:
    return 1 << max(0, (n - 1).bit_length())


def _pack_rela(records: Sequence[tuple[int, int, int, int]]) -> bytes:
    return b"".join(
        struct.pack("<QQQ", place & _MASK64, index << 32 | number, addend & _MASK64)
        for place, number, index, addend in records
    )

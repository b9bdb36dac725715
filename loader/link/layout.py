"""From chunks to output sections, addresses, file offsets and segments.

Default order (lld's): read-only data, code, RELRO data, writable data. All that code reaches relative to
PCC - everything but `.data` and `.bss` - forms the code span: function capabilities get exactly its bounds,
so it is padded until they are representable. A linker script (`script.py`) replaces the order and addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from loader import elf_constants as ec
from loader.elf import Segment
from loader.elf_constants import PT, SHT
from loader.link.model import Chunk, OutputSection, Symbol, align_up
from loader.link.options import LinkOptions
from morello_isa.capability import representable_length, representable_mask

PAGE = 0x1000
EXEC_BASE = 0x200000
BOARD_BASE = 0x8000_0000
SPLIT_SIZE = 1 << 14
"""Objects below this size (bytes) are always exactly representable."""

_PREFIXES = (
    ".text", ".rodata", ".data.rel.ro", ".data", ".bss.rel.ro", ".bss", ".tdata", ".tbss", ".init_array",
    ".fini_array", ".preinit_array", ".gcc_except_table",
)  # fmt: skip
_RELRO_NAMES = frozenset(
    {
        ".tdata", ".tbss", ".preinit_array", ".init_array", ".fini_array", ".data.rel.ro", ".bss.rel.ro",
        ".dynamic", ".got", "__cap_relocs", ".igot.plt", ".ctors", ".dtors",
    }
)  # fmt: skip
_PCC_TABLES = frozenset({".got", ".got.plt", ".igot.plt", "__cap_relocs"})


def output_name(name: str) -> str:
    """`.text.main` goes to `.text`, and so on; other names stay."""
    for prefix in _PREFIXES:
        if name == prefix or name.startswith(prefix + "."):
            return prefix
    return name


@dataclass(frozen=True, slots=True)
class CodeSpan:
    """Bounds of every function capability (bytes, unbiased); exactly representable."""

    base: int
    length: int


@dataclass(slots=True)
class Layout:
    """The placed output. `sections` are in file order, allocated ones first."""

    sections: list[OutputSection]
    segments: list[Segment] = field(default_factory=list)
    image_base: int = 0
    headers_size: int = 0
    headers_loaded: bool = True
    code_span: CodeSpan = CodeSpan(0, 0)
    tls_start: int = 0
    tls_align: int = 1
    end_of_file: int = 0

    def section(self, name: str) -> OutputSection | None:
        """The output section of a name."""
        return next((s for s in self.sections if s.name == name), None)

    def place_rest(self, offset: int) -> None:
        """File offsets, from `offset` on, of sections that are not in memory."""
        for section in self.sections:
            if not section.is_alloc:
                offset = align_up(offset, section.align)
                section.file_offset = offset
                offset += section.size if section.type != SHT.NOBITS else 0
        self.end_of_file = offset


def collect(chunks: Iterable[Chunk], name_of: Callable[[Chunk], str]) -> list[OutputSection]:
    """Group live chunks into output sections, in order of first appearance."""
    sections: dict[str, OutputSection] = {}
    for chunk in chunks:
        name = name_of(chunk)
        section = sections.get(name)
        if section is None:
            kept = ec.SHF_WRITE | ec.SHF_ALLOC | ec.SHF_EXECINSTR | ec.SHF_TLS | ec.SHF_INFO_LINK
            section = sections[name] = OutputSection(name, chunk.type, chunk.flags & kept)
            section.is_relro = name in _RELRO_NAMES
        section.add(chunk)
    for section in sections.values():
        if section.name in (".init_array", ".fini_array", ".preinit_array"):
            section.chunks.sort(key=_array_priority)
    return list(sections.values())


def _array_priority(chunk: Chunk) -> int:
    """`.init_array.100` runs before `.init_array.200`, those before `.init_array`."""
    suffix = chunk.name.rsplit(".", 1)[-1]
    return int(suffix) if suffix.isdigit() else 1 << 16


def pad_large_objects(symbols: Iterable[Symbol]) -> None:
    """Raise alignment and size of chunks so that big data objects have exact capability bounds.

    Only objects that fill their chunk's end can be padded (one object per section, as compilers do).
    """
    for symbol in symbols:
        section = symbol.section
        if symbol.size < SPLIT_SIZE or symbol.is_function or not isinstance(section, Chunk):
            continue
        alignment = (~representable_mask(symbol.size) & (1 << 64) - 1) + 1
        if symbol.value % alignment == 0:
            section.align = max(section.align, alignment)
            if symbol.value + symbol.size == section.size:
                section.size = symbol.value + representable_length(symbol.size)


def size_section(section: OutputSection) -> None:
    """Offsets of the chunks in the section, its size and alignment."""
    offset = 0
    align = 1
    for chunk in section.chunks:
        offset = align_up(offset, chunk.align)
        chunk.offset = offset
        offset += chunk.size
        align = max(align, chunk.align)
    section.size = offset
    section.align = align


# --- default placement ------------------------------------------------------------------------------


def _is_pcc_reachable(section: OutputSection) -> bool:
    if not section.is_alloc or section.is_tbss:
        return False
    if not section.flags & ec.SHF_WRITE or section.is_relro:
        return True
    return any(chunk.name in _PCC_TABLES for chunk in section.chunks)


def _group(section: OutputSection, options: LinkOptions) -> int:
    """0 read-only, 1 code, 2 RELRO, 3 writable; a board image has code first."""
    if section.flags & ec.SHF_EXECINSTR:
        return -1 if options.board else 1
    if not section.flags & ec.SHF_WRITE:
        return 0
    return 2 if section.is_relro else 3


_ORDER = {
    name: i
    for i, name in enumerate(
        (
            ".interp", ".dynsym", ".gnu.version", ".gnu.version_r", ".gnu.hash", ".hash", ".dynstr",
            ".rela.dyn", ".rela.iplt", ".rela.plt", ".rodata", ".init", ".text", ".fini", ".plt", ".iplt",
            ".tdata", ".tbss", ".preinit_array", ".init_array", ".fini_array", ".data.rel.ro", ".dynamic",
            ".got", "__cap_relocs", ".igot.plt", ".got.plt", ".data",
        )
    )
}  # fmt: skip


def _rank(section: OutputSection, options: LinkOptions) -> tuple[int, int, int]:
    if not section.is_alloc:
        return 9, 0, 0
    is_bss = section.type == SHT.NOBITS and not section.is_tbss
    default = 5 if section.type == SHT.NOTE else 30
    return _group(section, options), int(is_bss), _ORDER.get(section.name, default)


def place_default(sections: list[OutputSection], options: LinkOptions) -> Layout:
    """Order the sections and give them addresses and file offsets."""
    for section in sections:
        size_section(section)
        if options.bind_now and section.name == ".got.plt":
            section.is_relro = True
    _align_tls(sections)
    ordered = sorted(sections, key=lambda s: _rank(s, options))
    page = PAGE if options.board else options.max_page_size
    layout = _place_once(ordered, options, page)
    needed = (~representable_mask(_image_length(layout)) & (1 << 64) - 1) + 1
    if needed > page and not options.board:
        layout = _place_once(ordered, options, needed)
    return layout


def _image_length(layout: Layout) -> int:
    ends = [s.end for s in layout.sections if s.is_alloc and not s.is_tbss]
    return max(ends, default=layout.image_base) - layout.image_base


def _align_tls(sections: Sequence[OutputSection]) -> None:
    tls = [s for s in sections if s.flags & ec.SHF_TLS]
    alignment = max((s.align for s in tls), default=1)
    for section in tls:
        section.align = (
            max(section.align, alignment) if section.name == ".tdata" or len(tls) == 1 else section.align
        )


def _default_base(options: LinkOptions) -> int:
    if options.image_base is not None:
        return options.image_base
    if options.is_pic:
        return 0
    return BOARD_BASE if options.board else EXEC_BASE


def _place_once(ordered: list[OutputSection], options: LinkOptions, page: int) -> Layout:
    layout = Layout(ordered)
    layout.image_base = _default_base(options)
    layout.headers_loaded = not options.board and not options.section_addresses
    alloc = [s for s in ordered if s.is_alloc]
    groups = _groups(alloc, options)
    layout.headers_size = ec.EHDR_SIZE + ec.PHDR_SIZE * _count_headers(alloc, groups, options, layout)
    offset = layout.headers_size
    address = layout.image_base + (offset if layout.headers_loaded else 0)
    span_open = True
    placed: list[OutputSection] = []
    loads: list[tuple[list[OutputSection], int, int]] = []
    for i, group in enumerate(groups):
        if group and group[0].name in options.section_addresses:
            address = options.section_addresses[group[0].name]
        elif i or not layout.headers_loaded:
            address = align_up(address, page) + (offset % page if layout.headers_loaded else 0)
        if not (i == 0 and layout.headers_loaded):
            offset += (address - offset) % page
        start_address, start_offset = address, offset
        for section in group:
            if span_open and not _is_pcc_reachable(section) and not section.is_tbss:
                span_open = False
                span = code_span(layout, placed)
                address = max(address, span.base + span.length)
            address = options.section_addresses.get(section.name, align_up(address, section.align))
            section.address = address
            placed.append(section)
            section.file_offset = start_offset + address - start_address
            if not section.is_tbss:
                address += section.size
                if section.type != SHT.NOBITS:
                    offset = section.file_offset + section.size
        loads.append((group, start_address, start_offset))
    layout.code_span = code_span(layout, alloc)
    _finish(layout, alloc, loads, options, page)
    layout.place_rest(offset)
    return layout


def _groups(alloc: Sequence[OutputSection], options: LinkOptions) -> list[list[OutputSection]]:
    """Runs of sections that share a segment; the first may be empty (headers only)."""
    groups: list[list[OutputSection]] = []
    last: int | None = None
    for section in alloc:
        group = _group(section, options)
        if group != last or section.name in options.section_addresses:
            groups.append([])
            last = group
        groups[-1].append(section)
    has_headers = not options.board and not options.section_addresses
    if has_headers and (not groups or _group(groups[0][0], options) != 0):
        groups.insert(0, [])
    return groups


def _count_headers(
    alloc: Sequence[OutputSection], groups: Sequence[object], options: LinkOptions, layout: Layout
) -> int:
    names = {s.name for s in alloc}
    count = len(groups) + 1  # LOADs and GNU_STACK
    count += layout.headers_loaded  # PHDR
    count += ".interp" in names
    count += ".dynamic" in names
    count += any(s.flags & ec.SHF_TLS for s in alloc)
    count += any(s.type == SHT.NOTE for s in alloc)
    count += any(s.is_relro for s in alloc) and not options.board
    return count


def code_span(layout: Layout, placed: Sequence[OutputSection]) -> CodeSpan:
    """Smallest representable range over all that code reaches relative to PCC."""
    reached = [s for s in placed if _is_pcc_reachable(s)]
    low = min((s.address for s in reached), default=layout.image_base)
    if layout.headers_loaded:
        low = layout.image_base
    high = max((s.end for s in reached), default=low)
    base, length = low, representable_length(high - low)
    while base & ~representable_mask(length) & (1 << 64) - 1:
        base &= representable_mask(length)
        length = representable_length(high - base)
    return CodeSpan(base, length)


# --- segments ---------------------------------------------------------------------------------------


def _flags(sections: Iterable[OutputSection]) -> int:
    flags = ec.PF_R
    for section in sections:
        flags |= ec.PF_W if section.flags & ec.SHF_WRITE else 0
        flags |= ec.PF_X if section.flags & ec.SHF_EXECINSTR else 0
    return flags


def load_segment(group: Sequence[OutputSection], address: int, offset: int, page: int) -> Segment:
    real = [s for s in group if not s.is_tbss]
    file_end = max((s.file_offset + s.size for s in real if s.type != SHT.NOBITS), default=offset)
    end = max((s.end for s in real), default=address)
    load_address = address
    if real and real[0].load_address is not None:
        load_address = real[0].load_address
    return Segment(
        PT.LOAD, _flags(group), offset, address, load_address, file_end - offset, end - address, page
    )


def _finish(
    layout: Layout,
    alloc: Sequence[OutputSection],
    loads: Sequence[tuple[list[OutputSection], int, int]],
    options: LinkOptions,
    page: int,
) -> None:
    """Make the program headers."""
    segments: list[Segment] = []
    if layout.headers_loaded:
        address, size = layout.image_base + ec.EHDR_SIZE, layout.headers_size - ec.EHDR_SIZE
        segments.append(Segment(PT.PHDR, ec.PF_R, ec.EHDR_SIZE, address, address, size, size, 8))
    segments += _covering(PT.INTERP, [s for s in alloc if s.name == ".interp"])
    load_segments = [load_segment(group, address, offset, page) for group, address, offset in loads]
    if layout.headers_loaded:
        load_segments[0] = _with_headers(load_segments[0], layout)
        load_segments[-1] = _padded(load_segments[-1], layout)
    segments += load_segments
    segments += _covering(PT.DYNAMIC, [s for s in alloc if s.name == ".dynamic"])
    segments += tls_segment(layout, alloc)
    if not options.board:
        segments += _relro(alloc)
    segments += note_segments(alloc)
    segments.append(Segment(PT.GNU_STACK, ec.PF_R | ec.PF_W, 0, 0, 0, 0, options.stack_size, 16))
    layout.segments = segments


def _with_headers(first: Segment, layout: Layout) -> Segment:
    grow = first.offset
    return Segment(
        first.type, first.flags, 0, layout.image_base, layout.image_base,
        first.filesz + grow, first.memsz + grow, first.align,
    )  # fmt: skip


def _padded(last: Segment, layout: Layout) -> Segment:
    """Make the whole image's length representable, so that a loader can bound it exactly."""
    if not last.flags & ec.PF_W:
        return last
    length = last.vaddr + last.memsz - layout.image_base
    grow = representable_length(length) - length
    return Segment(
        last.type, last.flags, last.offset, last.vaddr, last.paddr, last.filesz, last.memsz + grow, last.align
    )


def _covering(kind: PT, sections: Sequence[OutputSection], flags: int | None = None) -> list[Segment]:
    if not sections:
        return []
    first, last = sections[0], sections[-1]
    size = last.end - first.address
    align = max(s.align for s in sections)
    used = _flags(sections) if flags is None else flags
    return [Segment(kind, used, first.file_offset, first.address, first.address, size, size, align)]


def note_segments(alloc: Sequence[OutputSection]) -> list[Segment]:
    """PT_NOTE."""
    return _covering(PT.NOTE, [s for s in alloc if s.type == SHT.NOTE])


def tls_segment(layout: Layout, alloc: Sequence[OutputSection]) -> list[Segment]:
    """PT_TLS; also notes where the template starts and its alignment."""
    tls = [s for s in alloc if s.flags & ec.SHF_TLS]
    if not tls:
        return []
    first = tls[0]
    align = max(s.align for s in tls)
    file_size = max((s.end - first.address for s in tls if s.type != SHT.NOBITS), default=0)
    size = max(s.end for s in tls) - first.address
    layout.tls_start, layout.tls_align = first.address, align
    return [Segment(PT.TLS, ec.PF_R, first.file_offset, first.address, first.address, file_size, size, align)]


def _relro(alloc: Sequence[OutputSection]) -> list[Segment]:
    relro = [s for s in alloc if s.is_relro and not s.is_tbss]
    if not relro:
        return []
    first = relro[0]
    size = max(s.end for s in relro) - first.address
    file_size = max((s.end for s in relro if s.type != SHT.NOBITS), default=first.address) - first.address
    memory = align_up(first.address + size, PAGE) - first.address
    address = first.address
    return [Segment(PT.GNU_RELRO, ec.PF_R, first.file_offset, address, address, file_size, memory, 1)]

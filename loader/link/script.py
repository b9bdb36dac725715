"""Linker scripts: the subset that bare-metal images need.

ENTRY, MEMORY, SECTIONS with input patterns, KEEP, SORT, assignments, PROVIDE, `.` , AT, `> region`,
`AT> region`, /DISCARD/, ASSERT; OUTPUT_FORMAT and OUTPUT_ARCH are read and ignored. Sections that no
pattern takes follow at the end in default order. ELF headers are not loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from loader import elf_constants as ec
from loader.elf import Segment
from loader.elf_constants import PT, SHT
from loader.link.errors import LinkError
from loader.link.layout import (
    PAGE,
    Layout,
    code_span,
    load_segment,
    note_segments,
    output_name,
    size_section,
    tls_segment,
)
from loader.link.model import Chunk, InputSection, OutputSection, State, Symbol, align_up
from loader.link.options import LinkOptions
from loader.link.script_expr import Context, Expression, Lexer, Region, parse_expression

_ASSIGN = ("=", "+=", "-=", "*=", "/=", "&=", "|=", "<<=", ">>=")
_DATA = {"BYTE": 1, "SHORT": 2, "LONG": 4, "QUAD": 8}


@dataclass(slots=True)
class Assignment:
    """`name = expression`; PROVIDE defines only what is wanted and not defined."""

    name: str
    value: Expression
    is_provided: bool = False


@dataclass(slots=True)
class Pattern:
    """`*(.text .text.*)`: takes matching chunks that nothing took before."""

    file: str
    sections: list[str]
    keep: bool = False
    sort: bool = False
    chunks: list[Chunk] = field(default_factory=list)

    def matches(self, chunk: Chunk) -> bool:
        """Whether file name and section name match."""
        if not any(fnmatchcase(chunk.name, pattern) for pattern in self.sections):
            return False
        if self.file == "*":
            return True
        name = chunk.file.name if isinstance(chunk, InputSection) else "<linker>"
        return fnmatchcase(name, self.file) or fnmatchcase(name.rsplit("/", 1)[-1], self.file)


@dataclass(slots=True)
class DataItem:
    """BYTE(…) and so on."""

    size: int
    value: Expression
    chunk: Chunk | None = None


@dataclass(slots=True)
class SectionStatement:
    """One output section of SECTIONS."""

    name: str
    address: Expression | None = None
    load_address: Expression | None = None
    align: Expression | None = None
    items: list[Assignment | Pattern | DataItem] = field(default_factory=list)
    region: str | None = None
    load_region: str | None = None
    is_noload: bool = False


@dataclass(slots=True)
class Check:
    """ASSERT."""

    condition: Expression
    message: str


class Script:
    """A parsed script; `collect` then `place` do the work of the default layout."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.entry: str | None = None
        self.regions: dict[str, Region] = {}
        self.statements: list[Assignment | SectionStatement | Check] = []

    # --- what the linker asks before layout -----------------------------------------------------------

    def _patterns(self) -> Iterator[tuple[SectionStatement, Pattern]]:
        for statement in self.statements:
            if isinstance(statement, SectionStatement):
                for item in statement.items:
                    if isinstance(item, Pattern):
                        yield statement, item

    def assigned_symbols(self) -> list[tuple[str, bool]]:
        """(name, is PROVIDE) of every symbol that the script assigns."""
        found: list[tuple[str, bool]] = []
        for statement in self.statements:
            items = statement.items if isinstance(statement, SectionStatement) else [statement]
            found += [(i.name, i.is_provided) for i in items if isinstance(i, Assignment) and i.name != "."]
        return found

    def keeps(self, chunk: Chunk) -> bool:
        """Whether KEEP protects a section from --gc-sections."""
        return any(pattern.keep and pattern.matches(chunk) for _, pattern in self._patterns())

    def collect(self, chunks: Sequence[Chunk]) -> list[OutputSection]:
        """Output sections in script order, then orphans; discarded chunks are dropped."""
        left: list[Chunk] = []
        for chunk in chunks:
            taker = next((p for _, p in self._patterns() if p.matches(chunk)), None)
            if taker is None or not chunk.flags & ec.SHF_ALLOC:
                left.append(chunk)
            else:
                taker.chunks.append(chunk)
        sections: list[OutputSection] = []
        for statement in self.statements:
            if isinstance(statement, SectionStatement) and statement.name != "/DISCARD/":
                section = _build_section(statement)
                if section is not None:
                    sections.append(section)
        return sections + _orphans(left, sections)

    # --- placement ------------------------------------------------------------------------------------

    def place(
        self, sections: list[OutputSection], options: LinkOptions, symbols: dict[str, Symbol]
    ) -> Layout:
        """Give addresses and file offsets; assign the script's symbols."""
        layout = Layout(sections)
        layout.headers_loaded = False
        by_name = {s.name: s for s in sections}
        context = Context(sections=by_name, regions=self.regions)
        context.lookup = _lookup(symbols)
        placer = _Placer(self, context, symbols, by_name)
        for statement in self.statements:
            placer.run(statement)
        placer.orphans([s for s in sections if s.is_alloc and id(s) not in placer.placed])
        for section in sections:
            if not section.is_alloc:
                size_section(section)
        alloc = [s for s in sections if s.is_alloc]
        alloc.sort(key=lambda s: s.address)
        layout.sections = alloc + [s for s in sections if not s.is_alloc]
        layout.image_base = min((s.address for s in alloc), default=0)
        layout.code_span = code_span(layout, alloc)
        _make_segments(layout, alloc, options)
        return layout


class _Placer:
    """Walks the statements with the location counter."""

    def __init__(
        self, script: Script, context: Context, symbols: dict[str, Symbol], by_name: dict[str, OutputSection]
    ) -> None:
        self.script = script
        self.context = context
        self.symbols = symbols
        self.by_name = by_name
        self.placed: set[int] = set()

    def run(self, statement: Assignment | SectionStatement | Check) -> None:
        if isinstance(statement, Check):
            if not statement.condition(self.context):
                raise LinkError(f"{self.script.name}: {statement.message}")
        elif isinstance(statement, Assignment):
            self._assign(statement, None)
        elif statement.name != "/DISCARD/":
            self._section(statement)

    def orphans(self, sections: Sequence[OutputSection]) -> None:
        for section in sections:
            size_section(section)
            section.address = align_up(self.context.dot, max(section.align, 16))
            self.context.dot = section.end

    def _assign(self, statement: Assignment, section: OutputSection | None) -> None:
        context = self.context
        value = statement.value(context)
        if statement.name == ".":
            if section is not None and value < context.dot:
                raise LinkError(f"{self.script.name}: '.' moves backwards in section {section.name}")
            context.dot = value
            return
        symbol = self.symbols.get(statement.name)
        if symbol is None or not symbol.is_linker_defined:
            return
        context.symbols[statement.name] = value
        symbol.section = section
        symbol.value = value - section.address if section is not None else value

    def _section(self, statement: SectionStatement) -> None:
        context = self.context
        region = self._region(statement.region)
        if region is not None and statement.address is None:
            context.dot = region.origin + region.cursor
        if statement.address is not None:
            context.dot = statement.address(context)
        if statement.align is not None:
            context.dot = align_up(context.dot, statement.align(context))
        section = self.by_name.get(statement.name)
        align = max([c.align for c in section.chunks], default=1) if section is not None else 1
        start = align_up(context.dot, align)
        if section is not None:
            self.placed.add(id(section))
            section.address, section.align = start, align
        context.dot = start
        for item in statement.items:
            if isinstance(item, Assignment):
                self._assign(item, section)
            elif isinstance(item, Pattern):
                for chunk in item.chunks:
                    context.dot = align_up(context.dot, chunk.align)
                    chunk.offset = context.dot - start
                    context.dot += chunk.size
            elif item.chunk is not None:
                item.chunk.offset = context.dot - start
                mask = (1 << 8 * item.size) - 1
                item.chunk.data = (item.value(context) & mask).to_bytes(item.size, "little")
                context.dot += item.size
        if section is not None:
            section.size = context.dot - start
            self._load_address(statement, section)
        if region is not None:
            region.cursor = context.dot - region.origin
            region.load_cursor = max(region.load_cursor, region.cursor)
            if region.cursor > region.length:
                over = region.cursor - region.length
                raise LinkError(
                    f"section {statement.name} is {over} bytes too big for region {statement.region}"
                )

    def _load_address(self, statement: SectionStatement, section: OutputSection) -> None:
        if statement.load_address is not None:
            section.load_address = statement.load_address(self.context)
            return
        region = self._region(statement.load_region)
        if region is not None:
            address = align_up(region.origin + region.load_cursor, section.align)
            section.load_address = address
            region.load_cursor = address + section.size - region.origin

    def _region(self, name: str | None) -> Region | None:
        if name is None:
            return None
        if name not in self.context.regions:
            raise LinkError(f"{self.script.name}: there is no memory region '{name}'")
        return self.context.regions[name]


def _lookup(symbols: dict[str, Symbol]) -> Callable[[str], int | None]:
    def lookup(name: str) -> int | None:
        symbol = symbols.get(name)
        if symbol is None or symbol.state is not State.DEFINED:
            return None
        return symbol.address

    return lookup


def _build_section(statement: SectionStatement) -> OutputSection | None:
    section: OutputSection | None = None
    for item in statement.items:
        if isinstance(item, DataItem):
            item.chunk = Chunk("data", SHT.PROGBITS, ec.SHF_ALLOC)
            item.chunk.size = item.size
            chunks = [item.chunk]
        elif isinstance(item, Pattern):
            if item.sort:
                item.chunks.sort(key=lambda c: c.name)
            chunks = item.chunks
        else:
            continue
        for chunk in chunks:
            if section is None:
                section = OutputSection(statement.name, chunk.type, chunk.flags & 0x407)
                section.is_relro = statement.name in (".got", "__cap_relocs", ".data.rel.ro")
            section.add(chunk)
    if section is not None and statement.is_noload:
        section.type = SHT.NOBITS
    return section


def _orphans(chunks: Sequence[Chunk], existing: Sequence[OutputSection]) -> list[OutputSection]:
    taken = {s.name for s in existing}
    sections: dict[str, OutputSection] = {}
    for chunk in chunks:
        name = output_name(chunk.name)
        if name in taken:
            name = chunk.name if chunk.name not in taken else f"{chunk.name}.orphan"
        if name not in sections:
            sections[name] = OutputSection(name, chunk.type, chunk.flags & 0x447)
            sections[name].is_relro = name in (".got", "__cap_relocs", ".data.rel.ro")
        sections[name].add(chunk)
    return list(sections.values())


def _make_segments(layout: Layout, alloc: Sequence[OutputSection], options: LinkOptions) -> None:
    """LOAD segments from runs of sections with equal flags and no page-sized gaps."""
    runs: list[list[OutputSection]] = []
    for section in alloc:
        if section.size == 0:
            continue
        if runs and _continues(runs[-1], section):
            runs[-1].append(section)
        else:
            runs.append([section])
    layout.headers_size = ec.EHDR_SIZE + ec.PHDR_SIZE * (len(runs) + 3)
    offset = layout.headers_size
    segments: list[Segment] = []
    for run in runs:
        start = run[0].address
        offset += (start - offset) % PAGE
        for section in run:
            section.file_offset = offset + section.address - start
        segments.append(load_segment(run, start, offset, PAGE))
        offset += segments[-1].filesz
    segments += tls_segment(layout, alloc)
    segments += note_segments(alloc)
    segments.append(Segment(PT.GNU_STACK, ec.PF_R | ec.PF_W, 0, 0, 0, 0, options.stack_size, 16))
    layout.segments = segments
    layout.place_rest(offset)


def _continues(run: Sequence[OutputSection], section: OutputSection) -> bool:
    last = run[-1]
    mask = ec.SHF_WRITE | ec.SHF_EXECINSTR
    if last.flags & mask != section.flags & mask or last.type == SHT.NOBITS != section.type:
        return False
    if (last.load_address is None) != (section.load_address is None):
        return False
    return 0 <= section.address - last.end < PAGE


# --- parsing ----------------------------------------------------------------------------------------


def parse_script(text: str, name: str) -> Script:
    """Raises LinkError with file and line."""
    script = Script(name)
    lexer = Lexer(text, name)
    while lexer.peek():
        _parse_command(lexer, script)
    return script


def _parse_command(lexer: Lexer, script: Script) -> None:
    token = lexer.next()
    if token == ";":
        return
    if token == "ENTRY":
        lexer.expect("(")
        script.entry = lexer.next_name()
        lexer.expect(")")
    elif token in ("OUTPUT_FORMAT", "OUTPUT_ARCH", "SEARCH_DIR", "OUTPUT", "TARGET"):
        while lexer.next_name() != ")":
            pass
    elif token == "MEMORY":
        _parse_memory(lexer, script)
    elif token == "SECTIONS":
        lexer.expect("{")
        while not lexer.accept("}"):
            _parse_section_command(lexer, script)
    elif token == "ASSERT":
        script.statements.append(_parse_assert(lexer))
    elif lexer.peek() in _ASSIGN or token in ("PROVIDE", "PROVIDE_HIDDEN"):
        script.statements.append(_parse_assignment(lexer, token))
    else:
        raise lexer.error(f"'{token}' is not supported in a linker script")


def _parse_memory(lexer: Lexer, script: Script) -> None:
    lexer.expect("{")
    while not lexer.accept("}"):
        name = lexer.next_name()
        if lexer.accept("("):
            while lexer.next_name() != ")":
                pass
        lexer.expect(":")
        values: list[int] = []
        for keyword in (("ORIGIN", "org", "o"), ("LENGTH", "len", "l")):
            if lexer.next() not in keyword:
                raise lexer.error(f"expected {keyword[0]}")
            lexer.expect("=")
            values.append(parse_expression(lexer)(Context()))
            lexer.accept(",")
        script.regions[name] = Region(values[0], values[1])


def _parse_assert(lexer: Lexer) -> Check:
    lexer.expect("(")
    condition = parse_expression(lexer)
    lexer.expect(",")
    message = lexer.next().strip('"')
    lexer.expect(")")
    lexer.accept(";")
    return Check(condition, message)


def _parse_assignment(lexer: Lexer, token: str) -> Assignment:
    is_provided = token in ("PROVIDE", "PROVIDE_HIDDEN")
    if is_provided:
        lexer.expect("(")
        token = lexer.next()
    operator = lexer.next()
    if operator not in _ASSIGN:
        raise lexer.error(f"expected an assignment to {token}, found '{operator}'")
    value = parse_expression(lexer)
    if is_provided:
        lexer.expect(")")
    lexer.accept(";")
    if operator != "=":
        value = _compound(lexer, token, operator[:-1], value)
    return Assignment(token, value, is_provided)


def _compound(lexer: Lexer, name: str, operator: str, right: Expression) -> Expression:
    left = parse_expression(Lexer(name, lexer.name))
    combined = parse_expression(Lexer(f"LEFT__ {operator} RIGHT__", lexer.name))

    def value(context: Context) -> int:
        inner = Context(symbols={"LEFT__": left(context), "RIGHT__": right(context)})
        return combined(inner)

    return value


def _parse_section_command(lexer: Lexer, script: Script) -> None:
    if lexer.peek() in ("PROVIDE", "PROVIDE_HIDDEN"):
        script.statements.append(_parse_assignment(lexer, lexer.next()))
        return
    if lexer.peek() == "ASSERT":
        lexer.next()
        script.statements.append(_parse_assert(lexer))
        return
    if lexer.peek() == "ENTRY":
        _parse_command(lexer, script)
        return
    if lexer.accept(";"):
        return
    name = lexer.next_name()
    if lexer.peek() in _ASSIGN:
        script.statements.append(_parse_assignment(lexer, name))
        return
    script.statements.append(_parse_section(lexer, name))


def _parse_section(lexer: Lexer, name: str) -> SectionStatement:
    section = SectionStatement(name)
    if lexer.peek() not in (":", "("):
        section.address = parse_expression(lexer)
    if lexer.accept("("):
        section.is_noload = lexer.next() == "NOLOAD"
        lexer.expect(")")
    lexer.expect(":")
    while lexer.peek() in ("AT", "ALIGN", "SUBALIGN"):
        keyword = lexer.next()
        lexer.expect("(")
        value = parse_expression(lexer)
        lexer.expect(")")
        if keyword == "AT":
            section.load_address = value
        elif keyword == "ALIGN":
            section.align = value
    lexer.expect("{")
    while not lexer.accept("}"):
        _parse_item(lexer, section)
    while lexer.peek() in (">", "AT", ":", "="):
        token = lexer.next()
        if token == "AT":
            lexer.expect(">")
            section.load_region = lexer.next_name()
        elif token == ">":
            section.region = lexer.next_name()
        else:
            lexer.next_name()
    lexer.accept(",")
    return section


def _parse_item(lexer: Lexer, section: SectionStatement) -> None:
    if lexer.accept(";"):
        return
    word = lexer.peek()
    if word in _DATA:
        lexer.next()
        lexer.expect("(")
        section.items.append(DataItem(_DATA[word], parse_expression(lexer)))
        lexer.expect(")")
        return
    if word in ("PROVIDE", "PROVIDE_HIDDEN"):
        section.items.append(_parse_assignment(lexer, lexer.next()))
        return
    if word == "KEEP":
        lexer.next()
        lexer.expect("(")
        section.items.append(_parse_pattern(lexer, lexer.next_name(), keep=True))
        lexer.expect(")")
        return
    name = lexer.next_name()
    if lexer.peek() in _ASSIGN:
        section.items.append(_parse_assignment(lexer, name))
    else:
        section.items.append(_parse_pattern(lexer, name, keep=False))


def _parse_pattern(lexer: Lexer, file: str, keep: bool) -> Pattern:
    pattern = Pattern(file, [], keep)
    lexer.expect("(")
    depth = 1
    while depth:
        token = lexer.next_name()
        if token in ("SORT", "SORT_BY_NAME", "SORT_BY_INIT_PRIORITY", "SORT_BY_ALIGNMENT", "SORT_NONE"):
            pattern.sort = pattern.sort or token in ("SORT", "SORT_BY_NAME", "SORT_BY_INIT_PRIORITY")
            lexer.expect("(")
            depth += 1
        elif token == ")":
            depth -= 1
        elif token == "EXCLUDE_FILE":
            raise lexer.error("EXCLUDE_FILE is not supported")
        elif token != ",":
            if token == "COMMON":
                token = ".bss"
            pattern.sections.append(token)
    return pattern

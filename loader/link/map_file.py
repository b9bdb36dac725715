"""`-Map`: which input went where."""

from __future__ import annotations

from loader.link.layout import Layout
from loader.link.model import InputSection, Symbol


def format_map(layout: Layout) -> str:
    """Addresses, sizes and alignments of output sections, input sections and their global symbols."""
    span = layout.code_span
    lines = [
        f"code span [{span.base:#x}, {span.base + span.length:#x})",
        "",
        f"{'address':>16} {'size':>10} {'align':>6}  section",
    ]
    for section in layout.sections:
        if not section.is_alloc:
            continue
        lines.append(f"{section.address:16x} {section.size:10x} {section.align:6}  {section.name}")
        for chunk in section.chunks:
            owner = chunk.file.name if isinstance(chunk, InputSection) else "<linker>"
            lines.append(f"{chunk.address:16x} {chunk.size:10x} {chunk.align:6}      {owner}:({chunk.name})")
            if isinstance(chunk, InputSection):
                lines += [_line(s) for s in _symbols_of(chunk)]
    return "\n".join(lines) + "\n"


def _symbols_of(chunk: InputSection) -> list[Symbol]:
    found = [s for s in chunk.file.symbols if s.section is chunk and not s.is_local]
    return sorted(found, key=lambda s: (s.value, s.name))


def _line(symbol: Symbol) -> str:
    return f"{symbol.address_with_isa:16x} {symbol.size:10x} {'':6}          {symbol.name}"

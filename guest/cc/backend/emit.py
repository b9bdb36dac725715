"""Assembly text of functions and data."""

from __future__ import annotations

from guest.cc import ir
from guest.cc.backend.immediates import object_alignment
from guest.cc.backend.mir import MFunction
from guest.cc.backend.options import Options


class Files:
    """Numbers of the `.file` directives."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, name: str) -> int:
        return self.numbers.setdefault(name, len(self.numbers) + 1)


def _binding(name: str, is_static: bool, is_weak: bool, is_hidden: bool) -> list[str]:
    lines = []
    if is_weak:
        lines.append(f"\t.weak {name}")
    elif not is_static:
        lines.append(f"\t.globl {name}")
    if is_hidden and not is_static:
        lines.append(f"\t.hidden {name}")
    return lines


def function_text(source: ir.Function, function: MFunction, options: Options, files: Files) -> list[str]:
    """All lines of one function, jump tables behind its code."""
    name = source.name
    section = source.section or (f".text.{name}" if options.function_sections else ".text")
    lines = [f'\t.section {section},"ax",%progbits', "\t.p2align 2"]
    lines += _binding(name, source.is_static, source.is_weak, source.is_hidden)
    lines += [f"\t.type {name}, %function", f"{name}:"]
    here: ir.SourceLoc | None = None
    if options.debug and source.loc is not None:
        lines.append(_loc(source.loc, files))
        here = source.loc
    for block in function.blocks:
        lines.append(f"{block.label}:")
        for mi in block.code:
            if options.debug and mi.loc is not None and mi.loc != here:
                here = mi.loc
                lines.append(_loc(here, files))
            lines.append("\t" + mi.text())
    lines.append(f".Lend.{name}:")
    for table, targets in function.tables:
        lines += ["\t.p2align 2", f"{table}:"]
        lines += [f"\t.word {target}-{table}+1" for target in targets]  # bit 0: stay in C64
    lines.append(f"\t.size {name}, . - {name}")
    return lines


def _loc(loc: ir.SourceLoc, files: Files) -> str:
    return f"\t.loc {files.number(loc.file)} {loc.line} {loc.column}"


def data_text(data: ir.Data, options: Options) -> list[str]:
    """All lines of one object with static storage."""
    size, align = object_alignment(max(data.size, 1), max(data.align, 1))
    align = max(align, 16) if data.pieces else align
    name = data.name
    if data.is_common and data.bytes_ is None and not data.is_thread_local:
        return [f"\t.comm {name}, {size}, {align}"]
    lines = [_data_section(data, options), f"\t.p2align {align.bit_length() - 1}"]
    lines += _binding(name, data.is_static, data.is_weak, data.is_hidden)
    kind = "%tls_object" if data.is_thread_local else "%object"
    lines += [f"\t.type {name}, {kind}", f"\t.size {name}, {max(data.size, 1)}", f"{name}:"]
    if data.bytes_ is None:
        lines.append(f"\t.zero {size}")
    else:
        lines += _contents(data)
        if size > len(data.bytes_):
            lines.append(f"\t.zero {size - len(data.bytes_)}")
    return lines


def _data_section(data: ir.Data, options: Options) -> str:
    suffix = f".{data.name}" if options.data_sections else ""
    if data.section is not None:
        access = '"a"' if data.is_const and not data.pieces else '"aw"'
        return f"\t.section {data.section},{access},%progbits"
    if data.is_thread_local:
        if data.bytes_ is None:
            return f'\t.section .tbss{suffix},"awT",%nobits'
        return f'\t.section .tdata{suffix},"awT",%progbits'
    if data.bytes_ is None:
        return f'\t.section .bss{suffix},"aw",%nobits'
    if not data.is_const:
        return f'\t.section .data{suffix},"aw",%progbits'
    if any(not isinstance(p, ir.DataLabelDiff) for p in data.pieces):
        return f'\t.section .data.rel.ro{suffix},"aw",%progbits'
    return f'\t.section .rodata{suffix},"a",%progbits'


PIECE_BYTES = 16
ROW = 16


def _contents(data: ir.Data) -> list[str]:
    assert data.bytes_ is not None
    lines: list[str] = []
    at = 0
    for piece in sorted(data.pieces, key=lambda p: p.offset):
        lines += _bytes(data.bytes_[at : piece.offset])
        if isinstance(piece, ir.DataCap):
            addend = f"{piece.addend:+d}" if piece.addend else ""
            lines.append(f"\t.chericap {piece.symbol}{addend}")
            at = piece.offset + PIECE_BYTES
        elif isinstance(piece, ir.DataBlockCap):
            name = piece.function
            lines.append(f"\t.chericap {name}+(.L{name}.{piece.block}-{name})")
            at = piece.offset + PIECE_BYTES
        else:
            directive = {1: ".byte", 2: ".hword", 4: ".word", 8: ".xword"}[piece.size]
            label = f".L{piece.function}."
            lines.append(f"\t{directive} {label}{piece.block}-{label}{piece.base}")
            at = piece.offset + piece.size
    return lines + _bytes(data.bytes_[at:])


def _bytes(content: bytes) -> list[str]:
    """Rows of `.byte`, long runs of zeros as `.zero`."""
    lines: list[str] = []
    at = 0
    while at < len(content):
        rest = content[at:]
        zeros = len(rest) - len(rest.lstrip(b"\0"))
        if zeros >= ROW or (zeros and zeros == len(rest)):
            lines.append(f"\t.zero {zeros}")
            at += zeros
            continue
        row = rest[:ROW]
        lines.append("\t.byte " + ",".join(map(str, row)))
        at += len(row)
    return lines

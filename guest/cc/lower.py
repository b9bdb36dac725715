"""Typed tree to `ir.Module`: functions that are needed, objects with static storage, aliases.

`lower(unit, name)` is the entry point. Static functions and objects nobody refers to are left out.
"""

from __future__ import annotations

import struct

from guest.cc import ir
from guest.cc import tree as t
from guest.cc import types as ct
from guest.cc.constants import Address, LabelConst, LabelDifference, evaluate
from guest.cc.errors import CompileError, Diagnostics
from guest.cc.lower_statements import ModuleState, StatementLowering
from guest.cc.symbols import Kind, Symbol
from morello_isa.capability import representable_length, representable_mask

SMALLEST_PADDED = 4096  # below this every length is exactly representable


def lower(unit: t.Unit, name: str, diagnostics: Diagnostics) -> ir.Module:
    """The intermediate form of a checked unit; remaining errors (non-constant data) go to `diagnostics`."""
    return ModuleLowering(unit, name, diagnostics).run()


class ModuleLowering:
    """Emits what is reachable from the symbols other files can see."""

    def __init__(self, unit: t.Unit, name: str, diagnostics: Diagnostics) -> None:
        self.unit = unit
        self.diagnostics = diagnostics
        self.module = ir.Module(name)
        self.state = ModuleState(constant_bytes=constant_bytes)
        self.functions = {f.symbol: f for f in unit.functions}
        self.objects = set(unit.objects)
        self.done: set[Symbol] = set()
        # The function a static local belongs to, for tables of label addresses.
        self.current = ""

    def run(self) -> ir.Module:
        self.module.top_level_asm = list(self.unit.asm)
        work = [f.symbol for f in self.unit.functions if self._is_root(f.symbol)]
        work += [o for o in self.unit.objects if self._is_root(o)]
        while work:
            for symbol in work:
                self._emit_once(symbol)
            work = [s for s in self.state.needed if s not in self.done]
            self.state.needed.clear()
        self._symbols()
        self._keep_source_order()
        self.module.data += self.state.data
        self.module.debug_types = self.state.types.entries
        return self.module

    @staticmethod
    def _is_root(symbol: Symbol) -> bool:
        if symbol.attributes.used or symbol.attributes.constructor or symbol.attributes.destructor:
            return True
        if symbol.is_inline and symbol.kind is Kind.FUNCTION:
            return symbol.is_extern and not symbol.is_static
        return not symbol.is_static

    def _keep_source_order(self) -> None:
        order = {f.symbol.link_name: i for i, f in enumerate(self.unit.functions)}
        self.module.functions.sort(key=lambda f: order[f.name])
        data_order = {o.link_name: i for i, o in enumerate(self.unit.objects)}
        self.module.data.sort(key=lambda d: data_order.get(d.name, 0))

    def _emit_once(self, symbol: Symbol) -> None:
        if symbol in self.done:
            return
        self.done.add(symbol)
        try:
            if symbol in self.functions:
                self._function(self.functions[symbol])
            elif symbol in self.objects:
                self.module.data.append(self._object(symbol))
        except CompileError as error:
            self.diagnostics.error(error.loc, error.message)

    def _symbols(self) -> None:
        """Aliases, weak references, constructors and destructors."""
        for symbol in self.unit.symbols:
            a = symbol.attributes
            if a.alias:
                self.module.aliases[symbol.link_name] = a.alias
            elif a.weak and not symbol.defined:
                self.module.undefined_weak.append(symbol.link_name)
            if symbol in self.functions and a.constructor:
                self.module.init_functions.append(symbol.link_name)
            if symbol in self.functions and a.destructor:
                self.module.fini_functions.append(symbol.link_name)

    # -------------------------------------------------------- functions

    def _function(self, source: t.Function) -> None:
        symbol = source.symbol
        assert isinstance(symbol.type, ct.FunctionType)
        a = symbol.attributes
        inline_only = symbol.is_inline and not symbol.is_extern
        function = ir.Function(
            symbol.link_name,
            symbol.is_static or inline_only,
            is_variadic=symbol.type.variadic,
            is_weak=a.weak,
            is_hidden=a.hidden,
            section=a.section,
            is_used=a.used,
            no_inline=a.noinline,
            always_inline=a.always_inline,
            loc=source.loc,
        )
        StatementLowering(function, source, self.state).lower()
        self.module.functions.append(function)

    # -------------------------------------------------------- data

    def _object(self, symbol: Symbol) -> ir.Data:
        ty = symbol.type
        init = symbol.init
        a = symbol.attributes
        size = init.size if isinstance(init, t.Init) else ty.size
        align = max(ty.align, symbol.align)
        data = ir.Data(
            symbol.link_name,
            size,
            align,
            None,
            is_static=symbol.is_static,
            is_const=_is_const(ty) or a.section == ".rodata",
            is_thread_local=symbol.is_thread_local,
            is_weak=a.weak,
            is_hidden=a.hidden,
            is_common=False,
            section=None if a.section == ".rodata" else a.section,
            type_id=None if symbol.link_name.startswith(".L") else self.state.types.type_id(ty),
            c_name=symbol.name,
        )
        if isinstance(init, t.Init):
            self._fill(data, init, symbol)
        if data.size >= SMALLEST_PADDED:
            mask = representable_mask(data.size)
            data.align = max(align, (~mask & ((1 << 64) - 1)) + 1)
            padded = representable_length(data.size)
            if data.bytes_ is not None:
                data.bytes_ += bytes(padded - data.size)
            data.size = padded
        return data

    def _fill(self, data: ir.Data, init: t.Init, owner: Symbol) -> None:
        image = bytearray(init.size)
        pieces: dict[int, ir.DataCap | ir.DataLabelDiff | ir.DataBlockCap] = {}
        for piece in init.pieces:
            for offset in range(piece.offset, piece.offset + max(piece.value.type.size, 1), 16):
                pieces.pop(offset, None)
            if isinstance(piece.value, t.SymbolRef | t.CompoundLiteral) and piece.value.type.is_record:
                self._copy_static(image, pieces, piece)
                continue
            value = b"" if isinstance(piece.value, t.Bytes) else evaluate(piece.value)
            match value:
                case Address(symbol=symbol, offset=addend):
                    self.state.needed.append(symbol)
                    pieces[piece.offset] = ir.DataCap(piece.offset, symbol.link_name, addend)
                case LabelConst(label=label):
                    name = self._function_of(owner, piece)
                    pieces[piece.offset] = ir.DataBlockCap(piece.offset, name, f"label.{label}")
                case LabelDifference(label=label, base=base):
                    name = self._function_of(owner, piece)
                    pieces[piece.offset] = ir.DataLabelDiff(
                        piece.offset, piece.value.type.size, name, f"label.{label}", f"label.{base}"
                    )
                case _:
                    store_constant(image, piece, value if isinstance(value, (int, float)) else 0)
        data.pieces = [pieces[offset] for offset in sorted(pieces)]
        data.bytes_ = bytes(image) if any(image) or pieces else None

    def _copy_static(
        self,
        image: bytearray,
        pieces: dict[int, ir.DataCap | ir.DataLabelDiff | ir.DataBlockCap],
        piece: t.InitPiece,
    ) -> None:
        """A record initialised from a compound literal of constants (GNU)."""
        assert isinstance(piece.value, (t.SymbolRef, t.CompoundLiteral))
        inner = piece.value.symbol
        if not isinstance(inner.init, t.Init):
            raise CompileError(piece.value.loc, "the initialiser is not a constant expression")
        scratch = ir.Data(inner.link_name, inner.init.size, 1, None)
        self._fill(scratch, inner.init, inner)
        size = inner.init.size
        image[piece.offset : piece.offset + size] = scratch.bytes_ or bytes(size)
        for cap in scratch.pieces:
            if isinstance(cap, ir.DataCap):
                at = piece.offset + cap.offset
                pieces[at] = ir.DataCap(at, cap.symbol, cap.addend)

    @staticmethod
    def _function_of(owner: Symbol, piece: t.InitPiece) -> str:
        """Static locals are called function.name.number."""
        function, dot, _ = owner.link_name.partition(".")
        if not dot or not function:
            raise CompileError(piece.value.loc, "a label's address needs a function around it")
        return function


def _is_const(ty: ct.CType) -> bool:
    while isinstance(ty, ct.ArrayType):
        if ty.quals & ct.CONST:
            return True
        ty = ty.element
    return bool(ty.quals & ct.CONST) and not ty.quals & ct.VOLATILE


def store_constant(image: bytearray, piece: t.InitPiece, value: int | float) -> None:
    """Write a constant piece into an object's image."""
    ty = piece.value.type
    if isinstance(piece.value, t.Bytes):
        image[piece.offset : piece.offset + len(piece.value.data)] = piece.value.data
        return
    if ty.is_float:
        packed = struct.pack("<f" if ty.size == 4 else "<d", value)
        image[piece.offset : piece.offset + ty.size] = packed
        return
    number = int(value)
    if piece.field is not None and piece.field.bit_width is not None:
        field = piece.field
        assert field.bit_width is not None
        size = -(-(field.bit_offset + field.bit_width) // 8)
        old = int.from_bytes(image[piece.offset : piece.offset + size], "little")
        mask = ((1 << field.bit_width) - 1) << field.bit_offset
        merged = (old & ~mask) | (number << field.bit_offset & mask)
        image[piece.offset : piece.offset + size] = merged.to_bytes(size, "little")
        return
    size = min(ty.size, 8)
    image[piece.offset : piece.offset + ty.size] = bytes(ty.size)
    image[piece.offset : piece.offset + size] = (number & ((1 << (8 * size)) - 1)).to_bytes(size, "little")


def constant_bytes(init: t.Init) -> bytes | None:
    """The image of an initialiser whose pieces are all constants without addresses; None otherwise."""
    image = bytearray(init.size)
    for piece in init.pieces:
        if isinstance(piece.value, (t.IntConst, t.FloatConst)):
            store_constant(image, piece, piece.value.value)
        elif isinstance(piece.value, t.Bytes):
            store_constant(image, piece, 0)
        else:
            return None
    return bytes(image)

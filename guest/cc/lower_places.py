"""Lowering, part 4: places. Where lvalues and record values are, with offsets and indexes exposed."""

from __future__ import annotations

from guest.cc import ir
from guest.cc import tree as t
from guest.cc import types as ct
from guest.cc.ir import BinOp, CapOp, Imm, Ty, VReg
from guest.cc.lower_conversions import ConversionLowering
from guest.cc.lower_emit import signed64
from guest.cc.lower_memory import BitField, Mem
from guest.cc.symbols import Symbol

Place = VReg | Mem | BitField

_SCALES = {1: 0, 2: 1, 4: 2, 8: 3, 16: 4}


class PlaceLowering(ConversionLowering):
    """Knows where symbols live (`homes`) and turns pointers into memory operands."""

    def __init__(self, function: ir.Function) -> None:
        super().__init__(function)
        self.homes: dict[Symbol, VReg | Mem] = {}

    # -------------------------------------------------------- services of the later parts

    def value(self, e: t.Expr) -> VReg:
        raise NotImplementedError

    def effect(self, e: t.Expr) -> None:
        raise NotImplementedError

    def record(self, e: t.Expr) -> Mem:
        raise NotImplementedError

    def initialize(self, home: VReg | Mem, ty: ct.CType, init: t.Init) -> None:
        raise NotImplementedError

    def home_of(self, symbol: Symbol) -> VReg | Mem:
        raise NotImplementedError

    def need(self, symbol: Symbol) -> None:
        """Note that the function refers to a symbol with linkage."""
        raise NotImplementedError

    # -------------------------------------------------------- lvalues

    def contents(self, e: t.Expr, wanted: bool) -> VReg | Mem | None:
        if isinstance(e, t.MemberOf) and isinstance(e.base, (t.Call, t.StatementExpr, t.Conditional)):
            return self.loaded(self._member(self.record(e.base), e.field), e.type)
        if e.type.is_void:
            if isinstance(e, t.Deref):
                self.effect(e.operand)
            return None
        if not wanted and not e.type.quals & ct.VOLATILE and not isinstance(e, t.CompoundLiteral):
            if isinstance(e, t.Deref):
                self.effect(e.operand)
            return None
        return self.loaded(self.place(e), e.type)

    def loaded(self, place: Place, ty: ct.CType) -> VReg | Mem:
        if isinstance(place, VReg):
            return place
        if ty.is_record or ty.is_array:
            assert isinstance(place, Mem)
            return place
        return self.load(place, ty)

    def place(self, e: t.Expr) -> Place:
        """Where an lvalue (or a record value) lives."""
        result: Place
        match e:
            case t.SymbolRef(symbol=symbol):
                result = self._symbol_place(symbol)
            case t.Deref(operand=operand):
                result = self.pointee(operand, e.type)
            case t.MemberOf(base=base, field=field):
                outer = self.place(base)
                assert isinstance(outer, Mem)
                result = self._member(outer, field)
            case t.CompoundLiteral(symbol=symbol, init=init):
                home = self.home_of(symbol)
                self.initialize(home, e.type, init)
                result = home
            case _:
                result = self.record(e)
        if e.type.quals & ct.VOLATILE:
            if isinstance(result, Mem):
                result = Mem(result.base, result.offset, result.index, result.scale, volatile=True)
            elif isinstance(result, BitField):
                result.mem.volatile = True
        return result

    @staticmethod
    def _member(outer: Mem, field: ct.Field) -> Mem | BitField:
        mem = outer.plus(field.offset)
        return mem if field.bit_width is None else BitField(mem, field)

    def _symbol_place(self, symbol: Symbol) -> VReg | Mem:
        if symbol.is_global_storage:
            self.need(symbol)
            if symbol.is_thread_local:
                return Mem(self.tls_address(symbol.link_name))
            return Mem(self.global_address(symbol.link_name))
        home = self.homes.get(symbol)
        return home if home is not None else self.home_of(symbol)

    def pointee(self, pointer: t.Expr, ty: ct.CType) -> Mem:
        """The memory operand for what `pointer` points to, with offset or index exposed."""
        match pointer:
            case t.AddressOf(operand=operand):
                place = self.place(operand)
                if isinstance(place, Mem):
                    return place
            case t.Convert(operand=operand) if operand.type.is_pointer and pointer.type.is_pointer:
                return self.pointee(operand, ty)
            case t.PointerAdd(index=t.IntConst(value=count)):
                inner = self.pointee(pointer.pointer, ty)
                offset = count * pointer.scale * (-1 if pointer.negative else 1)
                if inner.index is None and abs(inner.offset + offset) < 1 << 31:
                    return inner.plus(offset)
                return Mem(self.cap(CapOp.ADD, self.cap_of(inner), Imm(signed64(offset))))
            case t.PointerAdd(index=index, scale=scale) if not pointer.negative:
                return self._indexed(pointer.pointer, index, scale, ty)
        return Mem(self.value(pointer))

    def _indexed(self, pointer: t.Expr, index: t.Expr, scale: int, ty: ct.CType) -> Mem:
        base = self.pointee(pointer, ty)
        number = self.value(index)
        direct = scale in _SCALES and scale in (1, ty.size) and not ty.is_record
        if direct and not base.offset and base.index is None:
            return Mem(base.base, 0, number, _SCALES[scale])
        offset = self.scaled(number, scale)
        offset_of_base = base.offset
        if base.index is None and isinstance(base.base, VReg):
            return Mem(self.cap(CapOp.ADD, base.base, self._sum(offset, offset_of_base)))
        return Mem(self.cap(CapOp.ADD, self.cap_of(base), offset))

    def _sum(self, offset: VReg, constant: int) -> VReg:
        """Offsets add up in an integer register, so that no capability goes out of bounds on the way."""
        return self.binary(BinOp.ADD, Ty.I64, offset, Imm(constant)) if constant else offset

    def scaled(self, index: VReg, scale: int) -> VReg:
        if scale == 1:
            return index
        if scale & (scale - 1) == 0 and scale:
            return self.binary(BinOp.SHL, Ty.I64, index, Imm(scale.bit_length() - 1))
        return self.binary(BinOp.MUL, Ty.I64, index, Imm(scale))

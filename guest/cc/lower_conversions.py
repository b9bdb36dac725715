"""Lowering, part 3: conversions of scalar values between C types."""

from __future__ import annotations

from guest.cc import ir
from guest.cc import types as ct
from guest.cc.abi import register_class
from guest.cc.ir import Cond, Imm, Ty, UnOp, VReg
from guest.cc.lower_memory import MemoryLowering
from morello_isa.capability import representable_length, representable_mask


class ConversionLowering(MemoryLowering):
    """Values already in registers, from one C type to another."""

    def converted(self, v: VReg, source: ct.CType, target: ct.CType) -> VReg:
        """A scalar value converted between C types."""
        if isinstance(target, ct.IntType) and target.rank == 0:
            return v if source is ct.BOOL else self._truth_value(v, source)
        if source.in_capability and target.in_capability:
            return v
        if target.in_capability:
            wide = self.converted(v, source, ct.LONG if is_signed(source) else ct.ULONG)
            return self.unary(UnOp.INT_TO_CAP, Ty.CAP, wide)
        if source.in_capability:
            address = self.address(v)
            return self.converted(address, ct.LONG if is_signed(source) else ct.ULONG, target)
        if source.is_float:
            return self._from_float(v, source, target)
        if target.is_float:
            op = UnOp.S2F if is_signed(source) or source.size < 4 else UnOp.U2F
            return self.unary(op, register_class(target), v)
        return self._integer_converted(v, source, target)

    def _from_float(self, v: VReg, source: ct.CType, target: ct.CType) -> VReg:
        if target.is_float:
            same = register_class(source) is register_class(target)
            return v if same else self.unary(UnOp.FCVT, register_class(target), v)
        if target.size < 4:
            return self.extended(self.unary(UnOp.F2S, Ty.I32, v), target)
        return self.unary(UnOp.F2S if is_signed(target) else UnOp.F2U, register_class(target), v)

    def _integer_converted(self, v: VReg, source: ct.CType, target: ct.CType) -> VReg:
        assert isinstance(source, ct.IntType) and isinstance(target, ct.IntType)
        if target.size == 8:
            if source.size == 8:
                return v
            return self.unary(UnOp.SEXT32 if source.signed else UnOp.ZEXT32, Ty.I64, v)
        if source.size == 8:
            v = self.unary(UnOp.TRUNC, Ty.I32, v)
            return self.extended(v, target)
        if target.size == 4:
            return v
        fits = source.size < target.size and (target.signed or not source.signed)
        if fits or (source.size == target.size and source.signed == target.signed):
            return v
        return self.extended(v, target)

    def _truth_value(self, v: VReg, source: ct.CType) -> VReg:
        if source.is_float:
            zero = self.vreg(v.ty)
            self.emit(ir.FConst(zero, 0))
            return self.set_cond(Cond.FNE, v, zero)
        if source.in_capability:
            v = self.address(v)
        return self.set_cond(Cond.NE, v, Imm(0))

    def padded(self, size: int, align: int) -> tuple[int, int]:
        """Size and alignment of a frame object, at least one byte, representable as bounds."""

        size = max(size, 1)
        if size < 4096:
            return size, align
        mask = representable_mask(size)
        return representable_length(size), max(align, (~mask & ((1 << 64) - 1)) + 1)


def is_signed(ty: ct.CType) -> bool:
    return isinstance(ty, ct.IntType) and ty.signed


def keeps_truth(source: ct.CType, target: ct.CType) -> bool:
    """Is a value non-zero exactly when its conversion is?"""
    if isinstance(target, ct.IntType) and target.rank == 0:
        return source.is_scalar
    if source.is_pointer and target.in_capability:
        return True
    if isinstance(source, ct.IntType) and isinstance(target, ct.IntType):
        return target.bits >= source.bits
    return False

"""Lowering, part 2: memory operands, loads and stores of C types, bit-fields, record copies."""

from __future__ import annotations

from dataclasses import dataclass

from guest.cc import ir
from guest.cc import types as ct
from guest.cc.abi import register_class
from guest.cc.ir import WIDTH_BYTES, BinOp, CapOp, Imm, Operand, Ty, UnOp, VReg, Width
from guest.cc.lower_emit import Emitter, signed64

UNROLLED_COPY = 128  # bytes copied by single loads and stores; more goes to ir.CopyMemory
UNROLLED_ZERO = 128


@dataclass(slots=True)
class Mem:
    """base + offset + (index << scale): a capability register or (int) a frame slot."""

    base: VReg | int
    offset: int = 0
    index: VReg | None = None
    scale: int = 0
    volatile: bool = False

    def plus(self, offset: int) -> Mem:
        return Mem(self.base, self.offset + offset, self.index, self.scale, self.volatile)


@dataclass(slots=True)
class BitField:
    """A bit-field: its container in memory, and which bits."""

    mem: Mem
    field: ct.Field


def width_of(t: ct.CType) -> Width:
    """How a scalar of type `t` is loaded and stored (loads extend as the type says)."""
    if t.in_capability:
        return Width.CAP
    if t.is_float:
        return Width.F32 if t.size == 4 else Width.F64
    assert isinstance(t, ct.IntType)
    if t.size == 1:
        return Width.S8 if t.signed else Width.U8
    if t.size == 2:
        return Width.S16 if t.signed else Width.U16
    return Width.W32 if t.size == 4 else Width.X64


_RAW = {1: Width.U8, 2: Width.U16, 4: Width.W32, 8: Width.X64, 16: Width.CAP}
_RAW_CLASS = {1: Ty.I32, 2: Ty.I32, 4: Ty.I32, 8: Ty.I64, 16: Ty.CAP}


class MemoryLowering(Emitter):
    """Access to memory by C type. Slots are accessed directly when the access is statically inside."""

    def cap_of(self, mem: Mem) -> VReg:
        """A capability register with the operand's address (whole-object bounds)."""
        base = mem.base
        if isinstance(base, int):
            base = self.slot_address(base)
        if mem.index is not None:
            index = mem.index
            if mem.scale:
                index = self.binary(BinOp.SHL, Ty.I64, index, Imm(mem.scale))
            base = self.cap(CapOp.ADD, base, index)
        return self.cap(CapOp.ADD, base, Imm(mem.offset)) if mem.offset else base

    def simple(self, mem: Mem) -> Mem:
        """The same place without an index, to be accessed at several offsets."""
        if mem.index is None:
            return mem
        return Mem(self.cap_of(mem), 0, volatile=mem.volatile)

    def _direct(self, mem: Mem, size: int) -> int | None:
        """The slot number when the access is inside a slot at a known offset and not volatile."""
        if not isinstance(mem.base, int) or mem.index is not None or mem.volatile:
            return None
        inside = mem.offset >= 0 and mem.offset + size <= self.function.slots[mem.base].size
        return mem.base if inside else None

    def load_width(self, width: Width, ty: Ty, mem: Mem) -> VReg:
        dst = self.vreg(ty)
        slot = self._direct(mem, WIDTH_BYTES[width])
        if slot is not None:
            self.emit(ir.LocalLoad(width, dst, slot, mem.offset))
            return dst
        base, offset = self._based(mem)
        self.emit(ir.Load(width, dst, base, offset, mem.index, mem.scale, mem.volatile))
        return dst

    def store_width(self, width: Width, src: Operand, mem: Mem) -> None:
        if isinstance(src, Imm) and (width is Width.CAP or src.value != 0):
            src = self.constant({Width.CAP: Ty.CAP, Width.X64: Ty.I64}.get(width, Ty.I32), src.value)
        slot = self._direct(mem, WIDTH_BYTES[width])
        if slot is not None:
            self.emit(ir.LocalStore(width, src, slot, mem.offset))
            return
        base, offset = self._based(mem)
        self.emit(ir.Store(width, src, base, offset, mem.index, mem.scale, mem.volatile))

    def _based(self, mem: Mem) -> tuple[VReg, int]:
        """Base register and constant offset; an indexed operand with an offset gets a new base."""
        base = self.slot_address(mem.base) if isinstance(mem.base, int) else mem.base
        if mem.index is not None and mem.offset:
            return self.cap(CapOp.ADD, base, Imm(mem.offset)), 0
        return base, mem.offset

    # -------------------------------------------------------- scalars

    def load(self, mem: Mem | BitField, t: ct.CType) -> VReg:
        if isinstance(mem, BitField):
            return self._load_bits(mem)
        if t.quals & ct.ATOMIC:
            return self.atomic_load(self.cap_of(mem), t)
        return self.load_width(width_of(t), register_class(t), mem)

    def store(self, mem: Mem | BitField, t: ct.CType, value: Operand) -> None:
        if isinstance(mem, BitField):
            self._store_bits(mem, value)
        elif t.quals & ct.ATOMIC:
            self.atomic(ir.AtomicOp.STORE, t, None, self.cap_of(mem), self.register(value, register_class(t)))
        else:
            self.store_width(width_of(t), value, mem)

    def atomic_width(self, t: ct.CType) -> Width:
        return Width.CAP if t.in_capability else _RAW[t.size]

    def atomic(
        self,
        op: ir.AtomicOp,
        t: ct.CType,
        dst: VReg | None,
        address: VReg,
        operand: VReg | None = None,
        expected: VReg | None = None,
    ) -> None:
        self.emit(ir.Atomic(op, self.atomic_width(t), dst, address, operand, expected))

    def atomic_load(self, address: VReg, t: ct.CType) -> VReg:
        dst = self.vreg(register_class(t))
        self.atomic(ir.AtomicOp.LOAD, t, dst, address)
        return self.extended(dst, t)

    def extended(self, value: VReg, t: ct.CType) -> VReg:
        """A narrow integer whose upper bits are unspecified, extended as its type says."""
        if not isinstance(t, ct.IntType) or t.size >= 4:
            return value
        if t.size == 1:
            op = UnOp.SEXT8 if t.signed else UnOp.ZEXT8
        else:
            op = UnOp.SEXT16 if t.signed else UnOp.ZEXT16
        return self.unary(op, Ty.I32, value)

    # -------------------------------------------------------- bit-fields

    def _field_shape(self, bits: BitField) -> tuple[ct.IntType, Ty, int]:
        """Container type, register class, and the byte count to access (packed fields may straddle)."""
        t = bits.field.type
        assert isinstance(t, ct.IntType) and bits.field.bit_width is not None
        size = t.size
        while bits.field.bit_offset + bits.field.bit_width > size * 8:
            size *= 2
        return t, Ty.I64 if size == 8 else Ty.I32, size

    def _load_bits(self, bits: BitField) -> VReg:
        t, ty, size = self._field_shape(bits)
        width = bits.field.bit_width or 0
        register_bits = 64 if ty is Ty.I64 else 32
        raw = self.load_width(_RAW[size], ty, bits.mem)
        up = register_bits - bits.field.bit_offset - width
        if t.signed:
            raw = self.binary(BinOp.SHL, ty, raw, Imm(up)) if up else raw
            value = self.binary(BinOp.ASHR, ty, raw, Imm(register_bits - width))
        else:
            if bits.field.bit_offset:
                raw = self.binary(BinOp.LSHR, ty, raw, Imm(bits.field.bit_offset))
            value = self.binary(BinOp.AND, ty, raw, Imm(signed64((1 << width) - 1)))
        if ty is Ty.I64 and register_class(t) is Ty.I32:
            value = self.unary(UnOp.TRUNC, Ty.I32, value)
        return value

    def _store_bits(self, bits: BitField, value: Operand) -> None:
        t, ty, size = self._field_shape(bits)
        field = bits.field
        mask = (1 << (field.bit_width or 0)) - 1
        raw = self.load_width(_RAW[size], ty, bits.mem)
        clear = ~(mask << field.bit_offset)
        if ty is Ty.I32:
            clear = (clear & 0xFFFFFFFF) - (1 << 32 if clear & 0x80000000 else 0)
        kept = self.binary(BinOp.AND, ty, raw, Imm(signed64(clear)))
        if isinstance(value, Imm):
            placed: Operand = Imm(signed64((value.value & mask) << field.bit_offset))
            if ty is Ty.I32:
                placed = Imm(signed32((value.value & mask) << field.bit_offset))
        else:
            if ty is Ty.I64 and register_class(t) is Ty.I32:
                value = self.unary(UnOp.ZEXT32, Ty.I64, value)
            cut = self.binary(BinOp.AND, ty, value, Imm(signed64(mask) if ty is Ty.I64 else signed32(mask)))
            placed = self.binary(BinOp.SHL, ty, cut, Imm(field.bit_offset)) if field.bit_offset else cut
        merged = self.binary(BinOp.OR, ty, kept, placed)
        self.store_width(_RAW[size], merged, bits.mem)

    def bit_field_value(self, value: VReg, field: ct.Field) -> VReg:
        """What an assignment to the bit-field yields: the value cut to its width."""
        t = field.type
        assert isinstance(t, ct.IntType) and field.bit_width is not None
        ty = register_class(t)
        up = (64 if ty is Ty.I64 else 32) - field.bit_width
        if not up:
            return value
        shifted = self.binary(BinOp.SHL, ty, value, Imm(up))
        return self.binary(BinOp.ASHR if t.signed else BinOp.LSHR, ty, shifted, Imm(up))

    # -------------------------------------------------------- records

    def copy_record(self, dst: Mem, src: Mem, t: ct.CType) -> None:
        """Copy an object slot by slot, capabilities through C registers where it may hold some."""
        size = t.size
        if size == 0:
            return
        caps = ct.has_capabilities(t)
        dst, src = self.simple(dst), self.simple(src)
        if size > UNROLLED_COPY:
            self.emit(ir.CopyMemory(self.cap_of(dst), self.cap_of(src), size, t.align, caps))
            return
        slots = set(ct.capability_offsets(t)) if caps else set()
        for offset, count in chunks(size, slots):
            ty = _RAW_CLASS[count]
            value = self.load_width(_RAW[count], ty, src.plus(offset))
            self.store_width(_RAW[count], value, dst.plus(offset))

    def zero(self, mem: Mem, size: int, align: int) -> None:
        """Clear `size` bytes."""
        if size > UNROLLED_ZERO:
            self.emit(ir.ZeroMemory(self.cap_of(mem), size, align))
            return
        mem = self.simple(mem)
        for offset, count in chunks(size, set()):
            self.store_width(_RAW[count], Imm(0), mem.plus(offset))

    def load_bytes(self, mem: Mem, offset: int, count: int) -> VReg:
        """`count` (1-8) bytes at `offset` as an I64, without touching bytes past them."""
        result: VReg | None = None
        position = 0
        for at, size in chunks(count, set()):
            part = self.load_width(_RAW[size], Ty.I64 if size == 8 else Ty.I32, mem.plus(offset + at))
            if size != 8:
                part = self.unary(UnOp.ZEXT32, Ty.I64, part)
            if position:
                part = self.binary(BinOp.SHL, Ty.I64, part, Imm(position * 8))
            result = part if result is None else self.binary(BinOp.OR, Ty.I64, result, part)
            position += size
        assert result is not None
        return result

    def store_bytes(self, mem: Mem, offset: int, count: int, value: VReg) -> None:
        """The low `count` (1-8) bytes of an I64 to memory."""
        for at, size in chunks(count, set()):
            part = self.binary(BinOp.LSHR, Ty.I64, value, Imm(at * 8)) if at else value
            if size != 8:
                part = self.unary(UnOp.TRUNC, Ty.I32, part)
            self.store_width(_RAW[size], part, mem.plus(offset + at))


def signed32(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def chunks(size: int, capability_slots: set[int]) -> list[tuple[int, int]]:
    """(offset, bytes) pieces covering `size` bytes: 16 at the capability slots, else 8, 4, 2, 1."""
    out: list[tuple[int, int]] = []
    offset = 0
    while offset < size:
        if offset in capability_slots:
            count = 16
        else:
            limit = min((s for s in capability_slots if s > offset), default=size) - offset
            count = next(n for n in (8, 4, 2, 1) if n <= limit)
        out.append((offset, count))
        offset += count
    return out

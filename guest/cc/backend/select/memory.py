"""Loads, stores and block copies."""

from __future__ import annotations

from guest.cc import ir
from guest.cc.backend.immediates import object_alignment
from guest.cc.backend.mir import FrameKind, FrameRef, Operand
from guest.cc.backend.select.capability import FRAME_ALIGN, index_operand
from guest.cc.backend.select.core import Selector, selects
from guest.cc.ir import WIDTH_BYTES, CapOp, Ty, UnOp, Width

# width -> (mnemonic after "ld"/"st": suffix, view); signed loads take the destination's view.
_LOAD = {
    Width.U8: ("rb", "w"),
    Width.S8: ("rsb", ""),
    Width.U16: ("rh", "w"),
    Width.S16: ("rsh", ""),
    Width.W32: ("r", "w"),
    Width.S32: ("rsw", "x"),
    Width.X64: ("r", "x"),
    Width.CAP: ("r", "c"),
    Width.F32: ("r", "s"),
    Width.F64: ("r", "d"),
}
_STORE = {
    Width.U8: ("rb", "w"),
    Width.S8: ("rb", "w"),
    Width.U16: ("rh", "w"),
    Width.S16: ("rh", "w"),
    Width.W32: ("r", "w"),
    Width.S32: ("r", "w"),
    Width.X64: ("r", "x"),
    Width.CAP: ("r", "c"),
    Width.F32: ("r", "s"),
    Width.F64: ("r", "d"),
}
_NARROWING = {
    1: (UnOp.SEXT8, UnOp.ZEXT8, UnOp.SEXT16, UnOp.ZEXT16, UnOp.TRUNC),
    2: (UnOp.SEXT16, UnOp.ZEXT16, UnOp.TRUNC),
    4: (UnOp.TRUNC,),
}


def load_form(width: Width, dst: ir.VReg) -> tuple[str, str]:
    """(mnemonic tail, destination view)."""
    tail, view = _LOAD[width]
    return tail, view or ("x" if dst.ty is Ty.I64 else "w")


class Address:
    """An addressing mode: text of the bracket and its operands; `unscaled` asks for LDUR/STUR."""

    __slots__ = ("ops", "text", "unscaled")

    def __init__(self, text: str, ops: list[Operand], unscaled: bool = False) -> None:
        self.text = text
        self.ops = ops
        self.unscaled = unscaled


def address(
    s: Selector,
    base: ir.VReg,
    offset: int,
    index: ir.VReg | None,
    scale: int,
    size: int,
    volatile: bool = False,
) -> Address:
    """Cover base + offset + (index << scale) and the additions that made `base`."""
    while not volatile:
        d = s.definition(base)
        if isinstance(d, ir.LocalAddr):
            slot = s.function.slots[d.slot]
            total = d.offset + offset
            fits = total >= 0 and total + size <= slot.size
            if index is None and fits and object_alignment(slot.size, slot.align)[1] <= FRAME_ALIGN:
                s.take(d)
                return Address("$m", [FrameRef(FrameKind.LOCAL, d.slot, total, size)])
            break
        if not isinstance(d, ir.CapBinary) or d.op is not CapOp.ADD:
            break
        if isinstance(d.b, ir.Imm):
            if not _is_offset(offset + d.b.value, size) and _is_offset(offset, size):
                break
            s.take(d)
            base, offset = d.a, offset + d.b.value
        elif index is None and offset == 0 and s.single(d):
            s.take(d)
            base, index, scale = d.a, d.b, 0
        else:
            break
    if index is not None:
        return _indexed(s, base, offset, index, scale, size)
    return _based(s, s.use(base), offset, size)


def _is_offset(offset: int, size: int) -> bool:
    return (offset % size == 0 and 0 <= offset < 4096 * size) or -256 <= offset < 256


def _based(s: Selector, base: int, offset: int, size: int) -> Address:
    if offset == 0:
        return Address("[$c]", [base])
    if offset % size == 0 and 0 < offset < 4096 * size:
        return Address("[$c, #$#]", [base, offset])
    if -256 <= offset < 256:
        return Address("[$c, #$#]", [base, offset], unscaled=True)
    low = offset & 0xFFF
    if 0 <= offset < 1 << 24 and low % size == 0:
        middle = s.temp("c")
        s.emit("add =$c, $c, #$#, lsl #12", middle, base, offset >> 12)
        return Address("[$c, #$#]", [middle, low])
    register = s.temp("x")
    s.move_immediate(register, offset, "x")
    return Address("[$c, $x]", [base, register])


def _indexed(s: Selector, base: ir.VReg, offset: int, index: ir.VReg, scale: int, size: int) -> Address:
    shift = size.bit_length() - 1
    if offset == 0 and scale in (0, shift):
        view, register, extend, more = (
            index_operand(s, index, shift) if scale == 0 else (*_plain(s, index), 0)
        )
        if more in (0, shift):
            total = scale or more
            if extend == "uxtx":
                text = f"[$c, $x, lsl #{total}]" if total else "[$c, $x]"
            else:
                text = f"[$c, $w, {extend} #{total}]" if total else f"[$c, $w, {extend}]"
            return Address(text, [s.use(base), register])
        pointer = s.temp("c")
        s.emit(f"add =$c, $c, ${view}, {extend} #{more}", pointer, s.use(base), register)
        return Address("[$c]", [pointer])
    view, register, extend = _plain(s, index)
    pointer = s.temp("c")
    if scale > 4:
        wide = s.temp("x")
        s.emit("lsl =$x, $x, #$#", wide, s.use(index) if view == "w" else register, scale)
        s.emit("add =$c, $c, $x, uxtx", pointer, s.use(base), wide)
    else:
        suffix = f" #{scale}" if scale else ""
        s.emit(f"add =$c, $c, ${view}, {extend}{suffix}", pointer, s.use(base), register)
    return _based(s, pointer, offset, size)


def _plain(s: Selector, index: ir.VReg) -> tuple[str, int, str]:
    """An index with its extension folded but not its shift."""
    view, register, extend, _ = index_operand(s, index, -1)
    return view, register, extend


@selects(ir.Load)
def select_load(s: Selector, op: ir.Load) -> None:
    tail, view = load_form(op.width, op.dst)
    where = address(s, op.base, op.offset, op.index, op.scale, WIDTH_BYTES[op.width])
    prefix = "ldu" if where.unscaled else "ld"
    s.emit(f"{prefix}{tail} =${view}, {where.text}", s.reg(op.dst), *where.ops)


@selects(ir.Store)
def select_store(s: Selector, op: ir.Store) -> None:
    tail, view = _STORE[op.width]
    size = WIDTH_BYTES[op.width]
    source = _stored(s, op.src, size, view)
    where = address(s, op.base, op.offset, op.index, op.scale, size)
    prefix = "stu" if where.unscaled else "st"
    s.emit(f"{prefix}{tail} ${view}, {where.text}", source, *where.ops)


def _stored(s: Selector, src: ir.Operand, size: int, view: str) -> int:
    """Register to store: extensions above the stored bytes are dropped."""
    while isinstance(src, ir.VReg) and size in _NARROWING:
        d = s.definition(src)
        if isinstance(d, ir.Unary) and d.op in _NARROWING[size]:
            s.take(d)
            src = d.a
        else:
            break
    if isinstance(src, ir.VReg) and view in "wxc" and s.constant(src) == 0:
        d = s.definition(src)
        assert d is not None
        s.take(d)
        src = ir.Imm(0)
    return s.gpr(src, "x" if view == "c" else view)


def _needs_rounding(s: Selector, slot: int) -> bool:
    info = s.function.slots[slot]
    return object_alignment(info.size, info.align)[1] > FRAME_ALIGN


def _slot_base(s: Selector, slot: int) -> int:
    """Address of an over-aligned slot."""
    info = s.function.slots[slot]
    _, align = object_alignment(info.size, info.align)
    base = s.temp("c")
    ref = FrameRef(FrameKind.LOCAL, slot, 0, 1)
    s.emit(f"frameaddr =$c, $m\n\talignu @0c, @0c, #{align.bit_length() - 1}", base, ref)
    return base


@selects(ir.LocalLoad)
def select_local_load(s: Selector, op: ir.LocalLoad) -> None:
    tail, view = load_form(op.width, op.dst)
    size = WIDTH_BYTES[op.width]
    if _needs_rounding(s, op.slot):
        where = _based(s, _slot_base(s, op.slot), op.offset, size)
        prefix = "ldu" if where.unscaled else "ld"
        s.emit(f"{prefix}{tail} =${view}, {where.text}", s.reg(op.dst), *where.ops)
        return
    s.emit(f"ld{tail} =${view}, $m", s.reg(op.dst), FrameRef(FrameKind.LOCAL, op.slot, op.offset, size))


@selects(ir.LocalStore)
def select_local_store(s: Selector, op: ir.LocalStore) -> None:
    tail, view = _STORE[op.width]
    size = WIDTH_BYTES[op.width]
    source = _stored(s, op.src, size, view)
    if _needs_rounding(s, op.slot):
        where = _based(s, _slot_base(s, op.slot), op.offset, size)
        prefix = "stu" if where.unscaled else "st"
        s.emit(f"{prefix}{tail} ${view}, {where.text}", source, *where.ops)
        return
    s.emit(f"st{tail} ${view}, $m", source, FrameRef(FrameKind.LOCAL, op.slot, op.offset, size))


def _pieces(size: int, caps: bool) -> list[tuple[int, int, str]]:
    """Split `size` bytes into (offset, bytes, view) moves, the widest first."""
    result = []
    offset = 0
    for width, view, suffix in ((16, "c", ""), (8, "x", ""), (4, "w", ""), (2, "w", "h"), (1, "w", "b")):
        if width == 16 and not caps:
            continue
        while size - offset >= width:
            result.append((offset, width, view + suffix))
            offset += width
    return result


GROUP = 4  # moves in flight in a block copy


class _Uses:
    """Keeps the use count of a register that one operation reads many times.

    The operation counts as one use, which is gone only if every access folded the definition.
    """

    def __init__(self, s: Selector, vreg: ir.VReg, accesses: int) -> None:
        self.s = s
        self.vreg = vreg
        self.accesses = accesses
        self.before = s.use_counts[vreg]

    def settle(self) -> None:
        counts = self.s.use_counts
        folded = self.before - counts[self.vreg]
        counts[self.vreg] = self.before - (1 if folded == self.accesses else 0)


@selects(ir.CopyMemory)
def select_copy(s: Selector, op: ir.CopyMemory) -> None:
    pieces = _pieces(op.size, op.caps)
    tracked = [_Uses(s, v, len(pieces)) for v in (op.src, op.dst)]
    for first in range(0, len(pieces), GROUP):
        group = pieces[first : first + GROUP]
        temps = [s.temp(view[0]) for _, _, view in group]
        for (offset, size, view), temp in zip(group, temps, strict=True):
            where = address(s, op.src, offset, None, 0, size)
            s.emit(
                f"ld{'u' if where.unscaled else ''}r{view[1:]} =${view[0]}, {where.text}", temp, *where.ops
            )
        for (offset, size, view), temp in zip(group, temps, strict=True):
            where = address(s, op.dst, offset, None, 0, size)
            s.emit(f"st{'u' if where.unscaled else ''}r{view[1:]} ${view[0]}, {where.text}", temp, *where.ops)
    for uses in tracked:
        uses.settle()


@selects(ir.ZeroMemory)
def select_zero(s: Selector, op: ir.ZeroMemory) -> None:
    pieces = _pieces(op.size, op.align >= 16)
    tracked = _Uses(s, op.dst, len(pieces))
    for offset, size, view in pieces:
        where = address(s, op.dst, offset, None, 0, size)
        mnemonic = f"st{'u' if where.unscaled else ''}r{view[1:]}"
        s.emit(f"{mnemonic} {view[0]}zr, {where.text}", *where.ops)
    tracked.settle()


@selects(ir.Alloca)
def select_alloca(s: Selector, op: ir.Alloca) -> None:
    s.out.has_alloca = True
    s.out.needs_frame = True
    size = s.use(op.size)
    s.emit(
        "alloca &$c, $x, &$x, $m",
        s.reg(op.dst),
        size,
        s.temp("x"),
        FrameRef(FrameKind.OUT, 0, 0, 1),
    )

"""Capability operations."""

from __future__ import annotations

from guest.cc import ir
from guest.cc.backend.immediates import is_add_immediate, object_alignment, set_bounds_immediate
from guest.cc.backend.mir import LR, SCRATCH, FrameKind, FrameRef, SlotInfo
from guest.cc.backend.select.core import MI_SHIFT_LIMIT, Selector, selects
from guest.cc.ir import BinOp, CapOp, UnOp

GET_FIELD = {
    UnOp.CAP_BASE: "gcbase",
    UnOp.CAP_LENGTH: "gclen",
    UnOp.CAP_OFFSET: "gcoff",
    UnOp.CAP_PERMS: "gcperm",
    UnOp.CAP_TYPE: "gctype",
    UnOp.CAP_TAG: "gctag",
    UnOp.CAP_SEALED: "gcseal",
    UnOp.CAP_FLAGS: "gcflgs",
}
WITH_REGISTER = {
    CapOp.SET_ADDRESS: "scvalue",
    CapOp.SET_OFFSET: "scoff",
    CapOp.SET_BOUNDS: "scbnds",
    CapOp.SET_BOUNDS_EXACT: "scbndse",
    CapOp.CLEAR_PERMS: "clrperm",
    CapOp.SET_FLAGS: "scflgs",
}
WITH_CAPABILITY = {
    CapOp.SEAL: "seal",
    CapOp.UNSEAL: "unseal",
    CapOp.BUILD: "build",
    CapOp.COPY_TYPE: "cpytype",
    CapOp.COND_SEAL: "cseal",
}
FRAME_ALIGN = 16


def select_cap_unary(s: Selector, op: ir.Unary) -> None:
    """Reading fields of a capability, and conversions."""
    dst, a = s.reg(op.dst), s.use(op.a)
    if op.op is UnOp.CAP_ADDRESS:
        s.copy(dst, a, "x")
    elif op.op is UnOp.INT_TO_CAP:
        s.emit("mov =$x, $x", dst, a)  # writing X makes the whole register null-derived
    elif op.op is UnOp.CAP_CLEAR_TAG:
        s.emit("clrtag =$c, $c", dst, a)
    elif op.op is UnOp.CAP_SEAL_ENTRY:
        s.emit("seal =$c, $c, rb", dst, a)
    elif op.op is UnOp.CAP_REPRESENTABLE_LENGTH:
        s.emit("rrlen =$x, $x", dst, a)
    elif op.op is UnOp.CAP_REPRESENTABLE_MASK:
        s.emit("rrmask =$x, $x", dst, a)
    else:
        s.emit(f"{GET_FIELD[op.op]} =$x, $c", dst, a)


@selects(ir.CapBinary)
def select_cap_binary(s: Selector, op: ir.CapBinary) -> None:
    if op.op is CapOp.ADD:
        _add(s, op)
    elif op.op in WITH_CAPABILITY:
        assert isinstance(op.b, ir.VReg)
        s.emit(f"{WITH_CAPABILITY[op.op]} =$c, $c, $c", s.reg(op.dst), s.use(op.a), s.use(op.b))
    elif op.op is CapOp.AND_PERMS:
        removed = s.temp("x")
        if isinstance(op.b, ir.Imm):
            s.move_immediate(removed, ~op.b.value, "x")
        else:
            s.emit("mvn =$x, $x", removed, s.use(op.b))
        s.emit("clrperm =$c, $c, $x", s.reg(op.dst), s.use(op.a), removed)
    else:
        length = set_bounds_immediate(op.b.value) if isinstance(op.b, ir.Imm) else None
        if length is not None and op.op in (CapOp.SET_BOUNDS, CapOp.SET_BOUNDS_EXACT):
            s.emit("scbnds =$c, $c, $#", s.reg(op.dst), s.use(op.a), length)
            return
        s.emit(f"{WITH_REGISTER[op.op]} =$c, $c, $x", s.reg(op.dst), s.use(op.a), s.gpr(op.b, "x"))


def _add(s: Selector, op: ir.CapBinary) -> None:
    if isinstance(op.b, ir.Imm):
        add_offset(s, s.reg(op.dst), s.use(op.a), op.b.value)
    else:
        add_index(s, s.reg(op.dst), s.use(op.a), op.b)


def add_offset(s: Selector, dst: int, base: int, offset: int) -> None:
    """dst := base + constant."""
    name, size = ("add", offset) if offset >= 0 else ("sub", -offset)
    if size == 0:
        s.copy(dst, base, "c")
    elif is_add_immediate(size):
        s.emit(f"{name} =$c, $c, #$#", dst, base, size)
    elif size < 1 << 24:
        middle = s.temp("c")
        s.emit(f"{name} =$c, $c, #$#, lsl #12", middle, base, size >> 12)
        s.emit(f"{name} =$c, $c, #$#", dst, middle, size & 0xFFF)
    else:
        index = s.temp("x")
        s.move_immediate(index, offset, "x")
        s.emit("add =$c, $c, $x, uxtx", dst, base, index)


def index_operand(s: Selector, index: ir.VReg, limit: int) -> tuple[str, int, str, int]:
    """An I64 index as (view, register, extend, shift) with its extension and shift folded."""
    shift = 0
    d = s.folded(index, ir.Binary)
    if d is not None and d.op is BinOp.SHL and isinstance(d.b, ir.Imm) and isinstance(d.a, ir.VReg):
        amount = d.b.value & 63
        if amount <= limit:
            s.take(d)
            index, shift = d.a, amount
    ext = s.definition(index)
    if isinstance(ext, ir.Unary) and ext.op in (UnOp.SEXT32, UnOp.ZEXT32) and ext.a.ty is ir.Ty.I32:
        s.take(ext)
        if ext.op is UnOp.SEXT32:
            return "w", s.use(ext.a), "sxtw", shift
        if ext.a in s.dirty:
            return "w", s.use(ext.a), "uxtw", shift
        return "x", s.use(ext.a), "uxtx", shift
    return "x", s.use(index), "uxtx", shift


def add_index(s: Selector, dst: int, base: int, index: ir.VReg) -> None:
    """dst := base + index."""
    view, register, extend, shift = index_operand(s, index, MI_SHIFT_LIMIT)
    suffix = f" #{shift}" if shift else ""
    s.emit(f"add =$c, $c, ${view}, {extend}{suffix}", dst, base, register)


@selects(ir.LocalAddr)
def select_local_addr(s: Selector, op: ir.LocalAddr) -> None:
    slot = s.function.slots[op.slot]
    size, align = object_alignment(slot.size, slot.align)
    dst = s.reg(op.dst)
    lines = ["frameaddr =$c, $m"]
    if align > FRAME_ALIGN:
        lines.append(f"alignu @0c, @0c, #{align.bit_length() - 1}")
    length = set_bounds_immediate(slot.size)
    if length is not None:
        lines.append(f"scbnds @0c, @0c, {length}")
    else:
        low, high = size & 0xFFFF, size >> 16
        lines.append(f"mov x{SCRATCH}, #{low}")
        if high:
            lines.append(f"movk x{SCRATCH}, #{high}, lsl #16")
        lines.append(f"scbnds @0c, @0c, x{SCRATCH}")
    s.emit("\n\t".join(lines), dst, FrameRef(FrameKind.LOCAL, op.slot, 0, 1))
    if op.offset:
        s.current[-1].ops[0] = whole = s.temp("c")
        add_offset(s, dst, whole, op.offset)


def slot_layout(function: ir.Function) -> list[SlotInfo]:
    """Frame sizes of the function's slots; over-aligned ones get slack, their address is rounded up."""
    result = []
    for slot in function.slots:
        size, align = object_alignment(slot.size, slot.align)
        if align > FRAME_ALIGN:
            size, align = size + align - FRAME_ALIGN, FRAME_ALIGN
        result.append(SlotInfo(size, align))
    return result


@selects(ir.GlobalAddr)
def select_global_addr(s: Selector, op: ir.GlobalAddr) -> None:
    dst = s.reg(op.dst)
    target = s.temp("c") if op.offset else dst
    s.emit("adrp =$c, :got:$#\n\tldr @0c, [@0c, :got_lo12:$#]", target, op.symbol, op.symbol)
    if op.offset:
        add_offset(s, dst, target, op.offset)


@selects(ir.BlockAddr)
def select_block_addr(s: Selector, op: ir.BlockAddr) -> None:
    s.out.blocks[s.block_index[op.block]].address_taken = True
    s.emit("adr =$c, $#+1", s.reg(op.dst), s.block_label(op.block))


@selects(ir.GetSpecial)
def select_special(s: Selector, op: ir.GetSpecial) -> None:
    dst = s.reg(op.dst)
    if op.special is ir.Special.PCC:
        s.emit("adr =$c, #0", dst)
    elif op.special is ir.Special.DDC:
        s.emit("mrs =$c, DDC", dst)
    elif op.special is ir.Special.CSP:
        s.emit("mov =$c, csp", dst)
    elif op.special is ir.Special.THREAD_POINTER:
        s.emit("mrs =$c, CTPIDR_EL0", dst)
    elif op.special is ir.Special.FRAME_ADDRESS:
        s.out.needs_frame = True
        s.emit("mov =$c, c29", dst)
    else:
        s.copy(dst, s.entry_value(op.special), "c")


_TLS_DESCRIPTOR = (
    "mrs c2, CTPIDR_EL0\n\tadrp c0, :tlsdesc:$#\n\tldr c1, [c0, :tlsdesc_lo12:@0#]\n\t"
    "add c0, c0, :tlsdesc_lo12:@0#\n\t.tlsdesccall @0#\n\tblr c1"
)
_TLS_LOCAL_EXEC = (
    "mrs =$c, CTPIDR_EL0\n\tmovz x16, #:tprel_g1:$#\n\tmovk x16, #:tprel_g0_nc:@1#\n\t"
    "add @0c, @0c, x16, uxtx\n\tmovz x16, #:size_g1:@1#\n\tmovk x16, #:size_g0_nc:@1#\n\tscbnds @0c, @0c, x16"
)
_DESCRIPTOR_REGISTERS = (0, 1, 2)


@selects(ir.TlsAddr)
def select_tls_addr(s: Selector, op: ir.TlsAddr) -> None:
    dst = s.reg(op.dst)
    target = s.temp("c") if op.offset else dst
    if s.options.pic:
        s.out.has_calls = True
        resolve = s.emit(_TLS_DESCRIPTOR, op.symbol)
        resolve.busy = _DESCRIPTOR_REGISTERS
        resolve.implicit_defs = (*_DESCRIPTOR_REGISTERS, LR)
        s.copy(target, 0, "c")
    else:
        s.emit(_TLS_LOCAL_EXEC, target, op.symbol)
    if op.offset:
        add_offset(s, dst, target, op.offset)

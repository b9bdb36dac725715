"""Lowering, part 1: making blocks, virtual registers and operations of one function."""

from __future__ import annotations

from guest.cc import ir
from guest.cc.ir import BinOp, CapOp, Cond, Imm, Operand, Ty, UnOp, VReg

Target = ir.Jump | ir.CondBranch | ir.Switch | ir.IndirectJump | ir.Return | ir.Unreachable


class Emitter:
    """Appends operations to the current block; after a terminator, to a block nobody reaches."""

    def __init__(self, function: ir.Function) -> None:
        self.function = function
        self.loc: ir.SourceLoc | None = function.loc
        self.registers = 0
        self.block_number = 0
        self.block = ir.Block("entry")
        function.blocks.append(self.block)
        self.open = True
        # Capabilities to symbols and slots already made in this block: (kind, name or slot) -> register.
        self.addresses: dict[tuple[str, str | int], VReg] = {}

    # -------------------------------------------------------- registers and blocks

    def vreg(self, ty: Ty, name: str = "") -> VReg:
        self.registers += 1
        return VReg(self.registers, ty, name)

    def label(self, hint: str) -> str:
        """A fresh block name."""
        self.block_number += 1
        return f"{hint}.{self.block_number}"

    def start(self, name: str) -> None:
        """Begin block `name`, falling into it from an open block."""
        if self.open:
            self.jump(name)
        self.block = ir.Block(name)
        self.function.blocks.append(self.block)
        self.open = True
        self.addresses.clear()

    def emit(self, op: ir.Op) -> None:
        if not self.open:
            self.start(self.label("dead"))
        op.loc = self.loc
        self.block.ops.append(op)

    def terminate(self, op: ir.Op) -> None:
        self.emit(op)
        self.open = False

    def jump(self, target: str) -> None:
        if self.open:
            self.terminate(ir.Jump(target))

    def branch(self, cond: Cond, a: Operand, b: Operand, if_true: str, if_false: str) -> None:
        self.terminate(ir.CondBranch(cond, a, b, if_true, if_false))

    # -------------------------------------------------------- simple operations

    def constant(self, ty: Ty, value: int) -> VReg:
        dst = self.vreg(ty)
        self.emit(ir.Const(dst, signed64(value)))
        return dst

    def register(self, a: Operand, ty: Ty) -> VReg:
        return a if isinstance(a, VReg) else self.constant(ty, a.value)

    def binary(self, op: BinOp, ty: Ty, a: Operand, b: Operand) -> VReg:
        dst = self.vreg(ty)
        self.emit(ir.Binary(op, dst, a, b))
        return dst

    def unary(self, op: UnOp, ty: Ty, a: VReg) -> VReg:
        dst = self.vreg(ty)
        self.emit(ir.Unary(op, dst, a))
        return dst

    def cap(self, op: CapOp, a: VReg, b: Operand) -> VReg:
        dst = self.vreg(Ty.CAP)
        self.emit(ir.CapBinary(op, dst, a, b))
        return dst

    def set_cond(self, cond: Cond, a: Operand, b: Operand) -> VReg:
        dst = self.vreg(Ty.I32)
        self.emit(ir.SetCond(cond, dst, a, b))
        return dst

    def address(self, cap: VReg) -> VReg:
        return self.unary(UnOp.CAP_ADDRESS, Ty.I64, cap)

    def assign(self, home: VReg, value: Operand) -> None:
        """home := value; a temporary's last operation writes `home` directly instead."""
        if isinstance(value, Imm):
            self.emit(ir.Const(home, value.value))
            return
        if value == home:
            return
        last = self.block.ops[-1] if self.open and self.block.ops else None
        if (
            last is not None
            and getattr(last, "dst", None) is value
            and not value.name
            and not isinstance(last, (ir.GlobalAddr, ir.TlsAddr, ir.LocalAddr, ir.Alloca))
        ):
            last.dst = home  # type: ignore[attr-defined]
            return
        self.emit(ir.Unary(UnOp.COPY, home, value))

    def special(self, special: ir.Special, ty: Ty = Ty.CAP) -> VReg:
        dst = self.vreg(ty)
        self.emit(ir.GetSpecial(dst, special))
        return dst

    def global_address(self, name: str) -> VReg:
        """Capability to a symbol; one GOT load per block and symbol."""
        key = ("global", name)
        if not self.open or key not in self.addresses:
            dst = self.vreg(Ty.CAP)
            self.emit(ir.GlobalAddr(dst, name))
            self.addresses[key] = dst
        return self.addresses[key]

    def tls_address(self, name: str) -> VReg:
        key = ("tls", name)
        if not self.open or key not in self.addresses:
            dst = self.vreg(Ty.CAP)
            self.emit(ir.TlsAddr(dst, name))
            self.addresses[key] = dst
        return self.addresses[key]

    def slot_address(self, slot: int) -> VReg:
        """Bounded capability to a frame slot; one SCBNDS per block and slot."""
        key = ("slot", slot)
        if not self.open or key not in self.addresses:
            dst = self.vreg(Ty.CAP)
            self.emit(ir.LocalAddr(dst, slot))
            self.addresses[key] = dst
        return self.addresses[key]

    def new_slot(self, size: int, align: int, name: str = "") -> int:
        self.function.slots.append(ir.Slot(size, align, name))
        return len(self.function.slots) - 1


def signed64(value: int) -> int:
    """`value` modulo 2^64 as a signed number (how IR constants are held)."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


def successors(op: ir.Op) -> list[str]:
    match op:
        case ir.Jump(target=target):
            return [target]
        case ir.CondBranch(if_true=a, if_false=b):
            return [a, b]
        case ir.Switch(cases=cases, default=default):
            return [*cases.values(), default]
        case ir.IndirectJump(targets=targets):
            return list(targets)
    return []


def drop_unreachable(function: ir.Function, roots: list[str]) -> None:
    """Remove blocks that neither the entry nor `roots` (labels with their address taken) lead to."""
    by_name = {b.name: b for b in function.blocks}
    reached: set[str] = set()
    work = [function.blocks[0].name, *roots]
    while work:
        name = work.pop()
        if name in reached:
            continue
        reached.add(name)
        ops = by_name[name].ops
        work += successors(ops[-1]) if ops else []
    function.blocks = [b for b in function.blocks if b.name in reached]

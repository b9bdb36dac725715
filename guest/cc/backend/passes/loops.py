"""Loop optimisations: invariant code motion and rotation."""

from __future__ import annotations

from guest.cc import ir
from guest.cc.backend import flow, irtools
from guest.cc.backend.immediates import is_add_immediate, is_logical_immediate, move_sequence
from guest.cc.backend.passes import graph
from guest.cc.backend.passes.fold import BITS, wrap
from guest.cc.backend.passes.graph import FreshRegisters

MAX_ROTATED = 12  # operations of a loop header that are worth copying
# Cheaper to repeat than to keep in a register, or folded into their users.
_STAYS = frozenset({ir.UnOp.TRUNC, ir.UnOp.ZEXT32, ir.UnOp.SEXT32, ir.UnOp.CAP_ADDRESS, ir.UnOp.COPY})


def hoist_invariants(function: ir.Function) -> None:
    """Move operations whose operands do not change in a loop in front of it."""
    info = graph.analyse(function)
    if not info.loops:
        return
    stable = graph.stable_registers(function, info)
    home = {v: places[0][0] for v, places in graph.definition_sites(function).items() if v in stable}
    preheaders = _Preheaders(function, info)
    fresh = FreshRegisters(function)
    for loop in reversed(info.loops):  # inner loops first
        moved: list[ir.Op] = []
        constants: dict[tuple[int, ir.Ty], ir.VReg] = {}
        for number in sorted(loop.blocks):
            block = function.blocks[number]
            kept: list[ir.Op] = []
            for op in block.ops:
                if _invariant(op, stable, home, loop):
                    moved.append(op)
                    home[op.dst] = -1  # type: ignore[attr-defined]
                else:
                    _name_constants(op, constants, fresh)
                    kept.append(op)
            block.ops = kept
        made: list[ir.Op] = [ir.Const(v, value) for (value, _), v in constants.items()]
        for v in constants.values():
            stable.add(v)
        if moved or made:
            target = preheaders.of(loop)
            for op in moved + made:
                op.loc = None
                home[op.dst] = target  # type: ignore[attr-defined]
            block = function.blocks[target]
            block.ops[-1:-1] = moved + made
    preheaders.finish()


def _invariant(op: ir.Op, stable: set[ir.VReg], home: dict[ir.VReg, int], loop: flow.Loop) -> bool:
    if type(op) not in irtools.PURE or op.dst not in stable:  # type: ignore[attr-defined]
        return False
    if isinstance(op, ir.Unary) and op.op in _STAYS:
        return False
    if isinstance(op, ir.Const) and not _is_long(op.value, op.dst.ty):
        return False
    if isinstance(op, ir.CapBinary) and op.op is ir.CapOp.ADD and isinstance(op.b, ir.Imm):
        return False  # part of an addressing mode
    if isinstance(op, ir.Binary) and isinstance(op.b, ir.Imm) and op.op in (ir.BinOp.SHL, ir.BinOp.ADD):
        return False
    if isinstance(op, ir.BlockAddr):
        return False
    return all(u in stable and home.get(u, -1) not in loop.blocks for u in irtools.uses(op))


def _is_long(value: int, ty: ir.Ty) -> bool:
    return ty is not ir.Ty.CAP and len(move_sequence(value, BITS[ty])) > 1


_ADDITIVE = frozenset({ir.BinOp.ADD, ir.BinOp.SUB})
_BITWISE = frozenset({ir.BinOp.AND, ir.BinOp.OR, ir.BinOp.XOR})
_BY_REGISTER = frozenset(
    {ir.BinOp.MUL, ir.BinOp.UMULH, ir.BinOp.SMULH, ir.BinOp.UDIV, ir.BinOp.SDIV, ir.BinOp.UREM, ir.BinOp.SREM}
)


def _name_constants(op: ir.Op, constants: dict[tuple[int, ir.Ty], ir.VReg], fresh: FreshRegisters) -> None:
    """Give immediates that no instruction can hold a register of the loop's preheader."""
    if isinstance(op, ir.Binary) and isinstance(op.b, ir.Imm) and op.dst.ty in BITS:
        bits = BITS[op.dst.ty]
        value = wrap(op.b.value, bits)
        if op.op in _ADDITIVE:
            fits = is_add_immediate(abs(value))
        elif op.op in _BITWISE:
            fits = is_logical_immediate(value, bits)
        else:
            fits = op.op not in _BY_REGISTER
        if not fits:
            op.b = constants.setdefault((value, op.dst.ty), fresh.new(op.dst.ty))
    elif isinstance(op, (ir.CondBranch, ir.SetCond, ir.Select)):
        if not isinstance(op.b, ir.Imm) or not isinstance(op.a, ir.VReg) or op.a.ty not in BITS:
            return
        value = wrap(op.b.value, BITS[op.a.ty])
        if not is_add_immediate(abs(value)):
            op.b = constants.setdefault((value, op.a.ty), fresh.new(op.a.ty))


class _Preheaders:
    """Blocks in front of loop headers, made on demand and placed at the end of the pass."""

    def __init__(self, function: ir.Function, info: flow.Flow) -> None:
        self.function = function
        self.info = info
        self.made: dict[int, int] = {}  # header -> block number of its preheader
        self.names = {b.name for b in function.blocks}

    def of(self, loop: flow.Loop) -> int:
        """Number of the block through which alone `loop` is entered."""
        if loop.header in self.made:
            return self.made[loop.header]
        outside = [p for p in self.info.predecessors[loop.header] if p not in loop.blocks]
        blocks = self.function.blocks
        if len(outside) == 1 and isinstance(blocks[outside[0]].ops[-1], ir.Jump):
            self.made[loop.header] = outside[0]
            return outside[0]
        header = blocks[loop.header].name
        name = f"{header}.pre"
        while name in self.names:
            name += "x"
        self.names.add(name)
        blocks.append(ir.Block(name, [ir.Jump(header)]))
        number = len(blocks) - 1
        for p in outside:
            irtools.retarget(blocks[p].ops[-1], lambda t: name if t == header else t)
        if loop.header == 0:
            self.entry = number
        self.made[loop.header] = number
        for outer in self.info.loops:
            if outer is not loop and loop.header in outer.blocks and loop.blocks < outer.blocks:
                outer.blocks.add(number)
        return number

    def finish(self) -> None:
        """Put new blocks right before their headers."""
        blocks = self.function.blocks
        before: dict[int, list[ir.Block]] = {}
        count = len(self.info.successors)
        for header, number in self.made.items():
            if number >= count:
                before.setdefault(header, []).append(blocks[number])
        ordered: list[ir.Block] = []
        for n in range(count):
            ordered += before.get(n, [])
            ordered.append(blocks[n])
        self.function.blocks = ordered


def rotate(function: ir.Function) -> None:
    """Test loops at the bottom: the jump back to a short header becomes a copy of the header."""
    info = graph.analyse(function)
    index = {b.name: n for n, b in enumerate(function.blocks)}
    fresh = FreshRegisters(function)
    for loop in info.loops:
        header = function.blocks[loop.header]
        last = header.ops[-1]
        if not isinstance(last, ir.CondBranch) or len(header.ops) > MAX_ROTATED:
            continue
        inside = [index[t] in loop.blocks for t in (last.if_true, last.if_false)]
        if all(inside) or not any(inside) or not all(_copyable(op) for op in header.ops[:-1]):
            continue
        local = _block_local(function, loop.header)
        for number in loop.blocks:
            block = function.blocks[number]
            jump = block.ops[-1]
            if isinstance(jump, ir.Jump) and jump.target == header.name and block is not header:
                block.ops[-1:] = copy_ops(header.ops, local, fresh)


def _copyable(op: ir.Op) -> bool:
    return not isinstance(op, (ir.Call, ir.Asm, ir.Alloca, ir.Atomic, ir.CopyMemory, ir.ZeroMemory))


def _block_local(function: ir.Function, number: int) -> set[ir.VReg]:
    """Registers that only this block mentions and that are written before they are read there."""
    block = function.blocks[number]
    seen: set[ir.VReg] = set()
    exposed: set[ir.VReg] = set()
    for op in block.ops:
        exposed.update(u for u in irtools.uses(op) if u not in seen)
        seen.update(irtools.defs(op))
    local = seen - exposed
    for n, other in enumerate(function.blocks):
        if n != number:
            for op in other.ops:
                local.difference_update(irtools.uses(op))
                local.difference_update(irtools.defs(op))
    local.difference_update(v for v, _ in function.params)
    return local


def copy_ops(ops: list[ir.Op], local: set[ir.VReg], fresh: FreshRegisters) -> list[ir.Op]:
    """Copies of operations; registers in `local` get new names."""
    import copy

    ordered = sorted(local, key=lambda v: v.number)  # the same names whatever the hash seed
    names = {v: ir.VReg(fresh.new(v.ty).number, v.ty, v.name) for v in ordered}
    result = []
    for op in ops:
        new = copy.copy(op)
        irtools.replace_uses(new, lambda v: names.get(v, v))
        irtools.replace_defs(new, lambda v: names.get(v, v))
        result.append(new)
    return result

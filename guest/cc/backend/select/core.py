"""The selector: walks each block from its end to its start and covers operations with instructions.

Going backwards, an operation sees its operands' definitions before these are emitted, so that it can
fold them (an address, a shift, an extension) into itself. A definition all of whose uses were folded is
never emitted. Handlers are functions registered per operation class with `@selects`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import TypeVar

from guest.cc import ir
from guest.cc.backend import irtools
from guest.cc.backend.immediates import move_sequence
from guest.cc.backend.mir import FIRST_VREG, MI, VIEW_OF_TYPE, ZR, MBlock, MFunction, Operand, Templates
from guest.cc.backend.options import Options

Handler = Callable[["Selector", ir.Op], None]
HANDLERS: dict[type[ir.Op], Handler] = {}
OpT = TypeVar("OpT", bound=ir.Op)


def selects(cls: type[OpT]) -> Callable[[Callable[[Selector, OpT], None]], Callable[[Selector, OpT], None]]:
    """Register the handler of one operation class."""

    def register(function: Callable[[Selector, OpT], None]) -> Callable[[Selector, OpT], None]:
        HANDLERS[cls] = function  # type: ignore[assignment]
        return function

    return register


MI_SHIFT_LIMIT = 4  # ADD (capability, extended register) shifts at most this far


class Selector:
    """Selection state of one function."""

    def __init__(self, function: ir.Function, options: Options, templates: Templates) -> None:
        self.function = function
        self.options = options
        self.templates = templates
        self.out = MFunction(function.name)
        self.out.shares_spill_slots = not function.calls_setjmp
        self.current: list[MI] = []
        self.loc: ir.SourceLoc | None = None
        self.ops: list[ir.Op] = []
        self.position = 0
        self.use_counts: dict[ir.VReg, int] = {}
        self.global_defs: dict[ir.VReg, list[ir.Op]] = {}
        self.dirty: set[ir.VReg] = set()  # I32 registers whose bits 63:32 may be set
        self.block_index = {block.name: n for n, block in enumerate(function.blocks)}
        self.specials: dict[ir.Special, int] = {}
        self.block_name = ""
        self._regs: dict[ir.VReg, int] = {}
        self._block_defs: dict[ir.VReg, list[int]] = {}
        self._labels = 0
        self._inherited: set[int] = set()  # operations whose operand uses moved to a user

    # -- registers -------------------------------------------------------------------------------

    def reg(self, vreg: ir.VReg) -> int:
        """The machine register of an IR register."""
        found = self._regs.get(vreg)
        if found is None:
            found = self._regs[vreg] = self.out.new_vreg(VIEW_OF_TYPE[vreg.ty])
        return found

    @property
    def register_map(self) -> dict[ir.VReg, int]:
        return self._regs

    def temp(self, view: str) -> int:
        """A fresh register."""
        return self.out.new_vreg(view)

    def use(self, vreg: ir.VReg) -> int:
        """The register to read `vreg` from: views that cost nothing are looked through."""
        return self.reg(self.look_through(vreg))

    def look_through(self, vreg: ir.VReg) -> ir.VReg:
        """Follow conversions that are only another view of the same physical register."""
        while True:
            d = self.definition(vreg)
            if not isinstance(d, ir.Unary):
                return vreg
            free = d.op in (ir.UnOp.TRUNC, ir.UnOp.CAP_ADDRESS) or (
                d.op is ir.UnOp.COPY and d.a.ty is ir.Ty.I64 and d.dst.ty is ir.Ty.I32
            )
            if not free and not (d.op is ir.UnOp.ZEXT32 and d.a not in self.dirty and d.a.ty is ir.Ty.I32):
                return vreg
            self.take(d)
            vreg = d.a

    def gpr(self, operand: ir.Operand, view: str, zero_ok: bool = True) -> int:
        """A general register holding `operand`; the zero register for 0 where allowed."""
        if isinstance(operand, ir.VReg):
            return self.use(operand)
        bits = 32 if view == "w" else 64
        if operand.value & ((1 << bits) - 1) == 0 and zero_ok:
            return ZR
        target = self.temp(view)
        self.move_immediate(target, operand.value, view)
        return target

    def entry_value(self, special: ir.Special) -> int:
        """Register that keeps c8, c9 or c30 from function entry."""
        found = self.specials.get(special)
        if found is None:
            found = self.specials[special] = self.temp("c")
        return found

    # -- emission --------------------------------------------------------------------------------

    def emit(self, source: str, *ops: Operand) -> MI:
        """Append an instruction of the current operation."""
        instruction = MI(self.templates[source], list(ops), self.loc)
        self.current.append(instruction)
        return instruction

    def copy(self, dst: int, src: int, view: str) -> None:
        """Append a register copy."""
        if src == ZR:
            self.emit(f"mov =${view}, {view}zr", dst)
        else:
            self.current.append(MI(self.templates.copy(view), [dst, src], self.loc))

    def move_immediate(self, dst: int, value: int, view: str) -> None:
        """Append the cheapest constant load; one inseparable instruction for the allocator."""
        steps = move_sequence(value, 32 if view == "w" else 64)
        lines = []
        ops: list[Operand] = [dst]
        for n, (mnemonic, immediate, shift) in enumerate(steps):
            hole = f"=${view}" if n == 0 else f"@0{view}"
            zero = f"{view}zr, " if mnemonic == "orr" else ""
            lines.append(f"{mnemonic} {hole}, {zero}#$#" + (f", lsl #{shift}" if shift else ""))
            ops.append(immediate)
        self.emit("\n\t".join(lines), *ops)

    def block_label(self, name: str) -> str:
        """Assembly label of a block of this function."""
        return f".L{self.function.name}.{name}"

    def label(self, purpose: str) -> str:
        """A fresh local label."""
        self._labels += 1
        return f".L{purpose}{self._labels}.{self.function.name}"

    # -- looking at definitions ------------------------------------------------------------------

    def definition(self, vreg: ir.VReg) -> ir.Op | None:
        """The pure operation in this block whose result `vreg` holds now, if it can be repeated here.

        That is: its operands still have the values they had there. Constants are found anywhere.
        """
        places = self._block_defs.get(vreg)
        before = bisect_left(places, self.position) if places else 0
        if not places or before == 0:
            found = self.global_defs.get(vreg)
            if (
                found is not None
                and len(found) == 1
                and type(found[0]) in (ir.Const, ir.FConst, ir.LocalAddr)
            ):
                return found[0]
            return None
        at = places[before - 1]
        op = self.ops[at]
        if type(op) not in irtools.PURE:
            return None
        for operand in irtools.uses(op):
            changed = self._block_defs.get(operand)
            if changed:
                n = bisect_left(changed, at)
                if n < len(changed) and changed[n] < self.position:
                    return None
        return op

    def single(self, op: ir.Op) -> bool:
        """True if the result of `op` has one use left."""
        return self.use_counts[op.dst] == 1  # type: ignore[attr-defined]

    def take(self, op: ir.Op) -> None:
        """Note that the current operation computes `op` itself instead of reading its result.

        With its last use `op` disappears and the current operation inherits its operands.
        """
        counts = self.use_counts
        counts[op.dst] -= 1  # type: ignore[attr-defined]
        if counts[op.dst] == 0:  # type: ignore[attr-defined]
            self._inherited.add(id(op))
            return
        for operand in irtools.uses(op):
            counts[operand] += 1

    def folded(self, operand: ir.Operand, cls: type[OpT]) -> OpT | None:
        """The single-use definition of `operand` if it is a `cls` (not taken yet)."""
        if isinstance(operand, ir.VReg):
            d = self.definition(operand)
            if isinstance(d, cls) and self.single(d):
                return d
        return None

    def constant(self, operand: ir.Operand) -> int | None:
        """The value of `operand` if it is known."""
        if isinstance(operand, ir.Imm):
            return operand.value
        d = self.definition(operand)
        return d.value if isinstance(d, ir.Const) else None

    # -- the walk --------------------------------------------------------------------------------

    def run(self, receive_parameters: Callable[[Selector], None]) -> MFunction:
        """Select the whole function; `receive_parameters` emits the copies at its entry."""
        self._count()
        self._find_dirty()
        for block in self.function.blocks:
            self.out.blocks.append(MBlock(self.block_label(block.name)))
        # Last block first: uses of a constant or frame address are folded before its definition is reached.
        for n in range(len(self.function.blocks) - 1, -1, -1):
            self._select_block(self.function.blocks[n], self.out.blocks[n])
        self.current = []
        self.loc = self.function.loc
        receive_parameters(self)
        self.out.blocks[0].code[:0] = self.current
        return self.out

    def _select_block(self, block: ir.Block, target: MBlock) -> None:
        self.block_name = block.name
        self.ops = block.ops
        self._block_defs = {}
        for n, op in enumerate(block.ops):
            for d in irtools.defs(op):
                self._block_defs.setdefault(d, []).append(n)
        chunks: list[list[MI]] = []
        for n in range(len(block.ops) - 1, -1, -1):
            op = block.ops[n]
            if irtools.removable(op) and self.use_counts.get(op.dst, 0) == 0:  # type: ignore[attr-defined]
                if id(op) not in self._inherited:
                    for operand in irtools.uses(op):
                        self.use_counts[operand] -= 1
                continue
            self.position = n
            self.loc = op.loc
            self.current = []
            HANDLERS[type(op)](self, op)
            chunks.append(self.current)
        for chunk in reversed(chunks):
            target.code.extend(chunk)
        target.successors = list(dict.fromkeys(self.block_index[t] for t in irtools.targets(block.ops[-1])))

    def _count(self) -> None:
        counts = self.use_counts
        for vreg, _ in self.function.params:
            counts.setdefault(vreg, 0)
            self.global_defs.setdefault(vreg, []).append(ir.Unreachable())
        for block in self.function.blocks:
            for op in block.ops:
                for operand in irtools.uses(op):
                    counts[operand] = counts.get(operand, 0) + 1
                for d in irtools.defs(op):
                    counts.setdefault(d, 0)
                    self.global_defs.setdefault(d, []).append(op)

    def _find_dirty_shift(self, op: ir.Binary) -> None:
        """An arithmetic shift of a signed high half may be done on the 64-bit product."""
        sources = self.global_defs.get(op.a, []) if isinstance(op.a, ir.VReg) else []
        if any(isinstance(x, ir.Binary) and x.op is ir.BinOp.SMULH for x in sources):
            self.dirty.add(op.dst)

    def _find_dirty(self) -> None:
        """Which I32 registers may hold more than 32 bits (the rest are zero-extended already)."""
        copies: list[tuple[ir.VReg, ir.VReg]] = []
        for vreg, _ in self.function.params:
            if vreg.ty is ir.Ty.I32:
                self.dirty.add(vreg)
        for block in self.function.blocks:
            for op in block.ops:
                for d in irtools.defs(op):
                    if d.ty is not ir.Ty.I32:
                        continue
                    if isinstance(op, ir.Binary) and op.op is ir.BinOp.ASHR:
                        self._find_dirty_shift(op)
                    if not isinstance(op, (ir.Unary, ir.Call, ir.Asm)):
                        continue
                    if isinstance(op, ir.Unary) and op.op is ir.UnOp.COPY and op.a.ty is ir.Ty.I32:
                        copies.append((d, op.a))
                    elif not isinstance(op, ir.Unary) or op.op in (ir.UnOp.TRUNC, ir.UnOp.COPY):
                        self.dirty.add(d)
        changed = True
        while changed:
            changed = False
            for dst, src in copies:
                if src in self.dirty and dst not in self.dirty:
                    self.dirty.add(dst)
                    changed = True


def vreg_index(register: int) -> int:
    """Position of a virtual register in the function's tables."""
    return register - FIRST_VREG

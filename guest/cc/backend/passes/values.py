"""Value numbering over the dominator tree: constant and copy propagation, common subexpressions,
redundant loads, algebraic simplification (`simplify.py`).

The IR is not SSA. Registers with one definition that dominates every use are *stable* and behave as in
SSA form. The others carry a version that changes at each assignment and, unknown, at each control-flow
merge; a fact is used only while the versions it mentions are current.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from guest.cc import ir
from guest.cc.backend import flow, irtools
from guest.cc.backend.passes import graph, simplify
from guest.cc.backend.passes.graph import FreshRegisters
from guest.cc.backend.passes.memory_facts import MemoryFacts

Key = tuple[object, ...]


@dataclass(slots=True)
class _Definition:
    """What a register was assigned: the operation and the versions its operands had."""

    op: ir.Op
    version: int
    operands: list[tuple[ir.VReg, int]]
    block: int


@dataclass(slots=True)
class _Fact:
    """`register` (at `version`) equals `value` (a constant, or a register at `value_version`)."""

    version: int
    value: ir.Operand
    value_version: int


@dataclass(slots=True)
class _Scope:
    """State at the end of a block, for its children in the dominator tree."""

    versions: dict[ir.VReg, int]
    memory: MemoryFacts
    undo: list[tuple[dict[object, object], object, object]] = field(default_factory=list)


_MISSING = object()


class ValueNumbering:
    """One run over one function."""

    def __init__(self, function: ir.Function) -> None:
        self.function = function
        self.graph: flow.Flow = graph.analyse(function)
        self.stable = graph.stable_registers(function, self.graph)
        self.fresh = FreshRegisters(function)
        self.private_slots = private_slots(function)
        self.versions: dict[ir.VReg, int] = {}
        self.memory = MemoryFacts()
        self.expressions: dict[Key, tuple[ir.VReg, int]] = {}
        self.facts: dict[ir.VReg, _Fact] = {}
        self.definitions: dict[ir.VReg, _Definition] = {}
        self.undo: list[tuple[dict[object, object], object, object]] = []
        self.out: list[ir.Op] = []
        self.block = 0
        self.calls = 0  # calls passed so far in the block
        self.loc: ir.SourceLoc | None = None
        self._stamp = 0
        self.changed = False

    # -- versions ---------------------------------------------------------------------------------

    def version(self, register: ir.VReg) -> int:
        """Current version; 0 for stable registers."""
        if register in self.stable:
            return 0
        found = self.versions.get(register)
        if found is None:
            self._stamp += 1
            found = self.versions[register] = self._stamp
        return found

    def _set(self, table: dict[object, object], key: object, value: object) -> None:
        self.undo.append((table, key, table.get(key, _MISSING)))
        table[key] = value

    # -- the walk ----------------------------------------------------------------------------------

    def run(self) -> None:
        children = self.graph.dominator_children()
        work: list[tuple[str, int]] = [("enter", 0)]
        scopes: dict[int, _Scope] = {}
        while work:
            action, block = work.pop()
            if action == "leave":
                self._rollback(scopes.pop(block).undo)
                continue
            parent = scopes.get(self.graph.idom[block]) if block else None
            scopes[block] = self._visit(block, parent)
            work.append(("leave", block))
            work.extend(("enter", c) for c in reversed(children[block]))

    def _rollback(self, undo: list[tuple[dict[object, object], object, object]]) -> None:
        for table, key, old in reversed(undo):
            if old is _MISSING:
                table.pop(key, None)
            else:
                table[key] = old

    def _visit(self, block: int, parent: _Scope | None) -> _Scope:
        preds = self.graph.predecessors[block]
        inherits = parent is not None and preds == [self.graph.idom[block]]
        self.versions = dict(parent.versions) if inherits and parent else {}
        self.memory = parent.memory.copy() if inherits and parent else MemoryFacts()
        self.undo = []
        self.out = []
        self.block = block
        self.calls = 0
        source = self.function.blocks[block]
        for op in source.ops:
            self.loc = op.loc
            self._operation(op)
        source.ops = self.out
        return _Scope(self.versions, self.memory, self.undo)

    def _operation(self, op: ir.Op) -> None:
        irtools.replace_uses(op, self.resolve)
        simplified = simplify.simplify(self, op)
        if simplified is not op:
            self.changed = True
            simplified.loc = op.loc
            op = simplified
            irtools.replace_uses(op, self.resolve)
        op = self._numbered(op)
        self.out.append(op)
        self._define(op)
        self.memory.effect(self, op)
        if isinstance(op, ir.Call):
            self.calls += 1

    # -- facts -------------------------------------------------------------------------------------

    def resolve(self, register: ir.VReg) -> ir.Operand:
        """The constant or older register that `register` is to be replaced by.

        A variable that is assigned elsewhere too keeps its name: the copy's source would only live
        longer beside it.
        """
        value = self.equal(register)
        if isinstance(value, ir.VReg) and register not in self.stable:
            return register
        return value

    def equal(self, register: ir.VReg) -> ir.Operand:
        """The constant or older register that `register` is known to equal."""
        fact = self.facts.get(register)
        if fact is None or fact.version != self.version(register):
            return register
        if isinstance(fact.value, ir.VReg) and fact.value_version != self.version(fact.value):
            return register
        return fact.value

    def definition(self, operand: ir.Operand | None) -> ir.Op | None:
        """The operation that computed `operand`, if its operands still have the same values."""
        if isinstance(operand, ir.VReg):
            operand = self.equal(operand)
        if not isinstance(operand, ir.VReg):
            return None
        found = self.definitions.get(operand)
        if found is None or found.version != self.version(operand):
            return None
        for register, version in found.operands:
            if self.version(register) != version:
                return None
        return found.op

    def local_definition(self, operand: ir.Operand | None) -> ir.Op | None:
        """As `definition`, but only for operations of the current block."""
        op = self.definition(operand)
        if op is None or not isinstance(operand, ir.VReg):
            return None
        known = self.definitions.get(operand)
        return op if known is not None and known.op is op and known.block == self.block else None

    def emit(self, op: ir.Op) -> None:
        """Insert a helper operation before the current one."""
        op.loc = self.loc
        op = self._numbered(op)
        self.out.append(op)
        self._define(op)

    def compute(self, op: ir.BinOp, a: ir.Operand, b: ir.Operand, ty: ir.Ty) -> ir.VReg:
        """Insert a binary operation and return its (new, stable) register."""
        dst = self.fresh.new(ty)
        self.stable.add(dst)
        self.emit(ir.Binary(op, dst, a, b))
        return dst

    def convert(self, op: ir.UnOp, a: ir.VReg, ty: ir.Ty) -> ir.VReg:
        """Insert a unary operation and return its (new, stable) register."""
        dst = self.fresh.new(ty)
        self.stable.add(dst)
        self.emit(ir.Unary(op, dst, a))
        return dst

    def _numbered(self, op: ir.Op) -> ir.Op:
        """`op`, or a copy of the register that already holds its value."""
        key = self._key(op)
        if key is None:
            return op
        dst: ir.VReg = op.dst  # type: ignore[attr-defined]
        found = self.expressions.get(key)
        if found is not None:
            register, version = found
            if self.version(register) == version and register != dst:
                self.changed = True
                return ir.Unary(ir.UnOp.COPY, dst, register, loc=op.loc)
        return op

    def _define(self, op: ir.Op) -> None:
        defined = irtools.defs(op)
        if not defined:
            return
        key = self._key(op)
        operands = [(u, self.version(u)) for u in irtools.uses(op)]
        source_version = operands[0][1] if operands else 0
        for register in defined:
            if register not in self.stable:
                self._stamp += 1
                self.versions[register] = self._stamp
        if len(defined) != 1:
            return
        dst = defined[0]
        version = self.version(dst)
        if type(op) in irtools.PURE or isinstance(op, ir.Load):
            self._set(self.definitions, dst, _Definition(op, version, operands, self.block))  # type: ignore[arg-type]
        if key is not None and dst not in (u for u, _ in operands):
            self._set(self.expressions, key, (dst, version))  # type: ignore[arg-type]
        if isinstance(op, ir.Const) and dst.ty is not ir.Ty.CAP:
            self._set(self.facts, dst, _Fact(version, ir.Imm(op.value), 0))  # type: ignore[arg-type]
        elif isinstance(op, ir.Unary) and op.op is ir.UnOp.COPY and op.a.ty is dst.ty and op.a != dst:
            self._set(self.facts, dst, _Fact(version, op.a, source_version))  # type: ignore[arg-type]

    # -- expression keys ---------------------------------------------------------------------------

    def operand_key(self, operand: ir.Operand | None) -> object:
        if isinstance(operand, ir.VReg):
            operand = self.equal(operand)
        if isinstance(operand, ir.VReg):
            return (operand.number, self.version(operand))
        return operand.value if operand is not None else None

    def _key(self, op: ir.Op) -> Key | None:
        """What identifies the value of a pure operation; None if it is not worth remembering."""
        maker = _KEYS.get(type(op))
        return None if maker is None else maker(self, op)


COMMUTATIVE = frozenset(
    {
        ir.BinOp.ADD,
        ir.BinOp.MUL,
        ir.BinOp.AND,
        ir.BinOp.OR,
        ir.BinOp.XOR,
        ir.BinOp.UMULH,
        ir.BinOp.SMULH,
        ir.BinOp.FADD,
        ir.BinOp.FMUL,
    }
)
# Folded into their users by selection: reused within a block only, so that the fold stays possible.
_FOLDED_UNARY = frozenset(
    {ir.UnOp.SEXT32, ir.UnOp.ZEXT32, ir.UnOp.TRUNC, ir.UnOp.CAP_ADDRESS, ir.UnOp.COPY, ir.UnOp.NOT}
)
# Other operations on a constant are not worth a register across a call or another block.
_EXPENSIVE = frozenset(
    {
        ir.BinOp.MUL,
        ir.BinOp.UMULH,
        ir.BinOp.SMULH,
        ir.BinOp.SDIV,
        ir.BinOp.UDIV,
        ir.BinOp.SREM,
        ir.BinOp.UREM,
    }
)


def _binary_key(v: ValueNumbering, op: ir.Binary) -> Key:
    a, b = v.operand_key(op.a), v.operand_key(op.b)
    if op.op in COMMUTATIVE and isinstance(a, tuple) and isinstance(b, tuple) and b < a:
        a, b = b, a
    cheap = isinstance(op.b, ir.Imm) and op.op not in _EXPENSIVE
    return ("binary", op.op, op.dst.ty, a, b, (v.block, v.calls) if cheap else -1)


def _unary_key(v: ValueNumbering, op: ir.Unary) -> Key | None:
    if op.op is ir.UnOp.COPY:
        return None
    local = v.block if op.op in _FOLDED_UNARY else -1
    return ("unary", op.op, op.dst.ty, op.a.ty, v.operand_key(op.a), local)


def _cap_key(v: ValueNumbering, op: ir.CapBinary) -> Key:
    local = v.block if op.op is ir.CapOp.ADD else -1
    return ("cap", op.op, v.operand_key(op.a), v.operand_key(op.b), local)


def _set_cond_key(v: ValueNumbering, op: ir.SetCond) -> Key:
    ty = next((o.ty for o in (op.a, op.b) if isinstance(o, ir.VReg)), ir.Ty.I64)
    return ("setcond", op.cond, ty, v.operand_key(op.a), v.operand_key(op.b))


_KEYS: dict[type[ir.Op], Callable[[ValueNumbering, Any], Key | None]] = {
    ir.Binary: _binary_key,
    ir.Unary: _unary_key,
    ir.CapBinary: _cap_key,
    ir.SetCond: _set_cond_key,
    ir.FConst: lambda _, op: ("fconst", op.dst.ty, op.bits),
    ir.GlobalAddr: lambda _, op: ("global", op.symbol, op.offset),
    ir.TlsAddr: lambda _, op: ("tls", op.symbol, op.offset),
    ir.LocalAddr: lambda _, op: ("local", op.slot, op.offset),
}


def private_slots(function: ir.Function) -> set[int]:
    """Frame slots whose address is never formed: only LocalLoad and LocalStore touch them."""
    shared = {op.slot for block in function.blocks for op in block.ops if isinstance(op, ir.LocalAddr)}
    return {n for n in range(len(function.slots)) if n not in shared}


def number_values(function: ir.Function) -> bool:
    """Run the pass; True if something changed that may allow more."""
    numbering = ValueNumbering(function)
    numbering.run()
    return numbering.changed

"""Uniform access to the operands of IR operations: what each reads and writes, and rewriting it.

One row per operation class. Passes use these functions instead of knowing every class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from guest.cc import ir

# Fields that hold a register (never an immediate), and fields that hold a register or an immediate.
REGISTER_FIELDS: dict[type[ir.Op], tuple[str, ...]] = {
    ir.Unary: ("a",),
    ir.CapBinary: ("a",),
    ir.Select: ("if_true", "if_false"),
    ir.Fma: ("a", "b", "c"),
    ir.Load: ("base", "index"),
    ir.Store: ("base", "index"),
    ir.CopyMemory: ("dst", "src"),
    ir.ZeroMemory: ("dst",),
    ir.Alloca: ("size",),
    ir.Atomic: ("address", "operand", "expected"),
    ir.Switch: ("value",),
    ir.IndirectJump: ("address",),
}
OPERAND_FIELDS: dict[type[ir.Op], tuple[str, ...]] = {
    ir.Binary: ("a", "b"),
    ir.CapBinary: ("b",),
    ir.SetCond: ("a", "b"),
    ir.Select: ("a", "b"),
    ir.Store: ("src",),
    ir.LocalStore: ("src",),
    ir.CondBranch: ("a", "b"),
}
DEFINING = frozenset(
    {
        ir.Const,
        ir.FConst,
        ir.Binary,
        ir.Unary,
        ir.CapBinary,
        ir.SetCond,
        ir.Select,
        ir.Fma,
        ir.Load,
        ir.LocalAddr,
        ir.LocalLoad,
        ir.GlobalAddr,
        ir.TlsAddr,
        ir.BlockAddr,
        ir.GetSpecial,
        ir.Alloca,
        ir.Atomic,
    }
)
# No effect but their result: may be removed, duplicated or moved if the operands are the same.
PURE = frozenset(
    {
        ir.Const,
        ir.FConst,
        ir.Binary,
        ir.Unary,
        ir.CapBinary,
        ir.SetCond,
        ir.Select,
        ir.Fma,
        ir.LocalAddr,
        ir.GlobalAddr,
        ir.TlsAddr,
        ir.BlockAddr,
    }
)
READS_MEMORY = frozenset({ir.Load, ir.LocalLoad})
TERMINATORS = frozenset({ir.Jump, ir.CondBranch, ir.Switch, ir.IndirectJump, ir.Return, ir.Unreachable})

_READS: dict[type[ir.Op], tuple[str, ...]] = {
    cls: REGISTER_FIELDS.get(cls, ()) + OPERAND_FIELDS.get(cls, ())
    for cls in {*REGISTER_FIELDS, *OPERAND_FIELDS}
}


def uses(op: ir.Op) -> list[ir.VReg]:
    """Registers that `op` reads, with repetitions."""
    cls = type(op)
    fields = _READS.get(cls)
    if fields is not None:
        found = []
        for name in fields:
            value = getattr(op, name)
            if type(value) is ir.VReg:
                found.append(value)
        return found
    if isinstance(op, ir.Call):
        found = [a for a, _ in op.args if isinstance(a, ir.VReg)]
        if isinstance(op.target, ir.VReg):
            found.append(op.target)
        if op.indirect_result is not None:
            found.append(op.indirect_result)
        return found
    if isinstance(op, ir.Return):
        return [v for v, _ in op.values if isinstance(v, ir.VReg)]
    if isinstance(op, ir.Asm):
        return [v for _, v in op.inputs if isinstance(v, ir.VReg)]
    return []


def defs(op: ir.Op) -> list[ir.VReg]:
    """Registers that `op` writes."""
    if type(op) in DEFINING:
        dst = op.dst  # type: ignore[attr-defined]
        return [] if dst is None else [dst]
    if isinstance(op, ir.Call):
        return [v for v, _ in op.results]
    if isinstance(op, ir.Asm):
        return [v for _, v in op.outputs]
    return []


def replace_uses(op: ir.Op, change: Callable[[ir.VReg], ir.Operand]) -> None:
    """Replace every register read by `change(register)`; a constant is refused where only a register fits."""
    cls = type(op)
    for name in REGISTER_FIELDS.get(cls, ()):
        value = getattr(op, name)
        if value is not None:
            new = change(value)
            if type(new) is ir.VReg and new is not value:
                setattr(op, name, new)
    for name in OPERAND_FIELDS.get(cls, ()):
        value = getattr(op, name)
        if type(value) is ir.VReg:
            setattr(op, name, change(value))
    if isinstance(op, ir.Call):
        op.args = [(change(a) if isinstance(a, ir.VReg) else a, p) for a, p in op.args]
        if isinstance(op.target, ir.VReg):
            new = change(op.target)
            op.target = new if isinstance(new, ir.VReg) else op.target
        if op.indirect_result is not None:
            new = change(op.indirect_result)
            op.indirect_result = new if isinstance(new, ir.VReg) else op.indirect_result
    elif isinstance(op, ir.Return):
        op.values = [(change(v) if isinstance(v, ir.VReg) else v, p) for v, p in op.values]
    elif isinstance(op, ir.Asm):
        op.inputs = [(c, _register_only(change, v) if isinstance(v, ir.VReg) else v) for c, v in op.inputs]


def _register_only(change: Callable[[ir.VReg], ir.Operand], value: ir.VReg) -> ir.VReg:
    new = change(value)
    return new if isinstance(new, ir.VReg) else value


def replace_defs(op: ir.Op, change: Callable[[ir.VReg], ir.VReg]) -> None:
    """Replace every register written by `change(register)`."""
    if type(op) in DEFINING:
        dst = op.dst  # type: ignore[attr-defined]
        if dst is not None:
            op.dst = change(dst)  # type: ignore[attr-defined]
    elif isinstance(op, ir.Call):
        op.results = [(change(v), p) for v, p in op.results]
    elif isinstance(op, ir.Asm):
        op.outputs = [(c, change(v)) for c, v in op.outputs]


def targets(op: ir.Op) -> list[str]:
    """Blocks that a terminator may continue at (with repetitions)."""
    if isinstance(op, ir.Jump):
        return [op.target]
    if isinstance(op, ir.CondBranch):
        return [op.if_true, op.if_false]
    if isinstance(op, ir.Switch):
        return [*op.cases.values(), op.default]
    if isinstance(op, ir.IndirectJump):
        return list(op.targets)
    return []


def retarget(op: ir.Op, change: Callable[[str], str]) -> None:
    """Rename the targets of a terminator."""
    if isinstance(op, ir.Jump):
        op.target = change(op.target)
    elif isinstance(op, ir.CondBranch):
        op.if_true, op.if_false = change(op.if_true), change(op.if_false)
    elif isinstance(op, ir.Switch):
        op.cases = {k: change(b) for k, b in op.cases.items()}
        op.default = change(op.default)
    elif isinstance(op, ir.IndirectJump):
        op.targets = [change(b) for b in op.targets]


def is_terminator(op: ir.Op) -> bool:
    return type(op) in TERMINATORS or (isinstance(op, ir.Call) and op.noreturn)


def removable(op: ir.Op) -> bool:
    """True if `op` may be dropped when its result is unused."""
    cls = type(op)
    return (
        cls in PURE
        or cls is ir.LocalLoad
        or cls is ir.GetSpecial
        or (isinstance(op, ir.Load) and not op.volatile)
    )


def all_vregs(function: ir.Function) -> Iterable[ir.VReg]:
    """Every register mentioned in `function`, with repetitions."""
    for vreg, _ in function.params:
        yield vreg
    for block in function.blocks:
        for op in block.ops:
            yield from defs(op)
            yield from uses(op)


def next_number(function: ir.Function) -> int:
    """A register number that `function` does not use yet."""
    return 1 + max((v.number for v in all_vregs(function)), default=-1)


def occurrences(function: ir.Function) -> tuple[dict[ir.VReg, int], dict[ir.VReg, int]]:
    """How often each register is read, and how often it is written."""
    reads: dict[ir.VReg, int] = {}
    writes: dict[ir.VReg, int] = {}
    for block in function.blocks:
        for op in block.ops:
            for used in uses(op):
                reads[used] = reads.get(used, 0) + 1
            for defined in defs(op):
                writes[defined] = writes.get(defined, 0) + 1
    return reads, writes

"""Inlining of small static functions, and of static functions that are called once."""

from __future__ import annotations

import copy

from guest.cc import ir
from guest.cc.backend import irtools
from guest.cc.backend.passes.graph import FreshRegisters

TINY = 6  # operations: about what the call itself costs, always inlined
SMALL = 14  # operations
ONCE = 120  # operations of a function with a single call
MAX_GROWN = 4000  # operations of a caller


def inline_functions(module: ir.Module) -> None:
    """Inline across the module and drop static functions that nothing refers to any more."""
    bodies = {f.name: f for f in module.functions if f.is_static and _inlinable(f)}
    sizes = {f.name: _size(f) for f in module.functions}
    calls = _call_counts(module)
    taken = _address_taken(module)
    for function in _callees_first(module, bodies):
        for _ in range(3):
            if not _inline_into(function, bodies, sizes, calls, taken):
                break
        sizes[function.name] = _size(function)
        if function.name in bodies and not _inlinable(function):
            del bodies[function.name]
    _drop_unused(module)


def _size(function: ir.Function) -> int:
    return sum(len(b.ops) for b in function.blocks)


_NOT_INLINED = (ir.Alloca, ir.BlockAddr, ir.IndirectJump, ir.GetSpecial, ir.Asm)


def _inlinable(function: ir.Function) -> bool:
    if function.is_variadic or function.calls_setjmp or function.is_weak or function.section is not None:
        return False
    if function.no_inline:
        return False
    for block in function.blocks:
        for op in block.ops:
            buffer = isinstance(op, ir.GetSpecial) and op.special is ir.Special.RESULT_BUFFER
            if isinstance(op, _NOT_INLINED) and not buffer:
                return False
            if isinstance(op, ir.Call) and op.target == function.name:
                return False
    return all(p.file is not ir.RegFile.STACK for _, p in function.params)


def _call_counts(module: ir.Module) -> dict[str, int]:
    counts: dict[str, int] = {}
    for function in module.functions:
        for block in function.blocks:
            for op in block.ops:
                if isinstance(op, ir.Call) and isinstance(op.target, str):
                    counts[op.target] = counts.get(op.target, 0) + 1
    return counts


def _address_taken(module: ir.Module) -> set[str]:
    taken = {p.symbol for d in module.data for p in d.pieces if isinstance(p, ir.DataCap)}
    taken.update(module.aliases.values())
    taken.update(module.init_functions)
    taken.update(module.fini_functions)
    for function in module.functions:
        for block in function.blocks:
            taken.update(op.symbol for op in block.ops if isinstance(op, ir.GlobalAddr))
    return taken


def _callees_first(module: ir.Module, bodies: dict[str, ir.Function]) -> list[ir.Function]:
    """Functions ordered so that what they may inline comes before them (cycles cut anywhere)."""
    order: list[ir.Function] = []
    state: dict[str, int] = {}
    by_name = {f.name: f for f in module.functions}

    def visit(function: ir.Function) -> None:
        stack = [(function, iter(_direct_callees(function)))]
        state[function.name] = 1
        while stack:
            current, callees = stack[-1]
            for name in callees:
                if name in bodies and name not in state:
                    state[name] = 1
                    stack.append((by_name[name], iter(_direct_callees(by_name[name]))))
                    break
            else:
                order.append(current)
                stack.pop()

    for function in module.functions:
        if function.name not in state:
            visit(function)
    return order


def _direct_callees(function: ir.Function) -> list[str]:
    return [
        op.target
        for b in function.blocks
        for op in b.ops
        if isinstance(op, ir.Call) and isinstance(op.target, str)
    ]


def _inline_into(
    function: ir.Function,
    bodies: dict[str, ir.Function],
    sizes: dict[str, int],
    calls: dict[str, int],
    taken: set[str],
) -> bool:
    """One sweep over the calls of `function`; True if any was inlined."""
    changed = False
    size = _size(function)
    result: list[ir.Block] = []
    pending = list(reversed(function.blocks))
    names = {b.name for b in function.blocks}
    fresh = FreshRegisters(function)
    while pending:
        block = pending.pop()
        for n, op in enumerate(block.ops):
            if not isinstance(op, ir.Call) or not isinstance(op.target, str) or op.target == function.name:
                continue
            callee = bodies.get(op.target)
            if callee is None or not _matches(op, callee):
                continue
            only = calls.get(callee.name) == 1 and callee.name not in taken
            limit = MAX_GROWN if callee.always_inline else ONCE if only else SMALL
            if sizes[callee.name] > limit:
                continue
            if sizes[callee.name] > TINY and size + sizes[callee.name] > MAX_GROWN:
                continue
            body, rest = _splice(function, block, n, op, callee, names, fresh)
            size += sizes[callee.name]
            result.append(block)
            result.extend(body)
            pending.append(rest)
            for name in _direct_callees(callee):
                calls[name] = calls.get(name, 0) + 1
            changed = True
            break
        else:
            result.append(block)
    function.blocks = result
    return changed


def _matches(call: ir.Call, callee: ir.Function) -> bool:
    """True if argument and result places agree with the definition."""
    args = {place: a for a, place in call.args}
    for vreg, place in callee.params:
        a = args.get(place)
        if a is None or (isinstance(a, ir.VReg) and a.ty is not vreg.ty):
            return False
    if call.varargs is not None or call.noreturn:
        return False
    returns = [b.ops[-1] for b in callee.blocks if isinstance(b.ops[-1], ir.Return)]
    for ret in returns:
        values = {place: v for v, place in ret.values}
        for vreg, place in call.results:
            v = values.get(place)
            if v is None or (isinstance(v, ir.VReg) and v.ty is not vreg.ty):
                return False
    return True


def _splice(
    function: ir.Function,
    block: ir.Block,
    at: int,
    call: ir.Call,
    callee: ir.Function,
    names: set[str],
    fresh: FreshRegisters,
) -> tuple[list[ir.Block], ir.Block]:
    """Cut `block` at the call and put the callee's blocks in between."""
    stem = f"{block.name}.{callee.name}{len(names)}"
    after = ir.Block(f"{stem}.after", block.ops[at + 1 :])
    label = {b.name: f"{stem}.{b.name}" for b in callee.blocks}
    names.add(after.name)
    names.update(label.values())
    registers: dict[ir.VReg, ir.VReg] = {}

    def rename(v: ir.VReg) -> ir.VReg:
        found = registers.get(v)
        if found is None:
            found = registers[v] = ir.VReg(fresh.new(v.ty).number, v.ty, v.name)
        return found

    slots = len(function.slots)
    function.slots = [*function.slots, *callee.slots]
    entry: list[ir.Op] = []
    args = {place: a for a, place in call.args}
    for vreg, place in callee.params:
        entry.append(_move(rename(vreg), args[place], call.loc))
    entry.append(ir.Jump(label[callee.blocks[0].name], loc=call.loc))
    block.ops[at:] = entry
    body = []
    for source in callee.blocks:
        new = ir.Block(label[source.name])
        for op in source.ops:
            new.ops.extend(_cloned(op, call, rename, label, slots, after.name))
        body.append(new)
    return body, after


def _move(dst: ir.VReg, value: ir.Operand, loc: ir.SourceLoc | None) -> ir.Op:
    if isinstance(value, ir.Imm):
        return ir.Const(dst, value.value, loc=loc)
    return ir.Unary(ir.UnOp.COPY, dst, value, loc=loc)


def _cloned(
    op: ir.Op,
    call: ir.Call,
    rename: object,
    label: dict[str, str],
    slots: int,
    after: str,
) -> list[ir.Op]:
    assert callable(rename)
    if isinstance(op, ir.Return):
        values = {place: v for v, place in op.values}
        moves: list[ir.Op] = []
        for vreg, place in call.results:
            value = values[place]
            moves.append(_move(vreg, rename(value) if isinstance(value, ir.VReg) else value, op.loc))
        return [*moves, ir.Jump(after, loc=op.loc)]
    if isinstance(op, ir.GetSpecial):
        assert call.indirect_result is not None
        return [ir.Unary(ir.UnOp.COPY, rename(op.dst), call.indirect_result, loc=op.loc)]
    new = copy.copy(op)
    irtools.replace_uses(new, rename)
    irtools.replace_defs(new, rename)
    if irtools.is_terminator(new):
        irtools.retarget(new, lambda t: label[t])
    if isinstance(new, (ir.LocalAddr, ir.LocalLoad, ir.LocalStore)):
        new.slot += slots
    return [new]


def _drop_unused(module: ir.Module) -> None:
    """Remove static functions without references."""
    while True:
        used = _address_taken(module) | set(_call_counts(module))
        kept = [f for f in module.functions if not f.is_static or f.is_weak or f.is_used or f.name in used]
        if len(kept) == len(module.functions):
            return
        module.functions = kept

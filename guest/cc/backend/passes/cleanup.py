"""Control-flow clean-up and removal of dead operations."""

from __future__ import annotations

import copy

from guest.cc import ir
from guest.cc.backend import irtools
from guest.cc.backend.passes import fold, graph


def clean_control_flow(function: ir.Function) -> None:
    """Thread jumps through empty blocks, drop unreachable blocks, join straight lines."""
    _truncate(function)
    _thread(function)
    _drop_unreachable(function)
    _join(function)


def _truncate(function: ir.Function) -> None:
    """Nothing follows the first terminator of a block."""
    for block in function.blocks:
        for n, op in enumerate(block.ops):
            if irtools.is_terminator(op):
                del block.ops[n + 1 :]
                break


COPIED_TESTS = 2  # operations in front of a test that are copied with it


def thread_known_branches(function: ir.Function) -> None:
    """A block that sets a variable to a constant and jumps to a test of it goes where the test leads."""
    index = {b.name: b for b in function.blocks}
    for block in function.blocks:
        for _ in range(4):
            last = block.ops[-1]
            if not isinstance(last, ir.Jump):
                break
            test = index[last.target]
            if test is block or not _is_test(test):
                break
            known = _constants_at_end(block)
            prefix = test.ops[:-1]
            target = _known_target(test, known)
            if target is None:
                break
            block.ops[-1:] = [*(copy.copy(op) for op in prefix), ir.Jump(target, loc=last.loc)]


def _is_test(block: ir.Block) -> bool:
    simple = all(isinstance(op, (ir.Unary, ir.Const)) for op in block.ops[:-1])
    return simple and len(block.ops) <= COPIED_TESTS + 1 and isinstance(block.ops[-1], ir.CondBranch)


def _constants_at_end(block: ir.Block) -> dict[ir.VReg, int]:
    known: dict[ir.VReg, int] = {}
    for op in block.ops:
        for d in irtools.defs(op):
            known.pop(d, None)
        if isinstance(op, ir.Const) and op.dst.ty is not ir.Ty.CAP:
            known[op.dst] = op.value
    return known


def _known_target(test: ir.Block, known: dict[ir.VReg, int]) -> str | None:
    """Where `test` goes when the registers in `known` have those values."""
    for op in test.ops[:-1]:
        value = op.value if isinstance(op, ir.Const) else None
        if isinstance(op, ir.Unary) and op.a in known:
            value = fold.unary(op.op, known[op.a], op.a.ty, op.dst.ty)
        known.pop(op.dst, None)  # type: ignore[attr-defined]
        if value is not None:
            known[op.dst] = value  # type: ignore[attr-defined]
    last = test.ops[-1]
    assert isinstance(last, ir.CondBranch)
    values = [o.value if isinstance(o, ir.Imm) else known.get(o) for o in (last.a, last.b)]
    if values[0] is None or values[1] is None:
        return None
    ty = next((o.ty for o in (last.a, last.b) if isinstance(o, ir.VReg)), ir.Ty.I64)
    truth = fold.condition(last.cond, values[0], values[1], fold.BITS.get(ty, 64))
    return None if truth is None else last.if_true if truth else last.if_false


def address_taken(function: ir.Function) -> set[str]:
    """Blocks named by something else than a direct branch."""
    taken: set[str] = set()
    for block in function.blocks:
        for op in block.ops:
            if isinstance(op, ir.BlockAddr):
                taken.add(op.block)
            elif isinstance(op, ir.IndirectJump):
                taken.update(op.targets)
    return taken


def _thread(function: ir.Function) -> None:
    taken = address_taken(function)
    target: dict[str, str] = {}
    for block in function.blocks[1:]:
        only = block.ops[0]
        if isinstance(only, ir.Jump) and only.target != block.name and block.name not in taken:
            target[block.name] = only.target

    def final(name: str) -> str:
        seen = {name}
        while name in target and target[name] not in seen:
            name = target[name]
            seen.add(name)
        return name

    for block in function.blocks:
        last = block.ops[-1]
        irtools.retarget(last, final)
        if isinstance(last, ir.CondBranch) and last.if_true == last.if_false:
            block.ops[-1] = ir.Jump(last.if_true, loc=last.loc)


def _drop_unreachable(function: ir.Function) -> None:
    index = {b.name: b for b in function.blocks}
    seen = {function.blocks[0].name}
    work = [function.blocks[0]]
    while work:
        block = work.pop()
        names = irtools.targets(block.ops[-1])
        names += [op.block for op in block.ops if isinstance(op, ir.BlockAddr)]
        for name in names:
            if name not in seen:
                seen.add(name)
                work.append(index[name])
    function.blocks = [b for b in function.blocks if b.name in seen]


def _join(function: ir.Function) -> None:
    """Append a block to its only predecessor if that only jumps to it."""
    preds: dict[str, int] = {}
    for block in function.blocks:
        for name in irtools.targets(block.ops[-1]):
            preds[name] = preds.get(name, 0) + 1
    taken = address_taken(function)
    index = {b.name: b for b in function.blocks}
    gone: set[str] = set()
    for block in function.blocks:
        if block.name in gone:
            continue
        while True:
            last = block.ops[-1]
            if not isinstance(last, ir.Jump) or preds[last.target] != 1 or last.target in taken:
                break
            following = index[last.target]
            if following is block or following is function.blocks[0]:
                break
            block.ops[-1:] = following.ops
            gone.add(following.name)
    function.blocks = [b for b in function.blocks if b.name not in gone]


def remove_unused(function: ir.Function) -> None:
    """Remove operations without effect whose result nobody reads."""
    counts: dict[ir.VReg, int] = {}
    makers: dict[ir.VReg, list[ir.Op]] = {}
    for block in function.blocks:
        for op in block.ops:
            for u in irtools.uses(op):
                counts[u] = counts.get(u, 0) + 1
            if irtools.removable(op):
                makers.setdefault(op.dst, []).append(op)  # type: ignore[attr-defined]
    dead: set[int] = set()
    work = [v for v in makers if not counts.get(v)]
    while work:
        for op in makers[work.pop()]:
            if id(op) in dead:
                continue
            dead.add(id(op))
            for u in irtools.uses(op):
                counts[u] -= 1
                if counts[u] == 0 and u in makers:
                    work.append(u)
    if dead:
        for block in function.blocks:
            block.ops = [op for op in block.ops if id(op) not in dead]


def remove_dead(function: ir.Function) -> None:
    """Remove assignments to variables that are not live afterwards."""
    live_out = live_out_sets(function)
    for block, live in zip(function.blocks, live_out, strict=True):
        kept: list[ir.Op] = []
        for op in reversed(block.ops):
            defined = irtools.defs(op)
            if irtools.removable(op) and not any(d in live for d in defined):
                continue
            live.difference_update(defined)
            live.update(irtools.uses(op))
            kept.append(op)
        kept.reverse()
        block.ops = kept


def live_out_sets(function: ir.Function) -> list[set[ir.VReg]]:
    """Registers live at the end of each block."""
    numbering: dict[ir.VReg, int] = {}
    exposed: list[int] = []
    killed: list[set[ir.VReg]] = []
    for block in function.blocks:
        gen = 0
        defined: set[ir.VReg] = set()
        for op in block.ops:
            for u in irtools.uses(op):
                if u not in defined:
                    gen |= 1 << numbering.setdefault(u, len(numbering))
            defined.update(irtools.defs(op))
        exposed.append(gen)
        killed.append(defined)
    keep = []
    for defined in killed:
        mask = 0
        for d in defined:
            if d in numbering:
                mask |= 1 << numbering[d]
        keep.append(~mask)
    nexts = graph.successors(function)
    live_in = list(exposed)
    live_out = [0] * len(exposed)
    changed = True
    while changed:
        changed = False
        for n in range(len(nexts) - 1, -1, -1):
            out = 0
            for s in nexts[n]:
                out |= live_in[s]
            live_out[n] = out
            new = exposed[n] | (out & keep[n])
            if new != live_in[n]:
                live_in[n] = new
                changed = True
    names = list(numbering)
    return [{names[k] for k in _bits(out)} for out in live_out]


def _bits(value: int) -> list[int]:
    result = []
    while value:
        low = value & -value
        result.append(low.bit_length() - 1)
        value ^= low
    return result


def forward_into_copies(function: ir.Function) -> None:
    """`t = op …; v = t` becomes `v = op …` when t is used only there and v is untouched in between."""
    counts, definitions = irtools.occurrences(function)
    parameters = {v for v, _ in function.params}
    for block in function.blocks:
        last_touch: dict[ir.VReg, int] = {}  # last position that reads or writes a register
        made_at: dict[ir.VReg, int] = {}
        dead: set[int] = set()
        for n, op in enumerate(block.ops):
            if isinstance(op, ir.Unary) and op.op is ir.UnOp.COPY and op.a.ty is op.dst.ty:
                t, v = op.a, op.dst
                at = made_at.get(t, -1)
                single = counts.get(t) == 1 and definitions.get(t) == 1 and t not in parameters
                # An operation that reads v itself may still write it: v is read before.
                if at >= 0 and single and last_touch.get(v, -1) <= at and t != v:
                    maker = block.ops[at]
                    if v not in irtools.defs(maker):
                        irtools.replace_defs(maker, lambda d, t=t, v=v: v if d == t else d)  # type: ignore[misc]
                        dead.add(id(op))
                        last_touch[v] = n
                        made_at[v] = at
                        continue
            for u in irtools.uses(op):
                last_touch[u] = n
            for d in irtools.defs(op):
                last_touch[d] = n
                made_at[d] = n
        if dead:
            block.ops = [op for op in block.ops if id(op) not in dead]

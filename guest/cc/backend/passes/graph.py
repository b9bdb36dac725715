"""The control-flow graph of an IR function, and the definitions in it."""

from __future__ import annotations

from guest.cc import ir
from guest.cc.backend import flow, irtools


def successors(function: ir.Function) -> list[list[int]]:
    """Successor indices of each block, each once."""
    index = {b.name: n for n, b in enumerate(function.blocks)}
    return [list(dict.fromkeys(index[t] for t in irtools.targets(b.ops[-1]))) for b in function.blocks]


def analyse(function: ir.Function) -> flow.Flow:
    return flow.analyse(successors(function))


def definition_sites(function: ir.Function) -> dict[ir.VReg, list[tuple[int, int]]]:
    """(block, position) of every definition; parameters are defined at (0, -1)."""
    sites: dict[ir.VReg, list[tuple[int, int]]] = {}
    for vreg, _ in function.params:
        sites.setdefault(vreg, []).append((0, -1))
    for n, block in enumerate(function.blocks):
        for k, op in enumerate(block.ops):
            for d in irtools.defs(op):
                sites.setdefault(d, []).append((n, k))
    return sites


def stable_registers(function: ir.Function, graph: flow.Flow) -> set[ir.VReg]:
    """Registers that behave as in SSA form: one definition, which dominates all uses."""
    sites = definition_sites(function)
    stable = {v for v, places in sites.items() if len(places) == 1}
    enter, leave = _dominator_intervals(graph)
    for n, block in enumerate(function.blocks):
        for k, op in enumerate(block.ops):
            for u in irtools.uses(op):
                if u not in stable:
                    continue
                at, position = sites[u][0]
                inside = position < k if at == n else enter[at] <= enter[n] and leave[n] <= leave[at]
                if not inside:
                    stable.discard(u)
    return stable


def _dominator_intervals(graph: flow.Flow) -> tuple[list[int], list[int]]:
    """Entry and exit times of a walk over the dominator tree (unreachable blocks contain nothing)."""
    count = len(graph.successors)
    enter = [-1] * count
    leave = [-2] * count
    children = graph.dominator_children()
    clock = 0
    stack: list[tuple[int, bool]] = [(0, False)]
    while stack:
        block, done = stack.pop()
        clock += 1
        if done:
            leave[block] = clock
            continue
        enter[block] = clock
        stack.append((block, True))
        stack.extend((c, False) for c in children[block])
    return enter, leave


class FreshRegisters:
    """Source of new virtual registers of a function."""

    def __init__(self, function: ir.Function) -> None:
        self._next = irtools.next_number(function)

    def new(self, ty: ir.Ty) -> ir.VReg:
        self._next += 1
        return ir.VReg(self._next - 1, ty)

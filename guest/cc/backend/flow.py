"""Control-flow analyses on plain adjacency lists: order, dominators, loops, frequencies.

Blocks are numbered by their place in the function; block 0 is the entry.
"""

from __future__ import annotations

from dataclasses import dataclass

LOOP_FACTOR = 8.0
MAX_FREQUENCY = 1e6
COLD = 0.01


def predecessors(successors: list[list[int]]) -> list[list[int]]:
    """Predecessor lists, each predecessor once."""
    result: list[list[int]] = [[] for _ in successors]
    for block, nexts in enumerate(successors):
        for n in dict.fromkeys(nexts):
            result[n].append(block)
    return result


def reverse_postorder(successors: list[list[int]]) -> list[int]:
    """Reachable blocks, entry first, every block before its successors except along back edges."""
    order: list[int] = []
    seen = [False] * len(successors)
    seen[0] = True
    stack: list[tuple[int, int]] = [(0, 0)]
    while stack:
        block, n = stack.pop()
        nexts = successors[block]
        while n < len(nexts) and seen[nexts[n]]:
            n += 1
        if n < len(nexts):
            stack.append((block, n + 1))
            seen[nexts[n]] = True
            stack.append((nexts[n], 0))
        else:
            order.append(block)
    order.reverse()
    return order


def immediate_dominators(successors: list[list[int]], order: list[int], preds: list[list[int]]) -> list[int]:
    """Immediate dominator of each block (-1 for unreachable ones; the entry is its own)."""
    idom = [-1] * len(successors)
    rank = [-1] * len(successors)
    for n, block in enumerate(order):
        rank[block] = n
    idom[0] = 0
    changed = True
    while changed:
        changed = False
        for block in order[1:]:
            new = -1
            for p in preds[block]:
                if idom[p] < 0:
                    continue
                new = p if new < 0 else _meet(idom, rank, p, new)
            if new != idom[block]:
                idom[block] = new
                changed = True
    return idom


def _meet(idom: list[int], rank: list[int], a: int, b: int) -> int:
    while a != b:
        while rank[a] > rank[b]:
            a = idom[a]
        while rank[b] > rank[a]:
            b = idom[b]
    return a


@dataclass(slots=True)
class Loop:
    """A natural loop: `blocks` include the header and all inner loops."""

    header: int
    blocks: set[int]
    depth: int = 1


@dataclass(slots=True)
class Flow:
    """Everything about one function's control-flow graph."""

    successors: list[list[int]]
    predecessors: list[list[int]]
    order: list[int]
    idom: list[int]
    loops: list[Loop]  # outer loops before the loops inside them
    depth: list[int]

    def dominates(self, a: int, b: int) -> bool:
        """True if every path to `b` goes through `a`."""
        while b != a:
            up = self.idom[b]
            if up in (b, -1):
                return False
            b = up
        return True

    def dominator_children(self) -> list[list[int]]:
        """The dominator tree, children in reverse postorder."""
        children: list[list[int]] = [[] for _ in self.successors]
        for block in self.order[1:]:
            children[self.idom[block]].append(block)
        return children


def analyse(successors: list[list[int]]) -> Flow:
    """All analyses of a graph."""
    preds = predecessors(successors)
    order = reverse_postorder(successors)
    idom = immediate_dominators(successors, order, preds)
    flow = Flow(successors, preds, order, idom, [], [0] * len(successors))
    bodies: dict[int, set[int]] = {}
    reachable = set(order)
    for block in order:
        for head in successors[block]:
            if flow.dominates(head, block):
                body = bodies.setdefault(head, {head})
                work = [block]
                while work:
                    b = work.pop()
                    if b not in body:
                        body.add(b)
                        work.extend(p for p in preds[b] if p in reachable)
    flow.loops = [Loop(head, body) for head, body in sorted(bodies.items(), key=lambda i: -len(i[1]))]
    for loop in flow.loops:
        for b in loop.blocks:
            flow.depth[b] += 1
    for loop in flow.loops:
        loop.depth = flow.depth[loop.header]
    return flow


def frequencies(flow: Flow, cold: set[int]) -> list[float]:
    """Estimated executions of each block per call: branches split evenly, loops run `LOOP_FACTOR` times.

    Blocks in `cold` (those that end in a call that does not return) get almost nothing.
    """
    freq = [0.0] * len(flow.successors)
    rank = {b: n for n, b in enumerate(flow.order)}
    headers = {loop.header: loop for loop in flow.loops}
    freq[0] = 1.0
    for block in flow.order:
        value = freq[block]
        if block in headers:
            value = min(value * LOOP_FACTOR, MAX_FREQUENCY)
            freq[block] = value
        nexts = flow.successors[block]
        shares = _shares(flow, block, nexts, cold)
        for n, share in zip(nexts, shares, strict=True):
            if rank[n] > rank[block]:
                freq[n] += value * share
    return freq


def _shares(flow: Flow, block: int, nexts: list[int], cold: set[int]) -> list[float]:
    """Probabilities of the edges out of `block`: staying in the loop and warm blocks are likelier."""
    weights = []
    depth = flow.depth[block]
    for n in nexts:
        weight = COLD if n in cold else 1.0
        if depth and flow.depth[n] < depth:
            weight *= 1.0 / LOOP_FACTOR
        weights.append(weight)
    total = sum(weights) or 1.0
    return [w / total for w in weights]

"""Final block order clean-up: fall-through branches, inverted conditions, far test branches."""

from __future__ import annotations

from guest.cc.backend.mir import MI, MBlock, MFunction, Templates
from guest.cc.backend.select.control import INVERSE

_CONDITIONAL = {"b.$#": "b.$#", "cbz": "cbnz", "cbnz": "cbz", "tbz": "tbnz", "tbnz": "tbz"}
TEST_BRANCH_REACH = 32768 - 1024  # bytes, TBZ imm14
CONDITIONAL_REACH = (1 << 20) - 4096  # bytes, B.cond imm19


def inverted(mi: MI, target: str, templates: Templates) -> MI:
    """The opposite conditional branch, to `target`."""
    ops = list(mi.ops)
    ops[-1] = target
    mnemonic = mi.t.mnemonic
    if mnemonic == "b.$#":
        ops[0] = INVERSE[str(ops[0])]
        return MI(mi.t, ops, mi.loc)
    return MI(templates[mi.t.source.replace(mnemonic, _CONDITIONAL[mnemonic], 1)], ops, mi.loc)


def is_conditional(mi: MI) -> bool:
    return mi.t.mnemonic in _CONDITIONAL


def fall_through(function: MFunction, templates: Templates) -> None:
    """Drop jumps to the next block; make conditional branches fall through where possible."""
    blocks = function.blocks
    for n, block in enumerate(blocks):
        following = blocks[n + 1].label if n + 1 < len(blocks) else None
        code = block.code
        if not code or code[-1].t.mnemonic != "b":
            continue
        target = code[-1].ops[0]
        if target == following:
            code.pop()
            if code and is_conditional(code[-1]) and code[-1].ops[-1] == following:
                code.pop()
        elif len(code) >= 2 and is_conditional(code[-2]) and code[-2].ops[-1] == following:
            assert isinstance(target, str)
            code[-2:] = [inverted(code[-2], target, templates)]


def extend_reach(function: MFunction, templates: Templates) -> None:
    """Branch around: conditional branches whose target may be too far."""
    lines = sum(mi.t.lines for mi in function.instructions())
    size = 4 * lines + sum(4 * len(targets) for _, targets in function.tables)
    if size < TEST_BRANCH_REACH:
        return
    count = 0
    place = _offsets(function)
    for block in function.blocks:
        out: list[MI] = []
        here = place[block.label]
        for mi in block.code:
            here += 4 * mi.t.lines
            if is_conditional(mi):
                reach = TEST_BRANCH_REACH if mi.t.mnemonic in ("tbz", "tbnz") else CONDITIONAL_REACH
                target = str(mi.ops[-1])
                # Expansions may add up to one instruction per branch: allow for half as much again.
                if abs(place[target] - here) * 3 // 2 > reach:
                    count += 1
                    over = f".Lnear{count}.{function.name}"
                    out.append(inverted(mi, over, templates))
                    out.append(MI(templates["b $#\n$#:"], [target, over], mi.loc))
                    continue
            out.append(mi)
        block.code = out


def _offsets(function: MFunction) -> dict[str, int]:
    place: dict[str, int] = {}
    here = 0
    for block in function.blocks:
        place[block.label] = here
        here += sum(4 * mi.t.lines for mi in block.code)
    return place


COLD_FREQUENCY = 0.02  # executions per call below which a block goes to the end
SHORT_RETURN = 2  # instructions of an exit that is copied instead of jumped to


def arrange(function: MFunction) -> None:
    """Thread jumps, then order the blocks so that likely successors follow each other."""
    _thread(function)
    _copy_short_returns(function)
    _recompute_successors(function)
    drop_unreachable(function)
    _chain(function)


def _labels_of(mi: MI) -> list[int]:
    """Positions of the operands of a branch that are its targets."""
    if mi.t.mnemonic == "b" or is_conditional(mi):
        return [len(mi.ops) - 1]
    return []


def _thread(function: MFunction) -> None:
    """Branches to a block that only jumps go to its target."""
    target = {
        b.label: str(b.code[0].ops[0])
        for b in function.blocks
        if len(b.code) == 1 and b.code[0].t.mnemonic == "b" and not b.address_taken
    }
    final: dict[str, str] = {}
    for label in target:
        seen = {label}
        end = target[label]
        while end in target and end not in seen:
            seen.add(end)
            end = target[end]
        final[label] = end
    for mi in function.instructions():
        for n in _labels_of(mi):
            mi.ops[n] = final.get(str(mi.ops[n]), mi.ops[n])
    function.tables = [(t, [final.get(x, x) for x in targets]) for t, targets in function.tables]


def _copy_short_returns(function: MFunction) -> None:
    exits = {
        b.label: b.code
        for b in function.blocks
        if b.code and b.code[-1].t.mnemonic == "ret" and len(b.code) <= SHORT_RETURN
    }
    for block in function.blocks:
        if block.code and block.code[-1].t.mnemonic == "b" and block.code[-1].ops[0] in exits:
            block.code[-1:] = [mi.copy() for mi in exits[str(block.code[-1].ops[0])]]


def _recompute_successors(function: MFunction) -> None:
    """Successors by label, after threading; jump tables and `goto *` keep what they had."""
    index = {b.label: n for n, b in enumerate(function.blocks)}
    for block in function.blocks:
        found = {index[str(mi.ops[n])] for mi in block.code for n in _labels_of(mi) if mi.ops[n] in index}
        if block.code and block.code[-1].t.mnemonic == "br":
            found.update(block.successors)
            found.update(index[x] for _, targets in function.tables for x in targets)
        block.successors = sorted(found)


def _chain(function: MFunction) -> None:
    """Join blocks into chains along the likeliest edges; forward edges of the given order first."""
    blocks = function.blocks
    index = {b.label: n for n, b in enumerate(blocks)}
    edges: list[tuple[bool, float, int, int, int]] = []
    for n, block in enumerate(blocks):
        if not block.code or block.code[-1].t.mnemonic != "b":
            continue
        ends = [block.code[-1]]
        if len(block.code) > 1 and is_conditional(block.code[-2]):
            ends.append(block.code[-2])
        for mi in ends:
            target = index[str(mi.ops[-1])]
            weight = min(block.frequency / len(ends), blocks[target].frequency)
            edges.append((target <= n, -weight, abs(target - n), n, target))
    follower: dict[int, int] = {}
    leader: dict[int, int] = {}
    head = list(range(len(blocks)))

    def top(n: int) -> int:
        while head[n] != n:
            head[n] = head[head[n]]
            n = head[n]
        return n

    for _, _, _, n, target in sorted(edges):
        if n in follower or target in leader or target == 0 or top(n) == top(target):
            continue
        follower[n], leader[target] = target, n
        head[top(target)] = top(n)
    starts = [n for n in range(len(blocks)) if n not in leader]
    starts.sort(key=lambda n: (n != 0, blocks[n].frequency < COLD_FREQUENCY, n))
    order: list[int] = []
    for n in starts:
        here: int | None = n
        while here is not None:
            order.append(here)
            here = follower.get(here)
    number = {old: new for new, old in enumerate(order)}
    function.blocks = [blocks[n] for n in order]
    for block in function.blocks:
        block.successors = [number[x] for x in block.successors]


def drop_unreachable(function: MFunction) -> None:
    """Remove blocks that nothing reaches (their labels may not be address-taken either)."""
    seen = {0}
    work = [0]
    while work:
        for s in function.blocks[work.pop()].successors:
            if s not in seen:
                seen.add(s)
                work.append(s)
    seen.update(n for n, b in enumerate(function.blocks) if b.address_taken)
    if len(seen) == len(function.blocks):
        return
    keep = sorted(seen)
    number = {old: new for new, old in enumerate(keep)}
    kept: list[MBlock] = []
    for old in keep:
        block = function.blocks[old]
        block.successors = [number[s] for s in block.successors if s in number]
        kept.append(block)
    function.blocks = kept

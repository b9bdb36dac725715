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

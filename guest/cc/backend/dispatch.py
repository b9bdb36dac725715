"""Interpreter loops: one dispatch block while optimising, a copy of it in every handler at the end."""

from __future__ import annotations

from guest.cc import ir
from guest.cc.backend import flow
from guest.cc.backend.mir import MI, MFunction
from guest.cc.backend.passes.graph import FreshRegisters

MAX_COPIED = 8  # instructions of a dispatch sequence
MAX_GROWTH = 4000  # instructions added to a function


def merge_indirect_jumps(function: ir.Function) -> None:
    """Let all `goto *p` of a function go through one block, so that the loop is an ordinary one."""
    jumps = [b for b in function.blocks if isinstance(b.ops[-1], ir.IndirectJump)]
    if len(jumps) < 2:
        return
    address = FreshRegisters(function).new(ir.Ty.CAP)
    targets: dict[str, None] = {}
    name = f"{function.blocks[0].name}.dispatch"
    for block in jumps:
        last = block.ops[-1]
        assert isinstance(last, ir.IndirectJump)
        targets.update(dict.fromkeys(last.targets))
        block.ops[-1:] = [
            ir.Unary(ir.UnOp.COPY, address, last.address, loc=last.loc),
            ir.Jump(name, loc=last.loc),
        ]
    function.blocks.append(ir.Block(name, [ir.IndirectJump(address, list(targets))]))


def hoist_table_addresses(function: MFunction) -> None:
    """Compute the addresses of jump tables outside the loops that use them."""
    graph = flow.analyse([b.successors for b in function.blocks])
    if not graph.loops:
        return
    for number in graph.order:
        if graph.depth[number] == 0:
            continue
        block = function.blocks[number]
        for mi in [m for m in block.code if m.t.source == "adr =$c, $#"]:
            target = number
            while graph.depth[target]:
                target = graph.idom[target]
            block.code.remove(mi)
            code = function.blocks[target].code
            code.insert(_before_branches(code), mi)


def _before_branches(code: list[MI]) -> int:
    """Place in front of the terminators of a block."""
    at = len(code)
    while at and code[at - 1].t.mnemonic in ("b", "b.$#", "cbz", "cbnz", "tbz", "tbnz", "br"):
        at -= 1
    return at


def duplicate_dispatch(function: MFunction) -> None:
    """Copy short blocks that end in BR into the blocks that jump to them (after allocation)."""
    by_label = {b.label: b for b in function.blocks}
    short = {
        b.label
        for b in function.blocks
        if b.code and b.code[-1].t.mnemonic == "br" and len(b.code) <= MAX_COPIED and len(b.successors) > 2
    }
    growth = 0
    for block in function.blocks:
        if not block.code or block.code[-1].t.mnemonic != "b":
            continue
        label = block.code[-1].ops[0]
        if label not in short or growth > MAX_GROWTH:
            continue
        target = by_label[str(label)]
        if target is block:
            continue
        copied = [mi.copy() for mi in target.code]
        growth += len(copied)
        block.code[-1:] = copied
        block.successors = list(dict.fromkeys([*block.successors, *target.successors]))

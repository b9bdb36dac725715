"""Live ranges of a machine function as sets of program points held in Python integers.

Instruction number k reads at point 2k and writes at point 2k + 1; bit p of a range is set when the
register is in use at point p. Two registers interfere when the AND of their ranges is not zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from guest.cc.backend.mir import FIRST_VREG, MI, MFunction


@dataclass(slots=True)
class LiveRanges:
    """Ranges of virtual registers (`ranges`) and the fixed uses of physical ones (`fixed`)."""

    ranges: dict[int, int] = field(default_factory=dict)
    fixed: dict[int, int] = field(default_factory=dict)
    calls: int = 0  # write points of the calls
    weight: dict[int, float] = field(default_factory=dict)  # frequency-weighted reads and writes
    home_block: dict[int, int] = field(default_factory=dict)  # block of a register live in only one; -1 else
    block_start: list[int] = field(default_factory=list)  # first instruction number of each block
    live_in: list[set[int]] = field(default_factory=list)
    live_out: list[set[int]] = field(default_factory=list)


def register_operands(instruction: MI) -> tuple[list[int], list[int]]:
    """(read, written) registers, implicit ones included."""
    t, ops = instruction.t, instruction.ops
    reads = [ops[n] for n in t.uses]
    writes = [ops[n] for n in t.defs]
    reads.extend(instruction.implicit_uses)
    writes.extend(instruction.implicit_defs)
    return reads, writes  # type: ignore[return-value]


def block_liveness(function: MFunction) -> tuple[list[set[int]], list[set[int]]]:
    """Virtual registers live into and out of each block."""
    count = len(function.blocks)
    exposed: list[int] = []
    killed: list[set[int]] = []
    numbering: dict[int, int] = {}
    for block in function.blocks:
        defined: set[int] = set()
        gen = 0
        for mi in block.code:
            ops = mi.ops
            for n in mi.t.uses:
                r = ops[n]
                if r >= FIRST_VREG and r not in defined:  # type: ignore[operator]
                    index = numbering.setdefault(r, len(numbering))  # type: ignore[arg-type]
                    gen |= 1 << index
            for n in mi.t.defs:
                r = ops[n]
                if r >= FIRST_VREG:  # type: ignore[operator]
                    defined.add(r)  # type: ignore[arg-type]
        exposed.append(gen)
        killed.append(defined)
    keep = []
    full = (1 << len(numbering)) - 1
    for defined in killed:
        mask = 0
        for r in defined:
            index = numbering.get(r, -1)
            if index >= 0:
                mask |= 1 << index
        keep.append(full & ~mask)
    live_in, live_out = _solve(function, exposed, keep, count)
    names = list(numbering)
    return [_members(bits, names) for bits in live_in], [_members(bits, names) for bits in live_out]


def _solve(
    function: MFunction, exposed: list[int], keep: list[int], count: int
) -> tuple[list[int], list[int]]:
    live_in = list(exposed)
    live_out = [0] * count
    preds: list[list[int]] = [[] for _ in range(count)]
    for n, block in enumerate(function.blocks):
        for s in block.successors:
            preds[s].append(n)
    pending = list(range(count))
    queued = [True] * count
    while pending:
        n = pending.pop()
        queued[n] = False
        out = 0
        for s in function.blocks[n].successors:
            out |= live_in[s]
        live_out[n] = out
        new = exposed[n] | (out & keep[n])
        if new != live_in[n]:
            live_in[n] = new
            for p in preds[n]:
                if not queued[p]:
                    queued[p] = True
                    pending.append(p)
    return live_in, live_out


def _members(bits: int, names: list[int]) -> set[int]:
    result = set()
    while bits:
        low = bits & -bits
        result.add(names[low.bit_length() - 1])
        bits ^= low
    return result


def analyse(function: MFunction) -> LiveRanges:
    """Compute all live ranges of `function`."""
    live = LiveRanges()
    live.live_in, live.live_out = block_liveness(function)
    segments: dict[int, list[tuple[int, int]]] = {}
    number = 0
    for index, block in enumerate(function.blocks):
        live.block_start.append(number)
        _scan_block(live, segments, block.code, number, index, block.frequency)
        number += len(block.code)
    ranges = live.ranges
    for register, parts in segments.items():
        bits = 0
        for start, end in _merged(parts):
            bits |= ((1 << (end - start + 1)) - 1) << start
        if register >= FIRST_VREG:
            ranges[register] = bits
        else:
            live.fixed[register] = bits
    return live


def _merged(parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join segments that touch."""
    if len(parts) == 1:
        return parts
    parts.sort()
    result = [parts[0]]
    for start, end in parts[1:]:
        last_start, last_end = result[-1]
        if start <= last_end + 1:
            result[-1] = (last_start, max(last_end, end))
        else:
            result.append((start, end))
    return result


def _scan_block(
    live: LiveRanges,
    segments: dict[int, list[tuple[int, int]]],
    code: list[MI],
    first: int,
    index: int,
    frequency: float,
) -> None:
    """Add the segments of one block, walking backwards."""
    weight, home = live.weight, live.home_block
    end_point = 2 * (first + len(code)) - 1
    ends = dict.fromkeys(live.live_out[index], end_point)
    for r in ends:
        home[r] = -1
    for k in range(len(code) - 1, -1, -1):
        mi = code[k]
        read, write = 2 * (first + k), 2 * (first + k) + 1
        ops, t = mi.ops, mi.t
        if mi.clobbers:
            live.calls |= 1 << write
        for n in t.defs:
            written = ops[n]
            assert isinstance(written, int)
            r = written
            start = read if n in t.early else write
            segments.setdefault(r, []).append((start, ends.pop(r, write)))
            if r >= FIRST_VREG:
                weight[r] = weight.get(r, 0.0) + frequency
                home.setdefault(r, index)
        for r in mi.implicit_defs:
            segments.setdefault(r, []).append((write, ends.pop(r, write)))
        for n in t.uses:
            reading = ops[n]
            assert isinstance(reading, int)
            r = reading
            if r not in ends:
                ends[r] = read
            if r >= FIRST_VREG:
                weight[r] = weight.get(r, 0.0) + frequency
                home.setdefault(r, index)
        for r in mi.busy:
            segments.setdefault(r, []).append((read, write))
        for r in mi.implicit_uses:
            if r not in ends:
                ends[r] = read
    for r, end in ends.items():
        segments.setdefault(r, []).append((2 * first, end))
        if r in live.live_in[index]:
            home[r] = -1

"""Split switches: dense runs become jump tables, the rest a balanced tree of comparisons.

After this pass every `Switch` left is one dense run, and its bounds check is part of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from guest.cc import ir

MIN_TABLE = 4  # cases
MIN_DENSITY = 0.4


@dataclass(slots=True)
class _Run:
    """Consecutive cases handled together; `table` if by a jump table."""

    cases: list[tuple[int, str]]
    table: bool

    @property
    def low(self) -> int:
        return self.cases[0][0]

    @property
    def high(self) -> int:
        return self.cases[-1][0]


def lower_switches(function: ir.Function) -> None:
    """Replace the switches of `function`."""
    blocks: list[ir.Block] = []
    names = _Names(function)
    impossible = {b.name for b in function.blocks if isinstance(b.ops[0], ir.Unreachable)}
    for block in function.blocks:
        blocks.append(block)
        last = block.ops[-1]
        if isinstance(last, ir.Switch):
            block.ops.pop()
            last.is_total = last.is_total or last.default in impossible
            blocks.extend(_lower(block, last, names))
    function.blocks = blocks


class _Names:
    """Fresh block names."""

    def __init__(self, function: ir.Function) -> None:
        self.used = {b.name for b in function.blocks}
        self.count = 0

    def fresh(self) -> str:
        while True:
            self.count += 1
            name = f"case{self.count}"
            if name not in self.used:
                self.used.add(name)
                return name


def _lower(block: ir.Block, switch: ir.Switch, names: _Names) -> list[ir.Block]:
    cases = sorted(
        (k, b) for k, b in switch.cases.items() if b != switch.default or len(switch.cases) >= MIN_TABLE
    )
    if not cases:
        block.ops.append(ir.Jump(switch.default, loc=switch.loc))
        return []
    runs = _runs(cases)
    made: list[ir.Block] = []
    _tree(block, runs, switch, names, made)
    return made


def _runs(cases: list[tuple[int, str]]) -> list[_Run]:
    """Greedy maximal dense runs."""
    runs: list[_Run] = []
    first = 0
    while first < len(cases):
        best = first
        for last in range(len(cases) - 1, first, -1):
            span = cases[last][0] - cases[first][0] + 1
            if (last - first + 1) / span >= MIN_DENSITY:
                best = last
                break
        if best - first + 1 >= MIN_TABLE:
            runs.append(_Run(cases[first : best + 1], True))
            first = best + 1
        else:
            runs.append(_Run([cases[first]], False))
            first += 1
    return runs


def _tree(block: ir.Block, runs: list[_Run], switch: ir.Switch, names: _Names, made: list[ir.Block]) -> None:
    """Append to `block` a search among `runs`."""
    value, loc = switch.value, switch.loc
    low, high = min(switch.cases), max(switch.cases)
    if len(runs) == 1:
        run = runs[0]
        if run.table:
            total = switch.is_total and run.cases[0][0] == low and run.cases[-1][0] == high
            block.ops.append(ir.Switch(value, dict(run.cases), switch.default, total, loc=loc))
        else:
            key, target = run.cases[0]
            block.ops.append(ir.CondBranch(ir.Cond.EQ, value, ir.Imm(key), target, switch.default, loc=loc))
        return
    if len(runs) <= 3 and not any(r.table for r in runs):
        current = block
        for run in runs[:-1]:
            following = ir.Block(names.fresh())
            key, target = run.cases[0]
            current.ops.append(ir.CondBranch(ir.Cond.EQ, value, ir.Imm(key), target, following.name, loc=loc))
            made.append(following)
            current = following
        _tree(current, runs[-1:], switch, names, made)
        return
    middle = len(runs) // 2
    lower, upper = ir.Block(names.fresh()), ir.Block(names.fresh())
    pivot = ir.Imm(runs[middle].low)
    block.ops.append(ir.CondBranch(ir.Cond.ULT, value, pivot, lower.name, upper.name, loc=loc))
    made.append(lower)
    _tree(lower, runs[:middle], switch, names, made)
    made.append(upper)
    _tree(upper, runs[middle:], switch, names, made)

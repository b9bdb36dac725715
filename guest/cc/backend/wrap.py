"""Where the frame is made and removed: around the part of the function that needs it, not always all of it.

The framed region is every block that needs the frame (calls, frame accesses, callee-saved registers) and
every block between two such blocks; so a path enters it once at most. When the entry block is outside,
prologues go on the edges into the region and epilogues on the edges out of it. A parameter that lives in
a callee-saved register is read from its argument register in the entry block and copied at the prologue.
"""

from __future__ import annotations

from guest.cc.backend.layout import is_conditional
from guest.cc.backend.mir import CALLEE_SAVED, MI, V_CALLEE_SAVED, MBlock, MFunction, Operand, Templates

WORTH_FREQUENCY = 0.75  # entries of the framed region per call, above which it is not worth the trouble
_PRESERVED = frozenset((*CALLEE_SAVED, *V_CALLEE_SAVED))


def place_frame(function: MFunction, templates: Templates, shrink: bool) -> None:
    """Insert `prologue` and `epilogue` markers; `frame.lower_frame` expands them."""
    if (
        shrink
        and not function.has_alloca
        and not function.needs_frame
        and _Wrapper(function, templates).run()
    ):
        return
    function.blocks[0].code.insert(0, MI(templates["prologue"], []))
    for block in function.blocks:
        _leave(block, templates)


def _leave(block: MBlock, templates: Templates) -> None:
    """Remove the frame before a return at the end of `block`."""
    if block.code and block.code[-1].t.mnemonic == "ret":
        block.code.insert(-1, MI(templates["epilogue"], [], block.code[-1].loc))


def _branches(block: MBlock) -> list[MI]:
    """The direct branches at the end of a block."""
    return [mi for mi in block.code if mi.t.mnemonic == "b" or is_conditional(mi)]


class _Wrapper:
    """One attempt at one function."""

    def __init__(self, function: MFunction, templates: Templates) -> None:
        self.function = function
        self.templates = templates
        self.blocks = function.blocks
        self.preds: list[list[int]] = [[] for _ in function.blocks]
        for n, block in enumerate(function.blocks):
            for s in block.successors:
                self.preds[s].append(n)
        self.copies: list[MI] = []

    def run(self) -> bool:
        """Place the frame around its region; False, with nothing changed, if there is no good one."""
        entry = self.blocks[0]
        original = list(entry.code)
        saved_operands = [list(mi.ops) for mi in original]
        self._take_entry_copies()
        region = self._region()
        if region and 0 not in region and self._worthwhile(region):
            self._insert(region)
            return True
        entry.code = original
        for mi, ops in zip(original, saved_operands, strict=True):
            mi.ops = ops
        return False

    # -- what needs the frame ------------------------------------------------------------------------

    def _needs_frame(self, block: MBlock) -> bool:
        for mi in block.code:
            if mi.clobbers or mi.t.has_frame or mi.implicit_defs or mi.busy:
                return True
            if any(mi.ops[n] in _PRESERVED for n in (*mi.t.uses, *mi.t.defs)):
                return True
        return False

    def _region(self) -> set[int]:
        region = {n for n, b in enumerate(self.blocks) if self._needs_frame(b)}
        while region:
            region |= self._reach(region, [b.successors for b in self.blocks]) & self._reach(
                region, self.preds
            )
            extended = set(region)
            for n, block in enumerate(self.blocks):
                if block.code and block.code[-1].t.mnemonic == "br":  # no code fits on these edges
                    family = {n, *block.successors}
                    if family & region:
                        extended |= family
            if extended == region:
                break
            region = extended
        return region

    def _reach(self, start: set[int], edges: list[list[int]]) -> set[int]:
        seen: set[int] = set()
        work = [t for n in start for t in edges[n]]
        while work:
            n = work.pop()
            if n not in seen:
                seen.add(n)
                work.extend(edges[n])
        return seen

    def _worthwhile(self, region: set[int]) -> bool:
        entries = [n for n in region if any(p not in region for p in self.preds[n])]
        if self.copies and any(p not in region and p != 0 for n in entries for p in self.preds[n]):
            return False  # the argument registers are only known to be intact at the end of the entry block
        frequency = sum(self.blocks[n].frequency for n in entries)
        return frequency <= WORTH_FREQUENCY

    # -- parameters in callee-saved registers --------------------------------------------------------

    def _take_entry_copies(self) -> None:
        """Remove `mov preserved, argument` from the entry block where the argument can be read instead."""
        code = self.blocks[0].code
        if any(mi.clobbers for mi in code) or self.preds[0]:
            return
        for copy in [mi for mi in code if mi.t.is_copy and mi.ops[0] in _PRESERVED]:
            at = code.index(copy)
            dst, src = copy.ops
            rest = code[at + 1 :]
            if src in _PRESERVED or any(self._writes(mi, (dst, src)) for mi in rest):
                continue
            for mi in rest:
                for n in mi.t.uses:
                    if mi.ops[n] == dst:
                        mi.ops[n] = src
            del code[at]
            self.copies.append(copy)

    @staticmethod
    def _writes(mi: MI, registers: tuple[Operand, ...]) -> bool:
        return any(mi.ops[n] in registers for n in mi.t.defs) or any(r in registers for r in mi.implicit_defs)

    # -- insertion -----------------------------------------------------------------------------------

    def _enter_code(self) -> list[MI]:
        return [MI(self.templates["prologue"], []), *(mi.copy() for mi in self.copies)]

    def _insert(self, region: set[int]) -> None:
        count = len(self.blocks)
        for n in range(count):
            outside = [p for p in self.preds[n] if p not in region]
            inside = [p for p in self.preds[n] if p in region]
            if n in region and outside:
                if inside:
                    self._edge_block(n, outside, self._enter_code(), "in")
                else:
                    self.blocks[n].code[:0] = self._enter_code()
            elif n not in region and inside:
                epilogue = MI(self.templates["epilogue"], [])
                if not outside and n != 0:
                    self.blocks[n].code.insert(0, epilogue)
                    continue
                split = [p for p in inside if len(self.blocks[p].successors) > 1]
                for p in inside:
                    if p not in split:
                        self.blocks[p].code.insert(-1, epilogue.copy())
                if split:
                    self._edge_block(n, split, [epilogue], "out")
        for n in region:
            _leave(self.blocks[n], self.templates)

    def _edge_block(self, target: int, sources: list[int], code: list[MI], kind: str) -> None:
        """Put `code` on the edges from `sources` to `target`."""
        label = self.blocks[target].label
        new = MBlock(f"{label}.{kind}", [*code, MI(self.templates["b $#"], [label])], [target])
        new.frequency = min(self.blocks[target].frequency, sum(self.blocks[p].frequency for p in sources))
        self.blocks.append(new)
        number = len(self.blocks) - 1
        for p in sources:
            for mi in _branches(self.blocks[p]):
                if mi.ops[-1] == label:
                    mi.ops[-1] = new.label
            self.blocks[p].successors = [number if s == target else s for s in self.blocks[p].successors]

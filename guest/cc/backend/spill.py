"""Code for ranges without a register: reloads, rematerialisation, saves around calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from guest.cc.backend.liveness import LiveRanges
from guest.cc.backend.mir import (
    FIRST_VREG,
    MI,
    VIEW_BYTES,
    Bank,
    FrameKind,
    FrameRef,
    MFunction,
    Operand,
    SlotInfo,
    Templates,
)


@dataclass(slots=True)
class Spills:
    """What spilling has done so far: registers made by it, and how finely they may be split again."""

    tiny: set[int] = field(default_factory=set)  # single reload or store: must get a register
    stretch: set[int] = field(default_factory=set)  # reload shared by a stretch of a block


class Assignment(Protocol):
    """What spilling needs to know of the allocator."""

    parent: dict[int, int]
    ranges: dict[int, int]
    assigned: dict[int, int]
    around: set[int]
    spilled: list[int]
    remat: dict[int, MI]

    def find(self, register: int) -> int:
        """Representative of a coalesced register."""


def call_frequency(function: MFunction, live: LiveRanges, crossed: int) -> float:
    """Frequency-weighted number of the calls whose write points are in `crossed`."""
    total = 0.0
    starts = live.block_start
    for n, block in enumerate(function.blocks):
        start = 2 * starts[n]
        size = 2 * len(block.code)
        part = (crossed >> start) & ((1 << size) - 1)
        if part:
            total += part.bit_count() * block.frequency
    return total


def rematerialisable(function: MFunction) -> dict[int, MI]:
    """Registers with one definition that reads nothing, and that definition."""
    found: dict[int, MI] = {}
    several: set[int] = set()
    for block in function.blocks:
        for mi in block.code:
            for n in mi.t.defs:
                r: int = mi.ops[n]  # type: ignore[assignment]
                if r < FIRST_VREG or r in several:
                    continue
                if r in found:
                    del found[r]
                    several.add(r)
                elif len(mi.t.defs) == 1 and _reads_nothing(mi):
                    found[r] = mi
                else:
                    several.add(r)
    return found


_REMATERIALISED = frozenset({"movz", "movn", "orr", "adrp", "frameaddr", "fmov", "adr"})


def _reads_nothing(mi: MI) -> bool:
    if mi.t.mnemonic == "ldr" and mi.t.has_frame:
        # A spill slot still holds the value wherever the reloaded register is live; arguments never change.
        ref = mi.ops[-1]
        return isinstance(ref, FrameRef) and ref.kind in (FrameKind.SPILL, FrameKind.IN)
    return mi.t.mnemonic in _REMATERIALISED and not mi.t.uses and not mi.implicit_uses


def spill(
    function: MFunction, live: LiveRanges, allocator: Assignment, templates: Templates, spills: Spills
) -> None:
    """Insert reloads and stores for the registers that got none."""
    chosen = set(allocator.spilled)
    groups: dict[int, int] = {r: allocator.find(r) for r in live.ranges if allocator.find(r) in chosen}
    remat = {r: allocator.remat[r] for r in chosen if r in allocator.remat}
    slots = _spill_slots(function, allocator, [r for r in allocator.spilled if r not in remat])
    for register, group in groups.items():
        if group in slots:
            function.spill_of[register] = slots[group]
    rewriter = _Rewriter(function, templates, spills, groups, remat, slots)
    for block in function.blocks:
        block.code = rewriter.block(block.code)


def _spill_slots(function: MFunction, allocator: Assignment, registers: list[int]) -> dict[int, int]:
    """A frame slot per register; registers that never live together share one."""
    result: dict[int, int] = {}
    taken: list[tuple[int, int]] = []  # slot, points
    for r in registers:
        size = VIEW_BYTES["c" if function.view[r - FIRST_VREG] == "c" else "x"]
        size = max(size, *(VIEW_BYTES[function.view[m - FIRST_VREG]] for m in _group(allocator, r)))
        bits = allocator.ranges[r]
        for n, (slot, points) in enumerate(taken):
            if function.shares_spill_slots and function.spills[slot].size == size and not points & bits:
                taken[n] = (slot, points | bits)
                result[r] = slot
                break
        else:
            slot = len(function.spills)
            function.spills.append(SlotInfo(size, size))
            taken.append((slot, bits))
            result[r] = slot
    return result


def _group(allocator: Assignment, representative: int) -> list[int]:
    members = [r for r in allocator.parent if allocator.find(r) == representative]
    return [representative, *members]


class _Rewriter:
    """Replaces spilled registers in a block by short-lived ones."""

    def __init__(
        self,
        function: MFunction,
        templates: Templates,
        spills: Spills,
        groups: dict[int, int],
        remat: dict[int, MI],
        slots: dict[int, int],
    ) -> None:
        self.function = function
        self.templates = templates
        self.spills = spills
        self.groups = groups
        self.remat = remat
        self.slots = slots
        self.held: dict[int, int] = {}  # spilled register -> temporary that holds it here
        self.out: list[MI] = []

    def block(self, code: list[MI]) -> list[MI]:
        self.held = {}
        self.out = []
        for mi in code:
            if any(type(r) is int and r in self.groups for r in mi.ops):
                self._instruction(mi)
            else:
                self.out.append(mi)
            if mi.clobbers:
                self.held.clear()
        return self.out

    def _instruction(self, mi: MI) -> None:
        t = mi.t
        if t.is_copy and self._identity(mi):
            return
        for n in t.uses:
            r = mi.ops[n]
            if isinstance(r, int) and r in self.groups:
                mi.ops[n] = self._reloaded(self.groups[r], r, mi)
        stores: list[tuple[int, int]] = []
        for n in t.defs:
            r = mi.ops[n]
            if isinstance(r, int) and r in self.groups:
                group = self.groups[r]
                if group in self.remat:
                    return  # the definition itself: computed again where it is needed
                temp = self._fresh(r)
                stores.append((group, temp))
                mi.ops[n] = temp
            elif isinstance(r, int) and n in t.uses:
                group = next((g for g, held in self.held.items() if held == r), -1)
                if group >= 0:  # read-modify-write of a reloaded temporary
                    stores.append((group, r))
        self.out.append(mi)
        for group, temp in stores:
            self._store(group, temp, mi)
            if group in self.held and self.held[group] != temp:
                del self.held[group]
            self.held[group] = temp

    def _identity(self, mi: MI) -> bool:
        d, s = mi.ops[0], mi.ops[1]
        return d in self.groups and s in self.groups and self.groups[d] == self.groups[s]

    def _fresh(self, like: int) -> int:
        temp = self.function.new_vreg(self.function.view[like - FIRST_VREG])
        if self.groups[like] in self.spills.stretch:
            self.spills.tiny.add(temp)
        else:
            self.spills.stretch.add(temp)
        return temp

    def _reloaded(self, group: int, register: int, mi: MI) -> int:
        fine = group in self.spills.stretch
        held = self.held.get(group)
        if held is not None and not fine:
            return held
        temp = self._fresh(register)
        definition = self.remat.get(group)
        if definition is not None:
            again = definition.copy()
            again.ops[again.t.defs[0]] = temp
            again.loc = mi.loc
            self.out.append(again)
        else:
            self.out.append(self._access(f"ldr =${self._view(group)}, $m", group, temp, mi))
        self.held[group] = temp
        return temp

    def _store(self, group: int, temp: int, mi: MI) -> None:
        self.out.append(self._access(f"str ${self._view(group)}, $m", group, temp, mi))

    def _view(self, group: int) -> str:
        """The whole slot is always moved, in the widest view of the register's bank."""
        slot = self.function.spills[self.slots[group]]
        vector = self.function.bank[group - FIRST_VREG] is Bank.VEC
        return "d" if vector else ("c" if slot.size == 16 else "x")

    def _access(self, source: str, group: int, temp: int, mi: MI) -> MI:
        slot = self.slots[group]
        ref = FrameRef(FrameKind.SPILL, slot, 0, self.function.spills[slot].size)
        return MI(self.templates[source], [temp, ref], mi.loc)


def save_around_calls(
    function: MFunction, live: LiveRanges, allocator: Assignment, templates: Templates
) -> None:
    """Save and reload the caller-saved registers that live across calls."""
    if not allocator.around:
        return
    again = {r: allocator.remat[r] for r in allocator.around if r in allocator.remat}
    slots = _spill_slots(function, allocator, sorted(allocator.around - set(again)))
    around = sorted(allocator.around)
    at_definitions = _stored_at_definitions(function, live, allocator)
    for n, block in enumerate(function.blocks):
        out: list[MI] = []
        for k, mi in enumerate(block.code):
            point = 1 << (2 * (live.block_start[n] + k) + 1)
            crossing = [] if not mi.clobbers else [r for r in around if _lives_across(allocator, r, point)]
            for r in crossing:
                if r not in at_definitions and r not in again:
                    out.append(_whole_access(function, templates, "str", slots[r], allocator.assigned[r], mi))
            out.append(mi)
            for r in crossing:
                if r in again:
                    out.append(_computed_again(again[r], allocator.assigned[r], mi))
                else:
                    out.append(_whole_access(function, templates, "ldr", slots[r], allocator.assigned[r], mi))
            for d in mi.t.defs:
                r = allocator.find(mi.ops[d])  # type: ignore[arg-type]
                if r in at_definitions and not (mi.t.is_copy and allocator.find(mi.ops[1]) == r):  # type: ignore[arg-type]
                    out.append(_whole_access(function, templates, "str", slots[r], allocator.assigned[r], mi))
        block.code = out


def _stored_at_definitions(function: MFunction, live: LiveRanges, allocator: Assignment) -> set[int]:
    """Of the registers saved around calls, those that are cheaper to store once where they are written."""
    cost = {r: 0.0 for r in allocator.around if r not in allocator.remat}
    for block in function.blocks:
        for mi in block.code:
            for n in mi.t.defs:
                r = allocator.find(mi.ops[n])  # type: ignore[arg-type]
                if r in cost:
                    cost[r] += block.frequency
    result = set()
    for r, definitions in cost.items():
        crossed = allocator.ranges[r] & live.calls
        if definitions < call_frequency(function, live, crossed):
            result.add(r)
    return result


def _computed_again(definition: MI, physical: int, mi: MI) -> MI:
    """A copy of a rematerialisable definition that writes `physical`."""
    copy = definition.copy()
    copy.ops[copy.t.defs[0]] = physical
    copy.loc = mi.loc
    return copy


def _lives_across(allocator: Assignment, register: int, point: int) -> bool:
    return allocator.ranges[register] & point != 0


def _whole_access(
    function: MFunction, templates: Templates, name: str, slot: int, physical: int, mi: MI
) -> MI:
    size = function.spills[slot].size
    view = ("d" if physical >= 32 else "x") if size == 8 else "c"
    mode = "=" if name == "ldr" else ""
    ops: list[Operand] = [physical, FrameRef(FrameKind.SPILL, slot, 0, size)]
    return MI(templates[f"{name} {mode}${view}, $m"], ops, mi.loc)

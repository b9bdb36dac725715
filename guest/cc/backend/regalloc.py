"""Register allocation by live-range interference, with eviction, rematerialisation and splitting.

Ranges are processed from the longest to the shortest. A range that finds no register may evict ranges
of lower weight density; what is evicted is tried again and finally

* rematerialised (constants, GOT and frame addresses are computed again at each use),
* kept in a caller-saved register that is saved and reloaded around the calls it crosses, or
* spilled: reloaded once per stretch of a block, later, if that still does not fit, at every use.

Every round ends with all registers assigned or with new code for the next round.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from guest.cc.backend import liveness
from guest.cc.backend.liveness import LiveRanges
from guest.cc.backend.mir import (
    CALL_CLOBBERS,
    CALLEE_SAVED,
    FIRST_V,
    FIRST_VREG,
    MI,
    V_CALLEE_SAVED,
    VIEW_BYTES,
    Bank,
    FrameKind,
    FrameRef,
    MFunction,
    Operand,
    SlotInfo,
    Templates,
)

# Preference among caller-saved registers: not the argument registers first, they are wanted by hints.
GPR_ORDER = (*range(10, 16), 18, 8, 9, *range(7, -1, -1), *CALLEE_SAVED)
VEC_ORDER = (*range(48, 63), *range(39, 31, -1), *V_CALLEE_SAVED)
CALLEE_COST = 2.0  # saving and restoring a register once per call
SECOND_OF_PAIR_COST = 0.3
UNSPILLABLE = float("inf")
MAX_ROUNDS = 40


@dataclass(slots=True)
class Spills:
    """What spilling has done so far: registers made by it, and how finely they may be split again."""

    tiny: set[int] = field(default_factory=set)  # single reload or store: must get a register
    stretch: set[int] = field(default_factory=set)  # reload shared by a stretch of a block


class Allocator:
    """One round of assignment over fixed live ranges."""

    def __init__(self, function: MFunction, live: LiveRanges, spills: Spills) -> None:
        self.function = function
        self.live = live
        self.ranges = dict(live.ranges)
        self.parent: dict[int, int] = {}
        self.assigned: dict[int, int] = {}
        self.around: set[int] = set()  # saved around calls
        self.spilled: list[int] = []
        self.clobbered = set(CALL_CLOBBERS)
        self.occupied: dict[int, int] = {}
        self.fixed = live.fixed
        self.members: dict[int, list[int]] = {}
        self.hints: dict[int, list[tuple[float, int]]] = {}
        self.weight = dict(live.weight)
        self.density: dict[int, float] = {}
        self.spills = spills
        self.remat = _rematerialisable(function)
        self.used_callee_saved: set[int] = set()

    def find(self, register: int) -> int:
        """Representative of a coalesced register."""
        while register in self.parent:
            register = self.parent[register]
        return register

    # -- coalescing --------------------------------------------------------------------------------

    def coalesce(self) -> None:
        """Join the two sides of copies that do not interfere, the most frequent copies first."""
        copies: list[tuple[float, int, int]] = []
        for block in self.function.blocks:
            for mi in block.code:
                if mi.t.is_copy:
                    copies.append((block.frequency, mi.ops[0], mi.ops[1]))  # type: ignore[arg-type]
        copies.sort(key=lambda c: -c[0])
        for frequency, d, s in copies:
            if d < FIRST_VREG and s < FIRST_VREG:
                continue
            if d < FIRST_VREG or s < FIRST_VREG:
                virtual, physical = (s, d) if d < FIRST_VREG else (d, s)
                self.hints.setdefault(virtual, []).append((frequency, physical))
            else:
                self._join(frequency, d, s)
        if self.parent:
            moved: dict[int, list[tuple[float, int]]] = {}
            for register, hints in self.hints.items():
                moved.setdefault(self.find(register), []).extend(hints)
            self.hints = moved

    def _join(self, frequency: float, d: int, s: int) -> None:
        a, b = self.find(d), self.find(s)
        if a == b or self._bank(a) is not self._bank(b):
            return
        tiny = self.spills.tiny
        if self.ranges[a] & self.ranges[b] or a in tiny or b in tiny:
            self.hints.setdefault(d, []).append((frequency, s))
            self.hints.setdefault(s, []).append((frequency, d))
            return
        crossing_a, crossing_b = self.ranges[a] & self.live.calls, self.ranges[b] & self.live.calls
        if bool(crossing_a) != bool(crossing_b) and frequency * 2 < min(self.weight[a], self.weight[b]):
            # Joining would drag the other range into a callee-saved register: only a hint.
            self.hints.setdefault(d, []).append((frequency, s))
            self.hints.setdefault(s, []).append((frequency, d))
            return
        self.parent[b] = a
        self.ranges[a] |= self.ranges.pop(b)
        self.weight[a] += self.weight.pop(b)
        home = self.live.home_block
        if home.get(a) != home.get(b):
            home[a] = -1
        self.remat.pop(a, None)
        self.remat.pop(b, None)
        for group in (self.spills.tiny, self.spills.stretch):
            if b in group:
                group.add(a)

    def _bank(self, register: int) -> Bank:
        return self.function.bank[register - FIRST_VREG]

    # -- assignment --------------------------------------------------------------------------------

    def run(self) -> None:
        """Assign every range or put it on `spilled`."""
        self.coalesce()
        for register, bits in self.ranges.items():
            length = bits.bit_count()
            tiny = register in self.spills.tiny
            self.density[register] = UNSPILLABLE if tiny else self.weight.get(register, 0.0) / (length + 16)
            self._scale_density(register)
        queue = sorted(self.ranges, key=lambda r: (self.ranges[r].bit_count(), self.density[r], r))
        while queue:
            register = queue.pop()
            if register in self.assigned:
                continue
            queue.extend(self._place(register))

    def _scale_density(self, register: int) -> None:
        """Rematerialising is cheaper than reloading, so such ranges yield first."""
        definition = self.remat.get(register)
        if definition is not None and definition.t.lines == 1:
            self.density[register] *= 0.5

    def _place(self, register: int) -> list[int]:
        """Give `register` a physical register; returns ranges evicted for it."""
        bits = self.ranges[register]
        order = GPR_ORDER if self._bank(register) is Bank.GPR else VEC_ORDER
        for physical in self._hinted(register):
            if physical in order and self._free(physical, bits) and self._worth(physical, register):
                self._assign(register, physical)
                return []
        for physical in order:
            if self._free(physical, bits) and self._worth(physical, register):
                self._assign(register, physical)
                return []
        evicted = self._evict(register, order)
        if evicted is not None:
            return evicted
        if not self._place_around(register, order):
            self.spilled.append(register)
        return []

    def _hinted(self, register: int) -> list[int]:
        hints = self.hints.get(register)
        if not hints:
            return []
        result = []
        for _, other in sorted(hints, key=lambda h: -h[0]):
            physical = other if other < FIRST_VREG else self.assigned.get(self.find(other), -1)
            if physical >= 0:
                result.append(physical)
        return result

    def _blocked(self, physical: int) -> int:
        """Points at which code itself uses or destroys `physical`."""
        fixed = self.fixed.get(physical, 0)
        return fixed | self.live.calls if physical in self.clobbered else fixed

    def _free(self, physical: int, bits: int) -> bool:
        if self.occupied.get(physical, 0) & bits or self.fixed.get(physical, 0) & bits:
            return False
        return not (physical in self.clobbered and self.live.calls & bits)

    def _worth(self, physical: int, register: int) -> bool:
        """A fresh callee-saved register must save more than its own save and restore.

        Saves go in pairs, so every second register is nearly free.
        """
        if physical in self.clobbered or physical in self.used_callee_saved or register in self.spills.tiny:
            return True
        used = sum(1 for r in self.used_callee_saved if (r < FIRST_V) == (physical < FIRST_V))
        cost = SECOND_OF_PAIR_COST if used % 2 else CALLEE_COST
        weight = self.weight.get(register, 0.0)
        if weight <= cost:
            return False
        return self._crossing_cost(register) > cost

    def _assign(self, register: int, physical: int) -> None:
        self.assigned[register] = physical
        self.occupied[physical] = self.occupied.get(physical, 0) | self.ranges[register]
        self.members.setdefault(physical, []).append(register)
        if physical not in self.clobbered:
            self.used_callee_saved.add(physical)

    def _interfering(self, physical: int, register: int) -> list[int]:
        bits = self.ranges[register]
        home = self.live.home_block
        block = home.get(register, -1)
        ranges = self.ranges
        if block < 0:
            return [m for m in self.members.get(physical, ()) if ranges[m] & bits]
        return [
            m for m in self.members.get(physical, ()) if home.get(m, -1) in (-1, block) and ranges[m] & bits
        ]

    def _evict(self, register: int, order: tuple[int, ...]) -> list[int] | None:
        """Free the physical register whose interfering ranges are worth least, if less than ours."""
        bits = self.ranges[register]
        best: list[int] | None = None
        best_cost = self.density[register]
        for physical in order:
            if self._blocked(physical) & bits:
                continue
            others = self._interfering(physical, register)
            cost = max((self.density[o] for o in others), default=0.0)
            if others and cost < best_cost:
                best, best_cost = others, cost
        if best is None:
            return None
        physical = self.assigned[best[0]]
        for other in best:
            self._unassign(other)
        self._assign(register, physical)
        return best

    def _unassign(self, register: int) -> None:
        physical = self.assigned.pop(register)
        self.occupied[physical] &= ~self.ranges[register]
        self.members[physical].remove(register)
        self.around.discard(register)

    def _place_around(self, register: int, order: tuple[int, ...]) -> bool:
        """Use a caller-saved register across calls if saving around them is cheaper than spilling."""
        bits = self.ranges[register]
        if not bits & self.live.calls or register in self.spills.tiny:
            return False
        if self._crossing_cost(register) >= self.weight.get(register, 0.0):
            return False
        for physical in order:
            if physical not in self.clobbered or self.fixed.get(physical, 0) & bits:
                continue
            if not self.occupied.get(physical, 0) & bits:
                self._assign(register, physical)
                self.around.add(register)
                return True
        return False


    def _crossing_cost(self, register: int) -> float:
        """Instructions for keeping `register` in a caller-saved register: a save and a reload per call."""
        crossed = self.ranges[register] & self.live.calls
        each = self.remat[register].t.lines if register in self.remat else 2.0
        return each * _call_frequency(self.function, self.live, crossed)


def _call_frequency(function: MFunction, live: LiveRanges, crossed: int) -> float:
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


def _rematerialisable(function: MFunction) -> dict[int, MI]:
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


# -- rewriting -------------------------------------------------------------------------------------


def allocate(function: MFunction, templates: Templates) -> None:
    """Replace all virtual registers of `function` by physical ones, inserting spill code."""
    spills = Spills()
    for _ in range(MAX_ROUNDS):
        live = liveness.analyse(function)
        allocator = Allocator(function, live, spills)
        allocator.run()
        if not allocator.spilled:
            _save_around_calls(function, live, allocator, templates)
            _apply(function, allocator)
            return
        _spill(function, live, allocator, templates, spills)
    raise AssertionError(f"register allocation of {function.name} does not converge")


def _spill(
    function: MFunction, live: LiveRanges, allocator: Allocator, templates: Templates, spills: Spills
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


def _spill_slots(function: MFunction, allocator: Allocator, registers: list[int]) -> dict[int, int]:
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


def _group(allocator: Allocator, representative: int) -> list[int]:
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
        return d in self.groups and s in self.groups and self.groups[d] == self.groups[s]  # type: ignore[index]

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


def _save_around_calls(
    function: MFunction, live: LiveRanges, allocator: Allocator, templates: Templates
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


def _stored_at_definitions(function: MFunction, live: LiveRanges, allocator: Allocator) -> set[int]:
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
        if definitions < _call_frequency(function, live, crossed):
            result.add(r)
    return result


def _computed_again(definition: MI, physical: int, mi: MI) -> MI:
    """A copy of a rematerialisable definition that writes `physical`."""
    copy = definition.copy()
    copy.ops[copy.t.defs[0]] = physical
    copy.loc = mi.loc
    return copy


def _lives_across(allocator: Allocator, register: int, point: int) -> bool:
    return allocator.ranges[register] & point != 0


def _whole_access(
    function: MFunction, templates: Templates, name: str, slot: int, physical: int, mi: MI
) -> MI:
    size = function.spills[slot].size
    view = ("d" if physical >= 32 else "x") if size == 8 else "c"
    mode = "=" if name == "ldr" else ""
    ops: list[Operand] = [physical, FrameRef(FrameKind.SPILL, slot, 0, size)]
    return MI(templates[f"{name} {mode}${view}, $m"], ops, mi.loc)


def _apply(function: MFunction, allocator: Allocator) -> None:
    """Write physical registers into the operands and drop copies of a register to itself."""
    assignment = {r: allocator.assigned[allocator.find(r)] for r in allocator.live.ranges}
    saved: set[int] = set()
    for block in function.blocks:
        out = []
        for mi in block.code:
            t, ops = mi.t, mi.ops
            for n, view in enumerate(t.views):
                if view not in "#m":
                    r: int = ops[n]  # type: ignore[assignment]
                    if r >= FIRST_VREG:
                        ops[n] = assignment[r]
            if t.is_copy and ops[0] == ops[1]:
                continue
            for n in t.defs:
                saved.add(ops[n])  # type: ignore[arg-type]
            saved.update(mi.implicit_defs)
            out.append(mi)
        block.code = out
    function.assignment = assignment
    preserved = (*CALLEE_SAVED, *V_CALLEE_SAVED)
    function.saved = [r for r in preserved if r in saved]

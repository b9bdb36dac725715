"""Register allocation by live-range interference, with eviction, rematerialisation and splitting.

Ranges are processed from the longest to the shortest. A range that finds no register may evict ranges
of lower weight density; what is evicted is tried again and finally

* rematerialised (constants, GOT and frame addresses are computed again at each use),
* kept in a caller-saved register that is saved and reloaded around the calls it crosses, or
* spilled: reloaded once per stretch of a block, later, if that still does not fit, at every use.

Every round ends with all registers assigned or with new code for the next round.
"""

from __future__ import annotations

from guest.cc.backend import liveness
from guest.cc.backend.liveness import LiveRanges
from guest.cc.backend.mir import (
    CALL_CLOBBERS,
    CALLEE_SAVED,
    FIRST_V,
    FIRST_VREG,
    V_CALLEE_SAVED,
    Bank,
    MFunction,
    Templates,
)
from guest.cc.backend.spill import Spills, call_frequency, rematerialisable, save_around_calls, spill

# Preference among caller-saved registers: not the argument registers first, they are wanted by hints.
GPR_ORDER = (*range(10, 16), 18, 8, 9, *range(7, -1, -1), *CALLEE_SAVED)
VEC_ORDER = (*range(48, 63), *range(39, 31, -1), *V_CALLEE_SAVED)
CALLEE_COST = 2.0  # saving and restoring a register once per call
SECOND_OF_PAIR_COST = 0.3
UNSPILLABLE = float("inf")
MAX_ROUNDS = 40


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
        self.deferred: list[int] = []
        self.clobbered = set(CALL_CLOBBERS)
        self.occupied: dict[int, int] = {}
        self.fixed = live.fixed
        self.members: dict[int, list[int]] = {}
        self.hints: dict[int, list[tuple[float, int]]] = {}
        self.weight = dict(live.weight)
        self.density: dict[int, float] = {}
        self.spills = spills
        self.remat = rematerialisable(function)
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
        self._place_deferred()

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
        if any(self._free(physical, bits) for physical in order):
            self.deferred.append(register)  # a callee-saved register that did not seem worth its save
            return []
        evicted = self._evict(register, order)
        if evicted is not None:
            return evicted
        if not self._place_around(register, order):
            self.spilled.append(register)
        return []

    def _place_deferred(self) -> None:
        """Give callee-saved registers to the best of those left over, by pairs."""
        value = {r: min(self.weight.get(r, 0.0), self._crossing_cost(r)) for r in self.deferred}
        waiting = sorted(self.deferred, key=lambda r: (-value[r], r))
        for n, register in enumerate(waiting):
            order = GPR_ORDER if self._bank(register) is Bank.GPR else VEC_ORDER
            bits = self.ranges[register]
            free = [p for p in order if self._free(p, bits)]
            partner = next((r for r in waiting[n + 1 :] if self._bank(r) is self._bank(register)), None)
            gain, cost = value[register], self._save_cost(order[0])
            if cost > SECOND_OF_PAIR_COST and partner is not None:
                gain, cost = gain + value[partner], cost + SECOND_OF_PAIR_COST
            usable = [p for p in free if p in self.clobbered or p in self.used_callee_saved]
            if usable or (free and gain > cost):
                self._assign(register, (usable or free)[0])
            elif not self._place_around(register, order):
                self.spilled.append(register)

    def _save_cost(self, physical: int) -> float:
        """Cost of the next callee-saved register of the bank: every second one only completes a pair."""
        used = sum(1 for r in self.used_callee_saved if (r < FIRST_V) == (physical < FIRST_V))
        return SECOND_OF_PAIR_COST if used % 2 else CALLEE_COST

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
        cost = self._save_cost(physical)
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
        return each * call_frequency(self.function, self.live, crossed)


def allocate(function: MFunction, templates: Templates) -> None:
    """Replace all virtual registers of `function` by physical ones, inserting spill code."""
    spills = Spills()
    for _ in range(MAX_ROUNDS):
        live = liveness.analyse(function)
        allocator = Allocator(function, live, spills)
        allocator.run()
        if not allocator.spilled:
            save_around_calls(function, live, allocator, templates)
            _apply(function, allocator)
            return
        spill(function, live, allocator, templates, spills)
    raise AssertionError(f"register allocation of {function.name} does not converge")


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

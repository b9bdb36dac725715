"""What is known about capability registers at a place in translated code; how versions of a block compare.

A block is translated for facts that hold wherever it is entered from. Direct branches carry facts along, so
that a loop decodes the bounds of its pointers once, before it; branches to a register's value carry none.
"""

from __future__ import annotations

from math import gcd
from typing import NamedTuple

from emulator.engine.translate.layout import CSP
from morello_isa.permissions import Perm


class Fact(NamedTuple):
    """About Cn. `slot`: where its window is kept (None: nowhere). `permissions`: those it has for certain.
    `alignment`: a power of two up to 16 that divides its value (bytes). `tagged`: it is, and unsealed.

    `clean`: in A64 code, its value is an address as it is, without a top byte that is ignored. (What is one
    keeps being one while it moves by small steps: what lies behind the ends is never mapped.)

    A slot's window is that of Cn's bounds whether Cn is still tagged or not."""

    slot: int | None
    permissions: int
    alignment: int
    tagged: bool
    clean: bool = False

    def moved(self, delta: int) -> Fact:
        """After the value changed by `delta` bytes."""
        alignment = gcd(self.alignment, delta) if delta else self.alignment
        return self if alignment == self.alignment else self._replace(alignment=alignment)


LONG_LIVED = range(19, 29)
"""Registers that calls preserve (AAPCS64-cap): what computed jumps of an interpreter have in common."""
_PLAIN_ACCESS = int(Perm.LOAD)
UNKNOWN = Fact(None, 0, 1, False)
Facts = dict[int, Fact]


def covers(known: Facts, needed: Facts) -> bool:
    """Code that was translated for `needed` may be entered where `known` holds."""
    for n, need in needed.items():
        fact = known.get(n)
        if (
            fact is None
            or fact.slot != need.slot
            or need.permissions & ~fact.permissions
            or fact.alignment % need.alignment
            or (need.tagged and not fact.tagged)
            or (need.clean and not fact.clean)
        ):
            return False
    return True


def common(one: Facts, other: Facts) -> Facts:
    """The most that both know."""
    result: Facts = {}
    for n, a in one.items():
        b = other.get(n)
        if b is not None and a.slot == b.slot:
            result[n] = Fact(
                a.slot,
                a.permissions & b.permissions,
                gcd(a.alignment, b.alignment),
                a.tagged and b.tagged,
                a.clean and b.clean,
            )
    return result


def kept_by_jump(facts: Facts) -> Facts:
    """Those worth carrying to the target of a jump: of registers that hold what lives long."""
    return {
        n: fact._replace(alignment=1, permissions=fact.permissions & _PLAIN_ACCESS)
        for n, fact in facts.items()
        if fact.slot is not None and fact.tagged and n in LONG_LIVED
    }


def carried(facts: Facts) -> Facts:
    """Those worth carrying along an edge: windows, clean addresses, CSP's alignment."""
    return {n: fact for n, fact in facts.items() if fact.slot is not None or fact.clean or n == CSP}

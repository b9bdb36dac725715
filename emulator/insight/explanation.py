"""Where the engines part, explained: the guest's instruction, the code made of it, both states."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from emulator.engine.translate.observed import BlockRecord, Census
from emulator.insight.blocks import BlockListing
from emulator.insight.owners import Owners
from emulator.insight.states import decoded, registers
from morello_isa.disassemble import disassemble

if TYPE_CHECKING:
    from emulator.insight.lockstep import Found, Lockstep, Pair
    from emulator.state.pe import Pe

_REGISTER = re.compile(r"\b([cxw]|[vqdshb])(\d+)\b|\b(w?c?sp)\b")


class _Observed:
    """A repetition whose fast engine is observed."""

    def __init__(self, lockstep: Lockstep, count: int, longest: int | None) -> None:
        self.owners = Owners()
        self.census = Census(self.owners.of, longest)
        self.pair: Pair = lockstep.repeat(count, self.census.make)
        self.pair.fast.attach(self.owners)
        self.records = {
            (r.pc, r.guest, r.exact, r.tested, tuple(sorted(r.facts.items()))): r
            for r in self.census.settle()
        }


def explanation(lockstep: Lockstep, found: Found) -> Iterator[str]:
    """Lines about a difference."""
    before = _Observed(lockstep, found.at - 1, found.longest)
    running = before.pair.reference.current()
    yield f"the engines differ after instruction {found.at:,}"
    if found.longest != 1:
        length = "" if found.longest is None else f" of up to {found.longest} instructions"
        yield f"  not with blocks of one instruction: its cause is in a block{length}, there or before"
    if running is not None:
        yield from _instruction(*running, before)
    yield "  what differs: reference | fast"
    yield from (f"    {difference}" for difference in found.differences)
    after = _Observed(lockstep, found.at, found.longest)
    if not after.pair.differences():
        yield "  with its executions counted, the fast engine's code agrees: its blocks can't be told"
        return
    suspects = _suspects(before, after, running[0].pc if running is not None else -1)
    if not suspects:
        yield "  no translated code ran differently: a single instruction, or one of the reference engine"
        return
    listing = BlockListing(after.census, after.owners, after.pair.fast.instructions)
    yield "  executed by the fast engine for it:"
    for record in suspects:
        yield from (f"  {line}" for line in listing.block(record))


def _instruction(pe: Pe, name: str, at: _Observed) -> Iterator[str]:
    word = at.pair.reference.word()
    owner = at.owners.settled(None)
    text = disassemble(word, pe.pc, pe.pstate.c64, lambda address: at.owners.short(owner, address))
    state = "C64" if pe.pstate.c64 else "A64"
    side = "Restricted" if pe.is_restricted else "Executive"
    yield f"  {pe.pc:#x}  {at.owners.place(owner, pe.pc)}  {state}, {side}, {name}"
    yield f"    {word:08x}  {text}"
    values = registers(pe)
    names = list(dict.fromkeys(_name(match) for match in _REGISTER.finditer(text.split("<")[0])))
    yield "  before it, in both:"
    yield from (f"    {name} = {decoded(values[name])}" for name in names if name in values)
    yield f"    nzcv = {values['nzcv']}, pcc = {decoded(values['pcc'])}"


def _name(match: re.Match[str]) -> str:
    kind, number, stack = match.groups()
    if stack:
        return "csp"
    return f"{'c' if kind in 'cxw' else 'v'}{number}"


def _suspects(before: _Observed, after: _Observed, pc: int) -> list[BlockRecord]:
    """Blocks that ran more often on the way to the different state: those with the instruction first."""
    more = []
    for key, record in after.records.items():
        earlier = before.records.get(key)
        if record.executed > (earlier.executed if earlier is not None else 0):
            more.append(record)
    more.sort(key=lambda record: (all(at != pc for at, _ in record.guest), record.number))
    with_it = [record for record in more if any(at == pc for at, _ in record.guest)]
    return (with_it or more)[:3]

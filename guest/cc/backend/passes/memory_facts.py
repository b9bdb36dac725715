"""What is known about memory inside an extended basic block: redundant loads, stored values.

A location is (base value, offset, index value, scale) or a frame slot; a store forgets every location
it may overlap. Two accesses from the same base value with constant offsets overlap only if their byte
ranges do. The types of the accesses tell nothing: guests do overlay them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guest.cc import ir
from guest.cc.ir import WIDTH_BYTES, Width

if TYPE_CHECKING:
    from guest.cc.backend.passes.values import ValueNumbering

_WHOLE = {  # stored register type -> a load of this width and type returns the register itself
    (Width.W32, ir.Ty.I32),
    (Width.X64, ir.Ty.I64),
    (Width.CAP, ir.Ty.CAP),
    (Width.F32, ir.Ty.F32),
    (Width.F64, ir.Ty.F64),
}
MAX_LOCATIONS = 64  # bound on compile time

Location = tuple[object, int, object, int, int]  # base, offset, index, scale, size


class MemoryFacts:
    """Known contents of memory: (location, width, type) -> register at a version."""

    __slots__ = ("known",)

    def __init__(self) -> None:
        self.known: dict[tuple[Location, Width, ir.Ty], tuple[ir.Operand, int]] = {}

    def copy(self) -> MemoryFacts:
        other = MemoryFacts()
        other.known = dict(self.known)
        return other

    def find(self, v: ValueNumbering, op: ir.Load | ir.LocalLoad) -> ir.Operand | None:
        """The operand that already holds what `op` would load."""
        found = self.known.get((location(v, op), op.width, op.dst.ty))
        if found is None:
            return None
        operand, version = found
        if isinstance(operand, ir.VReg) and v.version(operand) != version:
            return None
        return operand

    def effect(self, v: ValueNumbering, op: ir.Op) -> None:
        """Update after `op` has been executed."""
        if isinstance(op, (ir.Load, ir.LocalLoad)):
            volatile = isinstance(op, ir.Load) and op.volatile
            if not volatile and op.dst not in (getattr(op, "base", None), getattr(op, "index", None)):
                self._remember(v, location(v, op), op.width, op.dst.ty, op.dst)
        elif isinstance(op, (ir.Store, ir.LocalStore)):
            self._store(v, op)
        elif isinstance(op, (ir.Call, ir.Asm, ir.Atomic, ir.CopyMemory, ir.ZeroMemory)):
            private = v.private_slots
            self.known = {k: f for k, f in self.known.items() if _slot_of(k[0]) in private}

    def _store(self, v: ValueNumbering, op: ir.Store | ir.LocalStore) -> None:
        where = location(v, op)
        private = v.private_slots
        self.known = {k: f for k, f in self.known.items() if not may_overlap(where, k[0], private)}
        if isinstance(op, ir.Store) and op.volatile:
            return
        if isinstance(op.src, ir.VReg) and (op.width, op.src.ty) in _WHOLE:
            self._remember(v, where, op.width, op.src.ty, op.src)

    def _remember(
        self, v: ValueNumbering, where: Location, width: Width, ty: ir.Ty, register: ir.VReg
    ) -> None:
        if len(self.known) < MAX_LOCATIONS:
            self.known.setdefault((where, width, ty), (register, v.version(register)))


def location(v: ValueNumbering, op: ir.Load | ir.Store | ir.LocalLoad | ir.LocalStore) -> Location:
    """The location an access names; constant additions to the base are looked through."""
    size = WIDTH_BYTES[op.width]
    if isinstance(op, (ir.LocalLoad, ir.LocalStore)):
        return (("slot", op.slot), op.offset, None, 0, size)
    base, offset = op.base, op.offset
    while True:
        d = v.definition(base)
        if isinstance(d, ir.CapBinary) and d.op is ir.CapOp.ADD and isinstance(d.b, ir.Imm):
            base, offset = d.a, offset + d.b.value
        else:
            break
    if isinstance(d, ir.LocalAddr):
        return (("slot", d.slot), offset + d.offset, v.operand_key(op.index), op.scale, size)
    return (v.operand_key(base), offset, v.operand_key(op.index), op.scale, size)


def _slot_of(where: Location) -> object:
    base = where[0]
    return base[1] if isinstance(base, tuple) and base[0] == "slot" else None


def may_overlap(store: Location, known: Location, private: set[int]) -> bool:
    """True if a store to `store` may change what is at `known`."""
    if store[0] == known[0]:
        if store[2] is None and known[2] is None:
            return store[1] < known[1] + known[4] and known[1] < store[1] + store[4]
        return True
    slot_a, slot_b = _slot_of(store), _slot_of(known)
    if slot_a is not None and slot_b is not None:
        return False
    return slot_a not in private and slot_b not in private

"""AAPCS64-cap: where parameters, arguments and results live (aapcs64-morello sections 4 and 5).

`Assigner` walks a parameter list and gives each C type a `Passing`: the register-sized pieces it is cut
into and their `ir.Place`s, or that a copy is passed by reference. No IR is made here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from guest.cc import types as ct
from guest.cc.ir import Place, RegFile, Ty

ARGUMENT_REGISTERS = 8
SLOT = 16  # bytes of an anonymous argument's slot


@dataclass(frozen=True, slots=True)
class Piece:
    """`size` bytes at `offset` of the object, in one register of class `ty`."""

    ty: Ty
    offset: int
    size: int
    place: Place


@dataclass(slots=True)
class Passing:
    """`by_reference`: the pieces are one capability to a copy made by the caller."""

    pieces: list[Piece] = field(default_factory=list)
    by_reference: bool = False


def register_class(t: ct.CType) -> Ty:
    """The virtual register class that holds a scalar of type `t`."""
    if t.in_capability:
        return Ty.CAP
    if t.is_float:
        return Ty.F32 if t.size == 4 else Ty.F64
    return Ty.I64 if t.size == 8 else Ty.I32


def homogeneous_floats(t: ct.CType) -> tuple[ct.CType, int] | None:
    """(member type, count) of a homogeneous floating-point aggregate of up to four members."""
    leaves: list[tuple[int, ct.CType]] = []
    if not _float_leaves(t, 0, leaves) or not leaves:
        return None
    first = leaves[0][1]
    count = t.size // first.size
    if any(leaf.size != first.size for _, leaf in leaves) or not 1 <= count <= 4:
        return None
    return (first, count) if count * first.size == t.size else None


def _float_leaves(t: ct.CType, offset: int, leaves: list[tuple[int, ct.CType]]) -> bool:
    if t.is_float:
        leaves.append((offset, t))
        return len(leaves) <= 16
    if isinstance(t, ct.ArrayType):
        return all(
            _float_leaves(t.element, offset + i * t.element.size, leaves) for i in range(t.length or 0)
        )
    if isinstance(t, ct.RecordType):
        return all(_float_leaves(f.type, offset + f.offset, leaves) for f in t.body.fields)
    return False


def in_capability_registers(t: ct.CType) -> bool:
    """A composite with capabilities, at most 32 bytes, other members clear of bytes 8-15 and 24-31."""
    return ct.has_capabilities(t) and t.size <= 32 and not _overlaps_upper_half(t, 0)


def _overlaps_upper_half(t: ct.CType, offset: int) -> bool:
    if t.in_capability:
        return False
    if isinstance(t, ct.ArrayType):
        return any(_overlaps_upper_half(t.element, offset + i * t.element.size) for i in range(t.length or 0))
    if isinstance(t, ct.RecordType):
        return any(_overlaps_upper_half(f.type, offset + f.offset) for f in t.body.fields)
    return any((offset + i) % 16 >= 8 for i in range(t.size))


def _is_by_reference(t: ct.CType) -> bool:
    if not t.is_record:
        return False
    if ct.has_capabilities(t):
        return not in_capability_registers(t)
    return t.size > 16 and homogeneous_floats(t) is None


def anonymous_by_reference(t: ct.CType) -> bool:
    """Does an anonymous argument of this type have a capability to a copy in its slot?"""
    return t.size > SLOT or t.align > SLOT


@dataclass(slots=True)
class Assigner:
    """The counters NGRN, NSRN, NSAA and the number of anonymous slots, advanced by each argument."""

    ngrn: int = 0
    nsrn: int = 0
    nsaa: int = 0
    slots: int = 0

    def named(self, t: ct.CType) -> Passing:
        """Next named parameter (or the result, with a fresh assigner)."""
        if _is_by_reference(t):
            return Passing(self._scalar(ct.VOID_PTR).pieces, by_reference=True)
        if not t.is_record:
            return self._scalar(t)
        floats = homogeneous_floats(t)
        if floats is not None:
            return self._floats(t, *floats)
        if ct.has_capabilities(t):
            return self._integers(t, Ty.CAP, 16)
        return self._integers(t, Ty.I64, 8)

    def anonymous(self, t: ct.CType) -> Passing:
        """Next argument after the `...` of a prototype."""
        place = Place(RegFile.VARARG, self.slots)
        self.slots += 1
        if anonymous_by_reference(t):
            return Passing([Piece(Ty.CAP, 0, 16, place)], by_reference=True)
        if t.is_record:
            ty = Ty.CAP if t.size > 8 else Ty.I64
            return Passing([Piece(ty, 0, t.size, place)])
        return Passing([Piece(register_class(t), 0, t.size, place)])

    def _scalar(self, t: ct.CType) -> Passing:
        ty = register_class(t)
        if ty in (Ty.F32, Ty.F64):
            if self.nsrn < ARGUMENT_REGISTERS:
                self.nsrn += 1
                return Passing([Piece(ty, 0, t.size, Place(RegFile.V, self.nsrn - 1))])
            return Passing([Piece(ty, 0, t.size, self._stack(8, 8))])
        if self.ngrn < ARGUMENT_REGISTERS:
            self.ngrn += 1
            file = RegFile.C if ty is Ty.CAP else RegFile.X
            return Passing([Piece(ty, 0, t.size, Place(file, self.ngrn - 1))])
        size = 16 if ty is Ty.CAP else 8
        return Passing([Piece(ty, 0, t.size, self._stack(size, size))])

    def _stack(self, size: int, align: int) -> Place:
        self.nsaa = ct.round_up(self.nsaa, align)
        offset = self.nsaa
        self.nsaa += ct.round_up(size, 8)
        return Place(RegFile.STACK, offset)

    def _floats(self, t: ct.CType, member: ct.CType, count: int) -> Passing:
        ty = register_class(member)
        size = member.size
        if self.nsrn + count <= ARGUMENT_REGISTERS:
            first = self.nsrn
            self.nsrn += count
            pieces = [Piece(ty, i * size, size, Place(RegFile.V, first + i)) for i in range(count)]
            return Passing(pieces)
        self.nsrn = ARGUMENT_REGISTERS
        base = self._stack(t.size, max(8, t.align)).index
        return Passing(
            [Piece(ty, i * size, size, Place(RegFile.STACK, base + i * size)) for i in range(count)]
        )

    def _integers(self, t: ct.CType, ty: Ty, unit: int) -> Passing:
        """A composite in consecutive X (8 bytes each) or C (16 bytes each) registers, or all on the stack."""
        count = -(-t.size // unit)
        if ty is Ty.I64 and t.align == 16:
            self.ngrn = ct.round_up(self.ngrn, 2)
        sizes = [min(unit, t.size - i * unit) for i in range(count)]
        if self.ngrn + count <= ARGUMENT_REGISTERS:
            first = self.ngrn
            self.ngrn += count
            file = RegFile.C if ty is Ty.CAP else RegFile.X
            places = [Place(file, first + i) for i in range(count)]
        else:
            self.ngrn = ARGUMENT_REGISTERS
            base = self._stack(t.size, max(8, min(t.align, 16))).index
            places = [Place(RegFile.STACK, base + i * unit) for i in range(count)]
        return Passing([Piece(ty, i * unit, sizes[i], places[i]) for i in range(count)])


def result_passing(t: ct.CType) -> Passing:
    """How a result travels; by_reference: through the buffer whose capability the caller puts in c8."""
    return Assigner().named(t)

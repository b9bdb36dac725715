"""Types for the debugger: what `ir.Module.debug_types` holds and `ir.Variable.type_id` indexes.

A type id is an index into the module's list; NO_TYPE (-1) stands for void. The back end turns these
into DWARF entries. Sizes and offsets in bytes, bit positions in bits from the container's low end.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from guest.cc import types as ct

NO_TYPE = -1


@dataclass(slots=True)
class BaseType:
    """`encoding` is the DW_ATE_* number (0xA0/0xA1 for signed/unsigned __intcap)."""

    name: str
    size: int
    encoding: int


@dataclass(slots=True)
class PointerTo:
    type_id: int
    size: int = 16


@dataclass(slots=True)
class ArrayOf:
    type_id: int
    count: int


@dataclass(slots=True)
class Member:
    name: str
    type_id: int
    offset: int
    bit_offset: int = 0
    bit_width: int | None = None


@dataclass(slots=True)
class Record:
    name: str
    is_union: bool
    size: int
    members: list[Member] = field(default_factory=list)


@dataclass(slots=True)
class Enumeration:
    name: str
    size: int
    values: list[tuple[str, int]]


@dataclass(slots=True)
class FunctionOf:
    result: int
    params: list[int]


DW_ATE_BOOLEAN = 2
DW_ATE_FLOAT = 4
DW_ATE_SIGNED = 5
DW_ATE_SIGNED_CHAR = 6
DW_ATE_UNSIGNED = 7
DW_ATE_UNSIGNED_CHAR = 8
DW_ATE_CHERI_SIGNED_INTCAP = 0xA0
DW_ATE_CHERI_UNSIGNED_INTCAP = 0xA1


@dataclass(slots=True)
class TypeTable:
    """Builds the debug type list of one module; equal C types share an entry."""

    entries: list[object] = field(default_factory=list)
    _ids: dict[object, int] = field(default_factory=dict)

    def type_id(self, t: ct.CType) -> int:
        if t.is_void:
            return NO_TYPE
        key = self._key(t)
        known = self._ids.get(key)
        if known is not None:
            return known
        number = len(self.entries)
        self._ids[key] = number
        self.entries.append(None)
        self.entries[number] = self._entry(t)
        return number

    def _key(self, t: ct.CType) -> object:
        if isinstance(t, ct.RecordType):
            return t.body
        if isinstance(t, ct.EnumType):
            return (t.tag, tuple(t.values))
        if isinstance(t, ct.PointerType):
            return ("*", self.type_id(t.target))
        if isinstance(t, ct.ArrayType):
            return ("[]", t.length or 0, self.type_id(t.element))
        if isinstance(t, ct.FunctionType):
            return ("()", self.type_id(t.result), tuple(self.type_id(p) for p in t.params))
        return str(t)

    def _entry(self, t: ct.CType) -> object:
        if isinstance(t, ct.RecordType):
            members = [
                Member(f.name or "", self.type_id(f.type), f.offset, f.bit_offset, f.bit_width)
                for f in t.body.fields
            ]
            return Record(t.body.tag, t.body.is_union, t.size, members)
        if isinstance(t, ct.EnumType):
            return Enumeration(t.tag, t.size, list(t.values))
        if isinstance(t, ct.PointerType):
            return PointerTo(self.type_id(t.target))
        if isinstance(t, ct.ArrayType):
            return ArrayOf(self.type_id(t.element), t.length or 0)
        if isinstance(t, ct.FunctionType):
            return FunctionOf(self.type_id(t.result), [self.type_id(p) for p in t.params])
        return BaseType(str(t), t.size, _encoding(t))


def _encoding(t: ct.CType) -> int:
    if isinstance(t, ct.FloatType):
        return DW_ATE_FLOAT
    if isinstance(t, ct.IntType):
        if t.is_intcap:
            return DW_ATE_CHERI_SIGNED_INTCAP if t.signed else DW_ATE_CHERI_UNSIGNED_INTCAP
        if t.rank == 0:
            return DW_ATE_BOOLEAN
        if t.size == 1:
            return DW_ATE_SIGNED_CHAR if t.signed else DW_ATE_UNSIGNED_CHAR
        return DW_ATE_SIGNED if t.signed else DW_ATE_UNSIGNED
    return DW_ATE_UNSIGNED

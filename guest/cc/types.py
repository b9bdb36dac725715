"""C types for Morello purecap: sizes, alignment, layout, conversions and compatibility.

Pointers and `__intcap_t` are 16 bytes; `long`, `size_t` 8; `char` is unsigned; `long double` is `double`.
Types are compared by `same_type`/`compatible`, never by identity (qualified copies exist).
Sizes and offsets in bytes, bit-field positions in bits from the container's low end.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

CONST = 1
VOLATILE = 2
RESTRICT = 4
ATOMIC = 8

POINTER_SIZE = 16

_T = TypeVar("_T", bound="CType")


class CType:
    """Base of all C types; `quals` is a mask of CONST, VOLATILE, RESTRICT, ATOMIC."""

    __slots__ = ("align", "quals", "size")

    size: int
    align: int

    is_integer = False
    is_float = False
    is_pointer = False
    is_record = False
    is_array = False
    is_function = False
    is_void = False
    is_intcap = False

    def __init__(self, size: int, align: int) -> None:
        self.size = size
        self.align = align
        self.quals = 0

    @property
    def is_arithmetic(self) -> bool:
        return self.is_integer or self.is_float

    @property
    def is_scalar(self) -> bool:
        return self.is_integer or self.is_float or self.is_pointer

    @property
    def in_capability(self) -> bool:
        """Held in a C register: a pointer or an integer with provenance."""
        return self.is_pointer or self.is_intcap

    @property
    def is_complete(self) -> bool:
        return True


class VoidType(CType):
    __slots__ = ()
    is_void = True

    def __init__(self) -> None:
        super().__init__(1, 1)

    @property
    def is_complete(self) -> bool:
        return False

    def __str__(self) -> str:
        return "void"


class IntType(CType):
    """An integer type; `bits` is the width of its value (64 for `__intcap_t`, 1 for `_Bool`)."""

    __slots__ = ("bits", "is_intcap", "name", "rank", "signed")
    is_integer = True

    def __init__(self, name: str, size: int, rank: int, signed: bool, bits: int = 0) -> None:
        super().__init__(size, size)
        self.name = name
        self.rank = rank
        self.signed = signed
        self.bits = bits or size * 8
        self.is_intcap = rank == 6

    def __str__(self) -> str:
        return self.name

    def wrap(self, value: int) -> int:
        """`value` reduced to this type's range."""
        if self.rank == 0:
            return int(value != 0)
        value &= (1 << self.bits) - 1
        if self.signed and value >> (self.bits - 1):
            value -= 1 << self.bits
        return value


class FloatType(CType):
    __slots__ = ("name", "rank")
    is_float = True

    def __init__(self, name: str, size: int, rank: int) -> None:
        super().__init__(size, size)
        self.name = name
        self.rank = rank

    def __str__(self) -> str:
        return self.name


class PointerType(CType):
    __slots__ = ("target",)
    is_pointer = True

    def __init__(self, target: CType) -> None:
        super().__init__(POINTER_SIZE, POINTER_SIZE)
        self.target = target

    def __str__(self) -> str:
        if isinstance(self.target, FunctionType):
            return self.target.describe("(*)")
        return f"{describe(self.target)} *"


class ArrayType(CType):
    """`length` is None for an incomplete array; `vla` holds the length expression's symbol-side value."""

    __slots__ = ("element", "length", "vla")
    is_array = True

    def __init__(self, element: CType, length: int | None, vla: object = None) -> None:
        super().__init__(element.size * (length or 0), element.align)
        self.element = element
        self.length = length
        self.vla = vla

    @property
    def is_complete(self) -> bool:
        return self.length is not None or self.vla is not None

    def __str__(self) -> str:
        inner: CType = self
        suffix = ""
        while isinstance(inner, ArrayType):
            suffix += f"[{'' if inner.length is None else inner.length}]"
            inner = inner.element
        return f"{describe(inner)} {suffix}"


class FunctionType(CType):
    """`prototyped` is False for `f()`: any arguments, default promotions."""

    __slots__ = ("params", "prototyped", "result", "variadic")
    is_function = True

    def __init__(self, result: CType, params: list[CType], variadic: bool, prototyped: bool = True) -> None:
        super().__init__(1, 1)
        self.result = result
        self.params = params
        self.variadic = variadic
        self.prototyped = prototyped

    def describe(self, middle: str) -> str:
        params = [describe(p) for p in self.params] + (["..."] if self.variadic else [])
        if not params and self.prototyped:
            params = ["void"]
        return f"{describe(self.result)} {middle}({', '.join(params)})"

    def __str__(self) -> str:
        return self.describe("")


@dataclass(slots=True)
class Field:
    """One member: `bit_width` None for an ordinary one; `name` None for an anonymous struct or union.

    For a bit-field, `offset` is its container's and `bit_offset` counts from that container's bit 0.
    """

    name: str | None
    type: CType
    offset: int
    bit_offset: int = 0
    bit_width: int | None = None


class RecordBody:
    """What a struct or union tag stands for; shared by all qualified copies of the type."""

    __slots__ = ("align", "by_name", "complete", "fields", "flexible", "is_union", "size", "tag")

    def __init__(self, tag: str, is_union: bool) -> None:
        self.tag = tag
        self.is_union = is_union
        self.complete = False
        self.fields: list[Field] = []
        self.by_name: dict[str, list[Field]] = {}
        self.size = 0
        self.align = 1
        self.flexible = False


class RecordType(CType):
    __slots__ = ("body",)
    is_record = True

    def __init__(self, body: RecordBody) -> None:
        self.body = body
        self.quals = 0

    def __copy__(self) -> RecordType:
        return RecordType(self.body)

    @property
    def size(self) -> int:  # type: ignore[override]
        return self.body.size

    @property
    def align(self) -> int:  # type: ignore[override]
        return self.body.align

    @property
    def is_complete(self) -> bool:
        return self.body.complete

    def __str__(self) -> str:
        return f"{'union' if self.body.is_union else 'struct'} {self.body.tag}"


class EnumType(IntType):
    """An enumeration: an integer type with a tag (for the debugger)."""

    __slots__ = ("complete", "tag", "values")

    def __init__(self, tag: str) -> None:
        super().__init__(f"enum {tag}", 4, 3, False)
        self.tag = tag
        self.values: list[tuple[str, int]] = []
        self.complete = False

    def set_base(self, base: IntType) -> None:
        self.size, self.align, self.rank, self.signed, self.bits = (
            base.size,
            base.align,
            base.rank,
            base.signed,
            base.bits,
        )

    @property
    def is_complete(self) -> bool:
        return self.complete


VOID = VoidType()
BOOL = IntType("_Bool", 1, 0, False, 1)
CHAR = IntType("char", 1, 1, False)
SCHAR = IntType("signed char", 1, 1, True)
UCHAR = IntType("unsigned char", 1, 1, False)
SHORT = IntType("short", 2, 2, True)
USHORT = IntType("unsigned short", 2, 2, False)
INT = IntType("int", 4, 3, True)
UINT = IntType("unsigned int", 4, 3, False)
LONG = IntType("long", 8, 4, True)
ULONG = IntType("unsigned long", 8, 4, False)
LLONG = IntType("long long", 8, 5, True)
ULLONG = IntType("unsigned long long", 8, 5, False)
INTCAP = IntType("__intcap", 16, 6, True, 64)
UINTCAP = IntType("unsigned __intcap", 16, 6, False, 64)
FLOAT = FloatType("float", 4, 1)
DOUBLE = FloatType("double", 8, 2)
LDOUBLE = FloatType("long double", 8, 3)
VOID_PTR = PointerType(VOID)
CHAR_PTR = PointerType(CHAR)
SIZE = ULONG
PTRDIFF = LONG

_UNSIGNED = {3: UINT, 4: ULONG, 5: ULLONG, 6: UINTCAP}


def describe(t: CType) -> str:
    """The type as a C programmer writes it, with qualifiers."""
    names = [n for bit, n in ((CONST, "const"), (VOLATILE, "volatile"), (ATOMIC, "_Atomic")) if t.quals & bit]
    if isinstance(t, PointerType) and names:
        return f"{t} {' '.join(names)}"
    return " ".join([*names, str(t)])


def qualified(t: _T, quals: int) -> _T:
    """`t` with `quals` added (on an array: on its elements)."""
    if not quals or t.quals | quals == t.quals:
        return t
    result = copy.copy(t)
    if isinstance(result, ArrayType):
        result.element = qualified(result.element, quals)
    result.quals = t.quals | quals
    return result


def unqualified(t: _T) -> _T:
    if not t.quals:
        return t
    result = copy.copy(t)
    result.quals = 0
    return result


def same_type(a: CType, b: CType) -> bool:
    """Equal types, top-level qualifiers apart (C99 6.2.7 without composite formation)."""
    if a is b:
        return True
    if isinstance(a, IntType) and isinstance(b, IntType):
        if isinstance(a, EnumType) or isinstance(b, EnumType):
            return a.size == b.size and a.signed == b.signed
        return a.name == b.name
    if isinstance(a, FloatType) and isinstance(b, FloatType):
        return a.rank == b.rank
    if isinstance(a, PointerType) and isinstance(b, PointerType):
        return a.target.quals == b.target.quals and same_type(a.target, b.target)
    if isinstance(a, ArrayType) and isinstance(b, ArrayType):
        lengths_agree = a.length is None or b.length is None or a.length == b.length
        return lengths_agree and same_type(a.element, b.element)
    if isinstance(a, RecordType) and isinstance(b, RecordType):
        return a.body is b.body
    if isinstance(a, FunctionType) and isinstance(b, FunctionType):
        return _same_function(a, b)
    return a.is_void and b.is_void


def _same_function(a: FunctionType, b: FunctionType) -> bool:
    if not same_type(a.result, b.result):
        return False
    if not a.prototyped or not b.prototyped:
        return not (a.variadic or b.variadic)
    if a.variadic != b.variadic or len(a.params) != len(b.params):
        return False
    return all(same_type(p, q) for p, q in zip(a.params, b.params, strict=True))


def composite(a: CType, b: CType) -> CType:
    """Of two compatible declarations of one thing, the more complete type."""
    if isinstance(a, ArrayType) and isinstance(b, ArrayType):
        return a if a.length is not None else b
    if isinstance(a, FunctionType) and isinstance(b, FunctionType):
        return a if a.prototyped else b
    return a


def promoted(t: CType) -> CType:
    """Integer promotion (C99 6.3.1.1)."""
    if isinstance(t, IntType):
        if t.rank < 3:
            return INT
        if isinstance(t, EnumType):
            return standard_int(t)
    return unqualified(t)


def standard_int(t: IntType) -> IntType:
    """The standard type an enumeration behaves as."""
    if t.size == 8:
        return LONG if t.signed else ULONG
    return INT if t.signed else UINT


def usual_arithmetic(a: CType, b: CType) -> CType:
    """Common type of two arithmetic operands (C99 6.3.1.8)."""
    if isinstance(a, FloatType) or isinstance(b, FloatType):
        floats = [t for t in (a, b) if isinstance(t, FloatType)]
        return unqualified(max(floats, key=lambda t: t.rank))
    x, y = promoted(a), promoted(b)
    if not (isinstance(x, IntType) and isinstance(y, IntType)):
        raise TypeError("usual_arithmetic needs arithmetic types")
    if x.signed == y.signed:
        return x if x.rank >= y.rank else y
    unsigned, signed = (y, x) if x.signed else (x, y)
    if unsigned.rank >= signed.rank:
        return unsigned
    if signed.bits > unsigned.bits:
        return signed
    return _UNSIGNED[signed.rank]


def has_capabilities(t: CType) -> bool:
    """May an object of this type hold a tagged capability?"""
    if t.in_capability:
        return True
    if isinstance(t, ArrayType):
        return has_capabilities(t.element)
    if isinstance(t, RecordType):
        return any(has_capabilities(f.type) for f in t.body.fields)
    return False


def capability_offsets(t: CType, base: int = 0) -> Iterator[int]:
    """Byte offsets of the 16-byte slots of `t` that may hold capabilities (may repeat in unions)."""
    if t.in_capability:
        yield base
    elif isinstance(t, ArrayType):
        if has_capabilities(t.element):
            for i in range(t.length or 0):
                yield from capability_offsets(t.element, base + i * t.element.size)
    elif isinstance(t, RecordType):
        for f in t.body.fields:
            yield from capability_offsets(f.type, base + f.offset)


def find_member(record: RecordType, name: str) -> list[Field] | None:
    """Path of fields to member `name`, through anonymous members; None when there is none."""
    return record.body.by_name.get(name)


def round_up(value: int, multiple: int) -> int:
    return (value + multiple - 1) // multiple * multiple


@dataclass(slots=True)
class MemberDecl:
    """One declared member, before layout: `align` is an explicit minimum alignment (0: none)."""

    name: str | None
    type: CType
    bit_width: int | None = None
    align: int = 0


def lay_out(body: RecordBody, members: list[MemberDecl], packed: bool = False, align: int = 0) -> None:
    """Assign offsets, size and alignment (AAPCS64 bit-field rules: containers count for alignment)."""
    bit_position = 0
    biggest = 0
    body.align = max(body.align, align, 1)
    for m in members:
        field_align = max(1 if packed else m.type.align, m.align)
        if body.is_union:
            bit_position = 0
        if m.bit_width is None:
            offset = round_up((bit_position + 7) // 8, field_align)
            field = Field(m.name, m.type, offset)
            bit_position = (offset + m.type.size) * 8
        else:
            field, bit_position = _place_bit_field(m, bit_position, field_align, packed)
        body.align = max(body.align, field_align)
        biggest = max(biggest, bit_position)
        if m.bit_width is None or m.name is not None:
            body.fields.append(field)
            _index_field(body, field)
    if members and isinstance(members[-1].type, ArrayType) and members[-1].type.length is None:
        body.flexible = True
    size = ((biggest if body.is_union else bit_position) + 7) // 8
    body.size = round_up(size, body.align)
    body.complete = True


def _place_bit_field(m: MemberDecl, position: int, align: int, packed: bool) -> tuple[Field, int]:
    width = m.bit_width or 0
    container_bits = m.type.size * 8
    if width == 0:
        position = round_up(position, container_bits)
        return Field(None, m.type, position // 8, 0, 0), position
    if not packed and position // container_bits != (position + width - 1) // container_bits:
        position = round_up(position, container_bits)
    if m.align:
        position = round_up(position, align * 8)
    if packed:
        offset = position // 8
        start = position - offset * 8
    else:
        offset = position // container_bits * m.type.size
        start = position - offset * 8
    return Field(m.name, m.type, offset, start, width), position + width


def _index_field(body: RecordBody, field: Field) -> None:
    if field.name is not None:
        body.by_name[field.name] = [field]
    elif isinstance(field.type, RecordType):
        for name, path in field.type.body.by_name.items():
            body.by_name.setdefault(name, [field, *path])

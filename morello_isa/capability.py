"""The Morello capability: 128 bits and a tag, and the specification's arithmetic on them.

Layout of the metadata half `hi` (bits 127:64 of the capability): permissions 63:46, object type 45:31,
IE' 30 (0 = the exponent is stored in the low bits of T and B), T 29:16, B 15:0. `value` is bits 63:0,
its top byte being the flags.

The functions are the Sail model's Cap* functions. None of them knows the instruction-level rule that
changing a sealed capability clears its tag; the instructions apply that themselves.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from morello_isa.permissions import object_type_name, permission_letters

MASK64: Final = (1 << 64) - 1
MASK65: Final = (1 << 65) - 1
MASK66: Final = (1 << 66) - 1
ADDRESS_MASK: Final = (1 << 56) - 1
_BIT55: Final = 1 << 55
_SIGN_FILL: Final = 0xFF << 56

PERMISSIONS_SHIFT: Final = 46
OTYPE_SHIFT: Final = 31
OTYPE_FIELD: Final = 0x7FFF << OTYPE_SHIFT
NOT_INTERNAL_EXPONENT: Final = 1 << 30
BOUNDS_FIELDS: Final = (1 << 31) - 1
MAX_EXPONENT: Final = 50
FULL_EXPONENT: Final = 63
# From this exponent upwards the bounds do not depend on the value (Sail: CapBoundsUsesValue).
FIRST_EXPONENT_WITHOUT_VALUE: Final = 48


class Bounds:
    """Decoded bounds: `base` (64 bits), `limit` (65 bits, exclusive), `valid`, `exponent`.

    `window_low <= value < window_high` is a range within which a change of value provably keeps the tag
    under both representability rules and does not change the decoded bounds; empty when there is none.
    """

    __slots__ = ("base", "exponent", "limit", "valid", "window_high", "window_low")

    def __init__(self, base: int, limit: int, valid: bool, exponent: int) -> None:
        self.base = base
        self.limit = limit
        self.valid = valid
        self.exponent = exponent
        self.window_low = self.window_high = 0
        if not valid:
            return
        if exponent >= MAX_EXPONENT:
            self.window_high = 1 << 64
        elif (
            exponent < FIRST_EXPONENT_WITHOUT_VALUE
            and base <= limit
            and base >> 55 == limit >> 55
            and base >> 55 in (0, 0x1FF)
        ):
            # Canonical addresses of one half: bit 55 and the flags stay as they are in between.
            self.window_low, self.window_high = base, limit + 1

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Bounds):
            return NotImplemented
        return (self.base, self.limit, self.valid) == (other.base, other.limit, other.valid)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Bounds({self.base:#x}, {self.limit:#x}, valid={self.valid}, exponent={self.exponent})"


def sign_extend_address(value: int) -> int:
    """Bits 55:0 of `value`, sign-extended to 64 bits (Sail: CapBoundsAddress)."""
    value &= ADDRESS_MASK
    return value | _SIGN_FILL if value & _BIT55 else value


def exponent_of(hi: int) -> int:
    """The exponent 0..63 stored in a metadata half (Sail: CapGetExponent)."""
    if hi & NOT_INTERNAL_EXPONENT:
        return 0
    return 63 - ((hi >> 13 & 0x38) | (hi & 7))


@lru_cache(maxsize=16384)
def _decode(fields: int, address_top: int) -> Bounds:
    """Bounds from the 31 bounds bits and the value's address bits from E+13 upwards."""
    exponent = exponent_of(fields)
    if exponent > MAX_EXPONENT:
        return Bounds(0, 1 << 64, exponent == FULL_EXPONENT, exponent)
    internal = not fields & NOT_INTERNAL_EXPONENT
    low_clear = 0xFFF8 if internal else 0xFFFF
    bottom = fields & low_clear
    top = fields >> 16 & 0x3FFF & low_clear
    carry = top < (bottom & 0x3FFF)
    top |= ((bottom >> 14) + internal + carry & 3) << 14
    if exponent == MAX_EXPONENT:
        base66, limit66 = bottom << 50, top << 50
    else:
        region = (bottom >> 13) - 1 & 7
        address_high = (address_top & 7) < region
        modulus = (1 << 50 - exponent) - 1
        above = (address_top >> 3) - address_high
        base66 = (above + (bottom >> 13 < region) & modulus) << exponent + 16 | bottom << exponent
        limit66 = (above + (top >> 13 < region) & modulus) << exponent + 16 | top << exponent
    if exponent < 49 and ((limit66 >> 63 & 3) - (base66 >> 63 & 1)) & 3 > 1:
        limit66 ^= 1 << 64
    return Bounds(base66 & MASK64, limit66 & MASK65, True, exponent)


def decode_bounds(hi: int, value: int) -> Bounds:
    """Bounds of a capability (Sail: CapGetBounds); results are shared between equal inputs."""
    value &= ADDRESS_MASK
    if value & _BIT55:
        value |= _SIGN_FILL
    if hi & NOT_INTERNAL_EXPONENT:
        return _decode(hi & BOUNDS_FIELDS, value >> 13)
    return _decode(hi & BOUNDS_FIELDS, value >> 76 - ((hi >> 13 & 0x38) | (hi & 7)))


def _encode_bounds(start: int, length: int) -> tuple[int, bool]:
    """The 31 bounds bits for [start, start+length) rounded outwards, and whether they are exact."""
    exponent = (length >> 15).bit_length()
    internal = exponent != 0 or bool(length >> 14 & 1)
    end = start + length & MASK66
    if not internal:
        return NOT_INTERNAL_EXPONENT | (end & 0x3FFF) << 16 | start & 0xFFFF, True
    bottom = start >> exponent + 3 & 0x1FFF
    top = end >> exponent + 3 & 0x1FFF
    low_mask = (1 << exponent + 3) - 1
    lost_bottom, lost_top = bool(start & low_mask), bool(end & low_mask)
    top = top + lost_top & 0x1FFF
    if top - bottom & 0x1000:
        lost_bottom |= bool(bottom & 1)
        lost_top |= bool(top & 1)
        bottom = start >> exponent + 4 & 0x1FFF
        top = (end >> exponent + 4) + lost_top & 0x1FFF
        exponent += 1
    inverted = ~exponent
    fields = (top << 3 & 0x3FF8 | inverted >> 3 & 7) << 16 | bottom << 3 | inverted & 7
    return fields, not (lost_bottom or lost_top)


class Capability:
    """An immutable capability value: `tag`, `hi` (metadata, bits 127:64) and `value` (bits 63:0).

    >>> CAP_MAX.set_value(0x1000).set_bounds(16, exact=True).describe()
    '0x1000 [0x1000,0x1010) rwxRWE tagged'
    """

    __slots__ = ("_bounds", "hi", "tag", "value")

    tag: bool
    hi: int
    value: int
    _bounds: Bounds | None

    def __init__(self, tag: bool, hi: int, value: int, bounds: Bounds | None = None) -> None:
        """`bounds` is the already decoded bounds of exactly this hi and value, when the caller knows them."""
        self.tag = tag
        self.hi = hi
        self.value = value
        self._bounds = bounds

    # --- conversions -------------------------------------------------------------------------------

    @classmethod
    def from_bits(cls, bits: int, tag: bool) -> Capability:
        """From the 128-bit pattern."""
        return cls(tag, bits >> 64 & MASK64, bits & MASK64)

    @classmethod
    def from_bytes(cls, data: bytes, tag: bool) -> Capability:
        """From the 16 little-endian bytes of the memory form."""
        return cls(tag, int.from_bytes(data[8:16], "little"), int.from_bytes(data[:8], "little"))

    @classmethod
    def from_int(cls, value: int) -> Capability:
        """The null-derived untagged capability holding a 64-bit integer."""
        return cls(False, 0, value & MASK64, _NULL_BOUNDS)

    @property
    def bits(self) -> int:
        """The 128-bit pattern, tag excluded."""
        return self.hi << 64 | self.value

    def to_bytes(self) -> bytes:
        """The 16 little-endian bytes of the memory form."""
        return (self.hi << 64 | self.value).to_bytes(16, "little")

    # --- reading fields ----------------------------------------------------------------------------

    @property
    def bounds(self) -> Bounds:
        """Decoded bounds (CapGetBounds), remembered in the object."""
        bounds = self._bounds
        if bounds is None:
            bounds = self._bounds = decode_bounds(self.hi, self.value)
        return bounds

    @property
    def base(self) -> int:
        """Lower bound, 64 bits (CapGetBase)."""
        return self.bounds.base

    @property
    def limit(self) -> int:
        """Exclusive upper bound, 65 bits (the second result of CapGetBounds)."""
        return self.bounds.limit

    @property
    def length(self) -> int:
        """limit - base modulo 2^65, in bytes (CapGetLength)."""
        bounds = self.bounds
        return bounds.limit - bounds.base & MASK65

    @property
    def offset(self) -> int:
        """value - base modulo 2^64 (CapGetOffset)."""
        return self.value - self.bounds.base & MASK64

    @property
    def exponent(self) -> int:
        """Exponent 0..63 (CapGetExponent)."""
        return exponent_of(self.hi)

    @property
    def permissions(self) -> int:
        """The 18 permission bits (CapGetPermissions)."""
        return self.hi >> PERMISSIONS_SHIFT

    @property
    def otype(self) -> int:
        """Object type, 0 = unsealed (CapGetObjectType)."""
        return self.hi >> OTYPE_SHIFT & 0x7FFF

    @property
    def is_sealed(self) -> bool:
        """Object type other than 0, whatever the tag (CapIsSealed)."""
        return bool(self.hi & OTYPE_FIELD)

    @property
    def flags(self) -> int:
        """The 8 flag bits, bits 63:56 of the value (CapGetFlags)."""
        return self.value >> 56

    def has(self, permission_mask: int) -> bool:
        """All permissions of the mask are present (CapCheckPermissions)."""
        return self.hi >> PERMISSIONS_SHIFT & permission_mask == permission_mask

    def in_bounds(self, address: int, size: int) -> bool:
        """[address, address+size) lies within the bounds, in 65-bit arithmetic (CapIsRangeInBounds)."""
        bounds = self.bounds
        return bounds.valid and bounds.base <= address and address + size <= bounds.limit

    def value_in_bounds(self) -> bool:
        """base <= value < limit with valid bounds, flags included (CapIsInBounds)."""
        bounds = self.bounds
        return bounds.valid and bounds.base <= self.value < bounds.limit

    # --- representability --------------------------------------------------------------------------

    def is_representable(self, value: int) -> bool:
        """The precise test: the bounds are valid and the same with the new value (CapIsRepresentable)."""
        bounds = self.bounds
        if bounds.window_low <= value < bounds.window_high and (
            bounds.window_low <= self.value < bounds.window_high
        ):
            return True
        other = decode_bounds(self.hi, value)
        return bounds.valid and other.valid and bounds == other

    def is_representable_fast(self, increment: int) -> bool:
        """The hardware's quick, slightly stricter test for CapAdd (CapIsRepresentableFast)."""
        hi = self.hi
        exponent = exponent_of(hi)
        if exponent >= FIRST_EXPONENT_WITHOUT_VALUE:
            return True
        address = sign_extend_address(self.value)
        step = sign_extend_address(increment)
        step_top = step >> exponent + 16
        step_middle = step >> exponent & 0xFFFF
        address_middle = address >> exponent & 0xFFFF
        region = ((hi >> 13 & 7) - 1 & 7) << 13
        room = region - address_middle & 0xFFFF
        if step_top == 0:
            return step_middle < (room - 1 & 0xFFFF)
        if step_top == (1 << 48 - exponent) - 1:
            return step_middle >= room and region != address_middle
        return False

    # --- deriving ----------------------------------------------------------------------------------

    def add(self, increment: int) -> Capability:
        """value + increment, tag by the fast test (CapAdd). `increment` may be negative."""
        old = self.value
        bounds = self._bounds
        if bounds is None:
            bounds = self.bounds
        value = old + increment & MASK64
        if bounds.window_low <= value < bounds.window_high and bounds.window_low <= old < bounds.window_high:
            return Capability(self.tag, self.hi, value, bounds)
        tag = self.tag
        if tag:
            exponent = bounds.exponent
            tag = (
                bounds.valid
                and self.is_representable_fast(increment)
                and (exponent >= FIRST_EXPONENT_WITHOUT_VALUE or not (value ^ old) & _BIT55)
            )
        return Capability(tag, self.hi, value)

    def set_value(self, value: int) -> Capability:
        """Replace the value, tag by the precise test (CapSetValue)."""
        value &= MASK64
        old = self.value
        bounds = self.bounds
        if bounds.window_low <= value < bounds.window_high and bounds.window_low <= old < bounds.window_high:
            return Capability(self.tag, self.hi, value, bounds)
        tag = self.tag
        if tag:
            tag = self.is_representable(value) and (
                bounds.exponent >= FIRST_EXPONENT_WITHOUT_VALUE or not (value ^ old) & _BIT55
            )
        return Capability(tag, self.hi, value)

    def set_offset(self, offset: int) -> Capability:
        """Move to base + offset by CapAdd, so under the fast test (CapSetOffset)."""
        return self.add((self.bounds.base + offset - self.value) & MASK64)

    def set_bounds(self, length: int, exact: bool) -> Capability:
        """Bounds [value, value+length), length 0..2^64 bytes (CapSetBounds).

        Rounds outwards when the request is not encodable; the tag is cleared when the request is not
        inside the old bounds, when `exact` and it had to round, or when flags would become address bits.
        """
        bounds = self.bounds
        uses_value = bounds.exponent < FIRST_EXPONENT_WITHOUT_VALUE
        address = sign_extend_address(self.value)
        start = address if uses_value else self.value
        fields, is_exact = _encode_bounds(start, length)
        hi = self.hi & ~BOUNDS_FIELDS | fields
        tag = (
            self.tag
            and bounds.valid
            and start >= bounds.base
            and (start + length & MASK65) <= bounds.limit
            and (is_exact or not exact)
        )
        if not uses_value and exponent_of(hi) < FIRST_EXPONENT_WITHOUT_VALUE and address != self.value:
            tag = False
        return Capability(tag, hi, self.value)

    def with_object_type(self, otype: int) -> Capability:
        """Object type replaced, tag kept (CapSetObjectType)."""
        return Capability(
            self.tag, self.hi & ~OTYPE_FIELD | (otype & 0x7FFF) << OTYPE_SHIFT, self.value, self._bounds
        )

    def unsealed(self) -> Capability:
        """Object type 0, tag kept (CapUnseal)."""
        return Capability(self.tag, self.hi & ~OTYPE_FIELD, self.value, self._bounds)

    def clear_permissions(self, mask: int) -> Capability:
        """The permissions of the mask removed, tag kept (CapClearPerms)."""
        return Capability(
            self.tag, self.hi & ~((mask & 0x3FFFF) << PERMISSIONS_SHIFT), self.value, self._bounds
        )

    def with_tag(self, tag: bool) -> Capability:
        """Tag replaced (CapWithTagSet, CapWithTagClear)."""
        return self if tag == self.tag else Capability(tag, self.hi, self.value, self._bounds)

    def set_flags(self, flags: int, mask: int = 0xFF) -> Capability:
        """The flag bits (8 bits) selected by `mask` replaced, tag and bounds kept (CapSetFlags)."""
        value = self.value & ~((mask & 0xFF) << 56) | (flags & mask & 0xFF) << 56
        return Capability(self.tag, self.hi, value, self._bounds)

    # --- text, comparison --------------------------------------------------------------------------

    def describe(self) -> str:
        """`0x41000010 [0x41000010,0x41000020) rwRW tagged`, with `sentry` or `sealed 0x1234` if sealed."""
        bounds = self.bounds
        span = f"[{bounds.base:#x},{bounds.limit:#x})" if bounds.valid else "[invalid bounds)"
        seal = f" {object_type_name(self.otype)}" if self.is_sealed else ""
        tag = "tagged" if self.tag else "untagged"
        return f"{self.value:#x} {span} {permission_letters(self.permissions)}{seal} {tag}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Capability):
            return NotImplemented
        return self.value == other.value and self.hi == other.hi and self.tag == other.tag

    def __hash__(self) -> int:
        return hash((self.tag, self.hi, self.value))

    def __repr__(self) -> str:
        return f"Capability({self.tag}, {self.hi:#018x}, {self.value:#018x})"


_NULL_BOUNDS: Final = decode_bounds(0, 0)
CAP_NULL: Final = Capability(False, 0, 0, _NULL_BOUNDS)
CAP_MAX: Final = Capability(True, 0xFFFF_C000_0001_0005, 0)


def representable_mask(length: int) -> int:
    """64-bit alignment mask that makes any base with this length (64-bit) encodable (RRMASK).

    The specification probes with the base 2^64-1-length, so the mask is pessimistic near the steps.
    """
    length &= MASK64
    probe = Capability(False, 0, MASK64 - length).set_bounds(length, exact=False)
    if probe.hi & NOT_INTERNAL_EXPONENT:
        return MASK64
    return MASK64 << exponent_of(probe.hi) + 3 & MASK64


def representable_length(length: int) -> int:
    """`length` (64-bit) rounded up to an encodable length; can wrap to 0 (RRLEN)."""
    mask = representable_mask(length)
    return length + (~mask & MASK64) & mask

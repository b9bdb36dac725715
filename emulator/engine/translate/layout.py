"""Where the guest's state lives while translated code runs, and the addresses of the translator's own memory.

Guest X registers are the same host registers, except seven that translated code needs for itself: their
values are in lanes. SP is the host's SP, NZCV, FPCR and FPSR the host's, V0 to V7 too. V8 to V31 of the host
hold what Morello adds, so that guest V8 to V31 live in memory:

    v8..v23   metadata (bits 127:64) of C0..C30 and CSP, two to a register
    v24, v25  tags of C0..C30 and CSP, one byte each, 0 or 1
    v26       instructions left; then, with v27..v29, the values of the evicted X registers
    v30       CSP's window: base, limit
    v31       spare (BLR keeps the old C30 here)

Outside translated code everything is in the state page: the register file's buffer at 0, these registers from
`SPILL` on in the same order.
"""

from __future__ import annotations

from emulator.engine.translate.encode import copy_b, copy_d, get_b, get_d, set_b, set_d
from emulator.memory.interface import PAGE_SIZE

EVICTED = (16, 17, 18, 25, 26, 27, 28)
KEPT = tuple(n for n in range(31) if n not in EVICTED)
CSP = 31
FIRST_LANE = 8

# Host scratch registers by purpose (see checks.py).
BAD, META, LOW, HIGH, TEMP, TEMP2, VALUE = EVICTED

# Virtual addresses inside Unicorn. Guest data are where bits 63:48 are all equal; A64 code's addresses are
# made so or refused (contexts.py), C64 code's lie in a window with canonical bounds. So no guest access
# reaches these.
STATE = 0x4004 << 48
TABLE = 0x4002 << 48
SHADOW = 0x4010 << 48 | 0x45_0000
"""Added to an address (modulo 2^64): where its tag is. The low part keeps data and tags on different TLB
entries."""
CODE = 0x0001 << 48
GUEST_SPAN = 1 << 48
"""Bytes of guest addresses from 0 on, and up to 2^64."""
POISONED = (1 << 64) - PAGE_SIZE
"""The page that refused accesses are made to: its last byte. Never answered."""

# Offsets in the state page.
SPILL = 0x1000
SPILL_META = SPILL
SPILL_TAGS = SPILL + 16 * 16
SPILL_LEFT = SPILL + 18 * 16
SPILL_EVICTED = SPILL_LEFT + 8
SPILL_WINDOW = SPILL + 22 * 16
TARGET = 0x1800
EXIT = 0x1808
SWAP = 0x1A00
"""Room for host V registers that lend themselves to the guest's V8 to V31."""

TABLE_ENTRIES = 8192
TABLE_ENTRY_WORDS = 4
TABLE_BYTES = TABLE_ENTRIES * TABLE_ENTRY_WORDS * 8
TABLES = 4
"""Tables of branch targets: one for each family of contexts in use."""
UNUSABLE = 1 << 63
"""Both ends of the window of a capability that nothing may be accessed with."""

LEFT_LANE = 26, 0
"""(V register, element) of the count of instructions left."""


def meta_lane(n: int) -> tuple[int, int]:
    """(V register, element) with Cn's metadata."""
    return 8 + (n >> 1), n & 1


def tag_lane(n: int) -> tuple[int, int]:
    """(V register, byte) with Cn's tag."""
    return 24 + (n >> 4), n & 15


_VALUE_LANES = {n: (26 + (i + 1 >> 1), i + 1 & 1) for i, n in enumerate(EVICTED)}


def get_value(d: int, n: int) -> int:
    """Host Xd := value of the evicted guest register n."""
    return get_d(d, *_VALUE_LANES[n])


def set_value(n: int, s: int) -> int:
    """Value of the evicted guest register n := host Xs."""
    return set_d(*_VALUE_LANES[n], s)


def get_meta(d: int, n: int) -> int:
    """Host Xd := Cn's metadata."""
    return get_d(d, *meta_lane(n))


def set_meta(n: int, s: int) -> int:
    """Cn's metadata := host Xs."""
    return set_d(*meta_lane(n), s)


def copy_meta(d: int, n: int) -> int:
    """Cd's metadata := Cn's."""
    return copy_d(*meta_lane(d), *meta_lane(n))


def get_tag(d: int, n: int) -> int:
    """Host Wd := Cn's tag."""
    return get_b(d, *tag_lane(n))


def set_tag(n: int, s: int) -> int:
    """Cn's tag := host Ws."""
    return set_b(*tag_lane(n), s)


def copy_tag(d: int, n: int) -> int:
    """Cd's tag := Cn's."""
    return copy_b(*tag_lane(d), *tag_lane(n))

"""Where the guest's state lives while translated code runs, and the addresses of the translator's own memory.

Guest X registers are the same host registers, except seven that translated code needs for itself: their
values are in lanes. SP is the host's SP, NZCV, FPCR and FPSR the host's, V0 to V3 too. V4 to V31 of the host
hold what Morello adds, so that guest V4 to V31 live in memory:

    v4..v19   metadata (bits 127:64) of C0..C30 and CSP, two to a register
    v20, v21  tags of C0..C30 and CSP, one byte each, 0 or 1
    v22       CSP's window: base, limit
    v23..v27  windows of other registers: which register's is known when code is translated (`facts.py`)
    v28       instructions left; then, with v29..v31, the values of the evicted X registers

In plain code (see `contexts.py`) all registers are integers: only v28..v31 are taken then, and guest V0 to
V27 are the host's.

Outside translated code everything is in the state page: the register file's buffer at 0, host registers
V4 to V31 from `SPILL` on in the same order.
"""

from __future__ import annotations

from emulator.engine.translate.encode import copy_b, copy_d, get_b, get_d, set_b, set_d
from emulator.memory.interface import PAGE_SIZE

EVICTED = (16, 17, 18, 25, 26, 27, 28)
KEPT = tuple(n for n in range(31) if n not in EVICTED)
CSP = 31
FIRST_LANE = 4
"""The first host V register that isn't the guest's; in plain code it is `FIRST_LANE_PLAIN`."""
FIRST_LANE_PLAIN = 28
_META_V, _TAGS_V, _CSP_V, _SLOTS_V, _VALUES_V = 4, 20, 22, 23, 28
SLOTS = _VALUES_V - _SLOTS_V
"""Windows that can be kept beside CSP's."""

# Host scratch registers by purpose (see checks.py).
BAD, META, LOW, HIGH, TEMP, TEMP2, VALUE = EVICTED

# Virtual addresses inside Unicorn. Guest data are where bits 63:48 are all equal; A64 code's addresses are
# made so or refused (contexts.py), C64 code's lie in a window with canonical bounds. So no guest access
# reaches these. (contexts.py relies on bit 53 being clear in all of them, tags of both halves included.)
STATE = 0x4004 << 48
TABLE = 0x4002 << 48
SHADOW = 0x4010 << 48 | 0x45_0000
"""Added to a sixteenth of an address: where its tag is. The low part keeps data and tags apart in the TLB."""
COUNTS = 0x4005 << 48
"""Where translations that are counted count (`observed.py`)."""
CODE = 0x0001 << 48
POISONED = (1 << 64) - PAGE_SIZE
"""The page that refused accesses are made to: its last byte. Never answered."""

# Offsets in the state page.
SPILL = 0x1000
SPILL_META = SPILL + 16 * (_META_V - FIRST_LANE)
SPILL_TAGS = SPILL + 16 * (_TAGS_V - FIRST_LANE)
SPILL_WINDOW = SPILL + 16 * (_CSP_V - FIRST_LANE)
SPILL_LEFT = SPILL + 16 * (_VALUES_V - FIRST_LANE)
SPILL_EVICTED = SPILL_LEFT + 8
TARGET = 0x1800
"""Where translated code goes on after asking Python: 8 bytes each."""
EXIT = 0x1808
"""The number of the exit that asks."""
ASK_VALUE, ASK_META, ASK_BAD, ASK_LEFT = 0x1810, 0x1818, 0x1820, 0x1828
"""What a branch to a register's value tells: target, its metadata, 0 if it may be one, instructions left."""
THREAD_POINTER = 0x1840
"""CTPIDR_EL0, or RCTPIDR_EL0 for Restricted code: value, metadata, tag (8 bytes each)."""
EXCLUSIVE_ADDRESS, EXCLUSIVE_SIZE = 0x1858, 0x1860
"""The exclusive monitor: address of the last load-exclusive or `NO_RESERVATION`, its size (8 bytes each)."""
NO_RESERVATION = (1 << 64) - 1
SWAP = 0x1A00
"""Room for host V registers that lend themselves to the guest's."""

TABLE_ENTRIES = 4096
TABLE_ENTRY_WORDS = 4
TABLE_BYTES = TABLE_ENTRIES * TABLE_ENTRY_WORDS * 8
TABLES = 64
"""Tables of branch targets: for each family of contexts, and for facts that jumps carry."""
UNUSABLE = 1 << 63
"""Both ends of the window of a capability that nothing may be accessed with."""

LEFT_LANE = _VALUES_V, 0
"""(V register, element) of the count of instructions left."""


def meta_lane(n: int) -> tuple[int, int]:
    """(V register, element) with Cn's metadata."""
    return _META_V + (n >> 1), n & 1


def tag_lane(n: int) -> tuple[int, int]:
    """(V register, byte) with Cn's tag."""
    return _TAGS_V + (n >> 4), n & 15


def window_register(slot: int) -> int:
    """The V register of a window: of a slot, or CSP's (`CSP_SLOT`); element 0 is its base, 1 its limit."""
    return _SLOTS_V + slot


CSP_SLOT = _CSP_V - _SLOTS_V
_VALUE_LANES = {n: (_VALUES_V + (i + 1 >> 1), i + 1 & 1) for i, n in enumerate(EVICTED)}


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

"""The base A64 words whose behaviour Morello changes, classified and taken apart.

Morello gives ordinary loads, stores, branches and system instructions a capability meaning; integer, FP and
SIMD arithmetic is untouched. `classify(word)` returns one record per class with its fields decoded, or None
for everything else: arithmetic, and unallocated words. ADR, ADRP and all Morello encodings are rows of the
table and belong to `morello_isa.decode`.

Register numbers are 0..31; sizes and offsets are bytes. Records are named tuples: every word of a program
becomes one, and these are quick to make. Tell them apart by type, not by equality.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from morello_isa.decode import sign_extend


class LoadStore(NamedTuple):
    """One register. `mode`: offset, unscaled, unprivileged, pre, post, or register.

    `size` bytes are accessed; integer loads extend to `width` bits (32 or 64). With mode "register" the
    offset is `extend(Xm or Wm, option) << shift`, option being the A64 option field.
    """

    word: int
    is_load: bool
    size: int
    signed: bool
    width: int
    vector: bool
    mode: str
    t: int
    n: int
    offset: int = 0
    m: int = 31
    option: int = 0
    shift: int = 0


class LoadStorePair(NamedTuple):
    """LDP, STP, LDNP, STNP, LDPSW. `mode`: offset, pre, post or nontemporal; `size` is of one register."""

    word: int
    is_load: bool
    size: int
    signed: bool
    vector: bool
    mode: str
    t: int
    t2: int
    n: int
    offset: int


class LoadLiteral(NamedTuple):
    """LDR and LDRSW (literal), integer and vector; address = PCC.value + offset in both states."""

    word: int
    size: int
    signed: bool
    vector: bool
    t: int
    offset: int


class Prefetch(NamedTuple):
    """PRFM, PRFUM: never faults, never checked."""

    word: int


class Exclusive(NamedTuple):
    """LDXR, STXR, LDXP, STXP and their acquire/release forms; `size` is of one register."""

    word: int
    is_load: bool
    size: int
    pair: bool
    ordered: bool
    s: int
    t: int
    t2: int
    n: int


class Ordered(NamedTuple):
    """LDAR, STLR, LDLAR, STLLR, LDAPR. `kind`: "acquire", "release", "limited" or "rcpc"."""

    word: int
    is_load: bool
    size: int
    kind: str
    t: int
    n: int


class CompareAndSwap(NamedTuple):
    """CAS and, with `pair`, CASP (`size` is of one register, s and t are even)."""

    word: int
    size: int
    pair: bool
    acquire: bool
    release: bool
    s: int
    t: int
    n: int


class Atomic(NamedTuple):
    """LD<op>, ST<op> (t = 31) and SWP. `operation`: ADD CLR EOR SET SMAX SMIN UMAX UMIN SWP."""

    word: int
    operation: str
    size: int
    acquire: bool
    release: bool
    s: int
    t: int
    n: int


class SimdMultiple(NamedTuple):
    """LD1..LD4, ST1..ST4 (multiple structures): `repeat` * `structure` registers of 8 or 16 bytes.

    `post` is None without writeback, else the register number m; m = 31 means "the number of bytes".
    """

    word: int
    is_load: bool
    repeat: int
    structure: int
    element_size: int
    register_size: int
    t: int
    n: int
    post: int | None

    @property
    def total_size(self) -> int:
        """Bytes accessed."""
        return self.repeat * self.structure * self.register_size


class SimdSingle(NamedTuple):
    """LD1..LD4, ST1..ST4 (single structure) to lane `lane`, or LD1R..LD4R when `replicate`."""

    word: int
    is_load: bool
    replicate: bool
    structure: int
    element_size: int
    register_size: int
    lane: int
    t: int
    n: int
    post: int | None

    @property
    def total_size(self) -> int:
        """Bytes accessed."""
        return self.structure * self.element_size


class Branch(NamedTuple):
    """B and, with `link`, BL."""

    word: int
    link: bool
    offset: int


class BranchConditional(NamedTuple):
    """B.cond."""

    word: int
    cond: int
    offset: int


class CompareBranch(NamedTuple):
    """CBZ, CBNZ on a register of `width` bits."""

    word: int
    width: int
    nonzero: bool
    t: int
    offset: int


class TestBranch(NamedTuple):
    """TBZ, TBNZ of one bit."""

    word: int
    bit: int
    nonzero: bool
    t: int
    offset: int


class BranchRegister(NamedTuple):
    """BR, BLR, RET with an X register: the integer target. `kind` is the mnemonic."""

    word: int
    kind: str
    n: int


class ExceptionReturn(NamedTuple):
    """ERET and DRPS; `kind` is the mnemonic."""

    word: int
    kind: str


class ExceptionGeneration(NamedTuple):
    """SVC, HVC, SMC, BRK, HLT, DCPS1..3; `kind` is the mnemonic."""

    word: int
    kind: str
    imm: int


class SystemRegisterMove(NamedTuple):
    """MRS (`is_read`) and MSR of a 64-bit system register."""

    word: int
    is_read: bool
    op0: int
    op1: int
    crn: int
    crm: int
    op2: int
    t: int

    @property
    def key(self) -> tuple[int, int, int, int, int]:
        """(op0, op1, CRn, CRm, op2), the key of morello_isa.sysregs."""
        return self.op0, self.op1, self.crn, self.crm, self.op2


class SystemInstruction(NamedTuple):
    """SYS and SYSL: DC, IC, AT, TLBI and so on."""

    word: int
    is_read: bool
    op1: int
    crn: int
    crm: int
    op2: int
    t: int

    @property
    def key(self) -> tuple[int, int, int, int, int]:
        """(1, op1, CRn, CRm, op2), the key of morello_isa.sysregs."""
        return 1, self.op1, self.crn, self.crm, self.op2

    @property
    def is_address_operation(self) -> bool:
        """One of the eight DC/IC operations by address, whose operand is a capability in C64."""
        return (self.op1, self.crn, self.crm, self.op2) in ADDRESS_OPERATIONS


class PstateImmediate(NamedTuple):
    """MSR <pstatefield>, #imm."""

    word: int
    op1: int
    op2: int
    imm: int


class Hint(NamedTuple):
    """NOP, YIELD, WFE, WFI, SEV, SEVL, …: `number` is CRm:op2."""

    word: int
    number: int


class Barrier(NamedTuple):
    """CLREX (op2 2), DSB (4), DMB (5), ISB (6), SB (7)."""

    word: int
    op2: int
    crm: int


BaseInstruction = (
    LoadStore
    | LoadStorePair
    | LoadLiteral
    | Prefetch
    | Exclusive
    | Ordered
    | CompareAndSwap
    | Atomic
    | SimdMultiple
    | SimdSingle
    | Branch
    | BranchConditional
    | CompareBranch
    | TestBranch
    | BranchRegister
    | ExceptionReturn
    | ExceptionGeneration
    | SystemRegisterMove
    | SystemInstruction
    | PstateImmediate
    | Hint
    | Barrier
)

# (op1, CRn, CRm, op2) of DC ZVA, IVAC, CVAC, CVAU, CVAP, CVADP, CIVAC and IC IVAU.
ADDRESS_OPERATIONS = frozenset(
    {
        (3, 7, 4, 1),
        (0, 7, 6, 1),
        (3, 7, 10, 1),
        (3, 7, 11, 1),
        (3, 7, 12, 1),
        (3, 7, 13, 1),
        (3, 7, 14, 1),
        (3, 7, 5, 1),
    }
)

_ATOMIC_OPERATIONS = ("ADD", "CLR", "EOR", "SET", "SMAX", "SMIN", "UMAX", "UMIN")
_IMM9_MODES = ("unscaled", "post", "unprivileged", "pre")
_PAIR_MODES = ("nontemporal", "post", "offset", "pre")
# opcode field of LD1..LD4 (multiple structures) -> (repeat, structure)
_MULTIPLE_SHAPES = {0: (1, 4), 2: (4, 1), 4: (1, 3), 6: (3, 1), 7: (1, 1), 8: (1, 2), 10: (2, 1)}
_EXCEPTIONS = {
    0xD4000001: "SVC",
    0xD4000002: "HVC",
    0xD4000003: "SMC",
    0xD4200000: "BRK",
    0xD4400000: "HLT",
    0xD4A00001: "DCPS1",
    0xD4A00002: "DCPS2",
    0xD4A00003: "DCPS3",
}
_BRANCH_REGISTER = {0xD61F0000: "BR", 0xD63F0000: "BLR", 0xD65F0000: "RET"}
_EXCEPTION_RETURN = {0xD69F03E0: "ERET", 0xD6BF03E0: "DRPS"}


@lru_cache(maxsize=65536)
def classify(word: int) -> BaseInstruction | None:
    """The record of a word, or None for arithmetic, Morello rows and unallocated words.

    Results are shared between equal words.
    """
    if word & 0x0A000000 == 0x08000000:
        return _load_or_store(word)
    if word & 0x1C000000 == 0x14000000:
        return _branch_or_system(word)
    return None


def _load_or_store(word: int) -> BaseInstruction | None:
    if word & 0x3B000000 == 0x39000000:
        return _single(word, "offset")
    if word & 0x3B000000 == 0x38000000:
        return _single_other(word)
    if word & 0x3A000000 == 0x28000000:
        return _pair(word)
    if word & 0x3F000000 == 0x08000000:
        return _exclusive_or_ordered(word)
    if word & 0x3B000000 == 0x18000000:
        return _literal(word)
    if word & 0xBFBF0000 == 0x0C000000 or word & 0xBFA00000 == 0x0C800000:
        return _simd_multiple(word)
    if word & 0xBF9F0000 == 0x0D000000 or word & 0xBF800000 == 0x0D800000:
        return _simd_single(word)
    return None


def _single_other(word: int) -> BaseInstruction | None:
    form = word >> 10 & 3
    if not word >> 21 & 1:
        return _single(word, _IMM9_MODES[form])
    if form == 2:
        return _single(word, "register") if word >> 14 & 1 else None
    if form == 0 and not word >> 26 & 1:
        return _atomic(word)
    return None


def _single(word: int, mode: str) -> LoadStore | Prefetch | None:
    vector, opc, log_size = bool(word >> 26 & 1), word >> 22 & 3, word >> 30
    signed = False
    if vector:
        if mode == "unprivileged" or (opc >= 2 and log_size != 0):
            return None
        log_size, width = (4 if opc >= 2 else log_size), 0
    elif opc >= 2:
        if log_size == 3:
            plain = opc == 2 and mode in ("offset", "unscaled", "register")
            return Prefetch(word) if plain else None
        if log_size == 2 and opc == 3:
            return None
        signed, width = True, 64 if opc == 2 else 32
    else:
        width = 64 if log_size == 3 else 32
    offset, m, option, shift = 0, 31, 0, 0
    if mode == "offset":
        offset = (word >> 10 & 0xFFF) << log_size
    elif mode == "register":
        m, option, shift = word >> 16 & 31, word >> 13 & 7, log_size if word >> 12 & 1 else 0
    else:
        offset = sign_extend(word >> 12 & 0x1FF, 9)
    is_load = bool(opc & 1) if vector else opc != 0
    return LoadStore(
        word, is_load, 1 << log_size, signed, width, vector, mode, word & 31, word >> 5 & 31,
        offset, m, option, shift,
    )  # fmt: skip


def _atomic(word: int) -> Atomic | Ordered | None:
    size, opc = 1 << (word >> 30), word >> 12 & 7
    acquire, release = bool(word >> 23 & 1), bool(word >> 22 & 1)
    s, t, n = word >> 16 & 31, word & 31, word >> 5 & 31
    if not word >> 15 & 1:
        return Atomic(word, _ATOMIC_OPERATIONS[opc], size, acquire, release, s, t, n)
    if opc == 0:
        return Atomic(word, "SWP", size, acquire, release, s, t, n)
    if opc == 4 and acquire and not release and s == 31:
        return Ordered(word, True, size, "rcpc", t, n)
    return None


def _pair(word: int) -> LoadStorePair | None:
    opc, vector, is_load = word >> 30, bool(word >> 26 & 1), bool(word >> 22 & 1)
    mode = _PAIR_MODES[word >> 23 & 3]
    if opc == 3:
        return None
    signed = False
    if vector:
        size = 4 << opc
    elif opc == 1:
        if not is_load or mode == "nontemporal":
            return None
        size, signed = 4, True
    else:
        size = 8 if opc else 4
    offset = sign_extend(word >> 15 & 0x7F, 7) * size
    return LoadStorePair(
        word, is_load, size, signed, vector, mode, word & 31, word >> 10 & 31, word >> 5 & 31, offset
    )


def _exclusive_or_ordered(word: int) -> Exclusive | Ordered | CompareAndSwap | None:
    log_size, is_load, o0 = word >> 30, bool(word >> 22 & 1), bool(word >> 15 & 1)
    s, t, t2, n = word >> 16 & 31, word & 31, word >> 10 & 31, word >> 5 & 31
    form = word >> 22 & 2 | word >> 21 & 1
    # Register fields without a meaning are should-be-one: any other value is unallocated.
    if form == 0:
        if t2 != 31 or (is_load and s != 31):
            return None
        return Exclusive(word, is_load, 1 << log_size, False, o0, s, t, t2, n)
    if form == 1:
        if log_size >= 2:
            if is_load and s != 31:
                return None
            return Exclusive(word, is_load, 1 << log_size, True, o0, s, t, t2, n)
        if t2 != 31 or s & 1 or t & 1:
            return None
        return CompareAndSwap(word, 8 if log_size else 4, True, is_load, o0, s, t, n)
    if form == 2:
        if s != 31 or t2 != 31:
            return None
        kind = ("acquire" if is_load else "release") if o0 else "limited"
        return Ordered(word, is_load, 1 << log_size, kind, t, n)
    if t2 != 31:
        return None
    return CompareAndSwap(word, 1 << log_size, False, is_load, o0, s, t, n)


def _literal(word: int) -> LoadLiteral | Prefetch | None:
    opc, vector = word >> 30, bool(word >> 26 & 1)
    offset = sign_extend(word >> 5 & 0x7FFFF, 19) << 2
    if vector:
        return None if opc == 3 else LoadLiteral(word, 4 << opc, False, True, word & 31, offset)
    if opc == 3:
        return Prefetch(word)
    return LoadLiteral(word, 8 if opc == 1 else 4, opc == 2, False, word & 31, offset)


def _simd_multiple(word: int) -> SimdMultiple | None:
    shape = _MULTIPLE_SHAPES.get(word >> 12 & 15)
    log_element, quad = word >> 10 & 3, word >> 30 & 1
    if shape is None or (shape[1] != 1 and log_element == 3 and not quad):
        return None
    post = word >> 16 & 31 if word >> 23 & 1 else None
    return SimdMultiple(
        word,
        bool(word >> 22 & 1),
        *shape,
        1 << log_element,
        16 if quad else 8,
        word & 31,
        word >> 5 & 31,
        post,
    )


def _simd_single(word: int) -> SimdSingle | None:
    is_load, quad = bool(word >> 22 & 1), word >> 30 & 1
    scale, s_bit, size = word >> 14 & 3, word >> 12 & 1, word >> 10 & 3
    structure = (word >> 13 & 1) << 1 | word >> 21 & 1
    lane, log_element, replicate = 0, scale, False
    if scale == 3:
        if not is_load or s_bit:
            return None
        log_element, replicate = size, True
    elif scale == 0:
        lane = quad << 3 | s_bit << 2 | size
    elif scale == 1:
        if size & 1:
            return None
        lane = quad << 2 | s_bit << 1 | size >> 1
    elif size == 0:
        lane = quad << 1 | s_bit
    elif size == 1 and not s_bit:
        lane, log_element = quad, 3
    else:
        return None
    post = word >> 16 & 31 if word >> 23 & 1 else None
    return SimdSingle(
        word, is_load, replicate, structure + 1, 1 << log_element, 16 if quad else 8, lane,
        word & 31, word >> 5 & 31, post,
    )  # fmt: skip


def _branch_or_system(word: int) -> BaseInstruction | None:
    if word & 0x7C000000 == 0x14000000:
        return Branch(word, bool(word >> 31), sign_extend(word & 0x3FFFFFF, 26) << 2)
    if word & 0x7E000000 == 0x34000000:
        offset = sign_extend(word >> 5 & 0x7FFFF, 19) << 2
        return CompareBranch(word, 64 if word >> 31 else 32, bool(word >> 24 & 1), word & 31, offset)
    if word & 0x7E000000 == 0x36000000:
        bit = word >> 31 << 5 | word >> 19 & 31
        offset = sign_extend(word >> 5 & 0x3FFF, 14) << 2
        return TestBranch(word, bit, bool(word >> 24 & 1), word & 31, offset)
    if word & 0xFF000010 == 0x54000000:
        return BranchConditional(word, word & 15, sign_extend(word >> 5 & 0x7FFFF, 19) << 2)
    if word & 0xFFFFFC1F in _BRANCH_REGISTER:
        return BranchRegister(word, _BRANCH_REGISTER[word & 0xFFFFFC1F], word >> 5 & 31)
    if word in _EXCEPTION_RETURN:
        return ExceptionReturn(word, _EXCEPTION_RETURN[word])
    if word & 0xFFE0001F in _EXCEPTIONS:
        return ExceptionGeneration(word, _EXCEPTIONS[word & 0xFFE0001F], word >> 5 & 0xFFFF)
    if word & 0xFFC00000 == 0xD5000000:
        return _system(word)
    return None


def _system(word: int) -> BaseInstruction | None:
    is_read, op0 = bool(word >> 21 & 1), word >> 19 & 3
    op1, crn, crm, op2, t = word >> 16 & 7, word >> 12 & 15, word >> 8 & 15, word >> 5 & 7, word & 31
    if op0 >= 2:
        return SystemRegisterMove(word, is_read, op0, op1, crn, crm, op2, t)
    if op0 == 1:
        return SystemInstruction(word, is_read, op1, crn, crm, op2, t)
    if is_read or t != 31:
        return None
    if op1 == 3 and crn == 2:
        return Hint(word, crm << 3 | op2)
    if op1 == 3 and crn == 3:
        return Barrier(word, op2, crm) if op2 in (2, 4, 5, 6, 7) else None
    if crn == 4:
        return PstateImmediate(word, op1, op2, crm)
    return None

"""The compiler's intermediate form: what `lower` produces and what `select` consumes.

A `Function` is a list of basic `Block`s of three-address operations on virtual registers of three
classes. It is not SSA: a C scalar whose address is not taken lives in one virtual register that is
assigned wherever C assigns it. Integers are 32 or 64 bits wide in registers; narrower C types are kept
extended (sign or zero, by their type) in an I32. The rules of `llvm-middle-end.md` hold: pointers
are compared and subtracted by address, pointer arithmetic is one byte offset on a capability, and
memory that may hold a capability is only copied capability by capability.

ABI lowering (AAPCS64-cap) is done by the front end: calls, parameters and returns come with
`Place`s, so that the back end needs to know no C types.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias


class Ty(Enum):
    """Class and width of a virtual register; `value` is its size in bytes."""

    I32 = "i32"
    I64 = "i64"
    CAP = "cap"
    F32 = "f32"
    F64 = "f64"


@dataclass(frozen=True, slots=True)
class VReg:
    """A virtual register, numbered uniquely in its function; `name` is the C name where there is one."""

    number: int
    ty: Ty
    name: str = field(default="", compare=False)

    def __hash__(self) -> int:
        return self.number  # unique in its function, and the passes do little else than look registers up


@dataclass(frozen=True, slots=True)
class Imm:
    """An integer constant, held sign-extended to 64 bits (the operation's width decides what counts)."""

    value: int


Operand: TypeAlias = "VReg | Imm"


@dataclass(frozen=True, slots=True)
class SourceLoc:
    """Where in the C source an operation comes from (for `.loc` and diagnostics)."""

    file: str
    line: int
    column: int = 0


class Width(Enum):
    """What a load or store moves: bytes and how an integer load extends."""

    U8 = "u8"
    S8 = "s8"
    U16 = "u16"
    S16 = "s16"
    W32 = "w32"
    S32 = "s32"  # load only: sign-extends into an I64; U32 into I64 is W32 with an I64 destination
    X64 = "x64"
    CAP = "cap"
    F32 = "f32"
    F64 = "f64"


WIDTH_BYTES = {
    Width.U8: 1,
    Width.S8: 1,
    Width.U16: 2,
    Width.S16: 2,
    Width.W32: 4,
    Width.S32: 4,
    Width.X64: 8,
    Width.CAP: 16,
    Width.F32: 4,
    Width.F64: 8,
}
"""Bytes of memory that a load or store of each width touches."""


class BinOp(Enum):
    ADD = "add"
    SUB = "sub"
    MUL = "mul"
    SDIV = "sdiv"
    UDIV = "udiv"
    SREM = "srem"
    UREM = "urem"
    AND = "and"
    OR = "or"
    XOR = "xor"
    SHL = "shl"
    LSHR = "lshr"
    ASHR = "ashr"
    UMULH = "umulh"
    SMULH = "smulh"
    FADD = "fadd"
    FSUB = "fsub"
    FMUL = "fmul"
    FDIV = "fdiv"
    FMIN = "fmin"
    FMAX = "fmax"
    FCOPYSIGN = "fcopysign"


class UnOp(Enum):
    """Unary operations; source and destination classes are those of the operands."""

    COPY = "copy"  # same class; I32 -> I64 copies are not allowed (use SEXT/ZEXT), I64 -> I32 truncates
    NEG = "neg"
    NOT = "not"
    SEXT8 = "sext8"
    SEXT16 = "sext16"
    SEXT32 = "sext32"  # I32 -> I64
    ZEXT8 = "zext8"
    ZEXT16 = "zext16"
    ZEXT32 = "zext32"  # I32 -> I64
    TRUNC = "trunc"  # I64 -> I32
    CLZ = "clz"
    CTZ = "ctz"
    POPCOUNT = "popcount"
    BSWAP = "bswap"
    RBIT = "rbit"
    FNEG = "fneg"
    FABS = "fabs"
    FSQRT = "fsqrt"
    FCEIL = "fceil"
    FFLOOR = "ffloor"
    FTRUNC = "ftrunc"
    FNEAREST = "fnearest"  # ties to even
    FCVT = "fcvt"  # F32 <-> F64
    S2F = "s2f"  # I32/I64 -> F32/F64
    U2F = "u2f"
    F2S = "f2s"  # saturating, as FCVTZS
    F2U = "f2u"
    BITS = "bits"  # I32 <-> F32, I64 <-> F64, same bits
    CAP_ADDRESS = "cap_address"  # CAP -> I64
    INT_TO_CAP = "int_to_cap"  # I64 -> null-derived CAP
    CAP_BASE = "cap_base"
    CAP_LENGTH = "cap_length"
    CAP_OFFSET = "cap_offset"
    CAP_PERMS = "cap_perms"
    CAP_TYPE = "cap_type"
    CAP_TAG = "cap_tag"
    CAP_SEALED = "cap_sealed"
    CAP_FLAGS = "cap_flags"
    CAP_CLEAR_TAG = "cap_clear_tag"
    CAP_SEAL_ENTRY = "cap_seal_entry"
    CAP_REPRESENTABLE_LENGTH = "cap_rrlen"  # I64 -> I64
    CAP_REPRESENTABLE_MASK = "cap_rrmask"  # I64 -> I64


class CapOp(Enum):
    """CAP op (I64 or CAP) -> CAP."""

    ADD = "add"  # C pointer arithmetic: byte offset
    SET_ADDRESS = "set_address"
    SET_OFFSET = "set_offset"
    SET_BOUNDS = "set_bounds"
    SET_BOUNDS_EXACT = "set_bounds_exact"
    AND_PERMS = "and_perms"
    CLEAR_PERMS = "clear_perms"
    SET_FLAGS = "set_flags"
    SEAL = "seal"  # second operand CAP
    UNSEAL = "unseal"  # second operand CAP
    BUILD = "build"  # second operand CAP: authority
    COPY_TYPE = "copy_type"  # second operand CAP
    COND_SEAL = "cond_seal"  # second operand CAP


class Cond(Enum):
    EQ = "eq"
    NE = "ne"
    SLT = "slt"
    SLE = "sle"
    SGT = "sgt"
    SGE = "sge"
    ULT = "ult"
    ULE = "ule"
    UGT = "ugt"
    UGE = "uge"
    FEQ = "feq"  # ordered comparisons are false with a NaN
    FNE = "fne"  # true with a NaN
    FLT = "flt"
    FLE = "fle"
    FGT = "fgt"
    FGE = "fge"
    CAP_EXACT_EQ = "cap_exact_eq"  # all 129 bits
    CAP_EXACT_NE = "cap_exact_ne"


class RegFile(Enum):
    X = "x"  # integer argument register, low 64 (or 32) bits
    C = "c"
    V = "v"
    STACK = "stack"  # byte offset from the outgoing (or incoming) argument area
    VARARG = "vararg"  # 16-byte slot number in the anonymous-argument area that c9 points to


@dataclass(frozen=True, slots=True)
class Place:
    """Where AAPCS64-cap puts one piece of a parameter, argument or result.

    `index`: register number, stack offset in bytes, or vararg slot number.
    """

    file: RegFile
    index: int


@dataclass(slots=True)
class Op:
    """Base of all operations."""

    loc: SourceLoc | None = field(default=None, kw_only=True)


@dataclass(slots=True)
class Const(Op):
    """dst (I32/I64) := value; for CAP only value 0 (NULL)."""

    dst: VReg
    value: int


@dataclass(slots=True)
class FConst(Op):
    """dst (F32/F64) := the floating value with these bits."""

    dst: VReg
    bits: int


@dataclass(slots=True)
class Binary(Op):
    op: BinOp
    dst: VReg
    a: Operand
    b: Operand


@dataclass(slots=True)
class Unary(Op):
    op: UnOp
    dst: VReg
    a: VReg


@dataclass(slots=True)
class CapBinary(Op):
    op: CapOp
    dst: VReg
    a: VReg
    b: Operand


@dataclass(slots=True)
class SetCond(Op):
    """dst (I32) := 1 if a cond b else 0. CAP operands (other than CAP_EXACT) do not occur here."""

    cond: Cond
    dst: VReg
    a: Operand
    b: Operand


@dataclass(slots=True)
class Select(Op):
    """dst := if_true if a cond b else if_false (both already evaluated)."""

    cond: Cond
    dst: VReg
    a: Operand
    b: Operand
    if_true: VReg
    if_false: VReg


@dataclass(slots=True)
class Fma(Op):
    """dst := a * b + c, one rounding."""

    dst: VReg
    a: VReg
    b: VReg
    c: VReg


@dataclass(slots=True)
class Load(Op):
    """dst := memory at base + offset + (index << scale); `volatile` keeps it in place and count."""

    width: Width
    dst: VReg
    base: VReg
    offset: int = 0
    index: VReg | None = None  # I64
    scale: int = 0
    volatile: bool = False


@dataclass(slots=True)
class Store(Op):
    width: Width
    src: VReg | Imm
    base: VReg
    offset: int = 0
    index: VReg | None = None
    scale: int = 0
    volatile: bool = False


@dataclass(slots=True)
class LocalAddr(Op):
    """dst (CAP) := capability to frame slot `slot`, bounded to it (SCBNDS), plus `offset` bytes.

    Loads and stores of a slot that is only accessed directly use LocalLoad/LocalStore instead.
    """

    dst: VReg
    slot: int
    offset: int = 0


@dataclass(slots=True)
class LocalLoad(Op):
    """dst := frame slot at constant byte offset, statically inside the slot (no bounding needed)."""

    width: Width
    dst: VReg
    slot: int
    offset: int = 0


@dataclass(slots=True)
class LocalStore(Op):
    width: Width
    src: VReg | Imm
    slot: int
    offset: int = 0


@dataclass(slots=True)
class GlobalAddr(Op):
    """dst (CAP) := capability to a symbol, from its GOT slot; plus `offset` bytes."""

    dst: VReg
    symbol: str
    offset: int = 0


@dataclass(slots=True)
class TlsAddr(Op):
    """dst (CAP) := bounded capability to this thread's copy of `symbol`."""

    dst: VReg
    symbol: str
    offset: int = 0


@dataclass(slots=True)
class BlockAddr(Op):
    """dst (CAP) := capability to the label of a block of this function (GNU `&&label`)."""

    dst: VReg
    block: str


class Special(Enum):
    """Values that are not computed from operands."""

    VARARGS = "varargs"  # CAP: c9 at function entry
    RESULT_BUFFER = "result_buffer"  # CAP: c8 at function entry
    PCC = "pcc"
    DDC = "ddc"
    CSP = "csp"
    THREAD_POINTER = "thread_pointer"  # CTPIDR_EL0
    RETURN_ADDRESS = "return_address"  # C30 at entry
    FRAME_ADDRESS = "frame_address"  # C29


@dataclass(slots=True)
class GetSpecial(Op):
    dst: VReg
    special: Special


@dataclass(slots=True)
class Call(Op):
    """Call `target` (symbol name: BL; CAP register: BLR).

    `args`: (operand, place), every place distinct. `results`: (register, place), files X, C, V only.
    `indirect_result`: CAP for c8. `stack_bytes`: size of the outgoing argument area. `varargs`: number of
    anonymous 16-byte slots, None for a call to a non-variadic prototype (c9 is not set), 0 sets c9 to NULL.
    """

    target: str | VReg
    args: list[tuple[Operand, Place]]
    results: list[tuple[VReg, Place]]
    indirect_result: VReg | None = None
    stack_bytes: int = 0
    varargs: int | None = None
    noreturn: bool = False


@dataclass(slots=True)
class CopyMemory(Op):
    """Copy `size` bytes (constant, known not to overlap partially), both sides aligned to `align`.

    With `caps`, size and both addresses are multiples of 16 and every granule keeps its tag.
    """

    dst: VReg
    src: VReg
    size: int
    align: int
    caps: bool


@dataclass(slots=True)
class ZeroMemory(Op):
    dst: VReg
    size: int
    align: int


@dataclass(slots=True)
class Alloca(Op):
    """dst (CAP) := `size` (I64) fresh bytes of stack, 16-aligned, bounded (VLAs, __builtin_alloca)."""

    dst: VReg
    size: VReg


class AtomicOp(Enum):
    LOAD = "load"
    STORE = "store"
    EXCHANGE = "exchange"
    ADD = "add"
    SUB = "sub"
    AND = "and"
    OR = "or"
    XOR = "xor"
    COMPARE_EXCHANGE = "compare_exchange"  # dst := old value; compare with `expected`
    FENCE = "fence"


@dataclass(slots=True)
class Atomic(Op):
    """Sequentially consistent; dst := old value (None for STORE and FENCE)."""

    op: AtomicOp
    width: Width
    dst: VReg | None
    address: VReg | None
    operand: VReg | None = None
    expected: VReg | None = None


@dataclass(slots=True)
class Asm(Op):
    """Statement-level inline assembly, GNU constraints already parsed.

    `template` refers to operands as %0 (natural width), %w0, %x0, %c0 …; `outputs`/`inputs`:
    (constraint letters without '='/'+', register); `tied`: input number -> output number.
    """

    template: str
    outputs: list[tuple[str, VReg]]
    inputs: list[tuple[str, Operand]]
    tied: dict[int, int]
    clobbers: list[str]


@dataclass(slots=True)
class Jump(Op):
    target: str


@dataclass(slots=True)
class CondBranch(Op):
    cond: Cond
    a: Operand
    b: Operand
    if_true: str
    if_false: str


@dataclass(slots=True)
class Switch(Op):
    """Jump by an I32/I64 value; `cases` maps (unsigned, of its width) values to blocks.

    With `is_total` the value is known to be one of the cases (set by the optimiser)."""

    value: VReg
    cases: dict[int, str]
    default: str
    is_total: bool = False


@dataclass(slots=True)
class IndirectJump(Op):
    """Jump to a block capability (GNU `goto *p`); `targets`: every block whose address is taken."""

    address: VReg
    targets: list[str]


@dataclass(slots=True)
class Return(Op):
    values: list[tuple[Operand, Place]]


@dataclass(slots=True)
class Unreachable(Op):
    pass


@dataclass(slots=True)
class Block:
    """Straight-line operations; the last one (and only that) is Jump, CondBranch, Switch, IndirectJump,
    Return, Unreachable or a noreturn Call."""

    name: str
    ops: list[Op] = field(default_factory=list)


@dataclass(slots=True)
class Slot:
    """A frame object: size and alignment in bytes; `name` for the debugger."""

    size: int
    align: int
    name: str = ""


@dataclass(slots=True)
class Variable:
    """Debug information for one C variable: in a register for its whole life, or in a frame slot."""

    name: str
    type_id: int
    home: VReg | int
    is_parameter: bool = False


@dataclass(slots=True)
class Function:
    """One C function; blocks[0] is the entry. Parameters arrive as (register, place) at entry.

    `is_used`: kept even if nothing refers to it. `no_inline`/`always_inline`: what the source asks for.
    """

    name: str
    is_static: bool
    params: list[tuple[VReg, Place]] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    slots: list[Slot] = field(default_factory=list)
    is_variadic: bool = False
    calls_setjmp: bool = False
    is_weak: bool = False
    is_hidden: bool = False
    section: str | None = None
    is_used: bool = False
    no_inline: bool = False
    always_inline: bool = False
    variables: list[Variable] = field(default_factory=list)
    loc: SourceLoc | None = None


@dataclass(frozen=True, slots=True)
class DataCap:
    """Initialiser piece: a 16-byte capability to symbol + addend at byte `offset` (R_MORELLO_CAPINIT)."""

    offset: int
    symbol: str
    addend: int = 0


@dataclass(frozen=True, slots=True)
class DataLabelDiff:
    """Initialiser piece: `size` bytes holding (block label - base label) of one function."""

    offset: int
    size: int
    function: str
    block: str
    base: str


@dataclass(frozen=True, slots=True)
class DataBlockCap:
    """Initialiser piece: a 16-byte code capability to a block of a function (R_MORELLO_CODE_CAPINIT):
    `static void *table[] = {&&label, …}`. The block must be a possible IndirectJump target."""

    offset: int
    function: str
    block: str


@dataclass(slots=True)
class Data:
    """One object with static storage. `bytes_` is None for zero-initialised (.bss) objects.

    `type_id` and `c_name` are for the debugger; objects without a name in C have type_id None.
    """

    name: str
    size: int
    align: int
    bytes_: bytes | None
    pieces: list[DataCap | DataLabelDiff | DataBlockCap] = field(default_factory=list)
    is_static: bool = False
    is_const: bool = False  # with capability pieces: .data.rel.ro
    is_thread_local: bool = False
    is_weak: bool = False
    is_hidden: bool = False
    is_common: bool = False
    section: str | None = None
    type_id: int | None = None
    c_name: str = ""


@dataclass(slots=True)
class Module:
    """One translation unit."""

    name: str
    functions: list[Function] = field(default_factory=list)
    data: list[Data] = field(default_factory=list)
    undefined_weak: list[str] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    top_level_asm: list[str] = field(default_factory=list)
    init_functions: list[str] = field(default_factory=list)  # __attribute__((constructor))
    fini_functions: list[str] = field(default_factory=list)
    debug_types: list[object] = field(default_factory=list)  # indexed by Variable.type_id; see debug.py

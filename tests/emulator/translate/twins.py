"""Two machines with equal registers and memory: one runs the reference engine, one the fast engine."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from emulator.engine.reference import ReferenceEngine
from emulator.engine.translate.engine import FastEngine
from emulator.faults import PeFault, StopKind
from emulator.linux.registers import USER_SPACE_CONTROLS
from emulator.linux.usermem import USER_ROOT
from emulator.memory.address_space import AddressSpace, Area, Prot
from emulator.memory.frames import FramePool
from emulator.state.pe import Pe
from morello_isa.capability import CAP_NULL, Capability
from morello_isa.encodings.table import ROWS
from morello_isa.permissions import Perm

CODE, DATA, READ_ONLY, STACK = 0x1_0000, 0x2_0000, 0x2_4000, 0xFFFF_0000
PAGE = 0x1000
RW = Prot.READ | Prot.WRITE


@dataclass
class Twin:
    """One machine; faults are kept and their instruction skipped."""

    fast: bool
    pe: Pe = field(default_factory=Pe)
    faults: list[tuple[object, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.space = AddressSpace(FramePool(1 << 20))
        self.space.map(Area(CODE, CODE + 2 * PAGE, Prot.READ | Prot.EXEC))
        self.space.map(Area(DATA, DATA + 4 * PAGE, RW))
        self.space.map(Area(READ_ONLY, READ_ONLY + PAGE, Prot.READ))
        self.space.map(Area(STACK, STACK + 2 * PAGE, RW))
        pe = self.pe
        pe.pstate.el, pe.pstate.sp, pe.pstate.daif = 0, 0, 0
        pe.stack[:] = [CAP_NULL] * 5
        pe.data[:] = [CAP_NULL] * 5
        pe.sysregs.values.update(USER_SPACE_CONTROLS)
        kind = FastEngine if self.fast else ReferenceEngine
        self.engine = kind(pe, self.space, self.fault)

    def fault(self, pe: Pe, fault: PeFault) -> None:
        self.faults.append(
            (pe.instructions, fault.kind, fault.pc, fault.word, fault.address, fault.size, fault.register,
             fault.capability, fault.is_write, fault.pcc, fault.c64, fault.immediate)
        )  # fmt: skip
        if fault.is_fetch or len(self.faults) > 200:
            self.engine.request_stop("fetch")
        else:
            pe.pc = fault.pc + 4 & (1 << 64) - 1

    def state(self) -> dict[str, object]:
        """Everything that must be equal."""
        pe = self.pe
        result: dict[str, object] = {f"c{n}": pe.read_c(n) for n in range(31)}
        result |= {f"v{n}": pe.read_v(n) for n in range(32)}
        result |= {
            "pcc": pe.pcc, "csp": pe.read_csp(), "stack": list(pe.stack), "nzcv": pe.nzcv, "c64": pe.pstate.c64,
            "instructions": pe.instructions, "fpsr": pe.x[35], "fpcr": pe.x[34], "faults": self.faults,
            "exclusive": pe.exclusive,
        }  # fmt: skip
        for area in self.space.areas():
            result[f"memory {area.start:#x}"] = self.space.peek(area.start, area.limit - area.start)
        result["tags"] = list(self.space.tagged_granules())
        return result


def twins(words: list[int], c64: bool, setup: random.Random | None = None) -> tuple[Twin, Twin]:
    """Equal machines with the words at CODE."""
    pair = Twin(False), Twin(True)
    seed = setup.random() if setup is not None else 0
    for twin in pair:
        twin.space.poke(CODE, b"".join(word.to_bytes(4, "little") for word in words))
        start(twin, c64, random.Random(seed))
    return pair


def start(twin: Twin, c64: bool, chance: random.Random) -> None:
    """Registers and memory worth having: pointers of every quality in c0..c7 and in memory."""
    pe = twin.pe
    code = USER_ROOT.set_value(CODE).set_bounds(2 * PAGE, exact=True)
    pe.pcc = code.clear_permissions(int(Perm.STORE | Perm.STORE_CAP)) if c64 else USER_ROOT.set_value(CODE)
    pe.pstate.c64 = c64
    # A store into the block that makes it may take effect at once or later: nothing to compare.
    code = code.clear_permissions(int(Perm.STORE | Perm.STORE_CAP))
    pe.data[0] = USER_ROOT
    whole = USER_ROOT.set_value(DATA).set_bounds(5 * PAGE, exact=True)
    pointers = [
        whole.add(chance.randrange(0, 5 * PAGE) & -16),
        USER_ROOT.set_value(DATA + chance.randrange(0x800)).set_bounds(
            chance.choice((16, 64, 300)), exact=False
        ),
        whole.add(PAGE - chance.choice((1, 8, 16, 24))),
        USER_ROOT.set_value(READ_ONLY + 64).set_bounds(PAGE, exact=False),
        whole.add(0x100).clear_permissions(
            int(chance.choice((Perm.LOAD_CAP, Perm.STORE, Perm.STORE_CAP, Perm.LOAD)))
        ),
        chance.choice((whole.with_tag(False), whole.with_object_type(5), USER_ROOT.set_value(DATA + 0x40))),
        whole.add(0x2000 + chance.choice((0, 0, 1, 7, 12))),
        chance.choice((whole.add(5 * PAGE), whole.add(-16), code.add(64), Capability.from_int(DATA))),
    ]
    for n, pointer in enumerate(pointers):
        pe.write_c(n, pointer)
    for n in range(8, 31):
        pe.write_x(n, chance.choice((0, 1, 8, 16, 0x40, chance.getrandbits(64), DATA + 0x200)))
    pe.write_c(30, code.add(0x21))
    pe.write_c(17, whole.add(0x800))
    pe.write_c(26, whole.add(0x900))
    low = STACK + PAGE
    pe.write_csp(USER_ROOT.set_value(STACK).set_bounds(2 * PAGE, exact=True).set_value(low))
    for at in range(DATA, DATA + 0x1000, 16):
        pointer = chance.choice(pointers)
        twin.space.poke_cap(at, pointer.hi, pointer.value, pointer.tag and chance.random() < 0.6)
    for n in range(32):
        pe.write_v(n, chance.getrandbits(128))


# --- random instructions -----------------------------------------------------------------------------------

_CAPABILITY_ROWS = [row for row in ROWS if row.group not in ("system", "branch", "branch-load")]
_BRANCH_ROWS = [
    row for row in ROWS if row.id in ("BR_C_C", "RET_C_C", "BLR_C_C", "RETS_C_C", "BRR_C_C", "BX___C")
]
_ARITHMETIC = (
    0x91000000, 0xB1000000, 0xD1000000, 0x11000000, 0x8B000000, 0x8B200000, 0xCB000000, 0xEB000000, 0xAA000000,
    0x8A000000, 0xEA000000, 0xCA000000, 0x92400000, 0xD2800000, 0xF2800000, 0xD3400000, 0xB3400000, 0x93C00000,
    0x9A800000, 0xFA400000, 0xFA400800, 0x9B000000, 0x9BC07C00, 0x9AC00800, 0x9AC02000, 0xDAC01000, 0xDAC00C00,
    0x9A000000, 0x53007C00, 0x1AC02800,
)  # fmt: skip
_VECTOR = (
    0x1E602800, 0x1E600800, 0x1E604000, 0x1E602000, 0x1F400000, 0x9E620000, 0x9E780000, 0x9E660000, 0x9E670000,
    0x4E208400, 0x4E209C00, 0x4EE08400, 0x4E000000, 0x4E080C00, 0x4E083C00, 0x4E081C00, 0x6E201C00, 0x4E20D400,
    0x4F00E400, 0x1E601000, 0x0F40D000, 0x4F200400,
)  # fmt: skip


def random_words(chance: random.Random, count: int) -> list[int]:
    """`count` words and a branch back to the first."""
    words = [random_word(chance, count - i) for i in range(count)]
    return [*words, 0x14000000 | -count & 0x3FFFFFF]


def random_word(chance: random.Random, left: int) -> int:
    pointer = chance.choice((0, 1, 2, 3, 4, 5, 6, 7, 17, 26, 31, 31, 0, 2, 6))
    target = chance.choice((*range(8, 31), 31)) if chance.random() < 0.93 else chance.randrange(8)
    other = chance.choice((8, 9, 10, 16, 25, 28, 31, chance.randrange(31)))
    kind = chance.random()
    if kind < 0.22:
        return _load_store(chance, pointer, target, other)
    if kind < 0.52:
        row = chance.choice(_CAPABILITY_ROWS)
        word = row.match | chance.getrandbits(32) & ~row.mask
        if row.memory is not None or chance.random() < 0.7:
            word = word & ~0x3E0 | pointer << 5
        word = word & ~31 | target
        if row.id.startswith(("ADD_C_CIS", "SUB_C_CIS")) or (
            row.memory is not None and chance.random() < 0.7
        ):
            word &= ~(0x3F << 16) | chance.choice((0, 0x10000, 0x3F0000))
        return word
    if kind < 0.74:
        word = chance.choice(_ARITHMETIC) | target | other << 5 | chance.randrange(32) << 16
        return word | (chance.getrandbits(6) << 10 if chance.random() < 0.5 else 0)
    if kind < 0.84:
        return (
            chance.choice(_VECTOR)
            | chance.randrange(31)
            | chance.randrange(31) << 5
            | chance.randrange(31) << 16
        )
    if kind < 0.94:
        return _branch(chance, left, target)
    row = chance.choice(_BRANCH_ROWS)
    if chance.random() < 0.25:
        return row.match | (30 << 5 if "_C_C" in row.id else 0)
    return 0xD503201F


def _load_store(chance: random.Random, n: int, t: int, other: int) -> int:
    size, vector = chance.randrange(4), chance.random() < 0.25
    base = size << 30 | vector << 26 | chance.randrange(4) << 22 | n << 5 | t
    kind = chance.randrange(6)
    if kind == 0:
        return 0x39000000 | base | chance.choice((0, 1, 2, 3, 8, 64)) << 10
    if kind == 1:
        return (
            0x38000000 | base | chance.choice((0, 8, 16, 0x1F0, 7, 0x1FF)) << 12 | chance.randrange(4) << 10
        )
    if kind == 2:
        return 0x38200800 | base | other << 16 | chance.choice((2, 3, 6, 7)) << 13 | chance.randrange(2) << 12
    if kind == 5:
        return 0x08408000 | (base & ~(vector << 26 | 3 << 22)) | 0xC00000 | 31 << 16 | 31 << 10 | 0x8000
    pair = (
        chance.choice((0, 1, 2)) << 30 | vector << 26 | chance.randrange(4) << 23 | chance.randrange(2) << 22
    )
    return 0x28000000 | pair | chance.choice((0, 1, 2, 0x7E, 4, 0x7F)) << 15 | other % 32 << 10 | n << 5 | t


def _branch(chance: random.Random, left: int, t: int) -> int:
    distance = chance.randrange(1, min(max(left, 2), 6))
    kind = chance.randrange(4)
    if kind == 0:
        return 0x54000000 | distance << 5 | chance.randrange(15)
    if kind == 1:
        return 0x34000000 | chance.randrange(2) << 31 | chance.randrange(2) << 24 | distance << 5 | t
    if kind == 2:
        return 0x36000000 | chance.randrange(2) << 31 | chance.randrange(32) << 19 | distance << 5 | t
    return chance.choice((0x14000000, 0x94000000)) | distance


def difference(pair: tuple[Twin, Twin]) -> list[str]:
    """Names and both values of what differs: reference, fast."""
    first, second = (twin.state() for twin in pair)
    return [
        f"{name}: {_differing(first[name], second.get(name))}"[:600]
        for name in first
        if first[name] != second.get(name)
    ]


def _differing(one: object, other: object) -> str:
    """The parts of two values that are not equal."""
    if isinstance(one, bytes) and isinstance(other, bytes):
        at = [i for i in range(0, len(one), 8) if one[i : i + 8] != other[i : i + 8]]
        parts = [f"+{i:#x}: {one[i : i + 8].hex()} != {other[i : i + 8].hex()}" for i in at[:4]]
        return f"{len(at)} doublewords, {', '.join(parts)}"
    if isinstance(one, list) and isinstance(other, list):
        only = [x for x in one if x not in other][:3], [x for x in other if x not in one][:3]
        return f"{len(one)} and {len(other)}, only in the first {only[0]!r}, only in the second {only[1]!r}"
    return f"{one!r} != {other!r}"


def run(pair: tuple[Twin, Twin], instructions: int) -> None:
    """Both for that many instructions, or until they stop."""
    kinds = []
    for twin in pair:
        reason = twin.engine.run(instructions)
        kinds.append((reason.kind, reason.detail if reason.kind is StopKind.REQUESTED else None))
    assert kinds[0] == kinds[1], kinds

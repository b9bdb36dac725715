"""Random programs with the shapes that a translator treats specially, and machines that run them.

A program has loops (long enough for versions and unrolling), calls of leaf and framed and recursive functions,
branches to other PCCs, atomics, stores to its own code, and stretches of random words between them. What
the kernel of a process may do between two instructions (rights taken away, code changed, registers set)
happens at SVCs and between runs. A program is a function of its seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from emulator.faults import FaultKind, PeFault
from emulator.linux.usermem import USER_ROOT
from emulator.memory.address_space import Area, Prot
from emulator.state.pe import RESTRICTED_BANK, Pe
from morello_isa.assemble import assemble
from morello_isa.capability import CAP_NULL
from morello_isa.permissions import ObjectType, Perm
from tests.emulator.translate.twins import CODE, DATA, PAGE, RW, STACK, Twin, random_word, start

NOP = 0xD503201F
HELD = (12, 13, 14, 15, 24, 30)
"""Registers with code capabilities: random words leave them alone where code is writable."""
CODE_POINTER = 24


@dataclass(frozen=True)
class Program:
    """`words` lie at CODE; `functions` and `mutable` are indices of words: entries, and those that are swapped.

    `runs`: (instructions, number of a kernel's act afterwards).
    """

    seed: str
    state: str
    words: tuple[int, ...]
    functions: tuple[int, ...]
    mutable: tuple[int, ...]
    runs: tuple[tuple[int, int], ...]
    restricted: bool = False
    writable_code: bool = False
    bounded_ddc: bool = False
    cctlr: int = 0
    fpcr: int = 0
    repairs: int = 0
    """After that many faults the kernel gives the program good pointers; 0: never."""

    @property
    def c64(self) -> bool:
        return self.state == "c64"

    @property
    def executed(self) -> int:
        """Instructions of all runs."""
        return sum(count for count, _ in self.runs)

    def describe(self) -> str:
        """What it starts with, in a line."""
        parts = [self.state]
        for name in ("restricted", "writable_code", "bounded_ddc"):
            parts += [name] if getattr(self, name) else []
        parts += [
            f"{name}={getattr(self, name):#x}" for name in ("cctlr", "fpcr", "repairs") if getattr(self, name)
        ]
        return f"seed {self.seed}: {' '.join(parts)}, runs {list(self.runs)}"


class ProgramTwin(Twin):
    """A machine whose kernel acts on SVCs and starts the program again when it is lost."""

    program: Program | None = None
    acts: int = 0

    def fault(self, pe: Pe, fault: PeFault) -> None:
        self.faults.append(
            (pe.instructions, fault.kind, fault.pc, fault.word, fault.address, fault.size, fault.register,
             fault.capability, fault.is_write, fault.pcc, fault.c64, fault.immediate)
        )  # fmt: skip
        program = self.program
        assert program is not None
        if fault.is_fetch or not fault.word:
            # Lost: out of the code or in the zeros after it.
            self.go_home()
            if program.repairs:
                _good_pointers(self, program)
            return
        pe.pc = fault.pc + 4
        if fault.kind is FaultKind.SVC:
            self.act(fault.immediate & 15)
        elif program.repairs and len(self.faults) % program.repairs == 0:
            _good_pointers(self, program)

    def go_home(self) -> None:
        """The program starts over, other registers as they are."""
        program = self.program
        assert program is not None
        pe = self.pe
        pe.pcc = _code(program)
        pe.pstate.c64 = program.c64
        pe.context_stale = True

    def act(self, number: int) -> None:
        """What a kernel may do; the same on both machines."""
        program, space, pe = self.program, self.space, self.pe
        assert program is not None
        self.acts += 1
        if pe.context_stale:
            # A crossing is counted when the next instruction is looked for; the act may undo it before.
            self.engine._refresh()
        if number == 1:
            space.protect(DATA + PAGE, DATA + 2 * PAGE, Prot.READ)
        elif number == 2:
            space.protect(DATA + PAGE, DATA + 2 * PAGE, RW)
        elif number == 3 and len(program.mutable) > 1:
            one, other = (CODE + 4 * program.mutable[(self.acts + i) % len(program.mutable)] for i in (0, 1))
            first, second = space.peek(one, 4), space.peek(other, 4)
            space.poke(one, second)
            space.poke(other, first)
        elif number == 4:
            self.go_home()
        elif number == 5:
            _code_registers(self, program)
        elif number == 6:
            space.unmap(DATA + 3 * PAGE, DATA + 4 * PAGE)
        elif number == 7:
            if not space.is_mapped(DATA + 3 * PAGE, DATA + 4 * PAGE):
                space.map(Area(DATA + 3 * PAGE, DATA + 4 * PAGE, RW))
        elif number == 8:
            self.engine.request_stop("act")
        elif number == 9:
            hi, lo, tag = space.peek_cap(DATA)
            space.poke_cap(DATA + 0x40, hi, lo, tag)
        elif number == 10 and program.functions and program.state != "plain":
            # As a signal does: other PCC bounds, another place.
            pe.pcc = _code(program).set_bounds(PAGE, exact=True).set_value(CODE + 4 * program.functions[-1])
        elif number == 11:
            pe.nzcv = self.acts & 15
        elif number == 12 and program.writable_code:
            prot = Prot.READ | Prot.EXEC | (Prot.WRITE if self.acts & 1 else Prot.NONE)
            space.protect(CODE, CODE + 2 * PAGE, prot)

    def state(self) -> dict[str, object]:
        result = super().state()
        result["acts"], result["ddc"] = self.acts, list(self.pe.data)
        # A change that the last instruction made is counted when the next one is looked for.
        context = self.engine._context
        pending = context is not None and context.restricted != self.pe.is_restricted
        result["crossings"] = self.engine.crossings + pending
        result["code"] = self.space.peek(CODE, 2 * PAGE)
        result["areas"] = [(a.start, a.limit, a.prot) for a in self.space.areas()]
        result["capability registers"] = dict(self.pe.sysregs.capabilities)
        result["system registers"] = dict(self.pe.sysregs.values)
        return result


def _code(program: Program) -> object:
    """PCC at the start."""
    whole = USER_ROOT.set_value(CODE)
    if program.c64 or program.restricted:
        whole = whole.set_bounds(2 * PAGE, exact=True).clear_permissions(int(Perm.STORE | Perm.STORE_CAP))
    return whole.clear_permissions(int(Perm.EXECUTIVE)) if program.restricted else whole


def _code_registers(twin: ProgramTwin, program: Program) -> None:
    pe, functions = twin.pe, program.functions
    at = (
        [CODE + 4 * functions[i % len(functions)] + program.c64 for i in range(4)]
        if functions
        else [CODE] * 4
    )
    if program.state == "plain":
        for n, value in zip(HELD, (*at, CODE), strict=False):
            pe.write_x(n, value)
        return
    whole = USER_ROOT.set_value(CODE).clear_permissions(int(Perm.STORE | Perm.STORE_CAP))
    narrow = whole.set_bounds(2 * PAGE, exact=True)
    pe.write_c(12, narrow.set_value(at[0]))
    pe.write_c(13, narrow.set_value(at[1]).clear_permissions(int(Perm.EXECUTIVE)))
    pe.write_c(14, narrow.set_value(at[2]).with_object_type(int(ObjectType.RB)))
    pe.write_c(15, whole.set_value(at[3]))
    pe.write_c(CODE_POINTER, USER_ROOT.set_value(CODE).set_bounds(2 * PAGE, exact=True))


def _good_pointers(twin: ProgramTwin, program: Program) -> None:
    """Pointers as a compiler's code has them."""
    pe = twin.pe
    places = {0: 0, 1: 0x400, 2: 0x1000 - 32, 6: 0x1800, 17: 0x800, 22: 0x100, 23: 0x600, 26: 0x900}
    whole = USER_ROOT.set_value(DATA).set_bounds(4 * PAGE, exact=True)
    for n, offset in places.items():
        if program.state == "plain":
            pe.write_x(n, DATA + offset)
        else:
            pe.write_c(n, whole.add(offset))
    stack = (
        CAP_NULL if program.state == "plain" else USER_ROOT.set_value(STACK).set_bounds(2 * PAGE, exact=True)
    )
    pe.write_csp(stack.set_value(STACK + PAGE))
    _code_registers(twin, program)


def machine(fast: bool, program: Program) -> ProgramTwin:
    """A machine that has the program and everything that it starts with."""
    twin = ProgramTwin(fast)
    twin.program = program
    chance = random.Random(f"{program.seed} data")
    twin.space.poke(CODE, b"".join(word.to_bytes(4, "little") for word in program.words))
    pe = twin.pe
    if program.state == "plain":
        _start_plain(twin, chance)
    else:
        start(twin, program.c64, chance)
    pe.pcc = _code(program)
    if program.bounded_ddc:
        pe.data[0] = USER_ROOT.set_value(DATA).set_bounds(3 * PAGE, exact=True)
    if program.restricted:
        pe.stack[RESTRICTED_BANK] = pe.stack[0]
        pe.data[RESTRICTED_BANK] = pe.data[0]
    if program.writable_code:
        twin.space.protect(CODE, CODE + 2 * PAGE, RW | Prot.EXEC)
    pe.sysregs.values["CCTLR_EL0"] = program.cctlr
    pe.x[34] = program.fpcr
    _code_registers(twin, program)
    if program.writable_code and not program.c64:
        # DDC allows stores to code through any register with its address.
        pe.write_x(7, DATA + 0x40)
    if program.repairs:
        _good_pointers(twin, program)
    pe.context_stale = True
    return twin


def _start_plain(twin: ProgramTwin, chance: random.Random) -> None:
    """No capabilities but PCC and DDC."""
    pe = twin.pe
    pe.pstate.c64 = False
    pe.data[0] = USER_ROOT
    values = [
        DATA + (chance.randrange(0, 5 * PAGE) & -16), DATA + chance.randrange(0x800), DATA + PAGE - 8,
        DATA + 4 * PAGE + 64, DATA + 0x100, chance.getrandbits(64), DATA + 0x2000 + chance.choice((0, 1, 12)),
        DATA + 5 * PAGE | 0x5A << 56,
    ]  # fmt: skip
    for n in range(31):
        pe.write_x(n, values[n] if n < len(values) else chance.choice((0, 1, 8, chance.getrandbits(64))))
    pe.write_x(17, DATA + 0x800)
    pe.write_x(26, DATA + 0x900)
    pe.write_csp(CAP_NULL.set_value(STACK + PAGE))
    twin.space.poke(DATA, chance.randbytes(0x1000))
    for n in range(32):
        pe.write_v(n, chance.getrandbits(128))


# --- writing a program ---------------------------------------------------------------------------------------

_INTEGER = """
ldr x9, [{p}22], #8|str x9, [{p}23], #8|ldr x10, [{p}22, #16]|str w10, [{p}22, #4]|ldp x9, x10, [{p}23, #16]
stp x9, x10, [{p}23], #16|ldrb w9, [{p}22], #1|strh w10, [{p}23, #2]|ldr w16, [{p}22, x10, lsl #2]
ldrsw x9, [{p}22, w10, sxtw #2]|add x9, x9, x10|eor x10, x9, x16|mul x9, x9, x10|udiv x9, x10, x16
adds x9, x9, x10|cmp x9, x10|csel x9, x10, x16, ne|ccmp x9, x10, #4, eq|b.ne #8|tbz x9, #3, #8|cbz x10, #12
b.lt #8|and x10, x10, #0xff|lsr x9, x9, #3|add {p}22, {p}22, #16|ldr q5, [{p}22]|ldr d9, [{p}22], #8
stp q5, q6, [{p}23]|str q7, [{p}23], #16|fadd d1, d2, d3|fmadd d1, d2, d3, d20|fmul v20.2d, v6.2d, v7.2d
add v6.4s, v7.4s, v8.4s|scvtf d4, x9|fcmp d1, d2|fcvtzs x9, d1|umov x10, v6.d[1]|ldr x17, [{p}23, #-16]
stur x9, [{sp}, #-8]|ldr x25, [{sp}]|str x27, [{sp}, #16]|sub {sp}, {sp}, #32|add {sp}, {sp}, #32|nop
mov {p}22, {p}{base}|add {p}22, {p}{base}, #64|mov {p}23, {p}{base}|stlr x9, [{p}22]|ldar x10, [{p}22]
b #8|mrs x9, nzcv|prfm pldl1keep, [{p}22]|ldr x9, #16|crc32x w9, w10, x16|clrex
"""
_CAPABILITY = """
ldr c11, [{p}22], #16|str c11, [{p}23, #32]|ldp c10, c11, [{p}22]|stp c10, c11, [{p}23], #32|add c11, c11, #16
scbnds c11, c11, #32|scbnds c11, c11, x9|mov c22, c{base}|gctag x9, c11|gclen x9, c11|gcvalue x10, c22|mov c23, c11
add c22, c{base}, x9, uxtx|chkeq c9, c10|subs x9, c10, c11|clrtag c10, c11|str c22, [{p}23], #16|ldr c22, [{p}23, #-16]
cvtp c9, x10|adr {p}9, #8|adrp {p}9, #0|scvalue c11, c{base}, x9|clrperm c11, c11, x9|csel c10, c11, c22, eq
str c10, [{p}23, x9]|ldr c11, [{p}22, w10, sxtw #4]|str c11, [{p}23, x10, lsl #4]|ldr c10, [{p}22, #16]!|chktgd c11
gcbase x9, c11|gcoff x9, c22|gclim x10, c11|cfhi x9, c11|gctype x9, c11|gcseal x9, c11|alignu c11, c11, #4
alignd c22, c22, #4|scbnds c11, c22, #4, lsl #4|adrp {p}9, #4096|str c22, [{p}23, #16]!|and x9, x9, #0x3f|scflgs c11, c11, x9
sub c11, c11, #8|ldr c28, [{p}22]|str c28, [{p}23]|ldr x9, [{other}22, #8]|str c9, [{other}22, #16]|seal c9, c11, rb
"""
_ATOMIC = """
ldxr x9, [{p}22]|stxr w10, x9, [{p}22]|ldaxr w9, [{p}22]|stlxr w10, w9, [{p}22]|ldadd x9, x10, [{p}22]
ldaddal w9, w10, [{p}23]|cas x9, x10, [{p}22]|swp x9, x10, [{p}22]|ldxp x9, x10, [{p}22]|stxp w8, x9, x10, [{p}22]
ldset x9, x10, [{p}22]|clrex|ldxrb w9, [{p}22]|stxrb w10, w9, [{p}22]
"""
_CAPABILITY_ATOMIC = """
ldxr c9, [{p}22]|stxr w10, c9, [{p}22]|swpal c9, c10, [{p}22]|casal c9, c10, [{p}22]|swp c11, c9, [{p}23]
ldar c9, [{p}22]|stlr c10, [{p}22]|ldct x9, [{p}22]|stct x9, [{p}22]
"""
_SYSTEM = """
svc #{act}|msr nzcv, x9|mrs x9, fpsr|msr fpsr, x9|mrs x9, tpidr_el0|msr tpidr_el0, x9|isb|dc zva, {p}22|ic ivau, {p}22
ld1 {{{{v5.4s, v6.4s}}}}, [{p}22], #32|st1 {{{{v5.16b}}}}, [{p}22]|svc #{act}|mrs x9, fpcr|ldtr x9, [{p}22]
"""
_CAPABILITY_SYSTEM = "mrs c9, ddc|msr ctpidr_el0, c9|mrs c9, ctpidr_el0|bx #4|msr ddc, c{base}"


def _items(text: str) -> list[str]:
    return [item.strip() for line in text.strip().splitlines() for item in line.split("|")]


_BODY, _CAPABILITIES = _items(_INTEGER), _items(_CAPABILITY)
_ATOMICS, _CAPABILITY_ATOMICS = _items(_ATOMIC), _items(_CAPABILITY_ATOMIC)
_SYSTEMS, _CAPABILITY_SYSTEMS = _items(_SYSTEM), _items(_CAPABILITY_SYSTEM)


@dataclass
class _Writer:
    """Puts words together."""

    chance: random.Random
    state: str
    writable_code: bool
    words: list[int] = field(default_factory=list)
    functions: list[int] = field(default_factory=list)
    mutable: list[int] = field(default_factory=list)
    calls: list[tuple[int, int]] = field(default_factory=list)
    """(index of a BL, number of the function)."""

    def line(self, text: str) -> None:
        c64, chance = self.state == "c64", self.chance
        text = text.format(
            p="c" if c64 else "x", other="x" if c64 else "c", sp="csp" if c64 else "sp",
            base=chance.choice((0, 0, 0, 0, 6, 6, 17, 17, 2, 1, chance.randrange(8))), act=chance.choice((1, 2, 2, 3, 5, 6, 7, 7, 8, 9, 10, 11, 12, 0)),
        ).format()  # fmt: skip
        self.words.append(assemble(text, CODE + 4 * len(self.words), c64).word)

    def some(self, items: list[str], capability_items: list[str], count: int) -> None:
        rate = {"c64": 0.5, "hybrid": 0.3, "plain": 0.0}[self.state]
        for _ in range(count):
            self.line(self.chance.choice(capability_items if self.chance.random() < rate else items))

    def body(self, count: int) -> None:
        """Instructions of which none goes far: a forward branch skips two at most."""
        self.some(_BODY, _CAPABILITIES, count)
        # What a skip at the end may land on.
        self.words += [NOP, NOP]

    def call(self) -> None:
        kind = self.chance.random()
        if kind < 0.7:
            self.calls.append((len(self.words), self.chance.randrange(4)))
            self.words.append(0x94000000)
        elif self.state == "plain" or kind < 0.85:
            self.line(f"blr {{p}}{self.chance.choice((12, 15))}")
        else:
            self.line(self.chance.choice(("blr c12", "blr c14", "blr c15", "blrr c13", "blr c13")))

    def loop(self, depth: int) -> None:
        chance, counter = self.chance, 19 + depth
        self.line(f"mov x{counter}, #{chance.choice((2, 3, 5, 17, 40, 90))}")
        for pointer in (22, 23):
            if chance.random() < 0.8:
                self.line(f"add {{p}}{pointer}, {{p}}{{base}}, #{chance.choice((0, 0, 16, 64, 8, 1))}")
        top = len(self.words)
        self.body(chance.randrange(1, 9))
        if chance.random() < 0.3:
            self.call()
        if depth == 0 and chance.random() < 0.3:
            self.loop(1)
        back = chance.random()
        self.line(f"subs x{counter}, x{counter}, #1")
        distance = 4 * (top - len(self.words))
        if back < 0.6:
            self.line(f"b.ne #{distance}")
        elif back < 0.8:
            self.line(f"cbnz x{counter}, #{distance}")
        else:
            self.line("b.eq #8")
            self.line(f"b #{distance - 4}")

    def random(self, count: int) -> None:
        first = len(self.words)
        for i in range(count):
            word = random_word(self.chance, count - i)
            while self.writable_code and any(word >> at & 31 in HELD for at in (0, 5, 10, 16)):
                word = random_word(self.chance, count - i)
            self.words.append(word)
        self.mutable += range(first, len(self.words))
        self.words += [NOP] * 5

    def modify(self) -> None:
        """Swap two words of an earlier stretch, then a branch: the new words count from there on."""
        if len(self.mutable) < 2 or not self.writable_code:
            return
        one, other = (f"[{{p}}{CODE_POINTER}, #{4 * at}]" for at in self.chance.sample(self.mutable, 2))
        for text in (
            f"ldr w9, {one}",
            f"ldr w10, {other}",
            f"str w10, {one}",
            "b #4",
            f"str w9, {other}",
            "isb",
            "b #4",
        ):
            self.line(text)

    def function(self, kind: int) -> None:
        self.functions.append(len(self.words))
        c64 = self.state == "c64"
        back = "ret c30" if c64 else "ret"
        if kind == 0:
            self.some(_BODY[:14], _CAPABILITIES[:13], self.chance.randrange(1, 6))
        elif kind == 1:
            self.line("stp {p}29, {p}30, [{sp}, #-32]!")
            self.body(self.chance.randrange(1, 6))
            self.calls.append((len(self.words), 0))
            self.words.append(0x94000000)
            self.line("ldp {p}29, {p}30, [{sp}], #32")
        elif kind == 2:
            # Recursive, x21 deep.
            self.line("cbz x21, #24")
            self.line("sub x21, x21, #1")
            self.line("stp {p}29, {p}30, [{sp}, #-32]!")
            self.calls.append((len(self.words), 2))
            self.words.append(0x94000000)
            self.line("ldp {p}29, {p}30, [{sp}], #32")
            self.line(back)
        else:
            self.body(self.chance.randrange(4, 12))
        self.line(back)

    def sections(self, count: int) -> None:
        chance = self.chance
        for _ in range(count):
            kind = chance.random()
            if kind < 0.45:
                self.loop(0)
            elif kind < 0.65:
                self.random(chance.choice((2, 4, 8, 20)))
            elif kind < 0.75:
                self.line(f"mov x21, #{chance.randrange(7)}")
                self.call()
            elif kind < 0.85:
                self.some(_ATOMICS, _CAPABILITY_ATOMICS, chance.randrange(1, 6))
            elif kind < 0.95:
                self.some(_SYSTEMS, _CAPABILITY_SYSTEMS, chance.randrange(1, 4))
            else:
                self.modify()

    def finish(self) -> None:
        """The way back to the start, the functions, the targets of calls."""
        self.words.append(0x14000000 | -len(self.words) & 0x3FFFFFF)
        for kind in range(4):
            self.function(kind)
        for at, number in self.calls:
            self.words[at] |= self.functions[number] - at & 0x3FFFFFF


def program_of(seed: str) -> Program:
    """The program of a seed."""
    chance = random.Random(seed)
    state = chance.choice(("c64", "c64", "c64", "hybrid", "plain"))
    writable_code = chance.random() < 0.12
    writer = _Writer(chance, state, writable_code)
    writer.sections(chance.choice((1, 2, 4, 7)))
    writer.finish()
    runs = tuple(
        (chance.choice((chance.randrange(1, 60), chance.randrange(60, 1500), chance.randrange(1100, 6000))),
         chance.choice((0, 0, 0, 1, 2, 3, 4, 5, 7, 10)))
        for _ in range(chance.choice((2, 4, 8)))
    )  # fmt: skip
    return Program(
        seed, state, tuple(writer.words), tuple(writer.functions), tuple(writer.mutable), runs,
        restricted=state == "c64" and chance.random() < 0.15,
        writable_code=writable_code,
        bounded_ddc=state == "hybrid" and chance.random() < 0.2,
        cctlr=chance.choice((4, 8, 16, 32, 64, 128, 0xFC)) if state != "plain" and chance.random() < 0.12 else 0,
        fpcr=chance.choice((1 << 24, 1 << 25, 1 << 22, 3 << 22)) if chance.random() < 0.15 else 0,
        repairs=chance.choice((0, 2, 4, 4, 16)),
    )  # fmt: skip


# --- making a program smaller ----------------------------------------------------------------------------------


def minimised(program: Program, differs: Callable[[Program], bool]) -> Program:
    """A program with fewer instructions that still `differs`: runs dropped and shortened, words made NOPs."""
    for count in range(1, len(program.runs)):
        if differs(replace(program, runs=program.runs[:count])):
            program = replace(program, runs=program.runs[:count])
            break
    for i in reversed(range(len(program.runs) - 1)):
        shorter = replace(program, runs=program.runs[:i] + program.runs[i + 1 :])
        if differs(shorter):
            program = shorter
    step = len(program.words)
    while step:
        for first in range(0, len(program.words), step):
            words = list(program.words)
            if all(word == NOP for word in words[first : first + step]):
                continue
            words[first : first + step] = [NOP] * len(words[first : first + step])
            fewer = replace(program, words=tuple(words))
            if differs(fewer):
                program = fewer
        step //= 2
    count, act = program.runs[-1]
    while count > 1:
        shorter = replace(program, runs=(*program.runs[:-1], (count // 2, act)))
        if not differs(shorter):
            break
        program, count = shorter, count // 2
    return program

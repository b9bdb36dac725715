"""The loops that `morello bench` measures: one text each for C64 with capabilities and for plain A64.

`{c}` stands for `c` or `x`, `{csp}` for `csp` or `sp`. The body runs once per repetition; `images.py` puts
counting of the repetitions (in x28) and the branch back behind it. At its start x1 and x2 may hold anything,
c10 and c11 point to 4 KiB each, c12 to 64 MiB, c13 is a pointer to the function `leaf`, the stack has 8 KiB.
`functions` stands behind the loop, `library` far away, in an object with bounds of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

SCALE_MIPS = 1500
"""The bars are for a machine where raw Unicorn runs `SCALE` so fast (million instructions per second)."""
RATIO_PLAIN = 0.9
"""What plain A64 code under an unrestricted DDC should reach of raw Unicorn."""


@dataclass(frozen=True, slots=True)
class Loop:
    """One loop. `bar` in million guest instructions per second, where C64 code has one of its own.

    `ratio` is the other kind of bar: the part of raw Unicorn's speed at the same loop in A64 (0: none).
    `fills` says that the 64 MiB are to be filled with data.
    """

    name: str
    summary: str
    body: str
    functions: str = ""
    library: str = ""
    bar: int = 0
    ratio: float = 0.0
    fills: bool = False


SCALE = Loop(
    "scale",
    "load, add, count and branch in plain A64",
    "ldr x4, [{c}10]; add x5, x5, x4",
)

LOOPS = (
    Loop(
        "alu",
        "integer arithmetic, 10 instructions",
        "add x4, x4, x5; eor x5, x4, x6, lsl #3; add x6, x5, #7; lsr x7, x6, #7; orr x8, x7, x4;"
        "sub x9, x8, x5; and x4, x9, #0xffff; add x5, x5, x4",
        bar=3000,
    ),
    Loop(
        "words",
        "64-bit load + store, post-index, 4 KiB",
        "mov {c}1, {c}10; mov {c}2, {c}11; mov x3, #512;"
        "1: ldr x4, [{c}1], #8; str x4, [{c}2], #8; subs x3, x3, #1; b.ne 1b",
        bar=600,
    ),
    Loop(
        "capabilities",
        "capability load + store + 2 adds, 4 KiB",
        "mov {c}1, {c}10; mov {c}2, {c}11; mov x3, #256;"
        "1: ldr {c}4, [{c}1]; str {c}4, [{c}2]; add {c}1, {c}1, #16; add {c}2, {c}2, #16;"
        "subs x3, x3, #1; b.ne 1b",
        bar=500,
    ),
    Loop("calls", "bl / ret", "bl 1f", "1: add x4, x4, #1; ret {c}30", bar=800),
    Loop("indirect calls", "blr / ret", "blr {c}13", "leaf: ret {c}30", bar=600),
    Loop(
        "derivation",
        "capability arithmetic: add, mov",
        "add {c}1, {c}10, #16; add {c}2, {c}1, #32; mov {c}3, {c}2; add {c}3, {c}3, #8; mov {c}4, {c}3;"
        "add x8, x8, #1",
        bar=1500,
    ),
    Loop(
        "frames",
        "stack frame: stp/ldp of capability pairs",
        "bl 1f",
        "1: stp {c}29, {c}30, [{csp}, #-80]!; stp {c}19, {c}20, [{csp}, #32]; str x0, [{csp}, #64];"
        "ldr x1, [{csp}, #64]; ldp {c}19, {c}20, [{csp}, #32]; ldp {c}29, {c}30, [{csp}], #80; ret {c}30",
        bar=280,
    ),
    Loop(
        "fib",
        "recursive Fibonacci numbers",
        "mov x0, #15; bl fib",
        "fib: cmp x0, #2; b.lo 1f; stp {c}29, {c}30, [{csp}, #-48]!; stp x19, x20, [{csp}, #32]; mov x19, x0;"
        "sub x0, x0, #1; bl fib; mov x20, x0; sub x0, x19, #2; bl fib; add x0, x0, x20;"
        "ldp x19, x20, [{csp}, #32]; ldp {c}29, {c}30, [{csp}], #48; 1: ret {c}30",
        bar=450,
    ),
    Loop(
        "plt",
        "call through a PLT stub into another library",
        "bl 1f",
        "1: adrp {c}16, slot; ldr {c}17, [{c}16, :lo12:slot]; add {c}16, {c}16, :lo12:slot; br {c}17",
        library="remote: ret {c}30",
        bar=500,
    ),
    Loop(
        "random",
        "random 64-bit loads over 64 MiB",
        "madd x4, x4, x5, x6; lsr x7, x4, #41; ldr x8, [{c}12, x7, lsl #3]",
        bar=60,
        fills=True,
    ),
    Loop(
        "simd",
        "FP/SIMD dot product of doubles, 4 KiB",
        "mov {c}1, {c}10; mov {c}2, {c}11; mov x3, #256; movi v2.2d, #0;"
        "1: ldr q0, [{c}1], #16; ldr q1, [{c}2], #16; fmla v2.2d, v0.2d, v1.2d; subs x3, x3, #1; b.ne 1b",
        ratio=0.5,
    ),
)

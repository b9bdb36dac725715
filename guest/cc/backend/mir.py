"""Machine form: A64/C64 instructions on virtual and physical registers.

A register is an integer. 0-30 are X0-X30 and at the same time C0-C30 (the view in the instruction's
template says which half is meant), 31 is the zero register, 32-63 are V0-V31, and everything from
`FIRST_VREG` is virtual. An instruction is a `Template` (its text with operand holes, parsed once) and
its operands. Templates are written like assembly:

    "madd =$x, $x, $x, $x"      `$view` is a register read, `=$view` one written
    "bfi +$x, $x, $#, $#"       `+` read and written, `$#` a number or text
    "ldr =$x, $m"               `$m` a frame memory operand (`FrameRef`)
    "movz =$x, $#\n\tmovk @0x"  `@0x` repeats operand 0, here in its x view
    "&$x"                       written before every operand has been read
    "~$x"                       an operand that is not printed

Views: x w c (general), b h s d q v (vector).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from guest.cc.ir import SourceLoc, Ty

ZR = 31
FP = 29
LR = 30
FIRST_V = 32
FIRST_VREG = 64
SCRATCH = 16  # never allocated: spill addresses, large immediates
SCRATCH2 = 17
V_SCRATCH = 63  # v31, never allocated

CALLER_SAVED = (*range(16), 18)
CALLEE_SAVED = tuple(range(19, 29))
V_CALLER_SAVED = (*range(32, 40), *range(48, 63))
V_CALLEE_SAVED = tuple(range(40, 48))
CALL_CLOBBERS = (*range(19), LR, *range(32, 40), *range(48, 64))


class Bank(Enum):
    """Physical register bank of a virtual register."""

    GPR = 0
    VEC = 1


BANK_OF_TYPE = {Ty.I32: Bank.GPR, Ty.I64: Bank.GPR, Ty.CAP: Bank.GPR, Ty.F32: Bank.VEC, Ty.F64: Bank.VEC}


def _names() -> dict[str, list[str]]:
    general = {v: [f"{v}{n}" for n in range(31)] + [f"{v}zr"] for v in "xwc"}
    vector = {v: [""] * 32 + [f"{v}{n}" for n in range(32)] for v in "bhsdqv"}
    return {**general, **vector}


REGISTER_NAMES = _names()
_HOLE = re.compile(r"(~?)([=+&]?)\$([xwcbhsdqv#m])|@(\d+)([xwcbhsdqv#])")


class FrameKind(Enum):
    LOCAL = "local"  # slot of the C function
    SPILL = "spill"
    OUT = "out"  # outgoing argument area, from CSP
    IN = "in"  # incoming argument area, from CSP at entry


@dataclass(frozen=True, slots=True)
class FrameRef:
    """`size` bytes (the access) at `offset` in a frame object; address known only after layout."""

    kind: FrameKind
    index: int
    offset: int
    size: int


Operand: TypeAlias = "int | str | FrameRef"


class Template:
    """Text of an instruction with holes; parsed once, shared by all its instances."""

    __slots__ = (
        "defs",
        "early",
        "has_frame",
        "hole_views",
        "holes",
        "is_copy",
        "lines",
        "mnemonic",
        "source",
        "text",
        "uses",
        "views",
    )

    def __init__(self, source: str, is_copy: bool = False) -> None:
        self.source = source
        self.views: list[str] = []
        self.holes: list[int] = []  # operand number of each % in text
        self.defs: tuple[int, ...] = ()
        self.uses: tuple[int, ...] = ()
        self.early: tuple[int, ...] = ()
        self.is_copy = is_copy
        self.lines = source.count("\n") + 1
        self.mnemonic = source.split(None, 1)[0] if source.strip() else ""
        defs: list[int] = []
        uses: list[int] = []
        early: list[int] = []
        hole_views: list[tuple[int, str]] = []

        def hole(match: re.Match[str]) -> str:
            if match.group(4):
                hole_views.append((int(match.group(4)), match.group(5)))
                return "%s"
            number = len(self.views)
            mode, view = match.group(2), match.group(3)
            self.views.append(view)
            if view not in "#m":
                if mode in ("=", "+", "&"):
                    defs.append(number)
                if mode in ("", "+"):
                    uses.append(number)
                if mode == "&":
                    early.append(number)
            if match.group(1):
                return ""
            hole_views.append((number, view))
            return "%s"

        self.text = _HOLE.sub(hole, source.replace("%", "%%"))
        self.holes = [number for number, _ in hole_views]
        self.hole_views = [view for _, view in hole_views]
        self.defs, self.uses, self.early = tuple(defs), tuple(uses), tuple(early)
        self.has_frame = "m" in self.views

    def __repr__(self) -> str:
        return f"Template({self.source!r})"


class MI:
    """One machine instruction (or an inseparable short sequence)."""

    __slots__ = ("busy", "clobbers", "implicit_defs", "implicit_uses", "loc", "ops", "t")

    def __init__(self, template: Template, ops: list[Operand], loc: SourceLoc | None = None) -> None:
        self.t = template
        self.ops = ops
        self.loc = loc
        self.implicit_uses: tuple[int, ...] = ()
        self.implicit_defs: tuple[int, ...] = ()
        self.busy: tuple[int, ...] = ()  # destroyed before the operands are read
        self.clobbers = False

    def copy(self) -> MI:
        other = MI(self.t, list(self.ops), self.loc)
        other.implicit_uses, other.implicit_defs = self.implicit_uses, self.implicit_defs
        other.busy, other.clobbers = self.busy, self.clobbers
        return other

    def text(self) -> str:
        """Assembly text; frame operands must have been replaced by text before."""
        ops = self.ops
        t = self.t
        parts = [
            REGISTER_NAMES[view][ops[n]] if view not in "#m" else ops[n]  # type: ignore[index]
            for n, view in zip(t.holes, t.hole_views, strict=True)
        ]
        return t.text % tuple(parts)

    def __repr__(self) -> str:
        shown = []
        for n, view in zip(self.t.holes, self.t.hole_views, strict=True):
            op = self.ops[n]
            if view in "#m":
                shown.append(str(op))
            elif isinstance(op, int) and op >= FIRST_VREG:
                shown.append(f"%{op - FIRST_VREG}.{view}")
            else:
                shown.append(REGISTER_NAMES[view][op])  # type: ignore[index]
        return self.t.text % tuple(shown)


class Templates:
    """The templates of one compilation, by source text."""

    def __init__(self) -> None:
        self._table: dict[str, Template] = {}

    def __getitem__(self, source: str) -> Template:
        found = self._table.get(source)
        if found is None:
            found = self._table[source] = Template(source)
        return found

    def copy(self, view: str) -> Template:
        """A register copy that the allocator may coalesce."""
        key = f"copy {view}"
        found = self._table.get(key)
        if found is None:
            source = {"s": "fmov =$s, $s", "d": "fmov =$d, $d"}.get(view, f"mov =${view}, ${view}")
            found = self._table[key] = Template(source, is_copy=True)
        return found


@dataclass(slots=True)
class MBlock:
    """A machine basic block; `successors` are indices into the function's list."""

    label: str
    code: list[MI] = field(default_factory=list)
    successors: list[int] = field(default_factory=list)
    frequency: float = 1.0
    address_taken: bool = False


@dataclass(slots=True)
class SlotInfo:
    """A frame object with its final size and alignment (bytes)."""

    size: int
    align: int


@dataclass(slots=True)
class MFunction:
    """A function after selection."""

    name: str
    blocks: list[MBlock] = field(default_factory=list)
    bank: list[Bank] = field(default_factory=list)  # of vreg FIRST_VREG + i
    view: list[str] = field(default_factory=list)  # natural view of vreg: x, w, c, s, d
    locals_: list[SlotInfo] = field(default_factory=list)
    spills: list[SlotInfo] = field(default_factory=list)
    tables: list[tuple[str, list[str]]] = field(default_factory=list)  # jump tables: label, targets
    out_bytes: int = 0
    has_calls: bool = False
    has_alloca: bool = False
    needs_frame: bool = False
    shares_spill_slots: bool = True
    saved: list[int] = field(default_factory=list)  # callee-saved registers to preserve
    assignment: dict[int, int] = field(default_factory=dict)  # vreg -> physical register
    spill_of: dict[int, int] = field(default_factory=dict)  # vreg -> spill slot

    def new_vreg(self, view: str) -> int:
        """A fresh virtual register whose natural view is `view`."""
        self.bank.append(Bank.VEC if view in "sd" else Bank.GPR)
        self.view.append(view)
        return FIRST_VREG + len(self.view) - 1

    def instructions(self) -> Iterable[MI]:
        for block in self.blocks:
            yield from block.code


VIEW_OF_TYPE = {Ty.I32: "w", Ty.I64: "x", Ty.CAP: "c", Ty.F32: "s", Ty.F64: "d"}
VIEW_BYTES = {"w": 4, "x": 8, "c": 16, "s": 4, "d": 8, "q": 16, "b": 1, "h": 2}

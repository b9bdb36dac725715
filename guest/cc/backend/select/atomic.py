"""Atomics: LSE instructions; capability forms for capabilities."""

from __future__ import annotations

from guest.cc import ir
from guest.cc.backend.mir import SCRATCH, SCRATCH2
from guest.cc.backend.select.core import Selector, selects
from guest.cc.ir import AtomicOp, Ty, Width

_SUFFIX = {Width.U8: "b", Width.S8: "b", Width.U16: "h", Width.S16: "h"}
_LSE = {
    AtomicOp.ADD: "ldadd",
    AtomicOp.SUB: "ldadd",
    AtomicOp.AND: "ldclr",
    AtomicOp.OR: "ldset",
    AtomicOp.XOR: "ldeor",
}
_CAP_STEP = {
    AtomicOp.ADD: "add c{t}, @0c, $x, uxtx",
    AtomicOp.SUB: "neg x{t}, $x\n\tadd c{t}, @0c, x{t}, uxtx",
    AtomicOp.AND: "and x{t}, @0x, $x\n\tscvalue c{t}, @0c, x{t}",
    AtomicOp.OR: "orr x{t}, @0x, $x\n\tscvalue c{t}, @0c, x{t}",
    AtomicOp.XOR: "eor x{t}, @0x, $x\n\tscvalue c{t}, @0c, x{t}",
}


def _view(width: Width) -> str:
    return {Width.CAP: "c", Width.X64: "x"}.get(width, "w")


@selects(ir.Atomic)
def select_atomic(s: Selector, op: ir.Atomic) -> None:
    if op.op is AtomicOp.FENCE:
        s.emit("dmb ish")
        return
    assert op.address is not None
    view, suffix = _view(op.width), _SUFFIX.get(op.width, "")
    address = s.use(op.address)
    if op.op is AtomicOp.STORE:
        assert op.operand is not None
        s.emit(f"stlr{suffix} ${view}, [$c]", s.use(op.operand), address)
        return
    result = s.reg(op.dst) if op.dst is not None else s.temp(view)
    if op.op is AtomicOp.LOAD:
        s.emit(f"ldar{suffix} =${view}, [$c]", result, address)
    elif op.op is AtomicOp.COMPARE_EXCHANGE:
        _compare_exchange(s, op, result, address, view, suffix)
    elif op.op is AtomicOp.EXCHANGE:
        assert op.operand is not None
        s.emit(f"swpal{suffix} ${view}, =${view}, [$c]", s.use(op.operand), result, address)
    elif op.width is Width.CAP:
        _cap_loop(s, op, result, address)
    else:
        _fetch_and(s, op, result, address, view, suffix)
    _extend(s, op, result)


def _compare_exchange(s: Selector, op: ir.Atomic, result: int, address: int, view: str, suffix: str) -> None:
    assert op.operand is not None and op.expected is not None
    old = s.temp(view)
    if suffix:  # the comparison sees the stored width only
        s.emit(f"uxt{suffix} =$w, $w", old, s.use(op.expected))
    else:
        s.copy(old, s.use(op.expected), view)
    s.emit(f"casal{suffix} +${view}, ${view}, [$c]", old, s.use(op.operand), address)
    s.copy(result, old, view)


def _fetch_and(s: Selector, op: ir.Atomic, result: int, address: int, view: str, suffix: str) -> None:
    assert op.operand is not None
    value = s.use(op.operand)
    if op.op in (AtomicOp.SUB, AtomicOp.AND):
        changed = s.temp(view)
        s.emit(f"{'neg' if op.op is AtomicOp.SUB else 'mvn'} =${view}, ${view}", changed, value)
        value = changed
    s.emit(f"{_LSE[op.op]}al{suffix} ${view}, =${view}, [$c]", value, result, address)


def _cap_loop(s: Selector, op: ir.Atomic, result: int, address: int) -> None:
    """Load-exclusive loop; the new value goes through C17, the status through W16."""
    assert op.operand is not None
    again = s.label("atomic")
    step = _CAP_STEP[op.op].format(t=SCRATCH2)
    s.emit(
        f"{again}:\n\tldaxr &$c, [$c]\n\t{step}\n\t"
        f"stlxr w{SCRATCH}, c{SCRATCH2}, [@1c]\n\tcbnz w{SCRATCH}, {again}",
        result,
        address,
        s.use(op.operand),
    )


def _extend(s: Selector, op: ir.Atomic, result: int) -> None:
    """Signed narrow results."""
    if op.width in (Width.S8, Width.S16) and op.dst is not None:
        name = "sxtb" if op.width is Width.S8 else "sxth"
        s.emit(f"{name} =${'x' if op.dst.ty is Ty.I64 else 'w'}, $w", result, result)

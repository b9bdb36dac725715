"""Parameters, calls and returns: copies between virtual registers and the places of AAPCS64-cap."""

from __future__ import annotations

from guest.cc import ir
from guest.cc.backend.immediates import set_bounds_immediate
from guest.cc.backend.mir import FIRST_V, LR, VIEW_BYTES, VIEW_OF_TYPE, FrameKind, FrameRef
from guest.cc.backend.select.core import Selector, selects
from guest.cc.ir import Place, RegFile, Special, Ty
from morello_isa.asm.operands import REGISTERS

RESULT_BUFFER_REGISTER = 8
VARARGS_REGISTER = 9
SLOT = 16
_ENTRY_REGISTER = {
    Special.VARARGS: VARARGS_REGISTER,
    Special.RESULT_BUFFER: RESULT_BUFFER_REGISTER,
    Special.RETURN_ADDRESS: LR,
}


def branch_symbol(name: str) -> str:
    """A function's name as a branch operand; one that reads like a register becomes an expression."""
    return f"{name}+0" if name.lower() in REGISTERS else name


def place_register(place: Place) -> int:
    """Physical register of an X, C or V place."""
    return place.index + (FIRST_V if place.file is RegFile.V else 0)


def receive_parameters(s: Selector) -> None:
    """Copies at function entry."""
    for special, register in s.specials.items():
        s.copy(register, _ENTRY_REGISTER[special], "c")
    for vreg, place in s.function.params:
        if s.use_counts.get(vreg, 0) == 0 and len(s.global_defs.get(vreg, ())) <= 1:
            continue
        view = VIEW_OF_TYPE[vreg.ty]
        if place.file is RegFile.STACK:
            ref = FrameRef(FrameKind.IN, 0, place.index, VIEW_BYTES[view])
            s.emit(f"ldr =${view}, $m", s.reg(vreg), ref)
    for vreg, place in s.function.params:
        if s.use_counts.get(vreg, 0) == 0 and len(s.global_defs.get(vreg, ())) <= 1:
            continue
        if place.file is not RegFile.STACK:
            s.copy(s.reg(vreg), place_register(place), _place_view(vreg.ty, place))


def _place_view(ty: Ty, place: Place) -> str:
    """A C place may carry integers too: the whole register is copied."""
    return "c" if place.file is RegFile.C and ty is Ty.CAP else VIEW_OF_TYPE[ty]


@selects(ir.Call)
def select_call(s: Selector, op: ir.Call) -> None:
    s.out.has_calls = True
    area = (op.stack_bytes + SLOT - 1) // SLOT * SLOT
    s.out.out_bytes = max(s.out.out_bytes, area + SLOT * (op.varargs or 0))
    for operand, place in op.args:
        if place.file in (RegFile.STACK, RegFile.VARARG):
            offset = place.index if place.file is RegFile.STACK else area + SLOT * place.index
            _store_argument(s, operand, offset)
    used: list[int] = []
    target = s.use(op.target) if isinstance(op.target, ir.VReg) else None
    for operand, place in op.args:
        if place.file not in (RegFile.STACK, RegFile.VARARG):
            used.append(place_register(place))
            _load_register(s, operand, place)
    if op.indirect_result is not None:
        used.append(RESULT_BUFFER_REGISTER)
        s.copy(RESULT_BUFFER_REGISTER, s.use(op.indirect_result), "c")
    if op.varargs is not None:
        used.append(VARARGS_REGISTER)
        _vararg_area(s, area, op.varargs)
    if target is None:
        call = s.emit("bl $#", branch_symbol(str(op.target)))
    else:
        call = s.emit("blr $c", target)
    call.clobbers = True
    call.implicit_uses = tuple(used)
    call.implicit_defs = tuple(place_register(p) for _, p in op.results)
    for vreg, place in op.results:
        if s.use_counts.get(vreg, 0) or len(s.global_defs[vreg]) > 1:
            s.copy(s.reg(vreg), place_register(place), _place_view(vreg.ty, place))


def _store_argument(s: Selector, operand: ir.Operand, offset: int) -> None:
    if isinstance(operand, ir.Imm):
        register, view = s.gpr(operand, "x"), "x"
    else:
        register, view = s.use(operand), VIEW_OF_TYPE[operand.ty]
    s.emit(f"str ${view}, $m", register, FrameRef(FrameKind.OUT, 0, offset, VIEW_BYTES[view]))


def _load_register(s: Selector, operand: ir.Operand, place: Place) -> None:
    register = place_register(place)
    if isinstance(operand, ir.VReg):
        value = s.constant(operand) if operand.ty is not Ty.CAP else None
        if value is None:
            s.copy(register, s.use(operand), _place_view(operand.ty, place))
            return
        definition = s.definition(operand)
        assert definition is not None
        s.take(definition)
        s.move_immediate(register, value, VIEW_OF_TYPE[operand.ty])
    else:
        s.move_immediate(register, operand.value, "x")


def _vararg_area(s: Selector, offset: int, count: int) -> None:
    if count == 0:
        s.emit("mov =$x, xzr", VARARGS_REGISTER)
        return
    s.emit("frameaddr =$c, $m", VARARGS_REGISTER, FrameRef(FrameKind.OUT, 0, offset, 1))
    length = set_bounds_immediate(SLOT * count)
    if length is not None:
        s.emit("scbnds =$c, $c, $#", VARARGS_REGISTER, VARARGS_REGISTER, length)
    else:
        size = s.temp("x")
        s.move_immediate(size, SLOT * count, "x")
        s.emit("scbnds =$c, $c, $x", VARARGS_REGISTER, VARARGS_REGISTER, size)


@selects(ir.Return)
def select_return(s: Selector, op: ir.Return) -> None:
    for operand, place in op.values:
        _load_register(s, operand, place)
    ret = s.emit("ret c30")
    ret.implicit_uses = tuple(place_register(p) for _, p in op.values)

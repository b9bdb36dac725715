"""Lowering, part 8: statements, local objects, initialisers and whole functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from guest.cc import ir
from guest.cc import tree as t
from guest.cc import types as ct
from guest.cc.abi import register_class, result_passing
from guest.cc.debug import TypeTable
from guest.cc.errors import CompileError
from guest.cc.ir import BinOp, Cond, Imm, Operand, Ty, VReg
from guest.cc.lower_builtins import BuiltinLowering
from guest.cc.lower_emit import drop_unreachable, signed64
from guest.cc.lower_memory import BitField, Mem, chunks
from guest.cc.symbols import Kind, Symbol

LARGEST_EXPANDED_RANGE = 256  # `case low ... high` of up to this many values becomes single cases
_MEMORY_CONSTRAINTS = ("m", "Q")
CONSTANT_COPY = 64  # constant initialisers of more bytes are copied from a read-only object


@dataclass(slots=True)
class ModuleState:
    """What the functions of a module share: data objects made on the way and the needed symbols."""

    data: list[ir.Data] = field(default_factory=list)
    needed: list[Symbol] = field(default_factory=list)
    types: TypeTable = field(default_factory=TypeTable)
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1 << 30)))
    constant_bytes: Callable[[t.Init], bytes | None] = field(default=lambda _init: None)


class StatementLowering(BuiltinLowering):
    """Lowers one function body."""

    def __init__(self, function: ir.Function, source: t.Function, module: ModuleState) -> None:
        super().__init__(function, source.address_taken_labels)
        self.source = source
        self.module = module
        signature = source.symbol.type
        assert isinstance(signature, ct.FunctionType)
        self.result_type = signature.result
        self.result_buffer: VReg | None = None
        self.break_targets: list[str] = []
        self.continue_targets: list[str] = []
        self.case_blocks: dict[int, str] = {}
        self.registers_named: dict[Symbol, str] = {}

    def lower(self) -> None:
        if not self.result_type.is_void and result_passing(self.result_type).by_reference:
            self.result_buffer = self.special(ir.Special.RESULT_BUFFER)
        if self.function.is_variadic:
            self.varargs = self.special(ir.Special.VARARGS)
        self.receive_parameters(self.source.params, {p for p in self.source.params if _in_memory(p)})
        for p in self.source.params:
            self._debug_variable(p, is_parameter=True)
        self.statements(self.source.body)
        if self.open:
            self._fall_off_the_end()
        drop_unreachable(self.function, [self.label_block(name) for name in self.labels_taken])

    def _fall_off_the_end(self) -> None:
        """Without a return statement: main gives 0, others an unspecified value."""
        if self.result_type.is_void or not self.result_type.is_scalar:
            self.terminate(ir.Return([]))
            return
        zero = t.IntConst(ct.INT, self.source.loc, 0)
        self.return_value(t.Convert(self.result_type, self.source.loc, zero), self.result_type, None)

    def builtin(self, e: t.Builtin) -> VReg | None:
        if e.name == "varargs":
            return self.varargs
        return super().builtin(e)

    def need(self, symbol: Symbol) -> None:
        self.module.needed.append(symbol)

    # -------------------------------------------------------- local objects

    def home_of(self, symbol: Symbol) -> VReg | Mem:
        """The symbol's home, made on its first mention."""
        home = self.homes.get(symbol)
        if home is None:
            if _in_memory(symbol):
                size, align = self.padded(symbol.type.size, max(symbol.type.align, symbol.align))
                home = Mem(self.new_slot(size, align, symbol.name))
            else:
                home = self.vreg(register_class(symbol.type), symbol.name or ".hidden")
            self.homes[symbol] = home
            self._debug_variable(symbol)
        return home

    def _debug_variable(self, symbol: Symbol, is_parameter: bool = False) -> None:
        home = self.homes[symbol]
        if not symbol.name:
            return
        place: VReg | int
        ty = symbol.type
        if isinstance(home, VReg):
            place = home
        elif isinstance(home.base, int):
            place = home.base
        else:  # passed by reference: the register holds a pointer to it
            place, ty = home.base, ct.PointerType(ty)
        type_id = self.module.types.type_id(ty)
        self.function.variables.append(ir.Variable(symbol.name, type_id, place, is_parameter))

    def _local_decl(self, s: t.LocalDecl) -> None:
        symbol = s.symbol
        if s.length is not None:
            dst = self.vreg(Ty.CAP, symbol.name)
            self.emit(ir.Alloca(dst, self.value(s.length)))
            self.homes[symbol] = Mem(dst)
            return
        home = self.home_of(symbol)
        if s.init is not None:
            self.initialize(home, symbol.type, s.init)

    def initialize(self, home: VReg | Mem, ty: ct.CType, init: t.Init) -> None:
        if isinstance(home, VReg):
            self.assign(home, self.operand(init.pieces[0].value))
            return
        if ty.quals & ct.VOLATILE:
            home = Mem(home.base, home.offset, volatile=True)
        if ty.is_scalar:
            self.store(home, ty, self.operand(init.pieces[0].value))
            return
        first = init.pieces[0].value if len(init.pieces) == 1 else None
        if isinstance(first, t.Call) and ct.same_type(first.type, ty) and isinstance(home.base, int):
            self.call(first, home)
            return
        values = self._precomputed(init)
        data = self.module.constant_bytes(init) if init.size > CONSTANT_COPY else None
        if data is not None and any(data):
            self._copy_constant(home, ty, init, data)
            return
        if init.zero_rest:
            self._zero_uncovered(home, ty, init)
        for piece, value in zip(init.pieces, values, strict=True):
            self._store_piece_of(home, piece, value)

    def _precomputed(self, init: t.Init) -> list[Operand | Mem | None]:
        """Values that call or read memory, before anything is overwritten (`s = (T){s.b, s.a}`)."""
        return [None if _is_constant(p.value) else self._argument_value(p.value) for p in init.pieces]

    def _copy_constant(self, home: Mem, ty: ct.CType, init: t.Init, data: bytes) -> None:
        name = f".Lconst.{next(self.module.numbers)}"
        self.module.data.append(
            ir.Data(name, len(data), max(ty.align, 8), data, is_static=True, is_const=True)
        )
        self.emit(ir.CopyMemory(self.cap_of(home), self.global_address(name), init.size, ty.align, False))

    def _zero_uncovered(self, home: Mem, ty: ct.CType, init: t.Init) -> None:
        covered = bytearray(init.size)
        for piece in init.pieces:
            if piece.field is None:
                size = piece.value.type.size
                covered[piece.offset : piece.offset + size] = b"\1" * size
        missing = covered.count(0)
        if not missing:
            return
        if missing > 128:
            self.zero(home, init.size, ty.align)
            return
        home = self.simple(home)
        for offset, count in chunks(init.size, set()):
            if 0 in covered[offset : offset + count]:
                self.zero(home.plus(offset), count, count)

    def _store_piece_of(self, home: Mem, piece: t.InitPiece, value: Operand | Mem | None) -> None:
        target = home.plus(piece.offset)
        if isinstance(piece.value, t.Bytes):
            for offset, count in chunks(len(piece.value.data), set()):
                chunk = int.from_bytes(piece.value.data[offset : offset + count], "little")
                width = {8: ir.Width.X64, 4: ir.Width.W32, 2: ir.Width.U16, 1: ir.Width.U8}[count]
                self.store_width(width, Imm(signed64(chunk)), target.plus(offset))
            return
        if isinstance(value, Mem):
            self.copy_record(target, value, piece.value.type)
            return
        if value is None:
            value = self.operand(piece.value)
        place = BitField(target, piece.field) if piece.field is not None else target
        ty = piece.field.type if piece.field is not None else piece.value.type
        self.store(place, ct.unqualified(ty), value)

    # -------------------------------------------------------- statements

    def statements(self, body: list[t.Stmt]) -> None:
        for s in body:
            self.statement(s)

    def statement(self, s: t.Stmt) -> None:
        self.loc = s.loc
        self._STATEMENTS[type(s)](self, s)

    def _expression(self, s: t.ExprStmt) -> None:
        self.effect(s.expression)

    def _block(self, s: t.Block) -> None:
        self.statements(s.body)

    def _if(self, s: t.If) -> None:
        yes, end = self.label("if"), self.label("endif")
        no = self.label("else") if s.otherwise is not None else end
        self.branch_on(s.condition, yes, no)
        self.start(yes)
        self.statement(s.then)
        if s.otherwise is not None:
            self.jump(end)
            self.start(no)
            self.statement(s.otherwise)
        self.start(end)

    def _loop(self, s: t.Loop) -> None:
        body, step = self.label("loop"), self.label("continue")
        test, end = self.label("test"), self.label("endloop")
        if s.test_first and s.condition is not None:
            self.jump(test)
        self.start(body)
        self.break_targets.append(end)
        self.continue_targets.append(step)
        self.statement(s.body)
        self.break_targets.pop()
        self.continue_targets.pop()
        self.start(step)
        if s.step is not None:
            self.loc = s.step.loc
            self.effect(s.step)
        if s.condition is None:
            self.jump(body)
        else:
            self.start(test)
            self.loc = s.condition.loc
            self.branch_on(s.condition, body, end)
        self.start(end)

    def _switch(self, s: t.Switch) -> None:
        value = self.value(s.value)
        end = self.label("endswitch")
        for _, _, case in s.cases:
            self.case_blocks[id(case)] = self.label("case")
        default = end
        if s.default is not None:
            default = self.case_blocks[id(s.default)] = self.label("default")
        mask = (1 << (64 if value.ty is Ty.I64 else 32)) - 1
        cases: dict[int, str] = {}
        for low, high, case in s.cases:
            block = self.case_blocks[id(case)]
            if high - low < LARGEST_EXPANDED_RANGE:
                cases.update({v & mask: block for v in range(low, high + 1)})
                continue
            other = self.label("range")
            shifted = self.binary(BinOp.SUB, value.ty, value, self.constant(value.ty, low))
            self.branch(Cond.ULE, shifted, self.constant(value.ty, high - low), block, other)
            self.start(other)
        if cases:
            self.terminate(ir.Switch(value, cases, default))
        else:
            self.jump(default)
        self.break_targets.append(end)
        self.statement(s.body)
        self.break_targets.pop()
        self.start(end)

    def _case(self, s: t.Case) -> None:
        self.start(self.case_blocks[id(s)])
        self.statement(s.body)

    def _label(self, s: t.Label) -> None:
        self.start(self.label_block(s.name))
        self.statement(s.body)

    def _goto(self, s: t.Goto) -> None:
        self.jump(self.label_block(s.label))

    def _computed_goto(self, s: t.ComputedGoto) -> None:
        targets = [self.label_block(name) for name in self.labels_taken]
        self.terminate(ir.IndirectJump(self.value(s.address), targets))

    def _break(self, _s: t.Break) -> None:
        self.jump(self.break_targets[-1])

    def _continue(self, _s: t.Continue) -> None:
        self.jump(self.continue_targets[-1])

    def _return(self, s: t.Return) -> None:
        self.return_value(s.value, self.result_type, self.result_buffer)

    # -------------------------------------------------------- asm

    def _asm(self, s: t.Asm) -> None:
        outputs: list[tuple[str, VReg]] = []
        places = [self.place(o.expression) for o in s.outputs]
        for operand, place in zip(s.outputs, places, strict=True):
            if operand.constraint in _MEMORY_CONSTRAINTS:
                raise CompileError(operand.expression.loc, "an asm output in memory is not supported")
            self._check_asm(operand)
            in_register = isinstance(place, VReg)
            register = place if in_register else self.vreg(register_class(operand.expression.type))
            assert isinstance(register, VReg)
            outputs.append((self._asm_constraint(operand), register))
        inputs: list[tuple[str, Operand]] = []
        tied: dict[int, int] = {}
        for operand in s.inputs:
            self._check_asm(operand)
            if operand.tied is not None:
                tied[len(inputs)] = operand.tied
            inputs.append((self._asm_constraint(operand), self._asm_input(operand)))
        self.emit(ir.Asm(s.template, outputs, inputs, tied, s.clobbers))
        for (_, register), operand, place in zip(outputs, s.outputs, places, strict=True):
            if not isinstance(place, VReg):
                self.store(place, operand.expression.type, register)
            elif operand.expression.type.size < 4:
                self.assign(place, self.extended(register, operand.expression.type))

    def _asm_input(self, operand: t.AsmOperand) -> Operand:
        if operand.constraint in _MEMORY_CONSTRAINTS:
            place = self.place(operand.expression)
            if not isinstance(place, Mem):
                raise CompileError(operand.expression.loc, "this asm operand is not in memory")
            return self.cap_of(place)
        value = self.operand(operand.expression)
        if isinstance(value, VReg) or operand.constraint in ("i", "n", "I"):
            if not isinstance(value, VReg) or operand.constraint not in ("i", "n", "I"):
                return value
            raise CompileError(operand.expression.loc, "this asm operand must be constant")
        return self.register(value, register_class(operand.expression.type))

    def _asm_constraint(self, operand: t.AsmOperand) -> str:
        """The constraint letter, or `{x8}` for a variable bound to a register."""
        e = operand.expression
        if isinstance(e, t.SymbolRef) and e.symbol.kind is Kind.LOCAL and e.symbol.link_name:
            return "{" + e.symbol.link_name + "}"
        return operand.constraint

    @staticmethod
    def _check_asm(operand: t.AsmOperand) -> None:
        if operand.constraint in _MEMORY_CONSTRAINTS:
            return
        if not operand.expression.type.is_scalar:
            raise CompileError(operand.expression.loc, "an asm operand must be a number or pointer")
        if operand.constraint.strip("&") not in ("r", "w", "C", "i", "n", "I", "rC", "ri", "rZ"):
            raise CompileError(
                operand.expression.loc, f"the asm constraint '{operand.constraint}' is not supported"
            )

    _STATEMENTS: ClassVar[dict[type[t.Stmt], Callable[..., None]]] = {
        t.ExprStmt: _expression,
        t.LocalDecl: _local_decl,
        t.Block: _block,
        t.If: _if,
        t.Loop: _loop,
        t.Switch: _switch,
        t.Case: _case,
        t.Label: _label,
        t.Goto: _goto,
        t.ComputedGoto: _computed_goto,
        t.Break: _break,
        t.Continue: _continue,
        t.Return: _return,
        t.Asm: _asm,
    }


def _in_memory(symbol: Symbol) -> bool:
    """Must a local have a frame slot: aggregates, address taken, volatile or atomic."""
    ty = symbol.type
    return not ty.is_scalar or symbol.address_taken or bool(ty.quals & (ct.VOLATILE | ct.ATOMIC))


def _is_constant(e: t.Expr) -> bool:
    return isinstance(e, (t.IntConst, t.FloatConst, t.Bytes))

"""Lowering, part 6: calls, parameters and returns by AAPCS64-cap (module `abi` decides the places)."""

from __future__ import annotations

from guest.cc import ir
from guest.cc import tree as t
from guest.cc import types as ct
from guest.cc.abi import SLOT, Assigner, Passing, Piece, register_class, result_passing
from guest.cc.ir import Operand, Place, Ty, UnOp, VReg, Width
from guest.cc.lower_expressions import ExpressionLowering
from guest.cc.lower_memory import Mem
from guest.cc.symbols import Kind, Symbol

SETJMP_NAMES = frozenset(["setjmp", "_setjmp", "sigsetjmp", "__sigsetjmp"])


class CallLowering(ExpressionLowering):
    """Both sides of a call."""

    def call(self, e: t.Call, home: Mem | None = None) -> VReg | Mem | None:
        """The call's value; a record result goes to the frame slot `home` when there is one."""
        target = self._target(e)
        assigner = Assigner()
        buffer, buffer_address = self._result_buffer(e.type, home)
        args: list[tuple[Operand, Place]] = []
        named = len(e.signature.params)
        values = [self._argument_value(arg) for arg in e.args]
        for i, (arg, value) in enumerate(zip(e.args, values, strict=True)):
            if e.signature.variadic and i >= named:
                args += self._argument(arg.type, value, assigner.anonymous(arg.type), anonymous=True)
            else:
                args += self._argument(arg.type, value, assigner.named(arg.type))
        results, result_pieces = self._results(e.type)
        noreturn = self._is_noreturn(e.function)
        self.emit(
            ir.Call(
                target,
                args,
                results,
                buffer_address,
                ct.round_up(assigner.nsaa, 16),
                assigner.slots if e.signature.variadic else None,
                noreturn,
            )
        )
        if noreturn:
            self.open = False
        if e.type.is_void:
            return None
        if buffer is not None:
            return buffer
        return self._received(e.type, result_pieces, home)

    def _target(self, e: t.Call) -> str | VReg:
        function = e.function
        if isinstance(function, t.AddressOf) and isinstance(function.operand, t.SymbolRef):
            symbol = function.operand.symbol
            if symbol.kind is Kind.FUNCTION:
                self.need(symbol)
                if symbol.name in SETJMP_NAMES or symbol.attributes.returns_twice:
                    self.function.calls_setjmp = True
                return symbol.link_name
        return self.value(function)

    @staticmethod
    def _is_noreturn(function: t.Expr) -> bool:
        if isinstance(function, t.AddressOf) and isinstance(function.operand, t.SymbolRef):
            return function.operand.symbol.noreturn
        return False

    def _argument_value(self, e: t.Expr) -> Operand | Mem:
        if not e.type.is_record:
            return self.operand(e)
        mem = self.simple(self.record(e))
        return mem

    def _argument(
        self, ty: ct.CType, value: Operand | Mem, passing: Passing, anonymous: bool = False
    ) -> list[tuple[Operand, Place]]:
        """One argument's pieces as (operand, place)."""
        if not isinstance(value, Mem):
            if not passing.by_reference:
                return [(value, passing.pieces[0].place)]
            home = Mem(self.new_slot(ty.size, ty.align))
            self.store(home, ty, value)
            return [(self.cap_of(home), passing.pieces[0].place)]
        if ty.size == 0:
            return []
        if passing.by_reference:
            copied = Mem(self.new_slot(*self.padded(ty.size, ty.align)))
            self.copy_record(copied, value, ty)
            return [(self.cap_of(copied), passing.pieces[0].place)]
        if anonymous and ty.size > 8:  # a whole slot travels in one C register
            staged = Mem(self.new_slot(SLOT, SLOT))
            self.copy_record(staged, value, ty)
            value = staged
        return [(self._piece_value(value, piece), piece.place) for piece in passing.pieces]

    def _piece_value(self, mem: Mem, piece: Piece) -> VReg:
        if piece.ty is Ty.I64:
            return self.load_bytes(mem, piece.offset, piece.size)
        width = {Ty.CAP: Width.CAP, Ty.F32: Width.F32, Ty.F64: Width.F64}[piece.ty]
        return self.load_width(width, piece.ty, mem.plus(piece.offset))

    def _store_piece(self, mem: Mem, piece: Piece, value: VReg) -> None:
        if piece.ty is Ty.I64:
            self.store_bytes(mem, piece.offset, piece.size, value)
            return
        width = {Ty.CAP: Width.CAP, Ty.F32: Width.F32, Ty.F64: Width.F64}[piece.ty]
        self.store_width(width, value, mem.plus(piece.offset))

    # -------------------------------------------------------- results, caller's side

    def _result_buffer(self, ty: ct.CType, home: Mem | None) -> tuple[Mem | None, VReg | None]:
        if ty.is_void or not result_passing(ty).by_reference:
            return None, None
        buffer = home or Mem(self.new_slot(*self.padded(ty.size, ty.align)))
        return buffer, self.cap_of(buffer)

    def _results(self, ty: ct.CType) -> tuple[list[tuple[VReg, Place]], list[tuple[VReg, Piece]]]:
        if ty.is_void:
            return [], []
        passing = result_passing(ty)
        if passing.by_reference:
            return [], []
        received = [(self.vreg(piece.ty), piece) for piece in passing.pieces]
        return [(v, piece.place) for v, piece in received], received

    def _received(self, ty: ct.CType, pieces: list[tuple[VReg, Piece]], home: Mem | None) -> VReg | Mem:
        if not ty.is_record:
            return self.extended(pieces[0][0], ty)
        home = home or Mem(self.new_slot(max(ty.size, 1), ty.align))
        for value, piece in pieces:
            self._store_piece(home, piece, value)
        return home

    # -------------------------------------------------------- callee's side

    def receive_parameters(self, params: list[Symbol], in_memory: set[Symbol]) -> None:
        """Take the parameters from their places; those in `in_memory` get a frame slot."""
        assigner = Assigner()
        arrivals: list[tuple[Symbol, Passing, list[VReg]]] = []
        for symbol in params:
            passing = assigner.named(symbol.type)
            registers = [self.vreg(piece.ty) for piece in passing.pieces]
            self.function.params += [
                (v, piece.place) for v, piece in zip(registers, passing.pieces, strict=True)
            ]
            arrivals.append((symbol, passing, registers))
        for symbol, passing, registers in arrivals:
            self._settle(symbol, passing, registers, symbol in in_memory)

    def _settle(self, symbol: Symbol, passing: Passing, registers: list[VReg], in_memory: bool) -> None:
        ty = symbol.type
        if passing.by_reference and ty.is_record:
            self.homes[symbol] = Mem(registers[0])
            return
        if ty.is_record:
            home = Mem(self.new_slot(max(ty.size, 1), ty.align, symbol.name))
            for value, piece in zip(registers, passing.pieces, strict=True):
                self._store_piece(home, piece, value)
            self.homes[symbol] = home
            return
        value = self.extended(registers[0], ty)
        if in_memory:
            slot = Mem(self.new_slot(ty.size, ty.align, symbol.name))
            self.store(slot, ct.unqualified(ty), value)
            self.homes[symbol] = slot
            return
        register = self.vreg(register_class(ty), symbol.name)
        self.emit(ir.Unary(UnOp.COPY, register, value))
        self.homes[symbol] = register

    def return_value(self, e: t.Expr | None, result: ct.CType, buffer: VReg | None) -> None:
        """The return statement's operation."""
        if e is None:
            self.terminate(ir.Return([]))
            return
        passing = result_passing(result)
        if not result.is_record:
            self.terminate(ir.Return([(self.operand(e), passing.pieces[0].place)]))
            return
        mem = self.simple(self.record(e))
        if passing.by_reference:
            assert buffer is not None
            self.copy_record(Mem(buffer), mem, result)
            self.terminate(ir.Return([]))
            return
        if result.size == 0:
            self.terminate(ir.Return([]))
            return
        values: list[tuple[Operand, Place]] = [
            (self._piece_value(mem, piece), piece.place) for piece in passing.pieces
        ]
        self.terminate(ir.Return(values))

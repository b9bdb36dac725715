"""Lowering, part 7: `tree.Builtin` nodes. One row or one method per builtin name."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from guest.cc import ir
from guest.cc import tree as t
from guest.cc import types as ct
from guest.cc.abi import register_class
from guest.cc.errors import CompileError
from guest.cc.ir import AtomicOp, BinOp, CapOp, Cond, Imm, Ty, UnOp, VReg
from guest.cc.lower_calls import CallLowering
from guest.cc.lower_memory import Mem

_UNARY = {  # same class in and out
    op.value: op
    for op in (
        UnOp.BSWAP,
        UnOp.FABS,
        UnOp.FSQRT,
        UnOp.FFLOOR,
        UnOp.FCEIL,
        UnOp.FTRUNC,
        UnOp.FNEAREST,
        UnOp.CAP_REPRESENTABLE_LENGTH,
        UnOp.CAP_REPRESENTABLE_MASK,
        UnOp.CAP_CLEAR_TAG,
        UnOp.CAP_SEAL_ENTRY,
    )
}
_COUNTS = {op.value: op for op in (UnOp.CLZ, UnOp.CTZ, UnOp.POPCOUNT)}
_CAP_FIELDS = {
    op.value: op
    for op in (
        UnOp.CAP_ADDRESS,
        UnOp.CAP_BASE,
        UnOp.CAP_LENGTH,
        UnOp.CAP_OFFSET,
        UnOp.CAP_PERMS,
        UnOp.CAP_TYPE,
        UnOp.CAP_TAG,
        UnOp.CAP_SEALED,
        UnOp.CAP_FLAGS,
    )
}
_CAP_BINARY = {op.value: op for op in CapOp}
_SPECIALS = {special.value: special for special in ir.Special}
_FETCH = {"+": AtomicOp.ADD, "-": AtomicOp.SUB, "&": AtomicOp.AND, "|": AtomicOp.OR, "^": AtomicOp.XOR}
_RECOMPUTE = {"+": BinOp.ADD, "-": BinOp.SUB, "&": BinOp.AND, "|": BinOp.OR, "^": BinOp.XOR}


class BuiltinLowering(CallLowering):
    """Code of the builtins; `builtins` has checked and converted the arguments."""

    def builtin(self, e: t.Builtin) -> VReg | None:
        name = e.name
        if name in _UNARY:
            v = self.value(e.args[0])
            return self.unary(_UNARY[name], v.ty, v)
        if name in _COUNTS:
            return self._count(_COUNTS[name], self.value(e.args[0]))
        if name in _CAP_FIELDS:
            v = self.unary(_CAP_FIELDS[name], Ty.I64, self.value(e.args[0]))
            return self.unary(UnOp.TRUNC, Ty.I32, v) if register_class(e.type) is Ty.I32 else v
        if name in _SPECIALS:
            return self.special(_SPECIALS[name])
        if name in _CAP_BINARY:
            return self.cap(_CAP_BINARY[name], self.value(e.args[0]), self.operand(e.args[1]))
        if name.startswith("overflow"):
            return self._overflow(e)
        if name.startswith("atomic_fetch"):
            return self._atomic_fetch(e)
        return self._NAMED[name](self, e)

    # -------------------------------------------------------- bits

    def _count(self, op: UnOp, v: VReg) -> VReg:
        result = self.unary(op, v.ty, v)
        return self.unary(UnOp.TRUNC, Ty.I32, result) if v.ty is Ty.I64 else result

    def _bswap16(self, e: t.Builtin) -> VReg:
        swapped = self.unary(UnOp.BSWAP, Ty.I32, self.value(e.args[0]))
        return self.binary(BinOp.LSHR, Ty.I32, swapped, Imm(16))

    def _ffs(self, e: t.Builtin) -> VReg:
        v = self.value(e.args[0])
        plus_one = self.binary(BinOp.ADD, Ty.I32, self._count(UnOp.CTZ, v), Imm(1))
        return self._select(Cond.EQ, v, Imm(0), self.constant(Ty.I32, 0), plus_one)

    def _select(self, cond: Cond, a: VReg, b: ir.Operand, yes: VReg, no: VReg) -> VReg:
        dst = self.vreg(yes.ty)
        self.emit(ir.Select(cond, dst, a, b, yes, no))
        return dst

    def _parity(self, e: t.Builtin) -> VReg:
        return self.binary(BinOp.AND, Ty.I32, self._count(UnOp.POPCOUNT, self.value(e.args[0])), Imm(1))

    def _abs(self, e: t.Builtin) -> VReg:
        v = self.value(e.args[0])
        return self._select(Cond.SLT, v, Imm(0), self.unary(UnOp.NEG, v.ty, v), v)

    # -------------------------------------------------------- control and stack

    def _unreachable(self, _e: t.Builtin) -> None:
        self.terminate(ir.Unreachable())

    def _trap(self, _e: t.Builtin) -> None:
        self.emit(ir.Asm("brk #0x1", [], [], {}, []))
        self.terminate(ir.Unreachable())

    def _alloca(self, e: t.Builtin) -> VReg:
        dst = self.vreg(Ty.CAP)
        self.emit(ir.Alloca(dst, self.value(e.args[0])))
        return dst

    # -------------------------------------------------------- floating point

    def _fma(self, e: t.Builtin) -> VReg:
        a, b, c = (self.value(arg) for arg in e.args)
        dst = self.vreg(a.ty)
        self.emit(ir.Fma(dst, a, b, c))
        return dst

    def _copysign(self, e: t.Builtin) -> VReg:
        a, b = (self.value(arg) for arg in e.args)
        return self.binary(BinOp.FCOPYSIGN, a.ty, a, b)

    def _bits(self, e: t.Builtin) -> tuple[VReg, int, int]:
        """The argument's bits, with its exponent mask and width."""
        v = self.value(e.args[0])
        if v.ty is Ty.F32:
            return self.unary(UnOp.BITS, Ty.I32, v), 0x7F800000, 32
        return self.unary(UnOp.BITS, Ty.I64, v), 0x7FF << 52, 64

    def _signbit(self, e: t.Builtin) -> VReg:
        bits, _, width = self._bits(e)
        top = self.binary(BinOp.LSHR, bits.ty, bits, Imm(width - 1))
        return self.unary(UnOp.TRUNC, Ty.I32, top) if width == 64 else top

    def _exponent_compare(self, e: t.Builtin, cond: Cond) -> VReg:
        bits, mask, width = self._bits(e)
        magnitude = self.binary(BinOp.AND, bits.ty, bits, Imm((1 << (width - 1)) - 1))
        return self.set_cond(cond, magnitude, self.constant(bits.ty, mask))

    def _isnormal(self, e: t.Builtin) -> VReg:
        bits, mask, _ = self._bits(e)
        exponent = self.binary(BinOp.AND, bits.ty, bits, Imm(mask))
        least = mask & -mask
        above = self.binary(BinOp.SUB, bits.ty, exponent, self.constant(bits.ty, least))
        return self.set_cond(Cond.ULT, above, self.constant(bits.ty, mask - least))

    def _isinf_sign(self, e: t.Builtin) -> VReg:
        infinite = self._exponent_compare(e, Cond.EQ)
        sign = self._signbit(e)
        minus = self._select(Cond.NE, sign, Imm(0), self.constant(Ty.I32, -1), self.constant(Ty.I32, 1))
        return self._select(Cond.NE, infinite, Imm(0), minus, self.constant(Ty.I32, 0))

    def _isnan(self, e: t.Builtin) -> VReg:
        v = self.value(e.args[0])
        return self.set_cond(Cond.FNE, v, v)

    def _unordered(self, e: t.Builtin) -> VReg:
        a, b = (self.value(arg) for arg in e.args)
        return self.binary(BinOp.OR, Ty.I32, self.set_cond(Cond.FNE, a, a), self.set_cond(Cond.FNE, b, b))

    def _less_greater(self, e: t.Builtin) -> VReg:
        a, b = (self.value(arg) for arg in e.args)
        return self.binary(BinOp.OR, Ty.I32, self.set_cond(Cond.FLT, a, b), self.set_cond(Cond.FGT, a, b))

    # -------------------------------------------------------- overflow checks

    def _overflow(self, e: t.Builtin) -> VReg:
        op = e.name[-1]
        a, b, out = e.args
        assert isinstance(out.type, ct.PointerType) and isinstance(out.type.target, ct.IntType)
        result = ct.unqualified(out.type.target)
        if a.type.size == 8 or b.type.size == 8 or result.size == 8:
            value, overflow = self._overflow64(op, a, b, result)
        else:
            value, overflow = self._overflow32(op, a, b, result)
        self.store(self.pointee(out, result), out.type.target, value)
        return overflow

    def _overflow32(self, op: str, a: t.Expr, b: t.Expr, result: ct.IntType) -> tuple[VReg, VReg]:
        """Exact in 64 bits; overflow when the narrowed result widens to something else."""
        wide = [self.converted(self.value(arg), arg.type, ct.LONG) for arg in (a, b)]
        exact = self.binary(_EXACT[op], Ty.I64, *wide)
        value = self.converted(exact, ct.LONG, result)
        back = self.converted(value, result, ct.LONG)
        return value, self.set_cond(Cond.NE, exact, back)

    def _overflow64(self, op: str, a: t.Expr, b: t.Expr, result: ct.IntType) -> tuple[VReg, VReg]:
        for arg in (a, b):
            arg_type = t.int_type(arg)
            widened = arg_type.size < 8 and (result.signed or not arg_type.signed)
            positive = isinstance(arg, t.IntConst) and 0 <= arg.value < 1 << 63
            if result.size != 8 or not (arg_type.signed == result.signed or widened or positive):
                raise CompileError(arg.loc, "this overflow check mixes signed and unsigned 64-bit operands")
        x, y = (self.converted(self.value(arg), arg.type, result) for arg in (a, b))
        value = self.binary(_EXACT[op], Ty.I64, x, y)
        if op == "*":
            high = self.binary(BinOp.SMULH if result.signed else BinOp.UMULH, Ty.I64, x, y)
            if not result.signed:
                return value, self.set_cond(Cond.NE, high, Imm(0))
            return value, self.set_cond(Cond.NE, high, self.binary(BinOp.ASHR, Ty.I64, value, Imm(63)))
        if not result.signed:
            if op == "+":
                return value, self.set_cond(Cond.ULT, value, x)
            return value, self.set_cond(Cond.ULT, x, y)
        changed = self.binary(BinOp.XOR, Ty.I64, x, value)
        other = (
            self.binary(BinOp.XOR, Ty.I64, y, value) if op == "+" else self.binary(BinOp.XOR, Ty.I64, x, y)
        )
        return value, self.set_cond(Cond.SLT, self.binary(BinOp.AND, Ty.I64, changed, other), Imm(0))

    # -------------------------------------------------------- capabilities

    def _cap_high(self, e: t.Builtin) -> VReg:
        """The upper 64 bits of a capability, through a frame slot."""
        slot = self.new_slot(16, 16)
        self.emit(ir.LocalStore(ir.Width.CAP, self.value(e.args[0]), slot))
        dst = self.vreg(Ty.I64)
        self.emit(ir.LocalLoad(ir.Width.X64, dst, slot, 8))
        return dst

    def _equal_exact(self, e: t.Builtin) -> VReg:
        return self.set_cond(Cond.CAP_EXACT_EQ, self.value(e.args[0]), self.value(e.args[1]))

    def _subset_test(self, e: t.Builtin) -> VReg:
        """Is the second capability's authority within the first's: same tag, bounds and permissions?"""
        outer, inner = self.value(e.args[0]), self.value(e.args[1])
        tests: list[VReg] = []
        bases = [self.unary(UnOp.CAP_BASE, Ty.I64, c) for c in (outer, inner)]
        ends = [
            self.binary(BinOp.ADD, Ty.I64, base, self.unary(UnOp.CAP_LENGTH, Ty.I64, c))
            for base, c in zip(bases, (outer, inner), strict=True)
        ]
        perms = [self.unary(UnOp.CAP_PERMS, Ty.I64, c) for c in (outer, inner)]
        tags = [self.unary(UnOp.CAP_TAG, Ty.I64, c) for c in (outer, inner)]
        extra = self.binary(BinOp.AND, Ty.I64, perms[1], self.unary(UnOp.NOT, Ty.I64, perms[0]))
        tests.append(self.set_cond(Cond.EQ, tags[0], tags[1]))
        tests.append(self.set_cond(Cond.UGE, bases[1], bases[0]))
        tests.append(self.set_cond(Cond.ULE, ends[1], ends[0]))
        tests.append(self.set_cond(Cond.EQ, extra, Imm(0)))
        result = tests[0]
        for test in tests[1:]:
            result = self.binary(BinOp.AND, Ty.I32, result, test)
        return result

    # -------------------------------------------------------- atomics

    @staticmethod
    def _pointed_type(e: t.Builtin) -> ct.CType:
        pointer = e.args[0].type
        assert isinstance(pointer, ct.PointerType)
        return ct.unqualified(pointer.target)

    def _fence(self, _e: t.Builtin) -> None:
        self.emit(ir.Atomic(AtomicOp.FENCE, ir.Width.X64, None, None))

    def _atomic_load(self, e: t.Builtin) -> VReg:
        return self.atomic_load(self.value(e.args[0]), self._pointed_type(e))

    def _atomic_store(self, e: t.Builtin) -> None:
        address, value = self.value(e.args[0]), self.value(e.args[1])
        self.atomic(AtomicOp.STORE, self._pointed_type(e), None, address, value)

    def _atomic_exchange(self, e: t.Builtin) -> VReg:
        ty = self._pointed_type(e)
        address, value = self.value(e.args[0]), self.value(e.args[1])
        dst = self.vreg(register_class(ty))
        self.atomic(AtomicOp.EXCHANGE, ty, dst, address, value)
        return self.extended(dst, ty)

    def _exchange_if(self, ty: ct.CType, address: VReg, expected: VReg, desired: VReg) -> tuple[VReg, VReg]:
        """(old value, 1 if it was the expected one) of a compare-and-exchange."""
        old = self.vreg(register_class(ty))
        self.atomic(AtomicOp.COMPARE_EXCHANGE, ty, old, address, desired, expected)
        old = self.extended(old, ty)
        cond = Cond.CAP_EXACT_EQ if ty.in_capability else Cond.EQ
        return old, self.set_cond(cond, old, expected)

    def _compare_and_swap(self, e: t.Builtin) -> VReg:
        address, expected, desired = (self.value(arg) for arg in e.args)
        old, same = self._exchange_if(self._pointed_type(e), address, expected, desired)
        return same if e.name.endswith("bool") else old

    def _compare_exchange(self, e: t.Builtin) -> VReg:
        ty = self._pointed_type(e)
        address, expected_at, desired = (self.value(arg) for arg in e.args)
        expected = self.load(Mem(expected_at), ty)
        old, same = self._exchange_if(ty, address, expected, desired)
        failed, done = self.label("failed"), self.label("done")
        self.branch(Cond.EQ, same, Imm(0), failed, done)
        self.start(failed)
        self.store(Mem(expected_at), ty, old)
        self.start(done)
        return same

    def _atomic_fetch(self, e: t.Builtin) -> VReg:
        ty = self._pointed_type(e)
        op = e.name[-1]
        address, operand = self.value(e.args[0]), self.value(e.args[1])
        if ty.in_capability or op == "n":
            return self._fetch_loop(e, ty, op, address, operand)
        dst = self.vreg(register_class(ty))
        self.atomic(_FETCH[op], ty, dst, address, operand)
        if not e.extra:
            return self.extended(dst, ty)
        return self.extended(self.binary(_RECOMPUTE[op], dst.ty, dst, operand), ty)

    def _fetch_loop(self, e: t.Builtin, ty: ct.CType, op: str, address: VReg, operand: VReg) -> VReg:
        """Operations on capabilities (by address, provenance kept) and nand: compare-and-exchange loop."""
        cls = register_class(ty)
        old, new = self.vreg(cls), self.vreg(cls)
        self.assign(old, self.atomic_load(address, ty))
        again, done = self.label("retry"), self.label("done")
        self.start(again)
        if ty.in_capability:
            number = self.address(operand) if operand.ty is Ty.CAP else operand
            changed = self.binary(_RECOMPUTE[op], Ty.I64, self.address(old), number)
            self.assign(new, self.cap(CapOp.SET_ADDRESS, old, changed))
        else:
            both = self.binary(BinOp.AND, cls, old, operand)
            self.assign(new, self.extended(self.unary(UnOp.NOT, cls, both), ty))
        seen, same = self._exchange_if(ty, address, old, new)
        retry = self.label("again")
        self.branch(Cond.NE, same, Imm(0), done, retry)
        self.start(retry)
        self.emit(ir.Unary(UnOp.COPY, old, seen))
        self.jump(again)
        self.start(done)
        return new if e.extra else old

    _NAMED: ClassVar[dict[str, Callable[..., VReg | None]]] = {
        "bswap16": _bswap16,
        "ffs": _ffs,
        "parity": _parity,
        "abs": _abs,
        "unreachable": _unreachable,
        "trap": _trap,
        "alloca": _alloca,
        "fma": _fma,
        "fcopysign": _copysign,
        "signbit": _signbit,
        "isnan": _isnan,
        "isinf": lambda self, e: self._exponent_compare(e, Cond.EQ),
        "isfinite": lambda self, e: self._exponent_compare(e, Cond.ULT),
        "isinf_sign": _isinf_sign,
        "isnormal": _isnormal,
        "isunordered": _unordered,
        "islessgreater": _less_greater,
        "cap_high": _cap_high,
        "cap_equal_exact": _equal_exact,
        "cap_subset_test": _subset_test,
        "fence": _fence,
        "atomic_load": _atomic_load,
        "atomic_store": _atomic_store,
        "atomic_exchange": _atomic_exchange,
        "atomic_cas_val": _compare_and_swap,
        "atomic_cas_bool": _compare_and_swap,
        "atomic_compare_exchange": _compare_exchange,
    }


_EXACT = {"+": BinOp.ADD, "-": BinOp.SUB, "*": BinOp.MUL}

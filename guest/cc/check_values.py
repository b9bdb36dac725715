"""Checker, part 2: conversions and operators on typed expressions; no syntax here."""

from __future__ import annotations

from guest.cc import tree as t
from guest.cc import types as ct
from guest.cc.check_types import TypeChecker
from guest.cc.constants import fold
from guest.cc.errors import CompileError
from guest.cc.ir import SourceLoc
from guest.cc.symbols import Kind

_COMPARISONS = frozenset(["==", "!=", "<", "<=", ">", ">="])


class ValueChecker(TypeChecker):
    """Makes every implicit conversion of C99 6.3 and 6.5 explicit."""

    def decayed(self, e: t.Expr) -> t.Expr:
        """`e` in value context: arrays and functions become pointers, qualifiers go."""
        ty = e.type
        if isinstance(ty, ct.ArrayType):
            return self.address_of(e, ct.PointerType(ty.element))
        if ty.is_function:
            return self.address_of(e, ct.PointerType(ty))
        if ty.quals and isinstance(e, (t.Call, t.Convert)):
            e.type = ct.unqualified(ty)
        return e

    def address_of(self, e: t.Expr, ty: ct.CType) -> t.Expr:
        if isinstance(e, t.Deref):
            return self.retyped(e.operand, ty, e.loc)
        root = e
        while isinstance(root, t.MemberOf):
            root = root.base
        if isinstance(root, t.SymbolRef):
            root.symbol.address_taken = True
        return t.AddressOf(ty, e.loc, e)

    @staticmethod
    def retyped(e: t.Expr, ty: ct.CType, loc: SourceLoc) -> t.Expr:
        if ct.same_type(e.type, ty) and isinstance(e, (t.PointerAdd, t.AddressOf)):
            return e
        return t.Convert(ty, loc, e)

    # -------------------------------------------------------- conversions

    def convert(self, e: t.Expr, ty: ct.CType, loc: SourceLoc | None = None) -> t.Expr:
        """`e` converted to the unqualified `ty`; nothing when it has that type already."""
        ty = ct.unqualified(ty)
        if ct.same_type(e.type, ty) and not (isinstance(ty, ct.EnumType) or isinstance(e.type, ct.EnumType)):
            return e
        return fold(t.Convert(ty, loc or e.loc, e))

    def promote(self, e: t.Expr) -> t.Expr:
        if isinstance(e, t.MemberOf) and e.field.bit_width is not None:
            ty = t.int_type(e)
            fits_int = e.field.bit_width < 32 or (e.field.bit_width == 32 and ty.signed)
            if fits_int:
                return self.convert(e, ct.INT)
        return self.convert(e, ct.promoted(e.type))

    def assigned(self, e: t.Expr, ty: ct.CType, what: str, loc: SourceLoc) -> t.Expr:
        """`e` converted as by assignment to `ty`; `what` names the context in diagnostics."""
        source = e.type
        if ty.is_arithmetic and source.is_arithmetic:
            return self.convert(e, ty, loc)
        if isinstance(ty, ct.IntType) and ty.rank == 0 and source.is_pointer:
            return self.convert(e, ty, loc)
        if ty.is_pointer and source.is_pointer:
            self._check_pointers(ty, source, what, loc)
            return self.convert(e, ty, loc)
        if ty.is_pointer and is_null_constant(e):
            return t.IntConst(ct.unqualified(ty), loc, 0)
        if ty.is_record and source.is_record and ct.same_type(ty, source):
            return e
        if ty.is_void:
            return t.Convert(ty, loc, e)
        names = f"'{ct.describe(source)}' to '{ct.describe(ty)}'"
        if ty.is_pointer and source.is_integer:
            raise CompileError(loc, f"{what} makes a pointer from an integer without a cast: {names}")
        if ty.is_integer and source.is_pointer:
            raise CompileError(loc, f"{what} makes an integer from a pointer without a cast: {names}")
        raise CompileError(loc, f"{what} cannot convert {names}")

    def _check_pointers(self, to: ct.CType, source: ct.CType, what: str, loc: SourceLoc) -> None:
        assert isinstance(to, ct.PointerType) and isinstance(source, ct.PointerType)
        a, b = to.target, source.target
        if b.quals & ~a.quals & (ct.CONST | ct.VOLATILE):
            self.diagnostics.warning(loc, f"{what} discards a qualifier of '{ct.describe(b)}'")
        if a.is_void or b.is_void or ct.same_type(a, b):
            return
        if a.is_integer and b.is_integer and a.size == b.size:
            return  # pointers that differ in signedness
        names = f"'{ct.describe(source)}' to '{ct.describe(to)}'"
        self.diagnostics.warning(loc, f"{what} converts between incompatible pointer types: {names}")

    # -------------------------------------------------------- operators

    def binary_operation(self, op: str, a: t.Expr, b: t.Expr, loc: SourceLoc) -> t.Expr:
        """a op b with the usual conversions; operands are in value context."""
        if op in _COMPARISONS:
            return fold(self._comparison(op, a, b, loc))
        if op in ("<<", ">>") and a.type.is_integer and b.type.is_integer:
            left, right = self.promote(a), self.promote(b)
            if right.type.is_intcap:
                right = self.convert(right, ct.LONG)
            provenance = "left" if left.type.is_intcap else ""
            return fold(t.Arithmetic(ct.unqualified(left.type), loc, op, left, right, provenance))
        if op == "+" and b.type.is_pointer and a.type.is_integer:
            a, b = b, a
        if op in ("+", "-") and a.type.is_pointer:
            if b.type.is_integer:
                return self.pointer_add(a, b, loc, op == "-")
            if b.type.is_pointer and op == "-":
                return self._pointer_difference(a, b, loc)
        integers_only = op in ("%", "&", "|", "^", "<<", ">>")
        if not (a.type.is_arithmetic and b.type.is_arithmetic) or (
            integers_only and (a.type.is_float or b.type.is_float)
        ):
            names = f"'{ct.describe(a.type)}' and '{ct.describe(b.type)}'"
            raise CompileError(loc, f"'{op}' cannot combine {names}")
        a, b = self.promoted_pair(a, b)
        common = ct.usual_arithmetic(a.type, b.type)
        provenance = ""
        if common.is_intcap:
            provenance = "left" if _carries_provenance(a) else "right" if _carries_provenance(b) else ""
        left, right = self.convert(a, common), self.convert(b, common)
        return fold(t.Arithmetic(common, loc, op, left, right, provenance))

    def promoted_pair(self, a: t.Expr, b: t.Expr) -> tuple[t.Expr, t.Expr]:
        """Bit-fields promote by their width, before the usual conversions look at the types."""
        if isinstance(a, t.MemberOf) and a.field.bit_width is not None:
            a = self.promote(a)
        if isinstance(b, t.MemberOf) and b.field.bit_width is not None:
            b = self.promote(b)
        return a, b

    def pointer_add(self, pointer: t.Expr, index: t.Expr, loc: SourceLoc, negative: bool) -> t.Expr:
        assert isinstance(pointer.type, ct.PointerType)
        target = pointer.type.target
        if not index.type.is_integer:
            raise CompileError(loc, f"a pointer cannot be indexed by '{ct.describe(index.type)}'")
        if not target.is_complete and not target.is_void:
            raise CompileError(loc, f"the type '{target}' is incomplete here")
        wide = ct.LONG
        if isinstance(index.type, ct.IntType) and not index.type.signed and index.type.size >= 4:
            wide = ct.ULONG
        size = 1 if target.is_function else target.size
        return t.PointerAdd(
            ct.unqualified(pointer.type), loc, pointer, self.convert(index, wide), size, negative
        )

    def _pointer_difference(self, a: t.Expr, b: t.Expr, loc: SourceLoc) -> t.Expr:
        assert isinstance(a.type, ct.PointerType) and isinstance(b.type, ct.PointerType)
        if not ct.same_type(ct.unqualified(a.type.target), ct.unqualified(b.type.target)):
            raise CompileError(loc, f"'-' cannot combine '{ct.describe(a.type)}' and '{ct.describe(b.type)}'")
        return t.PointerDiff(ct.PTRDIFF, loc, a, b, max(a.type.target.size, 1))

    def _comparison(self, op: str, a: t.Expr, b: t.Expr, loc: SourceLoc) -> t.Expr:
        if a.type.is_pointer or b.type.is_pointer:
            if is_null_constant(a) and not a.type.is_pointer:
                a = t.IntConst(b.type, loc, 0)
            if is_null_constant(b) and not b.type.is_pointer:
                b = t.IntConst(a.type, loc, 0)
            if not (a.type.is_pointer and b.type.is_pointer):
                names = f"'{ct.describe(a.type)}' with '{ct.describe(b.type)}'"
                raise CompileError(loc, f"'{op}' compares a pointer with an integer: {names}")
            self._check_compared(a.type, b.type, loc)
            return t.Compare(ct.INT, loc, op, a, b)
        if not (a.type.is_arithmetic and b.type.is_arithmetic):
            names = f"'{ct.describe(a.type)}' and '{ct.describe(b.type)}'"
            raise CompileError(loc, f"'{op}' cannot compare {names}")
        a, b = self.promoted_pair(a, b)
        common = ct.usual_arithmetic(a.type, b.type)
        return t.Compare(ct.INT, loc, op, self.convert(a, common), self.convert(b, common))

    def _check_compared(self, a: ct.CType, b: ct.CType, loc: SourceLoc) -> None:
        assert isinstance(a, ct.PointerType) and isinstance(b, ct.PointerType)
        x, y = ct.unqualified(a.target), ct.unqualified(b.target)
        if not (x.is_void or y.is_void or ct.same_type(x, y)):
            self.diagnostics.warning(loc, f"'{a}' and '{b}' are compared, which are different pointer types")

    def conditional_type(self, a: t.Expr, b: t.Expr, loc: SourceLoc) -> ct.CType:
        x, y = a.type, b.type
        if x.is_arithmetic and y.is_arithmetic:
            a, b = self.promoted_pair(a, b)
            return ct.usual_arithmetic(a.type, b.type)
        if x.is_void or y.is_void:
            return ct.VOID
        if x.is_record and y.is_record and ct.same_type(x, y):
            return ct.unqualified(x)
        if isinstance(x, ct.PointerType) and is_null_constant(b):
            return ct.unqualified(x)
        if isinstance(y, ct.PointerType) and is_null_constant(a):
            return ct.unqualified(y)
        if isinstance(x, ct.PointerType) and isinstance(y, ct.PointerType):
            quals = x.target.quals | y.target.quals
            if x.target.is_void or y.target.is_void:
                return ct.PointerType(ct.qualified(ct.VOID, quals))
            if not ct.same_type(ct.unqualified(x.target), ct.unqualified(y.target)):
                self.diagnostics.warning(loc, f"'?:' chooses between '{x}' and '{y}'")
            return ct.PointerType(ct.qualified(x.target, quals))
        raise CompileError(loc, f"'?:' cannot choose between '{ct.describe(x)}' and '{ct.describe(y)}'")


def is_lvalue(e: t.Expr) -> bool:
    if isinstance(e, t.MemberOf):
        return is_lvalue(e.base)
    if isinstance(e, t.SymbolRef):
        return e.symbol.kind is not Kind.FUNCTION
    return isinstance(e, (t.Deref, t.CompoundLiteral))


def is_null_constant(e: t.Expr) -> bool:
    """0 or (void *)0."""
    if not isinstance(e, t.IntConst) or e.value != 0:
        return False
    return e.type.is_integer or (isinstance(e.type, ct.PointerType) and e.type.target.is_void)


def _carries_provenance(e: t.Expr) -> bool:
    """An `__intcap_t` operand whose capability is meant: not one converted from a plain integer."""
    if not e.type.is_intcap or isinstance(e, t.IntConst):
        return False
    return not (isinstance(e, t.Convert) and not e.operand.type.in_capability)

"""Checker, part 3: expressions. One rule per syntax node; every implicit conversion becomes explicit."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar

from guest.cc import builtins
from guest.cc import syntax as s
from guest.cc import tree as t
from guest.cc import types as ct
from guest.cc.check_values import ValueChecker, is_lvalue, is_null_constant
from guest.cc.constants import fold
from guest.cc.errors import CompileError
from guest.cc.ir import SourceLoc
from guest.cc.lexer import unescape
from guest.cc.symbols import Kind, Symbol

_NUMBER = re.compile(
    r"(?:(?P<hex>0[xX][0-9a-fA-F]+)|(?P<bin>0[bB][01]+)|(?P<oct>0[0-7]*)|(?P<dec>[1-9][0-9]*))"
    r"(?P<suffix>[uUlLzZ]*)$"
)
_FLOAT = re.compile(
    r"(?P<value>0[xX][0-9a-fA-F]*\.?[0-9a-fA-F]*[pP][-+]?[0-9]+"
    r"|(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)(?P<suffix>[fFlL]?)$"
)


class ExpressionChecker(ValueChecker):
    """Types expressions; `expression` keeps lvalues, `value` decays and drops qualifiers."""

    def statement_expression(self, node: s.StatementExpression) -> t.Expr:
        raise NotImplementedError

    def initializer(self, ty: ct.CType, node: s.Node) -> tuple[ct.CType, t.Init]:
        raise NotImplementedError

    def static_object(self, name: str, ty: ct.CType, init: t.Init | None, loc: SourceLoc) -> Symbol:
        """A nameless object with static storage (literals, `__func__`)."""
        self.static_number += 1
        symbol = Symbol(name, Kind.OBJECT, ty, loc, f".L{name}.{self.static_number}", is_static=True)
        symbol.defined = True
        symbol.init = init
        self.unit.objects.append(symbol)
        return symbol

    # -------------------------------------------------------- entry points

    def expression(self, node: s.Node) -> t.Expr:
        return fold(self._EXPRESSIONS[type(node)](self, node))

    def value(self, node: s.Node) -> t.Expr:
        return self.decayed(self.expression(node))

    def scalar(self, node: s.Node, what: str) -> t.Expr:
        e = self.value(node)
        if not e.type.is_scalar:
            raise CompileError(node.at.loc, f"{what} needs a number or pointer, not '{ct.describe(e.type)}'")
        return e

    def condition(self, node: s.Node) -> t.Expr:
        return self.scalar(node, "a condition")

    # -------------------------------------------------------- primary expressions

    def _name(self, node: s.Name) -> t.Expr:
        name = node.at.text
        symbol = self.scope.find(name)
        loc = node.at.loc
        if symbol is None:
            if name in builtins.LIBRARY:
                symbol = self.library_function(builtins.LIBRARY[name], loc)
            else:
                raise CompileError(loc, f"'{name}' is not declared")
        if symbol.kind is Kind.TYPEDEF:
            raise CompileError(loc, f"'{name}' is a type, not a value")
        if symbol.kind is Kind.CONSTANT:
            return t.IntConst(symbol.type, loc, symbol.constant)
        symbol.used = True
        return t.SymbolRef(symbol.type, loc, symbol)

    def library_function(self, name: str, loc: SourceLoc) -> Symbol:
        """The C library function a `__builtin_` name stands for, declared on first use."""
        symbol = self.file_scope.find(name)
        if symbol is None:
            symbol = Symbol(name, Kind.FUNCTION, builtins.library_type(name), loc, name)
            self.file_scope.names[name] = symbol
            self.unit.symbols.append(symbol)
        return symbol

    def _number(self, node: s.Number) -> t.Expr:
        text, loc = node.at.text, node.at.loc
        m = _NUMBER.match(text)
        if m is None:
            return self._float(text, loc)
        suffix = m["suffix"].lower()
        if suffix not in ("", "u", "l", "ul", "lu", "ll", "ull", "llu", "z", "uz", "zu"):
            raise CompileError(loc, f"'{text}' has a wrong suffix")
        decimal = m["dec"] is not None
        digits = text[: len(text) - len(suffix)]
        value = int(digits, 10) if decimal else int(digits, 0) if m["oct"] is None else int(digits, 8)
        longs = suffix.count("l") + suffix.count("z")
        for ty in (ct.INT, ct.UINT, ct.LONG, ct.ULONG, ct.LLONG, ct.ULLONG):
            if ty.rank < 3 + longs or (ty.signed and "u" in suffix):
                continue
            if not ty.signed and decimal and "u" not in suffix:
                continue
            if value <= (1 << (ty.bits - ty.signed)) - 1:
                return t.IntConst(ty, loc, value)
        if value < 1 << 64:
            return t.IntConst(ct.ULLONG, loc, value)
        raise CompileError(loc, f"the constant {text} is too large")

    def _float(self, text: str, loc: SourceLoc) -> t.Expr:
        m = _FLOAT.match(text)
        if m is None:
            raise CompileError(loc, f"'{text}' is not a number")
        ty = {"f": ct.FLOAT, "l": ct.LDOUBLE, "": ct.DOUBLE}[m["suffix"].lower()]
        value = m["value"]
        number = float.fromhex(value) if value[:2] in ("0x", "0X") else float(value)
        return self.convert(t.FloatConst(ct.DOUBLE, loc, number), ty)

    def _char(self, node: s.CharLiteral) -> t.Expr:
        text = node.at.text
        prefix = text[: text.index("'")]
        units = unescape(text[len(prefix) + 1 : -1], node.at.loc, wide=bool(prefix))
        if prefix:
            return t.IntConst(_WIDE_CHARS[prefix], node.at.loc, units[-1])
        value = 0
        for unit in units:
            value = value << 8 | (unit & 0xFF)
        return t.IntConst(ct.INT, node.at.loc, ct.INT.wrap(value))

    def string_units(self, node: s.StringLiteral) -> tuple[ct.IntType, list[int]]:
        """Element type and code units (without the final zero) of a string literal."""
        prefix = ""
        for part in node.parts:
            p = part.text[: part.text.index('"')]
            prefix = p if p not in ("", "u8") else prefix
        units: list[int] = []
        for part in node.parts:
            body = part.text[part.text.index('"') + 1 : -1]
            units += unescape(body, part.loc, wide=bool(prefix))
        element = _WIDE_CHARS[prefix] if prefix else ct.CHAR
        return element, units

    def _string(self, node: s.StringLiteral) -> t.Expr:
        element, units = self.string_units(node)
        ty = ct.ArrayType(element, len(units) + 1)
        data = encode_units(element, [*units, 0])
        init = t.Init(ty.size, [t.InitPiece(0, t.Bytes(ty, node.at.loc, data))])
        symbol = self.literals.get((element.name, data))
        if symbol is None:
            symbol = self.static_object("str", ty, init, node.at.loc)
            symbol.attributes.section = ".rodata"
            self.literals[element.name, data] = symbol
        return t.SymbolRef(ty, node.at.loc, symbol)

    def _function_name(self, node: s.FunctionName) -> t.Expr:
        if self.function is None:
            raise CompileError(node.at.loc, f"'{node.at.text}' needs a function around it")
        data = self.function.name.encode() + b"\0"
        ty = ct.ArrayType(ct.qualified(ct.CHAR, ct.CONST), len(data))
        init = t.Init(ty.size, [t.InitPiece(0, t.Bytes(ty, node.at.loc, data))])
        symbol = self.static_object("func", ty, init, node.at.loc)
        symbol.attributes.section = ".rodata"
        return t.SymbolRef(ty, node.at.loc, symbol)

    def _generic(self, node: s.Generic) -> t.Expr:
        control = ct.unqualified(self.value(node.control).type)
        default: s.Node | None = None
        for name, choice in node.choices:
            if name is None:
                default = choice
            elif _generic_match(control, self.named_type(name)):
                return self.expression(choice)
        if default is None:
            raise CompileError(node.at.loc, f"no _Generic association for '{ct.describe(control)}'")
        return self.expression(default)

    def _label_address(self, node: s.LabelAddress) -> t.Expr:
        if self.function is None:
            raise CompileError(node.at.loc, "a label's address needs a function around it")
        return t.LabelAddress(ct.VOID_PTR, node.at.loc, node.name)

    # -------------------------------------------------------- postfix expressions

    def _index(self, node: s.Index) -> t.Expr:
        base, index = self.value(node.base), self.value(node.index)
        if base.type.is_integer and index.type.is_pointer:
            base, index = index, base
        if not base.type.is_pointer:
            raise CompileError(node.at.loc, f"'{ct.describe(base.type)}' cannot be indexed")
        return self.dereferenced(self.pointer_add(base, index, node.at.loc, False), node.at.loc)

    def dereferenced(self, pointer: t.Expr, loc: SourceLoc) -> t.Expr:
        if not isinstance(pointer.type, ct.PointerType):
            raise CompileError(loc, f"'*' needs a pointer, not '{ct.describe(pointer.type)}'")
        target = pointer.type.target
        if isinstance(pointer, t.AddressOf) and ct.same_type(pointer.operand.type, target):
            return pointer.operand
        return t.Deref(target, loc, pointer)

    def _member(self, node: s.Member) -> t.Expr:
        loc = node.at.loc
        if node.arrow:
            base = self.dereferenced(self.value(node.base), loc)
        else:
            base = self.expression(node.base)
        if not isinstance(base.type, ct.RecordType):
            raise CompileError(loc, f"'{ct.describe(base.type)}' is not a struct or union")
        return self.member_of(base, node.name, loc)

    def member_of(self, base: t.Expr, name: str, loc: SourceLoc) -> t.Expr:
        assert isinstance(base.type, ct.RecordType)
        if not base.type.is_complete:
            raise CompileError(loc, f"'{base.type}' is not defined here")
        path = ct.find_member(base.type, name)
        if path is None:
            raise CompileError(loc, f"'{base.type}' has no member '{name}'")
        for field in path:
            base = t.MemberOf(ct.qualified(field.type, base.type.quals), loc, base, field)
        return base

    def _call(self, node: s.Call) -> t.Expr:
        loc = node.at.loc
        if isinstance(node.function, s.Name):
            name = node.function.at.text
            if self.scope.find(name) is None:
                rule = builtins.find(name)
                if rule is not None:
                    return rule(self, name, node)
                if name not in builtins.LIBRARY:
                    raise CompileError(loc, f"the function '{name}' is not declared")
        function = self.value(node.function)
        pointer = function.type
        if not isinstance(pointer, ct.PointerType) or not isinstance(pointer.target, ct.FunctionType):
            raise CompileError(loc, f"'{ct.describe(pointer)}' cannot be called")
        signature = pointer.target
        if not signature.result.is_void:
            self.complete_type(signature.result, loc)
        args = self._arguments(signature, node, _callee_name(function))
        return t.Call(signature.result, loc, function, signature, args)

    def _arguments(self, signature: ct.FunctionType, node: s.Call, name: str) -> list[t.Expr]:
        args: list[t.Expr] = []
        expected = len(signature.params)
        given = len(node.args)
        if signature.prototyped and (given < expected or (given > expected and not signature.variadic)):
            plural = "" if expected == 1 else "s"
            least = "at least " if signature.variadic else ""
            raise CompileError(node.at.loc, f"{name} takes {least}{expected} argument{plural}, not {given}")
        for i, arg in enumerate(node.args):
            e = self.value(arg)
            if i < expected:
                what = f"argument {i + 1} of {name}"
                args.append(self.assigned(e, signature.params[i], what, arg.at.loc))
            else:
                args.append(self.default_promoted(e, arg.at.loc))
        return args

    def default_promoted(self, e: t.Expr, loc: SourceLoc) -> t.Expr:
        if e.type.is_void:
            raise CompileError(loc, "a void value cannot be an argument")
        if isinstance(e.type, ct.FloatType):
            return self.convert(e, ct.DOUBLE if e.type.size == 4 else e.type)
        return self.promote(e) if e.type.is_integer else e

    def _postfix(self, node: s.Postfix) -> t.Expr:
        return self._step(node.operand, node.op, yields_old=True, loc=node.at.loc)

    def _step(self, operand: s.Node, op: str, yields_old: bool, loc: SourceLoc) -> t.Expr:
        """++ and --, prefix and postfix."""
        target = self.modifiable(operand)
        old = t.OldValue(ct.unqualified(target.type), loc)
        one = t.IntConst(ct.INT, loc, 1)
        result = self.binary_operation(op[0], old, one, loc)
        converted = self.assigned(result, target.type, f"'{op}'", loc)
        return t.Update(ct.unqualified(target.type), loc, target, old, converted, yields_old)

    def modifiable(self, node: s.Node) -> t.Expr:
        """An lvalue that may be assigned to."""
        e = self.expression(node)
        if not is_lvalue(e) or e.type.is_array or e.type.is_function:
            raise CompileError(node.at.loc, "this expression cannot be assigned to")
        if e.type.quals & ct.CONST:
            raise CompileError(node.at.loc, f"a '{ct.describe(e.type)}' object cannot be assigned to")
        if not e.type.is_complete:
            raise CompileError(node.at.loc, f"the type '{e.type}' is incomplete here")
        return e

    # -------------------------------------------------------- unary expressions

    def _unary(self, node: s.Unary) -> t.Expr:
        loc = node.at.loc
        op = node.op
        if op in ("++", "--"):
            return self._step(node.operand, op, yields_old=False, loc=loc)
        if op == "&":
            return self._address(node)
        if op == "*":
            pointer = self.value(node.operand)
            return self.dereferenced(pointer, loc)
        if op == "!":
            return t.Unary(ct.INT, loc, "!", self.scalar(node.operand, "'!'"))
        e = self.value(node.operand)
        if not (e.type.is_integer if op == "~" else e.type.is_arithmetic):
            raise CompileError(loc, f"'{op}' cannot take '{ct.describe(e.type)}'")
        e = self.promote(e) if e.type.is_integer else e
        if op == "+":
            return t.Convert(e.type, loc, e)
        return t.Unary(ct.unqualified(e.type), loc, op, e)

    def _address(self, node: s.Unary) -> t.Expr:
        e = self.expression(node.operand)
        loc = node.at.loc
        if e.type.is_function:
            return self.decayed(e)
        if not is_lvalue(e):
            raise CompileError(loc, "'&' needs an object or function")
        if isinstance(e, t.MemberOf) and e.field.bit_width is not None:
            raise CompileError(loc, "a bit-field has no address")
        return self.address_of(e, ct.PointerType(e.type))

    def _cast(self, node: s.Cast) -> t.Expr:
        ty = ct.unqualified(self.named_type(node.type_name))
        e = self.value(node.operand)
        loc = node.at.loc
        if ty.is_void:
            return t.Convert(ty, loc, e)
        if ty.is_record and ct.same_type(ty, e.type):
            return e
        if not ty.is_scalar or not e.type.is_scalar:
            names = f"'{ct.describe(e.type)}' to '{ct.describe(ty)}'"
            raise CompileError(loc, f"a cast cannot convert {names}")
        if (ty.is_float and e.type.is_pointer) or (ty.is_pointer and e.type.is_float):
            raise CompileError(loc, "a cast cannot convert between pointers and floating-point numbers")
        self._check_cast(ty, e, loc)
        return t.Convert(ty, loc, e)

    def _check_cast(self, ty: ct.CType, e: t.Expr, loc: SourceLoc) -> None:
        """Casts that compile but give a pointer nobody can use."""
        if not isinstance(ty, ct.PointerType):
            return
        if e.type.is_integer and not e.type.is_intcap and not isinstance(e, t.IntConst):
            names = f"'{ct.describe(e.type)}' to '{ct.describe(ty)}'"
            self.diagnostics.warning(loc, f"this cast from {names} gives a pointer without a tag")
        if not isinstance(e.type, ct.PointerType):
            return
        a, b = ty.target, e.type.target
        if (
            isinstance(a, ct.FunctionType)
            and isinstance(b, ct.FunctionType)
            and a.variadic != b.variadic
            and a.prototyped
            and b.prototyped
        ):
            self.diagnostics.warning(
                loc, "variadic and other functions take their arguments in different places"
            )

    def _size_of(self, node: s.SizeOf) -> t.Expr:
        loc = node.at.loc
        if isinstance(node.operand, s.TypeName):
            ty = self.named_type(node.operand)
        else:
            e = self.expression(node.operand)
            if isinstance(e, t.MemberOf) and e.field.bit_width is not None:
                raise CompileError(loc, "sizeof cannot take a bit-field")
            ty = e.type
            if node.align and isinstance(e, t.SymbolRef) and e.symbol.align:
                return t.IntConst(ct.SIZE, loc, e.symbol.align)
        if ty.is_void or ty.is_function:
            return t.IntConst(ct.SIZE, loc, 1)
        if isinstance(ty, ct.ArrayType) and isinstance(ty.vla, Symbol) and not node.align:
            return t.SymbolRef(ct.SIZE, loc, ty.vla)
        if not node.align:
            self.complete_type(ty, loc)
        return t.IntConst(ct.SIZE, loc, ty.align if node.align else ty.size)

    def _compound_literal(self, node: s.CompoundLiteral) -> t.Expr:
        ty, init = self.initializer(self.named_type(node.type_name), node.init)
        loc = node.at.loc
        if self.function is None:
            return t.SymbolRef(ty, loc, self.static_object("literal", ty, init, loc))
        symbol = Symbol("", Kind.LOCAL, ty, loc, address_taken=True)
        return t.CompoundLiteral(ty, loc, symbol, init)

    def _offset_of(self, node: s.OffsetOf) -> t.Expr:
        ty = self.named_type(node.type_name)
        offset = 0
        dynamic: t.Expr | None = None
        for step in node.path:
            if isinstance(step, s.FieldDesignator):
                path = ct.find_member(ty, step.name) if isinstance(ty, ct.RecordType) else None
                if path is None:
                    raise CompileError(step.at.loc, f"'{ct.describe(ty)}' has no member '{step.name}'")
                offset += sum(f.offset for f in path)
                ty = path[-1].type
                continue
            if not isinstance(ty, ct.ArrayType):
                raise CompileError(step.at.loc, f"'{ct.describe(ty)}' is not an array")
            ty = ty.element
            index = self.convert(self.value(step.low), ct.SIZE)
            if isinstance(index, t.IntConst):
                offset += index.value * ty.size
            else:
                scale = t.IntConst(ct.SIZE, node.at.loc, ty.size)
                term = self.binary_operation("*", index, scale, node.at.loc)
                dynamic = term if dynamic is None else self.binary_operation("+", dynamic, term, node.at.loc)
        constant = t.IntConst(ct.SIZE, node.at.loc, offset)
        return constant if dynamic is None else self.binary_operation("+", dynamic, constant, node.at.loc)

    def _types_compatible(self, node: s.TypesCompatible) -> t.Expr:
        a, b = self.named_type(node.first), self.named_type(node.second)
        return t.IntConst(ct.INT, node.at.loc, int(ct.same_type(ct.unqualified(a), ct.unqualified(b))))

    def _choose(self, node: s.ChooseExpression) -> t.Expr:
        chosen = self.constant_integer(node.condition, "the condition")
        return self.expression(node.then if chosen else node.otherwise)

    def _va_arg(self, node: s.VaArg) -> t.Expr:
        ty = ct.unqualified(self.named_type(node.type_name))
        self.complete_type(ty, node.at.loc)
        ap = self.expression(node.ap)
        if not is_lvalue(ap) or not ap.type.is_pointer:
            raise CompileError(node.at.loc, "va_arg needs a va_list")
        return t.VaArg(ty, node.at.loc, ap)

    # -------------------------------------------------------- binary expressions

    def _binary(self, node: s.Binary) -> t.Expr:
        if node.op in ("&&", "||"):
            what = f"'{node.op}'"
            left, right = self.scalar(node.left, what), self.scalar(node.right, what)
            return t.Logical(ct.INT, node.at.loc, node.op, left, right)
        return self.binary_operation(node.op, self.value(node.left), self.value(node.right), node.at.loc)

    def _assign(self, node: s.Assign) -> t.Expr:
        loc = node.at.loc
        target = self.modifiable(node.target)
        ty = ct.unqualified(target.type)
        if node.op == "=":
            value = self.assigned(self.value(node.value), ty, "the assignment", loc)
            return t.Assign(ty, loc, target, value)
        old = t.OldValue(ty, loc)
        op = node.op[:-1]
        if isinstance(target, t.MemberOf) and target.field.bit_width is not None:
            left = self.promote(t.MemberOf(ty, loc, target.base, target.field))
            left = t.Convert(left.type, loc, old)
        else:
            left = old
        result = self.binary_operation(op, left, self.value(node.value), loc)
        return t.Update(ty, loc, target, old, self.assigned(result, ty, f"'{node.op}'", loc), False)

    def _conditional(self, node: s.Conditional) -> t.Expr:
        loc = node.at.loc
        if node.then is None:
            return self._elvis(node)
        condition = self.condition(node.condition)
        then, otherwise = self.value(node.then), self.value(node.otherwise)
        ty = self.conditional_type(then, otherwise, loc)
        return t.Conditional(ty, loc, condition, self._branch(then, ty), self._branch(otherwise, ty))

    def _branch(self, e: t.Expr, ty: ct.CType) -> t.Expr:
        if ty.is_record:
            return e
        if ty.is_pointer and is_null_constant(e):
            return t.IntConst(ty, e.loc, 0)
        return t.Convert(ty, e.loc, e) if ty.is_void else self.convert(e, ty)

    def _elvis(self, node: s.Conditional) -> t.Expr:
        """GNU `a ?: b`: a is evaluated once, into a hidden variable."""
        loc = node.at.loc
        first = self.scalar(node.condition, "'?:'")
        otherwise = self.value(node.otherwise)
        hidden = Symbol("", Kind.LOCAL, ct.unqualified(first.type), loc)
        ref = t.SymbolRef(hidden.type, loc, hidden)
        ty = self.conditional_type(ref, otherwise, loc)
        chosen = t.Conditional(ty, loc, ref, self._branch(ref, ty), self._branch(otherwise, ty))
        return t.Comma(ty, loc, t.Assign(hidden.type, loc, ref, first), chosen)

    def _comma(self, node: s.Comma) -> t.Expr:
        left, right = self.value(node.left), self.value(node.right)
        return t.Comma(ct.unqualified(right.type), node.at.loc, left, right)

    _EXPRESSIONS: ClassVar[dict[type[s.Node], Callable[..., t.Expr]]] = {
        s.Name: _name,
        s.Number: _number,
        s.CharLiteral: _char,
        s.StringLiteral: _string,
        s.FunctionName: _function_name,
        s.Generic: _generic,
        s.LabelAddress: lambda self, node: self._label_address(node),
        s.Index: _index,
        s.Member: _member,
        s.Call: _call,
        s.Postfix: _postfix,
        s.Unary: _unary,
        s.Cast: _cast,
        s.SizeOf: _size_of,
        s.CompoundLiteral: _compound_literal,
        s.OffsetOf: _offset_of,
        s.TypesCompatible: _types_compatible,
        s.ChooseExpression: _choose,
        s.VaArg: _va_arg,
        s.Binary: _binary,
        s.Assign: _assign,
        s.Conditional: _conditional,
        s.Comma: _comma,
        s.StatementExpression: lambda self, node: self.statement_expression(node),
    }


_WIDE_CHARS = {"L": ct.INT, "u": ct.USHORT, "U": ct.UINT}


def encode_units(element: ct.IntType, units: list[int]) -> bytes:
    """Code units as the target stores them."""
    mask = (1 << element.bits) - 1
    return b"".join((u & mask).to_bytes(element.size, "little") for u in units)


def _generic_match(control: ct.CType, choice: ct.CType) -> bool:
    if isinstance(control, ct.IntType) and isinstance(choice, ct.IntType):
        if isinstance(control, ct.EnumType):
            control = ct.standard_int(control)
        return control.name == choice.name and control.quals == choice.quals
    return ct.same_type(control, choice) and control.quals == choice.quals


def _callee_name(function: t.Expr) -> str:
    if isinstance(function, t.AddressOf) and isinstance(function.operand, t.SymbolRef):
        return f"'{function.operand.symbol.name}'"
    return "the function"

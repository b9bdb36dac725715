"""Checker, part 1: specifiers, declarators, struct and enum definitions to C types.

The layers: TypeChecker <- ValueChecker <- ExpressionChecker <- InitializerChecker <- StatementChecker <-
UnitChecker (module `check`), each adding the rules of one kind of syntax to one shared state.
"""

from __future__ import annotations

import copy

from guest.cc import attributes as attr
from guest.cc import syntax as s
from guest.cc import tree as t
from guest.cc import types as ct
from guest.cc.errors import CompileError, Diagnostics
from guest.cc.ir import SourceLoc
from guest.cc.parse import string_text
from guest.cc.symbols import Kind, Scope, Symbol

_BASIC_TYPES: dict[str, ct.CType] = {
    " ".join(sorted(words.split())): ty
    for names, ty in (
        ("void", ct.VOID),
        ("_Bool", ct.BOOL),
        ("char", ct.CHAR),
        ("signed char", ct.SCHAR),
        ("unsigned char", ct.UCHAR),
        ("short|short int|signed short|signed short int", ct.SHORT),
        ("unsigned short|unsigned short int", ct.USHORT),
        ("int|signed|signed int", ct.INT),
        ("unsigned|unsigned int", ct.UINT),
        ("long|long int|signed long|signed long int", ct.LONG),
        ("unsigned long|unsigned long int", ct.ULONG),
        ("long long|long long int|signed long long|signed long long int", ct.LLONG),
        ("unsigned long long|unsigned long long int", ct.ULLONG),
        ("float", ct.FLOAT),
        ("double", ct.DOUBLE),
        ("long double", ct.LDOUBLE),
        ("__intcap_t|signed __intcap_t", ct.INTCAP),
        ("__uintcap_t|unsigned __intcap_t", ct.UINTCAP),
        ("__builtin_va_list", ct.VOID_PTR),
    )
    for words in names.split("|")
}


class TypeChecker:
    """State of the checker (scopes, results, the function being checked) and the typing of declarators."""

    def __init__(self, diagnostics: Diagnostics) -> None:
        self.diagnostics = diagnostics
        self.file_scope = Scope(None)
        self.scope = self.file_scope
        self.unit = t.Unit()
        self.function: Symbol | None = None
        self.static_number = 0
        self.literals: dict[tuple[str, bytes], Symbol] = {}

    # -------------------------------------------------------- services of the later parts

    def value(self, node: s.Node) -> t.Expr:
        """The expression in value context (decayed, unqualified)."""
        raise NotImplementedError

    def expression(self, node: s.Node) -> t.Expr:
        """The expression as it is: lvalues, arrays and functions stay so."""
        raise NotImplementedError

    def vla_size(self, element: ct.CType, count: t.Expr) -> Symbol:
        """A hidden variable that will hold the byte size of a variable-length array."""
        raise NotImplementedError

    # -------------------------------------------------------- scopes and constants

    def push_scope(self) -> None:
        self.scope = Scope(self.scope)

    def pop_scope(self) -> None:
        assert self.scope.parent is not None
        self.scope = self.scope.parent

    def constant_integer(self, node: s.Node, what: str = "this") -> int:
        e = self.value(node)
        if not isinstance(e, t.IntConst) or not e.type.is_integer:
            raise CompileError(node.at.loc, f"{what} must be an integer constant expression")
        return e.value

    def attributes_of(self, *groups: list[s.Attribute]) -> attr.Attributes:
        out = attr.Attributes()
        for group in groups:
            if group:
                attr.apply(out, group, lambda node: self.constant_integer(node, "an attribute's argument"))
        return out

    # -------------------------------------------------------- specifiers

    def specified_type(self, spec: s.Specifiers) -> ct.CType:
        """The type that declaration specifiers name, with their qualifiers."""
        if spec.node is None:
            base = _BASIC_TYPES.get(" ".join(sorted(spec.words)))
            if base is None:
                if not spec.words:
                    raise CompileError(spec.at.loc, "the declaration names no type")
                raise CompileError(spec.at.loc, f"'{' '.join(spec.words)}' is not a type this compiler has")
        else:
            if spec.words:
                raise CompileError(spec.at.loc, f"'{spec.words[0]}' cannot be combined with another type")
            base = self._node_type(spec.node)
        return ct.qualified(base, spec.quals & ~ct.RESTRICT)

    def _node_type(self, node: s.Node) -> ct.CType:
        match node:
            case s.TypedefName():
                symbol = self.scope.find(node.at.text)
                if symbol is None or symbol.kind is not Kind.TYPEDEF:
                    raise CompileError(node.at.loc, f"'{node.at.text}' is not a type")
                return symbol.type
            case s.RecordSpec():
                return self._record_type(node)
            case s.EnumSpec():
                return self._enum_type(node)
            case s.TypeofSpec():
                if isinstance(node.operand, s.TypeName):
                    return self.named_type(node.operand)
                return self.expression(node.operand).type
        raise CompileError(node.at.loc, "unknown type")

    def alignment_of(self, spec: s.Specifiers) -> int:
        """The strictest `_Alignas` of the specifiers, 0 when there is none."""
        strictest = 0
        for node in spec.alignas:
            if isinstance(node, s.TypeName):
                strictest = max(strictest, self.named_type(node).align)
            else:
                strictest = max(strictest, self.constant_integer(node, "the alignment"))
        if strictest & (strictest - 1):
            raise CompileError(spec.at.loc, f"the alignment {strictest} is not a power of two")
        return strictest

    def _record_type(self, node: s.RecordSpec) -> ct.CType:
        kind = "union" if node.is_union else "struct"
        if node.members is None:
            assert node.tag is not None
            known = self.scope.find_tag(node.tag)
            if known is None:
                known = ct.RecordType(ct.RecordBody(node.tag, node.is_union))
                self.scope.tags[node.tag] = known
            return self._checked_tag(known, node.is_union, node)
        tag = node.tag or f"<anonymous {kind}>"
        known = self.scope.tags.get(tag) if node.tag else None
        if known is None:
            known = ct.RecordType(ct.RecordBody(tag, node.is_union))
            if node.tag:
                self.scope.tags[tag] = known
        record = self._checked_tag(known, node.is_union, node)
        if record.body.complete:
            raise CompileError(node.at.loc, f"'{kind} {tag}' is defined twice")
        attributes = self.attributes_of(node.attributes)
        ct.lay_out(record.body, self._members(node), attributes.packed, attributes.align)
        return record

    def _checked_tag(self, known: ct.CType, is_union: bool, node: s.Node) -> ct.RecordType:
        if not isinstance(known, ct.RecordType) or known.body.is_union != is_union:
            raise CompileError(node.at.loc, f"the tag was declared as '{known}' before")
        return known

    def _members(self, node: s.RecordSpec) -> list[ct.MemberDecl]:
        members: list[ct.MemberDecl] = []
        seen: set[str] = set()
        for group in node.members or []:
            if isinstance(group, s.StaticAssert):
                self.static_assert(group)
                continue
            base = self.specified_type(group.specifiers)
            if not group.declarators:
                members.append(self._anonymous_member(group, base))
                continue
            for declared in group.declarators:
                member = self._record_member(group, base, declared)
                if member.name is not None and member.name in seen:
                    raise CompileError(
                        declared.declarator.at.loc, f"member '{member.name}' is declared twice"
                    )
                seen.add(member.name or "")
                members.append(member)
        for group_member in members[:-1]:
            if not group_member.type.is_complete:
                raise CompileError(node.at.loc, f"member '{group_member.name}' has an incomplete type")
        return members

    def _anonymous_member(self, group: s.MemberGroup, base: ct.CType) -> ct.MemberDecl:
        if not isinstance(base, ct.RecordType):
            raise CompileError(group.at.loc, "the member has no name")
        return ct.MemberDecl(None, base, None, self.alignment_of(group.specifiers))

    def _record_member(
        self, group: s.MemberGroup, base: ct.CType, declared: s.MemberDeclarator
    ) -> ct.MemberDecl:
        declarator = declared.declarator
        ty = self.declared_type(base, declarator)
        name = declarator.name.text if declarator.name else None
        if ty.is_function or ty.is_void:
            raise CompileError(declarator.at.loc, f"member '{name}' cannot have the type '{ty}'")
        attributes = self.attributes_of(group.specifiers.attributes, declarator.attributes)
        align = max(self.alignment_of(group.specifiers), attributes.align)
        if attributes.packed:
            ty = _with_alignment(ty, 1)
        if declared.bit_width is None:
            return ct.MemberDecl(name, ty, None, align)
        width = self.constant_integer(declared.bit_width, "a bit-field's width")
        if not isinstance(ty, ct.IntType) or ty.is_intcap:
            raise CompileError(declarator.at.loc, f"a bit-field cannot have the type '{ty}'")
        if not 0 <= width <= ty.bits or (width == 0 and name is not None):
            raise CompileError(
                declared.bit_width.at.loc, f"a bit-field of '{ty}' cannot be {width} bits wide"
            )
        return ct.MemberDecl(name, ty, width, align)

    def _enum_type(self, node: s.EnumSpec) -> ct.CType:
        if node.values is None:
            assert node.tag is not None
            known = self.scope.find_tag(node.tag)
            if known is None:
                known = ct.EnumType(node.tag)
                self.scope.tags[node.tag] = known
            if not isinstance(known, ct.EnumType):
                raise CompileError(node.at.loc, f"the tag was declared as '{known}' before")
            return known
        existing = self.scope.tags.get(node.tag) if node.tag else None
        enum = existing if isinstance(existing, ct.EnumType) else ct.EnumType(node.tag or "<anonymous>")
        if enum.complete:
            raise CompileError(node.at.loc, f"'enum {node.tag}' is defined twice")
        if node.tag:
            self.scope.tags[node.tag] = enum
        symbols: list[Symbol] = []
        following = 0
        for name, value in node.values:
            if value is not None:
                following = self.constant_integer(value, "an enumeration constant")
            symbol = Symbol(name.text, Kind.CONSTANT, ct.INT, name.loc, constant=following)
            if not -(1 << 31) <= following < 1 << 31:
                symbol.type = ct.LONG if following < 1 << 63 else ct.ULONG
                if 0 <= following < 1 << 32:
                    symbol.type = ct.UINT
            self.declare(symbol)
            symbols.append(symbol)
            enum.values.append((name.text, following))
            following += 1
        low = min((v for _, v in enum.values), default=0)
        high = max((v for _, v in enum.values), default=0)
        if low < 0:
            enum.set_base(ct.INT if low >= -(1 << 31) and high < 1 << 31 else ct.LONG)
        else:
            enum.set_base(ct.UINT if high < 1 << 32 else ct.ULONG)
        enum.complete = True
        return enum

    # -------------------------------------------------------- declarators

    def named_type(self, node: s.TypeName) -> ct.CType:
        base = self.specified_type(node.specifiers)
        return self.declared_type(base, node.declarator)

    def declared_type(self, base: ct.CType, declarator: s.Declarator) -> ct.CType:
        """`base` modified as the declarator says, innermost modifier (last in the list) first."""
        ty = base
        for modifier in reversed(declarator.modifiers):
            if isinstance(modifier, s.PointerMod):
                ty = ct.qualified(ct.PointerType(ty), modifier.quals & ~ct.RESTRICT)
            elif isinstance(modifier, s.ArrayMod):
                ty = self._array_type(ty, modifier, declarator)
            else:
                ty = self._function_type(ty, modifier, declarator)
        return ty

    def _array_type(self, element: ct.CType, modifier: s.ArrayMod, declarator: s.Declarator) -> ct.CType:
        if element.is_function or not element.is_complete:
            raise CompileError(declarator.at.loc, f"an array cannot have elements of type '{element}'")
        if modifier.length is None:
            return ct.ArrayType(element, None)
        e = self.value(modifier.length)
        if isinstance(e, t.IntConst):
            if e.value < 0:
                raise CompileError(modifier.length.at.loc, f"an array cannot have {e.value} elements")
            return ct.ArrayType(element, e.value)
        if not e.type.is_integer:
            raise CompileError(modifier.length.at.loc, "an array's length must be an integer")
        if self.function is None:
            raise CompileError(modifier.length.at.loc, "an array's length must be constant here")
        if isinstance(element, ct.ArrayType) and element.vla is not None:
            raise CompileError(declarator.at.loc, "only one dimension of an array may be variable")
        return ct.ArrayType(element, None, self.vla_size(element, e))

    def _function_type(self, result: ct.CType, modifier: s.FunctionMod, declarator: s.Declarator) -> ct.CType:
        if result.is_function or result.is_array:
            raise CompileError(declarator.at.loc, f"a function cannot return '{result}'")
        if modifier.params is None:
            return ct.FunctionType(ct.unqualified(result), [], False, prototyped=False)
        params = [self.parameter_type(p) for p in modifier.params]
        if len(params) == 1 and params[0].is_void:
            params = []
        for ty, node in zip(params, modifier.params, strict=False):
            if ty.is_void:
                raise CompileError(node.at.loc, "a parameter cannot be void")
        return ct.FunctionType(ct.unqualified(result), params, modifier.variadic)

    def parameter_type(self, node: s.Parameter) -> ct.CType:
        """A parameter's type, arrays and functions adjusted to pointers."""
        modifiers = node.declarator.modifiers
        if modifiers and isinstance(modifiers[0], s.ArrayMod):
            rest = s.Declarator(node.at, None, list(modifiers[1:]))
            element = self.declared_type(self.specified_type(node.specifiers), rest)
            return ct.PointerType(element)
        if not node.specifiers.words and node.specifiers.node is None:
            return ct.INT  # an old-style definition's parameter; its declaration may follow
        ty = self.declared_type(self.specified_type(node.specifiers), node.declarator)
        if isinstance(ty, ct.ArrayType):
            return ct.PointerType(ty.element)
        return ct.PointerType(ty) if ty.is_function else ty

    # -------------------------------------------------------- shared small rules

    def declare(self, symbol: Symbol) -> None:
        """Enter a symbol into the current scope; a second declaration there is an error."""
        if symbol.name in self.scope.names:
            raise CompileError(symbol.loc, f"'{symbol.name}' is declared twice in this scope")
        self.scope.names[symbol.name] = symbol

    def static_assert(self, node: s.StaticAssert) -> None:
        if self.constant_integer(node.condition, "a static assertion's condition") == 0:
            text = f": {string_text(node.message)}" if node.message else ""
            raise CompileError(node.at.loc, f"static assertion failed{text}")

    def complete_type(self, ty: ct.CType, loc: SourceLoc) -> ct.CType:
        if not ty.is_complete or ty.is_function:
            raise CompileError(loc, f"the type '{ty}' is incomplete here")
        return ty


def _with_alignment(ty: ct.CType, align: int) -> ct.CType:
    """A copy of a scalar or array type with another alignment (records keep theirs)."""
    if isinstance(ty, ct.RecordType):
        return ty
    copied = copy.copy(ty)
    copied.align = align
    return copied


def aligned_type(ty: ct.CType, align: int) -> ct.CType:
    """`ty` for a typedef with `aligned(align)`."""
    return _with_alignment(ty, align) if align > 0 else ty

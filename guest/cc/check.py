"""The checker's top: declarations and function definitions of a translation unit.

`check(nodes, diagnostics)` returns a `tree.Unit`; errors are in `diagnostics` (then don't lower).
"""

from __future__ import annotations

from dataclasses import replace

from guest.cc import attributes as attr
from guest.cc import syntax as s
from guest.cc import tree as t
from guest.cc import types as ct
from guest.cc.check_statements import FunctionState, StatementChecker
from guest.cc.check_types import aligned_type
from guest.cc.errors import CompileError, Diagnostics, TooManyErrors
from guest.cc.ir import SourceLoc
from guest.cc.parse import string_text
from guest.cc.symbols import Kind, Symbol


def check(nodes: list[s.Node], diagnostics: Diagnostics) -> t.Unit:
    """Type-check a parsed translation unit."""
    checker = UnitChecker(diagnostics)
    try:
        for node in nodes:
            try:
                checker.external(node)
            except CompileError as error:
                diagnostics.error(error.loc, error.message)
        checker.finish()
    except TooManyErrors:
        diagnostics.messages.append("too many errors, stopped here")
    return checker.unit


class UnitChecker(StatementChecker):
    """Declarations at file scope and in blocks, linkage, function definitions."""

    def external(self, node: s.Node) -> None:
        match node:
            case s.Declaration():
                self._file_declaration(node)
            case s.FunctionDefinition():
                self._function_definition(node)
            case s.StaticAssert():
                self.static_assert(node)
            case s.TopLevelAsm():
                self.unit.asm.append(string_text(node.text))
            case _:
                raise CompileError(node.at.loc, "unexpected declaration")

    def finish(self) -> None:
        """Tentative definitions become objects."""
        for symbol in self.unit.objects:
            if not symbol.type.is_complete:
                if isinstance(symbol.type, ct.ArrayType):
                    symbol.type = ct.ArrayType(symbol.type.element, 1)
                else:
                    self.diagnostics.error(
                        symbol.loc, f"'{symbol.name}' has the incomplete type '{symbol.type}'"
                    )

    # -------------------------------------------------------- declarations

    def _file_declaration(self, node: s.Declaration) -> None:
        base = self._specified(node)
        for declared in node.declarators:
            self._file_declarator(node, base, declared)

    def _specified(self, node: s.Declaration) -> ct.CType:
        spec = node.specifiers
        if not node.declarators and isinstance(spec.node, s.RecordSpec) and spec.node.members is None:
            tag = spec.node.tag or ""
            if tag not in self.scope.tags:  # `struct tag;` declares it anew in this scope
                self.scope.tags[tag] = ct.RecordType(ct.RecordBody(tag, spec.node.is_union))
        return self.specified_type(spec)

    def _declared(
        self, node: s.Declaration, base: ct.CType, declarator: s.Declarator
    ) -> tuple[ct.CType, attr.Attributes, int]:
        ty = self.declared_type(base, declarator)
        attributes = self.attributes_of(node.specifiers.attributes, declarator.attributes)
        return ty, attributes, max(self.alignment_of(node.specifiers), attributes.align)

    def _typedef(self, name: str, ty: ct.CType, align: int, loc: SourceLoc) -> None:
        if align:
            ty = aligned_type(ty, align)
        known = self.scope.names.get(name)
        if known is not None:
            if known.kind is Kind.TYPEDEF and ct.same_type(known.type, ty):
                return
            raise CompileError(loc, f"'{name}' is declared twice in this scope")
        self.scope.names[name] = Symbol(name, Kind.TYPEDEF, ty, loc)

    def _file_declarator(self, node: s.Declaration, base: ct.CType, declared: s.InitDeclarator) -> None:
        declarator = declared.declarator
        assert declarator.name is not None
        name, loc = declarator.name.text, declarator.name.loc
        ty, attributes, align = self._declared(node, base, declarator)
        if node.specifiers.storage == "typedef":
            self._typedef(name, ty, align, loc)
            return
        symbol = self._declare_global(name, ty, node.specifiers, attributes, align, declarator)
        if symbol.kind is Kind.FUNCTION:
            if declared.init is not None:
                raise CompileError(loc, "a function cannot have an initialiser")
            return
        if declared.init is not None:
            if symbol.init is not None:
                raise CompileError(loc, f"'{name}' is defined twice")
            self._define_object(symbol, declared.init)
        elif node.specifiers.storage != "extern" and not attributes.alias:
            self._tentative(symbol)

    def _declare_global(
        self,
        name: str,
        ty: ct.CType,
        spec: s.Specifiers,
        attributes: attr.Attributes,
        align: int,
        declarator: s.Declarator,
    ) -> Symbol:
        """Declare or redeclare something with linkage; returns its one symbol."""
        loc = declarator.at.loc
        kind = Kind.FUNCTION if ty.is_function else Kind.OBJECT
        if ty.is_void:
            raise CompileError(loc, f"'{name}' cannot be void")
        symbol = self.file_scope.names.get(name)
        if symbol is None:
            symbol = Symbol(name, kind, ty, loc, declarator.asm_label or name)
            symbol.is_static = spec.storage == "static"
            symbol.is_extern = spec.storage == "extern"
            symbol.is_thread_local = spec.thread_local
            self.file_scope.names[name] = symbol
            self.unit.symbols.append(symbol)
        else:
            self._redeclare(symbol, ty, spec, loc)
        symbol.is_inline = symbol.is_inline or spec.inline
        symbol.noreturn = symbol.noreturn or spec.noreturn or attributes.noreturn
        symbol.align = max(symbol.align, align)
        symbol.attributes = _merged(symbol.attributes, attributes)
        if attributes.alias or declarator.asm_label:
            symbol.used = True
        if kind is Kind.FUNCTION and not spec.inline and spec.storage != "static":
            symbol.is_extern = True
        return symbol

    def _redeclare(self, symbol: Symbol, ty: ct.CType, spec: s.Specifiers, loc: SourceLoc) -> None:
        if not symbol.is_global_storage or not ct.same_type(symbol.type, ty):
            before = f"{symbol.loc.file}:{symbol.loc.line}"
            names = f"'{ct.describe(symbol.type)}' ({before}), now '{ct.describe(ty)}'"
            raise CompileError(loc, f"'{symbol.name}' was declared as {names}")
        if spec.storage == "static" and not symbol.is_static:
            raise CompileError(loc, f"'{symbol.name}' was declared before without 'static'")
        if spec.thread_local != symbol.is_thread_local:
            raise CompileError(loc, f"'{symbol.name}' was declared with another storage duration")
        symbol.type = ct.composite(symbol.type, ty)

    def _tentative(self, symbol: Symbol) -> None:
        if not symbol.defined:
            symbol.defined = True
            self.unit.objects.append(symbol)

    def _define_object(self, symbol: Symbol, node: s.Node) -> None:
        symbol.type, symbol.init = self.initializer(symbol.type, node)
        self._tentative(symbol)

    # -------------------------------------------------------- block scope

    def block_declaration(self, node: s.Declaration) -> list[t.Stmt]:
        base = self._specified(node)
        made: list[t.Stmt] = []
        for declared in node.declarators:
            declared_now = self._block_declarator(node, base, declared)
            made += [*self.state.pending, *declared_now]
            self.state.pending.clear()
        return made

    def _block_declarator(
        self, node: s.Declaration, base: ct.CType, declared: s.InitDeclarator
    ) -> list[t.Stmt]:
        declarator = declared.declarator
        assert declarator.name is not None
        name, loc = declarator.name.text, declarator.name.loc
        spec = node.specifiers
        ty, attributes, align = self._declared(node, base, declarator)
        if spec.storage == "typedef":
            self._typedef(name, ty, align, loc)
            return []
        if ty.is_function or spec.storage == "extern":
            outer = self.file_scope.names.get(name)
            symbol = self._declare_global(name, ty, spec, attributes, align, declarator)
            if outer is None:  # visible in this block only, but one entity with later declarations
                self.scope.names[name] = symbol
            return []
        if spec.storage == "static" or spec.thread_local:
            self._static_local(name, ty, node, attributes, align, declared)
            return []
        return self._automatic(name, ty, align, declared)

    def _static_local(
        self,
        name: str,
        ty: ct.CType,
        node: s.Declaration,
        attributes: attr.Attributes,
        align: int,
        declared: s.InitDeclarator,
    ) -> None:
        assert self.function is not None and declared.declarator.name is not None
        self.static_number += 1
        link_name = f"{self.function.name}.{name}.{self.static_number}"
        symbol = Symbol(name, Kind.OBJECT, ty, declared.declarator.name.loc, link_name, is_static=True)
        symbol.is_thread_local = node.specifiers.thread_local
        symbol.attributes, symbol.align = attributes, align
        self.declare(symbol)
        self._tentative(symbol)
        if declared.init is not None:
            symbol.type, symbol.init = self.initializer(symbol.type, declared.init)
        else:
            self.complete_type(ty, symbol.loc)

    def _automatic(self, name: str, ty: ct.CType, align: int, declared: s.InitDeclarator) -> list[t.Stmt]:
        assert declared.declarator.name is not None
        loc = declared.declarator.name.loc
        symbol = Symbol(name, Kind.LOCAL, ty, loc, declared.declarator.asm_label or "", align=align)
        if isinstance(ty, ct.ArrayType) and isinstance(ty.vla, Symbol):
            self.declare(symbol)
            if declared.init is not None:
                raise CompileError(loc, "a variable-length array cannot have an initialiser")
            return [t.LocalDecl(loc, symbol, None, t.SymbolRef(ct.SIZE, loc, ty.vla))]
        if declared.init is None:
            self.complete_type(ty, loc)
            self.declare(symbol)
            return [t.LocalDecl(loc, symbol, None)]
        self.declare(symbol)
        symbol.type, init = self.initializer(ty, declared.init)
        return [t.LocalDecl(loc, symbol, init)]

    # -------------------------------------------------------- functions

    def _function_definition(self, node: s.FunctionDefinition) -> None:
        declarator = node.declarator
        assert declarator.name is not None
        name, loc = declarator.name.text, declarator.name.loc
        spec = node.specifiers
        if not spec.words and spec.node is None:
            raise CompileError(loc, f"the function '{name}' needs a result type")
        params = self._parameters(node)
        declared = self.declared_type(self.specified_type(spec), declarator)
        if not isinstance(declared, ct.FunctionType):
            raise CompileError(loc, f"'{name}' is not a function")
        if node.old_style:
            declared = ct.FunctionType(declared.result, [p.type for p in params], False)
        elif not declared.prototyped:
            declared = ct.FunctionType(declared.result, [], False, prototyped=False)
        attributes = self.attributes_of(spec.attributes, declarator.attributes)
        symbol = self._declare_global(name, declared, spec, attributes, 0, declarator)
        if symbol.defined:
            raise CompileError(loc, f"'{name}' is defined twice")
        symbol.defined = True
        symbol.type = declared
        if not declared.result.is_void:
            self.complete_type(declared.result, loc)
        self._function_body(node, symbol, declared, params)

    def _parameters(self, node: s.FunctionDefinition) -> list[Symbol]:
        function = node.declarator.modifiers[0]
        assert isinstance(function, s.FunctionMod)
        types = self._old_style_types(node)
        params: list[Symbol] = []
        for p in function.params or []:
            ty = types.get(p.declarator.name.text) if p.declarator.name else None
            ty = ty or self.parameter_type(p)
            if ty.is_void:
                continue
            self.complete_type(ty, p.at.loc)
            where = p.declarator.name.loc if p.declarator.name else p.at.loc
            params.append(Symbol(p.declarator.name.text if p.declarator.name else "", Kind.PARAM, ty, where))
        return params

    def _old_style_types(self, node: s.FunctionDefinition) -> dict[str, ct.CType]:
        types: dict[str, ct.CType] = {}
        for declaration in node.old_style:
            for declared in declaration.declarators:
                assert declared.declarator.name is not None
                p = s.Parameter(declaration.at, declaration.specifiers, declared.declarator)
                types[declared.declarator.name.text] = self.parameter_type(p)
        return types

    def _function_body(
        self, node: s.FunctionDefinition, symbol: Symbol, ty: ct.FunctionType, params: list[Symbol]
    ) -> None:
        self.function = symbol
        self.state = FunctionState(symbol, ty.result)
        self.push_scope()
        try:
            for p in params:
                if p.name:
                    self.declare(p)
            body = self.statements(node.body.items)
            for label, loc in self.state.label_uses:
                if label not in self.state.labels:
                    self.diagnostics.error(loc, f"the label '{label}' is not defined in this function")
            function = t.Function(symbol, params, body, symbol.loc, self.state.labels_taken)
            self.unit.functions.append(function)
        finally:
            self.scope = self.file_scope
            self.function = None


def _merged(a: attr.Attributes, b: attr.Attributes) -> attr.Attributes:
    """The attributes of two declarations of one entity."""
    out = replace(a)
    for name in attr.Attributes.__dataclass_fields__:
        value = getattr(b, name)
        if value:
            setattr(out, name, value)
    return out

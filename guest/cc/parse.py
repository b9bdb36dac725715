"""Declarations and statements of C99 plus GNU attributes, asm and statement forms.

`parse(tokens)` gives the external declarations of one translation unit. Raises CompileError at the
first syntax error. Nothing but typedef names is looked up here; types are the checker's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from guest.cc import syntax as s
from guest.cc import types as ct
from guest.cc.errors import CompileError
from guest.cc.lexer import END, ID, STRING, Token, unescape
from guest.cc.parse_expressions import DECLARATION_STARTERS, TYPE_WORDS, ExpressionParser

_QUALIFIERS = {"const": ct.CONST, "volatile": ct.VOLATILE, "restrict": ct.RESTRICT, "_Atomic": ct.ATOMIC}
_STORAGE = frozenset(["typedef", "extern", "static", "auto", "register"])


def parse(tokens: list[Token]) -> list[s.Node]:
    return Parser(tokens).translation_unit()


class DeclarationParser(ExpressionParser):
    """Grammar of declarations, type names, struct and enum specifiers, initialisers and attributes."""

    # attributes: ('__attribute__' '(' '(' attribute (',' attribute)* ')' ')')*
    def attributes(self) -> list[s.Attribute]:
        found: list[s.Attribute] = []
        while self.token.kind == "__attribute__":
            self.advance()
            self.expect("(")
            self.expect("(")
            while self.token.kind != ")":
                if not self.accept(","):
                    found.append(self._attribute())
            self.expect(")")
            self.expect(")")
        return found

    def _attribute(self) -> s.Attribute:
        if self.token.kind is END:
            raise self.syntax_error("expected an attribute")
        name = self.advance()
        args: list[s.Node] = []
        if self.accept("(") and not self.accept(")"):
            while True:
                args.append(self.type_name() if self.starts_type(self.token) else self.assignment())
                if not self.accept(","):
                    break
            self.expect(")")
        text = name.text.strip("_") if name.text.startswith("__") else name.text
        return s.Attribute(name, text, args)

    # specifiers: (storage | qualifier | function-specifier | alignas | attribute | type)+
    def specifiers(self) -> s.Specifiers:
        spec = s.Specifiers(self.token)
        while True:
            token = self.token
            kind = token.kind
            if kind in TYPE_WORDS:
                spec.words.append(kind)
                self.advance()
            elif kind == "_Atomic" and self.peek().kind == "(":
                self.advance()
                self.advance()
                spec.node = s.TypeofSpec(token, self.type_name())
                spec.quals |= ct.ATOMIC
                self.expect(")")
            elif kind in _QUALIFIERS:
                spec.quals |= _QUALIFIERS[kind]
                self.advance()
            elif kind in _STORAGE:
                if spec.storage is not None:
                    raise CompileError(token.loc, f"'{kind}' after '{spec.storage}' in one declaration")
                spec.storage = kind
                self.advance()
            elif kind == "__attribute__":
                spec.attributes += self.attributes()
            elif not self._special_specifier(spec, token, kind):
                break
        return spec

    def _special_specifier(self, spec: s.Specifiers, token: Token, kind: str) -> bool:
        if kind == "inline":
            spec.inline = True
            self.advance()
        elif kind == "_Noreturn":
            spec.noreturn = True
            self.advance()
        elif kind == "_Thread_local":
            spec.thread_local = True
            self.advance()
        elif kind == "_Alignas":
            self.advance()
            self.expect("(")
            spec.alignas.append(self.type_name() if self.starts_type(self.token) else self.conditional())
            self.expect(")")
        elif kind in ("struct", "union"):
            spec.node = self.record_specifier()
        elif kind == "enum":
            spec.node = self.enum_specifier()
        elif kind == "__typeof__":
            self.advance()
            self.expect("(")
            operand = self.type_name() if self.starts_type(self.token) else self.expression()
            self.expect(")")
            spec.node = s.TypeofSpec(token, operand)
        elif kind is ID and spec.node is None and not spec.words and self.is_typedef(token.text):
            spec.node = s.TypedefName(self.advance())
        else:
            return False
        return True

    # record: ('struct'|'union') attributes id? ('{' member-group* '}')? attributes
    def record_specifier(self) -> s.RecordSpec:
        at = self.advance()
        attributes = self.attributes()
        tag = self.accept(ID)
        members: list[s.MemberGroup | s.StaticAssert] | None = None
        if self.accept("{"):
            members = []
            while not self.accept("}"):
                if self.token.kind == "_Static_assert":
                    members.append(self.static_assert())
                elif not self.accept(";"):
                    members.append(self.member_group())
            attributes += self.attributes()
        elif tag is None:
            raise self.syntax_error(f"expected a tag or '{{' after '{at.text}'")
        return s.RecordSpec(at, at.kind == "union", tag.text if tag else None, members, attributes)

    # member-group: specifiers (declarator (':' width)? | ':' width) (',' …)* ';'
    def member_group(self) -> s.MemberGroup:
        spec = self.specifiers()
        if not spec.words and spec.node is None:
            raise self.syntax_error("expected a member's type")
        declarators: list[s.MemberDeclarator] = []
        while self.token.kind != ";":
            if self.token.kind == ":":
                declarator = s.Declarator(self.token, None, [])
            else:
                declarator = self.declarator()
            width = self.conditional() if self.accept(":") else None
            declarator.attributes += self.attributes()
            declarators.append(s.MemberDeclarator(declarator, width))
            if not self.accept(","):
                break
        self.expect(";")
        return s.MemberGroup(spec.at, spec, declarators)

    # enum: 'enum' attributes id? ('{' (id ('=' e)? ','?)* '}')? attributes
    def enum_specifier(self) -> s.EnumSpec:
        at = self.advance()
        attributes = self.attributes()
        tag = self.accept(ID)
        values: list[tuple[Token, s.Node | None]] | None = None
        if self.accept("{"):
            values = []
            while not self.accept("}"):
                name = self.expect(ID)
                self.attributes()
                values.append((name, self.conditional() if self.accept("=") else None))
                self.scopes[-1][name.text] = False
                if not self.accept(","):
                    self.expect("}")
                    break
            attributes += self.attributes()
        elif tag is None:
            raise self.syntax_error("expected a tag or '{' after 'enum'")
        return s.EnumSpec(at, tag.text if tag else None, values, attributes)

    # declarator: ('*' qualifiers)* (id | '(' declarator ')') ('[' e? ']' | '(' params ')')*
    def declarator(self, abstract: bool = False) -> s.Declarator:
        pointers: list[s.Modifier] = []
        attributes = self.attributes()
        while self.accept("*"):
            quals = 0
            while self.token.kind in _QUALIFIERS or self.token.kind == "__attribute__":
                if self.token.kind == "__attribute__":
                    attributes += self.attributes()
                else:
                    quals |= _QUALIFIERS[self.advance().kind]
            pointers.insert(0, s.PointerMod(quals))
        inner: s.Declarator | None = None
        name: Token | None = None
        at = self.token
        if self.token.kind == "(" and self._is_nested_declarator(abstract):
            self.advance()
            inner = self.declarator(abstract)
            self.expect(")")
        elif self.token.kind is ID:
            name = self.advance()
        elif not abstract:
            raise self.syntax_error("expected a name to declare")
        suffixes = self._declarator_suffixes()
        result = s.Declarator(at, name, suffixes + pointers, attributes)
        if inner is not None:
            result = s.Declarator(
                inner.at, inner.name, inner.modifiers + result.modifiers, inner.attributes + attributes
            )
        return result

    def _is_nested_declarator(self, abstract: bool) -> bool:
        """After '(': a declarator in parentheses, as opposed to an abstract function's parameters."""
        following = self.peek()
        if following.kind in ("*", "(", "[", "__attribute__"):
            return True
        return following.kind is ID and (not abstract or not self.is_typedef(following.text))

    def _declarator_suffixes(self) -> list[s.Modifier]:
        suffixes: list[s.Modifier] = []
        while True:
            if self.accept("["):
                while self.token.kind in _QUALIFIERS or self.token.kind == "static":
                    self.advance()
                length = None
                if self.token.kind == "*" and self.peek().kind == "]":
                    self.advance()
                elif self.token.kind != "]":
                    length = self.assignment()
                self.expect("]")
                suffixes.append(s.ArrayMod(length))
            elif self.token.kind == "(":
                self.advance()
                suffixes.append(self._parameters())
            else:
                return suffixes

    # parameters: ')' | id-list ')' | (parameter (',' parameter)* (',' '...')?) ')'
    def _parameters(self) -> s.FunctionMod:
        if self.accept(")"):
            return s.FunctionMod(None, False)
        params: list[s.Parameter] = []
        if self.token.kind is ID and not self.is_typedef(self.token.text):
            while True:  # an old-style definition's names; their types follow
                name = self.expect(ID)
                params.append(s.Parameter(name, s.Specifiers(name), s.Declarator(name, name, [])))
                if not self.accept(","):
                    break
            self.expect(")")
            return s.FunctionMod(params, False)
        self.scopes.append({})
        variadic = False
        while True:
            if self.accept("..."):
                variadic = True
                break
            if self.token.kind not in DECLARATION_STARTERS and not self.starts_type(self.token):
                raise self.syntax_error("expected a parameter's type")
            spec = self.specifiers()
            declarator = self.declarator(abstract=True)
            declarator.attributes += self.attributes()
            if declarator.name is not None:
                self.scopes[-1][declarator.name.text] = False
            params.append(s.Parameter(spec.at, spec, declarator))
            if not self.accept(","):
                break
        self.scopes.pop()
        self.expect(")")
        return s.FunctionMod(params, variadic)

    def type_name(self) -> s.TypeName:
        spec = self.specifiers()
        if not spec.words and spec.node is None:
            raise self.syntax_error("expected a type")
        return s.TypeName(spec.at, spec, self.declarator(abstract=True))

    # initializer: assignment | '{' (designation? initializer (',' …)* ','?)? '}'
    def initializer(self) -> s.Node:
        return self.initializer_list() if self.token.kind == "{" else self.assignment()

    def initializer_list(self) -> s.InitList:
        at = self.expect("{")
        items: list[s.InitItem] = []
        while not self.accept("}"):
            designators = self._designators()
            items.append(s.InitItem(designators, self.initializer()))
            if not self.accept(","):
                self.expect("}")
                break
        return s.InitList(at, items)

    def _designators(self) -> list[s.FieldDesignator | s.IndexDesignator]:
        found: list[s.FieldDesignator | s.IndexDesignator] = []
        if self.token.kind is ID and self.peek().kind == ":":
            name = self.advance()
            self.advance()
            return [s.FieldDesignator(name, name.text)]
        while self.token.kind in (".", "["):
            at = self.advance()
            if at.kind == ".":
                found.append(s.FieldDesignator(at, self.expect(ID).text))
                continue
            low = self.conditional()
            high = self.conditional() if self.accept("...") else None
            self.expect("]")
            found.append(s.IndexDesignator(at, low, high))
        if found:
            self.expect("=")
        return found

    # static-assert: '_Static_assert' '(' e (',' string)? ')' ';'
    def static_assert(self) -> s.StaticAssert:
        at = self.advance()
        self.expect("(")
        condition = self.conditional()
        message = self.string() if self.accept(",") else None
        self.expect(")")
        self.expect(";")
        return s.StaticAssert(at, condition, message)

    def starts_declaration(self) -> bool:
        kind = self.token.kind
        if kind in DECLARATION_STARTERS:
            return True
        return kind is ID and self.is_typedef(self.token.text) and self.peek().kind != ":"

    # declaration: specifiers (declarator asm? attributes ('=' initializer)? ',' …)* ';'
    def declaration(self) -> s.Declaration:
        spec = self.specifiers()
        result = s.Declaration(spec.at, spec, [])
        if self.accept(";"):
            return result
        self.declarators_into(result, self.declarator())
        return result

    def declarators_into(self, result: s.Declaration, first: s.Declarator) -> None:
        declarator = first
        while True:
            self.declarator_tail(declarator)
            if declarator.name is not None:
                self.scopes[-1][declarator.name.text] = result.specifiers.storage == "typedef"
            init = self.initializer() if self.accept("=") else None
            result.declarators.append(s.InitDeclarator(declarator, init))
            if not self.accept(","):
                break
            declarator = self.declarator()
        self.expect(";")

    def declarator_tail(self, declarator: s.Declarator) -> None:
        """asm label and attributes after a declarator."""
        if self.token.kind == "__asm__":
            self.advance()
            self.expect("(")
            declarator.asm_label = string_text(self.string())
            self.expect(")")
        declarator.attributes += self.attributes()


class Parser(DeclarationParser):
    """Grammar of statements and external declarations."""

    def translation_unit(self) -> list[s.Node]:
        nodes: list[s.Node] = []
        while self.token.kind is not END:
            if self.accept(";"):
                continue
            nodes.append(self.external_declaration())
        return nodes

    def external_declaration(self) -> s.Node:
        if self.token.kind == "_Static_assert":
            return self.static_assert()
        if self.token.kind == "__asm__":
            at = self.advance()
            self.expect("(")
            text = self.string()
            self.expect(")")
            self.expect(";")
            return s.TopLevelAsm(at, text)
        spec = self.specifiers()
        if not spec.words and spec.node is None:
            self._reject_unknown_type()
        if not spec.words and spec.node is None and spec.storage is None and not spec.inline:
            raise self.syntax_error("expected a declaration")
        if self.accept(";"):
            return s.Declaration(spec.at, spec, [])
        declarator = self.declarator()
        self.declarator_tail(declarator)
        if self._starts_function_body(declarator):
            return self._function_definition(spec, declarator)
        result = s.Declaration(spec.at, spec, [])
        self.declarators_into(result, declarator)
        return result

    def _starts_function_body(self, declarator: s.Declarator) -> bool:
        if not declarator.modifiers or not isinstance(declarator.modifiers[0], s.FunctionMod):
            return False
        return self.token.kind == "{" or self.starts_declaration()

    def _function_definition(self, spec: s.Specifiers, declarator: s.Declarator) -> s.Node:
        assert declarator.name is not None
        self.scopes[-1][declarator.name.text] = False
        function = declarator.modifiers[0]
        assert isinstance(function, s.FunctionMod)
        self.scopes.append({})
        for parameter in function.params or []:
            if parameter.declarator.name is not None:
                self.scopes[-1][parameter.declarator.name.text] = False
        old_style: list[s.Declaration] = []
        while self.token.kind != "{":
            old_style.append(self.declaration())
        body = self.compound_statement()
        self.scopes.pop()
        return s.FunctionDefinition(spec.at, spec, declarator, body, old_style)

    # compound: '{' (declaration | statement)* '}'
    def compound_statement(self) -> s.Compound:
        at = self.expect("{")
        self.scopes.append({})
        items: list[s.Node] = []
        while self.token.kind != "}":
            if self.token.kind is END:
                raise CompileError(at.loc, "this '{' is not closed")
            items.append(self.block_item())
        self.advance()
        self.scopes.pop()
        return s.Compound(at, items)

    def block_item(self) -> s.Node:
        if self.token.kind == "_Static_assert":
            return self.static_assert()
        if self.token.kind == "__label__":
            at = self.advance()
            while self.expect(ID) and self.accept(","):
                pass
            self.expect(";")
            return s.ExpressionStatement(at, None)
        if self.token.kind == "__attribute__" and self._is_attribute_statement():
            return self.statement()
        if self.starts_declaration():
            return self.declaration()
        return self.statement()

    def _is_attribute_statement(self) -> bool:
        """`__attribute__((fallthrough));` and the like: an attribute with nothing declared."""
        mark = self.position
        self.attributes()
        result = self.token.kind == ";"
        self.position = mark
        self.token = self.tokens[mark]
        return result

    def statement(self) -> s.Node:
        rule = self._STATEMENTS.get(self.token.kind)
        if rule is not None:
            return rule(self)
        if self.token.kind is ID and self.peek().kind == ":":
            name = self.advance()
            self.advance()
            self.attributes()
            return s.Label(name, name.text, self._labelled())
        at = self.token
        self._reject_unknown_type()
        expression = self.expression()
        self.expect(";")
        return s.ExpressionStatement(at, expression)

    def _reject_unknown_type(self) -> None:
        """Two names in a row: the first was meant as a type."""
        if self.token.kind is ID and self.peek().kind is ID:
            raise CompileError(self.token.loc, f"'{self.token.text}' is not a type")

    def _labelled(self) -> s.Node:
        """The statement after a label; a label may also end a block or precede a declaration."""
        if self.token.kind == "}":
            return s.ExpressionStatement(self.token, None)
        if self.starts_declaration():
            return self.declaration()
        return self.statement()

    def _empty(self) -> s.Node:
        return s.ExpressionStatement(self.advance(), None)

    def _attribute_statement(self) -> s.Node:
        at = self.token
        self.attributes()
        self.expect(";")
        return s.ExpressionStatement(at, None)

    def _parenthesized(self) -> s.Node:
        self.expect("(")
        node = self.expression()
        self.expect(")")
        return node

    def _if(self) -> s.Node:
        at = self.advance()
        condition = self._parenthesized()
        then = self.statement()
        return s.If(at, condition, then, self.statement() if self.accept("else") else None)

    def _while(self) -> s.Node:
        at = self.advance()
        condition = self._parenthesized()
        return s.While(at, condition, self.statement())

    def _do(self) -> s.Node:
        at = self.advance()
        body = self.statement()
        self.expect("while")
        condition = self._parenthesized()
        self.expect(";")
        return s.DoWhile(at, body, condition)

    def _for(self) -> s.Node:
        at = self.advance()
        self.expect("(")
        self.scopes.append({})
        init: s.Node | None = None
        if self.starts_declaration():
            init = self.declaration()
        elif not self.accept(";"):
            init = s.ExpressionStatement(self.token, self.expression())
            self.expect(";")
        condition = None if self.token.kind == ";" else self.expression()
        self.expect(";")
        step = None if self.token.kind == ")" else self.expression()
        self.expect(")")
        body = self.statement()
        self.scopes.pop()
        return s.For(at, init, condition, step, body)

    def _switch(self) -> s.Node:
        at = self.advance()
        value = self._parenthesized()
        return s.Switch(at, value, self.statement())

    def _case(self) -> s.Node:
        at = self.advance()
        low = self.conditional()
        high = self.conditional() if self.accept("...") else None
        self.expect(":")
        return s.Case(at, low, high, self._labelled())

    def _default(self) -> s.Node:
        at = self.advance()
        self.expect(":")
        return s.Default(at, self._labelled())

    def _goto(self) -> s.Node:
        at = self.advance()
        node: s.Node
        if self.accept("*"):
            node = s.ComputedGoto(at, self.expression())
        else:
            node = s.Goto(at, self.expect(ID).text)
        self.expect(";")
        return node

    def _break(self) -> s.Node:
        node = s.Break(self.advance())
        self.expect(";")
        return node

    def _continue(self) -> s.Node:
        node = s.Continue(self.advance())
        self.expect(";")
        return node

    def _return(self) -> s.Node:
        at = self.advance()
        value = None if self.token.kind == ";" else self.expression()
        self.expect(";")
        return s.Return(at, value)

    # asm: '__asm__' ('volatile'|'goto'|'inline')* '(' string (':' operands){0,2} (':' clobbers)? ')' ';'
    def _asm(self) -> s.Node:
        at = self.advance()
        while self.token.kind in ("volatile", "inline", "goto"):
            self.advance()
        self.expect("(")
        template = self.string()
        sections: list[list[s.AsmOperand]] = [[], []]
        clobbers: list[str] = []
        for section in sections:
            if not self.accept(":"):
                break
            while self.token.kind in ("[", STRING):
                section.append(self._asm_operand())
                if not self.accept(","):
                    break
        if self.accept(":"):
            while self.token.kind is STRING:
                clobbers.append(string_text(self.string()))
                if not self.accept(","):
                    break
        self.expect(")")
        self.expect(";")
        return s.AsmStatement(at, template, sections[0], sections[1], clobbers)

    def _asm_operand(self) -> s.AsmOperand:
        name: str | None = None
        if self.accept("["):
            name = self.expect(ID).text
            self.expect("]")
        constraint = string_text(self.string())
        self.expect("(")
        expression = self.expression()
        self.expect(")")
        return s.AsmOperand(name, constraint, expression)

    _STATEMENTS: ClassVar[dict[str, Callable[[Parser], s.Node]]] = {
        "{": lambda self: self.compound_statement(),
        ";": _empty,
        "if": _if,
        "while": _while,
        "do": _do,
        "for": _for,
        "switch": _switch,
        "case": _case,
        "default": _default,
        "goto": _goto,
        "break": _break,
        "continue": _continue,
        "return": _return,
        "__asm__": _asm,
        "__attribute__": _attribute_statement,
    }


def string_text(literal: s.StringLiteral) -> str:
    """A plain string literal's value as text (asm templates, section names, …)."""
    units: list[int] = []
    for part in literal.parts:
        body = part.text[part.text.index('"') + 1 : -1]
        units += unescape(body, part.loc, wide=False)
    return bytes(u & 0xFF for u in units).decode("utf-8", "replace")

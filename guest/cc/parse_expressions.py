"""Expressions of C99 with the GNU forms the guests use, by recursive descent.

`TokenReader` is the cursor all parsers share; `ExpressionParser` adds one function per grammar rule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from guest.cc import syntax as s
from guest.cc.errors import CompileError
from guest.cc.lexer import CHAR, END, ID, NUMBER, STRING, Token

BINARY_PRECEDENCE = {
    "||": 1,
    "&&": 2,
    "|": 3,
    "^": 4,
    "&": 5,
    "==": 6,
    "!=": 6,
    "<": 7,
    ">": 7,
    "<=": 7,
    ">=": 7,
    "<<": 8,
    ">>": 8,
    "+": 9,
    "-": 9,
    "*": 10,
    "/": 10,
    "%": 10,
}
ASSIGNMENTS = frozenset(["=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="])

TYPE_WORDS = frozenset(
    [
        "void",
        "char",
        "short",
        "int",
        "long",
        "float",
        "double",
        "signed",
        "unsigned",
        "_Bool",
        "__intcap_t",
        "__uintcap_t",
        "__int128",
        "__builtin_va_list",
    ]
)
TYPE_STARTERS = TYPE_WORDS | frozenset(
    [
        "struct",
        "union",
        "enum",
        "const",
        "volatile",
        "restrict",
        "_Atomic",
        "_Alignas",
        "__typeof__",
        "__attribute__",
    ]
)
DECLARATION_STARTERS = TYPE_STARTERS | frozenset(
    ["typedef", "extern", "static", "auto", "register", "inline", "_Noreturn", "_Thread_local"]
)


class TokenReader:
    """A cursor over the tokens and the scopes that tell typedef names from other identifiers."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.position = 0
        self.token = tokens[0]
        self.scopes: list[dict[str, bool]] = [{}]

    def advance(self) -> Token:
        token = self.token
        self.position += 1
        if token.kind is not END:
            self.token = self.tokens[self.position]
        return token

    def peek(self) -> Token:
        """The token after the current one."""
        return self.tokens[min(self.position + 1, len(self.tokens) - 1)]

    def accept(self, kind: str) -> Token | None:
        if self.token.kind == kind:
            return self.advance()
        return None

    def expect(self, kind: str) -> Token:
        if self.token.kind != kind:
            wanted = {ID: "a name", STRING: "a string"}.get(kind, f"'{kind}'")
            raise self.syntax_error(f"expected {wanted}")
        return self.advance()

    def syntax_error(self, message: str) -> CompileError:
        found = "the end of the file" if self.token.kind is END else f"'{self.token.text}'"
        return CompileError(self.token.loc, f"{message} before {found}")

    def is_typedef(self, name: str) -> bool:
        for scope in reversed(self.scopes):
            known = scope.get(name)
            if known is not None:
                return known
        return False

    def starts_type(self, token: Token) -> bool:
        return token.kind in TYPE_STARTERS or (token.kind is ID and self.is_typedef(token.text))


class ExpressionParser(TokenReader):
    """Grammar of expressions; declarations and statements inside them come from the subclasses."""

    def type_name(self) -> s.TypeName:
        raise NotImplementedError

    def compound_statement(self) -> s.Compound:
        raise NotImplementedError

    def initializer_list(self) -> s.InitList:
        raise NotImplementedError

    # expression: assignment (',' assignment)*
    def expression(self) -> s.Node:
        node = self.assignment()
        while self.token.kind == ",":
            at = self.advance()
            node = s.Comma(at, node, self.assignment())
        return node

    # assignment: conditional | unary assignment-operator assignment
    def assignment(self) -> s.Node:
        node = self.conditional()
        if self.token.kind in ASSIGNMENTS:
            at = self.advance()
            return s.Assign(at, at.kind, node, self.assignment())
        return node

    # conditional: binary ('?' expression? ':' conditional)?
    def conditional(self) -> s.Node:
        node = self.binary(1)
        if self.token.kind != "?":
            return node
        at = self.advance()
        then = None if self.token.kind == ":" else self.expression()
        self.expect(":")
        return s.Conditional(at, node, then, self.conditional())

    # binary: cast (operator cast)*, by precedence
    def binary(self, lowest: int) -> s.Node:
        node = self.cast()
        while True:
            precedence = BINARY_PRECEDENCE.get(self.token.kind, 0)
            if precedence < lowest:
                return node
            at = self.advance()
            node = s.Binary(at, at.kind, node, self.binary(precedence + 1))

    # cast: '(' type-name ')' cast | unary
    def cast(self) -> s.Node:
        if self.token.kind == "(" and self.starts_type(self.peek()):
            at = self.advance()
            type_name = self.type_name()
            self.expect(")")
            if self.token.kind == "{":
                return self.postfix_of(s.CompoundLiteral(at, type_name, self.initializer_list()))
            return s.Cast(at, type_name, self.cast())
        return self.unary()

    # unary: ('++'|'--') unary | unary-operator cast | sizeof … | '&&' label | postfix
    def unary(self) -> s.Node:
        kind = self.token.kind
        if kind in ("++", "--"):
            at = self.advance()
            return s.Unary(at, kind, self.unary())
        if kind in ("&", "*", "+", "-", "~", "!"):
            at = self.advance()
            return s.Unary(at, kind, self.cast())
        if kind in ("sizeof", "_Alignof"):
            return self.size_of()
        if kind == "&&":
            at = self.advance()
            return s.LabelAddress(at, self.expect(ID).text)
        return self.postfix_of(self.primary())

    def size_of(self) -> s.Node:
        at = self.advance()
        align = at.kind == "_Alignof"
        if self.token.kind == "(" and self.starts_type(self.peek()):
            self.advance()
            type_name = self.type_name()
            self.expect(")")
            if self.token.kind == "{":
                literal = s.CompoundLiteral(at, type_name, self.initializer_list())
                return s.SizeOf(at, self.postfix_of(literal), align)
            return s.SizeOf(at, type_name, align)
        return s.SizeOf(at, self.unary(), align)

    # postfix: primary ('[' e ']' | '(' args ')' | '.' id | '->' id | '++' | '--')*
    def postfix_of(self, node: s.Node) -> s.Node:
        while True:
            kind = self.token.kind
            if kind == "[":
                at = self.advance()
                node = s.Index(at, node, self.expression())
                self.expect("]")
            elif kind == "(":
                at = self.advance()
                node = s.Call(node.at if isinstance(node, s.Name) else at, node, self.arguments())
            elif kind in (".", "->"):
                self.advance()
                name = self.expect(ID)
                node = s.Member(name, node, name.text, kind == "->")
            elif kind in ("++", "--"):
                node = s.Postfix(self.advance(), kind, node)
            else:
                return node

    def arguments(self) -> list[s.Node]:
        args: list[s.Node] = []
        if not self.accept(")"):
            args.append(self.assignment())
            while self.accept(","):
                args.append(self.assignment())
            self.expect(")")
        return args

    # primary: name | constant | string+ | '(' expression ')' | '(' compound ')' | builtin forms
    def primary(self) -> s.Node:
        token = self.token
        kind = token.kind
        if kind is ID:
            return s.Name(self.advance())
        if kind is NUMBER:
            return s.Number(self.advance())
        if kind is CHAR:
            return s.CharLiteral(self.advance())
        if kind is STRING:
            return self.string()
        if kind == "(":
            self.advance()
            if self.token.kind == "{":
                node: s.Node = s.StatementExpression(token, self.compound_statement())
            else:
                node = self.expression()
            self.expect(")")
            return node
        special = self._SPECIAL.get(kind)
        if special is None:
            raise self.syntax_error("expected an expression")
        return special(self)

    def string(self) -> s.StringLiteral:
        at = self.expect(STRING)
        parts = [at]
        while self.token.kind is STRING:
            parts.append(self.advance())
        return s.StringLiteral(at, parts)

    # generic: _Generic '(' assignment (',' (type-name|default) ':' assignment)+ ')'
    def generic(self) -> s.Node:
        at = self.advance()
        self.expect("(")
        control = self.assignment()
        choices: list[tuple[s.TypeName | None, s.Node]] = []
        while self.accept(","):
            key = None if self.accept("default") else self.type_name()
            self.expect(":")
            choices.append((key, self.assignment()))
        self.expect(")")
        return s.Generic(at, control, choices)

    def function_name(self) -> s.Node:
        return s.FunctionName(self.advance())

    def va_arg(self) -> s.Node:
        at = self.advance()
        self.expect("(")
        ap = self.assignment()
        self.expect(",")
        type_name = self.type_name()
        self.expect(")")
        return s.VaArg(at, ap, type_name)

    # offsetof: '(' type-name ',' id ('.' id | '[' e ']')* ')'
    def offset_of(self) -> s.Node:
        at = self.advance()
        self.expect("(")
        type_name = self.type_name()
        self.expect(",")
        first = self.expect(ID)
        path: list[s.FieldDesignator | s.IndexDesignator] = [s.FieldDesignator(first, first.text)]
        while self.token.kind in (".", "["):
            if self.accept("."):
                name = self.expect(ID)
                path.append(s.FieldDesignator(name, name.text))
            else:
                bracket = self.advance()
                path.append(s.IndexDesignator(bracket, self.expression(), None))
                self.expect("]")
        self.expect(")")
        return s.OffsetOf(at, type_name, path)

    def types_compatible(self) -> s.Node:
        at = self.advance()
        self.expect("(")
        first = self.type_name()
        self.expect(",")
        second = self.type_name()
        self.expect(")")
        return s.TypesCompatible(at, first, second)

    def choose_expression(self) -> s.Node:
        at = self.advance()
        self.expect("(")
        args = self.arguments()
        if len(args) != 3:
            raise CompileError(at.loc, "__builtin_choose_expr takes three arguments")
        return s.ChooseExpression(at, *args)

    _SPECIAL: ClassVar[dict[str, Callable[[ExpressionParser], s.Node]]] = {
        "_Generic": generic,
        "__func__": function_name,
        "__builtin_va_arg": va_arg,
        "__builtin_offsetof": offset_of,
        "__builtin_types_compatible_p": types_compatible,
        "__builtin_choose_expr": choose_expression,
    }

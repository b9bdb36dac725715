"""Syntax tree of a translation unit: what the parser builds and the checker consumes.

No types are resolved here; `at` is the token a diagnostic points to.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from guest.cc.lexer import Token


@dataclass(slots=True)
class Node:
    at: Token


# ---------------------------------------------------------------- types and declarations


@dataclass(slots=True)
class Attribute(Node):
    """`__attribute__((name(args)))`, the name without its underscores; a type argument is a TypeName."""

    name: str
    args: list[Node]


@dataclass(slots=True)
class RecordSpec(Node):
    """struct or union; `members` is None for a mere reference to the tag."""

    is_union: bool
    tag: str | None
    members: list[MemberGroup | StaticAssert] | None
    attributes: list[Attribute]


@dataclass(slots=True)
class EnumSpec(Node):
    tag: str | None
    values: list[tuple[Token, Node | None]] | None
    attributes: list[Attribute]


@dataclass(slots=True)
class TypedefName(Node):
    pass


@dataclass(slots=True)
class TypeofSpec(Node):
    operand: Node


@dataclass(slots=True)
class Specifiers(Node):
    """Declaration specifiers: `words` are the sorted-out basic type keywords, or `node` the type."""

    words: list[str] = field(default_factory=list)
    node: Node | None = None
    quals: int = 0
    storage: str | None = None
    thread_local: bool = False
    inline: bool = False
    noreturn: bool = False
    alignas: list[Node] = field(default_factory=list)
    attributes: list[Attribute] = field(default_factory=list)


@dataclass(slots=True)
class PointerMod:
    quals: int


@dataclass(slots=True)
class ArrayMod:
    length: Node | None


@dataclass(slots=True)
class FunctionMod:
    """`params` is None for `()`: no prototype."""

    params: list[Parameter] | None
    variadic: bool


Modifier = PointerMod | ArrayMod | FunctionMod


@dataclass(slots=True)
class Declarator(Node):
    """`modifiers` lead from the name outwards: `*a[3]` is [ArrayMod, PointerMod]."""

    name: Token | None
    modifiers: list[Modifier]
    attributes: list[Attribute] = field(default_factory=list)
    asm_label: str | None = None


@dataclass(slots=True)
class Parameter(Node):
    specifiers: Specifiers
    declarator: Declarator


@dataclass(slots=True)
class TypeName(Node):
    specifiers: Specifiers
    declarator: Declarator


@dataclass(slots=True)
class MemberDeclarator:
    declarator: Declarator
    bit_width: Node | None


@dataclass(slots=True)
class MemberGroup(Node):
    specifiers: Specifiers
    declarators: list[MemberDeclarator]


@dataclass(slots=True)
class InitDeclarator:
    declarator: Declarator
    init: Node | None


@dataclass(slots=True)
class Declaration(Node):
    specifiers: Specifiers
    declarators: list[InitDeclarator]


@dataclass(slots=True)
class FunctionDefinition(Node):
    specifiers: Specifiers
    declarator: Declarator
    body: Compound
    old_style: list[Declaration]


@dataclass(slots=True)
class StaticAssert(Node):
    condition: Node
    message: StringLiteral | None


@dataclass(slots=True)
class TopLevelAsm(Node):
    text: StringLiteral


# ---------------------------------------------------------------- initialisers


@dataclass(slots=True)
class FieldDesignator(Node):
    name: str


@dataclass(slots=True)
class IndexDesignator(Node):
    """`[low]` or GNU `[low ... high]`."""

    low: Node
    high: Node | None


@dataclass(slots=True)
class InitItem:
    designators: list[FieldDesignator | IndexDesignator]
    value: Node


@dataclass(slots=True)
class InitList(Node):
    items: list[InitItem]


# ---------------------------------------------------------------- expressions


@dataclass(slots=True)
class Name(Node):
    pass


@dataclass(slots=True)
class Number(Node):
    pass


@dataclass(slots=True)
class CharLiteral(Node):
    pass


@dataclass(slots=True)
class StringLiteral(Node):
    parts: list[Token]


@dataclass(slots=True)
class Unary(Node):
    """`op` is one of & * + - ~ ! ++ --, the last two prefix."""

    op: str
    operand: Node


@dataclass(slots=True)
class Postfix(Node):
    op: str
    operand: Node


@dataclass(slots=True)
class Binary(Node):
    op: str
    left: Node
    right: Node


@dataclass(slots=True)
class Assign(Node):
    """`op` is `=` or a compound assignment's operator with its `=`."""

    op: str
    target: Node
    value: Node


@dataclass(slots=True)
class Conditional(Node):
    """`then` is None for GNU `a ?: b`."""

    condition: Node
    then: Node | None
    otherwise: Node


@dataclass(slots=True)
class Comma(Node):
    left: Node
    right: Node


@dataclass(slots=True)
class Call(Node):
    function: Node
    args: list[Node]


@dataclass(slots=True)
class Index(Node):
    base: Node
    index: Node


@dataclass(slots=True)
class Member(Node):
    base: Node
    name: str
    arrow: bool


@dataclass(slots=True)
class Cast(Node):
    type_name: TypeName
    operand: Node


@dataclass(slots=True)
class CompoundLiteral(Node):
    type_name: TypeName
    init: InitList


@dataclass(slots=True)
class SizeOf(Node):
    """sizeof or (`align`) _Alignof, of an expression or a TypeName."""

    operand: Node
    align: bool


@dataclass(slots=True)
class Generic(Node):
    control: Node
    choices: list[tuple[TypeName | None, Node]]


@dataclass(slots=True)
class StatementExpression(Node):
    body: Compound


@dataclass(slots=True)
class LabelAddress(Node):
    name: str


@dataclass(slots=True)
class FunctionName(Node):
    """`__func__`."""


@dataclass(slots=True)
class VaArg(Node):
    ap: Node
    type_name: TypeName


@dataclass(slots=True)
class OffsetOf(Node):
    type_name: TypeName
    path: list[FieldDesignator | IndexDesignator]


@dataclass(slots=True)
class TypesCompatible(Node):
    first: TypeName
    second: TypeName


@dataclass(slots=True)
class ChooseExpression(Node):
    condition: Node
    then: Node
    otherwise: Node


# ---------------------------------------------------------------- statements


@dataclass(slots=True)
class Compound(Node):
    items: list[Node]


@dataclass(slots=True)
class ExpressionStatement(Node):
    expression: Node | None


@dataclass(slots=True)
class If(Node):
    condition: Node
    then: Node
    otherwise: Node | None


@dataclass(slots=True)
class While(Node):
    condition: Node
    body: Node


@dataclass(slots=True)
class DoWhile(Node):
    body: Node
    condition: Node


@dataclass(slots=True)
class For(Node):
    init: Node | None
    condition: Node | None
    step: Node | None
    body: Node


@dataclass(slots=True)
class Switch(Node):
    value: Node
    body: Node


@dataclass(slots=True)
class Case(Node):
    """`case low:` or GNU `case low ... high:`."""

    low: Node
    high: Node | None
    body: Node


@dataclass(slots=True)
class Default(Node):
    body: Node


@dataclass(slots=True)
class Label(Node):
    name: str
    body: Node


@dataclass(slots=True)
class Goto(Node):
    name: str


@dataclass(slots=True)
class ComputedGoto(Node):
    address: Node


@dataclass(slots=True)
class Break(Node):
    pass


@dataclass(slots=True)
class Continue(Node):
    pass


@dataclass(slots=True)
class Return(Node):
    value: Node | None


@dataclass(slots=True)
class AsmOperand:
    name: str | None
    constraint: str
    expression: Node


@dataclass(slots=True)
class AsmStatement(Node):
    template: StringLiteral
    outputs: list[AsmOperand]
    inputs: list[AsmOperand]
    clobbers: list[str]

"""Syntax tree of a translation unit: what the parser builds and the checker consumes.

No types are resolved here; `at` is the token a diagnostic points to.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from guest.cc.lexer import Token


@dataclass(slots=True, eq=False, repr=False)
class Node:
    at: Token


# ---------------------------------------------------------------- types and declarations


@dataclass(slots=True, eq=False, repr=False)
class Attribute(Node):
    """`__attribute__((name(args)))`, the name without its underscores; a type argument is a TypeName."""

    name: str
    args: list[Node]


@dataclass(slots=True, eq=False, repr=False)
class RecordSpec(Node):
    """struct or union; `members` is None for a mere reference to the tag."""

    is_union: bool
    tag: str | None
    members: list[MemberGroup | StaticAssert] | None
    attributes: list[Attribute]


@dataclass(slots=True, eq=False, repr=False)
class EnumSpec(Node):
    tag: str | None
    values: list[tuple[Token, Node | None]] | None
    attributes: list[Attribute]


@dataclass(slots=True, eq=False, repr=False)
class TypedefName(Node):
    pass


@dataclass(slots=True, eq=False, repr=False)
class TypeofSpec(Node):
    operand: Node


@dataclass(slots=True, eq=False, repr=False)
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


@dataclass(slots=True, eq=False, repr=False)
class PointerMod:
    quals: int


@dataclass(slots=True, eq=False, repr=False)
class ArrayMod:
    length: Node | None


@dataclass(slots=True, eq=False, repr=False)
class FunctionMod:
    """`params` is None for `()`: no prototype."""

    params: list[Parameter] | None
    variadic: bool


Modifier = PointerMod | ArrayMod | FunctionMod


@dataclass(slots=True, eq=False, repr=False)
class Declarator(Node):
    """`modifiers` lead from the name outwards: `*a[3]` is [ArrayMod, PointerMod]."""

    name: Token | None
    modifiers: list[Modifier]
    attributes: list[Attribute] = field(default_factory=list)
    asm_label: str | None = None


@dataclass(slots=True, eq=False, repr=False)
class Parameter(Node):
    specifiers: Specifiers
    declarator: Declarator


@dataclass(slots=True, eq=False, repr=False)
class TypeName(Node):
    specifiers: Specifiers
    declarator: Declarator


@dataclass(slots=True, eq=False, repr=False)
class MemberDeclarator:
    declarator: Declarator
    bit_width: Node | None


@dataclass(slots=True, eq=False, repr=False)
class MemberGroup(Node):
    specifiers: Specifiers
    declarators: list[MemberDeclarator]


@dataclass(slots=True, eq=False, repr=False)
class InitDeclarator:
    declarator: Declarator
    init: Node | None


@dataclass(slots=True, eq=False, repr=False)
class Declaration(Node):
    specifiers: Specifiers
    declarators: list[InitDeclarator]


@dataclass(slots=True, eq=False, repr=False)
class FunctionDefinition(Node):
    specifiers: Specifiers
    declarator: Declarator
    body: Compound
    old_style: list[Declaration]


@dataclass(slots=True, eq=False, repr=False)
class StaticAssert(Node):
    condition: Node
    message: StringLiteral | None


@dataclass(slots=True, eq=False, repr=False)
class TopLevelAsm(Node):
    text: StringLiteral


# ---------------------------------------------------------------- initialisers


@dataclass(slots=True, eq=False, repr=False)
class FieldDesignator(Node):
    name: str


@dataclass(slots=True, eq=False, repr=False)
class IndexDesignator(Node):
    """`[low]` or GNU `[low ... high]`."""

    low: Node
    high: Node | None


@dataclass(slots=True, eq=False, repr=False)
class InitItem:
    designators: list[FieldDesignator | IndexDesignator]
    value: Node


@dataclass(slots=True, eq=False, repr=False)
class InitList(Node):
    items: list[InitItem]


# ---------------------------------------------------------------- expressions


@dataclass(slots=True, eq=False, repr=False)
class Name(Node):
    pass


@dataclass(slots=True, eq=False, repr=False)
class Number(Node):
    pass


@dataclass(slots=True, eq=False, repr=False)
class CharLiteral(Node):
    pass


@dataclass(slots=True, eq=False, repr=False)
class StringLiteral(Node):
    parts: list[Token]


@dataclass(slots=True, eq=False, repr=False)
class Unary(Node):
    """`op` is one of & * + - ~ ! ++ --, the last two prefix."""

    op: str
    operand: Node


@dataclass(slots=True, eq=False, repr=False)
class Postfix(Node):
    op: str
    operand: Node


@dataclass(slots=True, eq=False, repr=False)
class Binary(Node):
    op: str
    left: Node
    right: Node


@dataclass(slots=True, eq=False, repr=False)
class Assign(Node):
    """`op` is `=` or a compound assignment's operator with its `=`."""

    op: str
    target: Node
    value: Node


@dataclass(slots=True, eq=False, repr=False)
class Conditional(Node):
    """`then` is None for GNU `a ?: b`."""

    condition: Node
    then: Node | None
    otherwise: Node


@dataclass(slots=True, eq=False, repr=False)
class Comma(Node):
    left: Node
    right: Node


@dataclass(slots=True, eq=False, repr=False)
class Call(Node):
    function: Node
    args: list[Node]


@dataclass(slots=True, eq=False, repr=False)
class Index(Node):
    base: Node
    index: Node


@dataclass(slots=True, eq=False, repr=False)
class Member(Node):
    base: Node
    name: str
    arrow: bool


@dataclass(slots=True, eq=False, repr=False)
class Cast(Node):
    type_name: TypeName
    operand: Node


@dataclass(slots=True, eq=False, repr=False)
class CompoundLiteral(Node):
    type_name: TypeName
    init: InitList


@dataclass(slots=True, eq=False, repr=False)
class SizeOf(Node):
    """sizeof or (`align`) _Alignof, of an expression or a TypeName."""

    operand: Node
    align: bool


@dataclass(slots=True, eq=False, repr=False)
class Generic(Node):
    control: Node
    choices: list[tuple[TypeName | None, Node]]


@dataclass(slots=True, eq=False, repr=False)
class StatementExpression(Node):
    body: Compound


@dataclass(slots=True, eq=False, repr=False)
class LabelAddress(Node):
    name: str


@dataclass(slots=True, eq=False, repr=False)
class FunctionName(Node):
    """`__func__`."""


@dataclass(slots=True, eq=False, repr=False)
class VaArg(Node):
    ap: Node
    type_name: TypeName


@dataclass(slots=True, eq=False, repr=False)
class OffsetOf(Node):
    type_name: TypeName
    path: list[FieldDesignator | IndexDesignator]


@dataclass(slots=True, eq=False, repr=False)
class TypesCompatible(Node):
    first: TypeName
    second: TypeName


@dataclass(slots=True, eq=False, repr=False)
class ChooseExpression(Node):
    condition: Node
    then: Node
    otherwise: Node


# ---------------------------------------------------------------- statements


@dataclass(slots=True, eq=False, repr=False)
class Compound(Node):
    items: list[Node]


@dataclass(slots=True, eq=False, repr=False)
class ExpressionStatement(Node):
    expression: Node | None


@dataclass(slots=True, eq=False, repr=False)
class If(Node):
    condition: Node
    then: Node
    otherwise: Node | None


@dataclass(slots=True, eq=False, repr=False)
class While(Node):
    condition: Node
    body: Node


@dataclass(slots=True, eq=False, repr=False)
class DoWhile(Node):
    body: Node
    condition: Node


@dataclass(slots=True, eq=False, repr=False)
class For(Node):
    init: Node | None
    condition: Node | None
    step: Node | None
    body: Node


@dataclass(slots=True, eq=False, repr=False)
class Switch(Node):
    value: Node
    body: Node


@dataclass(slots=True, eq=False, repr=False)
class Case(Node):
    """`case low:` or GNU `case low ... high:`."""

    low: Node
    high: Node | None
    body: Node


@dataclass(slots=True, eq=False, repr=False)
class Default(Node):
    body: Node


@dataclass(slots=True, eq=False, repr=False)
class Label(Node):
    name: str
    body: Node


@dataclass(slots=True, eq=False, repr=False)
class Goto(Node):
    name: str


@dataclass(slots=True, eq=False, repr=False)
class ComputedGoto(Node):
    address: Node


@dataclass(slots=True, eq=False, repr=False)
class Break(Node):
    pass


@dataclass(slots=True, eq=False, repr=False)
class Continue(Node):
    pass


@dataclass(slots=True, eq=False, repr=False)
class Return(Node):
    value: Node | None


@dataclass(slots=True, eq=False, repr=False)
class AsmOperand:
    name: str | None
    constraint: str
    expression: Node


@dataclass(slots=True, eq=False, repr=False)
class AsmStatement(Node):
    template: StringLiteral
    outputs: list[AsmOperand]
    inputs: list[AsmOperand]
    clobbers: list[str]

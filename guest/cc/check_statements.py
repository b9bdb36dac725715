"""Checker, part 5: statements, and the block-scope declarations among them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from guest.cc import syntax as s
from guest.cc import tree as t
from guest.cc import types as ct
from guest.cc.check_initializers import InitializerChecker
from guest.cc.check_values import is_lvalue
from guest.cc.constants import truth
from guest.cc.errors import CompileError
from guest.cc.ir import SourceLoc
from guest.cc.parse import string_text
from guest.cc.symbols import Kind, Symbol


@dataclass(slots=True)
class _SwitchState:
    """The switch statement being checked; case values in its promoted type."""

    type: ct.IntType
    cases: list[tuple[int, int, t.Case]] = field(default_factory=list)
    default: t.Case | None = None


@dataclass(slots=True)
class FunctionState:
    """What must be known of the function around a statement."""

    symbol: Symbol
    result: ct.CType
    labels: dict[str, SourceLoc] = field(default_factory=dict)
    label_uses: list[tuple[str, SourceLoc]] = field(default_factory=list)
    labels_taken: list[str] = field(default_factory=list)
    switches: list[_SwitchState] = field(default_factory=list)
    loops: int = 0
    pending: list[t.Stmt] = field(default_factory=list)


class StatementChecker(InitializerChecker):
    """Types statements; `state` belongs to the function being checked."""

    state: FunctionState

    def block_declaration(self, node: s.Declaration) -> list[t.Stmt]:
        """A declaration inside a function (module `check` knows declarations)."""
        raise NotImplementedError

    def statements(self, nodes: list[s.Node]) -> list[t.Stmt]:
        """A block's items; an error in one is recorded and the next one is checked."""
        out: list[t.Stmt] = []
        for node in nodes:
            try:
                out += self.statement(node)
            except CompileError as error:
                self.diagnostics.error(error.loc, error.message)
                self.state.pending.clear()
        return out

    def statement(self, node: s.Node) -> list[t.Stmt]:
        """The typed statements one item stands for (a declaration: one per object)."""
        made = self._STATEMENTS[type(node)](self, node)
        if self.state.pending:  # sizes of variable-length types the statement mentions
            made = [*self.state.pending, *made]
            self.state.pending.clear()
        return made

    def _one(self, node: s.Node) -> t.Stmt:
        made = self.statement(node)
        return made[0] if len(made) == 1 else t.Block(node.at.loc, made)

    def vla_size(self, element: ct.CType, count: t.Expr) -> Symbol:
        loc = count.loc
        size = Symbol("", Kind.LOCAL, ct.SIZE, loc)
        scale = t.IntConst(ct.SIZE, loc, element.size)
        total = self.binary_operation("*", self.convert(count, ct.SIZE), scale, loc)
        assign = t.Assign(ct.SIZE, loc, t.SymbolRef(ct.SIZE, loc, size), total)
        self.state.pending.append(t.ExprStmt(loc, assign))
        return size

    def statement_expression(self, node: s.StatementExpression) -> t.Expr:
        if self.function is None:
            raise CompileError(node.at.loc, "a statement expression needs a function around it")
        outer, self.state.pending = self.state.pending, []
        self.push_scope()
        items = node.body.items
        value: t.Expr | None = None
        if items and isinstance(items[-1], s.ExpressionStatement) and items[-1].expression is not None:
            body = [made for item in items[:-1] for made in self.statement(item)]
            value = self.value(items[-1].expression)
        else:
            body = [made for item in items for made in self.statement(item)]
        self.pop_scope()
        self.state.pending = outer
        ty = ct.VOID if value is None else ct.unqualified(value.type)
        return t.StatementExpr(ty, node.at.loc, body, value)

    # -------------------------------------------------------- rules

    def _compound(self, node: s.Compound) -> list[t.Stmt]:
        self.push_scope()
        body = self.statements(node.items)
        self.pop_scope()
        return [t.Block(node.at.loc, body)]

    def _expression(self, node: s.ExpressionStatement) -> list[t.Stmt]:
        if node.expression is None:
            return []
        return [t.ExprStmt(node.at.loc, self.value(node.expression))]

    def _if(self, node: s.If) -> list[t.Stmt]:
        condition = self.condition(node.condition)
        then = self._one(node.then)
        otherwise = self._one(node.otherwise) if node.otherwise is not None else None
        return [t.If(node.at.loc, condition, then, otherwise)]

    def _body(self, node: s.Node) -> t.Stmt:
        self.state.loops += 1
        body = self._one(node)
        self.state.loops -= 1
        return body

    def _while(self, node: s.While) -> list[t.Stmt]:
        condition = self.condition(node.condition)
        return [t.Loop(node.at.loc, self._unless_true(condition), None, self._body(node.body), True)]

    def _do(self, node: s.DoWhile) -> list[t.Stmt]:
        body = self._body(node.body)
        condition = self.condition(node.condition)
        return [t.Loop(node.at.loc, self._unless_true(condition), None, body, False)]

    @staticmethod
    def _unless_true(condition: t.Expr) -> t.Expr | None:
        """A loop's condition; None when it is constantly true."""
        return None if truth(condition) else condition

    def _for(self, node: s.For) -> list[t.Stmt]:
        self.push_scope()
        made: list[t.Stmt] = []
        if node.init is not None:
            made += self.statement(node.init)
        condition = None
        if node.condition is not None:
            condition = self._unless_true(self.condition(node.condition))
        step = self.value(node.step) if node.step is not None else None
        made.append(t.Loop(node.at.loc, condition, step, self._body(node.body), True))
        self.pop_scope()
        return [t.Block(node.at.loc, made)]

    def _switch(self, node: s.Switch) -> list[t.Stmt]:
        value = self.value(node.value)
        if not value.type.is_integer:
            raise CompileError(node.at.loc, f"a switch needs an integer, not '{ct.describe(value.type)}'")
        value = self.promote(value)
        if value.type.is_intcap:
            value = self.convert(value, ct.LONG)
        state = _SwitchState(t.int_type(value))
        self.state.switches.append(state)
        self.state.loops += 1
        body = self._one(node.body)
        self.state.loops -= 1
        self.state.switches.pop()
        return [t.Switch(node.at.loc, value, body, state.cases, state.default)]

    def _inner_switch(self, node: s.Node) -> _SwitchState:
        if not self.state.switches:
            raise CompileError(node.at.loc, f"'{node.at.text}' is outside of any switch")
        return self.state.switches[-1]

    def _case(self, node: s.Case) -> list[t.Stmt]:
        switch = self._inner_switch(node)
        low = switch.type.wrap(self.constant_integer(node.low, "a case"))
        high = low if node.high is None else switch.type.wrap(self.constant_integer(node.high, "a case"))
        for other_low, other_high, _ in switch.cases:
            if low <= other_high and other_low <= high:
                raise CompileError(node.at.loc, f"the case {low} occurs twice in this switch")
        case = t.Case(node.at.loc, t.Block(node.at.loc, []))
        switch.cases.append((low, high, case))
        case.body = self._one(node.body)
        return [case]

    def _default(self, node: s.Default) -> list[t.Stmt]:
        switch = self._inner_switch(node)
        if switch.default is not None:
            raise CompileError(node.at.loc, "this switch has two defaults")
        case = t.Case(node.at.loc, t.Block(node.at.loc, []))
        switch.default = case
        case.body = self._one(node.body)
        return [case]

    def _label(self, node: s.Label) -> list[t.Stmt]:
        if node.name in self.state.labels:
            raise CompileError(node.at.loc, f"the label '{node.name}' is defined twice")
        self.state.labels[node.name] = node.at.loc
        made = self.statement(node.body)
        return [t.Label(node.at.loc, node.name, t.Block(node.at.loc, [])), *made]

    def _goto(self, node: s.Goto) -> list[t.Stmt]:
        self.state.label_uses.append((node.name, node.at.loc))
        return [t.Goto(node.at.loc, node.name)]

    def _label_address(self, node: s.LabelAddress) -> t.Expr:
        e = super()._label_address(node)
        self.state.label_uses.append((node.name, node.at.loc))
        if node.name not in self.state.labels_taken:
            self.state.labels_taken.append(node.name)
        return e

    def _computed_goto(self, node: s.ComputedGoto) -> list[t.Stmt]:
        address = self.value(node.address)
        if not address.type.is_pointer:
            raise CompileError(node.at.loc, "'goto *' needs a label's address")
        return [t.ComputedGoto(node.at.loc, address)]

    def _break(self, node: s.Break) -> list[t.Stmt]:
        if not self.state.loops:
            raise CompileError(node.at.loc, "'break' is outside of any loop or switch")
        return [t.Break(node.at.loc)]

    def _continue(self, node: s.Continue) -> list[t.Stmt]:
        if self.state.loops <= len(self.state.switches):
            raise CompileError(node.at.loc, "'continue' is outside of any loop")
        return [t.Continue(node.at.loc)]

    def _return(self, node: s.Return) -> list[t.Stmt]:
        loc = node.at.loc
        result = self.state.result
        if node.value is None:
            if not result.is_void:
                self.diagnostics.warning(loc, f"'{self.state.symbol.name}' returns no value here")
            return [t.Return(loc, None)]
        value = self.value(node.value)
        if result.is_void:
            if value.type.is_void:
                return [t.ExprStmt(loc, value), t.Return(loc, None)]
            raise CompileError(loc, f"'{self.state.symbol.name}' returns void, this return has a value")
        return [t.Return(loc, self.assigned(value, result, "the return", node.value.at.loc))]

    def _static_assert(self, node: s.StaticAssert) -> list[t.Stmt]:
        self.static_assert(node)
        return []

    # -------------------------------------------------------- asm

    def _asm(self, node: s.AsmStatement) -> list[t.Stmt]:
        outputs: list[t.AsmOperand] = []
        inputs: list[t.AsmOperand] = []
        names = [o.name for o in node.outputs + node.inputs]
        for i, operand in enumerate(node.outputs):
            target = self.expression(operand.expression)
            if not is_lvalue(target) or operand.constraint[:1] not in ("=", "+"):
                raise CompileError(operand.expression.at.loc, "an asm output must be '=' and assignable")
            letters = operand.constraint[1:]
            outputs.append(t.AsmOperand(letters, target))
            if operand.constraint[0] == "+":
                inputs.append(t.AsmOperand(letters.strip("&"), self.decayed(target), i))
        updated, inputs = inputs, []
        for operand in node.inputs:
            constraint = operand.constraint
            if constraint in ("m", "Q"):
                inputs.append(t.AsmOperand(constraint, self._addressable(operand.expression)))
                continue
            value = self.value(operand.expression)
            if constraint.isdigit():
                number = int(constraint)
                if number >= len(outputs):
                    raise CompileError(operand.expression.at.loc, f"there is no asm output {number}")
                inputs.append(t.AsmOperand(outputs[number].constraint, value, number))
            else:
                inputs.append(t.AsmOperand(constraint, value))
        template = string_text(node.template)
        template = re.sub(
            r"%([a-z]?)\[(\w+)\]", lambda m: f"%{m[1]}{_operand_number(names, m, node)}", template
        )
        return [t.Asm(node.at.loc, template, outputs, inputs + updated, node.clobbers)]

    def _addressable(self, node: s.Node) -> t.Expr:
        """An lvalue that an asm operand reads in memory."""
        e = self.expression(node)
        if not is_lvalue(e):
            raise CompileError(node.at.loc, "an asm memory operand must be an object")
        self.address_of(e, ct.PointerType(e.type))
        return e

    _STATEMENTS: ClassVar[dict[type[s.Node], Callable[..., list[t.Stmt]]]] = {
        s.Compound: _compound,
        s.ExpressionStatement: _expression,
        s.Declaration: lambda self, node: self.block_declaration(node),
        s.If: _if,
        s.While: _while,
        s.DoWhile: _do,
        s.For: _for,
        s.Switch: _switch,
        s.Case: _case,
        s.Default: _default,
        s.Label: _label,
        s.Goto: _goto,
        s.ComputedGoto: _computed_goto,
        s.Break: _break,
        s.Continue: _continue,
        s.Return: _return,
        s.StaticAssert: _static_assert,
        s.AsmStatement: _asm,
    }


def _operand_number(names: list[str | None], m: re.Match[str], node: s.AsmStatement) -> int:
    if m[2] not in names:
        raise CompileError(node.at.loc, f"asm operand '{m[2]}' is not named")
    return names.index(m[2])

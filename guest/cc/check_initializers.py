"""Checker, part 4: initialisers of any depth, flattened to (offset, value) pieces."""

from __future__ import annotations

from dataclasses import dataclass

from guest.cc import syntax as s
from guest.cc import tree as t
from guest.cc import types as ct
from guest.cc.check_expressions import ExpressionChecker, encode_units
from guest.cc.errors import CompileError

Designator = s.FieldDesignator | s.IndexDesignator | ct.Field


@dataclass(slots=True)
class _Checked(s.Node):
    """An initialiser's expression that has been typed already (to see whether it fills an aggregate)."""

    expr: t.Expr


@dataclass(slots=True)
class _Cursor:
    """The items of one brace level; elided inner aggregates take theirs from it."""

    items: list[s.InitItem]
    position: int = 0

    def peek(self) -> s.InitItem | None:
        return self.items[self.position] if self.position < len(self.items) else None

    def replace(self, node: s.Node) -> None:
        """Give the current item's value back, without its designators."""
        self.items[self.position] = s.InitItem([], node)


@dataclass(slots=True)
class _Place:
    """A subobject: type, byte offset, and its field when it may be a bit-field."""

    type: ct.CType
    offset: int
    field: ct.Field | None = None


class InitializerChecker(ExpressionChecker):
    """C99 6.7.8: braces and their elision, designators, strings, unions, flexible array members."""

    def initializer(self, ty: ct.CType, node: s.Node) -> tuple[ct.CType, t.Init]:
        """The object's type (an incomplete array completed) and its flattened initialiser."""
        init = t.Init(0 if ty.is_array and not ty.is_complete else ty.size)
        length = self._object(_Place(ty, 0), node, init)
        if isinstance(ty, ct.ArrayType) and ty.length is None:
            completed = ct.ArrayType(ty.element, length)
            completed.quals = ty.quals
            completed.align = ty.align
            ty = completed
        init.size = max(init.size, ty.size)
        if len(init.pieces) == 1 and init.pieces[0].offset == 0 and not init.pieces[0].field:
            init.zero_rest = init.pieces[0].value.type.size < init.size
        return ty, init

    def _object(self, place: _Place, node: s.Node, init: t.Init) -> int:
        """Initialise one object from one initialiser; returns an array's number of elements."""
        ty = place.type
        if isinstance(ty, ct.ArrayType):
            string = _string_for(ty, node)
            if string is not None:
                return self._string_array(ty, place, string, init)
            if not isinstance(node, s.InitList):
                raise CompileError(node.at.loc, "an array's initialiser needs braces")
            return self._aggregate(place, _Cursor(list(node.items)), init, braced=True)
        if isinstance(ty, ct.RecordType) and isinstance(node, s.InitList):
            self.complete_type(ty, node.at.loc)
            return self._aggregate(place, _Cursor(list(node.items)), init, braced=True)
        if isinstance(node, s.InitList):
            return self._braced_scalar(place, node, init)
        value = node.expr if isinstance(node, _Checked) else self.value(node)
        value = self.assigned(value, ty, "the initialiser", node.at.loc)
        field = place.field if place.field is not None and place.field.bit_width is not None else None
        init.pieces.append(t.InitPiece(place.offset, value, field))
        return 0

    def _braced_scalar(self, place: _Place, node: s.InitList, init: t.Init) -> int:
        if not node.items:
            zero = t.IntConst(ct.INT, node.at.loc, 0)
            value = self.assigned(zero, place.type, "the initialiser", node.at.loc)
            init.pieces.append(t.InitPiece(place.offset, value, place.field))
            return 0
        if len(node.items) > 1:
            self.diagnostics.warning(node.items[1].value.at.loc, "this initialiser is one too many")
        if node.items[0].designators:
            raise CompileError(node.at.loc, "a number or pointer has no members to designate")
        return self._object(place, node.items[0].value, init)

    def _string_array(self, ty: ct.ArrayType, place: _Place, node: s.StringLiteral, init: t.Init) -> int:
        element, units = self.string_units(node)
        if ty.length is not None and len(units) > ty.length:
            self.diagnostics.warning(node.at.loc, "the string is longer than the array")
        length = len(units) + 1 if ty.length is None else ty.length
        units = ([*units, 0])[:length]
        data = encode_units(element, units)
        value = t.Bytes(ct.ArrayType(element, len(units)), node.at.loc, data)
        init.pieces.append(t.InitPiece(place.offset, value))
        init.size = max(init.size, place.offset + length * element.size)
        return length

    # -------------------------------------------------------- aggregates

    def _aggregate(self, place: _Place, cursor: _Cursor, init: t.Init, braced: bool, start: int = 0) -> int:
        """Fill an array or record from `cursor`; without its own braces, only as far as it reaches."""
        index = start
        reached = start
        limit = _element_count(place.type)
        while (item := cursor.peek()) is not None:
            if item.designators:
                if not braced:
                    break
                index = self._designated(place, list(item.designators), cursor, init)
            elif limit is not None and index >= limit:
                if braced:
                    self.diagnostics.warning(item.value.at.loc, "this initialiser is one too many")
                    cursor.position += 1
                    continue
                break
            else:
                self._element(_subobject(place, index), cursor, init)
                index += 1
            reached = max(reached, index)
        if isinstance(place.type, ct.ArrayType):
            init.size = max(init.size, place.offset + reached * place.type.element.size)
        return reached

    def _element(self, place: _Place, cursor: _Cursor, init: t.Init) -> None:
        """Initialise a subobject from the item at the cursor, going into it where braces are elided."""
        item = cursor.peek()
        assert item is not None
        node = item.value
        ty = place.type
        if (ty.is_record or ty.is_array) and not isinstance(node, s.InitList):
            if isinstance(ty, ct.ArrayType) and _string_for(ty, node) is None:
                self._aggregate(place, cursor, init, braced=False)
                return
            if isinstance(ty, ct.RecordType):
                checked = node if isinstance(node, _Checked) else _Checked(node.at, self.value(node))
                if not ct.same_type(checked.expr.type, ty):
                    cursor.replace(checked if not isinstance(node, s.StringLiteral) else node)
                    self._aggregate(place, cursor, init, braced=False)
                    return
                node = checked
        cursor.position += 1
        self._object(place, node, init)

    def _designated(self, place: _Place, path: list[Designator], cursor: _Cursor, init: t.Init) -> int:
        """Initialise what a designator names; returns the index that follows it in `place`."""
        first, rest = path[0], path[1:]
        item = cursor.peek()
        assert item is not None
        if isinstance(first, s.IndexDesignator):
            return self._designated_range(place, first, rest, cursor, init)
        index, rest = self._field_index(place, first, rest)
        self._designated_sub(_subobject(place, index), rest, cursor, init, item.value)
        return index + 1

    def _designated_sub(
        self, sub: _Place, rest: list[Designator], cursor: _Cursor, init: t.Init, value: s.Node
    ) -> None:
        if rest:
            following = self._designated(sub, rest, cursor, init)
            self._aggregate(sub, cursor, init, braced=False, start=following)
            return
        cursor.replace(value)
        self._element(sub, cursor, init)

    def _designated_range(
        self, place: _Place, first: s.IndexDesignator, rest: list[Designator], cursor: _Cursor, init: t.Init
    ) -> int:
        if not isinstance(place.type, ct.ArrayType):
            raise CompileError(first.at.loc, f"'{place.type}' is not an array")
        low = self.constant_integer(first.low, "an array designator")
        high = low if first.high is None else self.constant_integer(first.high, "an array designator")
        limit = place.type.length
        if low < 0 or high < low or (limit is not None and high >= limit):
            raise CompileError(first.at.loc, "the array designator is outside of the array")
        position = cursor.position
        item = cursor.items[position]
        for index in range(low, high + 1):
            cursor.position = position
            cursor.items[position] = item
            self._designated_sub(_subobject(place, index), rest, cursor, init, item.value)
        return high + 1

    def _field_index(
        self, place: _Place, first: s.FieldDesignator | ct.Field, rest: list[Designator]
    ) -> tuple[int, list[Designator]]:
        if not isinstance(place.type, ct.RecordType):
            where = first.at.loc if isinstance(first, s.FieldDesignator) else None
            raise CompileError(where, f"'{place.type}' has no members to designate")
        if isinstance(first, s.FieldDesignator):
            path = ct.find_member(place.type, first.name)
            if path is None:
                raise CompileError(first.at.loc, f"'{place.type}' has no member '{first.name}'")
            return place.type.body.fields.index(path[0]), [*path[1:], *rest]
        return place.type.body.fields.index(first), rest


def _element_count(ty: ct.CType) -> int | None:
    """Subobjects an initialiser without designators fills; None for an array that grows."""
    if isinstance(ty, ct.ArrayType):
        return ty.length
    assert isinstance(ty, ct.RecordType)
    return min(len(ty.body.fields), 1) if ty.body.is_union else len(ty.body.fields)


def _subobject(place: _Place, index: int) -> _Place:
    ty = place.type
    if isinstance(ty, ct.ArrayType):
        return _Place(ty.element, place.offset + index * ty.element.size)
    assert isinstance(ty, ct.RecordType)
    field = ty.body.fields[index]
    return _Place(field.type, place.offset + field.offset, field)


def _string_for(ty: ct.ArrayType, node: s.Node) -> s.StringLiteral | None:
    """The string literal that initialises this character array, braces around it or not."""
    if isinstance(node, s.InitList) and len(node.items) == 1 and not node.items[0].designators:
        node = node.items[0].value
    if not isinstance(node, s.StringLiteral) or not isinstance(ty.element, ct.IntType):
        return None
    wide = node.parts[0].text[0] in "LU" or node.parts[0].text.startswith('u"')
    return node if (ty.element.size == 1) != wide else None

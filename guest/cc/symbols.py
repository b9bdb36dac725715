"""Names of a translation unit: objects, functions, typedefs, enumeration constants, tags; scopes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from guest.cc.attributes import Attributes
from guest.cc.ir import SourceLoc
from guest.cc.types import CType


class Kind(Enum):
    TYPEDEF = "typedef"
    CONSTANT = "enumeration constant"
    LOCAL = "local variable"
    PARAM = "parameter"
    OBJECT = "object"  # with static storage (any scope) or thread storage
    FUNCTION = "function"


@dataclass(slots=True, eq=False)
class Symbol:
    """One declared entity; `link_name` is what the assembler sees (static locals get a suffix)."""

    name: str
    kind: Kind
    type: CType
    loc: SourceLoc
    link_name: str = ""
    is_static: bool = False
    is_extern: bool = False
    is_inline: bool = False
    is_thread_local: bool = False
    defined: bool = False
    used: bool = False
    address_taken: bool = False
    noreturn: bool = False
    constant: int = 0
    align: int = 0
    attributes: Attributes = field(default_factory=Attributes)
    init: object = None  # tree.Init of an OBJECT; None: zero (or only declared)

    @property
    def is_global_storage(self) -> bool:
        return self.kind in (Kind.OBJECT, Kind.FUNCTION)


class Scope:
    """Ordinary identifiers and tags of one block, linked to the enclosing scope."""

    __slots__ = ("names", "parent", "tags")

    def __init__(self, parent: Scope | None) -> None:
        self.parent = parent
        self.names: dict[str, Symbol] = {}
        self.tags: dict[str, CType] = {}

    def find(self, name: str) -> Symbol | None:
        scope: Scope | None = self
        while scope is not None:
            found = scope.names.get(name)
            if found is not None:
                return found
            scope = scope.parent
        return None

    def find_tag(self, tag: str) -> CType | None:
        scope: Scope | None = self
        while scope is not None:
            found = scope.tags.get(tag)
            if found is not None:
                return found
            scope = scope.parent
        return None

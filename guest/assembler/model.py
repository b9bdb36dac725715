"""What a source turns into: sections with their requests to the linker, and symbols."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from guest.assembler.diagnostics import Place
from loader import elf_constants as elf
from loader.elf_constants import SHT
from morello_isa.asm.expression import Linear


class Patch(NamedTuple):
    """Bytes to fill in at the end: a data expression, or a relocation of an instruction.

    `kind` is "data" (`size` bytes of the value), "pcrel" or a relocation name; `base` is the symbol a
    capability relocation names explicitly.
    """

    offset: int
    size: int
    kind: str
    value: Linear
    place: Place
    base: str = ""


class Row(NamedTuple):
    """One row of the line table: section offset and what `.loc` said."""

    offset: int
    file: int
    line: int
    column: int
    flags: frozenset[str]
    discriminator: int


class Rela(NamedTuple):
    """A relocation record of the object file."""

    offset: int
    type: int
    symbol: Symbol
    addend: int


@dataclass(eq=False)
class Section:
    """`data` holds the contents; a NOBITS section only counts `reserved`."""

    name: str
    type: int
    flags: int
    entry_size: int = 0
    align: int = 1
    data: bytearray = field(default_factory=bytearray)
    reserved: int = 0
    patches: list[Patch] = field(default_factory=list)
    relocations: list[Rela] = field(default_factory=list)
    mapping: list[tuple[int, str]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    state: str = ""
    index: int = 0

    @property
    def is_nobits(self) -> bool:
        """Without contents in the file (.bss)."""
        return self.type == SHT.NOBITS

    @property
    def is_code(self) -> bool:
        """Executable."""
        return bool(self.flags & elf.SHF_EXECINSTR)

    @property
    def size(self) -> int:
        """Bytes so far: the offset of the next one."""
        return self.reserved if self.type == SHT.NOBITS else len(self.data)


@dataclass(eq=False)
class Symbol:
    """`section` None and not `is_absolute`: undefined here. `value` is an offset in the section."""

    name: str
    section: Section | None = None
    value: int = 0
    is_absolute: bool = False
    binding: int | None = None
    type: int = elf.STT_NOTYPE
    visibility: int = elf.STV_DEFAULT
    c64: bool = False
    size: Linear | None = None
    size_place: Place | None = None
    alias: Linear | None = None
    common_align: int = 0
    common_size: int = 0
    other: int = 0
    is_used: bool = False
    index: int = 0
    defined_at: Place | None = None

    @property
    def is_defined(self) -> bool:
        """Has a value in this file."""
        return self.section is not None or self.is_absolute or self.alias is not None

    @property
    def is_common(self) -> bool:
        """Declared by .comm and not defined."""
        return self.common_align > 0

    @property
    def is_function(self) -> bool:
        """STT_FUNC or STT_GNU_IFUNC."""
        return self.type in (elf.STT_FUNC, elf.STT_GNU_IFUNC)

    @property
    def is_local(self) -> bool:
        """Not visible to other objects."""
        return self.binding == elf.STB_LOCAL or (self.binding is None and self.is_defined)

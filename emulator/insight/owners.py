"""Whose code a block is: the images of a process at the time, and names in them."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from emulator.debug.names import Names
from emulator.linux.symbols import image_at

if TYPE_CHECKING:
    from emulator.engine.api import Engine
    from emulator.linux.kernel import Kernel
    from emulator.linux.process import LoadedImage


@dataclass(frozen=True, eq=False)
class Owner:
    """A process between two execve calls. `images` is the process's own list, which grows."""

    pid: int
    name: str
    images: Sequence[LoadedImage]


class Place(NamedTuple):
    """A function (`start`, `name`, `offset` in it) of an image; `name` is "" where no symbol is known."""

    image: str
    name: str
    start: int
    offset: int

    def __str__(self) -> str:
        if not self.image:
            return "outside every image"
        text = f"{self.name}+{self.offset:#x}" if self.name and self.offset else self.name
        return f"{text} in {self.image}" if text else f"{self.image}+{self.offset:#x}"

    @property
    def function(self) -> str:
        """For tables and stacks: the function, or the image where none is known."""
        return f"{self.name} in {self.image}" if self.name else f"({self.image or 'outside every image'})"


def printable(name: str) -> str:
    """A guest's file may name its functions as it likes; what a terminal gets of it is harmless."""
    return name if name.isprintable() else "".join(c if c.isprintable() else "?" for c in name)


class Owners:
    """Owners of engines, and names of addresses. `kernel` is set once there is one."""

    def __init__(self) -> None:
        self.kernel: Kernel | None = None
        self.only: Owner | None = None
        """Whose everything is, on a board."""
        self._names = Names()
        self._owners: dict[int, Owner] = {}
        self._places: dict[tuple[int, int], Place] = {}

    def of(self, engine: Engine) -> Owner | None:
        """The owner of an engine; None while the first process is being loaded."""
        kernel = self.kernel
        if kernel is None:
            return self.only
        task = next((task for task in kernel.tasks.values() if task.engine is engine), None)
        process = task.process if task is not None else kernel.first
        if process is None:
            return None
        known = self._owners.get(id(process.images))
        if known is None:
            known = self._owners[id(process.images)] = Owner(process.pid, process.name, process.images)
        return known

    def settled(self, owner: object) -> Owner | None:
        """The owner of a block: what it was made for, or the first process."""
        if isinstance(owner, Owner):
            return owner
        if self.only is not None:
            return self.only
        first = self.kernel.first if self.kernel is not None else None
        return Owner(first.pid, first.name, first.images) if first is not None else None

    def place(self, owner: Owner | None, address: int) -> Place:
        """The function that contains a run-time address."""
        if owner is None:
            return Place("", "", address, 0)
        key = id(owner.images), address
        found = self._places.get(key)
        if found is None:
            found = self._places[key] = self._place(owner, address)
        return found

    def _place(self, owner: Owner, address: int) -> Place:
        loaded = image_at(owner.images, address)
        if loaded is None:
            return Place("", "", address, 0)
        image = printable(posixpath.basename(loaded.path))
        found = self._names.of(loaded).symbol_at(address - loaded.bias)
        if found is None:
            return Place(image, "", loaded.start, address - loaded.start)
        symbol, offset = found
        return Place(image, printable(symbol.name), address - offset, offset)

    def short(self, owner: Owner | None, address: int) -> str | None:
        """`fill+0x8` for disassembly."""
        place = self.place(owner, address)
        if not place.name:
            return None
        return f"{place.name}+{place.offset:#x}" if place.offset else place.name

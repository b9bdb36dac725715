"""What the debugger needs of what it debugs: a thread, the program it runs in, and that program's memory.

Linux's `Task`, `Process` and `AddressSpace` are such things, and so are the parts of a board in
`board_target.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from emulator.debug.errors import CommandError
from emulator.engine.api import Engine
from emulator.linux.process import LoadedImage
from emulator.memory.address_space import Prot
from emulator.state.pe import Pe


class TooMuchError(CommandError):
    """More is mapped than is looked at at once."""


class Space(Protocol):
    """Memory by virtual address, whatever its permissions; looking has no effect on the guest."""

    def peek(self, va: int, size: int) -> bytes:
        """Bytes. MemoryAbort where nothing is mapped."""

    def peek_cap(self, va: int) -> tuple[int, int, bool]:
        """(bits 127:64, bits 63:0, tag) at a multiple of 16. MemoryAbort where nothing is mapped."""

    def poke(self, va: int, data: bytes) -> None:
        """Change bytes; tags go. MemoryAbort where nothing is mapped."""

    def poke_cap(self, va: int, hi: int, lo: int, tag: bool) -> None:
        """Change 16 bytes and their tag. MemoryAbort where nothing is mapped."""

    def is_mapped(self, start: int, limit: int) -> bool:
        """Everything in [start, limit) is mapped."""

    def tagged_granules(self, start: int, limit: int) -> Iterator[int]:
        """Addresses in [start, limit) that hold a tagged capability, ascending. May raise TooMuchError."""

    def regions(self, start: int, limit: int) -> Iterator[tuple[int, int, Prot, str]]:
        """What is mapped in [start, limit), ascending: start, limit, permissions, name.

        May raise TooMuchError after what it has given.
        """


class Calls(Protocol):
    """The calling convention of a program."""

    @property
    def is_purecap(self) -> bool:
        """Pointers are capabilities, frame records 32 bytes."""


class Program(Protocol):
    """An address space and the images in it."""

    @property
    def space(self) -> Space:
        """Its memory."""

    @property
    def images(self) -> Sequence[LoadedImage]:
        """ELF files in it, for symbols and lines."""

    @property
    def abi(self) -> Calls:
        """How it calls functions."""

    @property
    def name(self) -> str:
        """For messages."""


class Counter(Protocol):
    """Where positions come from."""

    @property
    def instructions(self) -> int:
        """Executed by all threads."""


class Thread(Protocol):
    """One PE at work."""

    @property
    def tid(self) -> int:
        """Its number."""

    @property
    def pe(self) -> Pe:
        """Its registers."""

    @property
    def engine(self) -> Engine:
        """What executes it."""

    @property
    def process(self) -> Program:
        """What it runs in."""

    @property
    def kernel(self) -> Counter:
        """The whole run."""

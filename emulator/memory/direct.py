"""What a translating engine needs of memory: host buffers, and where in them an address lies.

Such an engine maps guest pages into its own TLB, data and tags apart, and asks once a page. A byte of guest
memory is named by its *place*, an offset in the concatenation of the buffers.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import Protocol

from emulator.memory.interface import Memory


@dataclass(frozen=True, slots=True)
class DirectBuffer:
    """Host memory from `place` (a multiple of 4096) on. The tag of the granule at offset n of `data` is byte
    n of `tags`, which is as long; of each 16 bytes of `tags` only the first is used."""

    place: int
    data: mmap.mmap
    tags: mmap.mmap


class DirectMemory(Memory, Protocol):
    """Memory whose pages can be mapped by an engine."""

    revision: int
    """While it is N, answers that were given while it was N hold. It may come back to an earlier N (another
    exception level's), whose answers then hold again."""

    def buffers(self) -> list[DirectBuffer]:
        """All host memory; the same for the life of the memory."""

    def direct(self, va: int, write: bool, tags: bool, capabilities: bool) -> int | None:
        """The place of the page of `va` if aligned accesses of that kind may be made there without asking.

        Called when the guest makes such an access, to data or (`tags`) to tags: reading tags is loading a
        capability, writing them storing anything. `capabilities`: the code may store tagged capabilities;
        without it, it only clears tags. None where the access must be made by `read`, `write` and so on:
        it would abort or needs to be seen.
        """

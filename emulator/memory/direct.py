"""What a translating engine needs of memory: host buffers, and where in them an address lies.

Such an engine maps guest pages into its own TLB, data and tags apart, and asks once a page. Data and tags are
named by their *place*, an offset in the concatenation of the buffers of that kind. A tag is a byte, 0 or 1; a
page of tags (4096 bytes) belongs to 64 KiB of addresses, in order.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import Protocol

from emulator.memory.interface import Memory


@dataclass(frozen=True, slots=True)
class DirectBuffer:
    """Host memory (whole pages) from `place`, a multiple of 4096, on."""

    place: int
    host: mmap.mmap


class DirectMemory(Memory, Protocol):
    """Memory whose pages can be mapped by an engine."""

    revision: int
    """While it is N, answers that were given while it was N hold. It may come back to an earlier N (another
    exception level's), whose answers then hold again."""

    def buffers(self) -> list[DirectBuffer]:
        """All data; the same for the life of the memory."""

    def tag_buffers(self) -> list[DirectBuffer]:
        """All tags, likewise."""

    def direct(self, va: int, write: bool, capabilities: bool) -> int | None:
        """The place of the page of data at `va` if aligned accesses may be made there without asking.

        Called when the guest makes such an access. `capabilities`: what is stored may be tagged capabilities.
        None where the access must be made by `read`, `write` and so on: it would abort or needs to be seen.
        """

    def direct_tags(self, va: int, write: bool, capabilities: bool) -> int | None:
        """The place of the page of tags of the 64 KiB around `va`, or None, likewise.

        Asked after data in the same page were answered. Reading is loading a capability, writing follows any
        store; without `capabilities` nothing but zeros.
        """

"""Where code goes in the code buffer.

Direct branches are quick only inside one page of Unicorn's, so what follows each other is put into one page
and what is rarely executed somewhere else: an arena has pages of hot code, and a part for the cold code
that belongs to it (exits, tables), near enough for every branch.
"""

from __future__ import annotations

from emulator.memory.interface import PAGE_MASK, PAGE_SIZE

_ARENA = 8 * PAGE_SIZE
"""Below the reach of TBNZ, 32 KiB."""
_HOT_PAGES = 5
_PADDING = 60
"""Bytes that may be left free for a better slot."""
_ROOM = 3 * PAGE_SIZE // 8
"""A page with less room than that doesn't take a new function in, only what belongs to those that it has."""


_PAGES_WITH_SLOTS = 64


def _slot(address: int) -> int:
    """Where Unicorn remembers the translation of an address, for branches that aren't direct or leave their
    page: one of 4096 places, each for one translation."""
    mixed = address ^ address >> 6
    return mixed >> 6 & 0xFC0 | mixed & 0x3F


class _Arena:
    __slots__ = ("cold", "end", "pages")

    def __init__(self, start: int) -> None:
        self.pages = [start + i * PAGE_SIZE for i in range(_HOT_PAGES)]
        """The next free address in each page of hot code."""
        self.cold = start + _HOT_PAGES * PAGE_SIZE
        self.end = start + _ARENA


class CodePlaces:
    """Hands out addresses in [first, limit); `first` is a multiple of 4096."""

    def __init__(self, first: int, limit: int) -> None:
        self._first, self._limit = first, limit
        self.reset()

    def reset(self) -> None:
        """Everything is free again."""
        self._next = self._first
        self._arenas: dict[int, _Arena] = {}
        self._slots = bytearray(_PAGES_WITH_SLOTS * 64)
        """How many hot places share a slot."""
        self._open: list[int] = []
        """The last address handed out in pages that new functions may go to."""

    def allocate(self, hot: int, cold: int, near: int | None, follows: bool) -> tuple[int, int] | None:
        """Addresses for `hot` and `cold` bytes (multiples of 4), None if there is no room at all.

        `near`: hot code that goes there; `follows`: directly, not by a call.
        """
        reserve = 0 if follows else _ROOM
        if near is not None:
            places = self._in_page(near, hot, cold, reserve)
            if places is not None:
                return places
        while self._open:
            places = self._in_page(self._open[-1], hot, cold, reserve)
            if places is not None:
                return places
            self._open.pop()
        return self._in_new_arena(hot, cold)

    def _in_page(self, at: int, hot: int, cold: int, reserve: int) -> tuple[int, int] | None:
        arena = self._arenas.get((at - self._first) // _ARENA)
        if arena is None or arena.cold + cold > arena.end:
            return None
        number = (at - self._first) % _ARENA // PAGE_SIZE
        if number >= _HOT_PAGES:
            return None
        free = arena.pages[number]
        page_end = (at & ~PAGE_MASK) + PAGE_SIZE
        if page_end - free < hot + reserve:
            return None
        last = min(page_end - hot, free + _PADDING)
        free = min(range(free, last + 4, 4), key=lambda at: self._slots[_slot(at)])
        self._slots[_slot(free)] = min(self._slots[_slot(free)] + 1, 255)
        arena.pages[number] = free + hot
        place, arena.cold = arena.cold, arena.cold + cold
        return free, place

    def _in_new_arena(self, hot: int, cold: int) -> tuple[int, int] | None:
        size = _ARENA if hot <= PAGE_SIZE and cold <= _ARENA - _HOT_PAGES * PAGE_SIZE else 2 * _ARENA
        if self._next + size > self._limit or hot + cold > size:
            return None
        start, self._next = self._next, self._next + size
        if size > _ARENA:
            return start, start + hot
        arena = self._arenas[(start - self._first) // _ARENA] = _Arena(start)
        self._open = [start + i * PAGE_SIZE for i in reversed(range(_HOT_PAGES))]
        arena.pages[0] += hot
        place, arena.cold = arena.cold, arena.cold + cold
        return start, place

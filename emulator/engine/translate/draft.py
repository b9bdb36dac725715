"""A translated stretch before it has a place, and its form as bytes (the translation cache on disk)."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from emulator.engine.translate.exits import Exit, ExitKind
from emulator.engine.translate.facts import Fact, Facts

_HEAD = struct.Struct("<6I")
_NO_SLOT = 1 << 32
_CALL, _TESTED, _CAPABILITY, _FACTS_ONLY = 1, 2, 4, 8


@dataclass(slots=True)
class Draft:
    """See `BlockCode` for the fields; `guest` are the instruction words that it was made from, in the order
    of `starts`."""

    words: list[int]
    cold: list[int]
    starts: list[tuple[int, int, int]]
    guest: list[int]
    to_cold: list[tuple[int, int]]
    exits: list[tuple[int, Exit]]
    swaps: dict[int, tuple[int, ...]]

    def to_bytes(self) -> bytes:
        """What `from_bytes` reads."""
        numbers: list[int] = []
        for at, pc, ahead in self.starts:
            numbers += at, pc, ahead
        for at, to in self.to_cold:
            numbers += at, to
        for at, vectors in self.swaps.items():
            numbers += at, len(vectors), *vectors
        for at, exit_ in self.exits:
            numbers.append(at)
            numbers += _exit_numbers(exit_)
        head = _HEAD.pack(
            len(self.words),
            len(self.cold),
            len(self.starts),
            len(self.to_cold),
            len(self.swaps),
            len(self.exits),
        )
        code = array("I", [*self.words, *self.cold, *self.guest])
        return head + code.tobytes() + array("Q", [n & (1 << 64) - 1 for n in numbers]).tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Draft:
        """Raises ValueError, struct.error or StopIteration if the bytes are something else."""
        words, cold, starts, to_cold, swaps, exits = _HEAD.unpack_from(data)
        code = array("I")
        end = _HEAD.size + 4 * (words + cold + starts)
        code.frombytes(data[_HEAD.size : end])
        numbers = array("Q")
        numbers.frombytes(data[end:])
        take = iter(numbers)
        return cls(
            code[:words].tolist(),
            code[words : words + cold].tolist(),
            [(next(take), next(take), _signed(next(take))) for _ in range(starts)],
            code[words + cold :].tolist(),
            [(next(take), next(take)) for _ in range(to_cold)],
            # Evaluated in this order: the fields are in the order of the bytes except for the last two.
            *_swaps_and_exits(take, swaps, exits),
        )


def _swaps_and_exits(
    take: Iterator[int], swaps: int, exits: int
) -> tuple[list[tuple[int, Exit]], dict[int, tuple[int, ...]]]:
    lent = {next(take): tuple(next(take) for _ in range(next(take))) for _ in range(swaps)}
    return [(next(take), _read_exit(take)) for _ in range(exits)], lent


def _signed(number: int) -> int:
    return number - (number >> 63 << 64)


def _exit_numbers(exit_: Exit) -> list[int]:
    flags = exit_.call * _CALL | exit_.tested * _TESTED | exit_.capability * _CAPABILITY
    numbers = [
        exit_.kind, exit_.pc, exit_.ahead, exit_.register, flags | exit_.facts_only * _FACTS_ONLY, exit_.path,
        exit_.hi_at, exit_.hi, exit_.gate, exit_.table, len(exit_.predictions), *exit_.predictions,
        len(exit_.facts),
    ]  # fmt: skip
    for n, fact in exit_.facts.items():
        slot = _NO_SLOT if fact.slot is None else fact.slot
        numbers += n, slot, fact.permissions, fact.alignment, fact.tagged, fact.clean
    return numbers


def _read_exit(take: Iterator[int]) -> Exit:
    kind, pc, ahead, register = ExitKind(next(take)), next(take), _signed(next(take)), _signed(next(take))
    flags, path, hi_at, hi, gate, table = (next(take) for _ in range(6))
    predictions = tuple(next(take) for _ in range(next(take)))
    facts: Facts = {}
    for _ in range(next(take)):
        n, slot, permissions, alignment, tagged, clean = (next(take) for _ in range(6))
        known_slot = None if slot == _NO_SLOT else _signed(slot)
        facts[n] = Fact(known_slot, permissions, alignment, bool(tagged), bool(clean))
    return Exit(
        kind, pc, ahead, register=register, capability=bool(flags & _CAPABILITY), predictions=predictions,
        hi_at=_signed(hi_at), hi=hi, gate=_signed(gate), call=bool(flags & _CALL), facts=facts,
        tested=bool(flags & _TESTED), path=path, table=table, facts_only=bool(flags & _FACTS_ONLY),
    )  # fmt: skip

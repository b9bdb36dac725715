"""Traces of a board: lines `topic: text` for the chosen topics, to standard error or a file.

Topics: isa (every instruction), sys (accesses to system registers, with the value), exc (exceptions),
mmu (table walks), dev (device registers), psci (firmware calls); at the end blocks (what the fast engine made
of the code, and how often it ran).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from emulator.board.system import System
from morello_isa.errors import UserError

TRACE_TOPICS = ("isa", "sys", "exc", "mmu", "dev", "psci", "blocks")
BLOCKS = "blocks"
_NO_EVENTS = {"isa", "sys", BLOCKS}
_MOVE_MASK, _MOVE = 0xFFD0_0000, 0xD510_0000
_CAP_MOVE_MASK, _CAP_MOVE = 0xFFE0_0000, 0xC280_0000
_READ_BIT, _CAP_READ_BIT = 1 << 21, 1 << 20


class Trace:
    """Context manager; `function` is what a `System` calls, `watch` hooks into its engine."""

    def __init__(self, topics: frozenset[str], path: Path | None) -> None:
        self._topics = topics
        self._path = path
        self._stream: TextIO = sys.stderr
        self._read: tuple[str, int, bool] | None = None

    def __enter__(self) -> Trace:
        if self._path is not None:
            try:
                self._stream = self._path.open("w", encoding="utf-8")
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                raise UserError(f"{self._path} can't be written: {reason}") from None
        return self

    def __exit__(self, *details: object) -> None:
        if self._path is not None:
            self._stream.close()

    def function(self) -> Callable[[str, str], None] | None:
        """What the system calls, or None when nothing of its topics is to be traced."""
        if not self._topics - _NO_EVENTS:
            return None

        def trace(topic: str, text: str) -> None:
            if topic in self._topics:
                self._stream.write(f"{topic}: {text}\n")

        return trace

    def write(self, text: str) -> None:
        """Whole lines."""
        self._stream.write(text)

    def watch(self, system: System) -> None:
        """Sees each instruction before it executes, if a topic needs that."""
        if not self._topics & {"isa", "sys"}:
            return

        def before(pc: int, word: int) -> None:
            if "sys" in self._topics:
                self._system_register(system, pc, word)
            if "isa" in self._topics:
                self._stream.write(f"isa: {_place(system, pc)} {word:08x} {_text(system, pc, word)}\n")

        system.engine.before_instruction = before

    def _system_register(self, system: System, pc: int, word: int) -> None:
        """A read is reported when the next instruction starts, because the value is known only then."""
        pe = system.pe
        if self._read is not None:
            line, register, is_capability = self._read
            value = pe.read_c(register).describe() if is_capability else f"{pe.read_x(register):#x}"
            self._stream.write(f"{line} = {value}\n")
            self._read = None
        is_capability = word & _CAP_MOVE_MASK == _CAP_MOVE
        if word & _MOVE_MASK != _MOVE and not is_capability:
            return
        line = f"sys: {_place(system, pc)} {_text(system, pc, word)}"
        register = word & 31
        if word & (_CAP_READ_BIT if is_capability else _READ_BIT):
            self._read = (line, register, is_capability)
            return
        value = pe.read_c(register).describe() if is_capability else f"{pe.read_x(register):#x}"
        self._stream.write(f"{line} = {value}\n")


def _place(system: System, pc: int) -> str:
    state = system.pe.pstate
    return f"EL{state.el} {'C64' if state.c64 else 'A64'} {pc:#x}"


def _text(system: System, pc: int, word: int) -> str:
    from morello_isa.disassemble import disassemble

    return disassemble(word, pc, system.pe.pstate.c64)

"""Semihosting of bare-metal programs: HLT #0xF000 with an operation in W0 and its parameter in X1.

Arm "Semihosting for AArch32 and AArch64". Only what a program without a debugger uses: output and exit.
"""

from __future__ import annotations

from emulator.board.devices.base import Console
from emulator.board.outcome import Outcome, OutcomeKind
from emulator.memory.interface import Access, Memory
from emulator.state.pe import Pe

HALT_IMMEDIATE = 0xF000
_WRITE_CHARACTER, _WRITE_STRING, _EXIT, _EXIT_EXTENDED = 0x03, 0x04, 0x18, 0x20
_APPLICATION_EXIT = 0x20026
_FAILED = 0xFFFF_FFFF_FFFF_FFFF
_MAX_STRING = 1 << 16


def semihosting_call(pe: Pe, memory: Memory, console: Console | None) -> Outcome | None:
    """Executes one call; an outcome when the program exits. Raises MemoryAbort for a bad parameter."""
    operation, parameter = pe.read_x(0) & 0xFFFF_FFFF, pe.read_x(1)
    if operation in (_EXIT, _EXIT_EXTENDED):
        reason = memory.read(parameter, 8, Access.NORMAL)
        status = memory.read(parameter + 8, 8, Access.NORMAL)
        return Outcome(OutcomeKind.EXIT, status & 0xFF if reason == _APPLICATION_EXIT else 1)
    if operation == _WRITE_CHARACTER:
        _print(console, bytes((memory.read(parameter, 1, Access.NORMAL),)))
    elif operation == _WRITE_STRING:
        text = bytearray()
        while len(text) < _MAX_STRING and (byte := memory.read(parameter + len(text), 1, Access.NORMAL)):
            text.append(byte)
        _print(console, bytes(text))
    else:
        pe.write_x(0, _FAILED)
    return None


def _print(console: Console | None, data: bytes) -> None:
    if console is not None:
        console.write(data)

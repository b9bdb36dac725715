"""Terminal calls on the host's terminal (Linux hosts; elsewhere standard streams are no terminals)."""

from __future__ import annotations

import struct
import termios
from typing import TYPE_CHECKING, Any

from emulator.linux.errors import Errno, SyscallError, guest_errno
from emulator.linux.handles import OpenFile
from morello_isa.capability import Capability

if TYPE_CHECKING:
    from emulator.linux.process import Task

TCGETS, TCSETS, TCSETSW, TCSETSF = 0x5401, 0x5402, 0x5403, 0x5404
TIOCGPGRP, TIOCSPGRP, TIOCGWINSZ, TIOCSCTTY, TIOCNOTTY = 0x540F, 0x5410, 0x5413, 0x540E, 0x5422
CONTROL_CHARACTERS = 19
TERMIOS = struct.Struct(f"<IIIIB{CONTROL_CHARACTERS}s")


def control(task: Task, file: OpenFile, request: int, argument: Capability) -> int:
    """ioctl on a terminal: settings, window size, foreground group."""
    memory = task.memory
    try:
        if request == TCGETS:
            memory.write(argument, _pack(file.terminal_settings()))
        elif request in (TCSETS, TCSETSW, TCSETSF):
            settings = _unpack(memory.read(argument, TERMIOS.size), file.terminal_settings())
            file.set_terminal(request - TCSETS, settings)
        elif request == TIOCGWINSZ:
            memory.write(argument, struct.pack("<HHHH", *file.window_size(), 0, 0))
        elif request == TIOCGPGRP:
            memory.write_u32(argument, task.process.group)
        elif request not in (TIOCSPGRP, TIOCSCTTY, TIOCNOTTY):
            raise SyscallError(Errno.ENOTTY)
    except termios.error as error:
        raise SyscallError(guest_errno(OSError(*error.args))) from None
    except OSError as error:
        raise SyscallError(guest_errno(error)) from None
    return 0


def _pack(settings: list[Any]) -> bytes:
    """tcgetattr's list as the kernel's struct termios."""
    flags = [value & 0xFFFF_FFFF for value in settings[:4]]
    data = bytes(c if isinstance(c, int) else ord(c) for c in settings[6][:CONTROL_CHARACTERS])
    return TERMIOS.pack(*flags, 0, data)


def _unpack(data: bytes, old: list[Any]) -> list[Any]:
    """The kernel's struct termios as tcsetattr's list; speeds stay."""
    iflag, oflag, cflag, lflag, _line, characters = TERMIOS.unpack(data)
    tail = old[6][CONTROL_CHARACTERS:]
    return [iflag, oflag, cflag, lflag, old[4], old[5], [bytes([c]) for c in characters] + tail]

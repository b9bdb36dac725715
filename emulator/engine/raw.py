"""Raw Unicorn for comparison: plain A64 code as fast as Unicorn can run it, without an emulator around it.

The best case, so that comparisons are fair: pages of 64 KiB, so that branches stay within one, Unicorn's
virtual TLB with data that is not executable (no stores are watched), grown until the working set fits.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import unicorn
from unicorn import arm64_const
from unicorn.unicorn_py3 import unicorn as binding

_PAGE = 0x1_0000
_READ, _WRITE, _EXEC = unicorn.UC_PROT_READ, unicorn.UC_PROT_WRITE, unicorn.UC_PROT_EXEC
_FIRST_FILLS, _MOST_FILLS = 1 << 10, 1 << 16
"""Unicorn doubles its TLB at a flush that finds most of it used: flush after that many answers, then twice.
Four times the number of entries (256 at first), so that random addresses fill it, too."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Memory at `address` (a multiple of 64 KiB), `size` bytes of it, the first of them `data`."""

    address: int
    size: int
    data: bytes
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Registers:
    """Values to start with: X registers by number, V0 and so on (128 bits each), the others."""

    x: Mapping[int, int]
    v: Sequence[int] = ()
    sp: int = 0
    nzcv: int = 0
    fpcr: int = 0
    tpidr: int = 0


class RawMachine:
    """One Unicorn instance with some memory."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        uc: Any = binding.Uc(unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM)
        uc.ctl_set_page_size(_PAGE)
        self._buffers: list[mmap.mmap] = []
        self._rights: dict[int, int] = {}
        for piece in pieces:
            size = -(-max(piece.size, len(piece.data)) // _PAGE) * _PAGE
            buffer = mmap.mmap(-1, size)
            buffer[: len(piece.data)] = piece.data
            rights = _READ | _EXEC if piece.executable else _READ | _WRITE
            address = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
            uc.mem_map_ptr(piece.address, size, rights, address)
            self._rights.update(dict.fromkeys(range(piece.address, piece.address + size, _PAGE), rights))
            self._buffers.append(buffer)
        uc.ctl_set_tlb_mode(unicorn.UC_TLB_VIRTUAL)
        uc.hook_add(unicorn.UC_HOOK_TLB_FILL, self._fill)
        self._uc = uc
        self._fills, self._fills_limit = 0, _FIRST_FILLS

    def _fill(self, uc: Any, address: int, _access: int, entry: Any, _data: object) -> bool:
        page = address & -_PAGE
        rights = self._rights.get(page)
        if rights is None:
            return False
        self._fills += 1
        if self._fills >= self._fills_limit < _MOST_FILLS:
            self._fills, self._fills_limit = 0, 2 * self._fills_limit
            uc.ctl(unicorn.UC_CTL_TLB_FLUSH, unicorn.UC_CTL_IO_WRITE)
        entry.paddr, entry.perms = page, rights
        return True

    def set(self, registers: Registers) -> None:
        """Give the registers these values."""
        write = self._uc.reg_write
        for n, value in registers.x.items():
            write(arm64_const.UC_ARM64_REG_X0 + n if n < 29 else arm64_const.UC_ARM64_REG_X29 + n - 29, value)
        for n, value in enumerate(registers.v):
            write(arm64_const.UC_ARM64_REG_V0 + n, value)
        write(arm64_const.UC_ARM64_REG_SP, registers.sp)
        write(arm64_const.UC_ARM64_REG_NZCV, registers.nzcv)
        write(arm64_const.UC_ARM64_REG_FPCR, registers.fpcr)
        write(arm64_const.UC_ARM64_REG_TPIDR_EL0, registers.tpidr)

    def run(self, start: int, until: int) -> None:
        """Execute from `start` until the PC is `until`. Raises RuntimeError where Unicorn can't go on."""
        try:
            self._uc.emu_start(start, until)
        except binding.UcError as error:
            raise RuntimeError(f"raw Unicorn: {error}") from error

    def read(self, address: int, size: int) -> bytes:
        """Memory as it is now."""
        return bytes(self._uc.mem_read(address, size))

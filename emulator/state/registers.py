"""The register file's memory: one buffer that Python views and that the arithmetic host maps.

Layout (byte offsets): X0..X30 at 0, XZR (always 0) at 248, the staging slot for SP at 256, NZCV in bits
31:28 of the word at 264, FPCR at 272, FPSR at 280, V0..V31 at 512 (16 bytes each).
"""

from __future__ import annotations

import ctypes
import mmap

STATE_BYTES = 0x10000
XZR = 31
SP_SLOT = 32
NZCV_SLOT = 33
FPCR_SLOT = 34
FPSR_SLOT = 35
VECTORS_OFFSET = 512


class RegisterFile:
    """The buffer (`whole`). `x` is indexed by the slot numbers, `v` holds 64 halves of vector registers."""

    __slots__ = ("_anchor", "_memory", "address", "v", "whole", "x")

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, STATE_BYTES)
        self._anchor = (ctypes.c_char * STATE_BYTES).from_buffer(self._memory)
        self.address = ctypes.addressof(self._anchor)
        self.whole = whole = memoryview(self._memory)
        self.x = whole[:VECTORS_OFFSET].cast("Q")
        self.v = whole[VECTORS_OFFSET : VECTORS_OFFSET + 512].cast("Q")

    def read_v(self, n: int) -> int:
        """Vn, 128 bits."""
        return self.v[2 * n + 1] << 64 | self.v[2 * n]

    def write_v(self, n: int, value: int) -> None:
        """Vn := value, 128 bits."""
        self.v[2 * n] = value & 0xFFFF_FFFF_FFFF_FFFF
        self.v[2 * n + 1] = value >> 64

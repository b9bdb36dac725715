"""Arithmetic by Unicorn: the only module that knows it.

A stub is a piece of A64 code around some of the guest's words: load the registers that they name (and NZCV,
FPCR, FPSR where needed) from the register file's buffer, execute the words unchanged, store the results
back. The buffer is mapped into Unicorn's address space, so nothing is copied by Python. Stubs are cached by
their words; calling one costs one `uc_emu_start`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import unicorn
from unicorn import arm64_const
from unicorn.unicorn_py3 import unicorn as binding

from emulator.engine.operands import Operands
from emulator.state.registers import (
    FPCR_SLOT,
    FPSR_SLOT,
    NZCV_SLOT,
    SP_SLOT,
    VECTORS_OFFSET,
    RegisterFile,
)

_STATE_ADDRESS = 0x1_0000
_CODE_ADDRESS = 0x100_0000
_CODE_BYTES = 16 << 20
_PAGE = 0x1_0000
_NOWHERE = 0xFFFF_FFFF_0000

# A64 encodings the stubs are made of; the register goes into bits 4:0, the base into 9:5.
_WFI = 0xD503207F
_MOVZ_LSL16 = 0xD2A00000
_LDR_X = 0xF9400000
_STR_X = 0xF9000000
_LDR_Q = 0x3DC00000
_STR_Q = 0x3D800000
_MOV_TO_SP = 0x9100001F
_MOV_FROM_SP = 0x910003E0
_MSR = {NZCV_SLOT: 0xD51B4200, FPCR_SLOT: 0xD51B4400, FPSR_SLOT: 0xD51B4420}
_MRS = {NZCV_SLOT: 0xD53B4200, FPSR_SLOT: 0xD53B4420}

Stub = Callable[[], int]
"""Runs the stub; the result is 0, or Unicorn's error when a word has no meaning to it."""


class ArithmeticHost:
    """Compiles and runs stubs on one register file.

    When the code area is full it starts over with an empty one and calls `on_full`, whose duty is to drop
    the stubs it holds; those that are still held stay valid.
    """

    def __init__(
        self, file: RegisterFile, on_full: Callable[[], None] = lambda: None, code_bytes: int = _CODE_BYTES
    ) -> None:
        self._file = file
        self._on_full = on_full
        self._code_bytes = code_bytes
        self._stubs: dict[tuple[int, ...], Stub | None] = {}
        self._open()

    def _open(self) -> None:
        uc: Any = binding.Uc(unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM)
        uc.ctl_set_page_size(_PAGE)
        uc.ctl_set_cpu_model(arm64_const.UC_CPU_ARM64_MAX)
        uc.mem_map_ptr(
            _STATE_ADDRESS,
            _PAGE,
            unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE,
            self._file.address,
        )
        uc.mem_map(_CODE_ADDRESS, self._code_bytes)
        self._uc = uc
        self._next = _CODE_ADDRESS
        start = binding.uclib.uc_emu_start
        self._start = ctypes.CFUNCTYPE(
            ctypes.c_int,
            ctypes.c_void_p,
            ctypes.c_uint64,
            ctypes.c_uint64,
            ctypes.c_uint64,
            ctypes.c_size_t,
        )(ctypes.cast(start, ctypes.c_void_p).value or 0)

    def close(self) -> None:
        """Forget all stubs and Unicorn's instance."""
        self._stubs.clear()
        self._uc = None

    def compile(self, words: tuple[int, ...], operands: Operands) -> Stub | None:
        """The stub for these words, or None when they leave no register free for the base."""
        if words not in self._stubs:
            self._stubs[words] = self._compile(words, operands)
        return self._stubs[words]

    def _compile(self, words: tuple[int, ...], operands: Operands) -> Stub | None:
        code = stub_code(words, operands)
        if code is None:
            return None
        # Every stub ends with WFI, where Unicorn returns. The translation of an address where it is told to
        # stop it makes anew each time and never frees (0.3 KiB and 3 us for every call).
        code.append(_WFI)
        size = 4 * len(code)
        if self._next + size > _CODE_ADDRESS + self._code_bytes:
            self._stubs.clear()
            self._open()
            self._on_full()
        begin = self._next
        self._uc.mem_write(begin, b"".join(word.to_bytes(4, "little") for word in code))
        self._next = begin + (size + 15 & ~15)
        start: Callable[..., int] = self._start
        uc = self._uc
        handle = uc._uch

        def stub(_keep_alive: Any = uc) -> int:
            return start(handle, begin, _NOWHERE, 0, 0)

        return stub


def stub_code(words: tuple[int, ...], operands: Operands) -> list[int] | None:
    """The stub's instruction words, or None when there are no two free registers."""
    named = operands.x_reads | operands.x_writes
    free = [n for n in range(29, -1, -1) if n not in named]
    if len(free) < 2:
        return None
    base, scratch = free[0], free[1]
    code = [_MOVZ_LSL16 | _STATE_ADDRESS >> 16 << 5 | base]

    def load_x(n: int, slot: int) -> int:
        return _LDR_X | slot << 10 | base << 5 | n

    def store_x(n: int, slot: int) -> int:
        return _STR_X | slot << 10 | base << 5 | n

    if operands.sp_read or operands.sp_write:
        code += [load_x(scratch, SP_SLOT), _MOV_TO_SP | scratch << 5]
    slots = ([NZCV_SLOT] if operands.flags else []) + ([FPCR_SLOT, FPSR_SLOT] if operands.floating else [])
    for slot in slots:
        code += [load_x(scratch, slot), _MSR[slot] | scratch]
    vector = VECTORS_OFFSET >> 4
    code += [_LDR_Q | vector + n << 10 | base << 5 | n for n in sorted(operands.v_reads)]
    code += [load_x(n, n) for n in sorted(operands.x_reads)]
    code += words
    code += [store_x(n, n) for n in sorted(operands.x_writes)]
    code += [_STR_Q | vector + n << 10 | base << 5 | n for n in sorted(operands.v_writes)]
    for slot in slots:
        if slot != FPCR_SLOT:
            code += [_MRS[slot] | scratch, store_x(scratch, slot)]
    if operands.sp_write:
        code += [_MOV_FROM_SP | scratch, store_x(scratch, SP_SLOT)]
    return code

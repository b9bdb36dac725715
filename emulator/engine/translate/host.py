"""Unicorn as the machine for translated code: its memory, entry and exit code, patching, page answers."""

from __future__ import annotations

import ctypes
import mmap
from array import array
from collections.abc import Callable
from typing import Any

import unicorn
from unicorn import arm64_const
from unicorn.unicorn_py3 import unicorn as binding

from emulator.engine.translate import encode as a64
from emulator.engine.translate.emit_jump import NO_ADDRESS
from emulator.engine.translate.layout import (
    CODE,
    COUNTS,
    EXIT,
    FIRST_LANE,
    FIRST_LANE_PLAIN,
    KEPT,
    POISONED,
    SHADOW,
    SPILL,
    STATE,
    TABLE,
    TABLE_BYTES,
    TABLE_ENTRIES,
    TABLE_ENTRY_WORDS,
    TABLES,
    TARGET,
)
from emulator.engine.translate.placement import CodePlaces
from emulator.memory.direct import DirectMemory
from emulator.memory.interface import PAGE_MASK, PAGE_SIZE
from emulator.state.registers import (
    FPCR_SLOT,
    FPSR_SLOT,
    NZCV_SLOT,
    SP_SLOT,
    STATE_BYTES,
    VECTORS_OFFSET,
    RegisterFile,
)

CODE_BYTES = 48 << 20
UNICORN_VERSION = ".".join(str(part) for part in binding.uc_version())
_TABLE_WORDS = TABLE_ENTRIES * TABLE_ENTRY_WORDS
_TABLE_BYTES = TABLES * TABLE_BYTES
_EMPTY_TABLE = array("Q", [NO_ADDRESS, 0, 0, 0]) * TABLE_ENTRIES
# Where the buffers are in Unicorn's physical address space.
_STATE_AT, _TABLE_AT, _CODE_AT, _DATA_AT, _TAGS_AT = 1 << 28, 1 << 29, 1 << 32, 1 << 40, 1 << 42
_COUNTS_AT = 1 << 36
_UPPER = 0xFFFF
"""Bits 63:48 of guest addresses in the upper half."""
_READ, _WRITE, _EXEC = unicorn.UC_PROT_READ, unicorn.UC_PROT_WRITE, unicorn.UC_PROT_EXEC
_FIRST_FILLS, _MOST_FILLS = 1 << 9, 1 << 18
"""Unicorn doubles its TLB (256 entries) at a flush that finds it well used, and may halve it at one that
doesn't: flush after that many answers, then after twice as many."""

Ask = Callable[[int], int]
"""(number of an exit) -> host address where translated code goes on."""
_SWI = 2


def _address_of(buffer: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


class CodeHost:
    """One Unicorn instance. `code` and `table` are the buffers that it executes and reads."""

    def __init__(self, file: RegisterFile, memory: DirectMemory, ask: Ask) -> None:
        self.code = mmap.mmap(-1, CODE_BYTES)
        self.words = memoryview(self.code).cast("I")
        table = mmap.mmap(-1, _TABLE_BYTES)
        words = memoryview(table).cast("Q")
        self.tables = [words[i * _TABLE_WORDS : (i + 1) * _TABLE_WORDS] for i in range(TABLES)]
        self._memory = memory
        self._tlb = 0
        self._views: list[tuple[int, bool] | None] = [None, None]
        """What the answers in each of the two TLBs depend on: `DirectMemory.revision`, and whether the code
        that runs may store tagged capabilities. None: it is empty."""
        self._ask = ask
        self._state = file.whole.cast("Q")
        uc: Any = binding.Uc(unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM)
        uc.ctl_set_page_size(PAGE_SIZE)
        uc.ctl_set_cpu_model(arm64_const.UC_CPU_ARM64_MAX)
        both = _READ | _WRITE
        uc.mem_map_ptr(_STATE_AT, STATE_BYTES, both, file.address)
        uc.mem_map_ptr(_TABLE_AT, _TABLE_BYTES, both, _address_of(table))
        uc.mem_map_ptr(_CODE_AT, CODE_BYTES, _READ | _EXEC, _address_of(self.code))
        buffers = memory.buffers(), memory.tag_buffers()
        for at, kind in zip((_DATA_AT, _TAGS_AT), buffers, strict=True):
            for buffer in kind:
                uc.mem_map_ptr(at + buffer.place, len(buffer.host), both, _address_of(buffer.host))
        uc.ctl_set_tlb_mode(unicorn.UC_TLB_VIRTUAL)
        uc.hook_add(unicorn.UC_HOOK_TLB_FILL, self._fill)
        uc.hook_add(unicorn.UC_HOOK_INTR, self._interrupt)
        self._uc = uc
        self._fills, self._fills_limit = 0, _FIRST_FILLS
        self._error: BaseException | None = None
        self._refused = False
        self._buffers = (table, buffers)
        self._counts_bytes = 0
        start = ctypes.cast(binding.uclib.uc_emu_start, ctypes.c_void_p).value or 0
        self._start = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_size_t
        )(start)
        read = ctypes.cast(binding.uclib.uc_reg_read, ctypes.c_void_p).value or 0
        self._reg_read = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)(read)
        self._pc = ctypes.c_uint64()
        self._write_frame()

    # --- entry and exit ----------------------------------------------------------------------------------

    def map_counts(self, buffer: mmap.mmap) -> None:
        """Let translated code count in a buffer (whole pages), at `COUNTS`. It has to outlive this object."""
        self._counts_bytes = len(buffer)
        self._uc.mem_map_ptr(_COUNTS_AT, len(buffer), _READ | _WRITE, _address_of(buffer))

    def time(self, run: Callable[[bool], int | None], answer: Callable[[int, int, Any], bool]) -> None:
        """For a profile: these run in place of this object's `run` and of its answers about pages."""
        self.run = run  # type: ignore[method-assign, assignment]
        self._answer = answer  # type: ignore[method-assign, assignment]

    @property
    def answer(self) -> Callable[[int, int, Any], bool]:
        """Fills in the TLB entry for a page (address, kind of access, entry); False to refuse the access."""
        return self._answer

    def _write_frame(self) -> None:
        """Entry and exit, at the start of the code. Translated code stops with WFI: at an address where it is
        told to stop, Unicorn makes a translation each time and never frees it. It wants such an address all
        the same, in a page that is there, with words before it.
        """
        self._end = CODE + 64
        self._until = CODE + 32
        self._enter = [
            [
                self._frame([_MSR_PAN | tlb << 8, *_entry_code(first)])
                for first in (FIRST_LANE, FIRST_LANE_PLAIN)
            ]
            for tlb in range(2)
        ]
        """Where translated code is entered, by TLB; not plain, plain. Unicorn has one for PSTATE.PAN = 1."""
        code = [*a64.mov_imm(17, STATE), a64.str_(16, 17, EXIT)]
        skip = 4 * len(code)
        self.leave = []
        for first in (FIRST_LANE, FIRST_LANE_PLAIN):
            self.leave.append(self._frame([*code, *_exit_code(first), _WFI]))
        """Where translated code leaves, the number of the exit in x16; not plain, plain."""
        self.leave_asked = [at + skip for at in self.leave]
        """Likewise, after it has asked."""
        self.ask = self._frame([*code, _SVC, a64.ldr(16, 17, TARGET), a64.ret(16)])
        """Where translated code asks where to go on, the number of the exit in x16."""
        self.places = CodePlaces(self._end + PAGE_MASK & ~PAGE_MASK, CODE + CODE_BYTES)

    def _frame(self, words: list[int]) -> int:
        at = self._end
        self.put(at, words)
        self._end = at + 4 * len(words) + (-4 * len(words) % 16)
        return at

    def run(self, plain: bool) -> int | None:
        """Enter at the address in the state page's TARGET and run until translated code leaves.

        None then; after a poisoned or refused access, the host address of the access.
        """
        uc = self._uc
        failed = self._start(uc._uch, self._enter[self._tlb][plain], self._until, 0, 0)
        if not failed and not self._refused:
            if self._error is not None:
                self._raise()
            return None
        self._refused = False
        self._reg_read(uc._uch, arm64_const.UC_ARM64_REG_PC, ctypes.byref(self._pc))
        where = self._pc.value
        self._start(uc._uch, self.leave[plain], self._until, 0, 0)
        if self._error is not None:
            self._raise()
        return where

    def _raise(self) -> None:
        error, self._error = self._error, None
        assert error is not None
        raise error

    def _interrupt(self, uc: Any, number: int, _data: object) -> None:
        """SVC: translated code asks. Anything else is an instruction that Unicorn refuses."""
        if number != _SWI:
            self._refused = True
            uc.emu_stop()
            return
        try:
            self._state[TARGET >> 3] = self._ask(self._state[EXIT >> 3])
        except BaseException as error:  # noqa: BLE001 - nothing may pass through Unicorn's frames: `run` raises it
            self._error = error
            self._state[TARGET >> 3] = self.leave_asked[0]

    def close(self) -> None:
        """Free Unicorn's instance: its hooks and this object hold each other."""
        self._uc = None

    def clear_table(self, number: int) -> None:
        """Forget the branch targets of a table."""
        self.tables[number][:] = memoryview(_EMPTY_TABLE)

    # --- code --------------------------------------------------------------------------------------------

    def put(self, address: int, words: list[int]) -> None:
        """Write code that has never run."""
        at = address - CODE >> 2
        self.words[at : at + len(words)] = memoryview(array("I", words))

    def patch(self, address: int, words: list[int]) -> None:
        """Change code that may have run."""
        self.put(address, words)
        self._uc.ctl_remove_cache(address, address + 4 * len(words))

    def forget_code(self) -> None:
        """All code but the frame is to be written anew."""
        self.places.reset()
        self._uc.ctl_flush_tb()

    def use_view(self, view: tuple[int, bool], preferred: int) -> None:
        """Code that runs next gets answers of that view: from the TLB that has them, or else from the
        preferred one of the two (0, 1)."""
        views = self._views
        if views[self._tlb] == view:
            return
        if views[self._tlb ^ 1] == view:
            self._tlb ^= 1
            return
        if views[preferred] is not None:
            self.forget_pages()
            views[0] = views[1] = None
        self._tlb = preferred
        views[preferred] = view

    def renew_view(self, revision: int) -> None:
        """While code is running: what was answered may no longer hold, if the revision is another one."""
        view = self._views[self._tlb]
        assert view is not None
        if view[0] != revision:
            self.forget_pages()
            self._views[self._tlb] = revision, view[1]

    def forget_pages(self) -> None:
        """Answers about pages are out of date."""
        self._fills, self._fills_limit = 0, _FIRST_FILLS
        self._uc.ctl(unicorn.UC_CTL_TLB_FLUSH, unicorn.UC_CTL_IO_WRITE)

    # --- pages -------------------------------------------------------------------------------------------

    def _fill(self, _uc: object, address: int, access: int, entry: Any, _data: object) -> bool:
        try:
            return self._answer(address, access, entry)
        except BaseException as error:  # noqa: BLE001 - nothing may pass through Unicorn's frames: `run` raises it
            self._error = error
            return False

    @property
    def _capabilities(self) -> bool:
        view = self._views[self._tlb]
        assert view is not None
        return view[1]

    def _answer(self, address: int, access: int, entry: Any) -> bool:
        """Fill in the TLB entry for a page; False to refuse the access."""
        self._fills += 1
        if self._fills >= self._fills_limit < _MOST_FILLS:
            grown = 2 * self._fills_limit
            self.forget_pages()
            self._fills_limit = grown
        page = address & ~PAGE_MASK
        space = address >> 48
        if space in (0, _UPPER):
            write = access == unicorn.UC_MEM_WRITE
            if access == unicorn.UC_MEM_FETCH or page == POISONED:
                return False
            place = self._memory.direct(page, write, self._capabilities)
            if place is None:
                return False
            entry.paddr, entry.perms = _DATA_AT + place, _READ | _WRITE if write else _READ
        elif SHADOW <= page < SHADOW + (1 << 60):
            write = access == unicorn.UC_MEM_WRITE
            va = page - SHADOW << 4
            if va >> 48 not in (0, _UPPER):
                return False
            place = self._memory.direct_tags(va, write, self._capabilities)
            if place is None:
                return False
            entry.paddr, entry.perms = _TAGS_AT + place, _READ | _WRITE if write else _READ
        elif space == CODE >> 48:
            if access != unicorn.UC_MEM_FETCH:
                return False
            entry.paddr, entry.perms = _CODE_AT + (page - CODE), _EXEC
        elif space == STATE >> 48:
            entry.paddr, entry.perms = _STATE_AT + (page - STATE), _READ | _WRITE
        elif space == TABLE >> 48:
            entry.paddr, entry.perms = _TABLE_AT + (page - TABLE), _READ
        elif space == COUNTS >> 48 and page - COUNTS < self._counts_bytes:
            entry.paddr, entry.perms = _COUNTS_AT + (page - COUNTS), _READ | _WRITE
        else:
            return False
        return True


def _entry_code(first_lane: int) -> list[int]:
    """State page -> registers, then to TARGET. x17 is the base, x16 a scratch register."""
    code = [*a64.mov_imm(17, STATE)]
    for slot, msr in ((NZCV_SLOT, a64.MSR_NZCV), (FPCR_SLOT, a64.MSR_FPCR), (FPSR_SLOT, a64.MSR_FPSR)):
        code += [a64.ldr(16, 17, 8 * slot), msr | 16]
    code += [a64.ldr(16, 17, 8 * SP_SLOT), a64.mov_to_sp(16)]
    code += [a64.ldr_q(n, 17, VECTORS_OFFSET + 16 * n) for n in range(first_lane)]
    code += [a64.ldr_q(n, 17, SPILL + 16 * (n - FIRST_LANE)) for n in range(first_lane, 32)]
    code += [a64.ldr(n, 17, 8 * n) for n in KEPT]
    return [*code, a64.ldr(16, 17, TARGET), a64.ret(16)]


def _exit_code(first_lane: int) -> list[int]:
    """Registers -> state page, whose address is in x17."""
    code = []
    for slot, mrs in ((NZCV_SLOT, a64.MRS_NZCV), (FPSR_SLOT, a64.MRS_FPSR)):
        code += [mrs | 16, a64.str_(16, 17, 8 * slot)]
    code += [a64.mov_from_sp(16), a64.str_(16, 17, 8 * SP_SLOT)]
    code += [a64.str_q(n, 17, VECTORS_OFFSET + 16 * n) for n in range(first_lane)]
    code += [a64.str_q(n, 17, SPILL + 16 * (n - FIRST_LANE)) for n in range(first_lane, 32)]
    code += [a64.str_(n, 17, 8 * n) for n in KEPT]
    return code


_SVC = 0xD4000001
_MSR_PAN = 0xD500409F
_WFI = 0xD503207F

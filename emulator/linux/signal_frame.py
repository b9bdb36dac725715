"""The frame that a signal handler gets on its stack, and what sigreturn takes from it.

`siginfo` (128 bytes), `ucontext` with `sigcontext`, records (FPSIMD, ESR and, in purecap programs, the
Morello record with all capabilities), then a frame record {fp, lr} that c29 points to.
Source: facts/abi/pcuabi_linux.md sections 6.4 and 8.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from emulator.linux.usermem import USER_ROOT
from emulator.state.registers import FPCR_SLOT, FPSR_SLOT
from morello_isa.capability import Capability
from morello_isa.permissions import Perm

if TYPE_CHECKING:
    from emulator.linux.process import Task
    from emulator.linux.signals import SignalInfo
    from emulator.state.pe import Pe

SIGINFO_SIZE = 128
UNBLOCKABLE = 1 << 8 | 1 << 18
"""Mask bits of SIGKILL and SIGSTOP."""
FPSIMD_MAGIC, FPSIMD_SIZE = 0x4650_8001, 528
ESR_MAGIC, ESR_SIZE = 0x4553_5201, 16
MORELLO_MAGIC, MORELLO_SIZE = 0x4D52_4C01, 560
SIGCONTEXT_RECORDS = 288
"""Offset of the records in sigcontext."""
PSR_USER_MASK = 0xF400_0000
"""NZCV and C64: what a handler may change in pstate."""


class FrameWriter:
    """Builds a signal frame below a stack pointer."""

    def __init__(self, task: Task, sp: Capability) -> None:
        self._task = task
        self._sp = sp

    def write(self, info: SignalInfo) -> Capability:
        """Write the frame; returns its capability. SyscallError EFAULT when the stack can't take it."""
        task, pe = self._task, self._task.pe
        memory, abi = task.memory, task.process.abi
        record_size = 2 * abi.pointer
        size = SIGINFO_SIZE + abi.ucontext.size + record_size
        frame = self._sp.set_value((self._sp.value - size) & ~15)
        memory.check(frame, size, True)
        memory.write(frame, info.pack(abi.siginfo_status).ljust(SIGINFO_SIZE, b"\0"))
        if abi.is_purecap and info.address is not None:
            memory.write_pointer(frame.add(16), Capability.from_int(info.address))
        if info.value is not None:
            memory.write_pointer(frame.add(abi.siginfo_value), info.value)
        context = frame.add(SIGINFO_SIZE)
        memory.write(context, self._ucontext(info))
        stack = context.add(abi.ucontext.offset("stack"))
        memory.write_pointer(stack, task.alternate.sp)
        if abi.is_purecap:
            self._write_capabilities(context.add(abi.ucontext.offset("sigcontext")))
        record = context.add(abi.ucontext.size)
        for index, register in enumerate((29, 30)):
            value = pe.read_c(register) if abi.is_purecap else Capability.from_int(pe.read_x(register))
            memory.write_pointer(record.add(index * abi.pointer), value)
        return frame

    def _ucontext(self, info: SignalInfo) -> bytes:
        task, pe = self._task, self._task.pe
        abi = task.process.abi
        layout = abi.ucontext
        data = bytearray(layout.size)
        stack_layout = abi.stack_t
        at = layout.offset("stack")
        struct.pack_into("<i", data, at + stack_layout.offset("flags"), task.alternate.flags)
        struct.pack_into("<Q", data, at + stack_layout.offset("size"), task.alternate.size)
        mask = task.signal_mask if task.saved_mask is None else task.saved_mask
        task.saved_mask = None
        struct.pack_into("<Q", data, layout.offset("sigmask"), mask)
        at = layout.offset("sigcontext")
        struct.pack_into("<Q", data, at, info.address or 0)
        struct.pack_into("<31Q", data, at + 8, *(pe.read_x(n) for n in range(31)))
        struct.pack_into("<QQQ", data, at + 256, pe.read_csp().value, pe.pc, pe.pstate.to_spsr(pe.nzcv))
        self._records(data, at + SIGCONTEXT_RECORDS, info)
        return bytes(data)

    def _records(self, data: bytearray, at: int, info: SignalInfo) -> None:
        pe = self._task.pe
        struct.pack_into("<II", data, at, FPSIMD_MAGIC, FPSIMD_SIZE)
        struct.pack_into("<II", data, at + 8, pe.x[FPSR_SLOT] & 0xFFFF_FFFF, pe.x[FPCR_SLOT] & 0xFFFF_FFFF)
        for n in range(32):
            data[at + 16 + 16 * n : at + 32 + 16 * n] = pe.read_v(n).to_bytes(16, "little")
        at += FPSIMD_SIZE
        if info.fault is not None:
            esr = info.fault.ec << 26 | 1 << 25 | info.fault.syndrome
            struct.pack_into("<IIQ", data, at, ESR_MAGIC, ESR_SIZE, esr)
            at += ESR_SIZE
        if self._task.process.abi.is_purecap:
            struct.pack_into("<II", data, at, MORELLO_MAGIC, MORELLO_SIZE)

    def _write_capabilities(self, sigcontext: Capability) -> None:
        memory, pe = self._task.memory, self._task.pe
        record = _find_record(memory.read(sigcontext, 4384), MORELLO_MAGIC)
        if record is None:
            return
        base = sigcontext.add(record)
        values = [pe.read_c(n) for n in range(31)]
        for index, value in enumerate((*values, pe.stack[0], pe.stack[4], pe.pcc)):
            memory.write_pointer(base.add(16 + 16 * index), value)


class FrameReader:
    """Restores a thread from the signal frame at its stack pointer."""

    def __init__(self, task: Task, sp: Capability) -> None:
        self._task = task
        self._context = sp.add(SIGINFO_SIZE)

    def restore(self) -> None:
        """Registers, mask and alternate stack; SyscallError when the frame can't be read."""
        task, pe = self._task, self._task.pe
        memory, abi = task.memory, task.process.abi
        layout = abi.ucontext
        data = memory.read(self._context, layout.size)
        at = layout.offset("sigcontext")
        sigcontext = data[at : at + 4384]
        integers = struct.unpack_from("<31Q", sigcontext, 8)
        sp, pc, spsr = struct.unpack_from("<QQQ", sigcontext, 256)
        record = _find_record(sigcontext, MORELLO_MAGIC)
        if abi.is_purecap and record is not None:
            self._restore_capabilities(self._context.add(at + record), integers, sp, pc)
        else:
            for n, value in enumerate(integers):
                pe.write_x(n, value)
            pe.stack[0] = Capability.from_int(sp)
            pe.pcc = USER_ROOT.set_value(pc)
        pe.nzcv = spsr >> 28
        pe.pstate.c64 = bool(spsr >> 26 & 1)
        self._restore_vectors(sigcontext)
        task.signal_mask = struct.unpack_from("<Q", data, layout.offset("sigmask"))[0] & ~UNBLOCKABLE
        pe.context_stale = True

    def _restore_vectors(self, sigcontext: bytes) -> None:
        pe = self._task.pe
        at = _find_record(sigcontext, FPSIMD_MAGIC)
        if at is None:
            return
        fpsr, fpcr = struct.unpack_from("<II", sigcontext, at + 8)
        pe.x[FPSR_SLOT] = fpsr
        pe.x[FPCR_SLOT] = fpcr
        for n in range(32):
            start = at + 16 + 16 * n
            pe.write_v(n, int.from_bytes(sigcontext[start : start + 16], "little"))

    def _restore_capabilities(self, record: Capability, integers: tuple[int, ...], sp: int, pc: int) -> None:
        memory, pe = self._task.memory, self._task.pe
        values = [memory.read_pointer(record.add(16 + 16 * index)) for index in range(34)]
        for n, value in enumerate(integers):
            merge_register(pe, n, value, values[n])
        csp, rcsp, pcc = values[31], values[32], values[33]
        executive = pcc.has(Perm.EXECUTIVE)
        pe.stack[0] = merge(sp, csp) if executive else csp
        pe.stack[4] = rcsp if executive else merge(sp, rcsp)
        pe.pcc = merge(pc, pcc)


def merge(value: int, capability: Capability) -> Capability:
    """sigreturn's rule: an unchanged address keeps the capability, a new one is set in it."""
    return capability if capability.value == value else capability.set_value(value)


def merge_register(pe: Pe, n: int, value: int, capability: Capability) -> None:
    """Apply `merge` to a general register."""
    pe.write_c(n, merge(value, capability))


def _find_record(sigcontext: bytes, magic: int) -> int | None:
    """Offset of a record in sigcontext."""
    at = SIGCONTEXT_RECORDS
    while at + 8 <= len(sigcontext):
        found, size = struct.unpack_from("<II", sigcontext, at)
        if found == magic:
            return at
        if found == 0 or size < 8 or size % 16:
            return None
        at += size
    return None

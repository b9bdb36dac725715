"""Call frame information (`.debug_frame`) for C64 functions, made from their prologues.

A stock GDB can't read Morello prologues, so it finds no caller. These tables tell it where a function's
frame is and where C19 to C30 were saved, as 64-bit values. Return addresses are given without bit 0.
Source: DWARF 5, section 6.4; register numbers of the AArch64 DWARF document (X0 to X30, then SP).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from emulator.linux.symbols import MALFORMED
from loader.elf import ElfImage, Symbol
from morello_isa.disassemble import disassemble

MAX_INSTRUCTIONS = 20_000
"""Longer functions have no tables."""
_FP, _LR, _SP = 29, 30, 31
_SAVED = range(19, 31)
# Instructions of the table: DW_CFA_*.
_ADVANCE, _ADVANCE1, _ADVANCE2 = 0x40, 0x02, 0x03
_OFFSET, _SAME, _VAL_EXPRESSION, _DEF_CFA = 0x80, 0x08, 0x16, 0x0C
_REMEMBER, _RESTORE = 0x0A, 0x0B
# Operations of expressions: DW_OP_*.
_OP_DEREF, _OP_CONSTS, _OP_AND, _OP_NOT, _OP_PLUS = 0x06, 0x11, 0x1A, 0x20, 0x22
_OP_LIT0, _OP_LIT1, _OP_BREG30 = 0x30, 0x31, 0x8E
_WITHOUT_BIT_0 = bytes((_OP_LIT1, _OP_NOT, _OP_AND))
_CODE_ALIGNMENT, _DATA_ALIGNMENT = 4, -8
_STORE = re.compile(r"st[rp] c(\d+)(?:, c(\d+))?, \[csp(?:, #(-?\d+))?\](!?)$")
_OTHER_STORE = re.compile(r"st[rp] .*\[csp, #-(\d+)\]!$")
_MOVE_SP = re.compile(r"(sub|add) csp, csp, #(\d+)(, lsl #12)?$")
_SET_FP = re.compile(r"(?:mov c29, csp|add c29, csp, #(\d+))$")
_LOAD_RECORD = re.compile(r"ld[rp] (?:c29, )?c30, \[csp(?:, #\d+)?\](?:, #(\d+))?$")
_LEAVES = ("ret", "retr", "rets", "br", "b")
_CALLS = ("bl", "blr", "blrr", "blrs")


def call_frames(image: ElfImage) -> bytes:
    """The contents of `.debug_frame`; empty when the file has tables of its own or no C64 functions."""
    try:
        if any(section.name in (".debug_frame", ".eh_frame") for section in image.sections):
            return b""
        functions = {s.address: s for s in image.symbols if s.is_c64 and s.is_defined and s.size}
        entries = [_function_entry(image, functions[address]) for address in sorted(functions)]
    except MALFORMED:
        return b""
    return _common_entry() + b"".join(entries) if entries else b""


def _common_entry() -> bytes:
    first = bytes((_DEF_CFA, _SP, 0)) + _link_in_register()
    head = struct.pack("<IBB", 0xFFFF_FFFF, 1, 0)
    return _entry(head + _unsigned(_CODE_ALIGNMENT) + _signed(_DATA_ALIGNMENT) + bytes((_LR,)) + first)


def _entry(body: bytes) -> bytes:
    body += bytes(-(len(body) + 4) % 8)
    return struct.pack("<I", len(body)) + body


def _link_in_register() -> bytes:
    expression = bytes((_OP_BREG30, 0)) + _WITHOUT_BIT_0
    return bytes((_VAL_EXPRESSION, _LR, len(expression))) + expression


def _link_in_memory(offset: int) -> bytes:
    expression = bytes((_OP_CONSTS,)) + _signed(offset) + bytes((_OP_PLUS, _OP_DEREF)) + _WITHOUT_BIT_0
    return bytes((_VAL_EXPRESSION, _LR, len(expression))) + expression


@dataclass(frozen=True)
class _State:
    """The frame behind an instruction: CFA = `register` + `offset`; `saved` are offsets from the CFA."""

    register: int = _SP
    offset: int = 0
    depth: int = 0
    """CFA - CSP."""
    saved: dict[int, int] = field(default_factory=dict)


def _function_entry(image: ElfImage, function: Symbol) -> bytes:
    head = struct.pack("<IQQ", 0, function.address, function.size)
    if function.size > 4 * MAX_INSTRUCTIONS:
        return _entry(head)
    code = image.read_vaddr(function.address, function.size & ~3)
    words = struct.unpack(f"<{len(code) // 4}I", code)
    rows, at = b"", 0
    for index, change in _changes(
        [disassemble(w, function.address + 4 * i, True) for i, w in enumerate(words)]
    ):
        rows += _advance(index - at) + change
        at = index
    return _entry(head + rows)


def _changes(lines: list[str]) -> Iterator[tuple[int, bytes]]:
    """(index of the instruction from which on it holds, instructions of the table).

    `body` is the state to which a return goes back, while the instructions before that return are looked at;
    `lost` tells that a call has overwritten the return address, which was saved nowhere: it reads as 0.
    """
    state, in_prologue = _State(), True
    body: _State | None = None
    lost = False
    for index, line in enumerate(lines):
        mnemonic = line.partition(" ")[0]
        before = state
        if body is not None:
            state = _epilogue(state, line)
            if mnemonic in _LEAVES and index + 1 < len(lines):
                yield index + 1, bytes((_RESTORE,))
                state, body = body, None
                continue
        elif in_prologue:
            in_prologue = not (mnemonic.startswith("b.") or mnemonic in (*_LEAVES, *_CALLS, "cbz", "cbnz"))
            state = _prologue(state, line)
        loaded = _LOAD_RECORD.match(line)
        if loaded is not None and body is None and _LR in state.saved:
            body, in_prologue = state, False
            depth = state.depth - int(loaded[1] or 0)
            state = _State(_SP, depth, depth)
            yield index + 1, bytes((_REMEMBER, _SAME, _FP)) + _link_in_register() + _cfa(state)
        elif state != before:
            yield index + 1, _difference(before, state)
        elif mnemonic in _CALLS and _LR not in state.saved and not lost:
            lost = True
            yield index + 1, bytes((_VAL_EXPRESSION, _LR, 1, _OP_LIT0))


def _prologue(state: _State, line: str) -> _State:
    store, other, moved, fp = (p.match(line) for p in (_STORE, _OTHER_STORE, _MOVE_SP, _SET_FP))
    if store is not None:
        place = int(store[3] or 0)
        depth = state.depth - place if store[4] else state.depth
        at = 0 if store[4] else place
        registers = [int(number) for number in store.groups()[:2] if number is not None]
        saved = {n: at + 16 * i - depth for i, n in enumerate(registers) if n in _SAVED}
        return _moved(replace(state, saved={**state.saved, **saved}), depth)
    if other is not None:
        return _moved(state, state.depth + int(other[1]))
    if moved is not None:
        return _moved(state, state.depth + _amount(moved) * (1 if moved[1] == "sub" else -1))
    if fp is not None:
        return replace(state, register=_FP, offset=state.depth - int(fp[1] or 0))
    return state


def _epilogue(state: _State, line: str) -> _State:
    moved = _MOVE_SP.match(line)
    return _moved(state, state.depth - _amount(moved)) if moved is not None and moved[1] == "add" else state


def _moved(state: _State, depth: int) -> _State:
    return replace(state, depth=depth, offset=depth if state.register == _SP else state.offset)


def _amount(moved: re.Match[str]) -> int:
    return int(moved[2]) << (12 if moved[3] else 0)


def _difference(before: _State, after: _State) -> bytes:
    rows = b""
    if (before.register, before.offset) != (after.register, after.offset):
        rows += _cfa(after)
    for register, offset in after.saved.items():
        if before.saved.get(register) == offset:
            continue
        if register == _LR:
            rows += _link_in_memory(offset)
        elif offset <= 0 and not offset % _DATA_ALIGNMENT:
            rows += bytes((_OFFSET | register,)) + _unsigned(offset // _DATA_ALIGNMENT)
    return rows


def _cfa(state: _State) -> bytes:
    return bytes((_DEF_CFA, state.register)) + _unsigned(max(state.offset, 0))


def _advance(instructions: int) -> bytes:
    if instructions < 0x40:
        return bytes((_ADVANCE | instructions,))
    if instructions < 0x100:
        return bytes((_ADVANCE1, instructions))
    return bytes((_ADVANCE2,)) + struct.pack("<H", instructions)


def _unsigned(value: int) -> bytes:
    out = bytearray()
    while True:
        byte, value = value & 0x7F, value >> 7
        out.append(byte | (0x80 if value else 0))
        if not value:
            return bytes(out)


def _signed(value: int) -> bytes:
    out = bytearray()
    while True:
        byte, value = value & 0x7F, value >> 7
        done = value == (-1 if byte & 0x40 else 0)
        out.append(byte if done else byte | 0x80)
        if done:
            return bytes(out)

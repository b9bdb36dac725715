"""Base instructions without an encoder of their own, through keystone.

Keystone knows no capability registers: in C64 the capability base of a memory operand, and the operand of
the DC and IC operations by address, are written as the X register of the same number, which gives the word.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from morello_isa.asm.errors import AssemblyError
from morello_isa.encodings.table import ROWS

_CAPABILITY_BASE = re.compile(r"\[\s*(?:c(\d+)|(csp))", re.IGNORECASE)
_INTEGER_BASE = re.compile(r"\[\s*(?:x\d+|sp)\b", re.IGNORECASE)
_CACHE_OPERAND = re.compile(r",\s*c(\d+|zr)$", re.IGNORECASE)
_BY_ADDRESS = re.compile(r"(?:zva|ivac|cvac|cvau|cvap|cvadp|civac|ivau)\b", re.IGNORECASE)
# Keystone loops for ever on some text that isn't an instruction, so it only gets what could be one.
_MNEMONIC = re.compile(r"[a-z][a-z0-9]*(?:\.[a-z0-9]+)?$")
_OPERANDS = re.compile(r"(?:[\w#\[{*-][\w\s,.#\[\]{}!+*-]*)?$", re.ASCII)
_CAPABILITY_REGISTER = re.compile(r"\b(?:c\d+|csp|czr)\b", re.IGNORECASE)


@lru_cache(maxsize=1)
def _engine() -> Any:
    import keystone

    return keystone.Ks(keystone.KS_ARCH_ARM64, keystone.KS_MODE_LITTLE_ENDIAN)


def _as_base_text(mnemonic: str, operands: str, c64: bool) -> str:
    if not _MNEMONIC.match(mnemonic):
        raise AssemblyError(f"there is no instruction '{mnemonic}'")
    if not _OPERANDS.match(operands):
        raise AssemblyError(f"'{mnemonic}' doesn't take these operands")
    if c64:
        if _INTEGER_BASE.search(operands):
            raise AssemblyError(f"'{mnemonic}' needs a capability base register in C64")
        operands = _CAPABILITY_BASE.sub(lambda m: "[sp" if m[2] else f"[x{m[1]}", operands)
        if mnemonic in ("dc", "ic") and _BY_ADDRESS.match(operands):
            if not _CACHE_OPERAND.search(operands):
                raise AssemblyError(f"'{mnemonic} {operands.split(',')[0]}' needs a capability in C64")
            operands = _CACHE_OPERAND.sub(r", x\1", operands)
    if _CAPABILITY_REGISTER.search(operands) and not operands.lower().startswith("s1_"):
        if not _is_mnemonic(mnemonic):
            raise AssemblyError(f"there is no instruction '{mnemonic}'")
        state = "C64" if c64 else "A64"
        raise AssemblyError(f"'{mnemonic}' doesn't take these operands in {state}")
    return f"{mnemonic} {operands}"


def _is_mnemonic(mnemonic: str) -> bool:
    """Keystone or the Morello table knows the word, whatever its operands are."""
    import keystone

    try:
        _engine().asm(f"{mnemonic} x0", 0)
    except keystone.KsError as error:
        unknown = error.errno == keystone.KS_ERR_ASM_MNEMONICFAIL
        return not unknown or any(row.mnemonic == mnemonic for row in ROWS)
    return True


@lru_cache(maxsize=8192)
def encode_with_keystone(mnemonic: str, operands: str, c64: bool) -> int:
    """The word; AssemblyError when keystone doesn't know the instruction either."""
    import keystone

    text = _as_base_text(mnemonic, operands, c64)
    try:
        data, _ = _engine().asm(text, 0)
    except keystone.KsError as error:
        if error.errno == keystone.KS_ERR_ASM_MNEMONICFAIL and not _is_mnemonic(mnemonic):
            raise AssemblyError(f"there is no instruction '{mnemonic}'") from None
        raise AssemblyError(f"'{mnemonic}' doesn't take these operands") from None
    if data is None or len(data) != 4:
        raise AssemblyError(f"'{mnemonic}' doesn't take these operands")
    return int.from_bytes(bytes(data), "little")

"""ESR_ELx: exception classes, fault status codes, packing and explaining.

>>> describe_syndrome(pack_syndrome(ExceptionClass.DATA_ABORT_SAME, 0x2A | 1 << 6))
'data abort, same level: capability bounds fault on a write'
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class ExceptionClass(IntEnum):
    """EC, bits 31:26 of ESR."""

    UNKNOWN = 0x00
    WFX = 0x01
    FP_ACCESS = 0x07
    ILLEGAL_STATE = 0x0E
    SVC = 0x15
    HVC = 0x16
    SMC = 0x17
    SYSTEM = 0x18
    INSTRUCTION_ABORT_LOWER = 0x20
    INSTRUCTION_ABORT_SAME = 0x21
    PC_ALIGNMENT = 0x22
    DATA_ABORT_LOWER = 0x24
    DATA_ABORT_SAME = 0x25
    SP_ALIGNMENT = 0x26
    CAPABILITY_ACCESS = 0x29
    CAPABILITY_SYSTEM = 0x2A
    FP_EXCEPTION = 0x2C
    SERROR = 0x2F
    BREAKPOINT_LOWER = 0x30
    BREAKPOINT_SAME = 0x31
    SOFTWARE_STEP_LOWER = 0x32
    SOFTWARE_STEP_SAME = 0x33
    WATCHPOINT_LOWER = 0x34
    WATCHPOINT_SAME = 0x35
    BRK = 0x3C


class FaultStatus(IntEnum):
    """IFSC and DFSC, bits 5:0 of the ISS of an abort. Codes with a level are the level-0 code."""

    ADDRESS_SIZE = 0x00
    TRANSLATION = 0x04
    ACCESS_FLAG = 0x08
    PERMISSION = 0x0C
    EXTERNAL = 0x10
    EXTERNAL_ON_WALK = 0x14
    ALIGNMENT = 0x21
    CAP_TAG = 0x28
    CAP_SEALED = 0x29
    CAP_BOUNDS = 0x2A
    CAP_PERMISSION = 0x2B
    CAP_PAGE = 0x2C
    TLB_CONFLICT = 0x30
    UNSUPPORTED_ATOMIC = 0x35


IL: Final = 1 << 25
ISS_MASK: Final = IL - 1
WNR: Final = 1 << 6
S1PTW: Final = 1 << 7
CM: Final = 1 << 8

_CLASS_TEXT: Final = {
    ExceptionClass.UNKNOWN: "undefined instruction",
    ExceptionClass.WFX: "trapped WFI or WFE",
    ExceptionClass.FP_ACCESS: "trapped SIMD or floating-point instruction",
    ExceptionClass.ILLEGAL_STATE: "illegal execution state",
    ExceptionClass.SVC: "SVC",
    ExceptionClass.HVC: "HVC",
    ExceptionClass.SMC: "SMC",
    ExceptionClass.SYSTEM: "trapped system register or instruction",
    ExceptionClass.INSTRUCTION_ABORT_LOWER: "instruction abort, lower level",
    ExceptionClass.INSTRUCTION_ABORT_SAME: "instruction abort, same level",
    ExceptionClass.PC_ALIGNMENT: "PC alignment fault",
    ExceptionClass.DATA_ABORT_LOWER: "data abort, lower level",
    ExceptionClass.DATA_ABORT_SAME: "data abort, same level",
    ExceptionClass.SP_ALIGNMENT: "SP alignment fault",
    ExceptionClass.CAPABILITY_ACCESS: "trapped capability instruction",
    ExceptionClass.CAPABILITY_SYSTEM: "trapped capability system register",
    ExceptionClass.FP_EXCEPTION: "floating-point exception",
    ExceptionClass.SERROR: "SError",
    ExceptionClass.BREAKPOINT_LOWER: "breakpoint, lower level",
    ExceptionClass.BREAKPOINT_SAME: "breakpoint, same level",
    ExceptionClass.SOFTWARE_STEP_LOWER: "software step, lower level",
    ExceptionClass.SOFTWARE_STEP_SAME: "software step, same level",
    ExceptionClass.WATCHPOINT_LOWER: "watchpoint, lower level",
    ExceptionClass.WATCHPOINT_SAME: "watchpoint, same level",
    ExceptionClass.BRK: "BRK",
}

_STATUS_TEXT: Final = {
    FaultStatus.ADDRESS_SIZE: "address size fault",
    FaultStatus.TRANSLATION: "translation fault",
    FaultStatus.ACCESS_FLAG: "access flag fault",
    FaultStatus.PERMISSION: "permission fault",
    FaultStatus.EXTERNAL: "external abort",
    FaultStatus.EXTERNAL_ON_WALK: "external abort on a table walk",
    FaultStatus.ALIGNMENT: "alignment fault",
    FaultStatus.CAP_TAG: "capability tag fault",
    FaultStatus.CAP_SEALED: "capability sealed fault",
    FaultStatus.CAP_BOUNDS: "capability bounds fault",
    FaultStatus.CAP_PERMISSION: "capability permission fault",
    FaultStatus.CAP_PAGE: "page-table capability access fault",
    FaultStatus.TLB_CONFLICT: "TLB conflict",
    FaultStatus.UNSUPPORTED_ATOMIC: "unsupported atomic or exclusive access",
}

_LEVELLED: Final = (
    FaultStatus.ADDRESS_SIZE,
    FaultStatus.TRANSLATION,
    FaultStatus.ACCESS_FLAG,
    FaultStatus.PERMISSION,
    FaultStatus.EXTERNAL_ON_WALK,
)
_INSTRUCTION_ABORTS: Final = (
    ExceptionClass.INSTRUCTION_ABORT_LOWER,
    ExceptionClass.INSTRUCTION_ABORT_SAME,
)
_DATA_ABORTS: Final = (ExceptionClass.DATA_ABORT_LOWER, ExceptionClass.DATA_ABORT_SAME)


def pack_syndrome(exception_class: int, iss: int = 0, il: bool = True) -> int:
    """The ESR value of a class, a 25-bit ISS and the instruction length bit."""
    return exception_class << 26 | (IL if il else 0) | iss & ISS_MASK


def unpack_syndrome(esr: int) -> tuple[int, int, bool]:
    """(EC, ISS, IL) of an ESR value."""
    return esr >> 26 & 0x3F, esr & ISS_MASK, bool(esr & IL)


def class_name(exception_class: int) -> str:
    """What an EC value means, or "reserved exception class 0x…"."""
    try:
        return _CLASS_TEXT[ExceptionClass(exception_class)]
    except ValueError:
        return f"reserved exception class {exception_class:#04x}"


def fault_status_name(status: int) -> str:
    """What an IFSC/DFSC value means, with its level where it has one."""
    for base in _LEVELLED:
        if status & ~3 == base:
            return f"{_STATUS_TEXT[base]}, level {status & 3}"
    try:
        return _STATUS_TEXT[FaultStatus(status)]
    except ValueError:
        return f"reserved fault status {status:#04x}"


def describe_syndrome(esr: int) -> str:
    """One line for a person: class and, for aborts, fault status and direction."""
    exception_class, iss, _ = unpack_syndrome(esr)
    text = class_name(exception_class)
    if exception_class in _INSTRUCTION_ABORTS:
        return f"{text}: {fault_status_name(iss & 0x3F)}"
    if exception_class in _DATA_ABORTS:
        return f"{text}: {fault_status_name(iss & 0x3F)} on a {'write' if iss & WNR else 'read'}"
    if exception_class in (ExceptionClass.SVC, ExceptionClass.HVC, ExceptionClass.SMC, ExceptionClass.BRK):
        return f"{text} #{iss & 0xFFFF:#x}"
    return text

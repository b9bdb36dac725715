"""Faults as values: everything that is known about one, whoever raises it and whoever takes it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from morello_isa.capability import Capability


class FaultKind(Enum):
    """What went wrong or was asked for. The value is the text used in explanations."""

    CAP_TAG = "capability tag"
    CAP_SEALED = "capability sealed"
    CAP_PERMISSION = "capability permission"
    CAP_BOUNDS = "capability bounds"
    CAP_PAGE = "capability page"
    ALIGNMENT = "alignment"
    TRANSLATION = "translation"
    ACCESS_FLAG = "access flag"
    PERMISSION = "permission"
    ADDRESS_SIZE = "address size"
    EXTERNAL = "external abort"
    EXTERNAL_ON_WALK = "external abort on a translation table walk"
    DOMAIN = "unsupported atomic or exclusive access"
    PC_ALIGNMENT = "PC alignment"
    SP_ALIGNMENT = "SP alignment"
    ILLEGAL_STATE = "illegal execution state"
    UNDEFINED = "undefined instruction"
    TRAP = "trapped system register or instruction"
    CAP_TRAP = "trapped capability instruction"
    CAP_SYSREG_TRAP = "trapped capability system register"
    FP_TRAP = "trapped SIMD or floating-point instruction"
    FP_EXCEPTION = "trapped floating-point exception"
    WFX_TRAP = "trapped WFI or WFE"
    SVC = "SVC"
    HVC = "HVC"
    SMC = "SMC"
    BRK = "BRK"
    HLT = "HLT"
    IRQ = "IRQ"
    FIQ = "FIQ"
    SERROR = "SError"


CAPABILITY_FAULTS = frozenset(
    (FaultKind.CAP_TAG, FaultKind.CAP_SEALED, FaultKind.CAP_PERMISSION, FaultKind.CAP_BOUNDS)
)


FAULT_STATUS = {
    FaultKind.ADDRESS_SIZE: 0x00,
    FaultKind.TRANSLATION: 0x04,
    FaultKind.ACCESS_FLAG: 0x08,
    FaultKind.PERMISSION: 0x0C,
    FaultKind.EXTERNAL: 0x10,
    FaultKind.EXTERNAL_ON_WALK: 0x14,
    FaultKind.ALIGNMENT: 0x21,
    FaultKind.CAP_TAG: 0x28,
    FaultKind.CAP_SEALED: 0x29,
    FaultKind.CAP_BOUNDS: 0x2A,
    FaultKind.CAP_PERMISSION: 0x2B,
    FaultKind.CAP_PAGE: 0x2C,
    FaultKind.DOMAIN: 0x35,
}
_STATUS_WITH_LEVEL = frozenset(
    (
        FaultKind.ADDRESS_SIZE,
        FaultKind.TRANSLATION,
        FaultKind.ACCESS_FLAG,
        FaultKind.PERMISSION,
        FaultKind.EXTERNAL_ON_WALK,
    )
)


def fault_status(kind: FaultKind, level: int) -> int:
    """Six-bit IFSC/DFSC of an abort, with its level where it has one (Sail: EncodeLDFSC)."""
    return FAULT_STATUS[kind] | (level & 3 if kind in _STATUS_WITH_LEVEL else 0)


class MemoryAbort(Exception):
    """Raised by a `Memory`: the access had no effect.

    `address` is the virtual address that faulted; `level` the page-table level (0..3) where there is one;
    `ipa` the intermediate physical address of a stage 2 fault; `s1ptw` tells that it hit stage 1's table
    walk. `is_write` is what WnR will report.
    """

    def __init__(
        self,
        kind: FaultKind,
        address: int,
        is_write: bool,
        *,
        level: int = 0,
        stage2: bool = False,
        ipa: int = 0,
        s1ptw: bool = False,
    ) -> None:
        super().__init__(kind.value, hex(address))
        self.kind = kind
        self.address = address
        self.is_write = is_write
        self.level = level
        self.stage2 = stage2
        self.ipa = ipa
        self.s1ptw = s1ptw


@dataclass(eq=False)
class PeFault(Exception):
    """One synchronous exception (or interrupt) of the PE, complete.

    `pc` and `pcc` are those of the faulting instruction (for a failed fetch: of the target); `word` is the
    instruction or None when it couldn't be fetched. `register` names the authorising register ("c2",
    "csp", "ddc", "pcc"), `capability` is its value. `address`, `size` (bytes), `is_write` describe the data
    access. `syndrome` is the 25-bit ISS and `ec` the exception class of ESR; `target_el` is fixed by traps
    that name their level, else None (then routing decides). `return_pc` is what ELR gets.
    """

    kind: FaultKind
    address: int = 0
    size: int = 0
    is_write: bool = False
    is_fetch: bool = False
    register: str = ""
    capability: Capability | None = None
    ec: int = 0
    syndrome: int = 0
    target_el: int | None = None
    immediate: int = 0
    level: int = 0
    stage2: bool = False
    s1ptw: bool = False
    ipa: int = 0
    cache_maintenance: bool = False
    pc: int = 0
    word: int | None = None
    pcc: Capability | None = None
    c64: bool = False
    el: int = 0
    detail: str = ""

    def __post_init__(self) -> None:
        super().__init__(self.kind.value)

    @property
    def is_data_access(self) -> bool:
        """A data abort: an explicit access of an instruction failed."""
        return self.size > 0 and not self.is_fetch


def fault_of_abort(abort: MemoryAbort, pc: int, word: int | None) -> PeFault:
    """The memory's refusal as a fault of the instruction."""
    return PeFault(
        abort.kind,
        address=abort.address,
        size=1,
        is_write=abort.is_write,
        level=abort.level,
        stage2=abort.stage2,
        ipa=abort.ipa,
        s1ptw=abort.s1ptw,
        pc=pc,
        word=word,
    )


class StopKind(Enum):
    """Why `run` came back."""

    LIMIT = "instruction limit reached"
    REQUESTED = "stopped on request"
    IDLE = "waiting for an interrupt that can't come"
    BREAKPOINT = "breakpoint"


@dataclass(frozen=True, slots=True)
class StopReason:
    """`detail` is what the requester of the stop gave (an exit status, a fault, a text)."""

    kind: StopKind
    detail: object = None

"""A fault in one sentence for a human: which check, which instruction, which capability, what was wrong."""

from __future__ import annotations

from collections.abc import Callable

from emulator.faults import CAPABILITY_FAULTS, FaultKind, PeFault
from morello_isa.capability import Capability
from morello_isa.permissions import permission_names

Symbolise = Callable[[int], str]
"""From an address to "fill+0x2c in hello", or "" when nothing is known about it."""


def no_symbols(_: int) -> str:
    """The symbolisation that knows nothing."""
    return ""


def explain(fault: PeFault, symbolise: Symbolise = no_symbols) -> str:
    """The sentence. Never raises; says less when less is known.

    >>> explain(PeFault(FaultKind.UNDEFINED, pc=0x1000, word=0))
    'undefined instruction: udf #0 at 0x1000'
    """
    head = f"{fault.kind.value} fault" if _is_fault(fault.kind) else fault.kind.value
    text = f"{head}: {_instruction(fault)}{_place(fault.pc, symbolise)}"
    reason = _reason(fault)
    return f"{text} — {reason}" if reason else text


def _is_fault(kind: FaultKind) -> bool:
    return kind in CAPABILITY_FAULTS or kind in (
        FaultKind.CAP_PAGE,
        FaultKind.ALIGNMENT,
        FaultKind.TRANSLATION,
        FaultKind.ACCESS_FLAG,
        FaultKind.PERMISSION,
        FaultKind.ADDRESS_SIZE,
        FaultKind.PC_ALIGNMENT,
        FaultKind.SP_ALIGNMENT,
    )


def _instruction(fault: PeFault) -> str:
    if fault.word is None:
        return "instruction fetch"
    from morello_isa.disassemble import disassemble

    return disassemble(fault.word, fault.pc, fault.c64)


def _place(pc: int, symbolise: Symbolise) -> str:
    name = symbolise(pc)
    return f" at {pc:#x} ({name})" if name else f" at {pc:#x}"


def _reason(fault: PeFault) -> str:
    capability = fault.capability
    if capability is not None and fault.kind in CAPABILITY_FAULTS:
        name = fault.register or "the capability"
        return f"{name} = {capability.describe()}: {_refusal(fault, capability)}"
    if fault.kind is FaultKind.SP_ALIGNMENT and capability is not None:
        return f"{fault.register} = {capability.value:#x} is not a multiple of 16"
    if fault.kind is FaultKind.ALIGNMENT:
        return f"{fault.address:#x} is not a multiple of {fault.size}"
    if fault.is_fetch or fault.is_data_access:
        verb = "fetched" if fault.is_fetch else "written" if fault.is_write else "read"
        return f"{fault.address:#x} can't be {verb}"
    return fault.detail


def _refusal(fault: PeFault, capability: Capability) -> str:
    if fault.kind is FaultKind.CAP_TAG:
        return "it has no tag"
    if fault.kind is FaultKind.CAP_SEALED:
        return "it is sealed"
    if fault.kind is FaultKind.CAP_PERMISSION:
        missing = permission_names(fault.immediate)
        return f"it lacks {' and '.join(missing)}" if missing else "it lacks a permission"
    return _out_of_bounds(fault, capability)


def _out_of_bounds(fault: PeFault, capability: Capability) -> str:
    bounds, address, size = capability.bounds, fault.address, fault.size
    span = f"1 byte at {address:#x} is" if size == 1 else f"{size} bytes at {address:#x} are"
    if not bounds.valid:
        return "its bounds are invalid"
    if address < bounds.base:
        return f"{span} before the start by {bounds.base - address}"
    beyond = address + size - bounds.limit
    return f"{span} past the end by {beyond}"

"""Reading and writing what system-register names stand for, access rules aside."""

from __future__ import annotations

from collections.abc import Callable

from emulator.state.pe import RESTRICTED_BANK, Pe
from emulator.state.registers import FPCR_SLOT, FPSR_SLOT, NZCV_SLOT
from emulator.state.reset import NARROW_REGISTERS, READ_MASKS
from morello_isa.capability import Capability

# 64-bit views of capability-wide registers.
VIEWS = {
    "ELR_EL1": "CELR_EL1",
    "ELR_EL2": "CELR_EL2",
    "ELR_EL3": "CELR_EL3",
    "VBAR_EL1": "CVBAR_EL1",
    "VBAR_EL2": "CVBAR_EL2",
    "VBAR_EL3": "CVBAR_EL3",
    "TPIDR_EL0": "CTPIDR_EL0",
    "TPIDRRO_EL0": "CTPIDRRO_EL0",
    "TPIDR_EL1": "CTPIDR_EL1",
    "TPIDR_EL2": "CTPIDR_EL2",
    "TPIDR_EL3": "CTPIDR_EL3",
    "RTPIDR_EL0": "RCTPIDR_EL0",
    "SP_EL0": "CSP_EL0",
    "SP_EL1": "CSP_EL1",
    "SP_EL2": "CSP_EL2",
    "RSP_EL0": "RCSP_EL0",
}
_STACK = {"CSP_EL0": 0, "CSP_EL1": 1, "CSP_EL2": 2, "RCSP_EL0": RESTRICTED_BANK}
_DATA = {"DDC_EL0": 0, "DDC_EL1": 1, "DDC_EL2": 2, "RDDC_EL0": RESTRICTED_BANK}
# CTPIDR of a level is RCTPIDR_EL0 for Restricted code of that level.
_OWN_THREAD_POINTER = ("CTPIDR_EL0", "CTPIDR_EL1", "CTPIDR_EL2", "CTPIDR_EL3")

# Registers whose change alters neither translation nor the meaning of instructions.
_HARMLESS = frozenset(
    (
        "NZCV", "FPCR", "FPSR", "DAIF", "PAR_EL1", "ESR_EL1", "ESR_EL2", "ESR_EL3", "FAR_EL1", "FAR_EL2",
        "FAR_EL3", "SPSR_EL1", "SPSR_EL2", "SPSR_EL3", "HPFAR_EL2", "CSSELR_EL1", "SCXTNUM_EL0",
        "SCXTNUM_EL1", "PMSELR_EL0", "AFSR0_EL1", "AFSR1_EL1",
    )
)  # fmt: skip
_TRANSLATION_PREFIXES = (
    "SCTLR_",
    "TCR_",
    "TTBR",
    "MAIR_",
    "AMAIR_",
    "HCR_",
    "SCR_",
    "VTCR_",
    "VTTBR_",
    "CCTLR_",
    "CONTEXTIDR_",
)


def own_thread_pointer(pe: Pe, name: str) -> str:
    """CTPIDR_ELx as the current state sees it."""
    if name in _OWN_THREAD_POINTER and pe.is_restricted and name == _OWN_THREAD_POINTER[pe.pstate.el]:
        return "RCTPIDR_EL0"
    return name


def read_capability(pe: Pe, name: str) -> Capability:
    """The capability-wide register `name`."""
    if name == "DDC":
        return pe.ddc
    if name in _STACK:
        return pe.stack[_STACK[name]]
    if name in _DATA:
        return pe.data[_DATA[name]]
    return pe.sysregs.capabilities[own_thread_pointer(pe, name)]


def write_capability(pe: Pe, name: str, value: Capability) -> None:
    """`name` := value, all 129 bits."""
    if name == "DDC":
        pe.ddc = value
    elif name in _STACK:
        pe.stack[_STACK[name]] = value
    elif name in _DATA:
        pe.data[_DATA[name]] = value
        pe.context_stale = True
    else:
        pe.sysregs.capabilities[own_thread_pointer(pe, name)] = value


def _isr(pe: Pe) -> int:
    return pe.serror_line << 8 | pe.irq_line << 7 | pe.fiq_line << 6


_SPECIAL_READ: dict[str, Callable[[Pe], int]] = {
    "NZCV": lambda pe: pe.x[NZCV_SLOT],
    "DAIF": lambda pe: pe.pstate.daif << 6,
    "CurrentEL": lambda pe: pe.pstate.el << 2,
    "SPSel": lambda pe: 0 if pe.is_restricted else pe.pstate.sp,
    "PAN": lambda pe: pe.pstate.pan << 22,
    "UAO": lambda pe: pe.pstate.uao << 23,
    "SSBS": lambda pe: pe.pstate.ssbs << 12,
    "FPCR": lambda pe: pe.x[FPCR_SLOT],
    "FPSR": lambda pe: pe.x[FPSR_SLOT],
    "ISR_EL1": _isr,
}
_FPCR_BITS = 0x07FF_9F00  # AHP, DN, FZ, RMode, Stride, FZ16, Len, trap enables
_FPSR_BITS = 0xF800_009F


def _write_special(pe: Pe, name: str, value: int) -> bool:
    """PSTATE fields and FP registers; False when `name` is none of them."""
    state = pe.pstate
    if name == "NZCV":
        pe.x[NZCV_SLOT] = value & 0xF000_0000
    elif name == "DAIF":
        state.daif = value >> 6 & 15
    elif name == "SPSel":
        if not pe.is_restricted:
            state.sp = value & 1
            pe.context_stale = True
    elif name == "PAN":
        state.pan = bool(value >> 22 & 1)
        pe.context_stale = pe.translation_stale = True
    elif name == "UAO":
        state.uao = bool(value >> 23 & 1)
        pe.context_stale = True
    elif name == "SSBS":
        state.ssbs = bool(value >> 12 & 1)
    elif name == "FPCR":
        pe.x[FPCR_SLOT] = value & _FPCR_BITS
    elif name == "FPSR":
        pe.x[FPSR_SLOT] = value & _FPSR_BITS
    else:
        return False
    return True


def read_register(pe: Pe, name: str) -> int:
    """The 64-bit register `name`."""
    view = VIEWS.get(name)
    if view:
        return read_capability(pe, view).value
    special = _SPECIAL_READ.get(name)
    if special:
        return special(pe)
    if name in ("MIDR_EL1", "MPIDR_EL1") and pe.pstate.el == 1 and pe.sysregs.values.get("SCR_EL3", 0) & 1:
        name = "V" + name.replace("EL1", "EL2").replace("MIDR", "PIDR")
    if name == "DCZID_EL0" and pe.pstate.el <= 1:
        return pe.sysregs.read(name) | _zva_prohibited(pe) << 4
    value = pe.sysregs.read(name)
    mask = READ_MASKS.get(name)
    return value if mask is None else value & mask[0] | mask[1]


def _zva_prohibited(pe: Pe) -> bool:
    values = pe.sysregs.values
    by_el2 = bool(values.get("HCR_EL2", 0) >> 28 & 1)
    return by_el2 or (pe.pstate.el == 0 and not values.get("SCTLR_EL1", 0) >> 14 & 1)


def write_register(pe: Pe, name: str, value: int) -> None:
    """`name` := value; marks the context stale where the meaning of code or addresses may change."""
    view = VIEWS.get(name)
    if view:
        write_capability(pe, view, Capability.from_int(value))
        return
    if _write_special(pe, name, value):
        return
    if name in NARROW_REGISTERS:
        value &= 0xFFFF_FFFF
    pe.sysregs.write(name, value)
    if name not in _HARMLESS:
        pe.context_stale = True
        if name.startswith(_TRANSLATION_PREFIXES):
            pe.translation_stale = True

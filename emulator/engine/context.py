"""The part of the PE's state that decides what an instruction means, as one immutable value.

Instructions are bound to closures under a context; the engine keeps one cache of bound code for each
context, so nothing here needs to be looked at again when the code runs.
"""

from __future__ import annotations

from dataclasses import dataclass

from emulator.state import levels
from emulator.state.pe import Pe
from morello_isa.capability import MASK64, Capability

CCTLR_DDCBO, CCTLR_PCCBO, CCTLR_ADRDPB, CCTLR_C64E, CCTLR_PERMVCT, CCTLR_SBL = 4, 8, 16, 32, 64, 128
SCTLR_A, SCTLR_SA, SCTLR_SA0 = 2, 8, 16


@dataclass(frozen=True, slots=True)
class Context:
    """Everything static. `pcc_*` describe PCC without its value, `ddc_*` likewise DDC.

    `unprivileged` tells whether LDTR and STTR have EL0's rights here. `device_memory`: stage 1 is off, so
    that all data are in Device memory, where accesses have to be aligned.
    `high_kept`: addresses with ones in bits 63:55 are taken as they are, with TBI or without. `cap_trap` and
    `fp_trap` are the levels that Morello and SIMD&FP instructions trap to, or None.
    """

    el: int
    c64: bool
    bank: int
    illegal: bool
    restricted: bool
    system_access: bool
    cctlr: int
    cap_trap: int | None
    fp_trap: int | None
    check_sp: bool
    check_alignment: bool
    device_memory: bool
    unprivileged: bool
    tbi0: bool
    tbi1: bool
    high_kept: bool
    ddc_tag: bool
    ddc_hi: int
    ddc_base: int
    ddc_limit: int
    pcc_tag: bool
    pcc_hi: int
    pcc_base: int
    pcc_limit: int

    @property
    def seal_links(self) -> bool:
        """CCTLR.SBL."""
        return bool(self.cctlr & CCTLR_SBL)


def current_context(pe: Pe) -> Context:
    """Evaluate the context from the registers."""
    el = pe.pstate.el
    sctlr = levels.sctlr(pe)
    pcc, ddc = pe.pcc, pe.ddc
    pcc_bounds, ddc_bounds = pcc.bounds, ddc.bounds
    return Context(
        el=el,
        c64=pe.pstate.c64,
        bank=pe.bank,
        illegal=pe.pstate.il,
        restricted=pe.is_restricted,
        system_access=pe.has_system_access,
        cctlr=pe.sysregs.values.get(f"CCTLR_EL{el}", 0),
        cap_trap=levels.capability_trap_target(pe),
        fp_trap=levels.fp_trap_target(pe),
        check_sp=bool(sctlr & (SCTLR_SA0 if el == 0 else SCTLR_SA)),
        check_alignment=bool(sctlr & SCTLR_A),
        device_memory=levels.data_is_device(pe),
        unprivileged=_unprivileged(pe),
        tbi0=levels.top_byte_ignored(pe, el, False),
        tbi1=levels.top_byte_ignored(pe, el, True),
        high_kept=levels.bounds_address(pe, MASK64, el) == MASK64,
        ddc_tag=ddc.tag,
        ddc_hi=ddc.hi,
        ddc_base=ddc_bounds.base,
        ddc_limit=ddc_bounds.limit,
        pcc_tag=pcc.tag,
        pcc_hi=pcc.hi,
        pcc_base=pcc_bounds.base,
        pcc_limit=pcc_bounds.limit,
    )


def _unprivileged(pe: Pe) -> bool:
    """LDTR and STTR: at EL1 and in a host's EL2, unless UAO."""
    if pe.pstate.uao:
        return False
    return pe.pstate.el == 1 or (pe.pstate.el == 2 and levels.el_is_in_host(pe, 0))


def fetch_window(pcc: Capability, top_byte_matters: bool) -> tuple[int, int]:
    """Addresses [low, high) at which a 4-byte fetch passes CheckPCCCapability without more ado.

    `top_byte_matters`: no address has its top byte ignored, so that the upper half needs no second look.
    """
    bounds = pcc.bounds
    if not pcc.tag or pcc.is_sealed or not pcc.has(1 << 15) or not bounds.valid:
        return 0, 0
    if bounds.base == 0 and bounds.limit == 1 << 64:
        return 0, (1 << 64) - 3
    top = 1 << 64 if top_byte_matters else 1 << 55
    return bounds.base, min(bounds.limit, top) - 3

"""The classic traps of system registers: which control bit sends which access to which level.

Each entry of the table is a list of controls, tried in order, then the accesses that they govern: `r` read,
`w` write, `o` system operation, with the level of the access, and the names. A control is `outcome [state]
REGISTER[bit]=value`. Outcomes: el1 (EL2 when HCR_EL2.TGE), el2 (only while EL2 is enabled), el3, undef.
States: host (E2H and TGE), e2h, e2honly (E2H without TGE), secure, ns, el2 (enabled); `!` negates. `[a|b]=1`
means one of the bits, `[a|b]=0` none of them, `[a&b]=1` both, `[a:b]` the field of bits b:a.

The facts are those of the specification's access functions (AArch64_AutoGen_SysRegRead, …Write, SysOpsWrite).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from emulator.semantics.indexed_registers import family
from emulator.state import levels
from emulator.state.pe import Pe


class Outcome(IntEnum):
    """What stops an access: UNDEFINED, or a trap (EC 0x18) to that level."""

    UNDEFINED = 0
    TRAP_EL1 = 1
    TRAP_EL2 = 2
    TRAP_EL3 = 3


_OUTCOMES = {
    "undef": Outcome.UNDEFINED,
    "el1": Outcome.TRAP_EL1,
    "el2": Outcome.TRAP_EL2,
    "el3": Outcome.TRAP_EL3,
}


@dataclass(frozen=True, slots=True)
class Control:
    """One control: in `state`, when the test of the register's value holds, the outcome happens."""

    outcome: Outcome
    state: str
    register: str
    test: Callable[[int], bool]

    def applies(self, pe: Pe) -> bool:
        """The control stops an access now."""
        if self.outcome is Outcome.TRAP_EL2 and not levels.el2_enabled(pe):
            return False
        if self.state and not _in_state(pe, self.state):
            return False
        return not self.register or self.test(pe.sysregs.values.get(self.register, 0))


def _in_state(pe: Pe, state: str) -> bool:
    if state.startswith("!"):
        return not _in_state(pe, state[1:])
    hcr = pe.sysregs.values.get("HCR_EL2", 0)
    e2h, tge, el2 = bool(hcr & levels.HCR_E2H), bool(hcr & levels.HCR_TGE), levels.el2_enabled(pe)
    return {
        "host": el2 and e2h and tge,
        "e2h": e2h,
        "e2honly": e2h and not tge,
        "secure": not el2,
        "ns": el2,
        "el2": el2,
    }[state]


_CONTROL = re.compile(r"(\w+)(?: (!?[a-z0-9]+))?(?: ([A-Z0-9_]+[0-3])\[(\d+)(?:([|&:])(\d+))?\](!?=)(\d))?$")


def _parse_control(text: str) -> Control:
    match = _CONTROL.match(text)
    if match is None:
        raise ValueError(f"malformed control {text!r}")
    outcome, state, register, low, joint, high, relation, value = match.groups()
    test = _test(int(low), joint, int(high or low), relation, int(value)) if register else bool
    return Control(_OUTCOMES[outcome], state or "", register or "", test)


def _test(low: int, joint: str | None, high: int, relation: str, value: int) -> Callable[[int], bool]:
    if joint == ":":
        mask = (1 << high - low + 1) - 1
        equal = relation == "="
        return lambda register: (register >> low & mask == value) == equal
    bits = 1 << low | 1 << high
    if joint == "&":
        return lambda register: register & bits == bits
    return lambda register: bool(register & bits) == bool(value)


@lru_cache(maxsize=1)
def _table() -> dict[tuple[str, str], tuple[Control, ...]]:
    """(name, access such as "r1") -> controls in order."""
    table: dict[tuple[str, str], tuple[Control, ...]] = {}
    controls: tuple[Control, ...] = ()
    for entry in re.sub(r"\n(?:  \b|        )", " ", _TEXT).strip().splitlines():
        if entry.startswith(" "):
            accesses, _, names = entry.partition(":")
            for name in names.split():
                for access in accesses.split():
                    table[name, access] = controls
        else:
            controls = tuple(_parse_control(part.strip()) for part in entry.split(";"))
    return table


def trap_of(pe: Pe, name: str, kind: str, is_read: bool, el: int) -> Outcome | None:
    """The first control that stops this access, or None. `kind` as in the register table."""
    name = family(name)
    letter = "o" if kind == "operation" else "r" if is_read else "w"
    for control in _table().get((name, f"{letter}{el}"), ()):
        if control.applies(pe):
            hcr = pe.sysregs.values.get("HCR_EL2", 0)
            if control.outcome is Outcome.TRAP_EL1 and levels.el2_enabled(pe) and hcr & levels.HCR_TGE:
                return Outcome.TRAP_EL2
            return control.outcome
    return None


_TEXT = """
el2 HCR_EL2[21]=1
    r1 w1: ACTLR_EL1
el2 HCR_EL2[30]=1
    r1: AFSR0_EL1 AFSR1_EL1 AMAIR_EL1 CONTEXTIDR_EL1 ESR_EL1 FAR_EL1 MAIR_EL1 SCTLR_EL1 TCR_EL1
        TTBR0_EL1 TTBR1_EL1
el2 HCR_EL2[16]=1
    r1: AIDR_EL1 REVIDR_EL1
el2 HCR_EL2[17]=1; el2 HCR_EL2[49]=1
    r1: CCSIDR_EL1 CLIDR_EL1
    r1 w1: CSSELR_EL1
el1 !host CNTKCTL_EL1[0|1]=0; el2 host CNTHCTL_EL2[0|1]=0
    r0: CNTFRQ_EL0
el1 !host CNTKCTL_EL1[0]=0; el2 !e2h CNTHCTL_EL2[1]=0; el2 e2honly CNTHCTL_EL2[0]=0; el2 host
  CNTHCTL_EL2[0]=0
    r0: CNTPCT_EL0
el2 CNTHCTL_EL2[0]=0
    r1: CNTPCT_EL0
el3 secure SCR_EL3[11]=0
    r1 w1: CNTPS_CTL_EL1 CNTPS_CVAL_EL1 CNTPS_TVAL_EL1
el1 !host CNTKCTL_EL1[9]=0; el2 !e2h CNTHCTL_EL2[1]=0; el2 e2honly CNTHCTL_EL2[11]=0; el2 host
  CNTHCTL_EL2[9]=0
    r0 w0: CNTP_CTL_EL0 CNTP_CVAL_EL0 CNTP_TVAL_EL0
el2 !e2h CNTHCTL_EL2[1]=0; el2 e2h CNTHCTL_EL2[11]=0
    r1 w1: CNTP_CTL_EL0 CNTP_CVAL_EL0 CNTP_TVAL_EL0
el1 !host CNTKCTL_EL1[1]=0; el2 host CNTHCTL_EL2[1]=0
    r0: CNTVCT_EL0
el1 !host CNTKCTL_EL1[8]=0; el2 host CNTHCTL_EL2[8]=0
    r0 w0: CNTV_CTL_EL0 CNTV_CVAL_EL0 CNTV_TVAL_EL0
el3 CPTR_EL3[31]=1
    r2 w2: CPACR_EL1 CPACR_EL12 CPTR_EL2
el2 CPTR_EL2[31]=1; el3 CPTR_EL3[31]=1
    r1 w1: CPACR_EL1
el1 !host SCTLR_EL1[15]=0; el2 !host HCR_EL2[17]=1; el2 host SCTLR_EL2[15]=0
    r0: CTR_EL0
el2 HCR_EL2[17]=1
    r1: CTR_EL0
el1 host HCR_EL2[27]=1; el1 SCTLR_EL1[9]=0
    r0 w0: DAIF
el2 MDCR_EL2[8|9]=1; el3 MDCR_EL3[9]=1
    r1: DBGAUTHSTATUS_EL1 MDCCSR_EL0
    r1 w1: DBGBCR_EL1 DBGBVR_EL1 DBGCLAIMCLR_EL1 DBGCLAIMSET_EL1 DBGWCR_EL1 DBGWVR_EL1 MDCCINT_EL1
        MDSCR_EL1 OSDTRRX_EL1 OSDTRTX_EL1 OSECCR_EL1
el3 MDCR_EL3[9]=1
    r2: DBGAUTHSTATUS_EL1 MDCCSR_EL0 MDRAR_EL1
    r2 w2: DBGBCR_EL1 DBGBVR_EL1 DBGCLAIMCLR_EL1 DBGCLAIMSET_EL1 DBGVCR32_EL2 DBGWCR_EL1 DBGWVR_EL1
        MDCCINT_EL1 MDCR_EL2 MDSCR_EL1 OSDTRRX_EL1 OSDTRTX_EL1 OSECCR_EL1
el2 MDCR_EL2[8|10]=1; el3 MDCR_EL3[10]=1
    r1 w1: DBGPRCR_EL1
    r1: OSLSR_EL1
    w1: OSLAR_EL1
el3 MDCR_EL3[10]=1
    r2 w2: DBGPRCR_EL1
    r2: OSLSR_EL1
    w2: OSLAR_EL1
el2 HCR_EL2[36]=1; el3 SCR_EL3[15]=1
    r1: ERRIDR_EL1 ERXFR_EL1
    r1 w1: ERRSELR_EL1 ERXADDR_EL1 ERXCTLR_EL1 ERXMISC0_EL1 ERXMISC1_EL1 ERXSTATUS_EL1
el3 SCR_EL3[15]=1
    r2: ERRIDR_EL1 ERXFR_EL1
    r2 w2: ERRSELR_EL1 ERXADDR_EL1 ERXCTLR_EL1 ERXMISC0_EL1 ERXMISC1_EL1 ERXSTATUS_EL1
el1 ICC_SRE_EL1[0]=0; el2 ICH_HCR_EL2[11]=1; el3 SCR_EL3[2]=1
    r1 w1: ICC_AP0R_EL1 ICC_BPR0_EL1 ICC_IGRPEN0_EL1
    r1: ICC_HPPIR0_EL1 ICC_IAR0_EL1
    w1: ICC_EOIR0_EL1
el2 ICC_SRE_EL2[0]=0; el3 SCR_EL3[2]=1
    r2 w2: ICC_AP0R_EL1 ICC_BPR0_EL1 ICC_IGRPEN0_EL1
    r2: ICC_HPPIR0_EL1 ICC_IAR0_EL1
    w2: ICC_EOIR0_EL1
el3 ICC_SRE_EL3[0]=0
    r3 w3: ICC_AP0R_EL1 ICC_AP1R_EL1 ICC_BPR0_EL1 ICC_BPR1_EL1 ICC_CTLR_EL1 ICC_CTLR_EL3
        ICC_IGRPEN0_EL1 ICC_IGRPEN1_EL1 ICC_IGRPEN1_EL3 ICC_PMR_EL1 ICH_AP0R_EL2 ICH_AP1R_EL2
        ICH_HCR_EL2 ICH_LR_EL2 ICH_VMCR_EL2
    r3: ICC_HPPIR0_EL1 ICC_HPPIR1_EL1 ICC_IAR0_EL1 ICC_IAR1_EL1 ICC_RPR_EL1 ICH_EISR_EL2
        ICH_ELRSR_EL2 ICH_MISR_EL2 ICH_VTR_EL2
    w3: ICC_ASGI1R_EL1 ICC_DIR_EL1 ICC_EOIR0_EL1 ICC_EOIR1_EL1 ICC_SGI0R_EL1 ICC_SGI1R_EL1
el1 ICC_SRE_EL1[0]=0; el2 ICH_HCR_EL2[12]=1; el3 SCR_EL3[1]=1
    r1 w1: ICC_AP1R_EL1 ICC_BPR1_EL1 ICC_IGRPEN1_EL1
    r1: ICC_HPPIR1_EL1 ICC_IAR1_EL1
    w1: ICC_EOIR1_EL1
el2 ICC_SRE_EL2[0]=0; el3 SCR_EL3[1]=1
    r2 w2: ICC_AP1R_EL1 ICC_BPR1_EL1 ICC_IGRPEN1_EL1
    r2: ICC_HPPIR1_EL1 ICC_IAR1_EL1
    w2: ICC_EOIR1_EL1
el1 ICC_SRE_EL1[0]=0; el2 ICH_HCR_EL2[10]=1; el3 SCR_EL3[1&2]=1
    r1 w1: ICC_CTLR_EL1 ICC_PMR_EL1
    r1: ICC_RPR_EL1
el2 ICC_SRE_EL2[0]=0; el3 SCR_EL3[1&2]=1
    r2 w2: ICC_CTLR_EL1 ICC_PMR_EL1
    r2: ICC_RPR_EL1
    w2: ICC_ASGI1R_EL1 ICC_DIR_EL1 ICC_SGI0R_EL1 ICC_SGI1R_EL1
el2 ICC_SRE_EL2[3]=0; el3 ICC_SRE_EL3[3]=0
    r1 w1: ICC_SRE_EL1
el3 ICC_SRE_EL3[3]=0
    r2 w2: ICC_SRE_EL1 ICC_SRE_EL2
undef !el2
    r3 w3: ICC_SRE_EL2
    o3: ALLE2 ALLE2IS S1E2R S1E2W VAE2 VAE2IS VALE2 VALE2IS
el2 ICC_SRE_EL2[0]=0
    r2 w2: ICH_AP0R_EL2 ICH_AP1R_EL2 ICH_HCR_EL2 ICH_LR_EL2 ICH_VMCR_EL2
    r2: ICH_EISR_EL2 ICH_ELRSR_EL2 ICH_MISR_EL2 ICH_VTR_EL2
el2 HCR_EL2[18]=1
    r1: ID_AA64AFR0_EL1 ID_AA64AFR1_EL1 ID_AA64DFR0_EL1 ID_AA64DFR1_EL1 ID_AA64ISAR0_EL1
        ID_AA64ISAR1_EL1 ID_AA64MMFR0_EL1 ID_AA64MMFR1_EL1 ID_AA64MMFR2_EL1 ID_AA64PFR0_EL1
        ID_AA64PFR1_EL1 ID_AA64ZFR0_EL1 ID_AFR0_EL1 ID_DFR0_EL1 ID_ISAR0_EL1 ID_ISAR1_EL1
        ID_ISAR2_EL1 ID_ISAR3_EL1 ID_ISAR4_EL1 ID_ISAR5_EL1 ID_ISAR6_EL1 ID_MMFR0_EL1 ID_MMFR1_EL1
        ID_MMFR2_EL1 ID_MMFR3_EL1 ID_MMFR4_EL1 ID_MMFR5_EL1 ID_PFR0_EL1 ID_PFR1_EL1 ID_PFR2_EL1
        MVFR0_EL1 MVFR1_EL1 MVFR2_EL1
undef SCR_EL3[0]=0; el2 HCR_EL2[35]=1; el3 SCR_EL3[14]=1
    r1 w1: LORC_EL1 LOREA_EL1 LORN_EL1 LORSA_EL1
undef SCR_EL3[0]=0; el3 SCR_EL3[14]=1
    r2 w2: LORC_EL1 LOREA_EL1 LORN_EL1 LORSA_EL1
undef SCR_EL3[0]=0
    r3 w3: LORC_EL1 LOREA_EL1 LORN_EL1 LORSA_EL1
el2 HCR_EL2[35]=1; el3 SCR_EL3[14]=1
    r1: LORID_EL1
el3 SCR_EL3[14]=1
    r2: LORID_EL1
el1 MDSCR_EL1[12]=1; el2 HCR_EL2[27]=1; el2 MDCR_EL2[8|9]=1; el3 MDCR_EL3[9]=1
    r0: MDCCSR_EL0
el2 MDCR_EL2[8|11]=1; el3 MDCR_EL3[9]=1
    r1: MDRAR_EL1
el3 MPAM3_EL3[62]=1; el2 MPAM2_EL2[49]=1
    r1 w1: MPAM0_EL1
el3 MPAM3_EL3[62]=1
    r2 w2: MPAM0_EL1 MPAM1_EL1 MPAM1_EL12 MPAM2_EL2 MPAMHCR_EL2 MPAMVPM0_EL2 MPAMVPM1_EL2
        MPAMVPM2_EL2 MPAMVPM3_EL2 MPAMVPM4_EL2 MPAMVPM5_EL2 MPAMVPM6_EL2 MPAMVPM7_EL2 MPAMVPMV_EL2
    r2: MPAMIDR_EL1
el3 MPAM3_EL3[62]=1; el2 MPAM2_EL2[48]=1
    r1 w1: MPAM1_EL1
el3 MPAM3_EL3[62]=1; el2 MPAMHCR_EL2[31]=1
    r1: MPAMIDR_EL1
el2 MDCR_EL2[12]=0; el3 secure MDCR_EL3[12:13]!=1; el3 ns MDCR_EL3[12:13]!=3
    r1 w1: PMBLIMITR_EL1 PMBPTR_EL1 PMBSR_EL1
el3 secure MDCR_EL3[12:13]!=1; el3 ns MDCR_EL3[12:13]!=3
    r2 w2: PMBLIMITR_EL1 PMBPTR_EL1 PMBSR_EL1 PMSCR_EL1 PMSCR_EL12 PMSCR_EL2 PMSEVFR_EL1 PMSFCR_EL1
        PMSICR_EL1 PMSIRR_EL1 PMSLATFR_EL1
    r2: PMSIDR_EL1
el1 PMUSERENR_EL0[0]=0; el2 MDCR_EL2[6]=1; el3 MDCR_EL3[6]=1
    r0 w0: PMCCFILTR_EL0 PMCNTENCLR_EL0 PMCNTENSET_EL0 PMEVTYPER_EL0 PMOVSCLR_EL0 PMOVSSET_EL0
        PMXEVTYPER_EL0
    r0: PMCEID0_EL0 PMCEID1_EL0
    w0: PMCCNTR_EL0 PMEVCNTR_EL0 PMXEVCNTR_EL0
el2 MDCR_EL2[6]=1; el3 MDCR_EL3[6]=1
    r1 w1: PMCCFILTR_EL0 PMCCNTR_EL0 PMCNTENCLR_EL0 PMCNTENSET_EL0 PMEVCNTR_EL0 PMEVTYPER_EL0
        PMINTENCLR_EL1 PMINTENSET_EL1 PMOVSCLR_EL0 PMOVSSET_EL0 PMSELR_EL0 PMXEVCNTR_EL0
        PMXEVTYPER_EL0
    r1: PMCEID0_EL0 PMCEID1_EL0
    r0 r1 w1: PMUSERENR_EL0
    w1: PMSWINC_EL0
el3 MDCR_EL3[6]=1
    r2 w2: PMCCFILTR_EL0 PMCCNTR_EL0 PMCNTENCLR_EL0 PMCNTENSET_EL0 PMCR_EL0 PMEVCNTR_EL0
        PMEVTYPER_EL0 PMINTENCLR_EL1 PMINTENSET_EL1 PMOVSCLR_EL0 PMOVSSET_EL0 PMSELR_EL0
        PMUSERENR_EL0 PMXEVCNTR_EL0 PMXEVTYPER_EL0
    r2: PMCEID0_EL0 PMCEID1_EL0
    w2: PMSWINC_EL0
el1 PMUSERENR_EL0[0|2]=0; el2 MDCR_EL2[6]=1; el3 MDCR_EL3[6]=1
    r0: PMCCNTR_EL0
el1 PMUSERENR_EL0[0]=0; el2 MDCR_EL2[6]=1; el2 MDCR_EL2[5]=1; el3 MDCR_EL3[6]=1
    r0 w0: PMCR_EL0
el2 MDCR_EL2[6]=1; el2 MDCR_EL2[5]=1; el3 MDCR_EL3[6]=1
    r1 w1: PMCR_EL0
el1 PMUSERENR_EL0[0|3]=0; el2 MDCR_EL2[6]=1; el3 MDCR_EL3[6]=1
    r0: PMEVCNTR_EL0 PMXEVCNTR_EL0
    r0 w0: PMSELR_EL0
el2 MDCR_EL2[14]=1; el3 secure MDCR_EL3[12:13]!=1; el3 ns MDCR_EL3[12:13]!=3
    r1 w1: PMSCR_EL1 PMSEVFR_EL1 PMSFCR_EL1 PMSICR_EL1 PMSIRR_EL1 PMSLATFR_EL1
    r1: PMSIDR_EL1
el1 !host SCTLR_EL1[20]=1; el2 !host HCR_EL2[53]=0; el2 host SCTLR_EL2[20]=1; el3 SCR_EL3[25]=0
    r0 w0: SCXTNUM_EL0
el2 HCR_EL2[53]=0; el3 SCR_EL3[25]=0
    r1 w1: SCXTNUM_EL0 SCXTNUM_EL1
el3 SCR_EL3[25]=0
    r2 w2: SCXTNUM_EL0 SCXTNUM_EL1 SCXTNUM_EL12 SCXTNUM_EL2
el2 HCR_EL2[26]=1
    w1: AFSR0_EL1 AFSR1_EL1 AMAIR_EL1 CONTEXTIDR_EL1 ESR_EL1 FAR_EL1 MAIR_EL1 SCTLR_EL1 TCR_EL1
        TTBR0_EL1 TTBR1_EL1
el1 ICC_SRE_EL1[0]=0; el2 ICH_HCR_EL2[10]=1; el2 HCR_EL2[3]=1; el2 HCR_EL2[4]=1; el3 SCR_EL3[1&2]=1
    w1: ICC_ASGI1R_EL1 ICC_SGI0R_EL1 ICC_SGI1R_EL1
el1 ICC_SRE_EL1[0]=0; el2 ICH_HCR_EL2[14]=1; el2 ICH_HCR_EL2[10]=1; el3 SCR_EL3[1&2]=1
    w1: ICC_DIR_EL1
el1 PMUSERENR_EL0[0|1]=0; el2 MDCR_EL2[6]=1; el3 MDCR_EL3[6]=1
    w0: PMSWINC_EL0
el2 HCR_EL2[25]=1; el2 HCR_EL2[54]=1
    o1: ASIDE1IS VAAE1IS VAALE1IS VAE1IS VALE1IS VMALLE1IS
el2 HCR_EL2[25]=1
    o1: ASIDE1 VAAE1 VAALE1 VAE1 VALE1 VMALLE1
el2 HCR_EL2[22]=1
    o1: CISW CSW ISW
el1 !host SCTLR_EL1[26]=0; el2 !host HCR_EL2[23]=1; el2 host SCTLR_EL2[26]=0
    o0: CIVAC CVAC CVADP CVAP
el2 HCR_EL2[23]=1
    o1: CIVAC CVAC CVADP CVAP IVAC
el1 !host SCTLR_EL1[26]=0; el2 !host HCR_EL2[24]=1; el2 !host HCR_EL2[52]=1; el2 host SCTLR_EL2[26]=0
    o0: CVAU IVAU
el2 HCR_EL2[24]=1; el2 HCR_EL2[52]=1
    o1: CVAU IALLU IVAU
el2 HCR_EL2[24]=1; el2 HCR_EL2[50]=1
    o1: IALLUIS
el1 !host SCTLR_EL1[10]=0; el2 host SCTLR_EL2[10]=0
    o0: RCTX
el1 !host SCTLR_EL1[14]=0; el2 !host HCR_EL2[28]=1; el2 host SCTLR_EL2[14]=0
    o0: ZVA
el2 HCR_EL2[28]=1
    o1: ZVA
"""

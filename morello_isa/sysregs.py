"""System registers and system operations: names, encodings, widths, access rules.

A capability-wide register and its 64-bit view have the same encoding and two rows: `MRS Ct` finds the first,
`MRS Xt` the second. Access rules are about the System permission of PCC: "free", "system" (PCC must have
System and Execute, else trap EC 0x18), "-" (no such access), or the text of a further condition.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

Key = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class SystemRegister:
    """One row. `kind` is "capability", "integer" (64 bits) or "operation" (SYS: DC, IC, AT, TLBI, …)."""

    name: str
    kind: str
    op0: int
    op1: int
    crn: int
    crm: int
    op2: int
    read: str
    write: str

    @property
    def key(self) -> Key:
        """(op0, op1, CRn, CRm, op2)."""
        return self.op0, self.op1, self.crn, self.crm, self.op2


def _rows(kind: str, text: str) -> tuple[SystemRegister, ...]:
    """Rows from lines "NAME op0 op1 CRn CRm op2 read write"; "system|PERMVCT" is a conditional rule."""
    rows = []
    for line in text.strip().splitlines():
        name, op0, op1, crn, crm, op2, read, write = line.split()
        read = read.replace("|PERMVCT", " unless CCTLR.PERMVCT")
        rows.append(SystemRegister(name, kind, int(op0), int(op1), int(crn), int(crm), int(op2), read, write))
    return tuple(rows)


_CAPABILITY = """
CDBGDTR_EL0 2 3 0 4 0 free free
CDLR_EL0 3 3 4 5 1 free free
CELR_EL1 3 0 4 0 1 free free
CELR_EL12 3 5 4 0 1 free free
CELR_EL2 3 4 4 0 1 free free
CELR_EL3 3 6 4 0 1 free free
CID_EL0 3 3 13 0 7 free free
CSP_EL0 3 0 4 1 0 free free
CSP_EL1 3 4 4 1 0 free free
CSP_EL2 3 6 4 1 0 free free
CTPIDRRO_EL0 3 3 13 0 3 free free
CTPIDR_EL0 3 3 13 0 2 free free
CTPIDR_EL1 3 0 13 0 4 free free
CTPIDR_EL2 3 4 13 0 2 free free
CTPIDR_EL3 3 6 13 0 2 free free
CVBAR_EL1 3 0 12 0 0 system system
CVBAR_EL12 3 5 12 0 0 system system
CVBAR_EL2 3 4 12 0 0 system system
CVBAR_EL3 3 6 12 0 0 system system
DDC 3 3 4 1 1 free free
DDC_EL0 3 0 4 1 1 free free
DDC_EL1 3 4 4 1 1 free free
DDC_EL2 3 6 4 1 1 free free
RCSP_EL0 3 7 4 1 3 free free
RCTPIDR_EL0 3 3 13 0 4 free free
RDDC_EL0 3 3 4 3 1 free free
"""

_INTEGER = """
ACTLR_EL1 3 0 1 0 1 system system
ACTLR_EL2 3 4 1 0 1 system system
ACTLR_EL3 3 6 1 0 1 system system
AFSR0_EL1 3 0 5 1 0 system system
AFSR0_EL12 3 5 5 1 0 system system
AFSR0_EL2 3 4 5 1 0 system system
AFSR0_EL3 3 6 5 1 0 system system
AFSR1_EL1 3 0 5 1 1 system system
AFSR1_EL12 3 5 5 1 1 system system
AFSR1_EL2 3 4 5 1 1 system system
AFSR1_EL3 3 6 5 1 1 system system
AIDR_EL1 3 1 0 0 7 system -
AMAIR_EL1 3 0 10 3 0 system system
AMAIR_EL12 3 5 10 3 0 system system
AMAIR_EL2 3 4 10 3 0 system system
AMAIR_EL3 3 6 10 3 0 system system
CCSIDR_EL1 3 1 0 0 0 system -
CCTLR_EL0 3 3 1 2 2 system system
CCTLR_EL1 3 0 1 2 2 system system
CCTLR_EL12 3 5 1 2 2 system system
CCTLR_EL2 3 4 1 2 2 system system
CCTLR_EL3 3 6 1 2 2 system system
CHCR_EL2 3 4 1 2 3 system system
CLIDR_EL1 3 1 0 0 1 system -
CNTFRQ_EL0 3 3 14 0 0 system system
CNTHCTL_EL2 3 4 14 1 0 system system
CNTHP_CTL_EL2 3 4 14 2 1 system system
CNTHP_CVAL_EL2 3 4 14 2 2 system system
CNTHP_TVAL_EL2 3 4 14 2 0 system system
CNTHV_CTL_EL2 3 4 14 3 1 system system
CNTHV_CVAL_EL2 3 4 14 3 2 system system
CNTHV_TVAL_EL2 3 4 14 3 0 system system
CNTKCTL_EL1 3 0 14 1 0 system system
CNTKCTL_EL12 3 5 14 1 0 system system
CNTPCT_EL0 3 3 14 0 1 system -
CNTPS_CTL_EL1 3 7 14 2 1 system system
CNTPS_CVAL_EL1 3 7 14 2 2 system system
CNTPS_TVAL_EL1 3 7 14 2 0 system system
CNTP_CTL_EL0 3 3 14 2 1 system system
CNTP_CTL_EL02 3 5 14 2 1 system system
CNTP_CVAL_EL0 3 3 14 2 2 system system
CNTP_CVAL_EL02 3 5 14 2 2 system system
CNTP_TVAL_EL0 3 3 14 2 0 system system
CNTP_TVAL_EL02 3 5 14 2 0 system system
CNTVCT_EL0 3 3 14 0 2 system|PERMVCT -
CNTVOFF_EL2 3 4 14 0 3 system system
CNTV_CTL_EL0 3 3 14 3 1 system system
CNTV_CTL_EL02 3 5 14 3 1 system system
CNTV_CVAL_EL0 3 3 14 3 2 system system
CNTV_CVAL_EL02 3 5 14 3 2 system system
CNTV_TVAL_EL0 3 3 14 3 0 system system
CNTV_TVAL_EL02 3 5 14 3 0 system system
CONTEXTIDR_EL1 3 0 13 0 1 system system
CONTEXTIDR_EL12 3 5 13 0 1 system system
CONTEXTIDR_EL2 3 4 13 0 1 system system
CPACR_EL1 3 0 1 0 2 system system
CPACR_EL12 3 5 1 0 2 system system
CPTR_EL2 3 4 1 1 2 system system
CPTR_EL3 3 6 1 1 2 system system
CSCR_EL3 3 6 1 2 3 system system
CSSELR_EL1 3 2 0 0 0 system system
CTR_EL0 3 3 0 0 1 free -
CurrentEL 3 0 4 2 2 free -
DACR32_EL2 3 4 3 0 0 system system
DAIF 3 3 4 2 1 free free
DBGAUTHSTATUS_EL1 2 0 7 14 6 system -
DBGCLAIMCLR_EL1 2 0 7 9 6 system system
DBGCLAIMSET_EL1 2 0 7 8 6 system system
DBGDTRRX_EL0 2 3 0 5 0 system -
DBGDTRTX_EL0 2 3 0 5 0 - system
DBGDTR_EL0 2 3 0 4 0 system system
DBGPRCR_EL1 2 0 1 4 4 system system
DBGVCR32_EL2 2 4 0 7 0 system system
DCZID_EL0 3 3 0 0 7 free -
DISR_EL1 3 0 12 1 1 system system
DLR_EL0 3 3 4 5 1 free free
DSPSR_EL0 3 3 4 5 0 free free
ELR_EL1 3 0 4 0 1 free free
ELR_EL12 3 5 4 0 1 free free
ELR_EL2 3 4 4 0 1 free free
ELR_EL3 3 6 4 0 1 free free
ERRIDR_EL1 3 0 5 3 0 system -
ERRSELR_EL1 3 0 5 3 1 system system
ERXADDR_EL1 3 0 5 4 3 system system
ERXCTLR_EL1 3 0 5 4 1 system system
ERXFR_EL1 3 0 5 4 0 system -
ERXMISC0_EL1 3 0 5 5 0 system system
ERXMISC1_EL1 3 0 5 5 1 system system
ERXSTATUS_EL1 3 0 5 4 2 system system
ESR_EL1 3 0 5 2 0 system system
ESR_EL12 3 5 5 2 0 system system
ESR_EL2 3 4 5 2 0 system system
ESR_EL3 3 6 5 2 0 system system
FAR_EL1 3 0 6 0 0 system system
FAR_EL12 3 5 6 0 0 system system
FAR_EL2 3 4 6 0 0 system system
FAR_EL3 3 6 6 0 0 system system
FPCR 3 3 4 4 0 free free
FPEXC32_EL2 3 4 5 3 0 system system
FPSR 3 3 4 4 1 free free
HACR_EL2 3 4 1 1 7 system system
HCR_EL2 3 4 1 1 0 system system
HPFAR_EL2 3 4 6 0 4 system system
HSTR_EL2 3 4 1 1 3 system system
ICC_ASGI1R_EL1 3 0 12 11 6 - system
ICC_BPR0_EL1 3 0 12 8 3 system system
ICC_BPR1_EL1 3 0 12 12 3 system system
ICC_CTLR_EL1 3 0 12 12 4 system system
ICC_CTLR_EL3 3 6 12 12 4 system system
ICC_DIR_EL1 3 0 12 11 1 - system
ICC_EOIR0_EL1 3 0 12 8 1 - system
ICC_EOIR1_EL1 3 0 12 12 1 - system
ICC_HPPIR0_EL1 3 0 12 8 2 system -
ICC_HPPIR1_EL1 3 0 12 12 2 system -
ICC_IAR0_EL1 3 0 12 8 0 system -
ICC_IAR1_EL1 3 0 12 12 0 system -
ICC_IGRPEN0_EL1 3 0 12 12 6 system system
ICC_IGRPEN1_EL1 3 0 12 12 7 system system
ICC_IGRPEN1_EL3 3 6 12 12 7 system system
ICC_PMR_EL1 3 0 4 6 0 system system
ICC_RPR_EL1 3 0 12 11 3 system -
ICC_SGI0R_EL1 3 0 12 11 7 - system
ICC_SGI1R_EL1 3 0 12 11 5 - system
ICC_SRE_EL1 3 0 12 12 5 system system
ICC_SRE_EL2 3 4 12 9 5 system system
ICC_SRE_EL3 3 6 12 12 5 system system
ICH_EISR_EL2 3 4 12 11 3 system -
ICH_ELRSR_EL2 3 4 12 11 5 system -
ICH_HCR_EL2 3 4 12 11 0 system system
ICH_MISR_EL2 3 4 12 11 2 system -
ICH_VMCR_EL2 3 4 12 11 7 system system
ICH_VTR_EL2 3 4 12 11 1 system -
ID_AA64AFR0_EL1 3 0 0 5 4 system -
ID_AA64AFR1_EL1 3 0 0 5 5 system -
ID_AA64DFR0_EL1 3 0 0 5 0 system -
ID_AA64DFR1_EL1 3 0 0 5 1 system -
ID_AA64ISAR0_EL1 3 0 0 6 0 system -
ID_AA64ISAR1_EL1 3 0 0 6 1 system -
ID_AA64MMFR0_EL1 3 0 0 7 0 system -
ID_AA64MMFR1_EL1 3 0 0 7 1 system -
ID_AA64MMFR2_EL1 3 0 0 7 2 system -
ID_AA64PFR0_EL1 3 0 0 4 0 system -
ID_AA64PFR1_EL1 3 0 0 4 1 system -
ID_AA64ZFR0_EL1 3 0 0 4 4 system -
ID_AFR0_EL1 3 0 0 1 3 system -
ID_DFR0_EL1 3 0 0 1 2 system -
ID_ISAR0_EL1 3 0 0 2 0 system -
ID_ISAR1_EL1 3 0 0 2 1 system -
ID_ISAR2_EL1 3 0 0 2 2 system -
ID_ISAR3_EL1 3 0 0 2 3 system -
ID_ISAR4_EL1 3 0 0 2 4 system -
ID_ISAR5_EL1 3 0 0 2 5 system -
ID_ISAR6_EL1 3 0 0 2 7 system -
ID_MMFR0_EL1 3 0 0 1 4 system -
ID_MMFR1_EL1 3 0 0 1 5 system -
ID_MMFR2_EL1 3 0 0 1 6 system -
ID_MMFR3_EL1 3 0 0 1 7 system -
ID_MMFR4_EL1 3 0 0 2 6 system -
ID_MMFR5_EL1 3 0 0 3 6 system -
ID_PFR0_EL1 3 0 0 1 0 system -
ID_PFR1_EL1 3 0 0 1 1 system -
ID_PFR2_EL1 3 0 0 3 4 system -
IFSR32_EL2 3 4 5 0 1 system system
ISR_EL1 3 0 12 1 0 system -
LORC_EL1 3 0 10 4 3 system system
LOREA_EL1 3 0 10 4 1 system system
LORID_EL1 3 0 10 4 7 system -
LORN_EL1 3 0 10 4 2 system system
LORSA_EL1 3 0 10 4 0 system system
MAIR_EL1 3 0 10 2 0 system system
MAIR_EL12 3 5 10 2 0 system system
MAIR_EL2 3 4 10 2 0 system system
MAIR_EL3 3 6 10 2 0 system system
MDCCINT_EL1 2 0 0 2 0 system system
MDCCSR_EL0 2 3 0 1 0 system -
MDCR_EL2 3 4 1 1 1 system system
MDCR_EL3 3 6 1 3 1 system system
MDRAR_EL1 2 0 1 0 0 system -
MDSCR_EL1 2 0 0 2 2 system system
MIDR_EL1 3 0 0 0 0 system -
MPAM0_EL1 3 0 10 5 1 system system
MPAM1_EL1 3 0 10 5 0 system system
MPAM1_EL12 3 5 10 5 0 system system
MPAM2_EL2 3 4 10 5 0 system system
MPAM3_EL3 3 6 10 5 0 system system
MPAMHCR_EL2 3 4 10 4 0 system system
MPAMIDR_EL1 3 0 10 4 4 system -
MPAMVPM0_EL2 3 4 10 6 0 system system
MPAMVPM1_EL2 3 4 10 6 1 system system
MPAMVPM2_EL2 3 4 10 6 2 system system
MPAMVPM3_EL2 3 4 10 6 3 system system
MPAMVPM4_EL2 3 4 10 6 4 system system
MPAMVPM5_EL2 3 4 10 6 5 system system
MPAMVPM6_EL2 3 4 10 6 6 system system
MPAMVPM7_EL2 3 4 10 6 7 system system
MPAMVPMV_EL2 3 4 10 4 1 system system
MPIDR_EL1 3 0 0 0 5 system -
MVFR0_EL1 3 0 0 3 0 system -
MVFR1_EL1 3 0 0 3 1 system -
MVFR2_EL1 3 0 0 3 2 system -
NZCV 3 3 4 2 0 free free
OSDLR_EL1 2 0 1 3 4 system system
OSDTRRX_EL1 2 0 0 0 2 system system
OSDTRTX_EL1 2 0 0 3 2 system system
OSECCR_EL1 2 0 0 6 2 system system
OSLAR_EL1 2 0 1 0 4 - system
OSLSR_EL1 2 0 1 1 4 system -
PAN 3 0 4 2 3 free free
PAR_EL1 3 0 7 4 0 system system
PMBIDR_EL1 3 0 9 10 7 system -
PMBLIMITR_EL1 3 0 9 10 0 system system
PMBPTR_EL1 3 0 9 10 1 system system
PMBSR_EL1 3 0 9 10 3 system system
PMCCFILTR_EL0 3 3 14 15 7 system system
PMCCNTR_EL0 3 3 9 13 0 system system
PMCEID0_EL0 3 3 9 12 6 system -
PMCEID1_EL0 3 3 9 12 7 system -
PMCNTENCLR_EL0 3 3 9 12 2 system system
PMCNTENSET_EL0 3 3 9 12 1 system system
PMCR_EL0 3 3 9 12 0 system system
PMINTENCLR_EL1 3 0 9 14 2 system system
PMINTENSET_EL1 3 0 9 14 1 system system
PMOVSCLR_EL0 3 3 9 12 3 system system
PMOVSSET_EL0 3 3 9 14 3 system system
PMSCR_EL1 3 0 9 9 0 system system
PMSCR_EL12 3 5 9 9 0 system system
PMSCR_EL2 3 4 9 9 0 system system
PMSELR_EL0 3 3 9 12 5 system system
PMSEVFR_EL1 3 0 9 9 5 system system
PMSFCR_EL1 3 0 9 9 4 system system
PMSICR_EL1 3 0 9 9 2 system system
PMSIDR_EL1 3 0 9 9 7 system -
PMSIRR_EL1 3 0 9 9 3 system system
PMSLATFR_EL1 3 0 9 9 6 system system
PMSWINC_EL0 3 3 9 12 4 - system
PMUSERENR_EL0 3 3 9 14 0 system system
PMXEVCNTR_EL0 3 3 9 13 2 system system
PMXEVTYPER_EL0 3 3 9 13 1 system system
REVIDR_EL1 3 0 0 0 6 system -
RMR_EL1 3 0 12 0 2 system system
RMR_EL2 3 4 12 0 2 system system
RMR_EL3 3 6 12 0 2 system system
RSP_EL0 3 7 4 1 3 free free
RTPIDR_EL0 3 3 13 0 4 free free
RVBAR_EL1 3 0 12 0 1 system -
RVBAR_EL2 3 4 12 0 1 system -
RVBAR_EL3 3 6 12 0 1 system -
SCR_EL3 3 6 1 1 0 system system
SCTLR_EL1 3 0 1 0 0 system system
SCTLR_EL12 3 5 1 0 0 system system
SCTLR_EL2 3 4 1 0 0 system system
SCTLR_EL3 3 6 1 0 0 system system
SCXTNUM_EL0 3 3 13 0 7 system system
SCXTNUM_EL1 3 0 13 0 7 system system
SCXTNUM_EL12 3 5 13 0 7 system system
SCXTNUM_EL2 3 4 13 0 7 system system
SCXTNUM_EL3 3 6 13 0 7 system system
SDER32_EL3 3 6 1 1 1 system system
SPSR_EL1 3 0 4 0 0 free free
SPSR_EL12 3 5 4 0 0 free free
SPSR_EL2 3 4 4 0 0 free free
SPSR_EL3 3 6 4 0 0 free free
SPSR_abt 3 4 4 3 1 free free
SPSR_fiq 3 4 4 3 3 free free
SPSR_irq 3 4 4 3 0 free free
SPSR_und 3 4 4 3 2 free free
SPSel 3 0 4 2 0 free free
SP_EL0 3 0 4 1 0 free free
SP_EL1 3 4 4 1 0 free free
SP_EL2 3 6 4 1 0 free free
SSBS 3 3 4 2 6 free free
TCR_EL1 3 0 2 0 2 system system
TCR_EL12 3 5 2 0 2 system system
TCR_EL2 3 4 2 0 2 system system
TCR_EL3 3 6 2 0 2 system system
TPIDRRO_EL0 3 3 13 0 3 free free
TPIDR_EL0 3 3 13 0 2 free free
TPIDR_EL1 3 0 13 0 4 free free
TPIDR_EL2 3 4 13 0 2 free free
TPIDR_EL3 3 6 13 0 2 free free
TTBR0_EL1 3 0 2 0 0 system system
TTBR0_EL12 3 5 2 0 0 system system
TTBR0_EL2 3 4 2 0 0 system system
TTBR0_EL3 3 6 2 0 0 system system
TTBR1_EL1 3 0 2 0 1 system system
TTBR1_EL12 3 5 2 0 1 system system
TTBR1_EL2 3 4 2 0 1 system system
UAO 3 0 4 2 4 free free
VBAR_EL1 3 0 12 0 0 system system
VBAR_EL12 3 5 12 0 0 system system
VBAR_EL2 3 4 12 0 0 system system
VBAR_EL3 3 6 12 0 0 system system
VDISR_EL2 3 4 12 1 1 system system
VMPIDR_EL2 3 4 0 0 5 system system
VPIDR_EL2 3 4 0 0 0 system system
VSESR_EL2 3 4 5 2 3 system system
VTCR_EL2 3 4 2 1 2 system system
VTTBR_EL2 3 4 2 1 0 system system
"""

_OPERATION = """
ALLE1 1 4 8 7 4 - system
ALLE1IS 1 4 8 3 4 - system
ALLE2 1 4 8 7 0 - system
ALLE2IS 1 4 8 3 0 - system
ALLE3 1 6 8 7 0 - system
ALLE3IS 1 6 8 3 0 - system
ASIDE1 1 0 8 7 2 - system
ASIDE1IS 1 0 8 3 2 - system
CISW 1 0 7 14 2 - system
CIVAC 1 3 7 14 1 - free
CSW 1 0 7 10 2 - system
CVAC 1 3 7 10 1 - free
CVADP 1 3 7 13 1 - free
CVAP 1 3 7 12 1 - free
CVAU 1 3 7 11 1 - free
IALLU 1 0 7 5 0 - system
IALLUIS 1 0 7 1 0 - system
IPAS2E1 1 4 8 4 1 - system
IPAS2E1IS 1 4 8 0 1 - system
IPAS2LE1 1 4 8 4 5 - system
IPAS2LE1IS 1 4 8 0 5 - system
ISW 1 0 7 6 2 - system
IVAC 1 0 7 6 1 - free
IVAU 1 3 7 5 1 - free
RCTX 1 3 7 3 4 - system
RCTX 1 3 7 3 5 - system
RCTX 1 3 7 3 7 - system
S12E0R 1 4 7 8 6 - system
S12E0W 1 4 7 8 7 - system
S12E1R 1 4 7 8 4 - system
S12E1W 1 4 7 8 5 - system
S1E0R 1 0 7 8 2 - system
S1E0W 1 0 7 8 3 - system
S1E1R 1 0 7 8 0 - system
S1E1RP 1 0 7 9 0 - system
S1E1W 1 0 7 8 1 - system
S1E1WP 1 0 7 9 1 - system
S1E2R 1 4 7 8 0 - system
S1E2W 1 4 7 8 1 - system
S1E3R 1 6 7 8 0 - system
S1E3W 1 6 7 8 1 - system
VAAE1 1 0 8 7 3 - system
VAAE1IS 1 0 8 3 3 - system
VAALE1 1 0 8 7 7 - system
VAALE1IS 1 0 8 3 7 - system
VAE1 1 0 8 7 1 - system
VAE1IS 1 0 8 3 1 - system
VAE2 1 4 8 7 1 - system
VAE2IS 1 4 8 3 1 - system
VAE3 1 6 8 7 1 - system
VAE3IS 1 6 8 3 1 - system
VALE1 1 0 8 7 5 - system
VALE1IS 1 0 8 3 5 - system
VALE2 1 4 8 7 5 - system
VALE2IS 1 4 8 3 5 - system
VALE3 1 6 8 7 5 - system
VALE3IS 1 6 8 3 5 - system
VMALLE1 1 0 8 7 0 - system
VMALLE1IS 1 0 8 3 0 - system
VMALLS12E1 1 4 8 7 6 - system
VMALLS12E1IS 1 4 8 3 6 - system
ZVA 1 3 7 4 1 - free
"""

REGISTERS: Final = (
    *_rows("capability", _CAPABILITY),
    *_rows("integer", _INTEGER),
    *_rows("operation", _OPERATION),
)

_GENERIC = re.compile(r"S(\d)_(\d)_C(\d+)_C(\d+)_(\d)$")


@lru_cache(maxsize=1)
def _index() -> tuple[dict[tuple[str, Key], SystemRegister], dict[str, SystemRegister]]:
    by_key: dict[tuple[str, Key], SystemRegister] = {}
    by_name: dict[str, SystemRegister] = {}
    for register in REGISTERS:
        by_key.setdefault((register.kind, register.key), register)
        by_name.setdefault(register.name.upper(), register)
    return by_key, by_name


def find_register(key: Key, kind: str) -> SystemRegister | None:
    """The row of an encoding: kind "capability", "integer" or "operation"; None if it is not allocated."""
    return _index()[0].get((kind, key))


def find_name(name: str) -> SystemRegister | None:
    """The row of a name in any case; None if there is none."""
    return _index()[1].get(name.upper())


def generic_name(key: Key) -> str:
    """`S3_3_C13_C0_2`, the assembler's name for any encoding."""
    return "S{}_{}_C{}_C{}_{}".format(*key)


def key_of_name(name: str, kind: str) -> Key | None:
    """The encoding of a register name or of a generic `S…` name; None when it means nothing of this kind."""
    register = find_name(name)
    if register is not None:
        return register.key if register.kind == kind else None
    match = _GENERIC.match(name.upper())
    if match is None:
        return None
    op0, op1, crn, crm, op2 = (int(text) for text in match.groups())
    inside = 2 <= op0 <= 3 and op1 < 8 and crn < 16 and crm < 16 and op2 < 8
    return (op0, op1, crn, crm, op2) if inside else None

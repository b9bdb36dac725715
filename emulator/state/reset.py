"""Reset values and writable bits of the 64-bit system registers.

From the specification's reset (AArch64_AutoGen_ArchitectureReset, AArch64_IMPDEFResets). Registers without a
row reset to 0 and keep every written bit. Identification follows the Neoverse N1 core of the Morello SoC.
"""

from __future__ import annotations

RESET_VALUES: dict[str, int] = {
    "MIDR_EL1": 0x3F0F_4120,
    "MPIDR_EL1": 0x8000_0000,
    "VPIDR_EL2": 0x3F0F_4120,
    "VMPIDR_EL2": 0x8000_0000,
    "CTR_EL0": 0x8444_C004,
    "DCZID_EL0": 4,
    "CLIDR_EL1": 0x0A20_0023,
    "CCSIDR_EL1": 0x001F_E00A,
    "ID_AA64PFR0_EL1": 0x1100_0000_1111_1111,
    "ID_AA64PFR1_EL1": 0x0000_0000_0010_0010,
    "ID_AA64DFR0_EL1": 0x0000_0000_1030_5408,
    "ID_AA64ISAR0_EL1": 0x0000_1000_1021_1120,
    "ID_AA64ISAR1_EL1": 0x0000_0000_0010_0001,
    "ID_AA64MMFR0_EL1": 0x0000_0000_0010_1125,
    "ID_AA64MMFR1_EL1": 0x0000_0000_1021_2122,
    "ID_AA64MMFR2_EL1": 0x0000_0000_0000_1011,
    "SCTLR_EL1": 0x30C5_0838,
    "SCTLR_EL2": 0x30C5_0830,
    "SCTLR_EL3": 0x30C5_0830,
    "CPTR_EL2": 0x0000_33FF & ~(1 << 9),
    "CPTR_EL3": 0,
    "CPACR_EL1": 0,
    "CNTFRQ_EL0": 50_000_000,
    "ICC_SRE_EL1": 7,
    "ICC_SRE_EL2": 0xF,
    "ICC_SRE_EL3": 0xF,
    "MDCR_EL2": 0,
}

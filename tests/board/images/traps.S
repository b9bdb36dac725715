// Traps of capability instructions and system registers, with their syndromes and target levels.
// Spec: CheckCapabilitiesEnabled, CapIsSystemAccessEnabled, AArch64_SystemAccessTrap,
// TargetELForCapabilityExceptions, AArch64_CapabilitiesAccessTrap; order of section 3 of the state sheet.
        .include "common.inc"

        .set    CAP_TRAP, 0xa6000000            // EC 0x29, IL
        .set    SYSREG, 0x62000000              // EC 0x18, IL
        .set    CAP_SYSREG, 0xaa000000          // EC 0x2A, IL
        // ISS: op0 21:20, op2 19:17, op1 16:14, CRn 13:10, Rt 9:5, CRm 4:1, read 0
        .macro  ISS_CHECK number, ec, op0, op1, crn, crm, op2, rt, read
        CHECK   \number, x20, \ec | (\op0 << 20) | (\op2 << 17) | (\op1 << 14) | (\crn << 10) | (\rt << 5) | (\crm << 1) | \read
        .endm

        .globl  main
main:
        mov     x28, x30
        mrs     c5, DDC
        // EL3 itself, CPTR_EL3.EC = 0
        adr     x18, 1f
        msr     cptr_el3, xzr
        isb
        gctag   x1, c5
1:      mov     x16, #0x200
        msr     cptr_el3, x16
        isb
        CHECK   1, x20, CAP_TRAP
        CHECK   2, x24, 3
        CHECK   3, x25, 0x200
        DROP    1, at_el1

at_el1:
        // without System in PCC
        adr     x0, with_system
        cvtp    c8, x0
        adr     x0, no_system
        cvtp    c0, x0
        mov     x1, #0x200                      // System is bit 9
        clrperm c1, c0, x1
        br      c1
no_system:
        EXPECT  1f
        mrs     x1, ttbr0_el1
1:      ISS_CHECK 1, SYSREG, 3, 0, 2, 0, 0, 1, 1
        CHECK   2, x24, 1
        EXPECT  1f
        msr     ttbr0_el1, x7
1:      ISS_CHECK 3, SYSREG, 3, 0, 2, 0, 0, 7, 0
        EXPECT  1f
        mrs     c3, CVBAR_EL1
1:      ISS_CHECK 4, CAP_SYSREG, 3, 0, 12, 0, 0, 3, 1
        EXPECT  1f
        msr     CVBAR_EL1, c9
1:      ISS_CHECK 5, CAP_SYSREG, 3, 0, 12, 0, 0, 9, 0
        EXPECT  1f
        mrs     x2, cntfrq_el0
1:      ISS_CHECK 6, SYSREG, 3, 3, 14, 0, 0, 2, 1
        EXPECT  1f
        mrs     x2, cntvct_el0
1:      ISS_CHECK 7, SYSREG, 3, 3, 14, 0, 2, 2, 1
        EXPECT  1f
        tlbi    vmalle1
1:      ISS_CHECK 8, SYSREG, 1, 0, 8, 7, 0, 31, 0
        EXPECT  1f
        at      s1e1r, x3
1:      ISS_CHECK 9, SYSREG, 1, 0, 7, 8, 0, 3, 0
        // exempt ones
        mrs     x1, elr_el1
        mrs     x1, tpidr_el1
        mrs     x1, currentel
        mrs     x1, daif
        mrs     c1, CTPIDR_EL0
        dc      civac, x0
        // UNDEFINED at this level comes first
        EXPECT  1f
        mrs     x1, sctlr_el3
1:      CHECK   10, x20, 0x02000000
        EXPECT  1f
        mrs     c1, CVBAR_EL2
1:      CHECK   11, x20, 0x02000000
        // a capability sealed tag-setting instruction writes no tag without System, and doesn't trap
        sctag   c1, c5, xzr
        CHECK_TAG 12, c1, 0
        // an exception return without System loses PCC's tag
        adr     x0, with_system
        cvtp    c0, x0
        msr     CELR_EL1, c0
        MOVL    x1, 0x3c5
        msr     spsr_el1, x1
        adr     x1, with_system
        adr     x27, 1f
        cvtp    c27, x27
        mov     x20, #0
        eret
1:      CHECK   13, x20, 0x86000028
        CHECK_REG 14, x22, x1
        br      c8
with_system:
        RETURN  system_again

system_again:
        DROP    1, cen_off
cen_off:
        // CPACR_EL1.CEN = 0: to EL1, also for CCTLR and capability registers
        msr     cpacr_el1, xzr
        isb
        adr     x18, 1f
        gctag   x1, c5
1:      CHECK   30, x20, CAP_TRAP
        CHECK   31, x24, 1
        adr     x18, 1f
        mov     x20, #0
        mrs     x1, CCTLR_EL1
1:      CHECK   32, x20, CAP_TRAP
        adr     x18, 1f
        mov     x20, #0
        ldr     c1, [x2]
1:      CHECK   33, x20, CAP_TRAP
        adr     x2, .                           // ADR is not trapped,
        ldr     w1, [x2]                        // nor is a load of data
        MOVL    x0, 0x3c0000
        msr     cpacr_el1, x0
        isb
        RETURN  tc_on
tc_on:
        // CPTR_EL2.TC = 1: to EL2, from EL1
        MOVL    x0, 0x32c0
        msr     cptr_el2, x0
        isb
        EXPECT  done
        DROP    1, at_el1_tc
at_el1_tc:
        adr     x18, 1f
        mov     x20, #0
        clrtag  c1, c5
1:      CHECK   40, x20, CAP_TRAP
        CHECK   41, x24, 2
        smc     #3
done:
        mov     x0, #0
        ret     x28

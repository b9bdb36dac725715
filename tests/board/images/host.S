// EL2 as a host (HCR_EL2.E2H and TGE): redirected registers, both translation ranges, EL0 below EL2, and the
// capability enables of CPTR_EL2.CEN.
// Spec: ELIsInHost, S1TranslationRegime, AddrTop, AArch64_TranslationTableWalk for EL2&0, IsAccessToCapabilities-
// DisabledAtEL2, CheckCapabilitiesEnabled, access functions of *_EL1 and *_EL12 at EL2.
        .include "common.inc"

        .set    L1, 0x80200000
        .set    CAP, (1 << 61) | (1 << 60)
        .set    USER, 0x40000000                // VA of the user's view of 0x80000000

        .macro  ENTRY table, index, value
        MOVL    x1, \table + 8 * (\index)
        MOVL    x2, \value
        str     x2, [x1]
        .endm

        .globl  main
main:
        mov     x28, x30
        ENTRY   L1, 0, 0x401 | 4
        ENTRY   L1, 1, 0x80000000 | 0x741 | CAP         // AP[1]: EL0 may
        ENTRY   L1, 2, 0x80000000 | 0x701 | CAP
        MOVL    x0, 0x488000000                 // E2H, RW, TGE
        msr     hcr_el2, x0
        MOVL    x0, 0x3c0000                    // CEN and FPEN
        msr     cptr_el2, x0
        msr     cpacr_el1, xzr                  // EL1's own enables don't count
        isb
        DROP    2, at_el2
at_el2:
        // registers of EL1 by name are those of EL2
        MOVL    x0, L1
        msr     ttbr0_el1, x0
        msr     ttbr1_el1, x0
        MOVL    x0, 0x5b5193519 | (3 << 41) | (0xff << 43) | (1 << 37)
        msr     tcr_el1, x0
        MOVL    x1, 0x00ff
        msr     mair_el1, x1
        mrs     x1, tcr_el2
        CHECK_REG 1, x1, x0
        mov     x1, #0x123
        msr     tcr_el12, x1
        mrs     x2, tcr_el2
        CHECK_REG 2, x2, x0
        adr     x1, .
        cvtp    c1, x1
        msr     CELR_EL12, c1
        mrs     c2, CELR_EL1
        gctag   x3, c2
        mrs     c2, CELR_EL12
        CHECK_REG 3, x2, x1
        CHECK_TAG 4, c2, 1
        mrs     x1, cpacr_el1                   // is CPTR_EL2
        CHECK   5, x1, 0x3c0000
        MOVL    x0, 0x30c5183d
        msr     sctlr_el1, x0
        isb
        // both halves, capabilities included
        mrs     c5, DDC
        ADDRESS x9, area
        str     c5, [x9]
        MOVL    x10, 0xffffff8000000000
        orr     x10, x10, x9
        ldr     c1, [x10]
        CHECK_TAG 6, c1, 1
        CHECK_REG 7, x1, x5
        // TBI0: the top byte of a lower address doesn't count
        MOVL    x11, 0x5a00000000000000
        orr     x11, x11, x9
        ldr     c1, [x11]
        CHECK_TAG 8, c1, 1
        // the user's pages are not executable here
        MOVL    x0, (USER - 0x80000000)
        adr     x1, user
        add     x2, x1, x0
        scvalue c2, c5, x2
        EXPECT  1f
        br      c2
1:      CHECK   9, x20, 0x8600000d              // permission fault, level 1, same level
        CHECK_REG 10, x22, x2
        // down to EL0
        msr     CELR_EL2, c2
        MOVL    x0, 0
        msr     spsr_el2, x0
        eret
user:
        EXPECT  1f
        svc     #7
1:      CHECK   11, x20, 0x56000007
        CHECK   12, x24, 2
        CHECK   13, x25, 0x400
        EXPECT  1f
        mrs     x0, currentel                   // UNDEFINED at EL0: to EL2 because of TGE
1:      CHECK   14, x20, 0x02000000
        CHECK   15, x24, 2
        adr     x9, .
        ldr     w1, [x9]                        // the user's view
        MOVL    x1, 0x80000000 - USER
        add     x9, x9, x1
        EXPECT  1f
        ldr     w1, [x9]                        // the privileged one
1:      CHECK   16, x20, 0x9200000d
        CHECK_REG 17, x21, x9
        mrs     c5, DDC
        clrtag  c1, c5
        EXPECT  1f
        ldr     x1, [c1]                        // a capability fault of EL0 goes to EL2 as well
1:      CHECK   18, x20, 0x92000028
        CHECK   19, x24, 2
        adr     x27, host_again
        MOVL    x1, 0x80000000 - USER
        add     x27, x27, x1
        cvtp    c27, x27
        svc     #3
host_again:
        adr     x18, 1f
        msr     cptr_el2, xzr                   // CEN = 0
        isb
        gctag   x1, c5
1:      MOVL    x0, 0x3c0000
        msr     cptr_el2, x0
        isb
        CHECK   20, x20, 0xa6000000
        CHECK   21, x24, 2
        RETURN  back
back:
        mov     x0, #0
        ret     x28

        .data
        .balign 16
area:   .skip   32

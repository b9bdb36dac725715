// Stage 2: IPA to PA, permission and translation faults with HPFAR, faults on stage 1's walk, capability
// attributes of stage 2, and exceptions routed to EL2.
// Spec: AArch64_SecondStageTranslate, AArch64_CheckS2Permission, CombineS1S2LCSC, IPAValid, AArch64_DataAbort,
// AArch64_AT_S12Ex.
        .include "common.inc"

        .set    L1, 0x80200000                  // stage 1: 39 bits, blocks of 1 GiB
        .set    S2L1, 0x80210000                // stage 2: starts at level 1
        .set    S2L2, 0x80211000
        .set    S2L3, 0x80212000
        .set    CAP, (1 << 61) | (1 << 60)      // LC 01 and SC
        .set    S1BLOCK, 0x701 | CAP
        .set    S2RW, 0x7fd | CAP               // AF, SH, S2AP read and write, normal memory; block
        .set    S2PAGE, 0x7ff | CAP
        .set    PAGES, 0x40000000               // IPA and VA of the test pages
        .set    LOWER, 0x92000000               // EC 0x24, IL

        .macro  ENTRY table, index, value
        MOVL    x1, \table + 8 * (\index)
        MOVL    x2, \value
        str     x2, [x1]
        .endm

        .globl  main
main:
        mov     x28, x30
        ENTRY   L1, 0, 0x401 | 4
        ENTRY   L1, 1, PAGES | S1BLOCK
        ENTRY   L1, 2, 0x80000000 | S1BLOCK
        ENTRY   L1, 3, 0xc0000000 | 3           // a table where stage 2 has nothing
        ENTRY   S2L1, 0, 0x4c5                  // devices: RW, nGnRE
        ENTRY   S2L1, 1, S2L2 | 3
        ENTRY   S2L1, 2, 0x80000000 | S2RW
        ENTRY   S2L2, 0, S2L3 | 3
        ENTRY   S2L3, 0, 0x80100000 | S2PAGE
        ENTRY   S2L3, 1, 0x80100000 | (S2PAGE & ~0x80)          // read only
        ENTRY   S2L3, 2, 0x80100000 | (S2PAGE & ~CAP)           // no capabilities
        ENTRY   S2L3, 3, 0x80100000 | (S2PAGE & ~CAP) | (1 << 61)       // loads only
        MOVL    x0, L1
        msr     ttbr0_el1, x0
        MOVL    x0, 0x500803519 | (1 << 41) | (15 << 43)
        msr     tcr_el1, x0
        MOVL    x0, 0x00ff
        msr     mair_el1, x0
        MOVL    x0, 0x30c5183d
        msr     sctlr_el1, x0
        MOVL    x0, S2L1
        msr     vttbr_el2, x0
        MOVL    x0, 0x80053559 | (15 << 25)     // 39 bits, start at level 1, 4 KiB, PS 48 bits, HWU
        msr     vtcr_el2, x0
        MOVL    x0, 0x80000001                  // RW, VM
        msr     hcr_el2, x0
        tlbi    alle1
        dsb     sy
        isb
        DROP    1, at_el1

at_el1:
        mrs     c5, DDC
        mov     x3, #0x1230
        scvalue c0, c5, x3
        MOVL    x10, PAGES
        add     x11, x10, #0x1000
        add     x12, x10, #0x2000
        add     x13, x10, #0x3000
        // both stages allow everything
        str     c0, [x10]
        ldr     c1, [x10]
        CHECK_TAG 1, c1, 1
        MOVL    x9, 0x80100000                  // the same memory by its physical address
        ldr     c1, [x9]
        CHECK_TAG 2, c1, 1
        // write to a read-only page
        ldr     x1, [x11]
        EXPECT  1f
        str     x1, [x11, #8]
1:      CHECK   3, x20, LOWER | 0x4f
        CHECK   4, x24, 2
        add     x1, x11, #8
        CHECK_REG 5, x21, x1
        // tags: LC clear reads as zero, SC clear faults to EL2, with the capability-page code
        ldr     c1, [x12]
        CHECK_TAG 6, c1, 0
        ldr     c1, [x13]
        CHECK_TAG 7, c1, 1
        EXPECT  1f
        str     c0, [x13]
1:      CHECK   8, x20, LOWER | 0x6c
        CHECK   9, x24, 2
        str     czr, [x13, #32]
        // no translation for this IPA
        add     x9, x10, #0x8000
        EXPECT  1f
        ldr     x1, [x9]
1:      CHECK   10, x20, LOWER | 0x07
        CHECK   11, x24, 2
        // a fault of stage 2 on stage 1's walk: S1PTW, FAR is the VA
        MOVL    x9, 0xc0000018
        EXPECT  1f
        ldr     x1, [x9]
1:      CHECK   12, x20, LOWER | 0x85
        CHECK_REG 13, x21, x9
        // a fault of stage 1 stays at EL1
        MOVL    x9, 0x4000000000
        EXPECT  1f
        ldr     x1, [x9]
1:      CHECK   14, x20, 0x96000005
        CHECK   15, x24, 1
        RETURN  back
back:
        mrs     x1, hpfar_el2                   // of the last stage 2 abort: IPA bits 47:12 in 43:4
        CHECK   16, x1, 0xc0000000 >> 8
        // AT through both stages, from EL3
        MOVL    x9, PAGES + 0x1000
        at      s12e1r, x9
        isb
        mrs     x1, par_el1
        CHECK   17, x1, 0xff00000080100b80
        at      s12e1w, x9
        isb
        mrs     x1, par_el1
        CHECK   18, x1, 0xa1f                   // permission fault of stage 2, level 3
        mov     x0, #0
        ret     x28

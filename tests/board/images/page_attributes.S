// Page attributes for capabilities: LC, SC, CDBM, their faults and squashing, at EL1 with stage 1 on.
// Spec: AArch64_TranslationTableWalk (EffectiveHWU, readtagzero, readtagfault, writetagfault),
// CheckLoadTagsPermission, CheckStoreTagsPermission, AArch64_CheckAndUpdateDescriptor (SC), EffectiveTGEN.
        .include "common.inc"

        .set    PAGES, 0xc0000000               // VA of the test pages, 4 KiB each
        .set    TARGET, 0x80100000              // PA of pages 0..4 and 6
        .set    TARGET5, 0x80110000             // PA of page 5
        .set    L1, 0x80200000
        .set    L2, 0x80201000
        .set    L3, 0x80202000
        .set    LEAF, 0x703                     // AF, inner shareable, attribute 0, page
        .set    LC01, 1 << 61
        .set    LC10, 2 << 61
        .set    LC11, 3 << 61
        .set    SC, 1 << 60
        .set    CDBM, 1 << 59
        .set    TCR, 0x500803519 | (1 << 41) | (15 << 43)  // 39 bits, 4 KiB, EPD1, HPD0, HWU
        .set    LOAD_FAULT, 0x9600002c
        .set    STORE_FAULT, 0x9600006c

        .macro  ENTRY table, index, value
        MOVL    x1, \table + 8 * (\index)
        MOVL    x2, \value
        str     x2, [x1]
        .endm

        .globl  main
main:
        mov     x28, x30
        ENTRY   L1, 0, 0x401 | 4                // devices below 1 GiB: attribute 1
        ENTRY   L1, 2, 0x80000000 | 0x701 | LC01 | SC
        ENTRY   L1, 3, L2 | 3
        ENTRY   L2, 0, L3 | 3
        ENTRY   L3, 0, TARGET | LEAF | SC
        ENTRY   L3, 1, TARGET | LEAF | LC01 | SC
        ENTRY   L3, 2, TARGET | LEAF | LC10 | SC
        ENTRY   L3, 3, TARGET | LEAF | LC11 | SC
        ENTRY   L3, 4, TARGET | LEAF | LC01
        ENTRY   L3, 5, TARGET5 | LEAF | LC01 | CDBM
        ENTRY   L3, 6, TARGET | LEAF | LC10 | SC | 4
        MOVL    x0, L1
        msr     ttbr0_el1, x0
        MOVL    x0, TCR
        msr     tcr_el1, x0
        MOVL    x0, 0x00ff
        msr     mair_el1, x0
        MOVL    x0, 0x30c5183d                  // M, C, I
        msr     sctlr_el1, x0
        msr     CCTLR_EL1, xzr
        tlbi    alle1
        dsb     sy
        isb
        DROP    1, at_el1

at_el1:
        mrs     c5, DDC
        mov     x3, #0x1230
        scvalue c0, c5, x3                      // a tagged capability to store
        MOVL    x10, PAGES
        add     x11, x10, #0x1000
        add     x12, x10, #0x2000
        add     x13, x10, #0x3000
        add     x14, x10, #0x4000
        MOVL    x15, PAGES + 0x5000
        // LC 01 keeps tags, LC 00 reads them as zero
        str     c0, [x11]
        ldr     c1, [x11]
        CHECK_TAG 1, c1, 1
        ldr     c1, [x10]
        CHECK_TAG 2, c1, 0
        CHECK   3, x1, 0x1230
        ldct    x1, [x11]
        CHECK   4, x1, 1
        ldct    x1, [x10]
        CHECK   5, x1, 0
        ldp     c1, c2, [x10]
        CHECK_TAG 6, c1, 0
        // TGEN0 = 0: LC 10 lets through, LC 11 faults and leaves the register alone
        ldr     c1, [x12]
        CHECK_TAG 7, c1, 1
        mov     x1, #77
        EXPECT  1f
        ldr     c1, [x13]
1:      CHECK   8, x20, LOAD_FAULT
        CHECK_REG 9, x21, x13
        CHECK   10, x1, 77
        EXPECT  1f
        ldct    x1, [x13]
1:      CHECK   11, x20, LOAD_FAULT
        ldr     x1, [x13]                       // data loads don't care
        CHECK   12, x1, 0x1230
        // TGEN0 = 1: the other way round
        mov     x1, #1
        msr     CCTLR_EL1, x1
        isb
        ldr     c1, [x13]
        CHECK_TAG 13, c1, 1
        EXPECT  1f
        ldr     c1, [x12]
1:      CHECK   14, x20, LOAD_FAULT
        EXPECT  1f
        ldp     c1, c2, [x12]
1:      CHECK   15, x20, LOAD_FAULT
        // no fault for an untagged granule, except in Device memory
        add     x1, x11, #0x40
        str     xzr, [x1]
        add     x1, x12, #0x40
        ldr     c2, [x1]
        CHECK_TAG 16, c2, 0
        MOVL    x9, PAGES + 0x6040
        EXPECT  1f
        ldr     c1, [x9]
1:      CHECK   17, x20, LOAD_FAULT
        CHECK_REG 18, x21, x9
        msr     CCTLR_EL1, xzr
        isb
        ldr     c1, [x9]
        CHECK_TAG 19, c1, 0
        // SC = 0 and CDBM = 0: a tagged store faults, an untagged one doesn't
        EXPECT  1f
        str     c0, [x14]
1:      CHECK   20, x20, STORE_FAULT
        CHECK_REG 21, x21, x14
        str     czr, [x14]
        ldr     c1, [x11]
        CHECK_TAG 22, c1, 0
        EXPECT  1f
        swp     c0, c1, [x14]
1:      CHECK   23, x20, STORE_FAULT
        mov     x1, #1
        EXPECT  1f
        stct    x1, [x14]
1:      CHECK   24, x20, STORE_FAULT
        stct    xzr, [x14]
        // CDBM = 1: hardware sets SC, for tagged stores only
        MOVL    x9, L3 + 8 * 5
        str     czr, [x15]
        ldr     x1, [x9]
        tst     x1, #SC
        mov     x26, #25
        b.ne    fail
        str     c0, [x15]
        ldr     x1, [x9]
        tst     x1, #SC
        mov     x26, #26
        b.eq    fail
        ldr     c1, [x15]
        CHECK_TAG 27, c1, 1
        // without HPD0 the attribute bits mean nothing: tags read as zero, tagged stores fault
        str     c0, [x11]
        MOVL    x1, TCR & ~(1 << 41)
        msr     tcr_el1, x1
        isb
        ldr     c1, [x11]
        CHECK_TAG 28, c1, 0
        EXPECT  1f
        str     c0, [x11]
1:      CHECK   29, x20, STORE_FAULT
        MOVL    x1, TCR
        msr     tcr_el1, x1
        isb
        // address translation instructions
        at      s1e1r, x12
        isb
        mrs     x1, par_el1
        CHECK   30, x1, 0xff00000080100b80
        at      s1e0r, x12
        isb
        mrs     x1, par_el1
        CHECK   31, x1, 0x81f                   // permission fault, level 3
        MOVL    x9, PAGES + 0x8000
        at      s1e1w, x9
        isb
        mrs     x1, par_el1
        CHECK   32, x1, 0x80f                   // translation fault, level 3
        EXPECT  1f
        ldr     x1, [x9]
1:      CHECK   33, x20, 0x96000007
        RETURN  back
back:
        mov     x0, #0
        ret     x28

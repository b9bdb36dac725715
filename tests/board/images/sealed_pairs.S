// Branches with sealed capabilities: pairs, RB, LPB and LB sentries, and what spoils them.
// Spec: execute_BRS_C_C_C, execute_BLRS_C_C_C, execute_BRS_C_C, execute_LDPBR_C_C_C, execute_BR_CI_C,
// BranchXToCapability, CCTLR.SBL.
        .include "common.inc"

        .set    TAG_FAULT, 0x86000028           // instruction abort, same level

        .macro  ARRIVES number, register, value // `there` was reached, and C29 has this value
        mov     x26, #\number
        cbz     x19, fail
        CHECK_REG \number, \register, \value
        CHECK_TAG \number, c29, 1
        mov     x19, #0
        .endm
        .macro  MISSES number                   // the fetch at `there` faults: untagged
        CHECK   \number, x20, TAG_FAULT
        CHECK_REG \number, x22, x3
        .endm

        .globl  main
main:
        mov     x28, x30
        mov     x19, #0
        mrs     c5, DDC
        adr     x3, there
        cvtp    c0, x3                          // code, to be sealed
        MOVL    x1, 1 << 15
        ADDRESS x2, area
        scvalue c2, c5, x2
        clrperm c2, c2, x1                      // data without Execute
        mov     x1, #100
        scvalue c4, c5, x1                      // authority of object type 100
        mov     x1, #101
        scvalue c6, c5, x1
        seal    c10, c0, c4
        seal    c11, c2, c4
        seal    c12, c2, c6
        // the pair opens
        adr     x9, 1f
        brs     c29, c10, c11
1:      ARRIVES 1, x29, x2
        gcseal  x1, c29
        CHECK   2, x1, 0
        adr     x9, 1f
        blrs    c29, c10, c11
1:      ARRIVES 3, x29, x2
        CHECK_REG 4, x30, x9
        // other type, unsealed half, Execute in the data half, no BranchSealedPair
        EXPECT  1f
        brs     c29, c10, c12
1:      MISSES  5
        gcseal  x1, c29                         // C29 gets the data half as it is
        CHECK   6, x1, 1
        EXPECT  1f
        brs     c29, c0, c11
1:      MISSES  7
        EXPECT  1f
        brs     c29, c10, c2
1:      MISSES  8
        scvalue c7, c5, x2
        seal    c13, c7, c4
        EXPECT  1f
        brs     c29, c10, c13
1:      MISSES  9
        mov     x1, #0x100                      // BranchSealedPair is bit 8
        clrperm c7, c2, x1
        seal    c13, c7, c4
        EXPECT  1f
        brs     c29, c10, c13
1:      MISSES  10
        clrtag  c13, c11
        EXPECT  1f
        brs     c29, c10, c13
1:      MISSES  11
        // RB sentries: any branch opens them, also with SBL
        seal    c14, c0, rb
        mov     c29, c2
        adr     x9, 1f
        br      c14
1:      ARRIVES 12, x29, x2
        adr     x9, 1f
        brs     c14
1:      ARRIVES 13, x29, x2
        mov     x1, #0x80                       // CCTLR.SBL
        msr     CCTLR_EL3, x1
        isb
        EXPECT  1f
        brs     c0                              // not sealed RB: untagged
1:      MISSES  14
        adr     x9, 1f
        brs     c14
1:      ARRIVES 15, x29, x2
        adr     x9, 1f
        blr     c14
1:      ARRIVES 16, x29, x2
        gcseal  x1, c30                         // the link is sealed
        CHECK   17, x1, 1
        msr     CCTLR_EL3, xzr
        isb
        // LPB: a pair in memory (data, code)
        stp     c2, c0, [x2]
        seal    c15, c2, lpb
        mov     c29, czr
        adr     x9, 1f
        ldpbr   c29, [c15]
1:      ARRIVES 18, x29, x2
        EXPECT  1f
        ldpbr   c1, [c15]                       // opens only into C29
1:      CHECK   19, x20, 0x96000029
        CHECK_REG 20, x21, x2
        adr     x9, 1f
        ldpblr  c29, [c15]
1:      ARRIVES 21, x29, x2
        CHECK_REG 22, x30, x9
        // LB: a table of code
        stp     c0, c0, [x2]
        seal    c29, c2, lb
        adr     x9, 1f
        br      [c29, #16]
1:      ARRIVES 23, x29, x2                     // C29 is the opened table
        seal    c29, c2, lb
        clrtag  c0, c0
        str     c0, [x2]
        EXPECT  1f
        br      [c29]
1:      MISSES  24
        mov     x0, #0
        ret     x28

there:
        mov     x19, #1
        br      x9

        .data
        .balign 32
area:   .skip   64

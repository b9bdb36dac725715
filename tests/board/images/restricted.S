// Executive and Restricted at EL1: banked registers, UNDEFINED accesses, vector offset, ways in and out.
// Spec: IsInRestricted, SP_read, CSP_read, DDC_read, execute_BRR_C_C, execute_BLRR_C_C, execute_RETR_C_C,
// CTPIDR_EL1 and SPSel access functions, AArch64_TakeException (vector offset), BranchAddr.
        .include "common.inc"

        .set    EXECUTIVE, 2                    // permission bit 1

        .globl  main
main:
        mov     x28, x30
        DROP    1, at_el1
at_el1:
        mrs     c5, DDC
        // a C capability for `restricted` without Executive
        adr     x0, restricted
        cvtp    c0, x0
        mov     x1, #EXECUTIVE
        clrperm c1, c0, x1
        // an ordinary branch to it loses the tag: fault at the target, where PCC lacks Executive already
        EXPECT  1f
        br      c1
1:      CHECK   1, x20, 0x86000028
        CHECK_REG 2, x22, x0
        CHECK   3, x25, 0x000
        // bank contents
        mov     x2, #0x111
        scvalue c2, c5, x2
        msr     RDDC_EL0, c2
        ADDRESS x3, stack_r
        scvalue c3, c5, x3
        msr     RCSP_EL0, c3
        mov     x4, #0x444
        msr     RCTPIDR_EL0, c4
        mov     x6, #0x555
        msr     tpidr_el1, x6
        mov     x7, sp
        adr     x9, executive
        cvtp    c9, x9
        brr     c1

restricted:
        gcperm  x1, c1
        mrs     c1, DDC
        CHECK   10, x1, 0x111
        CHECK_TAG 11, c1, 1
        mov     x1, sp
        CHECK_REG 12, x1, x3
        mrs     x1, tpidr_el1
        CHECK   13, x1, 0x444
        mrs     x1, spsel
        CHECK   14, x1, 0
        msr     spsel, #1
        mrs     x1, spsel
        CHECK   15, x1, 0
        // the stack pointer and DDC by their current names
        sub     sp, sp, #16
        mrs     c1, CTPIDR_EL1
        CHECK   16, x1, 0x444
        // UNDEFINED, through the vector of offset 0
        EXPECT  1f
        mrs     c1, RDDC_EL0
1:      CHECK   17, x20, 0x02000000
        CHECK   18, x25, 0x000
        EXPECT  1f
        mrs     c1, RCSP_EL0
1:      CHECK   19, x20, 0x02000000
        EXPECT  1f
        brr     c9
1:      CHECK   20, x20, 0x02000000
        EXPECT  1f
        mrs     c1, CSP_EL0
1:      CHECK   21, x20, 0x02000000
        // returning into Restricted kept PSTATE.SP (SPSR.M = EL1h)
        mov     x16, #0xf
        and     x1, x23, x16
        CHECK   22, x1, 5
        // a data abort is taken the same way
        clrtag  c1, c5
        EXPECT  1f
        ldr     x2, [c1]
1:      CHECK   23, x20, 0x96000028
        CHECK   24, x25, 0x000
        // any branch to a capability with Executive leaves
        br      c9

executive:
        mov     x1, sp
        CHECK_REG 30, x1, x7
        mrs     c1, RCSP_EL0
        sub     x3, x3, #16
        CHECK_REG 31, x1, x3
        mrs     x1, tpidr_el1
        CHECK   32, x1, 0x555
        mrs     x1, spsel
        CHECK   33, x1, 1
        // BLRR links and RETR comes back
        adr     x0, callee
        cvtp    c0, x0
        mov     x1, #EXECUTIVE
        clrperm c1, c0, x1
        blrr    c1
after_call:
        mov     x26, #34
        cbz     x19, fail
        RETURN  back
callee:
        adr     x16, after_call
        CHECK_REG 35, x30, x16
        mov     x19, #1
        br      c30
back:
        mov     x0, #0
        ret     x28

        .data
        .balign 16
        .skip   256
stack_r:
        .skip   16

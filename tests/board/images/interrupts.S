// GIC and generic timer: interrupts taken and returned from, masked, ended, of both groups.
// Spec: AArch64_TakePhysicalIRQException, AArch64_TakePhysicalFIQException, AArch64_ExceptionReturn; GICv3
// (Arm IHI 0069) acknowledge, priority drop and deactivation; generic timer condition.
        .include "device.inc"

        .globl  main
main:
        mov     x28, x30
        mov     x19, #0                         // IRQs seen
        mov     x20, #0                         // FIQs seen
        bl      gic_start
        // the physical timer, once
        mov     x0, #500
        msr     cntp_tval_el0, x0
        mov     x0, #1
        msr     cntp_ctl_el0, x0
        isb
        MOVL    x1, 0x1122334455667788
        mrs     c2, DDC                         // a tagged capability must survive
        mrs     x3, nzcv
        msr     daifclr, #2
1:      cbz     x19, 1b
        CHECK   1, x19, 1
        CHECK   2, x21, 30
        CHECK   3, x1, 0x1122334455667788
        gctag   x0, c2
        CHECK   4, x0, 1
        // with WFI, several times
        mov     x19, #0
2:      mov     x0, #2000
        msr     cntp_tval_el0, x0
        mov     x0, #1
        msr     cntp_ctl_el0, x0
        wfi
        cmp     x19, #3
        b.lt    2b
        CHECK   5, x19, 3
        // masked: pending, but not taken until unmasked
        msr     daifset, #2
        mov     x0, #50
        msr     cntv_tval_el0, x0
        mov     x0, #1
        msr     cntv_ctl_el0, x0
        mov     x0, #200
3:      subs    x0, x0, #1
        b.ne    3b
        CHECK   6, x19, 3
        mrs     x0, cntv_ctl_el0
        CHECK   7, x0, 5
        mrs     x0, isr_el1
        CHECK   8, x0, 0x80
        msr     daifclr, #2
        nop
        CHECK   9, x19, 4
        CHECK   10, x21, 27
        // a software-generated interrupt of group 0 is an FIQ
        MOVL    x0, 5 << 24 | 1
        msr     daifclr, #1
        msr     icc_sgi0r_el1, x0
        isb
        nop
        CHECK   11, x20, 1
        CHECK   12, x22, 5
        CHECK   13, x19, 4
        // the UART's interrupt, by its loopback
        WRITE   UART0 + 0x38, 0x10
        WRITE   UART0 + 0x30, 0x381
        WRITE   UART0, 'x'
        nop
        CHECK   14, x19, 5
        CHECK   15, x21, UART_INTID
        CHECK   16, x23, 'x'
        mrs     x0, icc_rpr_el1
        CHECK   17, x0, 0xff
        mov     x0, #0
        ret     x28

gic_start:
        WRITE   GICD, 0x13
        WRITE   GICR + 0x14, 0                  // wake up
        READ    w0, GICR + 0x14
        CHECK   20, x0, 0
        WRITE   GICR + 0x10080, 0x48000000      // PPI 27 and 30: group 1; SGI 5: group 0
        WRITE   GICR + 0x10100, 0x48000020
        WRITE   GICD + 0x80 + 4 * (UART_INTID / 32), 1 << (UART_INTID % 32)
        WRITE   GICD + 0x100 + 4 * (UART_INTID / 32), 1 << (UART_INTID % 32)
        mov     x0, #0xf0
        msr     icc_pmr_el1, x0
        mov     x0, #1
        msr     icc_igrpen0_el1, x0
        msr     icc_igrpen1_el1, x0
        isb
        ret

irq_entry:
        stp     x0, x16, [sp, #-32]!
        stp     x17, x26, [sp, #16]
        mrs     x21, icc_iar1_el1
        cmp     x21, #30
        b.ne    1f
        msr     cntp_ctl_el0, xzr
1:      cmp     x21, #27
        b.ne    2f
        msr     cntv_ctl_el0, xzr
2:      cmp     x21, #UART_INTID
        b.ne    3f
        READ    w23, UART0
        WRITE   UART0 + 0x30, 0x301
3:      msr     icc_eoir1_el1, x21
        add     x19, x19, #1
        ldp     x17, x26, [sp, #16]
        ldp     x0, x16, [sp], #32
        eret
fiq_entry:
        mrs     x22, icc_iar0_el1
        msr     icc_eoir0_el1, x22
        add     x20, x20, #1
        eret

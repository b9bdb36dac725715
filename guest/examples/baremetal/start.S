// Start-up and exception vectors of the bare-metal example. Entered at EL3 in C64 by `morello boot`.
//
// `_start` enables capabilities, makes every capability of the image from __cap_relocs, drops DDC, and calls
// main(root), where root spans the whole address space. The vectors call the C functions interrupt() and
// fault(syndrome, address, where), which returns the number of bytes by which to go on behind the fault.

        .arch   morello+c64
        .set    STACK_BYTES, 16384

        .macro  save_registers
        sub     csp, csp, #(20 * 16)
        stp     c0, c1, [csp, #0]
        stp     c2, c3, [csp, #32]
        stp     c4, c5, [csp, #64]
        stp     c6, c7, [csp, #96]
        stp     c8, c9, [csp, #128]
        stp     c10, c11, [csp, #160]
        stp     c12, c13, [csp, #192]
        stp     c14, c15, [csp, #224]
        stp     c16, c17, [csp, #256]
        stp     c18, c30, [csp, #288]
        .endm

        .macro  restore_registers
        ldp     c0, c1, [csp, #0]
        ldp     c2, c3, [csp, #32]
        ldp     c4, c5, [csp, #64]
        ldp     c6, c7, [csp, #96]
        ldp     c8, c9, [csp, #128]
        ldp     c10, c11, [csp, #160]
        ldp     c12, c13, [csp, #192]
        ldp     c14, c15, [csp, #224]
        ldp     c16, c17, [csp, #256]
        ldp     c18, c30, [csp, #288]
        add     csp, csp, #(20 * 16)
        .endm

        .text
        .globl  _start
        .type   _start, %function
_start:
        mov     x0, #0x200                      // CPTR_EL3.EC: capability instructions don't trap
        msr     cptr_el3, x0
        isb
        mov     x0, #0x402                      // SCR_EL3: RW, and IRQs are taken at EL3
        msr     scr_el3, x0
        mov     x0, #0x20                       // CCTLR_EL3.C64E: exceptions are taken in C64
        msr     CCTLR_EL3, x0
        mrs     c21, DDC                        // the root of everything

        adrp    c5, __cap_relocs_start
        add     c5, c5, :lo12:__cap_relocs_start
        adrp    c6, __cap_relocs_end
        add     c6, c6, :lo12:__cap_relocs_end
next:   cmp     x5, x6
        b.hs    made
        ldp     x7, x8, [c5]                    // location, base
        ldp     x9, x10, [c5, #16]              // offset, size
        ldr     x11, [c5, #32]                  // permissions to remove; bit 63: code
        add     c5, c5, #40
        scvalue c12, c21, x7
        mov     x13, xzr
        cbz     x8, store
        scvalue c13, c21, x8
        cbz     x10, bounded
        scbnds  c13, c13, x10
bounded:
        add     c13, c13, x9
        clrperm c13, c13, x11
        tbz     x11, #63, store
        seal    c13, c13, rb
store:  str     c13, [c12]
        b       next

made:   adrp    c0, vectors
        add     c0, c0, :lo12:vectors
        msr     CVBAR_EL3, c0
        adrp    c0, stack
        add     c0, c0, :lo12:stack
        scvalue c0, c21, x0
        mov     x1, #STACK_BYTES
        scbnds  c0, c0, x1
        add     c0, c0, x1
        mov     csp, c0
        msr     DDC, czr
        isb
        mov     c0, c21
        bl      main
        and     x0, x0, #0xff
        bl      leave
        .size   _start, . - _start

        .globl  leave
        .type   leave, %function
leave:                                          // leave(status): semihosting exit
        mov     x1, #0x26
        movk    x1, #2, lsl #16
        stp     x1, x0, [csp, #-16]!
        gcvalue x1, csp
        mov     w0, #0x18
        hlt     #0xf000
        b       .
        .size   leave, . - leave

        .globl  read_timer_control, start_timer, stop_timer, acknowledge, end_interrupt, enable_interrupts
        .type   start_timer, %function
start_timer:                                    // start_timer(ticks)
        msr     cntp_tval_el0, x0
        mov     x0, #1
        msr     cntp_ctl_el0, x0
        isb
        ret     c30
        .type   stop_timer, %function
stop_timer:
        msr     cntp_ctl_el0, xzr
        isb
        ret     c30
        .type   acknowledge, %function
acknowledge:
        mrs     x0, icc_iar1_el1
        ret     c30
        .type   end_interrupt, %function
end_interrupt:
        msr     icc_eoir1_el1, x0
        ret     c30
        .type   enable_interrupts, %function
enable_interrupts:                              // the CPU interface, group 1, all priorities; unmask IRQ
        mov     x0, #0xf8
        msr     icc_pmr_el1, x0
        mov     x0, #1
        msr     icc_igrpen1_el1, x0
        msr     daifclr, #2
        isb
        ret     c30
        .globl  wait
        .type   wait, %function
wait:   wfi
        ret     c30

        .balign 0x800
vectors:
        .irp    from, 0, 1, 2, 3
        .balign 0x200
        b       on_fault
        .balign 0x80
        b       on_interrupt
        .balign 0x80
        b       .
        .balign 0x80
        b       .
        .endr

on_interrupt:
        save_registers
        bl      interrupt
        restore_registers
        eret
on_fault:
        save_registers
        mrs     x0, esr_el3
        mrs     x1, far_el3
        mrs     x2, elr_el3
        bl      fault
        mrs     c1, CELR_EL3
        add     c1, c1, x0
        msr     CELR_EL3, c1
        restore_registers
        eret

        .bss
        .balign 16
stack:  .skip   STACK_BYTES

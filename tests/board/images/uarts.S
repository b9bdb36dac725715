// Both PL011 UARTs (Arm DDI 0183): identification, flags, sending on each, receiving what the outside sends.
// UART0 gets "ping" and answers in capitals; UART1 sends a line of its own.
        .include "device.inc"

        .globl  main
main:
        mov     x28, x30
        READ    w0, UART0 + 0xfe0
        CHECK   1, x0, 0x11
        READ    w0, UART1 + 0xfe4
        CHECK   2, x0, 0x10
        READ    w0, UART1 + 0xff0
        CHECK   3, x0, 0x0d
        WRITE   UART1 + 0x24, 27                // divisors and line control are kept
        WRITE   UART1 + 0x2c, 0x70
        READ    w0, UART1 + 0x24
        CHECK   4, x0, 27
        READ    w0, UART1 + 0x18
        mov     x1, #0x90
        and     x0, x0, x1
        CHECK   5, x0, 0x90
        // a line on UART1
        ADDRESS x0, text_two
        MOVL    x1, UART1
1:      ldrb    w2, [x0], #1
        cbz     w2, 2f
        strb    w2, [x1]
        b       1b
        // four characters from UART0, echoed in capitals
2:      MOVL    x1, UART0
        mov     x3, #4
3:      ldr     w2, [x1, #0x18]
        tbnz    w2, #4, 3b
        ldr     w2, [x1]
        sub     w2, w2, #32
        str     w2, [x1]
        subs    x3, x3, #1
        b.ne    3b
        ldr     w2, [x1, #0x18]
        and     x2, x2, #0x10
        CHECK   6, x2, 0x10
        mov     x0, #0
        ret     x28
irq_entry:
fiq_entry:
        mov     x26, #97
        b       fail
        .data
text_two:
        .asciz  "second\n"

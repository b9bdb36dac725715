// What the debugger's tests boot: turns translation on, prints, calls itself by SVC, writes behind a buffer, echoes a
// character if one comes. It ends with the character as its status.
    .arch   morello+c64
    .set    STACK_BYTES, 4096
    .set    UART, 0x2a400000

    .text
    .globl  _start
    .type   _start, %function
_start:
    mov     x0, #0x200                      // CPTR_EL3.EC: capability instructions don't trap
    msr     cptr_el3, x0
    isb
    mov     x0, #0x20                       // CCTLR_EL3.C64E: exceptions are taken in C64
    msr     CCTLR_EL3, x0
    mrs     c21, DDC
    adrp    c0, vectors
    add     c0, c0, :lo12:vectors
    msr     CVBAR_EL3, c0
    adrp    c0, stack
    add     c0, c0, :lo12:stack
    mov     x1, #STACK_BYTES
    scbnds  c0, c0, x1
    add     c0, c0, x1
    mov     csp, c0
    bl      translate
    msr     DDC, czr
    isb
    bl      main
    bl      leave
    .size   _start, . - _start

    .globl  translate
    .type   translate, %function
translate:                                  // 1 GiB blocks: devices below, memory from 2 GiB on
    adrp    c0, table
    add     c0, c0, :lo12:table
    mov     x1, #0x405
    str     x1, [c0]
    mov     x1, #0x701
    movk    x1, #0x8000, lsl #16
    movk    x1, #0x3000, lsl #48            // LC = 01, SC
    str     x1, [c0, #16]
    msr     ttbr0_el3, x0
    mov     x1, #0x3519
    movk    x1, #0x9f82, lsl #16            // 39 bits, 40 bits out, HPD and the bits 59 to 62 of descriptors
    msr     tcr_el3, x1
    mov     x1, #0xff
    msr     mair_el3, x1
    mrs     x1, sctlr_el3
    orr     x1, x1, #1
    msr     sctlr_el3, x1
    isb
    ret     c30
    .size   translate, . - translate

    .globl  main
    .type   main, %function
main:
    stp     c29, c30, [csp, #-32]!
    mov     c29, csp
    mov     x0, #UART
    scvalue c19, c21, x0
    mov     x0, #4096
    scbnds  c19, c19, x0
    adr     c0, text
    bl      print
    svc     #7
    adrp    c20, buffer
    add     c20, c20, :lo12:buffer
    scbnds  c20, c20, #16
    mov     x0, #0
1:  strb    w0, [c20, x0]
    add     x0, x0, #1
    cmp     x0, #17
    b.ne    1b
    mov     c21, czr
    bl      echo
    ldp     c29, c30, [csp], #32
    ret     c30
    .size   main, . - main

    .globl  print
    .type   print, %function
print:                                      // print(text)
1:  ldrb    w1, [c0], #1
    cbz     w1, 2f
    str     w1, [c19]
    b       1b
2:  ret     c30
    .size   print, . - print

    .globl  echo
    .type   echo, %function
echo:                                       // the character that comes, else 0
    mov     x2, #0x8000
1:  ldr     w0, [c19, #0x18]
    tbz     w0, #4, 2f
    subs    x2, x2, #1
    b.ne    1b
    mov     x0, #0
    ret     c30
2:  ldr     w0, [c19]
    str     w0, [c19]
    ret     c30
    .size   echo, . - echo

    .globl  leave
    .type   leave, %function
leave:                                      // semihosting: exit with X0
    mov     x1, #0x26
    movk    x1, #2, lsl #16
    stp     x1, x0, [csp, #-16]!
    gcvalue x1, csp
    mrs     x2, sctlr_el3
    mov     w0, #0x18
    hlt     #0xf000
    b       .
    .size   leave, . - leave

text:
    .asciz  "hello\n"

    .balign 0x800
    .globl  vectors
    .type   vectors, %function
vectors:
    .space  0x200
    mrs     x9, esr_el3
    lsr     x9, x9, #26
    cmp     x9, #0x15                       // SVC: CELR is behind it already
    b.eq    1f
    mrs     c10, CELR_EL3
    add     c10, c10, #4
    msr     CELR_EL3, c10
1:  eret
    .size   vectors, . - vectors

    .bss
    .balign 4096
table:
    .space  4096
stack:
    .space  STACK_BYTES
    .type   buffer, %object
buffer:
    .space  32
    .size   buffer, 32

// setjmp and longjmp: c19-c30 and CSP in 16-byte slots, then q8-q15.
    .text
    .globl setjmp
    .type setjmp, %function
setjmp:
    stp     c19, c20, [c0]
    stp     c21, c22, [c0, #32]
    stp     c23, c24, [c0, #64]
    stp     c25, c26, [c0, #96]
    stp     c27, c28, [c0, #128]
    stp     c29, c30, [c0, #160]
    mov     c1, csp
    str     c1, [c0, #192]
    stp     q8, q9, [c0, #208]
    stp     q10, q11, [c0, #240]
    stp     q12, q13, [c0, #272]
    stp     q14, q15, [c0, #304]
    mov     w0, wzr
    ret     c30
    .size setjmp, . - setjmp

    .globl longjmp
    .type longjmp, %function
longjmp:
    ldp     c19, c20, [c0]
    ldp     c21, c22, [c0, #32]
    ldp     c23, c24, [c0, #64]
    ldp     c25, c26, [c0, #96]
    ldp     c27, c28, [c0, #128]
    ldp     c29, c30, [c0, #160]
    ldr     c2, [c0, #192]
    mov     csp, c2
    ldp     q8, q9, [c0, #208]
    ldp     q10, q11, [c0, #240]
    ldp     q12, q13, [c0, #272]
    ldp     q14, q15, [c0, #304]
    cmp     w1, #0
    csinc   w0, w1, wzr, ne
    ret     c30
    .size longjmp, . - longjmp

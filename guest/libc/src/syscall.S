// uintptr_t __syscall6(long number, uintptr_t a .. f): the one place from which this library enters the kernel.
    .text
    .globl __syscall6
    .type __syscall6, %function
__syscall6:
    mov     x8, x0
    mov     c0, c1
    mov     c1, c2
    mov     c2, c3
    mov     c3, c4
    mov     c4, c5
    mov     c5, c6
    svc     #0
    ret     c30
    .size __syscall6, . - __syscall6

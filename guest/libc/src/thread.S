// The thread pointer: CTPIDR_EL0 (RCTPIDR_EL0 when Restricted).
    .text
    .globl __set_thread_pointer
    .type __set_thread_pointer, %function
__set_thread_pointer:
    msr     ctpidr_el0, c0
    ret     c30
    .size __set_thread_pointer, . - __set_thread_pointer

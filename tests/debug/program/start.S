// Entry and system calls of the test program.
    .text
    .globl _start
    .type _start, %function
_start:
    mov     x29, xzr
    mov     x30, xzr
    bl      begin
    .size _start, . - _start

    .globl map_pages
    .type map_pages, %function
map_pages:
    mov     x1, x0
    mov     x0, xzr
    mov     x2, #3
    mov     x3, #0x22
    mov     x4, #-1
    mov     x5, xzr
    mov     x8, #222
    svc     #0
    ret     c30
    .size map_pages, . - map_pages

    .globl end
    .type end, %function
end:
    mov     x8, #94
    svc     #0
    .size end, . - end

// The compartment's side of the border (Restricted code, C64).

    .text

// c0: struct compartment_call_block, unsealed by the switch. Calls the target with its arguments and leaves through
// the return gate; never returns.
    .globl CompartmentEntryPoint
    .type CompartmentEntryPoint, %function
CompartmentEntryPoint:
    sub     csp, csp, #32
    ldp     c16, c19, [c0]          // target, return gate
    ldr     c1, [c0, #160]          // ninth argument: on the stack
    str     c1, [csp]
    mov     c9, c0
    ldp     c0, c1, [c9, #32]
    ldp     c2, c3, [c9, #64]
    ldp     c4, c5, [c9, #96]
    ldp     c6, c7, [c9, #128]
    mov     x9, xzr
    blr     c16
    br      c19
    .size CompartmentEntryPoint, . - CompartmentEntryPoint

// void CompartmentServiceGate(void *service_gate, void *sealed_request): the manager clears every register, so all
// that a callee must preserve is saved here.
    .globl CompartmentServiceGate
    .type CompartmentServiceGate, %function
CompartmentServiceGate:
    sub     csp, csp, #256
    stp     c19, c20, [csp]
    stp     c21, c22, [csp, #32]
    stp     c23, c24, [csp, #64]
    stp     c25, c26, [csp, #96]
    stp     c27, c28, [csp, #128]
    stp     c29, c30, [csp, #160]
    stp     d8, d9, [csp, #192]
    stp     d10, d11, [csp, #208]
    stp     d12, d13, [csp, #224]
    stp     d14, d15, [csp, #240]
    mov     c16, c0
    mov     c0, c1
    blr     c16
    ldp     c19, c20, [csp]
    ldp     c21, c22, [csp, #32]
    ldp     c23, c24, [csp, #64]
    ldp     c25, c26, [csp, #96]
    ldp     c27, c28, [csp, #128]
    ldp     c29, c30, [csp, #160]
    ldp     d8, d9, [csp, #192]
    ldp     d10, d11, [csp, #208]
    ldp     d12, d13, [csp, #224]
    ldp     d14, d15, [csp, #240]
    add     csp, csp, #256
    ret     c30
    .size CompartmentServiceGate, . - CompartmentServiceGate

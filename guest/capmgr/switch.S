// Crossings between the manager (Executive) and its compartment (Restricted).
//
// Invariants:
//  - Whoever crosses finds no register, vector register or flag of the other side, but for the documented ones.
//  - The Executive CSP at CompartmentSwitchReturn is what it was at the BRR: Restricted code has its own (RCSP).
//  - While the manager runs, the Restricted bank (RCSP, RDDC, RCTPIDR) holds nothing of the compartment's.
//
// Switch frame, 96 bytes: 0 RCSP, 16 RDDC, 32 RCTPIDR, 48 unused, 64 C29, 80 C30.

    .set FRAME, 96
    .set FRAME_RCTPIDR, 32
    .set FRAME_RECORD, 64
    .set SAVED, 224                 // c19-c28 and d8-d15

    .macro clear_vectors
    movi    v0.2d, #0
    movi    v1.2d, #0
    movi    v2.2d, #0
    movi    v3.2d, #0
    movi    v4.2d, #0
    movi    v5.2d, #0
    movi    v6.2d, #0
    movi    v7.2d, #0
    movi    v8.2d, #0
    movi    v9.2d, #0
    movi    v10.2d, #0
    movi    v11.2d, #0
    movi    v12.2d, #0
    movi    v13.2d, #0
    movi    v14.2d, #0
    movi    v15.2d, #0
    movi    v16.2d, #0
    movi    v17.2d, #0
    movi    v18.2d, #0
    movi    v19.2d, #0
    movi    v20.2d, #0
    movi    v21.2d, #0
    movi    v22.2d, #0
    movi    v23.2d, #0
    movi    v24.2d, #0
    movi    v25.2d, #0
    movi    v26.2d, #0
    movi    v27.2d, #0
    movi    v28.2d, #0
    movi    v29.2d, #0
    movi    v30.2d, #0
    movi    v31.2d, #0
    msr     fpsr, xzr
    msr     fpcr, xzr
    .endm

    // Everything from x4 to x28, the vectors and the flags; x0-x3, x29 and x30 are the user's business.
    .macro clear_common
    mov     x4, xzr
    mov     x5, xzr
    mov     x6, xzr
    mov     x7, xzr
    mov     x8, xzr
    mov     x9, xzr
    mov     x10, xzr
    mov     x11, xzr
    mov     x12, xzr
    mov     x13, xzr
    mov     x14, xzr
    mov     x15, xzr
    mov     x16, xzr
    mov     x17, xzr
    mov     x18, xzr
    mov     x19, xzr
    mov     x20, xzr
    mov     x21, xzr
    mov     x22, xzr
    mov     x23, xzr
    mov     x24, xzr
    mov     x25, xzr
    mov     x26, xzr
    mov     x27, xzr
    mov     x28, xzr
    clear_vectors
    msr     nzcv, xzr
    .endm

    // Restricted bank to the frame at CSP; uses c6, c7.
    .macro save_bank
    mrs     c6, rcsp_el0
    mrs     c7, rddc_el0
    stp     c6, c7, [csp]
    mrs     c6, rctpidr_el0
    str     c6, [csp, #FRAME_RCTPIDR]
    .endm

    .macro restore_bank
    ldp     c6, c7, [csp]
    msr     rcsp_el0, c6
    msr     rddc_el0, c7
    ldr     c6, [csp, #FRAME_RCTPIDR]
    msr     rctpidr_el0, c6
    .endm

    .text

// uintptr_t CompartmentSwitchEntry(registers, entry, sealed_block, sealer): enters the compartment.
// It arrives at `entry` with the unsealed block in c0 and nothing else.
    .globl CompartmentSwitchEntry
    .type CompartmentSwitchEntry, %function
CompartmentSwitchEntry:
    sub     csp, csp, #SAVED
    stp     c19, c20, [csp]
    stp     c21, c22, [csp, #32]
    stp     c23, c24, [csp, #64]
    stp     c25, c26, [csp, #96]
    stp     c27, c28, [csp, #128]
    stp     d8, d9, [csp, #160]
    stp     d10, d11, [csp, #176]
    stp     d12, d13, [csp, #192]
    stp     d14, d15, [csp, #208]
    sub     csp, csp, #FRAME
    stp     c29, c30, [csp, #FRAME_RECORD]
    save_bank
    ldp     c4, c5, [c0]
    ldr     c6, [c0, #32]
    msr     rcsp_el0, c4
    msr     rddc_el0, c5
    msr     rctpidr_el0, c6
    unseal  c0, c2, c3
    clear_common
    mov     x2, xzr
    mov     x3, xzr
    mov     x29, xzr
    mov     x30, xzr
    brr     c1
    .size CompartmentSwitchEntry, . - CompartmentSwitchEntry

// The gate by which the compartment ends a call: result in c0.
    .globl CompartmentSwitchReturn
    .type CompartmentSwitchReturn, %function
CompartmentSwitchReturn:
    restore_bank
    clear_common
    mov     x1, xzr
    mov     x2, xzr
    mov     x3, xzr
    ldp     c29, c30, [csp, #FRAME_RECORD]
    add     csp, csp, #FRAME
    ldp     c19, c20, [csp]
    ldp     c21, c22, [csp, #32]
    ldp     c23, c24, [csp, #64]
    ldp     c25, c26, [csp, #96]
    ldp     c27, c28, [csp, #128]
    ldp     d8, d9, [csp, #160]
    ldp     d10, d11, [csp, #176]
    ldp     d12, d13, [csp, #192]
    ldp     d14, d15, [csp, #208]
    add     csp, csp, #SAVED
    retr    c30
    .size CompartmentSwitchReturn, . - CompartmentSwitchReturn

// The gate by which the compartment asks for a service: sealed request in c0, where to return in c30.
// A return address that would stay Executive is not the compartment's to give: its tag is removed, the
// return faults, and the fault is the compartment's.
    .globl CompartmentServiceEntry
    .type CompartmentServiceEntry, %function
CompartmentServiceEntry:
    sub     csp, csp, #FRAME
    gcperm  x1, c30
    tbz     x1, #1, 1f
    mov     x30, x30
1:  stp     c29, c30, [csp, #FRAME_RECORD]
    add     c29, csp, #FRAME_RECORD
    save_bank
    mov     x1, xzr
    mov     x2, xzr
    mov     x3, xzr
    msr     rcsp_el0, c1
    msr     rddc_el0, c1
    msr     rctpidr_el0, c1
    clear_common
    bl      CompartmentService
    restore_bank
    clear_common
    mov     x0, xzr
    mov     x1, xzr
    mov     x2, xzr
    mov     x3, xzr
    ldp     c29, c30, [csp, #FRAME_RECORD]
    add     csp, csp, #FRAME
    retr    c30
    .size CompartmentServiceEntry, . - CompartmentServiceEntry

// After a fault nobody restored the bank: empties it.
    .globl CompartmentClearBank
    .type CompartmentClearBank, %function
CompartmentClearBank:
    mov     x0, xzr
    msr     rcsp_el0, c0
    msr     rddc_el0, c0
    msr     rctpidr_el0, c0
    ret     c30
    .size CompartmentClearBank, . - CompartmentClearBank

// Fault status codes of capability faults, told apart, with their priority.
// Spec: CheckCapability, CapabilityFault, EncodeLDFSC (0x28 tag, 0x29 sealed, 0x2a bounds, 0x2b permission),
// AArch64_DataAbort, AArch64_InstructionAbort, BranchToCapability (a bad branch faults at its target).
        .include "common.inc"

        .set    DATA_ABORT, 0x96000000          // EC 0x25 (same level), IL
        .set    FETCH_ABORT, 0x86000000         // EC 0x21 (same level), IL

        .macro  LOAD_FAULTS number, code        // ldr through C1 faults with this code at X2
        EXPECT  1f
        ldr     x3, [c1]
1:      CHECK   \number, x20, DATA_ABORT | \code
        CHECK_REG \number, x21, x2
        CHECK_REG \number, x24, x19
        .endm
        .macro  STORE_FAULTS number, code
        EXPECT  1f
        str     x3, [c1]
1:      CHECK   \number, x20, DATA_ABORT | 0x40 | \code
        CHECK_REG \number, x21, x2
        .endm

        .globl  main
main:
        mov     x28, x30
        mov     x19, #3
        bl      checks
        DROP    1, at_el1
at_el1:
        mov     x19, #1
        bl      checks
        RETURN  back
back:
        mov     x0, #0
        ret     x28

checks:
        mov     x17, x30
        ADDRESS x2, area
        cvtp    c0, x2                          // a good capability to the area, with PCC's permissions
        mrs     c5, DDC
        scvalue c0, c5, x2
        // untagged
        clrtag  c1, c0
        LOAD_FAULTS 1, 0x28
        STORE_FAULTS 2, 0x28
        // sealed: tag comes first, then the seal, also when the permission is missing
        mov     x3, #100
        scvalue c4, c5, x3
        seal    c1, c0, c4
        LOAD_FAULTS 3, 0x29
        STORE_FAULTS 4, 0x29
        clrtag  c1, c1
        LOAD_FAULTS 5, 0x28
        clrperm c1, c0, #0b100                  // no Load
        seal    c1, c1, c4
        LOAD_FAULTS 6, 0x29
        // permission before bounds
        mov     x3, #0x20000                    // Load is bit 17
        clrperm c1, c0, x3
        LOAD_FAULTS 7, 0x2b
        scbnds  c1, c1, #4
        LOAD_FAULTS 8, 0x2b
        mov     x3, #0x10000                    // Store is bit 16
        clrperm c1, c0, x3
        STORE_FAULTS 9, 0x2b
        ldr     x3, [c1]                        // loading through it is allowed
        // bounds
        scbnds  c1, c0, #4
        LOAD_FAULTS 10, 0x2a
        STORE_FAULTS 11, 0x2a
        ldr     w3, [c1]
        scbnds  c1, c0, #8
        ldr     x3, [c1]
        // branches: the fault is the fetch at the target
        ADDRESS x2, target
        scvalue c0, c5, x2
        clrtag  c1, c0
        EXPECT  1f
        br      c1
1:      CHECK   20, x20, FETCH_ABORT | 0x28
        CHECK_REG 21, x21, x2
        CHECK_REG 22, x22, x2
        mov     x3, #0x8000                     // Execute is bit 15
        clrperm c1, c0, x3
        EXPECT  1f
        br      c1
1:      CHECK   23, x20, FETCH_ABORT | 0x2b
        scbnds  c1, c0, #2
        EXPECT  1f
        br      c1
1:      CHECK   24, x20, FETCH_ABORT | 0x2a
        CHECK_REG 25, x22, x2
        seal    c1, c0, c4                      // sealed: BranchAddr clears the tag
        EXPECT  1f
        br      c1
1:      CHECK   26, x20, FETCH_ABORT | 0x28
        add     c1, c0, #2                      // misaligned in A64 (bit 1): PC alignment fault first
        clrtag  c1, c1
        EXPECT  1f
        br      c1
1:      CHECK   27, x20, 0x8a000000             // EC 0x22
        // capability checks come before alignment, alignment before translation
        ADDRESS x2, area + 4
        scvalue c0, c5, x2
        clrtag  c1, c0
        EXPECT  1f
        ldr     c3, [c1]
1:      CHECK   28, x20, DATA_ABORT | 0x28
        EXPECT  1f
        ldr     c3, [c0]
1:      CHECK   29, x20, DATA_ABORT | 0x21
        ret     x17
target:
        b       target

        .data
        .balign 16
area:   .skip   64

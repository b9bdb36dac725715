// Process entry of a static purecap program: makes every capability of the image, then calls C.
//
// At entry (Linux purecap ABI): x0 argc, c1 argv, c2 envp, c3 auxv; no capability exists in memory.
// The tables are found PC-relative, so nothing here needs a relocated slot.
//   __cap_relocs: {location, base, offset, size, permissions to remove; bit 63 = code} (40 bytes)
//   .rela.dyn:    R_MORELLO_RELATIVE records {offset, info, addend} with {address, length:56, kind:8} in the slot
// Data that may be written comes from AT_CHERI_EXEC_RW_CAP, code and read-only data from AT_CHERI_EXEC_RX_CAP.

    .set AT_CHERI_EXEC_RW_CAP, 60
    .set AT_CHERI_EXEC_RX_CAP, 61
    .set KIND_EXECUTABLE, 4
    .set KIND_READ_WRITE, 2
    .set REMOVE_FROM_CODE, 0x13dbc
    .set REMOVE_FROM_READ_WRITE, 0x8fbe
    .set REMOVE_FROM_READ_ONLY, 0x1bfbe

    .text
    .globl _start
    .type _start, %function
_start:
    mov     x29, xzr
    mov     x30, xzr
    mov     c20, c3
    // c21 := RW root, c22 := RX root
    mov     c4, c3
.Lnext_auxv:
    ldr     x5, [c4]
    cbz     x5, .Lroots_found
    cmp     x5, #AT_CHERI_EXEC_RW_CAP
    b.ne    .Lnot_rw
    ldr     c21, [c4, #16]
.Lnot_rw:
    cmp     x5, #AT_CHERI_EXEC_RX_CAP
    b.ne    .Lnot_rx
    ldr     c22, [c4, #16]
.Lnot_rx:
    add     c4, c4, #32
    b       .Lnext_auxv

.Lroots_found:
    adrp    c5, __cap_relocs_start
    add     c5, c5, :lo12:__cap_relocs_start
    adrp    c6, __cap_relocs_end
    add     c6, c6, :lo12:__cap_relocs_end
.Lnext_cap_reloc:
    cmp     x5, x6
    b.hs    .Lcap_relocs_done
    ldp     x7, x8, [c5]            // location, base
    ldp     x9, x10, [c5, #16]      // offset, size
    ldr     x11, [c5, #32]          // permissions to remove
    add     c5, c5, #40
    scvalue c12, c21, x7
    mov     x13, xzr
    cbz     x8, .Lstore_cap_reloc   // base 0: NULL
    mov     c14, c21
    tbz     x11, #16, .Lhave_root   // keeps Store: writable data
    mov     c14, c22
.Lhave_root:
    scvalue c13, c14, x8
    cbz     x10, .Lbounded          // no size: the whole image
    scbnds  c13, c13, x10
.Lbounded:
    add     c13, c13, x9
    clrperm c13, c13, x11
    tbz     x11, #63, .Lstore_cap_reloc
    seal    c13, c13, rb
.Lstore_cap_reloc:
    str     c13, [c12]
    b       .Lnext_cap_reloc
.Lcap_relocs_done:

    // Static-PIE keeps its capabilities as RELATIVE records; the load bias is where address 0 landed.
    adrp    c5, __rela_dyn_start
    add     c5, c5, :lo12:__rela_dyn_start
    adrp    c6, __rela_dyn_end
    add     c6, c6, :lo12:__rela_dyn_end
    adrp    c7, __ehdr_start
    add     c7, c7, :lo12:__ehdr_start
    ldr     x16, [c7, #16]          // e_type in the low 16 bits
    and     x16, x16, #0xffff
    mov     x15, xzr
    cmp     x16, #3                 // ET_DYN: linked at 0
    csel    x15, x7, xzr, eq
.Lnext_relative:
    cmp     x5, x6
    b.hs    .Lrelative_done
    ldr     x7, [c5]                // offset
    ldr     x9, [c5, #16]           // addend
    add     c5, c5, #24
    add     x7, x7, x15
    scvalue c12, c21, x7
    ldp     x8, x10, [c12]          // address, length and kind
    lsr     x11, x10, #56
    ubfx    x10, x10, #0, #56
    add     x8, x8, x15
    mov     c14, c22
    cmp     x11, #KIND_READ_WRITE
    csel    c14, c21, c22, eq
    scvalue c13, c14, x8
    cbz     x10, .Lrelative_bounded
    scbnds  c13, c13, x10
.Lrelative_bounded:
    add     c13, c13, x9
    mov     x16, #(REMOVE_FROM_READ_ONLY & 0xffff)
    movk    x16, #(REMOVE_FROM_READ_ONLY >> 16), lsl #16
    mov     x17, #(REMOVE_FROM_READ_WRITE & 0xffff)
    cmp     x11, #KIND_READ_WRITE
    csel    x16, x17, x16, eq
    cmp     x11, #KIND_EXECUTABLE
    mov     x17, #(REMOVE_FROM_CODE & 0xffff)
    movk    x17, #(REMOVE_FROM_CODE >> 16), lsl #16
    csel    x16, x17, x16, eq
    clrperm c13, c13, x16
    b.ne    .Lstore_relative
    seal    c13, c13, rb
.Lstore_relative:
    str     c13, [c12]
    b       .Lnext_relative
.Lrelative_done:

    mov     c3, c20
    bl      __libc_start
    brk     #1
    .size _start, . - _start

// Virtio block device over MMIO, modern or legacy: reads sector 1, writes it changed to sector 2, and checks
// that DMA cleared the tag of the buffer. Virtio 1.2, sections 3.1, 4.2 and 5.2.
        .include "device.inc"

        .set    DESC, VIRTIO_RAM
        .set    AVAIL, VIRTIO_RAM + 0x80        // legacy layout: right behind 8 descriptors
        .set    USED, VIRTIO_RAM + 0x1000
        .set    HEADER, VIRTIO_RAM + 0x2000
        .set    STATUS, VIRTIO_RAM + 0x2010
        .set    BUFFER, VIRTIO_RAM + 0x2200

        .macro  DESCRIPTOR index, address, size, flags, next
        MOVL    x1, DESC + 16 * \index
        MOVL    x2, \address
        str     x2, [x1]
        MOVL    x2, \size | ((\flags) << 32) | (\next << 48)
        str     x2, [x1, #8]
        .endm
        .macro  REQUEST type, sector, flags, count
        MOVL    x1, HEADER
        MOVL    x2, \type
        str     x2, [x1]
        MOVL    x2, \sector
        str     x2, [x1, #8]
        mov     x2, #0xff
        strb    w2, [x1, #16]
        DESCRIPTOR 0, HEADER, 16, 1, 1
        DESCRIPTOR 1, BUFFER, 512, \flags, 2
        DESCRIPTOR 2, STATUS, 1, 2, 0
        MOVL    x1, AVAIL
        strh    wzr, [x1, #(4 + 2 * (\count - 1))]
        mov     w2, #\count
        strh    w2, [x1, #2]
        dsb     sy
        WRITE   VIRTIO + 0x50, 0
        .endm

        .globl  main
main:
        mov     x28, x30
        READ    w0, VIRTIO
        CHECK   1, x0, 0x74726976
        READ    w0, VIRTIO + 4
        CHECK   2, x0, VIRTIO_VERSION
        READ    w0, VIRTIO + 8
        CHECK   3, x0, 2
        WRITE   VIRTIO + 0x70, 3
        WRITE   VIRTIO + 0x30, 0
        READ    w0, VIRTIO + 0x34
        mov     x26, #4
        cbz     w0, fail
        WRITE   VIRTIO + 0x38, 8
        .if     VIRTIO_VERSION == 1
        WRITE   VIRTIO + 0x28, 4096
        WRITE   VIRTIO + 0x3c, 4096
        WRITE   VIRTIO + 0x40, DESC >> 12
        .else
        WRITE   VIRTIO + 0x80, DESC
        WRITE   VIRTIO + 0x90, AVAIL
        WRITE   VIRTIO + 0xa0, USED
        WRITE   VIRTIO + 0x44, 1
        .endif
        WRITE   VIRTIO + 0x70, 7
        // a tagged capability where the data will go
        mrs     c5, DDC
        MOVL    x6, BUFFER
        str     c5, [x6]
        ldr     c1, [x6]
        gctag   x0, c1
        CHECK   5, x0, 1
        REQUEST 0, 1, 3, 1
        READ    w0, USED
        lsr     w0, w0, #16
        CHECK   6, x0, 1
        MOVL    x1, STATUS
        ldrb    w0, [x1]
        CHECK   7, x0, 0
        ldr     c1, [x6]
        gctag   x0, c1
        CHECK   8, x0, 0
        ldr     x0, [x6]
        CHECK   9, x0, 0x4c4c45524f4d2d31       // "1-MORELL"
        READ    w0, VIRTIO + 0x60
        CHECK   10, x0, 1
        WRITE   VIRTIO + 0x64, 1
        MOVL    x0, 0x474e414843                // "CHANG"
        str     x0, [x6]
        REQUEST 1, 2, 1, 2
        MOVL    x1, STATUS
        ldrb    w0, [x1]
        CHECK   11, x0, 0
        REQUEST 1, 1000000, 1, 3                // past the end
        MOVL    x1, STATUS
        ldrb    w0, [x1]
        CHECK   12, x0, 1
        mov     x0, #0
        ret     x28
irq_entry:
fiq_entry:
        mov     x26, #97
        b       fail

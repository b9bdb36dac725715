/* Thread-local storage of the initial thread: AArch64 variant 1 with a TCB of two capabilities. */
#include <cheriintrin.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

#define PT_TLS 7
#define TCB_BYTES 32

struct program_header {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, file_size, memory_size, align;
};

/* Set by set_thread_pointer (thread.S). */
void __set_thread_pointer(void *pointer);

void __init_tls(void)
{
    const struct program_header *header = (const struct program_header *)getauxptr(AT_PHDR);
    unsigned long count = getauxval(AT_PHNUM);
    const struct program_header *tls = NULL;
    uint64_t offset = TCB_BYTES;
    uint64_t size;
    unsigned char *block;
    unsigned long i;

    for (i = 0; header != NULL && i < count; i++)
        if (header[i].type == PT_TLS)
            tls = &header[i];
    if (tls != NULL && tls->align > TCB_BYTES)
        offset = tls->align;
    size = offset + (tls != NULL ? tls->memory_size : 0);
    /* Not mmap(): until the thread pointer is set there is no errno to write to. */
    block = (unsigned char *)SYSCALL6(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                                      -1, 0);
    if (!cheri_tag_get(block)) {
        static const char message[] = "no memory for thread-local storage\n";
        SYSCALL3(SYS_write, 2, message, sizeof message - 1);
        _exit(127);
    }
    if (tls != NULL && tls->file_size != 0) {
        uintptr_t image = getauxptr(AT_CHERI_EXEC_RX_CAP);
        uint64_t bias = cheri_address_get((void *)header) - 64;
        const void *from;
        /* A static executable is linked where it runs; a static-PIE at 0, its headers 64 bytes in. */
        if (tls->vaddr >= cheri_address_get((void *)header) - 64)
            bias = 0;
        from = cheri_address_set((void *)image, bias + tls->vaddr);
        memcpy(block + offset, from, tls->file_size);
    }
    __set_thread_pointer(block);
}

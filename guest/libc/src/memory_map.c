#include <stdarg.h>
#include <sys/mman.h>

#include "internal.h"

static void *capability_result(uintptr_t result)
{
    return __syscall_result((long)result) == -1 ? MAP_FAILED : (void *)result;
}

void *mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
    return capability_result(SYSCALL6(SYS_mmap, address, length, prot, flags, fd, offset));
}

int munmap(void *address, size_t length)
{
    return (int)__syscall_result((long)SYSCALL2(SYS_munmap, address, length));
}

int mprotect(void *address, size_t length, int prot)
{
    return (int)__syscall_result((long)SYSCALL3(SYS_mprotect, address, length, prot));
}

int madvise(void *address, size_t length, int advice)
{
    return (int)__syscall_result((long)SYSCALL3(SYS_madvise, address, length, advice));
}

void *mremap(void *address, size_t old_length, size_t new_length, int flags, ...)
{
    return capability_result(SYSCALL5(SYS_mremap, address, old_length, new_length, flags, 0));
}

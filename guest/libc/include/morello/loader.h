/* The board's loader service, as libc's dlfcn.c and the capability manager use it (docs/loader-service.md).
 *
 * One system call, number SYS_morello_loader, operation in the first argument. Elsewhere it answers ENOSYS. */
#ifndef _MORELLO_LOADER_H
#define _MORELLO_LOADER_H
#include <stddef.h>

enum {
    LOADER_OPEN = 0,     /* path, RTLD_ flags, namespace (0 or -1: a new one) -> handle > 0, or -errno */
    LOADER_SYMBOL = 1,   /* handle, name -> capability (functions: sentry), NULL when there is none */
    LOADER_CLOSE = 2,    /* handle -> 0 */
    LOADER_INIT = 3,     /* handle, n -> the n-th initialisation function to call, NULL after the last */
    LOADER_FINI = 4,     /* handle, n -> the n-th termination function to call, NULL after the last */
    LOADER_RESTRICT = 5, /* handle -> number of slots re-derived without Executive */
    LOADER_TEXT = 6      /* handle, LOADER_TEXT_..., buffer, size, offset -> bytes copied, 0 at the end */
};

enum {
    LOADER_TEXT_ERROR = 0,   /* of the last failed operation (handle 0) */
    LOADER_TEXT_HEADERS = 1, /* program headers of the objects of this handle's namespace */
    LOADER_TEXT_TABLES = 2,  /* their relocation tables */
    LOADER_TEXT_PATCHES = 3  /* what LOADER_RESTRICT did to each slot, and what it skipped and why */
};

/* Makes the library of a dlopen handle a compartment: returns the number of patched slots, or -1 with errno. */
long morello_loader_restrict(void *handle);
/* Copies a part of one of the texts; returns the number of bytes, 0 at its end, -1 with errno. */
long morello_loader_text(void *handle, int which, char *buffer, size_t size, size_t offset);
#endif

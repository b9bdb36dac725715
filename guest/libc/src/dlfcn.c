/* dlopen and its family: the board's loader service does the work, constructors run here. */
#include <dlfcn.h>
#include <morello/loader.h>
#include <string.h>

#include "internal.h"

typedef void (*library_function)(void);

static char error_text[512];
static int has_error;

static void note_error(long result)
{
    long length = 0;

    has_error = 1;
    if (result != -ENOSYS)
        length = (long)SYSCALL6(SYS_morello_loader, LOADER_TEXT, 0, LOADER_TEXT_ERROR, error_text,
                                sizeof error_text - 1, 0);
    if (length > 0)
        error_text[length] = '\0';
    else
        strlcpy(error_text, result == -ENOSYS ? "this system has no loader service" : strerror((int)-result),
                sizeof error_text);
}

static void run(long handle, int operation)
{
    long n;

    for (n = 0;; n++) {
        uintptr_t function = SYSCALL3(SYS_morello_loader, operation, handle, n);
        if (function == 0)
            return;
        ((library_function)function)();
    }
}

void *dlmopen(Lmid_t name_space, const char *path, int flags)
{
    long handle = (long)SYSCALL4(SYS_morello_loader, LOADER_OPEN, path, flags, name_space);

    if (handle <= 0) {
        note_error(handle);
        return NULL;
    }
    run(handle, LOADER_INIT);
    return (void *)(uintptr_t)handle;
}

void *dlopen(const char *path, int flags)
{
    return dlmopen(LM_ID_BASE, path, flags);
}

void *dlsym(void *handle, const char *name)
{
    uintptr_t symbol = SYSCALL3(SYS_morello_loader, LOADER_SYMBOL, handle, name);
    long result = (long)symbol;

    if (result == 0 || (result < 0 && result >= -4095)) {
        note_error(result);
        return NULL;
    }
    return (void *)symbol;
}

int dlclose(void *handle)
{
    run((long)handle, LOADER_FINI);
    return (int)__syscall_result((long)SYSCALL2(SYS_morello_loader, LOADER_CLOSE, handle));
}

char *dlerror(void)
{
    if (!has_error)
        return NULL;
    has_error = 0;
    return error_text;
}

long morello_loader_restrict(void *handle)
{
    return __syscall_result((long)SYSCALL2(SYS_morello_loader, LOADER_RESTRICT, handle));
}

long morello_loader_text(void *handle, int which, char *buffer, size_t size, size_t offset)
{
    return __syscall_result((long)SYSCALL6(SYS_morello_loader, LOADER_TEXT, handle, which, buffer, size, offset));
}

/* From the end of crt1.S to main and from exit to the kernel. */
#include <stdlib.h>
#include <unistd.h>

#include "internal.h"

extern int main(int argc, char **argv, char **envp);

typedef void (*init_function)(int, char **, char **);
typedef void (*fini_function)(void);
extern init_function __init_array_start[];
extern init_function __init_array_end[];
extern fini_function __fini_array_start[];
extern fini_function __fini_array_end[];

struct auxv_entry *__auxv;
char **environ;

__attribute__((noreturn)) void __libc_start(long argc, char **argv, char **envp, struct auxv_entry *auxv)
{
    size_t count = (size_t)(__init_array_end - __init_array_start);
    size_t i;

    __auxv = auxv;
    environ = envp;
    __init_tls();
    for (i = 0; i < count; i++)
        __init_array_start[i]((int)argc, argv, envp);
    exit(main((int)argc, argv, envp));
}

void exit(int status)
{
    size_t count = (size_t)(__fini_array_end - __fini_array_start);

    __run_exit_functions();
    while (count > 0)
        __fini_array_start[--count]();
    __stdio_flush_all();
    _exit(status);
}

void _exit(int status)
{
    for (;;)
        SYSCALL1(SYS_exit_group, status);
}

void _Exit(int status)
{
    _exit(status);
}

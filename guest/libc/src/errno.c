#include <stdarg.h>
#include <unistd.h>

#include "internal.h"

static _Thread_local int thread_errno;

int *__errno_location(void)
{
    return &thread_errno;
}

long __syscall_result(long result)
{
    if (result < 0 && result >= -4095) {
        errno = (int)-result;
        return -1;
    }
    return result;
}

long syscall(long number, ...)
{
    uintptr_t arguments[6];
    va_list list;
    int i;

    va_start(list, number);
    for (i = 0; i < 6; i++)
        arguments[i] = va_arg(list, uintptr_t);
    va_end(list);
    return __syscall_result((long)__syscall6(number, arguments[0], arguments[1], arguments[2], arguments[3],
                                             arguments[4], arguments[5]));
}

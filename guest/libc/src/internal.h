/* What the library's files share with each other and nobody else. */
#ifndef LIBC_INTERNAL_H
#define LIBC_INTERNAL_H
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>

/* One system call: number in x8, arguments in c0-c5, result in c0 (syscall.S). */
uintptr_t __syscall6(long number, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e, uintptr_t f);

/* Turns -4095..-1 into errno and -1. */
long __syscall_result(long result);

#define ARG(value) ((uintptr_t)(value))
#define SYSCALL0(number) __syscall6((number), 0, 0, 0, 0, 0, 0)
#define SYSCALL1(number, a) __syscall6((number), ARG(a), 0, 0, 0, 0, 0)
#define SYSCALL2(number, a, b) __syscall6((number), ARG(a), ARG(b), 0, 0, 0, 0)
#define SYSCALL3(number, a, b, c) __syscall6((number), ARG(a), ARG(b), ARG(c), 0, 0, 0)
#define SYSCALL4(number, a, b, c, d) __syscall6((number), ARG(a), ARG(b), ARG(c), ARG(d), 0, 0)
#define SYSCALL5(number, a, b, c, d, e) __syscall6((number), ARG(a), ARG(b), ARG(c), ARG(d), ARG(e), 0)
#define SYSCALL6(number, a, b, c, d, e, f) \
    __syscall6((number), ARG(a), ARG(b), ARG(c), ARG(d), ARG(e), ARG(f))

/* One 32-byte entry of the auxiliary vector. */
struct auxv_entry {
    uint64_t type;
    uint64_t zero;
    uintptr_t value;
};

extern struct auxv_entry *__auxv;
extern char **__environment_at_start;

void __init_tls(void);
void __stdio_flush_all(void);
void __run_exit_functions(void);

/* Decimal conversion of doubles (decimal.c). */
struct decimal {
    int is_negative;
    int exponent; /* value = 0.d1d2d3... * 10^exponent */
    int count;    /* digits held */
    char digits[800];
};
void __decimal_from_double(struct decimal *out, double value);
void __decimal_round(struct decimal *value, int count);

#endif

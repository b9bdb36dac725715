#ifndef _SETJMP_H
#define _SETJMP_H
/* c19-c30, CSP and q8-q15: 13 capabilities and 8 vectors in 16-byte slots. */
typedef struct {
    void *capabilities[13];
    unsigned long vectors[16];
} jmp_buf[1];
int setjmp(jmp_buf context) __attribute__((returns_twice));
void longjmp(jmp_buf context, int value) __attribute__((noreturn));
#define _setjmp setjmp
#define _longjmp longjmp
#endif

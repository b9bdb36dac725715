/* Statement-level assembly: constraints, names, ties, register variables, memory operands, top level. */
#include <stdio.h>
#include <stdint.h>
static long add(long a, long b) { long r; __asm__("add %0, %1, %2" : "=r"(r) : "r"(a), "r"(b)); return r; }
static int addw(int a, int b) { int r; __asm__("add %w[out], %w[x], %w[y]" : [out] "=r"(r) : [x] "r"(a), [y] "r"(b) : "cc"); return r; }
static void *bump(void *p) { __asm__ volatile("add %0, %0, #16" : "+C"(p)); return p; }
static unsigned long cnt(void) { unsigned long v; __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(v)); return v; }
static void *tp(void) { void *c; __asm__("mrs %0, ctpidr_el0" : "=C"(c)); return c; }
static double twice(double d) { __asm__("fadd %d0, %d0, %d0" : "+w"(d)); return d; }
static long sys(long nr) { register long x8 __asm__("x8") = nr; register long x0 __asm__("x0"); __asm__ volatile("svc #0" : "=r"(x0) : "r"(x8) : "memory"); return x0; }
static long tied(long a, long b) { __asm__("sub %0, %0, %2" : "=r"(a) : "0"(a), "r"(b)); return a; }
__asm__(".globl answer\n.type answer, %function\nanswer: mov w0, #42\nret c30\n");
int answer(void);
int other(void); int main(void) { printf("%d\n", other()); char b[32]; printf("%ld %d %d %d %g %ld %d %d %d\n", add(2, 3), addw(-5, 1), (int)((char *)bump(b) - b), cnt() != 0, twice(1.5), tied(10, 4), answer(), sys(178) > 0, tp() != 0); 
 __asm__ volatile("nop" ::: "memory"); return 0; }
static int loadm(int *p) { int r; __asm__("ldr %w0, %1" : "=r"(r) : "m"(*p)); return r; }
int other(void) { int x = 9; return loadm(&x); }

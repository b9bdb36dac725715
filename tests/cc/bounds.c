/* One access inside and one past each end of every kind of object; faults are caught and counted. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct S { char a[12]; int last; };
static int global[5];
static const int constant[3] = { 1, 2, 3 };
static _Thread_local int tls[3];
static char big[5000];
static jmp_buf back;

static void caught(int number) { (void)number; longjmp(back, 1); }

static int faults(volatile const char *p, long i) {
  if (setjmp(back)) return 1;
  (void)p[i];
  return 0;
}

static int write_faults(volatile char *p) {
  if (setjmp(back)) return 1;
  *p = 1;
  return 0;
}

static void check(const char *name, const void *object, long size) {
  printf("%s %d%d%d%d\n", name, faults(object, 0), faults(object, size - 1), faults(object, size), faults(object, -1));
}

static void arguments(int n, ...) {
  __builtin_va_list ap;
  __builtin_va_start(ap, n);
  check("arguments", ap, 16 * n);
}

static void by_value(struct S s) { check("parameter", &s, sizeof s); }

int main(void) {
  struct sigaction action = { 0 };
  action.sa_handler = caught;
  action.sa_flags = SA_NODEFER;
  sigaction(SIGSEGV, &action, NULL);
  int local[7];
  struct S s = { "x", 1 };
  int n = 6, vla[n];
  char *heap = malloc(40);
  check("local", local, sizeof local);
  check("struct", &s, sizeof s);
  check("member", s.a, sizeof s);
  check("global", global, sizeof global);
  check("constant", constant, sizeof constant);
  check("thread", tls, sizeof tls);
  check("big", big, sizeof big);
  check("vla", vla, sizeof vla);
  check("alloca", __builtin_alloca(33), 33);
  check("heap", heap, 40);
  check("literal", "seven c", 8);
  check("compound", (int[]){ 1, 2, 3 }, 12);
  arguments(3, 1, 2L, 3.0);
  by_value(s);
  printf("write %d%d%d\n", write_faults((char *)constant), write_faults((char *)"text"), write_faults(heap));
  return 0;
}

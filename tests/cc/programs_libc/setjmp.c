/* setjmp over several frames, values of locals afterwards, nested handlers. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

static jmp_buf outer, inner;
static int depth;

static void dive(int n, jmp_buf to) {
  char pad[100];
  pad[n] = n;
  depth += pad[n] == n;
  if (n == 0) longjmp(to, 7);
  dive(n - 1, to);
  printf("not reached\n");
}

static int protect(int n) {
  volatile int tries = 0;
  double kept = n * 1.5;
  long also = n * 3L;
  int code = setjmp(inner);
  if (code == 0) {
    tries++;
    dive(5, inner);
  }
  tries += 10;
  printf("%d %d %g %ld\n", code, tries, kept, also);
  if (tries < 30) longjmp(inner, tries);
  return tries;
}

int main(void) {
  int r = setjmp(outer);
  if (r == 0) {
    printf("%d\n", protect(4));
    longjmp(outer, 0);
  }
  printf("%d %d\n", r, depth);
  if (r < 3) {
    static int again;
    if (!again++) longjmp(outer, 2);
  }
  return r;
}

/* Variadic functions: every kind of argument, va_copy, passing a va_list on, none at all. */
typedef __builtin_va_list va_list;
#define va_start(ap, last) __builtin_va_start(ap, last)
#define va_arg(ap, type) __builtin_va_arg(ap, type)
#define va_end(ap) __builtin_va_end(ap)
#define va_copy(a, b) __builtin_va_copy(a, b)
int printf(const char *, ...);

struct Small { int a, b; };
struct Pair { double x, y; };
struct Ptr { int *p; };
struct Big { long v[5]; };

static long sum(int n, ...) {
  va_list ap;
  long total = 0;
  va_start(ap, n);
  while (n--) total += va_arg(ap, int);
  va_end(ap);
  return total;
}

static void show(const char *kinds, ...) {
  va_list ap, again;
  va_start(ap, kinds);
  va_copy(again, ap);
  for (const char *k = kinds; *k; k++) {
    switch (*k) {
    case 'i': printf("i%d ", va_arg(ap, int)); break;
    case 'u': printf("u%u ", va_arg(ap, unsigned)); break;
    case 'l': printf("l%ld ", va_arg(ap, long)); break;
    case 'd': printf("d%g ", va_arg(ap, double)); break;
    case 's': printf("s%s ", va_arg(ap, char *)); break;
    case 'p': printf("p%d ", *va_arg(ap, int *)); break;
    case 'S': { struct Small s = va_arg(ap, struct Small); printf("S%d,%d ", s.a, s.b); break; }
    case 'P': { struct Pair s = va_arg(ap, struct Pair); printf("P%g,%g ", s.x, s.y); break; }
    case 'Q': { struct Ptr s = va_arg(ap, struct Ptr); printf("Q%d ", *s.p); break; }
    case 'B': { struct Big s = va_arg(ap, struct Big); printf("B%ld,%ld ", s.v[0], s.v[4]); break; }
    }
  }
  va_end(ap);
  if (*kinds == 'i') printf("again i%d", va_arg(again, int));
  va_end(again);
  printf("\n");
}

static int vsum(int n, va_list ap) {
  int s = 0;
  while (n-- > 0) s += va_arg(ap, int);
  return s;
}

static int outer(int n, ...) {
  va_list ap;
  va_start(ap, n);
  int s = vsum(n, ap);
  va_end(ap);
  return s;
}

static int many(int a, double b, const char *c, long d, int e, int f, int g, int h, int i, int j, ...) {
  va_list ap;
  va_start(ap, j);
  int r = a + (int)b + *c + (int)d + e + f + g + h + i + j + va_arg(ap, int) * 2;
  va_end(ap);
  return r;
}

int main(void) {
  int x = 42;
  signed char c = -3;
  unsigned short h = 60000;
  float f = 2.5f;
  struct Small s = { 7, 8 };
  struct Pair p = { 1.5, -2 };
  struct Ptr q = { &x };
  struct Big b = { { 1, 2, 3, 4, 5 } };
  printf("%ld %ld\n", sum(0), sum(5, 1, 2, 3, 4, 5));
  show("iiuld", c, h, 4000000000u, -1L, f);
  show("s", "text");
  show("");
  show("ipSPQBi", 1, &x, s, p, q, b, 99);
  show("dSdBPd", 1.0, s, 2.0, b, p, 3.0);
  printf("%d\n", outer(3, 10, 20, 30));
  printf("%d\n", many(1, 2.0, "a", 4, 5, 6, 7, 8, 9, 10, 50));
  int (*fp)(const char *, ...) = printf;
  fp("%d %s\n", 5, "through a pointer");
  return 0;
}

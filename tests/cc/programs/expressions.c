/* Statement expressions, comma, sizeof, _Generic, typeof, VLA, alloca, conditional types, compound literals. */
int printf(const char *, ...);

#define MAX(a, b) ({ __typeof__(a) _a = (a); __typeof__(b) _b = (b); _a > _b ? _a : _b; })
#define KIND(x) _Generic((x), int: "int", unsigned: "unsigned", long: "long", double: "double", float: "float", \
                         char *: "char *", const char *: "const char *", default: "other")
#define container_of(p, t, m) ((t *)((char *)(p) - __builtin_offsetof(t, m)))

struct Inner { int a, b; };
struct Outer { long pad; struct Inner in; int tail[4]; };
typedef int Vec[3];
_Static_assert(sizeof(int) == 4, "int");

static int side;
static int bump(void) { return ++side; }

static int vla(int n) {
  int a[n];
  for (int i = 0; i < n; i++) a[i] = i * i;
  int s = 0;
  for (int i = 0; i < n; i++) s += a[i];
  return s + (int)sizeof a;
}

static int alloc(int n) {
  char *p = __builtin_alloca(n);
  for (int i = 0; i < n; i++) p[i] = i;
  int s = 0;
  while (n--) s += p[n];
  return s;
}

static int old_style(a, b) int a; char b; { return a + b; }

static inline int twice(int x) { return x + x; }

int main(void) {
  int x = 5, y = 9;
  printf("%d %d\n", MAX(x, y), MAX(bump(), 0));
  printf("%s %s %s %s %s %s %s\n", KIND(1), KIND(1u), KIND(1L), KIND(1.0), KIND(1.0f), KIND("s"), KIND('c'));
  struct Outer o = { 1, { 2, 3 }, { 4, 5, 6, 7 } };
  struct Inner *in = &o.in;
  printf("%ld %lu\n", container_of(in, struct Outer, in)->pad, __builtin_offsetof(struct Outer, tail[2]));
  Vec v = { 1, 2, 3 };
  __typeof__(v) w = { 4, 5, 6 };
  printf("%d %lu\n", v[2] + w[0], sizeof(Vec));
  printf("%d %d\n", vla(10), alloc(20));
  printf("%d\n", old_style(3, 'a'));
  printf("%d\n", twice(twice(3)));
  int a = (bump(), bump(), side);
  printf("%d\n", a);
  int *p = (int[]){ 10, 20, 30 };
  printf("%d\n", p[1]);
  for (int i = 0; i < 3; i++) {
    struct Inner *q = &(struct Inner){ i, i * 2 };
    q->a += 100;
    printf("%d %d ", q->a, q->b);
  }
  printf("\n%lu %lu %lu\n", sizeof(char[10]), sizeof x, sizeof(struct Outer));
  printf("%lu\n", sizeof(side++));
  printf("%d\n", side);
  unsigned char c = 255;
  printf("%d %d\n", c + 1, (unsigned char)(c + 1));
  printf("%ld\n", x > 3 ? 1L : 2);
  printf("%g\n", x > 3 ? 1 : 2.5);
  x = y = 3;
  x += y -= 1;
  printf("%d %d\n", x, y);
  printf("%d\n", x++ + (y += 1));
  printf("%d %d\n", x, y);
  printf("%d\n", x == 6 && y == 3);
  printf("%d\n", (x & 1) == 0 ? x << 2 | 1 : -x);
  int arr[5] = { 0 };
  int i = 0;
  arr[i++] = 5;
  arr[i++] += 7;
  arr[i] = i;
  printf("%d %d %d %d\n", arr[0], arr[1], arr[2], i);
  long big = 1;
  big = big * 3000000000 + x;
  printf("%ld\n", big);
  printf("%d %d\n", __builtin_types_compatible_p(int, int), __builtin_types_compatible_p(int, long));
  printf("%d %d\n", __builtin_constant_p(3), __builtin_choose_expr(1, 5, 6));
  printf("%s %d\n", __func__, (int)sizeof(__func__));
  printf("%d\n", ({ int t = 0; for (int k = 0; k < 5; k++) t += k; t; }));
  printf("%d %d %d\n", __builtin_popcount(0xff0f), __builtin_clz(1), __builtin_ctz(8));
  printf("%d %d %d\n", __builtin_popcountl(-1L), __builtin_clzl(1), __builtin_ctzl(1L << 40));
  printf("%x %lx %x\n", __builtin_bswap32(0x12345678), __builtin_bswap64(0x123456789abcdef0), __builtin_bswap16(0x1234));
  volatile unsigned long vv = 0x8000;
  printf("%d %d %d\n", __builtin_clzl(vv), __builtin_ctzl(vv), __builtin_ffsl(vv));
  int r;
  printf("%d ", __builtin_add_overflow(2147483647, 1, &r));
  printf("%d ", r);
  printf("%d ", __builtin_mul_overflow(65536, 65535, &r));
  printf("%d ", __builtin_sub_overflow(-5, 3, &r));
  unsigned long ur;
  printf("%d ", __builtin_mul_overflow(vv << 40, 1024UL, &ur));
  printf("%d ", __builtin_add_overflow(vv, ~0UL, &ur));
  long sr;
  printf("%d ", __builtin_add_overflow(0x7fffffffffffffffL, (long)vv, &sr));
  printf("%d\n", __builtin_mul_overflow(-3L, 0x4000000000000000L, &sr));
  return 0;
}

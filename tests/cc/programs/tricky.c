/* Declarators, scopes, conversions and orderings that compilers get wrong. */
int printf(const char *, ...);
void *malloc(unsigned long);

typedef int Fn(int);
typedef Fn *FnPtr;
typedef int Row[3];
static int neg(int x) { return -x; }
static int dbl(int x) { return x + x; }
static FnPtr select_fn(int i) { static FnPtr const table[] = { neg, dbl }; return table[i]; }
static int (*nested(void))(int) { return dbl; }
static Fn *(*deep[2])(int) = { select_fn, select_fn };
static int (*(*rows)(void))[3];
static Row storage[2] = { { 1, 2, 3 }, { 4, 5, 6 } };
static int (*get_rows(void))[3] { return storage; }
typedef struct T T;
struct T { T *self; union { struct { short lo, hi; }; int both; }; T *(*method)(T *); };
static T *identity(T *t) { return t; }
enum { A = 'a', B = A << 1, C = sizeof(struct T), D = -B };
static const volatile int cv = 3;
static int x = 10;
static char *const strings[2][2] = { { "a", "b" }, { "c", "d" } };
static unsigned char table[256] = { ['0' ... '9'] = 1, ['a'] = 2 };

static int shadow(int x) { { int x = 5; { extern int printf(const char *, ...); x++; } if (x != 6) return -1; } return x; }
static long promote(char c, short s, unsigned char u) { return c - s - u; }
static float half(float f) { return f / 2; }
static int loop_scopes(void) {
  int total = 0;
  for (int i = 0, j = 10; i < j; i++, j--) { int i2 = i * j; total += i2; for (int i = 0; i < 2; i++) total += i; }
  return total;
}
static int early(int n) { while (1) { if (n > 5) return n; n += 2; } }
static void fill(int n, int v[n]) { for (int i = 0; i < n; i++) v[i] = i; }
static int sum_static(const int v[static 3]) { return v[0] + v[1] + v[2]; }
static unsigned rotl(unsigned v, int n) { return v << n | v >> (32 - n); }
static int ternaries(int a, int b) { return a ? b ? 1 : 2 : b ? 3 : 4; }
static long long fact(int n) { return n <= 1 ? 1 : n * fact(n - 1); }
static int bools(_Bool a, _Bool b) { return a + b + (a & b) + (a ^ b) * 4 + !a; }
static void noop(void) {}
static int side;
static int next(void) { return side++; }

int main(void) {
  printf("%d %d %d\n", select_fn(0)(5), nested()(7), deep[1](1)(9));
  rows = get_rows;
  printf("%d %d %lu\n", (*rows())[2], rows()[1][0], sizeof(*rows()) / sizeof(int));
  T t = { &t, .both = 0x00050007, .method = identity };
  printf("%d %d %d\n", t.lo, t.hi, t.method(t.self)->self->hi);
  t.self->hi = -1;
  printf("%x\n", (unsigned)t.both);
  printf("%d %d %d\n", A, B, D);
  printf("%d\n", cv + cv);
  printf("%d %d\n", shadow(3), x);
  printf("%s%s\n", strings[1][0], *strings[0] + 0);
  printf("%d %d %d %d\n", table['5'], table['a'], table['z'], (int)sizeof table);
  printf("%ld\n", promote(200, -5, 255));
  printf("%g %g\n", half(3), half(5) * 2);
  printf("%d %d\n", loop_scopes(), early(0));
  int v[6];
  fill(6, v);
  printf("%d %d\n", v[5], sum_static(v + 2));
  printf("%x %x\n", rotl(0x80000001u, 4), rotl(1, 31));
  printf("%d%d%d%d\n", ternaries(1, 1), ternaries(1, 0), ternaries(0, 1), ternaries(0, 0));
  printf("%lld\n", fact(20));
  printf("%d %d %d\n", bools(2, 0), bools(1, 1), bools(0, 256));
  printf("%d\n", (noop(), 5));
  int i = 3;
  int *p = v;
  *p++ = 10;
  *++p = 20;
  (*p)--;
  printf("%d %d %d %d\n", v[0], v[1], v[2], (int)(p - v));
  p[1] = p[-2] + *p;
  printf("%d\n", v[3]);
  unsigned char c = 10;
  c -= 20;
  printf("%d\n", c);
  c = -c;
  printf("%d %d\n", c, ~c);
  short s = 0x7fff;
  s += 1;
  printf("%d\n", s);
  printf("%d\n", (unsigned char)~0 >> 4);
  printf("%ld\n", 1L << 35 >> 3);
  printf("%u %d\n", 3000000000u / 7, (int)(-7u % 5));
  printf("%d\n", (int)(char)(signed char)-1);
  printf("%d %d\n", -5 / 2 * 2 + -5 % 2, 5 / -2);
  long big = 0x123456789abcdefL;
  printf("%d %x %d\n", (int)(big >> 60), (unsigned)big, (short)big);
  switch ((unsigned char)(c + 250)) { case 4: printf("four\n"); break; default: printf("%d\n", (unsigned char)(c + 250)); }
  int a[3] = { next(), next(), next() };
  printf("%d %d\n", a[0] + a[1] + a[2], side);
  struct { int n; int v[3]; } w = { 1, { 2, 3, 4 } }, *pw = &w, copy = *pw;
  pw->v[pw->n]++;
  copy.v[0] += w.v[1];
  printf("%d %d %d\n", w.v[1], copy.v[0], (&copy)->v[2]);
  char text[] = "abc" "def", *q = text;
  while (*q) *q++ ^= ' ';
  printf("%s %d\n", text, (int)(q - text));
  int m[2][3][4], n = 0;
  for (int a = 0; a < 2; a++) for (int b = 0; b < 3; b++) for (int c = 0; c < 4; c++) m[a][b][c] = n++;
  printf("%d %d %d\n", m[1][2][3], *(*(*(m + 1) + 1) + 2), (int)sizeof m[0]);
  void *vp = &m[1];
  printf("%d\n", (*(int (*)[3][4])vp)[0][1]);
  if (x = 0) printf("no\n"); else printf("assigned %d\n", x);
  for (x = 3; x--;) printf("%d", x);
  printf("\n");
  do { if (x++ < 2) continue; break; } while (x < 100);
  printf("%d\n", x);
  double d = 7;
  d -= .5;
  i = d;
  i /= 2.5;
  printf("%g %d %d\n", d, i, (int)d % 4);
  { typedef char x; x y = 'y'; printf("%c %d\n", y, (int)sizeof(x)); }
  goto inside;
  { int skipped = 99; (void)skipped; inside: printf("inside\n"); }
  return (x, 7);
}

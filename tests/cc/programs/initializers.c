/* Initialisers: nested, elided braces, designators, ranges, strings, unions, flexible members, static addresses. */
int printf(const char *, ...);

struct Point { int x, y; };
struct Line { struct Point a, b; const char *name; };
union Value { int i; double d; char s[8]; };
struct Tagged { int tag; union Value v; };
struct Deep { struct { int a[2][3]; struct Point p; } in[2]; int last; };
struct Anon { int a; union { int b; float c; }; struct { short d, e; }; };
struct Ops { int (*fn)(int); const char *name; };

static int inc(int x) { return x + 1; }
static int dbl(int x) { return x * 2; }

static const struct Line lines[] = {
  { { 1, 2 }, { 3, 4 }, "first" },
  5, 6, 7, 8, "second",
  { .name = "third", .b.y = 9, .a = { .y = 10 } },
};
static int matrix[3][4] = { { 1 }, { 2, 3 }, [2][3] = 4 };
static int sparse[20] = { [3] = 1, 2, [10 ... 12] = 5, [0] = 9 };
static char text[] = "hello", padded[10] = "pad", cut[3] = "abc", braced[] = { "in braces" };
static const char *names[] = { "zero", [2] = "two", [1] = "one" };
static struct Tagged tagged[] = { { 1, { 42 } }, { 2, { .d = 2.5 } }, { 3, { .s = "abc" } } };
static struct Deep deep = { { { { { 1, 2, 3 }, { 4 } }, { 5, 6 } }, { .p = { 7, 8 }, .a[1] = { 9 } } }, 10 };
static struct Anon anon = { 1, { 2 }, { 3, 4 } };
static struct Anon anon2 = { .d = 5, .b = 6 };
static struct Ops ops[] = { { inc, "inc" }, { &dbl, "dbl" } };
static int *middle = &sparse[10], *field = &matrix[1][1];
static struct Point *pp = &deep.in[1].p;
static struct Line *const lp = (struct Line *)&lines[1];
static long diff = &sparse[7] - &sparse[2];
static const char *tail = "tail of it" + 5;
static struct { int n; char data[]; } flexible = { 3, { 'x', 'y', 'z' } };
static struct Point *literal = &(struct Point){ 31, 32 };
static double constants[] = { 1, 2.5f, 3 / 2, 3 / 2.0, -0.0 };
static unsigned char small[] = { -1, 256 + 7, 'a' };
static int (*table[3])(int) = { [1] = dbl };
static long big = 1L << 40 | (sizeof(struct Deep) * 0 + 3);
static enum { ONE = 1, TWO, SIX = 6, SEVEN, NEG = -1 } en = SEVEN;

static int locals(int n) {
  struct Line l = { { n, n + 1 }, .name = "local" };
  int a[6] = { n, [4] = n * 2 };
  struct Deep d = { .in[1].a[0][1] = n, .last = a[4] };
  char s[16] = "abc";
  struct Point ps[] = { { 1, n }, { n, 2 } };
  union Value v = { .d = 1.5 };
  int sum = 0;
  for (int i = 0; i < 6; i++) sum += a[i] * (i + 1);
  printf("%d %d %d %s %d %d %d %s %d %g\n", l.a.x, l.a.y, l.b.x, l.name, d.in[1].a[0][1], d.last, d.in[0].p.x, s,
         ps[1].x + (int)(sizeof ps / sizeof *ps), v.d);
  struct Point p = { 1, 2 };
  p = (struct Point){ p.y, p.x };
  printf("%d %d\n", p.x, p.y);
  int big[50] = { 1, 2, 3, [49] = 4 };
  for (int i = 0; i < 50; i++) sum += big[i];
  const int primes[] = { 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71 };
  for (unsigned i = 0; i < sizeof primes / sizeof primes[0]; i++) sum += primes[i];
  return sum;
}

static int counter(void) { static int n = 5; static int calls[2]; calls[n & 1]++; return n++ * 10 + calls[0] + calls[1]; }

int main(void) {
  for (int i = 0; i < 3; i++)
    printf("%d %d %d %d %s\n", lines[i].a.x, lines[i].a.y, lines[i].b.x, lines[i].b.y, lines[i].name);
  for (int i = 0; i < 12; i++) printf("%d ", matrix[0][i]);
  for (int i = 0; i < 20; i++) printf("%d ", sparse[i]);
  printf("\n%s %lu %s %c%c%c %s %lu\n", text, sizeof text, padded, cut[0], cut[1], cut[2], braced, sizeof braced);
  printf("%s %s %s %lu\n", names[0], names[1], names[2], sizeof names / sizeof *names);
  printf("%d %g %s\n", tagged[0].v.i, tagged[1].v.d, tagged[2].v.s);
  printf("%d %d %d %d %d %d %d %d\n", deep.in[0].a[0][2], deep.in[0].a[1][0], deep.in[0].a[1][1], deep.in[0].p.y,
         deep.in[1].a[1][0], deep.in[1].a[0][0], pp->x + pp->y, deep.last);
  printf("%d %d %d %d %d %d\n", anon.b, anon.d, anon.e, anon2.a, anon2.b, anon2.d);
  printf("%d %d %s\n", ops[0].fn(5), ops[1].fn(5), ops[1].name);
  printf("%d %d %s %ld %s\n", *middle, *field, lp->name, diff, tail);
  printf("%d %c %d\n", flexible.n, flexible.data[2], literal->y);
  for (int i = 0; i < 5; i++) printf("%g ", constants[i]);
  printf("%d %d %d %d %d %ld %d %d\n", small[0], small[1], small[2], table[0] == 0, table[1](4), big, en, NEG);
  printf("%d\n", locals(3));
  int c1 = counter(), c2 = counter(), c3 = counter();
  printf("%d %d %d\n", c1, c2, c3);
  return 0;
}

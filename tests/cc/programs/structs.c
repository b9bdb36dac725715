/* Structs and unions by value: every register shape, nested, returned, compared field by field. */
int printf(const char *, ...);

struct S1 { char c; };
struct S2 { short a, b; };
struct S3 { char a, b, c; };
struct S5 { int a; char b; };
struct S8 { int a, b; };
struct S12 { int a, b, c; };
struct S16 { long a, b; };
struct S24 { long a, b, c; };
struct SP { void *p; };
struct SPL { int *p; long n; };
struct SLP { long n; int *p; };
struct SPP { int *p, *q; };
struct SPLL { int *p; long a, b; };
struct F1 { float f; };
struct F2 { float x, y; };
struct F4 { float v[4]; };
struct D2 { double x, y; };
struct D4 { double a, b, c, d; };
struct MIX { int i; float f; };
struct BIG { int v[40]; int *p; };
struct NEST { struct S3 a; struct { short x; struct S8 s; } b; };
union U { int i; float f; char c[12]; };

static struct S1 s1(struct S1 s) { s.c++; return s; }
static struct S2 s2(struct S2 s) { s.a += s.b; return s; }
static struct S3 s3(struct S3 s) { char t = s.a; s.a = s.c; s.c = t; return s; }
static struct S5 s5(struct S5 s) { s.a = -s.a; return s; }
static struct S8 s8(struct S8 s) { s.a ^= s.b; return s; }
static struct S12 s12(struct S12 s) { s.c = s.a + s.b; return s; }
static struct S16 s16(struct S16 s) { s.a -= s.b; return s; }
static struct S24 s24(struct S24 s) { s.c = s.a * s.b; s.a = 1; return s; }
static struct SP sp(struct SP s) { s.p = (char *)s.p + 1; return s; }
static struct SPL spl(struct SPL s) { s.n += *s.p; s.p++; return s; }
static struct SLP slp(struct SLP s) { s.n -= *s.p; return s; }
static struct SPP spp(struct SPP s) { int *t = s.p; s.p = s.q; s.q = t; return s; }
static struct SPLL spll(struct SPLL s) { s.a += s.b + *s.p; return s; }
static struct F1 f1(struct F1 s) { s.f *= 2; return s; }
static struct F2 f2(struct F2 s) { float t = s.x; s.x = s.y; s.y = t; return s; }
static struct F4 f4(struct F4 s) { for (int i = 0; i < 4; i++) s.v[i] += i; return s; }
static struct D2 d2(struct D2 s) { s.x += s.y; return s; }
static struct D4 d4(struct D4 s) { s.d = s.a + s.b + s.c; return s; }
static struct MIX mix(struct MIX s) { s.f += s.i; return s; }
static struct BIG big(struct BIG s) { s.v[3] += *s.p; s.v[39] = 7; return s; }
static struct NEST nest(struct NEST s) { s.b.s.a = s.a.b; s.b.x = 9; return s; }
static union U un(union U u) { u.i++; return u; }

static long many(struct S8 a, int b, struct S24 c, struct SPL d, struct F2 e, double f, struct S16 g,
                 struct SPP h, struct S12 i, char j, struct D4 k, struct S3 l, short m) {
  return a.a + a.b + b + c.a + c.b + c.c + d.n + *d.p + (long)e.x + (long)e.y + (long)f + g.a + g.b +
         *h.p + *h.q + i.a + i.b + i.c + j + (long)k.a + (long)k.d + l.a + l.b + l.c + m;
}

static struct S8 pick(int n, struct S8 a, struct S8 b) { return n ? a : b; }

int main(void) {
  int ints[4] = { 11, 22, 33, 44 };
  struct S1 a = s1((struct S1){ 'x' });
  struct S2 b = s2((struct S2){ 100, -200 });
  struct S3 c = s3((struct S3){ 1, 2, 3 });
  struct S5 d = s5((struct S5){ 5, 'q' });
  struct S8 e = s8((struct S8){ 12, 10 });
  struct S12 f = s12((struct S12){ 1, 2, 99 });
  struct S16 g = s16((struct S16){ 1L << 40, 5 });
  struct S24 h = s24((struct S24){ 6, 7, 0 });
  printf("%d %d %d %d%d%d %d%c %d %d %d %ld %ld %ld %ld %ld\n", a.c, b.a, b.b, c.a, c.b, c.c, d.a, d.b, e.a,
         e.b, f.c, g.a, g.b, h.a, h.b, h.c);
  struct SP i = sp((struct SP){ ints });
  struct SPL j = spl((struct SPL){ ints, 5 });
  struct SLP k = slp((struct SLP){ 5, ints + 1 });
  struct SPP l = spp((struct SPP){ ints, ints + 3 });
  struct SPLL m = spll((struct SPLL){ ints + 2, 1, 2 });
  printf("%d %ld %d %ld %d %d %d %ld\n", (int)((char *)i.p - (char *)ints), j.n, *j.p, k.n, *k.p, *l.p, *l.q, m.a);
  struct F1 n = f1((struct F1){ 1.25f });
  struct F2 o = f2((struct F2){ 1, 2 });
  struct F4 p = f4((struct F4){ { 1, 2, 3, 4 } });
  struct D2 q = d2((struct D2){ 0.5, 0.25 });
  struct D4 r = d4((struct D4){ 1, 2, 3, 4 });
  struct MIX s = mix((struct MIX){ 3, 0.5f });
  printf("%g %g %g %g %g %g %g %g %g %d %g\n", n.f, o.x, o.y, p.v[0], p.v[1], p.v[2], p.v[3], q.x, r.d, s.i, s.f);
  struct BIG t = { { 1, 2, 3, 4 }, ints + 3 };
  struct BIG u = big(t);
  printf("%d %d %d %d\n", t.v[3], u.v[3], t.v[39], u.v[39]);
  struct NEST v = nest((struct NEST){ { 1, 2, 3 }, { 4, { 5, 6 } } });
  printf("%d %d %d %d\n", v.a.b, v.b.x, v.b.s.a, v.b.s.b);
  union U w = { .i = 41 };
  w = un(w);
  printf("%d\n", w.i);
  printf("%ld\n", many(e, 1, h, j, o, 2.5, g, l, f, 'A', r, c, -3));
  printf("%d %d\n", pick(1, e, (struct S8){ 7, 8 }).a, pick(0, e, (struct S8){ 7, 8 }).b);
  printf("%d\n", s8((struct S8){ 1, 3 }).a);
  printf("%d\n", nest(v).b.s.b);
  struct S24 arr[3] = { { 1, 2, 3 }, { 4, 5, 6 } };
  arr[2] = arr[0];
  arr[0] = s24(arr[1]);
  struct S24 *pa = &arr[2];
  pa->c = 77;
  struct S24 copy = *pa;
  printf("%ld %ld %ld %ld\n", arr[0].c, arr[2].c, copy.a, (*pa).b);
  struct SPL chain[2] = { { ints, 1 }, { ints + 1, 2 } }, swap;
  swap = chain[0], chain[0] = chain[1], chain[1] = swap;
  printf("%d %d %ld\n", *chain[0].p, *chain[1].p, chain[1].n);
  struct BIG x, y;
  x = t;
  y = x = u;
  printf("%d %d\n", y.v[39], *x.p);
  return 0;
}

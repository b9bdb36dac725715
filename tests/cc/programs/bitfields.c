/* Bit-fields: packing, signs, crossing containers, zero widths, assignment values. */
int printf(const char *, ...);
void *memset(void *, int, unsigned long);

struct A { unsigned a : 3, b : 5; int c : 7; unsigned d : 17; };
struct B { unsigned char x : 1, y : 2, z : 5; unsigned short w : 9; };
struct C { unsigned a : 20; unsigned b : 20; unsigned long c : 40, d : 24; };
struct D { int a : 4; int : 0; int b : 4; _Bool t : 1; signed char s : 3; };
struct E { unsigned char tag; unsigned kind : 4; unsigned rest : 28; };
struct F { unsigned long v : 64; long w : 33; };
enum Color { RED, GREEN, BLUE };
struct G { enum Color c : 2; unsigned n : 30; };

static struct A global = { 5, 17, -20, 100000 };
static const struct C gc = { 0xabcde, 0x12345, 0xfedcba9876UL, 0x654321 };

static void dump(const void *p, unsigned long n) {
  const unsigned char *b = p;
  for (unsigned long i = 0; i < n; i++) printf("%02x", b[i]);
  printf("\n");
}

int main(void) {
  printf("%lu %lu %lu %lu %lu %lu %lu\n", sizeof(struct A), sizeof(struct B), sizeof(struct C), sizeof(struct D),
         sizeof(struct E), sizeof(struct F), sizeof(struct G));
  printf("%d %d %d %d\n", global.a, global.b, global.c, global.d);
  dump(&global, sizeof global);
  dump(&gc, sizeof gc);
  struct A a = { 0 };
  a.a = 9;
  a.b = 31;
  a.c = 64;
  a.d = 131071;
  printf("%d %d %d %d\n", a.a, a.b, a.c, a.d);
  printf("%d %d\n", a.a = 15, (a.c = -65));
  a.b += 3;
  a.c--;
  a.d <<= 1;
  printf("%d %d %d\n", a.b, a.c, a.d);
  printf("%d ", a.a++);
  printf("%d\n", ++a.a);
  struct B b;
  memset(&b, 0, sizeof b);
  b.x = 1; b.y = 2; b.z = 21; b.w = 300;
  dump(&b, sizeof b);
  struct C c = gc;
  c.a ^= 0xff;
  c.c = c.c * 3;
  c.d = ~c.d;
  printf("%x %x %lx %lx\n", c.a, c.b, (unsigned long)c.c, (unsigned long)c.d);
  struct D d;
  memset(&d, 0, sizeof d);
  d.a = 7; d.b = -8; d.t = 4; d.s = -1;
  printf("%d %d %d %d\n", d.a, d.b, d.t, d.s);
  dump(&d, sizeof d);
  struct E e = { 1, 2, 3 };
  e.rest = 0x0fffffff;
  e.kind = 12;
  dump(&e, sizeof e);
  struct F f = { ~0UL, -1 };
  f.w = 1L << 32;
  printf("%lx %ld\n", (unsigned long)f.v, (long)f.w);
  struct G g = { BLUE, 7 };
  printf("%d %d %d\n", g.c, g.n, g.c == BLUE);
  printf("%d\n", a.d - 1000000 < 0);
  printf("%d\n", e.rest > -1);
  struct A arr[2] = { { 1, 2, 3, 4 }, { .c = -1, .a = 6 } };
  struct A *p = &arr[1];
  p->d = 77;
  printf("%d %d %d %d\n", p->a, p->b, p->c, p->d);
  return 0;
}

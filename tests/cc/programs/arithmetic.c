/* Integer arithmetic: widths, signs, conversions, shifts, division, compound assignment. */
int printf(const char *, ...);

static signed char sc = -5;
static unsigned char uc = 250;
static short ss = -30000;
static unsigned short us = 65000;
static int si = -2000000000;
static unsigned ui = 4000000000u;
static long sl = -9000000000000000000L;
static unsigned long ul = 18000000000000000000UL;
volatile int two = 2, three = 3, seven = -7;

static void conversions(void) {
  printf("%d %d %d %d\n", sc, uc, ss, us);
  printf("%d %u %ld %lu\n", si, ui, sl, ul);
  printf("%d %d\n", (signed char)uc, (unsigned char)sc);
  printf("%d %d\n", (short)us, (unsigned short)ss);
  printf("%d %u\n", (int)ui, (unsigned)si);
  printf("%ld %lu\n", (long)ui, (unsigned long)si);
  printf("%d %d\n", (int)sl, (int)(char)sl);
  printf("%d %d %d\n", (_Bool)256, (_Bool)0.5, (_Bool)0);
  printf("%d\n", sc < uc);
  printf("%d\n", si < ui);
  printf("%d\n", (long)si < (long)ui);
  printf("%d\n", sl < (long)ul);
  printf("%d\n", -1 < 1u);
  printf("%d\n", (unsigned char)-1 == 255);
  printf("%d\n", 'a' + 1);
  printf("%lu\n", sizeof(sc + uc));
  printf("%lu\n", sizeof('a'));
  printf("%d\n", (unsigned short)(us + us));
}

static void division(void) {
  printf("%d %d\n", seven / two, seven % two);
  printf("%d %d\n", -seven / -two, -seven % -two);
  printf("%u %u\n", (unsigned)seven / 3u, (unsigned)seven % 3u);
  printf("%ld %ld\n", sl / 7, sl % 7);
  printf("%lu %lu\n", ul / 7, ul % 7);
  printf("%d %d\n", si / 16, si % 16);
  printf("%u %u\n", ui / 16, ui % 16);
  printf("%d\n", (-17) >> 2);
  printf("%d\n", (-17) / 4);
}

static void shifts(void) {
  for (int i = 0; i < 32; i += 5)
    printf("%d %d %u %u\n", 1 << i, si >> i, ui << i, ui >> i);
  for (int i = 0; i < 64; i += 9)
    printf("%ld %ld %lu %lu\n", 1L << i, sl >> i, ul << i, ul >> i);
  unsigned char c = 0x81;
  printf("%d %d\n", c << 1, c >> 1);
  c <<= 1;
  printf("%d\n", c);
  signed char d = -128;
  d >>= 1;
  printf("%d\n", d);
  long shift = 33;
  printf("%d\n", (int)(1L << shift >> 30));
}

static void compound(void) {
  int a = 10;
  a += 5; a -= 3; a *= 7; a /= 2; a %= 23; a <<= 3; a >>= 1; a |= 5; a &= 0xfe; a ^= 0x33;
  printf("%d\n", a);
  unsigned char b = 200;
  b += 100;
  printf("%d\n", b);
  b -= 100;
  printf("%d\n", b);
  b *= 3;
  printf("%d\n", b);
  short s = 32767;
  s++;
  printf("%d\n", s);
  s--;
  printf("%d\n", s);
  char c = 255;
  printf("%d ", c++);
  printf("%d ", c);
  printf("%d\n", --c);
  double x = 10;
  x += 3;
  x /= 4;
  int n = 7;
  n *= 1.5;
  printf("%f %d\n", x, n);
  long l = 1;
  l <<= 40;
  l += two;
  printf("%ld\n", l);
  _Bool t = 0;
  t++;
  t++;
  printf("%d\n", t);
  t--;
  printf("%d\n", t);
}

static unsigned long mix(unsigned long x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9UL;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebUL;
  return x ^ x >> 31;
}

int main(void) {
  conversions();
  division();
  shifts();
  compound();
  unsigned long h = 1;
  for (int i = 0; i < 20; i++) h = mix(h + i);
  printf("%lx\n", h);
  printf("%d %d %d\n", ~two, -two, !two);
  printf("%u %lu\n", ~0u, ~0ul);
  printf("%d\n", two > 1 ? three : seven);
  printf("%d\n", (two, three));
  return (int)(h & 63);
}

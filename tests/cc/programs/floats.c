/* float and double: arithmetic, comparisons with NaN, conversions, library-free builtins. */
int printf(const char *, ...);

static double zero = 0.0;
volatile float third = 1.0f / 3.0f;

static void compare(double a, double b) {
  printf("%d%d%d%d%d%d", a < b, a <= b, a > b, a >= b, a == b, a != b);
  printf(" %d%d%d%d%d%d\n", !(a < b), !(a <= b), !(a > b), !(a >= b), !(a == b), !(a != b));
  if (a < b) printf("lt "); else printf("not-lt ");
  if (!(a >= b)) printf("not-ge "); else printf("ge ");
  printf("%s\n", a == b ? "eq" : "ne");
}

static double horner(const double *c, int n, double x) {
  double r = 0;
  while (n-- > 0) r = r * x + c[n];
  return r;
}

static float fsum(const float *v, int n) {
  float s = 0;
  for (int i = 0; i < n; i++) s += v[i];
  return s;
}

int main(void) {
  double nan = __builtin_nan(""), inf = __builtin_inf();
  compare(1, 2);
  compare(2, 1);
  compare(1, 1);
  compare(nan, 1);
  compare(nan, nan);
  compare(inf, -inf);
  compare(-zero, zero);
  printf("%g %g %g\n", 1 / (zero + 0), -1 / (zero + 0), 1 / -zero);
  printf("%.9g %.17g %.9g\n", third, (double)third, third * 3.0);
  printf("%.17g\n", 0.1 + 0.2);
  printf("%.9g\n", 0.1f + 0.2f);
  printf("%d %d %d %d\n", (int)3.99, (int)-3.99, (int)1e9, (int)-0.5);
  printf("%u %lu %ld\n", (unsigned)3e9, (unsigned long)1.8e19, (long)-9e18);
  printf("%d %d %d\n", (signed char)100.7, (unsigned char)200.9, (short)-1234.5);
  printf("%.17g %.17g\n", (double)18446744073709551615UL, (double)-9223372036854775807L);
  printf("%.9g %.9g\n", (float)16777217, (float)4294967295u);
  printf("%.9g\n", (double)(float)9007199791611905L);
  const double c[] = { 1, -2, 3, -4, 5 };
  printf("%.17g\n", horner(c, 5, 1.5));
  const float v[] = { 0.1f, 0.2f, 0.3f, 1e8f, -1e8f };
  printf("%.9g\n", fsum(v, 5));
  printf("%g %g %g %g\n", __builtin_floor(-1.5), __builtin_ceil(-1.5), __builtin_trunc(-1.5), __builtin_rint(2.5));
  printf("%g %g %g\n", __builtin_fabs(-2.0), __builtin_sqrt(2.25), __builtin_copysign(3.0, -zero));
  printf("%d %d %d %d\n", __builtin_isnan(nan), __builtin_isinf(inf), __builtin_isfinite(1.0), !!__builtin_signbit(-zero));
  printf("%d %d %d\n", __builtin_isnan(1.0), __builtin_isinf(1.0f) , __builtin_isfinite(inf));
  printf("%d %d\n", zero ? 1 : 0, nan ? 1 : 0);
  printf("%d %d %d\n", !zero, zero && 1, zero || nan);
  float f = 1;
  for (int i = 0; i < 30; i++) f *= 1.1f;
  printf("%.9g\n", f);
  double d = 1;
  int n = 0;
  while (d > 1e-10) { d /= 3; n++; }
  printf("%d %.17g\n", n, d);
  f++;
  d--;
  printf("%.9g %.17g\n", f, d);
  printf("%.17g %.17g\n", 0x1.8p3, 1e-320);
  printf("%.9g\n", 1.17549435e-38f / 2);
  int i = 7;
  double mixed = i / 2 + i / 2.0 + 1u + 2L;
  printf("%g\n", mixed);
  return 0;
}

/* Arithmetic: conversions, floats, wide multiplication, shifts, comparisons of every kind. */
int printf(const char *, ...);
typedef unsigned long u64; typedef long i64; typedef unsigned u32; typedef int i32;
__attribute__((noinline)) u64 mulhi(u64 a, u64 b) { u64 al = (u32)a, ah = a >> 32, bl = (u32)b, bh = b >> 32, m = al * bh + (al * bl >> 32), n = ah * bl + (u32)m; return ah * bh + (m >> 32) + (n >> 32); }
__attribute__((noinline)) u64 rot(u64 x, int n) { return x << (n & 63) | x >> (-n & 63); }
__attribute__((noinline)) u32 rot32(u32 x, int n) { return x << (n & 31) | x >> (-n & 31); }
__attribute__((noinline)) int cmp(i64 a, i64 b) { return (a > b) - (a < b); }
__attribute__((noinline)) int ucmp(u32 a, u32 b) { return a < b ? -1 : a > b ? 1 : 0; }
__attribute__((noinline)) int fcmp(double a, double b) { return (a < b) + 2 * (a <= b) + 4 * (a == b) + 8 * (a != b) + 16 * (a > b) + 32 * (a >= b) + 64 * !(a < b); }
__attribute__((noinline)) int clamp(int x, int lo, int hi) { return x < lo ? lo : x > hi ? hi : x; }
__attribute__((noinline)) i64 madd(i64 a, i64 b, i64 c) { return a * b + c; }
__attribute__((noinline)) i64 wide(i32 a, i32 b) { return (i64)a * b - (i64)(u32)a * (u32)b; }
__attribute__((noinline)) int bitcount(u64 x) { int n = 0; for (; x; x &= x - 1) n++; return n; }
__attribute__((noinline)) u32 crc(const unsigned char *p, int n) { u32 c = ~0u; while (n--) { c ^= *p++; for (int k = 0; k < 8; k++) c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1; } return ~c; }
int main(void) {
    static const double d[] = { 0.0, -0.0, 1.5, -2.75, 1e10, -1e10, 3.9999, 0.5 };
    u64 x = 0x123456789abcdef0ul, nan_bits = 0x7ff8000000000000ul; double nan = *(double *)&nan_bits;
    for (int i = 0; i < 8; i++) printf("%d %ld %u %g %g\n", (int)(d[i] / 1e3), (i64)d[i], (u32)(d[i] < 0 ? 0 : d[i] / 10), (double)(float)d[i], d[i] * 3 - 1);
    printf("%lx %lx %x %d %d\n", mulhi(x, x), rot(x, 13), rot32(0x12345678, 31), cmp(-3, 5), ucmp(~0u, 3));
    for (int i = 0; i < 8; i++) for (int j = 0; j < 3; j++) printf("%d ", fcmp(d[i], d[j]));
    printf("%d %d %d\n", fcmp(nan, 1), fcmp(1, nan), fcmp(nan, nan));
    printf("%d %d %d %ld %ld %d %x\n", clamp(5, 0, 3), clamp(-5, 0, 3), clamp(2, 0, 3), madd(3, -4, 100), wide(-2, 3), bitcount(x), crc((const unsigned char *)"123456789", 9));
    i64 s = 0; u64 t = 0;
    for (i32 i = -50; i < 50; i += 7) { s += i / 7 + i % 5 + (i >> 2) + (i64)i * 1000003; t += (u32)i / 9 + (u32)i % 10 + ((u32)i >> 5) + (u64)(i64)i / 1000; }
    printf("%ld %lu\n", s, t);
    short sh = -7; unsigned short us = 65530; signed char sc = -128; unsigned char uc = 200;
    printf("%d %d %d %d %ld %lu\n", sh * us, sc - uc, (signed char)(uc + 100), (short)(us << 3), (i64)sh << 33, (u64)us << 45);
    float f = 16777217; double g = (double)x, h = (double)(i64)~x; printf("%.1f %.1f %.1f %lu %ld\n", f, g, h, (u64)(g / 2), (i64)h);
    return (int)(s & 7);
}

/* Large frames, variable arrays, many arguments, address-taken locals, alignment. */
int printf(const char *, ...);
void *memset(void *, int, unsigned long);
__attribute__((noinline)) long many(int a, long b, char c, short d, unsigned e, long f, int g, long h, int i, char j, long k, const char *l, double x) {
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j + 11 * k + l[1] + (long)x;
}
__attribute__((noinline)) double floats(double a, float b, double c, double d, double e, float f, double g, double h, double i, float j) {
    return a - b + c - d + e - f + g - h + i * j;
}
__attribute__((noinline)) int big(int n) {
    unsigned char small[5000], large[70000];
    int words[9000];
    memset(small, 1, sizeof small);
    memset(large, 2, sizeof large);
    for (int i = 0; i < 9000; i++) words[i] = i;
    small[n] = 9; large[n * 10] = 7;
    words[n] += small[n] + large[69999];
    int sum = 0;
    for (int i = 0; i < 5000; i++) sum += small[i];
    for (int i = 0; i < 70000; i += 7) sum += large[i];
    return sum + words[n] + words[8999];
}
__attribute__((noinline)) int vla(int n) {
    int a[n], total = 0;
    for (int i = 0; i < n; i++) a[i] = i * i;
    for (int k = 1; k < n; k += 2) {
        char b[k * 3];
        memset(b, k, sizeof b);
        total += b[k * 3 - 1] + a[k];
        printf("%d %lu %d %d %d %d\n", k, (unsigned long)sizeof b, b[0], a[k], total, n);
    }
    return total + (int)many(1, 2, 3, 4, 5, 6, 7, 8, n, 10, 11, "abc", 2.5);
}
static void bump(int *p, long *q) { *p += 1; *q += *p; }
int main(void) {
    int x = 5; long y = 7;
    for (int i = 0; i < 3; i++) bump(&x, &y);
    printf("%d %ld\n", x, y);
    printf("%ld\n", many(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, "xyz", 12.75));
    printf("%g\n", floats(1, 2, 3, 4, 5, 6, 7, 8, 9, 10.5f));
    printf("%d %d\n", big(3), big(4999));
    int first = vla(7), second = vla(12);
    printf("%d %d\n", first, second);
    return x;
}

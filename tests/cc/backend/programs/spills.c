/* More live values than registers, in all three classes, across calls and loops. */
int printf(const char *, ...);
static unsigned seed = 1;
__attribute__((noinline)) unsigned next(void) { seed = seed * 1103515245u + 12345; return seed >> 8; }
__attribute__((noinline)) void touch(void *p) { *(unsigned *)p += 1; }
static unsigned cells[40];
unsigned ints(int n) {
    unsigned a = next(), b = next(), c = next(), d = next(), e = next(), f = next(), g = next(), h = next();
    unsigned i = next(), j = next(), k = next(), l = next(), m = next(), o = next(), p = next(), q = next();
    unsigned r = next(), s = next(), t = next(), u = next(), v = next(), w = next(), x = next(), y = next();
    unsigned aa = next(), bb = next(), cc = next(), dd = next(), ee = next(), ff = next(), gg = next(), hh = next();
    while (n-- > 0) {
        a += b ^ c; b += c ^ d; c += d ^ e; d += e ^ f; e += f ^ g; f += g ^ h; g += h ^ i; h += i ^ j;
        i += j ^ k; j += k ^ l; k += l ^ m; l += m ^ o; m += o ^ p; o += p ^ q; p += q ^ r; q += r ^ s;
        r += s ^ t; s += t ^ u; t += u ^ v; u += v ^ w; v += w ^ x; w += x ^ y; x += y ^ aa; y += aa ^ bb;
        aa += bb ^ cc; bb += cc ^ dd; cc += dd ^ ee; dd += ee ^ ff; ee += ff ^ gg; ff += gg ^ hh; gg += hh ^ a; hh += a;
        if (n % 3 == 0) a ^= next();
    }
    return a ^ b ^ c ^ d ^ e ^ f ^ g ^ h ^ i ^ j ^ k ^ l ^ m ^ o ^ p ^ q ^ r ^ s ^ t ^ u ^ v ^ w ^ x ^ y ^ aa ^ bb ^ cc ^ dd ^ ee ^ ff ^ gg ^ hh;
}
double doubles(int n) {
    double v[40], a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8, i = 9, j = 10, k = 11, l = 12, m = 13, o = 14;
    double p = 15, q = 16, r = 17, s = 18, t = 19, u = 20, w = 21, x = 22, y = 23, z = 24, aa = 25, bb = 26, cc = 27, dd = 28;
    double ee = 29, ff = 30, gg = 31, hh = 32, ii = 33;
    for (int z1 = 0; z1 < 40; z1++) v[z1] = z1 * 0.5;
    while (n-- > 0) {
        a += b * 0.5; b += c - d; c += e * v[n & 31]; d += f; e -= g; f += h * 0.25; g -= i; h += j; i -= k * 0.125; j += l;
        k -= m; l += o; m -= p; o += q; p -= r; q += s; r -= t; s += u; t -= w; u += x; w -= y; x += z; y -= aa; z += bb;
        aa -= cc; bb += dd; cc -= ee; dd += ff; ee -= gg; ff += hh; gg -= ii; hh += a * 0.001; ii -= b * 0.002;
        if (n % 5 == 0) a += next() & 3;
    }
    return a + b + c + d + e + f + g + h + i + j + k + l + m + o + p + q + r + s + t + u + w + x + y + z + aa + bb + cc + dd + ee + ff + gg + hh + ii;
}
unsigned pointers(int n) {
    unsigned *a = cells, *b = cells + 1, *c = cells + 2, *d = cells + 3, *e = cells + 4, *f = cells + 5, *g = cells + 6;
    unsigned *h = cells + 7, *i = cells + 8, *j = cells + 9, *k = cells + 10, *l = cells + 11, *m = cells + 12;
    unsigned *o = cells + 13, *p = cells + 14, *q = cells + 15, *r = cells + 16, *s = cells + 17, *t = cells + 18;
    unsigned *u = cells + 19, *v = cells + 20, *w = cells + 21, *x = cells + 22, *y = cells + 23, *swap;
    while (n-- > 0) {
        touch(a); touch(c); *b += *a; *d ^= *e; *f += *g; *h ^= *i; *j += *k; *l ^= *m; *o += *p; *q ^= *r;
        *s += *t; *u ^= *v; *w += *x; *y ^= *a;
        swap = a; a = b; b = c; c = d; d = e; e = f; f = g; g = h; h = i; i = j; j = k; k = l; l = m; m = o; o = p;
        p = q; q = r; r = s; s = t; t = u; u = v; v = w; w = x; x = y; y = swap;
    }
    unsigned sum = 0;
    for (int z = 0; z < 40; z++) sum = sum * 31 + cells[z];
    return sum + (unsigned)(a - cells) + (unsigned)(y - cells) * 100;
}
int main(void) {
    for (int i = 0; i < 40; i++) cells[i] = i * 7;
    printf("%u\n", ints(50));
    printf("%.6f\n", doubles(20));
    printf("%u\n", pointers(77));
    return 0;
}

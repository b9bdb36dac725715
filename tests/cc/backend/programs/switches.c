/* Switches of all shapes, computed goto, nested loops with break and continue. */
int printf(const char *, ...);
__attribute__((noinline)) int sparse(long x) {
    switch (x) {
    case -5: return 1; case 0: return 2; case 7: return 3; case 100: return 4; case 1000: return 5; case 100000: return 6;
    case 0x7fffffffffffffffL: return 7; case -1000000000000L: return 8; case 42: return 9; case 43: return 10; case 44: return 11;
    case 45: return 12; case 47: return 13;
    default: return 0;
    }
}
__attribute__((noinline)) int dense(int x) {
    int r = 0;
    switch (x) {
    case -3: r += 1; case -2: r += 2; break; case -1: r = 7; break; case 0: r = 9; /* falls through */ case 1: r++; break;
    case 2: r = 100; break; case 3: case 4: case 5: r = 5; break; case 9: r = -1;
    }
    return r;
}
__attribute__((noinline)) int bytes(unsigned char c) {
    switch (c) {
    case 'a' ... 'z': return 1; case 'A' ... 'Z': return 2; case '0' ... '9': return 3; case 255: return 4; case 0: return 5;
    default: return 6;
    }
}
__attribute__((noinline)) int machine(const unsigned char *p) {
    static void *const ops[] = { &&push, &&add, &&mul, &&dup, &&jump, &&stop, &&less, &&swap };
    int stack[16], *sp = stack, steps = 0;
#define NEXT do { steps++; goto *ops[*p++]; } while (0)
    NEXT;
push: *sp++ = *p++; NEXT;
add: sp--; sp[-1] += sp[0]; NEXT;
mul: sp--; sp[-1] *= sp[0]; NEXT;
dup: *sp = sp[-1]; sp++; NEXT;
swap: { int t = sp[-1]; sp[-1] = sp[-2]; sp[-2] = t; NEXT; }
less: sp--; sp[-1] = sp[-1] < sp[0]; NEXT;
jump: if (*--sp) p -= *p; else p++; NEXT;
stop: return sp[-1] * 1000 + steps;
}
int main(void) {
    static const long s[] = { -6, -5, 0, 1, 7, 42, 43, 44, 45, 46, 47, 100, 999, 1000, 100000, 0x7fffffffffffffffL, -1000000000000L };
    for (unsigned i = 0; i < sizeof s / sizeof *s; i++) printf("%d ", sparse(s[i]));
    for (int i = -5; i < 12; i++) printf("%d,", dense(i));
    int counts[8] = { 0 };
    for (int i = 0; i < 256; i++) counts[bytes(i)]++;
    for (int i = 0; i < 8; i++) printf(" %d", counts[i]);
    static const unsigned char code[] = { 0, 1, 0, 1, 1, 3, 0, 100, 6, 4, 8, 3, 2, 5 };
    printf("\n%d\n", machine(code));
    int found = 0;
    for (int i = 2; i < 200; i++) {
        for (int j = 2; j * j <= i; j++) { if (i % j == 0) goto composite; }
        found++;
        continue;
composite:
        if (found > 40) break;
    }
    printf("%d\n", found);
    return 3;
}

/* Structures by value, pointers inside, unions, bit-fields, function pointers, lists. */
int printf(const char *, ...);
void *malloc(unsigned long);
struct small { int a, b; }; struct pair { char *s; long n; }; struct big { long v[6]; }; struct hfa { float x, y, z; };
struct mixed { char c; struct small s; char *p; double d; }; union u { unsigned long l; unsigned char b[8]; double d; };
struct bits { unsigned a : 3; int b : 5; unsigned c : 12; unsigned long d : 40; };
struct node { struct node *left, *right; int key; };
__attribute__((noinline)) struct small mk(int a, int b) { struct small s = { a + b, a - b }; return s; }
__attribute__((noinline)) struct pair mkp(char *s, long n) { struct pair p = { s + 1, n * 2 }; return p; }
__attribute__((noinline)) struct big mkb(struct big b, int k) { for (int i = 0; i < 6; i++) b.v[i] += k * i; return b; }
__attribute__((noinline)) struct hfa addh(struct hfa a, struct hfa b) { a.x += b.x; a.y *= b.y; a.z -= b.z; return a; }
__attribute__((noinline)) long mix(struct mixed m, struct small s, struct pair p) { return m.c + m.s.a + m.s.b + m.p[0] + (long)m.d + s.a * s.b + p.s[0] + p.n; }
__attribute__((noinline)) static struct node *insert(struct node *t, int key) {
    if (!t) { t = malloc(sizeof *t); t->left = t->right = 0; t->key = key; return t; }
    if (key < t->key) t->left = insert(t->left, key); else t->right = insert(t->right, key);
    return t;
}
static int walk(const struct node *t, int depth) { return t ? walk(t->left, depth + 1) + t->key * depth + walk(t->right, depth + 1) : 0; }
static int twice(int x) { return 2 * x; } static int square(int x) { return x * x; }
typedef int (*fn)(int);
static fn table[] = { twice, square, 0 };
int main(void) {
    struct small s = mk(7, 3); struct pair p = mkp("hello", 21); struct big b = { { 1, 2, 3, 4, 5, 6 } }, c = mkb(b, 10);
    struct hfa h = addh((struct hfa){ 1.5f, 2, 3 }, (struct hfa){ 4, 5, 6 });
    struct mixed m = { 'x', { 1, 2 }, "yz", 3.75 }; union u u; struct bits f = { 5, -7, 4000, 0xabcdef1234 };
    printf("%d %d %s %ld %ld %ld\n", s.a, s.b, p.s, p.n, c.v[5], b.v[5]);
    printf("%g %g %g %ld\n", h.x, h.y, h.z, mix(m, s, p));
    u.d = 1.0; printf("%lx %d\n", u.l, u.b[7]);
    f.a += 4; f.b -= 3; f.c ^= 0xfff; f.d++;
    printf("%u %d %u %lx %lu\n", f.a, f.b, f.c, (unsigned long)f.d, (unsigned long)sizeof f);
    struct node *t = 0; unsigned r = 12345;
    for (int i = 0; i < 60; i++) { r = r * 1103515245u + 12345; t = insert(t, r >> 20 & 255); }
    printf("%d\n", walk(t, 1));
    for (fn *g = table; *g; g++) printf("%d ", (*g)(9));
    struct pair ps[3] = { { "a", 1 }, { "bc", 2 }, { "def", 3 } }, tmp;
    for (int i = 0; i < 2; i++) for (int j = 0; j < 2 - i; j++) if (ps[j].n < ps[j + 1].n) { tmp = ps[j]; ps[j] = ps[j + 1]; ps[j + 1] = tmp; }
    for (int i = 0; i < 3; i++) printf("%s%ld ", ps[i].s, ps[i].n);
    printf("\n");
    return walk(t, 0) & 63;
}

/* Loops, switch, goto, labels as values, short circuits, nested breaks. */
int printf(const char *, ...);

static int classify(int x) {
  switch (x) {
  case 0: return 100;
  case 1:
  case 2: return 101;
  case -1: return 102;
  case 10 ... 20: return 103;
  case 1000 ... 100000: return 104;
  default: return 105;
  }
}

static int fall(int x) {
  int r = 0;
  switch (x & 7) {
    int unused;
  case 7: r += 64;
  case 6: r += 32; break;
  case 5: r += 16;
  default: r += 1;
  case 3: r += 2; break;
  case 1: { r = 5; break; }
  }
  return r;
}

static long wide(unsigned long x) {
  switch (x) {
  case 0x100000000UL: return 1;
  case 0xffffffffffffffffUL: return 2;
  case 5: return 3;
  }
  return 0;
}

static int duff(int count) {
  int n = (count + 3) / 4, total = 0;
  switch (count % 4) {
  case 0: do { total += 1;
  case 3:      total += 10;
  case 2:      total += 100;
  case 1:      total += 1000;
          } while (--n > 0);
  }
  return total;
}

static int interpret(const unsigned char *code) {
  static void *const table[] = { &&op_push, &&op_add, &&op_mul, &&op_dup, &&op_end };
  int stack[16], sp = 0;
  goto *table[*code++];
op_push: stack[sp++] = *code++; goto *table[*code++];
op_add: sp--; stack[sp - 1] += stack[sp]; goto *table[*code++];
op_mul: sp--; stack[sp - 1] *= stack[sp]; goto *table[*code++];
op_dup: stack[sp] = stack[sp - 1]; sp++; goto *table[*code++];
op_end: return stack[0];
}

static int calls;
static int yes(int x) { calls++; return x; }

static int gotos(int n) {
  int i = 0, s = 0;
again:
  if (i >= n) goto out;
  s += i++;
  if (s > 1000) goto out;
  goto again;
out:
  return s;
}

static int nested(void) {
  int found = 0;
  for (int i = 0; i < 10; i++) {
    for (int j = 0;; j++) {
      if (j > i) break;
      if (i * j == 42) { found = i * 100 + j; goto done; }
      if (j & 1) continue;
      found++;
    }
  }
done:
  return found;
}

static int collatz(unsigned n) {
  int steps = 0;
  while (n != 1) {
    if (n & 1) n = 3 * n + 1; else n /= 2;
    steps++;
  }
  return steps;
}

int main(void) {
  int xs[] = { 0, 1, 2, -1, 10, 15, 20, 21, 999, 1000, 50000, 100000, 100001, -2147483647 - 1 };
  for (unsigned i = 0; i < sizeof xs / sizeof *xs; i++) printf("%d ", classify(xs[i]));
  printf("\n");
  for (int i = 0; i < 9; i++) printf("%d ", fall(i));
  printf("\n%ld %ld %ld %ld\n", wide(0x100000000UL), wide(-1UL), wide(5), wide(0));
  for (int i = 1; i < 9; i++) printf("%d ", duff(i));
  const unsigned char code[] = { 0, 7, 0, 5, 1, 3, 2, 4 };
  printf("\n%d\n", interpret(code));
  int r = 0;
  r += yes(1) && yes(0) && yes(1);
  r += 10 * (yes(0) || yes(2) || yes(3));
  r += 100 * !(yes(1) && !yes(0));
  if (yes(0) || (yes(1) && !yes(0))) r += 1000;
  if (!(yes(1) || yes(1)) || yes(0)) r += 10000;
  printf("%d %d\n", r, calls);
  printf("%d %d %d\n", gotos(10), gotos(100), gotos(0));
  printf("%d\n", nested());
  printf("%d\n", collatz(27));
  int i = 5;
  do { printf("%d", i); } while (--i);
  printf("\n");
  for (;;) { if (++i > 4) break; }
  while (i--) if (i == 2) continue; else printf("[%d]", i);
  printf("\n");
  int x = 3;
  int y = x == 3 ? x > 2 ? 1 : 2 : 3;
  x = y ? : 9;
  printf("%d %d %d\n", x, y, 0 ?: 7);
  return r & 0xff;
}

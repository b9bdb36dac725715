/* Capabilities in C: bounds of every kind of object, tags through copies, uintptr_t, intrinsics, atomics. */
#include <stdio.h>
#include <stdint.h>
#include <cheriintrin.h>
#include <stdlib.h>
#include <string.h>
#include <stdatomic.h>
struct S { char *p; long n; char *q; };
union U { uintptr_t u; void *p; char b[32]; };
int garr[5];
static const int carr[3] = {1,2,3};
_Thread_local int tls_value = 7;
static struct S copy(struct S s) { return s; }
int main(void) {
  int x[4];
  int *p = x;
  printf("%lu %lu %lu\n", (unsigned long)cheri_length_get(p), (unsigned long)cheri_offset_get(p + 2), sizeof(void *));
  printf("%lu %lu\n", (unsigned long)cheri_length_get(garr), (unsigned long)cheri_length_get(carr));
  printf("%lu\n", (unsigned long)cheri_length_get("hello"));
  printf("store %d %d\n", !!(cheri_perms_get(garr) & CHERI_PERM_STORE), !!(cheri_perms_get(carr) & CHERI_PERM_STORE));
  printf("tls %d %lu\n", tls_value, (unsigned long)cheri_length_get(&tls_value));
  uintptr_t u = (uintptr_t)p;
  u += 4; u &= ~(uintptr_t)3; u |= 0;
  *(int *)u = 77;
  printf("%d %d\n", x[1], cheri_tag_get((void *)u));
  uintptr_t from_int = 5 + u - 5;
  printf("tag %d\n", cheri_tag_get((void *)from_int));
  printf("plain %d\n", cheri_tag_get((void *)(uintptr_t)(size_t)p));
  struct S a = { "abc", 5, "def" }, b;
  b = a;
  struct S *h = malloc(sizeof *h);
  *h = copy(b);
  printf("%s %ld %s %d\n", h->p, h->n, h->q, cheri_tag_get(h->p));
  union U un, v;
  un.p = x;
  v = un;
  printf("%d %d\n", cheri_tag_get(v.p), v.p == (void *)x);
  un.b[0] ^= 1;
  printf("%d\n", cheri_tag_get(un.p));
  char *m = malloc(100);
  printf("%lu\n", (unsigned long)cheri_length_get(m));
  memset(m, 1, 100);
  int (*fn)(const char *, ...) = printf;
  fn("sentry %d sealed %d\n", cheri_is_sentry(fn), cheri_is_sealed(fn));
  void *arr[4] = { x, garr, 0, m };
  void *arr2[4];
  memcpy(arr2, arr, sizeof arr);
  printf("%d %d %d %d\n", cheri_tag_get(arr2[0]), arr2[1] == garr, arr2[2] == NULL, cheri_tag_get(arr2[3]));
  int *t = cheri_bounds_set(x, 8);
  printf("%lu %d\n", (unsigned long)cheri_length_get(t), cheri_is_equal_exact(t, x));
  _Atomic(int) ai = 5;
  ai += 3; ai++;
  atomic_fetch_add(&ai, 10);
  int expected = 19;
  printf("%d ", atomic_compare_exchange_strong(&ai, &expected, 100));
  printf("%d\n", ai);
  void *_Atomic ap = x;
  void *old = atomic_exchange(&ap, (void *)garr);
  printf("%d %d\n", old == x, cheri_tag_get(atomic_load(&ap)));
  char big[20000];
  printf("%d\n", cheri_length_get(big) >= 20000 && cheri_base_get(big) == cheri_address_get(big));
  printf("%d %lx\n", cheri_tag_get(cheri_tag_clear(p)), (unsigned long)cheri_representable_length(0x12345));
  intptr_t neg = -5;
  printf("%ld %d\n", (long)neg, neg < 0);
  uintptr_t arith = 100;
  arith = arith * 3 / 7 % 29 << 2;
  printf("%lu\n", (unsigned long)arith);
  printf("%d\n", (char *)p + 4 == (char *)&x[1]);
  return 0;
}

/* Attributes, inline functions, weak and alias symbols, sections, alignment, constructors, thread storage. */
#include <stdio.h>
#include <stdalign.h>
#include <stddef.h>

static int order;
__attribute__((constructor)) static void first(void) { order = order * 10 + 1; }
static void last(void) __attribute__((destructor));
static void last(void) { printf("destructor %d\n", order); }

int weak_default(void) __attribute__((weak));
int weak_default(void) { return 1; }
extern int never_defined(void) __attribute__((weak));
int original(int x) { return x + 5; }
int renamed(int) __attribute__((alias("original")));

struct __attribute__((packed)) Packed { char a; int b; short c; };
struct Aligned { char a; int b __attribute__((aligned(32))); } __attribute__((aligned(64)));
struct Mixed { char a; short b __attribute__((packed)); alignas(8) char c; };
static int placed __attribute__((section(".data.special"))) = 9;
static alignas(128) char wide[3];
typedef int aligned_int __attribute__((aligned(16)));

static inline int square(int x) { return x * x; }
inline int external(int x);
inline int external(int x) { return x + square(x); }
extern inline __attribute__((always_inline)) int forced(int x) { return x * 3; }
static __attribute__((noinline)) int plain(int x) { return x - 1; }
static __attribute__((unused)) int unused_function(void) { return 0; }

static _Thread_local int per_thread = 40;
static __thread struct { int a; char *p; } record = { 2, "tls" };
_Noreturn void stop(int);
static __attribute__((const, pure, warn_unused_result)) int fine(int x) { return x; }
void (*handler)(void) = first;

int main(void) {
  printf("%d %d %d\n", order, weak_default(), never_defined == NULL);
  printf("%d\n", renamed(10));
  printf("%zu %zu %zu %zu\n", sizeof(struct Packed), offsetof(struct Packed, b), sizeof(struct Aligned),
         offsetof(struct Aligned, b));
  printf("%zu %zu %zu\n", sizeof(struct Mixed), offsetof(struct Mixed, b), offsetof(struct Mixed, c));
  printf("%d %zu %d\n", placed, (size_t)wide % 128, (int)alignof(aligned_int));
  printf("%d %d %d %d\n", square(7), external(3), forced(4), plain(5));
  per_thread += record.a;
  printf("%d %s %d\n", per_thread, record.p, fine(3));
  struct Packed p = { 1, 2, 3 }, *q = &p;
  q->b += 0x01020304;
  q->c--;
  printf("%d %x %d\n", q->a, q->b, q->c);
  alignas(64) char local[10];
  printf("%zu\n", (size_t)local % 64);
  handler();
  switch (order) {
  case 11: order++; __attribute__((fallthrough));
  case 12: order += 2; break;
  default: __builtin_unreachable();
  }
  return order;
}

/* The preprocessor: pasting, stringizing, variadic macros, rescanning, conditionals, line numbers. */
int printf(const char *, ...);
#define STR(x) #x
#define XSTR(x) STR(x)
#define CAT(a, b) a##b
#define XCAT(a, b) CAT(a, b)
#define EMPTY
#define LOG(fmt, ...) printf("%d: " fmt "\n", __LINE__, ##__VA_ARGS__)
#define ARGS(...) printf("[%s]\n", #__VA_ARGS__)
#define COUNT_(a, b, c, d, n, ...) n
#define COUNT(...) COUNT_(__VA_ARGS__, 4, 3, 2, 1, 0)
static int SELF = 1;
#define SELF SELF + 1
#define f(x) (x * 2)
#define g f
#define DO(x) do { x; } while (0)
#define MULTI(a, \
              b) a + \
                 b
#define LIST X(one, 1) X(two, 2) X(three, 3)
#define X(name, value) name = value,
enum { LIST };
#undef X
#define X(name, value) #name,
static const char *names[] = { LIST };
#undef X
#define PAREN() ()
#define CALL(m, args) m args
#define INDIRECT(x) x
#define VERSION 3
#if VERSION >= 4
#error wrong
#elif VERSION == 3 && defined(VERSION) && !defined NOTHING
#define CHOSEN 1
#else
#error wrong
#endif
#if (1 << 4) + 2 * 3 == 22 && (5 / 2 == 2) && ('A' == 65) && -1 < 0 && 7 % 4 == 3
#define MATH 1
#endif
#ifdef NOTHING
#if garbage ( here
#endif
#define MATH 2
#elif 0
#define MATH 3
#endif
#if UNKNOWN_NAME == 0 && 0x10 == 16 && 010 == 8 && 100000L * 100000L > 0 && ~0U > 0 && (2 > 1 ? 1 : 0)
#define UNKNOWN_OK 1
#endif

int main(void) {
  int xy = 5, SELF_1 = 7, x2 = 9;
  printf("%s %s\n", STR(VERSION), XSTR(VERSION));
  printf("%s|%s|%s\n", STR(a  +   b), STR("q\n"), STR('\\'));
  printf("%d\n", CAT(x, y));
  { int x1 = 0; printf("%d\n", XCAT(x, MATH) + XCAT(x, 2)); }
  LOG("plain");
  LOG("%d and %s", 5, "text");
  ARGS(a, b, (c, d), "e,f");
  ARGS();
  printf("%d %d %d\n", COUNT(1), COUNT(1, 2), COUNT(a, b, c));
  printf("%d\n", SELF);
  printf("%d %d\n", g(3), f(f(2)));
  DO(printf("do\n"));
  printf("%d\n", MULTI(1, 2));
  printf("%d %d %d %s %s\n", one, two, three, names[0], names[2]);
  printf("%d\n", CALL(f, (4)));
  printf("%s\n", XSTR(INDIRECT(f)(5)));
  printf("%d %d %d\n", CHOSEN, MATH, UNKNOWN_OK);
  printf("%d" " %s" EMPTY "\n", __LINE__ - 70 > 0, "joined " "strings");
  printf("%d\n", /* comment */ 1 // another
         + 2);
  printf("%s\n", "not // a comment /* at all */");
  printf("%d%s\n", __COUNTER__ + __COUNTER__, __FILE__[0] ? "" : "x");
  (void)SELF_1; (void)x2;
  return 0;
}

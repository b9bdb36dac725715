#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static jmp_buf context;

static void deep(int n)
{
    volatile int filler[8];
    filler[n & 7] = n;
    if (n == 0)
        longjmp(context, 42);
    deep(n - 1);
}

static void at_end(void)
{
    printf("at exit\n");
}

int main(void)
{
    volatile int count = 0;
    time_t when = 951782400; /* 2000-02-29 */
    struct tm broken;
    char text[64];
    int value = setjmp(context);

    if (value == 0) {
        count++;
        deep(20);
    }
    printf("%d %d\n", value, count);
    gmtime_r(&when, &broken);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %a %j", &broken);
    printf("%s %ld\n", text, (long)(mktime(&broken) - when));
    printf("%s\n", getenv("NOT_THERE") == NULL ? "unset" : "set");
    setenv("GREETING", "hello", 1);
    printf("%s\n", getenv("GREETING"));
    printf("%d %ld\n", div(-7, 2).rem, ldiv(1000000007L, 10).quot);
    atexit(at_end);
    exit(3);
}

#include <stdio.h>
#include <unistd.h>

static long fib(long n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

/* Pointers and integers take turns in the same places: tags come and go. */
static long mix(void) {
    void *place[4];
    long total = 0;
    for (int k = 0; k < 6000; k++) {
        place[k & 3] = &total;
        *(volatile long *)&place[(k + 1) & 3] = k;
        total += k;
    }
    return total;
}

int main(int argc, char **argv) {
    char text[16];
    long got = read(0, text, sizeof text);
    printf("%ld %ld %ld\n", fib(argc > 1 ? 14 : 10), mix(), got);
    fprintf(stderr, "done %s\n", argc > 1 ? argv[1] : "");
    return 7;
}
